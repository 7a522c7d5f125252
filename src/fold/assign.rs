//! Chunks of a witness's tables as instances of their R1CS.

use ark_ff::AdditiveGroup;
use p3_air::BaseAir;
use p3_baby_bear::BabyBear;
use p3_field::PrimeField32;
use p3_matrix::dense::RowMajorMatrix;

use super::evaluate::{Evaluator, Fingerprint, Messages, Number};
use super::relation::{LOOKUP, MAIN};
use super::shape::{Challenges, Shape, X_PUBLIC};
use crate::backend::curve::{Fr, Scalars};
use crate::stark::air::{ProgramAir, RangeAir, TableAir};
use crate::stark::columns::{BOUNDARY_COLS, boundary_row, log_row, padded};
use crate::stark::{Event, Statement};
use crate::witness::layout::boundary;
use crate::witness::{Matrix, Witness, from_monty};
use crate::{Error, Result};

/// Cells of a table as integers, `[row][column]`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Cells {
    width: usize,
    words: Vec<u32>,
}

impl Cells {
    /// Rows of known cells, padded with zeros.
    fn padded<const N: usize>(rows: impl ExactSizeIterator<Item = [u32; N]>) -> Self {
        let height = padded(rows.len());
        let mut words: Vec<u32> = rows.flatten().collect();
        words.resize(N * height, 0);
        Self { width: N, words }
    }

    /// Some columns of a witness's table.
    fn columns(matrix: &Matrix, columns: &[usize]) -> Self {
        let rows = (0..matrix.height()).map(|row| matrix.row(row));
        let words = rows.flat_map(|row| columns.iter().map(|column| from_monty(row[*column])));
        Self {
            width: columns.len(),
            words: words.collect(),
        }
    }

    fn fixed(trace: Option<RowMajorMatrix<BabyBear>>) -> Self {
        let trace = trace.unwrap_or(RowMajorMatrix::new(Vec::new(), 1));
        Self {
            width: trace.width,
            words: trace
                .values
                .iter()
                .map(PrimeField32::as_canonical_u32)
                .collect(),
        }
    }

    fn height(&self) -> usize {
        self.words.len().checked_div(self.width).unwrap_or(0)
    }

    fn row(&self, row: usize) -> &[u32] {
        &self.words[row * self.width..][..self.width]
    }
}

/// The known part of every table: what whoever verifies computes from the program and the statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    tables: [Cells; TableAir::COUNT],
}

impl Known {
    /// The known part of a segment's tables.
    pub fn new(statement: &Statement, program: &ProgramAir) -> Self {
        let boundary = Cells::padded(statement.boundary.iter().map(boundary_row));
        Self::with_boundary(boundary, &statement.log, program)
    }

    fn with_boundary(boundary: Cells, log: &[Event], program: &ProgramAir) -> Self {
        Self {
            tables: [
                Cells::default(),
                boundary,
                Cells::fixed(BaseAir::<BabyBear>::preprocessed_trace(program)),
                Cells::fixed(BaseAir::<BabyBear>::preprocessed_trace(&RangeAir)),
                Cells::padded(log.iter().map(log_row)),
            ],
        }
    }

    /// Rows of a table; 0 for the cpu table, of which nothing is known.
    pub fn height(&self, table: usize) -> usize {
        self.tables[table].height()
    }

    /// The known part of a chunk: `[column][row]`, integers below 2^31.
    ///
    /// - `log_rows`: base-2 logarithm of the rows of a chunk, at most the table's height.
    ///
    /// # Panics
    /// If there is no such chunk.
    pub fn chunk(&self, table: usize, log_rows: u32, index: usize) -> Vec<i64> {
        let cells = &self.tables[table];
        let rows = 1 << log_rows;
        let mut chunk = vec![0; cells.width * rows];
        if cells.width > 0 {
            for row in 0..rows {
                for (column, cell) in cells.row(index * rows + row).iter().enumerate() {
                    chunk[column * rows + row] = i64::from(*cell);
                }
            }
        }
        chunk
    }
}

/// Scalars of a part of a witness.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Values {
    /// Integers. A valid witness's are below 2^31 in magnitude, but for products of a few cells, which are below 2^48.
    Small(Vec<i64>),
    /// Field elements, where a product of cells is no 64-bit integer. Valid witnesses have none.
    Full(Vec<Fr>),
}

