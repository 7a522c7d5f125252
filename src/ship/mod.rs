//! Shipments: the encodings of a segment that can be sent to another machine.
//!
//! A [`Shipment`] is a segment and all that is needed to regenerate its witness, in one of nine
//! encodings. [`encode`] turns it into bytes, [`decode`] takes any bytes back, or says which byte is
//! wrong. `docs/shipment.md` is the format.

mod body;
mod codec;
mod delta;
mod error;
mod frame;
mod header;
mod image;
mod input;
mod name;
mod pages;
mod reads;
mod record;
mod records;
mod witness;

pub use codec::{CHUNK_BYTES, ZSTD_LEVEL};
pub use error::{At, ShipError};
pub use frame::{decode, encode};
pub use header::{
    BASE_RAW_BYTES, DIGEST_OFFSET, HEADER_BYTES, Header, MAGIC, MAX_ELF_BYTES, MAX_EXPANSION,
    MAX_LOG_CYCLES, VERSION, inspect,
};
pub use name::{Compression, Encoding};
pub use pages::{MemoryDigest, memory_digest};
pub use record::{ROW_KIND_SHIFT, Record, RowKind};
pub use witness::{MAX_TABLES, MAX_WIDTH, TABLE_NAME_BYTES};

use crate::segment::{Pages, Reads, Segment};

/// One segment, ready to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shipment {
    /// BLAKE3 of the program's ELF file.
    pub program: [u8; 32],
    /// Which segment of the run, and the states it connects.
    pub segment: Segment,
    /// Guest input consumed in the segment: `end.input_pos - start.input_pos` bytes, the first of
    /// them at `start.input_pos` of the whole input.
    pub input: Vec<u8>,
    /// True if the guest input ends after `input`.
    pub input_ends: bool,
    /// The ELF file, so that the receiver needs nothing else. Without it, the receiver must have the
    /// program of that digest. `None` with [`Payload::Input`], which has the file itself.
    pub elf: Option<Vec<u8>>,
    /// What the witness is regenerated from.
    pub payload: Payload,
}

impl Shipment {
    /// The encoding that the payload is of.
    pub fn encoding(&self) -> Encoding {
        self.payload.encoding()
    }

    /// The ELF file, wherever the shipment has it.
    pub fn embedded_elf(&self) -> Option<&[u8]> {
        match &self.payload {
            Payload::Input { elf, .. } => Some(elf),
            _ => self.elf.as_deref(),
        }
    }
}

/// What a witness is regenerated from: one variant per family of encodings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payload {
    /// The witness itself.
    Witness(Vec<Table>),
    /// The whole memory at the start of the segment: every page with a byte that is not zero.
    Image(Pages),
    /// The pages that the segment touches, as they are at its start.
    Pages(Pages),
    /// The pages that differ from what the receiver has.
    Delta {
        /// What it has.
        base: Base,
        /// Contents at the start of the segment; a page that became zero is among them.
        pages: Pages,
    },
    /// One record per cycle.
    Records(Vec<Record>),
    /// Registers per chunk and values read.
    Reads(Reads),
    /// Program and whole input; the receiver executes from the start of the run.
    Input {
        /// The ELF file.
        elf: Vec<u8>,
        /// The whole guest input, of which [`Shipment::input`] is a part.
        input: Vec<u8>,
    },
}

impl Payload {
    /// The encoding it is of.
    pub fn encoding(&self) -> Encoding {
        match self {
            Self::Witness(_) => Encoding::Witness,
            Self::Image(_) => Encoding::Image,
            Self::Pages(pages) if pages.log_page_bytes == 10 => Encoding::Pages1k,
            Self::Pages(_) => Encoding::Pages4k,
            Self::Delta {
                base: Base::Program,
                ..
            } => Encoding::Delta,
            Self::Delta {
                base: Base::Previous { .. },
                ..
            } => Encoding::DeltaPrevious,
            Self::Records(_) => Encoding::Records,
            Self::Reads(_) => Encoding::Reads,
            Self::Input { .. } => Encoding::Input,
        }
    }
}

/// The memory that a delta is relative to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    /// The program as loaded.
    Program,
    /// The memory at the previous boundary.
    Previous {
        /// Its [`memory_digest`].
        digest: [u8; 32],
    },
}

/// One table of a witness.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// 1 to 16 characters of `a-z`, `0-9`, `-` and `_`.
    pub name: String,
    /// Words per row, 1 to [`MAX_WIDTH`].
    pub width: u32,
    /// Rows, one after another: field elements in Montgomery form, each less than `0x78000001`.
    pub words: Vec<u32>,
}
