//! Fills an array with pseudo-random numbers, sorts it in place, and checks that the result is an ordered
//! permutation. The array is the working set: every page of it is read and written many times.
//!
//! Input: `KIB [SEED]` in ASCII decimal, the working set in KiB (1 to 1048576; 1024 is 1 MiB) and the seed (1 if
//! absent). Journal: number of elements and checksum of the sorted array, `u32` little-endian each.
#![no_std]

extern crate alloc;

use alloc::format;
use alloc::vec::Vec;

use guest_rt::{BadInput, Output, parse_numbers};

/// Sorts the array that `input` describes.
///
/// # Errors
/// [`BadInput`] unless `input` is one or two decimal numbers in range.
pub fn run(input: &[u8]) -> Result<Output, BadInput> {
    let [kib, seed] = parse_numbers(input, 1, [0, 1])?;
    if !(1..=1 << 20).contains(&kib) {
        return Err(BadInput("working set must be 1 to 1048576 KiB"));
    }
    let len = kib as usize * 1024 / size_of::<u32>();
    let mut numbers: Vec<u32> = Vec::with_capacity(len);
    numbers.extend(Xorshift::new(seed).take(len));

    let before = permutation_invariant(&numbers);
    numbers.sort_unstable();
    assert!(numbers.is_sorted(), "sorting left the array unordered");
    assert_eq!(
        before,
        permutation_invariant(&numbers),
        "sorting changed the elements"
    );

    let sum = checksum(&numbers);
    let mut journal = Vec::from((len as u32).to_le_bytes());
    journal.extend(sum.to_le_bytes());
    Ok(Output {
        text: format!("sorted {len} numbers ({kib} KiB, seed {seed}): checksum {sum:08x}\n"),
        journal,
    })
}

/// Sum and exclusive or of all elements: the same for every order.
fn permutation_invariant(numbers: &[u32]) -> (u32, u32) {
    numbers
        .iter()
        .fold((0, 0), |(s, x), &n| (n.wrapping_add(s), x ^ n))
}

/// A checksum that depends on the order.
fn checksum(numbers: &[u32]) -> u32 {
    numbers
        .iter()
        .fold(0u32, |sum, &n| sum.wrapping_mul(31).wrapping_add(n))
}

/// Marsaglia's 32-bit xorshift (13, 17, 5): full period over the non-zero words.
struct Xorshift(u32);

impl Xorshift {
    fn new(seed: u32) -> Self {
        // Zero is the one state that never leaves itself.
        Self(seed.wrapping_mul(0x9e37_79b9) | 1)
    }
}

impl Iterator for Xorshift {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_size_are_honoured() {
        assert_eq!(run(b"16"), run(b"16 1"));
        assert_ne!(run(b"16 1"), run(b"16 3"));
        assert_eq!(run(b"16").unwrap().journal[..4], 4096u32.to_le_bytes());
        assert!(run(b"0").is_err());
        assert!(run(b"1048577").is_err());
    }
}
