//! When and with what each cell of memory was last accessed, and how parts of a segment are joined.

use crate::vm::MachineState;

use super::layout::{MIN_ROWS, REGISTER_BASE, boundary, timestamp};
use super::monty::to_monty;

const LOG_BLOCK_WORDS: u32 = 10;
const BLOCK_WORDS: usize = 1 << LOG_BLOCK_WORDS;
const NUM_BLOCKS: usize = 1 << (30 - LOG_BLOCK_WORDS);
/// Slot of memory accesses.
const MEMORY_SLOT: u32 = 2;

/// A memory word: its last access and its content after it.
#[derive(Clone, Copy, Default)]
struct Cell {
    /// 0 if not accessed yet.
    time: u32,
    value: u32,
}

/// Words by address, in blocks made when first touched.
struct Words {
    /// Index into `blocks` plus one, or 0.
    index: Vec<u32>,
    blocks: Vec<[Cell; BLOCK_WORDS]>,
}

impl Words {
    fn new() -> Self {
        Self {
            index: vec![0; NUM_BLOCKS],
            blocks: Vec::new(),
        }
    }

    /// The cell of the word at byte address `addr`.
    #[inline(always)]
    fn cell(&mut self, addr: u32) -> &mut Cell {
        let word = (addr >> 2) as usize;
        let mut block = self.index[word >> LOG_BLOCK_WORDS];
        if block == 0 {
            block = self.add_block(word >> LOG_BLOCK_WORDS);
        }
        &mut self.blocks[block as usize - 1][word & (BLOCK_WORDS - 1)]
    }

    #[cold]
    fn add_block(&mut self, number: usize) -> u32 {
        self.blocks.push([Cell::default(); BLOCK_WORDS]);
        self.index[number] = self.blocks.len() as u32;
        self.index[number]
    }
}

/// The first access of a cell in a part of a segment, whose gap depends on what came before.
#[derive(Clone, Copy)]
struct First {
    /// Register number, or word-aligned byte address.
    addr: u32,
    row: u32,
    slot: u32,
    /// Memory: the word before the access.
    old: u32,
}

/// Why accesses do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inconsistent {
    /// Row of the access.
    pub row: u32,
    /// Byte address of the word.
    pub addr: u32,
    /// What the access found there.
    pub found: u32,
    /// What the access before it left there.
    pub left: u32,
}

/// Last accesses over a contiguous part of a segment.
pub(crate) struct Accesses {
    words: Words,
    first_words: Vec<First>,
    registers: [u32; 32],
    first_registers: Vec<First>,
}

impl Accesses {
    pub(crate) fn new() -> Self {
        Self {
            words: Words::new(),
            first_words: Vec::new(),
            registers: [0; 32],
            first_registers: Vec::with_capacity(32),
        }
    }

    /// An access of register `index`; returns its gap, taking time 0 as the access before the
    /// first in this part.
    #[inline(always)]
    pub(crate) fn register(&mut self, index: u8, row: u32, slot: u32) -> u32 {
        let index = usize::from(index & 31);
        let now = timestamp(row, slot);
        let last = std::mem::replace(&mut self.registers[index], now);
        if last == 0 {
            self.first_register(index as u32, row, slot);
        }
        now - last - 1
    }

    #[cold]
    fn first_register(&mut self, addr: u32, row: u32, slot: u32) {
        self.first_registers.push(First {
            addr,
            row,
            slot,
            old: 0,
        });
    }

    /// An access of the memory word at `addr` that finds `old` and leaves `new`; returns its gap
    /// as [`Self::register`] does.
    ///
    /// # Errors
    /// If the word was left with another value by this part.
    #[inline(always)]
    pub(crate) fn word(
        &mut self,
        addr: u32,
        row: u32,
        old: u32,
        new: u32,
    ) -> Result<u32, Inconsistent> {
        let now = timestamp(row, MEMORY_SLOT);
        let cell = self.words.cell(addr);
        let last = *cell;
        *cell = Cell {
            time: now,
            value: new,
        };
        if last.time == 0 {
            self.first_words.push(First {
                addr: addr & !3,
                row,
                slot: MEMORY_SLOT,
                old,
            });
        } else if last.value != old {
            return Err(Inconsistent {
                row,
                addr: addr & !3,
                found: old,
                left: last.value,
            });
        }
        Ok(now - last.time - 1)
    }
}

/// The accesses of a whole segment, joined part by part in order of time.
pub(crate) struct Joined {
    all: Accesses,
}

impl Joined {
    /// Starts with the segment's first part.
    pub(crate) fn new(first: Accesses) -> Self {
        Self { all: first }
    }

