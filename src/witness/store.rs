//! Memory for large tables, and how rows are written to it.

use super::layout::WIDTH;
use crate::memory::zeroed_vec;

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

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn stream(words: &[u32], out: &mut [u32]) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
    let misaligned = out.as_ptr().align_offset(16).min(out.len());
    let (head, body) = out.split_at_mut(misaligned);
    head.copy_from_slice(&words[..misaligned]);
    let words = &words[misaligned..];
    let quads = body.len() / 4;
    for i in 0..quads {
        // SAFETY: `4·i + 3 < 4·quads ≤ words.len() = body.len()`; the destination is 16-byte
        // aligned because `body` starts at an aligned address. SSE2 is part of x86-64.
        unsafe {
            let quad = _mm_loadu_si128(words.as_ptr().add(4 * i).cast::<__m128i>());
            _mm_stream_si128(body.as_mut_ptr().add(4 * i).cast::<__m128i>(), quad);
        }
    }
    body[4 * quads..].copy_from_slice(&words[4 * quads..]);
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

/// Zeroed words, in `reuse`'s memory if it has that many.
pub(super) fn words(len: usize, mut reuse: Vec<u32>) -> Vec<u32> {
    if reuse.capacity() >= len {
        reuse.resize(len, 0);
        return reuse;
    }
    drop(reuse);
    zeroed_vec(len)
}
