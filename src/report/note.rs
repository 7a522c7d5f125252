//! The note's ledger as text, Markdown, CSV and JSON.

mod csv;
mod figure;

use std::cmp::Reverse;
use std::fmt::Write;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use figure::format_figure;

use super::costs::machine;
use super::write::json_text;
use super::{AnyFile, Tool, costs, folded_sizes};
use crate::measure::{Guest, Hardware, Kind, Link};
use crate::model::Quantity;
use crate::model::note::{
    Evidence, Figure, Item, LedgerInputs, Line, Note, Part, Scenario, Unit, note,
};
use crate::{Error, Result};

/// What the JSON says it is.
const FORMAT: &str = "rewit note";
/// Version of the JSON.
const VERSION: u32 = 1;

/// The note, checked, with what it was computed by and from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteReport {
    /// What it is: `rewit note`.
    pub format: String,
    /// Version of the format.
    pub schema_version: u32,
    /// The program that computed it.
    pub tool: Tool,
    /// What the measured sizes are from.
    pub measured: Vec<MeasuredBy>,
    /// The note.
    pub note: Note,
}

/// A run or a folding that sizes were taken from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasuredBy {
    /// `run` or `folding`.
    pub what: String,
    /// When it started, RFC 3339.
    pub created: String,
    /// The program that measured.
    pub tool: Tool,
    /// The machine, in words.
    pub machine: String,
    /// The guest.
    pub guest: Guest,
    /// Base-2 logarithm of the cycles in a segment.
    pub log_cycles: u32,
    /// False if the run goes on or was cut short.
    pub complete: bool,
}

/// How tables and headings are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Style {
    Text,
    Markdown,
}

impl NoteReport {
    /// Checks the note with what the files measured.
    ///
    /// - `files`: none for the note as written and corrected only.
    /// - `inputs`, `snapshots`: as for [`note`].
    ///
    /// # Errors
    /// Those of [`costs()`] and [`note`]; [`Error::Usage`] if there are files, but none with a run, a folding or a link.
    pub fn new(files: &[AnyFile], inputs: &LedgerInputs, snapshots: &[f64]) -> Result<Self> {
        let any_run = files.iter().any(|file| !file.runs().is_empty());
        let any_folding = files.iter().any(|file| !file.foldings().is_empty());
        let any_link = files.iter().any(|file| file.link().is_some());
        if !files.is_empty() && !any_run && !any_folding && !any_link {
            return Err(Error::Usage(
                "no file has a run, a folding or a link to compute with; give one of `rewit run \
                 --out FILE`, `rewit fold --out FILE` or `rewit link probe --out FILE`"
                    .into(),
            ));
        }
        let mut measured_costs = if any_run { costs(files)? } else { Vec::new() };
        // The note's segments are about 2^20 cycles: what was measured of the largest comes first.
        measured_costs.sort_by_key(|costs| Reverse(costs.log_cycles));
        let folded = folded_sizes(files);
        let latency_seconds = files.iter().find_map(AnyFile::link).map(latency);
        let evidence = Evidence {
            costs: &measured_costs,
            folded: &folded,
            latency_seconds: latency_seconds.as_ref(),
        };
        Ok(Self {
            format: FORMAT.to_owned(),
            schema_version: VERSION,
            tool: Tool::this(),
            measured: files.iter().flat_map(measured_by).collect(),
            note: note(inputs, snapshots, &evidence)?,
        })
    }

    /// For a terminal.
    pub fn to_text(&self) -> String {
        self.render(Style::Text)
    }

    /// As Markdown.
    pub fn to_markdown(&self) -> String {
        self.render(Style::Markdown)
    }

    /// As JSON, indented, with a line end.
    pub fn to_json(&self) -> String {
        json_text(self)
    }

    /// As CSV: a line for each figure.
    pub fn to_csv(&self) -> String {
        csv::render(&self.note)
    }

