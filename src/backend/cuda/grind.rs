//! Grinding on the device: proof-of-work witnesses of a BLAKE3 transcript, always the smallest.
//!
//! A candidate costs one compression. Plonky3 takes whichever witness a thread finds first, so that
//! two of its proofs differ; its verifier accepts any.

use bytemuck::{Pod, Zeroable};
use p3_baby_bear::BabyBear;
use p3_blake3::Blake3;
use p3_challenger::{
    CanFinalizeDigest, CanSampleBits, GrindingChallenger, HashChallenger, SerializingChallenger32,
};
use p3_field::PrimeCharacteristicRing;
use rayon::prelude::*;

use super::device::Device;
use super::launch::{Kernel, Shape};
use crate::witness::P;
use crate::{Error, Result};

/// The transcript whose witnesses are searched on the device.
pub(super) type Transcript = SerializingChallenger32<BabyBear, HashChallenger<u8, Blake3, 32>>;

const SEARCH: Kernel = Kernel::new("grind", "grind_search");
const THREADS: u32 = 128;
/// Candidates of a launch, as a logarithm: at least enough to fill a device for a moment, at most
/// what bounds the wait for a launch to milliseconds. To be measured.
const MIN_LOG_CANDIDATES: u32 = 12;
const MAX_LOG_CANDIDATES: u32 = 24;
/// Most bits that a transcript samples at once: 2^bits is below the field's order.
const MAX_BITS: usize = 30;

/// A digest as the kernel takes it.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct KernelDigest {
    words: [u32; 8],
}

/// The smallest witness for `transcript`, which absorbs it as `check_witness` does.
///
/// A transcript that was sampled from since it last observed anything is searched on the CPU: what
/// it goes on from cannot be read.
///
/// # Errors
/// [`Error::Resource`] if there is no witness; [`Error::Device`] if the device fails.
/// # Panics
/// If `bits` is above 30.
pub(super) fn grind(device: &Device, transcript: &mut Transcript, bits: usize) -> Result<BabyBear> {
    if bits == 0 {
        return Ok(BabyBear::ZERO);
    }
    assert!(bits <= MAX_BITS, "grinding of {bits} bits");
    let found = match pending_digest(transcript) {
        Some(digest) => search(device, &digest, bits)?,
        None => (0..P).into_par_iter().find_first(|&w| {
            transcript
                .clone()
                .check_witness(bits, BabyBear::from_u32(w))
        }),
    };
    let found = found.map(BabyBear::from_u32);
    match found {
        Some(witness) if transcript.check_witness(bits, witness) => Ok(witness),
        Some(_) => Err(Error::Device(format!(
            "the witness found for {bits} bits of grinding does not pass"
        ))),
        None => Err(Error::Resource(format!(
            "no field element is a witness for {bits} bits of grinding"
        ))),
    }
}

/// The digest that `transcript` starts grinding from, if it has no unread sample.
fn pending_digest(transcript: &Transcript) -> Option<[u8; 32]> {
    let digest = transcript.clone().finalize();
    // Without unread samples the next one is the end of this digest, read backwards.
    let [.., a, b, c, d] = digest;
    let next = u32::from_le_bytes([d, c, b, a]) as usize & ((1 << MAX_BITS) - 1);
    (transcript.clone().sample_bits(MAX_BITS) == next).then_some(digest)
}

