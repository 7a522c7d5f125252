//! Architectural state: everything but memory that a cycle depends on.

use bytemuck::{Pod, Zeroable};

/// Where the machine stands inside a system call.
///
/// `read` and `write` take one cycle for the `ecall`, one to set the transfer up, and one per unit
/// moved (an aligned word, or a byte at unaligned ends). A segment may end between any two cycles,
/// so the position is part of the state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum IoPhase {
    /// Not inside a transfer; the next cycle executes the instruction at `pc`.
    None = 0,
    /// The `ecall` cycle is done; the next cycle reads pointer and length from `a1` and `a2`.
    Setup = 1,
    /// The next cycle moves one unit at `io_ptr`.
    Move = 2,
}

/// Registers, program counter and the position within a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct MachineState {
    /// Address of the current instruction. During a transfer: of its `ecall`.
    pub pc: u32,
    /// `x0` to `x31`; `x[0]` is zero.
    pub x: [u32; 32],
    /// Program break.
    pub brk: u32,
    /// Bytes of guest input consumed so far.
    pub input_pos: u32,
    /// An [`IoPhase`] as a number: 0 none, 1 setup, 2 move.
    pub io_phase: u32,
    /// File descriptor of the transfer; zero outside one.
    pub io_fd: u32,
    /// Address of the next byte to move; zero outside phase `Move`.
    pub io_ptr: u32,
    /// Bytes still to move; zero outside a transfer.
    pub io_left: u32,
    /// 1 after `exit` or `exit_group`.
    pub halted: u32,
}

impl MachineState {
    /// Size in bytes on the wire.
    pub const BYTES: usize = size_of::<Self>();

    /// The phase as an enum.
    ///
    /// Returns `None` for a number outside the enum (only possible in untrusted bytes).
    pub fn phase(&self) -> Option<IoPhase> {
        match self.io_phase {
            0 => Some(IoPhase::None),
            1 => Some(IoPhase::Setup),
            2 => Some(IoPhase::Move),
            _ => None,
        }
    }

    /// Checks that a state from untrusted bytes is one the machine can be in.
    pub fn is_canonical(&self) -> bool {
        let idle = match self.phase() {
            None => return false,
            Some(IoPhase::None) => self.io_fd == 0 && self.io_ptr == 0 && self.io_left == 0,
            Some(IoPhase::Setup) => self.io_ptr == 0 && self.io_fd < 4,
            Some(IoPhase::Move) => self.io_left > 0 && self.io_fd < 4,
        };
        idle && self.x[0] == 0 && self.pc.is_multiple_of(4) && self.halted <= 1
    }
}
