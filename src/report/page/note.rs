//! The note's ledger, line by line, and its questions.

use maud::{Markup, html};

use super::parts::{self, Cell, tag, text};
use super::{Data, Section, one_line};
use crate::measure::Kind;
use crate::model::note::{Figure, Item, Line, NOTE, Note, Scenario, Unit};
use crate::report::{AnyFile, NoteReport, format_figure};

/// Most figures in a cell.
const MAX_FIGURES: usize = 12;
/// Of more than four, how many are seen before the rest is opened.
const SEEN: usize = 2;

/// The ledger as written, corrected, and from the measured sizes.
pub(super) fn section(data: &Data<'_>) -> Section {
    let mut section = Section::default();
    // A file that costs cannot be taken from leaves the note as it is.
    let files: Vec<AnyFile> = data
        .sources
        .iter()
        .map(|source| source.file.clone())
        .collect();
    let found = NoteReport::new(&files, &NOTE, &[]);
    if let Err(error) = &found {
        let why = one_line(&error.to_string(), 300);
        section.push(html! { p .note { "Without measured sizes: " (why) "." } });
    }
    match found.or_else(|_| NoteReport::new(&[], &NOTE, &[])) {
        Ok(report) => show(&mut section, &report.note),
        Err(error) => section.push(parts::missing(&one_line(&error.to_string(), 300))),
    }
    section
}

fn show(section: &mut Section, note: &Note) {
    section.push(html! {
        p { "“Napkin Math: Communication Complexity of Decentralized Proving” (P. Gafni, RISC Zero), line by line: what it says, \
             what follows by its own formulas, what is right, and what measured sizes make of it. "
            code { "rewit model --note FILE…" } " prints the same." }
    });
    let head = [
        "line",
        "the note says",
        "as written",
        "corrected",
        "from measured sizes",
        "verdict",
    ];
    let lines = note.lines.iter().map(line);
    section.push(parts::table("The note's ledger", &head, lines));
    let head = [
        "what is sent and joined",
        "assigned",
        "returned",
        "joins sent",
        "joins returned",
        "total",
        "assigned share",
        "executor egress",
        "coordinator ingress",
        "coordinator egress",
    ];
    // The first measured ones are of the largest segments.
    let measured = |scenario: &&Scenario| scenario.shipment == Kind::Measured;
    let cycles = |scenario: &Scenario| scenario.inputs.segment_cycles;
    let largest = note.scenarios.iter().find(measured).map(cycles);
    let (shown, others): (Vec<&Scenario>, Vec<&Scenario>) = note
        .scenarios
        .iter()
        .partition(|found| !measured(found) || Some(cycles(found)) == largest);
    let totals = |caption: &str, rows: &[&Scenario]| {
        parts::table(caption, &head, rows.iter().map(|found| scenario(found)))
    };
    section.push(totals("Totals by transfer and link", &shown));
    if !others.is_empty() {
        let caption = "Totals with smaller segments";
        section.push(parts::folded(caption, &totals(caption, &others)));
    }
    let head = ["not in the note, and needed", "figures", "remark"];
    let table = parts::table(
        "Not in the note, and needed",
        &head,
        note.needed.iter().map(item),
    );
    section.push(parts::folded("What the note does not count", &table));
    if !note.break_even.is_empty() {
        let figures = list(&note.break_even);
        section.push(html! { p { "Bandwidths below which regenerating is faster than shipping: " (figures) } });
    }
    let head = ["question", "figures", "remark"];
    section.push(parts::table(
        "The note's questions",
        &head,
        note.questions.iter().map(item),
    ));
}

fn figure(figure: &Figure) -> Markup {
    let words = one_line(&format_figure(figure.value, figure.unit), 40);
    html! {
        @if !figure.name.is_empty() { span .what { (one_line(&figure.name, 100)) } " " }
        data value=[parts::raw(figure.value)] title=(one_line(&figure.source, 200)) { (words) }
        (tag(figure.kind))
    }
}

fn list(figures: &[Figure]) -> Markup {
    html! {
        @let shown = &figures[..figures.len().min(MAX_FIGURES)];
        @let (first, rest) = shown.split_at(if shown.len() > 4 { SEEN } else { shown.len() });
        @for (i, one) in first.iter().enumerate() {
            @if i > 0 { br; }
            (figure(one))
        }
        @if !rest.is_empty() {
            details {
                summary { (figures.len() - SEEN) " more" }
                @for (i, one) in rest.iter().enumerate() {
                    @if i > 0 { br; }
                    (figure(one))
                }
                @if figures.len() > MAX_FIGURES { br; "…" }
            }
        }
        @if figures.is_empty() { "–" }
    }
}

fn line(line: &Line) -> Vec<Cell> {
    let one = |figure: &Option<Figure>| parts::markup(list(figure.as_slice()));
    vec![
        text(&line.what),
        one(&line.says),
        one(&line.as_written),
        parts::markup(list(&line.corrected)),
        parts::markup(list(&line.recomputed)),
        parts::markup(html! {
            strong { (line.verdict.words()) }
            @if !line.remark.is_empty() { ": " (one_line(&line.remark, 400)) }
        }),
    ]
}

fn scenario(scenario: &Scenario) -> Vec<Cell> {
    let ledger = &scenario.ledger;
    let bytes =
        |value: f64| parts::number(Kind::Modelled, &format_figure(value, Unit::Bytes), value);
    let share = parts::number(
        Kind::Modelled,
        &format_figure(ledger.assigned_share, Unit::Share),
        ledger.assigned_share,
    );
    vec![
        text(&scenario.name),
        bytes(ledger.assigned_bytes),
        bytes(ledger.returned_bytes),
        bytes(ledger.joins_sent_bytes),
        bytes(ledger.joins_returned_bytes),
        bytes(ledger.total_bytes),
        share,
        bytes(ledger.executor_egress_bytes),
        bytes(ledger.coordinator_ingress_bytes),
        bytes(ledger.coordinator_egress_bytes),
    ]
}

fn item(item: &Item) -> Vec<Cell> {
    let what = match &item.answer {
        Some(answer) => format!("{} {answer}", item.what),
        None => item.what.clone(),
    };
    let figures = match item.figures.as_slice() {
        [] => text("not counted"),
        figures => parts::markup(list(figures)),
    };
    vec![
        text(&what),
        figures,
        parts::markup(parts::sentence(&one_line(&item.remark, 400))),
    ]
}
