//! The calculator: what the models say for other links, machines and sizes than the report shows.
//!
//! Without JavaScript the section shows the models' numbers at the defaults. `calculator.js` computes
//! the same for other values: it is a port of these functions and of those of [`model`](crate::model).

use maud::{Markup, PreEscaped, html};
use serde::Serialize;

use super::parts::tag;
use super::plain;
use crate::measure::Kind;
use crate::model::cluster::{
    Aggregation, Cluster, Estimate, EstimateInputs, Group, LinkCost, Placement, estimate,
    estimate_cluster,
};
use crate::model::note::{Ledger, LedgerInputs, ledger, seconds_on_link};
use crate::model::{Costs, Crossing, Quantity, Route, break_even};
use crate::report::conclusion::rank;
use crate::report::table::crossing;
use crate::report::{format_bandwidth, format_bytes, format_count, format_seconds};

/// The page's one script: the calculator, and the buttons that save plots.
pub(super) const SCRIPT: &str = include_str!("calculator.js");

/// What the section needs of the page's style sheet.
pub(super) const STYLE: &str = include_str!("calculator.css");

/// Most runs that one can choose from.
const MAX_RUNS: usize = 8;
/// The setting for the encoding of the least time.
const ANY: &str = "fastest";

/// A setting that is a number.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(super) struct Field {
    /// Its name in the fragment of the address.
    key: &'static str,
    #[serde(skip)]
    label: &'static str,
    /// The unit of the input, of which one is `scale` in the unit of the models.
    unit: &'static str,
    scale: f64,
    /// Limits, in the unit of the models: numbers outside are taken as these.
    min: f64,
    max: f64,
    /// Least value of the slider, which is logarithmic.
    least: f64,
    integer: bool,
}

/// All of them, in order.
const FIELDS: [Field; 7] = [
    // The first LINK_FIELDS are those of links and the cluster, the others of the ledger alone.
    field("bw", "Bandwidth of each link", "Gb/s", 1e9, 1e6, 1e13, 1e7),
    field("latency", "Latency, one way", "µs", 1e-6, 0.0, 10.0, 1e-6),
    count("machines", "Machines", "", 1.0, 1e6),
    count("cycles", "Cycles of the run", "", 1.0, 1e15),
    count("segment", "Cycles of a segment", "", 1e3, 1e12),
    field("snapshot", "Snapshot", "MB", 1e6, 1.0, 1e12, 1e3),
    field("stark", "STARK", "kB", 1e3, 1.0, 1e10, 1e3),
];

const LINK_FIELDS: usize = 4;

const fn field(
    key: &'static str,
    label: &'static str,
    unit: &'static str,
    scale: f64,
    min: f64,
    max: f64,
    least: f64,
) -> Field {
    Field {
        key,
        label,
        unit,
        scale,
        min,
        max,
        least,
        integer: false,
    }
}

const fn count(
    key: &'static str,
    label: &'static str,
    unit: &'static str,
    min: f64,
    max: f64,
) -> Field {
    Field {
        key,
        label,
        unit,
        scale: 1.0,
        min,
        max,
        least: min,
        integer: true,
    }
}

/// What is computed with; the keys are those of the fragment.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Settings {
    /// Bits per second.
    pub(super) bw: f64,
    /// Seconds, one way.
    pub(super) latency: f64,
    /// Machines that prove.
    pub(super) machines: f64,
    /// Cycles of the whole run.
    pub(super) cycles: f64,
    /// Cycles of a segment of the ledger.
    pub(super) segment: f64,
    /// Bytes of a snapshot of the ledger.
    pub(super) snapshot: f64,
    /// Bytes of a proof of the ledger.
    pub(super) stark: f64,
    /// Which of the runs.
    pub(super) run: usize,
    /// Encoding and compression, with a full stop between them; or [`ANY`].
    pub(super) encoding: String,
    /// Name of the way to aggregate.
    pub(super) aggregation: String,
}

impl Settings {
    /// The note's cluster on a link of 10 Gb/s, latency not counted.
    fn new(runs: &[Run]) -> Self {
        let first = runs.first().and_then(|run| run.jobs.first());
        Self {
            bw: 10e9,
            latency: 0.0,
            machines: 1000.0,
            cycles: 1e9,
            segment: 1e6,
            snapshot: 50e6,
            stark: 250e3,
            run: 0,
            encoding: ANY.to_owned(),
            aggregation: first.map_or("none", |job| job.aggregation).to_owned(),
        }
    }

