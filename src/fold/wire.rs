//! What folding sends, in bytes.
//!
//! Every message begins with a header:
//!
//! ```text
//! 0  magic "RWFD"
//! 4  version, u16 little-endian: 1
//! 6  kind
//! 7  0
//! ```
//!
//! and goes on according to its kind:
//!
//! ```text
//! 1  fresh instance     x; a commitment per part
//! 2  fresh witness      the integers of the part "main", each by its own length: see `encode_fresh`
//! 3  relaxed instance   u; x; a commitment per part; the commitment to E
//! 4  relaxed witness    the parts' scalars; E's scalars
//! 5  cross term         the commitment to T
//! 6  proof              log_rows, u8; log_cycles, u8; order, u8: 0 sequential, 1 tree;
//!                       number of tables, u8;
//!                       per table, number of chunks n, u32;
//!                       per table, n × fresh instance, n - 1 × cross term, relaxed instance,
//!                       relaxed witness, all without headers
//! ```
//!
//! Scalars are 32 bytes, little-endian, below the group's order; points are 32 bytes, compressed as
//! arkworks does. How many there are is not sent: both sides know the relation. A value has one
//! encoding, and whatever decodes is encoded to the same bytes again.

mod parts;

use parts::{Reader, header, put_instance, put_points, put_relaxed_instance, put_relaxed_witness};

use super::instance::{FoldProof, Instance, Order, RelaxedInstance, RelaxedWitness};
use super::point::{POINT_BYTES, PointError, compress};
use super::relation::{NUM_PARTS, Relation};
use crate::backend::curve::G1Affine;

/// First bytes of a message.
pub const MAGIC: [u8; 4] = *b"RWFD";

/// Version of the format.
pub const VERSION: u16 = 1;

/// Bytes of a message's header.
pub const HEADER_BYTES: usize = 8;

/// Bytes of a scalar.
pub const SCALAR_BYTES: usize = 32;

/// Bytes of a message with the commitment to a cross term.
pub const CROSS_TERM_BYTES: usize = HEADER_BYTES + POINT_BYTES;

/// Most tables of a proof.
pub const MAX_TABLES: u8 = 64;

/// Largest logarithm of a number of rows: whoever verifies has a lower limit.
const MAX_LOG: u64 = 31;

const FRESH_INSTANCE: u8 = 1;
const FRESH_WITNESS: u8 = 2;
const RELAXED_INSTANCE: u8 = 3;
const RELAXED_WITNESS: u8 = 4;
const CROSS_TERM: u8 = 5;
const PROOF: u8 = 6;

/// Why bytes are not the message that was expected. One variant per reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WireError {
    /// The first four bytes are not those of a message.
    #[error("bad magic at byte 0: expected {MAGIC:02x?}, found {found:02x?}")]
    BadMagic {
        /// What was there.
        found: Vec<u8>,
    },
    /// The version is not one this build reads.
    #[error("unsupported version {found} at byte 4: this build reads version {VERSION}")]
    UnsupportedVersion {
        /// The version found.
        found: u16,
    },
    /// The message is of another kind.
    #[error("kind {found} at byte 6: expected {expected}")]
    WrongKind {
        /// The kind expected.
        expected: u8,
        /// The kind found.
        found: u8,
    },
    /// The bytes end early.
    #[error("truncated: {what} at byte {offset}: expected {expected} bytes, found {found}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it starts.
        offset: u64,
        /// Bytes it has.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The bytes go on after the end.
    #[error("{extra} trailing bytes at byte {offset}: expected the end")]
    TrailingBytes {
        /// Where the end should have been.
        offset: u64,
        /// Bytes after it.
        extra: u64,
    },
    /// A number is outside what its place allows.
    #[error("{what} {value} at byte {offset}: expected {min} to {max}")]
    OutOfRange {
        /// What it is.
        what: &'static str,
        /// Where it is.
        offset: u64,
        /// The value found.
        value: u64,
        /// Least value allowed.
        min: u64,
        /// Greatest value allowed.
        max: u64,
    },
    /// A scalar is not below the group's order.
    #[error("{what} at byte {offset}: expected a scalar below the group's order")]
    BadScalar {
        /// What it is.
        what: &'static str,
        /// Where it is.
        offset: u64,
    },
    /// 32 bytes are no point of the group.
    #[error("{what} at byte {offset}: {reason}")]
    BadPoint {
        /// What it is.
        what: &'static str,
        /// Where it is.
        offset: u64,
        /// Why not.
        reason: PointError,
    },
    /// An integer has a shorter encoding, or does not fit 64 bits.
    #[error("integer at byte {offset}: expected its shortest encoding, of at most 64 bits")]
    BadInteger {
        /// Where it is.
        offset: u64,
    },
}

