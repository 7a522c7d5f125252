//! Verifying a segment proof: Plonky3's verifier, unchanged, and what it does not know.
//!
//! [`SegmentProof::verify`] checks, in this order:
//!
//! 1. the parameters and the program's key are those the verifier was told;
//! 2. the statement is well formed ([`Statement::check`]);
//! 3. the tables have the heights that key and statement give, and the cpu table at most
//!    `2^MAX_LOG_ROWS` rows;
//! 4. Plonky3's `verify_batch` accepts, in a transcript that starts with the statement's digest;
//! 5. the boundary and log tables hold what the statement says, see `columns.rs`.
//!
//! What a proof does not say is whether the segment is part of a run: see [`Chain`](super::Chain).

use std::fmt::Debug;

use p3_air::BaseAir;
use p3_air::symbolic::SymbolicExpressionExt;
use p3_baby_bear::BabyBear;
use p3_batch_stark::common::{GlobalPreprocessed, PreprocessedInstanceMeta};
use p3_batch_stark::{
    BatchProof, BatchShape, BatchVerificationError, BatchVerifierTranscript, CommonData,
    ProverData, StarkGenericConfig, VerificationError, verify_batch,
};
use p3_field::{Algebra, ExtensionField, PrimeCharacteristicRing};
use p3_fri::verifier::FriError;
use p3_lookup::LogUpGadget;
use p3_symmetric::MerkleCap;

use super::air::TableAir;
use super::columns::{known, padded};
use super::config::{Challenger, Config, Proof, Val, config};
use super::consistency::StatementError;
use super::key::ProgramKey;
use super::params::Params;
use super::proof::{Argument, SegmentProof};
use super::statement::Statement;
use crate::witness::layout::{MAX_LOG_ROWS, MIN_ROWS, range};

