//! The section of the page, as it is without JavaScript.

use maud::{Markup, PreEscaped, html};
use serde::Serialize;

use super::super::one_line;
use super::super::parts::tag;
use super::{
    ANY, CalculatorData, FIELDS, Field, Job, LINK_FIELDS, Run, Settings, Way, aggregations,
    fastest, ways,
};
use crate::measure::Kind;
use crate::model::cluster::Estimate;
use crate::model::note::{Ledger, LedgerInputs, ledger, seconds_on_link};
use crate::model::{Costs, Crossing, Route};
use crate::report::table::crossing;
use crate::report::{format_bandwidth, format_bytes, format_count, format_seconds};

/// What stands in the page's section `calculator`, below its heading.
pub(in crate::report::page) fn section(data: &CalculatorData) -> Markup {
    html! {
        p {
            "What the models of " code { "rewit report" } " and " code { "rewit model" } " say for other links, machines \
             and sizes, from the measured costs of a segment."
        }
        noscript {
            p { "The sliders need JavaScript; without it the tables show the numbers at these settings: "
                (settings_in_words(&data.settings)) "." }
        }
        (form(data))
        @if let Some(run) = data.runs.first() {
            (times(&run.costs, &data.settings))
            (cluster(run, &data.settings))
        } @else {
            p .missing { "The time to the witness and the cluster need a run's costs; measure them with "
                code { "rewit run --out FILE" } "." }
        }
        (ledger_table(&data.settings))
        script #calculator-data type="application/json" { (PreEscaped(data.island())) }
    }
}

fn settings_in_words(settings: &Settings) -> String {
    format!(
        "{} a link, {} latency, {} machines, {} cycles",
        format_bandwidth(settings.bw),
        format_seconds(settings.latency),
        format_count(settings.machines as u64),
        format_count(settings.cycles as u64),
    )
}

fn form(data: &CalculatorData) -> Markup {
    let select = |key: &str, label: &str, options: Markup| {
        let id = format!("calculator-{key}");
        html! {
            div .field {
                label for=(id) { (label) }
                select id=(id) { (options) }
            }
        }
    };
    let (links, sizes) = FIELDS.split_at(LINK_FIELDS);
    html! {
        // Shown by the script.
        form #calculator-form .interactive hidden autocomplete="off" {
            fieldset {
                legend { "Links, machines, run" }
                div .fields {
                    @for field in links { (input(field, data.settings.value(field.key))) }
                    @if !data.runs.is_empty() {
                        (select("run", "Costs as measured", html! {
                            @for (i, run) in data.runs.iter().enumerate() {
                                option value=(i) { (run_label(&run.costs)) }
                            }
                        }))
                        (select("aggregation", "Aggregation", html! {
                            @for (name, words, _) in aggregations() { option value=(name) { (words) } }
                        }))
                        (select("encoding", "Encoding of the cluster", html! {
                            option value=(ANY) { (ANY) }
                        }))
                    }
                }
            }
            fieldset {
                legend { "Sizes of the note's ledger" }
                div .fields {
                    @for field in sizes { (input(field, data.settings.value(field.key))) }
                }
            }
            button #calculator-reset type="button" { "Reset" }
        }
    }
}

fn run_label(costs: &Costs) -> String {
    let Costs {
        machine,
        guest,
        backend,
        log_cycles,
        ..
    } = costs;
    format!(
        "{}, segments of 2^{log_cycles} cycles, {}, {}",
        one_line(guest, 40),
        one_line(backend, 20),
        one_line(machine, 100)
    )
}

fn input(field: &Field, value: f64) -> Markup {
    let Field {
        key,
        label,
        unit,
        scale,
        min,
        max,
        least,
        ..
    } = *field;
    let id = format!("calculator-{key}");
    html! {
        div .field {
            label for=(id) {
                (label)
                @if !unit.is_empty() { ", " (unit) }
            }
            input id=(id) type="number" inputmode="decimal" step="any"
                min=(min / scale) max=(max / scale) value=(value / scale);
            input id=(format!("{id}-slider")) type="range" step="0.01" aria-label=(format!("{label}, slider"))
                min=(least.log10()) max=(max.log10()) value=(value.max(least).log10());
        }
    }
}

