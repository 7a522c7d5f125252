//! Models: what follows from measured sizes and times for links that were not measured.

mod aggregation;
mod break_even;

pub use aggregation::{
    Alternative, Folded, SCALAR_BYTES, StepSize, Tree, VerifierCircuit, alternatives,
    bytes_at_share, constraints_within, published_circuits,
};
pub use break_even::{Crossing, GIGABIT, LINKS_GBPS, Route, break_even};
