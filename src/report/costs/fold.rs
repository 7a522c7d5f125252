//! What folding a whole segment takes, modelled from the chunks that were folded.

use super::machine;
use crate::measure::{Samples, SizeRow, TableSize};
use crate::model::{FoldCost, FoldedSize, Quantity, StepSize};
use crate::report::{AnyFile, FoldingFile, ResultFile};

/// Seconds of what is done for a chunk.
#[derive(Clone, Copy, Debug)]
struct ChunkSeconds {
    /// Once a chunk: the commitments to its witness.
    commit: f64,
    /// Once a fold: cross term, its commitment, linear combinations.
    fold: f64,
}

impl ChunkSeconds {
    /// Means of the cpu table, since a segment is a sum of many; `None` if one of them was not timed.
    fn of(row: &SizeRow) -> Option<Self> {
        let mean = |samples: &Option<Samples>| Some(samples.as_ref()?.summary.mean);
        Some(Self {
            commit: mean(&row.commit)?,
            fold: mean(&row.cross_term)? + mean(&row.fold)?,
        })
    }

    /// Part by part.
    fn with(self, other: Self, formula: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            commit: formula(self.commit, other.commit),
            fold: formula(self.fold, other.fold),
        }
    }

    /// Both parts so many times.
    fn times(self, factor: f64) -> Self {
        self.with(self, |seconds, _| factor * seconds)
    }
}

/// Scalars of a chunk's witness and error vector.
fn scalars(table: &TableSize) -> f64 {
    (table.witness() + table.quadratic) as f64
}

/// Mean seconds of chunks of the cpu table against their scalars, from few to many.
struct Curve(Vec<(f64, ChunkSeconds)>);

impl Curve {
    fn new(sizes: &[SizeRow]) -> Self {
        let point = |row: &SizeRow| Some((scalars(row.cpu()?), ChunkSeconds::of(row)?));
        let mut points: Vec<_> = sizes.iter().filter_map(point).collect();
        points.retain(|(scalars, _)| *scalars > 0.0);
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.dedup_by(|a, b| a.0 == b.0);
        Self(points)
    }

    /// Seconds of a chunk with so many scalars: on the line between the two chunks timed that are nearest, and in
    /// proportion below the smallest and above the largest.
    fn at(&self, scalars: f64) -> Option<ChunkSeconds> {
        let above = self.0.iter().position(|(of, _)| *of >= scalars);
        match above {
            Some(above) if above > 0 => {
                let ((x, low), (y, high)) = (self.0[above - 1], self.0[above]);
                let share = (scalars - x) / (y - x);
                Some(low.with(high, |low, high| low + share * (high - low)))
            }
            _ => {
                let &(of, seconds) = above.map_or(self.0.last(), |_| self.0.first())?;
                Some(seconds.times(scalars / of))
            }
        }
    }
}

/// A table of a segment, in chunks.
#[derive(Clone, Copy, Debug)]
struct Chunks {
    count: f64,
    /// Mean seconds of one.
    seconds: ChunkSeconds,
}

/// Tables of a segment of `2^log_cycles` cycles.
///
/// The cpu table has a row a cycle. Those of program and ranges do not depend on the cycles; those of boundary and log
/// are taken as long as in the segment that was folded.
fn chunks(row: &SizeRow, curve: &Curve, log_cycles: u32) -> Option<Vec<Chunks>> {
    let of = |(i, table): (usize, &TableSize)| {
        Some(Chunks {
            count: if i == 0 {
                f64::from(log_cycles.saturating_sub(table.log_rows)).exp2()
            } else {
                table.num_chunks.max(1) as f64
            },
            seconds: curve.at(scalars(table))?,
        })
    };
    row.tables.iter().enumerate().map(of).collect()
}

/// Seconds to fold all tables into one accumulator each: every chunk is committed to, and one less is folded.
///
/// - `factors`: by how much parts took longer than in the mean.
fn segment_seconds(chunks: &[Chunks], factors: ChunkSeconds) -> f64 {
    let of = |table: &Chunks| {
        let ChunkSeconds { commit, fold } = table.seconds.with(factors, |a, b| a * b);
        table.count * commit + (table.count - 1.0) * fold
    };
    chunks.iter().map(of).sum()
}

/// Seconds to merge two accumulators of each table.
fn merge_seconds(chunks: &[Chunks], factors: ChunkSeconds) -> f64 {
    chunks
        .iter()
        .map(|table| factors.fold * table.seconds.fold)
        .sum()
}

/// Whether a folding is of the run's program and input, on such a machine, with as many threads.
fn joins(run: &ResultFile, backend: &str, folding: &FoldingFile) -> bool {
    let (ours, theirs) = (&run.guest, &folding.measured.guest);
    let parameters = &folding.measured.parameters;
    ours.elf_blake3 == theirs.elf_blake3
        && ours.input_blake3 == theirs.input_blake3
        && parameters.backend == backend
        && machine(&run.hardware, run.parameters.threads, backend)
            == machine(&folding.hardware, parameters.threads, backend)
}

