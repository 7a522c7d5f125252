//! `delta` and `delta-prev`: the pages that differ from the program as loaded, or from the memory
//! at the previous boundary.

use super::body::{BodyReader, BodyWriter};
use super::{Base, Payload, ShipError, pages};
use crate::segment::Pages;

/// Checks a delta and returns its bytes on the wire.
pub(super) fn check(base: &Base, changed: &Pages) -> Result<u64, ShipError> {
    let base_bytes = match base {
        Base::Program => 0,
        Base::Previous { digest } => digest.len() as u64,
    };
    Ok(base_bytes + pages::check(changed)?)
}

/// Writes a delta that was checked.
pub(super) fn write(base: &Base, changed: &Pages, body: &mut BodyWriter<'_>) {
    match base {
        Base::Program => {}
        Base::Previous { digest } => body.bytes(digest),
    }
    pages::write(changed, body);
}

/// Reads the rest of the body as a delta, of the previous boundary's memory if `previous`.
pub(super) fn read(previous: bool, body: &mut BodyReader<'_>) -> Result<Payload, ShipError> {
    let base = if previous {
        Base::Previous {
            digest: body.array("digest of the previous memory")?,
        }
    } else {
        Base::Program
    };
    Ok(Payload::Delta {
        base,
        pages: pages::read(10..=12, body)?,
    })
}
