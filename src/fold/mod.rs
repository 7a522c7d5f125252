//! Folding: the same witness as relaxed R1CS over the BN254 scalar field, chunk by chunk, with Nova's NIFS.

pub mod key;
mod point;
mod relation;

pub use key::{CommitmentKey, KeyError};
pub use point::{POINT_BYTES, PointError};
pub use relation::{KNOWN, LOOKUP, Layout, Linear, LinearBlock, MAIN, NUM_PARTS, Part, Relation};
