//! The ledger: who sends how many bytes to whom, from five numbers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What the ledger is computed from.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerInputs {
    /// Workers.
    pub machines: f64,
    /// Cycles of the computation.
    pub cycles: f64,
    /// Cycles of a segment.
    pub segment_cycles: f64,
    /// Bytes sent to whoever proves a segment.
    pub snapshot_bytes: f64,
    /// Bytes of a proof, or of whatever else is joined in the tree; a joined one is as long.
    pub stark_bytes: f64,
}

/// Bytes by kind of transfer, by link and by machine.
///
/// One machine executes, one coordinates, and the others work. The coordinator assigns joins and collects results; both
/// objects of a join are sent to a worker that has neither, and the joined one is returned. Workers take segments in
/// turn, and the joins of each level in turn, from the first worker on.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Segments: `ceil(cycles / segment_cycles)`.
    pub segments: f64,
    /// Joins: `segments − 1`.
    pub joins: f64,
    /// Levels of the tree: how often `segments` is halved, rounding up, until one is left.
    pub levels: f64,
    /// Segments assigned: `segments · snapshot_bytes`.
    pub assigned_bytes: f64,
    /// Proofs returned: `segments · stark_bytes`.
    pub returned_bytes: f64,
    /// Objects sent to be joined: `2 · joins · stark_bytes`.
    pub joins_sent_bytes: f64,
    /// Joined objects returned: `joins · stark_bytes`.
    pub joins_returned_bytes: f64,
    /// The tree: `joins_sent_bytes + joins_returned_bytes`.
    pub tree_bytes: f64,
    /// Aggregation: `returned_bytes + tree_bytes`.
    pub aggregation_bytes: f64,
    /// Everything: `assigned_bytes + aggregation_bytes`.
    pub total_bytes: f64,
    /// Of everything, the share of segments assigned: from 0 to 1; 0 of nothing.
    pub assigned_share: f64,
    /// Out of the executor: `assigned_bytes`.
    pub executor_egress_bytes: f64,
    /// Into the coordinator: `returned_bytes + joins_returned_bytes`.
    pub coordinator_ingress_bytes: f64,
    /// Out of the coordinator: `joins_sent_bytes`.
    pub coordinator_egress_bytes: f64,
    /// Into a worker, mean: `(assigned_bytes + joins_sent_bytes) / machines`.
    pub worker_ingress_mean_bytes: f64,
    /// Out of a worker, mean: `(returned_bytes + joins_returned_bytes) / machines`.
    pub worker_egress_mean_bytes: f64,
    /// Segments of the first worker, which has the most: `ceil(segments / machines)`.
    pub worker_max_segments: f64,
    /// Joins of the first worker: the sum over levels of `ceil(joins of the level / machines)`.
    pub worker_max_joins: f64,
    /// Into the first worker.
    pub worker_ingress_max_bytes: f64,
    /// Out of the first worker.
    pub worker_egress_max_bytes: f64,
    /// One-way latencies that follow one another: `2 + 2 · levels`.
    pub latencies: f64,
}

/// Most machines, and most segments.
const MAX_COUNT: f64 = 1e12;
/// Most cycles, and most bytes of an object.
const MAX_SIZE: f64 = 1e18;

impl LedgerInputs {
    /// Checks that the ledger can be computed.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the flag and what it may be.
    pub fn check(&self) -> Result<()> {
        let Self {
            machines,
            cycles,
            segment_cycles,
            snapshot_bytes,
            stark_bytes,
        } = *self;
        let within = |flag: &str, value: f64, most: f64| {
            if (1.0..=most).contains(&value) {
                return Ok(());
            }
            Err(Error::Usage(format!(
                "{flag} is {value:e}: give a number from 1 to {most:e}"
            )))
        };
        within("--machines", machines, MAX_COUNT)?;
        within("--cycles", cycles, MAX_SIZE)?;
        within("--segment-cycles", segment_cycles, MAX_SIZE)?;
        within("--snapshot", snapshot_bytes, MAX_SIZE)?;
        within("--stark", stark_bytes, MAX_SIZE)?;
        for (flag, value) in [
            ("--machines", machines),
            ("--cycles", cycles),
            ("--segment-cycles", segment_cycles),
        ] {
            if value.fract() != 0.0 {
                return Err(Error::Usage(format!(
                    "{flag} is {value}: give a whole number"
                )));
            }
        }
        let segments = (cycles / segment_cycles).ceil();
        if segments > MAX_COUNT {
            return Err(Error::Usage(format!(
                "--cycles {cycles:e} are {segments:e} segments of {segment_cycles:e} cycles, more \
                 than {MAX_COUNT:e}; raise --segment-cycles"
            )));
        }
        Ok(())
    }
}

/// Computes the ledger of inputs that were checked.
///
/// In floating point throughout: counts below 2^53 are exact.
pub fn ledger(inputs: &LedgerInputs) -> Ledger {
    let LedgerInputs {
        machines,
        cycles,
        segment_cycles,
        snapshot_bytes,
        stark_bytes,
    } = *inputs;
    let segments = (cycles / segment_cycles).ceil();
    let (mut joins, mut levels, mut worker_max_joins) = (0.0, 0.0, 0.0);
    let mut objects = segments;
    while objects > 1.0 {
        let pairs = (objects / 2.0).floor();
        joins += pairs;
        levels += 1.0;
        worker_max_joins += (pairs / machines).ceil();
        // One that is left over goes on to the next level, unsent.
        objects -= pairs;
    }
    let worker_max_segments = (segments / machines).ceil();
    let assigned_bytes = segments * snapshot_bytes;
    let returned_bytes = segments * stark_bytes;
    let joins_sent_bytes = 2.0 * joins * stark_bytes;
    let joins_returned_bytes = joins * stark_bytes;
    let tree_bytes = joins_sent_bytes + joins_returned_bytes;
    let aggregation_bytes = returned_bytes + tree_bytes;
    let total_bytes = assigned_bytes + aggregation_bytes;
    Ledger {
        segments,
        joins,
        levels,
        assigned_bytes,
        returned_bytes,
        joins_sent_bytes,
        joins_returned_bytes,
        tree_bytes,
        aggregation_bytes,
        total_bytes,
        assigned_share: if total_bytes > 0.0 {
            assigned_bytes / total_bytes
        } else {
            0.0
        },
        executor_egress_bytes: assigned_bytes,
        coordinator_ingress_bytes: returned_bytes + joins_returned_bytes,
        coordinator_egress_bytes: joins_sent_bytes,
        worker_ingress_mean_bytes: (assigned_bytes + joins_sent_bytes) / machines,
        worker_egress_mean_bytes: (returned_bytes + joins_returned_bytes) / machines,
        worker_max_segments,
        worker_max_joins,
        worker_ingress_max_bytes: worker_max_segments * snapshot_bytes
            + 2.0 * worker_max_joins * stark_bytes,
        worker_egress_max_bytes: (worker_max_segments + worker_max_joins) * stark_bytes,
        latencies: 2.0 + 2.0 * levels,
    }
}

/// Seconds to send bytes over a link of so many bits a second.
pub fn seconds_on_link(bytes: f64, bits_per_second: f64) -> f64 {
    8.0 * bytes / bits_per_second
}
