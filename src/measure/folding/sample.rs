//! A few chunks of the cpu table, folded at any chunk size.

use std::time::{Duration, Instant};

use super::types::{Samples, SizeRow, TableSize};
use crate::backend::curve::{Fr, G1Affine, Scalars};
use crate::backend::{Folding, KeyOptions};
use crate::fold::wire::{Dimensions, fresh_witness_bytes};
use crate::fold::{
    Assignment, Challenges, CommitmentKey, Instance, KNOWN, LOOKUP, MAIN, Nifs, Relation, Shape,
    Transcript, Values, X_SUM, check_accumulator,
};
use crate::measure::Kind;
use crate::stark::Statement;
use crate::stark::air::{ProgramAir, TableAir};
use crate::witness::Witness;
use crate::{Error, Result};

/// No more folds are timed once they took this long together, after the first two.
const LONG_ENOUGH: Duration = Duration::from_secs(4);
/// Most bytes for precomputed multiples of a key.
pub(crate) const KEY_BUDGET: u64 = 1 << 30;

/// A segment to fold.
pub struct FoldableSegment<'a> {
    /// Its tables.
    pub witness: &'a Witness,
    /// What it says publicly.
    pub statement: Statement,
    /// The program's table.
    pub program: ProgramAir,
    /// The relation of each table.
    pub shapes: [Shape; TableAir::COUNT],
}

impl<'a> FoldableSegment<'a> {
    /// Segment `index` of a run of a program.
    pub fn new(index: u32, witness: &'a Witness, program: &crate::vm::Program) -> Self {
        Self {
            witness,
            statement: Statement::new(index, witness),
            program: ProgramAir::new(program),
            shapes: Shape::all(),
        }
    }

    /// The segment in chunks.
    ///
    /// # Errors
    /// As [`Assignment::new`].
    pub fn chunks(&self, log_rows: u32) -> Result<Assignment<'_>> {
        Assignment::new(
            &self.shapes,
            self.witness,
            &self.statement.log,
            &self.program,
            log_rows,
        )
    }

    /// The relations of all tables at a chunk size.
    ///
    /// # Errors
    /// As [`Assignment::new`].
    pub fn sizes(&self, log_rows: u32) -> Result<Vec<TableSize>> {
        let chunks = self.chunks(log_rows)?;
        let mut sizes = Vec::with_capacity(TableAir::COUNT);
        for (table, shape) in self.shapes.iter().enumerate() {
            let log_rows = chunks.log_rows(table);
            // Counts do not depend on challenges.
            let relation = shape.relation(
                log_rows,
                &Challenges {
                    alpha: Fr::from(1),
                    beta: Fr::from(2),
                },
            );
            let columns = match self.witness.tables().get(table) {
                Some((_, matrix)) => matrix.width,
                None => relation.layout.parts[KNOWN].columns,
            };
            let counts = (columns, chunks.num_chunks(table), chunks.height(table));
            sizes.push(size_of_table(table, &relation, log_rows, counts));
        }
        Ok(sizes)
    }

    /// Generators that folding at this chunk size takes.
    ///
    /// # Errors
    /// As [`Assignment::new`].
    pub fn key_len(&self, log_rows: u32) -> Result<usize> {
        let sizes = self.sizes(log_rows)?;
        let longest = |size: &TableSize| {
            let lens = [size.known, size.main, size.lookup, size.quadratic];
            lens.into_iter().max()
        };
        Ok(sizes.iter().filter_map(longest).max().unwrap_or(0) as usize)
    }
}

fn size_of_table(
    table: usize,
    relation: &Relation,
    log_rows: u32,
    (columns, num_chunks, rows): (usize, usize, usize),
) -> TableSize {
    let layout = &relation.layout;
    let dimensions = Dimensions::from(relation);
    let part = |part| layout.part_len(part) as u64;
    TableSize {
        table: TableAir::NAMES[table].to_owned(),
        rows: rows as u64,
        log_rows,
        num_chunks: num_chunks as u64,
        quadratic: relation.num_constraints() as u64,
        linear: relation.num_linear() as u64,
        public: layout.num_public as u64,
        known: part(KNOWN),
        main: part(MAIN),
        lookup: part(LOOKUP),
        cell_bytes: 4 * (columns << log_rows) as u64,
        fresh_bytes: dimensions.instance_bytes() as u64,
        instance_bytes: dimensions.relaxed_instance_bytes() as u64,
        folded_bytes: dimensions.relaxed_witness_bytes() as u64,
    }
}

