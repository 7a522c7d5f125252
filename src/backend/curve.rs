//! BN254's types as this crate uses them: arkworks'.

/// The scalar field, over which circuits are satisfied.
pub use ark_bn254::Fr;
/// A point of G1 in affine form, over [`Fq`](ark_bn254::Fq).
pub use ark_bn254::G1Affine;
/// A point of G1 in Jacobian form.
pub use ark_bn254::G1Projective;

/// Scalars as they come: full field elements, or signed integers that are known to be small.
///
/// Small ones cost a multi-scalar multiplication as many bucket additions as they have non-zero digits.
#[derive(Clone, Copy, Debug)]
pub enum Scalars<'a> {
    /// Field elements.
    Full(&'a [Fr]),
    /// Integers `s` that stand for `s mod r`, negative ones for `r - |s|`.
    Small(&'a [i64]),
}

impl Scalars<'_> {
    /// Number of scalars.
    pub fn len(&self) -> usize {
        match self {
            Self::Full(scalars) => scalars.len(),
            Self::Small(scalars) => scalars.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The scalars as field elements.
    pub fn to_vec(&self) -> Vec<Fr> {
        match self {
            Self::Full(scalars) => scalars.to_vec(),
            Self::Small(scalars) => scalars.iter().map(|scalar| Fr::from(*scalar)).collect(),
        }
    }
}