impl Values {
    /// The scalars as a backend takes them.
    pub fn as_scalars(&self) -> Scalars<'_> {
        match self {
            Self::Small(values) => Scalars::Small(values),
            Self::Full(values) => Scalars::Full(values),
        }
    }
}

/// A chunk before the challenges are drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// `x`, in which the sum of fractions ([`X_SUM`](super::X_SUM)) is still 0.
    pub x: Vec<Fr>,
    /// The known part.
    pub known: Vec<i64>,
    /// The main part.
    pub main: Values,
}

/// A segment's tables as chunks of rows.
///
/// Chunks are computed when asked for; nothing but the tables is kept.
#[derive(Debug)]
pub struct Assignment<'a> {
    witness: &'a Witness,
    known: Known,
    log_rows: u32,
    tables: [Evaluator<'a>; TableAir::COUNT],
}

impl<'a> Assignment<'a> {
    /// The chunks of `witness`.
    ///
    /// - `shapes`: every table's, see [`Shape::all`].
    /// - `log`: what the statement says that system calls did.
    /// - `log_rows`: base-2 logarithm of the rows of a chunk, at least 1. Tables of fewer rows are one chunk.
    ///
    /// # Errors
    /// [`Error::Usage`] if chunks have a single row or more than 2^16; [`Error::Replay`] if the tables are not of one program.
    pub fn new(
        shapes: &'a [Shape; TableAir::COUNT],
        witness: &'a Witness,
        log: &[Event],
        program: &ProgramAir,
        log_rows: u32,
    ) -> Result<Self> {
        if !(1..=16).contains(&log_rows) {
            return Err(Error::Usage(format!(
                "chunks of 2^{log_rows} rows; --rows-per-chunk takes 2 to 65536"
            )));
        }
        let width = boundary::WIDTH;
        if witness.boundary.width != width {
            return Err(Error::Replay(format!(
                "not a witness: the boundary table has {} columns, expected {width}",
                witness.boundary.width
            )));
        }
        let cells = Cells::columns(&witness.boundary, &BOUNDARY_COLS);
        let known = Known::with_boundary(cells, log, program);
        let tables = shapes.each_ref().map(Evaluator::new);
        for (table, (name, matrix)) in witness.tables().into_iter().enumerate() {
            let height = matrix.height();
            let fixed = known.height(table);
            let fits =
                matrix.width == shapes[table].width() && height >= 2 && height.is_power_of_two();
            if !fits || (table > 0 && fixed != height) {
                return Err(Error::Replay(format!(
                    "not a witness of the program: the {name} table has {height} rows of {} cells",
                    matrix.width
                )));
            }
        }
        Ok(Self {
            witness,
            known,
            log_rows,
            tables,
        })
    }

    /// The known part of every table, the boundary's as the witness has it.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Rows of a table.
    pub fn height(&self, table: usize) -> usize {
        match self.witness.tables().get(table) {
            Some((_, matrix)) => matrix.height(),
            None => self.known.height(table),
        }
    }

    /// Base-2 logarithm of the rows of a table's chunks.
    pub fn log_rows(&self, table: usize) -> u32 {
        self.log_rows.min(self.height(table).ilog2())
    }

    /// Number of chunks of a table.
    pub fn num_chunks(&self, table: usize) -> usize {
        self.height(table) >> self.log_rows(table)
    }

    /// The cells of a row, fixed ones last.
    fn cells(&self, table: usize, row: usize, mut put: impl FnMut(usize, u32)) {
        let width = match self.witness.tables().get(table) {
            Some((_, matrix)) => {
                for (column, word) in matrix.row(row).iter().enumerate() {
                    put(column, from_monty(*word));
                }
                matrix.width
            }
            None => 0,
        };
        let shape = self.tables[table].shape;
        if shape.num_fixed() > 0 || table == TableAir::LOG {
            for (column, word) in self.known.tables[table].row(row).iter().enumerate() {
                put(width + column, *word);
            }
        }
    }

    /// A chunk of a table, without its fractions.
    ///
    /// Cost: about 2 µs for a row of the cpu table.
    /// # Panics
    /// If there is no such chunk.
    pub fn chunk(&self, table: usize, index: usize) -> Chunk {
        let main = self.values::<i64>(table, index).map(Values::Small);
        let main = main.or_else(|| self.values::<Fr>(table, index).map(Values::Full));
        Chunk {
            x: self.public(table, index),
            known: self.known.chunk(table, self.log_rows(table), index),
            main: main.expect("field elements do not overflow"),
        }
    }

