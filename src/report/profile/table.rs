//! A profile for people: a table for each kind of part.

use std::fmt::Write;

use super::ProfileFile;
use crate::measure::proof_size::{Kind as SizeKind, Row as SizeRow};
use crate::measure::{Row, Stage, Summary};
use crate::report::conclusion::best;
use crate::report::folding::{markdown, wrap};
use crate::report::table::crossing;
use crate::report::{
    FoldingFile, ResultFile, Witnesses, format_bytes, format_count, format_link, format_seconds,
    format_threads,
};
use crate::ship::Encoding;

impl ProfileFile {
    /// The summary as text: a Markdown table for each kind of part, what it means below each.
    pub fn render(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.header(&mut out);
        let _ = self.runs(&mut out);
        let _ = self.foldings(&mut out);
        let _ = self.sizes(&mut out);
        for note in &self.notes {
            let _ = writeln!(out, "note: {note}");
        }
        let _ = writeln!(out, "\nelapsed {}", format_seconds(self.elapsed_seconds));
        out
    }

    fn header(&self, out: &mut String) -> std::fmt::Result {
        let hardware = &self.hardware;
        writeln!(out, "{}", self.tool.headline())?;
        writeln!(
            out,
            "machine   {}, {}, {} ({} there), {} of memory",
            hardware.cpu,
            format_threads(hardware.logical_cores),
            hardware.simd.compiled,
            hardware.simd.available,
            format_bytes(hardware.ram_bytes as f64)
        )?;
        if let Some(memory) = &hardware.memory_bandwidth {
            writeln!(
                out,
                "memory    copied at {} a second by {} (measured)",
                format_bytes(memory.summary.median),
                format_threads(memory.threads)
            )?;
        }
        if let Some(gpu) = &hardware.gpu {
            let memory = format_bytes(gpu.memory_bytes as f64);
            writeln!(out, "gpu       {}, {memory} of memory", gpu.name)?;
        }
        if let Some(link) = &self.link {
            writeln!(out, "link      {}", format_link(link))?;
        }
        Ok(())
    }

    fn runs(&self, out: &mut String) -> std::fmt::Result {
        if self.runs.is_empty() {
            return Ok(());
        }
        let head = [
            "guest",
            "cycles a segment",
            "measured",
            "witness",
            "smallest shipment",
            "best",
            "its bytes",
            "its time",
            "break-even",
            "prove",
            "verify",
            "proof",
            "provable bits",
            "peak memory",
            "elapsed",
        ];
        writeln!(out, "\n{}", markdown(&head, self.runs.iter().map(of_run)))?;
        let text = "Measured: bytes a segment (means), seconds (medians). Best: the encoding that beats \
                    receiving the raw witness in place, for nothing but its sending, up to the highest \
                    bandwidth; that break-even bandwidth is modelled. Its time: decode and regenerate. \
                    Provable bits are computed.";
        writeln!(out, "{}", wrap(text, 0))
    }

    fn foldings(&self, out: &mut String) -> std::fmt::Result {
        if self.foldings.is_empty() {
            return Ok(());
        }
        let head = [
            "guest",
            "cycles a segment",
            "rows a chunk",
            "constraints",
            "cells",
            "folded",
            "commit",
            "cross term",
            "rest",
            "all tables",
        ];
        let rows = self.foldings.iter().flat_map(of_folding);
        writeln!(out, "\n{}", markdown(&head, rows))?;
        let text = "Measured: a chunk of the cpu table (bytes counted, seconds are medians), and the \
                    accumulators of all tables: what a segment is once folded.";
        writeln!(out, "{}", wrap(text, 0))?;
        for folding in &self.foldings {
            for session in &folding.measured.sessions {
                writeln!(
                    out,
                    "all chunks of 2^{} rows, {}: {} folds in {}, proof {}, verified in {}",
                    folding.measured.parameters.log_rows,
                    session.order,
                    format_count(session.folds),
                    format_seconds(session.seconds),
                    format_bytes(session.proof_bytes as f64),
                    format_seconds(session.verify_seconds)
                )?;
            }
        }
        Ok(())
    }

