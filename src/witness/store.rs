//! Memory for large tables, and how rows are written to it.

use super::layout::WIDTH;
use crate::memory::{NoMemory, zeroed_vec};

/// Rows that are filled in cache before they are written out.
pub(super) const BLOCK_ROWS: usize = 16;

/// A few rows in cache.
#[repr(align(64))]
pub(super) struct Block([[u32; WIDTH]; BLOCK_ROWS]);

impl Block {
    pub(super) fn new() -> Self {
        Self([[0; WIDTH]; BLOCK_ROWS])
    }

    pub(super) fn rows_mut(&mut self) -> &mut [[u32; WIDTH]; BLOCK_ROWS] {
        &mut self.0
    }

    /// Writes the first `out.len()` words past the caches: a table is too large for them, and
    /// ordinary stores would read every line before overwriting it.
    #[inline(always)]
    pub(super) fn stream_to(&self, out: &mut [u32]) {
        let words = &self.0.as_flattened()[..out.len()];
        stream(words, out);
    }
}

/// Streams whole vectors of the widest kind the build has.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn stream(words: &[u32], out: &mut [u32]) {
    const BYTES: usize = if cfg!(target_feature = "avx512f") {
        64
    } else {
        16
    };
    const LANES: usize = BYTES / 4;
    let misaligned = out.as_ptr().align_offset(BYTES).min(out.len());
    let (head, body) = out.split_at_mut(misaligned);
    head.copy_from_slice(&words[..misaligned]);
    let words = &words[misaligned..];
    let vectors = body.len() / LANES;
    for i in 0..vectors {
        // SAFETY: `LANES·(i + 1) ≤ LANES·vectors ≤ body.len() = words.len()`; the destination is
        // aligned to `BYTES` because `body` starts so, if it has a vector at all. AVX-512 is used
        // only where the build requires it; SSE2 is part of x86-64.
        unsafe {
            let from = words.as_ptr().add(LANES * i);
            let to = body.as_mut_ptr().add(LANES * i);
            #[cfg(target_feature = "avx512f")]
            {
                use std::arch::x86_64::{_mm512_loadu_si512, _mm512_stream_si512};
                _mm512_stream_si512(to.cast(), _mm512_loadu_si512(from.cast()));
            }
            #[cfg(not(target_feature = "avx512f"))]
            {
                use std::arch::x86_64::{_mm_loadu_si128, _mm_stream_si128};
                _mm_stream_si128(to.cast(), _mm_loadu_si128(from.cast()));
            }
        }
    }
    body[LANES * vectors..].copy_from_slice(&words[LANES * vectors..]);
}

/// Orders this thread's streamed rows before anything it tells other threads.
pub(super) fn finish_streaming() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a fence has no preconditions; SSE is part of x86-64.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn stream(words: &[u32], out: &mut [u32]) {
    out.copy_from_slice(words);
}

/// Words to be overwritten, in `reuse`'s memory if it has that many.
///
/// # Errors
/// If there is no such memory.
pub(super) fn words(len: usize, mut reuse: Vec<u32>) -> Result<Vec<u32>, NoMemory> {
    if reuse.capacity() >= len {
        reuse.resize(len, 0);
        return Ok(reuse);
    }
    drop(reuse);
    zeroed_vec(len)
}
