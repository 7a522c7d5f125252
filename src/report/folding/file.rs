//! The result file of `rewit fold`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::{FoldModel, StarkSize, fold_model};
use crate::measure::{FoldMeasurement, Hardware};
use crate::report::Tool;
use crate::report::write::{json_text, schema_text};

/// What the file says it is.
pub const FOLDING_FORMAT: &str = "rewit folding";
/// Version of the format written, and the only one read.
pub const FOLDING_VERSION: u32 = 1;

/// A run of `rewit fold`. `docs/folding.md` explains it, `docs/folding.schema.json` is the schema of
/// the file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoldingFile {
    /// What the file is: `rewit folding`.
    pub format: String,
    /// Version of the format.
    pub schema_version: u32,
    /// False in a file of a run that goes on or was cut short.
    pub complete: bool,
    /// When the run started, RFC 3339 in UTC.
    pub created: String,
    /// Seconds since the start when the file was written.
    pub elapsed_seconds: f64,
    /// The program that measured.
    pub tool: Tool,
    /// The machine it ran on.
    pub hardware: Hardware,
    /// What was measured.
    pub measured: FoldMeasurement,
    /// Proofs of a whole segment to compare with: sizes modelled, security computed.
    pub starks: Vec<StarkSize>,
    /// What follows from both.
    pub modelled: FoldModel,
}

impl FoldingFile {
    /// The file of a measurement by this build.
    ///
    /// - `created`: when the run started, RFC 3339.
    pub fn new(
        measured: FoldMeasurement,
        starks: Vec<StarkSize>,
        hardware: Hardware,
        created: &str,
        elapsed_seconds: f64,
        complete: bool,
    ) -> Self {
        Self {
            format: FOLDING_FORMAT.to_owned(),
            schema_version: FOLDING_VERSION,
            complete,
            created: created.to_owned(),
            elapsed_seconds,
            tool: Tool::this(),
            hardware,
            modelled: fold_model(&measured, &starks),
            measured,
            starks,
        }
    }

    /// The file's text: JSON, indented, with a line end.
    pub fn to_json(&self) -> String {
        json_text(self)
    }
}

/// JSON Schema of [`FoldingFile`], as published in `docs/folding.schema.json`.
pub fn folding_schema() -> String {
    schema_text::<FoldingFile>()
}
