//! Eight elements of BN254's base field at a time: five limbs of 52 bits, AVX-512 IFMA.
//!
//! Montgomery form with `R = 2^260`. Six bits are to spare, so that hardly anything is reduced: a product
//! of factors below `8q` is below `1.8q` without a last subtraction, and of factors below `4q` below `1.2q`.

use std::arch::x86_64::*;

use ark_bn254::{Fq, FqConfig};
use ark_ff::{MontConfig, PrimeField};

use super::point::Point;

/// The modulus `q` of BN254's base field.
pub(super) const MODULUS: [u64; 4] = Fq::MODULUS.0;
/// One: `2^260 mod q`.
pub(super) const ONE: [u64; 4] = {
    // 16 · (2^256 mod q), by doubling.
    let mut words = FqConfig::R.0;
    let mut step = 0;
    while step < 4 {
        words = doubled(words);
        step += 1;
    }
    words
};

/// `2 · words mod q`, for words below `q`.
const fn doubled(words: [u64; 4]) -> [u64; 4] {
    let twice = [
        words[0] << 1,
        words[1] << 1 | words[0] >> 63,
        words[2] << 1 | words[1] >> 63,
        words[3] << 1 | words[2] >> 63,
    ];
    let mut less = [0; 4];
    let mut borrow = 0i128;
    let mut word = 0;
    while word < 4 {
        let difference = twice[word] as i128 - MODULUS[word] as i128 + borrow;
        less[word] = difference as u64;
        borrow = difference >> 64;
        word += 1;
    }
    if borrow < 0 { twice } else { less }
}

/// Limbs of an element.
const LIMBS: usize = 5;
/// The low 52 bits.
const MASK: u64 = (1 << 52) - 1;
/// Limbs of the modulus.
const Q: [u64; LIMBS] = split(MODULUS);
/// `-q^-1 mod 2^52`.
const Q_INV: u64 = negated_inverse(Q[0]);
/// Multiples of `q` that [`Lanes::reduced`] adds, by the three low bits of `⌊v / 2^253⌋`, limb by limb.
const MULTIPLES: [[u64; 8]; LIMBS] = multiples([0, 0, 4, 4, 3, 2, 2, 1]);

/// An element as limbs of 52 bits.
const fn split(words: [u64; 4]) -> [u64; LIMBS] {
    [
        words[0] & MASK,
        (words[0] >> 52 | words[1] << 12) & MASK,
        (words[1] >> 40 | words[2] << 24) & MASK,
        (words[2] >> 28 | words[3] << 36) & MASK,
        words[3] >> 16,
    ]
}

/// `-odd^-1 mod 2^52`, by Newton's iteration.
const fn negated_inverse(odd: u64) -> u64 {
    let mut inverse = 1u64;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg() & MASK
}

const fn multiples(factors: [u64; 8]) -> [[u64; 8]; LIMBS] {
    let mut limbs = [[0; 8]; LIMBS];
    let mut limb = 0;
    while limb < LIMBS {
        let mut lane = 0;
        while lane < 8 {
            limbs[limb][lane] = Q[limb] * factors[lane];
            lane += 1;
        }
        limb += 1;
    }
    limbs
}

/// Eight elements, `[limb][lane]`.
///
/// *Normal* ones have limbs in `[0, 2^52)`; sums and differences do not, and have to be made so before they
/// are multiplied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes([__m512i; LIMBS]);

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(value: u64) -> __m512i {
    _mm512_set1_epi64(value.cast_signed())
}

