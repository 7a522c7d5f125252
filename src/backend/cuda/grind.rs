//! Grinding on the device: proof-of-work witnesses of a BLAKE3 transcript, always the smallest.
//!
//! A candidate costs one compression. Plonky3 takes whichever witness a thread finds first, so that
//! two of its proofs differ; its verifier accepts any.

use bytemuck::{Pod, Zeroable};

use super::device::Device;
use super::launch::{Kernel, Shape};
use crate::Result;
use crate::witness::P;

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

/// The smallest `w` below the field's order for which BLAKE3(`digest` ‖ w in Montgomery form) ends
/// in `bits` zero bits, if there is one. Waits for the device.
///
/// Cost: about `2^bits` compressions.
/// # Errors
/// [`Error::Device`](crate::Error::Device) if the device fails.
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
    use p3_blake3::Blake3;
    use p3_challenger::{CanFinalizeDigest, CanObserve, GrindingChallenger};
    use p3_field::PrimeCharacteristicRing;

    use super::super::testing;
    use super::*;
    use crate::backend::types::{Challenger, Val};

    #[test]
    fn witness_is_the_smallest_that_plonky3_accepts() {
        let Some(device) = testing::device() else {
            return;
        };
        // 0, 1: all pass, half. From 11 on the first launch has one with probability 0.86.
        for (bits, seeds) in [(0, 1), (1, 4), (5, 8), (11, 8), (12, 2), (14, 2)] {
            for seed in 0..seeds {
                let mut transcript = Challenger::from_hasher(vec![1, 2, 3], Blake3);
                transcript.observe(Val::from_u32(seed));
                let expected = (0..P)
                    .find(|&w| transcript.clone().check_witness(bits, Val::from_u32(w)))
                    .expect("a witness");
                // What grinding starts from: the hash of what was observed.
                let digest = transcript.finalize();
                let found = search(&device, &digest, bits).unwrap();
                assert_eq!(found, Some(expected), "{bits} bits, seed {seed}");
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
            .map(|i| *blake3::hash(&i.to_le_bytes()).as_bytes())
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
}
