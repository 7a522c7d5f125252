//! Proving a segment with the committed polynomials on a device.
//!
//! Constraints and lookups are evaluated on the CPU; extensions, commitments, openings and FRI are
//! computed on the device.

use p3_air::symbolic::SymbolicExpressionExt;
use p3_batch_stark::{BatchProof, ProverData, ProvingError, StarkInstance, prove_batch};
use p3_field::{Algebra, ExtensionField};
use p3_matrix::Matrix;
use p3_matrix::dense::RowMajorMatrix;
use p3_uni_stark::StarkConfig;

use super::super::air::TableAir;
use super::super::config::{Proof, Val, fri, val_mmcs};
use super::super::params::Params;
use super::super::shape::Table;
use super::fixed_log_heights;
use crate::backend::cuda::{CudaChallenger, CudaPcs, Device, MatrixPlan, Plan, Transcript};
use crate::{Error, Result};

/// The configuration of proofs made on a device; what it proves, [`Config`](super::Config) verifies.
type CudaConfig<E> = StarkConfig<CudaPcs<E>, E, CudaChallenger>;

/// What is computed once per program and parameters.
pub(super) struct OnDevice<E: ExtensionField<Val>> {
    pcs: CudaPcs<E>,
    data: ProverData<CudaConfig<E>>,
}

impl<E> OnDevice<E>
where
    E: ExtensionField<Val>,
    SymbolicExpressionExt<Val, E>: Algebra<E>,
{
    /// Commits to the fixed columns; returns the commitment too.
    pub(super) fn new(
        device: &Device,
        params: &Params,
        airs: &[TableAir],
        log_rows: u32,
    ) -> Result<(Self, Vec<[u8; 32]>)> {
        let mmcs = val_mmcs(params.cap_height);
        let pcs = CudaPcs::new(device, mmcs.clone(), fri(params, mmcs))?;
        let config = config(&pcs, params, &[0; 32]);
        let log_heights = fixed_log_heights(log_rows);
        let tables: Vec<Table> = airs
            .iter()
            .zip(log_heights)
            .map(|(air, log_height)| Table::of_air(air, log_height as u32))
            .collect();
        pcs.plan_commit(&fixed_columns(&tables), false)?
            .check(device)?;
        let data =
            ProverData::from_airs_and_degrees(&config, airs, &log_heights).map_err(refused)?;
        let commitment = data.common.preprocessed.as_ref();
        let commitment = commitment.map(|fixed| fixed.commitment.roots().to_vec());
        Ok((Self { pcs, data }, commitment.unwrap_or_default()))
    }

    /// The proof of a segment whose transcript starts with `seed`.
    pub(super) fn prove(
        &self,
        params: &Params,
        seed: &[u8; 32],
        airs: &[TableAir; TableAir::COUNT],
        traces: [&RowMajorMatrix<Val>; TableAir::COUNT],
        public: Vec<Val>,
    ) -> Result<Proof<E>> {
        let tables: Vec<Table> = airs
            .iter()
            .zip(traces)
            .map(|(air, trace)| Table::of_air(air, trace.height().ilog2()))
            .collect();
        self.plan(&tables, params)?.check(self.pcs.device())?;
        let mut public_values = vec![Vec::new(); TableAir::COUNT];
        public_values[0] = public;
        let config = config(&self.pcs, params, seed);
        let instances = StarkInstance::new_multiple(airs, &traces, &public_values);
        let proof = prove_batch(&config, &instances, &self.data).map_err(refused)?;
        let BatchProof {
            commitments,
            opened_values,
            opening_proof,
            lookup_terminals,
            degree_bits,
            lookup_pow_witness,
            ood_pow_witness,
        } = proof;
        Ok(BatchProof {
            commitments,
            opened_values,
            opening_proof,
            lookup_terminals,
            degree_bits,
            lookup_pow_witness,
            ood_pow_witness,
        })
    }
}

impl<E: ExtensionField<Val>> OnDevice<E> {
    /// What proving holds on the device beside the fixed columns, which are there already.
    fn plan(&self, tables: &[Table], params: &Params) -> Result<Plan> {
        let matrices = |width: &dyn Fn(&Table) -> usize, num_points: &dyn Fn(&Table) -> usize| {
            let matrix = |table: &Table| MatrixPlan {
                log_rows: table.log_height,
                width: width(table),
                num_points: num_points(table),
            };
            let present = tables.iter().map(matrix).filter(|matrix| matrix.width > 0);
            present.collect::<Vec<_>>()
        };
        let fixed = fixed_columns(tables);
        let main = matrices(&|t| t.width, &|t| 1 + usize::from(t.next));
        let permutation = matrices(&|t| t.permutation() * E::DIMENSION, &|_| 2);
        // A matrix for each chunk of a quotient.
        let chunk = |table: &Table| MatrixPlan {
            log_rows: table.log_height,
            width: E::DIMENSION,
            num_points: 1,
        };
        let quotients: Vec<MatrixPlan> = tables
            .iter()
            .flat_map(|table| std::iter::repeat_n(chunk(table), table.quotient_chunks))
            .collect();

        let mut plan = Plan::default();
        plan.append(&self.pcs.plan_commit(&main, false)?, &[]);
        let held = ("trace commitment", self.pcs.committed_bytes(&main));
        plan.append(&self.pcs.plan_commit(&permutation, false)?, &[held]);
        let lookups = ("lookup commitment", self.pcs.committed_bytes(&permutation));
        // Constraints are evaluated on the host, over a coset as large as the quotient needs.
        let rows = |table: &Table| {
            let log_rows = table.log_height + table.quotient_chunks.ilog2();
            let widest = table.width.max(table.permutation() * E::DIMENSION);
            (4 * widest as u64) << log_rows.min(table.log_height + u32::from(params.log_blowup))
        };
        let by_row = tables.iter().map(rows).max().unwrap_or(0);
        plan.step(
            "constraints",
            &[held, lookups, ("rows for the host", by_row)],
        );
        plan.append(&self.pcs.plan_commit(&quotients, false)?, &[held, lookups]);
        let quotient = ("quotient commitment", self.pcs.committed_bytes(&quotients));
        let opened = [&fixed[..], &main, &permutation, &quotients];
        plan.append(&self.pcs.plan_open(&opened), &[held, lookups, quotient]);
        Ok(plan)
    }
}

/// The fixed columns of the tables that have any.
fn fixed_columns(tables: &[Table]) -> Vec<MatrixPlan> {
    let fixed = tables.iter().filter(|table| table.preprocessed > 0);
    fixed
        .map(|table| MatrixPlan {
            log_rows: table.log_height,
            width: table.preprocessed,
            num_points: 1 + usize::from(table.preprocessed_next),
        })
        .collect()
}

fn config<E: ExtensionField<Val>>(
    pcs: &CudaPcs<E>,
    params: &Params,
    seed: &[u8; 32],
) -> CudaConfig<E> {
    let challenger = Transcript::challenger(seed.to_vec(), Some(pcs.device().clone()));
    StarkConfig::new(pcs.clone(), challenger)
        .with_lookup_proof_of_work_bits(params.grinding.lookup.into())
        .with_ood_proof_of_work_bits(params.grinding.out_of_domain.into())
}

/// The device's own error, if it is one.
fn refused(error: ProvingError<Error>) -> Error {
    match error {
        ProvingError::Pcs { source, .. } => source,
        #[allow(unreachable_patterns, reason = "other versions have more")]
        other => super::refused(other),
    }
}
