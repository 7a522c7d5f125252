//! The note's questions, answered with the numbers of a run.

use super::model::{Answer, LEAVES, NOTE_BYTES, TreeRow, step};
use crate::measure::{FoldMeasurement, SizeRow};
use crate::model::{StepSize, Tree, VerifierCircuit, constraints_within};
use crate::report::{format_bytes, format_count, format_ratio, format_seconds};

/// The note's memory image, of which it assigns one to each of 1000 machines.
const NOTE_IMAGE_BYTES: f64 = 50e6;
/// The most of a step that a verifier should take.
const SHARE: f64 = 0.1;
/// Rows of a usual segment.
const SEGMENT_ROWS: f64 = 1_048_576.0;

/// Answers what the measurement has numbers for.
pub(super) fn answers(
    measured: &FoldMeasurement,
    circuits: &[VerifierCircuit],
    trees: &[TreeRow],
) -> Vec<Answer> {
    let answer = |question: &str, answer: Option<String>| {
        answer.map(|answer| Answer {
            question: question.to_owned(),
            answer,
        })
    };
    let all = [
        answer(
            "Are folding's costs real or imagined?",
            costs(&measured.sizes),
        ),
        answer(
            "Is ~250 kB reachable?",
            reachable(&measured.sizes, circuits),
        ),
        answer(
            "At what verifier-to-step ratio?",
            ratio(&measured.sizes, circuits),
        ),
        answer("Is aggregation negligible?", aggregation(measured, trees)),
    ];
    all.into_iter().flatten().collect()
}

fn costs(sizes: &[SizeRow]) -> Option<String> {
    // Of the largest chunks, but not on the word of a fold or two.
    let folds = |row: &SizeRow| row.fold.as_ref().map_or(0, |times| times.samples.len());
    let timed = |least: usize| sizes.iter().rfind(move |row| folds(row) >= least);
    let row = timed(3).or_else(|| timed(1)).or(sizes.last())?;
    let cpu = row.cpu()?;
    let rows = (1u64 << row.log_rows) as f64;
    let folded = cpu.accumulator_bytes() as f64;
    let mut text = format!(
        "Real. A row of the cpu table has {} B of cells; in an accumulator over chunks of 2^{} rows \
         it has {} B, {} times as many: {} scalars of W and {} of E, 32 B each, none small any more.",
        format_ratio(cpu.cell_bytes as f64 / rows),
        row.log_rows,
        format_count((folded / rows) as u64),
        format_ratio(folded / cpu.cell_bytes.max(1) as f64),
        format_ratio(cpu.witness() as f64 / rows),
        format_ratio(cpu.quadratic as f64 / rows)
    );
    if let Some(seconds) = row.seconds() {
        text.push_str(&format!(
            " Folding it takes {} on this machine: {} for a cpu table of 2^20 rows (modelled from {} \
             folds).",
            format_seconds(seconds / rows),
            format_seconds(seconds / rows * SEGMENT_ROWS),
            folds(row)
        ));
    }
    Some(text)
}

fn reachable(sizes: &[SizeRow], circuits: &[VerifierCircuit]) -> Option<String> {
    let row = sizes.iter().min_by_key(|row| row.segment_bytes())?;
    let cpu = row.cpu()?;
    let circuit = circuits.iter().min_by_key(|circuit| circuit.primary)?;
    let verifier = StepSize::of_circuit(circuit.primary).folded_bytes();
    let note = format_bytes(NOTE_BYTES as f64);
    let start = if row.segment_bytes() <= NOTE_BYTES {
        "Only for the accumulators alone"
    } else if cpu.accumulator_bytes() <= NOTE_BYTES {
        "Only for the cpu table's accumulator alone"
    } else {
        "No"
    };
    Some(format!(
        "{start}. The smallest chunks measured, of 2^{} rows, have {} once folded: {} for the cpu \
         table, the rest for the others. {note} are {} constraints at 64 B. The smallest verifier \
         circuit published has {} ({}), which is {} before a step's first constraint: a step that \
         carries its own verifier does not fit.",
        row.log_rows,
        format_bytes(row.segment_bytes() as f64),
        format_bytes(cpu.accumulator_bytes() as f64),
        format_count(constraints_within(NOTE_BYTES)),
        format_count(circuit.primary),
        circuit.name,
        format_bytes(verifier as f64)
    ))
}

fn ratio(sizes: &[SizeRow], circuits: &[VerifierCircuit]) -> Option<String> {
    let nova = circuits
        .iter()
        .find(|circuit| circuit.name.starts_with("Nova, "))?;
    let share = |row: &SizeRow| Some(step(row.cpu()?).verifier_share(nova.primary));
    let shares: Vec<String> = sizes
        .iter()
        .filter_map(|row| {
            Some(format!(
                "{:.1} % at 2^{}",
                100.0 * share(row)?,
                row.log_rows
            ))
        })
        .collect();
    if shares.is_empty() {
        return None;
    }
    let enough = sizes
        .iter()
        .filter(|row| share(row).is_some_and(|share| share <= SHARE))
        .min_by_key(|row| row.log_rows);
    let end = match enough {
        Some(row) => format!(
            "At most 10 % is reached at 2^{} rows, with accumulators of {} for all tables.",
            row.log_rows,
            format_bytes(row.segment_bytes() as f64)
        ),
        None => "At most 10 % is reached at none of these.".to_owned(),
    };
    Some(format!(
        "Nova's verifier ({} constraints, published) would be this share of the scalars of a step of \
         the cpu table: {}. {end}",
        format_count(nova.primary),
        shares.join(", ")
    ))
}

fn aggregation(measured: &FoldMeasurement, trees: &[TreeRow]) -> Option<String> {
    let stark = trees.iter().find(|tree| tree.object.starts_with("STARK"))?;
    let images = LEAVES as f64 * NOTE_IMAGE_BYTES;
    let percent = |bytes: f64| 100.0 * bytes / (bytes + images);
    let accumulators: Vec<String> = measured
        .sizes
        .iter()
        .map(|row| {
            let bytes = Tree::new(LEAVES).bytes(row.segment_bytes() as f64);
            format!(
                "{} at 2^{} ({:.1} %)",
                format_bytes(bytes),
                row.log_rows,
                percent(bytes)
            )
        })
        .collect();
    if accumulators.is_empty() {
        return None;
    }
    let cycles = f64::from(1u32 << measured.parameters.log_cycles);
    let shipped = measured.shipment_bytes as f64 / cycles * SEGMENT_ROWS * LEAVES as f64;
    Some(format!(
        "A tree over {LEAVES} segments moves {} of STARKs ({:.1} % of \
         all traffic if every machine is sent the note's 50 MB image), and of accumulators {}. Where \
         machines are sent minimal traces instead, {} for 2^20 cycles each (modelled from this \
         segment), the STARKs' tree is {:.0} % of the traffic.",
        format_bytes(stark.tree_bytes),
        percent(stark.tree_bytes),
        accumulators.join(", "),
        format_bytes(shipped),
        100.0 * stark.tree_bytes / (stark.tree_bytes + shipped)
    ))
}
