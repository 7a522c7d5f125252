//! What follows from folding's measured sizes: trees of 1000 leaves, and the note's questions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answers::answers;
use crate::measure::{FoldMeasurement, Kind, TableSize};
use crate::model::{
    Alternative, Folded, SCALAR_BYTES, StepSize, Tree, VerifierCircuit, alternatives,
    published_circuits,
};
use crate::stark::security::{Level, security};
use crate::stark::{Params, Shape, size};

/// Leaves of the note's tree.
pub(super) const LEAVES: u64 = 1000;
/// The note's size of a proof and of a folded witness that would match it.
pub(super) const NOTE_BYTES: u64 = 250_000;

/// A proof of a whole segment, by this repository's parameters and model.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StarkSize {
    /// Always `modelled`: the model is within 1 % of the mean of measured proofs.
    pub kind: Kind,
    /// Base-2 logarithm of the rows of the cpu table.
    pub log_rows: u32,
    /// Its parameters.
    pub params: Params,
    /// Bytes of the argument.
    pub bytes: f64,
    /// Provable bits of security within the unique decoding radius; computed, as are the next two.
    pub unique_decoding_bits: f64,
    /// Provable bits of security within the Johnson bound, where it applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub johnson_bits: Option<f64>,
    /// Conjectured bits of security.
    pub conjectured_bits: f64,
}

impl StarkSize {
    /// The size of a proof of `shape`.
    pub fn new(log_rows: u32, shape: &Shape, params: &Params) -> Self {
        let security = security(params, shape);
        Self {
            kind: Kind::Modelled,
            log_rows,
            params: *params,
            bytes: size::batch(shape, params).total(),
            unique_decoding_bits: security.unique.bits(),
            johnson_bits: security.johnson.as_ref().map(Level::bits),
            conjectured_bits: security.conjectured.bits(),
        }
    }

    /// The better of the two proved levels.
    pub fn provable_bits(&self) -> f64 {
        self.johnson_bits.map_or(self.unique_decoding_bits, |bits| {
            bits.max(self.unique_decoding_bits)
        })
    }
}

/// An aggregation tree over 1000 objects of one size.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TreeRow {
    /// What is joined.
    pub object: String,
    /// Where its size comes from; the tree itself is arithmetic.
    pub kind: Kind,
    /// Bytes of an object.
    pub bytes: f64,
    /// Bytes moved if both objects of a join are sent and the result is returned.
    pub tree_bytes: f64,
    /// Bytes moved if a machine that holds one of the two joins them.
    pub in_place_bytes: f64,
}

/// A question of the note, and what the numbers say.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The question.
    pub question: String,
    /// The answer, with the numbers it rests on.
    pub answer: String,
}

/// What follows from the measurement.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoldModel {
    /// Verifier circuits, published and, with the feature `peers`, measured.
    pub circuits: Vec<VerifierCircuit>,
    /// Trees over 1000 segments.
    pub trees: Vec<TreeRow>,
    /// Other ways to hand on what was folded.
    pub alternatives: Vec<Alternative>,
    /// The note's questions.
    pub answers: Vec<Answer>,
}

/// What scalars a chunk of the table commits to.
pub(super) fn step(size: &TableSize) -> StepSize {
    StepSize {
        witness: size.witness(),
        error: size.quadratic,
    }
}

/// Computes everything that is modelled.
pub fn fold_model(measured: &FoldMeasurement, starks: &[StarkSize]) -> FoldModel {
    let mut circuits = published_circuits();
    for peer in &measured.peers {
        let measured = VerifierCircuit {
            name: format!("{}, {}", peer.name, peer.curve),
            kind: peer.kind,
            primary: peer.verifier_constraints,
            secondary: Some(peer.secondary_constraints),
            source: "counted in this run".into(),
        };
        if !circuits.contains(&measured) {
            circuits.push(measured);
        }
    }
    let sum = |get: fn(&TableSize) -> u64| measured.tables.iter().map(get).sum::<u64>();
    let folded = Folded {
        size: StepSize {
            witness: sum(TableSize::witness),
            error: sum(|table| table.quadratic),
        },
        instance_bytes: sum(|table| table.instance_bytes),
        history_bytes: sum(|table| {
            table.num_chunks * table.fresh_bytes + (table.num_chunks - 1) * SCALAR_BYTES
        }),
        shipment_bytes: measured.shipment_bytes,
    };
    let trees = trees(measured, starks, &circuits);
    let answers = answers(measured, &circuits, &trees);
    FoldModel {
        circuits,
        trees,
        alternatives: alternatives(&folded),
        answers,
    }
}

fn trees(
    measured: &FoldMeasurement,
    starks: &[StarkSize],
    circuits: &[VerifierCircuit],
) -> Vec<TreeRow> {
    let tree = Tree::new(LEAVES);
    let row = |object: String, kind, bytes: f64| TreeRow {
        object,
        kind,
        bytes,
        tree_bytes: tree.bytes(bytes),
        in_place_bytes: tree.bytes_in_place(bytes),
    };
    let mut rows = vec![row(
        "the note's proof".into(),
        Kind::Declared,
        NOTE_BYTES as f64,
    )];
    for stark in starks {
        rows.push(row(
            format!(
                "STARK of 2^{} rows, blowup {}, {:.0} provable bits, {:.0} conjectured",
                stark.log_rows,
                1 << stark.params.log_blowup,
                stark.provable_bits(),
                stark.conjectured_bits
            ),
            stark.kind,
            stark.bytes,
        ));
    }
    for size in &measured.sizes {
        rows.push(row(
            format!("accumulators, chunks of 2^{} rows", size.log_rows),
            size.kind,
            size.segment_bytes() as f64,
        ));
    }
    // What whoever gets only the accumulators needs besides, to be convinced of the folds.
    let least = circuits.iter().min_by_key(|circuit| circuit.primary);
    let nova = circuits
        .iter()
        .find(|circuit| circuit.name.starts_with("Nova, "));
    for circuit in [least, nova].into_iter().flatten() {
        for size in measured
            .sizes
            .first()
            .iter()
            .chain(measured.sizes.last().iter())
        {
            let verifier = StepSize::of_circuit(circuit.primary).folded_bytes();
            rows.push(row(
                format!(
                    "accumulators, chunks of 2^{} rows, with one verifier circuit ({})",
                    size.log_rows, circuit.name
                ),
                Kind::Modelled,
                (size.segment_bytes() + verifier) as f64,
            ));
        }
    }
    for peer in &measured.peers {
        rows.push(row(
            format!(
                "{}, a step as large as a chunk of 2^{} rows",
                peer.name, peer.log_rows
            ),
            peer.kind,
            peer.bytes as f64,
        ));
    }
    rows
}
