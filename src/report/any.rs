//! A file that this tool wrote, whichever it is.

use super::validate::bad;
use super::{FoldingFile, MAX_BYTES, ResultFile, is_folding_file, read, read_folding};
use crate::Result;
use crate::measure::Hardware;
use crate::report::Tool;

/// A result file of any kind, checked.
#[derive(Clone, PartialEq, Debug)]
pub enum AnyFile {
    /// Of `rewit run`.
    Run(Box<ResultFile>),
    /// Of `rewit fold`.
    Folding(Box<FoldingFile>),
}

impl AnyFile {
    /// Reads a file of any kind, and checks it as the reader of its kind does.
    ///
    /// # Errors
    /// [`Error::ResultFile`](crate::Error::ResultFile) naming the field. Never panics.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_BYTES {
            return Err(bad(&format!(
                "{} bytes, expected at most {MAX_BYTES}",
                bytes.len()
            )));
        }
        if is_folding_file(bytes) {
            return Ok(Self::Folding(Box::new(read_folding(bytes)?)));
        }
        Ok(Self::Run(Box::new(read(bytes)?)))
    }

    /// What kind of file it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Folding(_) => "folding",
        }
    }

    /// False in a file of a run that goes on or was cut short.
    pub fn complete(&self) -> bool {
        match self {
            Self::Run(file) => file.complete,
            Self::Folding(file) => file.complete,
        }
    }

    /// The program that measured.
    pub fn tool(&self) -> &Tool {
        match self {
            Self::Run(file) => &file.tool,
            Self::Folding(file) => &file.tool,
        }
    }

    /// The machine it ran on.
    pub fn hardware(&self) -> &Hardware {
        match self {
            Self::Run(file) => &file.hardware,
            Self::Folding(file) => &file.hardware,
        }
    }

    /// The runs in it.
    pub fn runs(&self) -> Vec<&ResultFile> {
        match self {
            Self::Run(file) => vec![file],
            Self::Folding(_) => Vec::new(),
        }
    }

    /// The measurements of folding in it.
    pub fn foldings(&self) -> Vec<&FoldingFile> {
        match self {
            Self::Run(_) => Vec::new(),
            Self::Folding(file) => vec![file],
        }
    }
}
