//! The result file: one run, with all that is needed to cite it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verdict::{Verdict, verdicts};
use super::write::schema_text;
use crate::measure::{
    FoldedSample, Guest, Hardware, Link, MeasuredSegment, Measurement, Parameters, ProvenSegment,
    Row,
};

/// Version of the format written, and the only one read.
pub const SCHEMA_VERSION: u32 = 1;

/// A run of the main job. `docs/method.md` explains the stages, `docs/result.schema.json` is the
/// schema of the file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResultFile {
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
    /// The link that shipments are meant for, measured or declared; none if none was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// The guest that was run.
    pub guest: Guest,
    /// What was asked for.
    pub parameters: Parameters,
    /// Segments in the run.
    pub num_segments: u64,
    /// The segments measured.
    pub segments: Vec<MeasuredSegment>,
    /// The segments proven.
    #[serde(default)]
    pub proofs: Vec<ProvenSegment>,
    /// Segments of which a sample of chunks was folded.
    #[serde(default)]
    pub folds: Vec<FoldedSample>,
    /// Measurements.
    pub rows: Vec<Row>,
    /// What follows from them for links that were not measured.
    pub verdicts: Vec<Verdict>,
    /// What was left out and why, in words.
    pub notes: Vec<String>,
}

/// The program that measured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Version of the package.
    pub version: String,
    /// Commit it was built from: 40 hexadecimal digits, or `unknown`.
    pub git_commit: String,
    /// Whether tracked files differed from that commit when the build script last ran.
    pub git_dirty: bool,
    /// Cargo features.
    pub features: Vec<String>,
    /// Cargo profile: `release` or `debug`.
    pub profile: String,
    /// Target triple.
    pub target: String,
}

impl Tool {
    /// This build.
    pub fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            git_commit: env!("REWIT_GIT_COMMIT").to_owned(),
            git_dirty: env!("REWIT_GIT_DIRTY") == "true",
            features: [
                ("cuda", cfg!(feature = "cuda")),
                ("peers", cfg!(feature = "peers")),
            ]
            .into_iter()
            .filter(|(_, there)| *there)
            .map(|(name, _)| name.to_owned())
            .collect(),
            profile: env!("REWIT_PROFILE").to_owned(),
            target: env!("REWIT_TARGET").to_owned(),
        }
    }

    /// Version, commit and profile, as reports begin.
    pub(super) fn headline(&self) -> String {
        let commit = self.git_commit.get(..12).unwrap_or(&self.git_commit);
        let dirty = if self.git_dirty { ", modified" } else { "" };
        let (version, profile) = (&self.version, &self.profile);
        format!("rewit {version} ({commit}{dirty}, {profile} build)")
    }
}

impl ResultFile {
    /// The file of a measurement by this build, without a link.
    ///
    /// - `created`: when the run started, RFC 3339.
    pub fn new(
        measurement: &Measurement,
        hardware: &Hardware,
        created: &str,
        elapsed_seconds: f64,
        complete: bool,
    ) -> Self {
        let rows = measurement.rows.to_vec();
        Self {
            schema_version: SCHEMA_VERSION,
            complete,
            created: created.to_owned(),
            elapsed_seconds,
            tool: Tool::this(),
            hardware: hardware.clone(),
            link: None,
            guest: measurement.guest.clone(),
            parameters: measurement.parameters.clone(),
            num_segments: measurement.num_segments,
            verdicts: verdicts(&measurement.segments, &rows),
            segments: measurement.segments.clone(),
            proofs: measurement.proofs.clone(),
            folds: measurement.folds.clone(),
            rows,
            notes: measurement.notes.clone(),
        }
    }
}

/// JSON Schema of [`ResultFile`], as published in `docs/result.schema.json`.
pub fn schema() -> String {
    schema_text::<ResultFile>()
}
