//! FRI on the device: folding, and the commitments and openings of its layers.
//!
//! The protocol, its transcript and its proofs are Plonky3's; p3-fri/src/prover.rs is the source.

use std::mem::ManuallyDrop;

use p3_baby_bear::BabyBear;
use p3_challenger::{CanObserve, FieldChallenger, GrindingChallenger};
use p3_commit::ExtensionMmcs;
use p3_dft::{Radix2DFTSmallBatch, TwoAdicSubgroupDft};
use p3_field::{ExtensionField, PrimeCharacteristicRing};
use p3_fri::{
    BatchMultiOpening, CommitPhaseMultiStep, FriParameters, FriProof, FriShape, ProverTranscript,
};
use p3_merkle_tree::MerkleCap;
use p3_util::reverse_slice_index_bits;

use super::Device;
use super::device::Ptr;
use super::elements::{Tables, extension_words, extensions};
use super::launch::{Kernel, Shape};
use super::merkle::{MatrixRef, MerkleTree, open_rows};
use super::open::Codeword;
use super::pcs::CudaProverData;
use crate::Result;
use crate::backend::types::{Val, ValMmcs};
use crate::witness::monty::into_elements;

/// A proof, as Plonky3 has it.
pub(super) type Proof<E> =
    FriProof<E, ExtensionMmcs<Val, E, ValMmcs>, Val, Vec<BatchMultiOpening<Val, ValMmcs>>>;

const FOLD_4: Kernel = Kernel::new("fri", "fri_fold_4");
const FOLD_5: Kernel = Kernel::new("fri", "fri_fold_5");

/// Base-2 logarithm of the largest arity that one launch folds by.
const MAX_LOG_ARITY: u32 = 3;

/// What proofs are made with.
#[derive(Debug)]
pub(super) struct Prover<'a, E> {
    pub(super) device: &'a Device,
    pub(super) tables: &'a Tables,
    pub(super) params: &'a FriParameters<ExtensionMmcs<Val, E, ValMmcs>>,
    /// Cap height of the layers' trees.
    pub(super) cap_height: usize,
    /// Cap height of the committed matrices' trees.
    pub(super) input_cap_height: usize,
}

/// A committed codeword.
#[derive(Debug)]
struct Layer {
    codeword: Codeword,
    /// Base-2 logarithm of the elements in a row.
    log_arity: u32,
    tree: MerkleTree,
}

impl Layer {
    /// The codeword as the tree takes it, rows of 2^`log_arity` elements of `degree` words.
    fn leaves(codeword: &Codeword, log_arity: u32, degree: usize) -> MatrixRef<'_> {
        let height = 1 << (codeword.log_len - log_arity);
        MatrixRef::by_row(codeword.words.all(), degree << log_arity, height)
    }
}

