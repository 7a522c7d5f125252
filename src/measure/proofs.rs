//! Proving segments as part of the main job.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::{State, another, time};
use super::{Key, PeakMemory, Stage};
use crate::backend::{Backend, Folding};
use crate::stark::security::{Level, security};
use crate::stark::{Params, Proving, SegmentProof, Shape};
use crate::witness::Witness;
use crate::{Error, Result};

/// A segment that was proven, and whose proof was verified.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvenSegment {
    /// Its number in the run.
    pub index: u32,
    /// Rows of its cpu table.
    pub rows: u32,
    /// Length of the argument: what is called the size of a proof.
    pub argument_bytes: u64,
    /// Length of the statement: public values, touched words before and after, system calls.
    pub statement_bytes: u64,
    /// Provable bits of security within the unique decoding radius; computed, as are the next two.
    pub unique_decoding_bits: f64,
    /// Provable bits of security within the Johnson bound, where it applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub johnson_bits: Option<f64>,
    /// Conjectured bits of security.
    pub conjectured_bits: f64,
    /// Most memory in use while proving, that of the job included, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
}

impl ProvenSegment {
    fn new(
        proof: &SegmentProof,
        shape: &Shape,
        rows: usize,
        peak_memory_bytes: Option<u64>,
    ) -> Self {
        let security = security(&proof.params, shape);
        Self {
            index: proof.statement.index,
            rows: rows as u32,
            argument_bytes: proof.argument.encode().len() as u64,
            statement_bytes: proof.encode_statement().len() as u64,
            unique_decoding_bits: security.unique.bits(),
            johnson_bits: security.johnson.as_ref().map(Level::bits),
            conjectured_bits: security.conjectured.bits(),
            peak_memory_bytes,
        }
    }
}

impl<B: Proving + Folding> State<'_, '_, B> {
    /// Proves a segment and verifies the proof, which must be rejected when a bit of it changes.
    ///
    /// # Errors
    /// [`Error::Differs`] if the proof is rejected, or accepted where it must not be.
    pub(super) fn prove(&mut self, index: u32, params: &Params, witness: Witness) -> Result<()> {
        let rows = witness.cpu.height();
        let (prover, took) = time(|| self.backend.prover(self.job.program, *params));
        let prover = prover?;
        self.add(
            Key::prove(Backend::name(self.backend), Some("setup")),
            Some(index),
            took,
        );
        let key = prover.key().digest(params);

        let peak = PeakMemory::start();
        let (proof, took) = time(|| prover.prove(index, witness));
        let proof = proof?;
        self.add(
            Key::prove(Backend::name(self.backend), None),
            Some(index),
            took,
        );
        let memory = peak.bytes();
        let shape = Shape::of_proof(&proof).map_err(|error| own(index, &error.to_string()))?;
        let proven = ProvenSegment::new(&proof, &shape, rows, memory);
        let sizes = [
            ("argument", proven.argument_bytes),
            ("statement", proven.statement_bytes),
        ];
        for (part, bytes) in sizes {
            let key = Key::proof(Stage::ProofSize, Some(part));
            self.measurement.rows.add(key, Some(index), bytes as f64);
        }

        let bytes = proof.encode();
        let (mut taken, mut spent) = (0, Duration::ZERO);
        while another(taken, spent, self.job.parameters.samples) {
            let (verified, took) = time(|| {
                let proof = SegmentProof::decode(&bytes).map_err(|error| error.to_string())?;
                proof
                    .verify(params, &key)
                    .map_err(|error| error.to_string())
            });
            verified.map_err(|error| own(index, &error))?;
            self.add(Key::proof(Stage::Verify, None), Some(index), took);
            (taken, spent) = (taken + 1, spent + took);
        }
        let mut changed = bytes;
        if let Some(byte) = changed.last_mut() {
            *byte ^= 1;
        }
        if SegmentProof::decode(&changed).is_ok_and(|proof| proof.verify(params, &key).is_ok()) {
            return Err(Error::Differs(format!(
                "segment {index}: a proof with a changed bit is accepted"
            )));
        }
        self.measurement.proofs.push(proven);
        self.report(&format!("segment {index}: proof"), 1, true)
    }
}

fn own(index: u32, reason: &str) -> Error {
    Error::Differs(format!("segment {index}: own proof rejected: {reason}"))
}
