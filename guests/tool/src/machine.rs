//! A plain RV32IM interpreter: the tool's own check that a guest keeps to the rules, and its instruction counter.
//!
//! qemu forgives misaligned accesses and executes compressed or atomic instructions; this machine traps on all of
//! them. It is written to be read, not to be fast.

use anyhow::{Context, Result, bail, ensure};

const PAGE: u32 = 4096;
const STACK_TOP: u32 = 0x8000_0000;
const STACK_BYTES: u32 = 8 << 20;
/// The break cannot pass this address.
const MEMORY_LIMIT: u32 = 256 << 20;

/// Linux errno values, as a guest sees them.
const EBADF: u32 = -9i32 as u32;

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Argument of the exit call.
    pub exit_code: u32,
    /// All that was written to fd 1.
    pub stdout: Vec<u8>,
    /// All that was written to fd 2.
    pub stderr: Vec<u8>,
    /// All that was written to fd 3.
    pub journal: Vec<u8>,
    /// Instructions executed, system calls and the last one included.
    pub instructions: u64,
    /// Pages of 4 KiB that were written to.
    pub pages_written: usize,
}

struct Machine<'a> {
    regs: [u32; 32],
    pc: u32,
    /// Addresses 0 to `MEMORY_LIMIT`; mapped from `base` to `brk`.
    low: Vec<u8>,
    stack: Vec<u8>,
    base: u32,
    code: std::ops::Range<u32>,
    /// First writable address; everything the file maps below it is read-only.
    writable_from: u32,
    brk: u32,
    input: &'a [u8],
    touched: Vec<bool>,
    outcome: Outcome,
}

/// Runs `elf` on `input`.
///
/// # Errors
/// If the file is no static RV32 executable of the shape that `rt/link.ld` gives it, or the guest traps; the error
/// names the program counter.
pub fn run(elf: &[u8], input: &[u8]) -> Result<Outcome> {
    let mut machine = Machine::load(elf, input)?;
    loop {
        machine.outcome.instructions += 1;
        let pc = machine.pc;
        if machine
            .step()
            .with_context(|| format!("trap at pc {pc:#010x}"))?
        {
            break;
        }
    }
    machine.outcome.pages_written = machine.touched.iter().filter(|&&t| t).count();
    Ok(machine.outcome)
}

fn half(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes = bytes.get(at..at + 2).context("file is cut short")?;
    Ok(u32::from(bytes[0]) | u32::from(bytes[1]) << 8)
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    Ok(half(bytes, at)? | half(bytes, at + 2)? << 16)
}

impl<'a> Machine<'a> {
    fn load(elf: &[u8], input: &'a [u8]) -> Result<Self> {
        const EXECUTE: u32 = 1;
        const WRITE: u32 = 2;
        ensure!(elf.starts_with(b"\x7fELF\x01\x01\x01"), "not an ELF32 file");
        ensure!(half(elf, 16)? == 2, "not an ET_EXEC file");
        ensure!(half(elf, 18)? == 243, "not a RISC-V file");
        ensure!(word(elf, 36)? == 0, "uses the C, F or E extension");

        let mut machine = Self {
            regs: [0; 32],
            pc: word(elf, 24)?,
            low: vec![0; MEMORY_LIMIT as usize],
            stack: vec![0; STACK_BYTES as usize],
            base: u32::MAX,
            code: 0..0,
            writable_from: u32::MAX,
            brk: 0,
            input,
            touched: vec![false; (STACK_TOP / PAGE) as usize],
            outcome: Outcome::default(),
        };
        // Linux puts argc, argv, envp and auxv here; a guest looks at none of them.
        machine.regs[2] = STACK_TOP - 256;

        let table = word(elf, 28)? as usize;
        for i in 0..half(elf, 44)? as usize {
            let header = table + 32 * i;
            if word(elf, header)? != 1 {
                continue;
            }
            let (offset, address) = (word(elf, header + 4)? as usize, word(elf, header + 8)?);
            let (in_file, in_memory) = (word(elf, header + 16)?, word(elf, header + 20)?);
            let flags = word(elf, header + 24)?;
            let end = address
                .checked_add(in_memory)
                .filter(|&end| end <= MEMORY_LIMIT && in_file <= in_memory)
                .context("a segment does not fit")?;
            ensure!(address % PAGE == 0, "a segment is not page-aligned");
            ensure!(address >= machine.brk, "segments overlap or share a page");
            let bytes = elf
                .get(offset..offset + in_file as usize)
                .context("file is cut short")?;
            machine.low[address as usize..][..bytes.len()].copy_from_slice(bytes);
            machine.base = machine.base.min(address);
            machine.brk = end.next_multiple_of(PAGE);
            match (flags & EXECUTE != 0, flags & WRITE != 0) {
                (true, true) => bail!("a segment is writable and executable"),
                (true, false) => {
                    ensure!(machine.code.is_empty(), "more than one code segment");
                    machine.code = address..end;
                }
                (false, true) => machine.writable_from = machine.writable_from.min(address),
                (false, false) => {}
            }
            ensure!(
                flags & WRITE != 0 || machine.writable_from == u32::MAX,
                "a read-only segment lies above a writable one"
            );
        }
        Ok(machine)
    }

