//! Segments: a run cut into pieces of up to `2^k` cycles, each with all one could ship of it.

mod runner;

use crate::vm::{IoPhase, MachineState, Memory, Program, Recorder, Vm};
use crate::{Error, Result};

pub use runner::{MAX_LOG_CYCLES, Runner};

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

/// A segment with everything one could ship of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    /// Its place and the states it connects.
    pub segment: Segment,
    /// Every value it reads.
    pub reads: Reads,
    /// 1 KiB pages it reads or writes, as they were at its start.
    pub touched: Pages,
    /// Numbers of the 1 KiB pages it writes, ascending; a subset of `touched`.
    pub written: Vec<u32>,
    /// Guest input moved into memory in it.
    pub input: Vec<u8>,
    /// Whether a `read` in it asked for more input than was left, so that its result depends on
    /// where the input ends: see [`Segment::input_end`].
    pub input_ends: bool,
}

impl Segment {
    /// Length of the whole guest input, if a `read` in the segment came to its end.
    ///
    /// That `read` took all that was left, of which some may not have been moved by the segment's
    /// end. With `None` a resumed machine answers every `read` in full, which is right up to the
    /// segment's end.
    pub fn input_end(&self, input_ends: bool) -> Option<u32> {
        let in_read = self.end.phase() != Some(IoPhase::None) && self.end.io_fd == 0;
        let pending = if in_read { self.end.io_left } else { 0 };
        input_ends.then(|| self.end.input_pos.wrapping_add(pending))
    }
}

impl Pages {
    /// The contents of the page at index `slot` of [`numbers`](Self::numbers).
    pub fn page(&self, slot: usize) -> &[u8] {
        &self.bytes[slot << self.log_page_bytes..(slot + 1) << self.log_page_bytes]
    }

    /// A memory that holds these pages and zeroes elsewhere.
    ///
    /// # Errors
    /// [`Error::Resource`] if memory cannot be reserved, [`Error::Replay`] if a page lies outside
    /// the address space or `bytes` has the wrong length.
    pub fn to_memory(&self) -> Result<Memory> {
        let log = self.log_page_bytes;
        let inside = |&n: &u32| u64::from(n) < 1 << (32 - log);
        if log > 31
            || self.bytes.len() != self.numbers.len() << log
            || !self.numbers.iter().all(inside)
        {
            return Err(Error::Replay("pages are malformed".into()));
        }
        let mut memory = Memory::new()?;
        self.write_to(&mut memory);
        Ok(memory)
    }

    /// Writes the pages to `memory`.
    ///
    /// # Panics
    /// If a page lies outside the address space.
    pub fn write_to(&self, memory: &mut Memory) {
        for (slot, number) in self.numbers.iter().enumerate() {
            memory.write_bytes(number << self.log_page_bytes, self.page(slot));
        }
    }
}

impl Recording {
    /// Executes the segment again from its start state and touched pages, and checks that
    /// everything comes out as recorded: end state, values read, pages touched and written.
    ///
    /// # Errors
    /// [`Error::Replay`] naming the first difference.
    pub fn self_replay(&self, program: &Program) -> Result<()> {
        let segment = &self.segment;
        let name = |what: &str| Error::Replay(format!("segment {}: {what}", segment.index));
        if self.reads.log_chunk > MAX_LOG_CYCLES || segment.num_cycles > 1 << MAX_LOG_CYCLES {
            return Err(name("is longer than a segment may be"));
        }
        let memory = self.touched.to_memory()?;
        let mut vm = Vm::resume(
            program,
            memory,
            segment.start,
            segment.start_cycle,
            &self.input,
            segment.input_end(self.input_ends),
        )?;
        let mut recorder = Recorder::<true, true>::new(self.reads.log_chunk);
        let stop = recorder.run(&mut vm, u64::from(segment.num_cycles));
        let (reads, touched, written) = recorder.take();
        if vm.cycle() - segment.start_cycle != u64::from(segment.num_cycles) {
            return Err(name(&format!(
                "stopped early: {stop:?} at cycle {}",
                vm.cycle()
            )));
        }
        let end = vm.state();
        if end != segment.end {
            return Err(name(&format!(
                "ends in {end:?}, expected {:?}",
                segment.end
            )));
        }
        if touched.numbers != self.touched.numbers {
            return Err(name("touches other pages than recorded"));
        }
        if touched != self.touched || written != self.written {
            return Err(name("touched or written pages differ"));
        }
        if reads != self.reads {
            return Err(name("values read differ"));
        }
        Ok(())
    }
}
