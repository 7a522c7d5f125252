//! `rewit proof-size`: proof sizes, measured, modelled, and how secure.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use rewit::measure::proof_size::{Opening, Options, ProvableSegment, Row, Suite, Synthetic, suite};
use rewit::report::{ProofSizes, format_bytes};
use rewit::segment::Runner;
use rewit::witness::fill_from_reads;
use rewit::{Error, Result};

use super::files::write_file;
use super::guests::{self, Guest};
use super::ship::none_such;
use super::{GuestArgs, print, say, use_threads};

#[derive(Args, Debug)]
pub(crate) struct ProofSizeArgs {
    #[command(flatten)]
    guest: GuestArgs,
    /// Base-2 logarithm of the cycles in a segment.
    #[arg(
        long,
        value_name = "K",
        default_value_t = 18,
        value_parser = clap::value_parser!(u32).range(8..=22)
    )]
    segment_log_cycles: u32,
    /// Numbers of the guest's segments to prove, separated by commas.
    #[arg(long, value_name = "I", value_delimiter = ',', default_value = "0")]
    segments: Vec<u32>,
    /// Prove no segment.
    #[arg(long)]
    no_segments: bool,
    /// Prove no tables made for the purpose.
    #[arg(long)]
    no_tables: bool,
    /// Base-2 logarithms of the heights of the tables to prove, separated by commas.
    #[arg(
        long,
        value_name = "LOGS",
        value_delimiter = ',',
        default_value = "14,16,18,20",
        value_parser = clap::value_parser!(u32).range(8..=22)
    )]
    heights: Vec<u32>,
    /// Their widths in columns, separated by commas.
    #[arg(
        long,
        value_name = "COLUMNS",
        value_delimiter = ',',
        default_value = "64",
        value_parser = clap::value_parser!(u32).range(1..=1024)
    )]
    widths: Vec<u32>,
    /// Provable bits to search the smallest proof for, separated by commas.
    #[arg(
        long,
        value_name = "BITS",
        value_delimiter = ',',
        default_value = "100,128",
        value_parser = clap::value_parser!(u32).range(1..=128)
    )]
    bits: Vec<u32>,
    /// Largest base-2 logarithm of the inverse rate to prove with; time and memory double with each.
    #[arg(
        long,
        value_name = "B",
        default_value_t = 3,
        value_parser = clap::value_parser!(u8).range(1..=5)
    )]
    max_log_blowup: u8,
    /// Most proof-of-work bits at each place.
    #[arg(
        long,
        value_name = "BITS",
        default_value_t = 20,
        value_parser = clap::value_parser!(u8).range(0..=i64::from(rewit::stark::params::MAX_GRINDING))
    )]
    max_grinding: u8,
    /// Only one small table, no segment and no sweep.
    #[arg(long)]
    quick: bool,
    /// Only search; do not vary parameters one at a time.
    #[arg(long)]
    no_sweep: bool,
    /// Do not compare FRI with WHIR as commitments alone.
    #[arg(long)]
    no_openings: bool,
    /// Threads [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Write all rows here as JSON; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write all rows here as CSV; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw size against provable bits here as SVG; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Runs the suite and prints the table.
pub(crate) fn proof_size(args: &ProofSizeArgs) -> Result<()> {
    let started = Instant::now();
    let created = super::now();
    let threads = use_threads(args.threads)?;
    let options = Options {
        targets: once(&args.bits),
        max_log_blowup: args.max_log_blowup,
        max_grinding: args.max_grinding,
        sweep: !args.quick && !args.no_sweep,
    };
    let (heights, widths) = if args.quick {
        (vec![14], vec![16])
    } else if args.no_tables {
        (vec![], vec![])
    } else {
        (once(&args.heights), once(&args.widths))
    };
    let mut suites = Vec::new();
    let mut proved = None;
    if !args.quick && !args.no_segments {
        let guest = guests::load(&args.guest)?;
        suites = segments(
            &guest,
            args.segment_log_cycles,
            args.segments.clone(),
            args.guest.max_cycles,
            &options,
            &mut progress,
        )?;
        proved = Some(guest.measured());
    }
    for height in heights {
        for width in &widths {
            suites.push(table(
                height,
                *width as usize,
                !args.no_openings,
                &options,
                &mut progress,
            )?);
        }
    }
    let elapsed = started.elapsed().as_secs_f64();
    let sizes = ProofSizes {
        threads: Some(threads),
        guest: proved,
        ..ProofSizes::new(suites, &options, &created, elapsed)
    };
    let files = [
        ("--json", &args.json, Some(sizes.to_json())),
        ("--csv", &args.csv, Some(sizes.to_csv())),
        (
            "--svg",
            &args.svg,
            args.svg.is_some().then(|| sizes.to_svg()).transpose()?,
        ),
    ];
    let mut printed = false;
    for (flag, path, text) in files {
        let (Some(path), Some(text)) = (path, text) else {
            continue;
        };
        write_file(flag, path, text.as_bytes())?;
        printed |= path == Path::new("-");
    }
    if !printed {
        print(sizes.render().as_bytes())?;
    }
    Ok(())
}

/// Proves segments of a guest with all parameters.
///
/// - `wanted`: numbers of the segments.
/// - `done`: called after every row.
pub(super) fn segments(
    guest: &Guest,
    log_cycles: u32,
    mut wanted: Vec<u32>,
    max_cycles: u64,
    options: &Options,
    done: &mut dyn FnMut(&Row),
) -> Result<Vec<Suite>> {
    let mut suites = Vec::new();
    let mut runner = Runner::new(&guest.program, &guest.input, log_cycles, log_cycles.min(8))?;
    wanted.sort_unstable();
    wanted.dedup();
    let mut next = 0;
    for index in wanted {
        let mut recording = runner.next_segment();
        while next < index && recording.is_some() {
            recording = runner.next_segment();
            next += 1;
        }
        next += 1;
        let recording = recording.ok_or_else(|| none_such(index, &runner))?;
        if runner.cycle() > max_cycles {
            return Err(Error::CycleLimit {
                cycles: runner.cycle(),
                pc: runner.state().pc,
            });
        }
        let (segment, reads) = (&recording.segment, &recording.reads);
        let witness = fill_from_reads(&guest.program, segment, reads, Vec::new())?;
        let subject = ProvableSegment::new(&guest.name, index, &guest.program, witness);
        suites.push(suite(&subject, options, done)?);
    }
    Ok(suites)
}

/// Proves a table made for the purpose with all parameters.
///
/// - `openings`: whether to compare FRI with WHIR on its cells, too.
pub(super) fn table(
    log_height: u32,
    width: usize,
    openings: bool,
    options: &Options,
    done: &mut dyn FnMut(&Row),
) -> Result<Suite> {
    let subject = Synthetic::new(log_height, width);
    let mut suite = suite(&subject, options, done)?;
    if openings {
        let opening = Opening::new(subject.into_trace());
        suite.rows.extend(opening.suite(options, done)?);
    }
    Ok(suite)
}

/// The values once each, in the order given: a row that is there twice says nothing.
fn once(values: &[u32]) -> Vec<u32> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(value) {
            found.push(*value);
        }
    }
    found
}

fn progress(row: &Row) {
    let bytes = row.bytes().map_or_else(|| "none".to_owned(), format_bytes);
    say(&format!("{}, {}: {bytes}", row.subject, row.purpose));
}
