//! Inputs of the `ecdsa` guest: signatures by keys that anyone can derive again, some of them tampered with.

use alloy_primitives::keccak256;
use guest_ecdsa::{MAGIC, RECORD_BYTES, VERSION};
use k256::ecdsa::signature::hazmat::PrehashSigner;
use k256::ecdsa::{Signature, SigningKey};

/// Where a record holds what; see `guest_ecdsa`.
const HASH: usize = 33;
const R: usize = HASH + 32;
const S: usize = R + 32;

/// The key that a short name stands for: the Keccak-256 hash of the name is the secret.
///
/// # Panics
/// If that hash is no valid secret, which no one will live to see.
pub fn key(name: &str) -> SigningKey {
    let secret = keccak256(format!("rewit guest key {name}"));
    SigningKey::from_slice(secret.as_slice()).expect("a hash below the group order")
}

/// An input of `count` records, every fourth one spoilt in one of the ways of [`spoil`].
///
/// # Panics
/// If `count` does not fit 32 bits.
pub fn input(count: usize) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(u32::try_from(count).expect("a small count").to_le_bytes());
    for i in 0..count {
        let mut record = record(i);
        if i % 4 == 3 {
            spoil(&mut record, i / 4);
        }
        bytes.extend(record);
    }
    bytes
}

/// Record `i`, with a valid signature.
fn record(i: usize) -> [u8; RECORD_BYTES] {
    let key = key(&format!("signer {i}"));
    let hash = keccak256(format!("rewit guest message {i}"));
    let signature: Signature = key.sign_prehash(hash.as_slice()).expect("hash of 32 bytes");
    let signature = signature.normalize_s().unwrap_or(signature);
    let mut record = [0; RECORD_BYTES];
    record[..HASH].copy_from_slice(key.verifying_key().to_encoded_point(true).as_bytes());
    record[HASH..R].copy_from_slice(hash.as_slice());
    record[R..].copy_from_slice(&signature.to_bytes());
    record
}

/// Makes a valid record invalid, in the `way`-th way of several.
fn spoil(record: &mut [u8; RECORD_BYTES], way: usize) {
    match way % 6 {
        0 => record[HASH] ^= 1,
        1 => record[S + 31] ^= 1,
        2 => record[R + 31] ^= 1,
        // The other key with the same x coordinate.
        3 => record[0] ^= 1,
        // Out of range.
        4 => record[R..S].fill(0),
        // The signature that ECDSA also allows, n - s.
        _ => {
            let valid = Signature::from_slice(&record[R..]).expect("it was just made");
            let other = Signature::from_scalars(valid.r(), -valid.s()).expect("-s is not zero");
            record[R..].copy_from_slice(&other.to_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_spoil_a_signature_is_noticed() {
        let output = guest_ecdsa::run(&input(24)).unwrap();
        assert_eq!(output.text, "24 signatures: 18 valid, 6 invalid\n");
        assert_eq!(output.journal[8..], [0b0111_0111; 3]);
    }

    #[test]
    fn malformed_inputs_are_refused() {
        let good = input(1);
        for end in 0..good.len() {
            assert!(guest_ecdsa::run(&good[..end]).is_err(), "{end}");
        }
        for at in 0..12 {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(guest_ecdsa::run(&bad).is_err(), "{at}");
        }
    }
}
