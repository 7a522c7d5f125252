//! The note's lines: its figure, what follows by its own formula, and what is right.

use super::types::{Figure, Line, Part, Unit, Verdict};
use super::{Ledger, LedgerInputs, ledger};
use crate::model::{
    SCALAR_BYTES, StepSize, Tree, VerifierCircuit, constraints_within, published_circuits,
    published_folded_bytes,
};

/// The note's own inputs.
pub const NOTE: LedgerInputs = LedgerInputs {
    machines: 1000.0,
    cycles: 1e9,
    segment_cycles: 1e6,
    snapshot_bytes: 50e6,
    stark_bytes: 250e3,
};
/// The largest snapshots it names.
pub const LARGE_SNAPSHOT_BYTES: f64 = 200e6;
/// Its bytes of witness a cycle.
pub(super) const ROW_BYTES: f64 = 1e3;
/// Its folded witness.
pub(super) const FOLDED_BYTES: f64 = 1e6;
/// Bytes of a cell: a 31-bit field element.
const CELL_BYTES: f64 = 4.0;
/// Bytes of a Groth16 proof over BN254: two points of 64 bytes and one of 128, uncompressed.
pub(super) const GROTH16_BYTES: f64 = 256.0;
/// Its bits of a gate, rounded.
const GATE_BITS: f64 = 750.0;
/// Its gates of Nova's verifier circuit, and of CycleFold's.
const NOVA_GATES: f64 = 10_000.0;
const CYCLEFOLD_GATES: f64 = 1_000.0;

/// Source of the note's figures.
const SOURCE: &str = "the note";

/// What a line's formula computes from.
type Formula = fn(&LedgerInputs, &Ledger) -> f64;

/// All lines, in the order of the note's reasoning.
///
/// - `asked`: other inputs, with which lines that depend on them are computed too.
pub(super) fn lines(asked: Option<&LedgerInputs>) -> Vec<Line> {
    let mut lines = network(asked);
    lines.extend(witness(asked));
    lines.extend(circuits());
    lines.extend(folding(asked));
    lines
}

/// Begins a line.
fn line(id: &str, part: Part, what: &str, verdict: Verdict, remark: &str) -> Line {
    Line {
        id: id.to_owned(),
        part,
        what: what.to_owned(),
        says: None,
        as_written: None,
        with_inputs: None,
        corrected: Vec::new(),
        verdict,
        remark: remark.to_owned(),
        recomputed: Vec::new(),
    }
}

impl Line {
    /// With the note's figure.
    fn says(mut self, value: f64, unit: Unit) -> Self {
        self.says = Some(Figure::declared("", value, unit, SOURCE));
        self
    }

    /// With its formula, which is right: corrected is the same.
    fn formula(
        mut self,
        asked: Option<&LedgerInputs>,
        unit: Unit,
        words: &str,
        of: Formula,
    ) -> Self {
        let figure =
            |inputs: &LedgerInputs| Figure::modelled("", of(inputs, &ledger(inputs)), unit, words);
        self.as_written = Some(figure(&NOTE));
        self.with_inputs = asked.map(figure);
        self.corrected = self.as_written.iter().cloned().collect();
        self
    }

    /// With what was asked for instead of an assumption, in bytes.
    fn given(mut self, asked: Option<&LedgerInputs>, of: fn(&LedgerInputs) -> f64) -> Self {
        let figure = |inputs| Figure::declared("", of(inputs), Unit::Bytes, "as asked for");
        self.with_inputs = asked.map(figure);
        self
    }

    /// With other figures for corrected ones.
    fn corrected(mut self, figures: Vec<Figure>) -> Self {
        self.corrected = figures;
        self
    }

    /// With more corrected figures.
    fn and(mut self, figures: impl IntoIterator<Item = Figure>) -> Self {
        self.corrected.extend(figures);
        self
    }
}

