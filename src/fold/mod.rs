//! Folding: the same witness as relaxed R1CS over the BN254 scalar field, chunk by chunk, with
//! Nova's NIFS.

mod assign;
mod collect;
mod expr;
mod instance;
pub mod key;
mod lower;
pub mod nifs;
pub mod order;
mod point;
mod relation;
mod shape;
mod table;
#[cfg(test)]
mod toy;
mod transcript;
pub mod wire;

pub use assign::{Assignment, Chunk, Known, Values, public_values};
pub use instance::{FoldProof, Instance, Order, RelaxedInstance, RelaxedWitness, TableProof};
pub use key::{CommitmentKey, KeyError};
pub use nifs::{Accumulator, FoldTimes, Nifs};
pub use order::{Folded, Hop, NodeBytes};
pub use point::{POINT_BYTES, PointError};
pub use relation::{
    KNOWN, LOOKUP, Layout, Linear, LinearBlock, MAIN, NUM_PARTS, PART_NAMES, Part, Relation,
    Unsatisfied,
};
pub use shape::{Challenges, Counts, Shape, X_FIRST, X_INDEX, X_LAST, X_PUBLIC, X_SUM};
pub use table::{FoldingError, check_accumulator, check_table};
pub use transcript::Transcript;
pub use wire::{Dimensions, WireError};
