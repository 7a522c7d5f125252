//! Other projects' code, timed in the same run; with the feature `peers` only.

pub mod nova;
