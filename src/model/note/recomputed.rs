//! The ledger from measured sizes.

use super::lines::{FOLDED_BYTES, NOTE};
use super::types::{Figure, Line, Scenario, Unit};
use super::{LedgerInputs, ledger};
use crate::measure::Kind;
use crate::model::{Costs, Crossing, EncodingCost, FoldedSize, Quantity, Route, break_even};
use crate::ship::{Compression, Encoding};

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Costs of segments.
    pub costs: &'a [Costs],
    /// What folding makes of segments, by chunk size.
    pub folded: &'a [FoldedSize],
    /// Seconds that a message takes one way, where a link was measured or declared.
    pub latency_seconds: Option<&'a Quantity>,
}

impl Evidence<'_> {
    /// What to call the measurements of a run: guest and segment size, and the machine where there are several.
    pub(super) fn label(&self, costs: &Costs) -> String {
        let mut label = format!("{}, 2^{} cycles", costs.guest, costs.log_cycles);
        if self
            .costs
            .iter()
            .any(|other| other.machine != costs.machine)
        {
            label.push_str(&format!(", {}", costs.machine));
        }
        label
    }

    /// Chunk sizes at which the run's guest was folded.
    pub(super) fn folded_of(&self, costs: &Costs) -> impl Iterator<Item = &FoldedSize> {
        self.folded.iter().filter(|size| size.guest == costs.guest)
    }
}

/// An encoding with its compression, as a name.
pub(super) fn encoding_name(cost: &EncodingCost) -> String {
    format!("{}, {}", cost.encoding, cost.compression)
}

/// The whole memory, as the note sends it.
pub(super) fn image(costs: &Costs) -> Option<&EncodingCost> {
    costs.encoding(Encoding::Image, Compression::Raw)
}

/// What has fewest bytes of all that a segment can be regenerated from by a worker that has nothing but the program.
///
/// That leaves out the whole input, from which it would execute everything before the segment too, and what needs the
/// memory of the segment before.
pub(super) fn least(costs: &Costs) -> Option<&EncodingCost> {
    let left_out = [Encoding::Witness, Encoding::Input, Encoding::DeltaPrevious];
    costs
        .encodings
        .iter()
        .filter(|cost| {
            left_out
                .iter()
                .all(|encoding| encoding.name() != cost.encoding)
        })
        .min_by(|a, b| a.bytes.value.total_cmp(&b.bytes.value))
}

/// Of each encoding the one with fewest bytes, and the raw one.
fn shown(costs: &Costs) -> impl Iterator<Item = &EncodingCost> {
    costs.encodings.iter().filter(|cost| {
        let same = costs
            .encodings
            .iter()
            .filter(|other| other.encoding == cost.encoding);
        let fewest = same
            .map(|other| other.bytes.value)
            .fold(f64::INFINITY, f64::min);
        cost.compression == Compression::Raw.name() || cost.bytes.value <= fewest
    })
}

/// Bytes of a proof: of the file, or else the note's.
pub(super) fn proof_bytes(costs: &Costs) -> Quantity {
    let declared = || Quantity::declared(NOTE.stark_bytes, "the note");
    costs
        .proof
        .as_ref()
        .map_or_else(declared, |proof| proof.bytes.clone())
}

/// A cluster of the note's size, or of that asked for, that sends and joins what was measured.
fn scenario(name: String, inputs: &LedgerInputs, shipment: Kind, joined: Kind) -> Scenario {
    Scenario {
        name,
        shipment,
        joined,
        inputs: *inputs,
        ledger: ledger(inputs),
    }
}

/// A run's segments in one encoding, and its proofs.
pub(super) fn of_encoding(
    evidence: &Evidence<'_>,
    asked: &LedgerInputs,
    costs: &Costs,
    cost: &EncodingCost,
) -> Scenario {
    let proof = proof_bytes(costs);
    let inputs = LedgerInputs {
        segment_cycles: costs.segment_cycles() as f64,
        snapshot_bytes: cost.bytes.value,
        stark_bytes: proof.value,
        ..*asked
    };
    let name = format!("{}: {}", evidence.label(costs), encoding_name(cost));
    scenario(name, &inputs, cost.bytes.kind, proof.kind)
}

