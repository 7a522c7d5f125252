//! `rewit run --profile full`: the machine and every stage at several sizes, in one file.

use std::time::Instant;

use rewit::measure::proof_size::{Options, Row, Suite};
use rewit::measure::{Hardware, available_memory};
use rewit::report::{ProfileFile, ProofSizes, format_bytes, format_count, format_seconds};
use rewit::stark::{PROVABLE_LOG_CYCLES, Shape};
use rewit::vm::{Program, Stop, Vm};
use rewit::{Error, Result};

use super::{RunArgs, Work, measure, open, progress_bar, say_end, say_left, seen};
use crate::cli::backend::Chosen;
use crate::cli::guests::Guest;
use crate::cli::out::Out;
use crate::cli::{fold, now, print, proof_size, say, use_threads};

/// Base-2 logarithms of the cycles in a segment, where the guest has as many.
const LOG_CYCLES: [u32; 4] = [14, 16, 18, 20];
/// The same of the longest segment whose proofs are varied: a few dozen of them take half a minute.
const MAX_LOG_SIZES: u32 = 16;
/// Base-2 logarithm of the height of the table on whose cells FRI and WHIR are compared, and its width.
const TABLE: (u32, usize) = (14, 64);
/// Base-2 logarithm of the rows of a chunk, where all chunks are folded.
const LOG_ROWS: u32 = 6;
/// Base-2 logarithms of the rows of a chunk, where a sample of chunks is folded.
const SAMPLED_LOG_ROWS: std::ops::RangeInclusive<u32> = 3..=12;
/// Most folds of such a sample.
const SAMPLE_FOLDS: u32 = 7;
/// Memory that a run takes for each byte of a segment's tables, without a proof and with one: 5.4
/// were measured with 2^20 cycles and a blowup of 2.
const TIMES_TABLES: [u64; 2] = [3, 6];

/// A part of the job, with the base-2 logarithm of the cycles in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Run(u32),
    Folding(u32),
    ProofSizes(u32),
}

impl Part {
    fn name(self) -> String {
        match self {
            Self::Run(log) => format!("run, segments of 2^{log} cycles"),
            Self::Folding(log) => format!("folding, a segment of 2^{log} cycles"),
            Self::ProofSizes(log) => format!("proof sizes, a segment of 2^{log} cycles"),
        }
    }
}

/// Measures the machine, then part by part, and prints a table for each.
pub(super) fn full(args: &RunArgs) -> Result<()> {
    let started = Instant::now();
    let created = now();
    if args.cut_given {
        let sizes = LOG_CYCLES.map(|log| format!("2^{log}")).join(", ");
        return Err(Error::Usage(format!(
            "--segment-log-cycles does not go with --profile full, which measures segments of {sizes} \
             cycles as far as the guest has as many; leave it out, or use --profile quick"
        )));
    }
    let (backend, guest, out) = open(args)?;
    let link = args.link()?;
    let threads = use_threads(args.threads)?;
    let cycles = cycles(&guest.program, &guest.input, args.guest.max_cycles)?;
    let sizes = sizes(cycles);
    let chunk = args.cut.chunk_log_cycles;
    if chunk > sizes[0] {
        return Err(Error::Usage(format!(
            "--chunk-log-cycles {chunk} is above {}, of the shortest segments measured; a chunk is no \
             longer than its segment",
            sizes[0]
        )));
    }
    let mut notes = Vec::new();
    let plan = plan(args, &guest, &sizes, &mut notes);
    say(&format!(
        "profile of {}, {} cycles, in {} parts: memory bandwidth; {}",
        guest.name,
        format_count(cycles),
        1 + plan.len(),
        plan.iter()
            .map(|part| part.name())
            .collect::<Vec<_>>()
            .join("; ")
    ));
    let hardware = Hardware {
        gpu: backend.measured_gpu()?,
        ..Hardware::profile(threads)?
    };
    let mut full = Full {
        args,
        guest: &guest,
        backend: &backend,
        profile: ProfileFile {
            link,
            notes,
            ..ProfileFile::new(&hardware, &created)
        },
        hardware,
        out,
        threads,
        started,
    };
    let clocks = backend.watch_clocks();
    let measured = full.parts(&plan);
    if measured.is_err() {
        say_left(full.out.as_ref());
    }
    measured?;
    let Full {
        mut profile,
        out,
        mut hardware,
        ..
    } = full;
    seen(clocks, &mut hardware);
    profile.set_hardware(&hardware);
    profile.complete = true;
    profile.elapsed_seconds = started.elapsed().as_secs_f64();
    let json = profile.to_json();
    if let Some(out) = &out {
        out.finish(&json)?;
    }
    if let Some(run) = profile.runs.last() {
        say_end(&backend, run);
    }
    let text = if args.json { json } else { profile.render() };
    print(text.as_bytes())
}

