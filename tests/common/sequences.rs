//! Random instruction sequences of every class, one ELF file each.

use super::{DATA, Rng, asm, program};

/// Sequences per class; each has `LENGTH` instructions or blocks of its class.
pub const SEQUENCES: u32 = 250;
const LENGTH: u32 = 12;

/// Bytes of memory that a sequence may load from and store to.
const ARENA: u32 = 256;
/// Bytes a sequence dumps: `x1` to `x30`, padded, then its arena.
pub const RECORD: u32 = 128 + ARENA;
/// Points to the middle of the arena; sequences do not write it.
const BASE: u32 = 30;
/// Where registers are dumped; sequences do not use it.
const DUMP: u32 = 31;

/// A sequence generator: appends instructions that leave `BASE` and `DUMP` alone.
pub type Class = fn(&mut Rng, &mut Vec<u32>);

fn rd(rng: &mut Rng) -> u32 {
    rng.below(30)
}

fn rs(rng: &mut Rng) -> u32 {
    rng.below(31)
}

fn imm12(rng: &mut Rng) -> i32 {
    let edges = [0, 1, -1, 2047, -2048, 31, -32];
    if rng.below(2) == 0 {
        rng.pick(&edges)
    } else {
        rng.word() as i32 >> 20
    }
}

pub fn op_imm(rng: &mut Rng, code: &mut Vec<u32>) {
    let (rd, rs) = (rd(rng), rs(rng));
    let shamt = rng.below(32) as i32;
    code.push(match rng.below(9) {
        0 => asm::op_imm(1, rd, rs, shamt),
        1 => asm::op_imm(5, rd, rs, shamt),
        2 => asm::op_imm(5, rd, rs, shamt | 0x400),
        k => asm::op_imm([0, 2, 3, 4, 6, 7][k as usize - 3], rd, rs, imm12(rng)),
    });
}

pub fn op(rng: &mut Rng, code: &mut Vec<u32>) {
    let funct3 = rng.below(8);
    let funct7 = if matches!(funct3, 0 | 5) {
        rng.pick(&[0, 0x20])
    } else {
        0
    };
    code.push(asm::r(funct7, funct3, rd(rng), rs(rng), rs(rng)));
}

pub fn upper(rng: &mut Rng, code: &mut Vec<u32>) {
    let encode = rng.pick(&[asm::lui as fn(u32, u32) -> u32, asm::auipc]);
    code.push(encode(rd(rng), rng.operand()));
    op(rng, code);
}

pub fn branches(rng: &mut Rng, code: &mut Vec<u32>) {
    let funct3 = rng.pick(&[0, 1, 4, 5, 6, 7]);
    let (a, b) = (rs(rng), if rng.below(4) == 0 { 0 } else { rs(rng) });
    let mark = rd(rng);
    if rng.below(3) > 0 {
        // Forward over up to three instructions.
        let skip = 1 + rng.below(3);
        code.push(asm::branch(funct3, a, b, 4 + 4 * skip as i32));
        for _ in 0..skip {
            code.push(asm::addi(mark, mark, imm12(rng)));
        }
    } else {
        // A loop of a few rounds that ends early if the branch is not taken.
        code.push(asm::addi(29, 0, 1 + rng.below(5) as i32));
        code.push(asm::addi(28, 28, 7));
        code.push(asm::addi(29, 29, -1));
        code.push(asm::branch(0, 29, 0, 8));
        code.push(asm::branch(funct3, a, b, -12));
    }
}

pub fn jumps(rng: &mut Rng, code: &mut Vec<u32>) {
    let (link, mark) = (rd(rng), rd(rng));
    match rng.below(3) {
        0 => {
            // Forward.
            code.push(asm::jal(link, 8));
            code.push(asm::addi(mark, mark, 1));
        }
        1 => {
            // Forward, back, and forward again.
            code.push(asm::jal(0, 12));
            code.push(asm::addi(mark, mark, imm12(rng)));
            code.push(asm::jal(link, 8));
            code.push(asm::jal(link, -8));
        }
        _ => {
            // Indirect, with the lowest bit of the sum at random; `link` may be the base.
            let base = 1 + rng.below(29);
            let offset = rng.below(2000) as i32 - 1000;
            code.push(asm::auipc(base, 0));
            code.push(asm::addi(base, base, offset));
            code.push(asm::jalr(link, base, 16 - offset + rng.below(2) as i32));
            code.push(asm::addi(mark, mark, 1));
        }
    }
}

