//! `rewit run`: the main job.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rewit::measure::{self, Hardware, Job, Measurement, Parameters, Progress, Selection};
use rewit::report::{self, ResultFile};
use rewit::ship::{Compression, Encoding};
use rewit::stark::{PROVABLE_LOG_CYCLES, Shape};
use rewit::{Error, Result};

use super::backend::{BackendArgs, on};
use super::out::Out;
use super::params::ParamArgs;
use super::{
    CutArgs, GuestArgs, guests, parse_compression, parse_encoding, print, say, use_threads,
};

#[derive(Args, Clone, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    guest: GuestArgs,
    #[command(flatten)]
    cut: CutArgs,
    /// Encodings to measure, separated by commas [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = parse_encoding)]
    encodings: Vec<Encoding>,
    /// Compressions to measure, separated by commas [default: raw,lz4,zstd].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = parse_compression)]
    compressions: Vec<Compression>,
    /// How many segments to measure, evenly spaced over the run, or `all`.
    #[arg(long, value_name = "N|all", default_value = "4", value_parser = parse_selection)]
    segments: Selection,
    /// Most samples of a stage per segment; fewer are taken of stages that take long.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    samples: u32,
    /// How many of the segments measured to prove, from the first; 0 proves none.
    #[arg(long, value_name = "N", default_value_t = 1)]
    prove: u32,
    /// Of how many of the segments measured to fold a sample of chunks, from the first; 0 folds none.
    #[arg(long, value_name = "N", default_value_t = 1)]
    fold: u32,
    #[command(flatten)]
    params: ParamArgs,
    #[command(flatten)]
    backend: BackendArgs,
    /// Threads that encode, decode and regenerate [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Write the result file here when the run is complete; until then progress is in FILE.partial.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the result file instead of the table.
    #[arg(long)]
    json: bool,
    /// Show no progress; it is shown only on a terminal anyway.
    #[arg(long)]
    no_progress: bool,
}

fn parse_selection(text: &str) -> Result<Selection, String> {
    if text == "all" {
        return Ok(Selection::All);
    }
    match text.parse() {
        Ok(count) if count > 0 => Ok(Selection::Spaced(count)),
        _ => Err("expected a number from 1, or all".into()),
    }
}

/// All of `all` if none is `chosen`; otherwise those chosen, once each and in the order of `all`.
fn chosen<T: Copy + PartialEq>(chosen: &[T], all: &[T]) -> Vec<T> {
    all.iter()
        .copied()
        .filter(|x| chosen.is_empty() || chosen.contains(x))
        .collect()
}

/// Runs the job and prints the report.
pub(crate) fn run(args: &RunArgs) -> Result<()> {
    let started = Instant::now();
    args.cut.check()?;
    let backend = args.backend.open()?;
    backend.refuse_numbers(args.out.is_some().then_some("--out"))?;
    backend.refuse_numbers(args.json.then_some("--json"))?;
    let guest = guests::load(&args.guest)?;
    let files = guests::files_of(&args.guest);
    let mut out = match &args.out {
        Some(path) => Some(Out::new(path, &files)?),
        None => None,
    };
    let encodings = chosen(&args.encodings, &Encoding::ALL);
    let compressions = chosen(&args.compressions, &Compression::ALL);
    let log_cycles = args.cut.segment_log_cycles;
    let proof = match args.prove {
        0 => None,
        _ if !PROVABLE_LOG_CYCLES.contains(&log_cycles) => {
            say(&format!(
                "warning: segments of 2^{log_cycles} cycles are not proven; 2^{} to 2^{} are",
                PROVABLE_LOG_CYCLES.start(),
                PROVABLE_LOG_CYCLES.end()
            ));
            None
        }
        _ => Some(
            args.params
                .choose(&Shape::of_segment(&guest.program, log_cycles), 1)?,
        ),
    };
    let parameters = Parameters {
        log_cycles: args.cut.segment_log_cycles,
        log_chunk: args.cut.chunk_log_cycles,
        encodings: encodings.iter().map(|e| e.name().to_owned()).collect(),
        compressions: compressions.iter().map(|c| c.name().to_owned()).collect(),
        segments: args.segments,
        max_cycles: args.guest.max_cycles,
        threads: use_threads(args.threads)?,
        samples: args.samples,
        proofs: if proof.is_some() { args.prove } else { 0 },
        folds: args.fold,
        proof,
    };
    let job = Job {
        name: &guest.name,
        program: &guest.program,
        input: &guest.input,
        parameters: &parameters,
        encodings: &encodings,
        compressions: &compressions,
    };

    let mut hardware = Hardware::detect();
    hardware.gpu = backend.gpu();
    let created = super::now();
    let file = |measurement: &Measurement, complete| {
        let elapsed = started.elapsed().as_secs_f64();
        ResultFile::new(measurement, &hardware, &created, elapsed, complete)
    };
    let bar = progress_bar(args.no_progress);
    let mut report_progress = |progress: &Progress<'_>| {
        bar.set_length(progress.total);
        bar.set_position(progress.step);
        bar.set_message(progress.done.to_owned());
        match &mut out {
            Some(out) => out.progress(progress.milestone, || {
                report::to_json(&file(progress.so_far, false))
            }),
            None => Ok(()),
        }
    };
    let measured = on!(&backend, backend => measure::run(&job, backend, &mut report_progress));
    bar.finish_and_clear();
    if measured.is_err()
        && let Some(left) = out.as_ref().and_then(Out::left)
    {
        say(&format!("what was measured is in {}", left.display()));
    }
    let measurement = measured.map_err(hint)?;

    let result = file(&measurement, true);
    if let Some(out) = &out {
        out.finish(&report::to_json(&result))?;
    }
    if measurement.guest.exit_code != Some(0) {
        let code = measurement.guest.exit_code.unwrap_or(0);
        say(&format!("warning: the guest exited with code {code}"));
    }
    backend.say_memory();
    if let Some(why) = backend.no_numbers() {
        say(&format!(
            "warning: {why}: every encoding was checked, and no time below is to be kept"
        ));
    }
    let text = if args.json {
        report::to_json(&result)
    } else {
        report::render(&result)
    };
    print(text.as_bytes())
}

/// Names what to do about an error where the error does not.
fn hint(error: Error) -> Error {
    match error {
        Error::Resource(what) => Error::Resource(format!(
            "{what}; with a lower --segment-log-cycles a segment takes less memory"
        )),
        other => other,
    }
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
