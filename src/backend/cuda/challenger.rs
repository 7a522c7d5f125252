//! A transcript that grinds on the device.

use p3_challenger::{ByteGrindingChallenger, CanObserve, CanSample, SerializingChallenger32};
use rayon::prelude::*;

use super::Device;
use super::grind;
use crate::backend::types::Val;

/// The transcript of proofs made on the device: byte for byte that of
/// [`types::Challenger`](crate::backend::types::Challenger), but of the witnesses that grinding may
/// find, it always finds the smallest.
pub type CudaChallenger = SerializingChallenger32<Val, Transcript>;

/// Bytes observed, and bytes to sample: what `HashChallenger<u8, Blake3, 32>` does.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// Observed since the last hash, after that hash.
    input: Vec<u8>,
    /// Of the last hash, what is not sampled yet; the end is next.
    output: Vec<u8>,
    device: Option<Device>,
}

impl Transcript {
    /// A transcript that starts with `seed`.
    ///
    /// - `device`: where to grind; the CPU if there is none.
    pub fn new(seed: Vec<u8>, device: Option<Device>) -> Self {
        Self {
            input: seed,
            output: Vec::new(),
            device,
        }
    }

    /// The same as a transcript of field elements.
    pub fn challenger(seed: Vec<u8>, device: Option<Device>) -> CudaChallenger {
        SerializingChallenger32::new(Self::new(seed, device))
    }
}

impl CanObserve<u8> for Transcript {
    fn observe(&mut self, value: u8) {
        self.output.clear();
        self.input.push(value);
    }

    fn observe_slice(&mut self, values: &[u8]) {
        if !values.is_empty() {
            self.output.clear();
            self.input.extend_from_slice(values);
        }
    }
}

impl CanSample<u8> for Transcript {
    fn sample(&mut self) -> u8 {
        if self.output.is_empty() {
            let digest = blake3::hash(&self.input);
            self.input.clear();
            self.input.extend_from_slice(digest.as_bytes());
            self.output.extend_from_slice(digest.as_bytes());
        }
        self.output.pop().expect("a digest is not empty")
    }
}

impl ByteGrindingChallenger for Transcript {
    /// The smallest candidate that passes.
    ///
    /// What the device kernel does not search, and all if the device fails, is searched on the CPU:
    /// there is no error to return here, and the next use of the device returns it.
    fn find_witness<const W: usize, const S: usize>(
        &self,
        num_candidates: u64,
        encode: impl Fn(u64) -> [u8; W] + Sync,
        accepts: impl Fn([u8; S]) -> bool + Sync,
    ) -> Option<u64> {
        let passes = |candidate| {
            let mut transcript = Self {
                device: None,
                ..self.clone()
            };
            transcript.observe_slice(&encode(candidate));
            accepts(transcript.sample_array())
        };
        self.search(num_candidates, &encode, &accepts)
            .filter(|&found| passes(found))
            .or_else(|| {
                let candidates = 0..num_candidates;
                candidates.into_par_iter().find_first(|&c| passes(c))
            })
    }
}

impl Transcript {
    /// Searches on the device, if candidates are what its kernel tries: all field elements as words
    /// in Montgomery form after a digest, of whose hash some low bits are to be zero.
    fn search<const W: usize, const S: usize>(
        &self,
        num_candidates: u64,
        encode: &impl Fn(u64) -> [u8; W],
        accepts: &impl Fn([u8; S]) -> bool,
    ) -> Option<u64> {
        let device = self.device.as_ref()?;
        let digest: &[u8; 32] = self.input.as_slice().try_into().ok()?;
        let is_monty = |c: u32| encode(c.into())[..] == crate::witness::to_monty(c).to_le_bytes();
        if num_candidates != u64::from(crate::witness::P)
            || S != 4
            || ![1, 2].into_iter().all(is_monty)
        {
            return None;
        }
        // Of the 32 bits, those that must be zero.
        let matters = |bit: usize| {
            let mut bytes = [0; S];
            bytes[bit / 8] = 1 << (bit % 8);
            !accepts(bytes)
        };
        let bits = (0..30).take_while(|&bit| matters(bit)).count();
        if bits == 0 || (bits..32).any(matters) {
            return None;
        }
        grind::search(device, digest, bits).ok()?.map(u64::from)
    }
}

#[cfg(test)]
mod tests {
    use p3_blake3::Blake3;
    use p3_challenger::{CanSampleBits, FieldChallenger, GrindingChallenger};
    use p3_field::PrimeCharacteristicRing;

    use super::super::testing::device;
    use super::*;
    use crate::backend::types::{Challenge, Challenger};

    #[test]
    fn it_is_plonky3s_transcript() {
        let mut ours = Transcript::challenger(vec![1, 2, 3], None);
        let mut theirs = Challenger::from_hasher(vec![1, 2, 3], Blake3);
        for i in 0..40 {
            // Rounds that observe nothing go on sampling from the same digest.
            for value in 0..i % 7 {
                ours.observe(Val::from_u32(value));
                theirs.observe(Val::from_u32(value));
            }
            let bits = i as usize % 20;
            assert_eq!(ours.sample_bits(bits), theirs.sample_bits(bits));
            let expected: Challenge<4> = theirs.sample_algebra_element();
            assert_eq!(ours.sample_algebra_element::<Challenge<4>>(), expected);
        }
    }

    #[test]
    fn it_finds_the_smallest_witness_on_cpu_and_device() {
        let device = device();
        // No work, less and more than a launch's first candidates; with input pending and without.
        for (bits, pending) in [(0, true), (1, true), (5, false), (9, true)] {
            let mut seeds =
                [None, device.clone()].map(|device| Transcript::challenger(vec![7], device));
            let expected = {
                let mut plonky3 = Challenger::from_hasher(vec![7], Blake3);
                match pending {
                    true => plonky3.observe(Val::TWO),
                    false => _ = plonky3.sample_bits(3),
                }
                let passes = |&w: &Val| plonky3.clone().check_witness(bits, w);
                (0..).map(Val::from_u32).find(passes).unwrap()
            };
            for transcript in &mut seeds {
                match pending {
                    true => transcript.observe(Val::TWO),
                    false => _ = transcript.sample_bits(3),
                }
                assert_eq!(transcript.grind(bits), expected, "{bits} bits");
            }
        }
    }
}
