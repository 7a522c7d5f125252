//! What kernels report: the first error, and a few numbers.

use crate::Error;
use crate::backend::cuda::device::{Buffer, Device};
use crate::witness::ReplayError;
use crate::{Result, segment::Segment};

/// Words of a status, as in `machine.cuh`: error (two), difference from the segment's states, words
/// touched, `op` of the last row.
pub(super) const STATUS_WORDS: usize = 5;

/// A status that nothing was reported to.
pub(super) fn new(device: &Device) -> Result<Buffer<u32>> {
    device.upload("a status", &[u32::MAX, u32::MAX, u32::MAX, 0, 0])
}

/// A status on the host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status(pub(super) [u32; STATUS_WORDS]);

/// A row's error, before its text is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RowError {
    /// As on the host.
    Replay(ReplayError),
    /// A word at `addr` was found with another value than it was left with; which values is not said.
    Inconsistent { row: u32, addr: u32 },
    /// A record that no execution of the program gives.
    BadRecord { row: u32 },
    /// A record whose gaps are not those of its accesses.
    Gaps { row: u32 },
}

impl Status {
    /// The error of the lowest row that has one.
    pub(super) fn row_error(&self) -> Option<RowError> {
        let [detail, error, ..] = self.0;
        if (detail, error) == (u32::MAX, u32::MAX) {
            return None;
        }
        let row = error >> 8;
        Some(RowError::Replay(match error & 0xff {
            0 => ReplayError::WrongEnd { row },
            1 => ReplayError::OutOfWords { row },
            2 => ReplayError::NotExecutable { row, pc: detail },
            3 => ReplayError::Misaligned { row, addr: detail },
            4 => ReplayError::TransferTooLong { row },
            5 => ReplayError::Halted { row },
            6 => return Some(RowError::Inconsistent { row, addr: detail }),
            7 => return Some(RowError::BadRecord { row }),
            _ => return Some(RowError::Gaps { row }),
        }))
    }

    /// How records differ from the states of their segment.
    pub(super) fn check_ends(&self) -> Result<()> {
        let (what, end) = match self.0[2] {
            u32::MAX => return Ok(()),
            0 => ("the first record's pc".to_owned(), "start"),
            1 => ("the pc after the last record".to_owned(), "end"),
            register @ 2..34 => (format!("x{} after the records", register - 2), "end"),
            register => (format!("x{} before the records", register - 34), "start"),
        };
        Err(differs(&what, end))
    }

    /// Number of memory words touched.
    pub(super) fn num_words(&self) -> usize {
        self.0[3] as usize
    }

    /// `op` of the segment's last record.
    pub(super) fn last_op(&self) -> u32 {
        self.0[4]
    }
}

fn differs(what: &str, end: &str) -> Error {
    Error::Replay(format!("{what} is not that of the segment's {end}"))
}

/// What [`Status::check_ends`] checks, for a segment without cycles.
pub(super) fn check_empty(segment: &Segment) -> Result<()> {
    let (start, end) = (&segment.start.x, &segment.end.x);
    match start.iter().zip(end).position(|(a, b)| a != b) {
        Some(register) => Err(differs(&format!("x{register} before the records"), "start")),
        None => Ok(()),
    }
}