impl Lanes {
    /// One value in every lane.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn splat(words: [u64; 4]) -> Self {
        let limbs = split(words);
        Self([
            splat(limbs[0]),
            splat(limbs[1]),
            splat(limbs[2]),
            splat(limbs[3]),
            splat(limbs[4]),
        ])
    }

    /// Elements of four words of 64 bits, `[word][lane]`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vbmi2")]
    fn from_words([a, b, c, d]: [__m512i; 4]) -> Self {
        let mask = splat(MASK);
        Self([
            _mm512_and_si512(a, mask),
            _mm512_and_si512(_mm512_shrdi_epi64::<52>(a, b), mask),
            _mm512_and_si512(_mm512_shrdi_epi64::<40>(b, c), mask),
            _mm512_and_si512(_mm512_shrdi_epi64::<28>(c, d), mask),
            _mm512_srli_epi64::<16>(d),
        ])
    }

    /// Four words of 64 bits of normal elements below `2^256`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn to_words(self) -> [__m512i; 4] {
        let [a, b, c, d, e] = self.0;
        [
            _mm512_or_si512(a, _mm512_slli_epi64::<52>(b)),
            _mm512_or_si512(_mm512_srli_epi64::<12>(b), _mm512_slli_epi64::<40>(c)),
            _mm512_or_si512(_mm512_srli_epi64::<24>(c), _mm512_slli_epi64::<28>(d)),
            _mm512_or_si512(_mm512_srli_epi64::<36>(d), _mm512_slli_epi64::<16>(e)),
        ]
    }

    /// The lanes, as words of 64 bits.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn to_lanes(self) -> [[u64; 4]; 8] {
        let mut words = [[0u64; 8]; 4];
        for (to, from) in words.iter_mut().zip(self.to_words()) {
            // SAFETY: `to` is 64 bytes long; the store needs no alignment.
            unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), from) };
        }
        std::array::from_fn(|lane| std::array::from_fn(|word| words[word][lane]))
    }

    /// Elements from words of 64 bits.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vbmi2")]
    pub(super) fn from_lanes(lanes: &[[u64; 4]; 8]) -> Self {
        let word = |word: usize| {
            let column: [u64; 8] = std::array::from_fn(|lane| lanes[lane][word]);
            // SAFETY: `column` is 64 bytes long; the load needs no alignment.
            unsafe { _mm512_loadu_si512(column.as_ptr().cast()) }
        };
        Self::from_words([word(0), word(1), word(2), word(3)])
    }

    /// `self + other`, not normal.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn plus(self, other: Self) -> Self {
        let mut sum = self;
        for (limb, other) in sum.0.iter_mut().zip(other.0) {
            *limb = _mm512_add_epi64(*limb, other);
        }
        sum
    }

    /// `self - other`, not normal.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn minus(self, other: Self) -> Self {
        let mut difference = self;
        for (limb, other) in difference.0.iter_mut().zip(other.0) {
            *limb = _mm512_sub_epi64(*limb, other);
        }
        difference
    }

    /// `self`, but `other` in the lanes of `mask`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn blend(self, mask: __mmask8, other: Self) -> Self {
        let mut chosen = self;
        for (limb, other) in chosen.0.iter_mut().zip(other.0) {
            *limb = _mm512_mask_mov_epi64(*limb, mask, other);
        }
        chosen
    }

    /// The same values with limbs below `2^52`; they have to be in `[0, 2^260)`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn normal(self) -> Self {
        let mask = splat(MASK);
        let mut limbs = self.0;
        for limb in 0..LIMBS - 1 {
            let carry = _mm512_srai_epi64::<52>(limbs[limb]);
            limbs[limb] = _mm512_and_si512(limbs[limb], mask);
            limbs[limb + 1] = _mm512_add_epi64(limbs[limb + 1], carry);
        }
        Self(limbs)
    }

    /// Brings values from `-3.9q` to `1.3q` to `[0, 1.35q)`, normal.
    ///
    /// `q` is `1.512 · 2^253`, so the top limb tells how often `q` has to be added. Limbs below it may still owe
    /// it a little: it is taken for a little less, so that no sum is negative.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn reduced(self) -> Self {
        let top = _mm512_sub_epi64(self.0[LIMBS - 1], splat(8));
        let index = _mm512_srai_epi64::<45>(top);
        let mut sum = self;
        for (limb, multiples) in sum.0.iter_mut().zip(&MULTIPLES) {
            // SAFETY: `multiples` is 64 bytes long; the load needs no alignment.
            let multiples = unsafe { _mm512_loadu_si512(multiples.as_ptr().cast()) };
            *limb = _mm512_add_epi64(*limb, _mm512_permutexvar_epi64(index, multiples));
        }
        sum.normal()
    }
}

/// Products of normal elements, below `q + ab/2^260`, normal.
///
/// Several are computed in lockstep, so that the multiplier does not wait for one's carries.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn mul<const K: usize>(a: &[Lanes; K], b: &[Lanes; K]) -> [Lanes; K] {
    multiply::<K, false, true>(a, b)
}

/// [`mul`] whose products are not normal, for a sum.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn mul_loose<const K: usize>(a: &[Lanes; K], b: &[Lanes; K]) -> [Lanes; K] {
    multiply::<K, false, false>(a, b)
}

/// Squares of normal elements, below `q + a²/2^260`, not normal.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn square_loose<const K: usize>(a: &[Lanes; K]) -> [Lanes; K] {
    multiply::<K, true, false>(a, a)
}

/// The product's columns of 52 bits, then Montgomery's reduction from the lowest; `SQUARE` takes `b` for `a`.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply<const K: usize, const SQUARE: bool, const NORMAL: bool>(
    a: &[Lanes; K],
    b: &[Lanes; K],
) -> [Lanes; K] {
    let zero = _mm512_setzero_si512();
    let mut columns = [[zero; 2 * LIMBS]; K];
    for (columns, (a, b)) in columns.iter_mut().zip(a.iter().zip(b)) {
        let b = if SQUARE { a } else { b };
        for i in 0..LIMBS {
            for j in if SQUARE { i + 1 } else { 0 }..LIMBS {
                columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], a.0[i], b.0[j]);
                columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], a.0[i], b.0[j]);
            }
        }
        if SQUARE {
            for column in &mut *columns {
                *column = _mm512_add_epi64(*column, *column);
            }
            for i in 0..LIMBS {
                columns[2 * i] = _mm512_madd52lo_epu64(columns[2 * i], a.0[i], a.0[i]);
                columns[2 * i + 1] = _mm512_madd52hi_epu64(columns[2 * i + 1], a.0[i], a.0[i]);
            }
        }
    }
    let mask = splat(MASK);
    let inverse = splat(Q_INV);
    let q = Q.map(|limb| splat(limb));
    for i in 0..LIMBS {
        for columns in &mut columns {
            let factor = _mm512_madd52lo_epu64(zero, columns[i], inverse);
            columns[i + 1] = _mm512_madd52hi_epu64(columns[i + 1], factor, q[0]);
            // The low limb becomes a multiple of 2^52: it carries one more unless it is one already.
            let carry = _mm512_srli_epi64::<52>(_mm512_add_epi64(columns[i], mask));
            columns[i + 1] = _mm512_add_epi64(columns[i + 1], carry);
            for j in 1..LIMBS {
                columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], factor, q[j]);
                columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], factor, q[j]);
            }
        }
    }
    let mut products = *a;
    for (product, columns) in products.iter_mut().zip(columns) {
        *product = Lanes([columns[5], columns[6], columns[7], columns[8], columns[9]]);
        if NORMAL {
            *product = product.normal();
        }
    }
    products
}

