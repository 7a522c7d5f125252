//! The note's lines: its figure, what follows by its own formula, and what is right.

mod folding;

use super::types::{Figure, Line, Part, Unit, Verdict};
use super::{Ledger, LedgerInputs, ledger};
use crate::model::Tree;
use folding::{circuits, folding};

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
/// Bytes of a Groth16 proof over BN254: two points of 64 bytes and one of 128, uncompressed.
pub(super) const GROTH16_BYTES: f64 = 256.0;

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
