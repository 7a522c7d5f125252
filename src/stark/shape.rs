//! The shape of a proved batch of tables: what a proof's size and its security depend on besides
//! the parameters.

use p3_air::Air;
use p3_air::symbolic::AirLayout;
use p3_baby_bear::BabyBear;
use p3_batch_stark::symbolic::{get_max_constraint_degree, get_symbolic_constraints};
use p3_field::extension::BinomialExtensionField;
use p3_lookup::{InteractionSymbolicBuilder, Lookup, Lookups};

use super::air::{ProgramAir, TableAir};
use super::columns::padded;
use super::proof::SegmentProof;
use super::statement::Statement;
use super::verify::VerifyError;
use crate::vm::Program;
use crate::witness::Witness;
use crate::witness::layout::{MIN_ROWS, range};

/// Modulus of the tables' field, BabyBear.
pub const MODULUS: u64 = (1 << 31) - (1 << 27) + 1;

/// One table of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Table {
    /// Base-2 logarithm of the number of rows.
    pub log_height: u32,
    /// Columns of the trace.
    pub width: usize,
    /// Whether constraints read the next row, so that the trace is opened at a second point.
    pub next: bool,
    /// Columns fixed in the verifying key.
    pub preprocessed: usize,
    /// Whether constraints read the next row of those.
    pub preprocessed_next: bool,
    /// Chunks of the quotient polynomial; a power of two.
    pub quotient_chunks: usize,
    /// Constraints, those of the lookup argument included.
    pub constraints: usize,
    /// Highest degree of a constraint.
    pub degree: usize,
    /// Fraction columns of the lookup argument, each an element of the challenge field.
    pub lookups: usize,
    /// Messages put on buses per row: the number of denominators in those columns.
    pub messages: usize,
    /// Fields of the widest message.
    pub message_width: usize,
}

/// A batch of tables proved together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shape {
    /// The tables, in the order of the proof.
    pub tables: Vec<Table>,
}

impl Table {
    /// The table of an AIR with `2^log_height` rows, as `p3-batch-stark` 0.8 lays it out: global
    /// lookups of one bus share columns as far as that adds no quotient chunk.
    ///
    /// Cost: the AIR is evaluated symbolically three times.
    pub fn of_air<A>(air: &A, log_height: u32) -> Self
    where
        A: Air<InteractionSymbolicBuilder<BabyBear, BinomialExtensionField<BabyBear, 4>>>,
    {
        type Ef = BinomialExtensionField<BabyBear, 4>;
        let gadget = p3_lookup::LogUpGadget::new();
        let layout = AirLayout::from_air(air);
        let rows = 1 << log_height;
        let degree_with = |lookups: &[Lookup<BabyBear>]| {
            let degree =
                get_max_constraint_degree::<_, Ef, A, _>(air, layout, rows, lookups, &gadget);
            degree.max(air.max_constraint_degree().unwrap_or(0)).max(1)
        };
        let unpacked = Lookups::<BabyBear>::from_air::<Ef, A>(air);
        let chunks = (degree_with(&unpacked).max(2) - 1).next_power_of_two();
        let packed = unpacked.pack_same_bus(&gadget, chunks + 1);
        let (base, extension) =
            get_symbolic_constraints::<_, Ef, A, _>(air, layout, &packed, &gadget);
        let denominators = |lookup: &Lookup<_>| match lookup.flags {
            Some(_) => 1,
            None => lookup.elements.len(),
        };
        let widths = packed
            .iter()
            .flat_map(|lookup| &lookup.elements)
            .map(Vec::len);
        Self {
            log_height,
            width: layout.main_width,
            next: !air.main_next_row_columns().is_empty(),
            preprocessed: layout.preprocessed_width,
            preprocessed_next: !air.preprocessed_next_row_columns().is_empty(),
            quotient_chunks: chunks,
            constraints: base.len() + extension.len(),
            degree: degree_with(&packed),
            lookups: packed.len(),
            messages: packed.iter().map(denominators).sum(),
            message_width: widths.max().unwrap_or(0),
        }
    }

    /// Columns of the lookup argument in elements of the challenge field: an accumulator and the
    /// fractions, or none.
    pub fn permutation(&self) -> usize {
        if self.lookups == 0 {
            0
        } else {
            self.lookups + 1
        }
    }

