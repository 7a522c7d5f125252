//! What can be shipped of a segment, gathered around its execution.

use crate::Result;
use crate::segment::{PAGE_BYTES, Pages, Recording, Runner};
use crate::ship::{Base, Encoding, Payload, Shipment, memory_digest};
use crate::vm::Program;
use crate::witness::{Witness, fill_tables, replay_reads};

/// Memory at a boundary, taken before the segment runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capture {
    image: Pages,
    delta: Pages,
    previous: Pages,
    delta_previous: Pages,
}

/// A segment that ran, with all that its encodings need.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Captured {
    before: Capture,
    recording: Recording,
    pages_4k: Pages,
}

impl Capture {
    /// Takes what the next segment starts from.
    ///
    /// - `previous`: [`Runner::image`] at the boundary before this one; `None` at the run's start,
    ///   where the program's initial memory takes its place.
    ///
    /// Cost: one pass over the pages in use.
    pub fn before(runner: &Runner<'_>, previous: Option<Pages>) -> Self {
        let initial = runner.vm().program().initial_pages();
        let delta = differing(&runner.pages(&runner.dirty_since_start()), &initial);
        let previous = previous.unwrap_or(initial);
        let delta_previous = differing(&runner.pages(runner.written_in_previous()), &previous);
        Self {
            image: runner.image(),
            delta,
            previous,
            delta_previous,
        }
    }

    /// All pages at the boundary that are not all zero.
    pub fn image(&self) -> &Pages {
        &self.image
    }

    /// Adds what the segment did.
    ///
    /// - `runner`: the same, after it executed the segment and nothing else.
    pub fn after(self, runner: &Runner<'_>, recording: Recording) -> Captured {
        let pages_4k = runner.widen(&recording.touched, 12);
        Captured {
            before: self,
            recording,
            pages_4k,
        }
    }
}

impl Captured {
    /// What was recorded.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The memory that [`Encoding::DeltaPrevious`] is relative to.
    pub fn base(&self) -> &Pages {
        &self.before.previous
    }

    /// Makes the witness from the values recorded: the reference for every encoding.
    ///
    /// - `reuse`: an earlier witness whose memory may be overwritten, or an empty one.
    ///
    /// # Errors
    /// [`Error::Replay`](crate::Error::Replay) if the recording is not of `program`.
    pub fn witness(&self, program: &Program, reuse: Witness) -> Result<Witness> {
        let Recording { segment, reads, .. } = &self.recording;
        let records = replay_reads(program, segment, reads)?;
        fill_tables(program, segment, &records, reuse.cpu.words)
    }

    /// The segment in one encoding.
    ///
    /// - `input`: the whole guest input.
    /// - `embed_elf`: whether the shipment brings its program; [`Encoding::Input`] always does.
    /// - `reuse`: as for [`witness`](Self::witness), which only [`Encoding::Witness`] makes.
    ///
    /// # Errors
    /// [`Error::Replay`](crate::Error::Replay) if the recording is not of `program`.
    pub fn shipment(
        &self,
        program: &Program,
        input: &[u8],
        encoding: Encoding,
        embed_elf: bool,
        reuse: Witness,
    ) -> Result<Shipment> {
        let Recording {
            segment,
            reads,
            touched,
            input: consumed,
            input_ends,
            ..
        } = &self.recording;
        let payload = match encoding {
            Encoding::Witness => Payload::Witness(self.witness(program, reuse)?.into_tables()),
            Encoding::Image => Payload::Image(self.before.image.clone()),
            Encoding::Pages1k => Payload::Pages(touched.clone()),
            Encoding::Pages4k => Payload::Pages(self.pages_4k.clone()),
            Encoding::Delta => Payload::Delta {
                base: Base::Program,
                pages: self.before.delta.clone(),
            },
            Encoding::DeltaPrevious => {
                let digest = memory_digest(&self.before.previous);
                let pages = self.before.delta_previous.clone();
                Payload::Delta {
                    base: Base::Previous { digest },
                    pages,
                }
            }
            Encoding::Records => {
                Payload::Records(replay_reads(program, segment, reads)?.into_records())
            }
            Encoding::Reads => Payload::Reads(reads.clone()),
            Encoding::Input => Payload::Input {
                elf: program.elf().to_vec(),
                input: input.to_vec(),
            },
        };
        let elf = embed_elf && encoding != Encoding::Input;
        // Where the whole input is sent, the flag says whether any of it comes later; elsewhere,
        // whether a `read` of this segment depends on the input's end.
        let input_ends = match encoding {
            Encoding::Input => segment.end.input_pos as usize == input.len(),
            _ => *input_ends,
        };
        Ok(Shipment {
            program: *program.digest(),
            segment: *segment,
            input: consumed.clone(),
            input_ends,
            elf: elf.then(|| program.elf().to_vec()),
            payload,
        })
    }
}

/// Those of `pages` whose contents are not as in `base`, where pages that are not there are zero.
fn differing(pages: &Pages, base: &Pages) -> Pages {
    let mut out = Pages {
        log_page_bytes: pages.log_page_bytes,
        ..Pages::default()
    };
    for (slot, &number) in pages.numbers.iter().enumerate() {
        let before = base
            .numbers
            .binary_search(&number)
            .map_or(&[0; PAGE_BYTES][..], |at| base.page(at));
        if pages.page(slot) != before {
            out.numbers.push(number);
            out.bytes.extend_from_slice(pages.page(slot));
        }
    }
    out
}
