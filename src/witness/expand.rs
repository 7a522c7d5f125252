//! From minimal traces to records, and from records to tables.

use std::sync::Mutex;

use rayon::prelude::*;

use super::access::{Accesses, Boundary, Joined};
use super::counts::Counts;
use super::fill::{BadRecord, Filler, READ, WRITE};
use super::layout::{Class, MAX_LOG_ROWS, WIDTH, boundary, range};
use super::replay::{ReplayError, replay};
use super::store::{self, BLOCK_ROWS};
use super::{Matrix, Witness, public_values};
use crate::segment::{Reads, Segment};
use crate::ship::{ROW_KIND_SHIFT, Record, RowKind};
use crate::vm::{Kind, MachineState, Program, load_value, store_merge};
use crate::{Error, Result};

/// Rows that one task fills at a time.
const TASK_ROWS: usize = 1 << 13;
const _: () = assert!(TASK_ROWS.is_multiple_of(BLOCK_ROWS));

/// A segment as records, with its memory boundary: what filling the tables needs.
pub struct Records {
    records: Vec<Record>,
    boundary: Boundary,
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
                    let transfers = record.a == READ || record.a == WRITE;
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
fn parts(count: usize) -> Vec<std::ops::Range<usize>> {
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
    let num_cycles = segment.num_cycles as usize;
    let num_chunks = num_cycles.div_ceil(1 << reads.log_chunk);
    let words = reads.words.len();
    let ascending = reads.checkpoints.is_sorted_by_key(|c| c.first_word)
        && reads.checkpoints.iter().all(|c| c.first_word as usize <= words);
    let starts = reads.checkpoints.first().is_some_and(|c| c.state == segment.start);
    if reads.checkpoints.len() != num_chunks || !ascending || !starts {
        return Err(Error::Replay("the minimal trace does not fit the segment".into()));
    }

    let mut records = store::records(num_cycles);
    let mut rest = records.as_mut_slice();
    let mut tasks = Vec::new();
    for chunks in parts(num_chunks) {
        let first_row = chunks.start << reads.log_chunk;
        let rows = (chunks.end << reads.log_chunk).min(num_cycles) - first_row;
        let (part, after) = rest.split_at_mut(rows);
        rest = after;
        tasks.push((chunks, first_row, part));
    }
    let accesses: Vec<Result<Accesses, ReplayError>> = tasks
        .into_par_iter()
        .map(|(chunks, first_row, part)| {
            let end = reads.checkpoints.get(chunks.end).map_or(&segment.end, |c| &c.state);
            replay(program, reads, chunks, end, first_row as u32, part)
        })
        .collect();
    let boundary = join(segment, accesses, &mut records)?;
    Ok(Records { records, boundary })
}

/// Takes records as they were shipped, and works out the memory boundary from them.
///
/// # Errors
/// [`Error::Replay`] if the records are not of `program` or do not agree on a word's content.
pub fn adopt_records(
    program: &Program,
    segment: &Segment,
    mut records: Vec<Record>,
) -> Result<Records> {
    check_segment(segment)?;
    if records.len() != segment.num_cycles as usize {
        return Err(Error::Replay(format!(
            "{} records for {} cycles",
            records.len(),
            segment.num_cycles
        )));
    }
    let accesses: Vec<Result<Accesses, ReplayError>> = parts(records.len())
        .into_par_iter()
        .map(|rows| {
            let mut accesses = Accesses::new();
            for (row, record) in (rows.start as u32..).zip(&records[rows]) {
                note_accesses(program, row, record, &mut accesses)?;
            }
            Ok(accesses)
        })
        .collect();
    let boundary = join(segment, accesses, &mut records)?;
    Ok(Records { records, boundary })
}

fn check_segment(segment: &Segment) -> Result<()> {
    if segment.log_cycles > MAX_LOG_ROWS || segment.num_cycles > 1 << segment.log_cycles {
        return Err(Error::Replay(format!(
            "a segment has at most 2^{MAX_LOG_ROWS} cycles, this one {} of 2^{}",
            segment.num_cycles, segment.log_cycles
        )));
    }
    Ok(())
}

fn join(
    segment: &Segment,
    parts: Vec<Result<Accesses, ReplayError>>,
    records: &mut [Record],
) -> Result<Boundary> {
    let replay = |e: ReplayError| Error::Replay(e.to_string());
    let mut parts = parts.into_iter();
    let first = parts.next().unwrap_or_else(|| Ok(Accesses::new())).map_err(replay)?;
    let mut joined = Joined::new(first);
    for part in parts {
        joined.append(part.map_err(replay)?, records).map_err(|e| replay(e.into()))?;
    }
    Ok(joined.boundary(&segment.start, &segment.end))
}

/// Repeats the accesses of one record.
fn note_accesses(
    program: &Program,
    row: u32,
    record: &Record,
    accesses: &mut Accesses,
) -> Result<(), ReplayError> {
    let index = record.op & ((1 << ROW_KIND_SHIFT) - 1);
    let not_executable =
        ReplayError::NotExecutable { row, pc: program.code_base().wrapping_add(4 * index) };
    let op = *program.ops().get(index as usize).ok_or(not_executable)?;
    let row_kind = record.op >> ROW_KIND_SHIFT;
    if row_kind == RowKind::Setup as u32 {
        accesses.register(11, row, 0);
        accesses.register(12, row, 1);
        return Ok(());
    }
    if row_kind != RowKind::Instruction as u32 {
        let addr = record.a.wrapping_add(record.gap[0]);
        let new = match row_kind {
            k if k == RowKind::MoveInByte as u32 => {
                store_merge(Kind::Sb, addr, record.old, record.b)
            }
            k if k == RowKind::MoveInWord as u32 => record.b,
            _ => record.old,
        };
        accesses.word(addr, row, record.old, new)?;
        return Ok(());
    }
    let (rd, rs1, rs2) = super::rom::RomRow::registers(op);
    let reads = super::rom::reads(op.kind);
    if reads.0 {
        accesses.register(rs1 as u8, row, 0);
    }
    if reads.1 {
        accesses.register(rs2 as u8, row, 1);
    }
    let addr = record.a.wrapping_add(op.imm);
    match op.kind {
        Kind::Lb | Kind::Lh | Kind::Lw | Kind::Lbu | Kind::Lhu => {
            accesses.word(addr, row, record.old, record.old)?;
        }
        Kind::Sb | Kind::Sh | Kind::Sw => {
            let new = store_merge(op.kind, addr, record.old, record.b);
            accesses.word(addr, row, record.old, new)?;
        }
        _ => {}
    }
    if rd != 0 && super::rom::writes(op.kind) {
        accesses.register(rd as u8, row, 3);
    }
    Ok(())
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
    let mut cpu = store::words(rows * WIDTH, cpu);
    let spare: Mutex<Vec<Counts>> = Mutex::default();
    let task_rows = TASK_ROWS.min(rows);
    cpu.par_chunks_mut(task_rows * WIDTH).enumerate().try_for_each(|(task, out)| {
        let mut counts = spare
            .lock()
            .map_or(None, |mut spare| spare.pop())
            .unwrap_or_else(|| Counts::new(program.ops().len()));
        let first = task * task_rows;
        let filled = fill_rows(&filler, segment, &records.records, first, out, &mut counts);
        if let Ok(mut spare) = spare.lock() {
            spare.push(counts);
        }
        filled
    })?;

    let mut all = spare.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_iter();
    let mut counts = all.next().unwrap_or_else(|| Counts::new(program.ops().len()));
    for part in all {
        counts.merge(&part);
    }
    let boundary = records.boundary.table(&mut counts);
    let (range, program) = counts.tables(rows, boundary.len() / boundary::WIDTH);
    Ok(Witness {
        cpu: Matrix { width: WIDTH, words: cpu },
        boundary: Matrix { width: boundary::WIDTH, words: boundary },
        program: Matrix { width: 1, words: program },
        range: Matrix { width: range::WIDTH, words: range },
        public: public_values(segment, &records.records),
    })
}

/// Fills the rows from `first` on that `out` has room for.
fn fill_rows(
    filler: &Filler,
    segment: &Segment,
    records: &[Record],
    first: usize,
    out: &mut [u32],
    counts: &mut Counts,
) -> Result<()> {
    let mut block = store::Block::new();
    let mut row = first;
    for out in out.chunks_mut(BLOCK_ROWS * WIDTH) {
        for cells in block.rows_mut().iter_mut().take(out.len() / WIDTH) {
            match records.get(row) {
                Some(record) => {
                    filler.fill(record, row as u32, cells, counts).map_err(|BadRecord| {
                        Error::Replay(format!("row {row}: the record is not of this program"))
                    })?;
                }
                None => Filler::pad(segment.end.pc, row as u32, cells),
            }
            row += 1;
        }
        block.stream_to(out);
    }
    store::finish_streaming();
    Ok(())
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
