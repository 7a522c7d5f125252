//! What a segment costs on one machine: what ledger, closed form and simulation start from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Quantity, StepSize};
use crate::ship::{Compression, Encoding};

/// The costs of one guest at one segment size on one kind of machine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// The machine, in words: processor, threads used, GPU.
    pub machine: String,
    /// Name of the guest.
    pub guest: String,
    /// The backend that regenerates, proves and folds: `cpu` or `cuda`.
    pub backend: String,
    /// Base-2 logarithm of the cycles in a segment.
    pub log_cycles: u32,
    /// Bytes of a segment's witness.
    pub witness_bytes: Quantity,
    /// Bytes of the program, which a worker needs once, unless the encoding brings it.
    pub program_bytes: Quantity,
    /// Bytes of the guest's input.
    pub input_bytes: Quantity,
    /// Cycles a second of the serial executor, nothing recorded.
    pub execute_hz: Quantity,
    /// The same, recording the values read.
    pub record_reads_hz: Quantity,
    /// The same, recording values read and pages touched.
    pub record_all_hz: Quantity,
    /// Encodings in the compressions measured.
    pub encodings: Vec<EncodingCost>,
    /// Proving a segment; none if that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofCost>,
    /// Folding a segment; none if that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<FoldCost>,
}

/// A segment in one encoding and compression.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EncodingCost {
    /// Name of the encoding.
    pub encoding: String,
    /// Name of the compression.
    pub compression: String,
    /// Bytes on the wire.
    pub bytes: Quantity,
    /// Seconds to encode, on the executor's machine.
    pub encode_seconds: Quantity,
    /// Seconds to decode, on the worker.
    pub decode_seconds: Quantity,
    /// Seconds to regenerate the witness, on the worker.
    pub regenerate_seconds: Quantity,
}

/// A segment's proof.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofCost {
    /// Seconds to prove a segment.
    pub seconds: Quantity,
    /// Bytes of the proof, statement included.
    pub bytes: Quantity,
    /// Of these the statement: what a receipt adds to the argument.
    pub statement_bytes: Quantity,
    /// Seconds to verify it.
    pub verify_seconds: Quantity,
    /// Most memory in use meanwhile, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Bits of security proven by the Johnson bound, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub johnson_bits: Option<f64>,
}

/// A segment folded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoldCost {
    /// Base-2 logarithm of the rows of a chunk.
    pub log_rows: u32,
    /// Seconds to fold all chunks of a segment.
    pub seconds: Quantity,
    /// Bytes of the accumulators of all tables, with what they open to.
    pub accumulator_bytes: Quantity,
    /// Seconds to merge two such sets of accumulators.
    pub merge_seconds: Quantity,
}

/// What folding makes of a segment at one chunk size.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoldedSize {
    /// Name of the guest.
    pub guest: String,
    /// Base-2 logarithm of the rows of a chunk.
    pub log_rows: u32,
    /// Bytes of a chunk's cells in the cpu table, four each.
    pub cell_bytes: u64,
    /// Scalars of the cpu table's accumulator.
    pub cpu: StepSize,
    /// Bytes of the cpu table's accumulator.
    pub cpu_bytes: u64,
    /// Bytes of the accumulators of all tables.
    pub segment_bytes: u64,
    /// Seconds to fold a chunk of the cpu table, its commitments included; none if it was not timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_seconds: Option<Quantity>,
}

impl Costs {
    /// Cycles of a full segment.
    pub fn segment_cycles(&self) -> u64 {
        1 << self.log_cycles
    }

    /// The cost of an encoding in a compression, if it was measured.
    pub fn encoding(&self, encoding: Encoding, compression: Compression) -> Option<&EncodingCost> {
        let (encoding, compression) = (encoding.name(), compression.name());
        self.encodings
            .iter()
            .find(|cost| cost.encoding == encoding && cost.compression == compression)
    }
}