/// The smallest `w` below the field's order for which BLAKE3(`digest` ‖ w in Montgomery form) ends
/// in `bits` zero bits: those of its last four bytes read backwards as a little-endian word. Waits
/// for the device.
///
/// Cost: about `2^bits` compressions.
/// # Errors
/// [`Error::Device`] if the device fails.
/// # Panics
/// If `bits` is above 30.
/// # Source
/// Plonky3 0.8.0, p3-challenger/src/serializing_challenger.rs.
pub(super) fn search(device: &Device, digest: &[u8; 32], bits: usize) -> Result<Option<u32>> {
    assert!(bits <= MAX_BITS, "grinding of {bits} bits");
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(digest.chunks_exact(4)) {
        *word = u32::from_le_bytes(bytes.try_into().expect("chunks of four"));
    }
    let digest = KernelDigest { words };
    let mask = (1u32 << bits) - 1;
    let most = 1 << (bits as u32 + 1).clamp(MIN_LOG_CANDIDATES, MAX_LOG_CANDIDATES);
    let smallest = device.upload("a grinding witness", &[u32::MAX])?;
    let mut first = 0;
    while first < P {
        let count = (P - first).min(most);
        let shape = Shape::linear(count as usize, THREADS);
        let args = (digest, mask, first, count, smallest.ptr());
        // SAFETY: `smallest` is one word.
        unsafe { device.launch(SEARCH, shape, args)? };
        let mut found = [0];
        device.download_into(smallest.all(), &mut found)?;
        if found[0] != u32::MAX {
            return Ok(Some(found[0]));
        }
        first += count;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use p3_challenger::{CanObserve, CanSample};
    use p3_symmetric::CryptographicHasher;

    use super::super::testing;
    use super::*;

    fn transcript(seed: u32) -> Transcript {
        let mut transcript = Transcript::from_hasher(vec![1, 2, 3], Blake3);
        transcript.observe(BabyBear::from_u32(seed));
        transcript
    }

    /// The smallest witness by Plonky3's own check.
    fn smallest(transcript: &Transcript, bits: usize) -> BabyBear {
        (0..P)
            .map(BabyBear::from_u32)
            .find(|&w| transcript.clone().check_witness(bits, w))
            .expect("a witness")
    }

    #[test]
    fn witness_is_the_smallest_that_plonky3_accepts() {
        let Some(device) = testing::device() else {
            return;
        };
        // 1: most candidates pass. 12: the first launch often has none (it is of 2^13). 14: several
        // launches.
        for (bits, seeds) in [(0, 1), (1, 4), (5, 8), (11, 8), (12, 2), (14, 2)] {
            for seed in 0..seeds {
                let before = transcript(seed);
                let mut after = before.clone();
                let witness = grind(&device, &mut after, bits).unwrap();
                assert_eq!(witness, smallest(&before, bits), "{bits} bits, seed {seed}");
                let mut expected = before;
                assert!(expected.check_witness(bits, witness));
                let [a, b]: [BabyBear; 2] = [after.sample(), expected.sample()];
                assert_eq!(a, b, "the transcript goes on from the witness");
            }
        }
    }

    #[test]
    fn search_goes_on_past_the_first_launch() {
        let Some(device) = testing::device() else {
            return;
        };
        // With 10 bits a launch has 2^12 candidates, all of which fail for one digest in 55.
        let digest = (0u32..)
            .map(|i| Blake3.hash_iter(i.to_le_bytes()))
            .find(|digest| !(0..1 << MIN_LOG_CANDIDATES).any(|w| passes(digest, 10, w)))
            .expect("a digest without early witness");
        let found = search(&device, &digest, 10).unwrap().unwrap();
        assert!(found >= 1 << MIN_LOG_CANDIDATES);
        assert_eq!((0..P).find(|&w| passes(&digest, 10, w)), Some(found));
    }

    /// The rule in plain arithmetic.
    fn passes(digest: &[u8; 32], bits: u32, witness: u32) -> bool {
        let monty = ((u64::from(witness) << 32) % u64::from(P)) as u32;
        let mut message = digest.to_vec();
        message.extend(monty.to_le_bytes());
        let hash = blake3::hash(&message);
        let [.., a, b, c, d] = *hash.as_bytes();
        u32::from_be_bytes([a, b, c, d]).trailing_zeros() >= bits
    }

    #[test]
    fn transcripts_with_unread_samples_are_searched_too() {
        let Some(device) = testing::device() else {
            return;
        };
        // 4 bytes are one sample, 32 all that a digest holds.
        for num_samples in [1, 2, 7, 8, 9] {
            let mut before = transcript(9);
            for _ in 0..num_samples {
                before.sample_bits(8);
            }
            assert_eq!(pending_digest(&before).is_some(), num_samples % 8 == 0);
            let mut after = before.clone();
            let witness = grind(&device, &mut after, 6).unwrap();
            assert_eq!(witness, smallest(&before, 6), "{num_samples} samples");
        }
    }
}
