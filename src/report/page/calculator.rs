//! The calculator: what the models say for other links, machines and sizes than the report shows.
//!
//! Without JavaScript the section shows the models' numbers at the defaults. `models.js` computes the
//! same for other values: it is a port of these functions and of those of [`model`](crate::model).
//! `calculator.js` shows them.

mod section;

use serde::Serialize;

use crate::model::cluster::{
    Aggregation, Cluster, Estimate, EstimateInputs, Group, LinkCost, Placement, estimate,
    estimate_cluster,
};
use crate::model::{Costs, Crossing, Quantity, Route, break_even};
use crate::report::conclusion::rank;

pub(super) use section::section;

/// The page's one script: the models, the calculator, and the buttons that save plots.
pub(super) const SCRIPT: &str = concat!(include_str!("models.js"), include_str!("calculator.js"));

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

impl Field {
    /// The value, or the limit it is beyond.
    fn within(&self, value: f64) -> f64 {
        value.clamp(self.min, self.max)
    }
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
    /// The note's cluster on these links.
    fn new(runs: &[Run], link: &LinkCost) -> Self {
        let first = runs.first().and_then(|run| run.jobs.first());
        Self {
            bw: FIELDS[0].within(link.bits_per_second.value),
            latency: FIELDS[1].within(link.latency_seconds.value),
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
    ///
    /// - `link`: the one set at first.
    pub(super) fn new(costs: &[Costs], link: &LinkCost) -> Self {
        let run = |costs| Run {
            costs: bare(costs),
            jobs: jobs(costs),
        };
        let runs: Vec<Run> = costs.iter().take(MAX_RUNS).map(run).collect();
        Self {
            fields: FIELDS,
            settings: Settings::new(&runs, link),
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