    fn value(&self, key: &str) -> f64 {
        match key {
            "bw" => self.bw,
            "latency" => self.latency,
            "machines" => self.machines,
            "cycles" => self.cycles,
            "segment" => self.segment,
            "snapshot" => self.snapshot,
            "stark" => self.stark,
            _ => unreachable!("every field has a setting"),
        }
    }
}

/// A run that was measured.
#[derive(Clone, PartialEq, Debug, Serialize)]
struct Run {
    /// Its costs, without samples.
    costs: Costs,
    /// What a cluster of such machines can do with it.
    jobs: Vec<Job>,
}

/// A job of a cluster, but for its size: segments, workers and links are settings.
#[derive(Clone, PartialEq, Debug, Serialize)]
struct Job {
    /// Encoding and compression, with a full stop between them.
    encoding: String,
    /// Name of the way to aggregate.
    aggregation: &'static str,
    inputs: EstimateInputs,
}

/// What the section is made of.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct CalculatorData {
    runs: Vec<Run>,
    fields: [Field; FIELDS.len()],
    settings: Settings,
}

impl CalculatorData {
    /// Of many runs the first.
    pub(super) fn new(costs: &[Costs]) -> Self {
        let run = |costs| Run {
            costs: bare(costs),
            jobs: jobs(costs),
        };
        let runs: Vec<Run> = costs.iter().take(MAX_RUNS).map(run).collect();
        Self {
            fields: FIELDS,
            settings: Settings::new(&runs),
            runs,
        }
    }

    /// As JSON that may stand in an element of a page: no `<`, `>` or `&` is in it.
    fn island(&self) -> String {
        let json = serde_json::to_string(self).expect("plain data has a JSON form");
        // These are only ever inside of strings.
        json.replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026")
    }
}

/// The same without samples and sources.
fn bare(costs: &Costs) -> Costs {
    let mut costs = costs.clone();
    let strip = |quantity: &mut Quantity| {
        quantity.samples = Vec::new();
        quantity.source = String::new();
    };
    for quantity in [
        &mut costs.witness_bytes,
        &mut costs.program_bytes,
        &mut costs.input_bytes,
        &mut costs.execute_hz,
        &mut costs.record_reads_hz,
        &mut costs.record_all_hz,
    ] {
        strip(quantity);
    }
    for cost in &mut costs.encodings {
        for quantity in [
            &mut cost.bytes,
            &mut cost.encode_seconds,
            &mut cost.decode_seconds,
            &mut cost.regenerate_seconds,
        ] {
            strip(quantity);
        }
    }
    if let Some(proof) = &mut costs.proof {
        for quantity in [
            &mut proof.seconds,
            &mut proof.bytes,
            &mut proof.statement_bytes,
            &mut proof.verify_seconds,
        ] {
            strip(quantity);
        }
    }
    if let Some(fold) = &mut costs.fold {
        for quantity in [
            &mut fold.seconds,
            &mut fold.accumulator_bytes,
            &mut fold.merge_seconds,
        ] {
            strip(quantity);
        }
    }
    costs
}

/// Ways to aggregate, the ones with most to do first: name and words.
fn aggregations() -> [(&'static str, &'static str, Aggregation); 3] {
    [
        (
            "fri",
            "tree of recursive proofs, joins as published",
            Aggregation::published_fri(),
        ),
        ("fold", "tree of folded accumulators", Aggregation::Fold),
        ("none", "none, proofs are returned", Aggregation::None),
    ]
}

/// The jobs of which everything was measured.
fn jobs(costs: &Costs) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (name, _, aggregation) in aggregations() {
        for cost in &costs.encodings {
            // What a segment costs depends on neither links nor numbers: any do.
            let link = LinkCost::declared(1e9, 0.0, "");
            let cluster = Cluster {
                cycles: costs.segment_cycles(),
                executor: costs.clone(),
                executor_link: link.clone(),
                executor_price: None,
                groups: vec![Group {
                    name: String::new(),
                    count: 1,
                    costs: costs.clone(),
                    link,
                    speed: 1.0,
                    price: None,
                }],
                encoding: cost.encoding.clone(),
                compression: cost.compression.clone(),
                aggregation: aggregation.clone(),
                placement: Placement::Coordinator,
                stragglers: None,
                loss: None,
                wrap: None,
                switch: None,
                egress_price: None,
                prefetch: 1,
                seed: 0,
                replicates: 0,
            };
            // One that lacks a measurement is not offered.
            if let Ok((inputs, _)) = estimate_cluster(&cluster) {
                jobs.push(Job {
                    encoding: format!("{}.{}", cost.encoding, cost.compression),
                    aggregation: name,
                    inputs,
                });
            }
        }
    }
    jobs
}

