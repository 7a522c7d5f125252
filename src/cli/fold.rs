//! `rewit fold`: a segment as R1CS, folded chunk by chunk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use rewit::fold::{CommitmentKey, Order};
use rewit::measure::{
    self, FoldJob, FoldMeasurement, FoldParameters, FoldProgress, FoldableSegment, Hardware,
};
use rewit::report::{FoldingFile, StarkSize, format_count, format_seconds};
use rewit::segment::Runner;
use rewit::ship::{self, Compression, Payload, Shipment};
use rewit::stark::search::{Limits, smallest};
use rewit::stark::{Shape, size};
use rewit::witness::fill_from_reads;
use rewit::{Error, Result};

use super::backend::{BackendArgs, on};
use super::files::refuse_same;
use super::guests::{self, Guest};
use super::out::Out;
use super::{GuestArgs, print, say, use_threads};

/// Base-2 logarithm of the rows of the segment that a tree's proofs are of.
const STARK_LOG_ROWS: u32 = 20;

#[derive(Args, Debug)]
pub(crate) struct FoldArgs {
    #[command(flatten)]
    guest: GuestArgs,
    /// Number of the segment, from 0.
    #[arg(long, value_name = "I", default_value_t = 0)]
    segment: u32,
    /// Base-2 logarithm of the cycles in a segment.
    #[arg(
        long,
        value_name = "K",
        default_value_t = 14,
        value_parser = clap::value_parser!(u32).range(8..=22)
    )]
    segment_log_cycles: u32,
    /// Rows of a chunk, a power of two, where all chunks are folded.
    #[arg(long, value_name = "M", default_value_t = 64)]
    rows_per_chunk: u32,
    /// In which order to fold all chunks.
    #[arg(long, value_enum, value_name = "ORDER", default_value = "both")]
    order: Orders,
    /// Base-2 logarithms of the rows of a chunk, where a sample of chunks is folded: A..B with both
    /// ends, numbers separated by commas, or `none`.
    #[arg(long, value_name = "LOGS", default_value = "3..12", value_parser = parse_sizes)]
    sizes: Sizes,
    /// Most folds of such a sample.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 7,
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    sample_folds: u32,
    #[command(flatten)]
    backend: BackendArgs,
    /// A file with the commitment key: read if it is there, written if not.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Threads [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Write the result file here when the run is complete; until then progress is in FILE.partial.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the result file instead of the tables.
    #[arg(long)]
    json: bool,
    /// Show no progress; it is shown only on a terminal anyway.
    #[arg(long)]
    no_progress: bool,
}

/// Orders to fold in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Orders {
    /// One accumulator takes in one chunk after another.
    Seq,
    /// A binary tree of accumulators.
    Tree,
    /// Both.
    Both,
}

impl Orders {
    fn all(self) -> &'static [Order] {
        match self {
            Self::Seq => &[Order::Sequential],
            Self::Tree => &[Order::Tree],
            Self::Both => &Order::ALL,
        }
    }
}

/// Chunk sizes to sample; a type of its own, since clap takes a vector for an argument given many times.
#[derive(Clone, Debug)]
struct Sizes(Vec<u32>);

fn parse_sizes(text: &str) -> Result<Sizes, String> {
    const EXPECTED: &str = "expected A..B, numbers separated by commas, or none; each from 1 to 16";
    let number = |text: &str| {
        let log = text.trim().parse().ok();
        log.filter(|log| (1..=16).contains(log)).ok_or(EXPECTED)
    };
    let mut sizes = match text.split_once("..") {
        _ if text == "none" => Vec::new(),
        Some((from, to)) => {
            let (from, to) = (number(from)?, number(to.trim_start_matches('='))?);
            if from > to {
                return Err(EXPECTED.to_owned());
            }
            (from..=to).collect()
        }
        None => text
            .split(',')
            .map(number)
            .collect::<Result<Vec<u32>, _>>()?,
    };
    sizes.sort_unstable();
    sizes.dedup();
    Ok(Sizes(sizes))
}

