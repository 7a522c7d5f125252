//! Sweeps and maps as text, CSV and JSON.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{seconds, table, tried_table};
use crate::model::cluster::{Axis, CLOSE, Cluster, Point, Sweep, Tried, Varied};
use crate::report::write::json_text;
use crate::report::{Tool, escape, format_bandwidth, format_bytes, format_count, format_seconds};

/// What the JSON says it is.
const FORMAT: &str = "rewit cluster sweep";
/// Version of the JSON.
const VERSION: u32 = 1;

/// A sweep, with what it was computed by and from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepReport {
    /// What it is: `rewit cluster sweep`.
    pub format: String,
    /// Version of the format.
    pub schema_version: u32,
    /// The program that computed it.
    pub tool: Tool,
    /// The cluster that is varied.
    pub cluster: Cluster,
    /// What came out.
    pub sweep: Sweep,
    /// Seconds that all of it took to compute: measured.
    pub elapsed_seconds: f64,
}

fn value(axis: Axis, value: f64) -> String {
    match axis {
        Axis::Machines => format_count(value as u64),
        Axis::Bandwidth => format_bandwidth(value),
        Axis::Segment => format!("2^{value}"),
    }
}

impl SweepReport {
    /// The report of a sweep by this build.
    pub fn new(cluster: Cluster, sweep: Sweep, elapsed_seconds: f64) -> Self {
        Self {
            format: FORMAT.to_owned(),
            schema_version: VERSION,
            tool: Tool::this(),
            cluster,
            sweep,
            elapsed_seconds,
        }
    }

    /// Everything, as JSON.
    pub fn to_json(&self) -> String {
        json_text(self)
    }

    /// A table, or a map.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write_text(&mut out);
        out
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let Self {
            tool,
            cluster,
            sweep,
            ..
        } = self;
        writeln!(out, "{}", tool.headline())?;
        writeln!(
            out,
            "job       {} cycles of {} on {}; every makespan is modelled",
            format_count(cluster.cycles),
            cluster.executor.guest,
            cluster.executor.machine
        )?;
        match &sweep.axes[..] {
            [across, down] => self.map(out, across, down)?,
            [] if sweep.points.len() == 1 => {
                let point = &sweep.points[0];
                let (machines, bps) = (point.machines, point.bits_per_second);
                writeln!(
                    out,
                    "{} machines, {}, segments of 2^{} cycles\n\n{}\n",
                    format_count(machines),
                    format_bandwidth(bps),
                    point.log_cycles,
                    tried_table(&point.tried)
                )?;
            }
            _ => self.rows(out)?,
        }
        writeln!(
            out,
            "computed in {} (measured)",
            format_seconds(self.elapsed_seconds)
        )
    }

    fn rows(&self, out: &mut String) -> std::fmt::Result {
        let rows = self.sweep.points.iter().map(|point| {
            let best = point.best();
            let other = point.runner_up().map_or(String::new(), |other| {
                let makespan = other.makespan_seconds.map_or(String::new(), seconds);
                format!("{} {}: {makespan}", other.encoding, other.compression)
            });
            vec![
                format_count(point.machines),
                format_bandwidth(point.bits_per_second),
                format!("2^{}", point.log_cycles),
                best.encoding.clone(),
                best.compression.clone(),
                format_bytes(best.shipment_bytes),
                best.makespan_seconds.map_or(String::new(), seconds),
                other,
            ]
        });
        let header = [
            "machines",
            "bandwidth",
            "segment",
            "fastest",
            "compression",
            "shipment",
            "makespan",
            "next",
        ];
        writeln!(out, "\n{}\n", table(&header, 0, rows.collect()))?;
        writeln!(
            out,
            "`next` is the fastest in another encoding, where that was not ruled out by its least possible makespan"
        )
    }

    /// Which encoding is fastest where, as letters.
    fn map(&self, out: &mut String, across: &Varied, down: &Varied) -> std::fmt::Result {
        let points = &self.sweep.points;
        let mut names: Vec<&str> = Vec::new();
        for point in points {
            let name = point.choice().encoding.as_str();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let letter = |point: &Point| {
            let number = names
                .iter()
                .position(|&name| name == point.choice().encoding);
            let letter = (b'A' + number.unwrap_or(0) as u8) as char;
            if point.is_close() {
                letter.to_ascii_lowercase()
            } else {
                letter
            }
        };
        writeln!(
            out,
            "\nfastest encoding, modelled: {} across, {} down\n",
            across.axis.name(),
            down.axis.name()
        )?;
        let wide = down
            .values
            .iter()
            .map(|&v| value(down.axis, v).len())
            .max()
            .unwrap_or(0);
        for (row, &v) in points.chunks(across.values.len()).zip(&down.values).rev() {
            write!(out, "{:>wide$} |", value(down.axis, v))?;
            for point in row {
                write!(out, " {}", letter(point))?;
            }
            writeln!(out)?;
        }
        writeln!(out, "{:>wide$} +{}", "", "--".repeat(across.values.len()))?;
        let ends = [across.values.first(), across.values.last()];
        if let [Some(&first), Some(&last)] = ends {
            writeln!(
                out,
                "{:>wide$}   {} to {}",
                "",
                value(across.axis, first),
                value(across.axis, last)
            )?;
        }
        writeln!(out)?;
        for (number, name) in names.iter().enumerate() {
            writeln!(out, "{}  {name}", (b'A' + number as u8) as char)?;
        }
        writeln!(
            out,
            "a small letter: others are as fast to within {} %, and this one ships fewest bytes",
            100.0 * CLOSE
        )
    }

    /// A line for each encoding at each point.
    pub fn to_csv(&self) -> String {
        let mut out = String::from(
            "machines,bits_per_second,segment_log_cycles,rank,encoding,compression,shipment_bytes,least_seconds,makespan_seconds,kind\n",
        );
        for point in &self.sweep.points {
            for (rank, tried) in point.tried.iter().enumerate() {
                let Tried {
                    encoding,
                    compression,
                    shipment_bytes,
                    bound_seconds,
                    makespan_seconds,
                } = tried;
                let makespan = makespan_seconds.map_or(String::new(), |s| s.to_string());
                let _ = writeln!(
                    out,
                    "{},{},{},{},{},{},{shipment_bytes},{bound_seconds},{makespan},modelled",
                    point.machines,
                    point.bits_per_second,
                    point.log_cycles,
                    rank + 1,
                    escape::csv(encoding),
                    escape::csv(compression),
                );
            }
        }
        out
    }
}