/// Folds chunks of the cpu table one after another, and checks what they were folded into.
///
/// - `key`: at least as long as [`FoldableSegment::key_len`] says.
/// - `most`: most folds.
///
/// Challenges are drawn after the sampled chunks are committed to, as those of a session are.
///
/// # Errors
/// [`Error::Differs`] if what they were folded into is not satisfied or does not open its commitments; those of the backend.
pub fn sample<B: Folding>(
    segment: &FoldableSegment<'_>,
    backend: &B,
    key: &CommitmentKey,
    log_rows: u32,
    most: u32,
) -> Result<SizeRow> {
    const CPU: usize = 0;
    let tables = segment.sizes(log_rows)?;
    let mut row = SizeRow {
        kind: Kind::Measured,
        log_rows,
        tables,
        fresh_witness: None,
        commit: None,
        cross_term: None,
        fold: None,
    };
    let chunks = segment.chunks(log_rows)?;
    let num_chunks = chunks.num_chunks(CPU).min(1 + most as usize);
    if num_chunks < 2 {
        return Ok(row);
    }
    let options = KeyOptions {
        budget: KEY_BUDGET,
        expected_len: segment.key_len(log_rows)?,
    };
    let bases = backend.upload_key(&key.points()[..options.expected_len], options)?;
    let mut transcript = Transcript::new("rewit fold sample 1");
    let mut committed = Vec::with_capacity(num_chunks);
    let mut fresh_witness = vec![];
    let mut spent = Duration::ZERO;
    // Committed to in order, and only as many as are going to be folded.
    for index in 0..num_chunks {
        let chunk = chunks.chunk(CPU, index);
        let known = backend.upload_scalars(Scalars::Small(&chunk.known))?;
        if let Values::Small(main) = &chunk.main {
            fresh_witness.push(fresh_witness_bytes(main) as f64);
        }
        let main = backend.upload_scalars(chunk.main.as_scalars())?;
        let start = Instant::now();
        let points = backend.msm(&bases, 0, &[&known, &main])?;
        let took = start.elapsed();
        transcript.absorb_points("parts", &points);
        committed.push((chunk.x, [known, main], points, took));
        spent += took;
        if committed.len() > 2 && spent > LONG_ENOUGH / 4 {
            break;
        }
    }
    let challenges = Challenges {
        alpha: transcript.challenge_scalar("alpha"),
        beta: transcript.challenge_scalar("beta"),
    };
    let relation = segment.shapes[CPU].relation(chunks.log_rows(CPU), &challenges);
    let nifs = Nifs::new(backend, &bases, &relation)?;
    let (mut commit, mut cross_term, mut fold) = (vec![], vec![], vec![]);
    let mut accumulator = None;
    let start = Instant::now();
    for (index, (mut x, [known, main], points, took)) in committed.into_iter().enumerate() {
        if fold.len() >= 2 && start.elapsed() > LONG_ENOUGH {
            break;
        }
        let before = nifs.times();
        let (lookup, sum) = chunks.lookup(CPU, index, &challenges)?;
        let lookup = nifs.upload(LOOKUP, Scalars::Full(&lookup))?;
        let lookup_point = nifs.commit(&[&lookup])?;
        x[X_SUM] = sum;
        let [known_point, main_point] = points[..] else {
            return Err(Error::Differs("a backend gave no point a vector".into()));
        };
        let parts: [G1Affine; 3] = [known_point, main_point, lookup_point[0]];
        let fresh = nifs.fresh(Instance { x, parts }, [known, main, lookup])?;
        accumulator = Some(match accumulator.take() {
            None => fresh,
            Some(accumulator) => {
                let folded = nifs.fold(vec![[accumulator, fresh]])?;
                let times = nifs.times();
                let since =
                    |get: fn(&crate::fold::FoldTimes) -> Duration| get(&times) - get(&before);
                commit.push((took + since(|t| t.commit)).as_secs_f64());
                cross_term.push(since(|t| t.products + t.cross_term).as_secs_f64());
                let rest = since(|t| t.commit_cross_term + t.axpy + t.points);
                fold.push(rest.as_secs_f64());
                folded
                    .into_iter()
                    .next()
                    .map(|(accumulator, _)| accumulator)
                    .ok_or_else(|| Error::Differs("a pair was folded into nothing".into()))?
            }
        });
    }
    if let Some(accumulator) = &accumulator {
        let (instance, witness) = nifs.open(accumulator)?;
        check_accumulator(&relation, key, &instance, &witness)
            .map_err(|error| Error::Differs(format!("chunks of 2^{log_rows} rows: {error}")))?;
    }
    row.fresh_witness = Samples::new(fresh_witness);
    row.commit = Samples::new(commit);
    row.cross_term = Samples::new(cross_term);
    row.fold = Samples::new(fold);
    Ok(row)
}
