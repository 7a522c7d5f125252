//! Stable radix sort of pairs.

use std::ops::Range;

use bytemuck::Pod;

use super::device::{Buffer, Device, Ptr, View};
use super::launch::{Kernel, Shape};
use crate::Result;

const THREADS: u32 = 512;
/// Bytes of keys that a block sorts at a time: `SORT_TILE_BYTES` of the kernels.
const TILE_BYTES: usize = 32_768;
const BINS: usize = 256;
const DIGIT_BITS: u32 = 8;
/// Words before the published ones: `SORT_STATUS` of the kernels.
const HEADER_WORDS: usize = 8 * BINS + 32;
/// Most keys: counts share their word with two bits.
const MAX_KEYS: usize = 1 << 28;
/// Keys that a block counts, as long as there are not many blocks.
const KEYS_PER_COUNT: usize = 8192;
const MAX_COUNT_BLOCKS: usize = 1024;

/// What is sorted by: a word of 32 or 64 bits.
pub(super) trait Key: Pod + Ord {
    /// Its bits.
    const BITS: u32;
    /// The kernel that counts digits.
    const COUNT: Kernel;
    /// The kernel that makes a pass.
    const PASS: Kernel;
}

impl Key for u32 {
    const BITS: u32 = 32;
    const COUNT: Kernel = Kernel::new("sort", "sort_count32");
    const PASS: Kernel = Kernel::new("sort", "sort_pass32");
}

impl Key for u64 {
    const BITS: u32 = 64;
    const COUNT: Kernel = Kernel::new("sort", "sort_count64");
    const PASS: Kernel = Kernel::new("sort", "sort_pass64");
}

/// What goes along with the keys.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values<'a> {
    /// A word for each key.
    Words(View<'a, u32>),
    /// Each key's index.
    Indices,
}

/// Keys in order, each with its value.
#[derive(Debug)]
pub(super) struct Sorted<K> {
    /// The keys.
    pub(super) keys: Buffer<K>,
    /// The values.
    pub(super) values: Buffer<u32>,
}

/// Sorts pairs by bits `bits` of their keys; pairs equal in them keep their order.
///
/// - `keys`: at most 2^28; unchanged, as are `values`, as many.
/// - returns: new buffers.
///
/// Cost: for every 8 bits one launch that reads and writes each pair once, less the launches in which
/// all keys have the same 8 bits, which end at once (nothing is sent to the host to know); before them
/// one memset and one launch that reads each key. Temporary memory: [`sort_bytes`].
///
/// # Errors
/// [`Error::OutOfDeviceMemory`](crate::Error::OutOfDeviceMemory) if result and temporary memory do not
/// fit.
/// # Panics
/// If there are too many keys, not as many values, or `bits` is empty or not within the key.
/// # Source
/// Single-pass digit binning: Adinets and Merrill, "Onesweep", 2022 (arXiv 2206.01784).
pub(super) fn sort_pairs<K: Key>(
    device: &Device,
    keys: View<'_, K>,
    values: Values<'_>,
    bits: Range<u32>,
) -> Result<Sorted<K>> {
    let len = keys.len();
    assert!(len <= MAX_KEYS, "{len} keys are too many to sort");
    assert!(
        bits.start < bits.end && bits.end <= K::BITS,
        "bits {bits:?} of a key of {}",
        K::BITS
    );
    let sorted = Sorted {
        keys: device.alloc("sorted keys", len)?,
        values: device.alloc("sorted values", len)?,
    };
    if len == 0 {
        return Ok(sorted);
    }
    let spare = Sorted {
        keys: device.alloc("spare keys of a sort", len)?,
        values: device.alloc("spare values of a sort", len)?,
    };
    let state = device.zeros("state of a sort", state_words::<K>(len))?;
    count(device, keys, &state, &bits)?;
    for pass in 0..bits.len().div_ceil(DIGIT_BITS as usize) as u32 {
        make_pass(device, keys, values, &spare, &sorted, &state, pass, &bits)?;
    }
    Ok(sorted)
}

/// Bytes that [`sort_pairs`] takes of the device at most, its result included.
pub(super) fn sort_bytes<K: Key>(num_keys: usize) -> u64 {
    match num_keys {
        0 => 0,
        _ => (2 * num_keys * (size_of::<K>() + 4) + 4 * state_words::<K>(num_keys)) as u64,
    }
}

fn num_tiles<K: Key>(num_keys: usize) -> usize {
    num_keys.div_ceil(TILE_BYTES / size_of::<K>())
}

fn state_words<K: Key>(num_keys: usize) -> usize {
    HEADER_WORDS + 2 * BINS * num_tiles::<K>(num_keys)
}

/// Counts the digits of all passes and plans the passes. `state` is all zero.
fn count<K: Key>(
    device: &Device,
    keys: View<'_, K>,
    state: &Buffer<u32>,
    bits: &Range<u32>,
) -> Result<()> {
    assert_eq!(state.len(), state_words::<K>(keys.len()));
    let blocks = keys.len().div_ceil(KEYS_PER_COUNT).min(MAX_COUNT_BLOCKS);
    // SAFETY: there are as many keys as said, and the state has the kernel's header.
    unsafe {
        device.launch(
            K::COUNT,
            Shape::linear(blocks * THREADS as usize, THREADS),
            (
                keys.ptr(),
                state.ptr(),
                keys.len() as u32,
                bits.start,
                bits.end,
            ),
        )
    }
}

