//! A chain of SHA-256 hashes: `h_0 = SHA-256("")`, `h_i = SHA-256(h_{i-1})`.
//!
//! Input: the number `n` of links in ASCII decimal. Journal: `h_n`, 32 bytes.
#![no_std]

extern crate alloc;

use alloc::format;
use alloc::vec::Vec;

use guest_rt::{BadInput, Output, parse_numbers, push_hex};
use sha2::{Digest, Sha256};

/// Computes `h_n` for the `n` in `input`.
///
/// # Errors
/// [`BadInput`] unless `input` is one decimal number.
pub fn run(input: &[u8]) -> Result<Output, BadInput> {
    let [n] = parse_numbers(input, 1, [0])?;
    let hash = chain(n);
    let mut text = format!("sha256 chain of {n}: ");
    push_hex(&mut text, &hash);
    text.push('\n');
    Ok(Output {
        text,
        journal: Vec::from(hash),
    })
}

fn chain(n: u32) -> [u8; 32] {
    (0..n).fold(sha256(b""), |hash, _| sha256(&hash))
}

fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    /// Published digests of the empty string, and of its digest.
    #[test]
    fn first_two_links() {
        for (n, want) in [
            (
                0,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                1,
                "5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456",
            ),
        ] {
            let mut got = String::new();
            push_hex(&mut got, &chain(n));
            assert_eq!(got, want);
        }
    }
}
