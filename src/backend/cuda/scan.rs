//! Prefix combinations along rows, and compaction of flags to indices.

use bytemuck::cast;

use super::device::{Buffer, Device, View};
use super::launch::{Kernel, Shape};
use crate::Result;

const THREADS: u32 = 256;
/// Words that one block combines.
const TILE: usize = 4096;
/// Most words of a row.
const MAX_LEN: usize = 1 << 28;
/// Alignment of flags in bytes.
const FLAG_ALIGN: u64 = 16;

const COMPACT: Kernel = Kernel::new("scan", "scan_compact");

/// An associative way to combine two words, with identity 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operator {
    /// Their sum, modulo 2^32.
    Sum,
    /// The later one, unless it is 0.
    Last,
    /// The larger one.
    Max,
}

impl Operator {
    fn kernel(self) -> Kernel {
        match self {
            Self::Sum => Kernel::new("scan", "scan_sum"),
            Self::Last => Kernel::new("scan", "scan_last"),
            Self::Max => Kernel::new("scan", "scan_max"),
        }
    }
}

/// Whether a word is part of what is combined at its position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bound {
    /// All words up to and including it.
    Inclusive,
    /// All words before it.
    Exclusive,
}

/// Combines the words of each row from its start up to each position.
///
/// - `input`: `[rows][len]`, `len` at most 2^28.
/// - `output`: `[rows][len]`; may be `input`.
/// - returns: `[rows]`, the combination of each row.
///
/// Cost: two operations on the stream; reads and writes every word once. Temporary memory:
/// [`scan_bytes`].
///
/// # Errors
/// [`Error::OutOfDeviceMemory`](crate::Error::OutOfDeviceMemory) if that does not fit.
/// # Panics
/// If `input` is not of `rows` rows, or `output` not as long.
pub(super) fn scan(
    device: &Device,
    operator: Operator,
    bound: Bound,
    rows: usize,
    input: View<'_, u32>,
    output: View<'_, u32>,
) -> Result<Buffer<u32>> {
    assert_eq!(input.len(), output.len(), "a scan is as long as its input");
    if input.len() == 0 {
        return device.zeros("totals of a scan", rows);
    }
    assert!(
        rows > 0 && input.len().is_multiple_of(rows),
        "{} words are not {rows} rows",
        input.len()
    );
    let len = input.len() / rows;
    assert!(len <= MAX_LEN, "rows of {len} words are too long to scan");
    let blocks = rows * len.div_ceil(TILE);
    let totals = device.alloc("totals of a scan", rows)?;
    let state = device.zeros::<u64>("state of a scan", 1 + blocks)?;
    // SAFETY: input and output are `[rows][len]`, totals `[rows]`, and the state is one word more
    // than there are tiles, all zero.
    unsafe {
        device.launch(
            operator.kernel(),
            Shape::linear(blocks * THREADS as usize, THREADS),
            (
                input.ptr(),
                output.ptr(),
                totals.ptr(),
                state.ptr(),
                len as u32,
                u32::from(bound == Bound::Exclusive),
            ),
        )?;
    }
    Ok(totals)
}

/// Bytes that [`scan`] takes of the device beside its input and output.
pub(super) fn scan_bytes(rows: usize, len: usize) -> u64 {
    (4 * rows + 8 * (1 + rows * len.div_ceil(TILE))) as u64
}

/// Indices of the flags that have a bit of `mask` set, ascending.
///
/// - `flags`: at most 2^28, 16-byte aligned.
/// - `indices`: takes as many of them as it has room for.
/// - returns: one word, how many flags are set (which may be more than there was room for).
///
/// Cost: two operations on the stream. Temporary memory: [`compact_bytes`].
///
/// # Errors
/// As for [`scan`].
/// # Panics
/// If there are too many flags or they are not aligned.
pub(super) fn compact(
    device: &Device,
    flags: View<'_, u8>,
    mask: u8,
    indices: View<'_, u32>,
) -> Result<Buffer<u32>> {
    if flags.len() == 0 {
        return device.zeros("number of indices", 1);
    }
    assert!(flags.len() <= MAX_LEN, "{} flags are too many", flags.len());
    let address: u64 = cast(flags.ptr());
    assert!(address.is_multiple_of(FLAG_ALIGN), "flags are aligned");
    let count = device.alloc("number of indices", 1)?;
    let blocks = flags.len().div_ceil(TILE);
    let state = device.zeros::<u64>("state of a compaction", 1 + blocks)?;
    // SAFETY: flags, their number and the room for indices are as the views say; the state is one
    // word more than there are tiles, all zero.
    unsafe {
        device.launch(
            COMPACT,
            Shape::linear(blocks * THREADS as usize, THREADS),
            (
                flags.ptr(),
                indices.ptr(),
                count.ptr(),
                state.ptr(),
                flags.len() as u32,
                indices.len().min(MAX_LEN) as u32,
                u32::from(mask),
            ),
        )?;
    }
    Ok(count)
}

