//! A proof to change, and what became of the changes.

use std::collections::BTreeMap;

use rewit::stark::{DecodeError, Params, Prover, SegmentProof, VerifyError};

use super::parts::{Part, parts};
use super::{Run, guest, input};

/// A proof and what a verifier is told.
pub struct Target {
    pub params: Params,
    pub program: blake3::Hash,
    pub bytes: Vec<u8>,
}

impl Target {
    /// A segment that ends within a transfer, by a prover with these parameters.
    pub fn new(params: Params) -> Self {
        let run = Run::new(guest(), input(), 8);
        let prover = Prover::new(&run.program, params).unwrap();
        let proof = prover.prove(0, run.witnesses[0].clone()).unwrap();
        let target = Self {
            params,
            program: prover.key().digest(&params),
            bytes: proof.encode(),
        };
        assert_eq!(target.outcome(&target.bytes), Ok(()));
        target
    }

    pub fn parts(&self) -> Vec<Part> {
        parts(&self.bytes, self.params.extension.into())
    }

    pub fn proof(&self) -> SegmentProof {
        SegmentProof::decode(&self.bytes).unwrap()
    }

    /// Why `bytes` are refused, if they are: the name of the variant.
    pub fn outcome(&self, bytes: &[u8]) -> Result<(), String> {
        let proof = SegmentProof::decode(bytes).map_err(|error| match error {
            // Other bytes are another part.
            DecodeError::BadPart { part, .. } => format!("decode: {part}"),
            error => format!("decode: {}", variant(&error)),
        })?;
        self.verify(&proof)
    }

    pub fn verify(&self, proof: &SegmentProof) -> Result<(), String> {
        let result = proof.verify(&self.params, &self.program);
        result.map_err(|error| match error {
            VerifyError::Opening(reason) => format!("Opening: {}", variant(&reason)),
            VerifyError::Shape(_) => "Shape".to_owned(),
            error => variant(&error),
        })
    }
}

/// The first word of what `Debug` prints.
fn variant(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    let text = text.trim_start_matches('"');
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

/// What became of changed proofs, by the part that was changed.
#[derive(Default)]
pub struct Table(BTreeMap<String, (usize, BTreeMap<String, usize>)>);

impl Table {
    pub fn add(&mut self, part: &str, outcome: Result<(), String>) {
        let (tried, reasons) = self.0.entry(part.to_owned()).or_default();
        *tried += 1;
        *reasons
            .entry(outcome.err().unwrap_or("ACCEPTED".into()))
            .or_default() += 1;
    }

    pub fn print(&self) {
        println!("{:32} {:>6} {:>8}  reasons", "part", "tried", "refused");
        for (part, (tried, reasons)) in &self.0 {
            let accepted = reasons.get("ACCEPTED").copied().unwrap_or(0);
            let reasons: Vec<_> = reasons.iter().map(|(r, n)| format!("{r} {n}")).collect();
            println!(
                "{part:32} {tried:6} {:8}  {}",
                tried - accepted,
                reasons.join(", ")
            );
        }
        println!("{} changes", self.tried());
    }

    pub fn tried(&self) -> usize {
        self.0.values().map(|(tried, _)| tried).sum()
    }

    /// Number of parts that were changed.
    pub fn num_parts(&self) -> usize {
        self.0.len()
    }

    pub fn expect_all_refused(&self) {
        let accepted: Vec<_> = self
            .0
            .iter()
            .filter(|(_, (_, reasons))| reasons.contains_key("ACCEPTED"))
            .map(|(part, _)| part)
            .collect();
        assert!(
            accepted.is_empty(),
            "accepted with a change in {accepted:?}"
        );
    }
}
