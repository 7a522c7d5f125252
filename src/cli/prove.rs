//! `rewit prove` and `rewit verify`: segment proofs as files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use rewit::backend::Backend as _;
use rewit::measure::PeakMemory;
use rewit::report::{format_bytes, format_count, format_counted, format_seconds};
use rewit::segment::Runner;
use rewit::ship::{Payload, Shipment};
use rewit::stark::air::ProgramAir;
use rewit::stark::security::{Security, security};
use rewit::stark::{Chain, Prover, Proving, SegmentProof, Shape};
use rewit::vm::{Program, Stop};
use rewit::{Error, Result};

use super::backend::{BackendArgs, on};
use super::files::{MAX_INPUT, failed, read_file, refuse_same, write_file};
use super::params::ParamArgs;
use super::{GuestArgs, guests, print, say, use_threads};

/// Most bytes of a proof file. Decoding takes up to 80 times as much memory.
const MAX_PROOF: u64 = 64 << 20;

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
    #[command(flatten)]
    backend: BackendArgs,
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
    /// The exit code that the run is said to have; for `--chain` [default: 0].
    #[arg(long, value_name = "N")]
    exit_code: Option<u32>,
    /// A file with the journal that the run is said to have; for `--chain`.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

/// Proves one segment or all.
pub(crate) fn prove(args: &ProveArgs) -> Result<()> {
    use_threads(args.threads)?;
    let backend = args.backend.open()?;
    let guest = guests::load(&args.guest)?;
    if args.all {
        make_folder(&args.out)?;
    } else {
        refuse_same("--out", &args.out, &guests::files_of(&args.guest))?;
    }
    let (program, log_cycles) = (&guest.program, args.segment_log_cycles);
    let params = args
        .params
        .choose(&Shape::of_segment(program, log_cycles), 2)?;
    let start = Instant::now();
    let prover = on!(&backend, backend => backend.prover(program, params))?;
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
        let num_cycles = recording.segment.num_cycles;
        let shipment = Shipment {
            program: *program.digest(),
            segment: recording.segment,
            input: recording.input,
            input_ends: recording.input_ends,
            elf: None,
            payload: Payload::Reads(recording.reads),
        };
        let witness = on!(&backend, backend => {
            let made = backend.regenerate(program, shipment, None, None)?;
            backend.to_host(made.witness)?
        });
        let regenerated = start.elapsed();
        let start = Instant::now();
        let proof = prover.prove(index, witness)?;
        let proved = start.elapsed();
        let bytes = proof.encode();
        let start = Instant::now();
        let own = |error| Error::Differs(format!("segment {index}: own proof: {error}"));
        proof.verify(&params, &key).map_err(own)?;
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
            format_count(num_cycles.into()),
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
        let found = security(&params, &Shape::of_proof(&proof).map_err(own)?);
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
    backend.say_memory();
    if let Some(Stop::Trap(trap)) = runner.stop() {
        // No chain of segments that does not exit is accepted.
        if args.all {
            return Err(Error::Trap(trap));
        }
        say(&format!("warning: the segment ends in a trap: {trap}"));
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

/// Makes the folder for the proofs of a run; there may be none in it yet.
fn make_folder(path: &Path) -> Result<()> {
    if path.as_os_str() == "-" {
        return Err(Error::Usage(
            "--all writes a file per segment; give --out a folder".to_owned(),
        ));
    }
    fs::create_dir_all(path).map_err(failed(format!("--out {}", path.display())))?;
    if proofs_in(path)?.is_empty() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "--out {} holds proofs already; give another folder, or empty it",
        path.display()
    )))
}

/// The files in a folder that end in `.proof`, in the order of their numbers.
fn proofs_in(folder: &Path) -> Result<Vec<PathBuf>> {
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
    // Numbers have four digits, or more from 10,000 on.
    paths.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    Ok(paths)
}

