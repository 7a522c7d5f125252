//! What a folded instance must satisfy: an R1CS over a chunk of rows at given challenges.

use std::array;

use ark_ff::{AdditiveGroup, BigInteger, PrimeField};
use rayon::prelude::*;

use crate::backend::curve::Fr;
use crate::backend::{Block, Matrices, Term};

/// Parts of a witness, each committed to on its own.
pub const NUM_PARTS: usize = 3;
/// Names of the parts.
pub const PART_NAMES: [&str; NUM_PARTS] = ["known", "main", "lookup"];
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

/// Why a relaxed instance does not satisfy a [`Relation`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unsatisfied {
    /// A vector has not the length that the layout gives it.
    #[error("{vector} has {found} scalars, expected {expected}")]
    Length {
        /// `head`, `error`, or the name of a part.
        vector: &'static str,
        /// Its length.
        found: usize,
        /// The layout's.
        expected: usize,
    },
    /// `⟨a, z⟩ · ⟨b, z⟩ ≠ u · ⟨c, z⟩ + e`.
    #[error("quadratic constraint {constraint} does not hold")]
    Quadratic {
        /// Index of the constraint: the row of the matrices.
        constraint: usize,
    },
    /// A linear constraint is not zero.
    #[error("linear constraint {block} does not hold in repetition {repetition}")]
    Linear {
        /// Index into [`Linear::blocks`].
        block: usize,
        /// In which repetition.
        repetition: usize,
    },
}

impl Relation {
    /// Number of quadratic constraints, and of scalars in an error vector.
    pub fn num_constraints(&self) -> usize {
        self.matrices.num_constraints
    }

    /// Number of linear constraints.
    pub fn num_linear(&self) -> usize {
        let repeats = self.linear.blocks.iter().map(|block| block.repeat as usize);
        repeats.sum()
    }

    /// Scalars in the longest vector that is committed to: how long the key must be.
    pub fn key_len(&self) -> usize {
        let parts = (0..NUM_PARTS).map(|part| self.layout.part_len(part));
        parts.max().unwrap_or(0).max(self.num_constraints())
    }

    /// Checks that a relaxed instance satisfies every constraint.
    ///
    /// - `head`: `(u, x)`.
    /// - `parts`: the parts of the witness, in the layout's lengths.
    /// - `error`: one scalar per quadratic constraint. Where the matrices hold no term it must be 0.
    ///
    /// This is what whoever verifies runs on an accumulator: plain loops, parallel over constraints.
    ///
    /// # Errors
    /// [`Unsatisfied`]: a wrong length, else the first quadratic constraint that does not hold, else
    /// the first linear one.
    /// # Panics
    /// If a term lies outside of `z`, or a block outside of the matrices: a relation of our own is
    /// broken.
    pub fn check(
        &self,
        head: &[Fr],
        parts: [&[Fr]; NUM_PARTS],
        error: &[Fr],
    ) -> Result<(), Unsatisfied> {
        let expect = |vector, found: usize, expected| {
            if found == expected {
                Ok(())
            } else {
                Err(Unsatisfied::Length {
                    vector,
                    found,
                    expected,
                })
            }
        };
        expect("head", head.len(), 1 + self.layout.num_public)?;
        for (part, scalars) in parts.iter().enumerate() {
            let expected = self.layout.part_len(part);
            expect(PART_NAMES[part], scalars.len(), expected)?;
        }
        expect("error", error.len(), self.num_constraints())?;
        let z = [head, parts[KNOWN], parts[MAIN], parts[LOOKUP]].concat();
        self.check_quadratic(&z, error)?;
        self.check_linear(&z)
    }

    fn check_quadratic(&self, z: &[Fr], error: &[Fr]) -> Result<(), Unsatisfied> {
        let Matrices {
            blocks,
            terms,
            coefficients,
            ..
        } = &self.matrices;
        let failed = |block: &Block| {
            let sides = block
                .terms
                .map(|[from, to]| &terms[from as usize..to as usize]);
            (0..block.repeat as usize)
                .find(|repetition| {
                    let [a, b, c]: [Fr; 3] =
                        array::from_fn(|i| sum(sides[i], coefficients, z, *repetition));
                    a * b != z[0] * c + error[block.start as usize + repetition]
                })
                .map(|repetition| block.start as usize + repetition)
        };
        let covered = blocks.par_iter().find_map_first(failed);
        // Rows that no block covers read 0 = e.
        let ends = blocks
            .iter()
            .map(|block| (block.start + block.repeat) as usize);
        let starts = blocks.iter().map(|block| block.start as usize);
        let gaps = [0].into_iter().chain(ends).zip(starts.chain([error.len()]));
        let uncovered = gaps
            .flat_map(|(from, to)| from..to)
            .find(|constraint| error[*constraint] != Fr::ZERO);
        match covered.into_iter().chain(uncovered).min() {
            Some(constraint) => Err(Unsatisfied::Quadratic { constraint }),
            None => Ok(()),
        }
    }

