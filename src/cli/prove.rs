//! `rewit prove` and `rewit verify`: segment proofs as files.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use rewit::measure::PeakMemory;
use rewit::report::{format_bytes, format_count, format_seconds};
use rewit::segment::Runner;
use rewit::stark::security::{Security, security};
use rewit::stark::{Chain, Prover, SegmentProof, Shape};
use rewit::vm::{Program, Stop};
use rewit::witness::fill_from_reads;
use rewit::{Error, Result};

use super::files::{failed, read_file, refuse_same, write_file};
use super::params::ParamArgs;
use super::{GuestArgs, guests, print, say, use_threads};

/// Most bytes of a proof file.
const MAX_PROOF: u64 = 1 << 30;

#[derive(Args, Debug)]
pub(crate) struct ProveArgs {
    #[command(flatten)]
    guest: GuestArgs,
    /// Base-2 logarithm of the cycles in a segment.
    #[arg(
        long,
        value_name = "K",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(8..=22)
    )]
    segment_log_cycles: u32,
    /// Number of the segment, from 0.
    #[arg(long, value_name = "I", default_value_t = 0)]
    segment: u32,
    /// Prove every segment; `--out` is then a folder.
    #[arg(long, conflicts_with = "segment")]
    all: bool,
    #[command(flatten)]
    params: ParamArgs,
    /// Threads [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// The file to write, `-` for standard output; with `--all` the folder to write
    /// `segment-0000.proof` and so on to.
    #[arg(short, long, value_name = "FILE|DIR")]
    out: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Proofs, in the order of their segments; or a folder that `rewit prove --all` wrote, which
    /// means `--chain`.
    #[arg(required = true, value_name = "FILE|DIR")]
    proofs: Vec<PathBuf>,
    /// The program: a built-in guest or the path of an ELF file.
    #[arg(long, value_name = "NAME|PATH")]
    guest: Option<String>,
    /// The program, by the digest of its key, which `rewit prove` prints.
    #[arg(long, value_name = "HEX", conflicts_with_all = ["guest", "input"])]
    key: Option<blake3::Hash>,
    /// Least provable bits of security to accept.
    #[arg(long, value_name = "BITS", default_value_t = 100)]
    security: u32,
    /// The proofs must be all segments of one run, from the program's start to its exit.
    #[arg(long)]
    chain: bool,
    /// What the guest reads, as for `rewit prove`; for `--chain`.
    #[arg(long, value_name = "NAME|FILE")]
    input: Option<String>,
    /// The exit code that the run is said to have; for `--chain`.
    #[arg(long, value_name = "N", default_value_t = 0)]
    exit_code: u32,
    /// A file with the journal that the run is said to have; for `--chain`.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

/// Proves one segment or all.
pub(crate) fn prove(args: &ProveArgs) -> Result<()> {
    use_threads(args.threads)?;
    let guest = guests::load(&args.guest)?;
    if args.all {
        fs::create_dir_all(&args.out).map_err(failed(format!("--out {}", args.out.display())))?;
    } else {
        refuse_same("--out", &args.out, &guests::files_of(&args.guest))?;
    }
    let (program, log_cycles) = (&guest.program, args.segment_log_cycles);
    let params = args
        .params
        .choose(&Shape::of_segment(program, log_cycles), 2)?;
    let start = Instant::now();
    let prover = Prover::new(program, params)?;
    let key = prover.key().digest(&params);
    say(&format!(
        "program {}: key {key}, fixed columns committed to in {}",
        guest.name,
        format_seconds(start.elapsed().as_secs_f64())
    ));

    let mut runner = Runner::new(program, &guest.input, log_cycles, log_cycles.min(8))?;
    let mut index = 0;
    while !args.all && index < args.segment {
        runner
            .skip_segment()
            .ok_or_else(|| super::ship::none_such(args.segment, &runner))?;
        index += 1;
    }
    let mut total = 0;
    while let Some(recording) = runner.next_segment() {
        if runner.cycle() > args.guest.max_cycles {
            return Err(Error::CycleLimit {
                cycles: runner.cycle(),
                pc: runner.state().pc,
            });
        }
        let peak = PeakMemory::start();
        let start = Instant::now();
        let witness = fill_from_reads(program, &recording.segment, &recording.reads, Vec::new())?;
        let regenerated = start.elapsed();
        let start = Instant::now();
        let proof = prover.prove(index, witness)?;
        let proved = start.elapsed();
        let bytes = proof.encode();
        let start = Instant::now();
        proof
            .verify(&params, &key)
            .map_err(|error| Error::Differs(format!("segment {index}: own proof: {error}")))?;
        let verified = start.elapsed();
        let path = if args.all {
            args.out.join(format!("segment-{index:04}.proof"))
        } else {
            args.out.clone()
        };
        write_file("--out", &path, &bytes)?;
        total += bytes.len();
        let argument = proof.argument.encode().len() as f64;
        let statement = proof.encode_statement().len() as f64;
        say(&format!(
            "segment {index} of {}: {} cycles; proof {} = {} argument + {} statement; witness {}, \
             proof {}, verified in {}{}",
            guest.name,
            format_count(recording.segment.num_cycles.into()),
            format_bytes(bytes.len() as f64),
            format_bytes(argument),
            format_bytes(statement),
            format_seconds(regenerated.as_secs_f64()),
            format_seconds(proved.as_secs_f64()),
            format_seconds(verified.as_secs_f64()),
            peak.bytes().map_or(String::new(), |bytes| format!(
                ", peak memory {}",
                format_bytes(bytes as f64)
            ))
        ));
        let found = security(&params, &Shape::of_proof(&proof));
        if index == 0 || !args.all {
            say(&levels(&found));
        }
        if found.provable().bits() < args.params.asked() {
            say(&format!(
                "warning: segment {index} has {:.1} provable bits of security, fewer than --security",
                found.provable().bits()
            ));
        }
        index += 1;
        if !args.all {
            break;
        }
    }
    if let Some(Stop::Trap(trap)) = runner.stop() {
        say(&format!("warning: the run ends in a trap: {trap}"));
    }
    if index == args.segment && !args.all {
        return Err(super::ship::none_such(args.segment, &runner));
    }
    if args.all {
        say(&format!(
            "{index} segments, {} in all",
            format_bytes(total as f64)
        ));
    }
    if args.out.as_os_str() == "-" {
        return Ok(());
    }
    print(format!("{key}\n").as_bytes())
}

