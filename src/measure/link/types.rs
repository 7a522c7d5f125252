//! A link between two machines, measured or declared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::{Kind, Summary};

/// A link: measured by `rewit link probe`, or declared by the user. It names neither end.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Measured or declared; never modelled.
    pub kind: Kind,
    /// What kind of link it is, in words.
    pub description: String,
    /// Bits of payload a second. Of a measured link: those of the largest message with as many
    /// streams as served best, in the slower direction.
    pub bits_per_second: f64,
    /// Seconds from sending a byte to its arrival. Of a measured link: half the median round trip
    /// of the smallest message.
    pub latency_seconds: f64,
    /// What was measured; empty for a declared link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<LinkPoint>,
}

/// Which way a message goes.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LinkDirection {
    /// There and back: an echo.
    RoundTrip,
    /// From the probe to the server.
    ToServer,
    /// From the server to the probe.
    FromServer,
}

/// Messages of one size in one direction over so many streams.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkPoint {
    /// Which way.
    pub direction: LinkDirection,
    /// Bytes of a message.
    pub message_bytes: u64,
    /// TCP connections that each carry such a message at the same time.
    pub streams: u32,
    /// Seconds until the last of the messages was there and the probe knew it, one per sample.
    pub samples: Vec<f64>,
    /// What the samples say together.
    pub summary: Summary,
}

impl LinkDirection {
    /// Its name in result files.
    pub fn name(self) -> &'static str {
        match self {
            Self::RoundTrip => "round-trip",
            Self::ToServer => "to-server",
            Self::FromServer => "from-server",
        }
    }
}

impl LinkPoint {
    /// Bits of payload a second, by the median. They include the wait for the peer to say that it
    /// has them, one round trip.
    pub fn bits_per_second(&self) -> f64 {
        8.0 * self.message_bytes as f64 * f64::from(self.streams) / self.summary.median
    }
}

impl Link {
    /// A link that the user describes.
    ///
    /// - `latency_seconds`: one way.
    pub fn declared(bits_per_second: f64, latency_seconds: f64) -> Self {
        Self {
            kind: Kind::Declared,
            description: "declared".into(),
            bits_per_second,
            latency_seconds,
            points: Vec::new(),
        }
    }

    /// A link of which these points were measured; `None` if one of the directions is missing.
    pub fn measured(description: impl Into<String>, points: Vec<LinkPoint>) -> Option<Self> {
        let (bits_per_second, latency_seconds) = conclude_link(&points)?;
        Some(Self {
            kind: Kind::Measured,
            description: description.into(),
            bits_per_second,
            latency_seconds,
            points,
        })
    }
}

/// Bits per second and seconds of latency that follow from points, as [`Link`] has them; `None` if a
/// direction is missing.
pub fn conclude_link(points: &[LinkPoint]) -> Option<(f64, f64)> {
    let of = |direction| points.iter().filter(move |p| p.direction == direction);
    let smallest = of(LinkDirection::RoundTrip).min_by_key(|point| point.message_bytes)?;
    let best = |direction| {
        let largest = of(direction).map(|point| point.message_bytes).max()?;
        of(direction)
            .filter(|point| point.message_bytes == largest)
            .map(LinkPoint::bits_per_second)
            .max_by(f64::total_cmp)
    };
    let (to, from) = (
        best(LinkDirection::ToServer)?,
        best(LinkDirection::FromServer)?,
    );
    Some((to.min(from), smallest.summary.median / 2.0))
}
