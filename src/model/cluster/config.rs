//! What is simulated: machines, links, an encoding, a way to aggregate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::Link;
use crate::model::{Costs, Quantity};
use crate::ship::{Compression, Encoding};
use crate::{Error, Result};

/// Most segments of a simulation: it keeps a few hundred bytes of each.
pub const MAX_SEGMENTS: u64 = 1 << 19;
/// Most workers.
pub const MAX_WORKERS: u64 = 1 << 17;
/// Most replicates.
pub const MAX_REPLICATES: u32 = 10_000;

/// A cluster and its job.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Cycles to prove.
    pub cycles: u64,
    /// What the executor's machine takes; it is the coordinator too.
    pub executor: Costs,
    /// Its link.
    pub executor_link: LinkCost,
    /// Its price per hour, if declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor_price: Option<Quantity>,
    /// Workers, by kind.
    pub groups: Vec<Group>,
    /// Name of the encoding that segments are shipped in.
    pub encoding: String,
    /// Name of its compression.
    pub compression: String,
    /// What becomes of proofs.
    pub aggregation: Aggregation,
    /// Where joins are done.
    pub placement: Placement,
    /// Tasks that take longer than they should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stragglers: Option<Stragglers>,
    /// Workers that are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// Seconds of a last step on the final object, such as a wrap in a pairing-based proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrap: Option<Quantity>,
    /// Bits per second of the switch between all machines; unlimited if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch: Option<Quantity>,
    /// Price per 10^9 bytes that leave the executor's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_price: Option<Quantity>,
    /// Tasks that a worker is assigned beyond the one it works on.
    pub prefetch: u32,
    /// Seed of everything random.
    pub seed: u64,
    /// Replicates for the error bar; 0 for none.
    pub replicates: u32,
}

/// Workers of one kind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What they are called.
    pub name: String,
    /// How many.
    pub count: u64,
    /// What one of them takes.
    pub costs: Costs,
    /// Its link.
    pub link: LinkCost,
    /// How many times as fast as `costs` says, 1 for as measured.
    pub speed: f64,
    /// Price of one per hour, if declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Quantity>,
}

/// A machine's link: the same bandwidth in both directions, at once.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkCost {
    /// Bits per second.
    pub bits_per_second: Quantity,
    /// One-way latency between two machines with such links, seconds.
    pub latency_seconds: Quantity,
}

impl LinkCost {
    /// A link that is given, not measured.
    pub fn declared(bits_per_second: f64, latency_seconds: f64, source: &str) -> Self {
        Self {
            bits_per_second: Quantity::declared(bits_per_second, source),
            latency_seconds: Quantity::declared(latency_seconds, source),
        }
    }

    /// 10 Gb/s and 50 µs, where no link was measured or given.
    pub fn assumed() -> Self {
        Self::declared(10e9, 50e-6, "assumed: no link was measured or given")
    }

    /// The link of a result file.
    pub fn of(link: &Link) -> Self {
        let quantity = |value| Quantity {
            kind: link.kind,
            ..Quantity::declared(value, format!("link of the file: {}", link.description))
        };
        Self {
            bits_per_second: quantity(link.bits_per_second),
            latency_seconds: quantity(link.latency_seconds),
        }
    }
}

/// What becomes of proofs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "by", deny_unknown_fields)]
pub enum Aggregation {
    /// They are returned, and that is all.
    None,
    /// A binary tree of recursive proofs.
    Fri {
        /// Seconds of a join on a machine of speed 1.
        join_seconds: Quantity,
        /// Bytes of its proof.
        join_bytes: Quantity,
    },
    /// Segments are folded instead of proven, and their accumulators merged in a binary tree.
    Fold,
}

impl Aggregation {
    /// Recursion as published for other code, of which nothing is measured here.
    pub fn published_fri() -> Self {
        let published = |low: f64, high: f64, what: &str| Quantity {
            samples: vec![low, high],
            ..Quantity::declared(
                (low + high) / 2.0,
                format!("{what} per 2-to-1 join: published measurement of p3-recursion on 2 cores"),
            )
        };
        Self::Fri {
            join_seconds: published(1.1, 1.9, "1.1–1.9 s"),
            join_bytes: published(451e3, 496e3, "451–496 kB"),
        }
    }
}

/// Where a join is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// On any worker: the coordinator sends both objects and gets the result back.
    Coordinator,
    /// On one of the workers that hold the objects: the other sends its own.
    InPlace,
}

/// Tasks that take longer than they should.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stragglers {
    /// Which part of all tasks, from 0 to 1.
    pub fraction: f64,
    /// How many times as long they take.
    pub slowdown: f64,
}

/// Workers that are lost, with all they hold.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Losses per hour of a worker, at any time.
    pub per_hour: f64,
    /// Probability that a worker is lost during a task, from 0 to 1.
    pub per_task: f64,
    /// Seconds until the coordinator notices.
    pub detection_seconds: f64,
    /// Seconds from then until an empty machine takes its place; none if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement_seconds: Option<f64>,
}

