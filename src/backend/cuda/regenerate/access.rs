//! Accesses joined over a segment, and what is left to check of records.

use super::program::DeviceProgram;
use super::replay::{FIELD_AFTER, FIELD_OLD, Rows, STATE_WORDS};
use crate::Result;
use crate::backend::cuda::device::{Buffer, Device};
use crate::backend::cuda::launch::{Kernel, Shape};
use crate::backend::cuda::scan::{Bound, Operator, scan};
use crate::backend::cuda::sort::{Sorted, Values, sort_pairs};
use crate::ship::Record;
use crate::witness::ReplayError;
use crate::witness::layout::{MIN_ROWS, boundary};

const THREADS: u32 = 256;
const LANES: u32 = 64;
/// Bits of the number of a word, and one that says that there is none.
const WORD_BITS: u32 = 31;

const ACCESS_FIX: Kernel = Kernel::new("access", "access_fix");
const ACCESS_LINK: Kernel = Kernel::new("access", "access_link");
const ACCESS_SCAN: Kernel = Kernel::new("access", "access_scan");
const ACCESS_BOUNDARY: Kernel = Kernel::new("access", "access_boundary");
const RECORDS_COMPARE: Kernel = Kernel::new("records", "records_compare");
const RECORDS_ENDS: Kernel = Kernel::new("records", "records_ends");

/// The accesses of a whole segment, in order of address and time.
#[derive(Debug)]
pub(super) struct Joined {
    /// Words accessed and the rows that do, by word, then row; rows without an access last.
    by_word: Sorted<u32>,
    /// Per block of 256 of those, how many words start before it.
    heads: Buffer<u32>,
    /// Time of each register's first access in the segment; 0 if there is none.
    register_first: Buffer<u32>,
    /// Time of its last.
    register_last: Buffer<u32>,
}

/// Completes the gaps of `rows`; whether every word is found as it was left goes to the status.
pub(super) fn join(device: &Device, rows: &Rows) -> Result<Joined> {
    let (register_first, register_last) = join_registers(device, rows)?;
    let accessed = rows.accessed.view(0..rows.num_cycles);
    let by_word = sort_pairs(device, accessed, Values::Indices, 0..WORD_BITS)?;
    let shape = Shape::linear(rows.num_cycles, THREADS);
    let heads = device.alloc("words by block", shape.blocks[0] as usize)?;
    // SAFETY: as many sorted pairs as rows; a count for each block.
    unsafe {
        device.launch(
            ACCESS_LINK,
            shape,
            (
                by_word.keys.ptr(),
                by_word.values.ptr(),
                rows.num_cycles as u32,
                rows.fields.ptr(),
                rows.stride as u32,
                (rows.num_cycles as u32).wrapping_sub(1),
                heads.ptr(),
                rows.status.ptr(),
            ),
        )?;
    }
    // SAFETY: as many counts as said.
    unsafe {
        device.launch(
            ACCESS_SCAN,
            Shape::linear(1, THREADS),
            (heads.ptr(), heads.len() as u32, rows.status.ptr()),
        )?;
    }
    Ok(Joined {
        by_word,
        heads,
        register_first,
        register_last,
    })
}

/// Corrects the register gaps of each chunk's first accesses; returns the segment's first and last.
fn join_registers(device: &Device, rows: &Rows) -> Result<(Buffer<u32>, Buffer<u32>)> {
    let touched = &rows.touched;
    // Each chunk's last access becomes the last one before it: times ascend, so that is the maximum.
    let times = touched.last.all();
    let register_last = scan(device, Operator::Max, Bound::Exclusive, 32, times, times)?;
    let register_first = device.zeros("first register accesses", 32)?;
    let shape = Shape {
        blocks: [touched.num_chunks.div_ceil(THREADS as usize) as u32, 32, 1],
        threads: THREADS,
        shared_bytes: 0,
    };
    // SAFETY: 32 rows of chunks; first accesses are of rows that the fields have.
    unsafe {
        device.launch(
            ACCESS_FIX,
            shape,
            (
                touched.first.ptr(),
                times.ptr(),
                touched.num_chunks as u32,
                rows.fields.ptr(),
                rows.stride as u32,
                register_first.ptr(),
            ),
        )?;
    }
    Ok((register_first, register_last))
}

