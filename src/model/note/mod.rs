//! The note's ledger: as written, corrected, and computed again from measured sizes.
//!
//! The note is "Napkin Math: Communication Complexity of Decentralized Proving" (P. Gafni, RISC Zero). `docs/model.md`
//! goes through it line by line.

mod ledger;
mod lines;
mod needed;
mod questions;
mod recomputed;
mod types;

pub use ledger::{Ledger, LedgerInputs, ledger, seconds_on_link};
pub use lines::{LARGE_SNAPSHOT_BYTES, NOTE};
pub use recomputed::Evidence;
pub use types::{Figure, Item, Line, Note, Part, Scenario, Unit, Verdict};

use crate::{Error, Result};

/// Most snapshot sizes at once.
const MAX_SNAPSHOTS: usize = 16;

/// Checks the note line by line.
///
/// - `inputs`: those asked for; [`NOTE`] for the note's own.
/// - `snapshots`: sizes of snapshots to compute totals for; the note's two if there are none. The first takes the place
///   of that in `inputs`.
/// - `evidence`: what was measured; without, lines are as written and corrected only.
///
/// # Errors
/// [`Error::Usage`] naming the flag of an input with which nothing can be computed.
pub fn note(inputs: &LedgerInputs, snapshots: &[f64], evidence: &Evidence<'_>) -> Result<Note> {
    if snapshots.len() > MAX_SNAPSHOTS {
        return Err(Error::Usage(format!(
            "--snapshot has {} sizes; give at most {MAX_SNAPSHOTS}",
            snapshots.len()
        )));
    }
    let snapshots = if snapshots.is_empty() {
        vec![inputs.snapshot_bytes, LARGE_SNAPSHOT_BYTES]
    } else {
        snapshots.to_vec()
    };
    let mut used = *inputs;
    // The last one checked is the first one given.
    for &snapshot_bytes in snapshots.iter().rev() {
        used.snapshot_bytes = snapshot_bytes;
        used.check()?;
    }
    let asked = (used != NOTE).then_some(used);
    let mut lines = lines::lines(asked.as_ref());
    recomputed::recompute(&mut lines, evidence, &used);
    Ok(Note {
        written: NOTE,
        asked,
        lines,
        scenarios: recomputed::scenarios(evidence, &used, &snapshots),
        needed: needed::needed(evidence, &used),
        break_even: recomputed::break_evens(evidence),
        questions: questions::questions(evidence, &used),
    })
}
