//! What a simulation tells.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Estimate;
use crate::model::Quantity;

/// What time is spent on: the parts of a cluster that can hold it up.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// The serial executor: executing, and encoding on its machine.
    Executor,
    /// Bytes that leave the executor's machine, which coordinates.
    Egress,
    /// Bytes that arrive there.
    Ingress,
    /// Links of workers, in either direction.
    WorkerLinks,
    /// The switch between all machines, if its bandwidth is limited.
    Switch,
    /// Decoding shipments and regenerating witnesses, on workers.
    Regenerate,
    /// Proving or folding segments, on workers.
    Prove,
    /// Joining proofs or merging accumulators, on workers.
    Join,
    /// Latency of links.
    Latency,
    /// Tasks of lost workers, from their assignment until the loss is noticed.
    Lost,
    /// The last step.
    Wrap,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Executor,
        Self::Egress,
        Self::Ingress,
        Self::WorkerLinks,
        Self::Switch,
        Self::Regenerate,
        Self::Prove,
        Self::Join,
        Self::Latency,
        Self::Lost,
        Self::Wrap,
    ];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Executor => "executor",
            Self::Egress => "egress",
            Self::Ingress => "ingress",
            Self::WorkerLinks => "worker-links",
            Self::Switch => "switch",
            Self::Regenerate => "regenerate",
            Self::Prove => "prove",
            Self::Join => "join",
            Self::Latency => "latency",
            Self::Lost => "lost",
            Self::Wrap => "wrap",
        }
    }

    /// What it is, in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Executor => "the serial executor",
            Self::Egress => "the executor's egress",
            Self::Ingress => "the executor's ingress",
            Self::WorkerLinks => "the workers' links",
            Self::Switch => "the switch",
            Self::Regenerate => "regenerating witnesses on workers",
            Self::Prove => "proving or folding on workers",
            Self::Join => "joining in the tree",
            Self::Latency => "latency",
            Self::Lost => "lost workers",
            Self::Wrap => "the last step",
        }
    }
}

/// What is moved between machines.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Transfer {
    /// The program, to a worker that has not had it.
    Program,
    /// A segment.
    Shipment,
    /// What a segment became: a proof or accumulators, to the coordinator.
    Object,
    /// One of the two objects of a join, to the worker that joins them.
    JoinSent,
    /// A join's result, to the coordinator.
    JoinReturned,
    /// A shipment or an object sent again after a loss.
    Retry,
}

impl Transfer {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Program,
        Self::Shipment,
        Self::Object,
        Self::JoinSent,
        Self::JoinReturned,
        Self::Retry,
    ];

    /// Its name in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Program => "programs",
            Self::Shipment => "shipments",
            Self::Object => "proofs or accumulators returned",
            Self::JoinSent => "sent to be joined",
            Self::JoinReturned => "joined, returned",
            Self::Retry => "sent again",
        }
    }
}

/// The result of a simulation. Every number in it is modelled; `inputs` says from what.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Cycles proven.
    pub cycles: u64,
    /// Segments.
    pub segments: u64,
    /// Workers.
    pub workers: u64,
    /// Name of the encoding.
    pub encoding: String,
    /// Name of the compression.
    pub compression: String,
    /// Seconds from the executor's start to the final object at the coordinator, with the medians and means of all inputs.
    pub makespan_seconds: Quantity,
    /// How far the inputs' samples leave it open; none without replicates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<ErrorBar>,
    /// When things happened.
    pub milestones: Milestones,
    /// Transfers by what was moved, those that occur.
    pub transfers: Vec<TransferTotal>,
    /// Bytes by link.
    pub links: Vec<LinkTotal>,
    /// Which part of the makespan resources were in use.
    pub utilisation: Vec<Utilisation>,
    /// Most segments that waited on the executor's machine, for a worker or for its link.
    pub peak_queue: u64,
    /// Bytes of their shipments.
    pub peak_queue_bytes: f64,
    /// Joins done.
    pub joins: u64,
    /// Workers lost.
    pub lost_workers: u64,
    /// Tasks done again after a loss.
    pub retries: u64,
    /// The chain of occupations and waits that led to the end, first to last; neighbours on one resource are merged, and
    /// of a long chain only the ends are kept.
    pub critical_path: Vec<PathStep>,
    /// What each resource holds of the critical path, the greatest first.
    pub shares: Vec<Share>,
    /// The resource that holds most of it.
    pub bottleneck: Bottleneck,
    /// The closed form for the same inputs: no schedule is faster.
    pub estimate: Estimate,
    /// Price of the proof, in the currency of the prices; none without prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Quantity>,
    /// Occupations for a timeline: the executor, its egress and ingress, some workers, aggregation.
    pub spans: Vec<Span>,
    /// What was computed from.
    pub inputs: Vec<Input>,
    /// What is to be known when reading these numbers.
    pub notes: Vec<String>,
}

