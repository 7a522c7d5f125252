//! Counts of small values.

use super::device::{Buffer, Device, View};
use super::launch::{Kernel, Shape};
use crate::Result;

const THREADS: u32 = 256;
/// Most bins that are counted in a block's shared memory: 32 KiB, which every device gives unasked.
const MAX_SHARED_BINS: usize = 8192;
/// Sets of counters in global memory among which blocks are shared out.
const SHARDS: usize = 4;
const MAX_BINS: usize = 1 << 16;
const MAX_LEN: usize = 1 << 30;
/// Values that a block counts, as long as there are not many blocks.
const VALUES_PER_BLOCK: usize = 4096;
const MAX_BLOCKS: usize = 2048;

const SHARED: Kernel = Kernel::new("histogram", "histogram_shared");
const GLOBAL: Kernel = Kernel::new("histogram", "histogram_shards");
const MERGE: Kernel = Kernel::new("histogram", "histogram_merge");

const SKIP_ZEROS: u32 = 1;
const COMBINE: u32 = 2;

/// What is known of the values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Traits {
    /// Zeros need not be counted; bin 0 becomes 0.
    pub(super) skip_zeros: bool,
    /// A few values make up most: equal ones within a warp are added once.
    pub(super) skewed: bool,
}

/// Counts how often each value below `bins` occurs.
///
/// - `values`: at most 2^30; those of `bins` or more are not counted.
/// - `bins`: at most 2^16.
/// - returns: `[bins]`.
///
/// Cost: up to 2^13 bins, counters in shared memory and two operations on the stream; above, four sets
/// of counters in global memory and three operations. Temporary memory: [`histogram_bytes`].
///
/// # Errors
/// [`Error::OutOfDeviceMemory`](crate::Error::OutOfDeviceMemory) if that does not fit.
/// # Panics
/// If there are too many values or bins.
pub(super) fn histogram(
    device: &Device,
    values: View<'_, u32>,
    bins: usize,
    traits: Traits,
) -> Result<Buffer<u32>> {
    assert!(bins <= MAX_BINS, "{bins} bins are too many");
    if bins <= MAX_SHARED_BINS {
        let counts = device.zeros("counts", bins)?;
        count_shared(device, values, &counts, traits)?;
        return Ok(counts);
    }
    let counts = device.alloc("counts", bins)?;
    let shards = device.zeros("shards of counts", SHARDS * bins)?;
    count_shards(device, values, &shards, bins, traits)?;
    merge(device, shards.all(), counts.all())?;
    Ok(counts)
}

/// Bytes that [`histogram`] takes of the device, its result included.
pub(super) fn histogram_bytes(bins: usize) -> u64 {
    let sets = if bins <= MAX_SHARED_BINS {
        1
    } else {
        1 + SHARDS
    };
    (4 * bins * sets) as u64
}

fn flags(traits: Traits) -> u32 {
    let Traits { skip_zeros, skewed } = traits;
    (u32::from(skip_zeros) * SKIP_ZEROS) | (u32::from(skewed) * COMBINE)
}

fn shape(len: usize) -> Shape {
    assert!(len <= MAX_LEN, "{len} values are too many to count");
    let blocks = len.div_ceil(VALUES_PER_BLOCK).min(MAX_BLOCKS);
    Shape::linear(blocks * THREADS as usize, THREADS)
}

/// Adds to `counts`, `[bins]`, by way of shared memory.
fn count_shared(
    device: &Device,
    values: View<'_, u32>,
    counts: &Buffer<u32>,
    traits: Traits,
) -> Result<()> {
    assert!(counts.len() <= MAX_SHARED_BINS);
    let shared_bytes = 4 * counts.len() as u32;
    // SAFETY: there are as many values and bins as said, and shared memory for the bins.
    unsafe {
        device.launch(
            SHARED,
            shape(values.len()).with_shared(shared_bytes),
            (
                values.ptr(),
                counts.ptr(),
                values.len() as u32,
                counts.len() as u32,
                flags(traits),
            ),
        )
    }
}

/// Adds to `shards`, `[shards][bins]`.
fn count_shards(
    device: &Device,
    values: View<'_, u32>,
    shards: &Buffer<u32>,
    bins: usize,
    traits: Traits,
) -> Result<()> {
    let num_shards = shards.len() / bins;
    assert!(num_shards > 0 && shards.len() == num_shards * bins);
    // SAFETY: there are as many values, bins and shards as said.
    unsafe {
        device.launch(
            GLOBAL,
            shape(values.len()),
            (
                values.ptr(),
                shards.ptr(),
                values.len() as u32,
                bins as u32,
                num_shards as u32,
                flags(traits),
            ),
        )
    }
}

/// Overwrites `counts`, `[bins]`, with the sums over `shards`, `[shards][bins]`.
///
/// # Panics
/// If `shards` is not a whole number of sets of counters.
pub(super) fn merge(device: &Device, shards: View<'_, u32>, counts: View<'_, u32>) -> Result<()> {
    let bins = counts.len();
    assert!(bins > 0 && shards.len().is_multiple_of(bins));
    // SAFETY: there are as many bins and shards as said.
    unsafe {
        device.launch(
            MERGE,
            Shape::linear(bins, THREADS),
            (
                shards.ptr(),
                counts.ptr(),
                bins as u32,
                (shards.len() / bins) as u32,
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cuda::testing::{Rng, device};

    fn check(device: &Device, values: &[u32], bins: usize, what: &str) {
        let on_device = device.upload("values", values).unwrap();
        let mut expected = vec![0u32; bins];
        for &value in values {
            if let Some(count) = expected.get_mut(value as usize) {
                *count += 1;
            }
        }
        for skewed in [false, true] {
            for skip_zeros in [false, true] {
                if skip_zeros && bins > 0 {
                    expected[0] = 0;
                }
                let traits = Traits { skip_zeros, skewed };
                let what = format!("{what}, {} values in {bins} bins, {traits:?}", values.len());
                let mut expected = expected.clone();
                if bins > 0 && !skip_zeros {
                    expected[0] = values.iter().filter(|value| **value == 0).count() as u32;
                }
                let before = device.memory().live;
                device.reset_peak();
                let counts = histogram(device, on_device.all(), bins, traits).unwrap();
                assert_eq!(device.memory().peak - before, histogram_bytes(bins));
                assert!(device.download(&counts).unwrap() == expected, "{what}");
            }
        }
    }

    #[test]
    fn counts_are_those_of_a_loop() {
        let Some(device) = device() else { return };
        let mut rng = Rng::new(1);
        // One bin, around a block's threads, both sides of where shared memory ends, and the most.
        for bins in [1, 255, 256, 257, 8192, 8193, 65_536] {
            // None, around a warp and a block, around a block's share, several blocks.
            for len in [0, 1, 31, 32, 33, 255, 256, 257, 4095, 4096, 4097, 20_000] {
                let random: Vec<u32> = (0..len).map(|_| rng.word() % 65_536).collect();
                check(&device, &random, bins, "random");
            }
            let equal = vec![bins as u32 - 1; 10_000];
            check(&device, &equal, bins, "the last bin");
            check(&device, &vec![bins as u32; 3000], bins, "none within");
            check(&device, &vec![0; 10_000], bins, "zeros");
            let skewed: Vec<u32> = (0..20_000)
                .map(|_| rng.word() >> (rng.word() % 16 + 16))
                .collect();
            check(&device, &skewed, bins, "skewed");
        }
    }
}
