//! The AIR on random instruction sequences with edge-case operands: every valid row satisfies every
//! constraint, and changed rows do not.

mod common;

use common::Rng;
use common::sequences::{self, Class, build};
use rewit::segment::Runner;
use rewit::stark::check::check;
use rewit::stark::mutate::{NUM_ROW_NAMES, mutate};
use rewit::vm::{Program, Stop};
use rewit::witness::{fill_tables, replay_reads};

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

/// The mutation score: every class and row kind, every column, several rows, several changes.
#[test]
fn every_changed_cell_is_caught() {
    const ROWS: usize = 8;
    let (mut num_changes, mut num_caught) = (0, 0);
    let mut rows = std::collections::BTreeMap::<String, usize>::new();
    let mut free = Vec::new();
    for class in [
        sequences::mixed as Class,
        sequences::divide,
        sequences::syscalls,
    ] {
        let (program, input) = (Program::from_elf(build(class, 6, 0)).unwrap(), input());
        let mut runner = Runner::new(&program, &input, 15, 5).unwrap();
        while let Some(recording) = runner.next_segment() {
            let segment = &recording.segment;
            let records = replay_reads(&program, segment, &recording.reads).unwrap();
            let witness = fill_tables(&program, segment, &records, Vec::new()).unwrap();
            let missing = |name: &str| rows.get(name).is_none_or(|count| *count < ROWS);
            let score = mutate(&program, &witness, ROWS, missing);
            num_changes += score.num_changes;
            num_caught += score.num_caught;
            free.extend(score.free);
            for (name, count) in score.rows {
                *rows.entry(name).or_default() += count;
            }
        }
    }
    println!(
        "mutation score: {num_caught} of {num_changes} changes caught ({:.3} %), \
         {} of {NUM_ROW_NAMES} kinds of rows",
        100.0 * num_caught as f64 / num_changes as f64,
        rows.len(),
    );
    for cell in &free {
        let reason = cell.reason.unwrap_or("NO REASON KNOWN");
        println!(
            "free: {} in {} rows, {} changes: {reason}",
            cell.column, cell.row, cell.num_changes
        );
    }
    println!("free cells: {}; rows changed: {rows:?}", free.len());
    assert_eq!(rows.len(), NUM_ROW_NAMES, "a kind of row was not reached");
    assert!(
        free.iter().all(|cell| cell.reason.is_some()),
        "cells are free without a reason"
    );
    assert!(num_caught > 0);
}
