//! Nova's NIFS: two relaxed instances of the same relation become one, which is satisfied only if
//! both are, except with a probability of `2^-127` per attempt: `E` has degree 2 in a challenge of
//! 128 bits.
//!
//! With the cross term `T` of two instances, and the challenge `r` that the transcript gives after
//! the commitment to it,
//!
//! ```text
//! u = u1 + r·u2    x = x1 + r·x2    W = W1 + r·W2    E = E1 + r·T + r²·E2
//! ```
//!
//! and the same for the commitments, part by part. `E2` of a fresh instance is 0, so a fold takes in
//! a fresh instance or merges two accumulators alike. Linear constraints hold for the sum because
//! they are homogeneous.
//!
//! **Binding.** Every part of a witness and every error vector has a commitment of its own, a point
//! of its own in the transcript, and all of them start at the key's first generator. A commitment
//! binds by itself: two openings of one of them are a relation between the generators, whichever
//! other commitments use the same ones. Only a sum of parts would need ranges apart.
//!
//! **Security.** That error is of one fold. Commitments bind as long as discrete logarithms in BN254 G1
//! are hard: about 2^127 by generic algorithms, but the curve pairs into a field of about 3050 bits, where the
//! special tower number field sieve brings it to 100 to 110 bits (Barbulescu and Duquesne, eprint
//! 2017/334). And extracting all witnesses from a long chain of folds is heuristic: what is proven is for
//! constant depth. These are not bits of the kind a STARK's provable security is stated in.
//!
//! **Stateless.** `r` depends on the relation, both instances and the cross term's commitment, and
//! on nothing else: whoever has two instances and a claimed third can check a fold alone.
//!
//! # Source
//! Nova (eprint 2021/370), section 4 and construction 3; merging two accumulators as in Paranova.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::PrimeField;
use rayon::prelude::*;

use super::instance::{Instance, RelaxedInstance, RelaxedWitness};
use super::relation::{Layout, NUM_PARTS, PART_NAMES, Relation};
use super::transcript::Transcript;
use super::wire::Dimensions;
use crate::backend::curve::{Fr, G1Affine, G1Projective, Scalars};
use crate::backend::{Folding, Products};
use crate::{Error, Result};

/// The challenge of a fold, 128 bits.
///
/// - `relation`: [`Relation::digest`].
/// - `cross_term`: the commitment to `T`.
pub fn challenge(
    relation: &blake3::Hash,
    [first, second]: [&RelaxedInstance; 2],
    cross_term: &G1Affine,
) -> Fr {
    let mut transcript = Transcript::new("rewit nifs 1");
    transcript.absorb_bytes("relation", relation.as_bytes());
    for RelaxedInstance { u, x, parts, error } in [first, second] {
        transcript.absorb_scalars("u", &[*u]);
        transcript.absorb_scalars("x", x);
        transcript.absorb_points("parts", parts);
        transcript.absorb_points("error", &[*error]);
    }
    transcript.absorb_points("cross term", &[*cross_term]);
    transcript.challenge_128("r")
}

/// Folds two instances: what whoever verifies does.
///
/// - `cross_term`: the commitment to `T`.
/// - `r`: the [`challenge`].
///
/// Cost: four multiplications of a point by 128 bits, a fifth if the second has an error vector.
/// # Panics
/// If the instances have different numbers of public values.
pub fn fold_instances(
    [first, second]: [&RelaxedInstance; 2],
    cross_term: &G1Affine,
    r: Fr,
) -> RelaxedInstance {
    assert_eq!(
        first.x.len(),
        second.x.len(),
        "instances of different relations"
    );
    // Part by part, then the error.
    let sums: Vec<G1Projective> = (0..=NUM_PARTS)
        .into_par_iter()
        .map(|i| match first.parts.get(i) {
            Some(part) => times(second.parts[i], r) + part,
            // E1 + r·(T + r·E2)
            None if second.error.is_zero() => times(*cross_term, r) + first.error,
            None => {
                let inner = times(second.error, r) + cross_term;
                times(inner.into_affine(), r) + first.error
            }
        })
        .collect();
    let sums = G1Projective::normalize_batch(&sums);
    let x = first.x.iter().zip(&second.x);
    RelaxedInstance {
        u: first.u + r * second.u,
        x: x.map(|(first, second)| *first + r * second).collect(),
        parts: std::array::from_fn(|i| sums[i]),
        error: sums[NUM_PARTS],
    }
}

/// `scalar · point`, in as many doublings as the scalar has bits.
fn times(point: G1Affine, scalar: Fr) -> G1Projective {
    if point.is_zero() {
        return G1Projective::default();
    }
    point.mul_bigint(scalar.into_bigint())
}

