//! Replaying a chunk from its checkpoint and the values it read: one record per cycle, no memory.

use super::access::{Accesses, Inconsistent};
use super::fill::BadRecord;
use crate::segment::{Checkpoint, Reads, Segment};
use crate::ship::{ROW_KIND_SHIFT, Record, RowKind};
use crate::vm::{
    IoPhase, Kind, MAX_TRANSFER_BYTES, MachineState, Program, SYS_BRK, SYS_EXIT, SYS_EXIT_GROUP,
    SYS_READ, SYS_WRITE, access_bytes, alu, branch_taken, load_value, store_merge,
};

/// Why a minimal trace cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error("row {row}: the values read are used up")]
    OutOfWords { row: u32 },
    #[error("row {row}: nothing to execute at pc {pc:#010x}")]
    NotExecutable { row: u32, pc: u32 },
    #[error("row {row}: misaligned access of {addr:#010x}")]
    Misaligned { row: u32, addr: u32 },
    #[error("row {row}: a transfer of more than 2^30 bytes")]
    TransferTooLong { row: u32 },
    #[error("row {row}: the machine has exited")]
    Halted { row: u32 },
    #[error("row {row}: word {addr:#010x} holds {found:#010x} but was left with {left:#010x}")]
    Inconsistent {
        row: u32,
        addr: u32,
        found: u32,
        left: u32,
    },
    #[error("the chunk that ends before row {row} does not reach the next checkpoint")]
    WrongEnd { row: u32 },
}

impl From<Inconsistent> for ReplayError {
    fn from(e: Inconsistent) -> Self {
        Self::Inconsistent {
            row: e.row,
            addr: e.addr,
            found: e.found,
            left: e.left,
        }
    }
}

/// Replays the chunks `chunks` of `reads`, checking that each ends where the next one starts.
///
/// - `segment`: of which `reads` is the minimal trace, already checked to fit.
/// - `emit`: is given each cycle's row and record, in order.
///
/// Returns the accesses, whose first ones have gaps that [`super::access::Joined`] corrects.
#[inline]
pub(super) fn replay(
    program: &Program,
    segment: &Segment,
    reads: &Reads,
    chunks: std::ops::Range<usize>,
    mut emit: impl FnMut(u32, &Record) -> Result<(), BadRecord>,
) -> Result<Accesses, ReplayError> {
    let mut accesses = Accesses::new();
    for chunk in chunks {
        let Checkpoint { state, first_word } = reads.checkpoints[chunk];
        let next = reads.checkpoints.get(chunk + 1);
        let last_word = next.map_or(reads.words.len(), |c| c.first_word as usize);
        let words = &reads.words[first_word as usize..last_word];
        let row = (chunk as u32) << reads.log_chunk;
        let end_row = segment.num_cycles.min(row + (1 << reads.log_chunk));
        let mut replayer = Replayer {
            program,
            words,
            state,
            row,
            accesses: &mut accesses,
        };
        while replayer.row < end_row {
            let (row, pc) = (replayer.row, replayer.state.pc);
            let mut record = Record::default();
            replayer.step(&mut record)?;
            emit(row, &record).map_err(|BadRecord| ReplayError::NotExecutable { row, pc })?;
        }
        let expected = next.map_or(&segment.end, |c| &c.state);
        if replayer.state != *expected || !replayer.words.is_empty() {
            return Err(ReplayError::WrongEnd { row: end_row });
        }
    }
    Ok(accesses)
}

struct Replayer<'a> {
    program: &'a Program,
    words: &'a [u32],
    state: MachineState,
    row: u32,
    accesses: &'a mut Accesses,
}

