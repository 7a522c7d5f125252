//! The frame around every encoding: a header and a body, bound by a digest.

use crate::memory::zeroed_vec;

use super::body::{BodyReader, BodyWriter, to_usize};
use super::header::{
    STORED_BYTES_AT, check_elf, check_input_bytes, check_segment, header_bytes, input_section,
    max_raw_bytes, read_header, u64_at, write_header,
};
use super::{
    At, Compression, DIGEST_OFFSET, Encoding, HEADER_BYTES, Header, Payload, ShipError, Shipment,
    VERSION, delta, image, input, pages, reads, records, witness,
};

/// Turns a shipment into bytes.
///
/// Compression runs on all threads of the current rayon pool, in chunks of
/// [`CHUNK_BYTES`](super::CHUNK_BYTES). Peak memory: `shipment` and the result, and four chunks per
/// thread where the body is compressed.
///
/// # Errors
/// If `shipment` breaks an invariant that [`decode`] checks: it would be refused there.
pub fn encode(shipment: &Shipment, compression: Compression) -> Result<Vec<u8>, ShipError> {
    let Shipment {
        program,
        segment,
        input: segment_input,
        input_ends,
        elf,
        payload,
    } = shipment;
    let encoding = payload.encoding();
    let input_bytes = u32_len("length of the segment's input", segment_input.len())?;
    let elf_bytes = match elf {
        None => None,
        Some(elf) => {
            let len = u32_len("length of the elf file", elf.len())?;
            check_elf(len, encoding, At::Value, At::Value)?;
            check_program(elf, program, At::Value)?;
            Some(len)
        }
    };
    check_segment(segment, |_| At::Value)?;
    check_input_bytes(segment, input_bytes, At::Value)?;
    let payload_bytes = match payload {
        Payload::Witness(tables) => witness::check(tables)?,
        Payload::Image(p) => image::check(p)?,
        Payload::Pages(p) => pages::check(p)?,
        Payload::Delta { base, pages } => delta::check(base, pages)?,
        Payload::Records(r) => records::check(segment, r)?,
        Payload::Reads(r) => reads::check(segment, r)?,
        Payload::Input { elf, input } => input::check(shipment, elf, input)?,
    };
    let raw_bytes =
        payload_bytes + input_section(encoding, input_bytes) + u64::from(elf_bytes.unwrap_or(0));

    let body_len = if compression == Compression::Raw {
        raw_bytes
    } else {
        0
    };
    let mut out =
        zeroed_vec(HEADER_BYTES + to_usize("length of the raw body", At::Value, body_len)?)?;
    let mut body = BodyWriter::new(&mut out, compression);
    body.bytes(elf.as_deref().unwrap_or(&[]));
    if encoding != Encoding::Input {
        body.bytes(segment_input);
    }
    match payload {
        Payload::Witness(tables) => witness::write(tables, &mut body),
        Payload::Image(p) => image::write(p, &mut body),
        Payload::Pages(p) => pages::write(p, &mut body),
        Payload::Delta { base, pages } => delta::write(base, pages, &mut body),
        Payload::Records(r) => records::write(r, &mut body),
        Payload::Reads(r) => reads::write(r, &mut body),
        Payload::Input { elf, input } => input::write(elf, input, &mut body),
    }
    let written = body.finish();
    assert_eq!(
        written, raw_bytes,
        "an encoding writes as many bytes as it announces"
    );

    let stored_bytes = (out.len() - HEADER_BYTES) as u64;
    let max = max_raw_bytes(encoding, segment, stored_bytes);
    if raw_bytes > max {
        return Err(ShipError::ExpandsTooFar {
            raw: raw_bytes,
            stored: stored_bytes,
            max,
        });
    }
    let mut header = Header {
        version: VERSION,
        encoding,
        compression,
        program: *program,
        segment: *segment,
        input_bytes,
        input_ends: *input_ends,
        elf_bytes,
        raw_bytes,
        stored_bytes,
        digest: [0; 32],
    };
    let (head, body) = out
        .split_first_chunk_mut()
        .expect("the header's bytes are there");
    write_header(&header, head);
    header.digest = digest(head, body);
    write_header(&header, head);
    Ok(out)
}

