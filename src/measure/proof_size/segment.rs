//! A segment of a real run, to be proved with any parameters.

use std::time::Instant;

use super::{Proved, Subject, Verifier};
use crate::Result;
use crate::stark::{Argument, Params, Prover, SegmentProof, Shape, Statement};
use crate::vm::Program;
use crate::witness::Witness;

/// A segment with its witness. Sizes are those of the argument: the statement is the same length
/// whatever the parameters.
pub struct ProvableSegment<'p> {
    name: String,
    program: &'p Program,
    witness: Witness,
    statement: Statement,
}

impl<'p> ProvableSegment<'p> {
    /// Segment `index` of a run of `program`.
    ///
    /// - `name`: what to call the program.
    pub fn new(name: &str, index: u32, program: &'p Program, witness: Witness) -> Self {
        let log_rows = witness.cpu.height().ilog2();
        Self {
            name: format!("{name}, segment {index}, 2^{log_rows} rows"),
            program,
            statement: Statement::new(index, &witness),
            witness,
        }
    }
}

impl Subject for ProvableSegment<'_> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn shape(&self) -> Shape {
        Shape::of_witness(&self.witness, &self.statement)
    }

    fn prove(&self, params: &Params) -> Result<Proved<'_>> {
        // Once per program, so not part of a proof's time.
        let prover = Prover::new(self.program, *params)?;
        let witness = self.witness.clone();
        let start = Instant::now();
        let proof = prover.prove(self.statement.index, witness)?;
        let bytes = proof.argument.encode();
        let seconds = start.elapsed().as_secs_f64();
        let key = prover.key().digest(params);
        let verify: Verifier = Box::new(move |bytes| {
            let proof = SegmentProof {
                params: proof.params,
                key: proof.key.clone(),
                statement: proof.statement.clone(),
                argument: Argument::decode(proof.params.extension, bytes)
                    .map_err(|error| error.to_string())?,
            };
            proof
                .verify(&proof.params, &key)
                .map_err(|error| error.to_string())
        });
        Ok(Proved {
            bytes,
            seconds,
            verify,
        })
    }
}
