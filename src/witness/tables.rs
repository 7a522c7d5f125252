//! The tables of a witness.

use p3_baby_bear::BabyBear;
use p3_matrix::dense::RowMajorMatrix;

use super::expand::last_unit;
use super::layout::{WIDTH, boundary, public, range};
use super::monty::{P, from_monty, into_elements, into_words, to_monty};
use crate::segment::Segment;
use crate::ship::{Record, Table};
use crate::vm::IoPhase;
use crate::{Error, Result};

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

    /// The table as Plonky3's matrix; no cell moves.
    pub fn into_field(self) -> RowMajorMatrix<BabyBear> {
        RowMajorMatrix::new(into_elements(self.words), self.width)
    }

    /// Plonky3's matrix as a table; no cell moves.
    pub fn from_field(matrix: RowMajorMatrix<BabyBear>) -> Self {
        Self {
            width: matrix.width,
            words: into_words(matrix.values),
        }
    }
}

/// All a prover needs of a segment beyond the program: its tables and public values.
///
/// `T` is a table: a [`Matrix`], or what a backend keeps tables as.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Witness<T = Matrix> {
    /// One row per cycle, padded to `2^log_cycles`: `[2^k][layout::WIDTH]`.
    pub cpu: T,
    /// Registers and touched words before and after: `[padded][layout::boundary::WIDTH]`.
    pub boundary: T,
    /// How often each instruction ran: `[padded number of instructions][1]`.
    pub program: T,
    /// How often each value was range-checked: `[2^16][layout::range::WIDTH]`.
    pub range: T,
    /// Public values of the CPU table, as integers below 2^31.
    pub public: [u32; public::COUNT],
}

impl<T> Witness<T> {
    /// The tables with their names.
    pub fn tables(&self) -> [(&'static str, &T); 4] {
        [
            ("cpu", &self.cpu),
            ("boundary", &self.boundary),
            ("program", &self.program),
            ("range", &self.range),
        ]
    }

    /// The same witness with every table turned into what `f` makes of it.
    ///
    /// # Errors
    /// The first of `f`.
    pub fn try_map<U>(self, mut f: impl FnMut(T) -> Result<U>) -> Result<Witness<U>> {
        Ok(Witness {
            cpu: f(self.cpu)?,
            boundary: f(self.boundary)?,
            program: f(self.program)?,
            range: f(self.range)?,
            public: self.public,
        })
    }

    /// The same witness with references to its tables.
    pub fn as_ref(&self) -> Witness<&T> {
        Witness {
            cpu: &self.cpu,
            boundary: &self.boundary,
            program: &self.program,
            range: &self.range,
            public: self.public,
        }
    }
}

impl Witness {
    /// Size of all tables in bytes.
    pub fn num_bytes(&self) -> u64 {
        self.tables()
            .iter()
            .map(|(_, table)| table.num_bytes())
            .sum()
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

    /// The tables as they are shipped, with the public values as a table of one row.
    pub fn into_tables(self) -> Vec<Table> {
        let public = Matrix {
            width: public::COUNT,
            words: self.public.iter().map(|value| to_monty(*value)).collect(),
        };
        let named = [
            ("cpu", self.cpu),
            ("boundary", self.boundary),
            ("program", self.program),
            ("range", self.range),
            ("public", public),
        ];
        named
            .into_iter()
            .map(|(name, Matrix { width, words })| Table {
                name: name.to_owned(),
                width: width as u32,
                words,
            })
            .collect()
    }

    /// A witness from tables that came from elsewhere.
    ///
    /// # Errors
    /// [`Error::Replay`] if they are not the tables of a witness of `segment`.
    pub fn from_tables(tables: Vec<Table>, segment: &Segment) -> Result<Self> {
        tables
            .iter()
            .try_for_each(|table| check_cells(&table.name, &table.words))?;
        Self::from_tables_of_words(tables, segment)
    }

    /// The same without the check that cells are field elements, except for the public values.
    pub(crate) fn from_tables_of_words(tables: Vec<Table>, segment: &Segment) -> Result<Self> {
        let bad = |what: String| Error::Replay(format!("not a witness: {what}"));
        let mut tables = tables.into_iter();
        let mut take = |name: &str, width: usize| {
            let table = tables
                .next()
                .filter(|t| t.name == name && t.width as usize == width);
            let table = table.ok_or_else(|| bad(format!("no {name} table of {width} columns")))?;
            Ok::<_, Error>(Matrix {
                width,
                words: table.words,
            })
        };
        let cpu = take("cpu", WIDTH)?;
        let boundary = take("boundary", boundary::WIDTH)?;
        let program = take("program", 1)?;
        let range = take("range", range::WIDTH)?;
        let public = take("public", public::COUNT)?;
        check_cells("public", &public.words)?;
        let public = public
            .words
            .iter()
            .map(|word| from_monty(*word))
            .collect::<Vec<_>>();
        let public: [u32; public::COUNT] = public
            .try_into()
            .map_err(|_| bad("public values are not one row".to_owned()))?;
        if cpu.height() != 1 << segment.log_cycles {
            return Err(bad(format!("the cpu table has {} rows", cpu.height())));
        }
        // The size of the last unit moved is the one public value that the states do not give.
        let mut expected = public_values(segment, None);
        let unit = public::END_PTR..=public::END_STEP;
        expected[unit.clone()].copy_from_slice(&public[unit]);
        if public != expected {
            return Err(bad(
                "public values are not those of the segment's states".to_owned()
            ));
        }
        if registers(&boundary) != Some((segment.start.x, segment.end.x)) {
            return Err(bad(
                "registers are not those of the segment's states".to_owned()
            ));
        }
        Ok(Self {
            cpu,
            boundary,
            program,
            range,
            public,
        })
    }
}

/// Refuses cells that are no field elements.
fn check_cells(table: &str, words: &[u32]) -> Result<()> {
    if words.iter().any(|word| *word >= P) {
        return Err(Error::Replay(format!(
            "not a witness: the {table} table has a cell that is no field element"
        )));
    }
    Ok(())
}

/// Registers before and after, from a boundary table; `None` if it does not have them all.
fn registers(table: &Matrix) -> Option<([u32; 32], [u32; 32])> {
    let (mut start, mut end) = ([0; 32], [0; 32]);
    let rows = (0..table.height()).map(|i| table.row(i));
    let mut registers = rows.filter(|row| row[boundary::REGISTER] != 0);
    for (i, (start, end)) in start.iter_mut().zip(&mut end).enumerate() {
        let row = registers.next()?;
        let word = |col: usize| {
            let bytes = (0..4).rev().map(|byte| from_monty(row[col + byte]));
            bytes.fold(0u32, |word, byte| word.wrapping_shl(8) | byte)
        };
        if from_monty(row[boundary::LO]) as usize != i {
            return None;
        }
        (*start, *end) = (word(boundary::INIT), word(boundary::FINAL));
    }
    registers.next().is_none().then_some((start, end))
}

/// Public values of the CPU table for a segment whose last cycle is `last`.
pub(crate) fn public_values(segment: &Segment, last: Option<&Record>) -> [u32; public::COUNT] {
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
    let padded = segment.num_cycles < 1 << segment.log_cycles;
    if !padded {
        values[public::END_SETUP] = phase_is(end.io_phase, IoPhase::Setup);
        if end.io_phase == IoPhase::Move as u32 {
            let (ptr, step) = last_unit(end, last);
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
