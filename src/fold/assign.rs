//! Chunks of a witness's tables as instances of their R1CS.

use ark_ff::{AdditiveGroup, BigInt, Field};
use p3_air::BaseAir;
use p3_baby_bear::BabyBear;
use p3_field::PrimeField32;
use p3_matrix::dense::RowMajorMatrix;

use super::expr::{Atom, Expr, Form};
use super::lower::Lookup;
use super::relation::{LOOKUP, MAIN};
use super::shape::{Challenges, Shape, X_PUBLIC, fingerprint};
use crate::backend::curve::{Fr, Scalars};
use crate::stark::air::{ProgramAir, RangeAir, TableAir};
use crate::stark::columns::{BOUNDARY_COLS, boundary_row, log_row, padded};
use crate::stark::{Event, Statement};
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
        let boundary = Cells::columns(&witness.boundary, &BOUNDARY_COLS);
        let known = Known::with_boundary(boundary, log, program);
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
                next[slot] = N::from(i64::from(cell))
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
            values[slot] = N::from(i64::from(cell))
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

/// A form over slots.
type Slots = Vec<(u32, i64)>;

/// A shape, with its forms over the slots of a vector that holds a row.
#[derive(Debug)]
struct Evaluator<'a> {
    shape: &'a Shape,
    num_slots: usize,
    /// Slots of the first public value, the two flags, the chunk's index, and the first single.
    public: usize,
    flags: usize,
    index: usize,
    singles: usize,
    /// Slots of the columns of the main part.
    columns: Vec<usize>,
    handed: Vec<Slots>,
    products: Vec<(usize, [Slots; 2])>,
    first: Vec<(usize, [Slots; 2])>,
    last: Vec<(usize, [Slots; 2])>,
}

impl<'a> Evaluator<'a> {
    fn new(shape: &'a Shape) -> Self {
        let lowered = &shape.lowered;
        let num_cells = shape.width() + shape.num_fixed();
        let public = num_cells + lowered.products.len();
        let flags = public + shape.num_public();
        let index = flags + 2;
        let singles = index + 1;
        let mut evaluator = Self {
            shape,
            num_slots: singles + lowered.num_singles(),
            public,
            flags,
            index,
            singles,
            columns: shape.main_cells(),
            handed: Vec::new(),
            products: Vec::new(),
            first: Vec::new(),
            last: Vec::new(),
        };
        evaluator.columns.extend(num_cells..public);
        let all = |pairs: &[[Form; 2]], from: usize| {
            let pair = |(i, pair): (usize, &[Form; 2])| {
                (from + i, pair.each_ref().map(|form| evaluator.slots(form)))
            };
            pairs.iter().enumerate().map(pair).collect::<Vec<_>>()
        };
        let handed = lowered
            .handed
            .iter()
            .map(|form| evaluator.slots(form))
            .collect();
        let products = all(&lowered.products, num_cells);
        let from = singles + lowered.handed.len();
        let first = all(&lowered.first_products, from);
        let last = all(&lowered.last_products, from + first.len());
        Self {
            handed,
            products,
            first,
            last,
            ..evaluator
        }
    }

    fn slot(&self, atom: Atom) -> usize {
        let num_cells = self.shape.width() + self.shape.num_fixed();
        match atom {
            Atom::Cell(i) => i as usize,
            Atom::Fixed(i) => self.shape.width() + i as usize,
            Atom::Product(i) => num_cells + i as usize,
            Atom::Single(i) => self.singles + i as usize,
            super::shape::INDEX => self.index,
            Atom::Public(i) => self.public + i as usize,
            Atom::First => self.flags,
            Atom::Last => self.flags + 1,
            Atom::Next(_) | Atom::Transition => {
                unreachable!("only in constraints, not in products")
            }
        }
    }

    fn slots(&self, form: &Form) -> Slots {
        let coefficient = |c: i128| i64::try_from(c).expect("coefficients are a few dozen bits");
        let slot = |(atom, c): &(Atom, i128)| (self.slot(*atom) as u32, coefficient(*c));
        form.iter().map(slot).collect()
    }

