//! The program table: constants of the program, and how often each instruction ran.

use std::sync::Arc;

use p3_air::{Air, BaseAir, WindowAccess};
use p3_field::PrimeField32;
use p3_lookup::InteractionBuilder;
use p3_matrix::dense::RowMajorMatrix;

use super::bus;
use crate::vm::Program;
use crate::witness::layout::MIN_ROWS;
use crate::witness::rom::{ROM_FIELDS, rom};

/// The program table. Its constants are a preprocessed trace that depends on the program alone;
/// its one column counts executions.
///
/// A word that cannot be executed has the row of an address no row can reach, so looking it up
/// fails.
#[derive(Clone, Debug, Default)]
pub struct ProgramAir {
    rows: Arc<Vec<[u32; ROM_FIELDS]>>,
}

/// Stands in the address field of words that cannot be executed: no `pc / 4` is as large.
const NO_ADDRESS: u32 = (1 << 30) + 1;

/// Stands in the code field of such words: no class has this number.
const NO_CODE: u32 = 31;

impl ProgramAir {
    /// The table of `program`, padded to a power of two.
    pub fn new(program: &Program) -> Self {
        let mut none = [0; ROM_FIELDS];
        (none[0], none[1]) = (NO_ADDRESS, NO_CODE);
        let mut rows: Vec<_> = rom(program).map(|row| row.unwrap_or(none)).collect();
        rows.resize(rows.len().next_power_of_two().max(MIN_ROWS), none);
        Self {
            rows: Arc::new(rows),
        }
    }

    /// Number of rows, a power of two.
    pub fn height(&self) -> usize {
        self.rows.len()
    }
}

impl<F: PrimeField32> BaseAir<F> for ProgramAir {
    fn width(&self) -> usize {
        1
    }

    fn preprocessed_trace(&self) -> Option<RowMajorMatrix<F>> {
        let values = self
            .rows
            .iter()
            .flatten()
            .map(|value| F::from_u32(*value))
            .collect();
        Some(RowMajorMatrix::new(values, ROM_FIELDS))
    }

    fn preprocessed_width(&self) -> usize {
        ROM_FIELDS
    }

    fn main_next_row_columns(&self) -> Vec<usize> {
        Vec::new()
    }

    fn preprocessed_next_row_columns(&self) -> Vec<usize> {
        Vec::new()
    }
}

impl<AB: InteractionBuilder> Air<AB> for ProgramAir
where
    AB::F: PrimeField32,
{
    fn eval(&self, builder: &mut AB) {
        let key: Vec<AB::Expr> = builder
            .preprocessed()
            .current_slice()
            .iter()
            .map(|cell| (*cell).into())
            .collect();
        let main = builder.main();
        let count: AB::Expr = main.current_slice()[0].into();
        bus::PROGRAM.table_entry(builder, key, count);
    }
}
