//! The code in the form the executor runs: eight bytes an instruction, everything resolved.

use std::ops::Range;

use super::isa::{Kind, Op};

/// Register that writes to `x0` go to; it is never read.
pub(super) const SINK: u8 = 32;

/// Calls `$then!` with the pairs of instructions that the executor runs as one: name, first, second.
///
/// They are the most frequent pairs in the built-in guests. The first never jumps; the second may.
macro_rules! pairs {
    ($then:ident) => {
        $then! {
            SlliOr Slli Or;
            SrliSlli Srli Slli;
            SwSw Sw Sw;
            LwLw Lw Lw;
            LwXor Lw Xor;
            SlliXor Slli Xor;
            XorSw Xor Sw;
            LwAdd Lw Add;
            SwLw Sw Lw;
            SwAddi Sw Addi;
            OrSrli Or Srli;
            XorLw Xor Lw;
            XorSrli Xor Srli;
            XorXor Xor Xor;
            XorAdd Xor Add;
            SrliXor Srli Xor;
            AddiBeq Addi Beq;
            AddiSw Addi Sw;
            AddLw Add Lw;
            AndXor And Xor;
            AddiAddi Addi Addi;
            AddAdd Add Add;
            XorSlli Xor Slli;
            AddAddi Add Addi;
            LwBne Lw Bne;
            OrSw Or Sw;
            LwSw Lw Sw;
            AddSltu Add Sltu;
            XoriAnd Xori And;
            LwSlli Lw Slli;
            SwSrli Sw Srli;
            SwXor Sw Xor;
            MulSw Mul Sw;
            SwMulhu Sw Mulhu;
            AndAnd And And;
            SwMul Sw Mul;
            AddXor Add Xor;
            SltuAdd Sltu Add;
            MulhuSw Mulhu Sw;
            AddSw Add Sw;
            SwXori Sw Xori;
            AddiBltu Addi Bltu;
            SrliAddi Srli Addi;
            SlliSrli Slli Srli;
            SllSrli Sll Srli;
            AddiBne Addi Bne;
            AddSrli Add Srli;
            AddiLw Addi Lw;
            LwAddi Lw Addi;
            SlliAdd Slli Add;
            SrliOr Srli Or;
            SrliAnd Srli And;
            OrXor Or Xor;
            OrAdd Or Add;
            OrLw Or Lw;
            OrSlli Or Slli;
            XorAnd Xor And;
            AndAdd And Add;
            AndOr And Or;
            AddBltu Add Bltu;
            AddAnd Add And;
            AddSlli Add Slli;
            AddiAdd Addi Add;
            AddiBgeu Addi Bgeu;
            AddiBlt Addi Blt;
            AddiBge Addi Bge;
            AddiJump Addi Jump;
            SwJump Sw Jump;
            LwJump Lw Jump;
            AddiJalr Addi Jalr;
            LwJalr Lw Jalr;
            ConstAddi Const Addi;
            AddiConst Addi Const;
            LwBeq Lw Beq;
            LwAnd Lw And;
            LwOr Lw Or;
            LwSrli Lw Srli;
            SltuSltu Sltu Sltu;
            SltuOr Sltu Or;
            SltuXor Sltu Xor;
            SubSltu Sub Sltu;
            SubSub Sub Sub;
            LwSub Lw Sub;
            MulAdd Mul Add;
            MulhuAdd Mulhu Add;
            MulMulhu Mul Mulhu;
            MulhuMul Mulhu Mul;
            AddMul Add Mul;
            LwMul Lw Mul;
            LwMulhu Lw Mulhu;
            AndiBeq Andi Beq;
            AndiBne Andi Bne;
            LbuBeq Lbu Beq;
            LbuBne Lbu Bne;
            LbuAddi Lbu Addi;
            LbuSb Lbu Sb;
            SltuAnd Sltu And;
            AddiSlli Addi Slli;
            AddLbu Add Lbu;
            AddiLbu Addi Lbu;
            SbAddi Sb Addi;
            AddiSb Addi Sb;
            AndSrli And Srli;
            AndSlli And Slli;
            AndSw And Sw;
            XorOr Xor Or;
            OrOr Or Or;
            XoriXor Xori Xor;
            XorXori Xor Xori;
            SlliSlli Slli Slli;
            SrliSrli Srli Srli;
            SrlSlli Srl Slli;
            SrlSll Srl Sll;
            SllSrl Sll Srl;
            SllOr Sll Or;
            AddiJal Addi Jal;
        }
    };
}
pub(super) use pairs;

macro_rules! define_do {
    ($($pair:ident $first:ident $second:ident;)*) => {

/// What the executor does for one instruction, or for it and the one after it.
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
    $($pair,)*
}

impl Do {
    /// The act that does `self` and then `next`, if there is one.
    fn fuse(self, next: Self) -> Option<Self> {
        match (self, next) {
            $((Self::$first, Self::$second) => Some(Self::$pair),)*
            _ => None,
        }
    }
}
    };
}

pairs!(define_do);

/// One instruction as the executor runs it.
///
/// `imm` is as in [`Op`], except that jumps and branches hold the index of their target. Where `act`
/// is a pair, the other fields are still those of the first instruction, and the second's are in the
/// step after it, which may itself be the first of a pair for whoever jumps there.
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
        for at in 1..steps.len() {
            if let Some(pair) = steps[at - 1].act.fuse(steps[at].act) {
                steps[at - 1].act = pair;
            }
        }
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
