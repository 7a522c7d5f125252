//! Columns of the CPU table: the one place that says where each cell lies.
//!
//! Host and device share these offsets. What each column means, and which constraints hold it, is
//! in `docs/air.md`. All cells are 31-bit BabyBear words in Montgomery form, row-major.

/// Index of a column, or of the first of a group.
pub type Col = usize;

/// Instruction classes. Each is a one-hot column at [`CLASS`]` + class`; the discriminant is also
/// the number under which the program table knows the class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(
    missing_docs,
    reason = "named after the instructions; rom.rs maps kinds to classes"
)]
pub enum Class {
    Add,
    Sub,
    Slt,
    And,
    Or,
    Xor,
    Sll,
    Srl,
    Sra,
    /// `rd` is a constant of the program: `lui`, `auipc`.
    Li,
    Jal,
    Jalr,
    Beq,
    Bne,
    Blt,
    Bge,
    Lb,
    Lh,
    Lw,
    Sb,
    Sh,
    Sw,
    Mul,
    Mulh,
    Div,
    Rem,
    Ecall,
    Fence,
}

impl Class {
    /// All classes, in the order of their columns.
    pub const ALL: [Self; NUM_CLASSES] = [
        Self::Add,
        Self::Sub,
        Self::Slt,
        Self::And,
        Self::Or,
        Self::Xor,
        Self::Sll,
        Self::Srl,
        Self::Sra,
        Self::Li,
        Self::Jal,
        Self::Jalr,
        Self::Beq,
        Self::Bne,
        Self::Blt,
        Self::Bge,
        Self::Lb,
        Self::Lh,
        Self::Lw,
        Self::Sb,
        Self::Sh,
        Self::Sw,
        Self::Mul,
        Self::Mulh,
        Self::Div,
        Self::Rem,
        Self::Ecall,
        Self::Fence,
    ];
}

/// Number of instruction classes.
pub const NUM_CLASSES: usize = 28;

/// Bits of the first operand, least significant first.
pub const A: Col = 0;
/// Bits of the second operand (`rs2`, the immediate, the loaded word, or data moved in).
pub const B: Col = A + 32;
/// One-hot instruction class.
pub const CLASS: Col = B + 32;
/// The first operand is signed (comparisons: both; loads: sign-extend).
pub const SIGNED: Col = CLASS + NUM_CLASSES;
/// The second operand is signed.
pub const SIGNED_B: Col = SIGNED + 1;
/// The second operand is the immediate.
pub const USE_IMM: Col = SIGNED_B + 1;
/// The instruction writes `rd`, and `rd` is not `x0`.
pub const WRITES_RD: Col = USE_IMM + 1;
/// First column after those that depend on the instruction's kind alone or are single bits of
/// operands; from here on cells hold small integers that differ from row to row.
pub const VALUES: Col = WRITES_RD + 1;

