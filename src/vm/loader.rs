//! Loading a static RV32IM ELF file into a program.

use std::ops::Range;
use std::sync::Arc;

use elf::ElfBytes;
use elf::abi;
use elf::endian::LittleEndian;
use elf::segment::ProgramHeader;

use super::code::{Code, contains};
use super::isa::{Kind, Op, decode};
use super::memory::Memory;
use super::state::MachineState;
use crate::Result;
use crate::segment::{LOG_PAGE_BYTES, PAGE_BYTES, Pages};

/// Largest ELF file accepted, in bytes.
const MAX_FILE_BYTES: usize = 256 << 20;
/// Largest distance from the first to the last instruction, in bytes.
const MAX_CODE_BYTES: u32 = 64 << 20;
/// Addresses reserved for the stack and what the program is started with.
const STACK: Range<u64> = 0x7000_0000..0x7fff_f000;
/// Initial stack pointer.
const STACK_POINTER: u32 = 0x7fff_efe0;
/// `EF_RISCV_RVC`: the file contains compressed instructions.
const FLAG_RVC: u32 = 1;
/// `EF_RISCV_FLOAT_ABI`: floating-point values are passed in registers.
const FLAG_FLOAT_ABI: u32 = 6;
/// `EF_RISCV_RVE`: only 16 registers; runs, but with a different calling convention.
const FLAG_RVE: u32 = 8;

/// Why an ELF file is not a program this VM runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// The file is larger than the limit.
    #[error("file of {found} bytes is larger than the limit of {MAX_FILE_BYTES}")]
    FileTooLarge {
        /// Size in bytes.
        found: usize,
    },
    /// The file ends inside the ELF header.
    #[error("file of {found} bytes is too short for an ELF header of 52")]
    NoHeader {
        /// Size in bytes.
        found: usize,
    },
    /// A header field has a value other than the one needed.
    #[error("{field} at offset {offset} is {found:#x}, expected {expected}")]
    Header {
        /// The field, by its name in the ELF specification.
        field: &'static str,
        /// Offset in the file.
        offset: u64,
        /// What it holds.
        found: u64,
        /// What it must hold, in words.
        expected: &'static str,
    },
    /// The file's tables are inconsistent.
    #[error("malformed ELF tables: {0}")]
    Malformed(#[from] elf::ParseError),
    /// The file needs a dynamic loader.
    #[error("program header {index} is {name}: not statically linked; link with -static")]
    Dynamic {
        /// Index of the program header.
        index: usize,
        /// Its type.
        name: &'static str,
    },
    /// There is nothing to load.
    #[error("no PT_LOAD program header with contents")]
    NothingToLoad,
    /// A segment does not lie within the file or the address space.
    #[error("program header {index}: {what} {found:#x}, expected {expected}")]
    SegmentBounds {
        /// Index of the program header.
        index: usize,
        /// Which quantity.
        what: &'static str,
        /// Its value.
        found: u64,
        /// What it must be, in words.
        expected: String,
    },
    /// Two segments share addresses.
    #[error("segments overlap: {first:#010x} and {second:#010x} share addresses")]
    Overlap {
        /// Start address of the lower segment.
        first: u32,
        /// Start address of the upper segment.
        second: u32,
    },
    /// A segment lies where the stack is.
    #[error("segment at {addr:#010x} lies in the stack's addresses 0x70000000 to 0x7fffffff")]
    OnStack {
        /// Start address of the segment.
        addr: u32,
    },
    /// No executable segment.
    #[error("no executable code: no PT_LOAD program header with PF_X holds an instruction")]
    NoCode,
    /// The code spans too many addresses.
    #[error("code from {start:#010x} to {end:#x} spans more than {MAX_CODE_BYTES} bytes")]
    CodeTooLarge {
        /// First address.
        start: u32,
        /// Address after the last.
        end: u64,
    },
    /// The entry point is not an instruction.
    #[error("e_entry at offset 24 is {entry:#010x}, expected a multiple of 4 inside the code")]
    Entry {
        /// The address.
        entry: u32,
    },
}

/// File-backed bytes of a loadable segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadSegment {
    /// Address of the first byte.
    pub addr: u32,
    /// The bytes; what follows them up to the segment's size in memory is zero.
    pub bytes: Vec<u8>,
}

impl LoadSegment {
    fn pages(&self) -> Range<u32> {
        let last = self.addr + (self.bytes.len() as u32 - 1);
        self.addr >> LOG_PAGE_BYTES..(last >> LOG_PAGE_BYTES) + 1
    }
}

/// A program: decoded code and the memory it starts with.
#[derive(Clone, Debug)]
pub struct Program {
    entry: u32,
    code_base: u32,
    ops: Vec<Op>,
    code: Arc<Code>,
    ranges: Vec<Range<u32>>,
    brk: u32,
    segments: Vec<LoadSegment>,
    digest: [u8; 32],
    elf: Arc<[u8]>,
}

