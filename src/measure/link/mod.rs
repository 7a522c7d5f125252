//! Links: how long messages of any size take between two processes or machines.

mod types;

pub use types::{Link, LinkDirection, LinkPoint};