fn large() -> Ledger {
    ledger(&LedgerInputs {
        snapshot_bytes: LARGE_SNAPSHOT_BYTES,
        ..NOTE
    })
}

/// Segments, proofs and the tree.
fn network(asked: Option<&LedgerInputs>) -> Vec<Line> {
    use Part::Recursion;
    use Verdict::{Assumption, Open, Right, Rounded, Wrong};
    let odd = Tree::new(ledger(&NOTE).segments as u64).odd;
    let carried = odd.into_iter().map(|objects| {
        let source = "objects on a level, halved";
        Figure::modelled("one carried over at", objects as f64, Unit::Count, source)
    });
    let at_large = |value| Figure::modelled("snapshots of 200 MB", value, Unit::Bytes, "the same");
    vec![
        line(
            "segments",
            Recursion,
            "segments of 1 million cycles",
            Right,
            "",
        )
        .says(1e3, Unit::Count)
        .formula(
            asked,
            Unit::Count,
            "cycles / cycles of a segment, rounded up",
            |_, l| l.segments,
        ),
        line(
            "snapshot",
            Recursion,
            "a snapshot, sent with each segment",
            Assumption,
            "up to 200 MB, says the note; it depends on program, moment and encoding",
        )
        .says(NOTE.snapshot_bytes, Unit::Bytes)
        .given(asked, |inputs| inputs.snapshot_bytes),
        line(
            "assigned",
            Recursion,
            "segments assigned to provers",
            Right,
            "",
        )
        .says(50e9, Unit::Bytes)
        .formula(asked, Unit::Bytes, "segments × snapshot", |_, l| {
            l.assigned_bytes
        })
        .and([at_large(large().assigned_bytes)]),
        line("returned", Recursion, "proofs returned", Right, "")
            .says(250e6, Unit::Bytes)
            .formula(asked, Unit::Bytes, "segments × STARK", |_, l| {
                l.returned_bytes
            }),
        line(
            "joins-sent",
            Recursion,
            "STARKs sent to be joined",
            Rounded,
            "",
        )
        .says(2000.0, Unit::Count)
        .formula(asked, Unit::Count, "2 × (segments − 1)", |_, l| {
            2.0 * l.joins
        }),
        line(
            "joins-returned",
            Recursion,
            "joined STARKs returned",
            Rounded,
            "",
        )
        .says(1000.0, Unit::Count)
        .formula(asked, Unit::Count, "segments − 1", |_, l| l.joins),
        line(
            "levels",
            Recursion,
            "levels of the tree",
            Right,
            "the note halves 1000 and 500 and leaves the rest to the reader",
        )
        .formula(
            asked,
            Unit::Count,
            "halve, round up, until one is left",
            |_, l| l.levels,
        )
        .and(carried),
        line("tree", Recursion, "the tree", Rounded, "")
            .says(750e6, Unit::Bytes)
            .formula(asked, Unit::Bytes, "(sent + returned) × STARK", |_, l| {
                l.tree_bytes
            })
            .and([
                Figure::modelled("sent", 2.0 * ledger(&NOTE).joins, Unit::Count, "2 × joins"),
                Figure::modelled("returned", ledger(&NOTE).joins, Unit::Count, "joins"),
            ]),
        line(
            "aggregation",
            Recursion,
            "aggregation with the proofs returned",
            Rounded,
            "",
        )
        .says(1e9, Unit::Bytes)
        .formula(asked, Unit::Bytes, "proofs returned + tree", |_, l| {
            l.aggregation_bytes
        }),
        line("total", Recursion, "everything", Rounded, "")
            .says(51e9, Unit::Bytes)
            .formula(asked, Unit::Bytes, "assigned + aggregation", |_, l| {
                l.total_bytes
            })
            .and([at_large(large().total_bytes)]),
        line(
            "assigned-share",
            Recursion,
            "segments assigned, of everything",
            Wrong,
            "50 / 51 by its own figures",
        )
        .says(0.95, Unit::Share)
        .formula(asked, Unit::Share, "assigned / total", |_, l| {
            l.assigned_share
        }),
        line(
            "negligible",
            Recursion,
            "aggregation is negligible",
            Right,
            "beside images of 50 MB; not beside what is sent of a segment where pages or \
             values are chosen",
        )
        .formula(asked, Unit::Share, "aggregation / total", |_, l| {
            l.aggregation_bytes / l.total_bytes
        }),
        line(
            "wrap",
            Recursion,
            "STARK to SNARK is negligible",
            Right,
            "in bytes; its time is another matter",
        )
        .formula(
            asked,
            Unit::Bytes,
            "one STARK sent, one Groth16 proof of 256 B returned",
            |i, _| i.stark_bytes + GROTH16_BYTES,
        ),
        line(
            "metadata",
            Recursion,
            "receipt metadata beside the STARK",
            Open,
            "the note's own TODO",
        ),
    ]
}