/// Height of a boundary table with `num_words` words.
pub(super) fn boundary_height(num_words: usize) -> usize {
    (num_words + 32).next_power_of_two().max(MIN_ROWS)
}

/// Where counters of lookups are: `[shards][..]`.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) shards: u32,
    /// `[shards][3][2^16]`.
    pub(super) range: Buffer<u32>,
    /// `[shards][instructions]`.
    pub(super) executed: Buffer<u32>,
}

impl Joined {
    /// The boundary table, counting its lookups: `[boundary::WIDTH][height]`, with the height that the
    /// number of words in the status gives.
    ///
    /// - `states`: `[2][STATE_WORDS]`, the segment's start and end.
    /// - `max_words`: at least as many as there are.
    pub(super) fn boundary(
        &self,
        device: &Device,
        rows: &Rows,
        states: &Buffer<u32>,
        max_words: usize,
        counters: &Counters,
    ) -> Result<Buffer<u32>> {
        assert_eq!(states.len(), 2 * STATE_WORDS, "start and end");
        let max_height = boundary_height(max_words);
        let table = device.alloc("boundary table", boundary::WIDTH * max_height)?;
        // SAFETY: sorted pairs, counts and fields are of all rows; the table has room for the most
        // words there can be.
        unsafe {
            device.launch(
                ACCESS_BOUNDARY,
                Shape::linear(rows.num_cycles.max(max_height), THREADS),
                (
                    self.by_word.keys.ptr(),
                    self.by_word.values.ptr(),
                    rows.num_cycles as u32,
                    self.heads.ptr(),
                    rows.fields.ptr(),
                    rows.stride as u32,
                    states.ptr(),
                    self.register_last.ptr(),
                    max_height as u32,
                    table.ptr(),
                    counters.range.ptr(),
                    counters.shards,
                    rows.status.ptr(),
                ),
            )?;
        }
        Ok(table)
    }

    /// Checks what only records can have wrong: their gaps, and the states they start and end in.
    /// Differences go to the status.
    pub(super) fn check_records(
        &self,
        device: &Device,
        program: &DeviceProgram,
        rows: &Rows,
        records: &Buffer<Record>,
        states: &Buffer<u32>,
    ) -> Result<()> {
        assert_eq!(records.len(), rows.num_cycles, "a record for each cycle");
        assert!(rows.num_cycles > 0, "a segment with cycles");
        // SAFETY: records, fields and words are of all rows.
        unsafe {
            device.launch(
                RECORDS_COMPARE,
                Shape::linear(rows.num_cycles, THREADS),
                (
                    records.ptr(),
                    rows.num_cycles as u32,
                    rows.fields.ptr(),
                    rows.stride as u32,
                    rows.accessed.ptr(),
                    rows.status.ptr(),
                ),
            )?;
        }
        // SAFETY: two states; times of 32 registers, of rows that the fields have.
        unsafe {
            device.launch(
                RECORDS_ENDS,
                Shape::linear(1, LANES),
                (
                    program.code(),
                    rows.fields.ptr(),
                    rows.stride as u32,
                    rows.num_cycles as u32,
                    states.ptr(),
                    self.register_first.ptr(),
                    self.register_last.ptr(),
                    rows.status.ptr(),
                ),
            )
        }
    }

    /// The error for row `row`, which finds the word at `addr` with another value than it was left
    /// with. Downloads the sorted accesses: only for errors.
    pub(super) fn explain(
        &self,
        device: &Device,
        rows: &Rows,
        row: u32,
        addr: u32,
    ) -> Result<ReplayError> {
        let order = device.download(&self.by_word.values)?;
        let words = device.download(&self.by_word.keys)?;
        let at = (0..order.len())
            .find(|i| order[*i] == row && words[*i] == addr >> 2)
            .filter(|at| *at > 0);
        let value = |field: usize, row: u32| -> Result<u32> {
            let mut one = [0];
            let start = field * rows.stride + row as usize;
            device.download_into(rows.fields.view(start..start + 1), &mut one)?;
            Ok(one[0])
        };
        let found = value(FIELD_OLD, row)?;
        let left = match at {
            Some(at) => value(FIELD_AFTER, order[at - 1])?,
            None => found,
        };
        Ok(ReplayError::Inconsistent {
            row,
            addr,
            found,
            left,
        })
    }
}
