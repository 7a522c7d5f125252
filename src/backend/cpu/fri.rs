//! FRI's folding, by Plonky3.

use std::marker::PhantomData;

use p3_fri::{FriFoldingStrategy, TwoAdicFriFolding};
use p3_matrix::dense::RowMajorMatrixView;

use crate::Result;
use crate::backend::check_fold;
use crate::backend::types::{Challenge, Val};

pub(super) fn fold(
    layer: &[Challenge<4>],
    log_arity: u32,
    beta: Challenge<4>,
) -> Result<Vec<Challenge<4>>> {
    check_fold(layer.len(), log_arity)?;
    let folding = TwoAdicFriFolding::<(), ()>(PhantomData);
    let rows = RowMajorMatrixView::new(layer, 1 << log_arity);
    Ok(FriFoldingStrategy::<Val, Challenge<4>>::fold_matrix(
        &folding,
        beta,
        log_arity as usize,
        rows,
    ))
}