impl Program {
    /// Loads a static RV32IM ELF file.
    ///
    /// Cost: memory proportional to the file and to the span of the code (at most 64 MiB of
    /// addresses), whatever the headers claim.
    ///
    /// # Errors
    /// [`ElfError`] naming what was found, where, and what was expected.
    pub fn from_elf(file: Vec<u8>) -> Result<Self, ElfError> {
        check_header(&file)?;
        let parsed = ElfBytes::<LittleEndian>::minimal_parse(&file)?;
        let entry = parsed.ehdr.e_entry as u32;
        let loads = loadable(&parsed, file.len())?;

        let mut segments: Vec<LoadSegment> = Vec::new();
        for header in loads.iter().filter(|h| h.p_filesz > 0) {
            let at = header.p_offset as usize;
            let bytes = file[at..at + header.p_filesz as usize].to_vec();
            segments.push(LoadSegment {
                addr: header.p_vaddr as u32,
                bytes,
            });
        }
        let ranges = code_ranges(&parsed, &loads)?;
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
            return Err(ElfError::NoCode);
        };
        let (code_base, code_end) = (first.start, last.end);
        if code_end - code_base > MAX_CODE_BYTES {
            return Err(ElfError::CodeTooLarge {
                start: code_base,
                end: u64::from(code_end),
            });
        }
        if !entry.is_multiple_of(4) || !contains(&ranges, entry) {
            return Err(ElfError::Entry { entry });
        }

        let hole = Op {
            kind: Kind::Illegal,
            rd: 0,
            rs1: 0,
            rs2: 0,
            imm: 0,
        };
        let mut ops = vec![hole; ((code_end - code_base) / 4) as usize];
        for range in &ranges {
            // Ranges lie inside the file-backed bytes of one segment (`code_ranges`).
            let segment = segments
                .iter()
                .find(|s| s.addr <= range.start && (range.start - s.addr) < s.bytes.len() as u32)
                .expect("code ranges are made from segments");
            let offset = (range.start - segment.addr) as usize;
            let words = segment.bytes[offset..][..range.len()].chunks_exact(4);
            for (pc, word) in range.clone().step_by(4).zip(words) {
                let word = u32::from_le_bytes(word.try_into().expect("chunks have four bytes"));
                ops[((pc - code_base) / 4) as usize] = decode(word, pc);
            }
        }
        let code = Arc::new(Code::new(&ops, code_base, &ranges));

        let end = |h: &ProgramHeader| h.p_vaddr + h.p_memsz;
        let writable = loads
            .iter()
            .filter(|h| h.p_flags & abi::PF_W != 0)
            .map(end)
            .max();
        let top = writable
            .or_else(|| loads.iter().map(end).max())
            .unwrap_or(0);
        let brk = top.next_multiple_of(4096).min(0xffff_f000) as u32;

