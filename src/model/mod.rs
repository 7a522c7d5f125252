//! Models: what follows from measured sizes and times for links that were not measured.

mod break_even;

pub use break_even::{Crossing, GIGABIT, LINKS_GBPS, Route, break_even};
