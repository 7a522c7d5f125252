//! Affine points as the additions store them.

use ark_bn254::Fq;
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, BigInt, PrimeField, Zero};
use bytemuck::Zeroable;

use crate::backend::curve::G1Affine;

/// Where the additions are computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Path {
    /// One at a time.
    Portable,
    /// Eight at a time.
    #[cfg(target_arch = "x86_64")]
    Ifma,
}

impl Path {
    /// The fastest that this processor has.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("avx512vbmi2")
        {
            return Self::Ifma;
        }
        Self::Portable
    }

    /// Base-2 logarithm of the Montgomery form's R.
    fn log_r(self) -> u32 {
        match self {
            Self::Portable => 256,
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => 260,
        }
    }

    /// A coordinate in the form that is stored, canonical.
    pub(super) fn store(self, mut value: Fq) -> [u64; 4] {
        for _ in 256..self.log_r() {
            value.double_in_place();
        }
        value.0.0
    }

    /// A stored coordinate, canonical or not.
    pub(super) fn load(self, words: [u64; 4]) -> Fq {
        let mut value = self.raw(words);
        for _ in 256..self.log_r() {
            value = halved(value);
        }
        value
    }

    /// A stored coordinate times `R / 2^256`.
    pub(super) fn raw(self, words: [u64; 4]) -> Fq {
        Fq::new_unchecked(canonical(words))
    }
}

/// `value / 2`.
fn halved(value: Fq) -> Fq {
    let mut words = value.0;
    let odd = words.0[0] & 1 == 1;
    if odd {
        // No carry: twice the modulus is below 2^256.
        ark_ff::BigInteger::add_with_carry(&mut words, &Fq::MODULUS);
    }
    ark_ff::BigInteger::div2(&mut words);
    Fq::new_unchecked(words)
}

/// The same residue, below the modulus.
fn canonical(words: [u64; 4]) -> BigInt<4> {
    let mut value = BigInt(words);
    while value >= Fq::MODULUS {
        ark_ff::BigInteger::sub_with_borrow(&mut value, &Fq::MODULUS);
    }
    value
}

/// An affine point, in one cache line: coordinates in the Montgomery form of the [`Path`], below `2q`.
///
/// All zero is the point at infinity; `(0, 0)` is not on the curve.
#[derive(Clone, Copy, PartialEq, Eq, Zeroable, Debug)]
#[repr(C, align(64))]
pub(super) struct Point {
    pub(super) x: [u64; 4],
    pub(super) y: [u64; 4],
}

impl Point {
    /// The point at infinity.
    pub(super) const INFINITY: Self = Self {
        x: [0; 4],
        y: [0; 4],
    };

    /// A point in the form of `path`, canonical.
    pub(super) fn new(path: Path, point: &G1Affine) -> Self {
        if point.is_zero() {
            return Self::INFINITY;
        }
        Self {
            x: path.store(point.x),
            y: path.store(point.y),
        }
    }

    /// The point for arkworks.
    pub(super) fn to_affine(self, path: Path) -> G1Affine {
        if self.is_infinity() {
            return G1Affine::identity();
        }
        G1Affine::new_unchecked(path.load(self.x), path.load(self.y))
    }

    /// Whether this is the point at infinity.
    #[inline]
    pub(super) fn is_infinity(&self) -> bool {
        *self == Self::INFINITY
    }

    /// The same point with canonical coordinates.
    pub(super) fn canonical(self) -> Self {
        Self {
            x: canonical(self.x).0,
            y: canonical(self.y).0,
        }
    }

    /// `-self`, canonical if `self` is.
    #[inline]
    pub(super) fn negated(self) -> Self {
        if self.is_infinity() {
            return self;
        }
        let y = -Fq::new_unchecked(canonical(self.y));
        Self {
            x: self.x,
            y: y.0.0,
        }
    }

    /// How `self + other` has to be computed.
    pub(super) fn sum_kind(&self, other: &Self) -> Sum {
        if other.is_infinity() {
            return Sum::Left;
        }
        if self.is_infinity() {
            return Sum::Right;
        }
        if canonical(self.x) != canonical(other.x) {
            return Sum::Add;
        }
        let y = Fq::new_unchecked(canonical(self.y));
        if y != Fq::new_unchecked(canonical(other.y)) || y.is_zero() {
            return Sum::Infinity;
        }
        Sum::Double
    }
}

/// The cases of an affine addition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sum {
    /// The right point is infinity.
    Left,
    /// The left point is infinity.
    Right,
    /// The points are opposite.
    Infinity,
    /// The points are equal.
    Double,
    /// The x coordinates differ.
    Add,
}
