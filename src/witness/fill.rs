//! From the record of a cycle to its row of the CPU table.

use super::counts::Counts;
use super::layout::*;
use super::monty::{ONE, to_monty, to_monty_array};
use super::rom::{RomRow, class_of, writes};
use crate::ship::{ROW_KIND_SHIFT, Record, RowKind};
use crate::vm::{
    Kind, MAX_TRANSFER_BYTES, Op, Program, SYS_READ, SYS_WRITE, alu, branch_taken, load_value,
    store_merge,
};

/// Cells from column [`VALUES`] on.
const NUM_VALUES: usize = WIDTH - VALUES;
/// One-hot classes and modifiers.
const NUM_FLAGS: usize = VALUES - CLASS;
/// Instruction kinds; the last is [`Kind::Ebreak`].
const NUM_KINDS: usize = Kind::Ebreak as usize + 1;
/// Row kinds; the last is [`RowKind::MoveOutWord`].
const NUM_ROW_KINDS: usize = RowKind::MoveOutWord as usize + 1;

/// A record that no execution of the program gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BadRecord;

/// Fills rows of one program's traces.
pub(crate) struct Filler<'p> {
    ops: &'p [Op],
    code_base: u32,
    /// Flag cells by kind of instruction, in Montgomery form, without [`WRITES_RD`].
    flags: [[u32; NUM_FLAGS]; NUM_KINDS],
    /// The same by row kind.
    call_flags: [[u32; NUM_FLAGS]; NUM_ROW_KINDS],
}

impl<'p> Filler<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        let mut flags = [[0; NUM_FLAGS]; NUM_KINDS];
        for op in program.ops() {
            let Some((class, signed, signed_b, use_imm, _)) = class_of(op.kind) else {
                continue;
            };
            let row = &mut flags[op.kind as usize];
            row[class as usize] = ONE;
            for (col, set) in [(SIGNED, signed), (SIGNED_B, signed_b), (USE_IMM, use_imm)] {
                row[col - CLASS] = if set { ONE } else { 0 };
            }
        }
        // Moves borrow the class of the load or store they resemble.
        let mut call_flags = [[0; NUM_FLAGS]; NUM_ROW_KINDS];
        for (kind, class) in [
            (RowKind::MoveInByte, Class::Sb),
            (RowKind::MoveInWord, Class::Sw),
            (RowKind::MoveOutByte, Class::Lb),
            (RowKind::MoveOutWord, Class::Lw),
        ] {
            call_flags[kind as usize][class as usize] = ONE;
        }
        Self {
            ops: program.ops(),
            code_base: program.code_base(),
            flags,
            call_flags,
        }
    }

    /// Fills `out` with row `row`, and counts its lookups.
    ///
    /// # Errors
    /// If the record names no executable instruction of the program, or no row kind.
    #[inline]
    pub(crate) fn fill(
        &self,
        record: &Record,
        row: u32,
        out: &mut [u32; WIDTH],
        counts: &mut Counts,
    ) -> Result<(), BadRecord> {
        let index = (record.op & ((1 << ROW_KIND_SHIFT) - 1)) as usize;
        let row_kind = (record.op >> ROW_KIND_SHIFT) as usize;
        let op = *self.ops.get(index).ok_or(BadRecord)?;
        let mut values = Values([0; NUM_VALUES]);
        let b = if row_kind == RowKind::Instruction as usize {
            let b = values.instruction(op, self.code_base + 4 * index as u32, record)?;
            out[CLASS..VALUES].copy_from_slice(&self.flags[op.kind as usize]);
            out[WRITES_RD] = if writes_rd(op) { ONE } else { 0 };
            counts.executed(index);
            b
        } else {
            out[CLASS..VALUES].copy_from_slice(self.call_flags.get(row_kind).ok_or(BadRecord)?);
            values.transfer(row_kind, record)?
        };
        values.set(CLK, row);
        values.set(PC, (self.code_base >> 2) + index as u32);
        counts.row(&values.0);
        for i in 0..32 {
            out[A + i] = 0u32.wrapping_sub((record.a >> i) & 1) & ONE;
        }
        for i in 0..32 {
            out[B + i] = 0u32.wrapping_sub((b >> i) & 1) & ONE;
        }
        let tail = (&mut out[VALUES..])
            .try_into()
            .expect("WIDTH − VALUES cells follow VALUES");
        to_monty_array::<NUM_VALUES>(&values.0, tail);
        Ok(())
    }

    /// Fills `out` with row `row` of the padding that follows a segment ending at `pc`.
    pub(crate) fn pad(pc: u32, row: u32, out: &mut [u32; WIDTH]) {
        out.fill(0);
        out[CLK] = to_monty(row);
        out[PC] = to_monty(pc >> 2);
    }
}

