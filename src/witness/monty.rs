//! Montgomery form of BabyBear, in plain integers: what the trace's cells hold.

use std::mem::ManuallyDrop;

use p3_baby_bear::BabyBear;

/// The BabyBear prime, 15·2^27 + 1.
pub const P: u32 = 0x7800_0001;
/// `P^-1` modulo 2^32.
const MU: u32 = 0x8800_0001;
/// 2^64 mod P.
const R2: u32 = ((1u128 << 64) % P as u128) as u32;
/// The field's one: 2^32 mod P.
pub const ONE: u32 = ((1u64 << 32) % P as u64) as u32;

#[inline(always)]
const fn reduce(t: u64) -> u32 {
    let m = (t as u32).wrapping_mul(MU);
    let low = ((m as u64 * P as u64) >> 32) as u32;
    let d = ((t >> 32) as u32).wrapping_sub(low);
    // One of the two is below P, the other has wrapped.
    let e = d.wrapping_add(P);
    if d < e { d } else { e }
}

/// Montgomery form of `x`, which must be below [`P`].
#[inline(always)]
pub const fn to_monty(x: u32) -> u32 {
    reduce(x as u64 * R2 as u64)
}

/// The integer below [`P`] that the Montgomery form `x` stands for.
#[inline(always)]
pub const fn from_monty(x: u32) -> u32 {
    reduce(x as u64)
}

/// [`to_monty`] over an array; compiles to vector code.
#[inline(always)]
pub(super) fn to_monty_array<const N: usize>(values: &[u32; N], out: &mut [u32; N]) {
    for (value, out) in values.iter().zip(out) {
        *out = to_monty(*value);
    }
}

// `BabyBear` is a transparent wrapper of the `u32` that holds its Montgomery form. What follows relies on
// nothing else: any `u32` is a valid `BabyBear` to the compiler, and one that is not below `P` gives
// wrong sums, not undefined behaviour.
const _: () = assert!(size_of::<BabyBear>() == 4 && align_of::<BabyBear>() == 4);

/// Montgomery words, below [`P`], as field elements; none is copied.
pub(crate) fn elements(words: &[u32]) -> &[BabyBear] {
    // SAFETY: a `BabyBear` is a transparent wrapper of a `u32`, for which any word is valid; the slice
    // is the same memory, borrowed as long.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len()) }
}

/// Field elements as Montgomery words; none is copied.
#[cfg(feature = "cuda")]
pub(crate) fn words(elements: &[BabyBear]) -> &[u32] {
    // SAFETY: as in `elements`.
    unsafe { std::slice::from_raw_parts(elements.as_ptr().cast(), elements.len()) }
}

/// [`elements`] of a vector; none moves.
pub(crate) fn into_elements(words: Vec<u32>) -> Vec<BabyBear> {
    let mut words = ManuallyDrop::new(words);
    // SAFETY: as in `elements`; pointer, length and capacity are those of a vector that is not dropped,
    // and both items have one size and alignment.
    unsafe { Vec::from_raw_parts(words.as_mut_ptr().cast(), words.len(), words.capacity()) }
}

/// The inverse of [`into_elements`]; no element moves.
pub(crate) fn into_words(elements: Vec<BabyBear>) -> Vec<u32> {
    let mut elements = ManuallyDrop::new(elements);
    // SAFETY: as in `into_elements`.
    unsafe {
        Vec::from_raw_parts(
            elements.as_mut_ptr().cast(),
            elements.len(),
            elements.capacity(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p3_field::{PrimeCharacteristicRing, PrimeField32};

    #[test]
    fn agrees_with_plonky3() {
        let edges = [
            0,
            1,
            2,
            3,
            255,
            256,
            65_535,
            65_536,
            1 << 27,
            1 << 30,
            P - 2,
            P - 1,
        ];
        let mixed = (0..10_000u32).map(|i| i.wrapping_mul(0x9e37_79b9) % P);
        for x in edges.into_iter().chain(mixed) {
            let field = BabyBear::from_u32(x);
            assert_eq!(to_monty(x), field.to_unique_u32(), "{x}");
            assert_eq!(from_monty(to_monty(x)), x);
            assert_eq!(field.as_canonical_u32(), x);
        }
        assert_eq!(ONE, BabyBear::ONE.to_unique_u32());
    }

    #[test]
    fn casts_keep_values() {
        let values = [0, 1, 2, P - 1].map(BabyBear::new);
        let monty = [0, 1, 2, P - 1].map(to_monty);
        assert_eq!(elements(&monty), values);
        #[cfg(feature = "cuda")]
        assert_eq!(words(&values), monty);
        // Spare capacity, and none at all.
        let mut spare = Vec::with_capacity(100);
        spare.extend(monty);
        assert_eq!(into_elements(spare), values);
        assert_eq!(into_words(values.to_vec()), monty);
        assert!(into_words(into_elements(Vec::new())).is_empty());
    }
}
