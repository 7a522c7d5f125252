//! Values that folding sends, made up: decoding asks for canonical scalars and points, not for
//! satisfied relations.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test binary uses a part"
)]

pub mod random;

use ark_ec::{AffineRepr, CurveGroup};
use rewit::backend::curve::{Fr, G1Affine};
use rewit::fold::{
    Dimensions, FoldProof, Instance, Order, RelaxedInstance, RelaxedWitness, TableProof,
};

/// Two tables; the second has no part "known", and no constraint.
pub const DIMENSIONS: [Dimensions; 2] = [
    Dimensions {
        num_public: 3,
        parts: [2, 5, 1],
        num_constraints: 4,
    },
    Dimensions {
        num_public: 1,
        parts: [0, 1, 2],
        num_constraints: 0,
    },
];

/// Chunks of the tables.
pub const CHUNKS: [usize; 2] = [3, 1];

pub fn point(multiple: i64) -> G1Affine {
    (G1Affine::generator() * Fr::from(multiple)).into_affine()
}

/// Scalars near both ends of the field.
pub fn scalars(len: usize, from: i64) -> Vec<Fr> {
    (from..).take(len).map(Fr::from).collect()
}

pub fn instance(dimensions: &Dimensions) -> Instance {
    Instance {
        x: scalars(dimensions.num_public, -1),
        parts: [point(0), point(5), point(-5)],
    }
}

pub fn relaxed_instance(dimensions: &Dimensions) -> RelaxedInstance {
    RelaxedInstance {
        u: Fr::from(1u128 << 100),
        x: scalars(dimensions.num_public, 1 << 40),
        parts: [point(0), point(6), point(-7)],
        error: point(8),
    }
}

pub fn relaxed_witness(dimensions: &Dimensions) -> RelaxedWitness {
    RelaxedWitness {
        parts: dimensions.parts.map(|len| scalars(len, -2)),
        error: scalars(dimensions.num_constraints, i64::MIN),
    }
}

pub fn proof() -> FoldProof {
    let tables = DIMENSIONS
        .iter()
        .zip(CHUNKS)
        .map(|(dimensions, chunks)| TableProof {
            instances: vec![instance(dimensions); chunks],
            cross_terms: (0..chunks as i64 - 1).map(|at| point(at - 1)).collect(),
            accumulator: relaxed_instance(dimensions),
            witness: relaxed_witness(dimensions),
        });
    FoldProof {
        log_rows: 4,
        log_cycles: 9,
        order: Order::Tree,
        tables: tables.collect(),
    }
}
