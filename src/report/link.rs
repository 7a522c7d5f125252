//! Files of links: what `rewit link probe --out` writes.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Tool;
use super::check::{bad, check_tool, close, length, near, number};
use super::write::{json_text, schema_text};
use crate::Result;
use crate::measure::{Kind, Link, LinkPoint, conclude_link};

/// What the file says it is.
pub const LINK_FORMAT: &str = "rewit link";
/// Version of the format written, and the only one read.
pub const LINK_VERSION: u32 = 1;
/// Longest description in bytes.
const MAX_DESCRIPTION: usize = 500;
/// Most points.
const MAX_POINTS: usize = 10_000;
/// Most streams of a point.
const MAX_STREAMS: u32 = 1 << 16;
/// Most bytes of a message.
const MAX_MESSAGE: u64 = 1 << 48;
/// Most bits per second of a link; beyond what any is.
const MAX_BITS: f64 = 1e18;
/// Most seconds of latency.
const MAX_LATENCY: f64 = 1e6;

/// A link that was measured. `docs/link.schema.json` is the schema of the file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkFile {
    /// What the file is: `rewit link`.
    pub format: String,
    /// Version of the format.
    pub schema_version: u32,
    /// When the measurement started, RFC 3339 in UTC.
    pub created: String,
    /// Seconds it took.
    pub elapsed_seconds: f64,
    /// The program that measured.
    pub tool: Tool,
    /// The link.
    pub link: Link,
}

impl LinkFile {
    /// The file of a link measured by this build.
    ///
    /// - `created`: when the measurement started, RFC 3339.
    pub fn new(link: Link, created: &str, elapsed_seconds: f64) -> Self {
        Self {
            format: LINK_FORMAT.to_owned(),
            schema_version: LINK_VERSION,
            created: created.to_owned(),
            elapsed_seconds,
            tool: Tool::this(),
            link,
        }
    }

    /// The file's text: JSON, indented, with a line end.
    pub fn to_json(&self) -> String {
        json_text(self)
    }
}

/// What every version of the format has.
#[derive(Deserialize)]
struct Look {
    format: String,
    schema_version: u64,
}

/// Whether the bytes look like a link file of this or another version.
///
/// For whoever is about to replace or read them; [`read_link`] is what checks them.
pub fn is_link_file(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Look>(bytes).is_ok_and(|look| look.format == LINK_FORMAT)
}

/// Reads a link file and checks it: format, ranges, summaries, and that bandwidth and latency
/// follow from what was measured.
///
/// # Errors
/// [`Error::ResultFile`](crate::Error::ResultFile) naming the field. Never panics.
pub fn read_link(bytes: &[u8]) -> Result<LinkFile> {
    length(bytes)?;
    let look: Look = serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
    if look.format != LINK_FORMAT {
        return Err(bad(&format!(
            "format is {:?}: expected {LINK_FORMAT:?}",
            look.format
        )));
    }
    if look.schema_version != u64::from(LINK_VERSION) {
        return Err(bad(&format!(
            "schema_version is {}: this build reads version {LINK_VERSION} of {LINK_FORMAT}",
            look.schema_version
        )));
    }
    let file: LinkFile = serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
    if file.created.parse::<jiff::Timestamp>().is_err() {
        return Err(bad(&format!(
            "created is {:?}: expected a time as in RFC 3339",
            file.created
        )));
    }
    number("elapsed_seconds", file.elapsed_seconds)?;
    check_tool(&file.tool)?;
    if file.link.kind != Kind::Measured {
        return Err(bad("link.kind is not measured, as that of a link file is"));
    }
    check_link("link", &file.link)?;
    Ok(file)
}

