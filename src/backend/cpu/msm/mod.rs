//! Multi-scalar multiplication over BN254's G1 on the CPU.

use ark_ec::VariableBaseMSM;
use rayon::prelude::*;

use crate::backend::KeyOptions;
use crate::backend::curve::{G1Affine, G1Projective, Scalars};

/// Points that many multi-scalar multiplications share.
#[derive(Debug)]
pub struct Bases {
    points: Vec<G1Affine>,
}

impl Bases {
    /// Prepares `points`.
    pub fn new(points: &[G1Affine], _options: KeyOptions) -> Self {
        Self {
            points: points.to_vec(),
        }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// `Σ_i scalars[i] · points[first + i]`.
    ///
    /// # Panics
    /// If there are not as many points.
    pub fn msm(&self, first: usize, scalars: Scalars<'_>) -> G1Projective {
        msm(&self.points[first..first + scalars.len()], scalars)
    }

    /// [`msm`](Self::msm) of each vector of scalars.
    ///
    /// # Panics
    /// If there are not as many points.
    pub fn msm_many(&self, first: usize, scalars: &[Scalars<'_>]) -> Vec<G1Projective> {
        scalars
            .par_iter()
            .map(|scalars| self.msm(first, *scalars))
            .collect()
    }
}

/// `Σ_i scalars[i] · points[i]`, without anything prepared.
///
/// # Panics
/// If the lengths differ.
pub fn msm(points: &[G1Affine], scalars: Scalars<'_>) -> G1Projective {
    assert_eq!(points.len(), scalars.len(), "one scalar per point");
    G1Projective::msm_unchecked(points, &scalars.to_vec())
}