/// The witness.
fn witness(asked: Option<&LedgerInputs>) -> Vec<Line> {
    use Part::Recursion;
    use Verdict::{Assumption, Right};
    vec![
        line(
            "row",
            Recursion,
            "witness of a cycle",
            Assumption,
            "the layout's width takes its place",
        )
        .says(ROW_BYTES, Unit::Bytes)
        .corrected(vec![
            Figure::declared(
                "RISC Zero, least",
                540.0,
                Unit::Bytes,
                "published: 199–211 columns, 2^20 rows",
            ),
            Figure::declared(
                "RISC Zero, most",
                870.0,
                Unit::Bytes,
                "published: 199–211 columns, 2^20 rows",
            ),
        ]),
        line(
            "segment-witness",
            Recursion,
            "witness of a segment",
            Right,
            "",
        )
        .says(1e9, Unit::Bytes)
        .formula(asked, Unit::Bytes, "cycles of a segment × 1 kB", |i, _| {
            i.segment_cycles * ROW_BYTES
        }),
        line(
            "witness",
            Recursion,
            "witness of the computation",
            Right,
            "",
        )
        .says(1e12, Unit::Bytes)
        .formula(asked, Unit::Bytes, "cycles × 1 kB", |i, _| {
            i.cycles * ROW_BYTES
        }),
    ]
}

/// A published verifier circuit.
fn circuit(of: &VerifierCircuit) -> Figure {
    let source = format!("published: {}", of.source);
    Figure::declared(of.name.clone(), of.primary as f64, Unit::Count, source)
}

