//! Constraints on what instructions compute: one function per unit of the CPU table.

use p3_air::AirBuilder;
use p3_field::PrimeCharacteristicRing;

use super::row::*;
use crate::witness::layout::*;

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

pub(super) fn add_sub<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
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
pub(super) fn address<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
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
pub(super) fn compare<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
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

pub(super) fn bitwise<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
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
pub(super) fn shift<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
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
pub(super) fn constants<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
    for (limb, link) in [(0, TARGET), (1, LINK_HI)] {
        let result = row.pair(RD_NEW + 2 * limb);
        builder
            .when(row.any(&[Li, Jal]))
            .assert_eq(result.clone(), row.at(IMM + limb));
        builder.when(row.is(Jalr)).assert_eq(result, row.at(link));
    }
}

pub(super) fn load<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
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

pub(super) fn store<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
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
pub(super) fn multiply<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
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
pub(super) fn divide<AB: AirBuilder>(builder: &mut AB, row: &Row<AB>) {
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