/// Verifies proofs.
pub(crate) fn verify(args: &VerifyArgs) -> Result<()> {
    let (paths, folder) = proofs(&args.proofs)?;
    let chained = args.chain || folder;
    check_flags(args, chained)?;
    let program = match &args.guest {
        Some(name) => Some(guests::load_program(name)?),
        None => None,
    };
    let input = match &args.guest {
        Some(guest) if chained => guests::load_input(guest, args.input.as_deref())?,
        _ => Vec::new(),
    };
    let journal = match &args.journal {
        Some(path) => Some(read_file("--journal", path, MAX_INPUT)?),
        None => None,
    };
    let mut chain = match &program {
        Some(program) if chained => Some(Chain::new(program, &input)?),
        _ => None,
    };
    let mut keys = Keys::default();
    for path in &paths {
        let bytes = read_file("", path, MAX_PROOF)?;
        let start = Instant::now();
        let checked = check(&bytes, args, program.as_ref(), &mut keys);
        let (proof, found) = checked.map_err(|reason| named(path, reason))?;
        if let Some(chain) = &mut chain {
            chain
                .push(&proof.statement)
                .map_err(|error| named(path, Error::Rejected(error.to_string())))?;
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
    let outcome = chain.finish().map_err(rejected)?;
    let exit_code = args.exit_code.unwrap_or(0);
    outcome
        .check_claim(exit_code, journal.as_deref().unwrap_or(&outcome.journal))
        .map_err(rejected)?;
    say(&format!(
        "{}, {}: one run from the program's start to its exit with code {}; journal \
         of {}, BLAKE3 {}",
        format_counted(outcome.num_segments, "segment"),
        format_counted(outcome.num_cycles, "cycle"),
        outcome.exit_code,
        format_bytes(outcome.journal.len() as f64),
        blake3::hash(&outcome.journal)
    ));
    print(b"accepted\n")
}

/// Refuses flags that would say nothing.
fn check_flags(args: &VerifyArgs, chained: bool) -> Result<()> {
    let usage = |text: &str| Err(Error::Usage(text.to_owned()));
    match (&args.guest, &args.key) {
        (None, None) => {
            return usage(
                "a proof is of a program; give --guest, or --key with the digest that rewit prove \
                 printed",
            );
        }
        (None, Some(_)) if chained => {
            return usage("a chain is checked against the program itself; give --guest, not --key");
        }
        _ => {}
    }
    let claims = [
        ("--input", args.input.is_some()),
        ("--exit-code", args.exit_code.is_some()),
        ("--journal", args.journal.is_some()),
    ];
    match claims.iter().find(|(_, given)| *given) {
        Some((flag, _)) if !chained => usage(&format!(
            "{flag} is a claim about a whole run; give --chain with all of its segments, or leave it \
             out"
        )),
        _ => Ok(()),
    }
}

/// Decodes and verifies one proof; cheap checks come first.
fn check(
    bytes: &[u8],
    args: &VerifyArgs,
    program: Option<&Program>,
    keys: &mut Keys,
) -> Result<(SegmentProof, Security)> {
    let proof = SegmentProof::decode(bytes).map_err(rejected)?;
    let found = security(&proof.params, &Shape::of_proof(&proof).map_err(rejected)?);
    if found.provable().bits() < f64::from(args.security) {
        return Err(rejected(format!(
            "its parameters give {:.1} provable bits of security ({}), --security asks for {}",
            found.provable().bits(),
            found.provable().binding().name,
            args.security
        )));
    }
    let expected = match (program, args.key) {
        (Some(program), _) => keys.of(program, &proof)?,
        (None, Some(key)) => key,
        (None, None) => unreachable!("flags are checked before"),
    };
    proof.verify(&proof.params, &expected).map_err(rejected)?;
    Ok((proof, found))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "so that it can be given to map_err"
)]
fn rejected(reason: impl ToString) -> Error {
    Error::Rejected(reason.to_string())
}

/// Names the file in the reason to reject it.
fn named(path: &Path, error: Error) -> Error {
    match error {
        Error::Rejected(reason) => Error::Rejected(format!("{}: {reason}", path.display())),
        other => other,
    }
}

/// The files to verify, and whether they were given as a folder.
fn proofs(given: &[PathBuf]) -> Result<(Vec<PathBuf>, bool)> {
    let [folder] = given else {
        return Ok((given.to_vec(), false));
    };
    if !folder.is_dir() {
        return Ok((given.to_vec(), false));
    }
    let paths = proofs_in(folder)?;
    if paths.is_empty() {
        return Err(Error::Usage(format!(
            "no file in {} ends in .proof; give the folder that rewit prove --all wrote",
            folder.display()
        )));
    }
    Ok((paths, true))
}

/// Keys of one program, by the parameters they depend on.
#[derive(Default)]
struct Keys(HashMap<(u8, u8), blake3::Hash>);

impl Keys {
    fn of(&mut self, program: &Program, proof: &SegmentProof) -> Result<blake3::Hash> {
        let params = &proof.params;
        let key = (params.log_blowup, params.cap_height);
        if let Some(digest) = self.0.get(&key) {
            return Ok(*digest);
        }
        // Another program, most likely; without the work of committing to this one.
        let rows = ProgramAir::new(program).height();
        if rows != 1 << proof.key.log_rows.min(31) {
            return Err(rejected(format!(
                "the proof is of another program: its table has 2^{} rows, not {rows}",
                proof.key.log_rows
            )));
        }
        let digest = Prover::new(program, *params)?.key().digest(params);
        self.0.insert(key, digest);
        Ok(digest)
    }
}
