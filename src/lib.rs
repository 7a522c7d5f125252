//! Rewit measures whether it is cheaper to recompute a zkVM witness or to ship it.
//!
//! The modules follow the data flow, and each depends only on those before it:
//!
//! ```text
//! guest ELF -> vm -> segment -> ship -> witness -> stark -> fold -> measure -> model -> report
//!                                          |
//!                                       backend (cpu, cuda)
//! ```

pub mod error;

mod memory;

pub mod vm;

pub mod segment;

pub mod ship;

pub mod witness;

pub mod backend;

pub mod stark;

pub mod fold;

pub mod measure;

pub mod model;

pub mod report;

pub use error::{Error, Result};