/// Turns the bytes of one shipment back into it, and accepts no others.
///
/// Checks, in this order: magic, version, length, digest, header, then the body front to back.
/// Peak memory beside `bytes`: the result, one chunk, and one decompressor per thread; `records`
/// has 18 MiB more. The result is never larger than the header's number of cycles, 256 MiB, and
/// 1024 times `bytes` together justify, and the memory for it grows as it is decompressed.
///
/// # Errors
/// The first reason to refuse `bytes`, with its offset. Never panics.
pub fn decode(bytes: &[u8]) -> Result<Shipment, ShipError> {
    let head = header_bytes(bytes)?;
    let stored = &bytes[HEADER_BYTES..];
    let announced = u64_at(head, STORED_BYTES_AT);
    if stored.len() as u64 != announced {
        return Err(match (stored.len() as u64).checked_sub(announced) {
            Some(extra) => ShipError::TrailingBytes {
                at: At::File(HEADER_BYTES as u64 + announced),
                extra,
            },
            None => ShipError::Truncated {
                what: "body",
                at: At::File(HEADER_BYTES as u64),
                expected: announced,
                found: stored.len() as u64,
            },
        });
    }
    if digest(head, stored) != head[DIGEST_OFFSET..] {
        return Err(ShipError::DigestMismatch {
            offset: DIGEST_OFFSET as u64,
        });
    }
    let header = read_header(head)?;

    let mut body = BodyReader::new(stored, header.compression, header.raw_bytes)?;
    let at = body.at();
    let elf = match header.elf_bytes {
        None => None,
        Some(len) => {
            let elf = body.vec("elf file", u64::from(len))?;
            check_program(&elf, &header.program, at)?;
            Some(elf)
        }
    };
    let mut segment_input = body.vec("segment's input", header.input_section())?;
    let body = &mut body;
    let payload = match header.encoding {
        Encoding::Witness => Payload::Witness(witness::read(body)?),
        Encoding::Image => Payload::Image(image::read(body)?),
        Encoding::Pages1k => Payload::Pages(pages::read(10..=10, body)?),
        Encoding::Pages4k => Payload::Pages(pages::read(12..=12, body)?),
        Encoding::Delta => delta::read(false, body)?,
        Encoding::DeltaPrevious => delta::read(true, body)?,
        Encoding::Records => Payload::Records(records::read(&header.segment, body)?),
        Encoding::Reads => Payload::Reads(reads::read(&header.segment, body)?),
        Encoding::Input => {
            let (elf, input) = input::read(&header, body)?;
            segment_input = input::part(&header.segment, &input).to_vec();
            Payload::Input { elf, input }
        }
    };
    debug_assert_eq!(
        body.remaining(),
        0,
        "every encoding checks that the body ends with it"
    );
    let Header {
        program,
        segment,
        input_ends,
        ..
    } = header;
    Ok(Shipment {
        program,
        segment,
        input: segment_input,
        input_ends,
        elf,
        payload,
    })
}

/// BLAKE3 of the header without its digest, then of the body; in parallel where that pays.
fn digest(head: &[u8; HEADER_BYTES], body: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&head[..DIGEST_OFFSET]);
    update(&mut hasher, body);
    *hasher.finalize().as_bytes()
}

/// Hashes `bytes`, on all threads where there are enough of them.
fn update(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    if bytes.len() < 128 << 10 {
        hasher.update(bytes);
    } else {
        hasher.update_rayon(bytes);
    }
}

/// Checks that `elf` is the program named.
pub(super) fn check_program(elf: &[u8], program: &[u8; 32], at: At) -> Result<(), ShipError> {
    let mut hasher = blake3::Hasher::new();
    update(&mut hasher, elf);
    if hasher.finalize().as_bytes() == program {
        Ok(())
    } else {
        Err(ShipError::ProgramMismatch { at })
    }
}

pub(super) fn in_range(
    what: &'static str,
    at: At,
    value: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<(), ShipError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (min, max) = range.into_inner();
    Err(ShipError::LengthOutOfRange {
        what,
        at,
        value,
        min,
        max,
    })
}

pub(super) fn equal(
    what: &'static str,
    at: At,
    value: u64,
    expected: u64,
) -> Result<(), ShipError> {
    if value == expected {
        Ok(())
    } else {
        Err(ShipError::Inconsistent {
            what,
            at,
            value,
            expected,
        })
    }
}

pub(super) fn u32_len(what: &'static str, len: usize) -> Result<u32, ShipError> {
    u32::try_from(len).map_err(|_| ShipError::LengthOutOfRange {
        what,
        at: At::Value,
        value: len as u64,
        min: 0,
        max: u64::from(u32::MAX),
    })
}