    /// The `size` bytes at `address`, if they may be read.
    fn read(&self, address: u32, size: u32) -> Result<&[u8]> {
        let end = address.checked_add(size).context("address wraps")?;
        if address >= self.base && end <= self.brk {
            Ok(&self.low[address as usize..end as usize])
        } else if address >= STACK_TOP - STACK_BYTES && end <= STACK_TOP {
            let at = (address - (STACK_TOP - STACK_BYTES)) as usize;
            Ok(&self.stack[at..][..size as usize])
        } else {
            bail!("{size} bytes at {address:#010x} are not mapped")
        }
    }

    /// The `size` bytes at `address`, if they may be written.
    fn write(&mut self, address: u32, size: u32) -> Result<&mut [u8]> {
        let end = address.checked_add(size).context("address wraps")?;
        if size > 0 && end <= STACK_TOP {
            for page in address / PAGE..=(end - 1) / PAGE {
                self.touched[page as usize] = true;
            }
        }
        if address >= self.writable_from && end <= self.brk {
            Ok(&mut self.low[address as usize..end as usize])
        } else if address >= STACK_TOP - STACK_BYTES && end <= STACK_TOP {
            let at = (address - (STACK_TOP - STACK_BYTES)) as usize;
            Ok(&mut self.stack[at..][..size as usize])
        } else {
            bail!("{size} bytes at {address:#010x} may not be written")
        }
    }

    fn load_value(&self, address: u32, funct3: u32) -> Result<u32> {
        let size = 1 << (funct3 & 3);
        ensure!(address % size == 0, "misaligned load at {address:#010x}");
        let bytes = self.read(address, size)?;
        Ok(match funct3 {
            0 => bytes[0] as i8 as u32,
            1 => i16::from_le_bytes([bytes[0], bytes[1]]) as u32,
            2 => u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            4 => u32::from(bytes[0]),
            5 => u32::from(u16::from_le_bytes([bytes[0], bytes[1]])),
            _ => bail!("unknown load"),
        })
    }

    fn store_value(&mut self, address: u32, funct3: u32, value: u32) -> Result<()> {
        ensure!(funct3 < 3, "unknown store");
        let size = 1 << funct3;
        ensure!(address % size == 0, "misaligned store at {address:#010x}");
        let bytes = value.to_le_bytes();
        self.write(address, size)?
            .copy_from_slice(&bytes[..size as usize]);
        Ok(())
    }

