//! `rewit exec`: a guest as if it were a program of this machine.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rewit::report::format_counted;
use rewit::vm::{Recorder, Stop, Vm};
use rewit::{Error, Result};

use super::files::{failed, refuse_same};
use super::{CutArgs, GuestArgs, guests, ignore_broken_pipe, print, say};

#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    guest: GuestArgs,
    #[command(flatten)]
    cut: CutArgs,
    /// What to record while executing, to see what recording costs.
    #[arg(long, value_enum, default_value_t = Record::None)]
    record: Record,
    /// Write the guest's public journal (its file descriptor 3) to this file.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Print no summary.
    #[arg(long)]
    quiet: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Record {
    /// Nothing.
    None,
    /// Every value read, segment by segment.
    Reads,
    /// The pages touched, segment by segment.
    Pages,
    /// Both.
    All,
}

/// Executes in steps of a segment and passes the guest's output on after each.
struct Run<'p> {
    vm: Vm<'p>,
    max_cycles: u64,
    log_cycles: u32,
    time: Duration,
    num_segments: u64,
    pages: BTreeSet<u32>,
    written: [usize; 2],
}

/// Executes a guest; the exit code is the guest's.
pub(crate) fn exec(args: &ExecArgs) -> Result<ExitCode> {
    args.cut.check()?;
    let guest = guests::load(&args.guest)?;
    // Opened before the run, so that a run is not lost to a wrong name; emptied only after it.
    let journal = match &args.journal {
        Some(path) if path.as_os_str() != "-" => {
            refuse_same("--journal", path, &guests::files_of(&args.guest))?;
            let failed = failed(format!("--journal {}", path.display()));
            let mut open = OpenOptions::new();
            let open = open.write(true).create(true).truncate(false);
            Some((open.open(path).map_err(&failed)?, failed))
        }
        _ => None,
    };
    let mut run = Run {
        vm: Vm::new(&guest.program, &guest.input)?,
        max_cycles: args.guest.max_cycles,
        log_cycles: args.cut.segment_log_cycles,
        time: Duration::ZERO,
        num_segments: 0,
        pages: BTreeSet::new(),
        written: [0; 2],
    };
    let log_chunk = args.cut.chunk_log_cycles;
    let stop = match args.record {
        Record::None => run.plain(),
        Record::Reads => run.recording(Recorder::<true, false>::new(log_chunk)),
        Record::Pages => run.recording(Recorder::<false, true>::new(log_chunk)),
        Record::All => run.recording(Recorder::<true, true>::new(log_chunk)),
    }?;
    let Some(stop) = stop else {
        // Nobody reads what the guest writes: as good as done.
        return Ok(ExitCode::SUCCESS);
    };
    let code = match stop {
        Stop::Exit(code) => code,
        Stop::Trap(trap) => return Err(Error::Trap(trap)),
        Stop::Limit | Stop::InputMissing => {
            return Err(Error::CycleLimit {
                cycles: run.vm.cycle(),
                pc: run.vm.state().pc,
            });
        }
    };
    match journal {
        Some((mut file, failed)) => {
            // Pipes and devices have no length to set.
            if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
                file.set_len(0).map_err(&failed)?;
            }
            file.write_all(run.vm.journal()).map_err(&failed)?;
        }
        None if args.journal.is_some() => print(run.vm.journal())?,
        None => {}
    }
    if !args.quiet {
        run.summary(args.record, code);
    }
    Ok(ExitCode::from(code as u8))
}

impl Run<'_> {
    fn plain(&mut self) -> Result<Option<Stop>> {
        // Steps long enough that they cost nothing, short enough that output comes soon.
        const STEP: u64 = 1 << 22;
        let stop = self.steps(STEP, |vm, cycles, _| vm.run(cycles))?;
        self.num_segments = self.vm.cycle().div_ceil(1 << self.log_cycles);
        Ok(stop)
    }

    fn recording<const READS: bool, const PAGES: bool>(
        &mut self,
        mut recorder: Recorder<READS, PAGES>,
    ) -> Result<Option<Stop>> {
        self.steps(1 << self.log_cycles, |vm, cycles, touched| {
            let stop = recorder.run(vm, cycles);
            let (reads, pages, _) = recorder.take();
            std::hint::black_box(reads);
            *touched = pages.numbers;
            stop
        })
    }

    /// Executes until the guest or its time ends; `None` if standard output is closed before.
    fn steps(
        &mut self,
        step: u64,
        mut run: impl FnMut(&mut Vm<'_>, u64, &mut Vec<u32>) -> Stop,
    ) -> Result<Option<Stop>> {
        loop {
            let left = self.max_cycles.saturating_sub(self.vm.cycle());
            if left == 0 {
                return Ok(Some(Stop::Limit));
            }
            let mut touched = Vec::new();
            let before = self.vm.cycle();
            let start = Instant::now();
            let stop = run(&mut self.vm, left.min(step), &mut touched);
            self.time += start.elapsed();
            self.num_segments += u64::from(self.vm.cycle() > before);
            self.pages.extend(touched);
            if !self.pass_on()? {
                return Ok(None);
            }
            if stop != Stop::Limit {
                return Ok(Some(stop));
            }
        }
    }

    /// Writes what is new of the guest's output; false if standard output is closed.
    fn pass_on(&mut self) -> Result<bool> {
        let [out, err] = &mut self.written;
        let new = &self.vm.stdout()[*out..];
        if !new.is_empty() {
            let mut stdout = io::stdout().lock();
            match stdout.write_all(new).and_then(|()| stdout.flush()) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(false),
                written => written.map_err(failed("standard output"))?,
            }
            *out += new.len();
        }
        let new = &self.vm.stderr()[*err..];
        if !new.is_empty() {
            ignore_broken_pipe(std::io::stderr().write_all(new), "standard error")?;
            *err += new.len();
        }
        Ok(true)
    }

    fn summary(&self, record: Record, code: u32) {
        let cycles = self.vm.cycle();
        let pages = match record {
            Record::Pages | Record::All => format!("{} pages of 1 KiB touched, ", self.pages.len()),
            Record::None | Record::Reads => String::new(),
        };
        let journal = self.vm.journal().len();
        say(&format!(
            "{}, {} of 2^{} cycles, {pages}{:.1} MHz, {journal} bytes of \
             journal, exit code {code}",
            format_counted(cycles, "cycle"),
            format_counted(self.num_segments, "segment"),
            self.log_cycles,
            cycles as f64 / self.time.as_secs_f64().max(1e-9) / 1e6,
        ));
    }
}
