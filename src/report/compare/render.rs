//! A comparison for people: text with tables, and the same as a Markdown document.

use std::fmt::Write;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::{
    ComparedFile, ComparedPair, ComparedRow, ComparedUnit, Comparison, Exceeded, Outcome, RowLabel,
    escape,
};
use crate::measure::{Kind, RatioInterval};
use crate::model::Crossing;
use crate::report::{
    Tool, Witnesses, format_bandwidth, format_bytes, format_ratio, format_seconds,
};

/// Rows listed by name; of more only how many there are of each stage.
const MOST_NAMES: usize = 12;

/// How strings of files and headings are written.
struct Style {
    escape: fn(&str) -> String,
    heading: &'static str,
    item: &'static str,
}

/// The comparison as text for a terminal.
pub fn comparison_table(comparison: &Comparison) -> String {
    render(
        comparison,
        &Style {
            escape: escape::plain,
            heading: "",
            item: "",
        },
    )
}

/// The comparison as a Markdown document.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    render(
        comparison,
        &Style {
            escape: escape::markdown,
            heading: "## ",
            item: "- ",
        },
    )
}

/// Why nothing was compared, in one line.
pub(super) fn nothing(comparison: &Comparison) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for pair in &comparison.pairs {
        reasons.extend(pair.refusals.iter().cloned());
        for (reason, labels) in grouped(pair) {
            reasons.push(format!("{} rows of {}: {reason}", labels.len(), pair.other));
        }
        let alone = (pair.only_in_baseline.len(), pair.only_in_other.len());
        if alone != (0, 0) {
            reasons.push(format!(
                "{} rows are only in {}, {} only in {}",
                alone.0, pair.baseline, alone.1, pair.other
            ));
        }
    }
    let reasons = reasons.join("; ");
    escape::plain(&format!("nothing can be compared: {reasons}"))
}

fn render(comparison: &Comparison, style: &Style) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = header(&mut out, comparison, style);
    for pair in &comparison.pairs {
        let _ = section(&mut out, pair, style);
    }
    if let Some(exceeded) = &comparison.threshold {
        let _ = threshold(&mut out, exceeded, style);
    }
    out
}

fn header(out: &mut String, comparison: &Comparison, style: &Style) -> std::fmt::Result {
    let Style { escape, item, .. } = style;
    writeln!(
        out,
        "Ratios are of a file to the baseline A: below 1 it takes less. Times are medians, of several \
         segments the mean of theirs; intervals are of 95 %, or less where they say so.\n"
    )?;
    for file in &comparison.files {
        let ComparedFile {
            letter,
            name,
            kind,
            created,
            tool,
            cpu,
            gpu,
            threads,
            guests,
        } = file;
        let threads: Vec<String> = threads.iter().map(u32::to_string).collect();
        let threads = match threads.as_slice() {
            [] => String::new(),
            [one] if one == "1" => ", 1 thread".to_owned(),
            several => format!(", {} threads", several.join(" and ")),
        };
        let named = |name: &Option<String>| match name {
            Some(name) => format!(", {name}"),
            None => String::new(),
        };
        let (cpu, gpu) = (named(cpu), named(gpu));
        let guests = guests.join(", ");
        let rest = format!(
            "{name}: {kind}, {}, {created}{cpu}{gpu}{threads}{}{guests}",
            Tool::headline(tool),
            if guests.is_empty() { "" } else { ", guest " }
        );
        writeln!(out, "{item}{letter} = {}", escape(&rest))?;
    }
    Ok(())
}