/// Checks a link in a file, at the field `at`.
///
/// # Errors
/// [`Error::ResultFile`](crate::Error::ResultFile) naming the field.
pub(super) fn check_link(at: &str, link: &Link) -> Result<()> {
    let Link {
        kind,
        description,
        bits_per_second,
        latency_seconds,
        points,
    } = link;
    if description.len() > MAX_DESCRIPTION || description.chars().any(char::is_control) {
        return Err(bad(&format!(
            "{at}.description is not one line of at most {MAX_DESCRIPTION} bytes"
        )));
    }
    if !(*bits_per_second > 0.0 && *bits_per_second <= MAX_BITS) {
        return Err(bad(&format!(
            "{at}.bits_per_second is {bits_per_second}: expected above 0 and at most {MAX_BITS:e}"
        )));
    }
    if !(*latency_seconds >= 0.0 && *latency_seconds <= MAX_LATENCY) {
        return Err(bad(&format!(
            "{at}.latency_seconds is {latency_seconds}: expected 0 to {MAX_LATENCY:e}"
        )));
    }
    if points.len() > MAX_POINTS {
        return Err(bad(&format!(
            "{at}.points are {}, expected at most {MAX_POINTS}",
            points.len()
        )));
    }
    match kind {
        Kind::Declared if points.is_empty() => return Ok(()),
        Kind::Declared => {
            return Err(bad(&format!(
                "{at}.points are there, but {at}.kind is declared: it is one or the other"
            )));
        }
        Kind::Modelled => {
            return Err(bad(&format!(
                "{at}.kind is modelled: expected measured or declared"
            )));
        }
        Kind::Measured => {}
    }
    let mut keys = HashSet::new();
    for (i, point) in points.iter().enumerate() {
        check_point(&format!("{at}.points[{i}]"), point)?;
        if !keys.insert((point.direction, point.message_bytes, point.streams)) {
            return Err(bad(&format!(
                "{at}.points[{i}] has direction, size and streams of an earlier one"
            )));
        }
    }
    let Some((bits, latency)) = conclude_link(points) else {
        return Err(bad(&format!(
            "{at}.points lack a direction: round-trip, to-server and from-server make a \
             measured link"
        )));
    };
    for (field, found, expected) in [
        ("bits_per_second", *bits_per_second, bits),
        ("latency_seconds", *latency_seconds, latency),
    ] {
        if !near(found, expected) {
            return Err(bad(&format!(
                "{at}.{field} is {found}: expected {expected}, which follows from the points"
            )));
        }
    }
    Ok(())
}

fn check_point(at: &str, point: &LinkPoint) -> Result<()> {
    let LinkPoint {
        direction: _,
        message_bytes,
        streams,
        samples,
        summary,
    } = point;
    if !(1..=MAX_MESSAGE).contains(message_bytes) {
        return Err(bad(&format!(
            "{at}.message_bytes is {message_bytes}: expected 1 to 2^48"
        )));
    }
    if !(1..=MAX_STREAMS).contains(streams) {
        return Err(bad(&format!(
            "{at}.streams is {streams}: expected 1 to {MAX_STREAMS}"
        )));
    }
    check_samples(at, samples, summary)
}

/// Checks that samples are finite, above 0, and summarized.
pub(super) fn check_samples(
    at: &str,
    samples: &[f64],
    summary: &crate::measure::Summary,
) -> Result<()> {
    for (i, &sample) in samples.iter().enumerate() {
        number(&format!("{at}.samples[{i}]"), sample)?;
        if sample == 0.0 {
            return Err(bad(&format!(
                "{at}.samples[{i}] is {sample}: expected a number above 0"
            )));
        }
    }
    match crate::measure::Summary::of(samples) {
        None => Err(bad(&format!("{at}.samples is empty"))),
        Some(expected) if close(summary, &expected) => Ok(()),
        Some(_) => Err(bad(&format!("{at}.summary is not that of the samples"))),
    }
}

/// JSON Schema of [`LinkFile`], as published in `docs/link.schema.json`.
pub fn link_schema() -> String {
    schema_text::<LinkFile>()
}
