//! The RV32IM virtual machine: ELF loading, decoding, execution, traps.

mod exec;
mod isa;
mod loader;
mod memory;
mod record;
mod state;
mod trap;

pub use exec::{Stop, Vm};
pub use isa::{Kind, Op, decode};
pub use loader::{ElfError, Program};
pub use memory::Memory;
pub use record::{NoRecord, Observer, Recorder};
pub use state::{IoPhase, MachineState};
pub use trap::{Cause, Trap};
