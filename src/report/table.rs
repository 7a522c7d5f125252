//! The main table and what it says in words.

use std::fmt::Write;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::conclusion::{best, conclusion, fastest};
use super::verdict::{in_place, row};
use super::{
    ResultFile, Verdict, Witnesses, format_bandwidth, format_bytes, format_count, format_link,
    format_ratio, format_seconds, format_threads,
};
use crate::measure::{MeasuredSegment, Row, Stage, Summary};
use crate::model::{Crossing, GIGABIT, LINKS_GBPS};
use crate::ship::{Compression, Encoding};

/// The report of a run as text.
///
/// One Markdown table, with what was run and where above it, and what follows from it below.
pub fn render(result: &ResultFile) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = header(&mut out, result);
    if !result.verdicts.is_empty() {
        let _ = writeln!(out, "\n{}", table(result));
        let _ = legend(&mut out, result);
        let _ = conclusion(&mut out, result);
        let _ = padded(&mut out, result);
    }
    let _ = folds(&mut out, result);
    let _ = proofs(&mut out, result);
    for note in &result.notes {
        let _ = writeln!(out, "note: {note}");
    }
    let _ = writeln!(out, "elapsed {}", format_seconds(result.elapsed_seconds));
    out
}

fn header(out: &mut String, result: &ResultFile) -> std::fmt::Result {
    let ResultFile {
        tool,
        hardware,
        guest,
        parameters,
        ..
    } = result;
    writeln!(out, "{}", tool.headline())?;
    writeln!(
        out,
        "machine   {}, {} used of {}, {} ({} there), {} of memory",
        hardware.cpu,
        format_threads(parameters.threads),
        hardware.logical_cores,
        hardware.simd.compiled,
        hardware.simd.available,
        format_bytes(hardware.ram_bytes as f64),
    )?;
    if let Some(gpu) = &hardware.gpu {
        writeln!(
            out,
            "gpu       {}, compute capability {}, {} multiprocessors, {} of memory, CUDA {}",
            gpu.name,
            gpu.compute_capability,
            gpu.num_multiprocessors,
            format_bytes(gpu.memory_bytes as f64),
            gpu.cuda_version
        )?;
    }
    if let Some(link) = &result.link {
        writeln!(out, "link      {}", format_link(link))?;
    }
    let exit = guest.exit_code.map_or("did not exit".to_owned(), |code| {
        format!("exit code {code}")
    });
    writeln!(
        out,
        "guest     {}, {} cycles, {exit}",
        guest.name,
        format_count(guest.cycles)
    )?;
    let speed = |stage| {
        let row = result.rows.iter().find(|row| row.key.stage == stage)?;
        Some(format!(
            "{:.0} MHz",
            guest.cycles as f64 / row.summary.median / 1e6
        ))
    };
    let speeds = [
        (Stage::Execute, "plain"),
        (Stage::ExecuteRecordReads, "recording values read"),
        (Stage::ExecuteRecordAll, "recording values and pages"),
    ];
    let speeds: Vec<String> = speeds
        .into_iter()
        .filter_map(|(stage, name)| Some(format!("{} {name}", speed(stage)?)))
        .collect();
    writeln!(out, "execution {} (one thread)", speeds.join(", "))?;
    let indices: Vec<String> = result
        .segments
        .iter()
        .map(|s| s.index.to_string())
        .collect();
    let shown = if indices.len() <= 8 {
        format!("number {}", indices.join(", "))
    } else {
        format!("{} of them", indices.len())
    };
    writeln!(
        out,
        "segments  {} of 2^{} cycles, measured {shown}; minimal traces in chunks of 2^{} cycles",
        format_count(result.num_segments),
        parameters.log_cycles,
        parameters.log_chunk
    )?;
    if let Some(segment) = result.segments.first() {
        let bytes = segment.witness_bytes as f64;
        writeln!(
            out,
            "witness   {} a segment, {:.0} bytes a cycle; identical from every encoding below",
            format_bytes(bytes),
            bytes / f64::from(segment.num_cycles)
        )?;
    }
    Ok(())
}

/// The verdicts of one encoding.
fn of<'r>(result: &'r ResultFile, encoding: &'r str) -> impl Iterator<Item = &'r Verdict> {
    result
        .verdicts
        .iter()
        .filter(move |verdict| verdict.encoding == encoding)
}

/// A break-even bandwidth as the table has it.
pub(super) fn crossing(found: Crossing) -> String {
    match found {
        Crossing::Below { bits_per_second } => format_bandwidth(bits_per_second),
        Crossing::Above { bits_per_second } => format!("> {}", format_bandwidth(bits_per_second)),
        Crossing::Always => "always".into(),
        Crossing::Never => "never".into(),
    }
}

