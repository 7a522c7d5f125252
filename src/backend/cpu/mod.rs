//! Stages on the CPU: this crate's loops on rayon's threads.

mod regenerate;

use super::{Backend, Regenerated};
use crate::Result;
use crate::segment::Pages;
use crate::ship::Shipment;
use crate::vm::Program;
use crate::witness::Witness;

/// The CPU, with as many threads as the current rayon pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn regenerate(
        &self,
        program: &Program,
        shipment: Shipment,
        base: Option<&Pages>,
        reuse: Witness,
    ) -> Result<Regenerated> {
        regenerate::regenerate(program, shipment, base, reuse)
    }
}
