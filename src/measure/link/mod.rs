//! Links: how long messages of any size take between two processes or machines.

mod probe;
mod protocol;
mod server;
#[cfg(test)]
mod tests;
mod types;

pub use probe::{ProbeOptions, probe_link};
pub use server::{LinkLimits, LinkServer};
pub use types::{Link, LinkDirection, LinkPoint, conclude_link};