/// Bytes that [`compact`] takes of the device beside flags and indices.
pub(super) fn compact_bytes(num_flags: usize) -> u64 {
    (4 + 8 * (1 + num_flags.div_ceil(TILE))) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cuda::testing::{Rng, device};

    /// One word, around a warp, around a block's threads, around a tile, several tiles, and more tiles
    /// than a warp looks back over at once (33 and 65 of them).
    const LENGTHS: [usize; 20] = [
        1, 2, 31, 32, 33, 255, 256, 257, 4095, 4096, 4097, 8192, 16_387, 65_536, 131_071, 131_072,
        135_169, 200_000, 262_147, 270_336,
    ];

    fn expected(operator: Operator, bound: Bound, row: &[u32]) -> (Vec<u32>, u32) {
        let mut so_far = 0u32;
        let out = row
            .iter()
            .map(|&word| {
                let before = so_far;
                so_far = match operator {
                    Operator::Sum => so_far.wrapping_add(word),
                    Operator::Last if word == 0 => so_far,
                    Operator::Last => word,
                    Operator::Max => so_far.max(word),
                };
                match bound {
                    Bound::Inclusive => so_far,
                    Bound::Exclusive => before,
                }
            })
            .collect();
        (out, so_far)
    }

    fn check(device: &Device, operator: Operator, bound: Bound, rows: usize, words: &[u32]) {
        let input = device.upload("input", words).unwrap();
        let output = device.alloc("output", words.len()).unwrap();
        let totals = scan(device, operator, bound, rows, input.all(), output.all()).unwrap();
        let len = words.len() / rows;
        let (out, all): (Vec<_>, Vec<_>) = words
            .chunks_exact(len)
            .map(|row| expected(operator, bound, row))
            .unzip();
        let what = format!("{operator:?} {bound:?}, {rows} rows of {len}");
        assert!(device.download(&output).unwrap() == out.concat(), "{what}");
        assert_eq!(device.download(&totals).unwrap(), all, "{what}");
        // In place.
        scan(device, operator, bound, rows, input.all(), input.all()).unwrap();
        assert!(
            device.download(&input).unwrap() == out.concat(),
            "{what}, in place"
        );
    }

    const ALL: [(Operator, Bound); 6] = [
        (Operator::Sum, Bound::Inclusive),
        (Operator::Sum, Bound::Exclusive),
        (Operator::Last, Bound::Inclusive),
        (Operator::Last, Bound::Exclusive),
        (Operator::Max, Bound::Inclusive),
        (Operator::Max, Bound::Exclusive),
    ];

    #[test]
    fn scans_of_one_row_are_those_of_a_loop() {
        let Some(device) = device() else { return };
        let mut rng = Rng::new(1);
        for len in LENGTHS {
            // Mostly zero, so that the last word that is not lies tiles back.
            let rare = 1 + len as u32 / 3;
            let words: Vec<u32> = (0..len)
                .map(|_| {
                    if rng.word().is_multiple_of(rare) {
                        rng.word()
                    } else {
                        0
                    }
                })
                .collect();
            let dense: Vec<u32> = (0..len).map(|_| rng.word()).collect();
            for (operator, bound) in ALL {
                if len <= 4097 || bound == Bound::Exclusive {
                    check(&device, operator, bound, 1, &words);
                    check(&device, operator, bound, 1, &dense);
                }
            }
        }
    }

    #[test]
    fn rows_are_scanned_apart() {
        let Some(device) = device() else { return };
        let mut rng = Rng::new(2);
        for (rows, len) in [
            (1, 1),
            (2, 1),
            (32, 1),
            (32, 31),
            (32, 4096),
            (32, 4097),
            (3, 12_289),
            (700, 5),
        ] {
            let words: Vec<u32> = (0..rows * len)
                .map(|_| {
                    if rng.word().is_multiple_of(64) {
                        rng.word()
                    } else {
                        0
                    }
                })
                .collect();
            for (operator, bound) in ALL {
                check(&device, operator, bound, rows, &words);
            }
        }
    }

    #[test]
    fn scans_of_nothing_are_nothing() {
        let Some(device) = device() else { return };
        let empty = device.alloc::<u32>("nothing", 0).unwrap();
        let totals = scan(
            &device,
            Operator::Sum,
            Bound::Inclusive,
            3,
            empty.all(),
            empty.all(),
        );
        assert_eq!(device.download(&totals.unwrap()).unwrap(), [0; 3]);
        let flags = device.alloc::<u8>("nothing", 0).unwrap();
        let count = compact(&device, flags.all(), 1, empty.all()).unwrap();
        assert_eq!(device.download(&count).unwrap(), [0]);
    }

    fn check_compact(device: &Device, flags: &[u8], mask: u8) {
        let on_device = device.upload("flags", flags).unwrap();
        let expected: Vec<u32> = (0..flags.len() as u32)
            .filter(|&i| flags[i as usize] & mask != 0)
            .collect();
        for room in [flags.len(), expected.len(), expected.len() / 2] {
            let indices = device.alloc::<u32>("indices", room).unwrap();
            let count = compact(device, on_device.all(), mask, indices.all()).unwrap();
            assert_eq!(device.download(&count).unwrap(), [expected.len() as u32]);
            let got = device.download(&indices).unwrap();
            let written = room.min(expected.len());
            assert!(
                got[..written] == expected[..written],
                "{} flags, mask {mask}",
                flags.len()
            );
        }
    }

    #[test]
    fn compaction_finds_the_set_flags() {
        let Some(device) = device() else { return };
        let mut rng = Rng::new(3);
        for len in [1, 15, 16, 17].into_iter().chain(LENGTHS) {
            let random: Vec<u8> = (0..len).map(|_| rng.word() as u8).collect();
            check_compact(&device, &random, 1);
            check_compact(&device, &random, 0x86);
            check_compact(&device, &vec![2; len], 2);
            check_compact(&device, &vec![2; len], 1);
            let mut one = vec![0; len];
            one[len - 1] = 0xff;
            check_compact(&device, &one, 0x80);
        }
    }
}
