//! The note's questions, with the figures that answer them.

use super::lines::NOTE;
use super::needed::whose;
use super::recomputed::{Evidence, encoding_name, image, least, of_encoding, proof_bytes};
use super::types::{Figure, Item, Unit};
use super::{LedgerInputs, ledger};
use crate::measure::Kind;
use crate::model::{
    FoldedSize, StepSize, VerifierCircuit, published_circuits, published_folded_bytes,
};

/// The most of a step that its verifier should take.
const SHARE: f64 = 0.1;
/// The most of all bytes that is still called negligible.
const NEGLIGIBLE: f64 = 0.05;

/// All of them.
pub(super) fn questions(evidence: &Evidence<'_>, asked: &LedgerInputs) -> Vec<Item> {
    vec![
        real(evidence),
        reachable(evidence, asked),
        ratio(evidence),
        metadata(evidence),
        snapshots(evidence),
        negligible(evidence, asked),
    ]
}

/// - `measured`: whether anything of it was measured; if not, `measure` says how.
fn question(
    id: &str,
    what: &str,
    answer: Option<String>,
    figures: Vec<Figure>,
    measured: bool,
    measure: &str,
) -> Item {
    Item {
        id: id.to_owned(),
        what: what.to_owned(),
        answer,
        figures,
        remark: String::new(),
        measure: (!measured).then(|| measure.to_owned()),
    }
}

/// The first where a condition holds, and the second where it does not.
fn either(condition: bool, yes: &str, no: &str) -> Option<String> {
    Some(if condition { yes } else { no }.to_owned())
}

fn of_size(size: &FoldedSize, what: &str) -> String {
    format!("{}, chunks of 2^{} rows{what}", size.guest, size.log_rows)
}

fn counted(name: String, bytes: u64, source: &str) -> Figure {
    Figure {
        kind: Kind::Measured,
        ..Figure::modelled(name, bytes as f64, Unit::Bytes, source)
    }
}

fn real(evidence: &Evidence<'_>) -> Item {
    let mut figures = Vec::new();
    let mut slower = None;
    for costs in evidence.costs {
        let Some(fold) = &costs.fold else { continue };
        let label = evidence.label(costs);
        let name = format!("{label}, chunks of 2^{} rows", fold.log_rows);
        figures.push(Figure::quantity(
            format!("{name}, folding a segment"),
            &fold.seconds,
            Unit::Seconds,
        ));
        if let Some(proof) = &costs.proof {
            figures.push(Figure::quantity(
                format!("{label}, proving it"),
                &proof.seconds,
                Unit::Seconds,
            ));
            slower = Some(slower == Some(true) || fold.seconds.value > proof.seconds.value);
        }
    }
    for size in evidence.folded {
        figures.push(Figure::modelled(
            of_size(size, ", folded by unfolded"),
            size.cpu_bytes as f64 / size.cell_bytes.max(1) as f64,
            Unit::Ratio,
            "bytes of the cpu table's accumulator by those of a chunk's cells, both counted",
        ));
    }
    let answer = slower.and_then(|slower| {
        either(
            slower,
            "real: folding a segment takes longer than proving it",
            "imagined, as to time: folding a segment takes no longer than proving it",
        )
    });
    question(
        "costs-of-folding",
        "Are folding's costs real or imagined?",
        answer,
        figures,
        slower.is_some(),
        "measure with `rewit fold --out FILE`, beside `rewit run --out FILE`",
    )
}

fn smallest_circuit() -> Option<VerifierCircuit> {
    published_circuits()
        .into_iter()
        .min_by_key(|circuit| circuit.primary)
}

fn reachable(evidence: &Evidence<'_>, asked: &LedgerInputs) -> Item {
    let mut figures = Vec::new();
    let size = evidence.folded.iter().min_by_key(|size| size.segment_bytes);
    if let Some(size) = size {
        figures.push(counted(
            of_size(size, ", accumulators of all tables"),
            size.segment_bytes,
            "the smallest chunks measured",
        ));
        figures.push(counted(
            of_size(size, ", accumulator of the cpu table"),
            size.cpu_bytes,
            "the smallest chunks measured",
        ));
    }
    let circuit = smallest_circuit();
    let verifier = circuit.as_ref().map(|circuit| {
        let relaxed = StepSize::of_circuit(circuit.primary).folded_bytes();
        let published = published_folded_bytes(&circuit.name);
        let bytes = published.unwrap_or(relaxed) as f64;
        let name = format!(
            "the smallest verifier circuit alone, {}, folded",
            circuit.name
        );
        figures.push(match published {
            Some(_) => Figure::declared(name, bytes, Unit::Bytes, "published"),
            None => Figure::modelled(name, bytes, Unit::Bytes, "constraints × 64 B"),
        });
        bytes
    });
    let alone = size.map(|size| size.segment_bytes as f64);
    let both = alone.unwrap_or(0.0) + verifier.unwrap_or(0.0);
    let fits = |bytes: f64| bytes <= asked.stark_bytes;
    let answer = match alone {
        Some(_) if fits(both) => Some("yes, at the smallest chunks measured"),
        Some(alone) if fits(alone) => Some("only for accumulators without a verifier circuit"),
        Some(_) => Some("not at the chunk sizes measured"),
        None if !fits(both) => Some("not with a verifier circuit in the step"),
        None => None,
    };
    let answer = answer.map(str::to_owned);
    question(
        "reachable",
        "Is a folded witness as small as the STARK reachable?",
        answer,
        figures,
        size.is_some(),
        "measure chunk sizes with `rewit fold --out FILE`",
    )
}

