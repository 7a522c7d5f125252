//! Reading result files, which may come from anywhere.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::check::{
    MAX_COUNT, bad, close, count, guest as check_guest, header, hex, length, name, near, num_rows,
    number, text, threads,
};
use super::folding::check_table;
use super::link::check_link;
use super::{ResultFile, SCHEMA_VERSION, Verdict};
use crate::Result;
use crate::measure::{FoldedSample, Key, Kind, MeasuredSegment, ProvenSegment, Row, Stage};
use crate::model::Crossing;
use crate::ship::{Compression, Encoding};

/// Reads a result file and checks it: schema version, types, ranges, digests, names, where segments
/// lie, that summaries are those of their samples, and that verdicts are those of the rows.
///
/// # Errors
/// [`Error::ResultFile`](crate::Error::ResultFile) naming the field. Never panics.
pub fn read(bytes: &[u8]) -> Result<ResultFile> {
    length(bytes)?;
    /// What every version of the format has.
    #[derive(Deserialize)]
    struct Version {
        schema_version: u64,
    }
    let version: Version =
        serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
    if version.schema_version != u64::from(SCHEMA_VERSION) {
        return Err(bad(&format!(
            "schema_version is {}: this build reads version {SCHEMA_VERSION}",
            version.schema_version
        )));
    }
    let result: ResultFile =
        serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
    check_run(&result)?;
    Ok(result)
}