/// Numbers of scalars that follow from a relation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dimensions {
    /// Length of `x`.
    pub num_public: usize,
    /// Scalars of each part of the witness.
    pub parts: [usize; NUM_PARTS],
    /// Length of E: the quadratic constraints.
    pub num_constraints: usize,
}

impl From<&Relation> for Dimensions {
    fn from(relation: &Relation) -> Self {
        Self {
            num_public: relation.layout.num_public,
            parts: [0, 1, 2].map(|part| relation.layout.part_len(part)),
            num_constraints: relation.matrices.num_constraints,
        }
    }
}

impl Dimensions {
    /// Bytes of a fresh instance.
    pub fn instance_bytes(&self) -> usize {
        HEADER_BYTES + self.bare_instance()
    }

    /// Bytes of a relaxed instance.
    pub fn relaxed_instance_bytes(&self) -> usize {
        HEADER_BYTES + self.bare_relaxed_instance()
    }

    /// Bytes of a relaxed witness.
    pub fn relaxed_witness_bytes(&self) -> usize {
        HEADER_BYTES + self.bare_relaxed_witness()
    }

    /// Bytes of an accumulator: a relaxed instance and its witness.
    pub fn accumulator_bytes(&self) -> usize {
        self.relaxed_instance_bytes() + self.relaxed_witness_bytes()
    }

    /// Bytes of a proof.
    ///
    /// - `tables`: dimensions and number of chunks of each table.
    pub fn proof_bytes(tables: &[(Self, usize)]) -> u64 {
        let table = |(dimensions, num_chunks): &(Self, usize)| {
            4 + dimensions.table_bytes(*num_chunks as u64)
        };
        (HEADER_BYTES + 4) as u64 + tables.iter().map(table).sum::<u64>()
    }

    fn bare_instance(&self) -> usize {
        SCALAR_BYTES * self.num_public + POINT_BYTES * NUM_PARTS
    }

    fn bare_relaxed_instance(&self) -> usize {
        SCALAR_BYTES + self.bare_instance() + POINT_BYTES
    }

    fn bare_relaxed_witness(&self) -> usize {
        SCALAR_BYTES * (self.parts.iter().sum::<usize>() + self.num_constraints)
    }

    /// Bytes of a table in a proof.
    fn table_bytes(&self, num_chunks: u64) -> u64 {
        num_chunks * self.bare_instance() as u64
            + num_chunks.saturating_sub(1) * POINT_BYTES as u64
            + (self.bare_relaxed_instance() + self.bare_relaxed_witness()) as u64
    }
}

impl Instance {
    /// The message with this instance.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = header(FRESH_INSTANCE);
        put_instance(&mut bytes, self);
        bytes
    }

    /// Reads a message.
    ///
    /// # Errors
    /// One variant per reason.
    pub fn decode(bytes: &[u8], dimensions: &Dimensions) -> Result<Self, WireError> {
        let mut reader = Reader::message(bytes, FRESH_INSTANCE)?;
        reader.ends_after("instance", dimensions.bare_instance() as u64)?;
        reader.instance(dimensions)
    }
}

impl RelaxedInstance {
    /// The message with this instance.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = header(RELAXED_INSTANCE);
        put_relaxed_instance(&mut bytes, self);
        bytes
    }

    /// Reads a message.
    ///
    /// # Errors
    /// One variant per reason.
    pub fn decode(bytes: &[u8], dimensions: &Dimensions) -> Result<Self, WireError> {
        let mut reader = Reader::message(bytes, RELAXED_INSTANCE)?;
        reader.ends_after("instance", dimensions.bare_relaxed_instance() as u64)?;
        reader.relaxed_instance(dimensions)
    }
}

impl RelaxedWitness {
    /// The message with this witness.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = header(RELAXED_WITNESS);
        put_relaxed_witness(&mut bytes, self);
        bytes
    }

    /// Reads a message.
    ///
    /// # Errors
    /// One variant per reason.
    pub fn decode(bytes: &[u8], dimensions: &Dimensions) -> Result<Self, WireError> {
        let mut reader = Reader::message(bytes, RELAXED_WITNESS)?;
        reader.ends_after("witness", dimensions.bare_relaxed_witness() as u64)?;
        reader.relaxed_witness(dimensions)
    }
}

