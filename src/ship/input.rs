//! `input`: the program and the whole guest input. The receiver executes from the start.

use super::body::{BodyReader, BodyWriter};
use super::frame::{check_program, equal, in_range, u32_len};
use super::{At, Header, MAX_ELF_BYTES, ShipError, Shipment};
use crate::segment::Segment;

/// Bytes before the ELF file.
const PREFIX_BYTES: u64 = 8;

/// Checks the payload and returns its bytes on the wire.
pub(super) fn check(shipment: &Shipment, elf: &[u8], input: &[u8]) -> Result<u64, ShipError> {
    let at = At::Value;
    let elf_bytes = u64::from(u32_len("length of the elf file", elf.len())?);
    let input_bytes = u64::from(u32_len("length of the guest input", input.len())?);
    let Shipment {
        program,
        segment,
        input: segment_input,
        input_ends,
        ..
    } = shipment;
    check_lengths(segment, *input_ends, (elf_bytes, at), (input_bytes, at))?;
    check_program(elf, program, at)?;
    let differing = part(segment, input)
        .iter()
        .zip(segment_input)
        .position(|(a, b)| a != b);
    if let Some(i) = differing {
        let place = segment.start.input_pos as usize + i;
        let (value, expected) = (u64::from(input[place]), u64::from(segment_input[i]));
        equal(
            "byte of the guest input that the segment consumes",
            at,
            value,
            expected,
        )?;
    }
    Ok(PREFIX_BYTES + elf_bytes + input_bytes)
}

/// Writes a payload that was checked.
pub(super) fn write(elf: &[u8], input: &[u8], body: &mut BodyWriter<'_>) {
    for bytes in [elf, input] {
        body.u32(u32::try_from(bytes.len()).expect("both lengths were checked"));
    }
    body.bytes(elf);
    body.bytes(input);
}

/// Reads the rest of the body as ELF file and input.
pub(super) fn read(
    header: &Header,
    body: &mut BodyReader<'_>,
) -> Result<(Vec<u8>, Vec<u8>), ShipError> {
    let elf_at = body.at();
    let elf_bytes = u64::from(body.u32("length of the elf file")?);
    let input_at = body.at();
    let input_bytes = u64::from(body.u32("length of the guest input")?);
    check_lengths(
        &header.segment,
        header.input_ends,
        (elf_bytes, elf_at),
        (input_bytes, input_at),
    )?;
    body.expect_remaining("elf file and guest input", elf_bytes + input_bytes)?;
    let at = body.at();
    let elf = body.vec("elf file", elf_bytes)?;
    check_program(&elf, &header.program, at)?;
    Ok((elf, body.vec("guest input", input_bytes)?))
}

/// The part of the whole, checked `input` that the segment consumes.
pub(super) fn part<'a>(segment: &Segment, input: &'a [u8]) -> &'a [u8] {
    &input[segment.start.input_pos as usize..segment.end.input_pos as usize]
}

fn check_lengths(
    segment: &Segment,
    input_ends: bool,
    (elf_bytes, elf_at): (u64, At),
    (input_bytes, input_at): (u64, At),
) -> Result<(), ShipError> {
    in_range(
        "length of the elf file",
        elf_at,
        elf_bytes,
        0..=u64::from(MAX_ELF_BYTES),
    )?;
    let what = "length of the guest input";
    let end = u64::from(segment.end.input_pos);
    if input_ends {
        equal(what, input_at, input_bytes, end)
    } else {
        in_range(what, input_at, input_bytes, end + 1..=u64::from(u32::MAX))
    }
}