/// Time spent in each stage of folding, on the thread that folds.
///
/// A device that works while the host goes on has the time counted where the host waits for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FoldTimes {
    /// Waiting for chunks of the witness.
    pub assign: Duration,
    /// Bringing chunks to where the backend computes.
    pub upload: Duration,
    /// Committing to the parts of fresh witnesses.
    pub commit: Duration,
    /// Products of the matrices with fresh witnesses.
    pub products: Duration,
    /// Cross terms.
    pub cross_term: Duration,
    /// Committing to cross terms.
    pub commit_cross_term: Duration,
    /// Adding multiples of vectors: witness, error, cached products.
    pub axpy: Duration,
    /// The transcript, and multiples of the instances' commitments.
    pub points: Duration,
    /// Number of folds.
    pub num_folds: u64,
}

impl FoldTimes {
    /// All stages.
    pub fn total(&self) -> Duration {
        self.stages().iter().map(|(_, time)| *time).sum()
    }

    /// The stages with their names, in order.
    pub fn stages(&self) -> [(&'static str, Duration); 8] {
        let Self {
            assign,
            upload,
            commit,
            products,
            cross_term,
            commit_cross_term,
            axpy,
            points,
            num_folds: _,
        } = *self;
        [
            ("assign", assign),
            ("upload", upload),
            ("commit", commit),
            ("products", products),
            ("cross term", cross_term),
            ("commit cross term", commit_cross_term),
            ("axpy", axpy),
            ("points", points),
        ]
    }
}

impl std::ops::AddAssign for FoldTimes {
    fn add_assign(&mut self, other: Self) {
        self.assign += other.assign;
        self.upload += other.upload;
        self.commit += other.commit;
        self.products += other.products;
        self.cross_term += other.cross_term;
        self.commit_cross_term += other.commit_cross_term;
        self.axpy += other.axpy;
        self.points += other.points;
        self.num_folds += other.num_folds;
    }
}

/// A relaxed instance with its witness, where the backend computes, and the products of the
/// matrices with it: they are linear in `z`, so folding keeps them current.
pub struct Accumulator<B: Folding> {
    instance: RelaxedInstance,
    relation: blake3::Hash,
    parts: [B::Vector; NUM_PARTS],
    /// `None` for 0.
    error: Option<B::Vector>,
    products: Products<B::Vector>,
}

impl<B: Folding> Accumulator<B> {
    /// What it says.
    pub fn instance(&self) -> &RelaxedInstance {
        &self.instance
    }
}

/// Two accumulators that are to become one: the second is multiplied by `r`.
pub type Pair<B> = [Accumulator<B>; 2];

/// The prover's side of folding instances of one relation.
pub struct Nifs<'a, B: Folding> {
    backend: &'a B,
    key: &'a B::Key,
    digest: blake3::Hash,
    layout: Layout,
    dimensions: Dimensions,
    matrices: B::Matrices,
    times: Mutex<FoldTimes>,
}

impl<'a, B: Folding> Nifs<'a, B> {
    /// Brings the relation's matrices to where the backend computes.
    ///
    /// - `key`: at least [`Relation::key_len`] generators.
    ///
    /// # Errors
    /// Those of the device.
    pub fn new(backend: &'a B, key: &'a B::Key, relation: &Relation) -> Result<Self> {
        Ok(Self {
            backend,
            key,
            digest: relation.digest(),
            layout: relation.layout.clone(),
            dimensions: Dimensions::from(relation),
            matrices: backend.upload_matrices(&relation.matrices)?,
            times: Mutex::default(),
        })
    }

    /// Digest of the relation.
    pub fn digest(&self) -> &blake3::Hash {
        &self.digest
    }

    /// What `z` holds.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Lengths of what is folded.
    pub fn dimensions(&self) -> &Dimensions {
        &self.dimensions
    }

