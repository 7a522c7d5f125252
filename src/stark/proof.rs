//! Segment proofs, and their bytes.
//!
//! ```text
//! 0   magic "REWITPRF"
//! 8   version, u32 little-endian: 1
//! 12  parameters, Params::BYTES
//! 24  key, statement, argument, each encoded by postcard
//! ```
//!
//! In the statement, addresses are sent as distances from the address before, and contents after the
//! segment as the bits that changed. Field elements are 4 bytes each, in Montgomery form. A proof
//! has one encoding: whatever decodes is encoded again and compared.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::config::{Challenge, Proof};
use super::key::ProgramKey;
use super::params::Params;
use super::statement::{Cell, Event, Statement};
use crate::witness::layout::public;

/// First bytes of a proof file.
pub const MAGIC: [u8; 8] = *b"REWITPRF";

/// Version of the format.
pub const VERSION: u32 = 1;

/// Bytes before the key.
pub const HEADER_BYTES: usize = 12 + Params::BYTES;

/// The argument of a segment proof, over either challenge field.
pub enum Argument {
    /// Challenges of degree 4.
    Quartic(Box<Proof<Challenge<4>>>),
    /// Challenges of degree 5.
    Quintic(Box<Proof<Challenge<5>>>),
}

/// A proof that a segment of a program's run is as the statement says.
#[derive(Debug)]
pub struct SegmentProof {
    /// Parameters.
    pub params: Params,
    /// The program, by its key.
    pub key: ProgramKey,
    /// What is proven.
    pub statement: Statement,
    /// The argument, for Plonky3's batch STARK verifier.
    pub argument: Argument,
}

/// Why bytes are not a segment proof.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// The first eight bytes are not those of a proof.
    #[error("bad magic at byte 0: expected {MAGIC:02x?}, found {0:02x?}")]
    BadMagic(Vec<u8>),
    /// The version is not one this build reads.
    #[error("unsupported version {0} at byte 8: this build reads version {VERSION}")]
    UnsupportedVersion(u32),
    /// The bytes end inside the header.
    #[error("truncated: the header has {HEADER_BYTES} bytes, found {0}")]
    Truncated(usize),
    /// A parameter is out of range.
    #[error("bad parameters at byte 12: {0}")]
    BadParams(String),
    /// A part does not decode.
    #[error("bad {part} at byte {offset}: {reason}")]
    BadPart {
        /// Key, statement or argument.
        part: &'static str,
        /// Where it starts.
        offset: usize,
        /// What postcard says of it.
        reason: String,
    },
    /// An address in the statement is out of range.
    #[error("bad statement: addresses pass 2^32")]
    BadAddress,
    /// There are bytes after the argument.
    #[error("{0} bytes follow the proof")]
    Trailing(usize),
    /// The proof would be encoded otherwise.
    #[error("not in canonical form from byte {0} on")]
    NotCanonical(usize),
}

/// The statement as it is sent.
#[derive(Serialize, Deserialize)]
struct Wire {
    index: u32,
    public: [u32; public::COUNT],
    /// Distance from the address before less one (from −1 for the first), content before, bits that
    /// changed.
    boundary: Vec<(u32, u32, u32)>,
    /// Clock, kind, `a`, `b`, result, left.
    log: Vec<(u32, u32, u32, u32, u32, u32)>,
}

impl Wire {
    fn new(statement: &Statement) -> Self {
        let mut expected = 0u32;
        Self {
            index: statement.index,
            public: statement.public,
            boundary: statement
                .boundary
                .iter()
                .map(|cell| {
                    let gap = cell.address.wrapping_sub(expected);
                    expected = cell.address.wrapping_add(1);
                    (gap, cell.first, cell.first ^ cell.last)
                })
                .collect(),
            log: statement
                .log
                .iter()
                .map(|e| (e.clk, e.kind, e.a, e.b, e.result, e.left))
                .collect(),
        }
    }

