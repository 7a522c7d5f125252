//! The CPU table's constraints and lookups, written once for every prover and checker.
//!
//! `docs/air.md` derives each of them. Two rules hold throughout. No product of cells has degree
//! above 3, selectors included. And no equation can wrap: with every cell in its range, both sides
//! are integers that differ by less than the 31-bit prime, so the same constraints hold over the
//! integers, over BabyBear and over the BN254 scalar field.

use p3_air::{Air, AirBuilder, BaseAir, WindowAccess};
use p3_field::PrimeCharacteristicRing;
use p3_lookup::InteractionBuilder;

use super::bus;
use crate::witness::layout::*;

/// The CPU table.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuAir;

impl<F> BaseAir<F> for CpuAir {
    fn width(&self) -> usize {
        WIDTH
    }

    fn num_public_values(&self) -> usize {
        public::COUNT
    }

    fn main_next_row_columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = (A..A + 32).collect();
        columns.extend(CLASS..CLASS + NUM_CLASSES);
        columns.extend([CLK, PC, SETUP, MOVE, LEFT, IMM, IMM + 1]);
        columns
    }

    fn max_constraint_degree(&self) -> Option<usize> {
        Some(3)
    }
}

impl<AB: InteractionBuilder> Air<AB> for CpuAir {
    fn eval(&self, builder: &mut AB) {
        constrain(builder, |_, _| {});
    }
}

/// One row, read as integers and flags.
struct Row<'a, AB: AirBuilder>(&'a [AB::Var]);

impl<AB: AirBuilder> Row<'_, AB> {
    fn at(&self, col: Col) -> AB::Expr {
        self.0[col].into()
    }

    fn is(&self, class: Class) -> AB::Expr {
        self.at(CLASS + class as usize)
    }

    fn any(&self, classes: &[Class]) -> AB::Expr {
        classes.iter().map(|class| self.is(*class)).sum()
    }

    /// `Σ 2^i · cell(col + i)`.
    fn bits(&self, col: Col, count: usize) -> AB::Expr {
        (0..count)
            .map(|i| self.at(col + i) * AB::Expr::from_u32(1 << i))
            .sum()
    }

    /// Byte `i` of an operand held as bits.
    fn byte(&self, operand: Col, i: usize) -> AB::Expr {
        self.bits(operand + 8 * i, 8)
    }

    /// 16-bit limb `i` of an operand held as bits.
    fn limb(&self, operand: Col, i: usize) -> AB::Expr {
        self.bits(operand + 16 * i, 16)
    }

    /// `cell(col) + 256 · cell(col + 1)`.
    fn pair(&self, col: Col) -> AB::Expr {
        self.at(col) + self.at(col + 1) * AB::Expr::from_u32(256)
    }

    /// The low limb of the sum unit's result.
    fn sum_lo(&self) -> AB::Expr {
        self.at(SUM_WORD) * AB::Expr::from_u32(4) + self.sel_index()
    }

    /// Which of the four selectors is set, as a number.
    fn sel_index(&self) -> AB::Expr {
        self.at(SEL + 1)
            + self.at(SEL + 2) * AB::Expr::from_u32(2)
            + self.at(SEL + 3) * AB::Expr::from_u32(3)
    }

    /// The sum unit's result divided by four.
    fn sum_word(&self) -> AB::Expr {
        self.at(SUM_WORD) + self.at(SUM_HI) * AB::Expr::from_u32(1 << 14)
    }

    /// Bytes moved by a move row, if this is one.
    fn step(&self) -> AB::Expr {
        self.any(&[Class::Lb, Class::Sb])
            + self.any(&[Class::Lw, Class::Sw]) * AB::Expr::from_u32(4)
    }

    /// 1 in rows that execute an instruction.
    fn instruction(&self) -> AB::Expr {
        self.any(&Class::ALL) - self.at(MOVE)
    }

    /// 1 in rows that are not padding.
    fn real(&self) -> AB::Expr {
        self.any(&Class::ALL) + self.at(SETUP)
    }
}

use Class::{
    Add, And, Beq, Bge, Blt, Bne, Div, Ecall, Fence, Jal, Jalr, Lb, Lh, Li, Lw, Mul, Mulh, Or, Rem,
    Sb, Sh, Sll, Slt, Sra, Srl, Sub, Sw, Xor,
};

const LOADS: [Class; 3] = [Lb, Lh, Lw];
const STORES: [Class; 3] = [Sb, Sh, Sw];
const BRANCHES: [Class; 4] = [Beq, Bne, Blt, Bge];
const COMPARES: [Class; 5] = [Slt, Beq, Bne, Blt, Bge];
const SHIFTS: [Class; 3] = [Sll, Srl, Sra];
const PRODUCTS: [Class; 2] = [Mul, Mulh];
const DIVISIONS: [Class; 2] = [Div, Rem];