/// Row number, from 0.
pub const CLK: Col = VALUES;
/// Address of the instruction divided by four.
pub const PC: Col = CLK + 1;
/// Second cycle of a `read` or `write`.
pub const SETUP: Col = PC + 1;
/// A cycle that moves one unit between memory and the host.
pub const MOVE: Col = SETUP + 1;
/// The system call goes on in the next row.
pub const MORE: Col = MOVE + 1;
/// Bytes the system call has still to move after this row.
pub const LEFT: Col = MORE + 1;
/// Number of the destination register.
pub const RD: Col = LEFT + 1;
/// Number of the first source register.
pub const RS1: Col = RD + 1;
/// Number of the second source register.
pub const RS2: Col = RS1 + 1;
/// Immediate, 16-bit limbs, low first.
pub const IMM: Col = RS2 + 1;
/// `jal`, branches: target address divided by four. `jalr`: low limb of the return address.
pub const TARGET: Col = IMM + 2;
/// `jalr`: high limb of the return address.
pub const LINK_HI: Col = TARGET + 1;
/// Bytes of `rd` before the row, low first.
pub const RD_OLD: Col = LINK_HI + 1;
/// Bytes of the result.
pub const RD_NEW: Col = RD_OLD + 4;
/// Bytes of the memory word before the row.
pub const MEM_OLD: Col = RD_NEW + 4;
/// Bytes of the memory word after the row.
pub const MEM_NEW: Col = MEM_OLD + 4;
/// Per access slot, low 16 bits of the time since the previous access of the same cell, less one.
pub const GAP_LO: Col = MEM_NEW + 4;
/// Per access slot, high 8 bits of the same.
pub const GAP_HI: Col = GAP_LO + 4;
/// Bits 2 to 15 of the sum unit's result (address, difference, or divisor minus remainder).
pub const SUM_WORD: Col = GAP_HI + 4;
/// High limb of the sum unit's result.
pub const SUM_HI: Col = SUM_WORD + 1;
/// One-hot: the low two bits of the sum unit's result, or whole bytes shifted by.
pub const SEL: Col = SUM_HI + 1;
/// First carry or borrow, low limb then high limb.
pub const CARRY: Col = SEL + 4;
/// Second carry, low limb then high limb.
pub const CARRY2: Col = CARRY + 2;
/// Product bytes; shifts: low then high bytes of `a · pow`; division: |quotient| then |remainder|.
pub const X: Col = CARRY2 + 2;
/// Carries between 16-bit digits of a product.
pub const XCARRY: Col = X + 8;
/// Shifts: the part of the power of two that comes from shift bits 0 and 1.
pub const POW01: Col = XCARRY + 3;
/// Shifts: 2^k to the left, 2^(8−k) to the right, for k the low three bits of the amount.
pub const POW: Col = POW01 + 1;
/// The bit that fills from the left: arithmetic shifts and sign-extending loads.
pub const FILL: Col = POW + 1;
/// `sra`: what fills the top byte shifted into. Loads: sign bit of the loaded value.
pub const TOP: Col = FILL + 1;
/// The branch or jump goes to [`TARGET`].
pub const TAKEN: Col = TOP + 1;
/// `beq`, `bne`: the operands differ.
pub const NEQ: Col = TAKEN + 1;
/// `beq`, `bne`: low 16 bits of (sum of the difference's limbs − 1).
pub const NEQ_LO: Col = NEQ + 1;
/// `beq`, `bne`: bit 16 of the same.
pub const NEQ_HI: Col = NEQ_LO + 1;
/// The first operand is negative (`mulh*`, `div`, `rem`).
pub const NEG_A: Col = NEQ_HI + 1;
/// The second operand is negative (`mulh*`, `div`, `rem`).
pub const NEG_B: Col = NEG_A + 1;
/// Bytes of |divisor|.
pub const ABS_B: Col = NEG_B + 1;
/// Limbs of |dividend|.
pub const ABS_A: Col = ABS_B + 4;
/// Carry between the limbs when the dividend is negated.
pub const NEGATE_A: Col = ABS_A + 2;
/// Carry between the limbs when the divisor is negated.
pub const NEGATE_B: Col = NEGATE_A + 1;
/// The result of a division is negated.
pub const NEG_R: Col = NEGATE_B + 1;
/// The divisor is zero.
pub const BY_ZERO: Col = NEG_R + 1;
/// Number of columns.
pub const WIDTH: usize = BY_ZERO + 1;

const _: () = assert!(WIDTH <= 256, "a row is at most one BLAKE3 chunk");

/// Bytes of one row.
pub const ROW_BYTES: usize = WIDTH * 4;

/// Access slots of a row, in order of time: `rs1`, `rs2`, memory, `rd`.
pub const NUM_SLOTS: usize = 4;

/// Base-2 logarithm of the most rows a trace may have: the largest timestamp is `4·rows`, and gaps
/// between timestamps fit in 24 bits.
pub const MAX_LOG_ROWS: u32 = 22;

/// Timestamp of the access in `slot` of row `row`; cells not accessed yet are at time 0.
#[inline(always)]
pub const fn timestamp(row: u32, slot: u32) -> u32 {
    4 * row + slot + 1
}

