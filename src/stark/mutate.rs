//! Witness mutation: change one cell of a valid trace, and something must fail.
//!
//! This measures whether the constraints pin the witness down. A change counts as caught if a
//! constraint on the row or on the one above fails, if a range or program lookup asks for what its
//! table does not hold, if the row takes another message off the memory bus, if it puts one back
//! with another address or time, or if its entry in the system call log changes. It does not count
//! that a value *put* on the memory bus changes: a cheating prover would let later rows take the new
//! value. Nor do multiplicities count, which such a prover would adjust.

use std::collections::{BTreeMap, HashSet};

use p3_air::Air;
use p3_baby_bear::BabyBear;
use p3_field::{PrimeCharacteristicRing, PrimeField32};
use rayon::prelude::*;

use super::air::{BoundaryAir, SYSTEM_CALLS, constrain};
use super::check::{Message, RowBuilder, field_cells};
use crate::vm::Program;
use crate::witness::Witness;
use crate::witness::layout::{
    CLASS, Class, Col, MOVE, NUM_CLASSES, SETUP, WIDTH, boundary, column_name, public,
};
use crate::witness::rom::rom;

type F = BabyBear;

/// Cells whose change was not caught.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Free {
    /// Name of the column.
    pub column: String,
    /// Kind of row, see [`row_name`].
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

/// How to mutate.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Rows of each kind to change.
    pub rows_per_kind: usize,
    /// Kinds to leave out.
    pub skip: &'a HashSet<String>,
    /// Group of the CPU table's constraints to leave out, to see whether that is noticed.
    pub dropped: Option<&'a str>,
}

/// Kind of a row of the CPU table: an instruction class, `setup`, `move …`, or `padding`.
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

fn boundary_row_name(row: &[F]) -> String {
    let kind = match (
        row[boundary::REAL] == F::ONE,
        row[boundary::REGISTER] == F::ONE,
    ) {
        (false, _) => "padding",
        (true, false) => "word",
        (true, true) => "register",
    };
    format!("boundary {kind}")
}

/// Number of kinds of rows: classes, setup, four moves, padding, three of the boundary table, public values.
pub const NUM_ROW_NAMES: usize = NUM_CLASSES + 6 + 3 + 1;

/// Names of the groups of the CPU table's constraints.
pub const GROUPS: [&str; 15] = [
    "flags",
    "unused cells are zero",
    "add and subtract",
    "address",
    "compare",
    "bitwise",
    "shift",
    "constants",
    "load",
    "store",
    "multiply",
    "divide",
    "system call",
    "program counter and clock",
    "boundary",
];

/// Why a cell that no constraint of this version holds may be free.
fn reason(column: &str, row: &str) -> Option<&'static str> {
    (row.starts_with("boundary ") && column.starts_with("init")).then_some(
        "what a cell held before the segment is compared with the boundary before it, outside",
    )
}

/// A table to mutate.
struct Target<'a> {
    cells: &'a [F],
    width: usize,
    public: Vec<F>,
    eval: &'a (dyn Fn(&mut RowBuilder) + Sync),
    row_name: fn(&[F]) -> String,
    column_name: fn(Col) -> String,
}

/// Changes every cell of some rows of each kind, in several ways.
///
/// - `witness`: one that holds.
///
/// Cost: about 20 µs a change; five changes a cell.
pub fn mutate(program: &Program, witness: &Witness, options: Options) -> Score {
    let instructions: HashSet<Vec<u32>> = rom(program).flatten().map(|row| row.to_vec()).collect();
    let cpu = Target {
        cells: field_cells(&witness.cpu),
        width: WIDTH,
        public: witness.public.iter().map(|v| F::from_u32(*v)).collect(),
        eval: &|builder| constrain(builder, RowBuilder::set_group),
        row_name,
        column_name,
    };
    let boundary = Target {
        cells: field_cells(&witness.boundary),
        width: boundary::WIDTH,
        public: Vec::new(),
        eval: &|builder| BoundaryAir.eval(builder),
        row_name: boundary_row_name,
        column_name: boundary::column_name,
    };
    let mut score = Score::default();
    if !options.skip.contains(PUBLIC) {
        cpu.mutate_public(options.dropped, &mut score);
    }
    for target in [cpu, boundary] {
        target.mutate(&instructions, options, &mut score);
    }
    score
}

/// Name under which changes of public values are scored, as one row.
const PUBLIC: &str = "public values";

/// Whether a public value is about a transfer that is not in progress at that end of the segment.
fn is_idle(public: &[F], i: usize) -> bool {
    let off = |i: usize| public[i] == F::ZERO;
    match i {
        public::START_PTR..public::START_LEFT => off(public::START_MOVE),
        public::START_LEFT => off(public::START_MOVE) && off(public::START_SETUP),
        public::END_PTR..public::END_STEP => off(public::END_MOVE),
        _ => false,
    }
}

