//! `rewit encode` and `rewit regenerate`: shipments as files.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use rewit::backend::Backend as _;
use rewit::measure::Capture;
use rewit::report::{format_bytes, format_seconds};
use rewit::segment::{Pages, Runner};
use rewit::ship::{self, Base, Compression, Encoding, Payload, Shipment, memory_digest};
use rewit::vm::{Program, Stop};
use rewit::witness::Witness;
use rewit::{Error, Result};

use super::backend::{BackendArgs, on};
use super::files::{read_shipment, refuse_same, write_file};
use super::{
    CutArgs, GuestArgs, guests, parse_compression, parse_encoding, print, say, use_threads,
};

#[derive(Args, Debug)]
pub(crate) struct EncodeArgs {
    #[command(flatten)]
    guest: GuestArgs,
    #[command(flatten)]
    cut: CutArgs,
    /// Number of the segment, from 0.
    #[arg(long, value_name = "I", default_value_t = 0)]
    segment: u32,
    /// The encoding.
    #[arg(long, value_name = "NAME", default_value = "reads", value_parser = parse_encoding)]
    encoding: Encoding,
    /// The compression.
    #[arg(long, value_name = "NAME", default_value = "zstd", value_parser = parse_compression)]
    compression: Compression,
    /// Put the ELF file into the shipment, so that it can be regenerated without.
    #[arg(long)]
    embed_elf: bool,
    /// Threads [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// The file to write; `-` for standard output.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct RegenerateArgs {
    /// The shipment; `rewit encode` writes one.
    file: PathBuf,
    /// The guest, if the shipment has no ELF file in it and is not of a built-in guest.
    #[arg(long, value_name = "NAME|PATH")]
    guest: Option<String>,
    /// For `delta-prev`: an `image` shipment of the segment before.
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    #[command(flatten)]
    backend: BackendArgs,
    /// Threads [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
}

/// Runs a guest up to a segment and writes that.
pub(crate) fn encode(args: &EncodeArgs) -> Result<()> {
    args.cut.check()?;
    let guest = guests::load(&args.guest)?;
    refuse_same("--out", &args.out, &guests::files_of(&args.guest))?;
    use_threads(args.threads)?;
    let program = &guest.program;
    let CutArgs {
        segment_log_cycles,
        chunk_log_cycles,
    } = args.cut;
    let max_cycles = args.guest.max_cycles;
    if u64::from(args.segment) << segment_log_cycles >= max_cycles {
        return Err(Error::Usage(format!(
            "segment {} starts after --max-cycles {max_cycles}; raise --max-cycles",
            args.segment
        )));
    }
    let mut runner = Runner::new(program, &guest.input, segment_log_cycles, chunk_log_cycles)?;
    let mut previous = None;
    for index in 0..args.segment {
        if index + 1 == args.segment {
            previous = Some(runner.image());
        }
        if runner.skip_segment().is_none() {
            return Err(none_such(args.segment, &runner));
        }
    }
    let before = Capture::before(&runner, previous);
    let recording = runner
        .next_segment()
        .ok_or_else(|| none_such(args.segment, &runner))?;
    if runner.cycle() > max_cycles {
        return Err(Error::Usage(format!(
            "segment {} ends after {} cycles, above --max-cycles {max_cycles}; raise --max-cycles",
            args.segment,
            runner.cycle()
        )));
    }
    if let Some(Stop::Trap(trap)) = runner.stop() {
        say(&format!(
            "warning: segment {} ends in a trap: {trap}",
            args.segment
        ));
    }
    let captured = before.after(&runner, recording);
    let shipment = captured.shipment(
        program,
        &guest.input,
        args.encoding,
        args.embed_elf,
        Witness::default(),
    )?;
    let bytes = ship::encode(&shipment, args.compression)?;
    write_file("--out", &args.out, &bytes)?;
    say(&format!(
        "segment {} of {}, {} cycles, {} {}: {}",
        args.segment,
        guest.name,
        shipment.segment.num_cycles,
        args.encoding,
        args.compression,
        format_bytes(bytes.len() as f64)
    ));
    Ok(())
}

