//! How long proofs are: measured, modelled, and beside it how secure.
//!
//! A size counts as measured only if it is the length of a proof that was made, verified from its
//! bytes, and refused with one of its bits changed, all in this run.

mod opening;
mod segment;
mod sweep;
mod synthetic;

use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stark::security::Level;
use crate::stark::security::soundcalc::Circuit;
use crate::stark::size::{self, Size};
use crate::stark::{Params, Shape, security};
use crate::{Error, Result};

pub use opening::Opening;
pub use segment::ProvableSegment;
pub use sweep::{Options, Requirement, Suite, suite};
pub use synthetic::{MixAir, Synthetic};

/// Bytes of a KiB.
pub const KIB: f64 = 1024.0;

/// Sizes that proofs are held against, in KiB.
pub const LIMITS_KIB: [u32; 2] = [600, 300];

/// Something that can be proved with any parameters: a table made for the purpose, or a segment.
pub trait Subject {
    /// What it is, for people.
    fn name(&self) -> String;

    /// The shape of the proved batch.
    fn shape(&self) -> Shape;

    /// Proves it.
    ///
    /// # Errors
    /// Whatever keeps the prover from it.
    fn prove(&self, params: &Params) -> Result<Proved<'_>>;
}

/// Says whether bytes are a proof; the reason if not.
pub type Verifier<'a> = Box<dyn Fn(&[u8]) -> std::result::Result<(), String> + 'a>;

/// A proof and its verifier.
pub struct Proved<'a> {
    /// The proof as it is sent.
    pub bytes: Vec<u8>,
    /// Seconds from the trace to the bytes.
    pub seconds: f64,
    /// Decodes and verifies.
    pub verify: Verifier<'a>,
}

/// What was measured of a proof.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Its length.
    pub bytes: u64,
    /// Seconds from the trace to the bytes.
    pub prove_seconds: f64,
    /// Seconds from the bytes to the verdict.
    pub verify_seconds: f64,
    /// The bit that was changed when the proof was refused.
    pub flipped_bit: u64,
}

/// Where a row's size comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "SizeKind")]
pub enum Kind {
    /// From a proof of this run.
    Measured,
    /// From the model alone.
    Modelled,
    /// There is none; the note says why.
    Refused,
}

impl Kind {
    /// Its name, as in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Modelled => "modelled",
            Self::Refused => "refused",
        }
    }
}

/// The polynomial commitment scheme.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// FRI, in a STARK.
    Fri,
    /// WHIR, a commitment opened at one point.
    Whir,
}

impl Scheme {
    /// Its name, as in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fri => "fri",
            Self::Whir => "whir",
        }
    }
}

/// What the bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Object {
    /// A STARK of the tables.
    Proof,
    /// A commitment to the cells alone, opened at one point.
    Opening,
}

/// A level of security.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bits {
    /// Bits of the smallest term.
    pub bits: f64,
    /// That term.
    pub binding: String,
    /// Multiplicity of the Johnson regime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiplicity: Option<usize>,
}

/// A size with its parameters and its security.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ProofSizeRow")]
pub struct Row {
    /// What was proved.
    pub subject: String,
    /// Base-2 logarithm of the rows of the tallest table.
    pub log_height: u32,
    /// Field elements in all traces.
    pub elements: u64,
    /// A proof, or an opening alone.
    pub of: Object,
    /// How.
    pub scheme: Scheme,
    /// Why these parameters.
    pub purpose: String,
    /// Where the size comes from.
    pub kind: Kind,
    /// FRI's parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Params>,
    /// Other schemes' parameters, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// Expected length by the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modelled_bytes: Option<f64>,
    /// That length by part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modelled_parts: Option<Size>,
    /// Measured above modelled, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual_percent: Option<f64>,
    /// Unique decoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<Bits>,
    /// Johnson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub johnson: Option<Bits>,
    /// Johnson by the formulas of ethereum/soundcalc, which rest on BCHKS25 (eprint 2025/2055); the
    /// level above rests on a bound of 2026 (eprint 2026/2056).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub johnson_2025: Option<Bits>,
    /// Conjectured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conjectured: Option<Bits>,
    /// The better of the two proved levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provable_bits: Option<f64>,
    /// Why there is no size, or anything else worth saying.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Row {
    /// The row of FRI parameters, modelled until [`Row::with`] says otherwise.
    pub fn fri(subject: &dyn Subject, purpose: &str, params: &Params) -> Self {
        let shape = subject.shape();
        let size = size::batch(&shape, params);
        let row = Self {
            subject: subject.name(),
            log_height: shape.max_log_height(),
            elements: shape.elements(),
            of: Object::Proof,
            scheme: Scheme::Fri,
            purpose: purpose.to_owned(),
            kind: Kind::Modelled,
            params: None,
            setting: None,
            measured: None,
            modelled_bytes: Some(size.total()),
            modelled_parts: Some(size),
            residual_percent: None,
            unique: None,
            johnson: None,
            johnson_2025: None,
            conjectured: None,
            provable_bits: None,
            note: String::new(),
        };
        row.levels(params, &shape)
    }