/// Makes one pass, or none where the plan leaves it out.
#[expect(clippy::too_many_arguments, reason = "the buffers of a sort")]
fn make_pass<K: Key>(
    device: &Device,
    keys: View<'_, K>,
    values: Values<'_>,
    spare: &Sorted<K>,
    sorted: &Sorted<K>,
    state: &Buffer<u32>,
    pass: u32,
    bits: &Range<u32>,
) -> Result<()> {
    let len = keys.len();
    let in_values: Ptr<u32> = match values {
        Values::Words(values) => {
            assert_eq!(values.len(), len, "there is a value for each key");
            values.ptr()
        }
        Values::Indices => Ptr::null(),
    };
    for buffers in [spare, sorted] {
        assert_eq!((buffers.keys.len(), buffers.values.len()), (len, len));
    }
    assert_eq!(state.len(), state_words::<K>(len));
    // SAFETY: all pairs of buffers are as long as said, and the state has the header and two words a
    // bin for each tile; without values, theirs are not read.
    unsafe {
        device.launch(
            K::PASS,
            Shape::linear(num_tiles::<K>(len) * THREADS as usize, THREADS),
            (
                keys.ptr(),
                in_values,
                spare.keys.ptr(),
                spare.values.ptr(),
                sorted.keys.ptr(),
                sorted.values.ptr(),
                state.ptr(),
                len as u32,
                pass,
                bits.start,
                bits.end,
                u32::from(matches!(values, Values::Indices)),
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cuda::testing::{Rng, device};

    /// Nothing, one key, around a warp, around the digits' 256 threads, around a tile of 64-bit keys
    /// (4096) and of 32-bit keys (8192), and more tiles than are looked back over at once.
    const LENGTHS: [usize; 17] = [
        0, 1, 2, 31, 32, 33, 255, 256, 257, 4095, 4096, 4097, 8191, 8192, 8193, 65_536, 100_003,
    ];

    /// Keys of one kind: by name, from a generator and the key's index and number.
    type Make = fn(&mut Rng, u64, u64) -> u64;
    const KINDS: [(&str, Make); 9] = [
        ("random", |rng, _, _| wide(rng)),
        ("equal", |_, _, _| 0x1234_5678_9abc_def0),
        ("all zero", |_, _, _| 0),
        ("all ones", |_, _, _| u64::MAX),
        ("sorted", |_, i, _| i),
        ("reversed", |_, i, n| ((n - i) << 7) | 0x55),
        ("few distinct", |rng, _, _| {
            [0, 0x0100_0000_8000_0000, u64::MAX, 1, 0x0100_0000_8000_0001][rng.word() as usize % 5]
        }),
        ("top bits only", |rng, _, _| {
            wide(rng) & 0xff00_0000_ff00_0000
        }),
        // As memory addresses are: two regions far apart, mostly ascending.
        ("two regions", |rng, i, _| {
            let region = [0x0001_0000, 0x7fff_0000][rng.word() as usize % 2];
            region + i / 3 * 4
        }),
    ];

    fn wide(rng: &mut Rng) -> u64 {
        (u64::from(rng.word()) << 32) | u64::from(rng.word())
    }

    /// Compares a sort with that of the standard library, which is stable.
    fn check<K: Key + std::fmt::Debug>(
        device: &Device,
        keys: &[K],
        values: Option<&[u32]>,
        bits: Range<u32>,
        digit: impl Fn(K) -> u64,
        what: &str,
    ) {
        let on_device = device.upload("keys", keys).unwrap();
        let values_on_device = values.map(|values| device.upload("values", values).unwrap());
        let sorted = sort_pairs(
            device,
            on_device.all(),
            values_on_device
                .as_ref()
                .map_or(Values::Indices, |values| Values::Words(values.all())),
            bits.clone(),
        )
        .unwrap();
        let mut expected: Vec<(K, u32)> = match values {
            Some(values) => keys.iter().copied().zip(values.iter().copied()).collect(),
            None => keys.iter().copied().zip(0..).collect(),
        };
        expected.sort_by_key(|(key, _)| digit(*key));
        let (expected_keys, expected_values): (Vec<K>, Vec<u32>) = expected.into_iter().unzip();
        let what = format!("{what}, {} keys by bits {bits:?}", keys.len());
        assert!(
            device.download(&sorted.keys).unwrap() == expected_keys,
            "keys: {what}"
        );
        assert!(
            device.download(&sorted.values).unwrap() == expected_values,
            "values: {what}"
        );
        assert!(
            device.download(&on_device).unwrap() == keys,
            "input: {what}"
        );
    }

    fn check32(
        device: &Device,
        keys: &[u32],
        values: Option<&[u32]>,
        bits: Range<u32>,
        what: &str,
    ) {
        let mask = (1u64 << bits.len()) - 1;
        let start = bits.start;
        check(
            device,
            keys,
            values,
            bits,
            |key| (u64::from(key) >> start) & mask,
            what,
        );
    }

    fn check64(
        device: &Device,
        keys: &[u64],
        values: Option<&[u32]>,
        bits: Range<u32>,
        what: &str,
    ) {
        let mask = u64::MAX >> (64 - bits.len());
        let start = bits.start;
        check(
            device,
            keys,
            values,
            bits,
            |key| (key >> start) & mask,
            what,
        );
    }

    #[test]
    fn sorts_32_bit_keys_as_the_standard_library() {
        let Some(device) = device() else { return };
        let mut rng = Rng::new(1);
        for len in LENGTHS {
            for (what, make) in KINDS {
                // All kinds where that is cheap, and at the largest size.
                if (257..65_536).contains(&len)
                    && !matches!(what, "random" | "all ones" | "few distinct")
                {
                    continue;
                }
                let keys: Vec<u32> = (0..len as u64)
                    .map(|i| make(&mut rng, i, len as u64) as u32)
                    .collect();
                check32(&device, &keys, None, 0..32, what);
            }
        }
    }

    #[test]
    fn sorts_64_bit_keys_as_the_standard_library() {
        let Some(device) = device() else { return };
        let mut rng = Rng::new(2);
        for len in LENGTHS {
            for (what, make) in KINDS {
                if len > 257 && !matches!(what, "random" | "all ones" | "few distinct") {
                    continue;
                }
                let keys: Vec<u64> = (0..len as u64)
                    .map(|i| make(&mut rng, i, len as u64))
                    .collect();
                check64(&device, &keys, None, 0..64, what);
            }
        }
    }

    #[test]
    fn values_go_along() {
        let Some(device) = device() else { return };
        let mut rng = Rng::new(3);
        for len in [1, 257, 8193, 40_000] {
            let keys: Vec<u32> = (0..len).map(|_| rng.word() % 1000).collect();
            let values: Vec<u32> = (0..len).map(|_| rng.word()).collect();
            check32(&device, &keys, Some(&values), 0..32, "values");
            let keys: Vec<u64> = (0..len).map(|_| wide(&mut rng)).collect();
            check64(&device, &keys, Some(&values), 0..64, "values");
        }
    }

    /// Whole and broken digits, single bits at both ends; one to four passes, with and without passes
    /// that are left out, so that the result comes from either set of buffers.
    #[test]
    fn sorts_by_a_range_of_bits() {
        let Some(device) = device() else { return };
        let mut rng = Rng::new(4);
        let keys: Vec<u32> = (0..9000).map(|_| rng.word()).collect();
        for bits in [0..1, 31..32, 0..8, 0..9, 3..20, 5..32, 8..16, 24..32, 0..30] {
            check32(&device, &keys, None, bits, "random");
        }
        for mask in [
            0xff,
            0xff00,
            0xff_0000,
            0xff00_ff00,
            0xffff_ff00,
            0x00ff_ffff,
            0xff00_00ff,
        ] {
            let masked: Vec<u32> = keys
                .iter()
                .map(|key| (key & mask) | (0x1111_1111 & !mask))
                .collect();
            check32(&device, &masked, None, 0..32, "masked");
        }
        let keys: Vec<u64> = (0..5000).map(|_| wide(&mut rng)).collect();
        for bits in [0..1, 63..64, 0..33, 28..36, 7..64] {
            check64(&device, &keys, None, bits, "random");
        }
    }

    #[test]
    fn sorts_whatever_the_length_bits_and_keys() {
        let Some(device) = device() else { return };
        for seed in 0..40 {
            let mut rng = Rng::new(100 + seed);
            let len = rng.word() % [40, 600, 9000, 30_000][seed as usize % 4];
            let start = rng.word() % 64;
            let bits = start..start + 1 + rng.word() % (64 - start);
            // Few bits set, or many.
            let mask = [
                wide(&mut rng),
                wide(&mut rng) & wide(&mut rng) & wide(&mut rng),
            ][seed as usize % 2];
            let keys: Vec<u64> = (0..len).map(|_| wide(&mut rng) & mask).collect();
            check64(&device, &keys, None, bits.clone(), &format!("seed {seed}"));
            let bits = bits.start / 2..(bits.end / 2).max(bits.start / 2 + 1);
            let keys: Vec<u32> = keys.iter().map(|key| *key as u32).collect();
            check32(&device, &keys, None, bits, &format!("seed {seed}"));
        }
    }

    #[test]
    fn takes_no_more_memory_than_planned() {
        let Some(device) = device() else { return };
        for len in [0, 1, 8192, 8193, 30_000] {
            let keys = device.zeros::<u32>("keys", len).unwrap();
            let before = device.memory().live;
            device.reset_peak();
            let sorted = sort_pairs(&device, keys.all(), Values::Indices, 0..32).unwrap();
            assert_eq!(
                device.memory().peak - before,
                sort_bytes::<u32>(len),
                "{len} keys"
            );
            drop(sorted);
            assert_eq!(device.memory().live, before);
        }
    }
}