    /// Puts products in their slots, in order: later ones may read earlier ones.
    fn multiply<N: Number>(
        &self,
        products: &[(usize, [Slots; 2])],
        mut values: Vec<N>,
    ) -> Option<Vec<N>> {
        for (slot, [a, b]) in products {
            values[*slot] = N::form(a, &values)?.product(N::form(b, &values)?)?;
        }
        Some(values)
    }
}

/// A lookup with its challenges.
struct Fingerprint {
    base: Fr,
    fields: Vec<(Slots, Power)>,
    count: (Slots, i64),
}

struct Messages {
    rows: Vec<Fingerprint>,
    hand_over: Vec<Fingerprint>,
}

impl Messages {
    fn new(evaluator: &Evaluator, challenges: &Challenges) -> Self {
        let shape = evaluator.shape;
        let slots = |expr: &Expr| evaluator.slots(&expr.linear);
        let message = |lookup: &Lookup| {
            let (base, powers) = fingerprint(lookup, challenges);
            let fields = lookup.fields.iter().map(slots).zip(powers);
            let fields = fields.filter(|(field, _)| !field.is_empty());
            let count = i64::try_from(lookup.count.constant).expect("counts are small");
            Fingerprint {
                base,
                fields: fields
                    .map(|(field, power)| (field, Power::new(power)))
                    .collect(),
                count: (slots(&lookup.count), count),
            }
        };
        let hand_over = shape.hand_over();
        Self {
            rows: shape.lowered.lookups.iter().map(message).collect(),
            hand_over: hand_over.iter().map(message).collect(),
        }
    }
}

/// A scalar that integers are multiplied by: itself, and times 2^256, so that an integer need not be brought to Montgomery form.
struct Power {
    plain: Fr,
    shifted: Fr,
}

impl Power {
    fn new(plain: Fr) -> Self {
        let shifted = plain * Fr::from(2).pow([256]);
        Self { plain, shifted }
    }
}

/// What rows are evaluated on: integers, or scalars where those overflow.
trait Number: Copy + PartialEq + From<i64> {
    /// `Σ coefficient · value`.
    fn form(form: &Slots, values: &[Self]) -> Option<Self>;
    fn plus(self, constant: i64) -> Option<Self>;
    fn product(self, other: Self) -> Option<Self>;
    fn scalar(self) -> Fr;
    fn times(self, power: &Power) -> Fr;
}

impl Number for i64 {
    fn form(form: &Slots, values: &[Self]) -> Option<Self> {
        if let [(slot, 1)] = form[..] {
            return Some(values[slot as usize]);
        }
        // A thousand terms of 126 bits would have to come together to pass the type.
        let terms = form.iter();
        let terms = terms.map(|(slot, c)| i128::from(values[*slot as usize]) * i128::from(*c));
        Self::try_from(terms.sum::<i128>()).ok()
    }

    fn plus(self, constant: i64) -> Option<Self> {
        self.checked_add(constant)
    }

    fn product(self, other: Self) -> Option<Self> {
        self.checked_mul(other)
    }

    fn scalar(self) -> Fr {
        Fr::from(self)
    }

    fn times(self, power: &Power) -> Fr {
        // The integer as it is stands for itself divided by 2^256.
        let product = Fr::new_unchecked(BigInt([self.unsigned_abs(), 0, 0, 0])) * power.shifted;
        if self < 0 { -product } else { product }
    }
}

impl Number for Fr {
    fn form(form: &Slots, values: &[Self]) -> Option<Self> {
        Some(
            form.iter()
                .map(|(slot, c)| values[*slot as usize] * Self::from(*c))
                .sum(),
        )
    }

    fn plus(self, constant: i64) -> Option<Self> {
        Some(self + Self::from(constant))
    }

    fn product(self, other: Self) -> Option<Self> {
        Some(self * other)
    }

    fn scalar(self) -> Fr {
        self
    }

    fn times(self, power: &Power) -> Fr {
        self * power.plain
    }
}
