//! The main table and what it says in words.

use std::fmt::Write;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::verdict::row;
use super::{
    ResultFile, Verdict, Witnesses, format_bandwidth, format_bytes, format_count, format_ratio,
    format_seconds,
};
use crate::measure::{Row, Stage};
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
    }
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
    let commit = tool.git_commit.get(..12).unwrap_or(&tool.git_commit);
    let dirty = if tool.git_dirty { ", modified" } else { "" };
    writeln!(
        out,
        "rewit {} ({commit}{dirty}, {} build)",
        tool.version, tool.profile
    )?;
    writeln!(
        out,
        "machine   {}, {} threads used of {}, {} ({} there), {} of memory",
        hardware.cpu,
        parameters.threads,
        hardware.logical_cores,
        hardware.simd.compiled,
        hardware.simd.available,
        format_bytes(hardware.ram_bytes as f64),
    )?;
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

/// The one with the least total time at a bandwidth.
fn fastest<'r>(
    verdicts: impl Iterator<Item = &'r Verdict>,
    gbps: f64,
) -> Option<(&'r Verdict, f64)> {
    verdicts
        .map(|verdict| (verdict, verdict.route().total_seconds(gbps * GIGABIT)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// The one that is faster than shipping on the most links.
fn best<'r>(
    verdicts: impl Iterator<Item = &'r Verdict>,
    witness: Witnesses,
) -> Option<(&'r Verdict, Crossing)> {
    let rank = |crossing: &Crossing| match *crossing {
        Crossing::Never => -1.0,
        // Neither faster on slow links nor comparable: it sends more than the witness.
        Crossing::Above { .. } => 0.0,
        Crossing::Below { bits_per_second } => bits_per_second,
        Crossing::Always => f64::INFINITY,
    };
    verdicts
        .filter_map(|verdict| Some((verdict, verdict.against(witness)?)))
        // The first of equals.
        .reduce(|a, b| if rank(&b.1) > rank(&a.1) { b } else { a })
}

fn crossing(found: Crossing) -> String {
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
    for encoding in Encoding::ALL {
        let name = encoding.name();
        if of(result, name).next().is_none() {
            continue;
        }
        let stage = |stage, compression| row(&result.rows, stage, name, compression);
        let bytes = |row: &Row| format_bytes(row.summary.mean);
        let seconds = |row: &Row| format_seconds(row.summary.median);
        let text = |cell: Option<String>| cell.unwrap_or_else(|| "-".into());
        let mut cells = vec![name.to_owned()];
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
        let align = |(i, text): (usize, String)| {
            let side = if i == 0 {
                CellAlignment::Left
            } else {
                CellAlignment::Right
            };
            Cell::new(text).set_alignment(side)
        };
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
        "Modelled: time to the witness by link (send + decode + regenerate, best compression), and \
         break-even:\nthe bandwidth below which this beats receiving the raw witness in place at \
         no cost."
    )
}

fn conclusion(out: &mut String, result: &ResultFile) -> std::fmt::Result {
    let recompute = || {
        result
            .verdicts
            .iter()
            .filter(|v| v.encoding != Encoding::Witness.name())
    };
    let Some((verdict, found)) = best(recompute(), Witnesses::RawInPlace) else {
        return Ok(());
    };
    let name = |v: &Verdict| format!("`{}` ({})", v.encoding, v.compression);
    writeln!(out)?;
    match found {
        Crossing::Below { bits_per_second } => writeln!(
            out,
            "On this machine, below {} recompute from {}; above, ship the witness.",
            format_bandwidth(bits_per_second),
            name(verdict)
        )?,
        Crossing::Always => {
            writeln!(
                out,
                "On this machine, recompute from {} on any link.",
                name(verdict)
            )?;
        }
        Crossing::Never | Crossing::Above { .. } => writeln!(
            out,
            "On this machine, ship the witness: nothing measured has fewer bytes than it."
        )?,
    }
    if let Crossing::Below { bits_per_second } = found {
        near(out, recompute(), verdict, bits_per_second)?;
    }
    counted(out, recompute)?;
    let links: Vec<String> = LINKS_GBPS
        .iter()
        .filter_map(|&gbps| {
            let (verdict, seconds) = fastest(result.verdicts.iter(), gbps)?;
            Some(format!(
                "{gbps} Gb/s {} {} ({})",
                verdict.encoding,
                verdict.compression,
                format_seconds(seconds)
            ))
        })
        .collect();
    writeln!(out, "Fastest measured way by link: {}.", links.join(", "))
}

/// Says where the break-even is if the decoding of a shipped witness counts.
fn counted<'r, I: Iterator<Item = &'r Verdict>>(
    out: &mut String,
    recompute: impl Fn() -> I,
) -> std::fmt::Result {
    let ways = [
        (Witnesses::Raw, "raw"),
        (Witnesses::Lz4, "lz4"),
        (Witnesses::Zstd, "zstd"),
    ];
    let (mut bounded, mut always, mut never) = (Vec::new(), Vec::new(), Vec::new());
    for (way, label) in ways {
        match best(recompute(), way) {
            None => {}
            Some((_, Crossing::Always)) => always.push(label),
            Some((_, Crossing::Never | Crossing::Above { .. })) => never.push(label),
            Some((verdict, found @ Crossing::Below { .. })) => {
                let name = &verdict.encoding;
                bounded.push(format!("below {} from `{name}` ({label})", crossing(found)));
            }
        }
    }
    if !always.is_empty() {
        bounded.push(format!("on any link ({})", always.join(", ")));
    }
    if !never.is_empty() {
        bounded.push(format!("on no link ({})", never.join(", ")));
    }
    if bounded.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "Against a witness that is decoded and checked as measured here, recomputing is faster {}.",
        bounded.join(", ")
    )
}

/// Names the encodings that are no worse than the best but for noise.
fn near<'r>(
    out: &mut String,
    recompute: impl Iterator<Item = &'r Verdict>,
    best: &Verdict,
    bits_per_second: f64,
) -> std::fmt::Result {
    const MARGIN: f64 = 0.95;
    let mut names: Vec<String> = recompute
        .filter(|v| v.encoding != best.encoding)
        .filter(|v| match v.against(Witnesses::RawInPlace) {
            Some(Crossing::Below {
                bits_per_second: other,
            }) => other >= MARGIN * bits_per_second,
            _ => false,
        })
        .map(|v| format!("`{}`", v.encoding))
        .collect();
    names.dedup();
    if names.is_empty() {
        return Ok(());
    }
    writeln!(out, "Within 5 % of that: {}.", names.join(", "))
}