    /// `x` of a chunk, with 0 for the sum of its fractions.
    fn public(&self, table: usize, index: usize) -> Vec<Fr> {
        let public = &self.witness.public[..self.tables[table].shape.num_public()];
        public_values(index, self.num_chunks(table), public)
    }

    /// The main part of a chunk; `None` if a product does not fit.
    fn values<N: Number>(&self, table: usize, index: usize) -> Option<Vec<N>> {
        let evaluator = &self.tables[table];
        let rows = 1 << self.log_rows(table);
        let layout = evaluator.shape.layout(self.log_rows(table));
        let mut main = vec![N::from(0); layout.part_len(MAIN)];
        let singles = layout.parts[MAIN].singles;
        let mut row_values = self.start::<N>(table, index)?;
        for row in 0..rows {
            self.fill(table, index * rows + row, &mut row_values)?;
            for (column, slot) in evaluator.columns.iter().enumerate() {
                main[singles + column * rows + row] = row_values[*slot];
            }
            if row == 0 {
                row_values = evaluator.multiply(&evaluator.first, row_values)?;
            }
            if row + 1 == rows {
                row_values = evaluator.multiply(&evaluator.last, row_values)?;
            }
        }
        main[..singles].copy_from_slice(&row_values[evaluator.singles..][..singles]);
        Some(main)
    }

    /// What all rows of a chunk have in common: public values and copies of the next row.
    fn start<N: Number>(&self, table: usize, index: usize) -> Option<Vec<N>> {
        let evaluator = &self.tables[table];
        let mut values = vec![N::from(0); evaluator.num_slots];
        let num_chunks = self.num_chunks(table);
        if index + 1 < num_chunks {
            let mut next = values.clone();
            let row = (index + 1) << self.log_rows(table);
            self.cells(table, row, |slot, cell| {
                next[slot] = N::from(i64::from(cell));
            });
            for (i, form) in evaluator.handed.iter().enumerate() {
                values[evaluator.singles + i] = N::form(form, &next)?;
            }
        }
        for (i, public) in self.witness.public[..evaluator.shape.num_public()]
            .iter()
            .enumerate()
        {
            values[evaluator.public + i] = N::from(i64::from(*public));
        }
        values[evaluator.flags] = N::from(i64::from(index == 0));
        values[evaluator.flags + 1] = N::from(i64::from(index + 1 == num_chunks));
        Some(values)
    }

    /// Puts the cells and products of a row in their slots.
    fn fill<N: Number>(&self, table: usize, row: usize, values: &mut Vec<N>) -> Option<()> {
        let evaluator = &self.tables[table];
        self.cells(table, row, |slot, cell| {
            values[slot] = N::from(i64::from(cell));
        });
        *values = evaluator.multiply(&evaluator.products, std::mem::take(values))?;
        Some(())
    }

    /// The fractions of a chunk, and their sum.
    ///
    /// - returns: the lookup part.
    ///
    /// Cost: about 10 µs for a row of the cpu table.
    /// # Errors
    /// [`Error::Resource`] if a message in use has no fraction at these challenges: odds of about one in 2^230, so they were not
    /// drawn at random.
    /// # Panics
    /// If there is no such chunk.
    pub fn lookup(
        &self,
        table: usize,
        index: usize,
        challenges: &Challenges,
    ) -> Result<(Vec<Fr>, Fr)> {
        let messages = Messages::new(&self.tables[table], challenges);
        let both = self.fractions::<i64>(table, index, &messages);
        let both = both.or_else(|| self.fractions::<Fr>(table, index, &messages));
        let (counts, mut fractions) = both.expect("field elements do not overflow");
        if counts
            .iter()
            .zip(&fractions)
            .any(|(count, f)| *count != Fr::ZERO && *f == Fr::ZERO)
        {
            return Err(Error::Resource(
                "a lookup has no fraction at these challenges; draw others".to_owned(),
            ));
        }
        // Messages that are not sent have no fraction to invert.
        ark_ff::serial_batch_inversion_and_mul(&mut fractions, &Fr::from(1));
        let mut sum = Fr::ZERO;
        for (fraction, count) in fractions.iter_mut().zip(&counts) {
            if *count != Fr::from(1) {
                *fraction *= count;
            }
            sum += *fraction;
        }
        Ok((fractions, sum))
    }

