//! Every stage on a GPU, resident and end to end.
//!
//! ```text
//! cargo bench --features cuda --bench cuda -- [--stages] [--ceilings] [--msm] [--out FOLDER] [--seconds N]
//!     [--sizes 18,19,20,21,22] [--widths 174,256] [--msm-sizes 16,18,20,22,24,26] [--device N]
//! cargo bench --features cuda --bench cuda -- --test
//! ```
//!
//! Prints a table, and with `--out` writes `cuda-stages.json` (or, with the ceilings alone,
//! `cuda-ceilings.json` or `cuda-msm.json`) there, after every set of measurements. Results are compared with the CPU's
//! before anything is timed. `--test` compares and times nothing; so does a run on the CPU stand-in,
//! whose times say nothing of a GPU. With `REQUIRE_GPU=1` there must be a GPU, or the run fails; with
//! `REQUIRE_CUDA=1` the stand-in will do.
//!
//! `--seconds` is for the stages, or for the multi-scalar multiplications alone, after the comparison: what does not fit is named in a note.
//!
//! Not criterion: a stage is timed by the device's own events beside the wall clock, stages that
//! depend on each other are timed in one pass, passes are in random order, and all samples are kept.

mod file;
mod measure;
mod msm;
mod prove;
mod stages;
mod sweep;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use rewit::backend::cuda::{Cuda, Options, micro};
use rewit::witness::layout::MIN_ROWS;
use rewit::{Error, Result};

use measure::Budget;

/// What was asked for.
struct Arguments {
    test: bool,
    stages: bool,
    ceilings: bool,
    msm: bool,
    out: Option<PathBuf>,
    seconds: f64,
    sizes: Vec<u32>,
    widths: Vec<usize>,
    msm_sizes: Vec<u32>,
    device: u32,
}

impl Arguments {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self> {
        let mut found = Self {
            test: false,
            stages: false,
            ceilings: false,
            msm: false,
            out: None,
            seconds: 180.0,
            sizes: (18..=22).collect(),
            widths: vec![174, 256],
            msm_sizes: msm::SIZES.to_vec(),
            device: 0,
        };
        let mut args = args.peekable();
        while let Some(arg) = args.next() {
            let mut value = || {
                args.next()
                    .ok_or_else(|| Error::Usage(format!("{arg} needs a value")))
            };
            match arg.as_str() {
                // What cargo itself passes.
                "--bench" => (),
                "--test" => found.test = true,
                "--stages" => found.stages = true,
                "--ceilings" => found.ceilings = true,
                "--msm" => found.msm = true,
                "--out" => found.out = Some(value()?.into()),
                "--seconds" => found.seconds = number(&arg, &value()?)?,
                "--device" => found.device = number(&arg, &value()?)?,
                "--sizes" => found.sizes = numbers(&arg, &value()?)?,
                "--widths" => found.widths = numbers(&arg, &value()?)?,
                "--msm-sizes" => found.msm_sizes = numbers(&arg, &value()?)?,
                _ => return Err(Error::Usage(format!("{arg} is not known"))),
            }
        }
        if let Some(size) = found.sizes.iter().find(|size| !(4..=22).contains(*size)) {
            return Err(Error::Usage(format!(
                "--sizes {size}: expected base-2 logarithms of rows, from 4 to 22"
            )));
        }
        if let Some(size) = found.msm_sizes.iter().find(|size| **size > 26) {
            return Err(Error::Usage(format!(
                "--msm-sizes {size}: expected base-2 logarithms of lengths, up to 26"
            )));
        }
        if found.widths.contains(&0) {
            return Err(Error::Usage(
                "--widths 0: expected at least a column".into(),
            ));
        }
        if !found.stages && !found.ceilings && !found.msm {
            (found.stages, found.ceilings, found.msm) = (true, true, true);
        }
        Ok(found)
    }
}

fn number<T: std::str::FromStr>(flag: &str, text: &str) -> Result<T> {
    text.parse()
        .map_err(|_| Error::Usage(format!("{flag} {text}: expected a number")))
}

fn numbers<T: std::str::FromStr>(flag: &str, text: &str) -> Result<Vec<T>> {
    text.split(',').map(|part| number(flag, part)).collect()
}

