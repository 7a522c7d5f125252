//! Folding: the same witness as relaxed R1CS over the BN254 scalar field, chunk by chunk, with Nova's NIFS.

mod relation;

pub use relation::{KNOWN, LOOKUP, Layout, Linear, LinearBlock, MAIN, NUM_PARTS, Part, Relation};