impl Run {
    /// A job at the settings' size.
    fn inputs(&self, job: &Job, settings: &Settings) -> EstimateInputs {
        let segment_cycles = self.costs.segment_cycles() as f64;
        let segments = (settings.cycles / segment_cycles).ceil();
        let last_cycles = settings.cycles - (segments - 1.0) * segment_cycles;
        EstimateInputs {
            segments,
            last_execute_seconds: job.inputs.execute_seconds / segment_cycles * last_cycles,
            workers: settings.machines,
            capacity: settings.machines,
            executor_bps: settings.bw,
            worker_bps: settings.bw,
            latency_seconds: settings.latency,
            ..job.inputs
        }
    }

    /// The job of the settings, of several the one of the least bound, of equals the first.
    fn estimate(&self, settings: &Settings) -> Option<(&Job, Estimate)> {
        self.jobs
            .iter()
            .filter(|job| job.aggregation == settings.aggregation)
            .filter(|job| settings.encoding == ANY || settings.encoding == job.encoding)
            .map(|job| (job, estimate(&self.inputs(job, settings))))
            .reduce(|a, b| {
                if b.1.makespan_seconds < a.1.makespan_seconds {
                    b
                } else {
                    a
                }
            })
    }
}

/// A way to get a segment's witness to a machine, at one bandwidth.
#[derive(Clone, PartialEq, Debug)]
struct Way<'c> {
    encoding: &'c str,
    /// None for the raw tables, received in place.
    compression: Option<&'c str>,
    route: Route,
    /// Seconds from the first byte sent to the witness ready, latency included.
    total: f64,
    /// Where the encoding, in its best compression, is faster than receiving the raw tables in place; none for a
    /// witness that is sent.
    crossing: Option<Crossing>,
}

impl Way<'_> {
    fn label(&self) -> String {
        match self.compression {
            Some(compression) => format!("{} ({compression})", self.encoding),
            None => self.encoding.to_owned(),
        }
    }
}

/// Receiving the raw tables in place, and then every encoding in the compression that is the fastest at
/// `bandwidth`, of equals the first.
fn ways(costs: &Costs, bandwidth: f64, latency: f64) -> Vec<Way<'_>> {
    let in_place = Route {
        bytes: costs.witness_bytes.value,
        seconds: 0.0,
    };
    let mut list = vec![Way {
        encoding: "witness, in place",
        compression: None,
        route: in_place,
        total: in_place.total_seconds(bandwidth) + latency,
        crossing: None,
    }];
    for cost in &costs.encodings {
        let route = Route {
            bytes: cost.bytes.value,
            seconds: cost.decode_seconds.value + cost.regenerate_seconds.value,
        };
        let mut way = Way {
            encoding: &cost.encoding,
            compression: Some(&cost.compression),
            route,
            total: route.total_seconds(bandwidth) + latency,
            crossing: (cost.encoding != "witness").then(|| break_even(route, in_place)),
        };
        match list.iter_mut().find(|other| other.encoding == way.encoding) {
            None => list.push(way),
            Some(other) => {
                let found = best(other.crossing, way.crossing);
                if way.total < other.total {
                    std::mem::swap(other, &mut way);
                }
                other.crossing = found;
            }
        }
    }
    list
}

/// The one with more links on which recomputing is faster, of equals the first.
fn best(a: Option<Crossing>, b: Option<Crossing>) -> Option<Crossing> {
    let (a, b) = (a?, b?);
    Some(if rank(b) > rank(a) { b } else { a })
}

/// The fastest, and its place in the list: of equals the first, but the witness in place only if nothing is as fast.
fn fastest<'w, 'c>(ways: &'w [Way<'c>]) -> (usize, &'w Way<'c>) {
    let list = || ways.iter().enumerate();
    let best = list()
        .skip(1)
        .reduce(|a, b| if b.1.total < a.1.total { b } else { a });
    match best {
        Some(best) if best.1.total <= ways[0].total => best,
        _ => (0, &ways[0]),
    }
}

/// What stands in the page's section `calculator`, below its heading.
pub(super) fn section(data: &CalculatorData) -> Markup {
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
        plain(guest, 40),
        plain(backend, 20),
        plain(machine, 100)
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
    ("executor_seconds", "serial executor", Unit::Seconds),
    ("egress_seconds", "bytes out of its machine", Unit::Seconds),
    ("workers_seconds", "work of all machines", Unit::Seconds),
    ("ingress_seconds", "bytes into its machine", Unit::Seconds),
    ("aggregation_seconds", "levels of the tree", Unit::Seconds),
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
        estimate.binding
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
