//! Folding a few chunks of a segment as part of the main job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::folding::{FoldableSegment, TableSize, sample};
use super::run::State;
use super::{Key, Kind};
use crate::Result;
use crate::backend::Folding;
use crate::fold::CommitmentKey;
use crate::stark::Proving;
use crate::witness::Witness;

/// Base-2 logarithm of the rows of a chunk.
const LOG_ROWS: u32 = 6;
/// Most folds: a second or two on two cores.
const FOLDS: u32 = 7;

/// A segment of which a few chunks of the cpu table were folded, and the result checked. Times are among the rows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoldedSample {
    /// Its number in the run.
    pub index: u32,
    /// Always `measured`; a sample, so nothing is said of the other chunks.
    pub kind: Kind,
    /// Folds made.
    pub folds: u32,
    /// Bytes of a chunk's witness as it travels before it is folded, when its integers are small: mean.
    pub fresh_witness_bytes: f64,
    /// The cpu table in chunks.
    pub cpu: TableSize,
    /// Bytes of an accumulator for each of the five tables: what the segment is once folded.
    pub segment_bytes: u64,
}

impl<B: Proving + Folding> State<'_, '_, B> {
    /// Folds a few chunks of a segment, and checks what they were folded into.
    ///
    /// # Errors
    /// [`Error::Differs`](crate::Error::Differs) if that is not satisfied.
    pub(super) fn fold(&mut self, index: u32, witness: &Witness) -> Result<()> {
        let segment = FoldableSegment::new(index, witness, self.job.program);
        let key = CommitmentKey::derive(segment.key_len(LOG_ROWS)?)?;
        let row = sample(&segment, self.backend, &key, LOG_ROWS, FOLDS)?;
        let name = Folding::name(self.backend);
        let parts = [
            ("commit", &row.commit),
            ("cross-term", &row.cross_term),
            ("rest", &row.fold),
        ];
        for (part, samples) in parts {
            for seconds in samples.iter().flat_map(|samples| &samples.samples) {
                let rows = &mut self.measurement.rows;
                rows.add(Key::fold(name, part), Some(index), *seconds);
            }
        }
        // A segment of one chunk has nothing to fold.
        if let (Some(cpu), Some(fold), Some(fresh)) = (row.cpu(), &row.fold, &row.fresh_witness) {
            self.measurement.folds.push(FoldedSample {
                index,
                kind: Kind::Measured,
                folds: fold.samples.len() as u32,
                fresh_witness_bytes: fresh.summary.mean,
                cpu: cpu.clone(),
                segment_bytes: row.segment_bytes(),
            });
        }
        self.report(&format!("segment {index}: fold"), 1, true)
    }
}