fn table(result: &ResultFile) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    let mut head: Vec<String> = [
        "encoding",
        "raw",
        "lz4",
        "zstd",
        "B/cycle",
        "encode",
        "decode",
        "regenerate",
        "n",
    ]
    .map(str::to_owned)
    .to_vec();
    head.extend(LINKS_GBPS.iter().map(|gbps| format!("{gbps} Gb/s")));
    head.push("break-even".into());
    table.set_header(head);
    let align = |(i, text): (usize, String)| {
        let side = if i == 0 {
            CellAlignment::Left
        } else {
            CellAlignment::Right
        };
        Cell::new(text).set_alignment(side)
    };
    if let Some(route) = in_place(&result.segments) {
        let none = || "-".to_owned();
        let mut cells = vec!["witness, in place".to_owned(), format_bytes(route.bytes)];
        cells.extend([none(), none()]);
        let cycles = result.segments.iter().map(|s| f64::from(s.num_cycles));
        let mean = cycles.sum::<f64>() / result.segments.len() as f64;
        cells.push(format_ratio(route.bytes / mean));
        cells.extend([none(), none(), none(), none()]);
        cells.extend(LINKS_GBPS.map(|gbps| format_seconds(route.total_seconds(gbps * GIGABIT))));
        cells.push(none());
        table.add_row(cells.into_iter().enumerate().map(align));
    }
    for encoding in Encoding::ALL {
        let name = encoding.name();
        if of(result, name).next().is_none() {
            continue;
        }
        let stage = |stage, compression| row(&result.rows, stage, name, compression);
        let bytes = |row: &Row| format_bytes(row.summary.mean);
        let seconds = |row: &Row| format_seconds(row.summary.median);
        let text = |cell: Option<String>| cell.unwrap_or_else(|| "-".into());
        let mark = if encoding == Encoding::DeltaPrevious {
            " *"
        } else {
            ""
        };
        let mut cells = vec![format!("{name}{mark}")];
        cells.extend(Compression::ALL.map(|c| text(stage(Stage::Size, Some(c.name())).map(bytes))));
        let least = of(result, name)
            .map(|v| v.bytes_per_cycle)
            .min_by(f64::total_cmp);
        cells.push(text(least.map(format_ratio)));
        // The first compression measured, which is the raw bytes unless those were not asked for.
        let first = of(result, name)
            .next()
            .map(|verdict| verdict.compression.as_str());
        cells.push(text(stage(Stage::Encode, first).map(seconds)));
        cells.push(text(stage(Stage::Decode, first).map(seconds)));
        let regenerate = stage(Stage::Regenerate, None);
        cells.push(text(regenerate.map(seconds)));
        cells.push(text(regenerate.map(|row| row.samples.len().to_string())));
        for gbps in LINKS_GBPS {
            cells.push(text(
                fastest(of(result, name), gbps).map(|(_, s)| format_seconds(s)),
            ));
        }
        let found = best(of(result, name), Witnesses::RawInPlace);
        cells.push(text(found.map(|(_, found)| crossing(found))));
        table.add_row(cells.into_iter().enumerate().map(align));
    }
    table
}

fn legend(out: &mut String, result: &ResultFile) -> std::fmt::Result {
    let first = result
        .verdicts
        .first()
        .map_or("raw", |verdict| verdict.compression.as_str());
    writeln!(
        out,
        "Measured: bytes a segment (mean), B/cycle of the smallest; encode and decode as {first}, \
         regenerate (medians; n samples of it)."
    )?;
    writeln!(
        out,
        "Modelled: time to the witness by link (send + decode + regenerate, best compression); \
         `witness, in place`, which is\nthe raw tables received where they are needed, unchecked, \
         in the time of sending alone; and break-even: the\nbandwidth below which this beats that."
    )?;
    if of(result, Encoding::DeltaPrevious.name()).next().is_some() {
        writeln!(
            out,
            "* delta-prev: {}; keeping or forwarding it is not counted.",
            super::conclusion::NEEDS_PREVIOUS
        )?;
    }
    Ok(())
}

