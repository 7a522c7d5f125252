//! What instructions compute, as pure functions: execution and witness share them.

use super::isa::Kind;

/// Result of an integer computation with operands `a` and `b`.
///
/// - `kind`: an OP or OP-IMM instruction (`Addi` to `Remu`).
/// - `b`: the value of `rs2`, or the immediate.
///
/// # Panics
/// If `kind` computes nothing (loads, stores, jumps, …).
/// # Source
/// RISC-V unprivileged specification 20191213, sections 2.4 and 7; division by zero and overflow
/// as in table 7.1.
#[inline(always)]
pub fn alu(kind: Kind, a: u32, b: u32) -> u32 {
    let (sa, sb) = (a as i32, b as i32);
    match kind {
        Kind::Addi | Kind::Add => a.wrapping_add(b),
        Kind::Sub => a.wrapping_sub(b),
        Kind::Slti | Kind::Slt => u32::from(sa < sb),
        Kind::Sltiu | Kind::Sltu => u32::from(a < b),
        Kind::Xori | Kind::Xor => a ^ b,
        Kind::Ori | Kind::Or => a | b,
        Kind::Andi | Kind::And => a & b,
        Kind::Slli | Kind::Sll => a.wrapping_shl(b),
        Kind::Srli | Kind::Srl => a.wrapping_shr(b),
        Kind::Srai | Kind::Sra => sa.wrapping_shr(b) as u32,
        Kind::Mul => a.wrapping_mul(b),
        Kind::Mulh => ((i64::from(sa) * i64::from(sb)) >> 32) as u32,
        Kind::Mulhsu => ((i64::from(sa) * i64::from(b)) >> 32) as u32,
        Kind::Mulhu => ((u64::from(a) * u64::from(b)) >> 32) as u32,
        Kind::Div => {
            if b == 0 {
                u32::MAX
            } else {
                sa.wrapping_div(sb) as u32
            }
        }
        Kind::Divu => a.checked_div(b).unwrap_or(u32::MAX),
        Kind::Rem => {
            if b == 0 {
                a
            } else {
                sa.wrapping_rem(sb) as u32
            }
        }
        Kind::Remu => a.checked_rem(b).unwrap_or(a),
        _ => unreachable!("{kind:?} computes nothing"),
    }
}

/// Whether the branch `kind` is taken for operands `a` and `b`.
///
/// # Panics
/// If `kind` is not a branch.
#[inline(always)]
pub fn branch_taken(kind: Kind, a: u32, b: u32) -> bool {
    match kind {
        Kind::Beq => a == b,
        Kind::Bne => a != b,
        Kind::Blt => (a as i32) < (b as i32),
        Kind::Bge => (a as i32) >= (b as i32),
        Kind::Bltu => a < b,
        Kind::Bgeu => a >= b,
        _ => unreachable!("{kind:?} is not a branch"),
    }
}

/// Bytes the load or store `kind` moves: 1, 2 or 4.
///
/// # Panics
/// If `kind` is neither a load nor a store.
#[inline(always)]
pub fn access_bytes(kind: Kind) -> u32 {
    match kind {
        Kind::Lb | Kind::Lbu | Kind::Sb => 1,
        Kind::Lh | Kind::Lhu | Kind::Sh => 2,
        Kind::Lw | Kind::Sw => 4,
        _ => unreachable!("{kind:?} does not access memory"),
    }
}

/// Value the load `kind` at address `addr` puts into its register.
///
/// - `addr`: naturally aligned for `kind`.
/// - `word`: the aligned memory word that contains it.
///
/// # Panics
/// If `kind` is not a load.
#[inline(always)]
pub fn load_value(kind: Kind, addr: u32, word: u32) -> u32 {
    let shifted = word >> (8 * (addr & 3));
    match kind {
        Kind::Lb => shifted as i8 as u32,
        Kind::Lbu => u32::from(shifted as u8),
        Kind::Lh => shifted as i16 as u32,
        Kind::Lhu => u32::from(shifted as u16),
        Kind::Lw => word,
        _ => unreachable!("{kind:?} is not a load"),
    }
}

/// The aligned memory word after the store `kind` of `value` at address `addr`.
///
/// - `addr`: naturally aligned for `kind`.
/// - `old_word`: the aligned memory word before.
///
/// # Panics
/// If `kind` is not a store.
#[inline(always)]
pub fn store_merge(kind: Kind, addr: u32, old_word: u32, value: u32) -> u32 {
    let shift = 8 * (addr & 3);
    let mask = match kind {
        Kind::Sb => 0xff << shift,
        Kind::Sh => 0xffff << shift,
        Kind::Sw => return value,
        _ => unreachable!("{kind:?} is not a store"),
    };
    old_word & !mask | value << shift & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: u32 = 0x8000_0000;

    #[test]
    fn division_edges_follow_table_7_1() {
        for a in [0, 1, 7, MIN, MIN - 1, u32::MAX] {
            assert_eq!(alu(Kind::Div, a, 0), u32::MAX);
            assert_eq!(alu(Kind::Divu, a, 0), u32::MAX);
            assert_eq!(alu(Kind::Rem, a, 0), a);
            assert_eq!(alu(Kind::Remu, a, 0), a);
        }
        assert_eq!(alu(Kind::Div, MIN, u32::MAX), MIN);
        assert_eq!(alu(Kind::Rem, MIN, u32::MAX), 0);
        assert_eq!(alu(Kind::Div, -7i32 as u32, 2), -3i32 as u32);
        assert_eq!(alu(Kind::Rem, -7i32 as u32, 2), -1i32 as u32);
        assert_eq!(alu(Kind::Rem, 7, -2i32 as u32), 1);
    }

    #[test]
    fn high_products_agree_with_wide_arithmetic() {
        let edges = [0, 1, 2, 0x7fff_ffff, MIN, MIN + 1, u32::MAX - 1, u32::MAX];
        for a in edges {
            for b in edges {
                let (sa, sb) = (i128::from(a as i32), i128::from(b as i32));
                let (ua, ub) = (i128::from(a), i128::from(b));
                assert_eq!(alu(Kind::Mul, a, b), (sa * sb) as u32);
                assert_eq!(alu(Kind::Mulh, a, b), ((sa * sb) >> 32) as u32);
                assert_eq!(alu(Kind::Mulhsu, a, b), ((sa * ub) >> 32) as u32);
                assert_eq!(alu(Kind::Mulhu, a, b), ((ua * ub) >> 32) as u32);
            }
        }
    }

    #[test]
    fn shifts_use_the_low_five_bits() {
        assert_eq!(alu(Kind::Sll, 1, 33), 2);
        assert_eq!(alu(Kind::Srl, MIN, 63), 1);
        assert_eq!(alu(Kind::Sra, MIN, 0xffff_ffff), u32::MAX);
    }

    #[test]
    fn loads_extend_and_stores_merge() {
        let word = 0x80ff_7f01;
        assert_eq!(load_value(Kind::Lb, 0, word), 1);
        assert_eq!(load_value(Kind::Lb, 2, word), u32::MAX);
        assert_eq!(load_value(Kind::Lbu, 3, word), 0x80);
        assert_eq!(load_value(Kind::Lh, 2, word), 0xffff_80ff);
        assert_eq!(load_value(Kind::Lhu, 2, word), 0x80ff);
        assert_eq!(store_merge(Kind::Sb, 1, word, 0x1234_56aa), 0x80ff_aa01);
        assert_eq!(store_merge(Kind::Sh, 2, word, 0x1234_56aa), 0x56aa_7f01);
        assert_eq!(store_merge(Kind::Sw, 0, word, 5), 5);
    }
}
