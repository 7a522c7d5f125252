//! One cluster at many sizes, bandwidths and encodings: which encoding is fastest where.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::run::makespan;
use super::{Cluster, estimate};
use crate::measure::Kind;
use crate::model::Quantity;
use crate::ship::Encoding;
use crate::{Error, Result};

/// Most points of a sweep or a map.
pub const MAX_POINTS: usize = 4096;
/// Most segments and workers simulated in all points and encodings together: minutes on two cores.
const MAX_WORK: f64 = 1e9;
/// Makespans that differ by less are told apart by no measurement.
pub const CLOSE: f64 = 0.01;

/// What a sweep varies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Number of workers.
    Machines,
    /// Bits per second of every link.
    Bandwidth,
    /// Base-2 logarithm of the cycles in a segment.
    Segment,
}

impl Axis {
    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Machines => "machines",
            Self::Bandwidth => "bandwidth",
            Self::Segment => "segment",
        }
    }
}

/// An axis and its values.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Varied {
    /// What is varied.
    pub axis: Axis,
    /// Workers, bits per second, or base-2 logarithms of cycles.
    pub values: Vec<f64>,
}

/// An encoding's makespan at one point.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// Name of the encoding.
    pub encoding: String,
    /// Name of the compression.
    pub compression: String,
    /// Bytes of a shipment.
    pub shipment_bytes: f64,
    /// The closed form: no schedule is faster, seconds.
    pub bound_seconds: f64,
    /// The makespan, seconds; none if the bound alone rules the encoding out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub makespan_seconds: Option<f64>,
}

/// A point of a sweep: the encodings there, the fastest first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Workers.
    pub machines: u64,
    /// Bits per second of the executor's link.
    pub bits_per_second: f64,
    /// Base-2 logarithm of the cycles in a segment.
    pub log_cycles: u32,
    /// What was tried; the first has a makespan.
    pub tried: Vec<Tried>,
}

/// Makespans over one axis, or two: a map.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Always `modelled`.
    pub kind: Kind,
    /// What is varied: of a map first across, then down.
    pub axes: Vec<Varied>,
    /// One point for each value, of a map row by row.
    pub points: Vec<Point>,
}

impl Point {
    /// The fastest.
    pub fn best(&self) -> &Tried {
        &self.tried[0]
    }

    /// The fastest in another encoding than the fastest, if its makespan was needed.
    pub fn runner_up(&self) -> Option<&Tried> {
        let best = &self.tried[0].encoding;
        self.tried
            .iter()
            .find(|tried| tried.encoding != *best && tried.makespan_seconds.is_some())
    }

    /// Of those that are as fast to within [`CLOSE`] the one with the fewest bytes: which encoding to use here.
    pub fn choice(&self) -> &Tried {
        let best = self.best();
        let least = best.makespan_seconds.unwrap_or(f64::INFINITY);
        let near = self.tried.iter().filter(|tried| {
            tried
                .makespan_seconds
                .is_some_and(|seconds| seconds <= (1.0 + CLOSE) * least)
        });
        near.min_by(|a, b| a.shipment_bytes.total_cmp(&b.shipment_bytes))
            .unwrap_or(best)
    }

    /// Whether another encoding is as fast to within [`CLOSE`].
    pub fn is_close(&self) -> bool {
        let seconds = |tried: &Tried| tried.makespan_seconds.unwrap_or(f64::INFINITY);
        self.runner_up()
            .is_some_and(|other| seconds(other) <= (1.0 + CLOSE) * seconds(self.best()))
    }
}

/// Encodings and compressions that the executor's machine and every group have been measured with, less those that no
/// cluster can use.
pub fn encodings_of(cluster: &Cluster) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for cost in &cluster.executor.encodings {
        let everywhere = cluster.groups.iter().all(|group| {
            let mut all = group.costs.encodings.iter();
            all.any(|c| c.encoding == cost.encoding && c.compression == cost.compression)
        });
        if everywhere && cost.encoding != Encoding::DeltaPrevious.name() {
            found.push((cost.encoding.clone(), cost.compression.clone()));
        }
    }
    found
}

/// Tries encodings on a cluster, the fastest first; those that the closed form rules out are not simulated.
///
/// # Errors
/// As [`simulate_cluster`](super::simulate_cluster); [`Error::Usage`] if there is no encoding.
pub fn try_encodings(cluster: &Cluster, encodings: &[(String, String)]) -> Result<Vec<Tried>> {
    try_those(cluster, encodings, 1.0 + CLOSE)
}

/// As [`try_encodings`], but every encoding is simulated: a sweep of one point.
///
/// # Errors
/// The same.
pub fn try_all_encodings(cluster: &Cluster, encodings: &[(String, String)]) -> Result<Sweep> {
    Ok(Sweep {
        kind: Kind::Modelled,
        axes: Vec::new(),
        points: vec![Point {
            machines: cluster.num_workers(),
            bits_per_second: cluster.executor_link.bits_per_second.value,
            log_cycles: cluster.executor.log_cycles,
            tried: try_those(cluster, encodings, f64::INFINITY)?,
        }],
    })
}

