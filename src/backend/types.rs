//! Plonky3's types as this crate uses them: BabyBear, BLAKE3 Merkle trees and transcript.

use p3_baby_bear::BabyBear;
use p3_blake3::Blake3;
use p3_challenger::{HashChallenger, SerializingChallenger32};
use p3_dft::Radix2DitParallel;
use p3_field::extension::BinomialExtensionField;
use p3_merkle_tree::MerkleTreeMmcs;
use p3_symmetric::{CompressionFunctionFromHasher, SerializingHasher};

/// The field of the tables.
pub type Val = BabyBear;
/// The field of challenges, of degree 4 or 5 over [`Val`].
pub type Challenge<const D: usize> = BinomialExtensionField<Val, D>;
type FieldHash = SerializingHasher<Blake3>;
type Compress = CompressionFunctionFromHasher<Blake3, 2, 32>;
/// Commitments to matrices over [`Val`].
pub type ValMmcs = MerkleTreeMmcs<Val, u8, FieldHash, Compress, 2, 32>;
/// The transcript.
pub type Challenger = SerializingChallenger32<Val, HashChallenger<u8, Blake3, 32>>;
/// The discrete Fourier transform.
pub type Dft = Radix2DitParallel<Val>;

/// Commitments to matrices, with `cap_height`.
pub fn val_mmcs(cap_height: u8) -> ValMmcs {
    ValMmcs::new(
        FieldHash::new(Blake3),
        Compress::new(Blake3),
        cap_height.into(),
    )
}
