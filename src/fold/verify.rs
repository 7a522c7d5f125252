//! Verifying a folded segment: plain scalar code, no backend.
//!
//! [`Verifier::verify`] checks, in this order, 3 with 4 and then 6 with 7 table by table:
//!
//! 1. chunks have the rows the verifier asks for;
//! 2. the statement is well formed ([`Statement::check`]);
//! 3. every table has as many chunks as program and statement give it, in order, each with its index,
//!    its flags and the table's public values;
//! 4. every known part is committed to as the verifier commits to it;
//! 5. the fractions of all lookups and messages add up to zero, at challenges that depend on the
//!    statement and all commitments made before them;
//! 6. every table's instances fold into its accumulator, fold by fold;
//! 7. the accumulators are satisfied and their commitments open to their witnesses.
//!
//! What is left to whoever verifies is what a segment proof leaves too: that the statement is that of
//! the run, see [`Chain`](crate::stark::Chain).

use std::sync::Arc;

use ark_ff::AdditiveGroup;
use rayon::prelude::*;

use super::assign::{Known, public_values};
use super::instance::{FoldProof, Instance};
use super::key::CommitmentKey;
use super::relation::{KNOWN, MAIN};
use super::segment::{NUM_TABLES, challenges, check_log_rows, key_len};
use super::shape::{Shape, X_FIRST, X_INDEX, X_LAST, X_PUBLIC, X_SUM};
use super::table::{FoldingError, check_table};
use crate::backend::curve::{Fr, G1Affine, Scalars};
use crate::stark::air::{ProgramAir, TableAir};
use crate::stark::{Statement, StatementError};
use crate::vm::Program;
use crate::witness::layout::{MAX_LOG_ROWS, MIN_ROWS};
use crate::{Error, Result};

/// Why a folded segment is rejected. One variant per reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerifyError {
    /// Chunks have another size than the verifier asks for.
    #[error("chunks have 2^{found} rows, not 2^{accepted}")]
    LogRows {
        /// The proof's.
        found: u32,
        /// The verifier's.
        accepted: u32,
    },
    /// The statement contradicts itself.
    #[error("the statement is malformed: {0}")]
    Statement(#[from] StatementError),
    /// There are not as many tables as a segment has.
    #[error("there are {found} tables, expected {NUM_TABLES}")]
    NumTables {
        /// How many there are.
        found: usize,
    },
    /// The cpu table cannot have so many rows.
    #[error("the cpu table has 2^{found} rows, expected 2^{least} to 2^{MAX_LOG_ROWS}", least = MIN_ROWS.ilog2())]
    LogCycles {
        /// Base-2 logarithm of its rows.
        found: u32,
    },
    /// A table has chunks missing, or too many.
    #[error("the {table} table has {found} chunks, expected {expected}")]
    NumChunks {
        /// The table.
        table: &'static str,
        /// How many it has.
        found: usize,
        /// How many its rows make.
        expected: usize,
    },
    /// An instance has not as many public values as its relation.
    #[error("chunk {chunk} of the {table} table has {found} public values, expected {expected}")]
    NumPublic {
        /// The table.
        table: &'static str,
        /// The chunk.
        chunk: usize,
        /// How many it has.
        found: usize,
        /// How many the relation has.
        expected: usize,
    },
    /// A chunk says that it is another one: chunks are swapped, or one is there twice.
    #[error("chunk {chunk} of the {table} table says that it is another chunk")]
    Index {
        /// The table.
        table: &'static str,
        /// Where it stands.
        chunk: usize,
    },
    /// A chunk says wrongly that it is the first or the last, or that it is not.
    #[error("chunk {chunk} of the {table} table has a wrong flag: {flag}")]
    Flag {
        /// The table.
        table: &'static str,
        /// The chunk.
        chunk: usize,
        /// `first` or `last`.
        flag: &'static str,
    },
    /// A chunk has other public values than the statement.
    #[error("chunk {chunk} of the {table} table has not the statement's public value {index}")]
    PublicValue {
        /// The table.
        table: &'static str,
        /// The chunk.
        chunk: usize,
        /// Index of the public value.
        index: usize,
    },
    /// A chunk commits to other fixed columns than the program's, or to other contents than the
    /// statement's.
    #[error("chunk {chunk} of the {table} table commits to another known part")]
    Known {
        /// The table.
        table: &'static str,
        /// The chunk.
        chunk: usize,
    },
    /// Lookups and messages do not balance.
    #[error("lookups and messages do not balance: their fractions do not add up to zero")]
    Balance,
    /// The accumulator of a table is not what its instances fold into, or does not hold.
    #[error("{table} table: {error}")]
    Folding {
        /// The table.
        table: &'static str,
        /// The reason.
        error: FoldingError,
    },
}