        segments.push(initial_stack());
        let digest = *blake3::hash(&file).as_bytes();
        let elf = file.into();
        Ok(Self {
            entry,
            code_base,
            ops,
            code,
            ranges,
            brk,
            segments,
            digest,
            elf,
        })
    }

    /// Address of the first instruction executed.
    pub fn entry(&self) -> u32 {
        self.entry
    }

    /// The decoded instructions from [`code_base`](Self::code_base) to
    /// [`code_end`](Self::code_end), one per word; words in between that are not code are
    /// [`Kind::Illegal`].
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Address of `ops()[0]`.
    pub fn code_base(&self) -> u32 {
        self.code_base
    }

    /// Address after the last instruction.
    pub fn code_end(&self) -> u32 {
        self.code_base + 4 * self.ops.len() as u32
    }

    /// Index into [`ops`](Self::ops) of the instruction at `pc`.
    ///
    /// Returns `None` if `pc` is not a multiple of 4 or not code.
    pub fn op_index(&self, pc: u32) -> Option<usize> {
        let code = pc.is_multiple_of(4) && self.is_code(pc);
        code.then(|| ((pc - self.code_base) / 4) as usize)
    }

    /// Where the code is: ascending, not touching, inside `code_base()..code_end()`.
    pub fn code_ranges(&self) -> &[Range<u32>] {
        &self.ranges
    }

    /// Whether the byte at `addr` is code.
    pub fn is_code(&self, addr: u32) -> bool {
        contains(&self.ranges, addr)
    }

    /// The first of the `len` bytes from `addr` that is code.
    pub(crate) fn overlaps_code(&self, addr: u32, len: u32) -> Option<u32> {
        let end = u64::from(addr) + u64::from(len);
        let first = self
            .ranges
            .get(self.ranges.partition_point(|r| r.end <= addr))?;
        let hit = first.start.max(addr);
        (u64::from(hit) < end).then_some(hit)
    }

    /// The form of the code that the executor runs.
    pub(super) fn code(&self) -> &Code {
        &self.code
    }

    /// Initial program break: the end of the highest writable segment, rounded up to 4096.
    pub fn brk(&self) -> u32 {
        self.brk
    }

    /// Highest program break that `brk` grants.
    pub fn brk_limit(&self) -> u32 {
        if u64::from(self.brk) <= STACK.start {
            STACK.start as u32
        } else {
            0xf000_0000
        }
    }

    /// BLAKE3 of the ELF file.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The ELF file.
    pub fn elf(&self) -> &Arc<[u8]> {
        &self.elf
    }

    /// What memory starts with: the segments' file-backed bytes and the initial stack.
    pub fn segments(&self) -> &[LoadSegment] {
        &self.segments
    }

    /// Memory at the start of the program.
    ///
    /// # Errors
    /// Those of [`Memory::new`].
    pub fn initial_memory(&self) -> Result<Memory> {
        let mut memory = Memory::new()?;
        for segment in &self.segments {
            memory.write_bytes(segment.addr, &segment.bytes);
        }
        Ok(memory)
    }

    /// Registers at the start of the program: `pc` at the entry point, `sp` at `argc`, the rest 0.
    pub fn initial_state(&self) -> MachineState {
        let mut x = [0; 32];
        x[2] = STACK_POINTER;
        MachineState {
            pc: self.entry,
            x,
            brk: self.brk,
            input_pos: 0,
            io_phase: 0,
            io_fd: 0,
            io_ptr: 0,
            io_left: 0,
            halted: 0,
        }
    }

    /// The 1 KiB pages of memory at the start of the program that are not all zero.
    pub fn initial_pages(&self) -> Pages {
        let mut numbers: Vec<u32> = self.segments.iter().flat_map(LoadSegment::pages).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut bytes = vec![0; numbers.len() * PAGE_BYTES];
        for segment in &self.segments {
            let first = segment.pages().start;
            let slot = numbers
                .binary_search(&first)
                .expect("every segment's pages are listed");
            let at = slot * PAGE_BYTES + (segment.addr as usize & (PAGE_BYTES - 1));
            bytes[at..at + segment.bytes.len()].copy_from_slice(&segment.bytes);
        }
        let mut pages = Pages {
            log_page_bytes: LOG_PAGE_BYTES,
            ..Pages::default()
        };
        for (&number, contents) in numbers.iter().zip(bytes.chunks_exact(PAGE_BYTES)) {
            if contents.iter().any(|&b| b != 0) {
                pages.numbers.push(number);
                pages.bytes.extend_from_slice(contents);
            }
        }
        pages
    }
}

/// What Linux puts on the stack: `argc`, `argv`, `envp`, `auxv`, and the strings.
fn initial_stack() -> LoadSegment {
    let words = [1, STACK_POINTER + 24, 0, 0, 0, 0];
    let mut bytes: Vec<u8> = words.iter().flat_map(|w: &u32| w.to_le_bytes()).collect();
    bytes.extend_from_slice(b"guest\0");
    LoadSegment {
        addr: STACK_POINTER,
        bytes,
    }
}

fn check_header(file: &[u8]) -> Result<(), ElfError> {
    if file.len() > MAX_FILE_BYTES {
        return Err(ElfError::FileTooLarge { found: file.len() });
    }
    if file.len() < 52 {
        return Err(ElfError::NoHeader { found: file.len() });
    }
    let half = |at: usize| u32::from(file[at]) | u32::from(file[at + 1]) << 8;
    let word = |at: usize| half(at) | half(at + 2) << 16;
    let magic = u32::from_be_bytes([file[0], file[1], file[2], file[3]]);
    let flags = word(36);
    let checks = [
        (
            "magic",
            0,
            magic,
            magic == 0x7f45_4c46,
            "0x7f454c46 (\\x7fELF)",
        ),
        (
            "EI_CLASS",
            4,
            u32::from(file[4]),
            file[4] == 1,
            "1 (32-bit)",
        ),
        (
            "EI_DATA",
            5,
            u32::from(file[5]),
            file[5] == 1,
            "1 (little endian)",
        ),
        (
            "e_type",
            16,
            half(16),
            half(16) == 2,
            "2 (ET_EXEC); link with -static -no-pie",
        ),
        ("e_machine", 18, half(18), half(18) == 243, "243 (RISC-V)"),
        (
            "e_flags",
            36,
            flags,
            flags & FLAG_RVC == 0,
            "no RVC bit; compile with -march=rv32im",
        ),
        (
            "e_flags",
            36,
            flags,
            flags & FLAG_FLOAT_ABI == 0,
            "no float ABI; use -mabi=ilp32",
        ),
        (
            "e_flags",
            36,
            flags,
            flags & FLAG_RVE == 0,
            "no RVE bit; compile with -march=rv32im",
        ),
        ("e_phentsize", 42, half(42), half(42) == 32, "32"),
    ];
    for (field, offset, found, ok, expected) in checks {
        if !ok {
            return Err(ElfError::Header {
                field,
                offset,
                found: u64::from(found),
                expected,
            });
        }
    }
    Ok(())
}

