//! Rows: the words of cycles, from a minimal trace or from records.

use super::program::DeviceProgram;
use super::status;
use crate::Result;
use crate::backend::cuda::device::{Buffer, Device, View};
use crate::backend::cuda::launch::{Kernel, Shape};
use crate::segment::{Checkpoint, Reads, Segment};
use crate::ship::Record;

/// Threads of a block that replays or walks chunks.
const LANES: u32 = 64;
const THREADS: u32 = 256;
/// Fields of a row: those of a record, and the memory word after the access.
pub(super) const FIELDS: usize = 10;
/// Field of the memory word before the access.
pub(super) const FIELD_OLD: usize = 3;
/// Field of the memory word after it.
pub(super) const FIELD_AFTER: usize = 9;
/// Words of a checkpoint: state, first value.
pub(super) const CHECKPOINT_WORDS: usize = 41;
/// Words of a machine state.
pub(super) const STATE_WORDS: usize = 40;
/// Words of a record.
const RECORD_WORDS: usize = 9;
/// Base-2 logarithm of the records that a thread walks.
const LOG_WALK: u32 = 6;
/// Fewest rows that fields have room for.
const MIN_STRIDE: usize = 32;

const REPLAY_CHUNKS: Kernel = Kernel::new("replay", "replay_chunks");
const RECORDS_SPLIT: Kernel = Kernel::new("records", "records_split");
const RECORDS_WALK: Kernel = Kernel::new("records", "records_walk");

/// A minimal trace on the device.
///
/// The words of `checkpoints` are `[chunks + 1][41]`: each checkpoint's state and first value, and at
/// last the segment's end state and the number of values.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadsView<'a> {
    pub(super) log_chunk: u32,
    pub(super) checkpoints: View<'a, u32>,
    pub(super) words: View<'a, u32>,
}

/// A minimal trace that stays on the device.
#[derive(Debug)]
pub struct DeviceReads {
    log_chunk: u32,
    checkpoints: Buffer<u32>,
    words: Buffer<u32>,
}

impl DeviceReads {
    /// Uploads a minimal trace that fits `segment`.
    ///
    /// # Errors
    /// [`Error::Replay`](crate::Error::Replay) if it does not fit, and those of memory.
    pub fn new(device: &Device, segment: &Segment, reads: &Reads) -> Result<Self> {
        crate::witness::check_segment(segment)?;
        crate::witness::check_reads(segment, reads)?;
        let mut words = Vec::with_capacity((reads.checkpoints.len() + 1) * CHECKPOINT_WORDS);
        let last = Checkpoint {
            state: segment.end,
            first_word: reads.words.len() as u32,
        };
        for Checkpoint { state, first_word } in reads.checkpoints.iter().chain([&last]) {
            words.extend_from_slice(bytemuck::cast_slice(std::slice::from_ref(state)));
            words.push(*first_word);
        }
        Ok(Self {
            log_chunk: reads.log_chunk,
            checkpoints: device.upload("checkpoints", &words)?,
            words: device.upload("values read", &reads.words)?,
        })
    }

    pub(super) fn view(&self) -> ReadsView<'_> {
        ReadsView {
            log_chunk: self.log_chunk,
            checkpoints: self.checkpoints.all(),
            words: self.words.all(),
        }
    }

    /// Size in bytes.
    pub fn num_bytes(&self) -> u64 {
        4 * (self.checkpoints.len() + self.words.len()) as u64
    }
}

/// Times of each chunk's first and last access of each register: `[32][chunks]`.
#[derive(Debug)]
pub(super) struct Touched {
    pub(super) num_chunks: usize,
    pub(super) first: Buffer<u32>,
    pub(super) last: Buffer<u32>,
}

impl Touched {
    fn new(device: &Device, num_chunks: usize) -> Result<Self> {
        Ok(Self {
            num_chunks,
            first: device.alloc("first register accesses", 32 * num_chunks)?,
            last: device.alloc("last register accesses", 32 * num_chunks)?,
        })
    }
}