impl<E: ExtensionField<BabyBear>> Prover<'_, E> {
    /// Proves that `inputs` are of low degree, and opens the matrices they are computed from.
    ///
    /// - `inputs`: tallest first, of distinct lengths.
    /// - `committed`: what was committed to, in the order of the claims.
    ///
    /// The proof lacks the witness of the work before the inputs were batched.
    ///
    /// # Errors
    /// Errors of the device.
    /// # Panics
    /// If there is no input.
    pub(super) fn prove<C>(
        &self,
        inputs: Vec<Codeword>,
        committed: &[&CudaProverData],
        challenger: &mut C,
    ) -> Result<Proof<E>>
    where
        C: FieldChallenger<Val>
            + GrindingChallenger<Witness = Val>
            + CanObserve<MerkleCap<Val, [u8; 32]>>,
    {
        let log_lens: Vec<_> = inputs.iter().map(|input| input.log_len as usize).collect();
        let log_max_len = log_lens[0];
        let shape = FriShape::new(self.params, &log_lens, log_max_len);
        let log_arities = shape.log_arities.clone();
        // Plonky3 has no way to give this transcript up, and dropping it early panics; so after an
        // error it is leaked, a few kilobytes.
        let mut transcript =
            ManuallyDrop::new(ProverTranscript::<C, Val, E>::new(challenger, shape));

        let mut inputs = inputs.into_iter().peekable();
        let mut folded = inputs.next().expect("there is an input");
        let mut layers = Vec::new();
        let mut commits = Vec::new();
        let mut commit_witnesses = Vec::new();
        for log_arity in log_arities.into_iter().map(|log_arity| log_arity as u32) {
            let leaves = Layer::leaves(&folded, log_arity, E::DIMENSION);
            let tree = MerkleTree::commit(self.device, &[leaves])?;
            let cap = MerkleCap::new(tree.cap(self.cap_height)?);
            let (beta, witness) = transcript.commit_round(cap.clone());
            commits.push(cap);
            commit_witnesses.push(witness.unwrap_or(Val::ZERO));
            let log_len = folded.log_len - log_arity;
            let next = inputs.next_if(|next| next.log_len == log_len);
            let (device, tables) = (self.device, self.tables);
            let result = fold(device, tables, &folded, log_arity, beta, next.as_ref())?;
            layers.push(Layer {
                codeword: std::mem::replace(&mut folded, result),
                log_arity,
                tree,
            });
        }
        let final_poly = self.final_poly(&folded)?;
        let (indices, query_witness) = transcript.query_phase(&final_poly);
        ManuallyDrop::into_inner(transcript).finish();

        let input_openings = committed.iter().map(|data| {
            let dropped = log_max_len - data.tree().log_leaves() as usize;
            let indices: Vec<_> = indices.iter().map(|index| index >> dropped).collect();
            self.open_input(data, &indices)
        });
        let input_openings = input_openings.collect::<Result<_>>()?;
        let mut indices = indices;
        let layer_openings = layers.iter().map(|layer| {
            let opening = self.open_layer(layer, &indices)?;
            indices
                .iter_mut()
                .for_each(|index| *index >>= layer.log_arity);
            Ok(opening)
        });
        let commit_phase_openings = layer_openings.collect::<Result<_>>()?;
        Ok(FriProof {
            batch_pow_witness: Val::ZERO,
            commit_phase_commits: commits,
            commit_pow_witnesses: commit_witnesses,
            input_openings,
            commit_phase_openings,
            final_poly,
            query_pow_witness: query_witness.unwrap_or(Val::ZERO),
        })
    }

    /// Coefficients of the polynomial that a fully folded codeword is of.
    fn final_poly(&self, folded: &Codeword) -> Result<Vec<E>> {
        let mut words = vec![0; self.params.final_poly_len() * E::DIMENSION];
        let view = folded.words.view(0..words.len());
        self.device.download_into(view, &mut words)?;
        let mut values = extensions::<E>(words);
        reverse_slice_index_bits(&mut values);
        Ok(Radix2DFTSmallBatch::<Val>::default().idft_algebra(values))
    }

    /// Rows of committed matrices, which are `[query][matrix][column]`.
    fn open_input(
        &self,
        data: &CudaProverData,
        indices: &[usize],
    ) -> Result<BatchMultiOpening<Val, ValMmcs>> {
        let leaves = data.leaves();
        let rows = into_elements(open_rows(self.device, &leaves, indices)?);
        let mut rest = rows.as_slice();
        let opened_values = indices.iter().map(|_| {
            let row = leaves.iter().map(|matrix| {
                let (cells, after) = rest.split_at(matrix.width());
                rest = after;
                cells.to_vec()
            });
            row.collect()
        });
        Ok(BatchMultiOpening {
            opened_values: opened_values.collect(),
            opening_proof: data.tree().open_paths(indices, self.input_cap_height)?,
        })
    }

    /// What a layer has beside the elements at `indices`, in the same rows.
    fn open_layer(
        &self,
        layer: &Layer,
        indices: &[usize],
    ) -> Result<CommitPhaseMultiStep<E, ExtensionMmcs<Val, E, ValMmcs>>> {
        let leaves = Layer::leaves(&layer.codeword, layer.log_arity, E::DIMENSION);
        let rows: Vec<_> = indices
            .iter()
            .map(|index| index >> layer.log_arity)
            .collect();
        let elements = extensions::<E>(open_rows(self.device, &[leaves], &rows)?);
        let arity = 1 << layer.log_arity;
        let siblings = elements
            .chunks_exact(arity)
            .zip(indices)
            .map(|(row, index)| {
                let mut row = row.to_vec();
                row.remove(index % arity);
                row
            });
        Ok(CommitPhaseMultiStep {
            sibling_values: siblings.collect(),
            opening_proof: layer.tree.open_paths(&rows, self.cap_height)?,
        })
    }
}