/// Verifies folded segments of one program.
pub struct Verifier {
    program: ProgramAir,
    shapes: [Shape; NUM_TABLES],
    log_rows: u32,
    key: Arc<CommitmentKey>,
    /// Commitments to the fixed columns of the program and the range table, by table.
    fixed: [Vec<G1Affine>; NUM_TABLES],
}

/// What the verifier expects of a table.
#[derive(Clone, Copy)]
struct Expected {
    log_rows: u32,
    num_chunks: usize,
}

impl Verifier {
    /// Commits to the fixed columns of `program`.
    ///
    /// - `log_rows`: base-2 logarithm of the rows of a chunk.
    /// - `key`: at least [`key_len`] generators, which the verifier trusts to be derived by hashing
    ///   ([`CommitmentKey::check_derived`]).
    ///
    /// Cost: a multi-scalar multiplication of every chunk of the program and the range table.
    ///
    /// # Errors
    /// [`Error::Usage`] if the key is too short, or chunks of that size are not possible.
    pub fn new(program: &Program, log_rows: u32, key: Arc<CommitmentKey>) -> Result<Self> {
        check_log_rows(log_rows)?;
        let shapes = Shape::all();
        let expected = key_len(&shapes, log_rows);
        if key.len() < expected {
            return Err(Error::Usage(format!(
                "a commitment key of {} points; chunks of 2^{log_rows} rows take {expected}",
                key.len()
            )));
        }
        let mut verifier = Self {
            program: ProgramAir::new(program),
            shapes,
            log_rows,
            key,
            fixed: Default::default(),
        };
        let known = Known::new(&Statement::default(), &verifier.program);
        for table in [TableAir::PROGRAM, TableAir::RANGE] {
            verifier.fixed[table] = verifier.commit_known(&known, table);
        }
        Ok(verifier)
    }

    /// Base-2 logarithm of the rows of a chunk.
    pub fn log_rows(&self) -> u32 {
        self.log_rows
    }

    /// Verifies that `proof` is one of a segment with this statement.
    ///
    /// Cost: a multi-scalar multiplication of every chunk of the boundary and log tables, and four or
    /// five multiplications of points per fold; then those of the accumulators.
    ///
    /// # Errors
    /// [`VerifyError`], the first reason.
    pub fn verify(&self, statement: &Statement, proof: &FoldProof) -> Result<(), VerifyError> {
        self.check(statement, proof, true)
    }

    /// Checks the folds of a sample: all that [`verify`](Self::verify) does, but that tables may have
    /// chunks missing at their ends, so that lookups do not balance.
    ///
    /// This says nothing about the segment.
    ///
    /// # Errors
    /// [`VerifyError`], the first reason.
    pub fn check_sample(
        &self,
        statement: &Statement,
        proof: &FoldProof,
    ) -> Result<(), VerifyError> {
        self.check(statement, proof, false)
    }