    /// Claimed evaluations of base-field columns: (column, point) pairs, each of which takes a
    /// power of the challenge that batches openings. A column over the challenge field counts
    /// `extension` times.
    ///
    /// # Source
    /// `p3_batch_stark::num_batched_openings` 0.8.
    pub fn openings(&self, extension: usize) -> usize {
        p3_batch_stark::num_batched_openings(
            self.width,
            self.next,
            self.preprocessed,
            self.preprocessed_next,
            self.quotient_chunks,
            self.lookups,
            extension,
            p3_uni_stark::OpeningShape::TwoAdic,
        )
    }
}

impl Shape {
    /// A batch that is no more secure than those of segments of `2^log_cycles` cycles of `program`, to
    /// choose parameters by: as many words touched as cycles, which puts most messages on buses, and
    /// the shortest log, since short tables are what limits the Johnson regime.
    ///
    /// Only a segment that touches a new word in nearly every cycle *and* moves a unit in nearly every
    /// cycle can be less secure, by a fraction of a bit.
    pub fn of_segment(program: &Program, log_cycles: u32) -> Self {
        let least = MIN_ROWS.ilog2();
        let mut heights = [log_cycles.max(least); TableAir::COUNT];
        heights[TableAir::LOG] = least;
        heights[TableAir::PROGRAM] = ProgramAir::new(program).height().ilog2();
        heights[TableAir::RANGE] = range::LOG_ROWS;
        Self::of_heights(&heights)
    }

    /// The batch that `proof` is of, if it verifies.
    ///
    /// # Errors
    /// If its statement or its heights are none that a proof can have; whether it verifies is not
    /// looked at.
    pub fn of_proof(proof: &SegmentProof) -> Result<Self, VerifyError> {
        let heights = proof.log_heights()?;
        Ok(Self::of_heights(&heights.map(|height| height as u32)))
    }

    /// The batch that proves `witness`, whose statement is `statement`.
    pub fn of_witness(witness: &Witness, statement: &Statement) -> Self {
        let heights = [
            witness.cpu.height(),
            witness.boundary.height(),
            witness.program.height(),
            witness.range.height(),
            padded(statement.log.len()),
        ];
        Self::of_heights(&heights.map(usize::ilog2))
    }

    /// The tables of a segment with these heights.
    fn of_heights(log_heights: &[u32]) -> Self {
        let airs = TableAir::for_verifier();
        let tables = airs.iter().zip(log_heights);
        Self {
            tables: tables
                .map(|(air, log_height)| Table::of_air(air, *log_height))
                .collect(),
        }
    }

    /// A batch of one table.
    pub fn of_table(table: Table) -> Self {
        Self {
            tables: vec![table],
        }
    }

    /// Base-2 logarithm of the most rows; 0 without tables.
    pub fn max_log_height(&self) -> u32 {
        self.heights().max().unwrap_or(0)
    }

    /// Base-2 logarithm of the fewest rows; 0 without tables.
    pub fn min_log_height(&self) -> u32 {
        self.heights().min().unwrap_or(0)
    }

    /// Highest degree of a constraint, at least 1.
    pub fn max_degree(&self) -> usize {
        let degrees = self.tables.iter().map(|table| table.degree);
        degrees.max().unwrap_or(0).max(1)
    }

    /// Most quotient chunks of a table, at least 1.
    pub fn max_quotient_chunks(&self) -> usize {
        let chunks = self.tables.iter().map(|table| table.quotient_chunks);
        chunks.max().unwrap_or(0).max(1)
    }

    /// Constraints of all tables.
    pub fn constraints(&self) -> usize {
        self.tables.iter().map(|table| table.constraints).sum()
    }

    /// Messages put on buses by all rows of all tables.
    pub fn messages(&self) -> u64 {
        let messages = |table: &Table| (table.messages as u64) << table.log_height;
        self.tables.iter().map(messages).sum()
    }

    /// Fields of the widest message.
    pub fn message_width(&self) -> usize {
        let widths = self.tables.iter().map(|table| table.message_width);
        widths.max().unwrap_or(0)
    }

    /// Claimed evaluations of all tables, see [`Table::openings`].
    pub fn openings(&self, extension: usize) -> usize {
        let openings = self.tables.iter().map(|table| table.openings(extension));
        openings.sum()
    }

    /// Cells of all traces, without preprocessed, lookup and quotient columns.
    pub fn elements(&self) -> u64 {
        let cells = |table: &Table| (table.width as u64) << table.log_height;
        self.tables.iter().map(cells).sum()
    }

    fn heights(&self) -> impl Iterator<Item = u32> + '_ {
        self.tables.iter().map(|table| table.log_height)
    }
}