/// Tries encodings whose least makespan is at most `reach` times the best found.
fn try_those(cluster: &Cluster, encodings: &[(String, String)], reach: f64) -> Result<Vec<Tried>> {
    let mut tried = Vec::new();
    let mut refused = None;
    for (encoding, compression) in encodings {
        let cluster = with_encoding(cluster, encoding, compression);
        match Plan::new(&cluster) {
            Ok((plan, _)) => tried.push(Tried {
                encoding: encoding.clone(),
                compression: compression.clone(),
                shipment_bytes: plan.shipment_bytes.value,
                bound_seconds: estimate(&plan.estimate_inputs()).makespan_seconds,
                makespan_seconds: None,
            }),
            Err(error) => refused = Some(error),
        }
    }
    if tried.is_empty() {
        return Err(refused.unwrap_or_else(|| {
            Error::Usage("no encoding was measured on all machines of the cluster".to_owned())
        }));
    }
    tried.sort_by(|a, b| a.bound_seconds.total_cmp(&b.bound_seconds));
    let mut least = f64::INFINITY;
    for one in &mut tried {
        if one.bound_seconds > reach * least {
            break;
        }
        let seconds = makespan(&with_encoding(cluster, &one.encoding, &one.compression))?;
        one.makespan_seconds = Some(seconds);
        least = least.min(seconds);
    }
    let key = |tried: &Tried| tried.makespan_seconds.unwrap_or(f64::INFINITY);
    tried.sort_by(|a, b| {
        let order = key(a).total_cmp(&key(b));
        order.then(a.shipment_bytes.total_cmp(&b.shipment_bytes))
    });
    Ok(tried)
}

/// The same cluster with another encoding.
pub fn with_encoding(cluster: &Cluster, encoding: &str, compression: &str) -> Cluster {
    Cluster {
        encoding: encoding.to_owned(),
        compression: compression.to_owned(),
        ..cluster.clone()
    }
}

/// The same cluster with so many workers, groups in the same proportion, and at least one of the first.
pub fn with_machines(cluster: &Cluster, machines: u64) -> Cluster {
    let mut cluster = cluster.clone();
    let before = cluster.num_workers().max(1);
    let (mut taken, mut given) = (0u64, 0u64);
    for group in &mut cluster.groups {
        taken += group.count;
        // Cumulative, so that the sum is exact.
        let upto = (u128::from(machines) * u128::from(taken)).div_ceil(u128::from(before)) as u64;
        group.count = upto - given;
        given = upto;
    }
    cluster.groups.retain(|group| group.count > 0);
    cluster
}

/// The same cluster with another bandwidth of every link.
pub fn with_bandwidth(cluster: &Cluster, bits_per_second: f64) -> Cluster {
    let mut cluster = cluster.clone();
    let declared = Quantity::declared(bits_per_second, "swept");
    for group in &mut cluster.groups {
        group.link.bits_per_second = declared.clone();
    }
    cluster.executor_link.bits_per_second = declared;
    cluster
}

/// Makespans over one or two axes.
///
/// - `bases`: the cluster at every segment size that is known, the one to start from first.
/// - `axes`: what to vary.
/// - `encodings`: which to try; all that were measured if none is given.
///
/// # Errors
/// As [`try_encodings`], and [`Error::Usage`] for too many points, or a segment size that no base has.
pub fn sweep(
    bases: &[Cluster],
    axes: Vec<Varied>,
    encodings: Option<&[(String, String)]>,
) -> Result<Sweep> {
    let count = axes.iter().map(|axis| axis.values.len());
    let count = count.fold(1usize, usize::saturating_mul);
    if count == 0 || count > MAX_POINTS || axes.len() > 2 || bases.is_empty() {
        return Err(Error::Usage(format!(
            "{count} points over {} axes; expected 1 to {MAX_POINTS} over one or two",
            axes.len()
        )));
    }
    let across = axes.first().map_or(1, |axis| axis.values.len());
    let clusters = (0..count)
        .map(|number| {
            let mut cluster = bases[0].clone();
            // The segment size first: it brings a cluster of its own.
            let mut values: Vec<(Axis, f64)> = axes
                .iter()
                .zip([number % across, number / across])
                .map(|(varied, place)| (varied.axis, varied.values[place]))
                .collect();
            values.sort_by_key(|(axis, _)| *axis != Axis::Segment);
            for (axis, value) in values {
                cluster = vary(&cluster, bases, axis, value)?;
            }
            let encodings = match encodings {
                Some(encodings) => encodings.to_vec(),
                None => encodings_of(&cluster),
            };
            Ok((cluster, encodings))
        })
        .collect::<Result<Vec<_>>>()?;
    let work = clusters.iter().map(|(cluster, encodings)| {
        (cluster.num_segments() as f64 + cluster.num_workers() as f64) * encodings.len() as f64
    });
    let work: f64 = work.sum();
    if work > MAX_WORK {
        return Err(Error::Usage(format!(
            "{count} points are {work:.0e} segments and workers to simulate, expected at most {MAX_WORK:.0e}; give fewer \
             values (--sweep), fewer cycles, or one encoding (--encoding, --compression)"
        )));
    }
    let points = clusters
        .into_par_iter()
        .map(|(cluster, encodings)| {
            Ok(Point {
                machines: cluster.num_workers(),
                bits_per_second: cluster.executor_link.bits_per_second.value,
                log_cycles: cluster.executor.log_cycles,
                tried: try_encodings(&cluster, &encodings)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Sweep {
        kind: Kind::Modelled,
        axes,
        points,
    })
}

fn vary(cluster: &Cluster, bases: &[Cluster], axis: Axis, value: f64) -> Result<Cluster> {
    Ok(match axis {
        Axis::Machines => with_machines(cluster, value as u64),
        Axis::Bandwidth => with_bandwidth(cluster, value),
        Axis::Segment => bases
            .iter()
            .find(|base| f64::from(base.executor.log_cycles) == value)
            .cloned()
            .ok_or_else(|| {
                let mut known: Vec<String> = bases
                    .iter()
                    .map(|base| base.executor.log_cycles.to_string())
                    .collect();
                known.sort();
                known.dedup();
                Error::Usage(format!(
                    "no profile has segments of 2^{value} cycles; those given have {}",
                    known.join(", ")
                ))
            })?,
    })
}
