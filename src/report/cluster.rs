//! The model of a cluster as text, CSV and JSON.

mod sweep;

use std::fmt::Write;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use sweep::SweepReport;

use super::write::json_text;
use super::{
    Tool, escape, format_bandwidth, format_bytes, format_count, format_counted, format_seconds,
};
use crate::measure::Kind;
use crate::model::cluster::{
    Aggregation, CLOSE, Cluster, EstimateInputs, Outcome, Placement, Tried,
};
use crate::model::{Costs, Quantity};

/// What the JSON says it is.
pub const CLUSTER_FORMAT: &str = "rewit cluster";
/// Version of the JSON.
pub const CLUSTER_VERSION: u32 = 1;

/// A simulated cluster, with what it was computed by and from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterReport {
    /// What it is: `rewit cluster`.
    pub format: String,
    /// Version of the format.
    pub schema_version: u32,
    /// The program that computed it.
    pub tool: Tool,
    /// The cluster and its job.
    pub cluster: Cluster,
    /// The encodings that were tried, the fastest first; empty if one was asked for.
    pub tried: Vec<Tried>,
    /// What the closed form starts from.
    pub estimate_inputs: EstimateInputs,
    /// What came out.
    pub outcome: Outcome,
    /// Seconds that all of it took to compute: measured.
    pub elapsed_seconds: f64,
}

/// A number's kind as one word.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Measured => "measured",
        Kind::Modelled => "modelled",
        Kind::Declared => "declared",
    }
}

/// A Markdown table whose first columns are words and whose others are numbers.
pub(super) fn table(header: &[&str], words: usize, rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.into_iter().enumerate().map(|(column, text)| {
            let cell = Cell::new(text);
            if column < words {
                cell
            } else {
                cell.set_alignment(CellAlignment::Right)
            }
        }));
    }
    table
}

/// Seconds to four digits: makespans are compared with one another.
pub(super) fn seconds(value: f64) -> String {
    if value >= 1.0 {
        let places = (3 - value.log10().floor() as i32).max(0) as usize;
        format!("{value:.places$} s")
    } else {
        format_seconds(value)
    }
}

fn percent(part: f64) -> String {
    format!("{:.1} %", 100.0 * part)
}

/// A number in the unit that its name ends in.
fn in_unit(name: &str, value: f64) -> String {
    match name.rsplit(", ").next() {
        Some("seconds") => seconds(value),
        Some("bytes") => format_bytes(value),
        Some("bits per second") => format_bandwidth(value),
        Some("cycles per second") => format!("{:.1} MHz", value / 1e6),
        _ => format!("{value}"),
    }
}

impl ClusterReport {
    /// The report of a simulation by this build.
    pub fn new(
        cluster: Cluster,
        tried: Vec<Tried>,
        estimate_inputs: EstimateInputs,
        outcome: Outcome,
        elapsed_seconds: f64,
    ) -> Self {
        Self {
            format: CLUSTER_FORMAT.to_owned(),
            schema_version: CLUSTER_VERSION,
            tool: Tool::this(),
            cluster,
            tried,
            estimate_inputs,
            outcome,
            elapsed_seconds,
        }
    }

    /// Everything, as JSON.
    pub fn to_json(&self) -> String {
        json_text(self)
    }

