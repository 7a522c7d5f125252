//! Where stages are computed: one trait, one method per measured stage.

mod checked;
mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod curve;
mod folding;
mod matrices;
pub mod types;

pub use checked::Checked;
pub(crate) use cpu::msm::powers;
pub use cpu::msm::{Bases, msm};
pub use cpu::{Cpu, CpuMatrices, CpuTree, CpuVector};
pub use folding::{Folding, KeyOptions, Products};
pub use matrices::{Block, Matrices, Term};

use std::time::Duration;

use crate::Result;
use crate::segment::Pages;
use crate::ship::Shipment;
use crate::vm::Program;
use crate::witness::{Matrix, Witness};
use types::Challenge;

/// A device that computes stages.
///
/// Tables stay where the backend computes; nothing reads their cells but the backend.
pub trait Backend: Sync {
    /// A table of field elements where this backend computes: a trace, or its extension.
    type Table: Send;
    /// A commitment to tables, with what openings need, the tables included.
    type Tree: Send;
    /// Evaluations that FRI folds.
    type Layer: Send;

    /// Whether a witness has to be copied to reach the host.
    const COPIES: bool = true;

    /// Name in results.
    fn name(&self) -> &'static str;

    /// Regenerates a segment's witness from a shipment.
    ///
    /// - `program`: of the digest that the shipment names.
    /// - `base`: memory at the previous boundary, for an encoding relative to it.
    /// - `reuse`: an earlier witness whose memory may be overwritten.
    ///
    /// # Errors
    /// [`Error::Replay`](crate::Error::Replay) if the shipment does not reproduce the end state it
    /// names, is of another program, or lacks pages or input that the segment uses; the errors of
    /// the device.
    fn regenerate(
        &self,
        program: &Program,
        shipment: Shipment,
        base: Option<&Pages>,
        reuse: Option<Witness<Self::Table>>,
    ) -> Result<Regenerated<Self::Table>>;

    /// A host witness as one whose memory [`regenerate`](Self::regenerate) may overwrite, if the
    /// backend computes there.
    fn reuse(&self, witness: Witness) -> Option<Witness<Self::Table>> {
        drop(witness);
        None
    }

    /// The witness on the host.
    ///
    /// # Errors
    /// Those of the device.
    fn to_host(&self, witness: Witness<Self::Table>) -> Result<Witness> {
        witness.try_map(|table| self.download(&table))
    }

    /// Brings a table to where the backend computes.
    ///
    /// # Errors
    /// Those of the device.
    fn upload(&self, table: Matrix) -> Result<Self::Table>;

    /// Brings a table back.
    ///
    /// # Errors
    /// Those of the device.
    fn download(&self, table: &Self::Table) -> Result<Matrix>;

    /// Extends each column of a trace to a coset `2^log_blowup` times larger.
    ///
    /// - `table`: `n` rows in natural order, evaluations over the subgroup of that order.
    /// - returns: `n << log_blowup` rows, evaluations over `31·K`, bit-reversed.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if `n` is no power of two, or the result has more rows
    /// than the field has roots of unity; those of the device.
    /// # Source
    /// ethSTARK (eprint 2021/582), low-degree extension; Plonky3's `TwoAdicFriPcs`.
    fn lde(&self, table: &Self::Table, log_blowup: u32) -> Result<Self::Table>;

    /// Commits to the rows of tables with a BLAKE3 Merkle tree, as Plonky3's `MerkleTreeMmcs` does.
    ///
    /// - `tables`: heights are powers of two and may differ.
    /// - returns: the `2^cap_height` digests of the cap, and the tree.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if a height is no power of two, or all are below the
    /// cap's; those of the device.
    fn commit(
        &self,
        tables: Vec<Self::Table>,
        cap_height: u8,
    ) -> Result<(Vec<[u8; 32]>, Self::Tree)>;

    /// Opens rows with their pruned authentication paths.
    ///
    /// - `indices`: rows of the tallest table, in any order; a shorter one opens the row that the
    ///   index leads to.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if an index is out of range; those of the device.
    fn open(&self, tree: &Self::Tree, indices: &[usize]) -> Result<Opening>;

    /// Evaluates the polynomial of each column of an extended table at `point`.
    ///
    /// - `lde`: as [`lde`](Self::lde) returns it for the same `log_blowup`.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if no table extended by `2^log_blowup` has as many rows;
    /// those of the device.
    fn evaluate(
        &self,
        lde: &Self::Table,
        log_blowup: u32,
        point: Challenge<4>,
    ) -> Result<Vec<Challenge<4>>>;

