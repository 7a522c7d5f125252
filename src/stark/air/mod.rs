//! The tables of a segment's witness as Plonky3 AIRs: constraints and lookups, written once.
//!
//! | table | rows | holds |
//! |---|---|---|
//! | [`CpuAir`] | `2^k` | one row per cycle |
//! | [`BoundaryAir`] | registers + words touched, padded | memory before and after the segment |
//! | [`ProgramAir`] | instructions of the program, padded | the program, and how often each instruction ran |
//! | [`RangeAir`] | 2^16 | how often each value was range-checked |
//! | [`LogAir`] | system calls and the units they moved, padded | what each of them did |

mod boundary;
mod bus;
mod compute;
mod cpu;
mod log;
mod program;
mod range;
mod row;
mod table;

pub use boundary::BoundaryAir;
pub use bus::SYSTEM_CALLS;
pub use cpu::{CpuAir, constrain};
pub use log::{LOG_WIDTH, LogAir};
pub use program::ProgramAir;
pub use range::RangeAir;
pub use table::TableAir;
