//! The note's ledger: as written, corrected, and computed again from measured sizes.

mod ledger;

pub use ledger::{Ledger, LedgerInputs, ledger, seconds_on_link};