/// All constraints and lookups; `mark` is told the name of each group before it starts.
pub fn constrain<AB: InteractionBuilder>(builder: &mut AB, mark: impl Fn(&mut AB, &'static str)) {
    let main = builder.main();
    let row = Row::<AB>(main.current_slice());
    let next = Row::<AB>(main.next_slice());

    mark(builder, "flags");
    flags(builder, &row);
    mark(builder, "unused cells are zero");
    unused(builder, &row);
    mark(builder, "add and subtract");
    add_sub(builder, &row);
    mark(builder, "address");
    address(builder, &row);
    mark(builder, "compare");
    compare(builder, &row);
    mark(builder, "bitwise");
    bitwise(builder, &row);
    mark(builder, "shift");
    shift(builder, &row);
    mark(builder, "constants");
    constants(builder, &row);
    mark(builder, "load");
    load(builder, &row);
    mark(builder, "store");
    store(builder, &row);
    mark(builder, "multiply");
    multiply(builder, &row);
    mark(builder, "divide");
    divide(builder, &row);
    mark(builder, "system call");
    system_call(builder, &row, &next);
    mark(builder, "program counter and clock");
    control(builder, &row, &next);
    mark(builder, "boundary");
    boundary(builder, &row);
    mark(builder, "lookups");
    lookups(builder, &row);
}

fn num<AB: AirBuilder>(value: u32) -> AB::Expr {
    AB::Expr::from_u32(value)
}

/// Flags are bits, classes are exclusive, and modifiers belong to instructions.
fn flags<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    for col in (A..VALUES).chain([SETUP, MOVE, MORE, NEQ, NEQ_HI, NEGATE_A, NEGATE_B, BY_ZERO]) {
        builder.assert_bool(row.at(col));
    }
    for col in (SEL..SEL + 4)
        .chain(CARRY..CARRY + 2)
        .chain(CARRY2..CARRY2 + 2)
    {
        builder.assert_bool(row.at(col));
    }
    builder.assert_bool(row.real());
    // A move row borrows the class of the load or store it resembles.
    builder
        .when(row.at(MOVE))
        .assert_one(row.any(&[Lb, Lw, Sb, Sw]));
    for col in [
        SIGNED,
        SIGNED_B,
        USE_IMM,
        WRITES_RD,
        RD,
        TARGET,
        LINK_HI,
        IMM + 1,
    ] {
        builder.assert_zero((num::<AB>(1) - row.instruction()) * row.at(col));
    }
    let (setup, not_instruction) = (row.at(SETUP), num::<AB>(1) - row.instruction());
    builder.assert_zero(not_instruction.clone() * (row.at(RS1) - setup.clone() * num::<AB>(11)));
    builder.assert_zero(not_instruction.clone() * (row.at(RS2) - setup * num::<AB>(12)));
    builder.assert_zero((not_instruction - row.at(MOVE)) * row.at(IMM));
}

/// Whether the slot's register is read. Slot 1 has degree 2.
fn reads<AB: AirBuilder>(row: &Row<AB>, slot: usize) -> AB::Expr {
    match slot {
        0 => row.real() - row.any(&[Li, Jal, Fence]) - row.at(MOVE),
        _ => {
            let second = [Add, Sub, Slt, And, Or, Xor, Sll, Srl, Sra, Ecall];
            row.any(&second) - row.at(USE_IMM)
                + row.any(&BRANCHES)
                + row.any(&STORES)
                + row.any(&PRODUCTS)
                + row.any(&DIVISIONS)
                + row.at(SETUP)
                - row.at(MOVE) * row.any(&[Sb, Sw])
        }
    }
}

fn accesses_memory<AB: AirBuilder>(row: &Row<AB>) -> AB::Expr {
    row.any(&LOADS) + row.any(&STORES)
}

/// Rows where the sum unit holds an address.
fn uses_address<AB: AirBuilder>(row: &Row<AB>) -> AB::Expr {
    accesses_memory(row) + row.is(Jalr) + row.at(SETUP)
}

/// Divisions by something other than zero.
fn divides<AB: AirBuilder>(row: &Row<AB>) -> AB::Expr {
    row.any(&DIVISIONS) - row.at(BY_ZERO)
}

