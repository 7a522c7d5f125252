//! Folding: the same witness as relaxed R1CS over the BN254 scalar field, chunk by chunk, with
//! Nova's NIFS.

mod instance;
pub mod key;
pub mod nifs;
pub mod order;
mod point;
mod relation;
mod table;
#[cfg(test)]
mod toy;
mod transcript;

pub use instance::{FoldProof, Instance, Order, RelaxedInstance, RelaxedWitness, TableProof};
pub use key::{CommitmentKey, KeyError};
pub use nifs::{Accumulator, FoldTimes, Nifs};
pub use order::{Folded, Hop, NodeBytes};
pub use point::{POINT_BYTES, PointError};
pub use table::{FoldingError, check_accumulator, check_table};
pub use relation::{
    KNOWN, LOOKUP, Layout, Linear, LinearBlock, MAIN, NUM_PARTS, PART_NAMES, Part, Relation,
    Unsatisfied,
};
pub use transcript::Transcript;
