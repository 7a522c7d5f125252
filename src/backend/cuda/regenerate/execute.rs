//! Re-execution of segments from snapshots, many at once.

use bytemuck::{Pod, Zeroable};

use super::program::{DeviceProgram, Page};
use super::replay::{CHECKPOINT_WORDS, ReadsView, STATE_WORDS};
use crate::backend::cuda::device::{Buffer, Device, Ptr};
use crate::backend::cuda::launch::{Kernel, Shape};
use crate::segment::{LOG_PAGE_BYTES, Pages, Segment};
use crate::ship::{Base, Payload, Shipment, memory_digest};
use crate::vm::MachineState;
use crate::{Error, Result};

/// Base-2 logarithm of the cycles in a chunk that stays on the device: short, because nothing is
/// sent, so that replay has a thread for every 64 cycles.
pub(super) const LOG_CHUNK: u32 = 6;
/// Words of a job and of a result, as in `execute.cu`.
const JOB_WORDS: usize = 12;
const RESULT_WORDS: usize = 4;
/// How execution ended, as in `execute.cu`.
const ENDED_PAGE: u32 = 2;
const ENDED_POOL: u32 = 3;
/// Entries of a table of pages, and of a directory of tables.
const LOG_TABLE: u32 = 11;
const TABLE_ENTRIES: usize = 1 << LOG_TABLE;
/// An entry for a page of the program's own memory, which is copied before it is written.
const SHARED_PAGE: u32 = 1 << 31;
/// Pages at first set aside for a segment to write that its snapshot does not have.
const SPARE_PAGES: usize = 1024;
/// Tables of those.
const SPARE_TABLES: usize = 16;
/// How much more is tried when that is not enough.
const SPARE_FACTOR: usize = 8;

const EXECUTE_SEGMENTS: Kernel = Kernel::new("execute", "execute_segments");

/// A segment to execute: its shipment, and the memory that a delta is relative to.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The shipment; its payload is a snapshot.
    pub shipment: &'a Shipment,
    /// Memory at the previous boundary, for an encoding relative to it.
    pub base: Option<&'a Pages>,
}

/// `Space` of the kernel.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Space {
    directories: Ptr<u32>,
    tables: Ptr<u32>,
    pages: Ptr<Page>,
    shared_pages: Ptr<Page>,
    pool: Ptr<u32>,
    num_pages: u32,
    num_tables: u32,
}

/// Minimal traces that executions left on the device.
#[derive(Debug)]
pub(super) struct Executed {
    checkpoints: Buffer<u32>,
    words: Buffer<u32>,
    /// Where each segment's are.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    log_chunk: u32,
    first_checkpoint: usize,
    num_checkpoints: usize,
    first_word: usize,
    num_words: usize,
}

impl Executed {
    /// The minimal trace of segment `index`.
    pub(super) fn reads(&self, index: usize) -> ReadsView<'_> {
        let place = self.places[index];
        let first = place.first_checkpoint * CHECKPOINT_WORDS;
        ReadsView {
            log_chunk: place.log_chunk,
            checkpoints: self
                .checkpoints
                .view(first..first + place.num_checkpoints * CHECKPOINT_WORDS),
            words: self
                .words
                .view(place.first_word..place.first_word + place.num_words),
        }
    }
}

/// Whether a payload is executed again on the device.
pub(super) fn is_snapshot(payload: &Payload) -> bool {
    matches!(
        payload,
        Payload::Image(_) | Payload::Pages(_) | Payload::Delta { .. }
    )
}

/// Device bytes that executing a segment of `num_pages` 1 KiB pages takes, by what they are for, with
/// what it records.
pub(super) fn execute_bytes(log_cycles: u32, num_pages: u64) -> [(&'static str, u64); 3] {
    let pages = (num_pages + SPARE_PAGES as u64) << LOG_PAGE_BYTES;
    // Pages are usually of a few ranges of addresses.
    let tables = 4 * (TABLE_ENTRIES * (2 * SPARE_TABLES + 1)) as u64;
    [
        ("pages", pages),
        ("tables of pages", tables),
        ("minimal trace", recorded_bytes(log_cycles)),
    ]
}

/// Device bytes that the recording of a segment takes: most of them are for values, of which a cycle
/// has at most two.
pub(super) fn recorded_bytes(log_cycles: u32) -> u64 {
    let chunks = (1u64 << log_cycles.saturating_sub(LOG_CHUNK)) + 1;
    4 * CHECKPOINT_WORDS as u64 * chunks + (8 << log_cycles) + 4096
}

/// Address spaces of all jobs as tables, before they are uploaded.
#[derive(Default)]
struct Tables {
    directories: Vec<u32>,
    tables: Vec<u32>,
}

impl Tables {
    fn add_space(&mut self) {
        self.directories
            .resize(self.directories.len() + TABLE_ENTRIES, 0);
    }

    /// Sets the entry of a page in the space added last.
    fn set(&mut self, page: u32, entry: u32) {
        let space = self.directories.len() - TABLE_ENTRIES;
        let slot = &mut self.directories[space + (page >> LOG_TABLE) as usize];
        if *slot == 0 {
            self.tables.resize(self.tables.len() + TABLE_ENTRIES, 0);
            *slot = (self.tables.len() / TABLE_ENTRIES) as u32;
        }
        let table = (*slot as usize - 1) * TABLE_ENTRIES;
        self.tables[table + page as usize % TABLE_ENTRIES] = entry;
    }
}

/// Pages that a job brings, in the order in which later ones replace earlier ones.
struct Snapshot<'a> {
    /// Below them is the memory the program starts with.
    over_program: bool,
    pages: Vec<&'a Pages>,
    /// No other page may be used.
    strict: bool,
}

