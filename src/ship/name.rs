//! Names and numbers of encodings and compressions.

use std::fmt;
use std::str::FromStr;

use super::ShipError;

/// A scheme that makes a shipment from a segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Encoding {
    /// `witness`: the tables themselves.
    Witness = 1,
    /// `image`: the whole memory.
    Image = 2,
    /// `pages-1k`: touched pages of 1 KiB.
    Pages1k = 3,
    /// `pages-4k`: touched pages of 4 KiB.
    Pages4k = 4,
    /// `delta`: pages that differ from the program as loaded.
    Delta = 5,
    /// `delta-prev`: pages that differ from the previous boundary.
    DeltaPrevious = 6,
    /// `records`: one record per cycle.
    Records = 7,
    /// `reads`: registers per chunk and values read.
    Reads = 8,
    /// `input`: program and input.
    Input = 9,
}

impl Encoding {
    /// All encodings, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Witness,
        Self::Image,
        Self::Pages1k,
        Self::Pages4k,
        Self::Delta,
        Self::DeltaPrevious,
        Self::Records,
        Self::Reads,
        Self::Input,
    ];

    /// Its name on the command line and in result files; it never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Witness => "witness",
            Self::Image => "image",
            Self::Pages1k => "pages-1k",
            Self::Pages4k => "pages-4k",
            Self::Delta => "delta",
            Self::DeltaPrevious => "delta-prev",
            Self::Records => "records",
            Self::Reads => "reads",
            Self::Input => "input",
        }
    }

    /// The encoding whose number on the wire is `number`.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|e| *e as u8 == number)
    }
}

/// How the bytes of a shipment's body are stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Compression {
    /// `raw`: as they are.
    Raw = 0,
    /// `lz4`: LZ4 blocks.
    Lz4 = 1,
    /// `zstd`: Zstandard frames of level [`ZSTD_LEVEL`](super::ZSTD_LEVEL).
    Zstd = 2,
}

impl Compression {
    /// All compressions, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Lz4, Self::Zstd];

    /// Its name on the command line and in result files; it never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The compression whose number on the wire is `number`.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|c| *c as u8 == number)
    }
}

/// Finds the one of `all` that is called `name`.
fn find<T: Copy>(
    what: &'static str,
    name: &str,
    all: &[T],
    name_of: fn(T) -> &'static str,
) -> Result<T, ShipError> {
    all.iter()
        .copied()
        .find(|&x| name_of(x) == name)
        .ok_or_else(|| ShipError::UnknownName {
            what,
            name: name.to_owned(),
            known: all
                .iter()
                .map(|&x| name_of(x))
                .collect::<Vec<_>>()
                .join(", "),
        })
}

impl FromStr for Encoding {
    type Err = ShipError;

    fn from_str(name: &str) -> Result<Self, ShipError> {
        find("encoding", name, &Self::ALL, Self::name)
    }
}

impl FromStr for Compression {
    type Err = ShipError;

    fn from_str(name: &str) -> Result<Self, ShipError> {
        find("compression", name, &Self::ALL, Self::name)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
