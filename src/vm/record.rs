//! Recording what a run reads and which pages it touches.

use crate::segment::{Checkpoint, LOG_PAGE_BYTES, PAGE_BYTES, Pages, Reads};

use super::exec::{Stop, Vm};
use super::memory::View;

/// Sees every memory access and every value that comes from the host.
pub trait Observer {
    /// `false` promises that the hooks do nothing, so that their arguments need not be computed.
    const ACTIVE: bool = true;

    /// An access to the aligned word at `word_addr`, which holds `old_word`, before a write.
    fn access(&mut self, memory: View<'_>, word_addr: u32, old_word: u32, is_write: bool);

    /// A value from the host: the result of a system call, or data moved into memory.
    fn host(&mut self, value: u32);
}

/// Records nothing and costs nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoRecord;

impl Observer for NoRecord {
    const ACTIVE: bool = false;

    #[inline(always)]
    fn access(&mut self, _: View<'_>, _: u32, _: u32, _: bool) {}

    #[inline(always)]
    fn host(&mut self, _: u32) {}
}

/// Number of 1 KiB pages in the address space.
const NUM_PAGES: usize = 1 << (32 - LOG_PAGE_BYTES);

const TOUCHED: u8 = 1;
const WRITTEN: u8 = 2;

type PageMap = Box<[u8; NUM_PAGES]>;

fn new_map() -> PageMap {
    // Zeroed memory straight from the operating system: only the parts used cost anything.
    vec![0; NUM_PAGES]
        .into_boxed_slice()
        .try_into()
        .expect("the vector has NUM_PAGES elements")
}

/// Pages touched, with their contents when they first were, and pages written.
#[derive(Debug)]
struct PageSet {
    map: PageMap,
    touched: Vec<u32>,
    contents: Vec<u8>,
    written: Vec<u32>,
}

impl PageSet {
    fn new() -> Self {
        Self {
            map: new_map(),
            touched: vec![],
            contents: vec![],
            written: vec![],
        }
    }

    #[inline(always)]
    fn touch(&mut self, memory: View<'_>, word_addr: u32, is_write: bool) {
        let need = if is_write { TOUCHED | WRITTEN } else { TOUCHED };
        if self.map[(word_addr >> LOG_PAGE_BYTES) as usize] & need != need {
            self.first_touch(memory, word_addr, is_write);
        }
    }

    #[cold]
    #[inline(never)]
    fn first_touch(&mut self, memory: View<'_>, word_addr: u32, is_write: bool) {
        let number = word_addr >> LOG_PAGE_BYTES;
        let flags = &mut self.map[number as usize];
        if *flags & TOUCHED == 0 {
            self.touched.push(number);
            self.contents.extend_from_slice(&memory.page_at(word_addr));
        }
        if is_write && *flags & WRITTEN == 0 {
            self.written.push(number);
            *flags |= WRITTEN;
        }
        *flags |= TOUCHED;
    }

    fn take(&mut self) -> (Pages, Vec<u32>) {
        let touched = std::mem::take(&mut self.touched);
        for &number in &touched {
            self.map[number as usize] = 0;
        }
        let mut order: Vec<u32> = (0..touched.len() as u32).collect();
        order.sort_unstable_by_key(|&slot| touched[slot as usize]);
        let mut pages = Pages {
            log_page_bytes: LOG_PAGE_BYTES,
            ..Pages::default()
        };
        pages.numbers.reserve_exact(touched.len());
        pages.bytes.reserve_exact(self.contents.len());
        for slot in order {
            pages.numbers.push(touched[slot as usize]);
            let at = slot as usize * PAGE_BYTES;
            pages
                .bytes
                .extend_from_slice(&self.contents[at..at + PAGE_BYTES]);
        }
        self.contents.clear();
        let mut written = std::mem::take(&mut self.written);
        written.sort_unstable();
        (pages, written)
    }
}

/// Records what a segment reads (`READS`) and the pages it touches (`PAGES`).
#[derive(Debug)]
pub struct Recorder<const READS: bool, const PAGES: bool> {
    reads: Reads,
    pages: Option<PageSet>,
}

impl<const READS: bool, const PAGES: bool> Recorder<READS, PAGES> {
    /// A recorder with chunks of `2^log_chunk` cycles.
    ///
    /// # Panics
    /// If `log_chunk` is not below 64.
    pub fn new(log_chunk: u32) -> Self {
        Self {
            reads: Reads {
                log_chunk,
                ..Reads::default()
            },
            pages: PAGES.then(PageSet::new),
        }
    }