fn times(costs: &Costs, settings: &Settings) -> Markup {
    let ways = ways(costs, settings.bw, settings.latency);
    let (best, way) = fastest(&ways);
    html! {
        h3 { "Time to the witness of a segment" }
        p #calculator-fastest aria-live="polite" {
            "At " (format_bandwidth(settings.bw)) " the fastest way to the witness is " (way.label()) ": "
            (format_seconds(way.total)) ", modelled."
        }
        div .scroll tabindex="0" role="region" aria-label="Time to the witness by encoding" {
            table #calculator-times {
                thead {
                    tr {
                        th scope="col" { "encoding (compression)" }
                        th .n scope="col" { "bytes sent " (tag(Kind::Measured)) }
                        th .n scope="col" { "work there " (tag(Kind::Modelled)) }
                        th .n scope="col" { "time to the witness " (tag(Kind::Modelled)) }
                        th .n scope="col" { "break-even " (tag(Kind::Modelled)) }
                    }
                }
                tbody {
                    @for (i, way) in ways.iter().enumerate() { (time_row(way, i == best)) }
                }
            }
        }
        p .note {
            "Each encoding in the compression that is the fastest at this bandwidth. The time is 8 · bytes / bandwidth + \
             latency + work. Break-even, in the encoding's best compression: the bandwidth below which it beats \
             receiving the raw witness in place."
        }
    }
}

fn time_row(way: &Way<'_>, is_best: bool) -> Markup {
    let bits = match way.crossing {
        Some(Crossing::Below { bits_per_second } | Crossing::Above { bits_per_second }) => {
            Some(bits_per_second)
        }
        _ => None,
    };
    let Route { bytes, seconds } = way.route;
    html! {
        tr data-key=(way.encoding) class=[is_best.then_some("fastest")] {
            th scope="row" {
                (way.label())
                @if is_best { ", fastest" }
            }
            (cell("bytes", Some(bytes), &format_bytes(bytes)))
            (cell("seconds", Some(seconds), &format_seconds(seconds)))
            (cell("total", Some(way.total), &format_seconds(way.total)))
            (cell("break-even", bits, &way.crossing.map_or_else(|| "–".to_owned(), crossing)))
        }
    }
}

/// The cluster's, with the names of [`Estimate`]'s fields.
const ESTIMATE: [Line; 6] = [
    (
        "executor_seconds",
        "last segment: executor, its work, joins above",
        Unit::Seconds,
    ),
    (
        "egress_seconds",
        "bytes out of the executor's machine, then work and joins",
        Unit::Seconds,
    ),
    ("workers_seconds", "work of all machines", Unit::Seconds),
    (
        "ingress_seconds",
        "bytes into the executor's machine",
        Unit::Seconds,
    ),
    (
        "aggregation_seconds",
        "first segment: its work and all levels of joins",
        Unit::Seconds,
    ),
    ("makespan_seconds", "all", Unit::Seconds),
];

fn cluster(run: &Run, settings: &Settings) -> Markup {
    let found = run.estimate(settings);
    let amounts = found.as_ref().map(|(_, estimate)| numbers(estimate));
    html! {
        h3 { "A cluster of such machines" }
        p #calculator-bound aria-live="polite" { (bound(found.as_ref(), settings)) }
        div .scroll tabindex="0" role="region" aria-label="Bounds of a cluster's time" {
            table #calculator-estimate {
                thead {
                    tr {
                        th scope="col" { "bound by" }
                        th .n scope="col" { "no less than " (tag(Kind::Modelled)) }
                    }
                }
                tbody {
                    @for (key, label, unit) in ESTIMATE {
                        @let value = amounts.as_ref().and_then(|amounts| amounts[key].as_f64());
                        tr data-key=(key) data-unit=(unit.name()) {
                            th scope="row" { (label) }
                            (cell("amount", value, &value.map_or_else(|| "–".to_owned(), |v| unit.format(v))))
                        }
                    }
                }
            }
        }
        p .note {
            "The closed form of " code { "rewit model" } ": bounds that no schedule beats, without stragglers or losses, \
             every link of the same bandwidth, joins assigned by a coordinator on the executor's machine; "
            code { "rewit model" } " simulates the cluster itself."
        }
    }
}

/// What the bounds say, in a sentence.
fn bound(found: Option<&(&Job, Estimate)>, settings: &Settings) -> String {
    let Some((job, estimate)) = found else {
        return "What this needs was not measured.".to_owned();
    };
    format!(
        "{} cycles on {} machines, shipped as {}: no less than {}, bound by {}, modelled.",
        format_count(settings.cycles as u64),
        format_count(settings.machines as u64),
        job.encoding.replace('.', ", "),
        format_seconds(estimate.makespan_seconds),
        crate::report::cluster::way(&estimate.binding)
    )
}

