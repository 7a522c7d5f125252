//! The AIR on random instruction sequences with edge-case operands: every valid row satisfies every
//! constraint, and changed rows do not.

mod common;

use common::Rng;
use common::sequences::{self, Class, build};
use p3_air::symbolic::{AirLayout, SymbolicExpression};
use p3_air::{Air, BaseAir};
use p3_baby_bear::BabyBear;
use p3_lookup::InteractionSymbolicBuilder;
use rewit::segment::Runner;
use rewit::stark::air::{BoundaryAir, CpuAir, ProgramAir, RangeAir};
use rewit::stark::check::check;
use rewit::stark::mutate::{GROUPS, NUM_ROW_NAMES, Options, Score, mutate};
use rewit::vm::{Program, Stop};
use rewit::witness::layout::{
    CLK, LEFT, MORE, MOVE, PC, REGISTER_BASE, SETUP, WIDTH, boundary, public,
};
use rewit::witness::{P, fill_from_reads, fill_tables, from_monty, replay_reads, to_monty};

fn input() -> Vec<u8> {
    let mut rng = Rng::new(3);
    (0..20_000).map(|_| rng.word() as u8).collect()
}

/// Checks a whole run of a file of sequences.
fn holds(class: Class) {
    let (program, input) = (Program::from_elf(build(class, 5, 0)).unwrap(), input());
    let mut runner = Runner::new(&program, &input, 12, 5).unwrap();
    let mut cycles = 0;
    while let Some(recording) = runner.next_segment() {
        let segment = &recording.segment;
        cycles += segment.num_cycles;
        // The dump at the end is the same for every class.
        if segment.index > 12 {
            continue;
        }
        let records = replay_reads(&program, segment, &recording.reads).unwrap();
        let log = records.system_calls(&program);
        let witness = fill_tables(&program, segment, &records, Vec::new()).unwrap();
        let report = check(&program, &witness, &log);
        assert!(report.is_ok(), "segment {}: {report:#?}", segment.index);
    }
    assert_eq!(runner.stop(), Some(Stop::Exit(0)));
    assert!(cycles > 20_000, "{cycles} cycles");
}

macro_rules! classes {
    ($($class:ident)*) => {
        $(
            #[test]
            fn $class() {
                super::holds(super::sequences::$class);
            }
        )*
    };
}

/// 250 sequences of each class.
mod every_row_holds {
    classes! { op_imm op upper branches jumps loads stores multiply divide mixed syscalls }
}

/// Mutates runs of mixed sequences, divisions and system calls until `rows` of every kind of row
/// have been changed.
fn score(rows_per_kind: usize, dropped: Option<&str>) -> Score {
    let mut total = Score::default();
    for class in [
        sequences::mixed as Class,
        sequences::divide,
        sequences::syscalls,
    ] {
        let (program, input) = (Program::from_elf(build(class, 6, 0)).unwrap(), input());
        let mut runner = Runner::new(&program, &input, 15, 5).unwrap();
        while let Some(recording) = runner.next_segment() {
            let segment = &recording.segment;
            let witness = fill_from_reads(&program, segment, &recording.reads, Vec::new()).unwrap();
            let enough = |(_, count): &(&String, &usize)| **count >= rows_per_kind;
            let skip = total.rows.iter().filter(enough);
            let options = Options {
                rows_per_kind,
                skip: &skip.map(|(name, _)| name.clone()).collect(),
                dropped,
            };
            let score = mutate(&program, &witness, options);
            total.num_changes += score.num_changes;
            total.num_caught += score.num_caught;
            total.free.extend(score.free);
            for (name, count) in score.rows {
                *total.rows.entry(name).or_default() += count;
            }
        }
    }
    total
}