    fn check_linear(&self, z: &[Fr]) -> Result<(), Unsatisfied> {
        let Linear {
            blocks,
            terms,
            coefficients,
        } = &self.linear;
        let num_rows = 1 << self.layout.log_rows;
        let failed = |(index, block): (usize, &LinearBlock)| {
            let range = |[from, to]: [u32; 2]| &terms[from as usize..to as usize];
            let fixed: Fr = range(block.sums)
                .iter()
                .map(|term| {
                    let summed = &z[term.start as usize..][..num_rows];
                    coefficients[term.coefficient as usize] * summed.iter().sum::<Fr>()
                })
                .sum();
            let moving = range(block.terms);
            (0..block.repeat as usize)
                .find(|repetition| fixed + sum(moving, coefficients, z, *repetition) != Fr::ZERO)
                .map(|repetition| Unsatisfied::Linear {
                    block: index,
                    repetition,
                })
        };
        let failed = blocks.par_iter().enumerate().find_map_first(failed);
        failed.map_or(Ok(()), Err)
    }

    /// BLAKE3 of the relation: of its layout, and of every term and coefficient. The challenges of
    /// the lookup argument are among the coefficients.
    pub fn digest(&self) -> blake3::Hash {
        let Self {
            layout,
            matrices,
            linear,
        } = self;
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"rewit relation 1\n");
        let mut number = |number: usize| {
            hasher.update(&(number as u64).to_le_bytes());
        };
        let Layout {
            log_rows,
            num_public,
            parts,
        } = layout;
        number(*log_rows as usize);
        number(*num_public);
        for Part { singles, columns } in parts {
            number(*singles);
            number(*columns);
        }
        let Matrices {
            num_variables,
            num_constraints,
            blocks,
            terms,
            coefficients,
        } = matrices;
        number(*num_variables);
        number(*num_constraints);
        number(blocks.len());
        for Block {
            start,
            repeat,
            terms,
        } in blocks
        {
            number(*start as usize);
            number(*repeat as usize);
            for bound in terms.as_flattened() {
                number(*bound as usize);
            }
        }
        hash_terms(&mut hasher, terms, coefficients);
        let Linear {
            blocks,
            terms,
            coefficients,
        } = linear;
        hasher.update(&(blocks.len() as u64).to_le_bytes());
        for LinearBlock {
            repeat,
            terms,
            sums,
        } in blocks
        {
            for value in [&[*repeat], &terms[..], &sums[..]].concat() {
                hasher.update(&u64::from(value).to_le_bytes());
            }
        }
        hash_terms(&mut hasher, terms, coefficients);
        hasher.finalize()
    }
}

/// `Σ_terms coefficient · z[start + step · repetition]`.
fn sum(terms: &[Term], coefficients: &[Fr], z: &[Fr], repetition: usize) -> Fr {
    let products = terms.iter().map(|term| {
        let index = term.start as usize + term.step as usize * repetition;
        coefficients[term.coefficient as usize] * z[index]
    });
    products.sum()
}

fn hash_terms(hasher: &mut blake3::Hasher, terms: &[Term], coefficients: &[Fr]) {
    hasher.update(&(terms.len() as u64).to_le_bytes());
    for Term {
        start,
        step,
        coefficient,
    } in terms
    {
        for value in [start, step, coefficient] {
            hasher.update(&value.to_le_bytes());
        }
    }
    hasher.update(&(coefficients.len() as u64).to_le_bytes());
    for coefficient in coefficients {
        hasher.update(&coefficient.into_bigint().to_bytes_le());
    }
}

#[cfg(test)]
mod tests {
    use super::super::toy::{Chunk, Toy};
    use super::*;

    fn check(relation: &Relation, chunk: &Chunk, u: u64, error: &[Fr]) -> Result<(), Unsatisfied> {
        let head = [&[Fr::from(u)], &chunk.x[..]].concat();
        let [known, main, lookup] = chunk.parts().map(|part| part.to_vec());
        relation.check(&head, [&known, &main, &lookup], error)
    }