    /// Runs `vm` for at most `max_cycles` cycles, recording.
    ///
    /// A chunk starts here and every `2^log_chunk` cycles from here, so call it once per segment.
    pub fn run(&mut self, vm: &mut Vm<'_>, max_cycles: u64) -> Stop {
        if !READS {
            return vm.run_with(max_cycles, self);
        }
        let chunk = 1 << self.reads.log_chunk;
        let end = vm.cycle().saturating_add(max_cycles);
        loop {
            let start = vm.cycle();
            let first_word = u32::try_from(self.reads.words.len())
                .expect("a segment has at most 2^28 cycles of at most 2 words");
            self.reads.checkpoints.push(Checkpoint {
                state: vm.state(),
                first_word,
            });
            let stop = vm.run_with(chunk.min(end - start), self);
            if vm.cycle() == start {
                self.reads.checkpoints.pop();
            }
            if stop != Stop::Limit || vm.cycle() >= end {
                return stop;
            }
        }
    }

    /// The recording so far, leaving the recorder empty and ready for another segment.
    ///
    /// - returns: values read (empty without `READS`); pages touched, with their contents when they
    ///   first were, and numbers of the pages written, ascending (empty without `PAGES`).
    pub fn take(&mut self) -> (Reads, Pages, Vec<u32>) {
        let log_chunk = self.reads.log_chunk;
        let next = Reads {
            log_chunk,
            checkpoints: Vec::with_capacity(self.reads.checkpoints.len()),
            words: Vec::with_capacity(self.reads.words.len()),
        };
        let reads = std::mem::replace(&mut self.reads, next);
        let (pages, written) = self.pages.as_mut().map(PageSet::take).unwrap_or_default();
        (reads, pages, written)
    }
}

impl<const READS: bool, const PAGES: bool> Observer for Recorder<READS, PAGES> {
    const ACTIVE: bool = READS || PAGES;

    #[inline(always)]
    fn access(&mut self, memory: View<'_>, word_addr: u32, old_word: u32, is_write: bool) {
        if READS {
            self.reads.words.push(old_word);
        }
        if PAGES && let Some(pages) = &mut self.pages {
            pages.touch(memory, word_addr, is_write);
        }
    }

    #[inline(always)]
    fn host(&mut self, value: u32) {
        if READS {
            self.reads.words.push(value);
        }
    }
}

/// Records only which pages are written.
#[derive(Debug)]
pub struct WriteRecorder {
    map: PageMap,
    written: Vec<u32>,
}

impl Default for WriteRecorder {
    fn default() -> Self {
        Self {
            map: new_map(),
            written: vec![],
        }
    }
}

impl WriteRecorder {
    #[cold]
    #[inline(never)]
    fn first_write(&mut self, number: u32) {
        self.map[number as usize] = WRITTEN;
        self.written.push(number);
    }

    /// Numbers of the pages written so far, ascending, leaving the recorder empty.
    pub fn take(&mut self) -> Vec<u32> {
        let mut written = std::mem::take(&mut self.written);
        for &number in &written {
            self.map[number as usize] = 0;
        }
        written.sort_unstable();
        written
    }
}

impl Observer for WriteRecorder {
    #[inline(always)]
    fn access(&mut self, _: View<'_>, word_addr: u32, _: u32, is_write: bool) {
        let number = word_addr >> LOG_PAGE_BYTES;
        if is_write && self.map[number as usize] == 0 {
            self.first_write(number);
        }
    }

    #[inline(always)]
    fn host(&mut self, _: u32) {}
}
