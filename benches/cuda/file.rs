//! The result file and the table.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use rewit::backend::cuda::Info;
use rewit::backend::cuda::micro::Ceiling;
use rewit::measure::{Gpu, Hardware, Summary};
use rewit::report::{Tool, format_bytes, format_seconds};
use rewit::{Error, Result};
use serde::Serialize;

use super::measure::Time;

/// Version of the format.
const SCHEMA_VERSION: u32 = 1;

/// Where a measurement's input and result are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Boundary {
    /// Input and result stay on the device.
    Resident,
    /// The input comes from the host or the result goes there, within the time.
    EndToEnd,
}

/// What was measured.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Key {
    pub(crate) stage: String,
    /// A part of the stage, timed by the backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<String>,
    pub(crate) boundary: Boundary,
    /// Base-2 logarithm of the rows of the table that the stage starts from.
    pub(crate) log_rows: u32,
    /// Columns of 4 bytes.
    pub(crate) width: usize,
    /// Bytes of that table: what rates are of.
    pub(crate) bytes: u64,
}

/// All samples of one clock, in seconds, in the order they were taken.
#[derive(Serialize)]
struct Samples {
    samples: Vec<f64>,
    summary: Summary,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    key: Key,
    /// By the device's events.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_seconds: Option<Samples>,
    /// By the wall clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    wall_seconds: Option<Samples>,
}

/// What is written.
#[derive(Serialize)]
struct Content<'a> {
    schema_version: u32,
    kind: &'static str,
    complete: bool,
    created: &'a str,
    tool: &'a Tool,
    hardware: &'a Hardware,
    /// What the device reaches at best, by micro-benchmarks.
    ceilings: &'a [Ceiling],
    rows: Vec<Row>,
    notes: &'a [String],
}

/// Measurements, and the file they go to.
pub(crate) struct File {
    path: Option<PathBuf>,
    created: String,
    tool: Tool,
    hardware: Hardware,
    ceilings: Vec<Ceiling>,
    rows: Vec<(Key, Vec<f64>, Vec<f64>)>,
    notes: Vec<String>,
    complete: bool,
}

impl File {
    /// Starts a file, so that a path that cannot be written is known before the long run.
    pub(crate) fn new(info: &Info, path: Option<PathBuf>) -> Result<Self> {
        let mut hardware = Hardware::detect();
        hardware.gpu = Some(Gpu::from(info));
        let now = jiff::Timestamp::now().as_second();
        let created = jiff::Timestamp::from_second(now).map_or("unknown".into(), |t| t.to_string());
        if let Some(folder) = path.as_deref().and_then(Path::parent) {
            std::fs::create_dir_all(folder).map_err(|source| Error::Io {
                path: folder.to_owned(),
                source,
            })?;
        }
        let file = Self {
            path,
            created,
            tool: Tool::this(),
            hardware,
            ceilings: Vec::new(),
            rows: Vec::new(),
            notes: Vec::new(),
            complete: false,
        };
        file.write()?;
        Ok(file)
    }

    /// Keeps a sample.
    pub(crate) fn add(&mut self, key: &Key, time: Time) {
        self.add_clocks(key, Some(time.device), Some(time.wall));
    }

    /// Keeps a sample of some of the clocks.
    pub(crate) fn add_clocks(&mut self, key: &Key, device: Option<f64>, wall: Option<f64>) {
        let at = match self.rows.iter().position(|(other, ..)| other == key) {
            Some(at) => at,
            None => {
                self.rows.push((key.clone(), Vec::new(), Vec::new()));
                self.rows.len() - 1
            }
        };
        self.rows[at].1.extend(device);
        self.rows[at].2.extend(wall);
    }

    /// Keeps what the device reaches at best.
    pub(crate) fn set_ceilings(&mut self, ceilings: Vec<Ceiling>) {
        self.ceilings = ceilings;
    }

    /// Keeps what no number says.
    pub(crate) fn note(&mut self, text: String) {
        println!("note: {text}");
        self.notes.push(text);
    }

    /// Marks the run as complete, and writes.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.complete = true;
        self.write()
    }

    /// Writes under a temporary name, then renames.
    pub(crate) fn write(&self) -> Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let samples = |samples: &[f64]| {
            Summary::of(samples).map(|summary| Samples {
                samples: samples.to_vec(),
                summary,
            })
        };
        let rows = self.rows.iter().map(|(key, device, wall)| Row {
            key: key.clone(),
            device_seconds: samples(device),
            wall_seconds: samples(wall),
        });
        let content = Content {
            schema_version: SCHEMA_VERSION,
            kind: "cuda-stages",
            complete: self.complete,
            created: &self.created,
            tool: &self.tool,
            hardware: &self.hardware,
            ceilings: &self.ceilings,
            rows: rows.collect(),
            notes: &self.notes,
        };
        let mut text = serde_json::to_string_pretty(&content).expect("plain data");
        text.push('\n');
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        std::fs::write(&temporary, text)
            .and_then(|()| std::fs::rename(&temporary, path))
            .map_err(|source| Error::Io {
                path: path.clone(),
                source,
            })
    }

    /// A line per row: medians, their spread, and the rate of the table's bytes.
    pub(crate) fn table(&self) -> String {
        let mut out = String::new();
        for ceiling in &self.ceilings {
            let rate = ceiling
                .per_second
                .map_or("-".into(), |rate| format!("{rate:.3e}"));
            let _ = writeln!(out, "{:<26}{rate:>12}/s  {}", ceiling.name, ceiling.unit);
        }
        if self.rows.is_empty() {
            return out;
        }
        let _ = writeln!(
            out,
            "{:<50} {:<12}{:>5}{:>7}{:>10}{:>12}{:>14}{:>12}{:>6}",
            "stage", "boundary", "rows", "width", "device", "min..max", "rate", "wall", "n"
        );
        for (key, device, wall) in &self.rows {
            let name = match &key.part {
                Some(part) => format!("  {}: {part}", key.stage),
                None => key.stage.clone(),
            };
            let boundary = match key.boundary {
                Boundary::Resident => "resident",
                Boundary::EndToEnd => "end to end",
            };
            let of = |samples: &[f64]| {
                let summary = Summary::of(samples);
                summary
                    .as_ref()
                    .map_or("-".into(), |s| format_seconds(s.median))
            };
            let summary = Summary::of(device).or_else(|| Summary::of(wall));
            let (spread, rate) = summary.map_or(("-".into(), "-".into()), |s| {
                let percent = |x: f64| 100.0 * (x / s.median - 1.0);
                (
                    format!("{:+.0}..{:+.0} %", percent(s.min), percent(s.max)),
                    format!("{}/s", format_bytes(key.bytes as f64 / s.median)),
                )
            });
            let _ = writeln!(
                out,
                "{name:<50} {boundary:<12}{:>5}{:>7}{:>10}{spread:>12}{rate:>14}{:>12}{:>6}",
                format!("2^{}", key.log_rows),
                key.width,
                of(device),
                of(wall),
                device.len().max(wall.len()),
            );
        }
        for note in &self.notes {
            let _ = writeln!(out, "note: {note}");
        }
        out
    }
}