/// Cells that a row's class does not use hold zero, so a trace has one witness.
fn unused<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    let one = || num::<AB>(1);
    let mut zero_unless = |used: AB::Expr, cells: &[AB::Expr]| {
        for cell in cells {
            builder.assert_zero((one() - used.clone()) * cell.clone());
        }
    };
    let cells = |first: Col, count: usize| (first..first + count).map(|c| row.at(c)).collect();
    let cells: &dyn Fn(Col, usize) -> Vec<AB::Expr> = &cells;

    let uses_a = reads(row, 0) + row.at(MOVE);
    zero_unless(uses_a, &[row.limb(A, 0), row.limb(A, 1)]);
    let uses_b = row.real() - row.any(&[Li, Jal, Jalr, Fence]);
    zero_unless(uses_b, &[row.limb(B, 0), row.limb(B, 1)]);

    let result = row.any(&Class::ALL) - row.any(&BRANCHES) - row.any(&STORES) - row.is(Fence);
    zero_unless(result, &[row.pair(RD_NEW), row.pair(RD_NEW + 2)]);
    zero_unless(row.at(WRITES_RD), &cells(RD_OLD, 4));
    zero_unless(accesses_memory(row), &cells(MEM_OLD, 8));
    for slot in 0..NUM_SLOTS {
        let used = match slot {
            2 => accesses_memory(row),
            3 => row.at(WRITES_RD),
            _ => reads(row, slot),
        };
        zero_unless(used, &[row.at(GAP_LO + slot), row.at(GAP_HI + slot)]);
    }

    let sum = uses_address(row) + row.any(&COMPARES) + divides(row);
    zero_unless(sum.clone(), &[row.at(SUM_WORD), row.at(SUM_HI)]);
    zero_unless(sum.clone() + row.any(&[Add, Sub, Mulh]), &[row.at(CARRY)]);
    zero_unless(
        sum.clone() - divides(row) + row.any(&[Add, Sub, Mulh]),
        &[row.at(CARRY + 1)],
    );
    let signs = row.is(Mulh) + row.any(&DIVISIONS);
    zero_unless(signs, &cells(CARRY2, 2));
    let products = row.any(&PRODUCTS) + row.any(&DIVISIONS);
    zero_unless(row.any(&SHIFTS) + products.clone(), &cells(X, 8));
    zero_unless(products, &cells(XCARRY, 1));
    zero_unless(row.any(&PRODUCTS), &cells(XCARRY + 1, 2));
    zero_unless(row.any(&[Sra, Lb, Lh]), &cells(FILL, 2));
    zero_unless(row.any(&[Beq, Bne]), &cells(NEQ, 3));
    zero_unless(row.any(&DIVISIONS), &cells(ABS_B, 10));
    let calls = row.is(Ecall) + row.at(SETUP) + row.at(MOVE);
    zero_unless(calls, &[row.at(MORE), row.at(LEFT)]);

    // Exactly one selector where the sum unit or the shifter uses them.
    builder.assert_zero(cells(SEL, 4).into_iter().sum::<AB::Expr>() - sum - row.any(&SHIFTS));
    builder
        .when(row.at(USE_IMM))
        .assert_eq(row.limb(B, 0), row.at(IMM));
    builder
        .when(row.at(USE_IMM))
        .assert_eq(row.limb(B, 1), row.at(IMM + 1));
}

/// `low(lhs) = low(rhs) + 2^16·carry`, and the high limbs with that carry in.
fn limbs_with_carry<AB: AirBuilder>(
    builder: &mut AB,
    when: AB::Expr,
    lhs: [AB::Expr; 2],
    rhs: [AB::Expr; 2],
    carry: [AB::Expr; 2],
) {
    let ([lhs_lo, lhs_hi], [rhs_lo, rhs_hi], [lo, hi]) = (lhs, rhs, carry);
    let radix = num::<AB>(1 << 16);
    let mut builder = builder.when(when);
    builder.assert_eq(lhs_lo, rhs_lo + lo.clone() * radix.clone());
    builder.assert_eq(lhs_hi + lo, rhs_hi + hi * radix);
}

fn add_sub<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    let [a, b] = [A, B].map(|operand| [row.limb(operand, 0), row.limb(operand, 1)]);
    let result = [row.pair(RD_NEW), row.pair(RD_NEW + 2)];
    let carry = [row.at(CARRY), row.at(CARRY + 1)];
    let plus = |x: &[AB::Expr; 2], y: &[AB::Expr; 2]| {
        [x[0].clone() + y[0].clone(), x[1].clone() + y[1].clone()]
    };
    limbs_with_carry(
        builder,
        row.is(Add),
        plus(&a, &b),
        result.clone(),
        carry.clone(),
    );
    limbs_with_carry(builder, row.is(Sub), plus(&result, &b), a, carry);
}

