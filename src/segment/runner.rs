//! Running a program segment by segment.

use super::{LOG_PAGE_BYTES, PAGE_BYTES, Pages, Recording, Segment};
use crate::vm::{MachineState, Memory, Program, Recorder, Stop, Vm, WriteRecorder};
use crate::{Error, Result};

/// Largest base-2 logarithm of the cycles in a segment.
pub const MAX_LOG_CYCLES: u32 = 28;

/// Set of 1 KiB page numbers.
#[derive(Debug)]
struct PageBits(Vec<u64>);

impl PageBits {
    fn new() -> Self {
        Self(vec![0; 1 << (32 - LOG_PAGE_BYTES - 6)])
    }

    fn extend(&mut self, numbers: &[u32]) {
        for &number in numbers {
            self.0[(number >> 6) as usize] |= 1 << (number & 63);
        }
    }

    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0
            .iter()
            .zip(0u32..)
            .filter(|(bits, _)| **bits != 0)
            .flat_map(|(&bits, word)| {
                (0..64)
                    .filter(move |bit| bits >> bit & 1 != 0)
                    .map(move |bit| word << 6 | bit)
            })
    }
}

/// Executes a program segment by segment, recording what could be shipped of each.
#[derive(Debug)]
pub struct Runner<'p> {
    vm: Vm<'p>,
    input: &'p [u8],
    log_cycles: u32,
    log_chunk: u32,
    index: u32,
    recorder: Option<Recorder<true, true>>,
    write_recorder: WriteRecorder,
    initial: Pages,
    dirty: PageBits,
    previous: Vec<u32>,
    stop: Option<Stop>,
}

impl<'p> Runner<'p> {
    /// Starts `program` on `input`.
    ///
    /// - `log_cycles`: base-2 logarithm of the cycles in a segment, at most 28.
    /// - `log_chunk`: base-2 logarithm of the cycles in a chunk of [`Reads`](super::Reads).
    ///
    /// # Errors
    /// [`Error::Usage`] if a logarithm is out of range, and the errors of [`Vm::new`].
    pub fn new(
        program: &'p Program,
        input: &'p [u8],
        log_cycles: u32,
        log_chunk: u32,
    ) -> Result<Self> {
        if log_cycles > MAX_LOG_CYCLES || log_chunk > log_cycles {
            return Err(Error::Usage(format!(
                "segments of 2^{log_cycles} cycles in chunks of 2^{log_chunk}: expected chunks no \
                 longer than segments, and segments of at most 2^{MAX_LOG_CYCLES}"
            )));
        }
        let initial = program.initial_pages();
        Ok(Self {
            vm: Vm::new(program, input)?,
            input,
            log_cycles,
            log_chunk,
            index: 0,
            recorder: None,
            write_recorder: WriteRecorder::default(),
            initial,
            dirty: PageBits::new(),
            previous: vec![],
            stop: None,
        })
    }

    /// Executes the next segment and records it.
    ///
    /// Returns `None` when the program has stopped; [`stop`](Self::stop) says why. A trap ends the
    /// last segment just before the instruction that trapped.
    ///
    pub fn next_segment(&mut self) -> Option<Recording> {
        if self.stop.is_some() {
            return None;
        }
        let (start_cycle, start) = (self.vm.cycle(), self.vm.state());
        self.vm.take_hit_input_end();
        let recorder = self
            .recorder
            .get_or_insert_with(|| Recorder::new(self.log_chunk));
        let stop = recorder.run(&mut self.vm, 1 << self.log_cycles);
        let (reads, touched, written) = recorder.take();
        let segment = self.finish(stop, start_cycle, start, written.clone())?;
        let input = &self.input[start.input_pos as usize..segment.end.input_pos as usize];
        Some(Recording {
            segment,
            reads,
            touched,
            written,
            input: input.to_vec(),
            input_ends: self.vm.take_hit_input_end(),
        })
    }

    /// Executes the next segment without recording it; cheaper, and everything else about the
    /// runner is as after [`next_segment`](Self::next_segment).
    pub fn skip_segment(&mut self) -> Option<Segment> {
        if self.stop.is_some() {
            return None;
        }
        let (start_cycle, start) = (self.vm.cycle(), self.vm.state());
        let stop = self
            .vm
            .run_with(1 << self.log_cycles, &mut self.write_recorder);
        let written = self.write_recorder.take();
        self.finish(stop, start_cycle, start, written)
    }

