//! What a segment proof says: where the segment starts and ends, the memory it found and left, and
//! what its system calls did.

use rayon::prelude::*;

use super::key::ProgramKey;
use super::params::Params;
use crate::witness::layout::{
    A, B, CLASS, CLK, Class, Col, LEFT, MOVE, RD_NEW, REGISTER_BASE, SETUP, boundary, public,
};
use crate::witness::{Matrix, Witness, from_monty};

/// A register or a memory word that a segment touched, before and after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    /// Word address (byte address / 4) below 2^30, or 2^30 plus the number of a register.
    pub address: u32,
    /// Content before the segment.
    pub first: u32,
    /// Content after the segment.
    pub last: u32,
}

impl Cell {
    /// Number of the register, if it is one.
    pub fn register(&self) -> Option<u32> {
        self.address.checked_sub(REGISTER_BASE)
    }
}

/// An entry of the system call log: an `ecall`, or a step of the transfer it started.
///
/// | kind | `a` | `b` | `result` | `left` |
/// |---|---|---|---|---|
/// | `ecall`, the number of its class | `a7` | `a0` before | `a0` after | bytes it will move, if it moves any |
/// | setup, 32 | `a1`, the address | `a2`, the length | 0 | bytes to move |
/// | move of a byte or word, the class it resembles | address of the unit before | the word moved from or the data moved in | the data | bytes left after |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Row of the cpu table: cycle within the segment.
    pub clk: u32,
    /// What the row does.
    pub kind: u32,
    /// First operand.
    pub a: u32,
    /// Second operand.
    pub b: u32,
    /// Result.
    pub result: u32,
    /// Bytes left to move after the row.
    pub left: u32,
}

impl Event {
    /// Kind of a setup row.
    pub const SETUP: u32 = 32;

    /// The fields of the message on the system call bus.
    pub fn fields(&self) -> [u32; 9] {
        let Self {
            clk,
            kind,
            a,
            b,
            result,
            left,
        } = *self;
        let [a, b, result] = [a, b, result].map(|v| [v & 0xffff, v >> 16]);
        [
            clk, kind, a[0], a[1], b[0], b[1], result[0], result[1], left,
        ]
    }
}

/// What a segment proof says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Statement {
    /// Number of the segment in its run. Bound to the proof; that it is right follows from the
    /// chain.
    pub index: u32,
    /// Public values of the cpu table, see [`public`].
    pub public: [u32; public::COUNT],
    /// Touched words, then all 32 registers, by ascending address.
    pub boundary: Vec<Cell>,
    /// System calls by ascending row.
    pub log: Vec<Event>,
}

impl Statement {
    /// What the transcript of a proof of this statement starts with: a digest of all that is agreed
    /// upon before the first commitment.
    pub fn seed(&self, params: &Params, key: &ProgramKey) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"rewit segment proof 1\n");
        hasher.update(&params.to_bytes());
        hasher.update(key.digest(params).as_bytes());
        self.hash_into(&mut hasher);
        *hasher.finalize().as_bytes()
    }

    /// BLAKE3 of the statement.
    pub fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"rewit statement 1\n");
        self.hash_into(&mut hasher);
        hasher.finalize()
    }

    fn hash_into(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&self.index.to_le_bytes());
        for value in self.public {
            hasher.update(&value.to_le_bytes());
        }
        hasher.update(&(self.boundary.len() as u64).to_le_bytes());
        for Cell {
            address,
            first,
            last,
        } in &self.boundary
        {
            hasher.update(bytemuck::bytes_of(
                &[*address, *first, *last].map(u32::to_le),
            ));
        }
        hasher.update(&(self.log.len() as u64).to_le_bytes());
        for event in &self.log {
            let Event {
                clk,
                kind,
                a,
                b,
                result,
                left,
            } = *event;
            hasher.update(bytemuck::bytes_of(
                &[clk, kind, a, b, result, left].map(u32::to_le),
            ));
        }
    }

    /// What a proof of segment `index` with this witness would say.
    pub fn new(index: u32, witness: &Witness) -> Self {
        Self {
            index,
            public: witness.public,
            boundary: cells(&witness.boundary),
            log: events(&witness.cpu),
        }
    }
}

/// The word whose bytes are the four cells from `col` on.
fn word(row: &[u32], col: Col) -> u32 {
    let bytes = row[col..col + 4].iter().rev();
    bytes.fold(0, |word, byte| word << 8 | from_monty(*byte))
}

fn cells(table: &Matrix) -> Vec<Cell> {
    let rows = (0..table.height()).map(|i| table.row(i));
    rows.filter(|row| row[boundary::REAL] != 0)
        .map(|row| Cell {
            address: from_monty(row[boundary::LO])
                + (from_monty(row[boundary::HI]) << 16)
                + if row[boundary::REGISTER] != 0 {
                    REGISTER_BASE
                } else {
                    0
                },
            first: word(row, boundary::INIT),
            last: word(row, boundary::FINAL),
        })
        .collect()
}

/// The log that the cpu table sends, see `src/stark/air/cpu.rs`.
fn events(cpu: &Matrix) -> Vec<Event> {
    let bits = |row: &[u32], col: Col| {
        let bits = row[col..col + 32].iter().rev();
        bits.fold(0u32, |word, bit| word << 1 | u32::from(*bit != 0))
    };
    let ecall = CLASS + Class::Ecall as usize;
    let event = |row: &[u32]| {
        let class = [Class::Lb, Class::Lw, Class::Sb, Class::Sw, Class::Ecall]
            .into_iter()
            .find(|class| row[CLASS + *class as usize] != 0);
        Event {
            clk: from_monty(row[CLK]),
            kind: class.map_or(Event::SETUP, |class| class as u32),
            a: bits(row, A),
            b: bits(row, B),
            result: word(row, RD_NEW),
            left: from_monty(row[LEFT]),
        }
    };
    cpu.words
        .par_chunks_exact(cpu.width)
        .filter(|row| row[ecall] | row[SETUP] | row[MOVE] != 0)
        .map(event)
        .collect()
}
