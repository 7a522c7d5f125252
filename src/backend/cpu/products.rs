//! The products of an instance's matrices with its `z`.

use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField};
use rayon::prelude::*;

use crate::Result;
use crate::backend::curve::{Fr, Scalars};
use crate::backend::folding::check_products;
use crate::backend::{Block, Matrices};

/// Repetitions of a block whose sums are kept at hand.
const TILE: usize = 64;
/// Repetitions of a block that are worth a job of their own.
const RUN: usize = 1024;
/// Jobs per thread: blocks differ in their number of terms.
const JOBS: usize = 8;

/// Matrices on the host, with coefficients sorted by what a product with them costs.
#[derive(Clone, Debug)]
pub struct CpuMatrices {
    num_variables: usize,
    num_constraints: usize,
    blocks: Vec<Block>,
    terms: Vec<Term>,
}

/// One term of a linear combination.
#[derive(Clone, Copy, Debug)]
struct Term {
    start: usize,
    step: usize,
    coefficient: Coefficient,
}

/// A coefficient.
#[derive(Clone, Copy, Debug)]
enum Coefficient {
    /// An integer of at most 62 bits, and the same as a field element.
    Small(i64, Fr),
    /// Any other.
    Full(Fr),
}

impl Coefficient {
    fn new(value: Fr) -> Self {
        let small = |magnitude: Fr| match magnitude.into_bigint().0 {
            [low, 0, 0, 0] if low < 1 << 62 => Some(low as i64),
            _ => None,
        };
        match small(value).or_else(|| Some(-small(-value)?)) {
            Some(integer) => Self::Small(integer, value),
            None => Self::Full(value),
        }
    }
}

/// Multiplies small integers by one field element, at one multiplication each.
#[derive(Clone, Copy, Debug)]
pub(super) struct SmallMultiplier {
    r: Fr,
    /// `r·2^256`: a Montgomery multiplication divides by `2^256`, so the integer needs no
    /// conversion.
    scaled: Fr,
}

impl SmallMultiplier {
    pub(super) fn new(r: Fr) -> Self {
        // `2^256` in Montgomery form is `2^512` modulo the field's order.
        let scaled = r * Fr::new_unchecked(Fr::R2);
        Self { r, scaled }
    }

    /// Adds `r·x` to `sum`.
    #[inline]
    pub(super) fn add_to(&self, sum: &mut Fr, x: i64) {
        match x {
            0 => {}
            1 => *sum += self.r,
            -1 => *sum -= self.r,
            _ => {
                let magnitude = Fr::new_unchecked(BigInt([x.unsigned_abs(), 0, 0, 0]));
                let product = magnitude * self.scaled;
                if x < 0 {
                    *sum -= product;
                } else {
                    *sum += product;
                }
            }
        }
    }
}

/// `z`, as what follows one another in it.
struct Variables<'a> {
    /// Where each starts, and all end.
    starts: Vec<usize>,
    pieces: Vec<Scalars<'a>>,
}

impl<'a> Variables<'a> {
    fn new(head: &'a [Fr], parts: &[Scalars<'a>]) -> Self {
        let pieces: Vec<_> = [Scalars::Full(head)]
            .into_iter()
            .chain(parts.iter().copied())
            .filter(|piece| !piece.is_empty())
            .collect();
        let mut starts = vec![0];
        for piece in &pieces {
            starts.push(starts[starts.len() - 1] + piece.len());
        }
        Self { starts, pieces }
    }

    fn len(&self) -> usize {
        self.starts[self.pieces.len()]
    }

    /// The scalars from `from` on, as far as one piece has them and `most` at most.
    fn slice(&self, from: usize, most: usize) -> Scalars<'a> {
        let piece = self.starts.partition_point(|start| *start <= from) - 1;
        let at = from - self.starts[piece];
        let to = most.min(self.starts[piece + 1] - from) + at;
        match self.pieces[piece] {
            Scalars::Full(scalars) => Scalars::Full(&scalars[at..to]),
            Scalars::Small(scalars) => Scalars::Small(&scalars[at..to]),
        }
    }
}

/// Repetitions of a block, and where their products go.
struct Job<'a> {
    block: &'a Block,
    first: usize,
    out: [&'a mut [Fr]; 3],
}

impl CpuMatrices {
    /// Checks matrices and prepares them.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if an index in them is out of range.
    pub(super) fn new(matrices: &Matrices) -> Result<Self> {
        matrices.check()?;
        let coefficients = matrices.coefficients.iter();
        let coefficients: Vec<_> = coefficients.copied().map(Coefficient::new).collect();
        let term = |term: &crate::backend::Term| Term {
            start: term.start as usize,
            step: term.step as usize,
            coefficient: coefficients[term.coefficient as usize],
        };
        Ok(Self {
            num_variables: matrices.num_variables,
            num_constraints: matrices.num_constraints,
            blocks: matrices.blocks.clone(),
            terms: matrices.terms.iter().map(term).collect(),
        })
    }