    fn sizes(&self, out: &mut String) -> std::fmt::Result {
        if self.proof_sizes.is_empty() {
            return Ok(());
        }
        let head = [
            "subject",
            "parameters",
            "bytes",
            "model",
            "provable bits",
            "prove",
            "verify",
        ];
        let rows = self.proof_sizes.iter().flat_map(|sizes| &sizes.rows);
        // Those with one parameter varied are for the file.
        let chosen =
            rows.filter(|row| row.purpose.contains("bits") && row.kind != SizeKind::Refused);
        writeln!(out, "\n{}", markdown(&head, chosen.map(of_size)))?;
        let count = |kind| {
            let rows = self.proof_sizes.iter().flat_map(|sizes| &sizes.rows);
            rows.filter(|row| row.kind == kind).count()
        };
        let text = format!(
            "{} proofs measured, each verified and refused with a bit changed; {} modelled only (~), {} \
             refused by the search or the prover. The table has those chosen for a level or a size.",
            count(SizeKind::Measured),
            count(SizeKind::Modelled),
            count(SizeKind::Refused)
        );
        writeln!(out, "{}", wrap(&text, 0))
    }
}

fn text(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

fn of_run(run: &ResultFile) -> Vec<String> {
    let shipped = run
        .verdicts
        .iter()
        .filter(|verdict| verdict.encoding != Encoding::Witness.name());
    let smallest = shipped
        .clone()
        .min_by(|a, b| a.bytes.total_cmp(&b.bytes))
        .map(|v| {
            format!(
                "{} {}, {}",
                v.encoding,
                v.compression,
                format_bytes(v.bytes)
            )
        });
    let found = best(shipped, Witnesses::RawInPlace);
    let stage = |stage| {
        let of_stage = |row: &&Row| row.key.stage == stage && row.key.part.is_none();
        let samples = run
            .rows
            .iter()
            .filter(of_stage)
            .flat_map(|row| &row.samples);
        let values: Vec<f64> = samples.map(|sample| sample.value).collect();
        Some(format_seconds(Summary::of(&values)?.median))
    };
    let witness = run
        .segments
        .iter()
        .map(|segment| segment.witness_bytes as f64);
    let witness = witness.sum::<f64>() / run.segments.len() as f64;
    let (proof, segments) = (run.proofs.first(), run.segments.len());
    let state = if run.complete { "" } else { " (ended early)" };
    vec![
        run.guest.name.clone(),
        format!("2^{}", run.parameters.log_cycles),
        format!("{segments} of {}{state}", format_count(run.num_segments)),
        text((segments > 0).then(|| format_bytes(witness))),
        text(smallest),
        text(found.map(|(v, _)| format!("{} {}", v.encoding, v.compression))),
        text(found.map(|(v, _)| format_bytes(v.bytes))),
        text(found.map(|(v, _)| format_seconds(v.seconds))),
        text(found.map(|(_, found)| crossing(found))),
        text(stage(Stage::Prove)),
        text(stage(Stage::Verify)),
        text(proof.map(|proof| format_bytes(proof.argument_bytes as f64))),
        text(proof.map(|proof| {
            let johnson = proof.johnson_bits.unwrap_or_default();
            format!("{:.1}", proof.unique_decoding_bits.max(johnson))
        })),
        text(proof.and_then(|proof| Some(format_bytes(proof.peak_memory_bytes? as f64)))),
        format_seconds(run.elapsed_seconds),
    ]
}

fn of_folding(folding: &FoldingFile) -> impl Iterator<Item = Vec<String>> {
    let measured = &folding.measured;
    measured.sizes.iter().filter_map(|size| {
        let cpu = size.cpu()?;
        let parts = [&size.commit, &size.cross_term, &size.fold];
        let [commit, cross_term, rest] = parts.map(|times| {
            let median = times.as_ref().map(|times| times.summary.median);
            text(median.map(format_seconds))
        });
        Some(vec![
            measured.guest.name.clone(),
            format!("2^{}", measured.parameters.log_cycles),
            format!("2^{}", size.log_rows),
            format_count(cpu.quadratic + cpu.linear),
            format_bytes(cpu.cell_bytes as f64),
            format_bytes(cpu.accumulator_bytes() as f64),
            commit,
            cross_term,
            rest,
            format_bytes(size.segment_bytes() as f64),
        ])
    })
}

fn of_size(row: &SizeRow) -> Vec<String> {
    let mark = if row.kind == SizeKind::Measured {
        ""
    } else {
        "~"
    };
    let seconds = |value: Option<f64>| text(value.map(format_seconds));
    vec![
        row.subject.clone(),
        row.purpose.clone(),
        text(
            row.bytes()
                .map(|bytes| format!("{mark}{}", format_bytes(bytes))),
        ),
        text(row.modelled_bytes.map(format_bytes)),
        text(row.provable_bits.map(|bits| format!("{bits:.1}"))),
        seconds(row.measured.map(|measured| measured.prove_seconds)),
        seconds(row.measured.map(|measured| measured.verify_seconds)),
    ]
}