/// Whether the bytes look like a result file of this or another version, complete or not.
///
/// For whoever is about to replace them; [`read`] is what checks them.
pub fn is_result_file(bytes: &[u8]) -> bool {
    /// What every version has, and little else does.
    #[derive(Deserialize)]
    struct Look {
        #[serde(rename = "schema_version")]
        _schema_version: u64,
        #[serde(rename = "complete")]
        _complete: bool,
        #[serde(rename = "rows")]
        _rows: Vec<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Look>(bytes).is_ok()
}

/// Checks what types do not say.
pub(super) fn check_run(result: &ResultFile) -> Result<()> {
    let ResultFile {
        schema_version,
        complete: _,
        created,
        elapsed_seconds,
        tool,
        hardware,
        link,
        guest,
        parameters,
        num_segments,
        segments,
        proofs,
        folds,
        rows,
        verdicts,
        notes,
    } = result;
    if *schema_version != SCHEMA_VERSION {
        return Err(bad(&format!(
            "schema_version is {schema_version}: this build reads version {SCHEMA_VERSION}"
        )));
    }
    header(created, *elapsed_seconds, tool, hardware)?;
    if let Some(link) = link {
        check_link("link", link)?;
    }
    check_guest("guest", guest)?;
    threads("parameters.threads", parameters.threads)?;
    for (i, note) in notes.iter().enumerate() {
        text(&format!("notes[{i}]"), note)?;
    }
    if parameters.log_cycles > crate::ship::MAX_LOG_CYCLES {
        return Err(bad(&format!(
            "parameters.log_cycles is {}",
            parameters.log_cycles
        )));
    }
    if parameters.log_chunk > parameters.log_cycles {
        return Err(bad(&format!(
            "parameters.log_chunk is {}",
            parameters.log_chunk
        )));
    }
    for (i, name) in parameters.encodings.iter().enumerate() {
        encoding(&format!("parameters.encodings[{i}]"), name)?;
    }
    for (i, name) in parameters.compressions.iter().enumerate() {
        compression(&format!("parameters.compressions[{i}]"), name)?;
    }
    let expected = guest.cycles.div_ceil(1 << parameters.log_cycles);
    if *num_segments != expected {
        return Err(bad(&format!(
            "num_segments is {num_segments}: expected {expected}, of the guest's {} cycles",
            guest.cycles
        )));
    }
    for (i, segment) in segments.iter().enumerate() {
        let at = format!("segments[{i}]");
        let MeasuredSegment {
            index,
            start_cycle,
            num_cycles,
            witness_bytes,
            witness_blake3,
            touched_pages: _,
        } = segment;
        count(&format!("{at}.witness_bytes"), *witness_bytes, MAX_COUNT)?;
        hex(&format!("{at}.witness_blake3"), witness_blake3, 64)?;
        if segments[..i].last().is_some_and(|s| s.index >= *index) {
            return Err(bad(&format!(
                "{at}.index is {index}, not above that of the segment before"
            )));
        }
        if u64::from(*index) >= *num_segments {
            return Err(bad(&format!(
                "{at}.index is {index} of {num_segments} segments"
            )));
        }
        let most = 1 << parameters.log_cycles;
        if *num_cycles == 0 || *num_cycles > most {
            return Err(bad(&format!(
                "{at}.num_cycles is {num_cycles}: expected 1 to {most}"
            )));
        }
        let expected = u64::from(*index) << parameters.log_cycles;
        if *start_cycle != expected {
            return Err(bad(&format!(
                "{at}.start_cycle is {start_cycle}: expected {expected}, the index times {most}"
            )));
        }
        let end = start_cycle.checked_add((*num_cycles).into());
        if end.is_none_or(|end| end > guest.cycles) {
            return Err(bad(&format!(
                "{at} ends after the guest's {} cycles",
                guest.cycles
            )));
        }
    }
    let cuda = |row: &Row| row.key.backend.as_deref() == Some("cuda");
    if let Some(i) = rows.iter().position(cuda)
        && hardware.gpu.is_none()
    {
        return Err(bad(&format!(
            "rows[{i}].backend is cuda, but hardware.gpu is missing"
        )));
    }
    let mut keys = HashSet::new();
    num_rows(rows.len())?;
    for (i, row) in rows.iter().enumerate() {
        check_row(&format!("rows[{i}]"), row)?;
        if !keys.insert(&row.key) {
            return Err(bad(&format!(
                "rows[{i}] has the key of an earlier row: stage, part, encoding, compression and \
                 backend"
            )));
        }
    }
    for (i, verdict) in verdicts.iter().enumerate() {
        let at = format!("verdicts[{i}]");
        if verdict.kind != Kind::Modelled {
            return Err(bad(&format!("{at}.kind is not modelled")));
        }
        encoding(&format!("{at}.encoding"), &verdict.encoding)?;
        compression(&format!("{at}.compression"), &verdict.compression)?;
        number(&format!("{at}.bytes"), verdict.bytes)?;
        number(&format!("{at}.bytes_per_cycle"), verdict.bytes_per_cycle)?;
        number(&format!("{at}.seconds"), verdict.seconds)?;
        for (j, found) in verdict.break_even.iter().enumerate() {
            if let Crossing::Below { bits_per_second } | Crossing::Above { bits_per_second } =
                found.recompute
            {
                number(
                    &format!("{at}.break_even[{j}].recompute.bits_per_second"),
                    bits_per_second,
                )?;
            }
        }
        for (j, total) in verdict.totals.iter().enumerate() {
            number(
                &format!("{at}.totals[{j}].gigabits_per_second"),
                total.gigabits_per_second,
            )?;
            number(&format!("{at}.totals[{j}].seconds"), total.seconds)?;
        }
    }
    check_verdicts(verdicts, &super::verdicts(segments, rows))?;
    check_proofs(result, proofs)?;
    check_folds(result, folds)
}

/// Numbers of the segments.
fn indices(result: &ResultFile) -> HashSet<u32> {
    result
        .segments
        .iter()
        .map(|segment| segment.index)
        .collect()
}

/// Checks that what was folded was measured, as often as rows have samples of it.
fn check_folds(result: &ResultFile, folds: &[FoldedSample]) -> Result<()> {
    let known = indices(result);
    let mut seen = HashSet::new();
    let counts = ["commit", "cross-term", "rest"].map(|part| {
        let rows = result.rows.iter().filter(move |row| {
            row.key.stage == Stage::Fold && row.key.part.as_deref() == Some(part)
        });
        let mut counts: HashMap<Option<u32>, u64> = HashMap::new();
        for sample in rows.flat_map(|row| &row.samples) {
            *counts.entry(sample.segment).or_default() += 1;
        }
        (part, counts)
    });
    for (i, fold) in folds.iter().enumerate() {
        let at = format!("folds[{i}]");
        let FoldedSample {
            index,
            kind,
            folds: num_folds,
            fresh_witness_bytes,
            cpu,
            segment_bytes,
        } = fold;
        if !known.contains(index) {
            return Err(bad(&format!(
                "{at}.index is {index}, which is not among the segments"
            )));
        }
        if !seen.insert(*index) {
            return Err(bad(&format!("{at}.index is {index}, as of an earlier one")));
        }
        if *kind != Kind::Measured {
            return Err(bad(&format!("{at}.kind is not measured")));
        }
        for (part, counts) in &counts {
            let found = counts.get(&Some(*index)).copied().unwrap_or_default();
            if found != u64::from(*num_folds) {
                return Err(bad(&format!(
                    "{at}.folds is {num_folds}: expected {found}, the samples of fold, {part}"
                )));
            }
        }
        number(&format!("{at}.fresh_witness_bytes"), *fresh_witness_bytes)?;
        check_table(&format!("{at}.cpu"), cpu, "cpu")?;
        count(&format!("{at}.segment_bytes"), *segment_bytes, MAX_COUNT)?;
        if *segment_bytes < cpu.accumulator_bytes() {
            return Err(bad(&format!(
                "{at}.segment_bytes is {segment_bytes}, less than the {} of the cpu table",
                cpu.accumulator_bytes()
            )));
        }
    }
    Ok(())
}

/// Checks that what was proven was measured, and with parameters a proof can have.
fn check_proofs(result: &ResultFile, proofs: &[ProvenSegment]) -> Result<()> {
    let params = &result.parameters.proof;
    if let Some(params) = params {
        params
            .check()
            .map_err(|error| bad(&format!("parameters.proof: {error}")))?;
    }
    if !proofs.is_empty() && params.is_none() {
        return Err(bad("proofs are there, but no parameters.proof"));
    }
    let known = indices(result);
    let mut seen = HashSet::new();
    let sizes = ["argument", "statement"].map(|part| {
        let key = Key::proof(Stage::ProofSize, Some(part));
        let rows = result.rows.iter().filter(move |row| row.key == key);
        let samples = rows.flat_map(|row| &row.samples);
        let mut first = HashMap::new();
        for sample in samples {
            first.entry(sample.segment).or_insert(sample.value);
        }
        first
    });
    for (i, proof) in proofs.iter().enumerate() {
        let at = format!("proofs[{i}]");
        let ProvenSegment {
            index,
            rows,
            argument_bytes,
            statement_bytes,
            unique_decoding_bits,
            johnson_bits,
            conjectured_bits,
            peak_memory_bytes,
        } = proof;
        let memory = peak_memory_bytes.unwrap_or_default();
        count(&format!("{at}.peak_memory_bytes"), memory, MAX_COUNT)?;
        if !known.contains(index) {
            return Err(bad(&format!(
                "{at}.index is {index}, which is not among the segments"
            )));
        }
        if !seen.insert(*index) {
            return Err(bad(&format!("{at}.index is {index}, as of an earlier one")));
        }
        if u64::from(*rows) != 1 << result.parameters.log_cycles {
            return Err(bad(&format!(
                "{at}.rows is {rows}: expected 2^{}",
                result.parameters.log_cycles
            )));
        }
        let parts = [("argument", argument_bytes), ("statement", statement_bytes)];
        for ((part, bytes), sizes) in parts.into_iter().zip(&sizes) {
            let sample = sizes.get(&Some(*index)).copied();
            if sample != Some(*bytes as f64) {
                return Err(bad(&format!(
                    "{at}.{part}_bytes is {bytes}: expected the sample of rows, {sample:?}"
                )));
            }
        }
        number(&format!("{at}.unique_decoding_bits"), *unique_decoding_bits)?;
        number(
            &format!("{at}.johnson_bits"),
            johnson_bits.unwrap_or_default(),
        )?;
        number(&format!("{at}.conjectured_bits"), *conjectured_bits)?;
        let proven = unique_decoding_bits.max(johnson_bits.unwrap_or(0.0));
        if proven > *conjectured_bits {
            return Err(bad(&format!(
                "{at} claims {proven} provable bits, more than the {conjectured_bits} conjectured"
            )));
        }
    }
    Ok(())
}

/// Checks that verdicts are those `expected` of segments and rows.
fn check_verdicts(found: &[Verdict], expected: &[Verdict]) -> Result<()> {
    let of = |v: &Verdict| format!("{} {}", v.encoding, v.compression);
    for (i, verdict) in found.iter().enumerate() {
        let at = format!("verdicts[{i}]");
        let Some(expected) = expected.get(i) else {
            return Err(bad(&format!(
                "{at} is of {}, of which there are no rows, or another verdict",
                of(verdict)
            )));
        };
        if of(verdict) != of(expected) {
            return Err(bad(&format!(
                "{at} is of {}: expected that of {}, for which there are rows",
                of(verdict),
                of(expected)
            )));
        }
        let same = |field: &str, found: f64, expected: f64| {
            if near(found, expected) {
                return Ok(());
            }
            Err(bad(&format!(
                "{at}.{field} is {found}: expected {expected}, which follows from segments and rows"
            )))
        };
        same("bytes", verdict.bytes, expected.bytes)?;
        same(
            "bytes_per_cycle",
            verdict.bytes_per_cycle,
            expected.bytes_per_cycle,
        )?;
        same("seconds", verdict.seconds, expected.seconds)?;
        let lengths = [
            (
                "break_even",
                verdict.break_even.len(),
                expected.break_even.len(),
            ),
            ("totals", verdict.totals.len(), expected.totals.len()),
        ];
        for (field, found, expected) in lengths {
            if found != expected {
                return Err(bad(&format!(
                    "{at}.{field} has {found} entries: expected {expected}"
                )));
            }
        }
        for (j, (a, b)) in verdict
            .break_even
            .iter()
            .zip(&expected.break_even)
            .enumerate()
        {
            if a.witness != b.witness || !near_crossing(a.recompute, b.recompute) {
                return Err(bad(&format!(
                    "{at}.break_even[{j}] is {a:?}: expected {b:?}, which follows from segments \
                     and rows"
                )));
            }
        }
        for (j, (a, b)) in verdict.totals.iter().zip(&expected.totals).enumerate() {
            let field = format!("totals[{j}].gigabits_per_second");
            same(&field, a.gigabits_per_second, b.gigabits_per_second)?;
            same(&format!("totals[{j}].seconds"), a.seconds, b.seconds)?;
        }
    }
    match expected.get(found.len()) {
        None => Ok(()),
        Some(missing) => Err(bad(&format!(
            "verdicts has none of {}, of which there are rows",
            of(missing)
        ))),
    }
}

fn near_crossing(a: Crossing, b: Crossing) -> bool {
    match (a, b) {
        (Crossing::Below { bits_per_second: a }, Crossing::Below { bits_per_second: b })
        | (Crossing::Above { bits_per_second: a }, Crossing::Above { bits_per_second: b }) => {
            near(a, b)
        }
        _ => a == b,
    }
}

fn check_row(at: &str, row: &Row) -> Result<()> {
    let Row {
        key,
        kind: _,
        unit,
        samples,
        summary,
    } = row;
    if *unit != key.stage.unit() {
        return Err(bad(&format!(
            "{at}.unit does not fit stage {}",
            key.stage.name()
        )));
    }
    if let Some(name) = &key.encoding {
        encoding(&format!("{at}.encoding"), name)?;
    }
    if let Some(name) = &key.compression {
        compression(&format!("{at}.compression"), name)?;
    }
    if let Some(backend) = &key.backend
        && !["cpu", "cuda"].contains(&backend.as_str())
    {
        return Err(bad(&format!(
            "{at}.backend is {backend:?}: expected cpu or cuda; numbers from a stand-in for a \
             device are no results"
        )));
    }
    for (j, sample) in samples.iter().enumerate() {
        number(&format!("{at}.samples[{j}].value"), sample.value)?;
    }
    if let Some(part) = &key.part {
        name(&format!("{at}.part"), part)?;
    }
    let Some(expected) = row.recompute() else {
        return Err(bad(&format!("{at}.samples is empty")));
    };
    if !close(summary, &expected) {
        return Err(bad(&format!("{at}.summary is not that of the samples")));
    }
    Ok(())
}

fn encoding(at: &str, name: &str) -> Result<()> {
    name.parse::<Encoding>()
        .map(drop)
        .map_err(|error| bad(&format!("{at}: {error}")))
}

fn compression(at: &str, name: &str) -> Result<()> {
    name.parse::<Compression>()
        .map(drop)
        .map_err(|error| bad(&format!("{at}: {error}")))
}
