//! The argument about a segment's witness: constraints, lookups, and checkers of them.

pub mod air;
pub mod check;
pub mod mutate;
pub mod params;
pub mod statement;

pub use params::{Grinding, Params};
pub use statement::{Cell, Event, Statement};