    fn into_statement(self) -> Option<Statement> {
        let mut expected = Some(0u32);
        let boundary = self.boundary.into_iter().map(|(gap, first, change)| {
            let address = expected?.checked_add(gap)?;
            expected = address.checked_add(1);
            Some(Cell {
                address,
                first,
                last: first ^ change,
            })
        });
        let log = self.log.into_iter();
        let event = |(clk, kind, a, b, result, left)| Event {
            clk,
            kind,
            a,
            b,
            result,
            left,
        };
        Some(Statement {
            index: self.index,
            public: self.public,
            boundary: boundary.collect::<Option<_>>()?,
            log: log.map(event).collect(),
        })
    }
}

/// Encodes what has no reason to fail: writing to memory, of types that postcard knows.
fn postcard(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("sizes are known and memory takes all")
}

fn take<'a, T: DeserializeOwned>(
    part: &'static str,
    bytes: &'a [u8],
    rest: &mut &'a [u8],
) -> Result<T, DecodeError> {
    let (value, left) = postcard::take_from_bytes(rest).map_err(|error| DecodeError::BadPart {
        part,
        offset: bytes.len() - rest.len(),
        reason: error.to_string(),
    })?;
    *rest = left;
    Ok(value)
}

impl SegmentProof {
    /// The bytes of the proof.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.params.to_bytes());
        bytes.extend(postcard(&self.key));
        bytes.extend(self.encode_statement());
        bytes.extend(self.argument.encode());
        bytes
    }

    /// The bytes of the statement alone.
    pub fn encode_statement(&self) -> Vec<u8> {
        postcard(&Wire::new(&self.statement))
    }

    /// The proof with these bytes; nothing is verified yet.
    ///
    /// Memory: at most 80 times `bytes`. An empty list is one byte, and takes 24 in a list that may
    /// be held twice, once at double length, while it grows.
    ///
    /// # Errors
    /// Why the bytes are no proof.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if magic != &MAGIC[..magic.len()] || magic.is_empty() {
            return Err(DecodeError::BadMagic(magic.to_vec()));
        }
        let Some((header, mut rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err(DecodeError::Truncated(bytes.len()));
        };
        let version = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        if version != VERSION {
            return Err(DecodeError::UnsupportedVersion(version));
        }
        let params: [u8; Params::BYTES] = std::array::from_fn(|i| header[12 + i]);
        let params = Params::from_bytes(params);
        params
            .check()
            .map_err(|error| DecodeError::BadParams(error.to_string()))?;
        let key = take("key", bytes, &mut rest)?;
        let statement = take::<Wire>("statement", bytes, &mut rest)?;
        let statement = statement.into_statement().ok_or(DecodeError::BadAddress)?;
        let argument = Argument::take(params.extension, bytes, &mut rest)?;
        if !rest.is_empty() {
            return Err(DecodeError::Trailing(rest.len()));
        }
        let proof = Self {
            params,
            key,
            statement,
            argument,
        };
        let again = proof.encode();
        if again != bytes {
            let same = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            return Err(DecodeError::NotCanonical(same));
        }
        Ok(proof)
    }
}

impl Argument {
    /// The argument with these bytes, over the challenge field of degree `extension`, 4 or 5.
    ///
    /// # Errors
    /// Why the bytes are no argument.
    pub fn decode(extension: u8, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        let argument = Self::take(extension, bytes, &mut rest)?;
        if rest.is_empty() {
            Ok(argument)
        } else {
            Err(DecodeError::Trailing(rest.len()))
        }
    }

    fn take<'a>(extension: u8, bytes: &'a [u8], rest: &mut &'a [u8]) -> Result<Self, DecodeError> {
        if extension == 4 {
            take("argument", bytes, rest).map(Self::Quartic)
        } else {
            take("argument", bytes, rest).map(Self::Quintic)
        }
    }

    /// The bytes of the argument alone: what is called the size of a proof.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Quartic(proof) => postcard(proof),
            Self::Quintic(proof) => postcard(proof),
        }
    }
}

impl fmt::Debug for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quartic(_) => "Quartic(..)",
            Self::Quintic(_) => "Quintic(..)",
        })
    }
}
