//! `image`: the whole memory at the start of the segment.
//!
//! A page that is zero need not be there: memory the guest never wrote costs nothing, as in a core
//! dump. On the wire it is the section of [`pages`].

use super::body::{BodyReader, BodyWriter};
use super::{ShipError, pages};
use crate::segment::Pages;

/// Checks `image` and returns its bytes on the wire.
pub(super) fn check(image: &Pages) -> Result<u64, ShipError> {
    pages::check(image)
}

/// Writes an image that was checked.
pub(super) fn write(image: &Pages, body: &mut BodyWriter<'_>) {
    pages::write(image, body);
}

/// Reads the rest of the body as an image.
pub(super) fn read(body: &mut BodyReader<'_>) -> Result<Pages, ShipError> {
    pages::read(10..=12, body)
}
