//! The tables of a witness, from rows.

use super::access::{Counters, Joined, boundary_height};
use super::parts::Parts;
use super::program::DeviceProgram;
use super::replay::Rows;
use super::status::{RowError, STATUS_WORDS, Status};
use crate::backend::cuda::device::{Buffer, Device};
use crate::backend::cuda::launch::{Kernel, Shape};
use crate::backend::cuda::table::{DeviceMatrix, DeviceWitness};
use crate::segment::Segment;
use crate::ship::Record;
use crate::witness::layout::{MIN_ROWS, WIDTH, boundary, range};
use crate::witness::public_values;
use crate::{Error, Result};

const THREADS: u32 = 256;
const RANGE_ROWS: usize = 1 << range::LOG_ROWS;
/// Counters of a shard.
const COUNTERS: usize = range::WIDTH * RANGE_ROWS;
/// Rows for which there is a shard of counters of its own, as long as there are not many.
const LOG_ROWS_PER_SHARD: u32 = 15;
const MAX_LOG_SHARDS: u32 = 4;

const FILL_ROWS: Kernel = Kernel::new("fill", "fill_rows");
const COUNTS_SUM: Kernel = Kernel::new("counts", "counts_sum");
const COUNTS_RANGE: Kernel = Kernel::new("counts", "counts_range");

/// Base-2 logarithm of the copies of each counter: blocks share copies, so that frequent values are
/// not waited for. 16 copies take 12.6 MB, which stays in the cache of a data centre's GPU.
fn log_shards(log_cycles: u32) -> u32 {
    log_cycles
        .saturating_sub(LOG_ROWS_PER_SHARD)
        .min(MAX_LOG_SHARDS)
}

/// Bytes that counters take.
pub(super) fn counter_bytes(log_cycles: u32, num_ops: usize) -> u64 {
    (4 * (COUNTERS + num_ops) as u64) << log_shards(log_cycles)
}

/// Height of the program table.
pub(super) fn program_height(num_ops: usize) -> usize {
    num_ops.next_power_of_two().max(MIN_ROWS)
}

/// Fills all tables of a segment from its complete rows, checks what was reported on the way, and
/// waits.
///
/// - `states`: `[2][STATE_WORDS]`, the segment's start and end.
/// - `max_words`: at least as many memory words as the segment touches.
///
/// # Errors
/// [`Error::Replay`] for the first row that has an error, those of memory, and [`Error::Device`].
#[expect(
    clippy::too_many_arguments,
    reason = "everything before the tables is its input"
)]
pub(super) fn tables(
    device: &Device,
    program: &DeviceProgram,
    segment: &Segment,
    rows: &Rows,
    joined: &Joined,
    states: &Buffer<u32>,
    max_words: usize,
    parts: &mut Parts,
) -> Result<DeviceWitness> {
    let height = 1usize << segment.log_cycles;
    let num_ops = program.num_ops();
    let shards = 1u32 << log_shards(segment.log_cycles);
    let counters = Counters {
        shards,
        range: device.zeros("counters of lookups", shards as usize * COUNTERS)?,
        executed: device.zeros("counters of instructions", shards as usize * num_ops)?,
    };
    let cpu = fill(device, program, segment, rows, &counters)?;
    parts.end("fill")?;
    let boundary = joined.boundary(device, rows, states, max_words, &counters)?;
    let (range_table, program_table) = sum(device, height, num_ops, rows, &counters)?;
    parts.end("counts")?;

    let mut status = [0; STATUS_WORDS];
    device.download_into(rows.status.all(), &mut status)?;
    let status = Status(status);
    if let Some(error) = status.row_error() {
        return Err(Error::Replay(match error {
            RowError::Replay(error) => error.to_string(),
            RowError::Inconsistent { row, addr } => {
                joined.explain(device, rows, row, addr)?.to_string()
            }
            RowError::BadRecord { row } => {
                format!("row {row}: the record is not of this program")
            }
            RowError::Gaps { row } => {
                format!("row {row}: the record's gaps are not those of its accesses")
            }
        }));
    }
    status.check_ends()?;
    let last = Record {
        op: status.last_op(),
        ..Record::default()
    };
    Ok(DeviceWitness {
        cpu,
        boundary: DeviceMatrix::new(
            boundary::WIDTH,
            boundary_height(status.num_words()),
            boundary,
        ),
        program: program_table,
        range: range_table,
        public: public_values(segment, Some(&last).filter(|_| segment.num_cycles > 0)),
    })
}

/// The CPU table, counting its lookups.
fn fill(
    device: &Device,
    program: &DeviceProgram,
    segment: &Segment,
    rows: &Rows,
    counters: &Counters,
) -> Result<DeviceMatrix> {
    let height = 1usize << segment.log_cycles;
    let words = device.alloc("CPU table", WIDTH * height)?;
    assert!(
        rows.num_cycles <= height && height <= rows.stride,
        "rows fit the table, and fields have room for them"
    );
    // SAFETY: the table has as many rows as said, and the fields at least; there are as many shards
    // of counters as said.
    unsafe {
        device.launch(
            FILL_ROWS,
            Shape::linear(height, THREADS),
            (
                program.code(),
                rows.fields.ptr(),
                rows.stride as u32,
                rows.num_cycles as u32,
                segment.end.pc,
                height as u32,
                words.ptr(),
                counters.range.ptr(),
                counters.executed.ptr(),
                counters.shards,
            ),
        )?;
    }
    Ok(DeviceMatrix::new(WIDTH, height, words))
}

/// The range and the program table.
fn sum(
    device: &Device,
    cpu_rows: usize,
    num_ops: usize,
    rows: &Rows,
    counters: &Counters,
) -> Result<(DeviceMatrix, DeviceMatrix)> {
    let padded_ops = program_height(num_ops);
    let program = device.alloc("program table", padded_ops)?;
    let totals = device.zeros::<u32>("totals of lookups", range::WIDTH)?;
    // SAFETY: there are as many shards as said, and the program table is as high as said.
    unsafe {
        device.launch(
            COUNTS_SUM,
            Shape::linear(COUNTERS + padded_ops, THREADS),
            (
                counters.range.ptr(),
                counters.executed.ptr(),
                counters.shards,
                num_ops as u32,
                padded_ops as u32,
                program.ptr(),
                totals.ptr(),
            ),
        )?;
    }
    let table = device.alloc("range table", COUNTERS)?;
    // SAFETY: three totals; counters and table are of all values.
    unsafe {
        device.launch(
            COUNTS_RANGE,
            Shape::linear(RANGE_ROWS, THREADS),
            (
                counters.range.ptr(),
                totals.ptr(),
                cpu_rows as u32,
                rows.status.ptr(),
                table.ptr(),
            ),
        )?;
    }
    Ok((
        DeviceMatrix::new(range::WIDTH, RANGE_ROWS, table),
        DeviceMatrix::new(1, padded_ops, program),
    ))
}