/// The least folded witness.
fn circuits() -> Vec<Line> {
    use Part::Folding;
    use Verdict::{BitsAsBytes, Misread, WrongUnit};
    let published = published_circuits();
    let with_cyclefold = || {
        published
            .iter()
            .filter(|circuit| circuit.name.contains("CycleFold"))
    };
    let nova = published
        .iter()
        .find(|circuit| circuit.name.starts_with("Nova, "));
    let bytes_of = |gates: f64| gates * GATE_BITS / 8.0;
    let constraint_bits = 8.0 * StepSize::of_circuit(1).folded_bytes() as f64;
    let formula = |value, unit, words: &str| Some(Figure::modelled("", value, unit, words));

    let mut gate = line(
        "gate",
        Folding,
        "bits of a gate",
        WrongUnit,
        "a constraint of a relaxed R1CS costs a scalar of W and one of E, 32 B each, and the \
         second curve comes on top",
    )
    .says(GATE_BITS, Unit::Bits)
    .corrected(vec![
        Figure::modelled("3 elements", 3.0 * 255.0, Unit::Bits, "3 × 255"),
        Figure::modelled("W and E", constraint_bits, Unit::Bits, "2 × 32 B"),
    ]);
    gate.as_written = formula(3.0 * 255.0, Unit::Bits, "3 × 255");

    let mut floor = line(
        "nova-floor",
        Folding,
        "least folded witness of Nova",
        BitsAsBytes,
        "7.5 million bits",
    )
    .says(7.5e6, Unit::Bytes)
    .corrected(vec![
        Figure::modelled("", bytes_of(NOVA_GATES), Unit::Bytes, "10,000 × 750 / 8"),
        Figure::modelled(
            "at 64 B a constraint",
            NOVA_GATES * constraint_bits / 8.0,
            Unit::Bytes,
            "10,000 × 64 B",
        ),
        Figure::declared(
            "Nova's own circuit alone",
            638_928.0,
            Unit::Bytes,
            "published: nova-snark 0.76, W and E of 9,986 constraints",
        ),
    ]);
    floor.as_written = formula(
        bytes_of(NOVA_GATES),
        Unit::Bytes,
        "10,000 gates × 750 bit / 8",
    );

    let primaries = with_cyclefold().map(|circuit| circuit.primary as f64);
    let least_primary = primaries.fold(f64::INFINITY, f64::min);
    let mut cyclefold_floor = line(
        "cyclefold-floor",
        Folding,
        "least folded witness with CycleFold",
        BitsAsBytes,
        "750 thousand bits, and of the second curve's circuit only",
    )
    .says(750e3, Unit::Bytes)
    .corrected(vec![
        Figure::modelled(
            "750 thousand bits",
            bytes_of(CYCLEFOLD_GATES),
            Unit::Bytes,
            "1,000 × 750 / 8",
        ),
        Figure::modelled(
            "its primary circuit, at 64 B a constraint",
            least_primary * constraint_bits / 8.0,
            Unit::Bytes,
            "least published constraints × 64 B",
        ),
    ]);
    cyclefold_floor.as_written = formula(
        bytes_of(CYCLEFOLD_GATES),
        Unit::Bytes,
        "1,000 gates × 750 bit / 8",
    );

    let mut gain = line(
        "cyclefold-gain",
        Folding,
        "CycleFold's circuit is 10 times smaller",
        Misread,
        "its primary circuit is larger than Nova's",
    )
    .says(10.0, Unit::Ratio)
    .corrected(
        with_cyclefold()
            .zip(nova.into_iter().cycle())
            .map(|(circuit, nova)| Figure {
                name: circuit.name.clone(),
                value: nova.primary as f64 / circuit.primary as f64,
                unit: Unit::Ratio,
                kind: crate::measure::Kind::Modelled,
                source: format!(
                    "{} / {} constraints, published",
                    nova.primary, circuit.primary
                ),
            })
            .collect(),
    );
    gain.as_written = formula(
        NOVA_GATES / CYCLEFOLD_GATES,
        Unit::Ratio,
        "10,000 / 1,000 gates",
    );

    let cyclefold = line(
        "cyclefold-gates",
        Folding,
        "gates of CycleFold's verifier circuit",
        Misread,
        "1,000 to 1,500 constraints are those on the second curve; the primary circuits are these",
    )
    .says(CYCLEFOLD_GATES, Unit::Count)
    .corrected(with_cyclefold().map(circuit).collect())
    .and(with_cyclefold().find_map(|circuit| {
        let second = circuit.secondary?;
        let source = format!("published: {}", circuit.source);
        Some(Figure::declared(
            "on the second curve",
            second as f64,
            Unit::Count,
            source,
        ))
    }));
    vec![gate, floor, cyclefold, gain, cyclefold_floor]
}