/// Transposes eight rows of eight words.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: [__m512i; 8]) -> [__m512i; 8] {
    let low = |a, b| _mm512_unpacklo_epi64(a, b);
    let high = |a, b| _mm512_unpackhi_epi64(a, b);
    let [a, b, c, d, e, f, g, h] = rows;
    let pairs = [
        low(a, b),
        high(a, b),
        low(c, d),
        high(c, d),
        low(e, f),
        high(e, f),
        low(g, h),
        high(g, h),
    ];
    // Blocks of 128 bits: block `k` of `pairs[2r + p]` holds words `2k + p` of rows `2r` and `2r + 1`.
    let even = |a, b| _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b);
    let odd = |a, b| _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b);
    let mut columns = [_mm512_setzero_si512(); 8];
    for parity in 0..2 {
        let upper = (pairs[parity], pairs[2 + parity]);
        let lower = (pairs[4 + parity], pairs[6 + parity]);
        let (upper_even, upper_odd) = (even(upper.0, upper.1), odd(upper.0, upper.1));
        let (lower_even, lower_odd) = (even(lower.0, lower.1), odd(lower.0, lower.1));
        columns[parity] = even(upper_even, lower_even);
        columns[4 + parity] = odd(upper_even, lower_even);
        columns[2 + parity] = even(upper_odd, lower_odd);
        columns[6 + parity] = odd(upper_odd, lower_odd);
    }
    columns
}

/// The x coordinates of eight points.
///
/// # Safety
/// Every address has to be that of a point.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi2")]
pub(super) unsafe fn load_x(points: [*const Point; 8]) -> Lanes {
    let mut rows = [_mm512_setzero_si512(); 4];
    for (lane, row) in rows.iter_mut().enumerate() {
        // SAFETY: 32 bytes of x are readable behind each address.
        let (low, high) = unsafe {
            (
                _mm256_loadu_si256(points[lane].cast()),
                _mm256_loadu_si256(points[lane + 4].cast()),
            )
        };
        *row = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
    }
    // Row r: words 0..4 of lane r, then of lane r + 4.
    let low01 = _mm512_unpacklo_epi64(rows[0], rows[1]); // w0 of 0,1; w2 of 0,1; w0 of 4,5; w2 of 4,5
    let high01 = _mm512_unpackhi_epi64(rows[0], rows[1]);
    let low23 = _mm512_unpacklo_epi64(rows[2], rows[3]);
    let high23 = _mm512_unpackhi_epi64(rows[2], rows[3]);
    let first = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
    let second = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
    Lanes::from_words([
        _mm512_permutex2var_epi64(low01, first, low23),
        _mm512_permutex2var_epi64(high01, first, high23),
        _mm512_permutex2var_epi64(low01, second, low23),
        _mm512_permutex2var_epi64(high01, second, high23),
    ])
}

/// Eight points.
///
/// # Safety
/// Every address has to be that of a point.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi2")]
pub(super) unsafe fn load(points: [*const Point; 8]) -> (Lanes, Lanes) {
    let mut rows = [_mm512_setzero_si512(); 8];
    for (row, point) in rows.iter_mut().zip(points) {
        // SAFETY: a point is 64 bytes at an address that is a multiple of 64.
        *row = unsafe { _mm512_load_si512(point.cast()) };
    }
    let [a, b, c, d, e, f, g, h] = transpose(rows);
    (
        Lanes::from_words([a, b, c, d]),
        Lanes::from_words([e, f, g, h]),
    )
}

/// The rows of eight points of normal coordinates below `2^256`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn rows(x: Lanes, y: Lanes) -> [__m512i; 8] {
    let [a, b, c, d] = x.to_words();
    let [e, f, g, h] = y.to_words();
    transpose([a, b, c, d, e, f, g, h])
}

/// Stores a row of a point.
///
/// # Safety
/// The address has to be that of a point.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn store(point: *mut Point, row: __m512i) {
    // SAFETY: a point is 64 bytes at an address that is a multiple of 64.
    unsafe { _mm512_store_si512(point.cast(), row) };
}
