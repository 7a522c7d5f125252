//! Why a shipment was refused.

use std::fmt;

/// Where a refused value was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// Byte offset in the shipment as sent.
    File(u64),
    /// Byte offset in the body after decompression.
    Body(u64),
    /// The value given to [`encode`](super::encode); nothing was written yet.
    Value,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(offset) => write!(f, "at byte {offset}"),
            Self::Body(offset) => write!(f, "at byte {offset} of the raw body"),
            Self::Value => write!(f, "in the value to encode"),
        }
    }
}

/// Why bytes are not a shipment, or a value cannot become one. One variant per reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ShipError {
    /// The system has no memory for what a length asks for.
    #[error("no memory for {bytes} bytes")]
    NoMemory {
        /// Size of the allocation.
        bytes: usize,
    },
    /// The first eight bytes are not those of a shipment.
    #[error("bad magic at byte 0: expected {expected:02x?}, found {found:02x?}")]
    BadMagic {
        /// [`MAGIC`](super::MAGIC).
        expected: [u8; 8],
        /// What was there.
        found: [u8; 8],
    },
    /// The version is not one this build reads.
    #[error("unsupported version {found} at byte {offset}: this build reads version {supported}")]
    UnsupportedVersion {
        /// Byte offset of the version.
        offset: u64,
        /// The version found.
        found: u16,
        /// [`VERSION`](super::VERSION).
        supported: u16,
    },
    /// The bytes end early.
    #[error("truncated: {what} {at} needs {expected} bytes, found {found}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it starts.
        at: At,
        /// Bytes it needs.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The bytes go on after the end.
    #[error("{extra} trailing bytes {at}: expected the end")]
    TrailingBytes {
        /// Where the end should have been.
        at: At,
        /// Bytes after it.
        extra: u64,
    },
    /// The digest in the header is not that of header and body.
    #[error("digest mismatch at byte {offset}: the header or the body was altered")]
    DigestMismatch {
        /// Byte offset of the digest.
        offset: u64,
    },
    /// The embedded ELF file is not the program the header names.
    #[error("program mismatch {at}: the elf file does not have the digest in the header")]
    ProgramMismatch {
        /// Where the ELF file is.
        at: At,
    },
    /// A bit or byte that must be zero is not.
    #[error("reserved bits set at byte {offset}: expected {expected:#04x}, found {found:#04x}")]
    ReservedBits {
        /// Byte offset.
        offset: u64,
        /// The value with the reserved bits cleared.
        expected: u8,
        /// The value there.
        found: u8,
    },
    /// The encoding's number is not one of this version.
    #[error("unknown encoding {found} at byte {offset}: expected 1 to 9")]
    UnknownEncoding {
        /// Byte offset.
        offset: u64,
        /// The number found.
        found: u8,
    },
    /// The compression's number is not one of this version.
    #[error("unknown compression {found} at byte {offset}: expected 0 to 2")]
    UnknownCompression {
        /// Byte offset.
        offset: u64,
        /// The number found.
        found: u8,
    },
    /// A name from the command line is not an encoding or a compression.
    #[error("unknown {what} {name:?}: expected one of {known}")]
    UnknownName {
        /// `encoding` or `compression`.
        what: &'static str,
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A length, count or number is outside what its place allows.
    #[error("{what} {value} {at} is out of range: expected {min} to {max}")]
    LengthOutOfRange {
        /// What it counts.
        what: &'static str,
        /// Where it is.
        at: At,
        /// The value found.
        value: u64,
        /// Least value allowed.
        min: u64,
        /// Greatest value allowed.
        max: u64,
    },
    /// A number that follows from others does not.
    #[error("{what} {value} {at}: expected {expected}")]
    Inconsistent {
        /// What it is.
        what: &'static str,
        /// Where it is.
        at: At,
        /// The value found.
        value: u64,
        /// The value that follows from the rest.
        expected: u64,
    },
    /// The body expands further than a decoder follows.
    #[error(
        "raw body of {raw} bytes from {stored} stored ones: expected at most {max}; send it raw or as lz4"
    )]
    ExpandsTooFar {
        /// Bytes of the body after decompression.
        raw: u64,
        /// Bytes of the body as stored.
        stored: u64,
        /// Most bytes allowed after decompression.
        max: u64,
    },
    /// A compressed chunk of the body does not decompress to its length.
    #[error("bad {codec} chunk at byte {offset}: expected {expected} bytes out of it: {reason}")]
    BadChunk {
        /// Name of the compression.
        codec: &'static str,
        /// Byte offset of the chunk in the shipment.
        offset: u64,
        /// Bytes it should expand to.
        expected: u64,
        /// What the codec said.
        reason: String,
    },
    /// A machine state no machine can be in.
    #[error(
        "not a canonical machine state {at}: expected x0 = 0, an aligned pc and a valid transfer"
    )]
    NotCanonicalState {
        /// Where it is.
        at: At,
    },
    /// A checkpoint stores a field that did not change, or sets an unknown bit of a mask.
    #[error("not a canonical checkpoint {at}: expected only fields that change")]
    NotCanonicalCheckpoint {
        /// Where it is.
        at: At,
    },
    /// Page numbers repeat or go down.
    #[error("pages not ascending {at}: expected a page above {previous:#x}, found {found:#x}")]
    PagesNotAscending {
        /// Where the number is.
        at: At,
        /// The page before.
        previous: u32,
        /// The page found.
        found: u32,
    },
    /// A page lies outside the 32-bit address space.
    #[error("page {number:#x} {at} is outside memory: expected at most {max:#x}")]
    PageOutOfRange {
        /// Where the number is.
        at: At,
        /// The page number.
        number: u64,
        /// Last page of memory.
        max: u32,
    },
    /// A table's name is empty, too long, repeated, or not lower-case ASCII.
    #[error("bad table name {at}: expected 1 to 16 of a-z, 0-9, '-' or '_', each name once")]
    BadTableName {
        /// Where it is.
        at: At,
    },
    /// A word of a table is not a field element.
    #[error("word {value:#010x} {at} is not a field element: expected less than 0x78000001")]
    NotCanonicalWord {
        /// Where it is.
        at: At,
        /// The word.
        value: u32,
    },
    /// A record's row kind is not one there is.
    #[error("bad row kind {value} {at}: expected 0 to 5")]
    BadRowKind {
        /// Where it is.
        at: At,
        /// The kind's number.
        value: u32,
    },
    /// Checkpoints go back, or a chunk has more values than its cycles can read.
    #[error("checkpoint {index} {at}: {what} {value} is out of order: expected {min} to {max}")]
    CheckpointsNotAscending {
        /// Number of the checkpoint.
        index: u64,
        /// Where it is.
        at: At,
        /// Which of its fields.
        what: &'static str,
        /// The value found.
        value: u64,
        /// Least value that keeps the order.
        min: u64,
        /// Greatest value.
        max: u64,
    },
}

impl From<crate::memory::NoMemory> for ShipError {
    fn from(e: crate::memory::NoMemory) -> Self {
        Self::NoMemory { bytes: e.bytes }
    }
}
