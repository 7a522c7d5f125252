//! The command line: one file per subcommand.

mod backend;
mod compare;
mod devices;
mod exec;
mod files;
mod fold;
mod guests;
mod inspect;
mod link;
mod model;
mod out;
mod params;
mod proof_size;
mod prove;
mod report;
mod run;
mod ship;
mod units;
mod validate;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use rewit::report::escape_text;
use rewit::ship::{Compression, Encoding};
use rewit::{Error, Result};

/// Measures whether it is cheaper to recompute a zkVM witness or to ship it.
///
/// Without a subcommand it does the main job, as `rewit run` does: it executes a guest, cuts the
/// run into segments, sends some of them through every encoding, regenerates their witnesses,
/// checks that these are identical, and prints what each encoding costs and up to which bandwidth
/// recomputing is faster than shipping.
///
/// Exit codes: 0 success; 1 failure; 2 wrong usage or a capability that is missing; 3 a proof was
/// rejected, or results that should be the same differ; 4 a comparison is above its threshold. `exec` exits with the guest's own code.
#[derive(Parser, Debug)]
#[command(version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Measure every encoding on a guest and print the break-even bandwidths (the default).
    Run(run::RunArgs),
    /// Execute a guest; its output goes to standard output and error, and its exit code is ours.
    Exec(exec::ExecArgs),
    /// Write one segment of a run as a shipment file.
    Encode(ship::EncodeArgs),
    /// Regenerate the witness from a shipment file and print its digest.
    Regenerate(ship::RegenerateArgs),
    /// Say what the header of a shipment file says.
    Inspect(inspect::InspectArgs),
    /// Prove a segment, or every segment of a run.
    Prove(prove::ProveArgs),
    /// Verify proofs of segments, and that they are one run.
    Verify(prove::VerifyArgs),
    /// Fold a segment as R1CS over BN254, chunk by chunk, and measure what that costs at any chunk size.
    Fold(fold::FoldArgs),
    /// Measure how long proofs are and how secure, over a grid of parameters.
    ProofSize(proof_size::ProofSizeArgs),
    /// Make a page with tables and plots of result files: one HTML file that loads nothing.
    Report(report::ReportArgs),
    /// Model what was not measured: a cluster, event by event; the note's ledger with --note.
    Model(Box<model::ModelArgs>),
    /// Check result files.
    Validate(validate::ValidateArgs),
    /// Describe this machine and its GPUs, and measure how fast they copy.
    Devices(devices::DevicesArgs),
    /// Measure a link between two processes or machines.
    Link(link::LinkArgs),
    /// Compare result files: ratios with intervals, and what cannot be compared and why.
    ///
    /// Rows of the same stage with the same parameters are divided, with an interval of the ratio;
    /// rows that are not alike are refused, and the reason is said. Machines, links and threads may
    /// differ: they are what is compared. docs/method.md has the rules under "Comparing".
    ///
    /// Exit codes: 0 rows were compared; 2 nothing can be compared; 4 a row is above --threshold.
    Compare(compare::CompareArgs),
    /// List the built-in guests and their inputs.
    Guests,
    /// Print the JSON Schema of result files.
    Schema {
        /// Which files.
        #[arg(value_enum, default_value = "run")]
        of: SchemaOf,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Result files of which there is a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SchemaOf {
    /// Those of `rewit run`.
    Run,
    /// Those of `rewit fold`.
    Fold,
    /// Those of `rewit proof-size`.
    ProofSize,
    /// Those of `rewit run --profile full`.
    Profile,
    /// Those of `rewit link probe`.
    Link,
}

/// The guest and its input.
#[derive(Args, Clone, Debug)]
pub(crate) struct GuestArgs {
    /// A built-in guest (see `rewit guests`) or the path of a static RV32IM ELF file.
    #[arg(long, value_name = "NAME|PATH", default_value = "block")]
    pub(crate) guest: String,
    /// What the guest reads from standard input: a file, `-` for this program's standard input, or
    /// for a built-in guest the name of one of its inputs. Without it a built-in guest gets its
    /// `default` input, any other an empty one.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) input: Option<String>,
    /// Most cycles the guest may take.
    #[arg(long, value_name = "N", default_value_t = 1 << 34)]
    pub(crate) max_cycles: u64,
}

/// How a run is cut.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct CutArgs {
    /// Base-2 logarithm of the cycles in a segment.
    #[arg(
        long,
        value_name = "K",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(4..=i64::from(rewit::ship::MAX_LOG_CYCLES))
    )]
    pub(crate) segment_log_cycles: u32,
    /// Base-2 logarithm of the cycles in a chunk of a shipped minimal trace; at most that of a
    /// segment.
    #[arg(
        long,
        value_name = "C",
        default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(2..=i64::from(rewit::ship::MAX_LOG_CYCLES))
    )]
    pub(crate) chunk_log_cycles: u32,
}

