//! Witness regeneration on a GPU, from every encoding.
//!
//! Snapshots are executed again, a thread a segment, which gives a minimal trace. The chunks of a minimal
//! trace are replayed, a thread a chunk, into rows of a few words; records are such rows already. Accesses
//! of registers are joined across chunks by a scan, those of memory by sorting. Then a thread a row fills
//! the tables. Nothing is sent to the host in between.

mod access;
mod execute;
mod fill;
mod parts;
mod plan;
mod program;
mod replay;
mod status;

use std::time::Duration;

pub use execute::Job;
pub use plan::{Size, plan};
pub use program::DeviceProgram;
pub use replay::DeviceReads;

use super::device::{Buffer, Device};
use super::table::DeviceWitness;
use crate::segment::{Pages, Segment};
use crate::ship::{Payload, Record, Shipment};
use crate::vm::{Recorder, Vm};
use crate::witness::Witness;
use crate::{Error, Result};
use execute::{LOG_CHUNK, execute, is_snapshot};
use parts::Parts;
use replay::ReadsView;

/// A witness on the device and how long each part of making it took.
#[derive(Debug)]
pub struct DeviceRegenerated {
    /// The witness.
    pub witness: DeviceWitness,
    /// Parts in order, by the device's clock, as far as the encoding has them: `upload`, `execute`,
    /// `replay` (or `split`, for records), `sort` (gaps and consistency of accesses), `fill` (CPU
    /// table), `counts` (the other tables).
    pub parts: Vec<(&'static str, Duration)>,
}

/// Regenerates a segment's witness from a shipment, in device memory.
///
/// - `program`: of the digest that the shipment names.
/// - `base`: memory at the previous boundary, for an encoding relative to it.
///
/// The same witness as [`Cpu`](crate::backend::Cpu) makes. Two things differ for shipments that no
/// execution gives: records must have the gaps of their accesses, and of several errors another may be
/// reported. An `input` shipment is executed on the host up to the segment's end.
///
/// Cost from a minimal trace that is on the device: 14 launches and two waits, for the
/// status and for the event that ends the last part. Memory: [`plan()`].
///
/// # Errors
/// As [`Backend::regenerate`](crate::backend::Backend::regenerate), those of device memory, and
/// [`Error::Device`].
pub fn regenerate(
    device: &Device,
    program: &DeviceProgram,
    mut shipment: Shipment,
    base: Option<&Pages>,
) -> Result<DeviceRegenerated> {
    check_program(program, &shipment)?;
    let segment = &shipment.segment;
    let mut parts = Parts::start(device)?;
    let witness = match &mut shipment.payload {
        Payload::Witness(tables) => {
            let witness = Witness::from_tables_of_words(std::mem::take(tables), segment)?;
            let witness = DeviceWitness::upload(device, &witness)?;
            parts.end("upload")?;
            witness
        }
        Payload::Records(records) => from_records(device, program, segment, records, &mut parts)?,
        Payload::Reads(reads) => {
            let reads = DeviceReads::new(device, segment, reads)?;
            parts.end("upload")?;
            from_reads(device, program, segment, reads.view(), &mut parts)?
        }
        Payload::Input { input, .. } => {
            let reads = execute_on_host(program, segment, input)?;
            let reads = DeviceReads::new(device, segment, &reads)?;
            parts.end("execute")?;
            from_reads(device, program, segment, reads.view(), &mut parts)?
        }
        Payload::Image(_) | Payload::Pages(_) | Payload::Delta { .. } => {
            let shipment = &shipment;
            let executed = execute(device, program, &[Job { shipment, base }])?;
            parts.end("execute")?;
            from_reads(device, program, segment, executed.reads(0), &mut parts)?
        }
    };
    Ok(DeviceRegenerated {
        witness,
        parts: parts.finish()?,
    })
}

/// Regenerates a segment's witness from a minimal trace that is on the device.
///
/// # Errors
/// As [`regenerate`].
/// # Panics
/// If `reads` was made for a segment of another number of cycles.
pub fn regenerate_from_reads(
    device: &Device,
    program: &DeviceProgram,
    segment: &Segment,
    reads: &DeviceReads,
) -> Result<DeviceRegenerated> {
    let mut parts = Parts::start(device)?;
    let witness = from_reads(device, program, segment, reads.view(), &mut parts)?;
    Ok(DeviceRegenerated {
        witness,
        parts: parts.finish()?,
    })
}

/// Regenerates the witnesses of several segments from snapshots: executes all of them at once, then
/// makes one witness after another and gives it to `each` with its index.
///
/// A snapshot gives no parallelism inside a segment; this is how many segments are executed at
/// once.
///
/// - returns: the time of the common part, `execute`; what follows is in each
///   [`DeviceRegenerated::parts`].
///
/// # Errors
/// As [`regenerate`], [`Error::Usage`] if a payload is no snapshot, and those of `each`.
pub fn regenerate_many(
    device: &Device,
    program: &DeviceProgram,
    jobs: &[Job<'_>],
    mut each: impl FnMut(usize, DeviceRegenerated) -> Result<()>,
) -> Result<Vec<(&'static str, Duration)>> {
    for job in jobs {
        check_program(program, job.shipment)?;
        if !is_snapshot(&job.shipment.payload) {
            return Err(Error::Usage(format!(
                "{} is not executed again",
                job.shipment.encoding()
            )));
        }
    }
    let mut parts = Parts::start(device)?;
    let executed = execute(device, program, jobs)?;
    parts.end("execute")?;
    for (index, Job { shipment, .. }) in jobs.iter().enumerate() {
        let mut parts = Parts::start(device)?;
        let reads = executed.reads(index);
        let witness = from_reads(device, program, &shipment.segment, reads, &mut parts)?;
        let parts = parts.finish()?;
        each(index, DeviceRegenerated { witness, parts })?;
    }
    parts.finish()
}

fn check_program(program: &DeviceProgram, shipment: &Shipment) -> Result<()> {
    if shipment.program != *program.program().digest() {
        return Err(Error::Replay("the shipment is of another program".into()));
    }
    Ok(())
}

/// States of a segment's start and end, as kernels take them.
fn states(device: &Device, segment: &Segment) -> Result<Buffer<u32>> {
    let states = [segment.start, segment.end];
    device.upload("the segment's states", bytemuck::cast_slice(&states))
}

fn from_reads(
    device: &Device,
    program: &DeviceProgram,
    segment: &Segment,
    reads: ReadsView<'_>,
    parts: &mut Parts,
) -> Result<DeviceWitness> {
    let states = states(device, segment)?;
    let rows = replay::replay(device, program, segment, reads)?;
    parts.end("replay")?;
    let joined = access::join(device, &rows)?;
    parts.end("sort")?;
    let max_words = reads.words.len().min(rows.num_cycles);
    fill::tables(
        device, program, segment, &rows, &joined, &states, max_words, parts,
    )
}

fn from_records(
    device: &Device,
    program: &DeviceProgram,
    segment: &Segment,
    records: &[Record],
    parts: &mut Parts,
) -> Result<DeviceWitness> {
    crate::witness::check_segment(segment)?;
    if records.len() != segment.num_cycles as usize {
        return Err(Error::Replay(format!(
            "{} records for {} cycles",
            records.len(),
            segment.num_cycles
        )));
    }
    let states = states(device, segment)?;
    let records = device.upload("records", records)?;
    parts.end("upload")?;
    let rows = replay::split(device, program, segment, &records)?;
    parts.end("split")?;
    let joined = access::join(device, &rows)?;
    if rows.num_cycles == 0 {
        status::check_empty(segment)?;
    } else {
        joined.check_records(device, program, &rows, &records, &states)?;
    }
    parts.end("sort")?;
    let max_words = rows.num_cycles;
    fill::tables(
        device, program, segment, &rows, &joined, &states, max_words, parts,
    )
}

/// Executes from the start of the run to the segment's end, recording the segment.
fn execute_on_host(
    program: &DeviceProgram,
    segment: &Segment,
    input: &[u8],
) -> Result<crate::segment::Reads> {
    let mut vm = Vm::new(program.program(), input)?;
    vm.run(segment.start_cycle);
    if vm.cycle() != segment.start_cycle || vm.state() != segment.start {
        return Err(Error::Replay(
            "execution from the start does not reach the segment's start state".into(),
        ));
    }
    let mut recorder = Recorder::<true, false>::new(LOG_CHUNK.min(segment.log_cycles));
    recorder.run(&mut vm, segment.num_cycles.into());
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
    Ok(recorder.take().0)
}
