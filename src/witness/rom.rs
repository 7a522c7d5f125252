//! How the AIR sees the program: one row of constants per instruction.

use super::layout::{Class, REGISTER_BASE};
use crate::vm::{Kind, Op, Program};

/// The constants the AIR knows of one instruction.
///
/// The program table holds these, and a row of the CPU table that executes the instruction looks
/// them up at its `pc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RomRow {
    /// Instruction class.
    pub class: Class,
    /// First operand signed; for loads, sign-extend.
    pub signed: bool,
    /// Second operand signed.
    pub signed_b: bool,
    /// Second operand is the immediate.
    pub use_imm: bool,
    /// Writes a register other than `x0`.
    pub writes_rd: bool,
    /// Destination register.
    pub rd: u32,
    /// First source register.
    pub rs1: u32,
    /// Second source register.
    pub rs2: u32,
    /// Immediate; for `lui`, `auipc` and `jal` the result.
    pub imm: u32,
    /// See [`TARGET`](super::layout::TARGET).
    pub target: u32,
    /// See [`LINK_HI`](super::layout::LINK_HI).
    pub link_hi: u32,
}

/// Number of fields of a program table row: `pc`, code, `rd`, `rs1`, `rs2`, immediate limbs,
/// target, high link limb.
pub const ROM_FIELDS: usize = 9;

/// Class and modifiers of each instruction kind: (class, signed, signed_b, use_imm, writes a
/// register). `None` for what cannot be executed.
pub const fn class_of(kind: Kind) -> Option<(Class, bool, bool, bool, bool)> {
    use Class as C;
    Some(match kind {
        Kind::Illegal | Kind::Ebreak => return None,
        Kind::Lui | Kind::Auipc => (C::Li, false, false, false, true),
        Kind::Jal => (C::Jal, false, false, false, true),
        Kind::Jalr => (C::Jalr, false, false, false, true),
        Kind::Beq => (C::Beq, false, false, false, false),
        Kind::Bne => (C::Bne, false, false, false, false),
        Kind::Blt => (C::Blt, true, true, false, false),
        Kind::Bge => (C::Bge, true, true, false, false),
        Kind::Bltu => (C::Blt, false, false, false, false),
        Kind::Bgeu => (C::Bge, false, false, false, false),
        Kind::Lb => (C::Lb, true, false, false, true),
        Kind::Lh => (C::Lh, true, false, false, true),
        Kind::Lw => (C::Lw, false, false, false, true),
        Kind::Lbu => (C::Lb, false, false, false, true),
        Kind::Lhu => (C::Lh, false, false, false, true),
        Kind::Sb => (C::Sb, false, false, false, false),
        Kind::Sh => (C::Sh, false, false, false, false),
        Kind::Sw => (C::Sw, false, false, false, false),
        Kind::Addi => (C::Add, false, false, true, true),
        Kind::Slti => (C::Slt, true, true, true, true),
        Kind::Sltiu => (C::Slt, false, false, true, true),
        Kind::Xori => (C::Xor, false, false, true, true),
        Kind::Ori => (C::Or, false, false, true, true),
        Kind::Andi => (C::And, false, false, true, true),
        Kind::Slli => (C::Sll, false, false, true, true),
        Kind::Srli => (C::Srl, false, false, true, true),
        Kind::Srai => (C::Sra, false, false, true, true),
        Kind::Add => (C::Add, false, false, false, true),
        Kind::Sub => (C::Sub, false, false, false, true),
        Kind::Sll => (C::Sll, false, false, false, true),
        Kind::Slt => (C::Slt, true, true, false, true),
        Kind::Sltu => (C::Slt, false, false, false, true),
        Kind::Xor => (C::Xor, false, false, false, true),
        Kind::Srl => (C::Srl, false, false, false, true),
        Kind::Sra => (C::Sra, false, false, false, true),
        Kind::Or => (C::Or, false, false, false, true),
        Kind::And => (C::And, false, false, false, true),
        Kind::Mul => (C::Mul, false, false, false, true),
        Kind::Mulh => (C::Mulh, true, true, false, true),
        Kind::Mulhsu => (C::Mulh, true, false, false, true),
        Kind::Mulhu => (C::Mulh, false, false, false, true),
        Kind::Div => (C::Div, true, true, false, true),
        Kind::Divu => (C::Div, false, false, false, true),
        Kind::Rem => (C::Rem, true, true, false, true),
        Kind::Remu => (C::Rem, false, false, false, true),
        Kind::Fence => (C::Fence, false, false, false, false),
        Kind::Ecall => (C::Ecall, false, false, false, true),
    })
}

