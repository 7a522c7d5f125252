//! Random scalars of both kinds, often at the ends of their range.

use ark_ff::{AdditiveGroup, Field, PrimeField};
use rewit::backend::curve::{Fr, Scalars};

/// A small deterministic generator: BLAKE3's extended output.
pub struct Rng(blake3::OutputReader);

impl Rng {
    pub fn new(seed: &str) -> Self {
        Self(blake3::Hasher::new().update(seed.as_bytes()).finalize_xof())
    }

    pub fn word(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.word() % end as u64) as usize
    }

    /// A field element, often one of the ends.
    pub fn scalar(&mut self) -> Fr {
        let mut bytes = [0; 64];
        self.0.fill(&mut bytes);
        match bytes[0] % 8 {
            0 => Fr::ZERO,
            1 => Fr::ONE,
            2 => -Fr::ONE,
            _ => Fr::from_le_bytes_mod_order(&bytes),
        }
    }

    /// A small integer, often one of the ends.
    pub fn small(&mut self) -> i64 {
        let word = self.word() as i64;
        match self.below(8) {
            0 | 1 => word & 1,
            2 => -1,
            3 => i64::MIN,
            4 => i64::MAX,
            5 => word >> 32,
            _ => word,
        }
    }

    pub fn vector(&mut self, len: usize) -> Vector {
        if self.below(2) == 0 {
            Vector::Full((0..len).map(|_| self.scalar()).collect())
        } else {
            Vector::Small((0..len).map(|_| self.small()).collect())
        }
    }
}

/// Scalars of either kind.
#[derive(Clone)]
pub enum Vector {
    Full(Vec<Fr>),
    Small(Vec<i64>),
}

impl Vector {
    pub fn scalars(&self) -> Scalars<'_> {
        match self {
            Self::Full(scalars) => Scalars::Full(scalars),
            Self::Small(scalars) => Scalars::Small(scalars),
        }
    }

    pub fn to_vec(&self) -> Vec<Fr> {
        self.scalars().to_vec()
    }
}