/// The message with a fresh witness: the integers of its part "main". The part "known" is public,
/// and the part "lookup" follows from both and the challenges.
///
/// An integer `s` is `2s`, or `-2s - 1` if it is negative, in groups of seven bits from the lowest
/// on, with bit 7 set in all bytes but the last.
pub fn encode_fresh(main: &[i64]) -> Vec<u8> {
    let mut bytes = header(FRESH_WITNESS);
    bytes.reserve(main.len() * 2);
    for integer in main {
        let mut rest = (integer << 1 ^ integer >> 63) as u64;
        while rest > 0x7f {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

/// Bytes of the message that [`encode_fresh`] makes.
pub fn fresh_witness_bytes(main: &[i64]) -> usize {
    let bits = |integer: &i64| 64 - ((integer << 1 ^ integer >> 63) as u64 | 1).leading_zeros();
    let bytes = main
        .iter()
        .map(|integer| bits(integer).div_ceil(7) as usize);
    HEADER_BYTES + bytes.sum::<usize>()
}

/// Reads a message with a fresh witness.
///
/// - `len`: scalars of the part "main".
///
/// # Errors
/// One variant per reason.
pub fn decode_fresh(bytes: &[u8], len: usize) -> Result<Vec<i64>, WireError> {
    let mut reader = Reader::message(bytes, FRESH_WITNESS)?;
    // At least a byte each: no more memory than eight times the bytes.
    reader.has("witness", len as u64)?;
    let integers = (0..len).map(|_| reader.integer());
    let integers = integers.collect::<Result<_, _>>()?;
    reader.ends_after("witness", 0)?;
    Ok(integers)
}

/// The message with the commitment to a cross term.
pub fn encode_cross_term(point: &G1Affine) -> Vec<u8> {
    let mut bytes = header(CROSS_TERM);
    bytes.extend(compress(point));
    bytes
}

/// Reads a message with the commitment to a cross term.
///
/// # Errors
/// One variant per reason.
pub fn decode_cross_term(bytes: &[u8]) -> Result<G1Affine, WireError> {
    let mut reader = Reader::message(bytes, CROSS_TERM)?;
    reader.ends_after("cross term", POINT_BYTES as u64)?;
    reader.point("cross term")
}

/// What a proof says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProofHeader {
    /// Base-2 logarithm of the rows of a chunk.
    pub log_rows: u32,
    /// Base-2 logarithm of the rows of the cpu table.
    pub log_cycles: u32,
    /// The order of folding.
    pub order: Order,
    /// Chunks of each table.
    pub num_chunks: Vec<u32>,
}

impl FoldProof {
    /// The message with this proof.
    ///
    /// # Panics
    /// If there are more than [`MAX_TABLES`] tables, or 2^32 chunks.
    pub fn encode(&self) -> Vec<u8> {
        let num_tables = u8::try_from(self.tables.len()).unwrap_or(u8::MAX);
        assert!(num_tables <= MAX_TABLES, "a proof has few tables");
        let mut bytes = header(PROOF);
        bytes.extend([self.log_rows, self.log_cycles].map(|log| log.min(255) as u8));
        bytes.push(match self.order {
            Order::Sequential => 0,
            Order::Tree => 1,
        });
        bytes.push(num_tables);
        for table in &self.tables {
            let num_chunks = u32::try_from(table.instances.len());
            bytes.extend(
                num_chunks
                    .expect("a segment has at most 2^32 rows")
                    .to_le_bytes(),
            );
        }
        for table in &self.tables {
            for instance in &table.instances {
                put_instance(&mut bytes, instance);
            }
            put_points(&mut bytes, &table.cross_terms);
            put_relaxed_instance(&mut bytes, &table.accumulator);
            put_relaxed_witness(&mut bytes, &table.witness);
        }
        bytes
    }

    /// Reads the start of a message: what its relations depend on.
    ///
    /// # Errors
    /// One variant per reason.
    pub fn inspect(bytes: &[u8]) -> Result<ProofHeader, WireError> {
        Ok(Reader::message(bytes, PROOF)?.proof_header()?.0)
    }

    /// Reads a message.
    ///
    /// - `tables`: dimensions of each table's relation.
    ///
    /// Nothing is allocated for chunks before their numbers have been found to be those of the
    /// bytes.
    ///
    /// # Errors
    /// One variant per reason.
    pub fn decode(bytes: &[u8], tables: &[Dimensions]) -> Result<Self, WireError> {
        let mut reader = Reader::message(bytes, PROOF)?;
        let (header, num_tables_at) = reader.proof_header()?;
        let ProofHeader {
            log_rows,
            log_cycles,
            order,
            num_chunks,
        } = header;
        if num_chunks.len() != tables.len() {
            return Err(WireError::OutOfRange {
                what: "number of tables",
                offset: num_tables_at,
                value: num_chunks.len() as u64,
                min: tables.len() as u64,
                max: tables.len() as u64,
            });
        }
        let sizes = tables.iter().zip(&num_chunks);
        let sizes = sizes.map(|(dimensions, n)| dimensions.table_bytes(u64::from(*n)));
        reader.ends_after("tables", sizes.sum())?;
        let tables = tables.iter().zip(&num_chunks);
        let tables = tables.map(|(dimensions, n)| reader.table(dimensions, *n as usize));
        Ok(Self {
            log_rows,
            log_cycles,
            order,
            tables: tables.collect::<Result<_, _>>()?,
        })
    }
}
