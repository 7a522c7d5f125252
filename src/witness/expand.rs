//! From minimal traces to records, and from records to tables.

use std::sync::Mutex;

use rayon::prelude::*;

use super::access::{Accesses, Boundary, Joined};
use super::counts::Counts;
use super::fill::{BadRecord, Filler};
use super::layout::{Class, MAX_LOG_ROWS, WIDTH, boundary, range};
use super::replay::{ReplayError, replay};
use super::store::{self, BLOCK_ROWS};
use super::{Matrix, Witness, public_values};
use crate::memory::zeroed_vec;
use crate::segment::{Reads, Segment};
use crate::ship::{ROW_KIND_SHIFT, Record, RowKind};
use crate::vm::{Kind, MachineState, Program, SYS_READ, SYS_WRITE, load_value};
use crate::{Error, Result};

/// Rows that one task fills at a time.
const TASK_ROWS: usize = 1 << 13;
const _: () = assert!(TASK_ROWS.is_multiple_of(BLOCK_ROWS));

/// A segment as records, with its memory boundary: what filling the tables needs.
pub struct Records {
    pub(super) records: Vec<Record>,
    pub(super) boundary: Boundary,
}

impl Records {
    /// One record per cycle.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What the segment's system calls did, one message per `ecall`, setup and move cycle, as the
    /// CPU table sends them: row, kind, limbs of both operands and of the result, bytes left.
    pub fn system_calls(&self, program: &Program) -> Vec<Vec<u32>> {
        let mut log = Vec::new();
        for (row, record) in (0..).zip(&self.records) {
            let kind = record.op >> ROW_KIND_SHIFT;
            let op = program.ops()[(record.op & ((1 << ROW_KIND_SHIFT) - 1)) as usize];
            let (mut b, mut result, mut left) = (record.b, 0, record.rd_old);
            let addr = record.a.wrapping_add(record.gap[0]);
            let kind = match kind {
                0 if op.kind == Kind::Ecall => {
                    let transfers = record.a == SYS_READ || record.a == SYS_WRITE;
                    (result, left) = (record.old, if transfers { record.old } else { 0 });
                    Class::Ecall as u32
                }
                0 => continue,
                k if k == RowKind::Setup as u32 => 32,
                k if k == RowKind::MoveInByte as u32 => Class::Sb as u32,
                k if k == RowKind::MoveInWord as u32 => Class::Sw as u32,
                k if k == RowKind::MoveOutByte as u32 => {
                    (b, result) = (record.old, load_value(Kind::Lbu, addr, record.old));
                    Class::Lb as u32
                }
                _ => {
                    (b, result) = (record.old, record.old);
                    Class::Lw as u32
                }
            };
            let limbs = [record.a, b, result].map(|v| [v & 0xffff, v >> 16]);
            let mut fields = vec![row, kind];
            fields.extend(limbs.as_flattened());
            fields.push(left);
            log.push(fields);
        }
        log
    }

    /// The records alone.
    pub fn into_records(self) -> Vec<Record> {
        self.records
    }
}

/// Splits `0..count` into at most one contiguous part per thread of the current pool.
pub(super) fn parts(count: usize) -> Vec<std::ops::Range<usize>> {
    let parts = rayon::current_num_threads().min(count).max(1);
    let at = |i: usize| count * i / parts;
    (0..parts).map(|i| at(i)..at(i + 1)).collect()
}

/// Replays a minimal trace in parallel.
///
/// Every chunk must end in the next chunk's checkpoint and the last one in the segment's end state,
/// and every word must be read as it was last written.
///
/// Cost: one pass over the cycles; memory 36 bytes a cycle, 12 a word touched, 4 MiB a thread.
///
/// # Errors
/// [`Error::Replay`] if the minimal trace is not one of `program` over `segment`.
pub fn replay_reads(program: &Program, segment: &Segment, reads: &Reads) -> Result<Records> {
    check_segment(segment)?;
    check_reads(segment, reads)?;
    let mut records = zeroed_vec::<Record>(segment.num_cycles as usize)?;
    let tasks = split_chunks(segment, reads, &mut records, 1, segment.num_cycles as usize);
    let accesses: Vec<Result<Accesses, ReplayError>> = tasks
        .into_par_iter()
        .map(|(chunks, part)| {
            let mut slots = part.iter_mut();
            replay(program, segment, reads, chunks, |_, record| {
                *slots.next().ok_or(BadRecord)? = *record;
                Ok(())
            })
        })
        .collect();
    let joined = join(accesses, |row, slot, gap| {
        records[row as usize].gap[slot as usize] = gap;
    })?;
    Ok(Records {
        records,
        boundary: joined.boundary(&segment.start, &segment.end),
    })
}

/// What a thread that fills rows returns: accesses, counts, and the segment's last record if it is
/// among its rows.
type Part = (Accesses, Counts, Option<Record>);

/// Chunks, and the part of a table that their rows fill.
type Task<'a, T> = (std::ops::Range<usize>, &'a mut [T]);