    /// Counts and fingerprints of a chunk's messages, in the layout of the lookup part; fingerprints are 0 where counts are.
    fn fractions<N: Number>(
        &self,
        table: usize,
        index: usize,
        messages: &Messages,
    ) -> Option<(Vec<Fr>, Vec<Fr>)> {
        let evaluator = &self.tables[table];
        let rows = 1 << self.log_rows(table);
        let layout = evaluator.shape.layout(self.log_rows(table));
        let mut counts = vec![Fr::ZERO; layout.part_len(LOOKUP)];
        let mut fingerprints = counts.clone();
        let singles = layout.parts[LOOKUP].singles;
        let mut values = self.start::<N>(table, index)?;
        let mut put = |at: usize, message: &Fingerprint, values: &[N]| {
            let (form, constant) = &message.count;
            let count = N::form(form, values)?.plus(*constant)?;
            if count != N::from(0) {
                counts[at] = count.scalar();
                let mut fingerprint = message.base;
                for (field, power) in &message.fields {
                    fingerprint += N::form(field, values)?.times(power);
                }
                fingerprints[at] = fingerprint;
            }
            Some(())
        };
        values[evaluator.index] = N::from(index as i64);
        for row in 0..rows {
            self.fill(table, index * rows + row, &mut values)?;
            for (column, message) in messages.rows.iter().enumerate() {
                put(singles + column * rows + row, message, &values)?;
            }
            if let [send, receive] = &messages.hand_over[..] {
                if row == 0 {
                    put(1, receive, &values)?;
                }
                if row + 1 == rows {
                    put(0, send, &values)?;
                }
            }
        }
        Some((counts, fingerprints))
    }
}

/// `x` of a chunk, with 0 for the sum of its fractions.
///
/// - `public`: the table's public values.
pub fn public_values(index: usize, num_chunks: usize, public: &[u32]) -> Vec<Fr> {
    let mut x = vec![
        Fr::ZERO,
        Fr::from(index as u64),
        Fr::from(index == 0),
        Fr::from(index + 1 == num_chunks),
    ];
    debug_assert_eq!(x.len(), X_PUBLIC);
    x.extend(public.iter().map(|value| Fr::from(*value)));
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Runner;
    use crate::vm::Program;
    use crate::witness::{fill_from_reads, to_monty};

    /// Integers and field elements give the same, and what overflows the former is computed on the latter.
    #[test]
    fn both_ways_to_evaluate_agree() {
        let elf = std::fs::read("guests/prebuilt/fib.elf").expect("a guest of the repository");
        let program = Program::from_elf(elf).expect("a guest");
        let mut runner = Runner::new(&program, b"20\n", 9, 5).expect("a run");
        let recording = runner.next_segment().expect("a segment");
        let segment = &recording.segment;
        let mut witness = fill_from_reads(&program, segment, &recording.reads, Vec::new())
            .expect("the segment replays");
        let log = Statement::new(0, &witness).log;
        let (air, shapes) = (ProgramAir::new(&program), Shape::all());
        let challenges = Challenges {
            alpha: Fr::from(u64::MAX) * Fr::from(u64::MAX),
            beta: Fr::from(-3),
        };
        let assignment = Assignment::new(&shapes, &witness, &log, &air, 4).expect("a witness");
        for (table, index) in [
            (TableAir::CPU, 0),
            (TableAir::CPU, 31),
            (TableAir::BOUNDARY, 1),
        ] {
            let integers = assignment.values::<i64>(table, index).expect("no overflow");
            let scalars = assignment.values::<Fr>(table, index).expect("no overflow");
            assert_eq!(Scalars::Small(&integers).to_vec(), scalars);
            let messages = Messages::new(&assignment.tables[table], &challenges);
            assert_eq!(
                assignment.fractions::<i64>(table, index, &messages),
                assignment.fractions::<Fr>(table, index, &messages),
            );
        }

        // Products of two sums of cells near the prime.
        let far = to_monty(crate::witness::P - 1);
        witness.cpu.words.fill(far);
        let assignment = Assignment::new(&shapes, &witness, &log, &air, 4).expect("a witness");
        let chunk = assignment.chunk(TableAir::CPU, 2);
        assert!(matches!(chunk.main, Values::Full(_)));
        assert!(assignment.lookup(TableAir::CPU, 2, &challenges).is_ok());
    }
}
