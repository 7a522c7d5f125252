//! What the machine's tests share: an assembler, an ELF writer, and the qemu oracle.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test binary uses a part"
)]

pub mod sequences;

use std::io::Write;
use std::process::{Command, Stdio};

pub const CODE: u32 = 0x0001_0000;
pub const DATA: u32 = 0x0080_0000;

/// `PF_R | PF_X`, `PF_R | PF_W` and all three.
pub const RX: u32 = 5;
pub const RW: u32 = 6;
pub const RWX: u32 = 7;

/// A segment of an ELF file.
pub struct Load {
    pub addr: u32,
    pub flags: u32,
    pub bytes: Vec<u8>,
    pub mem_bytes: u32,
}

impl Load {
    pub fn new(addr: u32, flags: u32, bytes: Vec<u8>) -> Self {
        let mem_bytes = bytes.len() as u32;
        Self {
            addr,
            flags,
            bytes,
            mem_bytes,
        }
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// A static ELF32 file for RV32IM without section headers.
pub fn elf(entry: u32, loads: &[Load]) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend(words(&[2 | 243 << 16, 1, entry, 52, 0, 0, 52 | 32 << 16]));
    file.extend(words(&[loads.len() as u32 | 40 << 16, 0]));
    let mut offset = 52 + 32 * loads.len() as u32;
    let mut contents = vec![];
    for load in loads {
        // qemu maps the file: offset and address must agree modulo the page size.
        let pad = load.addr.wrapping_sub(offset) % 4096;
        contents.resize(contents.len() + pad as usize, 0);
        offset += pad;
        let (addr, len) = (load.addr, load.bytes.len() as u32);
        file.extend(words(&[
            1,
            offset,
            addr,
            addr,
            len,
            load.mem_bytes,
            load.flags,
            4096,
        ]));
        contents.extend_from_slice(&load.bytes);
        offset += len;
    }
    file.extend(contents);
    file
}

/// An ELF file with `code` at [`CODE`] and `data` at [`DATA`].
pub fn program(code: &[u32], data: &[u8]) -> Vec<u8> {
    let mut loads = vec![Load::new(CODE, RX, words(code))];
    if !data.is_empty() {
        loads.push(Load::new(DATA, RW, data.to_vec()));
    }
    elf(CODE, &loads)
}

/// Encoders, by instruction format.
pub mod asm {
    pub fn r(funct7: u32, funct3: u32, rd: u32, rs1: u32, rs2: u32) -> u32 {
        funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x33
    }
    pub fn i(opcode: u32, funct3: u32, rd: u32, rs1: u32, imm: i32) -> u32 {
        (imm as u32) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode
    }
    pub fn op_imm(funct3: u32, rd: u32, rs1: u32, imm: i32) -> u32 {
        i(0x13, funct3, rd, rs1, imm)
    }
    pub fn addi(rd: u32, rs1: u32, imm: i32) -> u32 {
        op_imm(0, rd, rs1, imm)
    }
    pub fn load(funct3: u32, rd: u32, rs1: u32, imm: i32) -> u32 {
        i(0x03, funct3, rd, rs1, imm)
    }
    pub fn store(funct3: u32, rs1: u32, rs2: u32, imm: i32) -> u32 {
        let imm = imm as u32;
        imm >> 5 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 31) << 7 | 0x23
    }
    pub fn sw(rs1: u32, rs2: u32, imm: i32) -> u32 {
        store(2, rs1, rs2, imm)
    }
    pub fn branch(funct3: u32, rs1: u32, rs2: u32, offset: i32) -> u32 {
        let o = offset as u32;
        (o >> 12 & 1) << 31
            | (o >> 5 & 63) << 25
            | rs2 << 20
            | rs1 << 15
            | funct3 << 12
            | (o >> 1 & 15) << 8
            | (o >> 11 & 1) << 7
            | 0x63
    }
    pub fn lui(rd: u32, value: u32) -> u32 {
        value & 0xffff_f000 | rd << 7 | 0x37
    }
    pub fn auipc(rd: u32, value: u32) -> u32 {
        value & 0xffff_f000 | rd << 7 | 0x17
    }
    pub fn jal(rd: u32, offset: i32) -> u32 {
        let o = offset as u32;
        (o >> 20 & 1) << 31
            | (o >> 1 & 0x3ff) << 21
            | (o >> 11 & 1) << 20
            | (o >> 12 & 0xff) << 12
            | rd << 7
            | 0x6f
    }
    pub fn jalr(rd: u32, rs1: u32, imm: i32) -> u32 {
        i(0x67, 0, rd, rs1, imm)
    }
    pub const ECALL: u32 = 0x73;
    pub const EBREAK: u32 = 0x0010_0073;
    pub const FENCE: u32 = 0x0ff0_000f;

    /// Loads a constant in two instructions.
    pub fn li(rd: u32, value: u32) -> [u32; 2] {
        let low = (value << 20) as i32 >> 20;
        [lui(rd, value.wrapping_sub(low as u32)), addi(rd, rd, low)]
    }

    /// A system call with up to three constant arguments in `a0` to `a2`.
    pub fn syscall(number: u32, args: &[u32]) -> Vec<u32> {
        let mut code = vec![];
        for (arg, rd) in args.iter().zip(10..) {
            code.extend(li(rd, *arg));
        }
        code.push(addi(17, 0, number as i32));
        code.push(ECALL);
        code
    }
}

/// A small deterministic generator (xorshift64*), so that failures name a seed.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub fn word(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }
    pub fn below(&mut self, n: u32) -> u32 {
        self.word() % n
    }
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }
    /// An operand, usually near where arithmetic has its edges.
    pub fn operand(&mut self) -> u32 {
        match self.below(4) {
            0 => self.word(),
            1 => 1 << self.below(32),
            2 => (1u32 << self.below(32)).wrapping_sub(1),
            _ => {
                let edges = [
                    0u32,
                    1,
                    2,
                    3,
                    31,
                    32,
                    33,
                    0x7fff_ffff,
                    0x8000_0000,
                    0x8000_0001,
                ];
                let edge = self.pick(&edges);
                if self.below(3) == 0 {
                    edge.wrapping_neg()
                } else {
                    edge
                }
            }
        }
    }
}

/// Runs an ELF file under `qemu-riscv32`: its standard output and exit code.
///
/// Prints SKIPPED and returns `None` without qemu, unless REQUIRE_QEMU=1 is set.
pub fn qemu(elf: &[u8], input: &[u8]) -> Option<(Vec<u8>, i32)> {
    let dir = tempfile::tempdir().unwrap();
    let (path, input_path) = (dir.path().join("guest.elf"), dir.path().join("input"));
    std::fs::write(&path, elf).unwrap();
    std::fs::write(&input_path, input).unwrap();
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&path, permissions).unwrap();
    let input = std::fs::File::open(input_path).unwrap();
    let output = Command::new("qemu-riscv32")
        .arg(path)
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output();
    match output {
        Ok(output) => {
            let code = output.status.code();
            let stderr = String::from_utf8_lossy(&output.stderr);
            let code = code.unwrap_or_else(|| panic!("qemu ended by a signal: {stderr}"));
            Some((output.stdout, code))
        }
        Err(e) if std::env::var_os("REQUIRE_QEMU").is_some_and(|v| v == "1") => {
            panic!("REQUIRE_QEMU=1, but qemu-riscv32 does not run: {e}")
        }
        Err(_) => {
            // Straight to standard error: the test harness captures `eprintln!`.
            let _ = writeln!(std::io::stderr(), "SKIPPED: qemu-riscv32 is not installed");
            None
        }
    }
}
