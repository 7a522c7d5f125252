//! A chain of Keccak-256 hashes: `h_0 = Keccak-256("")`, `h_i = Keccak-256(h_{i-1})`.
//!
//! Input: the number `n` of links in ASCII decimal. Journal: `h_n`, 32 bytes.
#![no_std]

extern crate alloc;

use alloc::format;
use alloc::vec::Vec;

use guest_rt::{BadInput, Output, parse_numbers, push_hex};
use tiny_keccak::{Hasher, Keccak};

/// Computes `h_n` for the `n` in `input`.
///
/// # Errors
/// [`BadInput`] unless `input` is one decimal number.
pub fn run(input: &[u8]) -> Result<Output, BadInput> {
    let [n] = parse_numbers(input, 1, [0])?;
    let hash = chain(n);
    let mut text = format!("keccak256 chain of {n}: ");
    push_hex(&mut text, &hash);
    text.push('\n');
    Ok(Output {
        text,
        journal: Vec::from(hash),
    })
}

fn chain(n: u32) -> [u8; 32] {
    (0..n).fold(keccak256(b""), |hash, _| keccak256(&hash))
}

fn keccak256(data: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    let mut hasher = Keccak::v256();
    hasher.update(data);
    hasher.finalize(&mut hash);
    hash
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
                "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
            ),
            (
                1,
                "10ca3eff73ebec87d2394fc58560afeab86dac7a21f5e402ea0a55e5c8a6758f",
            ),
        ] {
            let mut got = String::new();
            push_hex(&mut got, &chain(n));
            assert_eq!(got, want);
        }
    }
}
