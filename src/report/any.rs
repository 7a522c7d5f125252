//! A file that this tool wrote, whichever it is.

use serde::Deserialize;

use super::check::{bad, length};
use super::{
    FOLDING_FORMAT, FoldingFile, PROFILE_FORMAT, PROOF_SIZE_FORMAT, ProfileFile, ProofSizes,
    ResultFile, Tool, read, read_folding, read_profile, read_proof_sizes,
};
use crate::Result;
use crate::measure::Hardware;

/// A result file of any kind, checked.
#[derive(Clone, PartialEq, Debug)]
pub enum AnyFile {
    /// Of `rewit run`.
    Run(Box<ResultFile>),
    /// Of `rewit fold`.
    Folding(Box<FoldingFile>),
    /// Of `rewit proof-size`.
    ProofSizes(Box<ProofSizes>),
    /// Of `rewit run --profile full`.
    Profile(Box<ProfileFile>),
}

/// What says of which kind a file is; those of `rewit run` have no `format`.
#[derive(Deserialize)]
struct Look {
    format: Option<String>,
}

impl AnyFile {
    /// Reads a file of any kind, and checks it as the reader of its kind does.
    ///
    /// # Errors
    /// [`Error::ResultFile`](crate::Error::ResultFile) naming the field. Never panics.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        length(bytes)?;
        let look: Look = serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
        Ok(match look.format.as_deref() {
            None => Self::Run(Box::new(read(bytes)?)),
            Some(FOLDING_FORMAT) => Self::Folding(Box::new(read_folding(bytes)?)),
            Some(PROOF_SIZE_FORMAT) => Self::ProofSizes(Box::new(read_proof_sizes(bytes)?)),
            Some(PROFILE_FORMAT) => Self::Profile(Box::new(read_profile(bytes)?)),
            Some(other) => {
                return Err(bad(&format!(
                    "format is {other:?}: expected {FOLDING_FORMAT:?}, {PROOF_SIZE_FORMAT:?}, \
                     {PROFILE_FORMAT:?}, or none in a file of `rewit run`"
                )));
            }
        })
    }

    /// What kind of file it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Folding(_) => "folding",
            Self::ProofSizes(_) => "proof sizes",
            Self::Profile(_) => "profile",
        }
    }

    /// False in a file of a run that goes on or was cut short.
    pub fn complete(&self) -> bool {
        match self {
            Self::Run(file) => file.complete,
            Self::Folding(file) => file.complete,
            // Written once, at the end.
            Self::ProofSizes(_) => true,
            Self::Profile(file) => file.complete,
        }
    }

    /// When the run started, RFC 3339 in UTC.
    pub fn created(&self) -> &str {
        match self {
            Self::Run(file) => &file.created,
            Self::Folding(file) => &file.created,
            Self::ProofSizes(file) => &file.created,
            Self::Profile(file) => &file.created,
        }
    }

    /// The program that measured.
    pub fn tool(&self) -> &Tool {
        match self {
            Self::Run(file) => &file.tool,
            Self::Folding(file) => &file.tool,
            Self::ProofSizes(file) => &file.tool,
            Self::Profile(file) => &file.tool,
        }
    }

    /// The machine it ran on.
    pub fn hardware(&self) -> &Hardware {
        match self {
            Self::Run(file) => &file.hardware,
            Self::Folding(file) => &file.hardware,
            Self::ProofSizes(file) => &file.hardware,
            Self::Profile(file) => &file.hardware,
        }
    }

    /// The runs in it.
    pub fn runs(&self) -> Vec<&ResultFile> {
        match self {
            Self::Run(file) => vec![file],
            Self::Profile(file) => file.runs.iter().collect(),
            Self::Folding(_) | Self::ProofSizes(_) => Vec::new(),
        }
    }

    /// The measurements of folding in it.
    pub fn foldings(&self) -> Vec<&FoldingFile> {
        match self {
            Self::Folding(file) => vec![file],
            Self::Profile(file) => file.foldings.iter().collect(),
            Self::Run(_) | Self::ProofSizes(_) => Vec::new(),
        }
    }

    /// The runs of the proof-size suite in it.
    pub fn proof_sizes(&self) -> Vec<&ProofSizes> {
        match self {
            Self::ProofSizes(file) => vec![file],
            Self::Profile(file) => file.proof_sizes.iter().collect(),
            Self::Run(_) | Self::Folding(_) => Vec::new(),
        }
    }
}