fn snapshot<'a>(job: &Job<'a>) -> Result<Snapshot<'a>> {
    let (over_program, pages, strict) = match &job.shipment.payload {
        Payload::Image(pages) => (false, vec![pages], false),
        Payload::Pages(pages) => (false, vec![pages], true),
        Payload::Delta {
            base: Base::Program,
            pages,
        } => (true, vec![pages], false),
        Payload::Delta {
            base: Base::Previous { digest },
            pages,
        } => {
            let base = job.base.filter(|base| memory_digest(base) == *digest);
            let base = base.ok_or_else(|| {
                Error::Replay("the memory this delta is relative to is not here".into())
            })?;
            (false, vec![base, pages], false)
        }
        payload => {
            return Err(Error::Usage(format!(
                "{} is not executed again",
                payload.encoding()
            )));
        }
    };
    for pages in &pages {
        let log = pages.log_page_bytes;
        let inside = |n: &u32| u64::from(*n) < 1 << (32 - log);
        if !(LOG_PAGE_BYTES..32).contains(&log)
            || pages.bytes.len() != pages.numbers.len() << log
            || !pages.numbers.iter().all(inside)
        {
            return Err(Error::Replay("pages are malformed".into()));
        }
    }
    Ok(Snapshot {
        over_program,
        pages,
        strict,
    })
}

