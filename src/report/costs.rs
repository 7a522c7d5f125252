//! What the models start from, taken from result files.

mod fold;

pub use fold::folded_sizes;

use super::{AnyFile, FoldingFile, ResultFile, format_counted, format_threads};
use crate::measure::{Hardware, Key, Row, Stage, Summary};
use crate::model::{Costs, EncodingCost, ProofCost, Quantity};
use crate::ship::{Compression, Encoding};
use crate::{Error, Result};

/// Largest number to model with: sums over the largest cluster stay finite.
const MAX: f64 = 1e100;
/// Most samples of a quantity.
const MAX_SAMPLES: usize = 1000;

/// The costs of every run in the files: one for each run and backend, in the order of the files.
///
/// A run that was folded in one of the files, with the same program and input, on the same kind of machine and
/// backend, gets the costs of folding too, in chunks of the size at which a segment takes fewest seconds.
/// Bytes are means over segments, seconds medians; encodings of which a stage was not measured are left out.
///
/// # Errors
/// As [`costs_in_chunks`].
pub fn costs(files: &[AnyFile]) -> Result<Vec<Costs>> {
    costs_in_chunks(files, None)
}

/// As [`costs`], with folding in chunks of a given size.
///
/// - `log_rows`: base-2 logarithm of the rows of a chunk; `None` for the size at which a segment takes fewest seconds.
///
/// # Errors
/// - [`Error::Usage`] if no file has a run, or a chunk size that was asked for was measured in none.
/// - [`Error::ResultFile`] if a run lacks what every model needs, or its numbers lead to none that is finite.
pub fn costs_in_chunks(files: &[AnyFile], log_rows: Option<u32>) -> Result<Vec<Costs>> {
    let foldings: Vec<&FoldingFile> = files.iter().flat_map(AnyFile::foldings).collect();
    let mut all = Vec::new();
    for run in files.iter().flat_map(AnyFile::runs) {
        for backend in backends(run) {
            let found = of_run(run, backend, &foldings, log_rows).map_err(|error| match error {
                Error::ResultFile(what) => {
                    Error::ResultFile(format!("run of guest {}: {what}", run.guest.name))
                }
                other => other,
            })?;
            // A file that is given twice says nothing new.
            if !all.contains(&found) {
                all.push(found);
            }
        }
    }
    if all.is_empty() {
        return Err(Error::Usage(
            "no file has a run that regenerated a witness; measure one with `rewit run --out FILE`"
                .into(),
        ));
    }
    if let Some(log_rows) = log_rows
        && all.iter().all(|costs| costs.fold.is_none())
    {
        return Err(Error::Usage(format!(
            "no file has folds of a run's guest in chunks of 2^{log_rows} rows; measure them with \
             `rewit fold --sizes {log_rows} --out FILE`"
        )));
    }
    Ok(all)
}

/// The machine in words: processor, threads used, vector instructions, and the GPU where the backend uses it.
pub(super) fn machine(hardware: &Hardware, threads: u32, backend: &str) -> String {
    let Hardware { cpu, simd, gpu, .. } = hardware;
    let gpu = gpu.as_ref().filter(|_| backend == "cuda");
    let gpu = gpu.map_or(String::new(), |gpu| format!(", {}", gpu.name));
    format!("{cpu}, {}, {}{gpu}", format_threads(threads), simd.compiled)
}