    /// Brings evaluations over a subgroup to where the backend computes.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if their number is no power of two, or the field has no
    /// subgroup as large; those of the device.
    fn upload_layer(&self, values: Vec<Challenge<4>>) -> Result<Self::Layer>;

    /// Brings evaluations back.
    ///
    /// # Errors
    /// Those of the device.
    fn download_layer(&self, layer: &Self::Layer) -> Result<Vec<Challenge<4>>>;

    /// Folds evaluations over a subgroup in bit-reversed order by `2^log_arity`.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if the layer is shorter than `2^log_arity` or no power
    /// of two; those of the device.
    /// # Source
    /// FRI (Ben-Sasson et al., ICALP 2018), as Plonky3's `fold_matrix`.
    fn fri_fold(
        &self,
        layer: &Self::Layer,
        log_arity: u32,
        beta: Challenge<4>,
    ) -> Result<Self::Layer>;
}

/// A witness and how long each part of making it took.
#[derive(Clone, Debug)]
pub struct Regenerated<T = Matrix> {
    /// The witness.
    pub witness: Witness<T>,
    /// Parts in order, as far as encoding and backend have them: `upload`, `execute` (re-execution
    /// with recording), `adopt` (boundary from records, or checks of a witness), `fill` (tables).
    pub parts: Vec<(&'static str, Duration)>,
}

/// Opened rows, and the digests that lead from them to the cap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// Per index, per table, the row's cells in Montgomery form.
    pub rows: Vec<Vec<Vec<u32>>>,
    /// Digests in the order of Plonky3's `PrunedMerklePaths`.
    pub siblings: Vec<[u8; 32]>,
}

/// Refuses a height that is no power of two, or an extension longer than the field allows.
fn check_lde(height: usize, log_blowup: u32) -> Result<()> {
    use p3_field::TwoAdicField;
    let most = types::Val::TWO_ADICITY as u32;
    let log_rows = |height: usize| height.ilog2().checked_add(log_blowup);
    if !height.is_power_of_two() || log_rows(height).is_none_or(|log_rows| log_rows > most) {
        return Err(crate::Error::Usage(format!(
            "a table of {height} rows extended by 2^{log_blowup}: expected a power of two, and at \
             most 2^{most} rows extended; give a lower --log-blowup"
        )));
    }
    Ok(())
}

/// Refuses a height that no extension by `2^log_blowup` has.
fn check_evaluate(height: usize, log_blowup: u32) -> Result<()> {
    use p3_field::TwoAdicField;
    let most = types::Val::TWO_ADICITY as u32;
    if !height.is_power_of_two() || height.ilog2() > most || log_blowup > height.ilog2() {
        return Err(crate::Error::Usage(format!(
            "an extension of {height} rows by 2^{log_blowup}: expected a power of two from \
             2^{log_blowup} to 2^{most}; give the --log-blowup it was made with"
        )));
    }
    Ok(())
}

/// Refuses tables that a tree cannot be made of.
fn check_commit(heights: impl Iterator<Item = usize>, cap_height: u8) -> Result<()> {
    let heights: Vec<usize> = heights.collect();
    let tallest = heights.iter().max().copied().unwrap_or(0);
    let powers = heights.iter().all(|height| height.is_power_of_two());
    if !powers || tallest == 0 || u32::from(cap_height) > tallest.ilog2() {
        return Err(crate::Error::Usage(format!(
            "tables of {heights:?} rows under a cap of height {cap_height}: expected powers of two, \
             and at least as many rows as the cap has digests; give a lower --cap-height"
        )));
    }
    Ok(())
}

/// Refuses rows that a tree does not have.
fn check_open(tallest: usize, indices: &[usize]) -> Result<()> {
    match indices.iter().find(|index| **index >= tallest) {
        Some(index) => Err(crate::Error::Usage(format!(
            "there is no row {index} in a tree of {tallest} rows"
        ))),
        None => Ok(()),
    }
}

/// Refuses evaluations that are not over a subgroup.
fn check_layer(len: usize) -> Result<()> {
    use p3_field::TwoAdicField;
    let most = types::Val::TWO_ADICITY as u32;
    if !len.is_power_of_two() || len.ilog2() > most {
        return Err(crate::Error::Usage(format!(
            "a layer of {len} evaluations: expected a power of two of at most 2^{most}"
        )));
    }
    Ok(())
}

/// Refuses a layer that cannot be folded.
fn check_fold(len: usize, log_arity: u32) -> Result<()> {
    if !len.is_power_of_two() || log_arity == 0 || log_arity > len.ilog2() {
        return Err(crate::Error::Usage(format!(
            "a layer of {len} evaluations folded by 2^{log_arity}: expected a power of two of at \
             least as many; give a lower --log-arity"
        )));
    }
    Ok(())
}
