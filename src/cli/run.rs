//! `rewit run`: the main job.

mod full;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use rewit::measure::{
    self, ClockSampler, Hardware, Job, Link, Measurement, Parameters, Progress, Selection,
};
use rewit::report::{self, ResultFile};
use rewit::ship::{Compression, Encoding};
use rewit::stark::{PROVABLE_LOG_CYCLES, Shape};
use rewit::{Error, Result};

use super::backend::{BackendArgs, Chosen, on};
use super::files::{failed, read_file_up_to};
use super::guests::{self, Guest};
use super::out::Out;
use super::params::ParamArgs;
use super::units::{parse_bandwidth, parse_seconds};
use super::{CutArgs, GuestArgs, parse_compression, parse_encoding, print, say, use_threads};

/// How much to measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Profile {
    /// The main job with segments of one size: about a minute.
    Quick,
    /// The machine, and every stage at several sizes of segment, in one file: a few minutes.
    Full,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    guest: GuestArgs,
    /// How much to measure. `full` writes one file with the machine's memory bandwidth, runs at several
    /// sizes of segment, folding, and proof sizes.
    #[arg(long, value_enum, value_name = "NAME", default_value = "quick")]
    profile: Profile,
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
    /// A link that was measured: a file of `rewit link probe --out`. It is kept in the result file.
    #[arg(long, value_name = "FILE", conflicts_with = "declare_link")]
    link: Option<PathBuf>,
    /// A link to assume: bandwidth, and latency one way, such as `10Gb/s` or `10Gb/s,50us`. It is
    /// kept in the result file, as declared.
    #[arg(long, value_name = "BANDWIDTH[,LATENCY]", value_parser = parse_link)]
    declare_link: Option<Link>,
    /// Write the result file here when the run is complete; until then progress is in FILE.partial.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the result file instead of the table.
    #[arg(long)]
    json: bool,
    /// Show no progress; it is shown only on a terminal anyway.
    #[arg(long)]
    no_progress: bool,
    /// Whether the size of a segment was given; set by [`parse`](super::parse).
    #[arg(skip)]
    pub(super) cut_given: bool,
}

impl RunArgs {
    /// The link that was named.
    fn link(&self) -> Result<Option<Link>> {
        let Some(path) = &self.link else {
            return Ok(self.declare_link.clone());
        };
        let what = format!("--link {}", path.display());
        let bytes = read_file_up_to(path, report::MAX_BYTES as u64)
            .map_err(failed(&*what))?
            .ok_or_else(|| super::files::too_long(&what, report::MAX_BYTES as u64))?;
        let file = report::AnyFile::read(&bytes)
            .map_err(|error| Error::Usage(format!("{what}: {error}")))?;
        match file.link() {
            Some(link) => Ok(Some(link.clone())),
            None => Err(Error::Usage(format!(
                "{what} has no link; give a file of `rewit link probe --out`, or use --declare-link"
            ))),
        }
    }
}

/// Parses a declared link.
fn parse_link(text: &str) -> Result<Link, String> {
    let (bandwidth, latency) = match text.split_once(',') {
        Some((bandwidth, latency)) => (bandwidth, parse_seconds(latency)?),
        None => (text, 0.0),
    };
    Ok(Link::declared(parse_bandwidth(bandwidth)?, latency))
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
    match args.profile {
        Profile::Quick => quick(args),
        Profile::Full => full::full(args),
    }
}

/// One run at one size of segment.
fn quick(args: &RunArgs) -> Result<()> {
    let started = Instant::now();
    args.cut.check()?;
    let (backend, guest, mut out) = open(args)?;
    let job = Work {
        guest: &guest,
        backend: &backend,
        hardware: &Hardware {
            gpu: backend.gpu(),
            ..Hardware::detect()
        },
        link: args.link()?,
        bar: &progress_bar(args.no_progress),
        started,
    };
    let threads = use_threads(args.threads)?;
    let clocks = backend.watch_clocks();
    let measured = measure(
        args,
        &job,
        args.cut.segment_log_cycles,
        threads,
        &mut |milestone, file| match &mut out {
            Some(out) => out.progress(milestone, || report::to_json(&file())),
            None => Ok(()),
        },
    );
    if measured.is_err() {
        say_left(out.as_ref());
    }
    let mut result = measured.map_err(hint)?;
    seen(clocks, &mut result.hardware);
    if let Some(out) = &out {
        out.finish(&report::to_json(&result))?;
    }
    say_end(&backend, &result);
    let text = if args.json {
        report::to_json(&result)
    } else {
        report::render(&result)
    };
    print(text.as_bytes())
}

