//! The argument about a segment's witness: constraints, lookups, and checkers of them.

pub mod air;
pub mod check;
pub mod mutate;