/// The mutation score: every kind of row, every column, several rows, several changes.
#[test]
fn every_changed_cell_is_caught_or_listed() {
    let score = score(8, None);
    println!(
        "mutation score: {} of {} changes caught ({:.3} %), {} of {NUM_ROW_NAMES} kinds of rows",
        score.num_caught,
        score.num_changes,
        100.0 * score.num_caught as f64 / score.num_changes as f64,
        score.rows.len(),
    );
    let mut listed = std::collections::BTreeMap::new();
    for free in &score.free {
        *listed
            .entry((
                &free.row,
                &free.column,
                free.reason.unwrap_or("NO REASON KNOWN"),
            ))
            .or_insert(0) += free.num_changes;
    }
    for ((row, column, reason), count) in &listed {
        println!("free: {column} in {row} rows ({count} changes): {reason}");
    }
    println!("rows changed: {:?}", score.rows);
    assert_eq!(
        score.rows.len(),
        NUM_ROW_NAMES,
        "a kind of row was not reached"
    );
    assert!(
        score.free.iter().all(|cell| cell.reason.is_some()),
        "cells are free without a reason"
    );
}

/// The score measures something: without any one group of constraints, cells come free.
#[test]
fn a_dropped_group_is_noticed() {
    for group in GROUPS {
        let score = score(2, Some(group));
        let free = score
            .free
            .iter()
            .filter(|cell| cell.reason.is_none())
            .count();
        println!("without {group}: {free} kinds of cells come free");
        // Single changes of what a system call does show in the log, whatever the constraints.
        assert!(
            free > 0 || group == "system call",
            "dropping {group} is not noticed"
        );
    }
}

/// Degrees as Plonky3 counts them, transition selectors included.
#[test]
fn constraints_have_degree_at_most_three() {
    fn degree<A: Air<InteractionSymbolicBuilder<BabyBear>> + BaseAir<BabyBear>>(air: &A) -> usize {
        let layout = AirLayout {
            main_width: air.width(),
            preprocessed_width: air.preprocessed_width(),
            num_public_values: air.num_public_values(),
            ..AirLayout::default()
        };
        let builder = InteractionSymbolicBuilder::from_air(air, layout);
        let constraints = builder.base_constraints();
        let buses = builder.global_interactions().iter().map(|i| {
            let fields = i.fields.iter().map(SymbolicExpression::degree_multiple);
            // One column a message: `fraction · (challenge − fields) = count`.
            (1 + fields.max().unwrap_or(0)).max(i.count.degree_multiple())
        });
        let degrees = constraints
            .iter()
            .map(|c| c.degree_multiple_with_transition(1));
        degrees.chain(buses).max().unwrap_or(0)
    }
    let program = Program::from_elf(build(sequences::op, 1, 0)).unwrap();
    assert_eq!(degree(&CpuAir), 3);
    assert!(degree(&BoundaryAir) <= 3);
    assert!(degree(&ProgramAir::new(&program)) <= 3);
    assert!(degree(&RangeAir) <= 3);
}

/// A boundary table whose addresses go round the field once and then repeat a word: the attack that
/// whole addresses with steps below 2^30 would allow.
#[test]
fn a_word_cannot_enter_memory_twice() {
    let (program, input) = (
        Program::from_elf(build(sequences::stores, 5, 0)).unwrap(),
        input(),
    );
    let mut runner = Runner::new(&program, &input, 12, 5).unwrap();
    let recording = runner.next_segment().unwrap();
    let segment = &recording.segment;
    let records = replay_reads(&program, segment, &recording.reads).unwrap();
    let log = records.system_calls(&program);
    let witness = fill_tables(&program, segment, &records, Vec::new()).unwrap();
    assert!(check(&program, &witness, &log).is_ok());

    let table = &witness.boundary;
    let real = (0..table.height())
        .take_while(|row| table.row(*row)[boundary::REAL] != 0)
        .count();
    assert!(real < table.height(), "there is room for one more row");
    // From the last register up to p plus the address of the first word.
    let word =
        from_monty(table.row(0)[boundary::LO]) + (from_monty(table.row(0)[boundary::HI]) << 16);
    let last = REGISTER_BASE + 31;
    let step = word + (P - last) - 1;
    for carry in [0, 1] {
        let mut forged = witness.clone();
        let cells = &mut forged.boundary.words;
        let at = (real - 1) * boundary::WIDTH;
        cells[at + boundary::STEP] = to_monty(step & 0xffff);
        cells[at + boundary::STEP + 1] = to_monty(step >> 16);
        cells[at + boundary::CARRY] = to_monty(carry);
        cells.copy_within(..boundary::WIDTH, real * boundary::WIDTH);
        let copy = &mut cells[real * boundary::WIDTH..][..boundary::WIDTH];
        copy[boundary::STEP..=boundary::CARRY].fill(0);
        // The duplicate is consistent with itself: it leaves as it entered.
        copy[boundary::TIME] = 0;
        copy.copy_within(boundary::INIT..boundary::FINAL, boundary::FINAL);
        let report = check(&program, &forged, &log);
        let caught = report.failures.iter().any(|f| f.table == "boundary");
        assert!(caught, "{report:#?}");
    }
}

