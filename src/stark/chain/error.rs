//! Why a chain of statements was refused.

use crate::stark::consistency::{PUBLIC_NAMES, StatementError};
use crate::vm::Cause;

/// Why statements are not those of a run, or not of the one claimed. One variant per reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChainError {
    /// A statement is not one of any segment.
    #[error("segment {segment}: {error}")]
    Statement {
        /// Number of the segment.
        segment: u32,
        /// Why.
        error: StatementError,
    },
    /// Segments are not numbered from 0 without a gap.
    #[error("segment {found} comes where segment {expected} was expected")]
    Index {
        /// The number in the statement.
        found: u32,
        /// How many segments came before.
        expected: u64,
    },
    /// A segment follows the one in which the guest exited.
    #[error("segment {segment} follows the guest's exit")]
    AfterExit {
        /// Number of the segment.
        segment: u32,
    },
    /// A segment starts at another instruction than the one before ended at; the first, elsewhere
    /// than at the program's entry.
    #[error("segment {segment} starts at pc {found:#010x}, expected {expected:#010x}")]
    StartPc {
        /// Number of the segment.
        segment: u32,
        /// Where it starts.
        found: u32,
        /// Where it must.
        expected: u32,
    },
    /// A segment starts at another position within a transfer than the one before ended at.
    #[error(
        "segment {segment}: public value {name:?} is {found}, expected {expected}",
        name = PUBLIC_NAMES.get(*index).unwrap_or(&"?")
    )]
    StartPosition {
        /// Number of the segment.
        segment: u32,
        /// Index of the public value.
        index: usize,
        /// Its value.
        found: u32,
        /// What it must be.
        expected: u32,
    },
    /// A register is not as it was left.
    #[error("segment {segment} starts with {found:#x} in x{register}, expected {expected:#x}")]
    Register {
        /// Number of the segment.
        segment: u32,
        /// Number of the register.
        register: u32,
        /// What the segment says it found.
        found: u32,
        /// What was left there.
        expected: u32,
    },
    /// A memory word is not as it was left, or, untouched so far, not as in the program's image.
    #[error(
        "segment {segment} starts with {found:#010x} in the word at {address:#010x}, expected \
         {expected:#010x}"
    )]
    Word {
        /// Number of the segment.
        segment: u32,
        /// Byte address of the word.
        address: u32,
        /// What the segment says it found.
        found: u32,
        /// What was left there.
        expected: u32,
    },
    /// A word of code changed: the machine traps on the store that would do it.
    #[error(
        "segment {segment} changes the code at {address:#010x} from {first:#010x} to {last:#010x}"
    )]
    CodeChanged {
        /// Number of the segment.
        segment: u32,
        /// Byte address of the word.
        address: u32,
        /// Its content before.
        first: u32,
        /// Its content after.
        last: u32,
    },
    /// The machine would have trapped on a system call.
    #[error("segment {segment}, row {clk}: the machine would have trapped: {cause}")]
    Trap {
        /// Number of the segment.
        segment: u32,
        /// Row of the log entry.
        clk: u32,
        /// Why.
        cause: Cause,
    },
    /// A system call returned something else than it returns.
    #[error(
        "segment {segment}, row {clk}: system call {number} returned {found:#x}, expected \
         {expected:#x}"
    )]
    Result {
        /// Number of the segment.
        segment: u32,
        /// Row of the log entry that shows it: the `ecall`, or the setup of its transfer.
        clk: u32,
        /// Number of the system call.
        number: u32,
        /// What it returned.
        found: u32,
        /// What it returns.
        expected: u32,
    },
    /// A transfer that an earlier segment started goes the other way.
    #[error(
        "segment {segment}, row {clk}: the transfer is a {expected}, but data moves the other way"
    )]
    Direction {
        /// Number of the segment.
        segment: u32,
        /// Row of the move.
        clk: u32,
        /// `read` or `write`.
        expected: &'static str,
    },
    /// Data that a `read` moved is not the guest's input.
    #[error(
        "segment {segment}, row {clk}: read {found:#x} at position {position} of the input, \
         expected {expected:#x}"
    )]
    Input {
        /// Number of the segment.
        segment: u32,
        /// Row of the move.
        clk: u32,
        /// Position in the input.
        position: u32,
        /// What was moved: a byte, or a word of four.
        found: u32,
        /// What is there.
        expected: u32,
    },
    /// The last segment does not end in an exit.
    #[error("the guest has not exited after {num_segments} segments of {num_cycles} cycles")]
    NotExited {
        /// How many segments there were.
        num_segments: u64,
        /// Their cycles.
        num_cycles: u64,
    },
    /// The run's exit code is not the one claimed.
    #[error("the guest exited with {found}, expected {expected}")]
    ExitCode {
        /// The run's exit code.
        found: u32,
        /// The one claimed.
        expected: u32,
    },
    /// The run's journal is not the one claimed.
    #[error(
        "the guest's journal of {found} bytes differs from the expected {expected} at byte {at}"
    )]
    Journal {
        /// Length of the run's journal.
        found: usize,
        /// Length of the one claimed.
        expected: usize,
        /// Position of the first difference.
        at: usize,
    },
}