impl Cluster {
    /// Workers of all groups.
    pub fn num_workers(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// Segments that the cycles are cut into.
    pub fn num_segments(&self) -> u64 {
        self.cycles.div_ceil(self.executor.segment_cycles())
    }

    /// The encoding and compression by their names.
    pub(super) fn scheme(&self) -> Result<(Encoding, Compression)> {
        Ok((self.encoding.parse()?, self.compression.parse()?))
    }

    /// Refuses what cannot be simulated.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the number and its range.
    pub(super) fn check(&self) -> Result<()> {
        let in_range = |what: &str, value: f64, low: f64, high: f64| {
            if value >= low && value <= high {
                return Ok(());
            }
            usage(format!("{what} is {value:e}; expected {low:e} to {high:e}"))
        };
        let count = |what: &str, value: u64, high: u64, fix: &str| {
            if (1..=high).contains(&value) {
                return Ok(());
            }
            usage(format!("{value} {what}; expected 1 to {high}{fix}"))
        };
        if self.executor.log_cycles > 40 {
            return usage(format!(
                "segments of 2^{} cycles; expected at most 2^40",
                self.executor.log_cycles
            ));
        }
        let longer = "; choose longer segments (--segment-log-cycles) or fewer cycles";
        count("segments", self.num_segments(), MAX_SEGMENTS, longer)?;
        let mut workers = 0u64;
        for group in &self.groups {
            count("machines in a group", group.count, MAX_WORKERS, "")?;
            workers = workers.saturating_add(group.count);
            if group.costs.log_cycles != self.executor.log_cycles {
                return usage(format!(
                    "segments of 2^{} cycles on the executor's machine and 2^{} on {}; give profiles of one size",
                    self.executor.log_cycles, group.costs.log_cycles, group.name
                ));
            }
            in_range("speed of a group", group.speed, 1e-6, 1e6)?;
            check_link(&group.link, &in_range)?;
        }
        count("machines", workers, MAX_WORKERS, "")?;
        check_link(&self.executor_link, &in_range)?;
        if let Some(switch) = &self.switch {
            in_range("bandwidth of the switch", switch.value, 1.0, 1e18)?;
        }
        if let Aggregation::Fri {
            join_seconds,
            join_bytes,
        } = &self.aggregation
        {
            for seconds in join_seconds.samples.iter().chain([&join_seconds.value]) {
                in_range("seconds of a join", *seconds, 0.0, 1e9)?;
            }
            for bytes in join_bytes.samples.iter().chain([&join_bytes.value]) {
                in_range("bytes of a joined proof", *bytes, 0.0, 1e15)?;
            }
        }
        if let Some(Stragglers { fraction, slowdown }) = self.stragglers {
            in_range("fraction of stragglers", fraction, 0.0, 1.0)?;
            in_range("slowdown of stragglers", slowdown, 1.0, 1e6)?;
        }
        if let Some(loss) = self.loss {
            in_range("losses per hour", loss.per_hour, 0.0, 1e6)?;
            in_range("probability of a loss", loss.per_task, 0.0, 1.0)?;
            in_range("seconds to notice a loss", loss.detection_seconds, 0.0, 1e9)?;
            in_range(
                "seconds to a replacement",
                loss.replacement_seconds.unwrap_or(0.0),
                0.0,
                1e9,
            )?;
            if self.placement == Placement::InPlace && self.aggregation != Aggregation::None {
                return usage(
                    "losses with joins in place are not modelled, since a lost machine takes joined objects with it; \
                     let the coordinator place joins (--joins coordinator)"
                        .to_owned(),
                );
            }
        }
        if let Some(wrap) = &self.wrap {
            in_range("seconds of the last step", wrap.value, 0.0, 1e9)?;
        }
        let prices = self.groups.iter().filter_map(|group| group.price.as_ref());
        for price in prices.chain(&self.executor_price).chain(&self.egress_price) {
            in_range("a price", price.value, 0.0, 1e12)?;
        }
        if self.prefetch > 1000 {
            return usage(format!(
                "{} tasks ahead; expected at most 1000",
                self.prefetch
            ));
        }
        if self.replicates > MAX_REPLICATES {
            return usage(format!(
                "{} replicates; expected at most {MAX_REPLICATES}",
                self.replicates
            ));
        }
        Ok(())
    }
}

fn usage(text: String) -> Result<()> {
    Err(Error::Usage(text))
}

fn check_link(
    link: &LinkCost,
    in_range: &impl Fn(&str, f64, f64, f64) -> Result<()>,
) -> Result<()> {
    in_range("bandwidth of a link", link.bits_per_second.value, 1.0, 1e18)?;
    in_range("latency of a link", link.latency_seconds.value, 0.0, 1e6)
}
