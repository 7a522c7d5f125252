//! Folding a whole segment: commit to every chunk, draw the lookup challenges, commit to the
//! fractions, then fold each table's chunks into one accumulator.
//!
//! No more than the segment's tables, a few batches of chunks and the accumulators under way are in
//! memory: chunks are computed from the tables whenever they are needed.

use std::sync::Arc;

use ark_ff::AdditiveGroup;

use super::assign::{Assignment, Chunk, Known, Values};
use super::instance::{FoldProof, Instance, Order, TableProof};
use super::key::CommitmentKey;
use super::nifs::{FoldTimes, Nifs};
use super::order::{Folded, Hop, Leaf, fold_all};
use super::produce::produce;
use super::relation::{KNOWN, LOOKUP, MAIN, Relation};
use super::shape::{Challenges, Shape, X_SUM};
use super::transcript::Transcript;
use super::wire::{SCALAR_BYTES, fresh_witness_bytes};
use crate::backend::curve::{Fr, G1Affine, Scalars};
use crate::backend::{Folding, KeyOptions};
use crate::stark::Statement;
use crate::stark::air::{ProgramAir, TableAir};
use crate::vm::Program;
use crate::witness::Witness;
use crate::{Error, Result};

/// Number of tables.
pub const NUM_TABLES: usize = TableAir::COUNT;

/// Most scalars of a batch of chunks.
const BATCH_SCALARS: usize = 1 << 20;
/// Most chunks of a batch.
const MAX_BATCH: usize = 256;

/// Something that a [`Folder`] has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// What is under way.
    pub phase: Phase,
    /// Position of the table in [`TableAir::NAMES`].
    pub table: usize,
    /// Chunks committed to, or folds, so far in this table.
    pub done: usize,
    /// All of them.
    pub total: usize,
}

/// What a [`Folder`] is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// Committing to known and main parts.
    Commit,
    /// Committing to lookup parts.
    CommitLookups,
    /// Folding.
    Fold,
}

/// Folds segments of one program on one backend.
pub struct Folder<'b, B: Folding> {
    backend: &'b B,
    program: ProgramAir,
    shapes: [Shape; NUM_TABLES],
    log_rows: u32,
    points: Arc<CommitmentKey>,
    key: B::Key,
}

/// What was spent on a segment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableStats {
    /// Number of chunks.
    pub num_chunks: usize,
    /// Base-2 logarithm of the rows of a chunk.
    pub log_rows: u32,
    /// Time per stage.
    pub times: FoldTimes,
    /// What would move for each fold, see [`TableProof::cross_terms`] for their order. Empty for
    /// commitments.
    pub hops: Vec<Hop>,
}

/// A segment's chunks with their instances, ready to be folded, in any order and as often as wanted.
pub struct Session<'f, B: Folding> {
    folder: &'f Folder<'f, B>,
    assignment: Assignment<'f>,
    relations: [Relation; NUM_TABLES],
    challenges: Challenges,
    instances: [Vec<Instance>; NUM_TABLES],
    stats: [TableStats; NUM_TABLES],
    complete: bool,
}

/// A segment's tables, folded.
pub struct FoldedSegment {
    /// The proof.
    pub proof: FoldProof,
    /// What each table took.
    pub stats: [TableStats; NUM_TABLES],
    /// Whether all chunks are in it. A sample has no balance of lookups, and no verifier accepts it.
    pub complete: bool,
}

/// Generators that chunks of `2^log_rows` rows of any table need.
pub fn key_len(shapes: &[Shape; NUM_TABLES], log_rows: u32) -> usize {
    // The challenges are values of coefficients; lengths do not depend on them.
    let challenges = Challenges {
        alpha: Fr::ZERO,
        beta: Fr::ZERO,
    };
    let relations = shapes
        .iter()
        .map(|shape| shape.relation(log_rows, &challenges));
    relations
        .map(|relation| relation.key_len())
        .max()
        .unwrap_or(0)
}

