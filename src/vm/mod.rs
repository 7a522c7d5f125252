//! The RV32IM virtual machine: ELF loading, decoding, execution, traps.

mod alu;
mod code;
mod exec;
mod fast;
mod isa;
mod loader;
mod memory;
mod record;
mod state;
mod trap;

pub use alu::{access_bytes, alu, branch_taken, load_value, store_merge};
pub use exec::{MAX_OUTPUT_BYTES, MAX_TRANSFER_BYTES, Stop, Vm};
pub(crate) use exec::{
    NOT_IMPLEMENTED, SYS_ABSENT, SYS_BRK, SYS_EXIT, SYS_EXIT_GROUP, SYS_READ, SYS_WRITE,
};
pub use isa::{Kind, Op, decode};
pub use loader::{ElfError, LoadSegment, Program};
pub use memory::{Memory, View};
pub use record::{NoRecord, Observer, Recorder, WriteRecorder};
pub use state::{IoPhase, MachineState};
pub use trap::{Cause, Trap};