/// A number as text, and as it is for whoever reads the page by program.
fn cell(name: &str, value: Option<f64>, text: &str) -> Markup {
    html! {
        td .n data-name=(name) data-value=(value.map(|v| v.to_string()).unwrap_or_default()) { (text) }
    }
}

/// How a line of a table reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unit {
    Bytes,
    Count,
    Seconds,
    Share,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Share => "share",
        }
    }

    fn format(self, value: f64) -> String {
        match self {
            Self::Bytes => format_bytes(value),
            Self::Count => format_count(value as u64),
            Self::Seconds => format_seconds(value),
            Self::Share => format!("{:.1} %", 100.0 * value),
        }
    }
}

/// A line of a table: the name of the number in the model, what it is, and how it reads.
type Line = (&'static str, &'static str, Unit);

/// The ledger's, with the names of [`Ledger`]'s fields.
const LEDGER: [Line; 19] = [
    ("segments", "segments", Unit::Count),
    ("joins", "joins", Unit::Count),
    ("levels", "levels of the tree", Unit::Count),
    ("assigned_bytes", "segments assigned", Unit::Bytes),
    ("returned_bytes", "proofs returned", Unit::Bytes),
    ("joins_sent_bytes", "sent to be joined", Unit::Bytes),
    ("joins_returned_bytes", "joined, returned", Unit::Bytes),
    ("tree_bytes", "tree in all", Unit::Bytes),
    (
        "aggregation_bytes",
        "aggregation: proofs returned and tree",
        Unit::Bytes,
    ),
    ("total_bytes", "everything", Unit::Bytes),
    ("assigned_share", "of it segments assigned", Unit::Share),
    ("executor_egress_bytes", "out of the executor", Unit::Bytes),
    (
        "coordinator_ingress_bytes",
        "into the coordinator",
        Unit::Bytes,
    ),
    (
        "coordinator_egress_bytes",
        "out of the coordinator",
        Unit::Bytes,
    ),
    (
        "worker_ingress_mean_bytes",
        "into a worker, mean",
        Unit::Bytes,
    ),
    (
        "worker_ingress_max_bytes",
        "into the busiest worker",
        Unit::Bytes,
    ),
    (
        "worker_egress_mean_bytes",
        "out of a worker, mean",
        Unit::Bytes,
    ),
    (
        "worker_egress_max_bytes",
        "out of the busiest worker",
        Unit::Bytes,
    ),
    (
        "latencies",
        "latencies that follow one another",
        Unit::Count,
    ),
];

/// The numbers of a model by the names of their fields.
fn numbers(model: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(model).expect("plain numbers have a JSON form")
}

fn ledger_of(settings: &Settings) -> Ledger {
    ledger(&LedgerInputs {
        machines: settings.machines,
        cycles: settings.cycles,
        segment_cycles: settings.segment,
        snapshot_bytes: settings.snapshot,
        stark_bytes: settings.stark,
    })
}

fn ledger_table(settings: &Settings) -> Markup {
    let found = numbers(&ledger_of(settings));
    let on_link = |unit, value| match unit {
        Unit::Bytes => Some(seconds_on_link(value, settings.bw)),
        _ => None,
    };
    html! {
        h3 { "The note's ledger with these sizes" }
        div .scroll tabindex="0" role="region" aria-label="The note's ledger with these sizes" {
            table #calculator-ledger {
                thead {
                    tr {
                        th scope="col" { "what" }
                        th .n scope="col" { "amount " (tag(Kind::Modelled)) }
                        th .n scope="col" { "over one such link " (tag(Kind::Modelled)) }
                    }
                }
                tbody {
                    @for (key, label, unit) in LEDGER {
                        @let value = found[key].as_f64().unwrap_or(f64::NAN);
                        @let seconds = if key == "latencies" { Some(value * settings.latency) } else { on_link(unit, value) };
                        tr data-key=(key) data-unit=(unit.name()) {
                            th scope="row" { (label) }
                            (cell("amount", Some(value), &unit.format(value)))
                            (cell("seconds", seconds, &seconds.map_or_else(|| "–".to_owned(), format_seconds)))
                        }
                    }
                }
            }
        }
        p .note {
            "A segment to a worker for each segment, a proof back; a binary tree in which both objects of a join are \
             sent and the joined one is returned, odd ones carried over; every object is as long as a STARK."
        }
    }
}