/// The sum unit holds `a + immediate` for memory accesses, `jalr` and setup rows, aligned as the
/// access needs.
fn address<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    let sum = [
        row.limb(A, 0) + row.at(IMM),
        row.limb(A, 1) + row.at(IMM + 1),
    ];
    let carry = [row.at(CARRY), row.at(CARRY + 1)];
    limbs_with_carry(
        builder,
        uses_address(row),
        sum,
        [row.sum_lo(), row.at(SUM_HI)],
        carry,
    );
    builder
        .when(row.any(&[Lh, Sh]))
        .assert_zero(row.at(SEL + 1) + row.at(SEL + 3));
    builder.when(row.any(&[Lw, Sw])).assert_one(row.at(SEL));
    builder
        .when(row.is(Jalr))
        .assert_zero(row.at(SEL + 2) + row.at(SEL + 3));
}

/// The sum unit holds `a − b`; its last borrow is `a < b`, with top bits flipped if signed.
fn compare<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    let biased = |operand: Col| {
        let flip = num::<AB>(1 << 15) - row.at(operand + 31) * num::<AB>(1 << 16);
        row.limb(operand, 1) + row.at(SIGNED) * flip
    };
    let when = row.any(&COMPARES);
    let radix = num::<AB>(1 << 16);
    let (lo, hi) = (row.at(CARRY), row.at(CARRY + 1));
    builder.when(when.clone()).assert_eq(
        row.sum_lo() + row.limb(B, 0),
        row.limb(A, 0) + lo.clone() * radix.clone(),
    );
    builder.when(when).assert_eq(
        row.at(SUM_HI) + biased(B) + lo,
        biased(A) + hi.clone() * radix.clone(),
    );

    // The difference is zero, or its limbs sum to at least one.
    let distance = row.sum_lo() + row.at(SUM_HI);
    let equality = row.any(&[Beq, Bne]);
    builder.when(equality.clone()).assert_eq(
        distance.clone(),
        row.at(NEQ) + row.at(NEQ_LO) + row.at(NEQ_HI) * radix,
    );
    builder.assert_zero(equality * (num::<AB>(1) - row.at(NEQ)) * distance);

    builder
        .when(row.is(Slt))
        .assert_eq(row.pair(RD_NEW), hi.clone());
    builder.when(row.is(Slt)).assert_zero(row.pair(RD_NEW + 2));
    let (one, neq) = (num::<AB>(1), row.at(NEQ));
    builder.assert_eq(
        row.at(TAKEN),
        row.is(Beq) * (one.clone() - neq.clone())
            + row.is(Bne) * neq
            + row.is(Blt) * hi.clone()
            + row.is(Bge) * (one - hi)
            + row.is(Jal),
    );
}

fn bitwise<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    let (and, or, xor) = (row.is(And), row.is(Or), row.is(Xor));
    let linear = or.clone() + xor.clone();
    let product = and.clone() - or.clone() - xor.clone() * num::<AB>(2);
    for byte in 0..4 {
        let sum = row.byte(A, byte) + row.byte(B, byte);
        let both: AB::Expr = (0..8)
            .map(|i| row.at(A + 8 * byte + i) * row.at(B + 8 * byte + i) * num::<AB>(1 << i))
            .sum();
        builder.assert_eq(
            (and.clone() + linear.clone()) * row.at(RD_NEW + byte),
            linear.clone() * sum + product.clone() * both,
        );
    }
}