/// Security in words.
fn levels(security: &Security) -> String {
    let level = |name: &str, level: &rewit::stark::security::Level| {
        let binding = level.binding();
        format!("{name} {:.1} ({})", binding.bits, binding.name)
    };
    let johnson = security
        .johnson
        .as_ref()
        .map_or("Johnson none".to_owned(), |l| level("Johnson", l));
    format!(
        "bits of security: {}, {johnson} proven; {} conjectured",
        level("unique decoding", &security.unique),
        level("random words", &security.conjectured)
    )
}

/// Verifies proofs.
pub(crate) fn verify(args: &VerifyArgs) -> Result<()> {
    if args.guest.is_none() && args.key.is_none() {
        return Err(Error::Usage(
            "a proof is of a program; give --guest, or --key with the digest that rewit prove printed"
                .to_owned(),
        ));
    }
    let (paths, folder) = proofs(&args.proofs)?;
    let chained = args.chain || folder;
    let program = match &args.guest {
        Some(name) => Some(guests::load_program(name)?),
        None => None,
    };
    let input = match (&program, chained) {
        (Some(_), true) => {
            let guest = args.guest.clone().unwrap_or_default();
            guests::load_input(&guest, args.input.as_deref())?
        }
        _ => Vec::new(),
    };
    let mut chain = match (&program, chained) {
        (Some(program), true) => Some(Chain::new(program, &input)?),
        (None, true) => {
            return Err(Error::Usage(
                "a chain is checked against the program; give --guest".to_owned(),
            ));
        }
        _ => None,
    };
    let mut keys = Keys::default();
    for path in &paths {
        let bytes = read_file("", path, MAX_PROOF)?;
        let proof = SegmentProof::decode(&bytes)?;
        let start = Instant::now();
        let expected = match (&program, args.key) {
            (_, Some(key)) => key,
            (Some(program), None) => keys.of(program, &proof)?,
            (None, None) => unreachable!("checked above"),
        };
        let rejected = |reason: String| Error::Rejected(format!("{}: {reason}", path.display()));
        let found = security(&proof.params, &Shape::of_proof(&proof));
        if found.provable().bits() < f64::from(args.security) {
            return Err(rejected(format!(
                "its parameters give {:.1} provable bits of security ({}), --security asks for {}",
                found.provable().bits(),
                found.provable().binding().name,
                args.security
            )));
        }
        proof
            .verify(&proof.params, &expected)
            .map_err(|error| rejected(error.to_string()))?;
        if let Some(chain) = &mut chain {
            chain
                .push(&proof.statement)
                .map_err(|error| rejected(error.to_string()))?;
        }
        say(&format!(
            "{}: segment {} accepted in {}: {}; {}",
            path.display(),
            proof.statement.index,
            format_seconds(start.elapsed().as_secs_f64()),
            format_bytes(bytes.len() as f64),
            levels(&found)
        ));
    }
    let Some(chain) = chain else {
        say(
            "each segment holds by itself; that they follow one another, and from which memory, is \
             checked with --chain",
        );
        return print(b"accepted\n");
    };
    let outcome = chain
        .finish()
        .map_err(|error| Error::Rejected(error.to_string()))?;
    let journal = match &args.journal {
        Some(path) => Some(read_file("--journal", path, MAX_PROOF)?),
        None => None,
    };
    outcome
        .check_claim(
            args.exit_code,
            journal.as_deref().unwrap_or(&outcome.journal),
        )
        .map_err(|error| Error::Rejected(error.to_string()))?;
    say(&format!(
        "{} segments, {} cycles: one run from the program's start to its exit with code {}; journal \
         of {}, BLAKE3 {}",
        outcome.num_segments,
        format_count(outcome.num_cycles),
        outcome.exit_code,
        format_bytes(outcome.journal.len() as f64),
        blake3::hash(&outcome.journal)
    ));
    print(b"accepted\n")
}

/// The files to verify, and whether they were given as a folder.
fn proofs(given: &[PathBuf]) -> Result<(Vec<PathBuf>, bool)> {
    let [folder] = given else {
        return Ok((given.to_vec(), false));
    };
    if !folder.is_dir() {
        return Ok((given.to_vec(), false));
    }
    let failed = failed(folder.display().to_string());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(&failed)? {
        let path = entry.map_err(&failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "proof")
        {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Error::Usage(format!(
            "no file in {} ends in .proof; give the folder that rewit prove --all wrote",
            folder.display()
        )));
    }
    paths.sort();
    Ok((paths, true))
}

/// Keys of one program, by the parameters they depend on.
#[derive(Default)]
struct Keys(Option<(rewit::stark::Params, blake3::Hash)>);

impl Keys {
    fn of(&mut self, program: &Program, proof: &SegmentProof) -> Result<blake3::Hash> {
        if let Some((params, digest)) = self.0
            && params == proof.params
        {
            return Ok(digest);
        }
        let digest = Prover::new(program, proof.params)?
            .key()
            .digest(&proof.params);
        self.0 = Some((proof.params, digest));
        Ok(digest)
    }
}
