//! What sections consist of: numbers with their kind, tables, plots.

use maud::{Markup, PreEscaped, html};

use super::plot::{self, Figure, Size, one_line};
use crate::measure::Kind;

/// Most rows of a table.
pub(super) const MAX_ROWS: usize = 300;

/// Letters and name of a kind.
fn letters(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Measured => ("me", "measured"),
        Kind::Modelled => ("mo", "modelled"),
        Kind::Declared => ("de", "declared"),
    }
}

/// The mark of a kind.
pub(super) fn tag(kind: Kind) -> Markup {
    let (short, name) = letters(kind);
    html! { small .kind .(name) title=(name) { (short) } }
}

/// What the marks mean.
pub(super) fn legend() -> Markup {
    let rows = [
        (Kind::Measured, "measured in the run of the file"),
        (Kind::Modelled, "computed from measured or declared numbers"),
        (
            Kind::Declared,
            "given by the user or taken from a publication",
        ),
    ];
    html! {
        p .legend { "Every number has its kind: "
            @for (i, (kind, words)) in rows.into_iter().enumerate() {
                @if i > 0 { ", " }
                (tag(kind)) " " (words)
            }
            "."
        }
    }
}

/// A cell of a table.
pub(super) struct Cell {
    class: &'static str,
    body: Markup,
}

/// Text from anywhere.
pub(super) fn text(text: &str) -> Cell {
    Cell {
        // What is short stays on one line.
        class: if text.chars().count() <= 36 {
            "t short"
        } else {
            "t"
        },
        body: html! { (one_line(text, 240)) },
    }
}

/// A name as it is typed.
pub(super) fn code(text: &str) -> Cell {
    Cell {
        class: "t",
        body: html! { code { (one_line(text, 100)) } },
    }
}

/// A number for programs that read the page; none if it is none.
pub(super) fn raw(value: f64) -> Option<String> {
    let plain = value == 0.0 || (1e-9..1e17).contains(&value.abs());
    let text = if plain {
        value.to_string()
    } else {
        format!("{value:e}")
    };
    value.is_finite().then_some(text)
}

/// A number in words, with its kind.
pub(super) fn number(kind: Kind, words: &str, value: f64) -> Cell {
    Cell {
        class: "n",
        body: html! { data value=[raw(value)] { (words) } (tag(kind)) },
    }
}

/// Seconds.
pub(super) fn seconds(kind: Kind, value: f64) -> Cell {
    number(kind, &plot::seconds(value), value)
}

/// Bytes.
pub(super) fn bytes(kind: Kind, value: f64) -> Cell {
    number(kind, &plot::bytes(value), value)
}

/// Bits per second.
pub(super) fn bandwidth(kind: Kind, value: f64) -> Cell {
    number(kind, &plot::format_bits(value), value)
}

/// A count.
pub(super) fn count(kind: Kind, value: u64) -> Cell {
    number(kind, &crate::report::format_count(value), value as f64)
}

/// Several numbers.
pub(super) fn markup(body: Markup) -> Cell {
    Cell {
        class: "t figures",
        body,
    }
}

/// Nothing to say.
pub(super) fn none() -> Cell {
    Cell {
        class: "n",
        body: html! { "–" },
    }
}

/// A number if there is one.
pub(super) fn maybe(cell: Option<Cell>) -> Cell {
    cell.unwrap_or_else(none)
}

/// A table in a box that scrolls by itself; of long ones the start.
///
/// The first cell of a row is its heading.
pub(super) fn table(
    caption: &str,
    head: &[&str],
    rows: impl IntoIterator<Item = Vec<Cell>>,
) -> Markup {
    let mut rows = rows.into_iter();
    let shown: Vec<Vec<Cell>> = rows.by_ref().take(MAX_ROWS).collect();
    let left = rows.count();
    html! {
        @let sentences = shown.iter().flatten().any(|cell| cell.class == "t figures");
        div .scroll .cards[sentences] tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { span { (caption) } }
                thead { tr {
                    @for (i, name) in head.iter().enumerate() {
                        @let number = shown.iter().find_map(|row| row.get(i).map(|cell| cell.class == "n"));
                        th .n[number == Some(true)] scope="col" { (name) }
                    }
                } }
                tbody {
                    @for row in &shown {
                        tr {
                            @for (i, cell) in row.iter().enumerate() {
                                @if i == 0 { th scope="row" class=(cell.class) { (cell.body) } }
                                @else { td class=(cell.class) data-head=[head.get(i)] { (cell.body) } }
                            }
                        }
                    }
                }
            }
        }
        @if left > 0 {
            p .note { "The first " (MAX_ROWS) " rows; the file has " (left) " more." }
        }
    }
}

/// A table behind a line that opens it.
pub(super) fn folded(summary: &str, body: &Markup) -> Markup {
    html! { details { summary { (summary) } (body) } }
}

/// A plot, drawn for wide and for narrow pages, of which one is shown.
pub(super) fn figure(figure: &Figure, caption: &str) -> Markup {
    html! {
        figure .plot id=(format!("fig-{}", figure.id)) data-name=(figure.id) {
            @for size in Size::ALL {
                div class=(size.name()) { (PreEscaped(figure.svg(size))) }
            }
            figcaption { (sentence(caption)) }
        }
    }
}

/// Says what would measure what is not there.
pub(super) fn missing(words: &str) -> Markup {
    html! { p .missing { (sentence(words)) } }
}

/// A sentence in which what is between backticks is code.
pub(super) fn sentence(words: &str) -> Markup {
    html! {
        @for (i, part) in words.split('`').enumerate() {
            @if i % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