/// Each byte of `a` is multiplied by a power of two into a low and a high byte; neighbours add up
/// to the bytes of `a` shifted by 0 to 7 bits, and selectors move those by whole bytes.
fn shift<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    let (left, right) = (row.is(Sll), row.any(&[Srl, Sra]));
    let any = left.clone() + right.clone();
    let bit = |i: usize| row.at(B + i);
    let one = || num::<AB>(1);
    builder.assert_eq(
        row.at(POW01),
        left.clone() * (one() + bit(0)) * (one() + bit(1) * num::<AB>(3))
            + right.clone() * (num::<AB>(2) - bit(0)) * (num::<AB>(4) - bit(1) * num::<AB>(3)),
    );
    builder.assert_eq(
        row.at(POW),
        row.at(POW01)
            * (left.clone() * (one() + bit(2) * num::<AB>(15))
                + right.clone() * (num::<AB>(32) - bit(2) * num::<AB>(30))),
    );
    for i in 0..4 {
        builder.when(any.clone()).assert_eq(
            row.byte(A, i) * row.at(POW),
            row.at(X + i) + row.at(X + 4 + i) * num::<AB>(256),
        );
    }
    builder
        .when(any)
        .assert_eq(row.sel_index(), bit(3) + bit(4) * num::<AB>(2));

    builder
        .when(row.is(Sra))
        .assert_eq(row.at(FILL), row.at(A + 31));
    builder
        .when(row.is(Sra))
        .assert_eq(row.at(TOP), row.at(FILL) * (num::<AB>(256) - row.at(POW)));
    let to_left = |i: usize| match i {
        0 => row.at(X),
        _ => row.at(X + i) + row.at(X + 4 + i - 1),
    };
    let to_right = |i: usize| match i {
        3 => row.at(X + 7) + row.at(TOP),
        _ => row.at(X + 4 + i) + row.at(X + i + 1),
    };
    for j in 0..4 {
        let shifted: AB::Expr = (0..=j).map(|k| row.at(SEL + k) * to_left(j - k)).sum();
        builder
            .when(left.clone())
            .assert_eq(row.at(RD_NEW + j), shifted);
        let shifted: AB::Expr = (0..4)
            .map(|k| {
                let byte = match j + k {
                    i @ 0..4 => to_right(i),
                    _ => row.at(FILL) * num::<AB>(255),
                };
                row.at(SEL + k) * byte
            })
            .sum();
        builder
            .when(right.clone())
            .assert_eq(row.at(RD_NEW + j), shifted);
    }
}

/// Results that the program fixes: `lui`, `auipc`, and return addresses.
fn constants<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    for (limb, link) in [(0, TARGET), (1, LINK_HI)] {
        let result = row.pair(RD_NEW + 2 * limb);
        builder
            .when(row.any(&[Li, Jal]))
            .assert_eq(result.clone(), row.at(IMM + limb));
        builder.when(row.is(Jalr)).assert_eq(result, row.at(link));
    }
}

fn load<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    for i in 0..4 {
        let mut loads = builder.when(row.any(&LOADS));
        loads.assert_eq(row.byte(B, i), row.at(MEM_OLD + i));
        loads.assert_eq(row.at(MEM_NEW + i), row.at(MEM_OLD + i));
        builder
            .when(row.is(Lw))
            .assert_eq(row.at(RD_NEW + i), row.byte(B, i));
    }
    let select = |pick: &dyn Fn(usize) -> AB::Expr, offsets: &[usize]| -> AB::Expr {
        offsets.iter().map(|&i| row.at(SEL + i) * pick(i)).sum()
    };
    let byte = |i: usize| row.byte(B, i);
    let next_byte = |i: usize| row.byte(B, i + 1);
    let byte_sign = |i: usize| row.at(B + 8 * i + 7);
    let half_sign = |i: usize| row.at(B + 8 * i + 15);
    let extension = row.at(FILL) * num::<AB>(255);

    let mut lb = builder.when(row.is(Lb));
    lb.assert_eq(row.at(RD_NEW), select(&byte, &[0, 1, 2, 3]));
    lb.assert_eq(row.at(TOP), select(&byte_sign, &[0, 1, 2, 3]));
    lb.assert_eq(row.at(RD_NEW + 1), extension.clone());
    let mut lh = builder.when(row.is(Lh));
    lh.assert_eq(row.at(RD_NEW), select(&byte, &[0, 2]));
    lh.assert_eq(row.at(RD_NEW + 1), select(&next_byte, &[0, 2]));
    lh.assert_eq(row.at(TOP), select(&half_sign, &[0, 2]));
    let mut extends = builder.when(row.any(&[Lb, Lh]));
    extends.assert_eq(row.at(FILL), row.at(SIGNED) * row.at(TOP));
    extends.assert_eq(row.at(RD_NEW + 2), extension.clone());
    extends.assert_eq(row.at(RD_NEW + 3), extension);
}

fn store<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    for i in 0..4 {
        let (old, new) = (row.at(MEM_OLD + i), row.at(MEM_NEW + i));
        let replaced = |sel: usize, byte: usize| {
            old.clone() + row.at(SEL + sel) * (row.byte(B, byte) - old.clone())
        };
        builder
            .when(row.is(Sb))
            .assert_eq(new.clone(), replaced(i, 0));
        builder
            .when(row.is(Sh))
            .assert_eq(new.clone(), replaced(i & 2, i & 1));
        builder.when(row.is(Sw)).assert_eq(new, row.byte(B, i));
    }
}

/// `Σ_{i+j = digit} x_i·y_j` over four bytes each.
fn convolve<E: PrimeCharacteristicRing>(x: &[E; 4], y: &[E; 4], digit: usize) -> E {
    let pairs = (0..4).filter(|i| (0..4).contains(&digit.wrapping_sub(*i)));
    pairs.map(|i| x[i].clone() * y[digit - i].clone()).sum()
}

