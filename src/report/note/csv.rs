//! The ledger as CSV: RFC 4180, a line for each figure.

use crate::measure::Kind;
use crate::model::note::{Figure, Note, Scenario, Unit};
use crate::report::escape;

/// Columns.
const HEAD: [&str; 9] = [
    "section", "id", "what", "role", "name", "value", "unit", "kind", "source",
];

pub(super) fn render(note: &Note) -> String {
    let mut out = String::new();
    row(&mut out, &HEAD.map(str::to_owned));
    let mut add = |section: &str, id: &str, what: &str, role: &str, figure: &Figure| {
        let Figure {
            name,
            value,
            unit,
            kind,
            source,
        } = figure;
        let cells = [
            section.to_owned(),
            id.to_owned(),
            what.to_owned(),
            role.to_owned(),
            name.clone(),
            // All digits, so that it reads back as the same number.
            format!("{value}"),
            unit_name(*unit).to_owned(),
            kind_name(*kind).to_owned(),
            source.clone(),
        ];
        row(&mut out, &cells);
    };
    for line in &note.lines {
        let verdict = line.verdict.words();
        for (role, figure) in [
            ("the note says", &line.says),
            ("as written", &line.as_written),
            ("with your inputs", &line.with_inputs),
        ] {
            if let Some(figure) = figure {
                add("line", &line.id, &line.what, role, figure);
            }
        }
        for figure in &line.corrected {
            let role = format!("corrected: {verdict}");
            add("line", &line.id, &line.what, &role, figure);
        }
        for figure in &line.recomputed {
            add("line", &line.id, &line.what, "recomputed", figure);
        }
    }
    for scenario in &note.scenarios {
        for (id, figure) in of_scenario(scenario) {
            add("total", id, &scenario.name, "", &figure);
        }
    }
    for figure in &note.break_even {
        add(
            "break-even",
            "break-even",
            "break-even bandwidth",
            "",
            figure,
        );
    }
    for (section, items) in [("needed", &note.needed), ("question", &note.questions)] {
        for item in items {
            let role = item.answer.as_deref().unwrap_or_default();
            for figure in &item.figures {
                add(section, &item.id, &item.what, role, figure);
            }
        }
    }
    out
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

fn row(out: &mut String, cells: &[String]) {
    let fields: Vec<String> = cells.iter().map(|cell| escape::csv(cell)).collect();
    out.push_str(&fields.join(","));
    out.push_str("\r\n");
}