/// All scenarios: the note's, with every snapshot size asked for, then those of what was measured.
pub(super) fn scenarios(
    evidence: &Evidence<'_>,
    asked: &LedgerInputs,
    snapshots: &[f64],
) -> Vec<Scenario> {
    let declared = Kind::Declared;
    let of = |name: &str, inputs: LedgerInputs| scenario(name.into(), &inputs, declared, declared);
    let mut all = Vec::new();
    for &snapshot_bytes in snapshots {
        let inputs = LedgerInputs {
            snapshot_bytes,
            ..*asked
        };
        let name = format!("snapshots of {} MB and STARKs", snapshot_bytes / 1e6);
        all.push(of(&name, inputs));
    }
    for (name, factor) in [
        ("snapshots and folded witnesses, as the note has them", 1.0),
        ("snapshots and folded witnesses, W and E", 16.0),
    ] {
        let inputs = LedgerInputs {
            stark_bytes: factor * FOLDED_BYTES,
            ..*asked
        };
        all.push(of(name, inputs));
    }
    for costs in evidence.costs {
        for cost in shown(costs) {
            all.push(of_encoding(evidence, asked, costs, cost));
        }
        let Some(least) = least(costs) else { continue };
        let sizes: Vec<&FoldedSize> = evidence.folded_of(costs).collect();
        let fastest = costs.fold.as_ref().map(|fold| fold.log_rows);
        let ends = [sizes.first(), sizes.last()].map(|size| size.map(|size| size.log_rows));
        for size in sizes {
            let log_rows = Some(size.log_rows);
            if log_rows != fastest && !ends.contains(&log_rows) {
                continue;
            }
            let with_proof = of_encoding(evidence, asked, costs, least);
            let inputs = LedgerInputs {
                stark_bytes: size.segment_bytes as f64,
                ..with_proof.inputs
            };
            let name = format!(
                "{}, accumulators in chunks of 2^{} rows",
                with_proof.name, size.log_rows
            );
            all.push(scenario(name, &inputs, with_proof.shipment, Kind::Measured));
        }
    }
    all
}

/// Adds to each line what follows from measured sizes.
pub(super) fn recompute(lines: &mut [Line], evidence: &Evidence<'_>, asked: &LedgerInputs) {
    for costs in evidence.costs {
        let label = evidence.label(costs);
        let mut chosen: Vec<&EncodingCost> = image(costs).into_iter().chain(least(costs)).collect();
        chosen.dedup_by(|a, b| encoding_name(a) == encoding_name(b));
        let scenarios: Vec<Scenario> = chosen
            .iter()
            .map(|cost| of_encoding(evidence, asked, costs, cost))
            .collect();
        for line in lines.iter_mut() {
            line.recomputed.extend(of_ledger(&line.id, &scenarios));
            line.recomputed
                .extend(of_costs(&line.id, &label, costs, &chosen, asked));
        }
    }
    for line in lines {
        let sizes = evidence.folded.iter();
        line.recomputed
            .extend(sizes.flat_map(|size| of_folded(&line.id, size, asked)));
    }
}

/// Lines that the ledger has an entry for; those that do not depend on what is sent once a run.
fn of_ledger(id: &str, scenarios: &[Scenario]) -> Vec<Figure> {
    let figure = |scenario: &Scenario| {
        let Scenario { name, ledger, .. } = scenario;
        let once = name.split(": ").next().unwrap_or(name);
        let (name, value, unit) = match id {
            "segments" => (once, ledger.segments, Unit::Count),
            "assigned" | "folding-assigned" => (&**name, ledger.assigned_bytes, Unit::Bytes),
            "returned" => (once, ledger.returned_bytes, Unit::Bytes),
            "joins-sent" => (once, 2.0 * ledger.joins, Unit::Count),
            "joins-returned" => (once, ledger.joins, Unit::Count),
            "levels" => (once, ledger.levels, Unit::Count),
            "tree" => (once, ledger.tree_bytes, Unit::Bytes),
            "aggregation" => (once, ledger.aggregation_bytes, Unit::Bytes),
            "total" => (&**name, ledger.total_bytes, Unit::Bytes),
            "assigned-share" => (&**name, ledger.assigned_share, Unit::Share),
            "negligible" => (&**name, 1.0 - ledger.assigned_share, Unit::Share),
            _ => return None,
        };
        Some(Figure::modelled(
            name,
            value,
            unit,
            "the same formula, measured sizes",
        ))
    };
    let mut figures: Vec<Figure> = scenarios.iter().filter_map(figure).collect();
    figures.dedup_by(|a, b| a.name == b.name);
    figures
}