/// Row and slot of the access at `time`; `None` at time 0.
#[inline(always)]
pub const fn slot_of(time: u32) -> Option<(u32, u32)> {
    match time {
        0 => None,
        _ => Some(((time - 1) / 4, (time - 1) % 4)),
    }
}

/// Address of register `x0` in the memory argument, just above the largest word address.
pub const REGISTER_BASE: u32 = 1 << 30;

/// Name of every column: the group's, with an index where a group has several.
pub fn column_name(col: Col) -> String {
    if (CLASS..CLASS + NUM_CLASSES).contains(&col) {
        return format!(
            "class.{}",
            format!("{:?}", Class::ALL[col - CLASS]).to_lowercase()
        );
    }
    let group = GROUPS.iter().rev().find(|(_, first)| *first <= col);
    let (name, first) = group.expect("the first group starts at column 0");
    let end = GROUPS
        .iter()
        .map(|(_, first)| *first)
        .filter(|f| f > first)
        .min()
        .unwrap_or(WIDTH);
    if end - first > 1 {
        format!("{name}[{}]", col - first)
    } else {
        (*name).to_owned()
    }
}

/// Column groups by first column, ascending.
pub const GROUPS: [(&str, Col); 48] = [
    ("a", A),
    ("b", B),
    ("class", CLASS),
    ("signed", SIGNED),
    ("signed_b", SIGNED_B),
    ("use_imm", USE_IMM),
    ("writes_rd", WRITES_RD),
    ("clk", CLK),
    ("pc", PC),
    ("setup", SETUP),
    ("move", MOVE),
    ("more", MORE),
    ("left", LEFT),
    ("rd", RD),
    ("rs1", RS1),
    ("rs2", RS2),
    ("imm", IMM),
    ("target", TARGET),
    ("link_hi", LINK_HI),
    ("rd_old", RD_OLD),
    ("rd_new", RD_NEW),
    ("mem_old", MEM_OLD),
    ("mem_new", MEM_NEW),
    ("gap_lo", GAP_LO),
    ("gap_hi", GAP_HI),
    ("sum_word", SUM_WORD),
    ("sum_hi", SUM_HI),
    ("sel", SEL),
    ("carry", CARRY),
    ("carry2", CARRY2),
    ("x", X),
    ("xcarry", XCARRY),
    ("pow01", POW01),
    ("pow", POW),
    ("fill", FILL),
    ("top", TOP),
    ("taken", TAKEN),
    ("neq", NEQ),
    ("neq_lo", NEQ_LO),
    ("neq_hi", NEQ_HI),
    ("neg_a", NEG_A),
    ("neg_b", NEG_B),
    ("abs_b", ABS_B),
    ("abs_a", ABS_A),
    ("negate_a", NEGATE_A),
    ("negate_b", NEGATE_B),
    ("neg_r", NEG_R),
    ("by_zero", BY_ZERO),
];

/// Fewest rows of the boundary and the program table: proof systems want tables no smaller.
pub const MIN_ROWS: usize = 1 << 8;

/// Columns of the memory boundary table: one row per register and per word touched.
pub mod boundary {
    use super::Col;

    /// 1, or 0 in padding.
    pub const REAL: Col = 0;
    /// Low 16 bits of the word address, or number of the register. Addresses, with `REGISTER` as bit
    /// 30, ascend strictly.
    pub const LO: Col = 1;
    /// High 14 bits of the word address.
    pub const HI: Col = 2;
    /// 1 for a register.
    pub const REGISTER: Col = 3;
    /// Bytes before the segment.
    pub const INIT: Col = 4;
    /// Bytes after the segment.
    pub const FINAL: Col = INIT + 4;
    /// Time of the last access; 0 if never accessed.
    pub const TIME: Col = FINAL + 4;
    /// Address of the next row − this one − 1, low 16 and high 14 bits; 0 in the last real row.
    pub const STEP: Col = TIME + 1;
    /// Carry out of the low 16 bits when the step is added.
    pub const CARRY: Col = STEP + 2;
    /// Columns that are looked up as 16-bit values, in every row.
    pub const COLS16: [Col; 2] = [LO, STEP];
    /// Columns that are looked up as 14-bit values, in every row.
    pub const COLS14: [Col; 2] = [HI, STEP + 1];
    /// First columns of the neighbours that are looked up as pairs of bytes, in every row.
    pub const COLS_BYTES: [Col; 2] = [INIT, INIT + 2];
    /// Name of a column.
    pub fn column_name(col: Col) -> String {
        let groups = [
            ("real", REAL),
            ("lo", LO),
            ("hi", HI),
            ("register", REGISTER),
            ("init", INIT),
            ("final", FINAL),
            ("time", TIME),
            ("step", STEP),
            ("carry", CARRY),
        ];
        let (name, first) = groups[groups.partition_point(|(_, first)| *first <= col) - 1];
        match first {
            INIT | FINAL | STEP => format!("{name}[{}]", col - first),
            _ => name.to_owned(),
        }
    }

