//! Fibonacci numbers modulo 2^32, one addition a step: no memory traffic at all between reading the input and
//! writing the result.
//!
//! Input: `n` in ASCII decimal. Journal: `n` and `fib(n)`, `u32` little-endian each.
#![no_std]

extern crate alloc;

use alloc::format;
use alloc::vec::Vec;
use core::hint::black_box;

use guest_rt::{BadInput, Output, parse_numbers};

/// Computes `fib(n) mod 2^32` for the `n` in `input`.
///
/// # Errors
/// [`BadInput`] unless `input` is one decimal number.
pub fn run(input: &[u8]) -> Result<Output, BadInput> {
    let [n] = parse_numbers(input, 1, [0])?;
    let value = fib(n);
    let mut journal = Vec::from(n.to_le_bytes());
    journal.extend(value.to_le_bytes());
    Ok(Output {
        text: format!("fib({n}) mod 2^32 = {value}\n"),
        journal,
    })
}

/// `fib(0) = 0`, `fib(1) = 1`, by `n` steps of the recurrence.
fn fib(n: u32) -> u32 {
    // Opaque start values: the loop must be run, not solved.
    let (mut a, mut b) = (black_box(0u32), black_box(1u32));
    for _ in 0..n {
        (a, b) = (b, a.wrapping_add(b));
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_numbers_and_the_wrap() {
        let first: Vec<u32> = (0..10).map(fib).collect();
        assert_eq!(first, [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
        assert_eq!(fib(47), 2_971_215_073);
        assert_eq!(fib(48), (4_807_526_976u64 % (1 << 32)) as u32);
    }
}