/// The 64-bit product, in base 2^16; the high word corrected for signs.
fn multiply<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    let a = [0, 1, 2, 3].map(|i| row.byte(A, i));
    let b = [0, 1, 2, 3].map(|i| row.byte(B, i));
    let when = row.any(&PRODUCTS);
    for digit in 0..4 {
        let mut sum =
            convolve(&a, &b, 2 * digit) + convolve(&a, &b, 2 * digit + 1) * num::<AB>(256);
        let mut result = row.pair(X + 2 * digit);
        if digit > 0 {
            sum += row.at(XCARRY + digit - 1);
        }
        if digit < 3 {
            result += row.at(XCARRY + digit) * num::<AB>(1 << 16);
        }
        builder.when(when.clone()).assert_eq(sum, result);
    }
    for i in 0..4 {
        builder
            .when(row.is(Mul))
            .assert_eq(row.at(RD_NEW + i), row.at(X + i));
    }

    let signs = row.is(Mulh) + row.any(&DIVISIONS);
    builder.assert_eq(
        row.at(NEG_A),
        signs.clone() * row.at(SIGNED) * row.at(A + 31),
    );
    builder.assert_eq(row.at(NEG_B), signs * row.at(SIGNED_B) * row.at(B + 31));
    let mut carry_in = num::<AB>(0);
    for limb in 0..2 {
        let carry = row.at(CARRY + limb) + row.at(CARRY2 + limb);
        let mut mulh = builder.when(row.is(Mulh));
        mulh.assert_eq(
            row.pair(RD_NEW + 2 * limb)
                + row.at(NEG_A) * row.limb(B, limb)
                + row.at(NEG_B) * row.limb(A, limb)
                + carry_in,
            row.pair(X + 4 + 2 * limb) + carry.clone() * num::<AB>(1 << 16),
        );
        // A carry of one is held in the first of its two bits.
        mulh.assert_zero(row.at(CARRY2 + limb) * (num::<AB>(1) - row.at(CARRY + limb)));
        carry_in = carry;
    }
}

/// |a| = |q|·|b| + |r| with |r| < |b|, and signs put back; a zero divisor fixes q instead.
fn divide<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    let one = || num::<AB>(1);
    let two = || num::<AB>(2);
    let radix = || num::<AB>(1 << 16);
    let when = row.any(&DIVISIONS);
    let q = [0, 1, 2, 3].map(|i| row.at(X + i));
    let y = [0, 1, 2, 3].map(|i| row.at(ABS_B + i));
    let remainder = [row.pair(X + 4), row.pair(X + 6)];
    let divisor = [row.pair(ABS_B), row.pair(ABS_B + 2)];
    let dividend = [row.at(ABS_A), row.at(ABS_A + 1)];

    // Magnitudes: v if not negative, else the limbs of 2^32 − v.
    for (operand, magnitude, negative, carry) in [
        (A, &dividend, NEG_A, NEGATE_A),
        (B, &divisor, NEG_B, NEGATE_B),
    ] {
        let (negative, carry) = (row.at(negative), row.at(carry));
        let [lo, hi] = [row.limb(operand, 0), row.limb(operand, 1)];
        let mut builder = builder.when(when.clone());
        builder.assert_eq(
            magnitude[0].clone() + negative.clone() * lo.clone() * two(),
            lo + carry.clone() * radix(),
        );
        builder.assert_zero((one() - negative.clone()) * carry.clone());
        builder.assert_eq(
            magnitude[1].clone() + negative.clone() * (hi.clone() * two() - radix()) + carry,
            hi,
        );
    }

    let mut divisions = builder.when(when);
    divisions.assert_eq(
        convolve(&q, &y, 0) + convolve(&q, &y, 1) * num::<AB>(256) + remainder[0].clone(),
        dividend[0].clone() + row.at(XCARRY) * radix(),
    );
    divisions.assert_eq(
        convolve(&q, &y, 2)
            + convolve(&q, &y, 3) * num::<AB>(256)
            + remainder[1].clone()
            + row.at(XCARRY),
        dividend[1].clone(),
    );
    divisions.assert_zero(
        (4..7)
            .map(|digit| convolve(&q, &y, digit))
            .sum::<AB::Expr>(),
    );

    // |b| − |r| − 1 is not negative.
    let mut proper = builder.when(divides(row));
    proper.assert_eq(
        row.sum_lo() + remainder[0].clone() + one(),
        divisor[0].clone() + row.at(CARRY) * radix(),
    );
    proper.assert_eq(
        row.at(SUM_HI) + remainder[1].clone() + row.at(CARRY),
        divisor[1].clone(),
    );
    // By zero: the quotient is all ones once its sign is back, the remainder is the dividend.
    let mut by_zero = builder.when(row.at(BY_ZERO));
    by_zero.assert_zero(row.limb(B, 0) + row.limb(B, 1));
    by_zero.assert_eq(row.at(X), num::<AB>(255) - row.at(NEG_A) * num::<AB>(254));
    for i in 1..4 {
        by_zero.assert_eq(row.at(X + i), (one() - row.at(NEG_A)) * num::<AB>(255));
    }

    let (neg_a, neg_b) = (row.at(NEG_A), row.at(NEG_B));
    builder.when(row.is(Div)).assert_eq(
        row.at(NEG_R),
        neg_a.clone() + neg_b.clone() - neg_a.clone() * neg_b * two(),
    );
    builder.when(row.is(Rem)).assert_eq(row.at(NEG_R), neg_a);
    let (negate, carry) = (row.at(NEG_R), [row.at(CARRY2), row.at(CARRY2 + 1)]);
    for (class, value) in [(Div, [row.pair(X), row.pair(X + 2)]), (Rem, remainder)] {
        let sign = one() - negate.clone() * two();
        let mut builder = builder.when(row.is(class));
        builder.assert_eq(
            row.pair(RD_NEW),
            sign.clone() * value[0].clone() + carry[0].clone() * radix(),
        );
        builder.assert_eq(
            row.pair(RD_NEW + 2) + carry[0].clone(),
            sign * value[1].clone() + carry[1].clone() * radix(),
        );
    }
    for carry in carry {
        builder.assert_zero(row.any(&DIVISIONS) * (one() - negate.clone()) * carry);
    }
}