    /// Time of the last access of a register; 0 if there is none.
    pub(crate) fn last_access(&self, register: usize) -> u32 {
        self.all.registers[register]
    }

    /// First access of each register that has one: register, row, slot.
    pub(crate) fn first_accesses(&self) -> impl Iterator<Item = (usize, u32, u32)> + '_ {
        let firsts = self.all.first_registers.iter();
        firsts.map(|first| (first.addr as usize, first.row, first.slot))
    }

    /// Appends the part that follows, and calls `fix(row, slot, gap)` for each of its first
    /// accesses that is not the segment's first of that cell: its gap was not known before.
    ///
    /// # Errors
    /// If the part finds a word with a value other than it was left with.
    pub(crate) fn append(
        &mut self,
        mut part: Accesses,
        mut fix: impl FnMut(u32, u32, u32),
    ) -> Result<(), Inconsistent> {
        for first in &part.first_registers {
            let last = &mut self.all.registers[first.addr as usize];
            if *last == 0 {
                self.all.first_registers.push(*first);
            } else {
                let now = timestamp(first.row, first.slot);
                fix(first.row, first.slot, now - *last - 1);
            }
            *last = part.registers[first.addr as usize];
        }
        for first in &part.first_words {
            let after = *part.words.cell(first.addr);
            let before = self.all.words.cell(first.addr);
            if before.time == 0 {
                self.all.first_words.push(*first);
            } else if before.value == first.old {
                let now = timestamp(first.row, MEMORY_SLOT);
                fix(first.row, MEMORY_SLOT, now - before.time - 1);
            } else {
                return Err(Inconsistent {
                    row: first.row,
                    addr: first.addr,
                    found: first.old,
                    left: before.value,
                });
            }
            *before = after;
        }
        Ok(())
    }

    /// The memory boundary table, in Montgomery form, with its rows as integers for counting.
    ///
    /// Returns `[next power of two, at least MIN_ROWS][boundary::WIDTH]`: touched words by address,
    /// then all 32 registers.
    pub(crate) fn boundary(mut self, start: &MachineState, end: &MachineState) -> Boundary {
        let mut rows: Vec<[u32; 4]> = self
            .all
            .first_words
            .iter()
            .map(|first| {
                let last = *self.all.words.cell(first.addr);
                [first.addr >> 2, first.old, last.value, last.time]
            })
            .collect();
        rows.sort_unstable();
        rows.extend((0..32).map(|i| {
            [
                REGISTER_BASE + i as u32,
                start.x[i],
                end.x[i],
                self.all.registers[i],
            ]
        }));
        Boundary { rows }
    }
}

/// Registers and touched words before and after a segment: (address, before, after, last time),
/// ascending.
pub(crate) struct Boundary {
    rows: Vec<[u32; 4]>,
}

impl Boundary {
    /// The table in Montgomery form, and what its rows look up.
    pub(crate) fn table(&self, counts: &mut super::counts::Counts) -> Vec<u32> {
        use boundary::*;
        let height = self.rows.len().next_power_of_two().max(MIN_ROWS);
        let mut table = vec![0; height * WIDTH];
        for (i, (row, out)) in self
            .rows
            .iter()
            .zip(table.chunks_exact_mut(WIDTH))
            .enumerate()
        {
            let [addr, before, after, time] = *row;
            let step = self.rows.get(i + 1).map_or(0, |next| next[0] - addr - 1);
            let mut cells = [0; WIDTH];
            cells[REAL] = 1;
            cells[LO] = addr & 0xffff;
            cells[HI] = (addr >> 16) & 0x3fff;
            cells[REGISTER] = u32::from(addr >= REGISTER_BASE);
            cells[STEP] = step & 0xffff;
            cells[STEP + 1] = step >> 16;
            if i + 1 < self.rows.len() {
                cells[CARRY] = ((addr & 0xffff) + (step & 0xffff) + 1) >> 16;
            }
            for (byte, (init, last)) in before
                .to_le_bytes()
                .into_iter()
                .zip(after.to_le_bytes())
                .enumerate()
            {
                cells[INIT + byte] = init.into();
                cells[FINAL + byte] = last.into();
            }
            cells[TIME] = time;
            for col in COLS16 {
                counts.value16(cells[col]);
            }
            for col in COLS14 {
                counts.value14(cells[col]);
            }
            for col in COLS_BYTES {
                counts.bytes(cells[col], cells[col + 1]);
            }
            for (out, cell) in out.iter_mut().zip(cells) {
                *out = to_monty(cell);
            }
        }
        table
    }
}