/// Why a segment proof is rejected.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The parameters are not those that were asked for.
    #[error(
        "the proof has other parameters than the verifier accepts: {found:?}, not {accepted:?}"
    )]
    Params {
        /// What the proof carries.
        found: Params,
        /// What the verifier accepts.
        accepted: Params,
    },
    /// The program is another one.
    #[error(
        "the proof is of another program, or the key of other parameters: its key is {found}, not \
         {expected}"
    )]
    Program {
        /// Digest of the proof's key.
        found: blake3::Hash,
        /// What the verifier was told.
        expected: blake3::Hash,
    },
    /// The key is not one of a program.
    #[error("the program key is malformed: {0}")]
    Key(&'static str),
    /// The statement contradicts itself.
    #[error("the statement is malformed: {0}")]
    Statement(#[from] StatementError),
    /// A table has another height than the statement gives it.
    #[error("the {table} table has 2^{found} rows, {expected}")]
    Height {
        /// The table.
        table: &'static str,
        /// Base-2 logarithm of its height.
        found: usize,
        /// What was expected.
        expected: String,
    },
    /// The argument is over another challenge field than the parameters say.
    #[error("the argument has challenges of degree {found}, the parameters say {expected}")]
    Extension {
        /// Degree of the argument's challenges.
        found: u8,
        /// Degree by the parameters.
        expected: u8,
    },
    /// A proof of work falls short.
    #[error("a proof of work falls short: {0}")]
    Grinding(String),
    /// The proof has parts missing, or too many.
    #[error("the proof has the wrong shape: {0}")]
    Shape(String),
    /// Openings do not agree with the commitments, or are not of low degree.
    #[error("the openings do not hold: {0}")]
    Opening(String),
    /// The constraints of a table do not hold.
    #[error("the constraints of the {table} table do not hold")]
    Constraints {
        /// The table.
        table: &'static str,
    },
    /// What tables look up or send is not what tables hold or receive.
    #[error("lookups and messages do not balance: {0}")]
    Lookups(String),
    /// A table does not hold what the statement says.
    #[error("column {column} of the {table} table is not what the statement says")]
    Column {
        /// The table.
        table: &'static str,
        /// The column.
        column: usize,
    },
}

impl SegmentProof {
    /// Base-2 logarithms of the tables' heights, after [`Statement::check`] and a check that they are
    /// those which key and statement give.
    ///
    /// Cost: two passes over the statement.
    ///
    /// # Errors
    /// [`VerifyError::Statement`], [`VerifyError::Shape`], [`VerifyError::Key`],
    /// [`VerifyError::Height`].
    pub fn log_heights(&self) -> Result<[usize; TableAir::COUNT], VerifyError> {
        self.statement.check()?;
        let degree_bits = match &self.argument {
            Argument::Quartic(proof) => &proof.degree_bits,
            Argument::Quintic(proof) => &proof.degree_bits,
        };
        check_heights(&self.key, &self.statement, degree_bits)
    }

    /// Verifies the proof.
    ///
    /// - `accepted`: the parameters that are strong enough for whoever asks.
    /// - `program`: [`ProgramKey::digest`] of the program.
    ///
    /// Cost: Plonky3's verifier; a multiplication of a challenge by a base-field element per cell of
    /// the boundary and log tables, and an inversion per row.
    ///
    /// # Errors
    /// The reason to reject.
    pub fn verify(&self, accepted: &Params, program: &blake3::Hash) -> Result<(), VerifyError> {
        if self.params != *accepted {
            return Err(VerifyError::Params {
                found: self.params,
                accepted: *accepted,
            });
        }
        let found = self.key.digest(accepted);
        if found != *program {
            return Err(VerifyError::Program {
                found,
                expected: *program,
            });
        }
        self.log_heights()?;
        let extension = |found: u8| {
            (found == accepted.extension)
                .then_some(())
                .ok_or(VerifyError::Extension {
                    found,
                    expected: accepted.extension,
                })
        };
        match &self.argument {
            Argument::Quartic(proof) => {
                extension(4)?;
                verify(self, proof)
            }
            Argument::Quintic(proof) => {
                extension(5)?;
                verify(self, proof)
            }
        }
    }
}

fn verify<E>(segment: &SegmentProof, proof: &Proof<E>) -> Result<(), VerifyError>
where
    E: ExtensionField<Val>,
    SymbolicExpressionExt<Val, E>: Algebra<E>,
{
    let SegmentProof {
        params,
        key,
        statement,
        argument: _,
    } = segment;
    let airs = TableAir::for_verifier();
    let config = config(params, &statement.seed(params, key));
    let common = common(&config, &airs, key)?;
    let mut public = vec![Vec::new(); TableAir::COUNT];
    public[0] = statement.public.map(BabyBear::from_u32).to_vec();
    verify_batch(&config, &airs, proof, &public, &common).map_err(reason)?;

    let point = out_of_domain_point(&config, &airs, proof, &public, &common)?;
    for columns in known(statement) {
        let opened = &proof.opened_values.instances[columns.table];
        let opened = &opened.base_opened_values.trace_local;
        for (column, value) in columns.at(point) {
            if opened.get(column) != Some(&value) {
                return Err(VerifyError::Column {
                    table: TableAir::NAMES[columns.table],
                    column,
                });
            }
        }
    }
    Ok(())
}

/// The tables' heights are given by the key and the statement, but for the cpu table's, which only
/// has a limit: timestamps of more rows would not fit.
fn check_heights(
    key: &ProgramKey,
    statement: &Statement,
    degree_bits: &[usize],
) -> Result<[usize; TableAir::COUNT], VerifyError> {
    let Ok(found) = <[usize; TableAir::COUNT]>::try_from(degree_bits) else {
        return Err(VerifyError::Shape(format!(
            "{} tables, not {}",
            degree_bits.len(),
            TableAir::COUNT
        )));
    };
    check_log_rows(key)?;
    let least = MIN_ROWS.ilog2() as usize;
    if !(least..=MAX_LOG_ROWS as usize).contains(&found[0]) {
        return Err(VerifyError::Height {
            table: TableAir::NAMES[0],
            found: found[0],
            expected: format!("not 2^{least} to 2^{MAX_LOG_ROWS}"),
        });
    }
    let mut expected = found;
    expected[TableAir::PROGRAM] = key.log_rows.into();
    expected[TableAir::RANGE] = range::LOG_ROWS as usize;
    for (table, rows) in [
        (TableAir::BOUNDARY, statement.boundary.len()),
        (TableAir::LOG, statement.log.len()),
    ] {
        expected[table] = padded(rows).ilog2() as usize;
    }
    for table in 0..TableAir::COUNT {
        if found[table] != expected[table] {
            return Err(VerifyError::Height {
                table: TableAir::NAMES[table],
                found: found[table],
                expected: format!("not 2^{}", expected[table]),
            });
        }
    }
    Ok(found)
}

/// What Plonky3's verifier knows beforehand: the commitment to the fixed columns and the lookups.
pub fn common<E>(
    config: &Config<E>,
    airs: &[TableAir],
    key: &ProgramKey,
) -> Result<CommonData<Config<E>>, VerifyError>
where
    E: ExtensionField<Val>,
    SymbolicExpressionExt<Val, E>: Algebra<E>,
{
    if !key.commitment.len().is_power_of_two() {
        return Err(VerifyError::Key("the number of digests is no power of two"));
    }
    check_log_rows(key)?;
    // Without fixed columns nothing is committed to here, and the lookups do not depend on heights.
    let heights = vec![MIN_ROWS.ilog2() as usize; airs.len()];
    let data = ProverData::from_airs_and_degrees(config, airs, &heights)
        .map_err(|error| VerifyError::Shape(format!("{error:?}")))?;
    let meta = |matrix_index: usize, table: usize, degree_bits: usize| {
        let width = BaseAir::<Val>::preprocessed_width(&airs[table]);
        (
            table,
            PreprocessedInstanceMeta {
                matrix_index,
                width,
                degree_bits,
            },
        )
    };
    let fixed = [
        meta(0, TableAir::PROGRAM, key.log_rows.into()),
        meta(1, TableAir::RANGE, range::LOG_ROWS as usize),
    ];
    let matrix_to_instance = fixed.iter().map(|(table, _)| *table).collect();
    let mut instances = vec![None; airs.len()];
    for (table, meta) in fixed {
        instances[table] = Some(meta);
    }
    let preprocessed = GlobalPreprocessed {
        commitment: MerkleCap::new(key.commitment.clone()),
        instances,
        matrix_to_instance,
    };
    Ok(CommonData::new(Some(preprocessed), data.common.lookups))
}

/// Refuses a key whose program table has a height that no program's has.
fn check_log_rows(key: &ProgramKey) -> Result<(), VerifyError> {
    if (MIN_ROWS.ilog2()..=MAX_LOG_PROGRAM_ROWS).contains(&key.log_rows.into()) {
        Ok(())
    } else {
        Err(VerifyError::Key(
            "the program table's height is out of range",
        ))
    }
}

/// Base-2 logarithm of the most rows a program table may have: there are 2^30 words.
const MAX_LOG_PROGRAM_ROWS: u32 = 24;

/// The point at which the tables are opened, by replaying the transcript of a proof that Plonky3's
/// verifier has accepted.
fn out_of_domain_point<E>(
    config: &Config<E>,
    airs: &[TableAir],
    proof: &Proof<E>,
    public: &[Vec<Val>],
    common: &CommonData<Config<E>>,
) -> Result<E, VerifyError>
where
    E: ExtensionField<Val>,
    SymbolicExpressionExt<Val, E>: Algebra<E>,
{
    let BatchProof {
        commitments,
        opened_values: _,
        opening_proof: _,
        lookup_terminals,
        degree_bits,
        lookup_pow_witness,
        ood_pow_witness,
    } = proof;
    let shape = BatchShape {
        trace_widths: airs.iter().map(BaseAir::<Val>::width).collect(),
        public_value_counts: public.iter().map(Vec::len).collect(),
        preprocessed_widths: airs
            .iter()
            .map(BaseAir::<Val>::preprocessed_width)
            .collect(),
        has_preprocessed_commitment: true,
        num_lookup_instances: airs.len(),
        lookup_pow_bits: config.lookup_proof_of_work_bits(),
        has_randomization_commitment: false,
        ood_pow_bits: config.ood_proof_of_work_bits(),
    };
    let grinding =
        |error: p3_batch_stark::BatchTranscriptFailure| VerifyError::Grinding(error.to_string());
    let mut challenger = config.initialise_challenger();
    let mut transcript =
        BatchVerifierTranscript::<Challenger, Val, E, _>::new(&mut challenger, shape);
    transcript.instance_bindings(degree_bits);
    transcript.main_phase(commitments.main.clone(), public);
    let fixed = common.preprocessed.as_ref();
    transcript.preprocessed_phase(fixed.map(|fixed| fixed.commitment.clone()));
    let lookups = &common.lookups;
    let drawn = transcript.lookup_phase(lookups, &LogUpGadget::new(), *lookup_pow_witness);
    if let Err(error) = drawn {
        transcript.abort();
        return Err(grinding(error));
    }
    let terminals: Vec<E> = lookup_terminals.iter().flatten().map(|t| t.0).collect();
    transcript.permutation_phase(commitments.permutation.clone(), &terminals);
    transcript.quotient_phase(
        commitments.quotient_chunks.clone(),
        commitments.random.clone(),
    );
    let point = transcript.ood_phase(*ood_pow_witness).map_err(grinding);
    transcript.abort();
    point
}

/// Plonky3's reason as ours.
fn reason<C: Debug, I: Debug>(error: BatchVerificationError<FriError<C, I>>) -> VerifyError {
    match error {
        BatchVerificationError::Verification(VerificationError::InvalidOpeningArgument(
            error @ (FriError::InvalidPowWitness(_) | FriError::NonCanonicalPowWitness { .. }),
        )) => VerifyError::Grinding(error.to_string()),
        BatchVerificationError::Verification(VerificationError::OodEvaluationMismatch {
            index,
        }) => VerifyError::Constraints {
            table: index
                .and_then(|i| TableAir::NAMES.get(i))
                .unwrap_or(&"unknown"),
        },
        BatchVerificationError::Verification(VerificationError::InvalidOpeningArgument(error)) => {
            VerifyError::Opening(format!("{error:?}"))
        }
        BatchVerificationError::Verification(error) => VerifyError::Shape(error.to_string()),
        BatchVerificationError::Lookup(error) => VerifyError::Lookups(error.to_string()),
        BatchVerificationError::Transcript(error) => VerifyError::Grinding(error.to_string()),
    }
}
