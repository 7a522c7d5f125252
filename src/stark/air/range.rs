//! The range table: every 16-bit value, and how often it was looked up in each of three ways.

use p3_air::{Air, BaseAir, WindowAccess};
use p3_field::PrimeField32;
use p3_lookup::InteractionBuilder;
use p3_matrix::dense::RowMajorMatrix;

use super::bus;
use crate::witness::layout::range::*;

/// The range table. Row `v` stands for the value `v`, the bytes `(v & 255, v >> 8)`, and the 14-bit
/// value `v >> 2`; these four are its preprocessed columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct RangeAir;

const PREPROCESSED_WIDTH: usize = 4;

impl<F: PrimeField32> BaseAir<F> for RangeAir {
    fn width(&self) -> usize {
        WIDTH
    }

    fn preprocessed_trace(&self) -> Option<RowMajorMatrix<F>> {
        let values = (0..1u32 << LOG_ROWS)
            .flat_map(|v| [v, v & 255, v >> 8, v >> 2].map(F::from_u32))
            .collect();
        Some(RowMajorMatrix::new(values, PREPROCESSED_WIDTH))
    }

    fn preprocessed_width(&self) -> usize {
        PREPROCESSED_WIDTH
    }

    fn main_next_row_columns(&self) -> Vec<usize> {
        Vec::new()
    }

    fn preprocessed_next_row_columns(&self) -> Vec<usize> {
        Vec::new()
    }
}

impl<AB: InteractionBuilder> Air<AB> for RangeAir
where
    AB::F: PrimeField32,
{
    fn eval(&self, builder: &mut AB) {
        let fixed: Vec<AB::Expr> = builder
            .preprocessed()
            .current_slice()
            .iter()
            .map(|cell| (*cell).into())
            .collect();
        let [value, lo, hi, value14] = <[AB::Expr; PREPROCESSED_WIDTH]>::try_from(fixed)
            .unwrap_or_else(|_| unreachable!("the preprocessed trace has four columns"));
        let main = builder.main();
        let count = bus::cells::<AB>(main.current_slice());
        bus::RANGE16.table_entry(builder, [value], count(VALUE16));
        bus::BYTES.table_entry(builder, [lo, hi], count(BYTES));
        bus::RANGE14.table_entry(builder, [value14], count(VALUE14));
    }
}