impl Target<'_> {
    fn row(&self, row: usize) -> &[F] {
        &self.cells[row * self.width..][..self.width]
    }

    fn height(&self) -> usize {
        self.cells.len() / self.width
    }

    /// Rows to change, by kind: spread over the table, with its first and its last row.
    fn rows(&self, options: Options) -> BTreeMap<String, Vec<usize>> {
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in 0..self.height() {
            let name = (self.row_name)(self.row(row));
            by_name.entry(name).or_default().push(row);
        }
        by_name.retain(|name, _| !options.skip.contains(name));
        for rows in by_name.values_mut() {
            let take = options.rows_per_kind.min(rows.len());
            let mut chosen: Vec<usize> = (0..take).map(|i| rows[i * rows.len() / take]).collect();
            chosen.extend(
                rows.iter()
                    .filter(|row| [0, self.height() - 1].contains(row)),
            );
            chosen.sort_unstable();
            chosen.dedup();
            *rows = chosen;
        }
        by_name
    }

    fn evaluate<'a>(
        &'a self,
        row: usize,
        rows: [&'a [F]; 2],
        dropped: Option<&'a str>,
    ) -> RowBuilder<'a> {
        let first_last = (row == 0, row + 1 == self.height());
        RowBuilder::evaluate(rows, &self.public, first_last, dropped, self.eval)
    }

    /// Changes each public value in several ways; only rows at the ends can tell.
    fn mutate_public(&self, dropped: Option<&str>, score: &mut Score) {
        let num_cycles = self.public[public::NUM_CYCLES].as_canonical_u32() as usize;
        let ends = [0, num_cycles - 1, self.height() - 1];
        for i in 0..self.public.len() {
            let mut num_free = 0;
            for value in changes(self.public[i], i) {
                let mut changed = self.public.clone();
                changed[i] = value;
                let caught = ends.into_iter().any(|row| {
                    let rows = [self.row(row), self.row((row + 1) % self.height())];
                    let first_last = (row == 0, row + 1 == self.height());
                    let builder =
                        RowBuilder::evaluate(rows, &changed, first_last, dropped, self.eval);
                    !builder.failed.is_empty()
                });
                num_free += u64::from(!caught);
            }
            score.num_changes += NUM_VALUES as u64;
            score.num_caught += NUM_VALUES as u64 - num_free;
            if num_free > 0 {
                score.free.push(Free {
                    column: format!("public[{i}]"),
                    row: PUBLIC.into(),
                    num_changes: num_free,
                    reason: is_idle(&self.public, i).then_some(
                        "position of a transfer that is not in progress: zero, checked outside",
                    ),
                });
            }
        }
        *score.rows.entry(PUBLIC.into()).or_default() += 1;
    }

    fn mutate(&self, instructions: &HashSet<Vec<u32>>, options: Options, score: &mut Score) {
        let by_name = self.rows(options);
        let tasks: Vec<(&String, usize)> = by_name
            .iter()
            .flat_map(|(name, rows)| rows.iter().map(move |row| (name, *row)))
            .collect();
        let missed: Vec<(Col, &String)> = tasks
            .par_iter()
            .flat_map_iter(|&(name, row)| {
                let free = self.free_cells(row, instructions, options.dropped);
                free.into_iter().map(move |col| (col, name))
            })
            .collect();
        let num_changes = (tasks.len() * self.width * NUM_VALUES) as u64;
        score.num_changes += num_changes;
        score.num_caught += num_changes - missed.len() as u64;
        for (name, rows) in &by_name {
            *score.rows.entry(name.clone()).or_default() += rows.len();
        }
        let mut counts: BTreeMap<(Col, &String), u64> = BTreeMap::new();
        for cell in missed {
            *counts.entry(cell).or_default() += 1;
        }
        score
            .free
            .extend(counts.into_iter().map(|((col, row), num_changes)| {
                let column = (self.column_name)(col);
                let reason = reason(&column, row);
                Free {
                    column,
                    row: row.clone(),
                    num_changes,
                    reason,
                }
            }));
    }

    /// The columns of the changes of a row that are not caught, once per change.
    fn free_cells(
        &self,
        row: usize,
        instructions: &HashSet<Vec<u32>>,
        dropped: Option<&str>,
    ) -> Vec<Col> {
        let next = self.row((row + 1) % self.height());
        let original = self.evaluate(row, [self.row(row), next], dropped);
        debug_assert!(original.failed.is_empty());
        let mut changed = self.row(row).to_vec();
        let mut free = Vec::new();
        for col in 0..self.width {
            for value in changes(changed[col], row) {
                let before = std::mem::replace(&mut changed[col], value);
                let here = self.evaluate(row, [&changed, next], dropped);
                let mut caught = !here.failed.is_empty()
                    || messages_tell(&original.messages, &here.messages, instructions);
                if !caught && row > 0 {
                    let above = self.evaluate(row - 1, [self.row(row - 1), &changed], dropped);
                    caught = !above.failed.is_empty();
                }
                if !caught {
                    free.push(col);
                }
                changed[col] = before;
            }
        }
        free
    }
}

/// Ways a cell is changed.
const NUM_VALUES: usize = 5;

/// Other values for a cell that holds `cell`: near, another bit, negated, in range, and far.
fn changes(cell: F, row: usize) -> [F; NUM_VALUES] {
    let mixed = (row as u32).wrapping_mul(0x9e37_79b9) >> 8;
    let flipped = if cell == F::ONE { F::ZERO } else { F::ONE };
    let negated = if cell == F::ZERO { -F::TWO } else { -cell };
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
    let below = |value: u32, bits: u32| value < 1 << bits;
    let lookup_fails = after
        .iter()
        .filter(|message| !before.contains(message))
        .any(|message| match message.bus.as_str() {
            "range16" => !below(message.fields[0], 16),
            "range14" => !below(message.fields[0], 14),
            "bytes" => !message.fields.iter().all(|byte| below(*byte, 8)),
            "program" => !instructions.contains(&message.fields),
            _ => false,
        });
    // What the row cannot choose of its messages.
    let fixed = |messages: &[Message]| -> Vec<(String, Vec<u32>, i64)> {
        messages
            .iter()
            .filter_map(|Message { bus, fields, count }| match bus.as_str() {
                "memory" if *count < 0 => Some((bus.clone(), fields.clone(), *count)),
                "memory" => Some((bus.clone(), vec![fields[0], fields[5]], *count)),
                name if name == SYSTEM_CALLS.name() => Some((bus.clone(), fields.clone(), *count)),
                _ => None,
            })
            .collect()
    };
    lookup_fails || fixed(before) != fixed(after)
}
