//! Points of BN254 G1 in 32 bytes: arkworks' compressed form.
//!
//! The x coordinate, little-endian. Its two spare bits are flags, in the last byte: `0x80` where y
//! is the greater of the two roots, `0x40` at infinity, where all other bits are zero. The group's
//! cofactor is 1, so every point of the curve is of it.

use ark_bn254::Fq;
use ark_ec::AffineRepr;
use ark_ff::{BigInt, Field, PrimeField};

use crate::backend::curve::G1Affine;
use crate::backend::powers;

/// Bytes of a point.
pub const POINT_BYTES: usize = 32;

/// y is the greater root.
const GREATER: u8 = 0x80;
/// The point at infinity.
pub(super) const INFINITY: u8 = 0x40;

/// Why bytes are no point.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PointError {
    /// The coordinate is not below the field's order.
    #[error("expected a coordinate below the field's order")]
    NotCanonical,
    /// No point of the curve has these coordinates.
    #[error("expected a point of the curve")]
    NotOnCurve,
    /// The flag of infinity is set, and other bits are.
    #[error("expected no other bit with that of infinity")]
    BadInfinity,
}

/// Encodes a point.
pub(super) fn compress(point: &G1Affine) -> [u8; POINT_BYTES] {
    let mut bytes = [0; POINT_BYTES];
    match point.xy() {
        None => bytes[POINT_BYTES - 1] = INFINITY,
        Some((x, y)) => {
            bytes = field_bytes(&x);
            if is_greater(&y) {
                bytes[POINT_BYTES - 1] |= GREATER;
            }
        }
    }
    bytes
}

/// A point of which x and the choice between the roots are known.
#[derive(Clone, Copy)]
struct Candidate {
    x: Fq,
    is_greater: bool,
}

impl Candidate {
    /// Reads a point; `None` is infinity.
    fn new(bytes: &[u8; POINT_BYTES]) -> Result<Option<Self>, PointError> {
        let mut x = *bytes;
        let flags = x[POINT_BYTES - 1] & (GREATER | INFINITY);
        x[POINT_BYTES - 1] &= !(GREATER | INFINITY);
        if flags & INFINITY != 0 {
            let is_alone = flags == INFINITY && x == [0; POINT_BYTES];
            return if is_alone {
                Ok(None)
            } else {
                Err(PointError::BadInfinity)
            };
        }
        Ok(Some(Self {
            x: field_element(&x).ok_or(PointError::NotCanonical)?,
            is_greater: flags == GREATER,
        }))
    }

    /// `x³ + 3`
    fn square(&self) -> Fq {
        self.x.square() * self.x + B
    }

    /// The point, if `root` is a root of [`square`](Self::square).
    fn with(&self, root: Fq) -> Result<G1Affine, PointError> {
        if root.square() != self.square() {
            return Err(PointError::NotOnCurve);
        }
        let is_right = is_greater(&root) == self.is_greater;
        let y = if is_right { root } else { -root };
        Ok(G1Affine::new_unchecked(self.x, y))
    }
}

/// Decodes a point.
///
/// Cost: a square root.
///
/// # Errors
/// One variant per reason.
pub(super) fn decompress(bytes: &[u8; POINT_BYTES]) -> Result<G1Affine, PointError> {
    match Candidate::new(bytes)? {
        None => Ok(G1Affine::identity()),
        Some(candidate) => {
            let mut root = [candidate.square()];
            square_roots(&mut root);
            candidate.with(root[0])
        }
    }
}

/// Decodes points, sharing what their square roots have in common.
pub(super) fn decompress_all(encoded: &[[u8; POINT_BYTES]]) -> Vec<Result<G1Affine, PointError>> {
    let candidates: Vec<_> = encoded.iter().map(Candidate::new).collect();
    let finite = || candidates.iter().flatten().flatten();
    let mut roots: Vec<_> = finite().map(Candidate::square).collect();
    square_roots(&mut roots);
    let mut points = finite()
        .zip(roots)
        .map(|(candidate, root)| candidate.with(root));
    let decoded = candidates.iter().map(|candidate| match candidate {
        Err(error) => Err(*error),
        Ok(None) => Ok(G1Affine::identity()),
        Ok(Some(_)) => points.next().expect("as many as are finite"),
    });
    decoded.collect()
}

/// The curve's equation is `y² = x³ + 3`.
const B: Fq = ark_ff::MontFp!("3");

/// Whether a point satisfies the curve's equation.
pub(super) fn is_on_curve(x: &Fq, y: &Fq) -> bool {
    y.square() == x.square() * x + B
}

/// Whether `y` is greater than `-y`.
fn is_greater(y: &Fq) -> bool {
    y.into_bigint() > Fq::MODULUS_MINUS_ONE_DIV_TWO
}