/// The `PT_LOAD` headers that occupy memory, in ascending order of address, checked to lie within
/// the file and the address space and not to overlap.
fn loadable(
    parsed: &ElfBytes<'_, LittleEndian>,
    file_len: usize,
) -> Result<Vec<ProgramHeader>, ElfError> {
    let mut loads = Vec::new();
    let table = parsed.segments().ok_or(ElfError::NothingToLoad)?;
    for (index, header) in table.iter().enumerate() {
        match header.p_type {
            abi::PT_INTERP => {
                return Err(ElfError::Dynamic {
                    index,
                    name: "PT_INTERP",
                });
            }
            abi::PT_DYNAMIC => {
                return Err(ElfError::Dynamic {
                    index,
                    name: "PT_DYNAMIC",
                });
            }
            abi::PT_LOAD if header.p_memsz > 0 => {}
            _ => continue,
        }
        let bad = |what, found, expected| {
            Err(ElfError::SegmentBounds {
                index,
                what,
                found,
                expected,
            })
        };
        if header.p_filesz > header.p_memsz {
            let expected = format!("at most p_memsz {:#x}", header.p_memsz);
            return bad("p_filesz", header.p_filesz, expected);
        }
        let file_end = header.p_offset + header.p_filesz;
        if file_end > file_len as u64 {
            return bad(
                "end in the file",
                file_end,
                format!("at most its size {file_len:#x}"),
            );
        }
        let end = header.p_vaddr + header.p_memsz;
        if end > 1 << 32 {
            return bad("end address", end, "at most 0x100000000".into());
        }
        if header.p_vaddr < STACK.end && end > STACK.start {
            return Err(ElfError::OnStack {
                addr: header.p_vaddr as u32,
            });
        }
        loads.push(header);
    }
    if loads.is_empty() {
        return Err(ElfError::NothingToLoad);
    }
    loads.sort_unstable_by_key(|h| h.p_vaddr);
    for pair in loads.windows(2) {
        if pair[0].p_vaddr + pair[0].p_memsz > pair[1].p_vaddr {
            let (first, second) = (pair[0].p_vaddr as u32, pair[1].p_vaddr as u32);
            return Err(ElfError::Overlap { first, second });
        }
    }
    Ok(loads)
}

/// Word-aligned address ranges of code, ascending and disjoint, each within the file-backed bytes
/// of one segment.
///
/// An executable segment is code as a whole, unless it is also writable: then it is code where a
/// section says so, and as a whole only if no section does.
fn code_ranges(
    parsed: &ElfBytes<'_, LittleEndian>,
    loads: &[ProgramHeader],
) -> Result<Vec<Range<u32>>, ElfError> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for header in loads.iter().filter(|h| h.p_flags & abi::PF_X != 0) {
        let whole = header.p_vaddr..header.p_vaddr + header.p_filesz;
        let before = ranges.len();
        if header.p_flags & abi::PF_W != 0
            && let Some(sections) = parsed.section_headers()
        {
            let code = sections.iter().filter(|s| {
                s.sh_flags & u64::from(abi::SHF_EXECINSTR) != 0 && s.sh_type != abi::SHT_NOBITS
            });
            for section in code {
                let start = section.sh_addr.max(whole.start);
                let end = (section.sh_addr + section.sh_size).min(whole.end);
                if start < end {
                    ranges.push(start..end);
                }
            }
        }
        if ranges.len() == before {
            ranges.push(whole);
        }
    }
    ranges.sort_unstable_by_key(|r| r.start);
    let mut merged: Vec<Range<u32>> = Vec::new();
    for range in ranges {
        let (start, end) = (range.start.next_multiple_of(4), range.end & !3);
        if start >= end {
            continue;
        }
        // Code may not touch the last word, so that the address after it is a 32-bit number.
        if end > u64::from(u32::MAX) {
            return Err(ElfError::CodeTooLarge {
                start: start as u32,
                end,
            });
        }
        let (start, end) = (start as u32, end as u32);
        match merged.last_mut() {
            Some(last) if start < last.end => last.end = last.end.max(end),
            _ => merged.push(start..end),
        }
    }
    Ok(merged)
}
