//! RV32IM instructions, decoded once into a form that execution and witness share.

/// One RV32IM instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the instruction set manual's")]
pub enum Kind {
    Illegal,
    Lui,
    Auipc,
    Jal,
    Jalr,
    Beq,
    Bne,
    Blt,
    Bge,
    Bltu,
    Bgeu,
    Lb,
    Lh,
    Lw,
    Lbu,
    Lhu,
    Sb,
    Sh,
    Sw,
    Addi,
    Slti,
    Sltiu,
    Xori,
    Ori,
    Andi,
    Slli,
    Srli,
    Srai,
    Add,
    Sub,
    Sll,
    Slt,
    Sltu,
    Xor,
    Srl,
    Sra,
    Or,
    And,
    Mul,
    Mulh,
    Mulhsu,
    Mulhu,
    Div,
    Divu,
    Rem,
    Remu,
    Fence,
    Ecall,
    Ebreak,
}

impl Kind {
    /// All kinds, in the order of their discriminants.
    pub const ALL: [Self; 49] = [
        Self::Illegal,
        Self::Lui,
        Self::Auipc,
        Self::Jal,
        Self::Jalr,
        Self::Beq,
        Self::Bne,
        Self::Blt,
        Self::Bge,
        Self::Bltu,
        Self::Bgeu,
        Self::Lb,
        Self::Lh,
        Self::Lw,
        Self::Lbu,
        Self::Lhu,
        Self::Sb,
        Self::Sh,
        Self::Sw,
        Self::Addi,
        Self::Slti,
        Self::Sltiu,
        Self::Xori,
        Self::Ori,
        Self::Andi,
        Self::Slli,
        Self::Srli,
        Self::Srai,
        Self::Add,
        Self::Sub,
        Self::Sll,
        Self::Slt,
        Self::Sltu,
        Self::Xor,
        Self::Srl,
        Self::Sra,
        Self::Or,
        Self::And,
        Self::Mul,
        Self::Mulh,
        Self::Mulhsu,
        Self::Mulhu,
        Self::Div,
        Self::Divu,
        Self::Rem,
        Self::Remu,
        Self::Fence,
        Self::Ecall,
        Self::Ebreak,
    ];
}

/// A decoded instruction.
///
/// `imm` is, by kind: `Lui` the value; `Auipc` the value with `pc` added; `Jal` and branches the
/// absolute target address; shifts by immediate the amount (0 to 31); loads, stores, `Jalr` and the
/// other immediate forms the sign-extended immediate; `Illegal` the instruction word; otherwise 0.
/// Register fields the kind does not have are 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Op {
    /// Which instruction.
    pub kind: Kind,
    /// Destination register.
    pub rd: u8,
    /// First source register.
    pub rs1: u8,
    /// Second source register.
    pub rs2: u8,
    /// Immediate, see above.
    pub imm: u32,
}