/// Splits the chunks of `reads` and a table of `num_rows` rows of `width` cells among threads; the
/// last part has the rows after the last cycle, too.
fn split_chunks<'a, T>(
    segment: &Segment,
    reads: &Reads,
    mut table: &'a mut [T],
    width: usize,
    num_rows: usize,
) -> Vec<Task<'a, T>> {
    let num_chunks = reads.checkpoints.len();
    let mut tasks = Vec::new();
    for chunks in parts(num_chunks) {
        let first = chunks.start << reads.log_chunk;
        let end = if chunks.end == num_chunks {
            num_rows
        } else {
            chunks.end << reads.log_chunk
        };
        let (part, rest) = table.split_at_mut((end - first) * width);
        table = rest;
        tasks.push((chunks, part));
    }
    debug_assert!(segment.num_cycles as usize <= num_rows && table.is_empty());
    tasks
}

/// Checks what replaying relies on: checkpoints for every chunk, with values in order.
pub(crate) fn check_reads(segment: &Segment, reads: &Reads) -> Result<()> {
    let num_chunks = if reads.log_chunk < 32 {
        (segment.num_cycles as usize).div_ceil(1 << reads.log_chunk)
    } else {
        0
    };
    let words = reads.words.len();
    let ascending = reads.checkpoints.is_sorted_by_key(|c| c.first_word)
        && reads
            .checkpoints
            .iter()
            .all(|c| c.first_word as usize <= words);
    let starts = reads
        .checkpoints
        .first()
        .is_some_and(|c| c.state == segment.start);
    if num_chunks == 0 || reads.checkpoints.len() != num_chunks || !ascending || !starts {
        return Err(Error::Replay(
            "the minimal trace does not fit the segment".into(),
        ));
    }
    Ok(())
}

/// Regenerates a witness from a minimal trace in one pass: each thread replays its chunks and fills
/// their rows while they are in cache.
///
/// The same as [`replay_reads`] and then [`fill_tables`], without the records in between.
///
/// - `cpu`: memory of an earlier witness to reuse for the CPU table, or an empty vector.
///
/// # Errors
/// [`Error::Replay`] if the minimal trace is not one of `program` over `segment`.
pub fn fill_from_reads(
    program: &Program,
    segment: &Segment,
    reads: &Reads,
    cpu: Vec<u32>,
) -> Result<Witness> {
    check_segment(segment)?;
    check_reads(segment, reads)?;
    let rows = 1usize << segment.log_cycles;
    let filler = Filler::new(program);
    let mut cpu = store::words(rows * WIDTH, cpu)?;
    let tasks = split_chunks(segment, reads, &mut cpu, WIDTH, rows);
    let done: Vec<Result<Part, ReplayError>> = tasks
        .into_par_iter()
        .map(|(chunks, part)| {
            let counts = Counts::new(program.ops().len());
            let first_row = chunks.start << reads.log_chunk;
            let mut writer = RowWriter::new(&filler, part, first_row as u32, counts);
            let mut last = None;
            let last_row = segment.num_cycles - 1;
            let accesses = replay(program, segment, reads, chunks, |row, record| {
                if row == last_row {
                    last = Some(*record);
                }
                writer.push(record)
            })?;
            Ok((accesses, writer.finish(segment.end.pc), last))
        })
        .collect();

    let mut accesses = Vec::new();
    let mut all_counts: Option<Counts> = None;
    let mut last = None;
    for part in done {
        let (part, counts, record) = part.map_err(|e| Error::Replay(e.to_string()))?;
        accesses.push(Ok(part));
        last = record.or(last);
        match &mut all_counts {
            None => all_counts = Some(counts),
            Some(all) => all.merge(&counts),
        }
    }
    let mut counts = all_counts.unwrap_or_else(|| Counts::new(program.ops().len()));
    let joined = join(accesses, |row, slot, gap| {
        let cells = &mut cpu[row as usize * WIDTH..][..WIDTH];
        counts.move_gap(cells, slot as usize, gap);
    })?;
    let boundary = joined.boundary(&segment.start, &segment.end);
    Ok(assemble(segment, cpu, counts, &boundary, last.as_ref()))
}

pub(crate) fn check_segment(segment: &Segment) -> Result<()> {
    if segment.log_cycles > MAX_LOG_ROWS || segment.num_cycles > 1 << segment.log_cycles {
        return Err(Error::Replay(format!(
            "a segment has at most 2^{MAX_LOG_ROWS} cycles, this one {} of 2^{}",
            segment.num_cycles, segment.log_cycles
        )));
    }
    Ok(())
}

/// Joins the parts of a segment; see [`Joined::append`] for `fix`.
pub(super) fn join(
    parts: Vec<Result<Accesses, ReplayError>>,
    mut fix: impl FnMut(u32, u32, u32),
) -> Result<Joined> {
    let replay = |e: ReplayError| Error::Replay(e.to_string());
    let mut parts = parts.into_iter();
    let first = parts
        .next()
        .unwrap_or_else(|| Ok(Accesses::new()))
        .map_err(replay)?;
    let mut joined = Joined::new(first);
    for part in parts {
        joined
            .append(part.map_err(replay)?, &mut fix)
            .map_err(|e| replay(e.into()))?;
    }
    Ok(joined)
}

