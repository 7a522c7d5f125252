//! Fiat–Shamir: challenges drawn by BLAKE3 from all that was said before.
//!
//! A transcript is a BLAKE3 hash of a sequence of messages. Each is encoded so that no two
//! sequences have the same bytes:
//!
//! ```text
//! 1  kind: 0 bytes, 1 scalars, 2 points, 3 challenge
//! 8  length of the label, u64 little-endian
//! .  label
//! 8  length of what follows, u64 little-endian
//! .  the bytes; scalars of 32 bytes, little-endian; points of 32 bytes, compressed
//! ```
//!
//! The hash is in BLAKE3's key derivation mode, with the protocol's name as context. A challenge is
//! drawn by appending a message of its kind without content, and reading the extended output of all
//! so far: 64 bytes for a scalar, which is 512 bits reduced modulo the group's order (less than
//! 2^-256 from uniform), or 16 bytes for a scalar below 2^128. What follows is hashed with the
//! messages before it, so it depends on all of them.

use ark_ff::PrimeField;

use super::point::{compress, field_bytes};
use crate::backend::curve::{Fr, G1Affine};

/// Kinds of messages.
const BYTES: u8 = 0;
const SCALARS: u8 = 1;
const POINTS: u8 = 2;
const CHALLENGE: u8 = 3;

/// What prover and verifier said so far.
#[derive(Clone, Debug)]
pub struct Transcript {
    hasher: blake3::Hasher,
}

impl Transcript {
    /// Starts a transcript.
    ///
    /// - `protocol`: a name, version included, that no other protocol has.
    pub fn new(protocol: &str) -> Self {
        Self {
            hasher: blake3::Hasher::new_derive_key(protocol),
        }
    }

    /// Absorbs bytes.
    pub fn absorb_bytes(&mut self, label: &str, bytes: &[u8]) {
        self.start(BYTES, label, bytes.len());
        self.hasher.update(bytes);
    }

    /// Absorbs a number.
    pub fn absorb_number(&mut self, label: &str, number: u64) {
        self.absorb_bytes(label, &number.to_le_bytes());
    }

    /// Absorbs scalars.
    pub fn absorb_scalars(&mut self, label: &str, scalars: &[Fr]) {
        self.start(SCALARS, label, 32 * scalars.len());
        for scalar in scalars {
            self.hasher.update(&field_bytes(scalar));
        }
    }

    /// Absorbs points.
    pub fn absorb_points(&mut self, label: &str, points: &[G1Affine]) {
        self.start(POINTS, label, 32 * points.len());
        for point in points {
            self.hasher.update(&compress(point));
        }
    }

    /// Draws a scalar.
    pub fn challenge_scalar(&mut self, label: &str) -> Fr {
        self.start(CHALLENGE, label, 0);
        let mut wide = [0; 64];
        self.hasher.finalize_xof().fill(&mut wide);
        Fr::from_le_bytes_mod_order(&wide)
    }

    /// Draws a scalar below 2^128.
    pub fn challenge_128(&mut self, label: &str) -> Fr {
        self.start(CHALLENGE, label, 0);
        let mut bytes = [0; 16];
        self.hasher.finalize_xof().fill(&mut bytes);
        Fr::from(u128::from_le_bytes(bytes))
    }

    /// A digest of all so far, which changes nothing: transcripts with the same digest give the
    /// same challenges.
    pub fn digest(&self) -> blake3::Hash {
        self.hasher.finalize()
    }

