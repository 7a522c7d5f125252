//! The argument about a segment's witness: constraints, lookups, and checkers of them.

pub mod air;
pub mod check;
pub mod config;
pub mod mutate;
pub mod params;
pub mod search;
pub mod security;
pub mod shape;
pub mod size;
pub mod statement;

pub use params::{Grinding, Params};
pub use security::{Security, security};
pub use shape::{Shape, Table};
pub use statement::{Cell, Event, Statement};
