//! The record of one cycle: what one row of the trace is filled from, with no other state.

use bytemuck::{Pod, Zeroable};

/// What a cycle does to a row of the trace, beside the instruction at its `pc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum RowKind {
    /// The instruction itself.
    Instruction = 0,
    /// Second cycle of `read` and `write`: pointer and length from `a1` and `a2`.
    Setup = 1,
    /// One byte from the host into memory.
    MoveInByte = 2,
    /// One aligned word from the host into memory.
    MoveInWord = 3,
    /// One byte from memory to the host.
    MoveOutByte = 4,
    /// One aligned word from memory to the host.
    MoveOutWord = 5,
}

/// Bit position of the [`RowKind`] in [`Record::op`].
pub const ROW_KIND_SHIFT: u32 = 29;

/// One cycle.
///
/// `gap[s]` is `ts − previous ts − 1` of the access in slot `s` (0 `rs1`, 1 `rs2`, 2 memory,
/// 3 `rd`), where cycle `c` of a segment (from 0) accesses slot `s` at `ts = 4c + s + 1` and
/// everything was last accessed at 0 before the segment. Unused slots hold 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Record {
    /// Index of the instruction in the program, with the [`RowKind`] above bit 29.
    pub op: u32,
    /// Value of `rs1`. Moves: address of the unit moved before this one (of this one if it is the
    /// first cycle of the segment).
    pub a: u32,
    /// Value of `rs2`. Moves into memory: the data.
    pub b: u32,
    /// Aligned memory word before the access. `ecall`: the value left in `a0`.
    pub old: u32,
    /// Value of `rd` before the write. Setup and moves: bytes left to move after this cycle.
    pub rd_old: u32,
    /// Access gaps, see above. Moves: `gap[0]` is the distance from `a` to the address.
    pub gap: [u32; 4],
}
