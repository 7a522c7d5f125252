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
use super::ship::none_such;
use super::{GuestArgs, guests, print, say, use_threads};

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
    use_threads(args.threads)?;
    let options = Options {
        targets: args.bits.clone(),
        max_log_blowup: args.max_log_blowup,
        max_grinding: args.max_grinding,
        sweep: !args.quick && !args.no_sweep,
    };
    let (heights, widths) = if args.quick {
        (&[14][..], &[16][..])
    } else if args.no_tables {
        (&[][..], &[][..])
    } else {
        (&args.heights[..], &args.widths[..])
    };
    let mut suites = Vec::new();
    if !args.quick && !args.no_segments {
        segments(args, &options, &mut suites)?;
    }
    for height in heights {
        for width in widths {
            let subject = Synthetic::new(*height, *width as usize);
            let mut suite = suite(&subject, &options, &mut progress)?;
            if !args.no_openings {
                let opening = Opening::new(subject.into_trace());
                suite.rows.extend(opening.suite(&options, &mut progress)?);
            }
            suites.push(suite);
        }
    }
    let elapsed = started.elapsed().as_secs_f64();
    let sizes = ProofSizes::new(suites, &options, &created, elapsed);
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

/// Proves the segments that were asked for.
fn segments(args: &ProofSizeArgs, options: &Options, suites: &mut Vec<Suite>) -> Result<()> {
    let guest = guests::load(&args.guest)?;
    let log_cycles = args.segment_log_cycles;
    let mut runner = Runner::new(&guest.program, &guest.input, log_cycles, log_cycles.min(8))?;
    let mut wanted = args.segments.clone();
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
        if runner.cycle() > args.guest.max_cycles {
            return Err(Error::CycleLimit {
                cycles: runner.cycle(),
                pc: runner.state().pc,
            });
        }
        let (segment, reads) = (&recording.segment, &recording.reads);
        let witness = fill_from_reads(&guest.program, segment, reads, Vec::new())?;
        let subject = ProvableSegment::new(&guest.name, index, &guest.program, witness);
        suites.push(suite(&subject, options, &mut progress)?);
    }
    Ok(())
}

fn progress(row: &Row) {
    let bytes = row.bytes().map_or_else(|| "none".to_owned(), format_bytes);
    say(&format!("{}, {}: {bytes}", row.subject, row.purpose));
}
