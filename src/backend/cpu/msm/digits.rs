//! Scalars as signed digits.

use ark_ff::{BigInt, PrimeField};
use rayon::prelude::*;

use crate::backend::curve::{Fr, Scalars};

/// Scalars whose digits lie together.
const BLOCK: usize = 4096;
/// Most bits of an integer that stands for a scalar of the field: `(r - 1) / 2` has 253.
pub(super) const FULL_BITS: u32 = 253;

/// Integers that scalars stand for: those of a field in `(-r/2, r/2)`, so that negative ones are small.
pub(super) enum Integers<'a> {
    /// Two's complement, the low word first.
    Full(Vec<[u64; 4]>),
    /// As they came.
    Small(&'a [i64]),
}

impl<'a> Integers<'a> {
    /// The integers, and how many bits the largest magnitude has.
    pub(super) fn new(scalars: Scalars<'a>) -> (Self, u32) {
        match scalars {
            Scalars::Full(scalars) => {
                let integers: Vec<[u64; 4]> =
                    scalars.par_iter().with_min_len(1024).map(signed).collect();
                let bits = integers.par_iter().with_min_len(4096).map(bits).max();
                (Self::Full(integers), bits.unwrap_or(0))
            }
            Scalars::Small(scalars) => {
                let all = scalars
                    .iter()
                    .fold(0, |all, scalar| all | scalar.unsigned_abs());
                (Self::Small(scalars), 64 - all.leading_zeros())
            }
        }
    }

    /// Number of scalars.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Full(integers) => integers.len(),
            Self::Small(integers) => integers.len(),
        }
    }
}

/// The integer in `(-r/2, r/2)` that a scalar stands for.
fn signed(scalar: &Fr) -> [u64; 4] {
    let value = scalar.into_bigint();
    if value > Fr::MODULUS_MINUS_ONE_DIV_TWO {
        let mut negative = value;
        ark_ff::BigInteger::sub_with_borrow(&mut negative, &Fr::MODULUS);
        return negative.0;
    }
    value.0
}

/// The fewest bits such that the value is in `[-2^bits, 2^bits)`; none only of zero.
fn bits(value: &[u64; 4]) -> u32 {
    let sign = (value[3].cast_signed() >> 63).cast_unsigned();
    let magnitude = BigInt(value.map(|word| word ^ sign));
    ark_ff::BigInteger::num_bits(&magnitude).max(u32::from(*value != [0; 4]))
}

/// How scalars are cut: windows of `width` bits with digits in `[-2^(width-1), 2^(width-1)]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Windows {
    /// Bits of a window.
    pub(super) width: u32,
    /// Number of windows.
    pub(super) count: usize,
}

impl Windows {
    /// Windows for integers of magnitudes below `2^bits`.
    pub(super) fn new(width: u32, bits: u32) -> Self {
        Self {
            width,
            // One bit more for the sign.
            count: (bits + 1).div_ceil(width) as usize,
        }
    }

    /// Windows for any scalar.
    pub(super) fn full(width: u32) -> Self {
        Self::new(width, FULL_BITS)
    }
}

/// Digits of scalars: zero, or twice the magnitude plus one if it is negative.
pub(super) struct Digits {
    keys: Vec<u32>,
    len: usize,
    windows: usize,
}

impl Digits {
    /// Cuts integers of magnitudes that the windows hold; `skip` lists scalars to take for zero.
    pub(super) fn new(integers: &Integers<'_>, windows: Windows, skip: &[u32]) -> Self {
        let len = integers.len();
        let block = BLOCK.min(len.max(1));
        let mut keys: Vec<u32> = super::zeroed(len * windows.count);
        keys.par_chunks_mut(block * windows.count)
            .enumerate()
            .for_each(|(index, keys)| {
                let start = index * block;
                let size = keys.len() / windows.count;
                match integers {
                    Integers::Full(integers) => {
                        cut_full(&integers[start..start + size], windows, keys);
                    }
                    Integers::Small(integers) => {
                        cut_small(&integers[start..start + size], windows, keys);
                    }
                }
                let from = skip.partition_point(|skipped| (*skipped as usize) < start);
                for skipped in skip[from..].iter().map(|skipped| *skipped as usize) {
                    if skipped >= start + size {
                        break;
                    }
                    for window in 0..windows.count {
                        keys[window * size + skipped - start] = 0;
                    }
                }
            });
        Self {
            keys,
            len,
            windows: windows.count,
        }
    }

    /// Number of scalars.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Number of blocks that the scalars are in.
    pub(super) fn blocks(&self) -> usize {
        self.len.div_ceil(BLOCK)
    }

    /// The first scalar of a block and the block's digits of a window.
    pub(super) fn block(&self, block: usize, window: usize) -> (usize, &[u32]) {
        let start = block * BLOCK;
        let size = BLOCK.min(self.len - start);
        let from = start * self.windows + window * size;
        (start, &self.keys[from..from + size])
    }
}

/// A digit as a key.
#[inline]
fn key(digit: i64) -> u32 {
    ((digit.unsigned_abs() as u32) << 1) | u32::from(digit < 0)
}

/// `Σ_w 2^(width-1) · 2^(width·w)` over all windows but the last: added to an integer, it makes every window's
/// bits a digit plus `2^(width-1)` with no carry to follow.
fn offset(windows: Windows) -> [u64; 5] {
    let mut words = [0u64; 5];
    for window in 0..windows.count as u32 - 1 {
        let bit = windows.width * window + windows.width - 1;
        words[(bit / 64) as usize] |= 1 << (bit % 64);
    }
    words
}

fn cut_full(integers: &[[u64; 4]], windows: Windows, keys: &mut [u32]) {
    let size = integers.len();
    let offset = offset(windows);
    let mask = (1i64 << windows.width) - 1;
    let half = 1i64 << (windows.width - 1);
    for (index, integer) in integers.iter().enumerate() {
        let mut words = [0u64; 5];
        let mut carry = false;
        for word in 0..4 {
            let (sum, first) = integer[word].overflowing_add(offset[word]);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            words[word] = sum;
            carry = first | second;
        }
        words[4] = (words[3].cast_signed() >> 63).cast_unsigned();
        for window in 0..windows.count {
            let bit = windows.width as usize * window;
            let (word, shift) = (bit / 64, bit % 64);
            let pair = u128::from(words[word]) | u128::from(words[word + 1]) << 64;
            let bits = ((pair >> shift) as u64).cast_signed();
            let digit = if window + 1 < windows.count {
                (bits & mask) - half
            } else {
                bits
            };
            keys[window * size + index] = key(digit);
        }
    }
}

fn cut_small(integers: &[i64], windows: Windows, keys: &mut [u32]) {
    let size = integers.len();
    let offset = offset(windows);
    let offset = i128::from(offset[0]) | i128::from(offset[1]) << 64;
    let mask = (1i64 << windows.width) - 1;
    let half = 1i64 << (windows.width - 1);
    for (window, keys) in keys.chunks_exact_mut(size).enumerate() {
        let shift = windows.width as usize * window;
        let last = window + 1 == windows.count;
        if (windows.count as u32) * windows.width < 64 {
            for (key_of, integer) in keys.iter_mut().zip(integers) {
                let bits = (integer + offset as i64) >> shift;
                *key_of = key(if last { bits } else { (bits & mask) - half });
            }
        } else {
            for (key_of, integer) in keys.iter_mut().zip(integers) {
                let bits = ((i128::from(*integer) + offset) >> shift) as i64;
                *key_of = key(if last { bits } else { (bits & mask) - half });
            }
        }
    }
}
