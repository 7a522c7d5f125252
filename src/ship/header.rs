//! The header of a shipment: its layout, and all that can be checked without the body.

use super::frame::{equal, in_range};
use super::{At, Compression, Encoding, ShipError, reads, records};
use crate::segment::Segment;
use crate::vm::MachineState;

/// First bytes of every shipment. The high bit and the line ends show damage by text transfers.
pub const MAGIC: [u8; 8] = *b"\x8fRewit\r\n";
/// Version written, and the only one read.
pub const VERSION: u16 = 1;
/// Bytes of the frame before the body.
pub const HEADER_BYTES: usize = 448;
/// Offset of the BLAKE3 digest, the last 32 bytes of the header. It covers everything else: the
/// header before it and the stored body behind it.
pub const DIGEST_OFFSET: usize = HEADER_BYTES - 32;
/// Largest [`Segment::log_cycles`] a shipment may have.
pub const MAX_LOG_CYCLES: u32 = 22;
/// Most bytes of an ELF file in a shipment.
pub const MAX_ELF_BYTES: u32 = 256 << 20;
/// Raw bytes that any body may have, however few bytes it is stored in.
pub const BASE_RAW_BYTES: u64 = 256 << 20;
/// Raw bytes that a body may have for each stored byte, beside [`BASE_RAW_BYTES`] and what the
/// number of cycles justifies.
pub const MAX_EXPANSION: u64 = 1024;

const VERSION_AT: usize = 8;
const ENCODING_AT: usize = 10;
const COMPRESSION_AT: usize = 11;
const FLAGS_AT: usize = 12;
const RESERVED_AT: std::ops::Range<usize> = 13..16;
const PROGRAM_AT: usize = 16;
const INDEX_AT: usize = 48;
const LOG_CYCLES_AT: usize = 52;
const START_CYCLE_AT: usize = 56;
const NUM_CYCLES_AT: usize = 64;
const INPUT_BYTES_AT: usize = 68;
const ELF_BYTES_AT: usize = 72;
const RESERVED2_AT: std::ops::Range<usize> = 76..80;
const START_AT: usize = 80;
const END_AT: usize = START_AT + MachineState::BYTES;
const RAW_BYTES_AT: usize = END_AT + MachineState::BYTES;
pub(super) const STORED_BYTES_AT: usize = RAW_BYTES_AT + 8;
const _: () = assert!(STORED_BYTES_AT + 8 == DIGEST_OFFSET);

const FLAG_INPUT_ENDS: u8 = 1;
const FLAG_ELF: u8 = 2;

/// What the header of a shipment says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Version of the format.
    pub version: u16,
    /// Scheme the payload is encoded by.
    pub encoding: Encoding,
    /// How the body is stored.
    pub compression: Compression,
    /// BLAKE3 of the program's ELF file.
    pub program: [u8; 32],
    /// The segment.
    pub segment: Segment,
    /// Bytes of guest input consumed in the segment.
    pub input_bytes: u32,
    /// True if the guest input ends after those.
    pub input_ends: bool,
    /// Bytes of the ELF file beside the payload, if there is one.
    pub elf_bytes: Option<u32>,
    /// Bytes of the body after decompression.
    pub raw_bytes: u64,
    /// Bytes of the body as stored.
    pub stored_bytes: u64,
    /// BLAKE3 of the header before it and the stored body.
    pub digest: [u8; 32],
}

impl Header {
    /// Bytes of the whole shipment.
    pub fn total_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + self.stored_bytes
    }

    /// Bytes of the segment's input that the body has apart from the payload.
    pub(super) fn input_section(&self) -> u64 {
        input_section(self.encoding, self.input_bytes)
    }
}

/// Only `input` has the segment's input elsewhere: as a part of the whole.
pub(super) fn input_section(encoding: Encoding, input_bytes: u32) -> u64 {
    if encoding == Encoding::Input {
        0
    } else {
        u64::from(input_bytes)
    }
}

/// Most raw bytes a decoder follows.
///
/// A body may be as large as the work its header announces, and beyond that only expand so far.
pub(super) fn max_raw_bytes(encoding: Encoding, segment: &Segment, stored: u64) -> u64 {
    let justified = match encoding {
        Encoding::Witness => 1024 << segment.log_cycles,
        Encoding::Records => records::RECORD_BYTES * u64::from(segment.num_cycles),
        Encoding::Reads => reads::MAX_WORDS_PER_CYCLE * 4 * u64::from(segment.num_cycles),
        _ => 0,
    };
    justified
        .saturating_add(BASE_RAW_BYTES)
        .saturating_add(stored.saturating_mul(MAX_EXPANSION))
}

/// Reads the header of a shipment, of which `bytes` may be only the first [`HEADER_BYTES`].
///
/// Checks all of the header that [`decode`](super::decode) checks but the digest, which needs the body.
///
/// # Errors
/// The first reason to refuse the header, with its offset. Never panics.
pub fn inspect(bytes: &[u8]) -> Result<Header, ShipError> {
    read_header(header_bytes(bytes)?)
}

