//! Regeneration of a guest's segments on a device, for tests.
#![allow(dead_code, reason = "each test binary uses a part")]

use rewit::backend::cuda::Device;
use rewit::backend::cuda::regenerate::{
    DeviceProgram, DeviceReads, regenerate, regenerate_from_reads,
};
use rewit::segment::{Pages, Reads, Segment};
use rewit::ship::Shipment;
use rewit::witness::Witness;
use rewit::witness::layout::column_name;

use crate::device::device;
use crate::guests::Guest;

/// Panics at the first cell that differs, naming it.
pub(crate) fn assert_same(what: &str, found: &Witness, expected: &Witness) {
    for ((name, found), (_, expected)) in found.tables().iter().zip(expected.tables()) {
        assert_eq!(
            found.height(),
            expected.height(),
            "{what}: height of {name}"
        );
        let at = found
            .words
            .iter()
            .zip(&expected.words)
            .position(|(a, b)| a != b);
        if let Some(at) = at {
            let (row, col) = (at / found.width, at % found.width);
            let column = if *name == "cpu" {
                column_name(col)
            } else {
                col.to_string()
            };
            panic!(
                "{what}: {name} row {row} column {column}: {:#x}, expected {:#x}",
                found.words[at], expected.words[at]
            );
        }
        assert_eq!(found.width, expected.width, "{what}: width of {name}");
    }
    assert_eq!(found.public, expected.public, "{what}: public values");
}

/// One device and one guest on it.
pub(crate) struct Bench {
    pub(crate) device: Device,
    pub(crate) guest: Guest,
    pub(crate) program: DeviceProgram,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Option<Self> {
        Self::with(Guest::small(name))
    }

    pub(crate) fn with(guest: Guest) -> Option<Self> {
        let device = device()?;
        let program = DeviceProgram::new(&device, &guest.program).unwrap();
        Some(Self {
            device,
            guest,
            program,
        })
    }

    pub(crate) fn regenerate(
        &self,
        shipment: &Shipment,
        base: Option<&Pages>,
    ) -> rewit::Result<Witness> {
        let made = regenerate(&self.device, &self.program, shipment.clone(), base)?;
        assert!(!made.parts.is_empty());
        made.witness.download(&self.device, Witness::default())
    }

    pub(crate) fn regenerate_reads(
        &self,
        segment: &Segment,
        reads: &Reads,
    ) -> rewit::Result<Witness> {
        let reads = DeviceReads::new(&self.device, segment, reads)?;
        let made = regenerate_from_reads(&self.device, &self.program, segment, &reads)?;
        made.witness.download(&self.device, Witness::default())
    }
}