fn ratio(evidence: &Evidence<'_>) -> Item {
    let circuits = published_circuits();
    let nova = circuits
        .iter()
        .find(|circuit| circuit.name.starts_with("Nova, "));
    let Some(nova) = nova else {
        return question(
            "ratio",
            "At what verifier-to-step ratio?",
            None,
            Vec::new(),
            true,
            "",
        );
    };
    let share = |size: &FoldedSize| size.cpu.verifier_share(nova.primary);
    let mut figures: Vec<Figure> = evidence
        .folded
        .iter()
        .map(|size| {
            Figure::modelled(
                of_size(size, ""),
                share(size),
                Unit::Share,
                format!(
                    "scalars of {} constraints ({}, published), of those and the step's",
                    nova.primary, nova.name
                ),
            )
        })
        .collect();
    let enough = evidence.folded.iter().filter(|size| share(size) <= SHARE);
    let enough = enough.min_by_key(|size| size.log_rows);
    let answer = match enough {
        Some(size) => {
            figures.push(counted(
                of_size(size, ", accumulators of all tables"),
                size.segment_bytes,
                "the smallest chunks at which the verifier takes at most 10 %",
            ));
            Some(format!(
                "10 % or less from chunks of 2^{} rows",
                size.log_rows
            ))
        }
        None if figures.is_empty() => None,
        None => Some("more than 10 % at every chunk size measured".into()),
    };
    question(
        "ratio",
        "At what verifier-to-step ratio?",
        answer,
        figures,
        !evidence.folded.is_empty(),
        "measure with `rewit fold --out FILE`",
    )
}

fn metadata(evidence: &Evidence<'_>) -> Item {
    let mut figures = Vec::new();
    let mut most: Option<f64> = None;
    for costs in evidence.costs {
        let Some(proof) = &costs.proof else { continue };
        let label = evidence.label(costs);
        figures.push(Figure::quantity(
            &*label,
            &proof.statement_bytes,
            Unit::Bytes,
        ));
        let share = proof.statement_bytes.value / proof.bytes.value.max(1.0);
        most = Some(most.map_or(share, |most| most.max(share)));
        figures.push(Figure::modelled(
            format!("{label}, of the proof"),
            share,
            Unit::Share,
            "statement / proof, both measured",
        ));
    }
    question(
        "metadata",
        "How much receipt metadata?",
        // Rounded up, so that it holds.
        most.map(|most| format!("at most {:.1} % of the proof", (1e3 * most).ceil() / 10.0)),
        figures,
        most.is_some(),
        "measure with `rewit run --prove 1 --out FILE`",
    )
}

fn snapshots(evidence: &Evidence<'_>) -> Item {
    let mut figures = Vec::new();
    let mut above = None;
    for costs in evidence.costs {
        let label = evidence.label(costs);
        if let Some(image) = image(costs) {
            let bytes = &image.bytes;
            figures.push(Figure::quantity(
                format!("{label}, image, mean"),
                bytes,
                Unit::Bytes,
            ));
            let largest = bytes.samples.iter().copied().fold(bytes.value, f64::max);
            figures.push(Figure {
                value: largest,
                name: format!("{label}, image, largest"),
                ..Figure::quantity("", bytes, Unit::Bytes)
            });
            above = Some(above.unwrap_or(false) || largest > NOTE.snapshot_bytes);
        }
        if let Some(least) = least(costs) {
            figures.push(Figure::quantity(
                format!("{label}, {}, mean", encoding_name(least)),
                &least.bytes,
                Unit::Bytes,
            ));
        }
    }
    let answer = above.and_then(|above| {
        either(
            above,
            "some above the note's 50 MB",
            "below the note's 50 MB in every guest measured",
        )
    });
    question(
        "snapshots",
        "How big are snapshots per program?",
        answer,
        figures,
        above.is_some(),
        "measure guests with `rewit run --guest NAME --out FILE` and give all files",
    )
}

fn negligible(evidence: &Evidence<'_>, asked: &LedgerInputs) -> Item {
    let share = |name: String, share: f64| {
        Figure::modelled(name, share, Unit::Share, "(proofs returned + tree) / total")
    };
    let written = 1.0 - ledger(asked).assigned_share;
    let mut figures = vec![share(whose(asked).into(), written)];
    let mut most: Option<f64> = None;
    for costs in evidence.costs {
        let label = evidence.label(costs);
        let note_images = ledger(&LedgerInputs {
            segment_cycles: costs.segment_cycles() as f64,
            stark_bytes: proof_bytes(costs).value,
            ..*asked
        });
        figures.push(share(
            format!("{label}, its proofs beside the note's snapshots"),
            1.0 - note_images.assigned_share,
        ));
        let chosen = image(costs).into_iter().chain(least(costs));
        for cost in chosen {
            let scenario = of_encoding(evidence, asked, costs, cost);
            let found = 1.0 - scenario.ledger.assigned_share;
            most = Some(most.map_or(found, |most| most.max(found)));
            figures.push(share(scenario.name, found));
        }
    }
    let answer = match most {
        Some(most) => either(
            most <= NEGLIGIBLE,
            "yes, with what was measured",
            "only beside large snapshots",
        ),
        None => either(written <= NEGLIGIBLE, "yes, as written", "no"),
    };
    Item {
        remark: "in bytes; its time is another matter".into(),
        ..question(
            "negligible",
            "Is aggregation negligible?",
            answer,
            figures,
            most.is_some(),
            "measure shipments and proofs with `rewit run --out FILE`",
        )
    }
}
