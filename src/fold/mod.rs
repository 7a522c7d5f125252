//! Folding: the same witness as relaxed R1CS over the BN254 scalar field, chunk by chunk, with
//! Nova's NIFS.

mod assign;
mod collect;
mod evaluate;
mod expr;
mod instance;
pub mod key;
mod lower;
pub mod nifs;
pub mod order;
mod point;
mod produce;
mod relation;
pub mod segment;
mod shape;
mod table;
#[cfg(test)]
mod toy;
mod transcript;
pub mod verify;
pub mod wire;

pub use assign::{Assignment, Chunk, Known, Values, public_values};
pub use instance::{FoldProof, Instance, Order, RelaxedInstance, RelaxedWitness, TableProof};
pub use key::{CommitmentKey, KeyError};
pub use nifs::{Accumulator, FoldTimes, Nifs};
pub use order::{Folded, Hop, Leaf};
pub use point::{POINT_BYTES, PointError};
pub use relation::{
    KNOWN, LOOKUP, Layout, Linear, LinearBlock, MAIN, NUM_PARTS, PART_NAMES, Part, Relation,
    Unsatisfied,
};
pub use segment::{FoldedSegment, Folder, Phase, Progress, Session, TableStats};
pub use shape::{Challenges, Counts, Shape, X_FIRST, X_INDEX, X_LAST, X_PUBLIC, X_SUM};
pub use table::{FoldingError, check_accumulator, check_table};
pub use transcript::Transcript;
pub use verify::{Verifier, VerifyError};
pub use wire::{Dimensions, WireError};
