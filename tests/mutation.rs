//! Witness mutation: what the constraints and lookups of this version hold.

mod guests;

use std::collections::BTreeMap;

use guests::{Guest, NAMES};
use rewit::segment::Runner;
use rewit::stark::mutate::{NUM_ROW_NAMES, Score, mutate};
use rewit::witness::{fill_tables, replay_reads};

/// Rows of each kind that are changed, over all guests.
const ROWS: usize = 6;

#[test]
fn every_changed_cell_is_caught() {
    let mut total = Score::default();
    let mut free: BTreeMap<(String, String), u64> = BTreeMap::new();
    for name in NAMES {
        let Guest { program, input } = Guest::small(name);
        let mut runner = Runner::new(&program, &input, 12, 6).unwrap();
        // Segments with as many kinds of rows as possible: the start (reads the input), the
        // middle, and the end (writes the result, padding).
        let mut recordings = Vec::new();
        while let Some(recording) = runner.next_segment() {
            recordings.push(recording);
            if recordings.len() > 3 {
                recordings.remove(2);
            }
        }
        for recording in recordings {
            let segment = &recording.segment;
            let records = replay_reads(&program, segment, &recording.reads).unwrap();
            let witness = fill_tables(&program, segment, &records, Vec::new()).unwrap();
            let missing = |kind: &str| total.rows.get(kind).copied().unwrap_or(0) < ROWS;
            let score = mutate(&program, &witness, ROWS, missing);
            total.num_changes += score.num_changes;
            total.num_caught += score.num_caught;
            for (row, count) in score.rows {
                *total.rows.entry(row).or_default() += count;
            }
            for cell in score.free {
                *free.entry((cell.column, cell.row)).or_default() += cell.num_changes;
                assert!(cell.reason.is_some() || !free.is_empty());
            }
        }
    }
    println!(
        "mutation score: {} of {} changes caught ({:.3} %), {} kinds of rows of {}",
        total.num_caught,
        total.num_changes,
        100.0 * total.num_caught as f64 / total.num_changes as f64,
        total.rows.len(),
        NUM_ROW_NAMES
    );
    for ((column, row), count) in &free {
        println!("free: {column} in {row} rows ({count} changes)");
    }
    println!("rows: {:?}", total.rows);
    assert!(free.is_empty(), "cells are free without a reason");
    assert_eq!(total.num_caught, total.num_changes);
}