    fn finish(
        &mut self,
        stop: Stop,
        start_cycle: u64,
        start: MachineState,
        written: Vec<u32>,
    ) -> Option<Segment> {
        if stop != Stop::Limit {
            self.stop = Some(stop);
        }
        let num_cycles = (self.vm.cycle() - start_cycle) as u32;
        if num_cycles == 0 {
            return None;
        }
        self.dirty.extend(&written);
        self.previous = written;
        let index = self.index;
        self.index += 1;
        let end = self.vm.state();
        Some(Segment {
            index,
            log_cycles: self.log_cycles,
            start_cycle,
            num_cycles,
            start,
            end,
        })
    }

    /// Why the program stopped; `None` while it runs.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// The machine at the current boundary: state, cycle, outputs, memory.
    pub fn vm(&self) -> &Vm<'p> {
        &self.vm
    }

    /// State at the current boundary.
    pub fn state(&self) -> MachineState {
        self.vm.state()
    }

    /// Cycles executed so far.
    pub fn cycle(&self) -> u64 {
        self.vm.cycle()
    }

    /// What the guest wrote so far: to standard output, standard error and the journal.
    pub fn outputs(&self) -> [&[u8]; 3] {
        [self.vm.stdout(), self.vm.stderr(), self.vm.journal()]
    }

    /// All 1 KiB pages at the current boundary that are not all zero.
    pub fn image(&self) -> Pages {
        let mut candidates = PageBits(self.dirty.0.clone());
        candidates.extend(&self.initial.numbers);
        let memory = self.vm.memory();
        let nonzero = |&number: &u32| *memory.page(number) != [0; PAGE_BYTES];
        pages_of(memory, LOG_PAGE_BYTES, candidates.iter().filter(nonzero))
    }

    /// Numbers of the 1 KiB pages written since the program started, ascending.
    pub fn dirty_since_start(&self) -> Vec<u32> {
        self.dirty.iter().collect()
    }

    /// Numbers of the 1 KiB pages written in the segment before the current boundary, ascending.
    pub fn written_in_previous(&self) -> &[u32] {
        &self.previous
    }

    /// The 1 KiB pages `numbers` as they are at the current boundary.
    ///
    /// - `numbers`: ascending, without repeats, below `2^22`.
    pub fn pages(&self, numbers: &[u32]) -> Pages {
        pages_of(self.vm.memory(), LOG_PAGE_BYTES, numbers.iter().copied())
    }

    /// Widens 1 KiB `pages` to pages of `2^log_page_bytes` bytes.
    ///
    /// The 1 KiB pages that are not in `pages` come from memory at the current boundary. So the
    /// touched pages of the segment that was just executed widen to those at its start (what it did
    /// not touch it did not change), and an image of the current boundary to one of larger pages.
    ///
    /// # Panics
    /// If `pages` are not 1 KiB pages or `log_page_bytes` is below 10.
    pub fn widen(&self, pages: &Pages, log_page_bytes: u32) -> Pages {
        assert_eq!(
            pages.log_page_bytes, LOG_PAGE_BYTES,
            "only 1 KiB pages can be widened"
        );
        let shift = log_page_bytes
            .checked_sub(LOG_PAGE_BYTES)
            .expect("pages widen, not narrow");
        let mut wide: Vec<u32> = pages.numbers.iter().map(|n| n >> shift).collect();
        wide.dedup();
        let mut out = pages_of(self.vm.memory(), log_page_bytes, wide.iter().copied());
        for (slot, number) in pages.numbers.iter().enumerate() {
            let at = wide
                .binary_search(&(number >> shift))
                .expect("`wide` covers every page");
            let offset = ((number & ((1 << shift) - 1)) as usize) << LOG_PAGE_BYTES;
            let at = (at << log_page_bytes) + offset;
            out.bytes[at..at + PAGE_BYTES].copy_from_slice(pages.page(slot));
        }
        out
    }
}

fn pages_of(memory: &Memory, log_page_bytes: u32, numbers: impl Iterator<Item = u32>) -> Pages {
    let mut pages = Pages {
        log_page_bytes,
        ..Pages::default()
    };
    for number in numbers {
        pages.numbers.push(number);
        pages
            .bytes
            .extend_from_slice(memory.bytes(number << log_page_bytes, 1 << log_page_bytes));
    }
    pages
}