/// Cycles that the guest takes.
fn cycles(program: &Program, input: &[u8], max_cycles: u64) -> Result<u64> {
    let mut vm = Vm::new(program, input)?;
    match vm.run(max_cycles) {
        Stop::Exit(_) => Ok(vm.cycle()),
        Stop::Trap(trap) => Err(Error::Trap(trap)),
        Stop::Limit | Stop::InputMissing => Err(Error::CycleLimit {
            cycles: vm.cycle(),
            pc: vm.state().pc,
        }),
    }
}

/// Sizes of segments of which a run of `cycles` has a full one; for a shorter run the one that wastes
/// least.
fn sizes(cycles: u64) -> Vec<u32> {
    let full: Vec<u32> = LOG_CYCLES
        .into_iter()
        .filter(|log| cycles >> log > 0)
        .collect();
    if !full.is_empty() {
        return full;
    }
    let least = *PROVABLE_LOG_CYCLES.start();
    vec![cycles.max(1).ilog2().clamp(least, LOG_CYCLES[0])]
}

/// What is measured, that which takes most memory last; what is left out is said in `notes`.
fn plan(args: &RunArgs, guest: &Guest, sizes: &[u32], notes: &mut Vec<String>) -> Vec<Part> {
    let memory = available_memory();
    let proves = args.prove > 0;
    let fits = |log: &u32| {
        let tables = 4 * Shape::of_segment(&guest.program, *log).elements();
        let needed = tables.saturating_mul(TIMES_TABLES[usize::from(proves)]);
        let fits = memory.is_none_or(|memory| needed <= memory);
        if !fits {
            let why = format!(
                "no run with segments of 2^{log} cycles: it would take about {}, and {} of memory are \
                 available",
                format_bytes(needed as f64),
                format_bytes(memory.unwrap_or_default() as f64)
            );
            say(&format!("warning: {why}"));
            notes.push(why);
        }
        fits
    };
    let runs: Vec<u32> = sizes.iter().copied().filter(fits).collect();
    let (small, large) = runs.split_at(runs.partition_point(|log| *log <= MAX_LOG_SIZES));
    let mut parts: Vec<Part> = small.iter().copied().map(Part::Run).collect();
    if args.fold > 0 {
        parts.push(Part::Folding(sizes[0]));
    }
    let provable = sizes
        .iter()
        .filter(|log| **log <= MAX_LOG_SIZES && PROVABLE_LOG_CYCLES.contains(log));
    if let (true, Some(log)) = (proves, provable.max()) {
        parts.push(Part::ProofSizes(*log));
    }
    parts.extend(large.iter().copied().map(Part::Run));
    parts
}

/// A profile being measured.
struct Full<'a> {
    args: &'a RunArgs,
    guest: &'a Guest,
    backend: &'a Chosen,
    hardware: Hardware,
    profile: ProfileFile,
    out: Option<Out>,
    threads: u32,
    started: Instant,
}