impl<'b, B: Folding> Folder<'b, B> {
    /// Derives the commitment key and brings it to where the backend computes.
    ///
    /// - `log_rows`: base-2 logarithm of the rows of a chunk. Tables of fewer rows are one chunk.
    /// - `key`: as many generators as there are; missing ones are derived.
    /// - `budget`: see [`KeyOptions::budget`].
    ///
    /// # Errors
    /// [`Error::Usage`] if chunks of that size are not possible; those of the device.
    pub fn new(
        backend: &'b B,
        program: &Program,
        log_rows: u32,
        key: Option<Arc<CommitmentKey>>,
        budget: u64,
    ) -> Result<Self> {
        check_log_rows(log_rows)?;
        let shapes = Shape::all();
        let len = key_len(&shapes, log_rows);
        let points = match key {
            Some(key) if key.len() >= len => key,
            Some(key) => {
                let mut key = CommitmentKey::clone(&key);
                key.extend(len)?;
                Arc::new(key)
            }
            None => Arc::new(CommitmentKey::derive(len)?),
        };
        let options = KeyOptions {
            budget,
            expected_len: len,
        };
        let key = backend.upload_key(&points.points()[..len], options)?;
        Ok(Self {
            backend,
            program: ProgramAir::new(program),
            shapes,
            log_rows,
            points,
            key,
        })
    }

    /// The commitment key, with at least the generators that are needed.
    pub fn key(&self) -> &Arc<CommitmentKey> {
        &self.points
    }

    /// The tables' shapes.
    pub fn shapes(&self) -> &[Shape; NUM_TABLES] {
        &self.shapes
    }

    /// Commits to a segment's chunks.
    ///
    /// - `index`: the number of the segment in its run.
    /// - `sample`: fold only so many chunks of each table, to measure. What comes of it says nothing
    ///   about the segment: lookups of a part do not balance.
    ///
    /// A witness that does not satisfy the constraints gives a proof that no verifier accepts.
    ///
    /// # Errors
    /// [`Error::Replay`] if it is not a witness of the program; those of the device.
    pub fn commit<'f>(
        &'f self,
        index: u32,
        witness: &'f Witness,
        sample: Option<usize>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Session<'f, B>> {
        let statement = Statement::new(index, witness);
        self.commit_statement(&statement, witness, sample, progress)
    }

    /// The same for a statement of the caller's choice.
    ///
    /// If it is not the one the witness gives, no verifier accepts the proof: this is what a cheating
    /// prover would do, and what verifiers are tested with.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_statement<'f>(
        &'f self,
        statement: &Statement,
        witness: &'f Witness,
        sample: Option<usize>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Session<'f, B>> {
        let assignment = Assignment::new(
            &self.shapes,
            witness,
            &statement.log,
            &self.program,
            self.log_rows,
        )?;
        let log_cycles = assignment.height(0).ilog2();
        let all: [usize; NUM_TABLES] = std::array::from_fn(|table| assignment.num_chunks(table));
        let most = sample.unwrap_or(usize::MAX).max(1);
        let num_chunks = all.map(|chunks| chunks.min(most));
        let mut session = Session {
            folder: self,
            assignment,
            relations: Default::default(),
            challenges: Challenges {
                alpha: Fr::ZERO,
                beta: Fr::ZERO,
            },
            instances: Default::default(),
            stats: Default::default(),
            complete: num_chunks == all,
        };
        for (table, num) in num_chunks.into_iter().enumerate() {
            session.commit_table(table, num, progress)?;
        }
        let commitments = session.instances.each_ref().map(|instances| {
            let parts = instances.iter().map(|instance| &instance.parts);
            parts.map(|parts| [parts[KNOWN], parts[MAIN]]).collect()
        });
        session.challenges = challenges(self.log_rows, log_cycles, statement, &commitments);
        for table in 0..NUM_TABLES {
            let log_rows = session.assignment.log_rows(table);
            session.relations[table] = self.shapes[table].relation(log_rows, &session.challenges);
            session.commit_lookups(table, progress)?;
        }
        Ok(session)
    }
}

pub(super) fn check_log_rows(log_rows: u32) -> Result<()> {
    if (1..=16).contains(&log_rows) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "chunks of 2^{log_rows} rows; --rows-per-chunk takes a power of two from 2 to 65536"
    )))
}

