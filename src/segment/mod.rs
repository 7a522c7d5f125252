//! Segments: a run cut into pieces of up to `2^k` cycles, each with all one could ship of it.

use crate::vm::MachineState;

/// Bytes of the smallest page that is tracked.
pub const PAGE_BYTES: usize = 1024;
/// Base-2 logarithm of [`PAGE_BYTES`].
pub const LOG_PAGE_BYTES: u32 = 10;

/// A segment's place in its run and the states it connects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Number of the segment in its run, from 0.
    pub index: u32,
    /// Base-2 logarithm of the most cycles it may have; its trace has `2^log_cycles` rows.
    pub log_cycles: u32,
    /// Cycles executed before it.
    pub start_cycle: u64,
    /// Cycles in it: `2^log_cycles`, fewer only in the last segment of a run.
    pub num_cycles: u32,
    /// State before its first cycle.
    pub start: MachineState,
    /// State after its last cycle.
    pub end: MachineState,
}

/// Whole pages of memory, ascending and without repeats.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pages {
    /// Base-2 logarithm of the page size: 10 or 12.
    pub log_page_bytes: u32,
    /// Page numbers (address >> `log_page_bytes`), strictly ascending.
    pub numbers: Vec<u32>,
    /// Contents, `numbers.len() << log_page_bytes` bytes.
    pub bytes: Vec<u8>,
}

/// State at the start of a chunk of a segment, and where its values start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// State before the chunk's first cycle.
    pub state: MachineState,
    /// Index into [`Reads::words`] of the chunk's first value.
    pub first_word: u32,
}

/// The minimal trace of a segment: enough to replay each chunk without memory.
///
/// `words` holds, in program order:
/// - for each load and store, and each unit a system call moves: the aligned word in memory before
///   the access; a unit moved *into* memory is followed by the data moved (a word, or a byte
///   zero-extended);
/// - for each `ecall`: the value it leaves in `a0`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reads {
    /// Base-2 logarithm of the cycles in a chunk; the last chunk may be shorter.
    pub log_chunk: u32,
    /// One per chunk.
    pub checkpoints: Vec<Checkpoint>,
    /// Values read, see above.
    pub words: Vec<u32>,
}
