//! BLAKE3 Merkle trees, by Plonky3.

use p3_commit::Mmcs;
use p3_matrix::dense::RowMajorMatrix;

use crate::Result;
use crate::backend::types::{Val, ValMmcs, val_mmcs};
use crate::backend::{Opening, check_commit, check_open};
use crate::witness::Matrix;
use crate::witness::monty::into_words;

/// A tree with its tables.
pub struct Tree {
    mmcs: ValMmcs,
    data: <ValMmcs as Mmcs<Val>>::ProverData<RowMajorMatrix<Val>>,
}

pub(super) fn commit(tables: Vec<Matrix>, cap_height: u8) -> Result<(Vec<[u8; 32]>, Tree)> {
    check_commit(tables.iter().map(Matrix::height), cap_height)?;
    let mmcs = val_mmcs(cap_height);
    let tables = tables.into_iter().map(Matrix::into_field).collect();
    let (cap, data) = mmcs.commit(tables);
    Ok((cap.roots().to_vec(), Tree { mmcs, data }))
}

pub(super) fn open(tree: &Tree, indices: &[usize]) -> Result<Opening> {
    check_open(tree.mmcs.get_max_height(&tree.data), indices)?;
    let (rows, paths) = tree.mmcs.open_multi_batch(indices, &tree.data);
    let rows = rows
        .into_iter()
        .map(|tables| tables.into_iter().map(into_words).collect())
        .collect();
    Ok(Opening {
        rows,
        siblings: paths.sibling_hashes,
    })
}