#[inline(always)]
fn writes_rd(op: Op) -> bool {
    match op.kind {
        Kind::Ecall => true,
        kind => op.rd != 0 && writes(kind),
    }
}

/// Cells from column [`VALUES`] on, as integers.
struct Values([u32; NUM_VALUES]);

impl Values {
    #[inline(always)]
    fn set(&mut self, col: Col, value: u32) {
        self.0[col - VALUES] = value;
    }

    #[inline(always)]
    fn set_bytes(&mut self, col: Col, value: u32) {
        for (i, byte) in value.to_le_bytes().into_iter().enumerate() {
            self.set(col + i, byte.into());
        }
    }

    /// A result of the sum unit.
    #[inline(always)]
    fn set_sum(&mut self, sum: u32) {
        self.set(SUM_WORD, (sum & 0xffff) >> 2);
        self.set(SUM_HI, sum >> 16);
        self.set(SEL + (sum & 3) as usize, 1);
    }

    /// Carries of `x + y`, low limb and high limb.
    #[inline(always)]
    fn set_carries(&mut self, col: Col, x: u32, y: u32) {
        self.set(col, ((x & 0xffff) + (y & 0xffff)) >> 16);
        self.set(col + 1, u32::from(x.checked_add(y).is_none()));
    }

    /// Memory word before and after, and the address it lies at.
    #[inline(always)]
    fn set_memory(&mut self, base: u32, offset: u32, old: u32, new: u32) {
        self.set_sum(base.wrapping_add(offset));
        self.set_carries(CARRY, base, offset);
        self.set_bytes(MEM_OLD, old);
        self.set_bytes(MEM_NEW, new);
    }

    /// A loaded value, extended from the byte or half at `addr`.
    #[inline(always)]
    fn set_extension(&mut self, addr: u32, word: u32, bits: u32, signed: bool) {
        let sign = (word >> (8 * (addr & 3) + bits - 1)) & 1;
        self.set(TOP, sign);
        self.set(FILL, if signed { sign } else { 0 });
    }

