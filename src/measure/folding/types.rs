//! What a measurement of folding consists of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::{Guest, Kind, Summary};

/// What to fold, and how.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoldParameters {
    /// Number of the segment in the run.
    pub segment: u32,
    /// Base-2 logarithm of the cycles in a segment.
    pub log_cycles: u32,
    /// Base-2 logarithm of the rows of a chunk, where all chunks are folded.
    pub log_rows: u32,
    /// Orders in which all chunks are folded: `seq`, `tree`.
    pub orders: Vec<String>,
    /// Base-2 logarithms of the rows of a chunk, where a sample of chunks is folded.
    pub sizes: Vec<u32>,
    /// Folds of the cpu table in such a sample, as far as there are chunks.
    pub sample_folds: u32,
    /// The backend: `cpu` or `cuda`.
    pub backend: String,
    /// Threads.
    pub threads: u32,
}

/// The relation of a table at a chunk size: counts per chunk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableSize {
    /// Name of the table.
    pub table: String,
    /// Rows of the table.
    pub rows: u64,
    /// Base-2 logarithm of the rows of a chunk.
    pub log_rows: u32,
    /// Chunks.
    pub num_chunks: u64,
    /// Quadratic constraints, hence scalars of the error vector.
    pub quadratic: u64,
    /// Linear constraints, which have no part in the error vector.
    pub linear: u64,
    /// Public values.
    pub public: u64,
    /// Scalars of the part that whoever verifies knows.
    pub known: u64,
    /// Scalars of the trace and of auxiliary products.
    pub main: u64,
    /// Scalars of the lookup argument.
    pub lookup: u64,
    /// Bytes that the chunk's rows take in the tables: four a cell, what a STARK commits to.
    pub cell_bytes: u64,
    /// Bytes of a fresh instance: public values and three commitments.
    pub fresh_bytes: u64,
    /// Bytes of a folded instance: with `u` and the commitment to E.
    pub instance_bytes: u64,
    /// Bytes of a folded witness as it travels, with E, without the instance.
    pub folded_bytes: u64,
}

impl TableSize {
    /// Scalars of the witness.
    pub fn witness(&self) -> u64 {
        self.known + self.main + self.lookup
    }

    /// Bytes of W once folded, as scalars of 32 bytes.
    pub fn witness_bytes(&self) -> u64 {
        32 * self.witness()
    }

    /// Bytes of E once folded; before the first fold it is zero and none are needed.
    pub fn error_bytes(&self) -> u64 {
        32 * self.quadratic
    }

    /// Bytes of an accumulator on the wire.
    pub fn accumulator_bytes(&self) -> u64 {
        self.instance_bytes + self.folded_bytes
    }
}

/// A stage of folding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FoldStage {
    /// The rows of a chunk to the parts of its witness.
    Assign,
    /// The parts to where the backend computes.
    Upload,
    /// Commitments to the parts.
    Commit,
    /// Products of the matrices with a fresh instance's variables.
    Products,
    /// The cross term of two instances.
    CrossTerm,
    /// The commitment to the cross term.
    CommitCrossTerm,
    /// Multiples of witness, error vector and cached products, added to another's.
    Axpy,
    /// The transcript, and multiples of instances' commitments.
    Points,
}

impl FoldStage {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Assign,
        Self::Upload,
        Self::Commit,
        Self::Products,
        Self::CrossTerm,
        Self::CommitCrossTerm,
        Self::Axpy,
        Self::Points,
    ];

    /// Its name in result files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::Upload => "upload",
            Self::Commit => "commit",
            Self::Products => "products",
            Self::CrossTerm => "cross-term",
            Self::CommitCrossTerm => "commit-cross-term",
            Self::Axpy => "axpy",
            Self::Points => "points",
        }
    }
}

/// Seconds in a stage, all folds together.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageSeconds {
    /// The stage.
    pub stage: FoldStage,
    /// Seconds.
    pub seconds: f64,
}

/// Transfers between machines if every fold is made by one that holds neither input.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hops {
    /// Name of the table.
    pub table: String,
    /// Level of the tree, from 0 at the leaves; 0 where instances are folded one after another.
    pub level: u32,
    /// Folds on this level.
    pub folds: u64,
    /// Bytes of the two instances with their witnesses that each fold is sent, together.
    pub sent_bytes: u64,
    /// Bytes of the results and the commitments to cross terms that come back, together.
    pub returned_bytes: u64,
}

/// All chunks of a segment, folded and verified.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Always `measured`.
    pub kind: Kind,
    /// The order: `seq` or `tree`.
    pub order: String,
    /// Folds of all tables.
    pub folds: u64,
    /// Seconds from the tables to the proof.
    pub seconds: f64,
    /// Seconds by stage, summed over folds.
    pub stages: Vec<StageSeconds>,
    /// Transfers by table and level.
    pub hops: Vec<Hops>,
    /// Bytes of the proof: all instances, cross-term commitments, and final accumulators with what they open to.
    pub proof_bytes: u64,
    /// Bytes of the accumulators in it, with what they open to.
    pub accumulator_bytes: u64,
    /// Seconds to verify the proof from its bytes.
    pub verify_seconds: f64,
    /// Most memory in use meanwhile, that of the tables included, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
}