fn run() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let options = Options {
        ordinal: arguments.device,
        ..Options::default()
    };
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|v| v == "1");
    let cuda = match Cuda::open(&options) {
        // A smoke test on a machine without any device has nothing to do.
        Err(Error::NoDevice(why))
            if arguments.test && !is_set("REQUIRE_GPU") && !is_set("REQUIRE_CUDA") =>
        {
            println!("SKIPPED: {why}");
            return Ok(());
        }
        opened => opened?,
    };
    let info = cuda.device().info();
    println!(
        "{}, compute capability {}.{}",
        info.name, info.compute_capability.0, info.compute_capability.1
    );
    if info.stand_in && is_set("REQUIRE_GPU") {
        return Err(Error::Resource(format!(
            "REQUIRE_GPU=1, but this is {}; unset it to compare results on a stand-in",
            info.name
        )));
    }
    for (log_rows, width) in verify::SIZES {
        verify::all(&cuda, log_rows, width)?;
    }
    if arguments.stages && !info.stand_in {
        for (log_rows, width) in verify::GPU_SIZES {
            verify::all(&cuda, log_rows, width)?;
        }
        for log_rows in &arguments.sizes {
            verify::extension(&cuda, *log_rows)?;
        }
    }
    // Fewer scalars than a block has, and several blocks.
    for len in [33, 1000] {
        msm::verify(&cuda, len)?;
    }
    prove::verify_grind(&cuda)?;
    prove::verify_proof(&cuda, MIN_ROWS.ilog2())?;
    sweep::chunks(&cuda, "sort", "sort-small.txt", 9, None)?;
    sweep::snapshots(&cuda, "sort", "sort-small.txt", 9, None)?;
    println!("every stage gives the CPU's results");
    if arguments.test || info.stand_in {
        let why = if info.stand_in {
            "times of a stand-in say nothing of a GPU"
        } else {
            "--test"
        };
        println!(
            "not timed ({why}): stages {} at 2^{:?} rows of {:?} columns, msm of 2^{:?} points",
            stages::NAMES.join(", "),
            arguments.sizes,
            arguments.widths,
            arguments.msm_sizes
        );
        return Ok(());
    }
    let name = match (arguments.stages, arguments.msm) {
        (true, _) => "cuda-stages.json",
        (false, true) => "cuda-msm.json",
        (false, false) => "cuda-ceilings.json",
    };
    let mut file = file::File::new(info, arguments.out.as_deref().map(|out| out.join(name)))?;
    if arguments.ceilings {
        file.set_ceilings(micro::run(cuda.device())?);
        file.write()?;
    }
    if arguments.stages {
        time_stages(&cuda, &arguments, &mut file)?;
    }
    if arguments.msm {
        let budget = Budget::new(arguments.seconds);
        msm::time(&cuda, &arguments.msm_sizes, &budget, &mut file)?;
    }
    file.finish()?;
    print!("{}", file.table());
    Ok(())
}

/// Times the stages, then proofs, then sweeps.
fn time_stages(cuda: &Cuda, arguments: &Arguments, file: &mut file::File) -> Result<()> {
    let (sizes, widths) = (&arguments.sizes, &arguments.widths);
    let budget = Budget::new(arguments.seconds);
    stages::all(cuda, sizes, widths, &budget.part(0.65), file)?;
    prove::grind(cuda, file)?;
    let largest = sizes.iter().copied().max().unwrap_or(0);
    prove::prove(cuda, largest, &budget.part(0.4), file)?;
    file.write()?;
    if let Some(largest) = sizes.iter().copied().filter(|size| *size <= 20).max() {
        for (guest, input) in [("block", "block.bin"), ("sha2-chain", "sha2-chain.txt")] {
            let share = budget.part(0.4);
            sweep::chunks(cuda, guest, input, largest, Some((&share, &mut *file)))?;
            file.write()?;
        }
    }
    sweep::snapshots(
        cuda,
        "sha2-chain",
        "sha2-chain.txt",
        16,
        Some((&budget, file)),
    )
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(match error {
                Error::Usage(_) | Error::NoDevice(_) => 2,
                _ => 1,
            })
        }
    }
}
