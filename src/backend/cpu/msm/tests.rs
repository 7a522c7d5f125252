//! Against arkworks, on both paths.

use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::PrimeField;

use super::batch::{Arena, NEGATE, Sums};
use super::point::{Path, Point};
use super::{Bases, PIECE, msm};
use crate::backend::KeyOptions;
use crate::backend::curve::{Fr, G1Affine, G1Projective, Scalars};

/// Every path that this machine has.
fn paths() -> Vec<Path> {
    let mut paths = vec![Path::Portable, Path::detect()];
    paths.dedup();
    paths
}

/// Reproducible bytes.
fn random(seed: &str) -> blake3::OutputReader {
    blake3::Hasher::new_derive_key("rewit msm tests")
        .update(seed.as_bytes())
        .finalize_xof()
}

fn word(source: &mut blake3::OutputReader) -> u64 {
    let mut bytes = [0; 8];
    source.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

fn field<F: PrimeField>(source: &mut blake3::OutputReader) -> F {
    let mut bytes = [0; 64];
    source.fill(&mut bytes);
    F::from_le_bytes_mod_order(&bytes)
}

fn full(len: usize, seed: &str) -> Vec<Fr> {
    let mut source = random(seed);
    (0..len).map(|_| field(&mut source)).collect()
}

fn small(len: usize, bits: u32, seed: &str) -> Vec<i64> {
    let mut source = random(seed);
    let mut next = || (word(&mut source) >> (64 - bits)).cast_signed();
    (0..len).map(|_| next()).collect()
}

fn points(len: usize) -> Vec<G1Affine> {
    let mut source = random("points");
    let step = G1Affine::generator() * field::<Fr>(&mut source);
    let mut point = G1Affine::generator() * field::<Fr>(&mut source);
    let points: Vec<G1Projective> = (0..len)
        .map(|_| {
            point += step;
            point
        })
        .collect();
    G1Projective::normalize_batch(&points)
}

/// Holds the sum against arkworks', on every path, without and with multiples.
fn check(points: &[G1Affine], scalars: Scalars<'_>, what: &str) {
    let expected = G1Projective::msm(points, &scalars.to_vec()).expect("as many scalars");
    let bytes = 64 * points.len() as u64;
    for path in paths() {
        // The points alone, some multiples, all of them.
        for tables in [0, 3, 64] {
            let options = KeyOptions {
                budget: tables * bytes,
                expected_len: points.len(),
            };
            let bases = Bases::on(path, points, options);
            let found = bases.msm(0, scalars);
            assert_eq!(
                found, expected,
                "{what}: {path:?}, {tables} tables, {:?}",
                bases.plan
            );
        }
    }
}

/// Around a vector of lanes, two of them, a batch's remainder, and more than a block of digits.
const SIZES: [usize; 17] = [
    0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 1000, 4097,
];

#[test]
fn every_size() {
    let points = points(4097);
    let (full, small) = (full(4097, "full"), small(4097, 31, "small"));
    for size in SIZES {
        let what = format!("{size} scalars");
        check(&points[..size], Scalars::Full(&full[..size]), &what);
        check(&points[..size], Scalars::Small(&small[..size]), &what);
    }
}