    /// The start of a message.
    fn start(&mut self, kind: u8, label: &str, len: usize) {
        self.hasher.update(&[kind]);
        self.hasher.update(&(label.len() as u64).to_le_bytes());
        self.hasher.update(label.as_bytes());
        self.hasher.update(&(len as u64).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use ark_ec::AffineRepr;
    use ark_serialize::CanonicalSerialize;

    use super::*;

    /// The encoding, written again from its description.
    fn message(kind: u8, label: &str, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend((label.len() as u64).to_le_bytes());
        bytes.extend(label.bytes());
        bytes.extend((content.len() as u64).to_le_bytes());
        bytes.extend(content);
        bytes
    }

    fn arkworks(value: &impl CanonicalSerialize) -> Vec<u8> {
        let mut bytes = Vec::new();
        value.serialize_compressed(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn challenges_are_blake3_of_the_messages() {
        let (scalar, point) = (Fr::from(-5), G1Affine::generator());
        let mut transcript = Transcript::new("test");
        transcript.absorb_bytes("b", b"some");
        transcript.absorb_number("n", 7);
        transcript.absorb_scalars("s", &[scalar, Fr::from(1)]);
        transcript.absorb_points("p", &[point, -point, G1Affine::identity()]);
        let wide = transcript.challenge_scalar("wide");
        let narrow = transcript.challenge_128("narrow");

        let mut said = message(0, "b", b"some");
        said.extend(message(0, "n", &[7, 0, 0, 0, 0, 0, 0, 0]));
        let scalars = [arkworks(&scalar), arkworks(&Fr::from(1))].concat();
        said.extend(message(1, "s", &scalars));
        let points = [point, -point, G1Affine::identity()].map(|point| arkworks(&point));
        said.extend(message(2, "p", &points.concat()));
        said.extend(message(3, "wide", &[]));
        let drawn = |said: &[u8], bytes: &mut [u8]| {
            let mut hasher = blake3::Hasher::new_derive_key("test");
            hasher.update(said).finalize_xof().fill(bytes);
        };
        let mut bytes = [0; 64];
        drawn(&said, &mut bytes);
        // From the highest byte down, by doubling and adding.
        let expected = bytes.iter().rev().fold(Fr::from(0), |sum, byte| {
            sum * Fr::from(256) + Fr::from(*byte)
        });
        assert_eq!(wide, expected);
        said.extend(message(3, "narrow", &[]));
        let mut bytes = [0; 16];
        drawn(&said, &mut bytes);
        assert_eq!(narrow, Fr::from(u128::from_le_bytes(bytes)));
    }

    #[test]
    fn every_difference_changes_the_challenge() {
        let point = G1Affine::generator();
        let says: [&dyn Fn(&mut Transcript); 12] = [
            &|_| {},
            &|t| t.absorb_bytes("", b""),
            &|t| t.absorb_bytes("a", b"bc"),
            &|t| t.absorb_bytes("ab", b"c"),
            &|t| t.absorb_bytes("a", b"b"),
            &|t| {
                t.absorb_bytes("a", b"b");
                t.absorb_bytes("", b"c");
            },
            &|t| t.absorb_scalars("a", &[Fr::from(0)]),
            &|t| t.absorb_bytes("a", &[0; 32]),
            &|t| t.absorb_scalars("a", &[]),
            &|t| t.absorb_points("a", &[]),
            &|t| t.absorb_points("a", &[point]),
            &|t| {
                t.challenge_scalar("a");
            },
        ];
        let mut drawn: Vec<Fr> = Vec::new();
        for say in says {
            for protocol in ["one", "other"] {
                let mut transcript = Transcript::new(protocol);
                say(&mut transcript);
                for challenge in [
                    transcript.clone().challenge_scalar("c"),
                    transcript.clone().challenge_scalar("d"),
                    transcript.challenge_128("c"),
                ] {
                    assert!(!drawn.contains(&challenge));
                    drawn.push(challenge);
                }
            }
        }
    }

    #[test]
    fn narrow_challenges_are_below_2_128() {
        let mut transcript = Transcript::new("test");
        let bits = (0..64).map(|_| {
            let [_, high, above, top] = transcript.challenge_128("c").into_bigint().0;
            assert_eq!((above, top), (0, 0));
            128 - u64::from(high.leading_zeros())
        });
        assert!(bits.max() > Some(120));
    }
}
