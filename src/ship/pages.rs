//! `pages-1k` and `pages-4k`: the pages a segment touches. Also the section that `image` and the
//! deltas share.

use std::ops::RangeInclusive;

use super::body::{BodyReader, BodyWriter};
use super::frame::{equal, in_range};
use super::{At, ShipError};
use crate::segment::Pages;

/// Bytes before the page numbers.
const PREFIX_BYTES: u64 = 8;
/// Pages of 1 KiB and of 4 KiB.
const LOG_SIZES: [u32; 2] = [10, 12];

/// Checks `pages` and returns their bytes on the wire.
pub(super) fn check(pages: &Pages) -> Result<u64, ShipError> {
    let Pages {
        log_page_bytes,
        numbers,
        bytes,
    } = pages;
    let at = At::Value;
    check_log(*log_page_bytes, 10..=12, at)?;
    equal(
        "length of the pages' contents",
        at,
        bytes.len() as u64,
        (numbers.len() as u64) << log_page_bytes,
    )?;
    for pair in numbers.windows(2) {
        if pair[0] >= pair[1] {
            let (previous, found) = (pair[0], pair[1]);
            return Err(ShipError::PagesNotAscending {
                at,
                previous,
                found,
            });
        }
    }
    let max = u32::MAX >> log_page_bytes;
    match numbers.last() {
        Some(&number) if number > max => Err(ShipError::PageOutOfRange {
            at,
            number: u64::from(number),
            max,
        }),
        _ => Ok(PREFIX_BYTES + 4 * numbers.len() as u64 + bytes.len() as u64),
    }
}

/// Writes pages that were checked.
pub(super) fn write(pages: &Pages, body: &mut BodyWriter<'_>) {
    body.u32(pages.log_page_bytes);
    body.u32(u32::try_from(pages.numbers.len()).expect("page numbers ascend, so they are fewer"));
    // Pages mostly follow each other: as gaps they are zeros, which compress.
    let mut next = 0;
    let mut gaps = Vec::with_capacity(pages.numbers.len());
    for &number in &pages.numbers {
        gaps.push(number - next);
        next = number + 1;
    }
    body.words(&gaps);
    body.bytes(&pages.bytes);
}

/// Reads the rest of the body as pages of a size within `log_sizes`.
pub(super) fn read(
    log_sizes: RangeInclusive<u64>,
    body: &mut BodyReader<'_>,
) -> Result<Pages, ShipError> {
    let at = body.at();
    let log_page_bytes = body.u32("page size")?;
    check_log(log_page_bytes, log_sizes, at)?;
    let max = u32::MAX >> log_page_bytes;
    let at = body.at();
    let count = u64::from(body.u32("number of pages")?);
    in_range("number of pages", at, count, 0..=u64::from(max) + 1)?;
    body.expect_remaining("pages", 4 * count + (count << log_page_bytes))?;
    let At::Body(first) = body.at() else {
        unreachable!("a body's place is in the body")
    };
    let mut numbers: Vec<u32> = body.vec("page numbers", count)?;
    let mut next = 0_u64;
    for (i, gap) in numbers.iter_mut().enumerate() {
        let number = next + u64::from(*gap);
        if number > u64::from(max) {
            let at = At::Body(first + 4 * i as u64);
            return Err(ShipError::PageOutOfRange { at, number, max });
        }
        *gap = number as u32;
        next = number + 1;
    }
    let bytes = body.vec("page contents", count << log_page_bytes)?;
    Ok(Pages {
        log_page_bytes,
        numbers,
        bytes,
    })
}

fn check_log(log: u32, allowed: RangeInclusive<u64>, at: At) -> Result<(), ShipError> {
    let what = "base-2 log of the page size";
    in_range(what, at, u64::from(log), allowed)?;
    if LOG_SIZES.contains(&log) {
        Ok(())
    } else {
        equal(what, at, u64::from(log), 12)
    }
}

/// Digest of a whole memory, made page by page.
///
/// BLAKE3 of the base-2 log of the page size, then for every page with a byte that is not zero, in
/// ascending order, of its number and its content; numbers are 32 bits, little-endian. It does not
/// matter which zero pages are given.
pub struct MemoryDigest {
    hasher: blake3::Hasher,
    log_page_bytes: u32,
    next: u64,
}

impl MemoryDigest {
    /// Starts the digest of a memory in pages of `2^log_page_bytes` bytes.
    pub fn new(log_page_bytes: u32) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&log_page_bytes.to_le_bytes());
        Self {
            hasher,
            log_page_bytes,
            next: 0,
        }
    }

    /// Adds page `number`.
    ///
    /// # Panics
    /// If `number` is not above the page before, or `content` is not one page long.
    pub fn page(&mut self, number: u32, content: &[u8]) {
        assert!(
            u64::from(number) >= self.next,
            "pages are digested in ascending order"
        );
        assert_eq!(content.len(), 1 << self.log_page_bytes, "a page's content");
        self.next = u64::from(number) + 1;
        if content.iter().any(|&byte| byte != 0) {
            self.hasher.update(&number.to_le_bytes());
            self.hasher.update(content);
        }
    }

    /// Ends the digest.
    pub fn finish(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }
}

/// Digest of the memory whose pages other than zero are all in `pages`; see [`MemoryDigest`].
///
/// # Panics
/// If `pages` break the invariants of their type.
pub fn memory_digest(pages: &Pages) -> [u8; 32] {
    let mut digest = MemoryDigest::new(pages.log_page_bytes);
    let contents = pages.bytes.chunks_exact(1 << pages.log_page_bytes);
    assert_eq!(contents.len(), pages.numbers.len(), "one content per page");
    for (&number, content) in pages.numbers.iter().zip(contents) {
        digest.page(number, content);
    }
    digest.finish()
}