    /// Everything but clock, program counter, flags and bits; returns the second operand.
    #[inline(always)]
    fn instruction(&mut self, op: Op, pc: u32, record: &Record) -> Result<u32, BadRecord> {
        let a = record.a;
        let mut b = record.b;
        for (slot, gap) in record.gap.into_iter().enumerate() {
            self.set(GAP_LO + slot, gap & 0xffff);
            self.set(GAP_HI + slot, gap >> 16);
        }
        if record.gap.iter().any(|gap| gap >> 24 != 0) {
            return Err(BadRecord);
        }
        let (rd, rs1, rs2) = RomRow::registers(op);
        self.set(RD, rd);
        self.set(RS1, rs1);
        self.set(RS2, rs2);
        let (imm, target, link_hi) = RomRow::constants(op, pc);
        self.set(IMM, imm & 0xffff);
        self.set(IMM + 1, imm >> 16);
        self.set(TARGET, target);
        self.set(LINK_HI, link_hi);
        if writes_rd(op) && op.kind != Kind::Ecall {
            self.set_bytes(RD_OLD, record.rd_old);
        }

        use Kind as K;
        match op.kind {
            K::Addi | K::Add => {
                b = if op.kind == K::Addi { imm } else { b };
                self.set_bytes(RD_NEW, a.wrapping_add(b));
                self.set_carries(CARRY, a, b);
            }
            K::Sub => {
                let result = a.wrapping_sub(b);
                self.set_bytes(RD_NEW, result);
                self.set_carries(CARRY, result, b);
            }
            K::Slti | K::Sltiu | K::Slt | K::Sltu => {
                b = if matches!(op.kind, K::Slti | K::Sltiu) {
                    imm
                } else {
                    b
                };
                self.set(RD_NEW, alu(op.kind, a, b));
                self.compare(a, b, matches!(op.kind, K::Slti | K::Slt));
            }
            K::Andi | K::Ori | K::Xori => {
                b = imm;
                self.set_bytes(RD_NEW, alu(op.kind, a, b));
            }
            K::And | K::Or | K::Xor => self.set_bytes(RD_NEW, alu(op.kind, a, b)),
            K::Slli | K::Srli | K::Srai | K::Sll | K::Srl | K::Sra => {
                b = if matches!(op.kind, K::Slli | K::Srli | K::Srai) {
                    imm
                } else {
                    b
                };
                self.set_bytes(RD_NEW, alu(op.kind, a, b));
                let left = matches!(op.kind, K::Slli | K::Sll);
                let fill = if matches!(op.kind, K::Srai | K::Sra) {
                    a >> 31
                } else {
                    0
                };
                self.shift(a, b & 31, left, fill);
            }
            K::Lui | K::Auipc => self.set_bytes(RD_NEW, imm),
            K::Jal => {
                self.set_bytes(RD_NEW, imm);
                self.set(TAKEN, 1);
            }
            K::Jalr => {
                self.set_bytes(RD_NEW, pc.wrapping_add(4));
                self.set_sum(a.wrapping_add(imm));
                self.set_carries(CARRY, a, imm);
            }
            K::Beq | K::Bne | K::Blt | K::Bge | K::Bltu | K::Bgeu => {
                self.compare(a, b, matches!(op.kind, K::Blt | K::Bge));
                self.set(TAKEN, branch_taken(op.kind, a, b).into());
                if matches!(op.kind, K::Beq | K::Bne) {
                    let difference = a.wrapping_sub(b);
                    let distance = (difference & 0xffff) + (difference >> 16);
                    let neq = u32::from(a != b);
                    self.set(NEQ, neq);
                    self.set(NEQ_LO, (distance - neq) & 0xffff);
                    self.set(NEQ_HI, (distance - neq) >> 16);
                }
            }
            K::Lb | K::Lh | K::Lw | K::Lbu | K::Lhu => {
                b = record.old;
                let addr = a.wrapping_add(imm);
                self.set_memory(a, imm, record.old, record.old);
                self.set_bytes(RD_NEW, load_value(op.kind, addr, record.old));
                match op.kind {
                    K::Lb | K::Lbu => self.set_extension(addr, b, 8, op.kind == K::Lb),
                    // A misaligned half has no row; the mask keeps a bad record harmless.
                    K::Lh | K::Lhu => self.set_extension(addr & !1, b, 16, op.kind == K::Lh),
                    _ => {}
                }
            }
            K::Sb | K::Sh | K::Sw => {
                let new = store_merge(op.kind, a.wrapping_add(imm), record.old, b);
                self.set_memory(a, imm, record.old, new);
            }
            K::Mul | K::Mulh | K::Mulhsu | K::Mulhu => {
                let signs = (
                    matches!(op.kind, K::Mulh | K::Mulhsu) && a >> 31 == 1,
                    op.kind == K::Mulh && b >> 31 == 1,
                );
                self.multiply(a, b, alu(op.kind, a, b), op.kind != K::Mul, signs);
            }
            K::Div | K::Divu | K::Rem | K::Remu => {
                let signed = matches!(op.kind, K::Div | K::Rem);
                self.divide(
                    a,
                    b,
                    alu(op.kind, a, b),
                    signed,
                    matches!(op.kind, K::Div | K::Divu),
                );
            }
            K::Ecall => {
                self.set_bytes(RD_OLD, b);
                self.set_bytes(RD_NEW, record.old);
                if a == SYS_READ || a == SYS_WRITE {
                    if record.old > MAX_TRANSFER_BYTES {
                        return Err(BadRecord);
                    }
                    self.set(MORE, 1);
                    self.set(LEFT, record.old);
                }
            }
            K::Fence => {}
            K::Illegal | K::Ebreak => return Err(BadRecord),
        }
        Ok(b)
    }