/// Executes the segments of `jobs`, one thread each, and records their minimal traces.
///
/// Waits. Memory: [`execute_bytes`] a segment.
///
/// # Errors
/// [`Error::Replay`] if a segment does not end as its shipment says or uses a page it lacks, those of
/// memory, and [`Error::Device`].
pub(super) fn execute(
    device: &Device,
    program: &DeviceProgram,
    jobs: &[Job<'_>],
) -> Result<Executed> {
    for Job { shipment, .. } in jobs {
        crate::witness::check_segment(&shipment.segment)?;
        if !shipment.segment.start.is_canonical() {
            return Err(Error::Replay("machine state is not canonical".into()));
        }
    }
    let mut spare = 1;
    loop {
        if let Some(executed) = try_execute(device, program, jobs, spare)? {
            return Ok(executed);
        }
        spare *= SPARE_FACTOR;
    }
}

/// As [`execute`]; `None` if `spare` times the usual spare memory is not enough.
fn try_execute(
    device: &Device,
    program: &DeviceProgram,
    jobs: &[Job<'_>],
    spare: usize,
) -> Result<Option<Executed>> {
    let (program_pages, shared_pages) = program.initial_pages();
    let snapshots = jobs.iter().map(snapshot).collect::<Result<Vec<_>>>()?;
    let mut tables = Tables::default();
    let mut num_pages = 0;
    let mut num_spare = 0;
    for snapshot in &snapshots {
        tables.add_space();
        if snapshot.over_program {
            for (number, place) in program_pages.iter().zip(1u32..) {
                tables.set(*number, place | SHARED_PAGE);
            }
        }
        for pages in &snapshot.pages {
            let shift = pages.log_page_bytes - LOG_PAGE_BYTES;
            for number in &pages.numbers {
                for part in 0..1u32 << shift {
                    num_pages += 1;
                    tables.set((number << shift) + part, num_pages as u32);
                }
            }
        }
        num_spare += usize::from(!snapshot.strict);
    }
    let all_pages = num_pages + num_spare * SPARE_PAGES * spare;
    if all_pages >= SHARED_PAGE as usize {
        return Err(Error::Resource(
            "the snapshots have more pages than are executed at once".into(),
        ));
    }
    let first_spare_table = tables.tables.len() / TABLE_ENTRIES;
    let num_tables = first_spare_table + num_spare * SPARE_TABLES * spare;
    tables.tables.resize(num_tables * TABLE_ENTRIES, 0);

    let pages = device.alloc::<Page>("memory of the segments", all_pages)?;
    let mut at = 0;
    for part in snapshots.iter().flat_map(|snapshot| &snapshot.pages) {
        let bytes: &[Page] = bytemuck::cast_slice(&part.bytes);
        device.write(pages.view(at..at + bytes.len()), bytes)?;
        at += bytes.len();
    }
    let directories = device.upload("directories of pages", &tables.directories)?;
    let tables = device.upload("tables of pages", &tables.tables)?;
    let pool = device.upload("spare pages", &[num_pages as u32, first_spare_table as u32])?;
    let space = Space {
        directories: directories.ptr(),
        tables: tables.ptr(),
        pages: pages.ptr(),
        shared_pages: shared_pages.ptr(),
        pool: pool.ptr(),
        num_pages: all_pages as u32,
        num_tables: num_tables as u32,
    };
    launch(device, program, jobs, &snapshots, space)
}

fn launch(
    device: &Device,
    program: &DeviceProgram,
    jobs: &[Job<'_>],
    snapshots: &[Snapshot<'_>],
    space: Space,
) -> Result<Option<Executed>> {
    let mut words: Vec<[u32; JOB_WORDS]> = Vec::new();
    let mut places = Vec::new();
    let mut input = Vec::new();
    let (mut num_checkpoints, mut num_words) = (0usize, 0usize);
    for (Job { shipment, .. }, snapshot) in jobs.iter().zip(snapshots) {
        let Segment {
            log_cycles,
            num_cycles,
            ..
        } = shipment.segment;
        let input_end = shipment.segment.input_end(shipment.input_ends);
        let place = Place {
            log_chunk: LOG_CHUNK.min(log_cycles),
            first_checkpoint: num_checkpoints,
            num_checkpoints: (num_cycles as usize).div_ceil(1 << LOG_CHUNK.min(log_cycles)) + 1,
            first_word: num_words,
            // A unit moved into memory is two values.
            num_words: 2 * num_cycles as usize,
        };
        words.push([
            num_cycles,
            place.log_chunk,
            place.first_checkpoint as u32,
            place.first_word as u32,
            (place.first_word as u64 >> 32) as u32,
            place.num_words as u32,
            snapshot.strict.into(),
            input.len() as u32,
            shipment.input.len() as u32,
            input_end.is_some().into(),
            input_end.unwrap_or(0),
            0,
        ]);
        input.extend_from_slice(&shipment.input);
        num_checkpoints += place.num_checkpoints;
        num_words += place.num_words;
        places.push(place);
    }
    if u32::try_from(input.len()).is_err() {
        return Err(Error::Resource(
            "the segments have more input than is executed at once".into(),
        ));
    }
    let states: Vec<MachineState> = jobs.iter().map(|j| j.shipment.segment.start).collect();
    let jobs_buffer = device.upload("segments to execute", &words)?;
    let states = device.upload("states of segments", &states)?;
    let input = device.upload("guest input", &input)?;
    let checkpoints = device.alloc::<u32>("checkpoints", num_checkpoints * CHECKPOINT_WORDS)?;
    let words = device.alloc::<u32>("values read", num_words)?;
    let results = device.alloc::<[u32; RESULT_WORDS]>("results of execution", jobs.len())?;
    let host = program.program();
    // SAFETY: every job's checkpoints, values and input are within the buffers; tables name pages that
    // the buffers have, and spare ones are counted in the pool.
    unsafe {
        device.launch(
            EXECUTE_SEGMENTS,
            Shape {
                blocks: [jobs.len() as u32, 1, 1],
                threads: 1,
                shared_bytes: 0,
            },
            (
                program.code(),
                space,
                jobs_buffer.ptr(),
                states.ptr(),
                program.ranges().ptr(),
                program.ranges().len() as u32,
                host.brk(),
                host.brk_limit(),
                input.ptr(),
                checkpoints.ptr(),
                words.ptr(),
                results.ptr(),
            ),
        )?;
    }
    let results = device.download(&results)?;
    if results.iter().any(|result| result[0] == ENDED_POOL) {
        return Ok(None);
    }
    for ((Job { shipment, .. }, place), result) in jobs.iter().zip(&mut places).zip(results) {
        place.num_words = result[2] as usize;
        let last = (place.first_checkpoint + place.num_checkpoints - 1) * CHECKPOINT_WORDS;
        let mut end = [0; STATE_WORDS];
        device.download_into(checkpoints.view(last..last + STATE_WORDS), &mut end)?;
        check_end(&shipment.segment, result, &bytemuck::cast(end))?;
    }
    Ok(Some(Executed {
        checkpoints,
        words,
        places,
    }))
}

/// Checks that an execution ended as its segment does.
fn check_end(segment: &Segment, result: [u32; RESULT_WORDS], end: &MachineState) -> Result<()> {
    let [ended, cycles, _, detail] = result;
    if ended == ENDED_PAGE {
        return Err(Error::Replay(format!(
            "the segment uses the page at {detail:#010x}, which was not shipped"
        )));
    }
    if cycles != segment.num_cycles {
        return Err(Error::Replay(format!(
            "execution stops after {cycles} of {} cycles",
            segment.num_cycles
        )));
    }
    if *end != segment.end {
        return Err(Error::Replay(format!(
            "execution ends at pc {:#010x} in another state than the shipment names (pc {:#010x})",
            end.pc, segment.end.pc
        )));
    }
    Ok(())
}