/// Finds the header: magic, version, and enough bytes.
pub(super) fn header_bytes(bytes: &[u8]) -> Result<&[u8; HEADER_BYTES], ShipError> {
    let short = |expected: usize| ShipError::Truncated {
        what: "header",
        at: At::File(0),
        expected: expected as u64,
        found: bytes.len() as u64,
    };
    let magic = bytes.first_chunk().ok_or_else(|| short(HEADER_BYTES))?;
    if *magic != MAGIC {
        return Err(ShipError::BadMagic {
            expected: MAGIC,
            found: *magic,
        });
    }
    let version = bytes[VERSION_AT..]
        .first_chunk()
        .ok_or_else(|| short(HEADER_BYTES))?;
    let version = u16::from_le_bytes(*version);
    if version != VERSION {
        return Err(ShipError::UnsupportedVersion {
            offset: VERSION_AT as u64,
            found: version,
            supported: VERSION,
        });
    }
    bytes.first_chunk().ok_or_else(|| short(HEADER_BYTES))
}

pub(super) fn read_header(head: &[u8; HEADER_BYTES]) -> Result<Header, ShipError> {
    let number = head[ENCODING_AT];
    let encoding = Encoding::from_number(number).ok_or(ShipError::UnknownEncoding {
        offset: ENCODING_AT as u64,
        found: number,
    })?;
    let number = head[COMPRESSION_AT];
    let compression = Compression::from_number(number).ok_or(ShipError::UnknownCompression {
        offset: COMPRESSION_AT as u64,
        found: number,
    })?;
    let flags = head[FLAGS_AT];
    let known = flags & (FLAG_INPUT_ENDS | FLAG_ELF);
    let mut must_be = vec![(FLAGS_AT, known)];
    must_be.extend(RESERVED_AT.chain(RESERVED2_AT).map(|offset| (offset, 0)));
    for (offset, expected) in must_be {
        if head[offset] != expected {
            let (offset, found) = (offset as u64, head[offset]);
            return Err(ShipError::ReservedBits {
                offset,
                expected,
                found,
            });
        }
    }

    let segment = Segment {
        index: u32_at(head, INDEX_AT),
        log_cycles: u32_at(head, LOG_CYCLES_AT),
        start_cycle: u64_at(head, START_CYCLE_AT),
        num_cycles: u32_at(head, NUM_CYCLES_AT),
        start: state_at(head, START_AT),
        end: state_at(head, END_AT),
    };
    check_segment(&segment, |offset| At::File(offset as u64))?;
    let input_bytes = u32_at(head, INPUT_BYTES_AT);
    check_input_bytes(&segment, input_bytes, At::File(INPUT_BYTES_AT as u64))?;
    let len = u32_at(head, ELF_BYTES_AT);
    let elf_bytes = (flags & FLAG_ELF != 0).then_some(len);
    let elf_at = At::File(ELF_BYTES_AT as u64);
    match elf_bytes {
        None if len != 0 => {
            return Err(ShipError::Inconsistent {
                what: "length of the elf file",
                at: elf_at,
                value: u64::from(len),
                expected: 0,
            });
        }
        None => {}
        Some(len) => check_elf(len, encoding, elf_at, At::File(FLAGS_AT as u64))?,
    }

    let raw_bytes = u64_at(head, RAW_BYTES_AT);
    let stored_bytes = u64_at(head, STORED_BYTES_AT);
    if compression == Compression::Raw && raw_bytes != stored_bytes {
        return Err(ShipError::Inconsistent {
            what: "length of the uncompressed body",
            at: At::File(RAW_BYTES_AT as u64),
            value: raw_bytes,
            expected: stored_bytes,
        });
    }
    let max = max_raw_bytes(encoding, &segment, stored_bytes);
    if raw_bytes > max {
        return Err(ShipError::ExpandsTooFar {
            raw: raw_bytes,
            stored: stored_bytes,
            max,
        });
    }
    let sections = input_section(encoding, input_bytes) + u64::from(len);
    if raw_bytes < sections {
        return Err(ShipError::Truncated {
            what: "raw body",
            at: At::File(RAW_BYTES_AT as u64),
            expected: sections,
            found: raw_bytes,
        });
    }
    Ok(Header {
        version: VERSION,
        encoding,
        compression,
        program: array_at(head, PROGRAM_AT),
        segment,
        input_bytes,
        input_ends: flags & FLAG_INPUT_ENDS != 0,
        elf_bytes,
        raw_bytes,
        stored_bytes,
        digest: array_at(head, DIGEST_OFFSET),
    })
}