/// Lines about sizes of one segment.
fn of_costs(
    id: &str,
    label: &str,
    costs: &Costs,
    chosen: &[&EncodingCost],
    asked: &LedgerInputs,
) -> Vec<Figure> {
    let witness = &costs.witness_bytes;
    let cycles = costs.segment_cycles() as f64;
    match id {
        "snapshot" => chosen
            .iter()
            .map(|cost| {
                let name = format!("{label}: {}", encoding_name(cost));
                Figure::quantity(name, &cost.bytes, Unit::Bytes)
            })
            .collect(),
        "metadata" => {
            let statement = costs.proof.iter().map(|proof| &proof.statement_bytes);
            statement
                .map(|bytes| Figure::quantity(label, bytes, Unit::Bytes))
                .collect()
        }
        "row" => vec![Figure::modelled(
            label,
            witness.value / cycles,
            Unit::Bytes,
            format!("by cycles: {}", witness.source),
        )],
        "segment-witness" => vec![Figure::quantity(label, witness, Unit::Bytes)],
        "witness" => vec![Figure::modelled(
            label,
            (asked.cycles / cycles).ceil() * witness.value,
            Unit::Bytes,
            "segments × witness of a segment",
        )],
        "wrap" => vec![Figure::modelled(
            label,
            proof_bytes(costs).value + super::lines::GROTH16_BYTES,
            Unit::Bytes,
            "the proof sent, one Groth16 proof of 256 B returned",
        )],
        _ => Vec::new(),
    }
}

/// Lines about folded witnesses.
fn of_folded(id: &str, size: &FoldedSize, asked: &LedgerInputs) -> Vec<Figure> {
    let name = format!("{}, chunks of 2^{} rows", size.guest, size.log_rows);
    let measured = |value: u64, source: &str| Figure {
        kind: Kind::Measured,
        ..Figure::modelled(name.clone(), value as f64, Unit::Bytes, source)
    };
    let inputs = LedgerInputs {
        stark_bytes: size.segment_bytes as f64,
        ..*asked
    };
    match id {
        "chunk" => vec![measured(
            size.cell_bytes,
            "cells of the cpu table, 4 B each",
        )],
        "folded" => vec![measured(size.cpu_bytes, "accumulator of the cpu table")],
        "folded-returned" => vec![Figure::modelled(
            name,
            ledger(&inputs).returned_bytes,
            Unit::Bytes,
            "segments × accumulators of all tables",
        )],
        "folding-aggregation" => vec![Figure::modelled(
            name,
            ledger(&inputs).aggregation_bytes,
            Unit::Bytes,
            "accumulators returned + tree",
        )],
        "match" => vec![measured(size.segment_bytes, "accumulators of all tables")],
        _ => Vec::new(),
    }
}

/// Bandwidths below which regenerating is faster than receiving the raw witness.
///
/// The note's sizes at one second and a tenth, then what was measured: the whole memory, the encoding with fewest bytes,
/// and the one that is faster up to the highest bandwidth.
pub(super) fn break_evens(evidence: &Evidence<'_>) -> Vec<Figure> {
    let bandwidth = |recompute: Route, bytes: f64| {
        let ship = Route {
            bytes,
            seconds: 0.0,
        };
        match break_even(recompute, ship) {
            Crossing::Below { bits_per_second } => {
                Some(bits_per_second).filter(|bandwidth| bandwidth.is_finite())
            }
            _ => None,
        }
    };
    let witness = NOTE.segment_cycles * super::lines::ROW_BYTES;
    let mut figures: Vec<Figure> = [1.0, 0.1]
        .into_iter()
        .filter_map(|seconds| {
            let route = Route {
                bytes: NOTE.snapshot_bytes,
                seconds,
            };
            Some(Figure::modelled(
                format!("the note's sizes, regenerated in {seconds} s"),
                bandwidth(route, witness)?,
                Unit::BitsPerSecond,
                "8 × (1 GB − 50 MB) / T",
            ))
        })
        .collect();
    for costs in evidence.costs {
        let of = |cost: &EncodingCost| {
            let route = Route {
                bytes: cost.bytes.value,
                seconds: cost.decode_seconds.value + cost.regenerate_seconds.value,
            };
            let value = bandwidth(route, costs.witness_bytes.value)?;
            let name = format!("{}: {}", evidence.label(costs), encoding_name(cost));
            Some(Figure::modelled(
                name,
                value,
                Unit::BitsPerSecond,
                "8 × (W − S) / (decode + regenerate)",
            ))
        };
        let recomputed = costs
            .encodings
            .iter()
            .filter(|cost| cost.encoding != Encoding::Witness.name());
        let best = recomputed
            .filter_map(of)
            .max_by(|a, b| a.value.total_cmp(&b.value));
        let mut shown: Vec<Figure> = Vec::new();
        let chosen = [image(costs).and_then(of), least(costs).and_then(of), best];
        for figure in chosen.into_iter().flatten() {
            if !shown.contains(&figure) {
                shown.push(figure);
            }
        }
        figures.extend(shown);
    }
    figures
}