/// Little-endian bytes of a field element.
pub(super) fn field_bytes<F: PrimeField<BigInt = BigInt<4>>>(value: &F) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, limb) in bytes.chunks_exact_mut(8).zip(value.into_bigint().0) {
        bytes.copy_from_slice(&limb.to_le_bytes());
    }
    bytes
}

/// The field element of little-endian bytes; `None` if they are not below the field's order.
pub(super) fn field_element<F: PrimeField<BigInt = BigInt<4>>>(bytes: &[u8; 32]) -> Option<F> {
    let mut limbs = [0; 4];
    for (limb, bytes) in limbs.iter_mut().zip(bytes.as_chunks().0) {
        *limb = u64::from_le_bytes(*bytes);
    }
    F::from_bigint(BigInt(limbs))
}

/// `(p + 1) / 4`
const EXPONENT: [u64; 4] = {
    let [a, b, c, d] = Fq::MODULUS.0;
    let a = a + 1;
    [a >> 2 | b << 62, b >> 2 | c << 62, c >> 2 | d << 62, d >> 2]
};

/// Square roots: `a^((p+1)/4)`, as `p` is 3 modulo 4. What has none becomes something else.
fn square_roots(values: &mut [Fq]) {
    powers(values, &EXPONENT);
}

#[cfg(test)]
mod tests {
    use ark_ec::CurveGroup;
    use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};

    use super::*;
    use crate::backend::curve::{Fr, G1Projective};

    /// Multiples of the generator: of both signs, and infinity.
    fn points() -> Vec<G1Affine> {
        let scalars = [0, 1, -1, 2, -2, 3, 1 << 40, -(1_i64 << 50)].map(Fr::from);
        let points = scalars.map(|scalar| G1Affine::generator() * scalar);
        G1Projective::normalize_batch(&points)
    }

    #[test]
    fn encoding_is_that_of_arkworks() {
        for point in points() {
            let bytes = compress(&point);
            let mut theirs = Vec::new();
            point.serialize_compressed(&mut theirs).unwrap();
            assert_eq!(bytes.as_slice(), theirs);
            assert_eq!(decompress(&bytes), Ok(point));
        }
    }

    #[test]
    fn points_decode_together_as_they_do_alone() {
        let mut encoded: Vec<_> = points().iter().map(compress).collect();
        encoded.extend([[0; POINT_BYTES], [0xff; POINT_BYTES], [0x3f; POINT_BYTES]]);
        for x in 0..20 {
            let mut bytes = [0; POINT_BYTES];
            bytes[0] = x;
            encoded.push(bytes);
        }
        for len in 0..encoded.len() {
            let together = decompress_all(&encoded[..len]);
            let alone: Vec<_> = encoded[..len].iter().map(decompress).collect();
            assert_eq!(together, alone);
        }
    }

    #[test]
    fn decoding_is_that_of_arkworks_but_for_infinity() {
        // x from 0 on, with every flag: half of them are on the curve.
        let mut on_curve = 0;
        for x in 0..64 {
            for flags in [0, GREATER] {
                let mut bytes = [0; POINT_BYTES];
                (bytes[0], bytes[POINT_BYTES - 1]) = (x, flags);
                let theirs = G1Affine::deserialize_compressed(bytes.as_slice()).ok();
                assert_eq!(decompress(&bytes).ok(), theirs, "{x}");
                on_curve += usize::from(theirs.is_some());
            }
        }
        assert!((32..96).contains(&on_curve), "{on_curve}");
        for flags in [GREATER | INFINITY, INFINITY | 1] {
            let mut bytes = [0; POINT_BYTES];
            bytes[POINT_BYTES - 1] = flags;
            assert_eq!(decompress(&bytes), Err(PointError::BadInfinity));
        }
    }

    #[test]
    fn coordinates_must_be_below_the_order() {
        // p, p + 1, and all bits but the flags.
        let mut bytes = [0; POINT_BYTES];
        for (bytes, limb) in bytes.chunks_exact_mut(8).zip(Fq::MODULUS.0) {
            bytes.copy_from_slice(&limb.to_le_bytes());
        }
        assert_eq!(decompress(&bytes), Err(PointError::NotCanonical));
        bytes[0] += 1;
        assert_eq!(decompress(&bytes), Err(PointError::NotCanonical));
        bytes = [0xff; POINT_BYTES];
        bytes[POINT_BYTES - 1] = 0x3f;
        assert_eq!(decompress(&bytes), Err(PointError::NotCanonical));
        // p - 1: x³ + 3 = 2, whatever that is.
        assert_ne!(
            decompress(&field_bytes(&-Fq::ONE)),
            Err(PointError::NotCanonical)
        );
    }
}
