//! What folding passes around: instances, what they open to, and the proof of a whole segment.
//!
//! Everything here is plain data on the host. What it must satisfy is in [`Relation`](super::Relation)
//! and [`verify`](super::verify).

use crate::backend::curve::{Fr, G1Affine};

use super::relation::NUM_PARTS;

/// A fresh instance: what a chunk says before it is folded, with `u = 1` and `E = 0`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// Public values: `(bus sum, chunk index, first flag, last flag, public values of the table)`.
    pub x: Vec<Fr>,
    /// Commitments to the parts of the witness.
    pub parts: [G1Affine; NUM_PARTS],
}

/// An instance of relaxed R1CS: what a folded instance is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelaxedInstance {
    /// The factor of `C·z`.
    pub u: Fr,
    /// Public values.
    pub x: Vec<Fr>,
    /// Commitments to the parts of the witness.
    pub parts: [G1Affine; NUM_PARTS],
    /// Commitment to the error vector.
    pub error: G1Affine,
}

impl From<Instance> for RelaxedInstance {
    fn from(Instance { x, parts }: Instance) -> Self {
        Self {
            u: Fr::from(1),
            x,
            parts,
            error: G1Affine::identity(),
        }
    }
}

impl RelaxedInstance {
    /// The start of `z`: `(u, x)`.
    pub fn head(&self) -> Vec<Fr> {
        [&[self.u], &self.x[..]].concat()
    }
}

/// What the commitments of a [`RelaxedInstance`] open to, on the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelaxedWitness {
    /// The parts of the witness: `[Layout::part_len(part)]` each.
    pub parts: [Vec<Fr>; NUM_PARTS],
    /// The error vector: one scalar per quadratic constraint.
    pub error: Vec<Fr>,
}

/// In which order the chunks of a table are folded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Order {
    /// One accumulator takes in a fresh instance at a time.
    Sequential,
    /// A binary tree over the chunks: pairs are folded level by level, an odd one out is carried.
    Tree,
}

impl Order {
    /// Both orders.
    pub const ALL: [Self; 2] = [Self::Sequential, Self::Tree];

    /// Name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequential => "seq",
            Self::Tree => "tree",
        }
    }
}

/// The chunks of one table, folded into one accumulator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableProof {
    /// Every chunk's instance, by index: at least one.
    pub instances: Vec<Instance>,
    /// Commitments to the cross terms, one per fold, in the order of folding: one less than
    /// instances. In a tree they are sorted by level, from the leaves, and within one from the first chunks.
    pub cross_terms: Vec<G1Affine>,
    /// What all instances were folded into.
    pub accumulator: RelaxedInstance,
    /// What the accumulator's commitments open to.
    pub witness: RelaxedWitness,
}

/// All chunks of all tables of a segment, folded.
///
/// Whoever verifies has the segment's statement and the program from elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoldProof {
    /// Base-2 logarithm of the rows of a chunk; tables with fewer rows are one chunk.
    pub log_rows: u32,
    /// Base-2 logarithm of the rows of the cpu table. The other tables' are those that program and
    /// statement give.
    pub log_cycles: u32,
    /// The order in which the chunks were folded.
    pub order: Order,
    /// The tables, in the order of [`TableAir::NAMES`](crate::stark::air::TableAir::NAMES).
    pub tables: Vec<TableProof>,
}
