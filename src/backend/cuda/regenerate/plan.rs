//! How much device memory a regeneration takes.

use super::access::boundary_height;
use super::execute::{LOG_CHUNK, execute_bytes, recorded_bytes};
use super::fill::{counter_bytes, program_height};
use super::replay::{CHECKPOINT_WORDS, num_walks, rows_bytes};
use crate::backend::cuda::plan::Plan;
use crate::backend::cuda::scan::scan_bytes;
use crate::backend::cuda::sort::sort_bytes;
use crate::ship::{Encoding, Record};
use crate::witness::layout::{WIDTH, boundary, range};

/// What the memory of a regeneration depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Base-2 logarithm of the segment's rows.
    pub log_cycles: u32,
    /// Instructions of the program.
    pub num_ops: usize,
    /// Base-2 logarithm of the cycles in a chunk of a minimal trace.
    pub log_chunk: u32,
    /// Values read in the segment, or the most it can have: two a cycle.
    pub num_words: usize,
    /// Pages of 1 KiB that a snapshot has.
    pub num_pages: u64,
}

/// Bytes of states, status, totals and the like.
const SMALL: u64 = 4096;

/// Bounds the device memory that regenerating a segment of `size` from `encoding` takes, the program
/// and its pages not included. The last step holds what is left: the witness.
///
/// The driver's pool rounds each allocation up, by at most 2 MiB in all of it; that is not counted.
pub fn plan(encoding: Encoding, size: &Size) -> Plan {
    let rows = 1usize << size.log_cycles;
    let max_words = match encoding {
        Encoding::Records => rows,
        _ => rows.min(size.num_words),
    };
    let boundary = 4 * (boundary::WIDTH * boundary_height(max_words)) as u64;
    let cpu = 4 * (WIDTH * rows) as u64;
    let program = 4 * program_height(size.num_ops) as u64;
    let range = 4 * (range::WIDTH << range::LOG_ROWS) as u64;
    let mut plan = Plan::default();
    let tables = [
        ("cpu table", cpu),
        ("boundary table", boundary),
        ("program table", program),
        ("range table", range),
    ];
    if encoding == Encoding::Witness {
        // Rows are uploaded beside the columns they become.
        plan.step("upload", &[("cpu table", cpu), ("rows", cpu + SMALL)]);
        plan.step(
            "upload",
            &[&tables[..], &[("rows", range.max(boundary) + SMALL)]].concat(),
        );
        plan.step("witness", &tables);
        return plan;
    }
    let log_chunk = match encoding {
        Encoding::Reads => size.log_chunk.min(size.log_cycles),
        _ => LOG_CHUNK.min(size.log_cycles),
    };
    let chunks = match encoding {
        Encoding::Records => num_walks(rows),
        _ => rows >> log_chunk,
    };
    let reads = 4 * (CHECKPOINT_WORDS * (chunks + 1) + size.num_words) as u64;
    let input = match encoding {
        Encoding::Records => ("records", (size_of::<Record>() * rows) as u64),
        Encoding::Reads | Encoding::Input | Encoding::Witness => ("minimal trace", reads),
        _ => {
            plan.step("execute", &execute_bytes(size.log_cycles, size.num_pages));
            ("minimal trace", recorded_bytes(size.log_cycles))
        }
    };
    let rows_held = [
        input,
        ("rows", rows_bytes(size.log_cycles, chunks)),
        // Heads of words, scan of register accesses.
        (
            "small buffers",
            4 * (rows / 256) as u64 + scan_bytes(32, chunks) + SMALL,
        ),
    ];
    let sort = [("sort", sort_bytes::<u32>(rows))];
    plan.step("sort", &[&rows_held[..], &sort].concat());
    let sorted = [
        ("sorted accesses", 8 * rows as u64),
        ("counters", counter_bytes(size.log_cycles, size.num_ops)),
    ];
    plan.step("fill", &[&rows_held[..], &sorted, &tables].concat());
    plan.step("witness", &tables);
    plan
}