    /// The row with FRI's parameters and the levels they give `shape`.
    fn levels(mut self, params: &Params, shape: &Shape) -> Self {
        let security = security(params, shape);
        let bits = |level: &Level| Bits {
            bits: level.bits(),
            binding: level.binding().name.to_owned(),
            multiplicity: level.multiplicity,
        };
        self.params = Some(*params);
        self.unique = Some(bits(&security.unique));
        self.johnson = security.johnson.as_ref().map(bits);
        let (multiplicity, binding, bits_2025) = Circuit::of(params, shape).best_johnson();
        self.johnson_2025 = Some(Bits {
            bits: bits_2025,
            binding,
            multiplicity: Some(multiplicity as usize),
        });
        self.conjectured = Some(bits(&security.conjectured));
        self.provable_bits = Some(security.provable().bits());
        self
    }

    /// The row with what was measured.
    pub fn with(mut self, measured: Measured) -> Self {
        self.kind = Kind::Measured;
        let modelled = self.modelled_bytes;
        self.residual_percent = modelled.map(|bytes| 100.0 * (measured.bytes as f64 / bytes - 1.0));
        self.measured = Some(measured);
        self
    }

    /// Bytes, measured if they were, otherwise modelled.
    pub fn bytes(&self) -> Option<f64> {
        let measured = self.measured.map(|measured| measured.bytes as f64);
        measured.or(self.modelled_bytes)
    }

    /// Whether the proof has at most `kib` KiB.
    pub fn fits(&self, kib: u32) -> Option<bool> {
        self.bytes().map(|bytes| bytes <= f64::from(kib) * KIB)
    }
}

/// Proves `subject`, verifies the bytes, and checks that they are refused with one bit changed.
///
/// Which bit follows from the proof.
///
/// # Errors
/// Whatever the prover says; [`Error::Differs`] if the proof does not verify, or still does after
/// the change.
pub fn measure(subject: &dyn Subject, params: &Params) -> Result<Measured> {
    let Proved {
        mut bytes,
        seconds,
        verify,
    } = subject.prove(params)?;
    check(&subject.name(), &mut bytes, &verify, seconds)
}

/// The part of [`measure`] after the prover.
pub(super) fn check(
    name: &str,
    bytes: &mut [u8],
    verify: &Verifier,
    prove_seconds: f64,
) -> Result<Measured> {
    let start = Instant::now();
    verify(bytes).map_err(|reason| {
        Error::Differs(format!("the proof of {name} does not verify: {reason}"))
    })?;
    let verify_seconds = start.elapsed().as_secs_f64();
    let digest = blake3::hash(bytes);
    let (first, _) = digest.as_bytes().split_first_chunk().expect("32 bytes");
    let flipped_bit = u64::from_le_bytes(*first) % (8 * bytes.len() as u64);
    let (byte, mask) = ((flipped_bit / 8) as usize, 1 << (flipped_bit % 8));
    bytes[byte] ^= mask;
    let refused = verify(bytes).is_err();
    bytes[byte] ^= mask;
    if !refused {
        return Err(Error::Differs(format!(
            "the proof of {name} still verifies with bit {flipped_bit} changed"
        )));
    }
    Ok(Measured {
        bytes: bytes.len() as u64,
        prove_seconds,
        verify_seconds,
        flipped_bit,
    })
}
