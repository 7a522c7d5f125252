//! Proving a segment with the committed polynomials on a device.
//!
//! Constraints and lookups are evaluated on the CPU; extensions, commitments, openings and FRI are
//! computed on the device.

use p3_air::symbolic::SymbolicExpressionExt;
use p3_batch_stark::{BatchProof, ProverData, ProvingError, StarkInstance, prove_batch};
use p3_field::{Algebra, ExtensionField};
use p3_matrix::dense::RowMajorMatrix;
use p3_uni_stark::StarkConfig;

use super::super::air::TableAir;
use super::super::config::{Proof, Val, fri, val_mmcs};
use super::super::params::Params;
use super::fixed_log_heights;
use crate::backend::cuda::{CudaChallenger, CudaPcs, Device, Transcript};
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
