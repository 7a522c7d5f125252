//! The file of `rewit run --profile full`: every stage at several sizes, on one machine.

mod table;
mod validate;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::write::{json_text, schema_text};
use super::{FoldingFile, ProofSizes, ResultFile, Tool};
use crate::measure::{Hardware, Link};

pub use validate::read_profile;

/// What the file says it is.
pub const PROFILE_FORMAT: &str = "rewit profile";
/// Version of the format written, and the only one read.
pub const PROFILE_VERSION: u32 = 1;

/// Files of several measurements by one program on one machine. Each part is a file that could
/// stand alone; `docs/profile.schema.json` is the schema.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    /// What the file is: `rewit profile`.
    pub format: String,
    /// Version of the format.
    pub schema_version: u32,
    /// False in a file of a run that goes on or was cut short.
    pub complete: bool,
    /// When the run started, RFC 3339 in UTC.
    pub created: String,
    /// Seconds since the start when the file was written.
    pub elapsed_seconds: f64,
    /// The program that measured: that of every part.
    pub tool: Tool,
    /// The machine it ran on: that of every part.
    pub hardware: Hardware,
    /// The link that shipments are meant for, measured or declared; none if none was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// Runs of the main job, one for each size of segment.
    pub runs: Vec<ResultFile>,
    /// Measurements of folding.
    pub foldings: Vec<FoldingFile>,
    /// Runs of the proof-size suite.
    pub proof_sizes: Vec<ProofSizes>,
    /// What was left out and why, in words.
    pub notes: Vec<String>,
}

impl ProfileFile {
    /// A file without parts yet, by this build.
    ///
    /// - `created`: when the run started, RFC 3339.
    pub fn new(hardware: &Hardware, created: &str) -> Self {
        Self {
            format: PROFILE_FORMAT.to_owned(),
            schema_version: PROFILE_VERSION,
            complete: false,
            created: created.to_owned(),
            elapsed_seconds: 0.0,
            tool: Tool::this(),
            hardware: hardware.clone(),
            link: None,
            runs: Vec::new(),
            foldings: Vec::new(),
            proof_sizes: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Says the same of the machine in the file and in every part: what was seen of it while it
    /// worked is known only in the end.
    pub fn set_hardware(&mut self, hardware: &Hardware) {
        self.hardware.clone_from(hardware);
        let runs = self.runs.iter_mut().map(|run| &mut run.hardware);
        let foldings = self
            .foldings
            .iter_mut()
            .map(|folding| &mut folding.hardware);
        let sizes = self.proof_sizes.iter_mut().map(|sizes| &mut sizes.hardware);
        for part in runs.chain(foldings).chain(sizes) {
            part.clone_from(hardware);
        }
    }

    /// The file's text: JSON, indented, with a line end.
    pub fn to_json(&self) -> String {
        json_text(self)
    }
}

/// JSON Schema of [`ProfileFile`], as published in `docs/profile.schema.json`.
pub fn profile_schema() -> String {
    schema_text::<ProfileFile>()
}