/// Folds a segment and prints the tables.
pub(crate) fn fold(args: &FoldArgs) -> Result<()> {
    let started = Instant::now();
    let created = super::now();
    let log_rows = log_rows(args.rows_per_chunk)?;
    let threads = use_threads(args.threads)?;
    let backend = args.backend.open()?;
    backend.refuse_numbers(args.out.is_some().then_some("--out"))?;
    backend.refuse_numbers(args.json.then_some("--json"))?;
    let guest = guests::load(&args.guest)?;
    let mut files = guests::files_of(&args.guest);
    if let Some(key) = &args.key {
        refuse_same("--key", key, &files)?;
        files.push(("--key", key));
    }
    let mut out = match &args.out {
        Some(path) => Some(Out::new(path, &files)?),
        None => None,
    };
    let (witness, shipment_bytes) = regenerate(args, &guest)?;
    let segment = FoldableSegment::new(args.segment, &witness, &guest.program);
    let orders = args.order.all();
    let parameters = FoldParameters {
        segment: args.segment,
        log_cycles: args.segment_log_cycles,
        log_rows,
        orders: orders.iter().map(|order| order.name().to_owned()).collect(),
        sizes: args.sizes.0.clone(),
        sample_folds: args.sample_folds,
        backend: on!(&backend, backend => rewit::backend::Folding::name(backend)).to_owned(),
        threads,
    };
    let key = key(
        args.key.as_deref(),
        FoldJob::key_len(&segment, &parameters)?,
    )?;
    let job = FoldJob {
        guest: guest.measured(),
        program: &guest.program,
        segment: &segment,
        shipment_bytes,
        parameters,
        orders,
        key,
    };

    let mut hardware = Hardware::detect();
    hardware.gpu = backend.gpu();
    let starks = starks(&guest)?;
    let file = |measured: FoldMeasurement, complete| {
        let elapsed = started.elapsed().as_secs_f64();
        let hardware = hardware.clone();
        FoldingFile::new(
            measured,
            starks.clone(),
            hardware,
            &created,
            elapsed,
            complete,
        )
    };
    let bar = progress_bar(args.no_progress);
    let mut report_progress = |progress: &FoldProgress<'_>| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(progress.doing.to_owned());
        match (&mut out, progress.so_far) {
            (Some(out), Some(so_far)) => {
                out.progress(true, || file(so_far.clone(), false).to_json())
            }
            _ => Ok(()),
        }
    };
    let measured = on!(&backend, backend => measure::fold(&job, backend, &mut report_progress));
    let measured = measured.and_then(peers);
    bar.finish_and_clear();
    if measured.is_err()
        && let Some(left) = out.as_ref().and_then(Out::left)
    {
        say(&format!("what was measured is in {}", left.display()));
    }
    let result = file(measured?, true);
    if let Some(out) = &out {
        out.finish(&result.to_json())?;
    }
    backend.say_memory();
    if let Some(why) = backend.no_numbers() {
        say(&format!(
            "warning: {why}: every fold was checked, and no time below is to be kept"
        ));
    }
    let text = if args.json {
        result.to_json()
    } else {
        result.render()
    };
    print(text.as_bytes())
}

/// Times other projects' code on steps of equal size.
#[cfg(feature = "peers")]
fn peers(mut measured: FoldMeasurement) -> Result<FoldMeasurement> {
    /// Beyond this a step takes nova-snark seconds to prove and a minute to set up.
    const MOST: u64 = 1 << 18;
    measured.peers = measure::fold_peers(&measured.sizes, MOST)?;
    Ok(measured)
}

/// Times other projects' code: none is built in.
#[cfg(not(feature = "peers"))]
#[expect(clippy::unnecessary_wraps, reason = "with peers it may fail")]
fn peers(measured: FoldMeasurement) -> Result<FoldMeasurement> {
    Ok(measured)
}

fn log_rows(rows: u32) -> Result<u32> {
    if rows.is_power_of_two() && (2..=65536).contains(&rows) {
        return Ok(rows.ilog2());
    }
    Err(Error::Usage(format!(
        "--rows-per-chunk {rows}: expected a power of two from 2 to 65536"
    )))
}

/// The segment's tables, and the bytes of the minimal trace they were filled from.
fn regenerate(args: &FoldArgs, guest: &Guest) -> Result<(rewit::witness::Witness, u64)> {
    let log_cycles = args.segment_log_cycles;
    let mut runner = Runner::new(&guest.program, &guest.input, log_cycles, log_cycles.min(8))?;
    for _ in 0..args.segment {
        runner
            .skip_segment()
            .ok_or_else(|| super::ship::none_such(args.segment, &runner))?;
    }
    let recording = runner
        .next_segment()
        .ok_or_else(|| super::ship::none_such(args.segment, &runner))?;
    if runner.cycle() > args.guest.max_cycles {
        return Err(Error::CycleLimit {
            cycles: runner.cycle(),
            pc: runner.state().pc,
        });
    }
    let witness = fill_from_reads(
        &guest.program,
        &recording.segment,
        &recording.reads,
        Vec::new(),
    )?;
    let shipment = Shipment {
        program: *guest.program.digest(),
        segment: recording.segment,
        input: recording.input,
        input_ends: recording.input_ends,
        elf: None,
        payload: Payload::Reads(recording.reads),
    };
    let bytes = ship::encode(&shipment, Compression::Raw)?.len() as u64;
    Ok((witness, bytes))
}