    fn check(
        &self,
        statement: &Statement,
        proof: &FoldProof,
        complete: bool,
    ) -> Result<(), VerifyError> {
        let FoldProof {
            log_rows,
            log_cycles,
            order,
            tables,
        } = proof;
        if *log_rows != self.log_rows {
            return Err(VerifyError::LogRows {
                found: *log_rows,
                accepted: self.log_rows,
            });
        }
        statement.check()?;
        if tables.len() != NUM_TABLES {
            return Err(VerifyError::NumTables {
                found: tables.len(),
            });
        }
        if !(MIN_ROWS.ilog2()..=MAX_LOG_ROWS).contains(log_cycles) {
            return Err(VerifyError::LogCycles { found: *log_cycles });
        }
        let known = Known::new(statement, &self.program);
        let expected = self.expected(&known, *log_cycles);
        for (table, proof) in tables.iter().enumerate() {
            let (found, expected) = (proof.instances.len(), expected[table].num_chunks);
            if found == 0 || found > expected || (complete && found < expected) {
                return Err(VerifyError::NumChunks {
                    table: TableAir::NAMES[table],
                    found,
                    expected,
                });
            }
        }
        for (table, proof) in tables.iter().enumerate() {
            let instances = &proof.instances;
            self.check_public(table, expected[table], statement, instances)?;
            self.check_known(&known, table, instances)?;
        }
        let sums = tables.iter().flat_map(|table| &table.instances);
        let sum: Fr = sums.map(|instance| instance.x[X_SUM]).sum();
        if complete && sum != Fr::ZERO {
            return Err(VerifyError::Balance);
        }
        let commitments = std::array::from_fn(|table| {
            let instances = tables[table].instances.iter();
            instances
                .map(|instance| [instance.parts[KNOWN], instance.parts[MAIN]])
                .collect()
        });
        let challenges = challenges(*log_rows, *log_cycles, statement, &commitments);
        for (table, proof) in tables.iter().enumerate() {
            let relation = self.shapes[table].relation(expected[table].log_rows, &challenges);
            check_table(&relation, &self.key, *order, proof).map_err(|error| {
                VerifyError::Folding {
                    table: TableAir::NAMES[table],
                    error,
                }
            })?;
        }
        Ok(())
    }

    fn expected(&self, known: &Known, log_cycles: u32) -> [Expected; NUM_TABLES] {
        std::array::from_fn(|table| {
            let log_height = match known.height(table) {
                0 => log_cycles,
                height => height.ilog2(),
            };
            let log_rows = self.log_rows.min(log_height);
            Expected {
                log_rows,
                num_chunks: 1 << (log_height - log_rows),
            }
        })
    }

    fn check_public(
        &self,
        table: usize,
        Expected {
            log_rows,
            num_chunks,
        }: Expected,
        statement: &Statement,
        instances: &[Instance],
    ) -> Result<(), VerifyError> {
        let num_public = self.shapes[table].layout(log_rows).num_public;
        let public = &statement.public[..num_public - X_PUBLIC];
        let table = TableAir::NAMES[table];
        for (chunk, Instance { x, parts: _ }) in instances.iter().enumerate() {
            if x.len() != num_public {
                return Err(VerifyError::NumPublic {
                    table,
                    chunk,
                    found: x.len(),
                    expected: num_public,
                });
            }
            let expected = public_values(chunk, num_chunks, public);
            let differs = |index: &usize| *index != X_SUM && x[*index] != expected[*index];
            let flag = |flag| VerifyError::Flag { table, chunk, flag };
            match (0..num_public).find(differs) {
                None => {}
                Some(X_INDEX) => return Err(VerifyError::Index { table, chunk }),
                Some(X_FIRST) => return Err(flag("first")),
                Some(X_LAST) => return Err(flag("last")),
                Some(index) => {
                    return Err(VerifyError::PublicValue {
                        table,
                        chunk,
                        index: index - X_PUBLIC,
                    });
                }
            }
        }
        Ok(())
    }

    fn check_known(
        &self,
        known: &Known,
        table: usize,
        instances: &[Instance],
    ) -> Result<(), VerifyError> {
        let fixed = &self.fixed[table];
        let computed;
        let expected = if fixed.is_empty() {
            computed = self.commit_known(known, table);
            &computed
        } else {
            fixed
        };
        let found = instances.iter().map(|instance| instance.parts[KNOWN]);
        // Nothing is known of the cpu table.
        let expected = expected
            .iter()
            .copied()
            .chain(std::iter::repeat(G1Affine::identity()));
        match found
            .zip(expected)
            .position(|(found, expected)| found != expected)
        {
            Some(chunk) => Err(VerifyError::Known {
                table: TableAir::NAMES[table],
                chunk,
            }),
            None => Ok(()),
        }
    }

    /// Commitments to the known part of every chunk of a table; none if nothing is known of it.
    fn commit_known(&self, known: &Known, table: usize) -> Vec<G1Affine> {
        let height = known.height(table);
        if height == 0 {
            return Vec::new();
        }
        let log_rows = self.log_rows.min(height.ilog2());
        (0..height >> log_rows)
            .into_par_iter()
            .map(|chunk| {
                let scalars = known.chunk(table, log_rows, chunk);
                let commitment = self.key.commit(Scalars::Small(&scalars));
                commitment.expect("the key is long enough")
            })
            .collect()
    }
}