/// Backends that regenerated, in the order of their rows.
fn backends(run: &ResultFile) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let rows = run.rows.iter();
    for row in rows.filter(|row| row.key.stage == Stage::Regenerate) {
        if let Some(name) = row.key.backend.as_deref()
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

fn of_run(
    run: &ResultFile,
    backend: &str,
    foldings: &[&FoldingFile],
    log_rows: Option<u32>,
) -> Result<Costs> {
    let bytes = |bytes: u64, what: &str| Quantity::measured(bytes as f64, Vec::new(), what);
    let mut encodings = Vec::new();
    for encoding in Encoding::ALL {
        for compression in Compression::ALL {
            encodings.extend(encoding_cost(run, backend, encoding, compression));
        }
    }
    let found = Costs {
        machine: machine(&run.hardware, run.parameters.threads, backend),
        guest: run.guest.name.clone(),
        backend: backend.to_owned(),
        log_cycles: run.parameters.log_cycles,
        witness_bytes: witness_bytes(run)?,
        program_bytes: bytes(run.guest.elf_bytes, "length of the guest's ELF file"),
        input_bytes: bytes(run.guest.input_bytes, "length of the guest's input"),
        execute_hz: rate(run, Stage::Execute)?,
        record_reads_hz: rate(run, Stage::ExecuteRecordReads)?,
        record_all_hz: rate(run, Stage::ExecuteRecordAll)?,
        encodings,
        proof: proof(run, backend),
        fold: fold::of_run(run, backend, foldings, log_rows),
    };
    check(&found)?;
    Ok(found)
}

/// The row with exactly this key.
fn row<'r>(run: &'r ResultFile, key: &Key) -> Option<&'r Row> {
    run.rows.iter().find(|row| row.key == *key)
}

/// A row's samples in words: stage, parameters, how many, of which segment size.
fn source(run: &ResultFile, row: &Row) -> String {
    let Key {
        stage,
        part,
        encoding,
        compression,
        backend,
    } = &row.key;
    let mut words = vec![stage.name()];
    let options = [part, encoding, compression, backend];
    words.extend(options.into_iter().flatten().map(String::as_str));
    format!(
        "{}, segments of 2^{} cycles, {}",
        words.join(", "),
        run.parameters.log_cycles,
        format_counted(row.samples.len() as u64, "sample")
    )
}

fn quantity(run: &ResultFile, row: &Row, value: impl Fn(&Summary) -> f64) -> Quantity {
    // Of very many samples some, evenly spaced: every task of a simulation draws from them.
    let step = row.samples.len().div_ceil(MAX_SAMPLES).max(1);
    let samples = row.samples.iter().step_by(step);
    Quantity {
        value: value(&row.summary),
        kind: row.kind,
        samples: samples.map(|sample| sample.value).collect(),
        source: source(run, row),
    }
}

fn median(run: &ResultFile, row: &Row) -> Quantity {
    quantity(run, row, |summary| summary.median)
}

fn mean(run: &ResultFile, row: &Row) -> Quantity {
    quantity(run, row, |summary| summary.mean)
}

fn witness_bytes(run: &ResultFile) -> Result<Quantity> {
    let samples: Vec<f64> = run
        .segments
        .iter()
        .map(|segment| segment.witness_bytes as f64)
        .collect();
    let Some(summary) = Summary::of(&samples) else {
        return Err(Error::ResultFile(
            "no segment was measured; let `rewit run` end".into(),
        ));
    };
    let source = format!(
        "bytes of the tables, segments of 2^{} cycles, {} of them",
        run.parameters.log_cycles,
        samples.len()
    );
    Ok(Quantity::measured(summary.mean, samples, source))
}

/// Cycles a second in a stage of the whole run.
fn rate(run: &ResultFile, stage: Stage) -> Result<Quantity> {
    let name = stage.name();
    let row = row(run, &Key::of_run(stage)).ok_or_else(|| {
        Error::ResultFile(format!(
            "no row of {name}; measure it again with `rewit run --out FILE`"
        ))
    })?;
    let cycles = run.guest.cycles as f64;
    let hz = |seconds: f64| cycles / seconds;
    let Summary { min, max, .. } = row.summary;
    if cycles == 0.0 || min <= 0.0 || max > MAX {
        return Err(Error::ResultFile(format!(
            "{cycles} cycles of {name} in {min:e} to {max:e} s give no rate; measure a longer run"
        )));
    }
    let seconds = median(run, row);
    Ok(Quantity {
        value: hz(seconds.value),
        samples: seconds.samples.iter().map(|&seconds| hz(seconds)).collect(),
        source: format!("{cycles} cycles by seconds of {}", seconds.source),
        kind: seconds.kind,
    })
}

