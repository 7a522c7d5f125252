//! The commitment key: generators of BN254 G1 that nobody knows a relation between.
//!
//! Generator `i` is the first point among the 32-byte candidates that BLAKE3 puts out in its key
//! derivation mode, with [`DOMAIN`] as context and `i` as material (u64, little-endian): bit 254 of
//! a candidate is cleared, and what is left is read as a compressed point: x in the low bits, the
//! choice between the roots in the highest. A candidate is a point with probability 0.378 (x is
//! below the field's order with 0.756, `x³ + 3` is a square with 1/2). There is no trapdoor: to
//! know a relation is to know discrete logarithms of hashes.
//!
//! A commitment is `Σ scalar_i · G_i`, without blinding: it binds, but does not hide. It binds as
//! long as nobody knows a relation between generators, so several commitments may use the same
//! ones: each is opened on its own, and the transcript says what it commits to. Keys of any length
//! begin with the same points.
//!
//! A key file:
//!
//! ```text
//! 0   magic "REWITKEY"
//! 8   version, u32 little-endian: 1
//! 12  number of points n, u64 little-endian
//! 20  BLAKE3 digest of bytes 0 to 20 and 52 to the end
//! 52  n points of 64 bytes: x and y, each little-endian and below the field's order
//! ```
//!
//! A file is for handing the generators to other programs, and saves time only where its author is
//! trusted: to compare points with the derivation costs as much as to derive them. Points are not
//! compressed: to decompress one takes a square root, and to derive it takes two.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use ark_bn254::Fq;
use ark_ec::{CurveGroup, VariableBaseMSM};
use rayon::prelude::*;

use super::point::{INFINITY, decompress_all, field_bytes, field_element, is_on_curve};
use crate::backend::curve::{G1Affine, G1Projective, Scalars};
use crate::{Error, Result};

/// Context of the derivation.
pub const DOMAIN: &str = "rewit 2026-11 commitment key BN254 G1";

/// First bytes of a key file.
pub const MAGIC: [u8; 8] = *b"REWITKEY";

/// Version of the format.
pub const VERSION: u32 = 1;

/// Most points of a key.
pub const MAX_POINTS: usize = 1 << 26;

const COUNT_OFFSET: usize = 12;
const DIGEST_OFFSET: usize = 20;
/// Bytes before the points.
pub const HEADER_BYTES: usize = 52;
const COORDINATE_BYTES: usize = 32;
/// Bytes of a point in a key file.
pub const KEY_POINT_BYTES: usize = 2 * COORDINATE_BYTES;

/// Why bytes are not a key. One variant per reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// The first eight bytes are not those of a key.
    #[error("bad magic at byte 0: expected {MAGIC:02x?}, found {found:02x?}")]
    BadMagic {
        /// What was there.
        found: Vec<u8>,
    },
    /// The version is not one this build reads.
    #[error("unsupported version {found} at byte 8: this build reads version {VERSION}")]
    UnsupportedVersion {
        /// The version found.
        found: u32,
    },
    /// There are more points than this build reads, or none.
    #[error("{found} points at byte {COUNT_OFFSET}: expected 1 to {MAX_POINTS}")]
    BadCount {
        /// The number found.
        found: u64,
    },
    /// The bytes end early.
    #[error("truncated: expected {expected} bytes, found {found}")]
    Truncated {
        /// Bytes of the header, or of a file with as many points.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The bytes go on after the last point.
    #[error("{extra} trailing bytes at byte {offset}: expected the end")]
    TrailingBytes {
        /// Where the end should have been.
        offset: u64,
        /// Bytes after it.
        extra: u64,
    },
    /// The digest is not that of the file.
    #[error("digest mismatch at byte {DIGEST_OFFSET}: the file was altered")]
    DigestMismatch,
    /// A coordinate is not below the field's order.
    #[error("{coordinate} of point {point} at byte {offset}: expected less than the field's order")]
    NotCanonical {
        /// Which point.
        point: usize,
        /// `x` or `y`.
        coordinate: char,
        /// Where it is.
        offset: u64,
    },
    /// A point is not on the curve.
    #[error("point {point} at byte {offset}: expected a point of the curve")]
    NotOnCurve {
        /// Which point.
        point: usize,
        /// Where it is.
        offset: u64,
    },
    /// A point is on the curve, but is not the one that the derivation gives.
    #[error("point {point}: expected the generator that is derived by hashing")]
    NotDerived {
        /// Which point.
        point: usize,
    },
}

/// Generators that a thread derives together.
const TOGETHER: usize = 256;

/// Generators to commit with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitmentKey {
    points: Vec<G1Affine>,
}

