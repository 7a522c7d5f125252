//! From measured rows to totals and break-even bandwidths.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::{Kind, MeasuredSegment, Row, Stage};
use crate::model::{Crossing, GIGABIT, LINKS_GBPS, Route, break_even};
use crate::ship::{Compression, Encoding};

/// What an encoding in one compression means for links of any bandwidth.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Always `modelled`: computed from the rows.
    pub kind: Kind,
    /// Name of the encoding.
    pub encoding: String,
    /// Name of the compression.
    pub compression: String,
    /// Bytes on the wire: mean over the segments measured.
    pub bytes: f64,
    /// The same per cycle.
    pub bytes_per_cycle: f64,
    /// Seconds on the receiving machine: median of `decode` and median of `regenerate` added.
    pub seconds: f64,
    /// Where it is faster than shipping the witness; empty for the witness itself.
    pub break_even: Vec<BreakEven>,
    /// Time to the witness on some links.
    pub totals: Vec<Total>,
}

/// A way to ship a witness that recomputing is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Witnesses {
    /// The raw tables, received where they are needed without any work: the best that shipping
    /// without compression could be.
    RawInPlace,
    /// Raw, with the decoding and checking that was measured.
    Raw,
    /// As `lz4`, with the decoding that was measured.
    Lz4,
    /// As `zstd`, with the decoding that was measured.
    Zstd,
}

/// Where recomputing is faster than one way to ship the witness.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakEven {
    /// The way to ship.
    pub witness: Witnesses,
    /// Where recomputing is faster.
    pub recompute: Crossing,
}

/// Time to the witness on a link.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// Bandwidth, 10^9 bits per second.
    pub gigabits_per_second: f64,
    /// Seconds for sending, decoding and regenerating, one after another.
    pub seconds: f64,
}

impl Verdict {
    /// Its route.
    pub fn route(&self) -> Route {
        Route {
            bytes: self.bytes,
            seconds: self.seconds,
        }
    }

    /// Where it is faster than shipping the witness that way; `None` if that was not measured.
    pub fn against(&self, witness: Witnesses) -> Option<Crossing> {
        self.break_even
            .iter()
            .find(|b| b.witness == witness)
            .map(|b| b.recompute)
    }
}

/// Computes the verdict of every encoding and compression that was measured, in the order of their
/// numbers.
pub fn verdicts(segments: &[MeasuredSegment], rows: &[Row]) -> Vec<Verdict> {
    let count = segments.len() as f64;
    if segments.is_empty() {
        return Vec::new();
    }
    let cycles = segments
        .iter()
        .map(|s| f64::from(s.num_cycles))
        .sum::<f64>()
        / count;

    let mut routes = Vec::new();
    for encoding in Encoding::ALL {
        for compression in Compression::ALL {
            if let Some(route) = route(rows, encoding, compression) {
                routes.push((encoding, compression, route));
            }
        }
    }
    let mut ways: Vec<(Witnesses, Route)> = in_place(segments)
        .map(|route| (Witnesses::RawInPlace, route))
        .into_iter()
        .collect();
    for (encoding, compression, route) in &routes {
        if *encoding == Encoding::Witness {
            let way = match compression {
                Compression::Raw => Witnesses::Raw,
                Compression::Lz4 => Witnesses::Lz4,
                Compression::Zstd => Witnesses::Zstd,
            };
            ways.push((way, *route));
        }
    }
    routes
        .into_iter()
        .map(|(encoding, compression, route)| {
            let ways = if encoding == Encoding::Witness {
                &[]
            } else {
                &ways[..]
            };
            Verdict {
                kind: Kind::Modelled,
                encoding: encoding.name().to_owned(),
                compression: compression.name().to_owned(),
                bytes: route.bytes,
                bytes_per_cycle: if cycles > 0.0 {
                    route.bytes / cycles
                } else {
                    0.0
                },
                seconds: route.seconds,
                break_even: ways
                    .iter()
                    .map(|&(witness, ship)| BreakEven {
                        witness,
                        recompute: break_even(route, ship),
                    })
                    .collect(),
                totals: LINKS_GBPS
                    .iter()
                    .map(|&gbps| Total {
                        gigabits_per_second: gbps,
                        seconds: route.total_seconds(gbps * GIGABIT),
                    })
                    .collect(),
            }
        })
        .collect()
}

/// The raw tables, received without any work: mean over the segments; `None` without segments.
pub(super) fn in_place(segments: &[MeasuredSegment]) -> Option<Route> {
    let tables: f64 = segments.iter().map(|s| s.witness_bytes as f64).sum();
    (!segments.is_empty()).then(|| Route {
        bytes: tables / segments.len() as f64,
        seconds: 0.0,
    })
}

/// The row of a stage, an encoding and, where it matters, a compression.
pub(super) fn row<'r>(
    rows: &'r [Row],
    stage: Stage,
    encoding: &str,
    compression: Option<&str>,
) -> Option<&'r Row> {
    rows.iter().find(|row| {
        row.key.stage == stage
            && row.key.part.is_none()
            && row.key.encoding.as_deref() == Some(encoding)
            && row.key.compression.as_deref() == compression
    })
}

fn route(rows: &[Row], encoding: Encoding, compression: Compression) -> Option<Route> {
    let of = |stage, compression: Option<Compression>| {
        let row = row(
            rows,
            stage,
            encoding.name(),
            compression.map(Compression::name),
        )?;
        Some(row.summary)
    };
    let bytes = of(Stage::Size, Some(compression))?.mean;
    let decode = of(Stage::Decode, Some(compression))?.median;
    let regenerate = of(Stage::Regenerate, None)?.median;
    Some(Route {
        bytes,
        seconds: decode + regenerate,
    })
}