    /// A setup or move row; returns the second operand.
    #[inline(always)]
    fn transfer(&mut self, row_kind: usize, record: &Record) -> Result<u32, BadRecord> {
        let (a, left) = (record.a, record.rd_old);
        if left > MAX_TRANSFER_BYTES || record.gap.iter().any(|gap| gap >> 24 != 0) {
            return Err(BadRecord);
        }
        self.set(LEFT, left);
        self.set(MORE, u32::from(left != 0));
        if row_kind == RowKind::Setup as usize {
            self.set(SETUP, 1);
            self.set(RS1, 11);
            self.set(RS2, 12);
            for slot in 0..2 {
                self.set(GAP_LO + slot, record.gap[slot] & 0xffff);
                self.set(GAP_HI + slot, record.gap[slot] >> 16);
            }
            self.set_sum(a);
            return Ok(record.b);
        }
        self.set(MOVE, 1);
        let step = record.gap[0];
        if !matches!(step, 0 | 1 | 4) {
            return Err(BadRecord);
        }
        self.set(IMM, step);
        self.set(GAP_LO + 2, record.gap[2] & 0xffff);
        self.set(GAP_HI + 2, record.gap[2] >> 16);
        let addr = a.wrapping_add(step);
        let old = record.old;
        if row_kind == RowKind::MoveInByte as usize || row_kind == RowKind::MoveInWord as usize {
            let kind = if row_kind == RowKind::MoveInByte as usize {
                Kind::Sb
            } else {
                Kind::Sw
            };
            self.set_memory(a, step, old, store_merge(kind, addr, old, record.b));
            return Ok(record.b);
        }
        self.set_memory(a, step, old, old);
        let kind = if row_kind == RowKind::MoveOutByte as usize {
            Kind::Lbu
        } else {
            Kind::Lw
        };
        self.set_bytes(RD_NEW, load_value(kind, addr, old));
        if kind == Kind::Lbu {
            self.set_extension(addr, old, 8, false);
        }
        Ok(old)
    }

    /// The sum unit holds `a − b`.
    #[inline(always)]
    fn compare(&mut self, a: u32, b: u32, signed: bool) {
        // Flipping the top bits turns signed order into unsigned order.
        let flip = u32::from(signed) << 31;
        let (a, b) = (a ^ flip, b ^ flip);
        self.set_sum(a.wrapping_sub(b));
        self.set(CARRY, u32::from(a & 0xffff < b & 0xffff));
        self.set(CARRY + 1, u32::from(a < b));
    }

    #[inline(always)]
    fn shift(&mut self, a: u32, amount: u32, left: bool, fill: u32) {
        let bits = amount & 7;
        let low_bits = amount & 3;
        let (pow01, pow) = if left {
            (1 << low_bits, 1 << bits)
        } else {
            (8 >> low_bits, 256 >> bits)
        };
        self.set(POW01, pow01);
        self.set(POW, pow);
        for (i, byte) in a.to_le_bytes().into_iter().enumerate() {
            let product = u32::from(byte) * pow;
            self.set(X + i, product & 255);
            self.set(X + 4 + i, product >> 8);
        }
        self.set(SEL + (amount >> 3) as usize, 1);
        self.set(FILL, fill);
        self.set(TOP, fill * (256 - pow));
    }

    #[inline(always)]
    fn multiply(&mut self, a: u32, b: u32, result: u32, high: bool, signs: (bool, bool)) {
        let product = u64::from(a) * u64::from(b);
        self.set_bytes(X, product as u32);
        self.set_bytes(X + 4, (product >> 32) as u32);
        for (digit, carry) in digit_carries(a, b).into_iter().enumerate() {
            self.set(XCARRY + digit, carry);
        }
        self.set_bytes(RD_NEW, result);
        if high {
            let (neg_a, neg_b) = (u32::from(signs.0), u32::from(signs.1));
            self.set(NEG_A, neg_a);
            self.set(NEG_B, neg_b);
            let mut carry = 0;
            for limb in 0..2 {
                let digit = |x: u32| (x >> (16 * limb)) & 0xffff;
                carry = (digit(result) + neg_a * digit(b) + neg_b * digit(a) + carry) >> 16;
                self.set(CARRY + limb, u32::from(carry > 0));
                self.set(CARRY2 + limb, u32::from(carry > 1));
            }
        }
    }