/// The challenges of a session.
///
/// - `commitments`: for every chunk of every table those to the known and the main part.
///
/// The instances' public values need not be among what they depend on: all but the sums, which come
/// later, follow from the statement, the sizes and a chunk's place.
pub(super) fn challenges(
    log_rows: u32,
    log_cycles: u32,
    statement: &Statement,
    commitments: &[Vec<[G1Affine; 2]>; NUM_TABLES],
) -> Challenges {
    let mut transcript = Transcript::new("rewit folding session 1");
    transcript.absorb_number("log rows", log_rows.into());
    transcript.absorb_number("log cycles", log_cycles.into());
    transcript.absorb_bytes("statement", statement.digest().as_bytes());
    for (name, commitments) in TableAir::NAMES.iter().zip(commitments) {
        transcript.absorb_points(name, commitments.as_flattened());
    }
    Challenges {
        alpha: transcript.challenge_scalar("alpha"),
        beta: transcript.challenge_scalar("beta"),
    }
}

/// Chunks to take at once, of `scalars` each.
fn batch(scalars: usize) -> usize {
    (BATCH_SCALARS / scalars.max(1)).clamp(1, MAX_BATCH)
}

impl<B: Folding> Session<'_, B> {
    /// What committing took, by table.
    pub fn stats(&self) -> &[TableStats; NUM_TABLES] {
        &self.stats
    }

    /// What chunks of each table must satisfy.
    pub fn relations(&self) -> &[Relation; NUM_TABLES] {
        &self.relations
    }

    /// The challenges of the lookup argument.
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// The instances, by table.
    pub fn instances(&self) -> &[Vec<Instance>; NUM_TABLES] {
        &self.instances
    }

    /// Whether all chunks are in it.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    fn commit_table(
        &mut self,
        table: usize,
        num: usize,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let log_rows = self.assignment.log_rows(table);
        let zero = Challenges {
            alpha: Fr::ZERO,
            beta: Fr::ZERO,
        };
        // Lengths are those of any challenges.
        let relation = self.folder.shapes[table].relation(log_rows, &zero);
        let nifs = Nifs::new(self.folder.backend, &self.folder.key, &relation)?;
        let batch = batch(relation.layout.part_len(MAIN));
        let make = |index| Ok(self.assignment.chunk(table, index));
        let instances = produce(num, batch, make, |chunks| {
            let mut instances = Vec::with_capacity(num);
            loop {
                let chunks = take(&nifs, chunks, batch)?;
                if chunks.is_empty() {
                    return Ok(instances);
                }
                let known = chunks.iter().map(|chunk| Scalars::Small(&chunk.known));
                let known = commit(&nifs, KNOWN, known)?;
                let main = chunks.iter().map(|chunk| chunk.main.as_scalars());
                let main = commit(&nifs, MAIN, main)?;
                let commitments = known.into_iter().zip(main);
                instances.extend(chunks.into_iter().zip(commitments).map(
                    |(chunk, (known, main))| Instance {
                        x: chunk.x,
                        parts: [known, main, G1Affine::identity()],
                    },
                ));
                progress(Progress {
                    phase: Phase::Commit,
                    table,
                    done: instances.len(),
                    total: num,
                });
            }
        })?;
        self.instances[table] = instances;
        self.stats[table] = TableStats {
            num_chunks: num,
            log_rows,
            times: nifs.times(),
            hops: Vec::new(),
        };
        Ok(())
    }

    fn commit_lookups(&mut self, table: usize, progress: &mut dyn FnMut(Progress)) -> Result<()> {
        let relation = &self.relations[table];
        let nifs = Nifs::new(self.folder.backend, &self.folder.key, relation)?;
        let num = self.instances[table].len();
        let batch = batch(relation.layout.part_len(LOOKUP));
        let make = |index| self.assignment.lookup(table, index, &self.challenges);
        let lookups = produce(num, batch, make, |chunks| {
            let mut lookups = Vec::with_capacity(num);
            loop {
                let chunks = take(&nifs, chunks, batch)?;
                if chunks.is_empty() {
                    return Ok(lookups);
                }
                let scalars = chunks.iter().map(|(lookup, _)| Scalars::Full(lookup));
                let commitments = commit(&nifs, LOOKUP, scalars)?;
                let sums = chunks.iter().map(|(_, sum)| *sum);
                lookups.extend(sums.zip(commitments));
                progress(Progress {
                    phase: Phase::CommitLookups,
                    table,
                    done: lookups.len(),
                    total: num,
                });
            }
        })?;
        for (instance, (sum, commitment)) in self.instances[table].iter_mut().zip(lookups) {
            instance.x[X_SUM] = sum;
            instance.parts[LOOKUP] = commitment;
        }
        self.stats[table].times += nifs.times();
        Ok(())
    }

    /// Folds the chunks of every table.
    ///
    /// # Errors
    /// Those of the device.
    pub fn fold(&self, order: Order, progress: &mut dyn FnMut(Progress)) -> Result<FoldedSegment> {
        let mut stats: [TableStats; NUM_TABLES] = Default::default();
        let mut tables = Vec::with_capacity(NUM_TABLES);
        for (table, stats) in stats.iter_mut().enumerate() {
            let (proof, spent) = self.fold_table(table, order, progress)?;
            tables.push(proof);
            *stats = spent;
        }
        Ok(FoldedSegment {
            proof: FoldProof {
                log_rows: self.folder.log_rows,
                log_cycles: self.assignment.height(0).ilog2(),
                order,
                tables,
            },
            stats,
            complete: self.complete,
        })
    }

    /// Folds the chunks of one table.
    ///
    /// # Errors
    /// Those of the device.
    pub fn fold_table(
        &self,
        table: usize,
        order: Order,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(TableProof, TableStats)> {
        let relation = &self.relations[table];
        let instances = &self.instances[table];
        let nifs = Nifs::new(self.folder.backend, &self.folder.key, relation)?;
        let make = |index| {
            let Chunk { x: _, known, main } = self.assignment.chunk(table, index);
            let (lookup, _) = self.assignment.lookup(table, index, &self.challenges)?;
            Ok((index, known, main, lookup))
        };
        let num = instances.len();
        let batch = batch(4 * relation.layout.num_variables());
        let Folded {
            accumulator,
            cross_terms,
            hops,
        } = produce(num, batch, make, |chunks| {
            let leaves = std::iter::from_fn(|| {
                let chunk = nifs.timed(|times| &mut times.assign, || chunks.next())?;
                Some(chunk.and_then(|(index, known, main, lookup)| {
                    let parts = [
                        nifs.upload(KNOWN, Scalars::Small(&known))?,
                        nifs.upload(MAIN, main.as_scalars())?,
                        nifs.upload(LOOKUP, Scalars::Full(&lookup))?,
                    ];
                    let main_bytes = match &main {
                        Values::Small(main) => fresh_witness_bytes(main),
                        Values::Full(main) => SCALAR_BYTES * main.len(),
                    };
                    let num_bytes = nifs.dimensions().instance_bytes() + main_bytes;
                    Ok(Leaf {
                        accumulator: nifs.fresh(instances[index].clone(), parts)?,
                        num_bytes: num_bytes as u64,
                    })
                }))
            });
            fold_all(&nifs, order, num, leaves, &mut |done| {
                progress(Progress {
                    phase: Phase::Fold,
                    table,
                    done,
                    total: num - 1,
                });
            })
        })?;
        let (accumulator, witness) = nifs.open(&accumulator)?;
        let proof = TableProof {
            instances: instances.clone(),
            cross_terms,
            accumulator,
            witness,
        };
        let stats = TableStats {
            num_chunks: num,
            log_rows: relation.layout.log_rows,
            times: nifs.times(),
            hops,
        };
        Ok((proof, stats))
    }

    /// The known part of every table, as the witness has it.
    pub fn known(&self) -> &Known {
        self.assignment.known()
    }
}

/// The next items, as many as a batch has, and fewer at the end.
fn take<T, B: Folding>(
    nifs: &Nifs<'_, B>,
    items: &mut dyn Iterator<Item = Result<T>>,
    batch: usize,
) -> Result<Vec<T>> {
    nifs.timed(|times| &mut times.assign, || items.take(batch).collect())
}

/// Commits to the same part of several chunks.
fn commit<'s, B: Folding>(
    nifs: &Nifs<'_, B>,
    part: usize,
    chunks: impl Iterator<Item = Scalars<'s>>,
) -> Result<Vec<G1Affine>> {
    let vectors = chunks.map(|scalars| nifs.upload(part, scalars));
    let vectors = vectors.collect::<Result<Vec<_>>>()?;
    nifs.commit(&vectors.iter().collect::<Vec<_>>())
}
