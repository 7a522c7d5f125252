//! Witness regeneration on the CPU, from every encoding.
//!
//! Snapshots are executed again with recording, which gives a minimal trace; the chunks of a minimal
//! trace are replayed and filled into tables on all threads; so are records. Each encoding enters
//! where its content allows.

use std::time::{Duration, Instant};

use crate::backend::Regenerated;
use crate::segment::{Pages, Reads, Segment};
use crate::ship::{Base, Payload, Shipment, memory_digest};
use crate::vm::{Memory, Program, Recorder, Vm};
use crate::witness::{Witness, adopt_records, fill_from_reads, fill_tables};
use crate::{Error, Result};

/// Base-2 logarithm of the cycles in a chunk of a minimal trace that stays on this machine: long,
/// because nothing is sent, yet short enough to share out among threads.
const LOG_CHUNK: u32 = 12;

/// Times the parts of one regeneration.
struct Parts(Vec<(&'static str, Duration)>);

impl Parts {
    fn time<T>(&mut self, name: &'static str, part: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let value = part();
        self.0.push((name, start.elapsed()));
        value
    }
}

pub(super) fn regenerate(
    program: &Program,
    shipment: Shipment,
    base: Option<&Pages>,
    reuse: Witness,
) -> Result<Regenerated> {
    if shipment.program != *program.digest() {
        return Err(Error::Replay("the shipment is of another program".into()));
    }
    let Shipment {
        segment,
        input,
        input_ends,
        payload,
        ..
    } = shipment;
    let mut parts = Parts(Vec::new());
    let part = &mut parts;
    let input_end = segment.input_end(input_ends);
    let resume = |memory: Memory| {
        Vm::resume(
            program,
            memory,
            segment.start,
            segment.start_cycle,
            &input,
            input_end,
        )
    };
    let from_reads = |reads: &Reads, reuse: Witness, part: &mut Parts| {
        part.time("fill", || {
            fill_from_reads(program, &segment, reads, reuse.cpu.words)
        })
    };
    let witness = match payload {
        Payload::Witness(tables) => {
            part.time("adopt", || Witness::from_tables(tables, &segment))?
        }
        Payload::Records(records) => {
            let records = part.time("adopt", || adopt_records(program, &segment, records))?;
            part.time("fill", || {
                fill_tables(program, &segment, &records, reuse.cpu.words)
            })?
        }
        Payload::Reads(reads) => from_reads(&reads, reuse, part)?,
        Payload::Image(pages) => {
            let reads = part.time("execute", || {
                record(&mut resume(pages.to_memory()?)?, &segment)
            })?;
            from_reads(&reads, reuse, part)?
        }
        Payload::Pages(pages) => {
            let reads = part.time("execute", || {
                record_within(&mut resume(pages.to_memory()?)?, &segment, &pages)
            })?;
            from_reads(&reads, reuse, part)?
        }
        Payload::Delta {
            base: Base::Program,
            pages,
        } => {
            let reads = part.time("execute", || {
                let mut memory = program.initial_memory()?;
                pages.write_to(&mut memory);
                record(&mut resume(memory)?, &segment)
            })?;
            from_reads(&reads, reuse, part)?
        }
        Payload::Delta {
            base: Base::Previous { digest },
            pages,
        } => {
            let base = base
                .filter(|base| memory_digest(base) == digest)
                .ok_or_else(|| {
                    Error::Replay("the memory this delta is relative to is not here".into())
                })?;
            let reads = part.time("execute", || {
                let mut memory = base.to_memory()?;
                pages.write_to(&mut memory);
                record(&mut resume(memory)?, &segment)
            })?;
            from_reads(&reads, reuse, part)?
        }
        Payload::Input { input, .. } => {
            let reads = part.time("execute", || {
                let mut vm = Vm::new(program, &input)?;
                vm.run(segment.start_cycle);
                if vm.cycle() != segment.start_cycle || vm.state() != segment.start {
                    return Err(Error::Replay(
                        "execution from the start does not reach the segment's start state".into(),
                    ));
                }
                record(&mut vm, &segment)
            })?;
            from_reads(&reads, reuse, part)?
        }
    };
    Ok(Regenerated {
        witness,
        parts: parts.0,
    })
}

/// Executes the segment and records what it reads.
fn record(vm: &mut Vm<'_>, segment: &Segment) -> Result<Reads> {
    let mut recorder = Recorder::<true, false>::new(LOG_CHUNK.min(segment.log_cycles));
    recorder.run(vm, segment.num_cycles.into());
    check_end(vm, segment)?;
    Ok(recorder.take().0)
}

/// The same, and checks that it uses no page outside `pages`.
fn record_within(vm: &mut Vm<'_>, segment: &Segment, pages: &Pages) -> Result<Reads> {
    let mut recorder = Recorder::<true, true>::new(LOG_CHUNK.min(segment.log_cycles));
    recorder.run(vm, segment.num_cycles.into());
    let (reads, touched, _) = recorder.take();
    let shift = pages.log_page_bytes - touched.log_page_bytes;
    let missing = touched
        .numbers
        .iter()
        .find(|page| pages.numbers.binary_search(&(*page >> shift)).is_err());
    if let Some(page) = missing {
        return Err(Error::Replay(format!(
            "the segment uses the page at {:#010x}, which was not shipped",
            page << touched.log_page_bytes
        )));
    }
    check_end(vm, segment)?;
    Ok(reads)
}

fn check_end(vm: &Vm<'_>, segment: &Segment) -> Result<()> {
    let cycles = vm.cycle() - segment.start_cycle;
    if cycles != u64::from(segment.num_cycles) {
        return Err(Error::Replay(format!(
            "execution stops after {cycles} of {} cycles",
            segment.num_cycles
        )));
    }
    if vm.state() != segment.end {
        return Err(Error::Replay(format!(
            "execution ends at pc {:#010x} in another state than the shipment names (pc {:#010x})",
            vm.state().pc,
            segment.end.pc
        )));
    }
    Ok(())
}
