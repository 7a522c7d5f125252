//! Any of a segment's tables, so that they can be proven in one batch.

use p3_air::{Air, AirBuilder, BaseAir};
use p3_baby_bear::BabyBear;
use p3_lookup::InteractionBuilder;
use p3_matrix::dense::RowMajorMatrix;

use super::{BoundaryAir, CpuAir, LogAir, ProgramAir, RangeAir};

/// One of a segment's tables.
#[derive(Clone, Debug)]
pub enum TableAir {
    /// One row per cycle.
    Cpu,
    /// Registers and touched words.
    Boundary,
    /// The program, or `None` for a verifier that knows it by its commitment.
    Program(Option<ProgramAir>),
    /// Range checks. `false` for a verifier, which knows the fixed columns by their commitment.
    Range(bool),
    /// System calls.
    Log,
}

impl TableAir {
    /// Number of tables.
    pub const COUNT: usize = 5;

    /// Names of the tables, in the order in which they are proven.
    pub const NAMES: [&'static str; Self::COUNT] = ["cpu", "boundary", "program", "range", "log"];

    /// Position of the cpu table.
    pub const CPU: usize = 0;
    /// Position of the boundary table.
    pub const BOUNDARY: usize = 1;
    /// Position of the program table.
    pub const PROGRAM: usize = 2;
    /// Position of the range table.
    pub const RANGE: usize = 3;
    /// Position of the log table.
    pub const LOG: usize = 4;

    /// All tables, with the fixed columns of `program`.
    pub fn for_prover(program: ProgramAir) -> [Self; Self::COUNT] {
        Self::all(Some(program), true)
    }

    /// All tables, without fixed columns.
    pub fn for_verifier() -> [Self; Self::COUNT] {
        Self::all(None, false)
    }

    fn all(program: Option<ProgramAir>, range: bool) -> [Self; Self::COUNT] {
        [
            Self::Cpu,
            Self::Boundary,
            Self::Program(program),
            Self::Range(range),
            Self::Log,
        ]
    }
}

/// Does the same with whichever table it is.
macro_rules! each {
    ($table:expr, $air:ident => $do:expr) => {
        match $table {
            TableAir::Cpu => {
                let $air = &CpuAir;
                $do
            }
            TableAir::Boundary => {
                let $air = &BoundaryAir;
                $do
            }
            TableAir::Program(_) => {
                let $air = &ProgramAir::default();
                $do
            }
            TableAir::Range(_) => {
                let $air = &RangeAir;
                $do
            }
            TableAir::Log => {
                let $air = &LogAir;
                $do
            }
        }
    };
}

impl BaseAir<BabyBear> for TableAir {
    fn width(&self) -> usize {
        each!(self, air => BaseAir::<BabyBear>::width(air))
    }

    fn num_public_values(&self) -> usize {
        each!(self, air => BaseAir::<BabyBear>::num_public_values(air))
    }

    fn preprocessed_trace(&self) -> Option<RowMajorMatrix<BabyBear>> {
        match self {
            Self::Program(Some(air)) => air.preprocessed_trace(),
            Self::Range(true) => RangeAir.preprocessed_trace(),
            _ => None,
        }
    }

    fn preprocessed_width(&self) -> usize {
        each!(self, air => BaseAir::<BabyBear>::preprocessed_width(air))
    }

    fn main_next_row_columns(&self) -> Vec<usize> {
        each!(self, air => BaseAir::<BabyBear>::main_next_row_columns(air))
    }

    fn preprocessed_next_row_columns(&self) -> Vec<usize> {
        Vec::new()
    }

    fn max_constraint_degree(&self) -> Option<usize> {
        each!(self, air => BaseAir::<BabyBear>::max_constraint_degree(air))
    }
}

impl<AB> Air<AB> for TableAir
where
    AB: InteractionBuilder + AirBuilder<F = BabyBear>,
{
    fn eval(&self, builder: &mut AB) {
        each!(self, air => air.eval(builder));
    }
}
