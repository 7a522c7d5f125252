//! The lines on folding: verifier circuits, and the witness folded.

use super::{FOLDED_BYTES, NOTE, ROW_BYTES, line};
use crate::measure::Kind;
use crate::model::note::types::{Figure, Line, Part, Unit, Verdict};
use crate::model::note::{LedgerInputs, ledger};
use crate::model::{
    SCALAR_BYTES, StepSize, VerifierCircuit, constraints_within, published_circuits,
    published_folded_bytes,
};

/// Bytes of a cell: a 31-bit field element.
const CELL_BYTES: f64 = 4.0;
/// The note's bits of a gate, rounded.
const GATE_BITS: f64 = 750.0;
/// Its gates of Nova's verifier circuit, and of CycleFold's.
const NOVA_GATES: f64 = 10_000.0;
const CYCLEFOLD_GATES: f64 = 1_000.0;

/// A published verifier circuit.
fn circuit(of: &VerifierCircuit) -> Figure {
    let source = format!("published: {}", of.source);
    Figure::declared(of.name.clone(), of.primary as f64, Unit::Count, source)
}

/// The least folded witness.
pub(super) fn circuits() -> Vec<Line> {
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
                kind: Kind::Modelled,
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
pub(super) fn folding(asked: Option<&LedgerInputs>) -> Vec<Line> {
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
