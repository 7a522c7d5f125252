//! `rewit proof-size`: proof sizes, measured, modelled, and how secure.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use rewit::Result;
use rewit::measure::proof_size::{Opening, Options, Row, Synthetic, suite};
use rewit::report::{ProofSizes, format_bytes};

use super::files::write_file;
use super::{print, say, use_threads};

#[derive(Args, Debug)]
pub(crate) struct ProofSizeArgs {
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
        value_parser = clap::value_parser!(u8).range(0..=30)
    )]
    max_grinding: u8,
    /// Only one small table and no sweep.
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
    let now = jiff::Timestamp::now();
    let created = jiff::Timestamp::from_second(now.as_second())
        .unwrap_or(now)
        .to_string();
    use_threads(args.threads)?;
    let options = Options {
        targets: args.bits.clone(),
        max_log_blowup: args.max_log_blowup,
        max_grinding: args.max_grinding,
        sweep: !args.quick && !args.no_sweep,
    };
    let (heights, widths) = if args.quick {
        (&[14][..], &[16][..])
    } else {
        (&args.heights[..], &args.widths[..])
    };
    let mut suites = Vec::new();
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

fn progress(row: &Row) {
    let bytes = row.bytes().map_or_else(|| "none".to_owned(), format_bytes);
    say(&format!("{}, {}: {bytes}", row.subject, row.purpose));
}