/// `ecall`, then a setup row, then move rows, each only where the row before says there is more.
fn system_call<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>, next: &Row<AB>) {
    let more = row.at(MORE);
    let moving = row.at(SETUP) + row.at(MOVE);
    let mut transition = builder.when_transition();
    transition.assert_eq(next.at(SETUP), more.clone() * row.is(Ecall));
    transition.assert_eq(next.at(MOVE), more.clone() * moving);
    transition.assert_zero(next.at(SETUP) * (next.at(LEFT) - row.at(LEFT)));
    transition.assert_zero(next.at(MOVE) * (next.at(LEFT) + next.step() - row.at(LEFT)));
    // The next unit lies where this one ends.
    transition.assert_zero(next.at(MOVE) * (next.limb(A, 0) - row.sum_lo()));
    transition.assert_zero(next.at(MOVE) * (next.limb(A, 1) - row.at(SUM_HI)));
    transition.assert_zero(next.at(MOVE) * (next.at(IMM) - row.at(MOVE) * row.step()));
    // It ends when nothing is left.
    builder.assert_zero((num::<AB>(1) - more) * row.at(LEFT));
}

fn next_pc<AB: AirBuilder>(row: &Row<AB>) -> AB::Expr {
    let (pc, taken, jalr) = (row.at(PC), row.at(TAKEN), row.is(Jalr));
    let falls_through = row.real() - row.at(MORE) - jalr.clone() - taken.clone();
    pc.clone()
        + falls_through
        + taken * (row.at(TARGET) - pc.clone())
        + jalr * (row.sum_word() - pc)
}

fn control<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>, next: &Row<AB>) {
    builder.when_first_row().assert_zero(row.at(CLK));
    let mut transition = builder.when_transition();
    transition.assert_eq(next.at(CLK), row.at(CLK) + num::<AB>(1));
    transition.assert_eq(next.at(PC), next_pc(row));
    // Padding only at the end.
    transition.assert_zero((num::<AB>(1) - row.real()) * next.real());
}