impl CommitmentKey {
    /// Derives the first `len` generators.
    ///
    /// Cost: 2.6 candidates and 2 square roots per generator; 2.7 µs of processor time with AVX-512
    /// IFMA (AMD EPYC Zen 5, 2026-11).
    ///
    /// # Errors
    /// [`Error::Usage`] if `len` is 0 or above [`MAX_POINTS`]; [`Error::Resource`] if there is no
    /// memory.
    pub fn derive(len: usize) -> Result<Self> {
        let mut key = Self { points: Vec::new() };
        key.extend(len)?;
        Ok(key)
    }

    /// Derives more generators, up to `len` in all.
    ///
    /// # Errors
    /// As [`derive`](Self::derive).
    pub fn extend(&mut self, len: usize) -> Result<()> {
        if len == 0 || len > MAX_POINTS {
            return Err(Error::Usage(format!(
                "a commitment key of {len} points: expected 1 to {MAX_POINTS}"
            )));
        }
        let from = self.points.len();
        let more = len.saturating_sub(from);
        self.points.try_reserve_exact(more).map_err(|_| {
            let bytes = more * size_of::<G1Affine>();
            Error::Resource(format!("no memory for {} MB of points", bytes / 1_000_000))
        })?;
        self.points.resize(from + more, G1Affine::identity());
        let chunks = self.points[from..].par_chunks_mut(TOGETHER).enumerate();
        chunks.for_each(|(chunk, points)| {
            let first = from + chunk * TOGETHER;
            points.copy_from_slice(&generators(first as u64, points.len()));
        });
        Ok(())
    }

    /// The generators.
    pub fn points(&self) -> &[G1Affine] {
        &self.points
    }

    /// Number of generators.
    #[expect(clippy::len_without_is_empty, reason = "a key is never empty")]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Commits to scalars: `Σ_i scalars[i] · points[i]`.
    ///
    /// By arkworks' multi-scalar multiplication, so that to check a commitment with it shares no
    /// code with the backends.
    ///
    /// # Errors
    /// [`Error::Usage`] if there are more scalars than generators.
    pub fn commit(&self, scalars: Scalars<'_>) -> Result<G1Affine> {
        let points = self.points.get(..scalars.len()).ok_or_else(|| {
            Error::Usage(format!(
                "{} scalars: the commitment key has {} points; derive a longer one",
                scalars.len(),
                self.points.len()
            ))
        })?;
        let sum = match scalars {
            Scalars::Full(scalars) => G1Projective::msm_unchecked(points, scalars),
            Scalars::Small(_) => G1Projective::msm_unchecked(points, &scalars.to_vec()),
        };
        Ok(sum.into_affine())
    }

    /// Compares every point with the generator that is derived by hashing: whoever does not trust a
    /// file's author has to, since a chosen point may have a known relation to others.
    ///
    /// Cost: that of [`derive`](Self::derive).
    ///
    /// # Errors
    /// [`KeyError::NotDerived`] names the first that differs.
    pub fn check_derived(&self) -> Result<(), KeyError> {
        let chunks = self.points.par_chunks(TOGETHER).enumerate();
        let differing = chunks.find_map_first(|(chunk, points)| {
            let first = chunk * TOGETHER;
            let derived = generators(first as u64, points.len());
            let at = points.iter().zip(&derived).position(|(a, b)| a != b)?;
            Some(first + at)
        });
        match differing {
            Some(point) => Err(KeyError::NotDerived { point }),
            None => Ok(()),
        }
    }