/// Percentiles of the makespan over replicates.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorBar {
    /// 2.5th percentile, seconds.
    pub low: f64,
    /// Median, seconds.
    pub median: f64,
    /// 97.5th percentile, seconds.
    pub high: f64,
    /// Replicates.
    pub replicates: u64,
}

/// Times since the executor's start, in seconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Milestones {
    /// The first segment is executed and encoded.
    pub first_executed: f64,
    /// The last is.
    pub last_executed: f64,
    /// The first shipment is on its worker.
    pub first_shipped: f64,
    /// The last is.
    pub last_shipped: f64,
    /// The first segment is proven or folded.
    pub first_proven: f64,
    /// The last is.
    pub last_proven: f64,
    /// The final object is at the coordinator, before the last step.
    pub aggregated: f64,
}

/// What was moved of one kind.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferTotal {
    /// What.
    pub what: Transfer,
    /// How often.
    pub count: u64,
    /// Bytes of all.
    pub bytes: f64,
}

/// What went over a link.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkTotal {
    /// Which: `executor egress`, `executor ingress`, `worker ingress, mean`, …
    pub link: String,
    /// Bytes.
    pub bytes: f64,
}

/// Shares of the makespan, from 0 to 1, in which machines or links of one kind were in use.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Utilisation {
    /// Which: `executor`, `executor egress`, `executor ingress`, `workers`, and each group's name if there are several.
    pub resource: String,
    /// Mean over them.
    pub mean: f64,
    /// Least used.
    pub min: f64,
    /// Most used.
    pub max: f64,
}

/// A part of the critical path.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathStep {
    /// What time is spent on.
    pub resource: Resource,
    /// On which machine and for what.
    pub label: String,
    /// From, seconds since the start.
    pub start: f64,
    /// To.
    pub end: f64,
    /// Occupations merged into it.
    pub count: u64,
}

/// What one resource holds of the critical path.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Which.
    pub resource: Resource,
    /// Seconds.
    pub seconds: f64,
    /// Of the makespan, from 0 to 1.
    pub share: f64,
    /// The makespan if this resource took no time at all, seconds; computed for the greatest shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub makespan_without: Option<f64>,
}

/// The resource that binds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bottleneck {
    /// Which.
    pub resource: Resource,
    /// Its share of the critical path, from 0 to 1.
    pub share: f64,
    /// The makespan if it took no time at all, seconds: simulated again.
    pub makespan_without: f64,
    /// In a sentence.
    pub sentence: String,
}

/// An occupation of a machine or a link.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Lane of a timeline: `executor`, `executor egress`, `executor ingress`, `worker 17`, `aggregation`.
    pub lane: String,
    /// What it is spent on.
    pub resource: Resource,
    /// For what: `segment 12`, `segments 12–40`, `join, level 3`.
    pub label: String,
    /// From, seconds since the start.
    pub start: f64,
    /// To.
    pub end: f64,
    /// Whether the critical path passes through it.
    pub critical: bool,
}

/// A number that was computed with.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What, with its unit: `prove, seconds`.
    pub name: String,
    /// On which machine: `executor` or a group's name; empty if on none.
    pub machine: String,
    /// How many samples it has.
    pub num_samples: u64,
    /// The number, its samples left out.
    pub quantity: Quantity,
}
