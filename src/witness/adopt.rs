//! Records that came from elsewhere: do they fit the segment they are said to be of?

use rayon::prelude::*;

use super::access::{Accesses, Joined};
use super::expand::{Records, check_segment, join, parts};
use super::layout::slot_of;
use super::replay::ReplayError;
use super::rom::{RomRow, reads, writes};
use crate::segment::Segment;
use crate::ship::{ROW_KIND_SHIFT, Record, RowKind};
use crate::vm::{
    Kind, Program, SYS_READ, SYS_WRITE, access_bytes, alu, branch_taken, load_value, store_merge,
};
use crate::{Error, Result};

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
    let joined = join(accesses, |row, slot, gap| {
        records[row as usize].gap[slot as usize] = gap;
    })?;
    check_ends(program, segment, &records, &joined)?;
    Ok(Records {
        records,
        boundary: joined.boundary(&segment.start, &segment.end),
    })
}

/// Checks that records start and end in the states of the segment: program counter and registers.
fn check_ends(
    program: &Program,
    segment: &Segment,
    records: &[Record],
    joined: &Joined,
) -> Result<()> {
    let differs =
        |what: &str, end: &str| Error::Replay(format!("{what} is not that of the segment's {end}"));
    if let (Some(first), Some(last)) = (records.first(), records.last()) {
        if pc(program, first) != segment.start.pc {
            return Err(differs("the first record's pc", "start"));
        }
        if next_pc(program, last) != segment.end.pc {
            return Err(differs("the pc after the last record", "end"));
        }
    }
    let mut start = segment.end.x;
    for (register, value) in start.iter_mut().enumerate() {
        let Some((row, slot)) = slot_of(joined.last_access(register)) else {
            continue;
        };
        let record = &records[row as usize];
        let after = match slot {
            0 => record.a,
            1 => record.b,
            _ => result(program, record),
        };
        if after != *value {
            return Err(differs(&format!("x{register} after the records"), "end"));
        }
    }
    for (register, row, slot) in joined.first_accesses() {
        let record = &records[row as usize];
        start[register] = match slot {
            0 => record.a,
            1 => record.b,
            _ => record.rd_old,
        };
    }
    match start.iter().zip(&segment.start.x).position(|(a, b)| a != b) {
        Some(register) => Err(differs(&format!("x{register} before the records"), "start")),
        None => Ok(()),
    }
}

fn index(record: &Record) -> u32 {
    record.op & ((1 << ROW_KIND_SHIFT) - 1)
}

fn pc(program: &Program, record: &Record) -> u32 {
    program.code_base() + 4 * index(record)
}

/// Where a record's cycle leaves the program counter.
fn next_pc(program: &Program, record: &Record) -> u32 {
    let (op, pc) = (program.ops()[index(record) as usize], pc(program, record));
    let next = pc.wrapping_add(4);
    let goes_on = if record.op >> ROW_KIND_SHIFT == RowKind::Instruction as u32 {
        op.kind == Kind::Ecall && (record.a == SYS_READ || record.a == SYS_WRITE)
    } else {
        record.rd_old != 0
    };
    match op.kind {
        _ if goes_on => pc,
        Kind::Jal => op.imm,
        Kind::Jalr => record.a.wrapping_add(op.imm) & !1,
        Kind::Beq | Kind::Bne | Kind::Blt | Kind::Bge | Kind::Bltu | Kind::Bgeu
            if branch_taken(op.kind, record.a, record.b) =>
        {
            op.imm
        }
        _ => next,
    }
}

/// What a record's instruction leaves in its destination register.
fn result(program: &Program, record: &Record) -> u32 {
    let op = program.ops()[index(record) as usize];
    match op.kind {
        Kind::Ecall => record.old,
        Kind::Lui | Kind::Auipc => op.imm,
        Kind::Jal | Kind::Jalr => pc(program, record).wrapping_add(4),
        Kind::Lb | Kind::Lh | Kind::Lw | Kind::Lbu | Kind::Lhu => {
            load_value(op.kind, record.a.wrapping_add(op.imm), record.old)
        }
        kind if reads(kind).1 => alu(kind, record.a, record.b),
        kind => alu(kind, record.a, op.imm),
    }
}

fn aligned(row: u32, addr: u32, size: u32) -> Result<(), ReplayError> {
    match addr % size {
        0 => Ok(()),
        _ => Err(ReplayError::Misaligned { row, addr }),
    }
}

/// Repeats the accesses of one record.
fn note_accesses(
    program: &Program,
    row: u32,
    record: &Record,
    accesses: &mut Accesses,
) -> Result<(), ReplayError> {
    let index = record.op & ((1 << ROW_KIND_SHIFT) - 1);
    let not_executable = ReplayError::NotExecutable {
        row,
        pc: program.code_base().wrapping_add(4 * index),
    };
    let op = *program.ops().get(index as usize).ok_or(not_executable)?;
    let row_kind = record.op >> ROW_KIND_SHIFT;
    if row_kind == RowKind::Setup as u32 {
        accesses.register(11, row, 0);
        accesses.register(12, row, 1);
        return Ok(());
    }
    if row_kind != RowKind::Instruction as u32 {
        let addr = record.a.wrapping_add(record.gap[0]);
        let words = [RowKind::MoveInWord as u32, RowKind::MoveOutWord as u32];
        aligned(row, addr, if words.contains(&row_kind) { 4 } else { 1 })?;
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
    let (rd, rs1, rs2) = RomRow::registers(op);
    let reads = reads(op.kind);
    if reads.0 {
        accesses.register(rs1 as u8, row, 0);
    }
    if reads.1 {
        accesses.register(rs2 as u8, row, 1);
    }
    let addr = record.a.wrapping_add(op.imm);
    match op.kind {
        Kind::Lb | Kind::Lh | Kind::Lw | Kind::Lbu | Kind::Lhu => {
            aligned(row, addr, access_bytes(op.kind))?;
            accesses.word(addr, row, record.old, record.old)?;
        }
        Kind::Sb | Kind::Sh | Kind::Sw => {
            aligned(row, addr, access_bytes(op.kind))?;
            let new = store_merge(op.kind, addr, record.old, record.b);
            accesses.word(addr, row, record.old, new)?;
        }
        _ => {}
    }
    if rd != 0 && writes(op.kind) {
        accesses.register(rd as u8, row, 3);
    }
    Ok(())
}
