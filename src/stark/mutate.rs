//! Witness mutation: change one cell of a valid trace, and something must fail.
//!
//! This measures whether the constraints pin the witness down. A change counts as caught if a
//! constraint on the row or its neighbour fails, a range or program lookup asks for what its table
//! does not hold, or the row's messages about memory or system calls change (nothing else could
//! then balance them). Multiplicities are taken to follow the change, as a cheating prover would
//! make them do.

use std::collections::{BTreeMap, HashSet};

use p3_baby_bear::BabyBear;
use p3_field::{PrimeCharacteristicRing, PrimeField32};
use rayon::prelude::*;

use super::air::SYSTEM_CALLS;
use super::check::{Message, RowBuilder, field_cells};
use crate::vm::Program;
use crate::witness::Witness;
use crate::witness::layout::{CLASS, Class, Col, MOVE, NUM_CLASSES, SETUP, WIDTH, column_name};
use crate::witness::rom::rom;

type F = BabyBear;

/// Cells whose change was not caught.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Free {
    /// Name of the column.
    pub column: String,
    /// What the row does: an instruction class, or `setup`, `move …`, `padding`.
    pub row: String,
    /// Changes that were not caught.
    pub num_changes: u64,
    /// Why that is harmless, if it is known to be.
    pub reason: Option<&'static str>,
}

/// What mutating a witness found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Score {
    /// Changes made.
    pub num_changes: u64,
    /// Changes caught.
    pub num_caught: u64,
    /// Kinds of rows that were changed, with the number of rows.
    pub rows: BTreeMap<String, usize>,
    /// Cells that may be changed.
    pub free: Vec<Free>,
}

/// What a row does, as mutation scores group them.
pub fn row_name(row: &[F]) -> String {
    let set = |col: Col| row[col] == F::ONE;
    let class = Class::ALL
        .into_iter()
        .find(|class| set(CLASS + *class as usize));
    let class = class.map(|class| format!("{class:?}").to_lowercase());
    match class {
        Some(class) if set(MOVE) => format!("move {class}"),
        Some(class) => class,
        None if set(SETUP) => "setup".into(),
        None => "padding".into(),
    }
}

/// Number of row names there are: classes, setup, four moves, padding.
pub const NUM_ROW_NAMES: usize = NUM_CLASSES + 6;

/// Why a cell that no constraint of this version holds may be free.
fn reason(_column: &str, _row: &str) -> Option<&'static str> {
    None
}

/// Changes every cell of up to `rows_per_name` rows of each kind that `wanted` names, in several
/// ways.
///
/// Cost: about 20 µs a change; `WIDTH · 5` changes a row.
pub fn mutate(
    program: &Program,
    witness: &Witness,
    rows_per_name: usize,
    wanted: impl Fn(&str) -> bool,
) -> Score {
    let cells = field_cells(&witness.cpu);
    let height = witness.cpu.height();
    let at = |row: usize| &cells[row * WIDTH..][..WIDTH];
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for row in 0..height {
        by_name.entry(row_name(at(row))).or_default().push(row);
    }
    by_name.retain(|name, _| wanted(name));
    let public: Vec<F> = witness.public.iter().map(|v| F::from_u32(*v)).collect();
    let instructions: HashSet<Vec<u32>> = rom(program).flatten().map(|row| row.to_vec()).collect();

    let tasks: Vec<(&String, usize)> = by_name
        .iter()
        .flat_map(|(name, rows)| {
            let take = rows_per_name.min(rows.len());
            (0..take).map(move |i| (name, rows[i * rows.len() / take]))
        })
        .collect();
    let missed: Vec<(String, &String)> = tasks
        .par_iter()
        .flat_map_iter(|&(name, row)| {
            let original = RowBuilder::cpu(
                [at(row), at((row + 1) % height)],
                &public,
                (row == 0, row + 1 == height),
            );
            debug_assert!(original.failed.is_empty());
            let mut changed = at(row).to_vec();
            let mut missed = Vec::new();
            for col in 0..WIDTH {
                for value in changes(changed[col], row) {
                    let before = std::mem::replace(&mut changed[col], value);
                    let here = RowBuilder::cpu(
                        [&changed, at((row + 1) % height)],
                        &public,
                        (row == 0, row + 1 == height),
                    );
                    let mut caught = !here.failed.is_empty()
                        || messages_tell(&original.messages, &here.messages, &instructions);
                    if !caught && row > 0 {
                        let above =
                            RowBuilder::cpu([at(row - 1), &changed], &public, (row == 1, false));
                        caught = !above.failed.is_empty();
                    }
                    if !caught {
                        missed.push((column_name(col), name));
                    }
                    changed[col] = before;
                }
            }
            missed
        })
        .collect();

    let num_changes = (tasks.len() * WIDTH * NUM_VALUES) as u64;
    let mut counts: BTreeMap<(String, &String), u64> = BTreeMap::new();
    for cell in &missed {
        *counts.entry(cell.clone()).or_default() += 1;
    }
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in &tasks {
        *rows.entry((*name).clone()).or_default() += 1;
    }
    let free = counts
        .into_iter()
        .map(|((column, row), num_changes)| {
            let reason = reason(&column, row);
            Free {
                column,
                row: row.clone(),
                num_changes,
                reason,
            }
        })
        .collect();
    Score {
        num_changes,
        num_caught: num_changes - missed.len() as u64,
        rows,
        free,
    }
}

/// Ways a cell is changed.
const NUM_VALUES: usize = 5;

/// Other values for a cell that holds `cell`: near, negated, far, and a bit flipped.
fn changes(cell: F, row: usize) -> [F; NUM_VALUES] {
    let mixed = (row as u32).wrapping_mul(0x9e37_79b9) >> 8;
    let flipped = if cell == F::ONE { F::ZERO } else { F::ONE };
    let negated = if cell == F::ZERO {
        -F::from_u32(2)
    } else {
        -cell
    };
    let in_range = F::from_u32(cell.as_canonical_u32() ^ 0x80);
    [
        cell + F::TWO,
        flipped,
        negated,
        in_range,
        cell + F::from_u32(mixed | 4),
    ]
    .map(|value| {
        if value == cell {
            cell + F::from_u32(3)
        } else {
            value
        }
    })
}

/// Whether the messages of a changed row give it away.
fn messages_tell(before: &[Message], after: &[Message], instructions: &HashSet<Vec<u32>>) -> bool {
    let fresh = |message: &&Message| !before.contains(message);
    let added = || after.iter().filter(fresh);
    let is = |message: &Message, bus: &str| message.bus == bus;
    let below = |value: u32, bits: u32| value < 1 << bits;
    let lookup_fails = added().any(|m| match m.bus.as_str() {
        "range16" => !below(m.fields[0], 16),
        "range14" => !below(m.fields[0], 14),
        "bytes" => !m.fields.iter().all(|byte| below(*byte, 8)),
        "program" => !instructions.contains(&m.fields),
        _ => false,
    });
    let strict = |bus: &str| {
        let of = |messages: &[Message]| {
            messages
                .iter()
                .filter(|m| is(m, bus))
                .cloned()
                .collect::<Vec<_>>()
        };
        of(before) != of(after)
    };
    lookup_fails || strict("memory") || strict(SYSTEM_CALLS.name())
}