    /// Executes one instruction; true if it was the last.
    fn step(&mut self) -> Result<bool> {
        ensure!(self.pc % 4 == 0, "misaligned jump");
        ensure!(self.code.contains(&self.pc), "jump out of the code");
        let code = self.read(self.pc, 4)?;
        let i = u32::from_le_bytes([code[0], code[1], code[2], code[3]]);

        let rd = (i >> 7 & 31) as usize;
        let funct3 = i >> 12 & 7;
        let (rs1, rs2) = (i >> 15 & 31, i >> 20 & 31);
        let (a, b) = (self.regs[rs1 as usize], self.regs[rs2 as usize]);
        let funct7 = i >> 25;
        let imm_i = (i as i32 >> 20) as u32;
        let imm_s = (i as i32 >> 25 << 5) as u32 | i >> 7 & 31;
        let imm_b = (i as i32 >> 31 << 12) as u32
            | (i >> 7 & 1) << 11
            | (i >> 25 & 63) << 5
            | (i >> 8 & 15) << 1;
        let imm_u = i & 0xffff_f000;
        let imm_j = (i as i32 >> 31 << 20) as u32
            | (i >> 12 & 255) << 12
            | (i >> 20 & 1) << 11
            | (i >> 21 & 1023) << 1;

        let mut next = self.pc.wrapping_add(4);
        let result = match i & 127 {
            0x37 => Some(imm_u),
            0x17 => Some(self.pc.wrapping_add(imm_u)),
            0x6f => {
                let link = next;
                next = self.pc.wrapping_add(imm_j);
                Some(link)
            }
            0x67 if funct3 == 0 => {
                let link = next;
                next = a.wrapping_add(imm_i) & !1;
                Some(link)
            }
            0x63 => {
                let taken = match funct3 {
                    0 => a == b,
                    1 => a != b,
                    4 => (a as i32) < b as i32,
                    5 => a as i32 >= b as i32,
                    6 => a < b,
                    7 => a >= b,
                    _ => bail!("unknown branch {i:#010x}"),
                };
                if taken {
                    next = self.pc.wrapping_add(imm_b);
                }
                None
            }
            0x03 => Some(self.load_value(a.wrapping_add(imm_i), funct3)?),
            0x23 => {
                self.store_value(a.wrapping_add(imm_s), funct3, b)?;
                None
            }
            0x13 => match (funct3, funct7) {
                (1, 0) | (5, 0 | 0x20) => Some(alu(funct3, funct7, a, rs2)),
                (1 | 5, _) => bail!("unknown shift {i:#010x}"),
                _ => Some(alu(funct3, 0, a, imm_i)),
            },
            0x33 => match (funct7, funct3) {
                (0, _) | (0x20, 0 | 5) => Some(alu(funct3, funct7, a, b)),
                (1, _) => Some(multiply(funct3, a, b)),
                _ => bail!("unknown operation {i:#010x}"),
            },
            0x73 if i == 0x73 => {
                if self.system_call()? {
                    return Ok(true);
                }
                None
            }
            _ => bail!("unknown instruction {i:#010x}"),
        };
        if let Some(value) = result
            && rd != 0
        {
            self.regs[rd] = value;
        }
        self.pc = next;
        Ok(false)
    }

    /// True if the call was an exit.
    fn system_call(&mut self) -> Result<bool> {
        let [a0, a1, a2] = [self.regs[10], self.regs[11], self.regs[12]];
        let result = match self.regs[17] {
            93 | 94 => {
                self.outcome.exit_code = a0 & 255;
                return Ok(true);
            }
            63 if a0 == 0 => {
                let (now, later) = self.input.split_at(self.input.len().min(a2 as usize));
                self.write(a1, now.len() as u32)?.copy_from_slice(now);
                self.input = later;
                now.len() as u32
            }
            64 if (1..=3).contains(&a0) => {
                let bytes = self.read(a1, a2)?.to_vec();
                match a0 {
                    1 => self.outcome.stdout.extend(bytes),
                    2 => self.outcome.stderr.extend(bytes),
                    _ => self.outcome.journal.extend(bytes),
                }
                a2
            }
            63 | 64 => EBADF,
            214 => {
                if a0 >= self.brk && a0 <= MEMORY_LIMIT {
                    self.brk = a0;
                }
                self.brk
            }
            number => bail!("system call {number} is not allowed"),
        };
        self.regs[10] = result;
        Ok(false)
    }
}

fn alu(funct3: u32, funct7: u32, a: u32, b: u32) -> u32 {
    match (funct3, funct7) {
        (0, 0) => a.wrapping_add(b),
        (0, _) => a.wrapping_sub(b),
        (1, _) => a << (b & 31),
        (2, _) => u32::from((a as i32) < b as i32),
        (3, _) => u32::from(a < b),
        (4, _) => a ^ b,
        (5, 0) => a >> (b & 31),
        (5, _) => (a as i32 >> (b & 31)) as u32,
        (6, _) => a | b,
        _ => a & b,
    }
}

fn multiply(funct3: u32, a: u32, b: u32) -> u32 {
    let (signed_a, signed_b) = (i64::from(a as i32), i64::from(b as i32));
    match funct3 {
        0 => a.wrapping_mul(b),
        1 => ((signed_a * signed_b) >> 32) as u32,
        2 => ((signed_a * i64::from(b)) >> 32) as u32,
        3 => ((u64::from(a) * u64::from(b)) >> 32) as u32,
        // Division by zero and overflow have values, not traps.
        4 if b == 0 => u32::MAX,
        4 => (a as i32).wrapping_div(b as i32) as u32,
        5 => a.checked_div(b).unwrap_or(u32::MAX),
        6 if b == 0 => a,
        6 => (a as i32).wrapping_rem(b as i32) as u32,
        _ => a.checked_rem(b).unwrap_or(a),
    }
}
