//! Folding on two backends side by side.

use super::Checked;
use crate::backend::curve::{Fr, G1Affine, Scalars};
use crate::backend::{Folding, KeyOptions, Matrices, Products};
use crate::{Error, Result};

/// A vector of either backend.
type Both<A, B> = (<A as Folding>::Vector, <B as Folding>::Vector);

impl<A: Folding, B: Folding> Checked<A, B> {
    fn folding_differs(&self, what: &str) -> Error {
        let (first, second) = (self.first.name(), self.second.name());
        Error::Differs(format!("{first} and {second}: {what}"))
    }

    /// Compares two vectors, and returns what they hold.
    fn same(&self, name: &str, first: &A::Vector, second: &B::Vector) -> Result<Vec<Fr>> {
        let first = self.first.download_scalars(first)?;
        let second = self.second.download_scalars(second)?;
        if first.len() != second.len() {
            let (first, second) = (first.len(), second.len());
            return Err(self.folding_differs(&format!("{name}, {first} and {second} scalars")));
        }
        match first.iter().zip(&second).position(|(a, b)| a != b) {
            Some(at) => {
                let (first, second) = (first[at], second[at]);
                Err(self.folding_differs(&format!("{name}, scalar {at}: {first} and {second}")))
            }
            None => Ok(second),
        }
    }

    /// Compares what both made of the same.
    fn same_products(
        &self,
        first: Products<A::Vector>,
        second: Products<B::Vector>,
    ) -> Result<Products<Both<A, B>>> {
        self.same("products, A·z", &first.az, &second.az)?;
        self.same("products, B·z", &first.bz, &second.bz)?;
        self.same("products, C·z", &first.cz, &second.cz)?;
        Ok(Products {
            az: (first.az, second.az),
            bz: (first.bz, second.bz),
            cz: (first.cz, second.cz),
        })
    }

    /// What both say of the same: two results, or the second's refusal.
    fn both<T, U>(&self, name: &str, first: Result<T>, second: Result<U>) -> Result<(T, U)> {
        match (first, second) {
            (Ok(first), Ok(second)) => Ok((first, second)),
            (Ok(_), Err(Error::Usage(why))) => {
                let what = format!("{name}, only the second refuses: {why}");
                Err(self.folding_differs(&what))
            }
            (Err(Error::Usage(why)), Ok(_)) => {
                let what = format!("{name}, only the first refuses: {why}");
                Err(self.folding_differs(&what))
            }
            (_, Err(error)) | (Err(error), Ok(_)) => Err(error),
        }
    }
}

impl<A: Folding, B: Folding> Folding for Checked<A, B> {
    type Key = (A::Key, B::Key);
    type Vector = Both<A, B>;
    type Matrices = (A::Matrices, B::Matrices);

    fn name(&self) -> &'static str {
        "check"
    }

    fn upload_key(&self, points: &[G1Affine], options: KeyOptions) -> Result<Self::Key> {
        let first = self.first.upload_key(points, options);
        self.both(
            "upload of a key",
            first,
            self.second.upload_key(points, options),
        )
    }

    fn upload_matrices(&self, matrices: &Matrices) -> Result<Self::Matrices> {
        let first = self.first.upload_matrices(matrices);
        let second = self.second.upload_matrices(matrices);
        self.both("upload of matrices", first, second)
    }

    fn upload_scalars(&self, scalars: Scalars<'_>) -> Result<Self::Vector> {
        let both = (
            self.first.upload_scalars(scalars)?,
            self.second.upload_scalars(scalars)?,
        );
        self.same("upload of scalars", &both.0, &both.1)?;
        Ok(both)
    }

    fn download_scalars(&self, scalars: &Self::Vector) -> Result<Vec<Fr>> {
        self.same("download of scalars", &scalars.0, &scalars.1)
    }

    fn msm(
        &self,
        key: &Self::Key,
        first: usize,
        vectors: &[&Self::Vector],
    ) -> Result<Vec<G1Affine>> {
        let (ours, theirs): (Vec<_>, Vec<_>) =
            vectors.iter().map(|both| (&both.0, &both.1)).unzip();
        let ours = self.first.msm(&key.0, first, &ours);
        let theirs = self.second.msm(&key.1, first, &theirs);
        let (ours, theirs) = self.both("msm", ours, theirs)?;
        if ours.len() != theirs.len() {
            let (ours, theirs) = (ours.len(), theirs.len());
            return Err(self.folding_differs(&format!("msm, {ours} and {theirs} points")));
        }
        match ours.iter().zip(&theirs).position(|(a, b)| a != b) {
            Some(at) => {
                let (ours, theirs) = (ours[at], theirs[at]);
                Err(self.folding_differs(&format!("msm, vector {at}: {ours} and {theirs}")))
            }
            None => Ok(theirs),
        }
    }

    fn products(
        &self,
        matrices: &Self::Matrices,
        head: &[Fr],
        parts: &[&Self::Vector],
    ) -> Result<Products<Self::Vector>> {
        let (ours, theirs): (Vec<_>, Vec<_>) = parts.iter().map(|both| (&both.0, &both.1)).unzip();
        let first = self.first.products(&matrices.0, head, &ours);
        let second = self.second.products(&matrices.1, head, &theirs);
        let (first, second) = self.both("products", first, second)?;
        self.same_products(first, second)
    }

    fn cross_term(
        &self,
        first: (Products<&Self::Vector>, Fr),
        second: (Products<&Self::Vector>, Fr),
    ) -> Result<Self::Vector> {
        let (one, u) = (split(first.0), first.1);
        let (two, v) = (split(second.0), second.1);
        let ours = self.first.cross_term((one.0, u), (two.0, v));
        let theirs = self.second.cross_term((one.1, u), (two.1, v));
        let both = self.both("cross term", ours, theirs)?;
        self.same("cross term", &both.0, &both.1)?;
        Ok(both)
    }

    fn axpy(&self, y: &mut Self::Vector, r: Fr, x: &Self::Vector) -> Result<()> {
        let first = self.first.axpy(&mut y.0, r, &x.0);
        self.both("axpy", first, self.second.axpy(&mut y.1, r, &x.1))?;
        self.same("axpy", &y.0, &y.1)?;
        Ok(())
    }
}

/// Products of pairs as a pair of products.
fn split<V, W>(products: Products<&(V, W)>) -> (Products<&V>, Products<&W>) {
    let Products { az, bz, cz } = products;
    let (ours, theirs) = ([&az.0, &bz.0, &cz.0], [&az.1, &bz.1, &cz.1]);
    (of(ours), of(theirs))
}

fn of<V>([az, bz, cz]: [V; 3]) -> Products<V> {
    Products { az, bz, cz }
}