/// Fills all tables of a segment's witness from its records, in parallel.
///
/// - `cpu`: memory of an earlier witness to reuse for the CPU table, or an empty vector.
///
/// Cost: one pass over the rows; writes `WIDTH · 4` bytes a row.
///
/// # Errors
/// [`Error::Replay`] if a record is not of `program`.
pub fn fill_tables(
    program: &Program,
    segment: &Segment,
    records: &Records,
    cpu: Vec<u32>,
) -> Result<Witness> {
    let rows = 1usize << segment.log_cycles;
    let filler = Filler::new(program);
    let mut cpu = store::words(rows * WIDTH, cpu)?;
    let spare: Mutex<Vec<Counts>> = Mutex::default();
    let task_rows = TASK_ROWS.min(rows);
    cpu.par_chunks_mut(task_rows * WIDTH)
        .enumerate()
        .try_for_each(|(task, out)| {
            let counts = spare
                .lock()
                .map_or(None, |mut spare| spare.pop())
                .unwrap_or_else(|| Counts::new(program.ops().len()));
            let first = task * task_rows;
            let end = (first + task_rows).min(records.records.len());
            let mut writer = RowWriter::new(&filler, out, first as u32, counts);
            for (row, record) in (first..).zip(records.records.get(first..end).unwrap_or_default())
            {
                writer.push(record).map_err(|BadRecord| {
                    Error::Replay(format!("row {row}: the record is not of this program"))
                })?;
            }
            let counts = writer.finish(segment.end.pc);
            if let Ok(mut spare) = spare.lock() {
                spare.push(counts);
            }
            Ok::<_, Error>(())
        })?;

    let mut all = spare
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .into_iter();
    let mut counts = all
        .next()
        .unwrap_or_else(|| Counts::new(program.ops().len()));
    for part in all {
        counts.merge(&part);
    }
    let last = records.records.last();
    Ok(assemble(segment, cpu, counts, &records.boundary, last))
}

/// A witness from its CPU table, the counts of that table's lookups, the memory boundary, and the
/// segment's last record.
fn assemble(
    segment: &Segment,
    cpu: Vec<u32>,
    mut counts: Counts,
    boundary: &Boundary,
    last: Option<&Record>,
) -> Witness {
    let boundary = boundary.table(&mut counts);
    let (range, program) = counts.tables(1 << segment.log_cycles, boundary.len() / boundary::WIDTH);
    Witness {
        cpu: Matrix {
            width: WIDTH,
            words: cpu,
        },
        boundary: Matrix {
            width: boundary::WIDTH,
            words: boundary,
        },
        program: Matrix {
            width: 1,
            words: program,
        },
        range: Matrix {
            width: range::WIDTH,
            words: range,
        },
        public: public_values(segment, last),
    }
}

/// Fills consecutive rows, a block at a time.
struct RowWriter<'a> {
    filler: &'a Filler<'a>,
    block: store::Block,
    in_block: usize,
    out: &'a mut [u32],
    row: u32,
    counts: Counts,
}

impl<'a> RowWriter<'a> {
    /// A writer of the rows from `row` on into `out`.
    fn new(filler: &'a Filler<'a>, out: &'a mut [u32], row: u32, counts: Counts) -> Self {
        Self {
            filler,
            block: store::Block::new(),
            in_block: 0,
            out,
            row,
            counts,
        }
    }

    #[inline(always)]
    fn push(&mut self, record: &Record) -> Result<(), BadRecord> {
        let cells = &mut self.block.rows_mut()[self.in_block];
        self.filler
            .fill(record, self.row, cells, &mut self.counts)?;
        self.advance();
        Ok(())
    }

    #[inline(always)]
    fn advance(&mut self) {
        self.row += 1;
        self.in_block += 1;
        if self.in_block == BLOCK_ROWS {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let (block, rest) = std::mem::take(&mut self.out).split_at_mut(self.in_block * WIDTH);
        self.block.stream_to(block);
        (self.out, self.in_block) = (rest, 0);
    }

    /// Pads what is left of the rows after a segment that ends at `pc`; returns the counts.
    fn finish(mut self, pc: u32) -> Counts {
        while self.out.len() > self.in_block * WIDTH {
            Filler::pad(pc, self.row, &mut self.block.rows_mut()[self.in_block]);
            self.advance();
        }
        self.flush();
        store::finish_streaming();
        self.counts
    }
}

/// Bytes moved by a record's cycle.
fn step(record: &Record) -> u32 {
    match record.op >> ROW_KIND_SHIFT {
        k if k == RowKind::MoveInByte as u32 || k == RowKind::MoveOutByte as u32 => 1,
        k if k == RowKind::MoveInWord as u32 || k == RowKind::MoveOutWord as u32 => 4,
        _ => 0,
    }
}

/// What the last cycle says of a transfer that goes on in the next segment: the address of its
/// unit, and the unit's size.
pub(super) fn last_unit(state: &MachineState, last: Option<&Record>) -> (u32, u32) {
    let step = last.map_or(0, step);
    (state.io_ptr.wrapping_sub(step), step)
}