/// Aggregating folded witnesses.
fn folding(asked: Option<&LedgerInputs>) -> Vec<Line> {
    use Part::Folding;
    use Verdict::{False, Low, NotReachable, Right};
    let cells = FOLDED_BYTES / CELL_BYTES;
    let scalar = SCALAR_BYTES as f64;
    let of_witness = cells * scalar;
    let with_error = 2.0 * of_witness;
    let all = |stark_bytes: f64| {
        ledger(&LedgerInputs {
            stark_bytes,
            ..NOTE
        })
    };
    let sized = |name, value, words: &str| Figure::modelled(name, value, Unit::Bytes, words);
    let least = published_circuits()
        .into_iter()
        .min_by_key(|circuit| circuit.primary);
    let reachable = constraints_within(NOTE.stark_bytes as u64) as f64;
    let mut matched = line(
        "match",
        Folding,
        "a folded witness as small as the STARK",
        NotReachable,
        "so many elements are half as many constraints of relaxed R1CS; the least witness \
         published has no E, and more bytes",
    )
    .says(NOTE.stark_bytes, Unit::Bytes)
    .formula(asked, Unit::Count, "elements: STARK / 32 B", |i, _| {
        (i.stark_bytes / SCALAR_BYTES as f64).floor()
    });
    matched.corrected = vec![Figure::modelled(
        "constraints of W and E",
        reachable,
        Unit::Count,
        "STARK / 64 B",
    )];
    if let Some(least) = least {
        let bytes = StepSize::of_circuit(least.primary).folded_bytes() as f64;
        matched.corrected.push(circuit(&least));
        matched.corrected.push(Figure::modelled(
            "its W and E as relaxed R1CS",
            bytes,
            Unit::Bytes,
            format!("{} × 64 B", least.primary),
        ));
        let published = published_folded_bytes(&least.name).map(|bytes| bytes as f64);
        matched.corrected.extend(published.map(|bytes| {
            Figure::declared("as published", bytes, Unit::Bytes, "folded, without E")
        }));
    }
    vec![
        line(
            "folding-assigned",
            Folding,
            "a snapshot to each machine, as above",
            Right,
            "",
        )
        .says(50e9, Unit::Bytes)
        .formula(asked, Unit::Bytes, "segments × snapshot", |_, l| {
            l.assigned_bytes
        }),
        line(
            "chunk",
            Folding,
            "a segment's witness in 1000 parts, each",
            Right,
            "",
        )
        .says(1e6, Unit::Bytes)
        .formula(
            asked,
            Unit::Bytes,
            "cycles of a segment × 1 kB / 1000",
            |i, _| i.segment_cycles * ROW_BYTES / 1e3,
        ),
        line(
            "folded",
            Folding,
            "the same part, folded",
            Low,
            "250,000 cells of 4 B become as many elements of 254 bits, and E has one more for \
             each constraint",
        )
        .says(FOLDED_BYTES, Unit::Bytes)
        .formula(None, Unit::Bytes, "as long as unfolded", |_, _| {
            FOLDED_BYTES
        })
        .corrected(vec![
            sized("W", of_witness, "cells × 32 B"),
            sized("W and E", with_error, "2 × cells × 32 B"),
        ]),
        line(
            "folded-returned",
            Folding,
            "folded witnesses returned",
            Low,
            "",
        )
        .formula(asked, Unit::Bytes, "segments × 1 MB", |_, l| {
            l.segments * FOLDED_BYTES
        })
        .corrected(vec![
            sized("W", all(of_witness).returned_bytes, "segments × 8 MB"),
            sized(
                "W and E",
                all(with_error).returned_bytes,
                "segments × 16 MB",
            ),
        ]),
        line(
            "folding-aggregation",
            Folding,
            "aggregating them is marginally different from STARKs",
            False,
            "about 4,000 transfers, against a gigabyte of STARKs",
        )
        .formula(
            asked,
            Unit::Bytes,
            "(segments + 3 × joins) × 1 MB",
            |_, l| (l.segments + 3.0 * l.joins) * FOLDED_BYTES,
        )
        .corrected(vec![
            sized(
                "at 1 MB",
                all(FOLDED_BYTES).aggregation_bytes,
                "proofs returned + tree",
            ),
            sized(
                "at 16 MB",
                all(with_error).aggregation_bytes,
                "proofs returned + tree",
            ),
            sized(
                "of STARKs",
                ledger(&NOTE).aggregation_bytes,
                "proofs returned + tree",
            ),
        ]),
        matched,
    ]
}