/// The commitment key: from a file if there is one, otherwise derived, and written if a file is named.
fn key(path: Option<&Path>, len: usize) -> Result<Arc<CommitmentKey>> {
    let start = Instant::now();
    let Some(path) = path else {
        let key = CommitmentKey::derive(len)?;
        say(&format!(
            "commitment key: {} generators derived in {}",
            format_count(len as u64),
            format_seconds(start.elapsed().as_secs_f64())
        ));
        return Ok(Arc::new(key));
    };
    let mut key = None;
    if path.exists() {
        let named = |error: Error| match error {
            Error::Key(_) => Error::Usage(format!(
                "--key {}: {error}; give another file, or remove it to have one made",
                path.display()
            )),
            other => other,
        };
        let loaded = CommitmentKey::load(path).map_err(named)?;
        loaded
            .check_derived()
            .map_err(|error| named(error.into()))?;
        key = Some(loaded);
    }
    let there = key.as_ref().map_or(0, CommitmentKey::len);
    let key = match key {
        Some(key) if there >= len => key,
        Some(mut key) => {
            key.extend(len)?;
            key
        }
        None => CommitmentKey::derive(len)?,
    };
    if there < len {
        key.save(path)?;
    }
    say(&format!(
        "commitment key: {} generators read from --key {} and compared with the derivation, {} \
         added, in {}",
        format_count(there as u64),
        path.display(),
        format_count(len.saturating_sub(there) as u64),
        format_seconds(start.elapsed().as_secs_f64())
    ));
    Ok(Arc::new(key))
}

/// The smallest proofs of a full segment of the guest with 100 provable bits, at two blowups.
fn starks(guest: &Guest) -> Result<Vec<StarkSize>> {
    const BITS: f64 = 100.0;
    let shape = Shape::of_segment(&guest.program, STARK_LOG_ROWS);
    let mut found = Vec::new();
    for max_log_blowup in [1, 2, 3] {
        let params = [4, 5].into_iter().filter_map(|extension| {
            let limits = Limits {
                extension,
                max_log_blowup,
                ..Limits::default()
            };
            smallest(&shape, BITS, &limits)
        });
        let bytes = |params: &_| size::batch(&shape, params).total();
        let best = params.min_by(|a, b| bytes(a).total_cmp(&bytes(b)));
        found.extend(best.map(|params| StarkSize::new(STARK_LOG_ROWS, &shape, &params)));
    }
    found.dedup_by(|a, b| a.params == b.params);
    if found.is_empty() {
        return Err(Error::Usage(format!(
            "no proof of 2^{STARK_LOG_ROWS} rows has {BITS} provable bits; the program is too long"
        )));
    }
    Ok(found)
}

/// A bar on standard error, which hides itself where that is no terminal.
fn progress_bar(hidden: bool) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{elapsed:>4} {wide_bar} {pos}/{len} {msg:28!}")
        .expect("the template is well-formed");
    ProgressBar::new(0).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_ranges_or_lists() {
        let sizes = |text| parse_sizes(text).map(|sizes| sizes.0);
        assert_eq!(sizes("4..7"), Ok(vec![4, 5, 6, 7]));
        assert_eq!(sizes("5..=5"), Ok(vec![5]));
        assert_eq!(sizes("8,4,4"), Ok(vec![4, 8]));
        assert_eq!(sizes("none"), Ok(vec![]));
        for text in ["", "7..4", "0..3", "4..17", "4,", "x", "4..5..6", "-1"] {
            assert!(sizes(text).is_err(), "{text}");
        }
        for rows in [0, 1, 3, 65537, 1 << 17, u32::MAX] {
            assert!(log_rows(rows).is_err(), "{rows}");
        }
        assert_eq!((log_rows(2).unwrap(), log_rows(65536).unwrap()), (1, 16));
    }
}
