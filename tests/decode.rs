//! The decoder against a second one: the mask/match table of the specification's opcode listing.

use proptest::prelude::*;
use rewit::vm::{Kind, Op, decode};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    R,
    I,
    Shift,
    S,
    B,
    U,
    J,
    None,
}

use Format::{B, I, J, None as Bare, R, S, Shift, U};

/// `(kind, mask, match, format)`, as riscv-opcodes lists them.
const TABLE: &[(Kind, u32, u32, Format)] = &[
    (Kind::Lui, 0x7f, 0x37, U),
    (Kind::Auipc, 0x7f, 0x17, U),
    (Kind::Jal, 0x7f, 0x6f, J),
    (Kind::Jalr, 0x707f, 0x67, I),
    (Kind::Beq, 0x707f, 0x63, B),
    (Kind::Bne, 0x707f, 0x1063, B),
    (Kind::Blt, 0x707f, 0x4063, B),
    (Kind::Bge, 0x707f, 0x5063, B),
    (Kind::Bltu, 0x707f, 0x6063, B),
    (Kind::Bgeu, 0x707f, 0x7063, B),
    (Kind::Lb, 0x707f, 0x3, I),
    (Kind::Lh, 0x707f, 0x1003, I),
    (Kind::Lw, 0x707f, 0x2003, I),
    (Kind::Lbu, 0x707f, 0x4003, I),
    (Kind::Lhu, 0x707f, 0x5003, I),
    (Kind::Sb, 0x707f, 0x23, S),
    (Kind::Sh, 0x707f, 0x1023, S),
    (Kind::Sw, 0x707f, 0x2023, S),
    (Kind::Addi, 0x707f, 0x13, I),
    (Kind::Slti, 0x707f, 0x2013, I),
    (Kind::Sltiu, 0x707f, 0x3013, I),
    (Kind::Xori, 0x707f, 0x4013, I),
    (Kind::Ori, 0x707f, 0x6013, I),
    (Kind::Andi, 0x707f, 0x7013, I),
    (Kind::Slli, 0xfe00_707f, 0x1013, Shift),
    (Kind::Srli, 0xfe00_707f, 0x5013, Shift),
    (Kind::Srai, 0xfe00_707f, 0x4000_5013, Shift),
    (Kind::Add, 0xfe00_707f, 0x33, R),
    (Kind::Sub, 0xfe00_707f, 0x4000_0033, R),
    (Kind::Sll, 0xfe00_707f, 0x1033, R),
    (Kind::Slt, 0xfe00_707f, 0x2033, R),
    (Kind::Sltu, 0xfe00_707f, 0x3033, R),
    (Kind::Xor, 0xfe00_707f, 0x4033, R),
    (Kind::Srl, 0xfe00_707f, 0x5033, R),
    (Kind::Sra, 0xfe00_707f, 0x4000_5033, R),
    (Kind::Or, 0xfe00_707f, 0x6033, R),
    (Kind::And, 0xfe00_707f, 0x7033, R),
    (Kind::Mul, 0xfe00_707f, 0x0200_0033, R),
    (Kind::Mulh, 0xfe00_707f, 0x0200_1033, R),
    (Kind::Mulhsu, 0xfe00_707f, 0x0200_2033, R),
    (Kind::Mulhu, 0xfe00_707f, 0x0200_3033, R),
    (Kind::Div, 0xfe00_707f, 0x0200_4033, R),
    (Kind::Divu, 0xfe00_707f, 0x0200_5033, R),
    (Kind::Rem, 0xfe00_707f, 0x0200_6033, R),
    (Kind::Remu, 0xfe00_707f, 0x0200_7033, R),
    (Kind::Fence, 0x707f, 0xf, Bare),
    (Kind::Fence, 0x707f, 0x100f, Bare),
    (Kind::Ecall, 0xffff_ffff, 0x73, Bare),
    (Kind::Ebreak, 0xffff_ffff, 0x0010_0073, Bare),
];

/// Bits `from` of the word, each to its place: `(bit in the word, bit in the immediate)`.
fn scatter(word: u32, bits: impl Iterator<Item = (u32, u32)>, sign_bit: u32) -> u32 {
    let mut value: i64 = 0;
    for (from, to) in bits {
        let weight = 1i64 << to;
        if word >> from & 1 != 0 {
            value += if to == sign_bit { -weight } else { weight };
        }
    }
    value as u32
}

fn expected(word: u32, pc: u32) -> Op {
    let mut matches = TABLE
        .iter()
        .filter(|(_, mask, value, _)| word & mask == *value);
    let Some(&(kind, _, _, format)) = matches.next() else {
        return Op {
            kind: Kind::Illegal,
            rd: 0,
            rs1: 0,
            rs2: 0,
            imm: word,
        };
    };
    assert!(
        matches.next().is_none(),
        "the table is ambiguous for {word:#010x}"
    );
    let field = |low: u32| (word / (1 << low) % 32) as u8;
    let (mut rd, mut rs1, mut rs2) = (field(7), field(15), field(20));
    let imm = match format {
        R => 0,
        I => scatter(word, (20..32).zip(0..12), 11),
        Shift => u32::from(field(20)),
        S => scatter(word, (7..12).chain(25..32).zip(0..12), 11),
        B => {
            let places = (8..12)
                .zip(1..5)
                .chain((25..31).zip(5..11))
                .chain([(7, 11), (31, 12)]);
            pc.wrapping_add(scatter(word, places, 12))
        }
        U => scatter(word, (12..32).zip(12..32), 32),
        J => {
            let low = (21..31).zip(1..11).chain([(20, 11)]);
            pc.wrapping_add(scatter(
                word,
                low.chain((12..20).zip(12..20)).chain([(31, 20)]),
                20,
            ))
        }
        Bare => 0,
    };
    if matches!(format, S | B | Bare) {
        rd = 0;
    }
    if matches!(format, U | J | Bare) {
        rs1 = 0;
    }
    if !matches!(format, R | S | B) {
        rs2 = 0;
    }
    let imm = if kind == Kind::Auipc {
        imm.wrapping_add(pc)
    } else {
        imm
    };
    Op {
        kind,
        rd,
        rs1,
        rs2,
        imm,
    }
}

fn check(word: u32, pc: u32) {
    assert_eq!(
        decode(word, pc),
        expected(word, pc),
        "word {word:#010x} at pc {pc:#010x}"
    );
}

#[test]
fn every_opcode_funct3_and_funct7() {
    // Registers and the remaining immediate bits at their extremes and in between.
    for rest in [0u32, u32::MAX, 0x5555_5555, 0xaaaa_aaaa, 0x0123_4567] {
        for low in 0..1 << 7 {
            for funct3 in 0..8 {
                for funct7 in 0..1 << 7 {
                    let fixed = low | funct3 << 12 | funct7 << 25;
                    check(fixed | rest & 0x01ff_8f80, 0x8000_0000);
                }
            }
        }
    }
}

#[test]
fn system_words_must_be_exact() {
    for bit in 7..32 {
        for word in [0x73u32, 0x0010_0073] {
            check(word ^ 1 << bit, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_word(word: u32, pc: u32) {
        check(word, pc & !3);
    }

    #[test]
    fn any_valid_word(row in 0..TABLE.len(), rest: u32, pc: u32) {
        let (_, mask, value, _) = TABLE[row];
        check(value | rest & !mask, pc & !3);
    }
}