fn section(out: &mut String, pair: &ComparedPair, style: &Style) -> std::fmt::Result {
    let Style {
        escape,
        heading,
        item,
    } = style;
    let (base, other) = (&pair.baseline, &pair.other);
    writeln!(out, "\n{heading}{other} against {base}\n")?;
    for difference in &pair.differences {
        let text = format!(
            "{}: {} / {}",
            difference.what, difference.base, difference.other
        );
        writeln!(out, "{item}differs: {}", escape(&text))?;
    }
    if pair.differences.is_empty() {
        writeln!(out, "{item}machine, threads and build are described alike")?;
    }
    for note in &pair.notes {
        writeln!(out, "{item}note: {}", escape(note))?;
    }
    for refusal in &pair.refusals {
        writeln!(out, "{item}refused: {}", escape(refusal))?;
    }
    if !pair.rows.is_empty() {
        writeln!(out, "\n{}\n", rows(pair, style))?;
        for row in pair.rows.iter().filter(|row| !row.note.is_empty()) {
            let text = format!("{}: {}", row.label.words(), row.note);
            writeln!(out, "{item}{}", escape(&text))?;
        }
        counts(out, pair, style)?;
    }
    break_even(out, pair, style)?;
    for (reason, labels) in grouped(pair) {
        let rows = match labels.len() {
            1 => "1 row".to_owned(),
            n => format!("{n} rows"),
        };
        let text = format!("{rows} refused, {reason}: {}", names(&labels));
        writeln!(out, "{item}{}", escape(&text))?;
    }
    for (labels, file) in [(&pair.only_in_baseline, base), (&pair.only_in_other, other)] {
        if !labels.is_empty() {
            let labels: Vec<&RowLabel> = labels.iter().collect();
            let text = format!("only in {file}: {}", names(&labels));
            writeln!(out, "{item}{}", escape(&text))?;
        }
    }
    Ok(())
}

