//! Where the stages of folding are computed: one trait, one method per measured stage.

use super::curve::{Fr, G1Affine, Scalars};
use super::matrices::Matrices;
use crate::{Error, Result};

/// What a key may spend on precomputed multiples of its points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyOptions {
    /// Most bytes for points and multiples together, where the backend computes; the points alone are always kept.
    pub budget: u64,
    /// Length of the multi-scalar multiplications that the key is for; windows are chosen for it.
    pub expected_len: usize,
}

/// The products of an instance's matrices with its `z`.
#[derive(Clone, Copy, Debug)]
pub struct Products<V> {
    /// `A·z`, one scalar per constraint.
    pub az: V,
    /// `B·z`.
    pub bz: V,
    /// `C·z`.
    pub cz: V,
}

impl<V> Products<V> {
    /// References to the products.
    pub fn as_ref(&self) -> Products<&V> {
        Products {
            az: &self.az,
            bz: &self.bz,
            cz: &self.cz,
        }
    }
}

/// A device that computes the stages of folding.
///
/// Vectors of scalars stay where the backend computes.
pub trait Folding: Sync {
    /// Points of a commitment key, with what was precomputed from them.
    type Key: Send + Sync;
    /// Scalars.
    type Vector: Send + Sync;
    /// The matrices of an R1CS.
    type Matrices: Send + Sync;

    /// Name in results.
    fn name(&self) -> &'static str;

    /// Brings a commitment key to where the backend computes.
    ///
    /// # Errors
    /// Those of the device; [`Error::OutOfDeviceMemory`] if the points alone do not fit.
    fn upload_key(&self, points: &[G1Affine], options: KeyOptions) -> Result<Self::Key>;

    /// Brings matrices to where the backend computes.
    ///
    /// # Errors
    /// Those of the device.
    fn upload_matrices(&self, matrices: &Matrices) -> Result<Self::Matrices>;

    /// Brings scalars to where the backend computes.
    ///
    /// # Errors
    /// Those of the device.
    fn upload_scalars(&self, scalars: Scalars<'_>) -> Result<Self::Vector>;

    /// Brings scalars back.
    ///
    /// # Errors
    /// Those of the device.
    fn download_scalars(&self, scalars: &Self::Vector) -> Result<Vec<Fr>>;

    /// Multiplies points by scalars and adds the products, for several vectors of scalars.
    ///
    /// - `first`: which point of the key the first scalar of every vector belongs to.
    /// - returns: `Σ_i scalars[i] · key[first + i]` for each vector.
    ///
    /// # Errors
    /// [`Error::Usage`] if the key is too short; those of the device.
    /// # Source
    /// Pippenger's bucket method.
    fn msm(
        &self,
        key: &Self::Key,
        first: usize,
        vectors: &[&Self::Vector],
    ) -> Result<Vec<G1Affine>>;

    /// Multiplies the matrices by `z`.
    ///
    /// - `head`: `(u, x)`, the start of `z`.
    /// - `parts`: the rest of `z`.
    ///
    /// # Errors
    /// [`Error::Usage`] if `z` has not the matrices' number of variables; those of the device.
    fn products(
        &self,
        matrices: &Self::Matrices,
        head: &[Fr],
        parts: &[&Self::Vector],
    ) -> Result<Products<Self::Vector>>;

    /// The cross term of two instances:
    /// `T = A·z₁ ∘ B·z₂ + A·z₂ ∘ B·z₁ − u₁·C·z₂ − u₂·C·z₁`.
    ///
    /// # Errors
    /// [`Error::Usage`] if the lengths differ; those of the device.
    /// # Source
    /// Nova (eprint 2021/370), section 4.
    fn cross_term(
        &self,
        first: (Products<&Self::Vector>, Fr),
        second: (Products<&Self::Vector>, Fr),
    ) -> Result<Self::Vector>;

    /// Adds a multiple of a vector to another: `y ← y + r·x`.
    ///
    /// # Errors
    /// [`Error::Usage`] if the lengths differ; those of the device.
    fn axpy(&self, y: &mut Self::Vector, r: Fr, x: &Self::Vector) -> Result<()>;
}

/// Refuses more scalars than the key has points for.
pub(super) fn check_msm(points: usize, first: usize, scalars: usize) -> Result<()> {
    if first > points || scalars > points - first {
        return Err(Error::Usage(format!(
            "{scalars} scalars from point {first} on: the commitment key has {points} points; \
             derive a longer one"
        )));
    }
    Ok(())
}

/// Refuses vectors of different lengths.
pub(super) fn check_equal(stage: &str, first: usize, second: usize) -> Result<()> {
    if first != second {
        return Err(Error::Usage(format!(
            "{stage} of {first} and {second} scalars: expected as many of both"
        )));
    }
    Ok(())
}

/// Refuses products of different lengths.
///
/// - `first`, `second`: lengths of `A·z`, `B·z` and `C·z` of two instances.
/// - returns: the length of all of them.
pub(super) fn check_cross_term(first: [usize; 3], second: [usize; 3]) -> Result<usize> {
    let len = first[0];
    match first.into_iter().chain(second).find(|other| *other != len) {
        Some(other) => check_equal("cross term", len, other).map(|()| len),
        None => Ok(len),
    }
}

/// Refuses a `z` of another length than the matrices are for.
pub(super) fn check_products(variables: usize, scalars: usize) -> Result<()> {
    if variables != scalars {
        return Err(Error::Usage(format!(
            "products of matrices for {variables} variables with {scalars}: expected as many"
        )));
    }
    Ok(())
}
