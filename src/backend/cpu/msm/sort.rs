//! Digits sorted by bucket.

use rayon::prelude::*;

use super::batch::NEGATE;
use super::digits::Digits;

/// Digits that a thread sorts at least.
const PART: usize = 1 << 16;

/// One vector of scalars of those that are multiplied together.
pub(super) struct Vector {
    pub(super) digits: Digits,
    pub(super) windows: usize,
    /// How many sets of buckets the windows share.
    pub(super) sets: usize,
}

/// Operands sorted by bucket; those of a set of buckets are neighbours.
pub(super) struct Sorted {
    /// Index of a point or of a multiple of it, with [`NEGATE`].
    pub(super) operands: Vec<u32>,
    /// Where each bucket begins, and the end.
    pub(super) starts: Vec<u32>,
}

/// What one thread counts and moves: digits of a set of buckets in some blocks.
struct Part {
    vector: usize,
    set: usize,
    blocks: std::ops::Range<usize>,
}

/// An address that threads write to, each at places of its own.
struct Shared(*mut u32);
// SAFETY: it is only written to, and no place by two threads; see `sort`.
unsafe impl Sync for Shared {}

/// Sorts the digits of every vector.
///
/// Set `s` of a vector takes its windows `s, s + sets, s + 2·sets, …`: window `s + k·sets` multiplies the points of
/// table `k`.
/// - `buckets`: number of buckets in a set, for magnitudes from 1.
/// - `first`: index of the point of scalar 0 in each table.
/// - `stride`: how far tables are apart.
pub(super) fn sort(vectors: &[Vector], buckets: usize, first: usize, stride: usize) -> Sorted {
    let mut parts = Vec::new();
    for (index, vector) in vectors.iter().enumerate() {
        let blocks = vector.digits.blocks();
        for set in 0..vector.sets {
            let windows = (vector.windows - set).div_ceil(vector.sets);
            let most = (windows * vector.digits.len()).div_ceil(PART);
            let wanted = (2 * rayon::current_num_threads()).div_ceil(vectors.len() * vector.sets);
            let number = most.min(wanted).clamp(1, blocks.max(1));
            for part in 0..number {
                parts.push(Part {
                    vector: index,
                    set,
                    blocks: part * blocks / number..(part + 1) * blocks / number,
                });
            }
        }
    }
    let each = |part: &Part, act: &mut dyn FnMut(&[u32], usize)| {
        let vector = &vectors[part.vector];
        for window in (part.set..vector.windows).step_by(vector.sets) {
            let table = first + window / vector.sets * stride;
            for block in part.blocks.clone() {
                let (start, keys) = vector.digits.block(block, window);
                act(keys, table + start);
            }
        }
    };
    let mut counts = vec![0u32; parts.len() * buckets];
    counts
        .par_chunks_mut(buckets)
        .zip(&parts)
        .for_each(|(counts, part)| {
            each(part, &mut |keys, _| {
                for key in keys.iter().filter(|key| **key != 0) {
                    counts[(key >> 1) as usize - 1] += 1;
                }
            });
        });

    // Counts become the places where each part puts its digits.
    let mut starts = Vec::new();
    let mut total = 0;
    let mut index = 0;
    for group in parts.chunk_by(|a, b| (a.vector, a.set) == (b.vector, b.set)) {
        let counts = &mut counts[index * buckets..(index + group.len()) * buckets];
        for bucket in 0..buckets {
            starts.push(total);
            for part in 0..group.len() {
                let count = &mut counts[part * buckets + bucket];
                (*count, total) = (total, total + *count);
            }
        }
        index += group.len();
    }
    starts.push(total);

    let mut operands: Vec<u32> = super::zeroed(total as usize);
    let shared = Shared(operands.as_mut_ptr());
    let shared = &shared;
    counts
        .par_chunks_mut(buckets)
        .zip(&parts)
        .for_each(|(places, part)| {
            each(part, &mut |keys, point| {
                for (index, key) in keys.iter().enumerate().filter(|(_, key)| **key != 0) {
                    let place = &mut places[(key >> 1) as usize - 1];
                    let operand = (point + index) as u32 | if key & 1 == 1 { NEGATE } else { 0 };
                    // SAFETY: places are below `total`, the vector's length, and each is counted for one
                    // digit of one part.
                    unsafe { shared.0.add(*place as usize).write(operand) };
                    *place += 1;
                }
            });
        });
    Sorted { operands, starts }
}