impl Full<'_> {
    /// Measures every part. One for which memory is short is noted, and what was measured of it kept.
    fn parts(&mut self, plan: &[Part]) -> Result<()> {
        self.keep(true, |_| ())?;
        for (i, part) in plan.iter().enumerate() {
            let (name, start) = (part.name(), Instant::now());
            let measured = match *part {
                Part::Run(log) => self.run(log),
                Part::Folding(log) => self.folding(log),
                Part::ProofSizes(log) => self.proof_sizes(log),
            };
            let took = format_seconds(start.elapsed().as_secs_f64());
            let of = format!("part {} of {}, {name}", i + 2, plan.len() + 1);
            match measured {
                Ok(()) => say(&format!("{of}: {took}")),
                Err(error @ (Error::Resource(_) | Error::OutOfDeviceMemory(_))) => {
                    let why = format!("{name}: ended early, for {error}");
                    say(&format!("warning: {of}: ended after {took}, for {error}"));
                    self.profile.notes.push(why);
                }
                Err(error) => {
                    // That it cannot be written either is the lesser news.
                    let _ = self.keep(true, |_| ());
                    return Err(error);
                }
            }
            self.keep(true, |_| ())?;
        }
        Ok(())
    }

    /// Writes progress.
    ///
    /// - `add`: adds what is under way.
    fn keep(&mut self, always: bool, add: impl FnOnce(&mut ProfileFile)) -> Result<()> {
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        let (profile, started) = (&self.profile, self.started);
        out.progress(always, || {
            let mut profile = profile.clone();
            add(&mut profile);
            profile.elapsed_seconds = started.elapsed().as_secs_f64();
            profile.to_json()
        })
    }

    fn run(&mut self, log_cycles: u32) -> Result<()> {
        let bar = progress_bar(self.args.no_progress);
        let (args, threads, hardware) = (self.args, self.threads, self.hardware.clone());
        let work = Work {
            guest: self.guest,
            backend: self.backend,
            hardware: &hardware,
            link: self.profile.link.clone(),
            bar: &bar,
            started: Instant::now(),
        };
        let mut last = None;
        let measured = measure(args, &work, log_cycles, threads, &mut |milestone, file| {
            let file = file();
            self.keep(milestone, |profile| profile.runs.push(file.clone()))?;
            last = Some(file);
            Ok(())
        });
        let (part, result) = split(measured, last);
        self.profile.runs.extend(part);
        result
    }

    fn folding(&mut self, log_cycles: u32) -> Result<()> {
        let bar = progress_bar(self.args.no_progress);
        // Two chunks are the least that can be folded.
        let sizes = SAMPLED_LOG_ROWS.filter(|log| *log < log_cycles);
        let plan = fold::Plan {
            segment: 0,
            log_cycles,
            log_rows: LOG_ROWS,
            orders: &rewit::fold::Order::ALL,
            sizes: &sizes.collect::<Vec<_>>(),
            sample_folds: SAMPLE_FOLDS,
            max_cycles: self.args.guest.max_cycles,
            key: None,
            threads: self.threads,
        };
        let (guest, backend, hardware) = (self.guest, self.backend, self.hardware.clone());
        let mut last = None;
        let measured = fold::measure_folding(
            &plan,
            guest,
            (backend, &hardware),
            (&now(), Instant::now()),
            &bar,
            &mut |file| {
                self.keep(true, |profile| profile.foldings.push(file.clone()))?;
                last = Some(file.clone());
                Ok(())
            },
        );
        let (part, result) = split(measured, last);
        self.profile.foldings.extend(part);
        result
    }

    fn proof_sizes(&mut self, log_cycles: u32) -> Result<()> {
        let (created, started) = (now(), Instant::now());
        let bar = progress_bar(self.args.no_progress);
        let options = Options::default();
        let (guest, threads, hardware) = (self.guest, self.threads, self.hardware.clone());
        let max_cycles = self.args.guest.max_cycles;
        let file = |suites| ProofSizes {
            hardware: hardware.clone(),
            threads: Some(threads),
            guest: Some(guest.measured()),
            ..ProofSizes::new(suites, &options, &created, started.elapsed().as_secs_f64())
        };
        let of_rows = |rows: &Vec<Row>| {
            file(vec![Suite {
                rows: rows.clone(),
                requirements: Vec::new(),
            }])
        };
        let mut rows = Vec::new();
        let mut kept = Ok(());
        let mut done = |row: &Row| {
            rows.push(row.clone());
            bar.set_length(rows.len() as u64 + 1);
            bar.set_position(rows.len() as u64);
            bar.set_message(row.purpose.clone());
            if kept.is_ok() {
                kept = self.keep(false, |profile| profile.proof_sizes.push(of_rows(&rows)));
            }
        };
        let suites =
            proof_size::segments(guest, log_cycles, vec![0], max_cycles, &options, &mut done)
                .and_then(|mut suites| {
                    let (height, width) = TABLE;
                    suites.push(proof_size::table(height, width, true, &options, &mut done)?);
                    Ok(suites)
                });
        bar.finish_and_clear();
        kept?;
        let last = (!rows.is_empty()).then(|| of_rows(&rows));
        let (part, result) = split(suites.map(file), last);
        self.profile.proof_sizes.extend(part);
        result
    }
}

/// What there is of a part, and whether that is all.
fn split<T>(measured: Result<T>, last: Option<T>) -> (Option<T>, Result<()>) {
    match measured {
        Ok(part) => (Some(part), Ok(())),
        Err(error) => (last, Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes around those where a run has one full segment more, and runs too short for any.
    #[test]
    fn sizes_are_those_the_guest_fills() {
        assert_eq!(sizes(59_000_000), LOG_CYCLES);
        assert_eq!(sizes(1 << 20), LOG_CYCLES);
        assert_eq!(sizes((1 << 20) - 1), [14, 16, 18]);
        assert_eq!(sizes(1 << 14), [14]);
        assert_eq!(sizes((1 << 14) - 1), [13]);
        assert_eq!(sizes(300), [8]);
        assert_eq!(sizes(3), [8]);
        assert_eq!(sizes(0), [8]);
    }
}
