//! The witness of a segment: its tables, and how they are made from records and minimal traces.

pub mod layout;
pub mod rom;

mod access;
mod adopt;
mod counts;
mod expand;
mod fill;
pub(crate) mod monty;
mod replay;
mod store;
mod tables;

pub use adopt::adopt_records;
pub use expand::{Records, fill_from_reads, fill_tables, replay_reads};
pub use monty::{ONE, P, from_monty, to_monty};
pub use tables::{Matrix, Witness};

#[cfg(feature = "cuda")]
pub(crate) use {
    expand::{check_reads, check_segment},
    replay::ReplayError,
};

pub(crate) use tables::public_values;
