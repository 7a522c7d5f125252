//! The three matrices of an R1CS that repeats a block of constraints row by row.

use super::curve::Fr;
use crate::{Error, Result};

/// One term of a linear combination: `coefficient · z[start + step · i]` in repetition `i`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term {
    /// Index into `z` in the first repetition.
    pub start: u32,
    /// How far it moves from one repetition to the next: 0 or 1.
    pub step: u32,
    /// Index into [`Matrices::coefficients`].
    pub coefficient: u32,
}

/// A constraint `⟨a, z⟩ · ⟨b, z⟩ = ⟨c, z⟩` that holds `repeat` times, with `z` moved on by a row
/// each time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// Index of the first repetition's constraint; the others follow it.
    pub start: u32,
    /// Number of repetitions: the rows of a chunk, one less for those that read the next row, or 1.
    pub repeat: u32,
    /// The three linear combinations, as ranges of [`Matrices::terms`]: `[from, to)`.
    pub terms: [[u32; 2]; 3],
}

/// The matrices A, B and C of a chunk, stored once per row and not once per chunk.
///
/// `z` is the instance's head `(u, x)` followed by the parts of the witness. Every part holds its
/// columns one after another, `[column][row]`, so that neighbouring repetitions read neighbouring
/// scalars.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Matrices {
    /// Length of `z`.
    pub num_variables: usize,
    /// Rows of each matrix. Those that no block covers hold no term: `0 · 0 = 0`.
    pub num_constraints: usize,
    /// The constraints, ascending by `start`, not overlapping.
    pub blocks: Vec<Block>,
    /// Terms of all linear combinations.
    pub terms: Vec<Term>,
    /// The different coefficients.
    pub coefficients: Vec<Fr>,
}

impl Matrices {
    /// Refuses matrices that name what there is not.
    ///
    /// # Errors
    /// [`Error::Usage`] if blocks overlap, descend or pass the number of constraints, or a range, a
    /// variable or a coefficient is out of range.
    pub fn check(&self) -> Result<()> {
        let refuse = |block: usize, what: String| {
            Err(Error::Usage(format!(
                "block {block} of the matrices: {what}"
            )))
        };
        let mut end = 0;
        for (at, block) in self.blocks.iter().enumerate() {
            let (start, repeat) = (block.start as usize, block.repeat as usize);
            if start < end || start + repeat > self.num_constraints {
                let (constraints, last) = (self.num_constraints, start + repeat);
                return refuse(
                    at,
                    format!("constraints {start} to {last}: expected {end} to {constraints}"),
                );
            }
            end = start + repeat;
            for [from, to] in block.terms {
                let Some(terms) = self.terms.get(from as usize..to as usize) else {
                    let terms = self.terms.len();
                    return refuse(at, format!("terms {from} to {to}: there are {terms}"));
                };
                for term in terms {
                    let last = term.start as usize + term.step as usize * repeat.saturating_sub(1);
                    if term.step > 1 {
                        return refuse(at, format!("step {}: expected 0 or 1", term.step));
                    }
                    if repeat > 0 && last >= self.num_variables {
                        let variables = self.num_variables;
                        return refuse(at, format!("variable {last}: there are {variables}"));
                    }
                    if term.coefficient as usize >= self.coefficients.len() {
                        let (found, all) = (term.coefficient, self.coefficients.len());
                        return refuse(at, format!("coefficient {found}: there are {all}"));
                    }
                }
            }
        }
        Ok(())
    }
}