    #[inline(always)]
    fn divide(&mut self, a: u32, b: u32, result: u32, signed: bool, quotient: bool) {
        let negative = |x: u32| signed && x >> 31 == 1;
        let magnitude = |x: u32| if negative(x) { x.wrapping_neg() } else { x };
        let negate_carry = |x: u32| u32::from(negative(x) && x & 0xffff != 0);
        let (abs_a, abs_b) = (magnitude(a), magnitude(b));
        let (neg_a, neg_b) = (negative(a), negative(b));
        let (q, r) = match abs_a.checked_div(abs_b) {
            Some(q) => (q, abs_a % abs_b),
            None => (if neg_a { 1 } else { u32::MAX }, abs_a),
        };
        self.set_bytes(RD_NEW, result);
        self.set_bytes(X, q);
        self.set_bytes(X + 4, r);
        self.set(XCARRY, (low_digit(q, abs_b) + (r & 0xffff)) >> 16);
        self.set_bytes(ABS_B, abs_b);
        self.set(ABS_A, abs_a & 0xffff);
        self.set(ABS_A + 1, abs_a >> 16);
        self.set(NEG_A, neg_a.into());
        self.set(NEG_B, neg_b.into());
        self.set(NEGATE_A, negate_carry(a));
        self.set(NEGATE_B, negate_carry(b));
        self.set(BY_ZERO, u32::from(b == 0));
        if b != 0 {
            let rest = abs_b - r - 1;
            self.set_sum(rest);
            self.set(CARRY, ((rest & 0xffff) + (r & 0xffff) + 1) >> 16);
        }
        let negate = if quotient { neg_a != neg_b } else { neg_a };
        self.set(NEG_R, negate.into());
        let value = if quotient { q } else { r };
        if negate && value != 0 {
            self.set(CARRY2, u32::from(value & 0xffff != 0));
            self.set(CARRY2 + 1, 1);
        }
    }
}

/// Byte `i` of `x`.
#[inline(always)]
fn byte(x: u32, i: u32) -> u32 {
    (x >> (8 * i)) & 255
}

/// `x_0·y_0 + 256·(x_0·y_1 + x_1·y_0)` over bytes: what byte products give to the lowest 16-bit
/// digit of a product. From the product of limbs it takes back what belongs to the next.
#[inline(always)]
fn low_digit(x: u32, y: u32) -> u32 {
    (x & 0xffff) * (y & 0xffff) - ((byte(x, 1) * byte(y, 1)) << 16)
}

/// Carries out of the three low 16-bit digits of `x·y`, where digit `k` is the sum of the byte
/// products at positions `2k` and `2k + 1`, and of the carry into it.
#[inline(always)]
fn digit_carries(x: u32, y: u32) -> [u32; 3] {
    let [x0, x1] = [x & 0xffff, x >> 16].map(u64::from);
    let [y0, y1] = [y & 0xffff, y >> 16].map(u64::from);
    // Products of odd bytes: the products of limbs give them to the digit below theirs.
    let second = u64::from(byte(x, 1) * byte(y, 1));
    let fourth = u64::from(byte(x, 1) * byte(y, 3) + byte(x, 3) * byte(y, 1));
    let sixth = u64::from(byte(x, 3) * byte(y, 3));
    let first = u64::from(low_digit(x, y)) >> 16;
    let middle = (x0 * y1 + x1 * y0 + second - (fourth << 16) + first) >> 16;
    let last = (x1 * y1 + fourth - (sixth << 16) + middle) >> 16;
    debug_assert_eq!(x0 * y0, u64::from(low_digit(x, y)) + (second << 16));
    [first, middle, last].map(|carry| carry as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, byte by byte.
    fn convolve(x: u32, y: u32, position: u32) -> u32 {
        (0..4)
            .filter(|i| (0..4).contains(&position.wrapping_sub(*i)))
            .map(|i| byte(x, i) * byte(y, position - i))
            .sum()
    }

    #[test]
    fn carries_are_those_of_byte_products() {
        let edges = [
            0,
            1,
            255,
            256,
            0xffff,
            0x0001_0000,
            0x00ff_00ff,
            0xff00_ff00,
            u32::MAX,
        ];
        let mixed = (0..60u32).map(|i| i.wrapping_mul(0x9e37_79b9) ^ (i << 7));
        let values: Vec<u32> = edges.into_iter().chain(mixed).collect();
        for &x in &values {
            for &y in &values {
                let mut carry = 0;
                let expected = [0, 1, 2].map(|k| {
                    carry = (convolve(x, y, 2 * k) + 256 * convolve(x, y, 2 * k + 1) + carry) >> 16;
                    carry
                });
                assert_eq!(digit_carries(x, y), expected, "{x:#x} * {y:#x}");
                let low = convolve(x, y, 0) + 256 * convolve(x, y, 1);
                assert_eq!(low_digit(x, y), low, "{x:#x} * {y:#x}");
            }
        }
    }
}