pub fn loads(rng: &mut Rng, code: &mut Vec<u32>) {
    let funct3 = rng.pick(&[0, 1, 2, 4, 5]);
    let mask = !((1 << (funct3 & 3)) - 1);
    let offset = (rng.below(ARENA) as i32 - 128) & mask;
    code.push(asm::load(funct3, rd(rng), BASE, offset));
}

pub fn stores(rng: &mut Rng, code: &mut Vec<u32>) {
    let funct3 = rng.below(3);
    let offset = (rng.below(ARENA) as i32 - 128) & !((1 << funct3) - 1);
    code.push(asm::store(funct3, BASE, rs(rng), offset));
    if rng.below(2) == 0 {
        loads(rng, code);
    }
}

pub fn multiply(rng: &mut Rng, code: &mut Vec<u32>) {
    code.push(asm::r(1, rng.below(4), rd(rng), rs(rng), rs(rng)));
}

pub fn divide(rng: &mut Rng, code: &mut Vec<u32>) {
    code.push(asm::r(1, 4 + rng.below(4), rd(rng), rs(rng), rs(rng)));
}

pub fn mixed(rng: &mut Rng, code: &mut Vec<u32>) {
    let fence: Class = |_, code| code.push(asm::FENCE);
    let classes: [Class; 10] = [
        op_imm, op, upper, branches, jumps, loads, stores, multiply, divide, fence,
    ];
    rng.pick(&classes)(rng, code);
}

pub fn syscalls(rng: &mut Rng, code: &mut Vec<u32>) {
    let arena = asm::addi(11, BASE, rng.below(ARENA) as i32 - 128);
    // From here to the end of the arena there are at least 0 bytes.
    let room = 127 - (arena as i32 >> 20);
    let len = rng.below(room as u32 + 1) as i32;
    match rng.below(4) {
        0 => code.extend([
            asm::addi(10, 0, 1),
            arena,
            asm::addi(12, 0, len),
            asm::addi(17, 0, 64),
        ]),
        1 => code.extend([
            asm::addi(10, 0, 0),
            arena,
            asm::addi(12, 0, len),
            asm::addi(17, 0, 63),
        ]),
        2 => code.extend([asm::addi(10, 0, 0), asm::addi(17, 0, 214)]),
        _ => {
            // Move the break up, by a little; it may end unaligned.
            code.extend([asm::addi(10, 0, 0), asm::addi(17, 0, 214), asm::ECALL]);
            code.push(asm::addi(10, 10, rng.below(2048) as i32));
        }
    }
    code.push(asm::ECALL);
    // Keep the result: the next call overwrites a0.
    code.push(asm::store(2, BASE, 10, -128 + 4 * rng.below(64) as i32));
}

/// One ELF file with all sequences of a class. Standard output: what system calls wrote, then a
/// record per sequence.
pub fn build(class: Class, seed: u64, exit_code: u32) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut code = vec![];
    let mut data = vec![];
    for sequence in 0..SEQUENCES {
        let record = DATA + RECORD * sequence;
        for _ in 0..RECORD / 4 {
            data.extend(rng.operand().to_le_bytes());
        }
        for reg in 1..30 {
            code.extend(asm::li(reg, rng.operand()));
        }
        code.extend(asm::li(BASE, record + 128 + ARENA / 2));
        for _ in 0..LENGTH {
            class(&mut rng, &mut code);
        }
        code.extend(asm::li(DUMP, record));
        for reg in 1..31 {
            code.push(asm::sw(DUMP, reg, 4 * reg as i32));
        }
    }
    code.extend(asm::syscall(64, &[1, DATA, data.len() as u32]));
    code.extend(asm::syscall(93, &[exit_code]));
    program(&code, &data)
}
