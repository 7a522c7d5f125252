//! Columns that whoever verifies knows: the contents of the boundary table and all of the log table.
//!
//! The constraints say nothing about what these columns hold, and the proof carries only their value
//! at the out-of-domain point. The verifier computes that value from the statement. Both sides fixed
//! the column before the point was drawn (the prover by its commitment, the statement by starting
//! the transcript with it), so equality at the point means equality of the polynomials, up to an
//! error of height / |field|.

use p3_baby_bear::BabyBear;
use p3_field::{
    ExtensionField, PrimeCharacteristicRing, TwoAdicField, batch_multiplicative_inverse,
};
use p3_matrix::Matrix as _;
use p3_matrix::dense::RowMajorMatrix;

use super::air::{LOG_WIDTH, TableAir};
use super::statement::{Cell, Event, Statement};
use crate::witness::layout::boundary::{FINAL, HI, INIT, LO, REAL, REGISTER};
use crate::witness::layout::{Col, MIN_ROWS, REGISTER_BASE};

/// Columns of the boundary table that the statement gives, in the order of [`boundary_row`].
pub(crate) const BOUNDARY_COLS: [Col; 12] = [
    REAL,
    LO,
    HI,
    REGISTER,
    INIT,
    INIT + 1,
    INIT + 2,
    INIT + 3,
    FINAL,
    FINAL + 1,
    FINAL + 2,
    FINAL + 3,
];

/// What a row of the boundary table holds in [`BOUNDARY_COLS`].
pub(crate) fn boundary_row(cell: &Cell) -> [u32; BOUNDARY_COLS.len()] {
    let register = cell.register().is_some();
    let word = if register {
        cell.address - REGISTER_BASE
    } else {
        cell.address
    };
    let [f0, f1, f2, f3] = cell.first.to_le_bytes().map(u32::from);
    let [l0, l1, l2, l3] = cell.last.to_le_bytes().map(u32::from);
    [
        1,
        word & 0xffff,
        word >> 16,
        register.into(),
        f0,
        f1,
        f2,
        f3,
        l0,
        l1,
        l2,
        l3,
    ]
}

/// A row of the log table.
pub(crate) fn log_row(event: &Event) -> [u32; LOG_WIDTH] {
    let mut row = [1; LOG_WIDTH];
    row[1..].copy_from_slice(&event.fields());
    row
}

/// Height of a table with `rows` rows before padding.
pub(crate) fn padded(rows: usize) -> usize {
    rows.next_power_of_two().max(MIN_ROWS)
}

/// Rows of `N` cells as a table, padded with zeros.
fn table<const N: usize>(
    rows: impl ExactSizeIterator<Item = [u32; N]>,
) -> RowMajorMatrix<BabyBear> {
    let height = padded(rows.len());
    let mut values = Vec::with_capacity(N * height);
    values.extend(rows.flatten().map(BabyBear::from_u32));
    values.resize(N * height, BabyBear::ZERO);
    RowMajorMatrix::new(values, N)
}

/// The log table.
pub(super) fn log_table(log: &[Event]) -> RowMajorMatrix<BabyBear> {
    table(log.iter().map(log_row))
}

/// A table's known columns.
pub(super) struct Known {
    /// Position of the table, see [`TableAir`].
    pub(super) table: usize,
    /// The columns.
    cols: Vec<Col>,
    /// What they hold, in that order.
    cells: RowMajorMatrix<BabyBear>,
}

impl Known {
    /// The values of the columns at `point`, with the columns.
    pub(super) fn at<E: ExtensionField<BabyBear>>(
        &self,
        point: E,
    ) -> impl Iterator<Item = (Col, E)> {
        let values = evaluate(&self.cells, point);
        self.cols.iter().copied().zip(values)
    }
}

/// All known columns of a statement.
pub(super) fn known(statement: &Statement) -> [Known; 2] {
    [
        Known {
            table: TableAir::BOUNDARY,
            cols: BOUNDARY_COLS.to_vec(),
            cells: table(statement.boundary.iter().map(boundary_row)),
        },
        Known {
            table: TableAir::LOG,
            cols: (0..LOG_WIDTH).collect(),
            cells: log_table(&statement.log),
        },
    ]
}

/// The polynomials whose values on the subgroup of order `height` are the columns of `cells`, at a
/// point outside it.
///
/// - returns: one value per column.
///
/// # Source
/// The barycentric formula: f(z) = (z^n − 1)/n · Σ f_i·w^i/(z − w^i).
fn evaluate<E: ExtensionField<BabyBear>>(cells: &RowMajorMatrix<BabyBear>, point: E) -> Vec<E> {
    let log_height = cells.height().ilog2() as usize;
    let generator = BabyBear::two_adic_generator(log_height);
    let powers: Vec<BabyBear> = generator.powers().take(cells.height()).collect();
    let differences: Vec<E> = powers.iter().map(|power| point - *power).collect();
    let mut weights = batch_multiplicative_inverse(&differences);
    for (weight, power) in weights.iter_mut().zip(&powers) {
        *weight *= *power;
    }
    let scale =
        (point.exp_power_of_2(log_height) - E::ONE) * BabyBear::ONE.div_2exp_u64(log_height as u64);
    let mut values = cells.columnwise_dot_product(&weights);
    for value in &mut values {
        *value *= scale;
    }
    values
}

#[cfg(test)]
mod tests {
    use p3_field::Field;
    use p3_field::extension::BinomialExtensionField;

    use super::*;

    #[test]
    fn evaluates_the_interpolating_polynomial() {
        type E = BinomialExtensionField<BabyBear, 4>;
        // f = 3 + 5x + 7x^9 over a subgroup of order 256, and g = x^255.
        let f = |x: E| {
            E::from_u32(3) + x * BabyBear::from_u32(5) + x.exp_u64(9) * BabyBear::from_u32(7)
        };
        let generator = BabyBear::two_adic_generator(8);
        let cells = generator.powers().take(256).flat_map(|x| {
            let constant = BabyBear::from_u32(3) + x * BabyBear::from_u32(5);
            [constant + x.exp_u64(9) * BabyBear::from_u32(7), x.inverse()]
        });
        let cells = RowMajorMatrix::new(cells.collect(), 2);
        let point = E::from_u32(11) + E::GENERATOR;
        assert_eq!(evaluate(&cells, point), [f(point), point.exp_u64(255)]);
    }
}