/// Says what folding a sample took, and how many bytes what was folded has.
fn folds(out: &mut String, result: &ResultFile) -> std::fmt::Result {
    for fold in &result.folds {
        let median = |part| {
            let of_part =
                |row: &&Row| row.key.stage == Stage::Fold && row.key.part.as_deref() == Some(part);
            let rows = result.rows.iter().filter(of_part);
            let samples = rows.flat_map(|row| &row.samples);
            let samples = samples.filter(|sample| sample.segment == Some(fold.index));
            let values: Vec<f64> = samples.map(|sample| sample.value).collect();
            Summary::of(&values).map_or("-".to_owned(), |s| format_seconds(s.median))
        };
        writeln!(
            out,
            "\nfold      segment {}, a sample of {} folds in chunks of 2^{} rows, {} constraints: {} of \
             witness become {} once folded;\n          commit {}, cross term {}, rest {} a chunk; the \
             segment's accumulators {}",
            fold.index,
            fold.folds,
            fold.cpu.log_rows,
            format_count(fold.cpu.quadratic + fold.cpu.linear),
            format_bytes(fold.fresh_witness_bytes),
            format_bytes(fold.cpu.folded_bytes as f64),
            median("commit"),
            median("cross-term"),
            median("rest"),
            format_bytes(fold.segment_bytes as f64)
        )?;
    }
    Ok(())
}

/// Says what proving took, and how long the proofs are beside what was shipped.
fn proofs(out: &mut String, result: &ResultFile) -> std::fmt::Result {
    let Some(params) = &result.parameters.proof else {
        return Ok(());
    };
    let of = |stage, part: Option<&str>, index| {
        let rows = result.rows.iter();
        let mut rows = rows.filter(|row| row.key.stage == stage && row.key.part.as_deref() == part);
        let samples = rows.next()?.samples.iter();
        let values: Vec<f64> = samples
            .filter(|sample| sample.segment == Some(index))
            .map(|sample| sample.value)
            .collect();
        Some(Summary::of(&values)?.median)
    };
    let seconds = |value: Option<f64>| value.map_or("-".to_owned(), format_seconds);
    writeln!(out)?;
    for proof in &result.proofs {
        let bytes = (proof.argument_bytes + proof.statement_bytes) as f64;
        let witness = result.segments.iter().find(|s| s.index == proof.index);
        let ratio = witness.map_or(0.0, |segment| segment.witness_bytes as f64 / bytes);
        writeln!(
            out,
            "proof     segment {}, {} rows: {} = {} argument + {} statement, 1/{} of the witness; \
             proved in {}, verified in {}{}",
            proof.index,
            format_count(proof.rows.into()),
            format_bytes(bytes),
            format_bytes(proof.argument_bytes as f64),
            format_bytes(proof.statement_bytes as f64),
            format_count(ratio as u64),
            seconds(of(Stage::Prove, None, proof.index)),
            seconds(of(Stage::Verify, None, proof.index)),
            proof
                .peak_memory_bytes
                .map_or(String::new(), |bytes| format!(
                    ", peak memory {}",
                    format_bytes(bytes as f64)
                ))
        )?;
        let johnson = proof.johnson_bits;
        writeln!(
            out,
            "          bits of security (computed): unique decoding {:.1}, Johnson {} proven; {:.1} \
             conjectured",
            proof.unique_decoding_bits,
            johnson.map_or("-".to_owned(), |bits| format!("{bits:.1}")),
            proof.conjectured_bits
        )?;
    }
    if !result.proofs.is_empty() {
        writeln!(
            out,
            "          Plonky3 batch STARK, BabyBear^{}, BLAKE3: blowup {}, {} queries, arity {}, final \
             polynomial {}, cap {}, grinding {}/{}/{}/{}/{}",
            params.extension,
            1 << params.log_blowup,
            params.num_queries,
            1 << params.log_arity,
            1 << params.log_final_len,
            1 << params.cap_height,
            params.grinding.lookup,
            params.grinding.out_of_domain,
            params.grinding.batch,
            params.grinding.commit,
            params.grinding.query,
        )?;
    }
    Ok(())
}

/// Says which of the segments measured have fewer cycles than their tables have rows.
fn padded(out: &mut String, result: &ResultFile) -> std::fmt::Result {
    let log = result.parameters.log_cycles;
    let short: Vec<&MeasuredSegment> = result
        .segments
        .iter()
        .filter(|segment| segment.num_cycles < 1 << log)
        .collect();
    let Some(first) = short.first() else {
        return Ok(());
    };
    let which = if short.len() == 1 {
        format!(
            "segment {} is not full ({} of 2^{log} cycles)",
            first.index,
            format_count(first.num_cycles.into())
        )
    } else {
        format!("{} of the segments measured are not full", short.len())
    };
    writeln!(
        out,
        "note: {which}: its tables are padded to 2^{log} rows, so bytes per cycle and break-even \
         are for the padded table"
    )
}