    /// Every constraint, one at a time, by the variable or the error that only it reads.
    #[test]
    fn the_first_constraint_that_fails_is_named() {
        for log_rows in [1, 3] {
            let toy = Toy::new(log_rows, 1 << 40, 1 << 50);
            let relation = &toy.relation;
            let rows = 1 << log_rows;
            let zero = vec![Fr::ZERO; relation.num_constraints()];
            let chunk = toy.chunk(2);
            assert_eq!(check(relation, &chunk, 1, &zero), Ok(()));
            // Gaps between blocks included: they hold no term.
            for constraint in 0..relation.num_constraints() {
                let mut error = zero.clone();
                error[constraint] += Fr::from(1);
                let expected = Err(Unsatisfied::Quadratic { constraint });
                assert_eq!(check(relation, &chunk, 1, &error), expected);
            }
            let named = |change: &dyn Fn(&mut Chunk), expected| {
                let mut chunk = chunk.clone();
                change(&mut chunk);
                assert_eq!(check(relation, &chunk, 1, &zero), Err(expected));
            };
            let quadratic = |constraint| Unsatisfied::Quadratic { constraint };
            named(&|c| c.main[0] += 1, quadratic(3 * rows + 2));
            for row in 0..rows {
                named(&|c| c.main[1 + rows + row] += 1, quadratic(row));
                named(&|c| c.lookup[row] += Fr::from(1), quadratic(2 * rows + row));
            }
            let linear = |block| Unsatisfied::Linear {
                block,
                repetition: 0,
            };
            named(&|c| c.x[0] += Fr::from(1), linear(0));
            let length = |vector, found, expected| Unsatisfied::Length {
                vector,
                found,
                expected,
            };
            named(&|c| c.x.push(Fr::ZERO), length("head", 4, 3));
            named(&|c| c.known.clear(), length("known", 0, rows));
            named(
                &|c| c.main.push(0),
                length("main", 2 * rows + 2, 2 * rows + 1),
            );
            named(&|c| c.lookup.clear(), length("lookup", 0, rows));
            let short = check(relation, &chunk, 1, &zero[1..]);
            assert_eq!(short, Err(length("error", zero.len() - 1, zero.len())));
            // With u = 2 the constants are doubled, and an error vector makes up for it.
            assert!(check(relation, &chunk, 2, &zero).is_err());
        }
    }

    /// `E = AZ∘BZ - u·CZ` satisfies any `z` that keeps the linear constraints, and nothing else does.
    #[test]
    fn an_error_vector_takes_up_what_is_missing() {
        let toy = Toy::new(2, 3, 5);
        let chunk = toy.chunk(7);
        let head = [&[Fr::from(9)], &chunk.x[..]].concat();
        let [known, main, lookup] = chunk.parts().map(|part| part.to_vec());
        let z = [&head[..], &known, &main, &lookup].concat();
        let Matrices {
            blocks,
            terms,
            coefficients,
            ..
        } = &toy.relation.matrices;
        let mut error = vec![Fr::ZERO; toy.relation.num_constraints()];
        for block in blocks {
            for i in 0..block.repeat as usize {
                let [a, b, c] = block.terms.map(|[from, to]| {
                    let mut value = Fr::ZERO;
                    for term in &terms[from as usize..to as usize] {
                        let index = (term.start + term.step * i as u32) as usize;
                        value += coefficients[term.coefficient as usize] * z[index];
                    }
                    value
                });
                error[block.start as usize + i] = a * b - Fr::from(9) * c;
            }
        }
        assert_eq!(check(&toy.relation, &chunk, 9, &error), Ok(()));
        assert!(check(&toy.relation, &chunk, 8, &error).is_err());
    }

    /// Whatever a relation says changes its digest.
    #[test]
    fn digests_differ() {
        let relation = || Toy::new(2, 3, 5).relation;
        let mut all = std::collections::HashSet::new();
        let mut add = |change: &dyn Fn(&mut Relation)| {
            let mut changed = relation();
            change(&mut changed);
            assert!(all.insert(changed.digest()));
        };
        add(&|_| ());
        add(&|r| r.layout.log_rows += 1);
        add(&|r| r.layout.num_public += 1);
        add(&|r| r.layout.parts[1].singles += 1);
        add(&|r| r.layout.parts[1].columns += 1);
        add(&|r| r.matrices.num_variables += 1);
        add(&|r| r.matrices.num_constraints += 1);
        add(&|r| r.matrices.blocks[1].start += 1);
        add(&|r| r.matrices.blocks[1].repeat += 1);
        add(&|r| r.matrices.blocks[1].terms[2][1] += 1);
        add(&|r| r.matrices.blocks.truncate(3));
        add(&|r| r.matrices.terms[0].start += 1);
        add(&|r| r.matrices.terms[0].step += 1);
        add(&|r| r.matrices.terms[0].coefficient += 1);
        add(&|r| r.matrices.coefficients[3] += Fr::from(1));
        add(&|r| r.linear.blocks[0].repeat += 1);
        add(&|r| r.linear.blocks[0].terms[1] += 1);
        add(&|r| r.linear.blocks[0].sums[1] += 1);
        add(&|r| r.linear.terms[0].start += 1);
        add(&|r| r.linear.coefficients[0] += Fr::from(1));
    }
}