/// Decodes the instruction `word` at address `pc`.
///
/// Never fails: anything that is not RV32IM gives [`Kind::Illegal`]. `fence` and `fence.i` are both
/// [`Kind::Fence`] (code is never written, so there is nothing to synchronise).
///
/// # Source
/// RISC-V unprivileged specification 20191213, chapters 2, 7 and 24.
pub fn decode(word: u32, pc: u32) -> Op {
    let illegal = Op {
        kind: Kind::Illegal,
        rd: 0,
        rs1: 0,
        rs2: 0,
        imm: word,
    };
    let reg = |shift: u32| (word >> shift & 31) as u8;
    let (rd, rs1, rs2) = (reg(7), reg(15), reg(20));
    let funct3 = word >> 12 & 7;
    let funct7 = word >> 25;
    let imm_i = (word as i32 >> 20) as u32;
    let imm_s = (word as i32 >> 25 << 5) as u32 | word >> 7 & 31;

    match word & 0x7f {
        0x37 => Op {
            kind: Kind::Lui,
            rd,
            rs1: 0,
            rs2: 0,
            imm: word & 0xffff_f000,
        },
        0x17 => {
            let imm = (word & 0xffff_f000).wrapping_add(pc);
            Op {
                kind: Kind::Auipc,
                rd,
                rs1: 0,
                rs2: 0,
                imm,
            }
        }
        0x6f => {
            let offset = (word as i32 >> 31 << 20) as u32
                | word & 0x000f_f000
                | word >> 9 & 0x0800
                | word >> 20 & 0x07fe;
            Op {
                kind: Kind::Jal,
                rd,
                rs1: 0,
                rs2: 0,
                imm: pc.wrapping_add(offset),
            }
        }
        0x67 if funct3 == 0 => Op {
            kind: Kind::Jalr,
            rd,
            rs1,
            rs2: 0,
            imm: imm_i,
        },
        0x63 => {
            let kind = match funct3 {
                0 => Kind::Beq,
                1 => Kind::Bne,
                4 => Kind::Blt,
                5 => Kind::Bge,
                6 => Kind::Bltu,
                7 => Kind::Bgeu,
                _ => return illegal,
            };
            let offset = (word as i32 >> 31 << 12) as u32
                | word << 4 & 0x0800
                | word >> 20 & 0x07e0
                | word >> 7 & 0x001e;
            Op {
                kind,
                rd: 0,
                rs1,
                rs2,
                imm: pc.wrapping_add(offset),
            }
        }
        0x03 => {
            let kind = match funct3 {
                0 => Kind::Lb,
                1 => Kind::Lh,
                2 => Kind::Lw,
                4 => Kind::Lbu,
                5 => Kind::Lhu,
                _ => return illegal,
            };
            Op {
                kind,
                rd,
                rs1,
                rs2: 0,
                imm: imm_i,
            }
        }
        0x23 => {
            let kind = match funct3 {
                0 => Kind::Sb,
                1 => Kind::Sh,
                2 => Kind::Sw,
                _ => return illegal,
            };
            Op {
                kind,
                rd: 0,
                rs1,
                rs2,
                imm: imm_s,
            }
        }
        0x13 => {
            let (kind, imm) = match (funct3, funct7) {
                (0, _) => (Kind::Addi, imm_i),
                (2, _) => (Kind::Slti, imm_i),
                (3, _) => (Kind::Sltiu, imm_i),
                (4, _) => (Kind::Xori, imm_i),
                (6, _) => (Kind::Ori, imm_i),
                (7, _) => (Kind::Andi, imm_i),
                (1, 0x00) => (Kind::Slli, u32::from(rs2)),
                (5, 0x00) => (Kind::Srli, u32::from(rs2)),
                (5, 0x20) => (Kind::Srai, u32::from(rs2)),
                _ => return illegal,
            };
            Op {
                kind,
                rd,
                rs1,
                rs2: 0,
                imm,
            }
        }
        0x33 => {
            let kind = match (funct7, funct3) {
                (0x00, 0) => Kind::Add,
                (0x20, 0) => Kind::Sub,
                (0x00, 1) => Kind::Sll,
                (0x00, 2) => Kind::Slt,
                (0x00, 3) => Kind::Sltu,
                (0x00, 4) => Kind::Xor,
                (0x00, 5) => Kind::Srl,
                (0x20, 5) => Kind::Sra,
                (0x00, 6) => Kind::Or,
                (0x00, 7) => Kind::And,
                (0x01, 0) => Kind::Mul,
                (0x01, 1) => Kind::Mulh,
                (0x01, 2) => Kind::Mulhsu,
                (0x01, 3) => Kind::Mulhu,
                (0x01, 4) => Kind::Div,
                (0x01, 5) => Kind::Divu,
                (0x01, 6) => Kind::Rem,
                (0x01, 7) => Kind::Remu,
                _ => return illegal,
            };
            Op {
                kind,
                rd,
                rs1,
                rs2,
                imm: 0,
            }
        }
        0x0f if funct3 <= 1 => Op {
            kind: Kind::Fence,
            rd: 0,
            rs1: 0,
            rs2: 0,
            imm: 0,
        },
        0x73 if word == 0x0000_0073 => Op {
            kind: Kind::Ecall,
            rd: 0,
            rs1: 0,
            rs2: 0,
            imm: 0,
        },
        0x73 if word == 0x0010_0073 => Op {
            kind: Kind::Ebreak,
            rd: 0,
            rs1: 0,
            rs2: 0,
            imm: 0,
        },
        _ => illegal,
    }
}
