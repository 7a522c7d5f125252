//! The tables of a witness.

use super::expand::last_unit;
use super::layout::{WIDTH, public};
use super::monty::P;
use crate::segment::Segment;
use crate::ship::Record;
use crate::vm::IoPhase;

/// A table: `[height][width]`, row-major, 31-bit BabyBear words in Montgomery form.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Matrix {
    /// Number of columns.
    pub width: usize,
    /// Cells, a multiple of `width`.
    pub words: Vec<u32>,
}

impl Matrix {
    /// Number of rows.
    pub fn height(&self) -> usize {
        self.words.len().checked_div(self.width).unwrap_or(0)
    }

    /// Row `i`.
    ///
    /// # Panics
    /// If there is none.
    pub fn row(&self, i: usize) -> &[u32] {
        &self.words[i * self.width..][..self.width]
    }

    /// Size in bytes.
    pub fn num_bytes(&self) -> u64 {
        4 * self.words.len() as u64
    }
}

/// All a prover needs of a segment beyond the program: its tables and public values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Witness {
    /// One row per cycle, padded to `2^log_cycles`: `[2^k][layout::WIDTH]`.
    pub cpu: Matrix,
    /// Registers and touched words before and after: `[padded][layout::boundary::WIDTH]`.
    pub boundary: Matrix,
    /// How often each instruction ran: `[padded number of instructions][1]`.
    pub program: Matrix,
    /// How often each value was range-checked: `[2^16][layout::range::WIDTH]`.
    pub range: Matrix,
    /// Public values of the CPU table, as integers below 2^31.
    pub public: [u32; public::COUNT],
}

impl Witness {
    /// The tables with their names.
    pub fn tables(&self) -> [(&'static str, &Matrix); 4] {
        [
            ("cpu", &self.cpu),
            ("boundary", &self.boundary),
            ("program", &self.program),
            ("range", &self.range),
        ]
    }

    /// Size of all tables in bytes.
    pub fn num_bytes(&self) -> u64 {
        self.tables().iter().map(|(_, table)| table.num_bytes()).sum()
    }

    /// BLAKE3 over shapes, cells and public values: two witnesses are the same exactly if this is.
    ///
    /// Cost: one parallel pass over the cells.
    pub fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for (name, table) in self.tables() {
            hasher.update(name.as_bytes());
            for size in [table.width, table.words.len()] {
                hasher.update(&(size as u64).to_le_bytes());
            }
            hasher.update_rayon(bytemuck::cast_slice(&table.words));
        }
        hasher.update(bytemuck::cast_slice(&self.public));
        hasher.finalize()
    }

    /// Whether shapes are those of a witness and every cell is a field element.
    ///
    /// # Errors
    /// What is wrong, for a witness from elsewhere.
    pub fn check_shape(&self, segment: &Segment) -> Result<(), String> {
        let rows = 1usize << segment.log_cycles;
        if self.cpu.width != WIDTH || self.cpu.words.len() != rows * WIDTH {
            return Err(format!("the cpu table is not {rows} rows of {WIDTH} columns"));
        }
        match self.tables().iter().find(|(_, t)| t.words.iter().any(|word| *word >= P)) {
            Some((name, _)) => Err(format!("the {name} table has a cell that is no field element")),
            None => Ok(()),
        }
    }
}

/// Public values of the CPU table for a segment whose cycles are `records`.
pub(super) fn public_values(segment: &Segment, records: &[Record]) -> [u32; public::COUNT] {
    let (start, end) = (&segment.start, &segment.end);
    let phase_is = |phase: u32, which: IoPhase| u32::from(phase == which as u32);
    let mut values = [0; public::COUNT];
    values[public::START_PC] = start.pc >> 2;
    values[public::START_SETUP] = phase_is(start.io_phase, IoPhase::Setup);
    values[public::START_MOVE] = phase_is(start.io_phase, IoPhase::Move);
    if start.io_phase == IoPhase::Move as u32 {
        values[public::START_PTR] = start.io_ptr & 0xffff;
        values[public::START_PTR + 1] = start.io_ptr >> 16;
    }
    values[public::START_LEFT] = start.io_left;
    values[public::END_PC] = end.pc >> 2;
    let padded = records.len() < 1 << segment.log_cycles;
    if !padded {
        values[public::END_SETUP] = phase_is(end.io_phase, IoPhase::Setup);
        if end.io_phase == IoPhase::Move as u32 {
            let (ptr, step) = last_unit(end, records.last());
            values[public::END_MOVE] = 1;
            values[public::END_PTR] = ptr & 0xffff;
            values[public::END_PTR + 1] = ptr >> 16;
            values[public::END_STEP] = step;
        }
        values[public::END_LEFT] = end.io_left;
    }
    values[public::NUM_CYCLES] = segment.num_cycles;
    values
}
