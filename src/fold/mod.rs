//! Folding: the same witness as relaxed R1CS over the BN254 scalar field, chunk by chunk, with
//! Nova's NIFS.

mod instance;
pub mod key;
mod point;
mod relation;
mod transcript;

pub use instance::{FoldProof, Instance, Order, RelaxedInstance, RelaxedWitness, TableProof};
pub use key::{CommitmentKey, KeyError};
pub use point::{POINT_BYTES, PointError};
pub use relation::{KNOWN, LOOKUP, Layout, Linear, LinearBlock, MAIN, NUM_PARTS, Part, Relation};
pub use transcript::Transcript;