/// Refused rows by their reasons, in the order in which these first occur.
fn grouped(pair: &ComparedPair) -> Vec<(String, Vec<&RowLabel>)> {
    let mut groups: Vec<(String, Vec<&RowLabel>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for row in &pair.refused {
        let reason = row.reasons.join("; ");
        let place = *places.entry(reason.clone()).or_insert_with(|| {
            groups.push((reason, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(&row.label);
    }
    groups
}

/// Names of rows, or of many how many there are of each stage.
fn names(labels: &[&RowLabel]) -> String {
    if labels.len() <= MOST_NAMES {
        let words: Vec<String> = labels.iter().map(|label| label.words()).collect();
        return words.join(", ");
    }
    let mut stages: Vec<(&str, usize)> = Vec::new();
    for label in labels {
        match stages.iter_mut().find(|(stage, _)| *stage == label.stage) {
            Some((_, count)) => *count += 1,
            None => stages.push((&label.stage, 1)),
        }
    }
    let words: Vec<String> = stages
        .iter()
        .map(|(stage, count)| format!("{stage} ({count})"))
        .collect();
    words.join(", ")
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head);
    table
}

/// A row of text, numbers to the right.
fn add(table: &mut Table, cells: &[(String, bool)]) {
    table.add_row(cells.iter().map(|(text, number)| {
        let alignment = if *number {
            CellAlignment::Right
        } else {
            CellAlignment::Left
        };
        Cell::new(text).set_alignment(alignment)
    }));
}

fn rows(pair: &ComparedPair, style: &Style) -> Table {
    let (base, other) = (&pair.baseline, &pair.other);
    let quotient = format!("{other}/{base}");
    // Proofs of a suite say in their names what they are of.
    let anywhere = pair.rows.iter().any(|row| !row.at.is_empty());
    let mut head = vec![
        "row", "at", "kind", base, other, &quotient, "interval", "n", "verdict",
    ];
    if !anywhere {
        head.remove(1);
    }
    let mut table = table(&head);
    for row in &pair.rows {
        let value = |value: f64| match row.unit {
            ComparedUnit::Seconds => format_seconds(value),
            ComparedUnit::Bytes => format_bytes(value),
        };
        let samples = if row.base_samples == row.other_samples {
            row.base_samples.to_string()
        } else {
            format!("{}/{}", row.base_samples, row.other_samples)
        };
        let mut cells = vec![
            ((style.escape)(&row.label.words()), false),
            ((style.escape)(&row.at), false),
            (kind(row.kind).to_owned(), false),
            (value(row.base), true),
            (value(row.other), true),
            (precise(row.ratio), true),
            (row.interval.map_or_else(String::new, interval), false),
            (samples, true),
            (row.outcome.words().to_owned(), false),
        ];
        if !anywhere {
            cells.remove(1);
        }
        add(&mut table, &cells);
    }
    table
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Measured => "measured",
        Kind::Modelled => "modelled",
        Kind::Declared => "declared",
    }
}

/// A ratio with three decimals where it is near 1.
fn precise(ratio: f64) -> String {
    if (0.0995..9.995).contains(&ratio) {
        format!("{ratio:.3}")
    } else {
        format_ratio(ratio)
    }
}

fn interval(interval: RatioInterval) -> String {
    let RatioInterval {
        low,
        high,
        confidence,
    } = interval;
    let ends = format!("{} – {}", precise(low), precise(high));
    if confidence < 0.95 {
        format!("{ends} ({:.0} %)", 100.0 * confidence)
    } else {
        ends
    }
}

/// How many rows there are of each outcome, and how many would be without any difference.
fn counts(out: &mut String, pair: &ComparedPair, style: &Style) -> std::fmt::Result {
    let all = [
        Outcome::Faster,
        Outcome::Slower,
        Outcome::NoDifference,
        Outcome::Undecided,
        Outcome::Equal,
        Outcome::Smaller,
        Outcome::Larger,
    ];
    let counts: Vec<String> = all
        .into_iter()
        .filter_map(|outcome| {
            let of = |row: &&ComparedRow| row.outcome == outcome;
            let count = pair.rows.iter().filter(of).count();
            (count > 0).then(|| format!("{count} {}", outcome.words()))
        })
        .collect();
    write!(
        out,
        "{}{} rows: {}.",
        style.item,
        pair.rows.len(),
        counts.join(", ")
    )?;
    let intervals = pair
        .rows
        .iter()
        .filter(|row| row.interval.is_some())
        .count();
    if intervals >= 20 {
        write!(
            out,
            " Of {intervals} intervals of 95 % about {} miss their ratio by chance.",
            intervals / 20
        )?;
    }
    writeln!(out)
}

fn crossing(found: Crossing) -> String {
    match found {
        Crossing::Below { bits_per_second } => {
            format!("below {}", format_bandwidth(bits_per_second))
        }
        Crossing::Above { bits_per_second } => {
            format!("above {}", format_bandwidth(bits_per_second))
        }
        Crossing::Always => "always".to_owned(),
        Crossing::Never => "never".to_owned(),
    }
}

/// Break-evens against the raw witness in place; the other ways are in JSON and CSV.
fn break_even(out: &mut String, pair: &ComparedPair, style: &Style) -> std::fmt::Result {
    let shown = pair
        .break_even
        .iter()
        .filter(|even| even.witness == Witnesses::RawInPlace);
    let (base, other) = (&pair.baseline, &pair.other);
    let quotient = format!("{other}/{base}");
    let mut table = table(&["recompute from", "at", "kind", base, other, &quotient]);
    let mut any = false;
    for even in shown {
        any = true;
        let name = format!("{} {}", even.encoding, even.compression);
        add(
            &mut table,
            &[
                ((style.escape)(&name), false),
                ((style.escape)(&even.at), false),
                (kind(even.kind).to_owned(), false),
                (crossing(even.base), true),
                (crossing(even.other), true),
                (even.ratio.map_or_else(String::new, precise), true),
            ],
        );
    }
    if any {
        writeln!(
            out,
            "\nBandwidths at which recomputing is faster than receiving the raw witness in place:\n\n\
             {table}"
        )?;
    }
    Ok(())
}

fn threshold(out: &mut String, exceeded: &Exceeded, style: &Style) -> std::fmt::Result {
    let Exceeded {
        threshold,
        rule,
        above,
        undecided,
    } = exceeded;
    writeln!(
        out,
        "\n{}Threshold {}\n\n{} rows are above it: {rule}.",
        style.heading,
        precise(*threshold),
        above.len()
    )?;
    if *undecided > 0 {
        writeln!(
            out,
            "{undecided} rows of time have no interval and are not judged."
        )?;
    }
    for row in above {
        let at = if row.at.is_empty() {
            String::new()
        } else {
            format!(" ({})", row.at)
        };
        let text = format!(
            "{}: {}{at}: {}, {}",
            row.file,
            row.label.words(),
            precise(row.ratio),
            interval(row.interval)
        );
        writeln!(out, "{}{}", style.item, (style.escape)(&text))?;
    }
    Ok(())
}