impl Session {
    /// Bytes of all transfers.
    pub fn hop_bytes(&self) -> u64 {
        let both = self.hops.iter();
        let bytes = both.map(|hops| hops.sent_bytes.saturating_add(hops.returned_bytes));
        bytes.fold(0, u64::saturating_add)
    }

    /// Seconds in a stage.
    pub fn stage(&self, stage: FoldStage) -> f64 {
        let of_stage = self.stages.iter().filter(|entry| entry.stage == stage);
        of_stage.map(|entry| entry.seconds).sum()
    }
}

/// Measurements of the same thing on several chunks or steps.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// Samples, in the order they were taken.
    pub samples: Vec<f64>,
    /// What they say together.
    pub summary: Summary,
}

impl Samples {
    /// `None` without samples.
    pub fn new(samples: Vec<f64>) -> Option<Self> {
        let summary = Summary::of(&samples)?;
        Some(Self { samples, summary })
    }
}

/// A chunk size: what its relations hold, and what folding a chunk of the cpu table takes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SizeRow {
    /// Always `measured`: encodings were counted, folds timed.
    pub kind: Kind,
    /// Base-2 logarithm of the rows of a chunk.
    pub log_rows: u32,
    /// The tables; the cpu table is first.
    pub tables: Vec<TableSize>,
    /// Bytes of a chunk's witness as it travels before it is folded, when its integers are small: the trace and auxiliary
    /// products; none if the cpu table has only one chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_witness: Option<Samples>,
    /// Seconds of the commitments to a chunk of the cpu table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Samples>,
    /// Seconds of products and cross term of a fold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_term: Option<Samples>,
    /// Seconds of the rest of a fold: commitment to the cross term, linear combinations, transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Samples>,
}

impl SizeRow {
    /// The table with a row a cycle.
    pub fn cpu(&self) -> Option<&TableSize> {
        self.tables.first()
    }

    /// Bytes of an accumulator for each table: what a segment is once folded.
    pub fn segment_bytes(&self) -> u64 {
        self.tables.iter().map(TableSize::accumulator_bytes).sum()
    }

    /// Median seconds of all stages of a chunk of the cpu table.
    pub fn seconds(&self) -> Option<f64> {
        let parts = [&self.commit, &self.cross_term, &self.fold];
        let medians = parts.map(|times| times.as_ref().map(|times| times.summary.median));
        medians.into_iter().sum()
    }
}

/// A step for another project's prover: constraints with a variable each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeerStep {
    /// Variables of at most 16 bits.
    pub small: u64,
    /// Variables as large as the field.
    pub full: u64,
}

impl PeerStep {
    /// A step that commits to as many scalars, in W and E together, as a chunk does, with the same share of small ones in W.
    pub fn like(size: &TableSize) -> Self {
        let constraints = (size.witness() + size.quadratic) / 2;
        let full = constraints * size.lookup / size.witness().max(1);
        Self {
            small: constraints - full,
            full,
        }
    }
}

/// Another project's prover on a step of equal size, in the same run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Name and version.
    pub name: String,
    /// Always `measured`.
    pub kind: Kind,
    /// Curves.
    pub curve: String,
    /// Base-2 logarithm of the rows of the chunk that the step is as large as.
    pub log_rows: u32,
    /// The step.
    pub step: PeerStep,
    /// Constraints of step and verifier circuit.
    pub primary_constraints: u64,
    /// Their variables.
    pub primary_variables: u64,
    /// Constraints on the other curve.
    pub secondary_constraints: u64,
    /// Constraints of the verifier circuit: those beside the step's.
    pub verifier_constraints: u64,
    /// Seconds to make parameters.
    pub setup_seconds: f64,
    /// Seconds a step that folds.
    pub prove: Samples,
    /// Seconds to verify the proof from its bytes.
    pub verify_seconds: f64,
    /// Bytes of the proof.
    pub bytes: u64,
}

/// Everything measured of folding one segment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoldMeasurement {
    /// The guest.
    pub guest: Guest,
    /// What was asked for.
    pub parameters: FoldParameters,
    /// Bytes of the segment's tables.
    pub witness_bytes: u64,
    /// Bytes of the segment's minimal trace, from which the tables were filled: raw `reads` shipment.
    pub shipment_bytes: u64,
    /// Sizes of the relations where all chunks are folded.
    pub tables: Vec<TableSize>,
    /// All chunks folded.
    pub sessions: Vec<Session>,
    /// Chunk sizes.
    pub sizes: Vec<SizeRow>,
    /// Other projects.
    pub peers: Vec<Peer>,
}
