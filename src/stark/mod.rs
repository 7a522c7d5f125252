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
pub mod statement;
pub mod verify;

mod columns;

pub use chain::{Chain, ChainError, Outcome};
pub use consistency::StatementError;
pub use key::ProgramKey;
pub use params::{Grinding, Params};
pub use proof::{Argument, DecodeError, SegmentProof};
pub use prove::Prover;
pub use statement::{Cell, Event, Statement};
pub use verify::VerifyError;
