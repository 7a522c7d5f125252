//! A cluster that proves a long run: one serial executor, workers, links, a tree of joins; simulated event by event.
//!
//! `docs/model.md` says what is modelled and what is left out.

mod aggregate;
mod config;
mod draw;
mod estimate;
mod links;
mod outcome;
mod plan;
mod run;
mod simulate;
mod sweep;
#[cfg(test)]
mod tests;
mod trace;

pub use config::{
    Aggregation, Cluster, Group, LinkCost, Loss, MAX_REPLICATES, MAX_SEGMENTS, MAX_WORKERS,
    Placement, Stragglers,
};
pub use estimate::{Estimate, EstimateInputs, estimate, joins_above};
pub use outcome::{
    Bottleneck, ErrorBar, Input, LinkTotal, Milestones, Outcome, PathStep, Resource, Share, Span,
    Transfer, TransferTotal, Utilisation,
};
pub use run::{estimate_cluster, simulate_cluster};
pub use sweep::{
    Axis, CLOSE, MAX_POINTS, Point, Sweep, Tried, Varied, encodings_of, sweep, try_all_encodings,
    try_encodings, with_bandwidth, with_encoding, with_machines,
};
