//! The ledger as CSV: RFC 4180, a line for each figure, and one without a value for what has none.

use crate::measure::Kind;
use crate::model::note::{Figure, Note, Scenario, Unit};
use crate::report::escape;

/// Columns.
const HEAD: [&str; 9] = [
    "section", "id", "what", "role", "name", "value", "unit", "kind", "source",
];

pub(super) fn render(note: &Note) -> String {
    let mut rows = Rows(String::new());
    rows.push(&HEAD.map(str::to_owned));
    for line in &note.lines {
        let corrected = format!("corrected: {}", line.verdict.words());
        let mut figures = Vec::new();
        for (role, figure) in [
            ("the note says", &line.says),
            ("as written", &line.as_written),
            ("with your inputs", &line.with_inputs),
        ] {
            figures.extend(figure.iter().map(|figure| (role, figure)));
        }
        figures.extend(line.corrected.iter().map(|f| (corrected.as_str(), f)));
        figures.extend(line.recomputed.iter().map(|f| ("recomputed", f)));
        if figures.is_empty() {
            rows.add("line", &line.id, &line.what, &corrected, None);
        }
        for (role, figure) in figures {
            rows.add("line", &line.id, &line.what, role, Some(figure));
        }
    }
    for scenario in &note.scenarios {
        for (id, figure) in of_scenario(scenario) {
            rows.add("total", id, &scenario.name, "", Some(&figure));
        }
    }
    for figure in &note.break_even {
        let what = "break-even bandwidth";
        rows.add("break-even", "break-even", what, "", Some(figure));
    }
    for (section, items) in [("needed", &note.needed), ("question", &note.questions)] {
        for item in items {
            let role = item.answer.as_deref().unwrap_or_default();
            if item.figures.is_empty() {
                rows.add(section, &item.id, &item.what, role, None);
            }
            for figure in &item.figures {
                rows.add(section, &item.id, &item.what, role, Some(figure));
            }
        }
    }
    rows.0
}

/// The lines so far.
struct Rows(String);

impl Rows {
    fn add(&mut self, section: &str, id: &str, what: &str, role: &str, figure: Option<&Figure>) {
        let [name, value, unit, kind, source] = match figure {
            Some(Figure {
                name,
                value,
                unit,
                kind,
                source,
            }) => [
                name.as_str(),
                // All digits, so that it reads back as the same number.
                &value.to_string(),
                unit_name(*unit),
                kind_name(*kind),
                source,
            ]
            .map(str::to_owned),
            None => Default::default(),
        };
        let [section, id, what, role] = [section, id, what, role].map(str::to_owned);
        self.push(&[section, id, what, role, name, value, unit, kind, source]);
    }

    fn push(&mut self, cells: &[String; HEAD.len()]) {
        let fields = cells.each_ref().map(|cell| escape::csv(cell));
        self.0.push_str(&fields.join(","));
        self.0.push_str("\r\n");
    }
}

fn of_scenario(scenario: &Scenario) -> Vec<(&'static str, Figure)> {
    let Scenario {
        name: _,
        shipment,
        joined,
        inputs,
        ledger,
    } = scenario;
    let figure = |kind, value, unit| Figure {
        kind,
        ..Figure::modelled("", value, unit, "")
    };
    let given = |value, kind| figure(kind, value, Unit::Bytes);
    let bytes = |value| figure(Kind::Modelled, value, Unit::Bytes);
    let count = |value| figure(Kind::Modelled, value, Unit::Count);
    vec![
        ("each-sent", given(inputs.snapshot_bytes, *shipment)),
        ("each-joined", given(inputs.stark_bytes, *joined)),
        ("segments", count(ledger.segments)),
        ("joins", count(ledger.joins)),
        ("levels", count(ledger.levels)),
        ("assigned", bytes(ledger.assigned_bytes)),
        ("returned", bytes(ledger.returned_bytes)),
        ("joins-sent", bytes(ledger.joins_sent_bytes)),
        ("joins-returned", bytes(ledger.joins_returned_bytes)),
        ("total", bytes(ledger.total_bytes)),
        (
            "assigned-share",
            figure(Kind::Modelled, ledger.assigned_share, Unit::Share),
        ),
        ("executor-egress", bytes(ledger.executor_egress_bytes)),
        (
            "coordinator-ingress",
            bytes(ledger.coordinator_ingress_bytes),
        ),
        ("coordinator-egress", bytes(ledger.coordinator_egress_bytes)),
        (
            "worker-ingress-mean",
            bytes(ledger.worker_ingress_mean_bytes),
        ),
        ("worker-egress-mean", bytes(ledger.worker_egress_mean_bytes)),
        ("worker-ingress-max", bytes(ledger.worker_ingress_max_bytes)),
        ("worker-egress-max", bytes(ledger.worker_egress_max_bytes)),
    ]
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "B",
        Unit::Bits => "bit",
        Unit::Seconds => "s",
        Unit::BitsPerSecond => "bit/s",
        Unit::Count => "count",
        Unit::Share => "share",
        Unit::Ratio => "ratio",
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Measured => "measured",
        Kind::Modelled => "modelled",
        Kind::Declared => "declared",
    }
}
