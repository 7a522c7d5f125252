//! The CPU table's constraints and lookups, written once for every prover and checker.
//!
//! `docs/air.md` derives each of them. Two rules hold throughout. No product of cells has degree
//! above 3, selectors included. And no equation can wrap: with every cell in its range, both sides
//! are integers that differ by less than the 31-bit prime, so the same constraints hold over the
//! integers, over BabyBear and over the BN254 scalar field.

use p3_air::{Air, AirBuilder, BaseAir, WindowAccess};
use p3_lookup::InteractionBuilder;

use super::bus;
use super::compute::*;
use super::row::*;
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
    transition.assert_zero(next.at(MOVE) * (next.at(IMM) - row.step()));
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
    first.assert_one(row.real());
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

    let mut last = builder.when_last_row();
    last.assert_eq(next_pc(row), public(public::END_PC));
    last.assert_eq(row.at(MORE) * row.is(Ecall), public(public::END_SETUP));
    let moves_on = || public(public::END_MOVE);
    last.assert_eq(row.at(MORE) * (setup + moves), moves_on());
    last.assert_zero(moves_on() * (row.sum_lo() - public(public::END_PTR)));
    last.assert_zero(moves_on() * (row.at(SUM_HI) - public(public::END_PTR + 1)));
    last.assert_zero(moves_on() * (row.step() - public(public::END_STEP)));
    last.assert_zero((num::<AB>(1) - moves_on()) * public(public::END_STEP));
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
