//! Models: what follows from measured sizes and times for links and machines that were not measured.

mod aggregation;
mod break_even;
pub mod cluster;
mod costs;
pub mod note;
mod quantity;

pub use aggregation::{
    Alternative, Folded, SCALAR_BYTES, StepSize, Tree, VerifierCircuit, alternatives,
    bytes_at_share, constraints_within, published_circuits, published_folded_bytes,
};
pub use break_even::{Crossing, GIGABIT, LINKS_GBPS, Route, break_even};
pub use costs::{Costs, EncodingCost, FoldCost, FoldedSize, ProofCost};
pub use quantity::Quantity;
