//! Traps: a guest doing something it must not is data, not an error of ours.

use std::fmt;

/// Why a guest stopped, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trap {
    /// Address of the instruction that trapped.
    pub pc: u32,
    /// Cycles completed before it.
    pub cycle: u64,
    /// What it did.
    pub cause: Cause,
}

/// What a guest did to be stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The instruction word is not RV32IM.
    IllegalInstruction {
        /// The word at `pc`.
        word: u32,
    },
    /// A jump or branch left the code.
    JumpOutsideCode {
        /// Where it went.
        target: u32,
    },
    /// A jump target is not a multiple of four.
    MisalignedJump {
        /// Where it went.
        target: u32,
    },
    /// A load address is not a multiple of its size.
    MisalignedLoad {
        /// The address.
        addr: u32,
    },
    /// A store address is not a multiple of its size.
    MisalignedStore {
        /// The address.
        addr: u32,
    },
    /// A store, or a `read` system call, wrote to code.
    StoreIntoCode {
        /// The address.
        addr: u32,
    },
    /// `ebreak`.
    Breakpoint,
    /// A system call this VM does not have.
    UnknownSyscall {
        /// The number in `a7`.
        number: u32,
    },
    /// `read` or `write` on a file descriptor it does not serve.
    BadFileDescriptor {
        /// The number in `a7`.
        number: u32,
        /// The descriptor in `a0`.
        fd: u32,
    },
    /// A `write` would bring what the guest wrote to a descriptor above the most that is kept.
    TooMuchOutput {
        /// The descriptor in `a0`.
        fd: u32,
    },
    /// A system call buffer wraps around the end of the address space.
    BadBuffer {
        /// The pointer in `a1`.
        ptr: u32,
        /// The length in `a2`.
        len: u32,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::IllegalInstruction { word } => write!(f, "illegal instruction {word:#010x}"),
            Self::JumpOutsideCode { target } => write!(f, "jump outside code to {target:#010x}"),
            Self::MisalignedJump { target } => write!(f, "misaligned jump to {target:#010x}"),
            Self::MisalignedLoad { addr } => write!(f, "misaligned load at {addr:#010x}"),
            Self::MisalignedStore { addr } => write!(f, "misaligned store at {addr:#010x}"),
            Self::StoreIntoCode { addr } => write!(f, "store into code at {addr:#010x}"),
            Self::Breakpoint => write!(f, "ebreak"),
            Self::UnknownSyscall { number } => write!(f, "unknown system call {number}"),
            Self::BadFileDescriptor { number, fd } => {
                write!(f, "system call {number} on file descriptor {fd}")
            }
            Self::TooMuchOutput { fd } => write!(
                f,
                "more than {} MiB written to file descriptor {fd}",
                super::exec::MAX_OUTPUT_BYTES >> 20
            ),
            Self::BadBuffer { ptr, len } => {
                write!(
                    f,
                    "system call buffer {ptr:#010x}+{len} leaves the address space"
                )
            }
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at pc {:#010x} after {} cycles",
            self.cause, self.pc, self.cycle
        )
    }
}
