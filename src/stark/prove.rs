//! Proving a segment.

use std::ops::RangeInclusive;

use p3_air::symbolic::SymbolicExpressionExt;
use p3_baby_bear::BabyBear;
use p3_batch_stark::{ProverData, StarkInstance, prove_batch};
use p3_field::{Algebra, ExtensionField, PrimeCharacteristicRing, TwoAdicField};
use p3_matrix::dense::RowMajorMatrix;

use super::air::{ProgramAir, TableAir};
use super::columns::log_table;
use super::config::{Challenge, Config, Proof, Val, config};
use super::key::ProgramKey;
use super::params::{Grinding, Params};
use super::proof::{Argument, SegmentProof};
use super::statement::Statement;
use crate::backend::{Backend, Checked, Cpu};
use crate::vm::Program;
use crate::witness::layout::{MAX_LOG_ROWS, MIN_ROWS, range};
use crate::witness::{Matrix, Witness};
use crate::{Error, Result};

/// Base-2 logarithms of the numbers of cycles that a segment must have to be proven.
pub const PROVABLE_LOG_CYCLES: RangeInclusive<u32> = MIN_ROWS.ilog2()..=MAX_LOG_ROWS;

#[cfg(feature = "cuda")]
mod cuda;

/// What is computed once per program and parameters.
enum Setup {
    Quartic(ProverData<Config<Challenge<4>>>),
    Quintic(ProverData<Config<Challenge<5>>>),
    #[cfg(feature = "cuda")]
    CudaQuartic(cuda::OnDevice<Challenge<4>>),
    #[cfg(feature = "cuda")]
    CudaQuintic(cuda::OnDevice<Challenge<5>>),
}

/// A backend that segments can be proven on.
pub trait Proving: Backend {
    /// A prover of segments of `program`.
    ///
    /// # Errors
    /// As for [`Prover::new`], and those of the device.
    fn prover(&self, program: &Program, params: Params) -> Result<Prover>;
}

impl Proving for Cpu {
    fn prover(&self, program: &Program, params: Params) -> Result<Prover> {
        Prover::new(program, params)
    }
}

#[cfg(feature = "cuda")]
impl Proving for crate::backend::cuda::Cuda {
    fn prover(&self, program: &Program, params: Params) -> Result<Prover> {
        Prover::on_device(program, params, self.device())
    }
}

/// Proves on both and compares; the proofs are the second's.
///
/// Without grinding the proofs must be the same to the byte. With it they differ in the witnesses
/// found and all that follows from them, so keys and commitments to the trace must be the same.
impl<A: Proving, B: Proving> Proving for Checked<A, B> {
    fn prover(&self, program: &Program, params: Params) -> Result<Prover> {
        let first = self.first().prover(program, params)?;
        let second = self.second().prover(program, params)?;
        if first.key != second.key {
            return Err(Error::Differs(format!(
                "{} and {}: commitments to the fixed columns",
                self.first().name(),
                self.second().name()
            )));
        }
        Ok(Prover {
            check: Some(Box::new(first)),
            ..second
        })
    }
}

/// Proves segments of one program.
pub struct Prover {
    params: Params,
    airs: [TableAir; TableAir::COUNT],
    key: ProgramKey,
    setup: Setup,
    /// Makes every proof too, to be compared.
    check: Option<Box<Prover>>,
}

impl Prover {
    /// Commits to the fixed columns of `program`.
    ///
    /// Cost: the low-degree extension of 9 columns of the program table and 4 of the range table;
    /// it is kept.
    ///
    /// # Errors
    /// [`Error::Usage`] if the parameters are out of range, [`Error::Resource`] if the prover refuses.
    pub fn new(program: &Program, params: Params) -> Result<Self> {
        Self::with_setup(program, params, |airs, log_rows| {
            Ok(if params.extension == 4 {
                let (data, commitment) = setup(&params, airs, log_rows)?;
                (Setup::Quartic(data), commitment)
            } else {
                let (data, commitment) = setup(&params, airs, log_rows)?;
                (Setup::Quintic(data), commitment)
            })
        })
    }