impl Replayer<'_> {
    #[inline(always)]
    fn word(&mut self) -> Result<u32, ReplayError> {
        let (first, rest) = self
            .words
            .split_first()
            .ok_or(ReplayError::OutOfWords { row: self.row })?;
        self.words = rest;
        Ok(*first)
    }

    #[inline(always)]
    fn read(&mut self, register: u8, slot: u32, record: &mut Record) -> u32 {
        record.gap[slot as usize] = self.accesses.register(register, self.row, slot);
        self.state.x[usize::from(register & 31)]
    }

    #[inline(always)]
    fn write(&mut self, register: u8, value: u32, record: &mut Record) {
        if register != 0 {
            record.gap[3] = self.accesses.register(register, self.row, 3);
            let old = &mut self.state.x[usize::from(register & 31)];
            record.rd_old = std::mem::replace(old, value);
        }
    }

    #[inline(always)]
    fn step(&mut self, record: &mut Record) -> Result<(), ReplayError> {
        if self.state.io_phase != IoPhase::None as u32 {
            self.transfer(record)?;
        } else {
            self.instruction(record)?;
        }
        self.row += 1;
        Ok(())
    }

    #[inline(always)]
    fn op_index(&self) -> Result<usize, ReplayError> {
        let pc = self.state.pc;
        self.program
            .op_index(pc)
            .ok_or(ReplayError::NotExecutable { row: self.row, pc })
    }

    #[inline(always)]
    fn instruction(&mut self, record: &mut Record) -> Result<(), ReplayError> {
        use Kind as K;
        let index = self.op_index()?;
        let op = self.program.ops()[index];
        let pc = self.state.pc;
        record.op = index as u32;
        let mut next_pc = pc.wrapping_add(4);
        match op.kind {
            K::Addi
            | K::Slti
            | K::Sltiu
            | K::Xori
            | K::Ori
            | K::Andi
            | K::Slli
            | K::Srli
            | K::Srai => {
                record.a = self.read(op.rs1, 0, record);
                self.write(op.rd, alu(op.kind, record.a, op.imm), record);
            }
            K::Add
            | K::Sub
            | K::Sll
            | K::Slt
            | K::Sltu
            | K::Xor
            | K::Srl
            | K::Sra
            | K::Or
            | K::And
            | K::Mul
            | K::Mulh
            | K::Mulhsu
            | K::Mulhu
            | K::Div
            | K::Divu
            | K::Rem
            | K::Remu => {
                record.a = self.read(op.rs1, 0, record);
                record.b = self.read(op.rs2, 1, record);
                self.write(op.rd, alu(op.kind, record.a, record.b), record);
            }
            K::Lw | K::Lb | K::Lbu | K::Lh | K::Lhu => {
                record.a = self.read(op.rs1, 0, record);
                let addr = record.a.wrapping_add(op.imm);
                self.aligned(addr, access_bytes(op.kind))?;
                record.old = self.word()?;
                record.gap[2] = self.accesses.word(addr, self.row, record.old, record.old)?;
                self.write(op.rd, load_value(op.kind, addr, record.old), record);
            }
            K::Sw | K::Sb | K::Sh => {
                record.a = self.read(op.rs1, 0, record);
                record.b = self.read(op.rs2, 1, record);
                let addr = record.a.wrapping_add(op.imm);
                self.aligned(addr, access_bytes(op.kind))?;
                record.old = self.word()?;
                let new = store_merge(op.kind, addr, record.old, record.b);
                record.gap[2] = self.accesses.word(addr, self.row, record.old, new)?;
            }
            K::Beq | K::Bne | K::Blt | K::Bge | K::Bltu | K::Bgeu => {
                record.a = self.read(op.rs1, 0, record);
                record.b = self.read(op.rs2, 1, record);
                if branch_taken(op.kind, record.a, record.b) {
                    next_pc = op.imm;
                }
            }
            K::Lui | K::Auipc => self.write(op.rd, op.imm, record),
            K::Jal => {
                self.write(op.rd, next_pc, record);
                next_pc = op.imm;
            }
            K::Jalr => {
                record.a = self.read(op.rs1, 0, record);
                let target = record.a.wrapping_add(op.imm) & !1;
                self.aligned(target, 4)?;
                self.write(op.rd, next_pc, record);
                next_pc = target;
            }
            K::Fence => {}
            K::Ecall => {
                self.ecall(record)?;
                if self.state.io_phase != IoPhase::None as u32 {
                    next_pc = pc;
                }
            }
            K::Illegal | K::Ebreak => {
                return Err(ReplayError::NotExecutable { row: self.row, pc });
            }
        }
        self.state.pc = next_pc;
        Ok(())
    }

    #[inline(always)]
    fn aligned(&self, addr: u32, size: u32) -> Result<(), ReplayError> {
        if addr & (size - 1) != 0 {
            return Err(ReplayError::Misaligned {
                row: self.row,
                addr,
            });
        }
        Ok(())
    }

    /// The `ecall` cycle. What the call returned is a value read; the state that only the executor
    /// needs (break, input position) follows from it.
    #[cold]
    fn ecall(&mut self, record: &mut Record) -> Result<(), ReplayError> {
        if self.state.halted != 0 {
            return Err(ReplayError::Halted { row: self.row });
        }
        let number = self.read(17, 0, record);
        let argument = self.read(10, 1, record);
        let result = self.word()?;
        self.write(10, result, record);
        (record.a, record.b, record.old, record.rd_old) = (number, argument, result, 0);
        match number {
            SYS_READ | SYS_WRITE => {
                if result > MAX_TRANSFER_BYTES {
                    return Err(ReplayError::TransferTooLong { row: self.row });
                }
                self.state.io_phase = IoPhase::Setup as u32;
                self.state.io_fd = argument;
                self.state.io_left = result;
            }
            SYS_EXIT | SYS_EXIT_GROUP => self.state.halted = 1,
            SYS_BRK => self.state.brk = result,
            _ => {}
        }
        Ok(())
    }

    /// A setup or move cycle.
    #[cold]
    fn transfer(&mut self, record: &mut Record) -> Result<(), ReplayError> {
        let index = self.op_index()? as u32;
        let kind = if self.state.io_phase == IoPhase::Setup as u32 {
            record.a = self.read(11, 0, record);
            record.b = self.read(12, 1, record);
            self.state.io_ptr = record.a;
            record.rd_old = self.state.io_left;
            RowKind::Setup
        } else {
            self.move_unit(record)?
        };
        record.op = index | (kind as u32) << ROW_KIND_SHIFT;
        self.state.io_phase = IoPhase::Move as u32;
        if self.state.io_left == 0 {
            self.state.io_phase = IoPhase::None as u32;
            (self.state.io_fd, self.state.io_ptr) = (0, 0);
            self.state.pc = self.state.pc.wrapping_add(4);
        }
        Ok(())
    }

    fn move_unit(&mut self, record: &mut Record) -> Result<RowKind, ReplayError> {
        let ptr = self.state.io_ptr;
        let size = if ptr.is_multiple_of(4) && self.state.io_left >= 4 {
            4
        } else {
            1
        };
        let step = if self.row == 0 {
            0
        } else {
            previous_step(ptr, self.state.x[11])
        };
        record.a = ptr.wrapping_sub(step);
        record.gap[0] = step;
        record.old = self.word()?;
        let mut new = record.old;
        let inward = self.state.io_fd == 0;
        if inward {
            record.b = self.word()?;
            let kind = if size == 4 { Kind::Sw } else { Kind::Sb };
            new = store_merge(kind, ptr, record.old, record.b);
            self.state.input_pos = self.state.input_pos.wrapping_add(size);
        }
        record.gap[2] = self.accesses.word(ptr, self.row, record.old, new)?;
        self.state.io_ptr = ptr.wrapping_add(size);
        self.state.io_left -= size;
        record.rd_old = self.state.io_left;
        Ok(match (inward, size) {
            (true, 1) => RowKind::MoveInByte,
            (true, _) => RowKind::MoveInWord,
            (false, 1) => RowKind::MoveOutByte,
            (false, _) => RowKind::MoveOutWord,
        })
    }
}

/// Bytes moved by the cycle before the one that moves the unit at `ptr`, in a transfer whose buffer
/// starts at `start`: bytes up to the first aligned address, then words, then bytes.
fn previous_step(ptr: u32, start: u32) -> u32 {
    match ptr.wrapping_sub(start) {
        0 => 0,
        moved if moved >= 4 && ptr.is_multiple_of(4) => 4,
        _ => 1,
    }
}