pub(super) fn write_header(header: &Header, head: &mut [u8; HEADER_BYTES]) {
    let Header {
        version,
        encoding,
        compression,
        program,
        segment:
            Segment {
                index,
                log_cycles,
                start_cycle,
                num_cycles,
                start,
                end,
            },
        input_bytes,
        input_ends,
        elf_bytes,
        raw_bytes,
        stored_bytes,
        digest,
    } = header;
    let mut flags = 0;
    if *input_ends {
        flags |= FLAG_INPUT_ENDS;
    }
    if elf_bytes.is_some() {
        flags |= FLAG_ELF;
    }
    let mut put = |offset: usize, bytes: &[u8]| {
        head[offset..offset + bytes.len()].copy_from_slice(bytes);
    };
    put(0, &MAGIC);
    put(VERSION_AT, &version.to_le_bytes());
    put(ENCODING_AT, &[*encoding as u8]);
    put(COMPRESSION_AT, &[*compression as u8]);
    put(FLAGS_AT, &[flags]);
    put(PROGRAM_AT, program);
    put(INDEX_AT, &index.to_le_bytes());
    put(LOG_CYCLES_AT, &log_cycles.to_le_bytes());
    put(START_CYCLE_AT, &start_cycle.to_le_bytes());
    put(NUM_CYCLES_AT, &num_cycles.to_le_bytes());
    put(INPUT_BYTES_AT, &input_bytes.to_le_bytes());
    put(ELF_BYTES_AT, &elf_bytes.unwrap_or(0).to_le_bytes());
    for (offset, state) in [(START_AT, start), (END_AT, end)] {
        for (i, word) in state_words(state).iter().enumerate() {
            put(offset + 4 * i, &word.to_le_bytes());
        }
    }
    put(RAW_BYTES_AT, &raw_bytes.to_le_bytes());
    put(STORED_BYTES_AT, &stored_bytes.to_le_bytes());
    put(DIGEST_OFFSET, digest);
}

/// Checks what does not depend on the body. `at` gives the place of a field by its offset.
pub(super) fn check_segment(segment: &Segment, at: impl Fn(usize) -> At) -> Result<(), ShipError> {
    let Segment {
        index: _,
        log_cycles,
        start_cycle,
        num_cycles,
        start,
        end,
    } = segment;
    in_range(
        "base-2 log of the segment's cycles",
        at(LOG_CYCLES_AT),
        u64::from(*log_cycles),
        0..=u64::from(MAX_LOG_CYCLES),
    )?;
    in_range(
        "number of cycles",
        at(NUM_CYCLES_AT),
        u64::from(*num_cycles),
        1..=1 << log_cycles,
    )?;
    in_range(
        "number of cycles before the segment",
        at(START_CYCLE_AT),
        *start_cycle,
        0..=u64::MAX - u64::from(*num_cycles),
    )?;
    for (state, offset) in [(start, START_AT), (end, END_AT)] {
        if !state.is_canonical() {
            return Err(ShipError::NotCanonicalState { at: at(offset) });
        }
    }
    in_range(
        "end of the segment's input",
        at(END_AT),
        u64::from(end.input_pos),
        u64::from(start.input_pos)..=u64::from(u32::MAX),
    )
}

/// Checks the length of a checked segment's input.
pub(super) fn check_input_bytes(segment: &Segment, len: u32, at: At) -> Result<(), ShipError> {
    let what = "length of the segment's input";
    equal(
        what,
        at,
        u64::from(len),
        u64::from(segment.end.input_pos - segment.start.input_pos),
    )?;
    // A cycle moves at most a word.
    in_range(
        what,
        at,
        u64::from(len),
        0..=4 * u64::from(segment.num_cycles),
    )
}

/// Checks the length of an ELF file beside the payload, and that the encoding has one there.
pub(super) fn check_elf(
    len: u32,
    encoding: Encoding,
    at: At,
    flag_at: At,
) -> Result<(), ShipError> {
    if encoding == Encoding::Input {
        // It is in the payload already.
        equal("elf file beside an input payload", flag_at, 1, 0)?;
    }
    in_range(
        "length of the elf file",
        at,
        u64::from(len),
        0..=u64::from(MAX_ELF_BYTES),
    )
}

/// The words of a state, in the order of the wire.
pub(super) fn state_words(state: &MachineState) -> [u32; MachineState::BYTES / 4] {
    bytemuck::cast(*state)
}

fn state_at(head: &[u8; HEADER_BYTES], offset: usize) -> MachineState {
    bytemuck::cast::<[u32; MachineState::BYTES / 4], _>(std::array::from_fn(|i| {
        u32_at(head, offset + 4 * i)
    }))
}

fn array_at<const N: usize>(head: &[u8; HEADER_BYTES], offset: usize) -> [u8; N] {
    *head[offset..]
        .first_chunk()
        .expect("offsets are inside the header")
}

fn u32_at(head: &[u8; HEADER_BYTES], offset: usize) -> u32 {
    u32::from_le_bytes(array_at(head, offset))
}

pub(super) fn u64_at(head: &[u8; HEADER_BYTES], offset: usize) -> u64 {
    u64::from_le_bytes(array_at(head, offset))
}