    /// The same on a device: it extends, commits, opens, folds and grinds; constraints and lookups
    /// are evaluated on the CPU.
    ///
    /// Without grinding the proofs are those of [`new`](Self::new) to the byte; with it, of the
    /// witnesses there are, they have the smallest.
    ///
    /// # Errors
    /// As for [`new`](Self::new), and [`Error::OutOfDeviceMemory`] and [`Error::Device`].
    #[cfg(feature = "cuda")]
    pub fn on_device(
        program: &Program,
        params: Params,
        device: &crate::backend::cuda::Device,
    ) -> Result<Self> {
        use cuda::OnDevice;
        Self::with_setup(program, params, |airs, log_rows| {
            Ok(if params.extension == 4 {
                let (data, commitment) = OnDevice::new(device, &params, airs, log_rows)?;
                (Setup::CudaQuartic(data), commitment)
            } else {
                let (data, commitment) = OnDevice::new(device, &params, airs, log_rows)?;
                (Setup::CudaQuintic(data), commitment)
            })
        })
    }

    /// `setup` commits to the fixed columns, given the program table's base-2 logarithm of rows.
    fn with_setup(
        program: &Program,
        params: Params,
        setup: impl FnOnce(&[TableAir], u32) -> Result<(Setup, Vec<[u8; 32]>)>,
    ) -> Result<Self> {
        params.check()?;
        let program = ProgramAir::new(program);
        let log_rows = program.height().ilog2();
        let extended = log_rows + u32::from(params.log_blowup);
        if extended > BabyBear::TWO_ADICITY as u32 {
            return Err(Error::Usage(format!(
                "a program of 2^{log_rows} instructions extended by 2^{} is longer than the field \
                 allows, 2^{}; give a lower --log-blowup",
                params.log_blowup,
                BabyBear::TWO_ADICITY
            )));
        }
        let airs = TableAir::for_prover(program);
        let (setup, commitment) = setup(&airs, log_rows)?;
        let key = ProgramKey {
            log_rows: log_rows as u8,
            commitment,
        };
        Ok(Self {
            params,
            airs,
            key,
            setup,
            check: None,
        })
    }

    /// The program's key.
    pub fn key(&self) -> &ProgramKey {
        &self.key
    }

    /// The parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Proves that a segment has the witness `witness`.
    ///
    /// - `index`: the number of the segment in its run.
    ///
    /// A witness that does not satisfy the constraints gives a proof that no verifier accepts.
    ///
    /// # Errors
    /// [`Error::Usage`] if the segment has fewer rows than a proof can have, [`Error::Resource`] if
    /// the prover refuses.
    pub fn prove(&self, index: u32, witness: Witness) -> Result<SegmentProof> {
        let statement = Statement::new(index, &witness);
        self.prove_statement(statement, witness)
    }

