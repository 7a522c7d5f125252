//! The code in the form the executor runs: eight bytes an instruction, everything resolved.

use std::ops::Range;

use super::isa::{Kind, Op};

/// Register that writes to `x0` go to; it is never read.
pub(super) const SINK: u8 = 32;

/// What the executor does for one instruction.
///
/// `imm` is as in [`Op`], except that jumps and branches hold the index of their target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Do {
    /// Anything rare: executed by [`Vm::step`](super::Vm), or a trap.
    Slow,
    /// `lui` and `auipc`.
    Const,
    /// `jal x0`.
    Jump,
    Jal,
    Jalr,
    Beq,
    Bne,
    Blt,
    Bge,
    Bltu,
    Bgeu,
    Lb,
    Lh,
    Lw,
    Lbu,
    Lhu,
    Sb,
    Sh,
    Sw,
    Addi,
    Slti,
    Sltiu,
    Xori,
    Ori,
    Andi,
    Slli,
    Srli,
    Srai,
    Add,
    Sub,
    Sll,
    Slt,
    Sltu,
    Xor,
    Srl,
    Sra,
    Or,
    And,
    Mul,
    Mulh,
    Mulhsu,
    Mulhu,
    Div,
    Divu,
    Rem,
    Remu,
    Fence,
}

/// One instruction as the executor runs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C, align(8))]
pub(super) struct Step {
    pub(super) act: Do,
    pub(super) rd: u8,
    pub(super) rs1: u8,
    pub(super) rs2: u8,
    pub(super) imm: u32,
}

const SLOW: Step = Step {
    act: Do::Slow,
    rd: 0,
    rs1: 0,
    rs2: 0,
    imm: 0,
};

/// A program's instructions as the executor runs them.
///
/// Invariants that the executor's unchecked indexing relies on: `steps` has one more element than
/// the program has instructions; the last is [`Do::Slow`]; the targets of `Jump`, `Jal` and the
/// branches are below `steps.len() - 1`.
#[derive(Debug)]
pub(super) struct Code {
    steps: Vec<Step>,
    base: u32,
}

impl Code {
    /// Prepares `ops`, whose first instruction is at address `base`.
    ///
    /// - `ranges`: where the code is, ascending; a jump elsewhere is a trap.
    pub(super) fn new(ops: &[Op], base: u32, ranges: &[Range<u32>]) -> Self {
        let mut steps = Vec::with_capacity(ops.len() + 1);
        let mut pc = base;
        for op in ops {
            steps.push(prepare(op, base, ranges));
            pc += 4;
        }
        debug_assert_eq!(pc, base + 4 * ops.len() as u32);
        // Running off the end must stop the loop, and so must running into a hole: holes decode as
        // illegal instructions, which are slow.
        steps.push(SLOW);
        Self { steps, base }
    }

    /// The instructions, with a [`Do::Slow`] after the last.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Address of the first instruction.
    pub(super) fn base(&self) -> u32 {
        self.base
    }
}

/// Whether `addr` is in one of `ranges`, which are ascending and disjoint.
pub(super) fn contains(ranges: &[Range<u32>], addr: u32) -> bool {
    let after = ranges.partition_point(|r| r.start <= addr);
    after > 0 && addr < ranges[after - 1].end
}

fn prepare(op: &Op, base: u32, ranges: &[Range<u32>]) -> Step {
    let Op {
        kind,
        rd,
        rs1,
        rs2,
        imm,
    } = *op;
    let act = match kind {
        Kind::Illegal | Kind::Ecall | Kind::Ebreak => Do::Slow,
        Kind::Lui | Kind::Auipc => Do::Const,
        Kind::Jal if rd == 0 => Do::Jump,
        Kind::Jal => Do::Jal,
        Kind::Jalr => Do::Jalr,
        Kind::Beq => Do::Beq,
        Kind::Bne => Do::Bne,
        Kind::Blt => Do::Blt,
        Kind::Bge => Do::Bge,
        Kind::Bltu => Do::Bltu,
        Kind::Bgeu => Do::Bgeu,
        Kind::Lb => Do::Lb,
        Kind::Lh => Do::Lh,
        Kind::Lw => Do::Lw,
        Kind::Lbu => Do::Lbu,
        Kind::Lhu => Do::Lhu,
        Kind::Sb => Do::Sb,
        Kind::Sh => Do::Sh,
        Kind::Sw => Do::Sw,
        Kind::Addi => Do::Addi,
        Kind::Slti => Do::Slti,
        Kind::Sltiu => Do::Sltiu,
        Kind::Xori => Do::Xori,
        Kind::Ori => Do::Ori,
        Kind::Andi => Do::Andi,
        Kind::Slli => Do::Slli,
        Kind::Srli => Do::Srli,
        Kind::Srai => Do::Srai,
        Kind::Add => Do::Add,
        Kind::Sub => Do::Sub,
        Kind::Sll => Do::Sll,
        Kind::Slt => Do::Slt,
        Kind::Sltu => Do::Sltu,
        Kind::Xor => Do::Xor,
        Kind::Srl => Do::Srl,
        Kind::Sra => Do::Sra,
        Kind::Or => Do::Or,
        Kind::And => Do::And,
        Kind::Mul => Do::Mul,
        Kind::Mulh => Do::Mulh,
        Kind::Mulhsu => Do::Mulhsu,
        Kind::Mulhu => Do::Mulhu,
        Kind::Div => Do::Div,
        Kind::Divu => Do::Divu,
        Kind::Rem => Do::Rem,
        Kind::Remu => Do::Remu,
        Kind::Fence => Do::Fence,
    };
    let imm = match act {
        Do::Jump | Do::Jal | Do::Beq | Do::Bne | Do::Blt | Do::Bge | Do::Bltu | Do::Bgeu => {
            if !imm.is_multiple_of(4) || !contains(ranges, imm) {
                return SLOW;
            }
            (imm - base) / 4
        }
        _ => imm,
    };
    let rd = if rd == 0 { SINK } else { rd };
    Step {
        act,
        rd,
        rs1,
        rs2,
        imm,
    }
}
