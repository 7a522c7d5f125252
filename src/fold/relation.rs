//! What a folded instance must satisfy: an R1CS over a chunk of rows at given challenges.

use crate::backend::curve::Fr;
use crate::backend::{Matrices, Term};

/// Parts of a witness, each committed to on its own.
pub const NUM_PARTS: usize = 3;
/// The part whoever verifies knows: fixed columns of the program, and columns that the statement gives.
pub const KNOWN: usize = 0;
/// The part committed to before the lookup challenges are drawn: the trace and auxiliary products.
pub const MAIN: usize = 1;
/// The part committed to after that: fractions of the lookup argument.
pub const LOOKUP: usize = 2;

/// Number of variables of one part of a witness.
///
/// A part is its singles, then its columns one after another, `[column][row]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Part {
    /// Variables that a chunk has once.
    pub singles: usize,
    /// Variables that every row has.
    pub columns: usize,
}

/// How `z = (u, x, known, main, lookup)` is laid out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    /// Base-2 logarithm of the rows of a chunk.
    pub log_rows: u32,
    /// Length of `x`.
    pub num_public: usize,
    /// The parts of the witness.
    pub parts: [Part; NUM_PARTS],
}

impl Layout {
    /// Scalars in a part.
    pub fn part_len(&self, part: usize) -> usize {
        let Part { singles, columns } = self.parts[part];
        singles + (columns << self.log_rows)
    }

    /// Index into `z` of a part's first scalar.
    pub fn part_start(&self, part: usize) -> usize {
        1 + self.num_public + (0..part).map(|part| self.part_len(part)).sum::<usize>()
    }

    /// Length of `z`.
    pub fn num_variables(&self) -> usize {
        self.part_start(NUM_PARTS)
    }
}

/// A linear constraint, `repeat` times: in repetition `i`
/// `Σ_terms coefficient · z[start + step · i] + Σ_sums Σ_j coefficient · z[start + j] = 0`, with `j` over the rows of the chunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinearBlock {
    /// Number of repetitions.
    pub repeat: u32,
    /// Range of [`Linear::terms`] that moves with the repetition.
    pub terms: [u32; 2],
    /// Range of [`Linear::terms`] that is summed over all rows.
    pub sums: [u32; 2],
}

/// Linear constraints. They are homogeneous in `z`, so folding preserves them exactly: they need neither an error vector nor a
/// cross term.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Linear {
    /// The constraints.
    pub blocks: Vec<LinearBlock>,
    /// Terms of all of them.
    pub terms: Vec<Term>,
    /// The different coefficients.
    pub coefficients: Vec<Fr>,
}

/// The constraints on a chunk.
///
/// A relaxed instance satisfies them if `A·z ∘ B·z = u·C·z + E` and every linear constraint holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Relation {
    /// What `z` holds.
    pub layout: Layout,
    /// Quadratic constraints.
    pub matrices: Matrices,
    /// Linear constraints.
    pub linear: Linear,
}