/// Opens what the command line names: the backend, the guest, the file of the result.
fn open(args: &RunArgs) -> Result<(Chosen, Guest, Option<Out>)> {
    let backend = args.backend.open()?;
    backend.refuse_numbers(args.out.is_some().then_some("--out"))?;
    backend.refuse_numbers(args.json.then_some("--json"))?;
    let guest = guests::load(&args.guest)?;
    let mut files = guests::files_of(&args.guest);
    if let Some(link) = &args.link {
        files.push(("--link", link));
    }
    let out = match &args.out {
        Some(path) => Some(Out::new(path, &files)?),
        None => None,
    };
    Ok((backend, guest, out))
}

/// What a run takes beside its parameters.
struct Work<'a> {
    guest: &'a Guest,
    backend: &'a Chosen,
    hardware: &'a Hardware,
    link: Option<Link>,
    bar: &'a ProgressBar,
    started: Instant,
}

/// Keeps progress: whether a part ended that is done once, and the file so far.
type Keep<'k> = dyn FnMut(bool, &dyn Fn() -> ResultFile) -> Result<()> + 'k;

/// Runs the job with segments of one size.
///
/// - `keep`: called after every step.
fn measure(
    args: &RunArgs,
    work: &Work<'_>,
    log_cycles: u32,
    threads: u32,
    keep: &mut Keep<'_>,
) -> Result<ResultFile> {
    let Work {
        guest,
        backend,
        hardware,
        link,
        bar,
        started,
    } = work;
    let encodings = chosen(&args.encodings, &Encoding::ALL);
    let compressions = chosen(&args.compressions, &Compression::ALL);
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
        log_cycles,
        log_chunk: args.cut.chunk_log_cycles,
        encodings: encodings.iter().map(|e| e.name().to_owned()).collect(),
        compressions: compressions.iter().map(|c| c.name().to_owned()).collect(),
        segments: args.segments,
        max_cycles: args.guest.max_cycles,
        threads,
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
    let created = super::now();
    let file = |measurement: &Measurement, complete| {
        let elapsed = started.elapsed().as_secs_f64();
        ResultFile {
            link: link.clone(),
            ..ResultFile::new(measurement, hardware, &created, elapsed, complete)
        }
    };
    let mut report_progress = |progress: &Progress<'_>| {
        bar.set_length(progress.total);
        bar.set_position(progress.step);
        bar.set_message(progress.done.to_owned());
        keep(progress.milestone, &|| file(progress.so_far, false))
    };
    let measured = on!(backend, backend => measure::run(&job, backend, &mut report_progress));
    bar.finish_and_clear();
    Ok(file(&measured?, true))
}

/// Adds what was seen of the GPU while it worked.
fn seen(clocks: Option<ClockSampler>, hardware: &mut Hardware) {
    if let (Some(clocks), Some(gpu)) = (clocks, &mut hardware.gpu) {
        gpu.load = clocks.finish();
    }
}

/// Says where the file of a run that ended early is.
fn say_left(out: Option<&Out>) {
    if let Some(left) = out.and_then(Out::left) {
        say(&format!("what was measured is in {}", left.display()));
    }
}

/// Says what is to be known of a run beside its results.
fn say_end(backend: &Chosen, result: &ResultFile) {
    if result.guest.exit_code != Some(0) {
        let code = result.guest.exit_code.unwrap_or(0);
        say(&format!("warning: the guest exited with code {code}"));
    }
    backend.say_memory();
    if let Some(why) = backend.no_numbers() {
        say(&format!(
            "warning: {why}: every encoding was checked, and no time below is to be kept"
        ));
    }
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
