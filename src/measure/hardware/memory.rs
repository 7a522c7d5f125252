//! How fast main memory copies.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Cache;
use crate::measure::{Kind, Summary};
use crate::memory::zeroed_vec;
use crate::{Error, Result};

/// Samples taken.
const SAMPLES: usize = 9;
/// Least bytes of all source buffers together.
const MIN_BYTES: u64 = 256 << 20;
/// Most bytes of them.
const MAX_BYTES: u64 = 2 << 30;
/// They are this many times the caches, at least, unless memory is short.
const TIMES_CACHES: u64 = 4;
/// Least bytes that a thread copies in a sample.
const MIN_PER_THREAD: u64 = 1 << 20;

/// Bandwidth of copying main memory to main memory.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryBandwidth {
    /// Measured, unless somebody wrote it.
    pub kind: Kind,
    /// Bytes copied in a sample, by all threads together; as many again are the targets.
    pub buffer_bytes: u64,
    /// Threads that copied, each its own part.
    pub threads: u32,
    /// Bytes copied a second, one per sample. A byte that is read once and written once counts
    /// once; memory moves at least twice as many.
    pub samples: Vec<f64>,
    /// What the samples say together.
    pub summary: Summary,
}

impl MemoryBandwidth {
    /// Measures: each of `threads` threads copies a buffer of its own into another.
    ///
    /// The source buffers together hold four times the caches listed and at least 256 MiB, but no
    /// more than 2 GiB or an eighth of `ram_bytes`.
    ///
    /// Cost: a second or two.
    /// # Errors
    /// [`Error::Resource`] if there is no memory for the buffers or no such threads.
    pub(super) fn measure(threads: u32, caches: &[Cache], ram_bytes: u64) -> Result<Self> {
        let cached = caches.iter().map(|cache| cache.bytes).max().unwrap_or(0);
        Self::copy(threads, buffer_bytes(cached, ram_bytes), SAMPLES)
    }

    /// As [`measure`](Self::measure), with source buffers of `bytes` bytes in all and so many samples.
    fn copy(threads: u32, bytes: u64, samples: usize) -> Result<Self> {
        let threads = u64::from(threads).clamp(1, (bytes / MIN_PER_THREAD).max(1));
        let part = usize::try_from(bytes / threads).unwrap_or(usize::MAX);
        let mut buffers = Vec::new();
        for _ in 0..threads {
            let buffer = || zeroed_vec::<u8>(part).map_err(|_| no_memory(bytes));
            buffers.push(Mutex::new((buffer()?, buffer()?)));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads as usize)
            .build()
            .map_err(|error| Error::Resource(format!("no threads (--threads): {error}")))?;
        // Each thread has the pair of its number, so that it copies what it touched first.
        let each = |work: &(dyn Fn(&mut [u8], &mut [u8]) + Sync)| {
            pool.broadcast(|thread| {
                let pair = &buffers[thread.index()];
                let pair = &mut *pair.lock().unwrap_or_else(PoisonError::into_inner);
                work(&mut pair.0, &mut pair.1);
            });
        };
        // Pages that were never written may all be one page of zeros.
        each(&|source, target| {
            source.fill(1);
            target.fill(2);
        });
        let copy = || {
            each(&|source, target| {
                black_box(&mut *target).copy_from_slice(black_box(source));
                black_box(target);
            });
        };
        copy();
        let copied = part as u64 * threads;
        let samples: Vec<f64> = (0..samples)
            .map(|_| {
                let start = Instant::now();
                copy();
                copied as f64 / start.elapsed().as_secs_f64().max(1e-9)
            })
            .collect();
        let summary = Summary::of(&samples)
            .ok_or_else(|| Error::Usage("memory bandwidth needs a sample".into()))?;
        Ok(Self {
            kind: Kind::Measured,
            buffer_bytes: copied,
            threads: threads as u32,
            samples,
            summary,
        })
    }
}

fn no_memory(bytes: u64) -> Error {
    Error::Resource(format!(
        "no memory for two buffers of {} MB to measure copying with",
        bytes / 1_000_000
    ))
}

/// Bytes of the source buffers.
fn buffer_bytes(cached: u64, ram_bytes: u64) -> u64 {
    let wanted = cached.saturating_mul(TIMES_CACHES).max(MIN_BYTES);
    // Memory of unknown size, 0, is taken to be enough for the least.
    let there = if ram_bytes == 0 {
        MIN_BYTES
    } else {
        ram_bytes / 8
    };
    wanted.min(MAX_BYTES).min(there).max(MIN_PER_THREAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_exceed_the_caches_and_leave_memory() {
        // No cache known; one of 32 MiB; one of 384 MiB; one that nobody has.
        assert_eq!(buffer_bytes(0, 24 << 30), 256 << 20);
        assert_eq!(buffer_bytes(32 << 20, 24 << 30), 256 << 20);
        assert_eq!(buffer_bytes(384 << 20, 24 << 30), 1536 << 20);
        assert_eq!(buffer_bytes(u64::MAX, u64::MAX), 2 << 30);
        assert_eq!(buffer_bytes(384 << 20, 1 << 30), 128 << 20);
        assert_eq!(buffer_bytes(384 << 20, 0), 256 << 20);
        assert_eq!(buffer_bytes(384 << 20, 1), 1 << 20);
    }

    #[test]
    fn samples_are_counted_and_summarized() {
        // One thread, several, and more than there are mebibytes.
        for (threads, used) in [(0, 1), (1, 1), (3, 3), (50, 4)] {
            let found = MemoryBandwidth::copy(threads, 4 << 20, 3).unwrap();
            assert_eq!(found.threads, used);
            assert_eq!(
                found.buffer_bytes,
                (4 << 20) / u64::from(used) * u64::from(used)
            );
            assert_eq!(found.samples.len(), 3);
            assert!(found.samples.iter().all(|&sample| sample > 0.0));
            assert_eq!(Some(found.summary), Summary::of(&found.samples));
        }
        assert!(MemoryBandwidth::copy(1, 1 << 20, 0).is_err());
        assert!(MemoryBandwidth::copy(1, 1 << 60, 1).is_err());
    }
}