/// Between rows of a system call the constraints say what follows: a transfer cannot start without
/// its `ecall`, lose a row, or end early, even where every row by itself and the log are as forged.
#[test]
fn transfers_follow_their_calls() {
    let (program, input) = (
        Program::from_elf(build(sequences::syscalls, 5, 0)).unwrap(),
        input(),
    );
    let mut runner = Runner::new(&program, &input, 13, 5).unwrap();
    let mut tried = 0;
    while let Some(recording) = runner.next_segment() {
        let segment = &recording.segment;
        let records = replay_reads(&program, segment, &recording.reads).unwrap();
        let log = records.system_calls(&program);
        let witness = fill_tables(&program, segment, &records, Vec::new()).unwrap();
        for row in 1..witness.cpu.height() - 1 {
            let cell = |row: usize, col: usize| witness.cpu.row(row)[col];
            if tried >= 40 || (cell(row, SETUP) == 0 && cell(row, MOVE) == 0) {
                continue;
            }
            tried += 1;
            // The row above stops: its transfer ends, and this row follows all the same.
            let mut forged = witness.clone();
            let above = &mut forged.cpu.words[(row - 1) * WIDTH..][..WIDTH];
            (above[MORE], above[LEFT]) = (0, 0);
            // The program counter is made to fit, so that only the transition can tell.
            for cells in forged.cpu.words[row * WIDTH..].chunks_mut(WIDTH) {
                cells[PC] = to_monty((from_monty(cells[PC]) + 1) % P);
            }
            let report = check(&program, &forged, &log);
            let caught = report
                .failures
                .iter()
                .any(|f| f.table == "cpu" && f.row == row - 1 && f.group == "system call");
            assert!(caught, "row {row}: {:?}", report.failures);
        }
    }
    assert!(tried > 10, "{tried} rows tried");
}

/// A table of padding alone cannot claim cycles.
#[test]
fn padding_alone_is_refused() {
    let (program, input) = (
        Program::from_elf(build(sequences::op, 5, 0)).unwrap(),
        input(),
    );
    let mut runner = Runner::new(&program, &input, 10, 5).unwrap();
    let recording = runner.next_segment().unwrap();
    let records = replay_reads(&program, &recording.segment, &recording.reads).unwrap();
    let mut witness = fill_tables(&program, &recording.segment, &records, Vec::new()).unwrap();
    let pc = witness.public[public::START_PC];
    for (row, cells) in witness.cpu.words.chunks_mut(WIDTH).enumerate() {
        cells.fill(0);
        cells[CLK] = to_monty(row as u32);
        cells[PC] = to_monty(pc);
    }
    witness.public[public::END_PC] = pc;
    let report = check(&program, &witness, &[]);
    let caught = report
        .failures
        .iter()
        .any(|f| f.table == "cpu" && f.row == 0);
    assert!(caught, "{report:#?}");
}