/// The rows of a segment as their fields.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) num_cycles: usize,
    /// Room for rows in each field: at least the height of the CPU table.
    pub(super) stride: usize,
    /// `[FIELDS][stride]`.
    pub(super) fields: Buffer<u32>,
    /// `[stride]`: number of the memory word accessed, or `NO_WORD`.
    pub(super) accessed: Buffer<u32>,
    pub(super) touched: Touched,
    /// See `STATUS_ERROR` of the kernels.
    pub(super) status: Buffer<u32>,
}

impl Rows {
    fn new(device: &Device, segment: &Segment, num_chunks: usize) -> Result<Self> {
        let stride = (1 << segment.log_cycles).max(MIN_STRIDE);
        Ok(Self {
            num_cycles: segment.num_cycles as usize,
            stride,
            fields: device.alloc("rows", FIELDS * stride)?,
            accessed: device.alloc("words accessed", stride)?,
            touched: Touched::new(device, num_chunks)?,
            status: status::new(device)?,
        })
    }
}

/// Bytes that [`Rows`] take.
pub(super) fn rows_bytes(log_cycles: u32, num_chunks: usize) -> u64 {
    let stride = (1usize << log_cycles).max(MIN_STRIDE);
    4 * ((FIELDS + 1) * stride + 64 * num_chunks) as u64
}

/// Chunks of a trace of records.
pub(super) fn num_walks(num_cycles: usize) -> usize {
    num_cycles.div_ceil(1 << LOG_WALK)
}

/// Replays a minimal trace that fits `segment`; errors go to the status.
pub(super) fn replay(
    device: &Device,
    program: &DeviceProgram,
    segment: &Segment,
    reads: ReadsView<'_>,
) -> Result<Rows> {
    let num_chunks = reads.checkpoints.len() / CHECKPOINT_WORDS - 1;
    let rows = Rows::new(device, segment, num_chunks)?;
    assert_eq!(
        (rows.num_cycles).div_ceil(1 << reads.log_chunk),
        num_chunks,
        "a checkpoint for each chunk"
    );
    // SAFETY: one checkpoint more than chunks, whose first values ascend to the number of words;
    // fields and times have room for all rows and chunks; rows are no more than the stride.
    unsafe {
        device.launch(
            REPLAY_CHUNKS,
            Shape::linear(num_chunks, LANES),
            (
                program.code(),
                reads.checkpoints.ptr(),
                reads.words.ptr(),
                num_chunks as u32,
                reads.log_chunk,
                rows.num_cycles as u32,
                rows.stride as u32,
                rows.fields.ptr(),
                rows.accessed.ptr(),
                rows.touched.first.ptr(),
                rows.touched.last.ptr(),
                rows.status.ptr(),
            ),
        )?;
    }
    Ok(rows)
}

/// Takes records apart; errors go to the status.
pub(super) fn split(
    device: &Device,
    program: &DeviceProgram,
    segment: &Segment,
    records: &Buffer<Record>,
) -> Result<Rows> {
    const { assert!(size_of::<Record>() == 4 * RECORD_WORDS) };
    assert_eq!(
        records.len(),
        segment.num_cycles as usize,
        "a record for each cycle"
    );
    let num_chunks = num_walks(records.len());
    let rows = Rows::new(device, segment, num_chunks)?;
    // SAFETY: as many records as cycles, no more than the stride.
    unsafe {
        device.launch(
            RECORDS_SPLIT,
            Shape::linear(records.len(), THREADS),
            (
                program.code(),
                records.ptr(),
                rows.num_cycles as u32,
                rows.fields.ptr(),
                rows.stride as u32,
                rows.accessed.ptr(),
                rows.status.ptr(),
            ),
        )?;
    }
    // SAFETY: as above; times have room for all chunks.
    unsafe {
        device.launch(
            RECORDS_WALK,
            Shape::linear(num_chunks, LANES),
            (
                program.code(),
                records.ptr(),
                num_chunks as u32,
                LOG_WALK,
                rows.num_cycles as u32,
                rows.fields.ptr(),
                rows.stride as u32,
                rows.touched.first.ptr(),
                rows.touched.last.ptr(),
            ),
        )?;
    }
    Ok(rows)
}