    /// `A·z`, `B·z` and `C·z`.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if `z` has not the matrices' number of variables.
    pub(super) fn products(&self, head: &[Fr], parts: &[Scalars<'_>]) -> Result<[Vec<Fr>; 3]> {
        let z = Variables::new(head, parts);
        check_products(self.num_variables, z.len())?;
        let mut products = [(); 3].map(|()| vec![Fr::ZERO; self.num_constraints]);
        let jobs = self.jobs(products.each_mut().map(Vec::as_mut_slice));
        let least = jobs.len() / (JOBS * rayon::current_num_threads());
        jobs.into_par_iter()
            .with_min_len(least.max(1))
            .for_each(|job| self.run(&z, job));
        Ok(products)
    }

    /// Divides the products among jobs.
    fn jobs<'a>(&'a self, mut rest: [&'a mut [Fr]; 3]) -> Vec<Job<'a>> {
        let mut jobs = Vec::new();
        let mut done = 0;
        for block in &self.blocks {
            let (start, repeat) = (block.start as usize, block.repeat as usize);
            // No block covers what is between: those products stay zero.
            rest = rest.map(|rest| &mut rest[start - done..]);
            for first in (0..repeat).step_by(RUN) {
                let (out, after) = split(rest, RUN.min(repeat - first));
                jobs.push(Job { block, first, out });
                rest = after;
            }
            done = start + repeat;
        }
        jobs
    }

    fn run(&self, z: &Variables<'_>, job: Job<'_>) {
        for ([from, to], out) in job.block.terms.into_iter().zip(job.out) {
            let terms = &self.terms[from as usize..to as usize];
            for (tile, sums) in out.chunks_mut(TILE).enumerate() {
                combine(z, terms, job.first + tile * TILE, sums);
            }
        }
    }
}

/// Splits three slices alike.
fn split(slices: [&mut [Fr]; 3], at: usize) -> ([&mut [Fr]; 3], [&mut [Fr]; 3]) {
    let [(a, rest_a), (b, rest_b), (c, rest_c)] = slices.map(|slice| slice.split_at_mut(at));
    ([a, b, c], [rest_a, rest_b, rest_c])
}

/// Evaluates a linear combination in `sums.len()` repetitions.
fn combine(z: &Variables<'_>, terms: &[Term], first: usize, sums: &mut [Fr]) {
    let mut sums = Sums::new(sums);
    for term in terms {
        let start = term.start + term.step * first;
        if term.step == 0 {
            sums.add_constant(z.slice(start, 1), term.coefficient);
            continue;
        }
        let mut done = 0;
        while done < sums.full.len() {
            let scalars = z.slice(start + done, sums.full.len() - done);
            sums.add(done, scalars, term.coefficient);
            done += scalars.len();
        }
    }
    sums.carry();
}

/// Sums of a tile: what is an integer is added as one, and becomes a field element at the end.
struct Sums<'a> {
    full: &'a mut [Fr],
    exact: [i128; TILE],
    /// What the coefficients in `exact` add up to in magnitude. While that is at most `2^63`, sums
    /// with integers of 64 bits are at most `2^126`.
    weight: u64,
}

impl<'a> Sums<'a> {
    fn new(full: &'a mut [Fr]) -> Self {
        Self {
            full,
            exact: [0; TILE],
            weight: 0,
        }
    }

    /// Integer sums that bear another coefficient.
    fn exact(&mut self, coefficient: i64) -> &mut [i128] {
        if self.weight + coefficient.unsigned_abs() > 1 << 63 {
            self.carry();
        }
        self.weight += coefficient.unsigned_abs();
        &mut self.exact[..self.full.len()]
    }

    /// Adds what the integer sums hold to the others.
    fn carry(&mut self) {
        if self.weight == 0 {
            return;
        }
        for (full, exact) in self.full.iter_mut().zip(&mut self.exact) {
            match *exact {
                0 => {}
                1 => *full += Fr::ONE,
                exact if exact > 0 => *full += Fr::from(exact.unsigned_abs()),
                exact => *full -= Fr::from(exact.unsigned_abs()),
            }
            *exact = 0;
        }
        self.weight = 0;
    }

    /// Adds the same to all sums.
    fn add_constant(&mut self, scalar: Scalars<'_>, coefficient: Coefficient) {
        match (scalar, coefficient) {
            (Scalars::Small([scalar]), Coefficient::Small(coefficient, _)) => {
                let product = i128::from(*scalar) * i128::from(coefficient);
                self.exact(coefficient)
                    .iter_mut()
                    .for_each(|sum| *sum += product);
            }
            (scalar, Coefficient::Small(_, coefficient) | Coefficient::Full(coefficient)) => {
                let product: Fr = scalar
                    .to_vec()
                    .iter()
                    .map(|scalar| coefficient * scalar)
                    .sum();
                self.full.iter_mut().for_each(|sum| *sum += product);
            }
        }
    }

    /// Adds multiples of scalars to the sums from `first` on.
    fn add(&mut self, first: usize, scalars: Scalars<'_>, coefficient: Coefficient) {
        match (scalars, coefficient) {
            (Scalars::Small(scalars), Coefficient::Small(coefficient, _)) => {
                let coefficient_wide = i128::from(coefficient);
                for (sum, scalar) in self.exact(coefficient)[first..].iter_mut().zip(scalars) {
                    *sum += i128::from(*scalar) * coefficient_wide;
                }
            }
            (Scalars::Small(scalars), Coefficient::Full(coefficient)) => {
                let coefficient = SmallMultiplier::new(coefficient);
                for (sum, scalar) in self.full[first..].iter_mut().zip(scalars) {
                    coefficient.add_to(sum, *scalar);
                }
            }
            (Scalars::Full(scalars), Coefficient::Small(1, _)) => {
                for (sum, scalar) in self.full[first..].iter_mut().zip(scalars) {
                    *sum += scalar;
                }
            }
            (Scalars::Full(scalars), Coefficient::Small(-1, _)) => {
                for (sum, scalar) in self.full[first..].iter_mut().zip(scalars) {
                    *sum -= scalar;
                }
            }
            (
                Scalars::Full(scalars),
                Coefficient::Small(_, coefficient) | Coefficient::Full(coefficient),
            ) => {
                for (sum, scalar) in self.full[first..].iter_mut().zip(scalars) {
                    *sum += coefficient * scalar;
                }
            }
        }
    }
}