    /// As text, with Markdown tables.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.header(&mut out);
        let _ = self.result(&mut out);
        let _ = self.encodings(&mut out);
        let _ = self.traffic(&mut out);
        let _ = self.inputs(&mut out);
        for note in &self.outcome.notes {
            let _ = writeln!(out, "note: {note}");
        }
        let _ = writeln!(
            out,
            "computed in {} (measured)",
            format_seconds(self.elapsed_seconds)
        );
        out
    }

    fn header(&self, out: &mut String) -> std::fmt::Result {
        let Self {
            tool,
            cluster,
            outcome,
            ..
        } = self;
        writeln!(out, "{}", tool.headline())?;
        let Costs {
            machine,
            guest,
            backend,
            log_cycles,
            ..
        } = &cluster.executor;
        writeln!(
            out,
            "job       {} cycles of {guest} in {} of 2^{log_cycles}, shipped as {} in {}",
            format_count(cluster.cycles),
            format_counted(outcome.segments, "segment"),
            cluster.encoding,
            cluster.compression
        )?;
        writeln!(out, "executor  {machine}, {backend}")?;
        for group in &cluster.groups {
            let speed = if group.speed == 1.0 {
                String::new()
            } else {
                format!(", {} times as fast (declared)", group.speed)
            };
            writeln!(
                out,
                "workers   {} of {}: {}, {}{speed}",
                format_count(group.count),
                group.name,
                group.costs.machine,
                group.costs.backend
            )?;
        }
        let joined = match (&cluster.aggregation, cluster.placement) {
            (Aggregation::None, _) => "proofs are returned and not joined",
            (Aggregation::Fri { .. }, Placement::Coordinator) => {
                "proofs joined in a binary tree, two sent and one returned a join"
            }
            (Aggregation::Fri { .. }, Placement::InPlace) => {
                "proofs joined in a binary tree, in place"
            }
            (Aggregation::Fold, Placement::Coordinator) => {
                "segments folded, accumulators merged in a binary tree, two sent and one returned a merge"
            }
            (Aggregation::Fold, Placement::InPlace) => {
                "segments folded, accumulators merged in a binary tree, in place"
            }
        };
        writeln!(out, "joins     {joined}")
    }

    fn result(&self, out: &mut String) -> std::fmt::Result {
        let outcome = &self.outcome;
        let bar = outcome.interval.map_or(String::new(), |bar| {
            format!(
                "; 95 % of {} replicates with resampled inputs: {} to {}, median {}",
                bar.replicates,
                seconds(bar.low),
                seconds(bar.high),
                seconds(bar.median)
            )
        });
        writeln!(
            out,
            "\nmakespan  {} with medians (modelled{bar})\nbound     {} with medians: no schedule takes less (modelled, {})",
            seconds(outcome.makespan_seconds.value),
            seconds(outcome.estimate.makespan_seconds),
            way(&outcome.estimate.binding)
        )?;
        writeln!(out, "bottleneck {}", outcome.bottleneck.sentence)?;
        if let Some(Quantity { value, source, .. }) = &outcome.price {
            writeln!(out, "price     {value:.4} (modelled: {source})")?;
        }
        let m = &outcome.milestones;
        let rows = [
            ("executed and encoded", m.first_executed, m.last_executed),
            ("shipped", m.first_shipped, m.last_shipped),
            ("proven or folded", m.first_proven, m.last_proven),
        ];
        let mut rows: Vec<Vec<String>> = rows
            .iter()
            .map(|(what, first, last)| vec![(*what).to_owned(), seconds(*first), seconds(*last)])
            .collect();
        let end = seconds(m.aggregated);
        rows.push(vec!["final object returned".to_owned(), String::new(), end]);
        let header = ["segments (modelled)", "first at", "last at"];
        writeln!(out, "\n{}", table(&header, 1, rows))?;

        let rows = outcome.shares.iter().map(|share| {
            let without = share.makespan_without.map_or(String::new(), seconds);
            vec![
                share.resource.describe().to_owned(),
                seconds(share.seconds),
                percent(share.share),
                without,
            ]
        });
        let header = [
            "critical path (modelled)",
            "time",
            "share",
            "makespan without",
        ];
        writeln!(out, "\n{}", table(&header, 1, rows.collect()))?;

        let rows = outcome.utilisation.iter().map(|row| {
            vec![
                row.resource.clone(),
                percent(row.mean),
                percent(row.min),
                percent(row.max),
            ]
        });
        let header = ["in use (modelled)", "mean", "least", "most"];
        writeln!(out, "\n{}", table(&header, 1, rows.collect()))?;
        if outcome.lost_workers > 0 {
            writeln!(
                out,
                "\n{} workers lost, {} tasks done again (modelled)",
                outcome.lost_workers, outcome.retries
            )?;
        }
        Ok(())
    }

    fn encodings(&self, out: &mut String) -> std::fmt::Result {
        if self.tried.is_empty() {
            return Ok(());
        }
        let least = self.outcome.makespan_seconds.value * (1.0 + CLOSE);
        let near = self.tried.iter().filter(|tried| {
            tried
                .makespan_seconds
                .is_some_and(|seconds| seconds <= least)
        });
        let near = near.count();
        let of = if near > 1 {
            format!("; {near} are as fast to within {} %", 100.0 * CLOSE)
        } else {
            String::new()
        };
        writeln!(
            out,
            "\nthe fastest of {} ways to encode that were measured{of}:\n\n{}",
            self.tried.len(),
            tried_table(&self.tried)
        )
    }

    fn traffic(&self, out: &mut String) -> std::fmt::Result {
        let outcome = &self.outcome;
        let mut rows: Vec<Vec<String>> = outcome
            .transfers
            .iter()
            .map(|total| {
                let count = format_count(total.count);
                let what = total.what.describe().to_owned();
                vec![what, count, format_bytes(total.bytes)]
            })
            .collect();
        let count: u64 = outcome.transfers.iter().map(|total| total.count).sum();
        let bytes: f64 = outcome.transfers.iter().map(|total| total.bytes).sum();
        let sum = "together".to_owned();
        rows.push(vec![sum, format_count(count), format_bytes(bytes)]);
        let header = ["moved (modelled)", "transfers", "bytes"];
        writeln!(out, "\n{}", table(&header, 1, rows))?;
        let rows = outcome
            .links
            .iter()
            .map(|link| vec![link.link.clone(), format_bytes(link.bytes)]);
        let header = ["link (modelled)", "bytes"];
        writeln!(out, "\n{}", table(&header, 1, rows.collect()))?;
        writeln!(
            out,
            "\nat most {} segments waited on the executor's machine for a worker or its link, {} of shipments (modelled)",
            format_count(outcome.peak_queue),
            format_bytes(outcome.peak_queue_bytes)
        )
    }

    fn inputs(&self, out: &mut String) -> std::fmt::Result {
        let rows = self.outcome.inputs.iter().map(|input| {
            let Quantity {
                value,
                kind: of,
                source,
                ..
            } = &input.quantity;
            vec![
                input.machine.clone(),
                input.name.clone(),
                in_unit(&input.name, *value),
                kind(*of).to_owned(),
                source.clone(),
            ]
        });
        let mut table = table(
            &["machine", "computed from", "value", "kind", "source"],
            5,
            rows.collect(),
        );
        if let Some(column) = table.column_mut(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(out, "\n{table}")
    }

    /// A line for each number: name, value, unit, kind, source.
    pub fn to_csv(&self) -> String {
        let mut out = String::from("name,value,unit,kind,source\n");
        let mut row = |name: &str, value: f64, unit: &str, of: Kind, source: &str| {
            let _ = writeln!(
                out,
                "{},{value},{unit},{},{}",
                escape::csv(name),
                kind(of),
                escape::csv(source)
            );
        };
        let outcome = &self.outcome;
        let model = "simulation";
        let modelled = Kind::Modelled;
        row(
            "makespan",
            outcome.makespan_seconds.value,
            "seconds",
            modelled,
            model,
        );
        if let Some(bar) = outcome.interval {
            row("makespan, 2.5 %", bar.low, "seconds", modelled, model);
            row("makespan, 97.5 %", bar.high, "seconds", modelled, model);
        }
        row(
            "least makespan",
            outcome.estimate.makespan_seconds,
            "seconds",
            modelled,
            "closed form",
        );
        for share in &outcome.shares {
            let name = format!("critical path, {}", share.resource.name());
            row(&name, share.seconds, "seconds", modelled, model);
        }
        for total in &outcome.transfers {
            row(total.what.describe(), total.bytes, "bytes", modelled, model);
        }
        for link in &outcome.links {
            row(&link.link, link.bytes, "bytes", modelled, model);
        }
        for used in &outcome.utilisation {
            let name = format!("in use, {}", used.resource);
            row(&name, used.mean, "share", modelled, model);
        }
        if let Some(price) = &outcome.price {
            row("price", price.value, "currency", price.kind, &price.source);
        }
        for input in &outcome.inputs {
            let (name, unit) = input
                .name
                .rsplit_once(", ")
                .unwrap_or((input.name.as_str(), ""));
            let name = format!("{name} ({})", input.machine);
            let Quantity {
                value,
                kind,
                source,
                ..
            } = &input.quantity;
            row(&name, *value, unit, *kind, source);
        }
        out
    }
}

/// Encodings that were tried, the fastest first.
pub(super) fn tried_table(tried: &[Tried]) -> Table {
    let rows = tried.iter().map(|one| {
        let makespan = match one.makespan_seconds {
            Some(value) => seconds(value),
            None => "not needed".to_owned(),
        };
        vec![
            one.encoding.clone(),
            one.compression.clone(),
            format_bytes(one.shipment_bytes),
            seconds(one.bound_seconds),
            makespan,
        ]
    });
    let header = [
        "encoding",
        "compression",
        "shipment",
        "at least (modelled)",
        "makespan (modelled)",
    ];
    table(&header, 2, rows.collect())
}

/// What a bound of the closed form is of, in words.
pub(super) fn way(binding: &str) -> &'static str {
    match binding {
        "executor" => "the way of the last segment executed",
        "egress" => "bytes that leave the executor's machine",
        "ingress" => "bytes that arrive at the executor's machine",
        "aggregation" => "the first segment's way through the tree",
        _ => "work spread over all workers",
    }
}
