//! Messages and key files made to exhaust memory: what decoding them allocates is counted.

mod bombs;
mod fold_values;

use bombs::{MIB, measured};
use fold_values::*;
use rewit::fold::wire::{decode_fresh, encode_fresh};
use rewit::fold::{CommitmentKey, Dimensions, FoldProof, RelaxedInstance, RelaxedWitness};

fn refused<T, E>(what: &str, decode: impl FnOnce() -> Result<T, E>) {
    let (decoded, peak) = measured(|| decode().is_ok());
    assert!(!decoded, "{what}");
    assert!(peak < MIB / 16, "{what}: {peak} bytes");
}

/// The only test of this file: others would be counted with it.
#[test]
fn memory_is_bounded_by_the_bytes_given() {
    // The thread pool is no part of what a message takes.
    rayon::join(|| (), || ());

    // Numbers of chunks, points and scalars that are not there.
    let bytes = proof().encode();
    for claim in [4, 1 << 16, 1 << 24, 1 << 31, u32::MAX] {
        for at in [12, 16] {
            let mut bomb = bytes.clone();
            bomb[at..at + 4].copy_from_slice(&claim.to_le_bytes());
            refused("number of chunks", || FoldProof::decode(&bomb, &DIMENSIONS));
        }
    }
    let key = CommitmentKey::derive(3).unwrap().encode();
    for claim in [4, 1 << 24, 1 << 26, 1 << 32, 1 << 58, u64::MAX] {
        let mut bomb = key.clone();
        bomb[12..20].copy_from_slice(&claim.to_le_bytes());
        refused("number of points", || CommitmentKey::decode(&bomb));
    }
    // A relation far larger than the message.
    let large = Dimensions {
        num_public: 1 << 40,
        parts: [1 << 40; 3],
        num_constraints: 1 << 40,
    };
    let instance = relaxed_instance(&DIMENSIONS[0]).encode();
    refused("relaxed instance", || {
        RelaxedInstance::decode(&instance, &large)
    });
    let witness = relaxed_witness(&DIMENSIONS[0]).encode();
    refused("relaxed witness", || {
        RelaxedWitness::decode(&witness, &large)
    });
    refused("proof", || {
        FoldProof::decode(&bytes, &[large, DIMENSIONS[1]])
    });
    let fresh = encode_fresh(&[0; 100]);
    refused("fresh witness", || decode_fresh(&fresh, 1 << 40));

    // Messages as long as they say: memory is a small multiple of their bytes.
    let large = Dimensions {
        num_public: 4,
        parts: [1 << 10, 1 << 14, 1 << 12],
        num_constraints: 1 << 13,
    };
    let witness = relaxed_witness(&large).encode();
    let (decoded, honest) = measured(|| RelaxedWitness::decode(&witness, &large).is_ok());
    assert!(decoded && honest > witness.len() / 2, "{honest}");
    assert!(honest < 4 * witness.len(), "{honest} for {}", witness.len());
    // The shortest integers there are.
    let fresh = encode_fresh(&vec![0; MIB]);
    let (decoded, honest) = measured(|| decode_fresh(&fresh, MIB).is_ok());
    assert!(decoded && honest > 4 * MIB, "{honest}");
    assert!(honest < 25 * MIB, "{honest}");
}