    /// Writes the key to a file, under a temporary name at first.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.tmp", std::process::id()));
        let temporary = Path::new(&temporary);
        let written = self
            .write(temporary)
            .and_then(|()| fs::rename(temporary, path));
        written.map_err(|source| {
            // Nothing else can be done about what is left of it.
            drop(fs::remove_file(temporary));
            let path = path.to_path_buf();
            Error::Io { path, source }
        })
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&self.encode())?;
        file.sync_all()
    }

    /// The bytes of a key file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES + KEY_POINT_BYTES * self.points.len()];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&(self.points.len() as u64).to_le_bytes());
        let slots = bytes[HEADER_BYTES..].par_chunks_exact_mut(KEY_POINT_BYTES);
        slots.zip(&self.points).for_each(|(slot, point)| {
            slot[..COORDINATE_BYTES].copy_from_slice(&field_bytes(&point.x));
            slot[COORDINATE_BYTES..].copy_from_slice(&field_bytes(&point.y));
        });
        let digest = digest(&bytes);
        bytes[DIGEST_OFFSET..HEADER_BYTES].copy_from_slice(digest.as_bytes());
        bytes
    }

    /// Reads a key file.
    ///
    /// The points are checked to be of the group, but not to be derived by hashing: see
    /// [`check_derived`](Self::check_derived).
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Key`] with one variant per reason why it is no key.
    pub fn load(path: &Path) -> Result<Self> {
        let failed = |source| {
            let path = path.to_path_buf();
            Error::Io { path, source }
        };
        let mut file = File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        // No more is read than the header announces, and a byte to see whether there is more.
        let mut read = |most: u64, bytes: &mut Vec<u8>| {
            let read = (&mut file).take(most).read_to_end(bytes);
            read.map_err(failed)
        };
        read(HEADER_BYTES as u64, &mut bytes)?;
        let (_, expected) = decode_header(&bytes)?;
        read(expected - HEADER_BYTES as u64 + 1, &mut bytes)?;
        Ok(Self::decode(&bytes)?)
    }

    /// Reads the bytes of a key file.
    ///
    /// Nothing is allocated before the number of points has been found to be that of the bytes.
    ///
    /// # Errors
    /// One variant per reason; the first bad point.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let (header, expected) = decode_header(bytes)?;
        let found = bytes.len() as u64;
        if found < expected {
            return Err(KeyError::Truncated { expected, found });
        }
        if found > expected {
            return Err(KeyError::TrailingBytes {
                offset: expected,
                extra: found - expected,
            });
        }
        if header[DIGEST_OFFSET..] != digest(bytes).as_bytes()[..] {
            return Err(KeyError::DigestMismatch);
        }
        let read = |(at, bytes): (usize, &[u8])| decode_point(at, bytes);
        let points = &bytes[HEADER_BYTES..];
        let all: Result<_, _> = points
            .par_chunks_exact(KEY_POINT_BYTES)
            .enumerate()
            .map(read)
            .collect();
        // Of several errors, threads may find any first.
        let points = all.or_else(|_| {
            let points = points.chunks_exact(KEY_POINT_BYTES).enumerate();
            points.map(read).collect()
        })?;
        Ok(Self { points })
    }
}

/// Reads a key file's header: it, and the bytes that the whole file should have.
fn decode_header(bytes: &[u8]) -> Result<(&[u8; HEADER_BYTES], u64), KeyError> {
    let magic = &bytes[..bytes.len().min(MAGIC.len())];
    if magic != MAGIC {
        let found = magic.to_vec();
        return Err(KeyError::BadMagic { found });
    }
    let Some(header) = bytes.first_chunk() else {
        return Err(KeyError::Truncated {
            expected: HEADER_BYTES as u64,
            found: bytes.len() as u64,
        });
    };
    let version = number(&header[MAGIC.len()..COUNT_OFFSET]) as u32;
    if version != VERSION {
        return Err(KeyError::UnsupportedVersion { found: version });
    }
    let count = number(&header[COUNT_OFFSET..DIGEST_OFFSET]);
    if count == 0 || count > MAX_POINTS as u64 {
        return Err(KeyError::BadCount { found: count });
    }
    let expected = HEADER_BYTES as u64 + count * KEY_POINT_BYTES as u64;
    Ok((header, expected))
}

/// Derives `len` generators from number `first` on.
fn generators(first: u64, len: usize) -> Vec<G1Affine> {
    let stream = |index: u64| {
        let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
        hasher.update(&index.to_le_bytes()).finalize_xof()
    };
    let mut streams: Vec<_> = (first..).take(len).map(stream).collect();
    let mut points = vec![G1Affine::identity(); len];
    let mut missing: Vec<usize> = (0..len).collect();
    while !missing.is_empty() {
        let candidates = missing.iter().map(|at| {
            let mut candidate = [0; COORDINATE_BYTES];
            streams[*at].fill(&mut candidate);
            candidate[COORDINATE_BYTES - 1] &= !INFINITY;
            candidate
        });
        let candidates: Vec<_> = candidates.collect();
        let mut found = decompress_all(&candidates).into_iter();
        missing.retain(|at| match found.next() {
            Some(Ok(point)) => {
                points[*at] = point;
                false
            }
            _ => true,
        });
    }
    points
}

/// The digest of a key file.
fn digest(file: &[u8]) -> blake3::Hash {
    blake3::Hasher::new()
        .update(&file[..DIGEST_OFFSET])
        .update_rayon(&file[HEADER_BYTES..])
        .finalize()
}

/// Reads a little-endian number of at most eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Reads a point of a key file.
fn decode_point(point: usize, bytes: &[u8]) -> Result<G1Affine, KeyError> {
    let at = (HEADER_BYTES + point * KEY_POINT_BYTES) as u64;
    let (x, y) = bytes.split_at(COORDINATE_BYTES);
    let read = |coordinate, bytes: &[u8], offset| {
        let bytes = bytes.try_into().ok();
        bytes.and_then(field_element).ok_or(KeyError::NotCanonical {
            point,
            coordinate,
            offset,
        })
    };
    let x: Fq = read('x', x, at)?;
    let y = read('y', y, at + COORDINATE_BYTES as u64)?;
    if !is_on_curve(&x, &y) {
        return Err(KeyError::NotOnCurve { point, offset: at });
    }
    Ok(G1Affine::new_unchecked(x, y))
}

#[cfg(test)]
mod tests {
    use ark_serialize::{CanonicalDeserialize, CanonicalSerialize, Compress, Validate};

    use super::*;
    use crate::backend::curve::Fr;

    /// The derivation from its description: BLAKE3's stateless key derivation of one long output,
    /// and arkworks' decoding.
    fn derived(index: u64) -> G1Affine {
        let mut candidates = [0; 32 * 64];
        let mut hasher = blake3::Hasher::new_derive_key("rewit 2026-11 commitment key BN254 G1");
        hasher.update(&index.to_le_bytes());
        hasher.finalize_xof().fill(&mut candidates);
        let mut points = candidates.chunks_exact_mut(32).filter_map(|candidate| {
            candidate[31] &= 0b1011_1111;
            G1Affine::deserialize_compressed(&*candidate).ok()
        });
        points
            .next()
            .expect("64 candidates fail with probability 2^-43")
    }

    #[test]
    fn generators_are_derived_as_described() {
        let key = CommitmentKey::derive(300).unwrap();
        for (index, point) in key.points().iter().enumerate() {
            assert_eq!(*point, derived(index as u64));
            assert!(point.is_on_curve() && point.is_in_correct_subgroup_assuming_on_curve());
        }
        key.check_derived().unwrap();
    }

    #[test]
    fn longer_keys_begin_with_shorter_ones() {
        let long = CommitmentKey::derive(64).unwrap();
        let mut short = CommitmentKey::derive(1).unwrap();
        for len in [1, 2, 31, 32, 64] {
            short.extend(len).unwrap();
            assert_eq!(short.points(), &long.points()[..len]);
        }
        short.extend(5).unwrap();
        assert_eq!(short, long);
    }

    #[test]
    fn no_generator_repeats() {
        let key = CommitmentKey::derive(1 << 10).unwrap();
        let mut x: Vec<_> = key.points().iter().map(|point| point.x).collect();
        x.sort();
        x.dedup();
        assert_eq!(x.len(), key.len());
    }

    #[test]
    fn commitments_are_sums_of_multiples() {
        let key = CommitmentKey::derive(5).unwrap();
        let small = [3, -1, 0, i64::MIN];
        let full = small.map(Fr::from);
        let expected: G1Projective = key.points().iter().zip(full).map(|(p, s)| *p * s).sum();
        assert_eq!(key.commit(Scalars::Full(&full)).unwrap(), expected);
        assert_eq!(key.commit(Scalars::Small(&small)).unwrap(), expected);
        let error = key.commit(Scalars::Small(&[0; 6])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "6 scalars: the commitment key has 5 points; derive a longer one"
        );
    }

    #[test]
    fn a_file_is_points_as_arkworks_has_them() {
        let key = CommitmentKey::derive(3).unwrap();
        let bytes = key.encode();
        let mut points = Vec::new();
        for point in key.points() {
            point.x.serialize_compressed(&mut points).unwrap();
            point.y.serialize_compressed(&mut points).unwrap();
        }
        assert_eq!(bytes[HEADER_BYTES..], points);
        assert_eq!(CommitmentKey::decode(&bytes), Ok(key));
    }

    #[test]
    fn lengths_out_of_range_are_refused() {
        for len in [0, MAX_POINTS + 1, usize::MAX] {
            assert!(matches!(CommitmentKey::derive(len), Err(Error::Usage(_))));
        }
    }

    #[test]
    fn what_arkworks_refuses_is_refused() {
        // A point of the curve's twist, or of no curve, in the place of a generator.
        let mut bytes = CommitmentKey::derive(2).unwrap().encode();
        bytes[HEADER_BYTES + KEY_POINT_BYTES] ^= 1;
        let digest = digest(&bytes);
        bytes[DIGEST_OFFSET..HEADER_BYTES].copy_from_slice(digest.as_bytes());
        let point = &bytes[HEADER_BYTES + KEY_POINT_BYTES..];
        assert!(G1Affine::deserialize_with_mode(point, Compress::No, Validate::Yes).is_err());
        let error = CommitmentKey::decode(&bytes).unwrap_err();
        let offset = (HEADER_BYTES + KEY_POINT_BYTES) as u64;
        assert_eq!(error, KeyError::NotOnCurve { point: 1, offset });
    }
}
