//! The proof system's types, all Plonky3's: BabyBear, BLAKE3 Merkle trees and transcript, FRI.

use p3_batch_stark::BatchProof;
use p3_blake3::Blake3;
use p3_commit::ExtensionMmcs;
use p3_fri::{FriParameters, TwoAdicFriPcs};
use p3_uni_stark::StarkConfig;

use super::params::Params;

pub use crate::backend::types::{Challenge, Challenger, Dft, Val, ValMmcs, val_mmcs};

/// The polynomial commitment scheme.
pub type Pcs<E> = TwoAdicFriPcs<Val, Dft, ValMmcs, ExtensionMmcs<Val, E, ValMmcs>>;
/// All of it, as Plonky3's provers and verifiers take it; `E` is [`Challenge`] of either degree.
pub type Config<E> = StarkConfig<Pcs<E>, E, Challenger>;
/// A proof over that configuration.
pub type Proof<E> = BatchProof<Config<E>>;

/// The parameters of FRI, whose layers are committed to with `mmcs`.
pub(super) fn fri<M>(params: &Params, mmcs: M) -> FriParameters<M> {
    FriParameters {
        log_blowup: params.log_blowup.into(),
        log_final_poly_len: params.log_final_len.into(),
        max_log_arity: params.log_arity.into(),
        num_queries: params.num_queries.into(),
        batch_proof_of_work_bits: params.grinding.batch.into(),
        commit_proof_of_work_bits: params.grinding.commit.into(),
        query_proof_of_work_bits: params.grinding.query.into(),
        mmcs,
    }
}

/// The configuration of a proof whose transcript starts with `seed`.
pub fn config<E: Clone>(params: &Params, seed: &[u8; 32]) -> Config<E> {
    let mmcs = val_mmcs(params.cap_height);
    let fri = fri(params, ExtensionMmcs::new(mmcs.clone()));
    let pcs = Pcs::new(Dft::default(), mmcs, fri);
    StarkConfig::new(pcs, Challenger::from_hasher(seed.to_vec(), Blake3))
        .with_lookup_proof_of_work_bits(params.grinding.lookup.into())
        .with_ood_proof_of_work_bits(params.grinding.out_of_domain.into())
}
