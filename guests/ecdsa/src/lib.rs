//! Verifies a batch of secp256k1 ECDSA signatures and tells the good from the bad.
//!
//! Input: the magic `RWEC`, a version (1) and a count, `u32` little-endian each, then that many records of
//! [`RECORD_BYTES`]: public key (33 bytes, compressed SEC1), message hash (32), signature (`r` then `s`, 32 each,
//! big-endian). Journal: numbers of valid and invalid signatures, `u32` little-endian each, then one bit per record,
//! 1 for valid, lowest bit first.
//!
//! A key that is no curve point, or an `r` or `s` out of range, or an `s` in the upper half of the range (k256, like
//! Ethereum and Bitcoin, takes only one of the two signatures that ECDSA allows) is an invalid signature, not a
//! malformed input.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;
use alloc::{format, vec};

use guest_rt::{BadInput, Output};
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use k256::ecdsa::{Signature, VerifyingKey};

/// First bytes of the input.
pub const MAGIC: &[u8; 4] = b"RWEC";

/// The one version of the input format.
pub const VERSION: u32 = 1;

/// Key, hash and signature.
pub const RECORD_BYTES: usize = KEY_BYTES + HASH_BYTES + SIGNATURE_BYTES;

const KEY_BYTES: usize = 33;
const HASH_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const HEADER_BYTES: usize = 12;

/// Verifies every record of `input`.
///
/// # Errors
/// [`BadInput`] if the header is wrong or the length does not fit the count.
pub fn run(input: &[u8]) -> Result<Output, BadInput> {
    let (header, records) = input
        .split_at_checked(HEADER_BYTES)
        .ok_or(BadInput("input is shorter than its header"))?;
    if &header[..4] != MAGIC {
        return Err(BadInput("input does not start with RWEC"));
    }
    if word(&header[4..]) != VERSION {
        return Err(BadInput("input has an unknown version"));
    }
    let count = word(&header[8..]) as usize;
    if count.checked_mul(RECORD_BYTES) != Some(records.len()) {
        return Err(BadInput("input length does not fit its count"));
    }

    let mut valid = 0u32;
    let mut bits = vec![0u8; count.div_ceil(8)];
    for (i, record) in records.chunks_exact(RECORD_BYTES).enumerate() {
        if verify(record).is_some() {
            valid += 1;
            bits[i / 8] |= 1 << (i % 8);
        }
    }

    let invalid = count as u32 - valid;
    let mut journal = Vec::from(valid.to_le_bytes());
    journal.extend(invalid.to_le_bytes());
    journal.extend(bits);
    Ok(Output {
        text: format!("{count} signatures: {valid} valid, {invalid} invalid\n"),
        journal,
    })
}

/// `Some` if the record holds a valid signature.
fn verify(record: &[u8]) -> Option<()> {
    let (key, rest) = record.split_at(KEY_BYTES);
    let (hash, signature) = rest.split_at(HASH_BYTES);
    let key = VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = Signature::from_slice(signature).ok()?;
    key.verify_prehash(hash, &signature).ok()
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
