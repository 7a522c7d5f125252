//! Where stages are computed: one trait, one method per measured stage.

mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;

pub use cpu::Cpu;

use crate::Result;
use crate::segment::Pages;
use crate::ship::Shipment;
use crate::vm::Program;
use crate::witness::Witness;

/// A device that computes stages.
pub trait Backend: Sync {
    /// Name in results.
    fn name(&self) -> &'static str;

    /// Regenerates a segment's witness from a shipment.
    ///
    /// - `program`: of the digest that the shipment names.
    /// - `base`: memory at the previous boundary, for an encoding relative to it.
    /// - `reuse`: an earlier witness whose memory may be overwritten, or an empty one.
    ///
    /// # Errors
    /// [`Error::Replay`](crate::Error::Replay) if the shipment does not reproduce the end state it
    /// names, is of another program, or lacks pages or input that the segment uses.
    fn regenerate(
        &self,
        program: &Program,
        shipment: Shipment,
        base: Option<&Pages>,
        reuse: Witness,
    ) -> Result<Regenerated>;
}

/// A witness and how long each part of making it took.
#[derive(Clone, Debug)]
pub struct Regenerated {
    /// The witness.
    pub witness: Witness,
    /// Parts in order, as far as the encoding has them: `execute` (re-execution with recording),
    /// `adopt` (boundary from records, or checks of a witness), `fill` (tables).
    pub parts: Vec<(&'static str, std::time::Duration)>,
}