    fn render(&self, style: Style) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out, style);
        out
    }

    fn write(&self, out: &mut String, style: Style) -> std::fmt::Result {
        let Note {
            written: _,
            asked,
            lines,
            scenarios,
            needed,
            break_even,
            questions,
        } = &self.note;
        heading(out, style, 1, "The note's ledger")?;
        writeln!(out, "{}", self.tool.headline())?;
        for by in &self.measured {
            writeln!(out, "{}", clean(style, &by.words()))?;
        }
        writeln!(
            out,
            "Numbers are modelled unless marked: (m) measured, (d) declared or published."
        )?;
        for (part, title) in [
            (Part::Recursion, "Line by line: recursion"),
            (Part::Folding, "Line by line: folding"),
        ] {
            heading(out, style, 2, title)?;
            let of_part: Vec<&Line> = lines.iter().filter(|line| line.part == part).collect();
            writeln!(out, "{}\n", line_table(style, &of_part, asked.is_some()))?;
            for line in of_part.iter().filter(|line| !line.remark.is_empty()) {
                writeln!(out, "- {}: {}.", line.what, line.remark)?;
            }
        }
        if lines.iter().any(|line| !line.recomputed.is_empty()) {
            heading(out, style, 2, "The same lines from measured sizes")?;
            let rows = lines.iter().map(|line| (&*line.what, &*line.recomputed));
            writeln!(out, "{}", figure_table(style, "line", rows))?;
        }
        heading(out, style, 2, "Totals by kind of transfer")?;
        writeln!(out, "{}", transfer_table(style, scenarios))?;
        heading(out, style, 2, "Totals by link and by machine")?;
        writeln!(out, "{}", link_table(style, scenarios))?;
        writeln!(
            out,
            "Of workers the mean / the first, which has the most: segments, and the joins of \
             every level, are handed out in \
             turn from it on."
        )?;
        heading(
            out,
            style,
            2,
            "Break-even bandwidth: below it regenerating is faster than receiving the witness",
        )?;
        let all = [("", &**break_even)];
        writeln!(out, "{}", figure_table(style, "", all.into_iter()))?;
        heading(out, style, 2, "Not in the note, and needed")?;
        items(out, style, "cost", needed, "not counted")?;
        heading(out, style, 2, "The note's questions")?;
        items(
            out,
            style,
            "question",
            questions,
            "not answered by these files",
        )
    }
}

impl MeasuredBy {
    fn words(&self) -> String {
        let Self {
            what,
            created,
            tool,
            machine,
            guest,
            log_cycles,
            complete,
        } = self;
        let state = if *complete { "" } else { ", not complete" };
        let commit = tool.git_commit.get(..12).unwrap_or(&tool.git_commit);
        format!(
            "{what} of {}, segments of 2^{log_cycles} cycles, on {machine}, {created}, commit \
             {commit}{state}",
            guest.name
        )
    }
}

/// A link's latency.
fn latency(link: &Link) -> Quantity {
    let (kind, samples) = (link.kind, Vec::new());
    Quantity {
        value: link.latency_seconds,
        kind,
        samples,
        source: format!("link, {}", link.description),
    }
}

fn measured_by(file: &AnyFile) -> Vec<MeasuredBy> {
    let words = |hardware: &Hardware, threads, backend: &str| machine(hardware, threads, backend);
    let runs = file.runs().into_iter().map(|run| MeasuredBy {
        what: "run".into(),
        created: run.created.clone(),
        tool: run.tool.clone(),
        machine: words(&run.hardware, run.parameters.threads, "cuda"),
        guest: run.guest.clone(),
        log_cycles: run.parameters.log_cycles,
        complete: run.complete,
    });
    let foldings = file.foldings().into_iter().map(|folding| {
        let parameters = &folding.measured.parameters;
        MeasuredBy {
            what: "folding".into(),
            created: folding.created.clone(),
            tool: folding.tool.clone(),
            machine: words(&folding.hardware, parameters.threads, &parameters.backend),
            guest: folding.measured.guest.clone(),
            log_cycles: parameters.log_cycles,
            complete: folding.complete,
        }
    });
    runs.chain(foldings).collect()
}

fn heading(out: &mut String, style: Style, level: usize, title: &str) -> std::fmt::Result {
    let first = out.is_empty();
    if !first {
        writeln!(out)?;
    }
    match style {
        Style::Text => writeln!(out, "{title}"),
        Style::Markdown => writeln!(out, "{} {title}\n", "#".repeat(level)),
    }
}

/// Text of a file as it may stand in a cell: no character that moves the cursor, ends the cell or begins markup.
fn clean(style: Style, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => {
                out.push('\u{fffd}');
            }
            _ if c.is_control() => out.push('\u{fffd}'),
            '<' if style == Style::Markdown => out.push_str("&lt;"),
            '&' if style == Style::Markdown => out.push_str("&amp;"),
            '|' | '[' | ']' | '!' if style == Style::Markdown => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

/// A number, marked with its kind.
fn value(figure: &Figure) -> String {
    let text = format_figure(figure.value, figure.unit);
    match figure.kind {
        Kind::Measured => format!("{text} (m)"),
        Kind::Modelled => text,
        Kind::Declared => format!("{text} (d)"),
    }
}

/// Numbers, each with its name where it has one.
fn values(style: Style, figures: &[Figure]) -> String {
    let text = |figure: &Figure| {
        if figure.name.is_empty() {
            value(figure)
        } else {
            format!("{}: {}", clean(style, &figure.name), value(figure))
        }
    };
    figures.iter().map(text).collect::<Vec<_>>().join("; ")
}

fn new_table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.iter().copied());
    table
}

fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn line_table(style: Style, lines: &[&Line], asked: bool) -> Table {
    let mut head = vec!["line", "the note says (d)", "as written"];
    if asked {
        head.push("with your inputs");
    }
    head.extend(["corrected", "verdict"]);
    let mut table = new_table(&head);
    for line in lines {
        let one = |figure: &Option<Figure>| match figure {
            Some(figure) => format_figure(figure.value, figure.unit),
            None => "-".into(),
        };
        let mut cells = vec![
            Cell::new(&line.what),
            right(one(&line.says)),
            right(one(&line.as_written)),
        ];
        if asked {
            cells.push(right(one(&line.with_inputs)));
        }
        let corrected = values(style, &line.corrected);
        cells.push(right(if corrected.is_empty() {
            "-".into()
        } else {
            corrected
        }));
        cells.push(Cell::new(line.verdict.words()));
        table.add_row(cells);
    }
    table
}

/// Figures under what they belong to, with where they come from.
fn figure_table<'a>(
    style: Style,
    first: &str,
    rows: impl Iterator<Item = (&'a str, &'a [Figure])>,
) -> Table {
    let named = !first.is_empty();
    let mut head = vec!["of", "value", "from"];
    if named {
        head.insert(0, first);
    }
    let mut table = new_table(&head);
    for (what, figures) in rows {
        for (i, figure) in figures.iter().enumerate() {
            let mut cells = vec![
                Cell::new(clean(style, &figure.name)),
                right(value(figure)),
                Cell::new(clean(style, &figure.source)),
            ];
            if named {
                // Once for all figures of it.
                cells.insert(0, Cell::new(if i == 0 { what } else { "" }));
            }
            table.add_row(cells);
        }
    }
    table
}

fn bytes(bytes: f64) -> String {
    format_figure(bytes, Unit::Bytes)
}

fn count(count: f64) -> String {
    format_figure(count, Unit::Count)
}

fn sized(size: f64, kind: Kind) -> String {
    value(&Figure {
        kind,
        ..Figure::modelled("", size, Unit::Bytes, "")
    })
}

fn transfer_table(style: Style, scenarios: &[Scenario]) -> Table {
    let mut table = new_table(&[
        "sent and joined",
        "each sent",
        "each joined",
        "segments",
        "segments assigned",
        "proofs returned",
        "joins: objects sent",
        "joins: returned",
        "everything",
        "assigned, of it",
    ]);
    for scenario in scenarios {
        let Scenario {
            name,
            shipment,
            joined,
            inputs,
            ledger,
        } = scenario;
        let joins = |transfers: f64, total| format!("{} ({})", bytes(total), count(transfers));
        let cells = [
            sized(inputs.snapshot_bytes, *shipment),
            sized(inputs.stark_bytes, *joined),
            count(ledger.segments),
            bytes(ledger.assigned_bytes),
            bytes(ledger.returned_bytes),
            joins(2.0 * ledger.joins, ledger.joins_sent_bytes),
            joins(ledger.joins, ledger.joins_returned_bytes),
            bytes(ledger.total_bytes),
            format_figure(ledger.assigned_share, Unit::Share),
        ];
        let mut row = vec![Cell::new(clean(style, name))];
        row.extend(cells.map(right));
        table.add_row(row);
    }
    table
}

fn link_table(style: Style, scenarios: &[Scenario]) -> Table {
    let mut table = new_table(&[
        "sent and joined",
        "executor, out",
        "coordinator, in",
        "coordinator, out",
        "a worker, in",
        "a worker, out",
        "first worker: segments, joins",
    ]);
    for Scenario { name, ledger, .. } in scenarios {
        let both = |mean, most| format!("{} / {}", bytes(mean), bytes(most));
        let cells = [
            bytes(ledger.executor_egress_bytes),
            bytes(ledger.coordinator_ingress_bytes),
            bytes(ledger.coordinator_egress_bytes),
            both(
                ledger.worker_ingress_mean_bytes,
                ledger.worker_ingress_max_bytes,
            ),
            both(
                ledger.worker_egress_mean_bytes,
                ledger.worker_egress_max_bytes,
            ),
            format!(
                "{}, {}",
                count(ledger.worker_max_segments),
                count(ledger.worker_max_joins)
            ),
        ];
        let mut row = vec![Cell::new(clean(style, name))];
        row.extend(cells.map(right));
        table.add_row(row);
    }
    table
}

/// Costs or questions: answers in words, then figures, then what has none.
fn items(
    out: &mut String,
    style: Style,
    what: &str,
    items: &[Item],
    missing: &str,
) -> std::fmt::Result {
    let rows = items.iter().map(|item| (&*item.what, &*item.figures));
    writeln!(out, "{}\n", figure_table(style, what, rows))?;
    for item in items {
        let none = item.figures.is_empty().then_some(missing);
        let said = [
            item.answer.as_deref().or(none),
            Some(&*item.remark),
            item.measure.as_deref(),
        ];
        let said: Vec<&str> = said
            .into_iter()
            .flatten()
            .filter(|text| !text.is_empty())
            .collect();
        if !said.is_empty() {
            let colon = if item.what.ends_with('?') { "" } else { ":" };
            writeln!(out, "- {}{colon} {}.", item.what, said.join("; "))?;
        }
    }
    Ok(())
}
