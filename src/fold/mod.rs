//! Folding: the same witness as relaxed R1CS over the BN254 scalar field, chunk by chunk, with
//! Nova's NIFS.

mod instance;
mod relation;

pub use instance::{FoldProof, Instance, Order, RelaxedInstance, RelaxedWitness, TableProof};
pub use relation::{
    KNOWN, LOOKUP, Layout, Linear, LinearBlock, MAIN, NUM_PARTS, Part, Relation,
};