    /// Proves a statement of the caller's choice with `witness`.
    ///
    /// If it is not the one the witness gives, no verifier accepts the proof: this is what a cheating
    /// prover would do, and what verifiers are tested with.
    ///
    /// # Errors
    /// As for [`prove`](Self::prove).
    pub fn prove_statement(&self, statement: Statement, witness: Witness) -> Result<SegmentProof> {
        let rows = witness.cpu.height();
        if rows < MIN_ROWS {
            return Err(Error::Usage(format!(
                "a segment of {rows} rows is too short to prove; give --segment-log-cycles {} or \
                 more",
                MIN_ROWS.ilog2()
            )));
        }
        let expected = match &self.check {
            Some(first) => Some(first.prove_statement(statement.clone(), witness.clone())?),
            None => None,
        };
        let seed = statement.seed(&self.params, &self.key);
        let public = statement.public.map(BabyBear::from_u32).to_vec();
        let log = log_table(&statement.log);
        let Witness {
            cpu,
            boundary,
            program,
            range,
            ..
        } = witness;
        let [cpu, boundary, program, range] =
            [cpu, boundary, program, range].map(Matrix::into_field);
        let traces = [&cpu, &boundary, &program, &range, &log];
        let argument = match &self.setup {
            Setup::Quartic(data) => Argument::Quartic(Box::new(prove(
                &config(&self.params, &seed),
                &self.airs,
                traces,
                public,
                data,
            )?)),
            Setup::Quintic(data) => Argument::Quintic(Box::new(prove(
                &config(&self.params, &seed),
                &self.airs,
                traces,
                public,
                data,
            )?)),
            #[cfg(feature = "cuda")]
            Setup::CudaQuartic(on_device) => Argument::Quartic(Box::new(on_device.prove(
                &self.params,
                &seed,
                &self.airs,
                traces,
                public,
            )?)),
            #[cfg(feature = "cuda")]
            Setup::CudaQuintic(on_device) => Argument::Quintic(Box::new(on_device.prove(
                &self.params,
                &seed,
                &self.airs,
                traces,
                public,
            )?)),
        };
        if let Some(expected) = expected {
            self.compare(&expected.argument, &argument)?;
        }
        Ok(SegmentProof {
            params: self.params,
            key: self.key.clone(),
            statement,
            argument,
        })
    }

    /// Compares the arguments of two provers of the same statement, as far as they must agree.
    fn compare(&self, first: &Argument, second: &Argument) -> Result<()> {
        let same = if self.params.grinding == Grinding::NONE {
            first.encode() == second.encode()
        } else {
            match (first, second) {
                (Argument::Quartic(a), Argument::Quartic(b)) => {
                    a.commitments.main == b.commitments.main
                }
                (Argument::Quintic(a), Argument::Quintic(b)) => {
                    a.commitments.main == b.commitments.main
                }
                _ => false,
            }
        };
        if same {
            Ok(())
        } else {
            Err(Error::Differs("proofs of two backends".into()))
        }
    }
}

/// Base-2 logarithms of the tables' rows, as far as fixed columns need them.
fn fixed_log_heights(log_rows: u32) -> [usize; TableAir::COUNT] {
    // Only tables with fixed columns need their true heights here.
    let mut log_heights = [MIN_ROWS.ilog2() as usize; TableAir::COUNT];
    log_heights[TableAir::PROGRAM] = log_rows as usize;
    log_heights[TableAir::RANGE] = range::LOG_ROWS as usize;
    log_heights
}

/// A prover's data with the commitment to the fixed columns.
type Committed<E> = (ProverData<Config<E>>, Vec<[u8; 32]>);

fn setup<E>(params: &Params, airs: &[TableAir], log_rows: u32) -> Result<Committed<E>>
where
    E: ExtensionField<Val>,
    SymbolicExpressionExt<Val, E>: Algebra<E>,
{
    let log_heights = fixed_log_heights(log_rows);
    let data = ProverData::from_airs_and_degrees(&config(params, &[0; 32]), airs, &log_heights)
        .map_err(refused)?;
    let commitment = data.common.preprocessed.as_ref();
    let commitment = commitment.map(|fixed| fixed.commitment.roots().to_vec());
    Ok((data, commitment.unwrap_or_default()))
}

fn prove<E>(
    config: &Config<E>,
    airs: &[TableAir; TableAir::COUNT],
    traces: [&RowMajorMatrix<Val>; TableAir::COUNT],
    public: Vec<Val>,
    data: &ProverData<Config<E>>,
) -> Result<Proof<E>>
where
    E: ExtensionField<Val>,
    SymbolicExpressionExt<Val, E>: Algebra<E>,
{
    let mut public_values = vec![Vec::new(); TableAir::COUNT];
    public_values[0] = public;
    let instances = StarkInstance::new_multiple(airs, &traces, &public_values);
    prove_batch(config, &instances, data).map_err(refused)
}

fn refused(error: impl std::fmt::Debug) -> Error {
    Error::Resource(format!("the prover refuses: {error:?}"))
}