/// Whether a kind reads its first and its second source register.
#[inline(always)]
pub(crate) const fn reads(kind: Kind) -> (bool, bool) {
    use Class as C;
    match class_of(kind) {
        None | Some((C::Li | C::Jal | C::Fence, ..)) => (false, false),
        Some((C::Jalr | C::Lb | C::Lh | C::Lw, ..)) => (true, false),
        Some((.., use_imm, _)) => (true, !use_imm),
    }
}

/// Whether a kind writes a register.
#[inline(always)]
pub(crate) const fn writes(kind: Kind) -> bool {
    matches!(class_of(kind), Some((.., true)))
}

/// A target the AIR can go to, or, for a misaligned one, a word address that no instruction has:
/// taking such a jump traps, so no row may follow it.
const fn jump_target(address: u32) -> u32 {
    if address.is_multiple_of(4) {
        address >> 2
    } else {
        REGISTER_BASE
    }
}

impl RomRow {
    /// The constants of `op` at address `pc`, or `None` if it cannot be executed.
    pub fn new(op: Op, pc: u32) -> Option<Self> {
        let (class, signed, signed_b, use_imm, writes) = class_of(op.kind)?;
        let (rd, rs1, rs2) = Self::registers(op);
        let (imm, target, link_hi) = Self::constants(op, pc);
        let writes_rd = writes && rd != 0;
        Some(Self {
            class,
            signed,
            signed_b,
            use_imm,
            writes_rd,
            rd,
            rs1,
            rs2,
            imm,
            target,
            link_hi,
        })
    }

    /// Registers of `op`: (`rd`, `rs1`, `rs2`). An `ecall` reads its number from `a7`, and its
    /// first argument from `a0`, where it leaves its result.
    #[inline(always)]
    pub(crate) fn registers(op: Op) -> (u32, u32, u32) {
        match op.kind {
            Kind::Ecall => (10, 17, 10),
            _ => (op.rd.into(), op.rs1.into(), op.rs2.into()),
        }
    }

    /// Immediate, target and high link limb of `op` at `pc`.
    #[inline(always)]
    pub(crate) fn constants(op: Op, pc: u32) -> (u32, u32, u32) {
        let link = pc.wrapping_add(4);
        match op.kind {
            Kind::Jal => (link, jump_target(op.imm), 0),
            Kind::Jalr => (op.imm, link & 0xffff, link >> 16),
            Kind::Beq | Kind::Bne | Kind::Blt | Kind::Bge | Kind::Bltu | Kind::Bgeu => {
                (0, jump_target(op.imm), 0)
            }
            _ => (op.imm, 0, 0),
        }
    }

    /// Class and modifiers in one number below 512.
    pub fn code(&self) -> u32 {
        u32::from(self.class as u8)
            + 32 * u32::from(self.signed)
            + 64 * u32::from(self.signed_b)
            + 128 * u32::from(self.use_imm)
            + 256 * u32::from(self.writes_rd)
    }

    /// The row's fields at `pc`, as the CPU table looks them up. Each is at most 2^30.
    pub fn fields(&self, pc: u32) -> [u32; ROM_FIELDS] {
        [
            pc >> 2,
            self.code(),
            self.rd,
            self.rs1,
            self.rs2,
            self.imm & 0xffff,
            self.imm >> 16,
            self.target,
            self.link_hi,
        ]
    }
}

/// The fields of every instruction of a program, `None` where nothing can be executed.
pub fn rom(program: &Program) -> impl Iterator<Item = Option<[u32; ROM_FIELDS]>> + '_ {
    program.ops().iter().zip(0u32..).map(|(op, index)| {
        let pc = program.code_base() + 4 * index;
        RomRow::new(*op, pc).map(|row| row.fields(pc))
    })
}