impl CutArgs {
    fn check(self) -> Result<()> {
        if self.chunk_log_cycles > self.segment_log_cycles {
            return Err(Error::Usage(format!(
                "--chunk-log-cycles {} is above --segment-log-cycles {}; a chunk is no longer than \
                 its segment",
                self.chunk_log_cycles, self.segment_log_cycles
            )));
        }
        Ok(())
    }
}

/// Reads the command line; on wrong usage and on `--help` and `--version` it prints and exits.
pub(crate) fn parse() -> Cli {
    let matches = Cli::command().get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let given = |matches: &ArgMatches| {
        matches.value_source("segment_log_cycles") == Some(ValueSource::CommandLine)
    };
    match (&mut cli.command, matches.subcommand()) {
        (Some(Command::Run(args)), Some((_, matches))) => args.cut_given = given(matches),
        (Some(Command::Model(args)), Some((_, matches))) => args.remember(matches),
        (None, _) => cli.run.cut_given = given(&matches),
        _ => {}
    }
    cli
}

/// Does what was asked for.
pub(crate) fn dispatch(cli: Cli) -> Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(args) => run::run(&args).map(done),
        Command::Exec(args) => exec::exec(&args),
        Command::Encode(args) => ship::encode(&args).map(done),
        Command::Regenerate(args) => ship::regenerate(&args).map(done),
        Command::Inspect(args) => inspect::inspect(&args).map(done),
        Command::Prove(args) => prove::prove(&args).map(done),
        Command::Verify(args) => prove::verify(&args).map(done),
        Command::Fold(args) => fold::fold(&args).map(done),
        Command::ProofSize(args) => proof_size::proof_size(&args).map(done),
        Command::Report(args) => report::report(&args).map(done),
        Command::Model(args) => model::model(&args).map(done),
        Command::Validate(args) => validate::validate(&args).map(done),
        Command::Devices(args) => devices::devices(&args).map(done),
        Command::Link(args) => link::link(&args).map(done),
        Command::Compare(args) => compare::compare(&args),
        Command::Guests => guests::list().map(done),
        Command::Schema { of } => {
            let schema = match of {
                SchemaOf::Run => rewit::report::schema(),
                SchemaOf::Fold => rewit::report::folding_schema(),
                SchemaOf::ProofSize => rewit::report::proof_size_schema(),
                SchemaOf::Profile => rewit::report::profile_schema(),
                SchemaOf::Link => rewit::report::link_schema(),
            };
            print(schema.as_bytes()).map(done)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "rewit", &mut script);
            print(&script).map(done)
        }
    }
}

/// The exit code for an error, as in the help text.
pub(crate) fn exit_code(error: &Error) -> ExitCode {
    ExitCode::from(match error {
        Error::Usage(_) | Error::NoDevice(_) => 2,
        Error::Differs(_) | Error::Rejected(_) => 3,
        _ => 1,
    })
}

/// Writes to standard output. A reader that has gone away is no failure: it has read enough.
fn print(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    ignore_broken_pipe(
        out.write_all(bytes).and_then(|()| out.flush()),
        "standard output",
    )
}

/// Writes a line to standard error, where names of files, and what is in them, move no cursor. If that is closed, nobody is there to be told.
pub(crate) fn say(text: &str) {
    let lines: Vec<String> = text.split('\n').map(escape_text).collect();
    let _ = writeln!(io::stderr(), "rewit: {}", lines.join("\n"));
}

fn ignore_broken_pipe(written: io::Result<()>, name: &str) -> Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Io {
            path: PathBuf::from(name),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// The time, RFC 3339 in UTC, in whole seconds.
fn now() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second())
        .unwrap_or(now)
        .to_string()
}

/// Sets the number of threads for everything that is parallel; returns it.
fn use_threads(threads: Option<u32>) -> Result<u32> {
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(threads) = threads {
        pool = pool.num_threads(threads as usize);
    }
    pool.build_global()
        .map_err(|error| Error::Resource(format!("no threads (--threads): {error}")))?;
    Ok(rayon::current_num_threads() as u32)
}

/// Parses the name of an encoding.
fn parse_encoding(name: &str) -> Result<Encoding, String> {
    name.parse()
        .map_err(|error: rewit::ship::ShipError| error.to_string())
}

/// Parses the name of a compression.
fn parse_compression(name: &str) -> Result<Compression, String> {
    name.parse()
        .map_err(|error: rewit::ship::ShipError| error.to_string())
}
