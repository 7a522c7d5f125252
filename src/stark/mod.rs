//! The argument about a segment's witness: constraints, lookups, and checkers of them.

pub mod air;
pub mod chain;
pub mod check;
pub mod consistency;
pub mod mutate;
pub mod params;
pub mod statement;

pub use chain::{Chain, ChainError, Outcome};
pub use consistency::StatementError;
pub use params::{Grinding, Params};
pub use statement::{Cell, Event, Statement};
