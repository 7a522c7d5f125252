//! Folding's stages on rayon's threads.

use std::borrow::Cow;

use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;

use super::Cpu;
use super::msm::Bases;
use super::products::{CpuMatrices, SmallMultiplier};
use crate::Result;
use crate::backend::curve::{Fr, G1Affine, G1Projective, Scalars};
use crate::backend::folding::{check_cross_term, check_equal, check_msm};
use crate::backend::{Folding, KeyOptions, Matrices, Products};

/// Scalars that a thread takes at once.
const RUN: usize = 1024;

/// Scalars on the host, small ones in 8 bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CpuVector {
    /// Field elements.
    Full(Vec<Fr>),
    /// Integers.
    Small(Vec<i64>),
}

impl CpuVector {
    /// The scalars.
    pub fn scalars(&self) -> Scalars<'_> {
        match self {
            Self::Full(scalars) => Scalars::Full(scalars),
            Self::Small(scalars) => Scalars::Small(scalars),
        }
    }

    /// Number of scalars.
    pub fn len(&self) -> usize {
        self.scalars().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The scalars as field elements, converted in place if they are small.
    fn full_mut(&mut self) -> &mut [Fr] {
        if let Self::Small(scalars) = self {
            let full = scalars.par_iter().map(|scalar| Fr::from(*scalar)).collect();
            *self = Self::Full(full);
        }
        match self {
            Self::Full(scalars) => scalars,
            Self::Small(_) => unreachable!("converted above"),
        }
    }
}

/// Lengths of an instance's products.
fn lengths(products: Products<&CpuVector>) -> [usize; 3] {
    [products.az, products.bz, products.cz].map(CpuVector::len)
}

/// Field elements, converted if they are small.
fn full(vector: &CpuVector) -> Cow<'_, [Fr]> {
    match vector {
        CpuVector::Full(scalars) => Cow::Borrowed(scalars),
        CpuVector::Small(_) => Cow::Owned(vector.scalars().to_vec()),
    }
}

impl Folding for Cpu {
    type Key = Bases;
    type Vector = CpuVector;
    type Matrices = CpuMatrices;

    fn name(&self) -> &'static str {
        "cpu"
    }

    fn upload_key(&self, points: &[G1Affine], options: KeyOptions) -> Result<Bases> {
        Ok(Bases::new(points, options))
    }

    fn upload_matrices(&self, matrices: &Matrices) -> Result<CpuMatrices> {
        CpuMatrices::new(matrices)
    }

    fn upload_scalars(&self, scalars: Scalars<'_>) -> Result<CpuVector> {
        Ok(match scalars {
            Scalars::Full(scalars) => CpuVector::Full(scalars.to_vec()),
            Scalars::Small(scalars) => CpuVector::Small(scalars.to_vec()),
        })
    }

    fn download_scalars(&self, scalars: &CpuVector) -> Result<Vec<Fr>> {
        Ok(scalars.scalars().to_vec())
    }

    fn msm(&self, key: &Bases, first: usize, vectors: &[&CpuVector]) -> Result<Vec<G1Affine>> {
        for vector in vectors {
            check_msm(key.len(), first, vector.len())?;
        }
        let scalars: Vec<_> = vectors.iter().map(|vector| vector.scalars()).collect();
        let sums = key.msm_many(first, &scalars);
        Ok(G1Projective::normalize_batch(&sums))
    }

    fn products(
        &self,
        matrices: &CpuMatrices,
        head: &[Fr],
        parts: &[&CpuVector],
    ) -> Result<Products<CpuVector>> {
        let parts: Vec<Scalars<'_>> = parts.iter().map(|part| part.scalars()).collect();
        let [az, bz, cz] = matrices.products(head, &parts)?.map(CpuVector::Full);
        Ok(Products { az, bz, cz })
    }

    fn cross_term(
        &self,
        first: (Products<&CpuVector>, Fr),
        second: (Products<&CpuVector>, Fr),
    ) -> Result<CpuVector> {
        let (u, v) = (first.1, second.1);
        let len = check_cross_term(lengths(first.0), lengths(second.0))?;
        let full = [first.0.az, first.0.bz, first.0.cz]
            .into_iter()
            .chain([second.0.az, second.0.bz, second.0.cz])
            .map(full)
            .collect::<Vec<_>>();
        let [az, bz, cz, az2, bz2, cz2] = [0, 1, 2, 3, 4, 5].map(|at| full[at].as_ref());
        let mut term = vec![Fr::ZERO; len];
        term.par_chunks_mut(RUN)
            .enumerate()
            .for_each(|(run, term)| {
                let at = run * RUN;
                for (i, term) in (at..).zip(term) {
                    // Of a fresh instance, u = 1.
                    let left = if v == Fr::ONE { cz[i] } else { v * cz[i] };
                    let right = if u == Fr::ONE { cz2[i] } else { u * cz2[i] };
                    *term = az[i] * bz2[i] + az2[i] * bz[i] - left - right;
                }
            });
        Ok(CpuVector::Full(term))
    }

    fn axpy(&self, y: &mut CpuVector, r: Fr, x: &CpuVector) -> Result<()> {
        check_equal("axpy", y.len(), x.len())?;
        let y = y.full_mut();
        match x {
            CpuVector::Full(x) => {
                let runs = y.par_chunks_mut(RUN).zip(x.par_chunks(RUN));
                runs.for_each(|(y, x)| {
                    for (y, x) in y.iter_mut().zip(x) {
                        *y += r * x;
                    }
                });
            }
            CpuVector::Small(x) => {
                let r = SmallMultiplier::new(r);
                let runs = y.par_chunks_mut(RUN).zip(x.par_chunks(RUN));
                runs.for_each(|(y, x)| {
                    for (y, x) in y.iter_mut().zip(x) {
                        r.add_to(y, *x);
                    }
                });
            }
        }
        Ok(())
    }
}