/// Folds a codeword by 2^`log_arity`, and adds `beta`^(2^`log_arity`) times `next`, of the folded
/// length.
///
/// # Errors
/// Errors of the device.
/// # Panics
/// If the lengths do not match, or the arity is 1 or more than the length.
pub(super) fn fold<E: ExtensionField<BabyBear>>(
    device: &Device,
    tables: &Tables,
    codeword: &Codeword,
    log_arity: u32,
    beta: E,
    next: Option<&Codeword>,
) -> Result<Codeword> {
    assert!((1..=codeword.log_len).contains(&log_arity));
    let (mut left, mut beta) = (log_arity, beta);
    let mut folded: Option<Codeword> = None;
    while left > 0 {
        let log_arity = left.min(MAX_LOG_ARITY);
        left -= log_arity;
        let next = next.filter(|_| left == 0);
        let input = folded.as_ref().unwrap_or(codeword);
        folded = Some(fold_once(device, tables, input, log_arity, beta, next)?);
        beta = beta.exp_power_of_2(log_arity as usize);
    }
    Ok(folded.expect("the arity is more than 1"))
}

fn fold_once<E: ExtensionField<BabyBear>>(
    device: &Device,
    tables: &Tables,
    codeword: &Codeword,
    log_arity: u32,
    beta: E,
    next: Option<&Codeword>,
) -> Result<Codeword> {
    let log_len = codeword.log_len - log_arity;
    assert_eq!(codeword.words.len(), E::DIMENSION << codeword.log_len);
    assert!(next.is_none_or(|next| next.log_len == log_len));
    let output = device.alloc("a folded codeword", E::DIMENSION << log_len)?;
    let args = (
        codeword.words.ptr(),
        tables.folds.ptr(),
        log_arity,
        1u32 << log_len,
        next.map_or(Ptr::null(), |next| next.words.ptr()),
        output.ptr(),
    );
    match E::DIMENSION {
        4 => launch_fold::<E, 4>(device, FOLD_4, beta, args)?,
        _ => launch_fold::<E, 5>(device, FOLD_5, beta, args)?,
    }
    Ok(Codeword {
        words: output,
        log_len,
    })
}

/// Launches `fri_fold`; `N` is the degree.
fn launch_fold<E: ExtensionField<BabyBear>, const N: usize>(
    device: &Device,
    kernel: Kernel,
    beta: E,
    (input, tables, log_arity, rows, next, output): (
        Ptr<u32>,
        Ptr<u32>,
        u32,
        u32,
        Ptr<u32>,
        Ptr<u32>,
    ),
) -> Result<()> {
    let weight = beta.exp_power_of_2(log_arity as usize);
    let args = (
        input,
        tables,
        extension_words::<E, N>(beta),
        log_arity,
        rows,
        next,
        extension_words::<E, N>(weight),
        output,
    );
    let shape = Shape::linear(rows as usize, 256);
    // SAFETY: fri_fold's parameters; the input has 2^log_arity elements for each row, `next`, if there
    // is one, and the output have one.
    unsafe { device.launch(kernel, shape, args) }
}

#[cfg(test)]
mod tests;
