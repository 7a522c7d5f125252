//! Low-degree extension and out-of-domain evaluation, by Plonky3.

use p3_dft::TwoAdicSubgroupDft;
use p3_field::coset::TwoAdicMultiplicativeCoset;
use p3_field::{Field, batch_multiplicative_inverse};
use p3_matrix::Matrix as _;
use p3_matrix::bitrev::BitReversibleMatrix;
use p3_matrix::dense::RowMajorMatrixView;
use p3_matrix::interpolation::{Interpolate, compute_adjusted_weights};
use p3_util::reverse_slice_index_bits;

use crate::Result;
use crate::backend::types::{Challenge, Dft, Val};
use crate::backend::{check_evaluate, check_lde};
use crate::witness::Matrix;
use crate::witness::monty::elements;

pub(super) fn lde(table: &Matrix, log_blowup: u32) -> Result<Matrix> {
    check_lde(table.height(), log_blowup)?;
    let evaluations = table.clone().into_field();
    let extended = Dft::default()
        .coset_lde_batch(evaluations, log_blowup as usize, Val::GENERATOR)
        .bit_reverse_rows()
        .to_row_major_matrix();
    Ok(Matrix::from_field(extended))
}

pub(super) fn evaluate(
    lde: &Matrix,
    log_blowup: u32,
    point: Challenge<4>,
) -> Result<Vec<Challenge<4>>> {
    let height = lde.height();
    check_evaluate(height, log_blowup)?;
    let degree = height >> log_blowup;
    let log_degree = degree.ilog2() as usize;
    // In bit-reversed order the first rows are a coset of their own, large enough to interpolate.
    let coset = TwoAdicMultiplicativeCoset::new(Val::GENERATOR, log_degree)
        .expect("no larger than the table, which was checked");
    let mut points: Vec<Val> = coset.iter().collect();
    reverse_slice_index_bits(&mut points);
    let differences: Vec<Challenge<4>> = points.iter().map(|x| point - *x).collect();
    let inverses = batch_multiplicative_inverse(&differences);
    let weights = compute_adjusted_weights(point, &inverses);
    let cells: &[Val] = elements(&lde.words[..degree * lde.width]);
    Ok(
        RowMajorMatrixView::new(cells, lde.width).interpolate_coset_with_precomputation(
            Val::GENERATOR,
            point,
            &weights,
        ),
    )
}