    /// Number of columns.
    pub const WIDTH: usize = CARRY + 1;
}

/// Columns of the range table: row `v` of 2^16 counts how often `v` was looked up.
pub mod range {
    use super::Col;

    /// As a 16-bit value.
    pub const VALUE16: Col = 0;
    /// As a pair of bytes `(v & 255, v >> 8)`.
    pub const BYTES: Col = 1;
    /// As a 14-bit value `v >> 2`, counted in the first of its four rows.
    pub const VALUE14: Col = 2;
    /// Number of columns.
    pub const WIDTH: usize = 3;
    /// Base-2 logarithm of the number of rows.
    pub const LOG_ROWS: u32 = 16;

    /// Columns of the CPU table that are looked up as 16-bit values, in every row.
    pub const COLS16: [Col; 8] = {
        use super::{ABS_A, GAP_LO, NEQ_LO, SUM_HI};
        [
            GAP_LO,
            GAP_LO + 1,
            GAP_LO + 2,
            GAP_LO + 3,
            SUM_HI,
            NEQ_LO,
            ABS_A,
            ABS_A + 1,
        ]
    };
    /// Columns of the CPU table that are looked up as 14-bit values, in every row.
    pub const COLS14: [Col; 4] = {
        use super::{SUM_WORD, XCARRY};
        [SUM_WORD, XCARRY, XCARRY + 1, XCARRY + 2]
    };
    /// First columns of the neighbours in the CPU table that are looked up as pairs of bytes, in
    /// every row.
    pub const COLS_BYTES: [Col; 10] = {
        use super::{ABS_B, GAP_HI, RD_NEW, X};
        let (g, r, b) = (GAP_HI, RD_NEW, ABS_B);
        [g, g + 2, r, r + 2, X, X + 2, X + 4, X + 6, b, b + 2]
    };
}

/// Public values of the CPU table: where a segment starts and ends.
///
/// They are bound by boundary constraints; that segment `i` ends where `i + 1` starts is checked
/// outside, on these values.
pub mod public {
    /// `pc / 4` of the first cycle.
    pub const START_PC: usize = 0;
    /// The first row is a setup row.
    pub const START_SETUP: usize = 1;
    /// The first row moves a unit.
    pub const START_MOVE: usize = 2;
    /// Limbs of the address the first row moves a unit at, if it does.
    pub const START_PTR: usize = 3;
    /// Bytes to move at the start: before the first row if it moves, else after it.
    pub const START_LEFT: usize = 5;
    /// `pc / 4` after the last cycle.
    pub const END_PC: usize = 6;
    /// The next segment starts with a setup row.
    pub const END_SETUP: usize = 7;
    /// The next segment starts with a row that moves a unit.
    pub const END_MOVE: usize = 8;
    /// Limbs of the address of the last unit moved (for a setup row: of the first to move).
    pub const END_PTR: usize = 9;
    /// Bytes moved by the last row.
    pub const END_STEP: usize = 11;
    /// Bytes left to move at the end.
    pub const END_LEFT: usize = 12;
    /// Number of cycles: rows that are not padding.
    pub const NUM_CYCLES: usize = 13;
    /// Number of public values.
    pub const COUNT: usize = 14;
}