/// `None` unless all of it was measured.
fn encoding_cost(
    run: &ResultFile,
    backend: &str,
    encoding: Encoding,
    compression: Compression,
) -> Option<EncodingCost> {
    let of = |stage| row(run, &Key::of_bytes(stage, encoding, compression));
    Some(EncodingCost {
        encoding: encoding.name().to_owned(),
        compression: compression.name().to_owned(),
        bytes: mean(run, of(Stage::Size)?),
        encode_seconds: median(run, of(Stage::Encode)?),
        decode_seconds: median(run, of(Stage::Decode)?),
        regenerate_seconds: median(run, row(run, &Key::regenerate(encoding, backend, None))?),
    })
}

/// `None` if nothing was proven on this backend.
fn proof(run: &ResultFile, backend: &str) -> Option<ProofCost> {
    let seconds = median(run, row(run, &Key::prove(backend, None))?);
    let verify_seconds = median(run, row(run, &Key::proof(Stage::Verify, None))?);
    let size = |part| row(run, &Key::proof(Stage::ProofSize, Some(part)));
    let statement_bytes = mean(run, size("statement")?);
    let argument_bytes = mean(run, size("argument")?);
    // Both have a sample for each proof, in the same order: a reader checks that against the proofs.
    let both = argument_bytes.samples.iter().zip(&statement_bytes.samples);
    let bytes = Quantity {
        value: argument_bytes.value + statement_bytes.value,
        kind: argument_bytes.kind,
        samples: both
            .map(|(argument, statement)| argument + statement)
            .collect(),
        source: format!("{} and statement", argument_bytes.source),
    };
    let least = |bits: fn(&crate::measure::ProvenSegment) -> Option<f64>| {
        run.proofs.iter().filter_map(bits).min_by(f64::total_cmp)
    };
    Some(ProofCost {
        seconds,
        bytes,
        statement_bytes,
        verify_seconds,
        peak_memory_bytes: run
            .proofs
            .iter()
            .filter_map(|proof| proof.peak_memory_bytes)
            .max(),
        johnson_bits: least(|proof| proof.johnson_bits),
    })
}

/// Refuses numbers with which no model can compute.
fn check(costs: &Costs) -> Result<()> {
    let Costs {
        machine: _,
        guest: _,
        backend: _,
        log_cycles: _,
        witness_bytes,
        program_bytes,
        input_bytes,
        execute_hz,
        record_reads_hz,
        record_all_hz,
        encodings,
        proof,
        fold,
    } = costs;
    let mut all = vec![
        witness_bytes,
        program_bytes,
        input_bytes,
        execute_hz,
        record_reads_hz,
        record_all_hz,
    ];
    for encoding in encodings {
        all.extend([
            &encoding.bytes,
            &encoding.encode_seconds,
            &encoding.decode_seconds,
            &encoding.regenerate_seconds,
        ]);
    }
    if let Some(proof) = proof {
        all.extend([
            &proof.seconds,
            &proof.bytes,
            &proof.statement_bytes,
            &proof.verify_seconds,
        ]);
    }
    if let Some(fold) = fold {
        all.extend([&fold.seconds, &fold.accumulator_bytes, &fold.merge_seconds]);
    }
    let usable = |value: f64| (0.0..=MAX).contains(&value);
    for quantity in all {
        let samples = quantity.samples.iter().copied();
        if let Some(value) = samples
            .chain([quantity.value])
            .find(|&value| !usable(value))
        {
            return Err(Error::ResultFile(format!(
                "{value:e} ({}) is no number to model with: expected 0 to {MAX:e}",
                quantity.source
            )));
        }
    }
    Ok(())
}
