//! A row of the CPU table as expressions, and the sets of classes that share constraints.

use p3_air::AirBuilder;
use p3_field::PrimeCharacteristicRing;

use crate::witness::layout::*;

/// One row, read as integers and flags.
pub(super) struct Row<'a, AB: AirBuilder>(pub(super) &'a [AB::Var]);

impl<AB: AirBuilder> Row<'_, AB> {
    pub(super) fn at(&self, col: Col) -> AB::Expr {
        self.0[col].into()
    }

    pub(super) fn is(&self, class: Class) -> AB::Expr {
        self.at(CLASS + class as usize)
    }

    pub(super) fn any(&self, classes: &[Class]) -> AB::Expr {
        classes.iter().map(|class| self.is(*class)).sum()
    }

    /// `Σ 2^i · cell(col + i)`.
    pub(super) fn bits(&self, col: Col, count: usize) -> AB::Expr {
        (0..count)
            .map(|i| self.at(col + i) * AB::Expr::from_u32(1 << i))
            .sum()
    }

    /// Byte `i` of an operand held as bits.
    pub(super) fn byte(&self, operand: Col, i: usize) -> AB::Expr {
        self.bits(operand + 8 * i, 8)
    }

    /// 16-bit limb `i` of an operand held as bits.
    pub(super) fn limb(&self, operand: Col, i: usize) -> AB::Expr {
        self.bits(operand + 16 * i, 16)
    }

    /// `cell(col) + 256 · cell(col + 1)`.
    pub(super) fn pair(&self, col: Col) -> AB::Expr {
        self.at(col) + self.at(col + 1) * AB::Expr::from_u32(256)
    }

    /// The low limb of the sum unit's result.
    pub(super) fn sum_lo(&self) -> AB::Expr {
        self.at(SUM_WORD) * AB::Expr::from_u32(4) + self.sel_index()
    }

    /// Which of the four selectors is set, as a number.
    pub(super) fn sel_index(&self) -> AB::Expr {
        self.at(SEL + 1)
            + self.at(SEL + 2) * AB::Expr::from_u32(2)
            + self.at(SEL + 3) * AB::Expr::from_u32(3)
    }

    /// The sum unit's result divided by four.
    pub(super) fn sum_word(&self) -> AB::Expr {
        self.at(SUM_WORD) + self.at(SUM_HI) * AB::Expr::from_u32(1 << 14)
    }

    /// Bytes moved by a move row, if this is one.
    pub(super) fn step(&self) -> AB::Expr {
        self.any(&[Class::Lb, Class::Sb])
            + self.any(&[Class::Lw, Class::Sw]) * AB::Expr::from_u32(4)
    }

    /// 1 in rows that execute an instruction.
    pub(super) fn instruction(&self) -> AB::Expr {
        self.any(&Class::ALL) - self.at(MOVE)
    }

    /// 1 in rows that are not padding.
    pub(super) fn real(&self) -> AB::Expr {
        self.any(&Class::ALL) + self.at(SETUP)
    }
}

pub(super) use Class::{
    Add, And, Beq, Bge, Blt, Bne, Div, Ecall, Fence, Jal, Jalr, Lb, Lh, Li, Lw, Mul, Mulh, Or, Rem,
    Sb, Sh, Sll, Slt, Sra, Srl, Sub, Sw, Xor,
};

pub(super) const LOADS: [Class; 3] = [Lb, Lh, Lw];
pub(super) const STORES: [Class; 3] = [Sb, Sh, Sw];
pub(super) const BRANCHES: [Class; 4] = [Beq, Bne, Blt, Bge];
pub(super) const COMPARES: [Class; 5] = [Slt, Beq, Bne, Blt, Bge];
pub(super) const SHIFTS: [Class; 3] = [Sll, Srl, Sra];
pub(super) const PRODUCTS: [Class; 2] = [Mul, Mulh];
pub(super) const DIVISIONS: [Class; 2] = [Div, Rem];
pub(super) fn num<AB: AirBuilder>(value: u32) -> AB::Expr {
    AB::Expr::from_u32(value)
}
/// Whether the slot's register is read. Slot 1 has degree 2.
pub(super) fn reads<AB: AirBuilder>(row: &Row<AB>, slot: usize) -> AB::Expr {
    match slot {
        0 => row.real() - row.any(&[Li, Jal, Fence]) - row.at(MOVE),
        _ => {
            let second = [Add, Sub, Slt, And, Or, Xor, Sll, Srl, Sra, Ecall];
            row.any(&second) - row.at(USE_IMM)
                + row.any(&BRANCHES)
                + row.any(&STORES)
                + row.any(&PRODUCTS)
                + row.any(&DIVISIONS)
                + row.at(SETUP)
                - row.at(MOVE) * row.any(&[Sb, Sw])
        }
    }
}

pub(super) fn accesses_memory<AB: AirBuilder>(row: &Row<AB>) -> AB::Expr {
    row.any(&LOADS) + row.any(&STORES)
}

/// Rows where the sum unit holds an address.
pub(super) fn uses_address<AB: AirBuilder>(row: &Row<AB>) -> AB::Expr {
    accesses_memory(row) + row.is(Jalr) + row.at(SETUP)
}

/// Divisions by something other than zero.
pub(super) fn divides<AB: AirBuilder>(row: &Row<AB>) -> AB::Expr {
    row.any(&DIVISIONS) - row.at(BY_ZERO)
}