/// There is no such segment: the guest stopped before.
pub(super) fn none_such(segment: u32, runner: &Runner<'_>) -> Error {
    if let Some(Stop::Trap(trap)) = runner.stop() {
        return Error::Trap(trap);
    }
    Error::Usage(format!(
        "no segment {segment}: the guest stops after {} cycles; give a lower --segment or \
         --segment-log-cycles",
        runner.cycle()
    ))
}

/// Regenerates a witness from a file and prints its digest.
pub(crate) fn regenerate(args: &RegenerateArgs) -> Result<()> {
    use_threads(args.threads)?;
    let backend = args.backend.open()?;
    let bytes = read_shipment("", &args.file)?;
    let start = Instant::now();
    let shipment = ship::decode(&bytes)?;
    let decode = start.elapsed();
    let num_bytes = bytes.len();
    drop(bytes);
    let program = program(args, &shipment)?;
    let base = base(args, &program, &shipment)?;
    let (encoding, segment) = (shipment.encoding(), shipment.segment);
    let (witness, parts, took) = on!(&backend, backend => {
        let start = Instant::now();
        let made = backend.regenerate(&program, shipment, base.as_ref(), None)?;
        let took = start.elapsed();
        (backend.to_host(made.witness)?, made.parts, took)
    });
    let parts: Vec<String> = parts
        .iter()
        .map(|(name, took)| format!("{name} {}", format_seconds(took.as_secs_f64())))
        .collect();
    say(&format!(
        "segment {}, {} cycles from {encoding}: {} decoded in {}, witness of {} regenerated \
         in {} ({})",
        segment.index,
        segment.num_cycles,
        format_bytes(num_bytes as f64),
        format_seconds(decode.as_secs_f64()),
        format_bytes(witness.num_bytes() as f64),
        format_seconds(took.as_secs_f64()),
        parts.join(", ")
    ));
    backend.say_memory();
    print(format!("{}\n", witness.digest()).as_bytes())
}

/// The program: the one given, else the one in the shipment, else a built-in one.
fn program(args: &RegenerateArgs, shipment: &Shipment) -> Result<Program> {
    let program = match (&args.guest, shipment.embedded_elf()) {
        (Some(guest), _) => guests::load_program(guest)?,
        (None, Some(elf)) => Program::from_elf(elf.to_vec())?,
        (None, None) => guests::by_digest(&shipment.program).ok_or_else(|| {
            Error::Usage(format!(
                "{} is of a program that is not built in, and has no elf file in it; give --guest",
                args.file.display()
            ))
        })?,
    };
    if program.digest() != &shipment.program {
        return Err(Error::Usage(format!(
            "{} is of another program than --guest",
            args.file.display()
        )));
    }
    Ok(program)
}

/// The memory that a delta is relative to.
fn base(args: &RegenerateArgs, program: &Program, shipment: &Shipment) -> Result<Option<Pages>> {
    let Payload::Delta {
        base: Base::Previous { digest },
        ..
    } = &shipment.payload
    else {
        if let Some(path) = &args.base {
            return Err(Error::Usage(format!(
                "--base {} is only for delta-prev, and {} is {}; leave --base out",
                path.display(),
                args.file.display(),
                shipment.encoding()
            )));
        }
        return Ok(None);
    };
    let pages = match &args.base {
        // At the start of a run it is the program's initial memory.
        None => program.initial_pages(),
        Some(path) => match ship::decode(&read_shipment("--base", path)?)?.payload {
            Payload::Image(pages) => pages,
            _ => {
                return Err(Error::Usage(format!(
                    "--base {} is no image shipment",
                    path.display()
                )));
            }
        },
    };
    if memory_digest(&pages) != *digest {
        return Err(Error::Usage(format!(
            "{} is relative to another memory; give --base an image shipment of segment {}",
            args.file.display(),
            shipment.segment.index.saturating_sub(1)
        )));
    }
    Ok(Some(pages))
}