/// The first and last row agree with the public values.
fn boundary<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    let public: Vec<AB::Expr> = builder
        .public_values()
        .iter()
        .map(|value| (*value).into())
        .collect();
    let public = |i: usize| public[i].clone();
    let (setup, moves) = (row.at(SETUP), row.at(MOVE));

    let mut first = builder.when_first_row();
    first.assert_eq(row.at(PC), public(public::START_PC));
    first.assert_eq(setup.clone(), public(public::START_SETUP));
    first.assert_eq(moves.clone(), public(public::START_MOVE));
    for limb in 0..2 {
        let ptr = public(public::START_PTR + limb);
        first.assert_zero(moves.clone() * (row.limb(A, limb) - ptr));
    }
    first.assert_zero(moves.clone() * row.at(IMM));
    first.assert_zero(moves.clone() * (row.at(LEFT) + row.step() - public(public::START_LEFT)));
    first.assert_zero(setup.clone() * (row.at(LEFT) - public(public::START_LEFT)));

    let continues = row.at(MORE) * (setup + moves.clone());
    let mut last = builder.when_last_row();
    last.assert_eq(next_pc(row), public(public::END_PC));
    last.assert_eq(row.at(MORE) * row.is(Ecall), public(public::END_SETUP));
    last.assert_eq(continues.clone(), public(public::END_MOVE));
    last.assert_zero(continues.clone() * (row.sum_lo() - public(public::END_PTR)));
    last.assert_zero(continues * (row.at(SUM_HI) - public(public::END_PTR + 1)));
    last.assert_eq(row.at(MORE) * moves * row.step(), public(public::END_STEP));
    last.assert_eq(row.at(LEFT), public(public::END_LEFT));
    last.assert_zero(row.real() * (row.at(CLK) + num::<AB>(1) - public(public::NUM_CYCLES)));

    let main = builder.main();
    let next = Row::<AB>(main.next_slice());
    let ends = row.real() - next.real();
    builder
        .when_transition()
        .assert_zero(ends * (row.at(CLK) + num::<AB>(1) - public(public::NUM_CYCLES)));
}

/// Timestamps of the access in a slot: (before, now).
fn times<AB: AirBuilder>(row: &Row<AB>, slot: usize) -> (AB::Expr, AB::Expr) {
    let now = row.at(CLK) * num::<AB>(4) + num::<AB>(slot as u32 + 1);
    let gap = row.at(GAP_LO + slot) + row.at(GAP_HI + slot) * num::<AB>(1 << 16);
    (now.clone() - num::<AB>(1) - gap, now)
}

fn lookups<AB: InteractionBuilder>(builder: &mut AB, row: &Row<AB>) {
    // The instruction, by its address.
    let code = (0..NUM_CLASSES)
        .map(|i| row.at(CLASS + i) * num::<AB>(i as u32))
        .sum::<AB::Expr>()
        + [SIGNED, SIGNED_B, USE_IMM, WRITES_RD]
            .into_iter()
            .zip(5..)
            .map(|(col, shift)| row.at(col) * num::<AB>(1 << shift))
            .sum::<AB::Expr>();
    let fields = [PC, RD, RS1, RS2, IMM, IMM + 1, TARGET, LINK_HI].map(|col| row.at(col));
    let [pc, rest @ ..] = fields;
    let key = [pc, code].into_iter().chain(rest);
    bus::PROGRAM.lookup_key(builder, key, bus::at_most_once(row.instruction()));

    // Registers and memory.
    let operand = |col: Col| [0, 1, 2, 3].map(|i| row.byte(col, i));
    let cells = |col: Col| [0, 1, 2, 3].map(|i| row.at(col + i));
    let register = |col: Col| row.at(col) + num::<AB>(REGISTER_BASE);
    let accesses = [
        (register(RS1), operand(A), operand(A), reads(row, 0)),
        (register(RS2), operand(B), operand(B), reads(row, 1)),
        (
            row.sum_word(),
            cells(MEM_OLD),
            cells(MEM_NEW),
            accesses_memory(row),
        ),
        (
            register(RD),
            cells(RD_OLD),
            cells(RD_NEW),
            row.at(WRITES_RD),
        ),
    ];
    for (slot, (address, old, new, count)) in accesses.into_iter().enumerate() {
        let (before, now) = times(row, slot);
        bus::access(builder, &address, (old, before), (new, now), count);
    }

    // Ranges, in every row.
    for col in range::COLS16 {
        bus::RANGE16.lookup_key(builder, [row.at(col)], 1);
    }
    for col in range::COLS14 {
        bus::RANGE14.lookup_key(builder, [row.at(col)], 1);
    }
    for col in range::COLS_BYTES {
        bus::BYTES.lookup_key(builder, [row.at(col), row.at(col + 1)], 1);
    }

    // What the system call does, for the public log.
    let class: AB::Expr = [Lb, Lw, Sb, Sw, Ecall]
        .map(|c| row.is(c) * num::<AB>(c as u32))
        .into_iter()
        .sum();
    let kind = class + row.at(SETUP) * num::<AB>(32);
    let event = [
        row.at(CLK),
        kind,
        row.limb(A, 0),
        row.limb(A, 1),
        row.limb(B, 0),
        row.limb(B, 1),
        row.pair(RD_NEW),
        row.pair(RD_NEW + 2),
        row.at(LEFT),
    ];
    let calls = row.is(Ecall) + row.at(SETUP) + row.at(MOVE);
    bus::SYSTEM_CALLS.send(builder, event, bus::at_most_once(calls));
}
