//! The library's error type, grouped by what a caller can do about it.

use std::path::PathBuf;

use crate::fold::KeyError;
use crate::memory::NoMemory;
use crate::ship::ShipError;
use crate::vm::{ElfError, Trap};

/// Result of a library call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Anything that can go wrong outside a verifier or a decoder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The ELF file is not a program this VM runs.
    #[error("not a runnable guest: {0}")]
    Elf(#[from] ElfError),
    /// The guest stopped on a trap where a complete run was needed.
    #[error("guest trapped: {0}")]
    Trap(Trap),
    /// The guest did not exit within the allowed number of cycles.
    #[error("guest still running at pc {pc:#010x} after {cycles} cycles; raise --max-cycles")]
    CycleLimit {
        /// Cycles executed.
        cycles: u64,
        /// Where it stood.
        pc: u32,
    },
    /// A shipment could not be decoded.
    #[error("bad shipment: {0}")]
    Ship(#[from] ShipError),
    /// A shipment decoded, but replaying it does not end where it says.
    #[error("replay does not match the shipment: {0}")]
    Replay(String),
    /// Two ways to the same result give different ones.
    #[error("results differ: {0}")]
    Differs(String),
    /// A file is not a commitment key.
    #[error("bad commitment key: {0}")]
    Key(#[from] KeyError),
    /// The machine cannot provide what was asked for.
    #[error("{0}")]
    Resource(String),
    /// No device of the kind that was asked for, or no driver for it, or none built in.
    #[error("{0}")]
    NoDevice(String),
    /// Device memory is used up, or a plan does not fit its budget: an answer as much as an error.
    #[error("out of device memory: {0}")]
    OutOfDeviceMemory(String),
    /// The device or its driver failed.
    #[error("device failed: {0}")]
    Device(String),
    /// Wrong arguments.
    #[error("{0}")]
    Usage(String),
    /// A proof was rejected.
    #[error("proof rejected: {0}")]
    Rejected(String),
    /// A result file is malformed.
    #[error("bad result file: {0}")]
    ResultFile(String),
}

impl From<NoMemory> for Error {
    fn from(e: NoMemory) -> Self {
        Self::Resource(format!(
            "no memory for {} MB; try a lower --segment-log-cycles",
            e.bytes / 1_000_000
        ))
    }
}