    /// Time spent so far.
    pub fn times(&self) -> FoldTimes {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that counts as a stage.
    pub fn timed<T>(
        &self,
        stage: impl FnOnce(&mut FoldTimes) -> &mut Duration,
        work: impl FnOnce() -> T,
    ) -> T {
        let start = Instant::now();
        let result = work();
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        *stage(&mut times) += start.elapsed();
        result
    }

    /// Brings a part of a witness to where the backend computes.
    ///
    /// # Errors
    /// [`Error::Usage`] if it has not the part's length; those of the device.
    pub fn upload(&self, part: usize, scalars: Scalars<'_>) -> Result<B::Vector> {
        let expected = self.layout.part_len(part);
        if scalars.len() != expected {
            return Err(Error::Usage(format!(
                "the {} part of a witness has {} scalars, the relation {expected}",
                PART_NAMES[part],
                scalars.len()
            )));
        }
        self.timed(
            |times| &mut times.upload,
            || self.backend.upload_scalars(scalars),
        )
    }

    /// Commits to vectors, each on its own.
    ///
    /// # Errors
    /// [`Error::Usage`] if the key is too short; those of the device.
    pub fn commit(&self, vectors: &[&B::Vector]) -> Result<Vec<G1Affine>> {
        self.timed(
            |times| &mut times.commit,
            || self.backend.msm(self.key, 0, vectors),
        )
    }

    /// A fresh instance as an accumulator.
    ///
    /// - `parts`: what the instance's commitments open to.
    ///
    /// Cost: the products of the matrices with `z`.
    ///
    /// # Errors
    /// [`Error::Usage`] if lengths are not those of the relation; those of the device.
    pub fn fresh(
        &self,
        instance: Instance,
        parts: [B::Vector; NUM_PARTS],
    ) -> Result<Accumulator<B>> {
        if instance.x.len() != self.layout.num_public {
            return Err(Error::Usage(format!(
                "an instance has {} public values, the relation {}",
                instance.x.len(),
                self.layout.num_public
            )));
        }
        let instance = RelaxedInstance::from(instance);
        let products = self.timed(
            |times| &mut times.products,
            || {
                let parts = parts.each_ref();
                self.backend
                    .products(&self.matrices, &instance.head(), &parts)
            },
        )?;
        Ok(Accumulator {
            instance,
            relation: self.digest,
            parts,
            error: None,
            products,
        })
    }

    /// Folds pairs, each into one accumulator; commits to their cross terms together.
    ///
    /// - returns: for each pair what it was folded into, and the commitment to its cross term.
    ///
    /// Cost per pair: a cross term and a multi-scalar multiplication of it, seven or eight axpys.
    ///
    /// # Errors
    /// [`Error::Usage`] if an accumulator is of another relation; those of the device.
    pub fn fold(&self, pairs: Vec<Pair<B>>) -> Result<Vec<(Accumulator<B>, G1Affine)>> {
        let foreign = pairs.iter().flatten().find(|a| a.relation != self.digest);
        if let Some(Accumulator { relation, .. }) = foreign {
            return Err(Error::Usage(format!(
                "cannot fold an accumulator of relation {relation} with those of {}",
                self.digest
            )));
        }
        let cross_terms = self.timed(
            |times| &mut times.cross_term,
            || {
                let cross_terms = pairs.iter().map(|[first, second]| {
                    self.backend.cross_term(
                        (first.products.as_ref(), first.instance.u),
                        (second.products.as_ref(), second.instance.u),
                    )
                });
                cross_terms.collect::<Result<Vec<_>>>()
            },
        )?;
        let commitments = self.timed(
            |times| &mut times.commit_cross_term,
            || {
                let vectors: Vec<_> = cross_terms.iter().collect();
                self.backend.msm(self.key, 0, &vectors)
            },
        )?;
        let folds = pairs.into_iter().zip(cross_terms).zip(commitments);
        folds
            .map(|((pair, cross_term), commitment)| {
                Ok((self.fold_pair(pair, cross_term, &commitment)?, commitment))
            })
            .collect()
    }

    fn fold_pair(
        &self,
        [mut first, second]: Pair<B>,
        mut cross_term: B::Vector,
        commitment: &G1Affine,
    ) -> Result<Accumulator<B>> {
        let r = self.timed(
            |times| &mut times.points,
            || {
                let instances = [&first.instance, &second.instance];
                let r = challenge(&self.digest, instances, commitment);
                first.instance = fold_instances(instances, commitment, r);
                r
            },
        );
        self.timed(
            |times| &mut times.axpy,
            || {
                let axpy = |y: &mut _, x: &_| self.backend.axpy(y, r, x);
                for (first, second) in first.parts.iter_mut().zip(&second.parts) {
                    axpy(first, second)?;
                }
                axpy(&mut first.products.az, &second.products.az)?;
                axpy(&mut first.products.bz, &second.products.bz)?;
                axpy(&mut first.products.cz, &second.products.cz)?;
                // E1 + r·(T + r·E2)
                if let Some(error) = &second.error {
                    axpy(&mut cross_term, error)?;
                }
                let mut error = match first.error.take() {
                    Some(error) => error,
                    None => self.zeros()?,
                };
                axpy(&mut error, &cross_term)?;
                first.error = Some(error);
                Ok::<_, Error>(())
            },
        )?;
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.num_folds += 1;
        Ok(first)
    }

    fn zeros(&self) -> Result<B::Vector> {
        let zeros = vec![0; self.dimensions.num_constraints];
        self.backend.upload_scalars(Scalars::Small(&zeros))
    }

    /// An accumulator with its witness on the host.
    ///
    /// # Errors
    /// Those of the device.
    pub fn open(&self, accumulator: &Accumulator<B>) -> Result<(RelaxedInstance, RelaxedWitness)> {
        let [known, main, lookup] = accumulator.parts.each_ref();
        let download = |vector| self.backend.download_scalars(vector);
        let witness = RelaxedWitness {
            parts: [download(known)?, download(main)?, download(lookup)?],
            error: match &accumulator.error {
                Some(error) => download(error)?,
                None => vec![Fr::from(0); self.dimensions.num_constraints],
            },
        };
        Ok((accumulator.instance.clone(), witness))
    }
}