/// The costs of folding a segment of the run; `None` if no file has them.
///
/// - `log_rows`: the chunk size; `None` for the one of fewest seconds.
pub(super) fn of_run(
    run: &ResultFile,
    backend: &str,
    foldings: &[&FoldingFile],
    log_rows: Option<u32>,
) -> Option<FoldCost> {
    let log_cycles = run.parameters.log_cycles;
    foldings
        .iter()
        .filter(|folding| joins(run, backend, folding))
        .flat_map(|folding| {
            folding
                .measured
                .sizes
                .iter()
                .map(move |row| (*folding, row))
        })
        .filter(|(_, row)| log_rows.is_none_or(|log_rows| row.log_rows == log_rows))
        .filter_map(|(folding, row)| cost(folding, row, log_cycles))
        .min_by(|a, b| a.seconds.value.total_cmp(&b.seconds.value))
}

fn cost(folding: &FoldingFile, row: &SizeRow, log_cycles: u32) -> Option<FoldCost> {
    let means = ChunkSeconds::of(row)?;
    let curve = Curve::new(&folding.measured.sizes);
    let chunks = chunks(row, &curve, log_cycles)?;
    let (commit, cross, rest) = (
        &row.commit.as_ref()?.samples,
        &row.cross_term.as_ref()?.samples,
        &row.fold.as_ref()?.samples,
    );
    // A sample of a segment is one in which every chunk is as much slower as one that was timed.
    let relative = |sample: f64, mean: f64| if mean > 0.0 { sample / mean } else { 1.0 };
    let samples: Vec<ChunkSeconds> = commit
        .iter()
        .zip(cross)
        .zip(rest)
        .map(|((&commit, &cross), &rest)| {
            let sample = ChunkSeconds {
                commit,
                fold: cross + rest,
            };
            sample.with(means, relative)
        })
        .collect();
    let at_mean = ChunkSeconds {
        commit: 1.0,
        fold: 1.0,
    };
    let quantity = |formula: fn(&[Chunks], ChunkSeconds) -> f64, source: String| Quantity {
        samples: samples
            .iter()
            .map(|&factors| formula(&chunks, factors))
            .collect(),
        ..Quantity::modelled(formula(&chunks, at_mean), source)
    };
    let measured = &folding.measured.parameters;
    let of = format!(
        "{} folds of the cpu table in chunks of 2^{} rows, other tables by their scalars",
        samples.len(),
        row.log_rows
    );
    Some(FoldCost {
        log_rows: row.log_rows,
        seconds: quantity(
            segment_seconds,
            format!("Σ over tables of n·commit + (n − 1)·fold, n chunks: {of}"),
        ),
        accumulator_bytes: Quantity::measured(
            row.segment_bytes() as f64,
            Vec::new(),
            format!(
                "accumulators of all tables in chunks of 2^{} rows, counted for a segment of \
                 2^{} cycles",
                row.log_rows, measured.log_cycles
            ),
        ),
        merge_seconds: quantity(merge_seconds, format!("Σ over tables of one fold: {of}")),
    })
}

/// The chunk sizes of all foldings in the files, with what a segment is once folded in such chunks.
///
/// Of several foldings of the same guest and chunk size the first is taken.
pub fn folded_sizes(files: &[AnyFile]) -> Vec<FoldedSize> {
    let mut sizes: Vec<FoldedSize> = Vec::new();
    for folding in files.iter().flat_map(AnyFile::foldings) {
        let guest = &folding.measured.guest.name;
        for row in &folding.measured.sizes {
            let Some(cpu) = row.cpu() else { continue };
            let known = |size: &FoldedSize| size.guest == *guest && size.log_rows == row.log_rows;
            if sizes.iter().any(known) {
                continue;
            }
            let folds = row.fold.as_ref().map_or(0, |fold| fold.samples.len());
            let parts = [&row.commit, &row.cross_term, &row.fold];
            let sums: Option<Vec<&Vec<f64>>> = parts
                .into_iter()
                .map(|part| part.as_ref().map(|part| &part.samples))
                .collect();
            let chunk_seconds = sums.and_then(|parts| {
                let count = parts.iter().map(|part| part.len()).min()?;
                let samples: Vec<f64> = (0..count)
                    .map(|i| parts.iter().map(|part| part[i]).sum())
                    .collect();
                let source = format!(
                    "commit, cross term and rest of a fold, chunks of 2^{} rows, {folds} folds",
                    row.log_rows
                );
                Some(Quantity::measured(row.seconds()?, samples, source))
            });
            sizes.push(FoldedSize {
                guest: guest.clone(),
                log_rows: row.log_rows,
                cell_bytes: cpu.cell_bytes,
                cpu: StepSize {
                    witness: cpu.witness(),
                    error: cpu.quadratic,
                },
                cpu_bytes: cpu.accumulator_bytes(),
                segment_bytes: row.segment_bytes(),
                chunk_seconds,
            });
        }
    }
    sizes.sort_by_key(|size| size.log_rows);
    sizes
}
