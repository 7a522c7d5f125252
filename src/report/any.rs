//! A file that this tool wrote, whichever it is.

use serde::Deserialize;

use super::check::{bad, length};
use super::{
    FOLDING_FORMAT, FoldingFile, LINK_FORMAT, LinkFile, PROFILE_FORMAT, PROOF_SIZE_FORMAT,
    ProfileFile, ProofSizes, ResultFile, Tool, is_result_file, read, read_folding, read_link,
    read_profile, read_proof_sizes,
};
use crate::Result;
use crate::measure::{Hardware, Link};

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
    /// Of `rewit link probe`.
    Link(Box<LinkFile>),
}

/// Whether the bytes look like a result file of any kind, of this or another version, complete or
/// not.
///
/// For whoever is about to replace them; [`AnyFile::read`] is what checks them.
pub fn is_any_file(bytes: &[u8]) -> bool {
    const FORMATS: [&str; 4] = [
        FOLDING_FORMAT,
        PROOF_SIZE_FORMAT,
        PROFILE_FORMAT,
        LINK_FORMAT,
    ];
    let look = serde_json::from_slice::<Look>(bytes);
    let format = look.ok().and_then(|look| look.format);
    format.is_some_and(|format| FORMATS.contains(&&*format)) || is_result_file(bytes)
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
            Some(LINK_FORMAT) => Self::Link(Box::new(read_link(bytes)?)),
            Some(other) => {
                return Err(bad(&format!(
                    "format is {other:?}: expected {FOLDING_FORMAT:?}, {PROOF_SIZE_FORMAT:?}, \
                     {PROFILE_FORMAT:?}, {LINK_FORMAT:?}, or none in a file of `rewit run`"
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
            Self::Link(_) => "link",
        }
    }

    /// False in a file of a run that goes on or was cut short.
    pub fn complete(&self) -> bool {
        match self {
            Self::Run(file) => file.complete,
            Self::Folding(file) => file.complete,
            // Written once, at the end.
            Self::ProofSizes(_) | Self::Link(_) => true,
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
            Self::Link(file) => &file.created,
        }
    }

    /// The program that measured.
    pub fn tool(&self) -> &Tool {
        match self {
            Self::Run(file) => &file.tool,
            Self::Folding(file) => &file.tool,
            Self::ProofSizes(file) => &file.tool,
            Self::Profile(file) => &file.tool,
            Self::Link(file) => &file.tool,
        }
    }

    /// The machine it ran on; none of a link, which has two ends and names neither.
    pub fn hardware(&self) -> Option<&Hardware> {
        match self {
            Self::Run(file) => Some(&file.hardware),
            Self::Folding(file) => Some(&file.hardware),
            Self::ProofSizes(file) => Some(&file.hardware),
            Self::Profile(file) => Some(&file.hardware),
            Self::Link(_) => None,
        }
    }

    /// The runs in it.
    pub fn runs(&self) -> Vec<&ResultFile> {
        match self {
            Self::Run(file) => vec![file],
            Self::Profile(file) => file.runs.iter().collect(),
            Self::Folding(_) | Self::ProofSizes(_) | Self::Link(_) => Vec::new(),
        }
    }

    /// The link in it: what was measured of it, or what was declared.
    pub fn link(&self) -> Option<&Link> {
        match self {
            Self::Run(file) => file.link.as_ref(),
            Self::Profile(file) => file.link.as_ref(),
            Self::Link(file) => Some(&file.link),
            Self::Folding(_) | Self::ProofSizes(_) => None,
        }
    }

    /// The measurements of folding in it.
    pub fn foldings(&self) -> Vec<&FoldingFile> {
        match self {
            Self::Folding(file) => vec![file],
            Self::Profile(file) => file.foldings.iter().collect(),
            Self::Run(_) | Self::ProofSizes(_) | Self::Link(_) => Vec::new(),
        }
    }

    /// The runs of the proof-size suite in it.
    pub fn proof_sizes(&self) -> Vec<&ProofSizes> {
        match self {
            Self::ProofSizes(file) => vec![file],
            Self::Profile(file) => file.proof_sizes.iter().collect(),
            Self::Run(_) | Self::Folding(_) | Self::Link(_) => Vec::new(),
        }
    }
}
