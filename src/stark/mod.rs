//! The argument about a segment's witness: constraints, lookups, and checkers of them; proofs, and
//! what verifies them.

pub mod air;
pub mod chain;
pub mod check;
pub mod config;
pub mod consistency;
pub mod key;
pub mod mutate;
pub mod params;
pub mod proof;
pub mod prove;
pub mod search;
pub mod security;
pub mod shape;
pub mod size;
pub mod statement;
pub mod verify;

pub(crate) mod columns;

pub use chain::{Chain, ChainError, Outcome};
pub use consistency::StatementError;
pub use key::ProgramKey;
pub use params::{Grinding, Params};
pub use proof::{Argument, DecodeError, SegmentProof};
pub use prove::{PROVABLE_LOG_CYCLES, Prover, Proving};
pub use security::{Security, security};
pub use shape::{Shape, Table};
pub use statement::{Cell, Event, Statement};
pub use verify::VerifyError;
