//! The built-in guests, for tests.
#![allow(dead_code, reason = "each test binary uses a part")]

use rewit::segment::{Pages, Recording, Runner};
use rewit::ship::{Base, Payload, Shipment, memory_digest};
use rewit::vm::Program;
use rewit::witness::{Witness, fill_from_reads, replay_reads};

/// All built-in guests.
pub(crate) const NAMES: [&str; 6] = [
    "fib",
    "sha2-chain",
    "keccak-chain",
    "sort",
    "ecdsa",
    "block",
];

/// A guest with an input that it handles quickly.
pub(crate) struct Guest {
    pub(crate) program: Program,
    pub(crate) input: Vec<u8>,
}

impl Guest {
    pub(crate) fn small(name: &str) -> Self {
        let elf = std::fs::read(format!("guests/prebuilt/{name}.elf")).expect("prebuilt guest");
        let input = ["txt", "bin"]
            .iter()
            .find_map(|ext| std::fs::read(format!("guests/inputs/{name}-small.{ext}")).ok())
            .expect("small input");
        Self {
            program: Program::from_elf(elf).expect("valid ELF"),
            input,
        }
    }
}

/// A segment with all that can be shipped of it.
pub(crate) struct Encoded {
    pub(crate) recording: Recording,
    /// Memory at its start.
    pub(crate) image: Pages,
    pub(crate) witness: Witness,
    /// One for each encoding.
    pub(crate) payloads: [Payload; 9],
}

impl Guest {
    /// Runs the next segment; `None` after the last.
    ///
    /// - `previous`: memory at the start of the segment before, or the initial one.
    pub(crate) fn next_encoded(
        &self,
        runner: &mut Runner<'_>,
        previous: &Pages,
    ) -> Option<Encoded> {
        let program = &self.program;
        let image = runner.image();
        let dirty = runner.pages(&runner.dirty_since_start());
        let written = runner.pages(runner.written_in_previous());
        let recording = runner.next_segment()?;
        let Recording { segment, reads, .. } = &recording;
        let witness = fill_from_reads(program, segment, reads, Vec::new()).unwrap();
        let records = replay_reads(program, segment, reads).unwrap();
        let payloads = [
            Payload::Witness(witness.clone().into_tables()),
            Payload::Image(image.clone()),
            Payload::Pages(recording.touched.clone()),
            Payload::Pages(runner.widen(&recording.touched, 12)),
            Payload::Delta {
                base: Base::Program,
                pages: dirty,
            },
            Payload::Delta {
                base: Base::Previous {
                    digest: memory_digest(previous),
                },
                pages: written,
            },
            Payload::Records(records.into_records()),
            Payload::Reads(reads.clone()),
            Payload::Input {
                elf: program.elf().to_vec(),
                input: self.input.clone(),
            },
        ];
        Some(Encoded {
            recording,
            image,
            witness,
            payloads,
        })
    }
}

/// The shipment of a recorded segment.
pub(crate) fn shipment(program: &Program, recording: &Recording, payload: Payload) -> Shipment {
    Shipment {
        program: *program.digest(),
        segment: recording.segment,
        input: recording.input.clone(),
        input_ends: recording.input_ends,
        elf: None,
        payload,
    }
}
