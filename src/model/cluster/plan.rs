//! From costs to what each task of one job takes.

use super::config::{Aggregation, Cluster, Group, LinkCost, Placement};
use super::draw::{Random, Stream};
use super::outcome::Input;
use super::{EstimateInputs, Resource};
use crate::model::{Costs, Quantity};
use crate::ship::Encoding;
use crate::{Error, Result};

/// Most that a cost may be, seconds or bytes: sums over the largest cluster stay exact enough to order events.
const MOST: f64 = 1e12;

/// A cost: a number for all tasks, or samples of which each task draws one.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Cost {
    pub(super) value: f64,
    pub(super) samples: Vec<f64>,
}

impl Cost {
    /// What a task draws, by its random number.
    pub(super) fn draw(&self, random: impl FnOnce() -> u64) -> f64 {
        if self.samples.is_empty() {
            return self.value;
        }
        self.samples[(random() % self.samples.len() as u64) as usize]
    }

    /// The same without chance.
    fn nominal(mut self) -> Self {
        self.samples = Vec::new();
        self
    }

    /// As many samples as there are, drawn from them: one replicate of the measurement.
    fn resampled(&self, random: &mut Random) -> Self {
        let count = self.samples.len() as u64;
        let samples = (0..count).map(|_| self.samples[(random.next() % count) as usize]);
        Self {
            value: self.value,
            samples: samples.collect(),
        }
    }

    /// One value for all tasks, the mean of the samples: each task is a sum of many that vary by themselves.
    fn averaged(self) -> Self {
        let Self { value, samples } = self;
        let count = samples.len() as f64;
        Self {
            value: if samples.is_empty() {
                value
            } else {
                samples.iter().sum::<f64>() / count
            },
            samples: Vec::new(),
        }
    }

    /// One value for all tasks, drawn from the samples: what was measured is a whole run.
    fn drawn_once(&self, random: &mut Random) -> Self {
        Self {
            value: self.draw(|| random.next()),
            samples: Vec::new(),
        }
    }
}

/// What one worker of a group takes, its speed included.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct GroupPlan {
    pub(super) count: u64,
    pub(super) decode: Cost,
    pub(super) regenerate: Cost,
    /// Seconds more for each segment before: re-execution from the start.
    pub(super) growth: f64,
    /// Proving or folding.
    pub(super) prove: Cost,
    pub(super) object_bytes: Cost,
    pub(super) join: Cost,
    pub(super) join_bytes: Cost,
    /// Bits per second out of a worker and into it.
    pub(super) out_bps: f64,
    pub(super) in_bps: f64,
    pub(super) latency: f64,
}

/// A job in numbers.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Plan {
    pub(super) segments: u32,
    pub(super) segment_cycles: f64,
    pub(super) last_cycles: f64,
    /// Seconds per cycle.
    pub(super) execute: Cost,
    /// What else the executor's machine does for each segment.
    pub(super) prepare: Vec<Cost>,
    pub(super) shipment_bytes: Cost,
    pub(super) program_bytes: f64,
    pub(super) out_bps: f64,
    pub(super) in_bps: f64,
    pub(super) latency: f64,
    pub(super) switch_bps: f64,
    pub(super) groups: Vec<GroupPlan>,
    pub(super) aggregate: bool,
    /// Segments are folded, which is the work of many chunks.
    folds: bool,
    pub(super) in_place: bool,
    pub(super) prefetch: u32,
    pub(super) stragglers: Option<super::Stragglers>,
    pub(super) loss: Option<super::Loss>,
    pub(super) wrap: f64,
    pub(super) seed: u64,
}

/// Collects what is computed from, refusing what cannot be computed with.
struct Inputs(Vec<Input>);

impl Inputs {
    fn take(&mut self, machine: &str, name: &str, quantity: &Quantity) -> Result<Cost> {
        let all = quantity.samples.iter().chain([&quantity.value]);
        if let Some(value) = all.into_iter().find(|v| !(0.0..=MOST).contains(*v)) {
            return Err(Error::Usage(format!(
                "{name} of {machine} is {value:e} ({}); a model needs 0 to {MOST:e}",
                quantity.source
            )));
        }
        self.0.push(Input {
            name: name.to_owned(),
            machine: machine.to_owned(),
            num_samples: quantity.samples.len() as u64,
            quantity: Quantity {
                samples: Vec::new(),
                ..quantity.clone()
            },
        });
        Ok(Cost {
            value: quantity.value,
            samples: quantity.samples.clone(),
        })
    }

    /// Seconds per cycle from cycles per second.
    fn take_rate(&mut self, machine: &str, name: &str, hz: &Quantity) -> Result<Cost> {
        let rate = self.take(machine, name, hz)?;
        let all = rate.samples.iter().chain([&rate.value]);
        if all.into_iter().any(|&hz| hz < 1e-3) {
            return Err(Error::Usage(format!(
                "{name} of {machine} is {:e} ({}); a model needs more",
                hz.value, hz.source
            )));
        }
        Ok(Cost {
            value: 1.0 / rate.value,
            samples: rate.samples.iter().map(|hz| 1.0 / hz).collect(),
        })
    }

    fn take_link(&mut self, machine: &str, link: &LinkCost) -> Result<(f64, f64)> {
        self.0.push(Input {
            name: "link, bits per second".to_owned(),
            machine: machine.to_owned(),
            num_samples: 0,
            quantity: link.bits_per_second.clone(),
        });
        let latency = self.take(machine, "latency, seconds", &link.latency_seconds)?;
        Ok((link.bits_per_second.value, latency.value))
    }
}

fn scaled(mut cost: Cost, by: f64) -> Cost {
    cost.value *= by;
    for sample in &mut cost.samples {
        *sample *= by;
    }
    cost
}

fn missing(what: &str, costs: &Costs) -> Error {
    Error::Usage(format!(
        "the profile of {} ({}) has no {what}",
        costs.guest, costs.machine
    ))
}

/// The cost of the cluster's encoding on a machine.
fn encoding_of<'c>(cluster: &Cluster, costs: &'c Costs) -> Result<&'c crate::model::EncodingCost> {
    let (encoding, compression) = cluster.scheme()?;
    costs.encoding(encoding, compression).ok_or_else(|| {
        missing(
            &format!(
                "rows of {encoding} in {compression}; measure them with rewit run --encodings {encoding} --compressions {compression}, or choose another with --encoding"
            ),
            costs,
        )
    })
}

/// Seconds from a known state to the witness, without what `input` executes before it.
fn from_a_state(costs: &Costs) -> Result<Quantity> {
    let states = [
        Encoding::Pages1k,
        Encoding::Pages4k,
        Encoding::Delta,
        Encoding::Image,
    ];
    let found = states.into_iter().find_map(|encoding| {
        let of = |cost: &&crate::model::EncodingCost| cost.encoding == encoding.name();
        costs.encodings.iter().find(of)
    });
    found
        .map(|cost| cost.regenerate_seconds.clone())
        .ok_or_else(|| {
            missing(
                "regeneration from a state, which a model of `input` starts from; measure --encodings input,pages-1k too",
                costs,
            )
        })
}

impl Plan {
    /// The plan of a cluster's job with medians and means, the samples, and what it was made from.
    pub(super) fn new(cluster: &Cluster) -> Result<(Self, Vec<Input>)> {
        cluster.check()?;
        let (encoding, _) = cluster.scheme()?;
        if encoding == Encoding::DeltaPrevious {
            return Err(Error::Usage(
                "delta-prev needs the memory at the previous boundary, which another worker of a cluster has; \
                 choose another --encoding"
                    .to_owned(),
            ));
        }
        let mut inputs = Inputs(Vec::new());
        let costs = &cluster.executor;
        let on = "executor";
        let (name, hz) = match encoding {
            Encoding::Input => ("execute, cycles per second", &costs.execute_hz),
            Encoding::Witness | Encoding::Records | Encoding::Reads => (
                "execute and record reads, cycles per second",
                &costs.record_reads_hz,
            ),
            _ => (
                "execute and record all, cycles per second",
                &costs.record_all_hz,
            ),
        };
        let execute = inputs.take_rate(on, name, hz)?;
        let shipped = encoding_of(cluster, costs)?;
        let mut prepare = Vec::new();
        if matches!(encoding, Encoding::Witness | Encoding::Records) {
            let made = costs
                .encodings
                .iter()
                .find(|cost| cost.encoding == Encoding::Reads.name())
                .ok_or_else(|| {
                    missing(
                        "regeneration from reads, by which the executor's machine makes what it ships; measure --encodings reads too",
                        costs,
                    )
                })?;
            prepare.push(inputs.take(
                on,
                "regenerate before shipping, seconds",
                &made.regenerate_seconds,
            )?);
        }
        prepare.push(inputs.take(on, "encode, seconds", &shipped.encode_seconds)?);
        let shipment_bytes = inputs.take(on, "shipment, bytes", &shipped.bytes)?;
        let program_bytes = if encoding == Encoding::Input {
            0.0
        } else {
            inputs
                .take(on, "program, bytes", &costs.program_bytes)?
                .value
        };
        let (bps, latency) = inputs.take_link(on, &cluster.executor_link)?;
        let groups = cluster
            .groups
            .iter()
            .map(|group| group_plan(cluster, group, encoding, &mut inputs))
            .collect::<Result<Vec<_>>>()?;
        let wrap = match &cluster.wrap {
            Some(wrap) => inputs.take("", "last step, seconds", wrap)?.value,
            None => 0.0,
        };
        let segment_cycles = costs.segment_cycles();
        let segments = cluster.num_segments();
        let last = cluster.cycles - (segments - 1) * segment_cycles;
        let switch_bps = cluster.switch.as_ref().map_or(f64::INFINITY, |switch| {
            inputs.0.push(Input {
                name: "switch, bits per second".to_owned(),
                machine: String::new(),
                num_samples: 0,
                quantity: switch.clone(),
            });
            switch.value
        });
        let plan = Self {
            segments: u32::try_from(segments).expect("segments were counted"),
            segment_cycles: segment_cycles as f64,
            last_cycles: last as f64,
            execute,
            prepare,
            shipment_bytes,
            program_bytes,
            out_bps: bps,
            in_bps: bps,
            latency,
            switch_bps,
            groups,
            aggregate: cluster.aggregation != Aggregation::None,
            folds: cluster.aggregation == Aggregation::Fold,
            in_place: cluster.placement == Placement::InPlace
                && cluster.aggregation != Aggregation::None,
            prefetch: cluster.prefetch,
            stragglers: cluster.stragglers,
            loss: cluster.loss,
            wrap,
            seed: cluster.seed,
        };
        Ok((plan, inputs.0))
    }

    fn costs_mut(&mut self) -> impl Iterator<Item = &mut Cost> {
        let groups = self.groups.iter_mut().flat_map(|group| {
            [
                &mut group.decode,
                &mut group.regenerate,
                &mut group.prove,
                &mut group.object_bytes,
                &mut group.join,
                &mut group.join_bytes,
            ]
        });
        self.prepare
            .iter_mut()
            .chain([&mut self.shipment_bytes])
            .chain(groups)
    }

    /// The same with medians and means for every task.
    pub(super) fn nominal(&self) -> Self {
        let mut plan = self.clone();
        plan.execute = plan.execute.nominal();
        for cost in plan.costs_mut() {
            *cost = std::mem::take(cost).nominal();
        }
        plan
    }

    /// One replicate: the measurements resampled, then a sample drawn for each task.
    pub(super) fn replicate(&self, number: u64) -> Self {
        let mut plan = self.clone();
        plan.seed = Random::keyed(self.seed, Stream::Replicate, number, 0);
        let mut random = Random::new(plan.seed);
        plan.execute = plan.execute.drawn_once(&mut random);
        for cost in plan.costs_mut() {
            *cost = cost.resampled(&mut random);
        }
        if self.folds {
            for group in &mut plan.groups {
                group.prove = std::mem::take(&mut group.prove).averaged();
            }
        }
        plan
    }

    /// The same with a resource that takes no time.
    pub(super) fn without(&self, resource: Resource) -> Self {
        let mut plan = self.clone();
        let none = Cost::default;
        match resource {
            Resource::Executor => {
                plan.execute = none();
                plan.prepare = Vec::new();
            }
            Resource::Egress => plan.out_bps = f64::INFINITY,
            Resource::Ingress => plan.in_bps = f64::INFINITY,
            Resource::Switch => plan.switch_bps = f64::INFINITY,
            Resource::Latency => plan.latency = 0.0,
            Resource::Lost => plan.loss = None,
            Resource::Wrap => plan.wrap = 0.0,
            Resource::WorkerLinks | Resource::Regenerate | Resource::Prove | Resource::Join => {}
        }
        for group in &mut plan.groups {
            match resource {
                Resource::Regenerate => {
                    group.decode = none();
                    group.regenerate = none();
                    group.growth = 0.0;
                }
                Resource::Prove => group.prove = none(),
                Resource::Join => group.join = none(),
                Resource::WorkerLinks => {
                    group.out_bps = f64::INFINITY;
                    group.in_bps = f64::INFINITY;
                }
                Resource::Latency => group.latency = 0.0,
                _ => {}
            }
        }
        plan
    }

    /// What the closed form starts from, medians and means.
    pub(super) fn estimate_inputs(&self) -> EstimateInputs {
        let least = |of: &dyn Fn(&GroupPlan) -> f64| {
            self.groups.iter().map(of).fold(f64::INFINITY, f64::min)
        };
        let work = |g: &GroupPlan| g.decode.value + g.regenerate.value + g.prove.value;
        let (work_seconds, growth, join) =
            (least(&work), least(&|g| g.growth), least(&|g| g.join.value));
        // In units of the fastest of each kind of work, none of a group's is done faster than by the greatest of these.
        let speed = |g: &GroupPlan| {
            let mut parts = vec![(work_seconds, work(g)), (growth, g.growth)];
            if self.aggregate {
                parts.push((join, g.join.value));
            }
            parts.retain(|&(_, own)| own > 0.0);
            let greatest = parts.iter().map(|(best, own)| best / own);
            greatest.reduce(f64::max).unwrap_or(1.0)
        };
        EstimateInputs {
            segments: f64::from(self.segments),
            execute_seconds: self.execute.value * self.segment_cycles,
            last_execute_seconds: self.execute.value * self.last_cycles,
            encode_seconds: self.prepare.iter().map(|cost| cost.value).sum(),
            shipment_bytes: self.shipment_bytes.value,
            program_bytes: self.program_bytes,
            workers: self.groups.iter().map(|g| g.count as f64).sum(),
            capacity: self.groups.iter().map(|g| g.count as f64 * speed(g)).sum(),
            work_seconds,
            work_growth_seconds: growth,
            object_bytes: least(&|g| g.object_bytes.value),
            aggregate: self.aggregate,
            through_coordinator: !self.in_place,
            join_seconds: join,
            join_bytes: least(&|g| g.join_bytes.value),
            executor_bps: self.out_bps,
            worker_bps: -least(&|g| -g.in_bps),
            latency_seconds: (self.latency + least(&|g| g.latency)) / 2.0,
            wrap_seconds: self.wrap,
        }
    }
}

fn group_plan(
    cluster: &Cluster,
    group: &Group,
    encoding: Encoding,
    inputs: &mut Inputs,
) -> Result<GroupPlan> {
    let Group {
        name: on,
        count,
        costs,
        link,
        speed,
        price: _,
    } = group;
    let shipped = encoding_of(cluster, costs)?;
    let decode = inputs.take(on, "decode, seconds", &shipped.decode_seconds)?;
    let (regenerate, growth) = if encoding == Encoding::Input {
        let regenerate = from_a_state(costs)?;
        let hz = inputs.take_rate(on, "execute, cycles per second", &costs.execute_hz)?;
        let regenerate = inputs.take(on, "regenerate from a state, seconds", &regenerate)?;
        (regenerate, hz.value * costs.segment_cycles() as f64)
    } else {
        let seconds = &shipped.regenerate_seconds;
        (inputs.take(on, "regenerate, seconds", seconds)?, 0.0)
    };
    let (prove, object_bytes) = if cluster.aggregation == Aggregation::Fold {
        let fold = costs.fold.as_ref().ok_or_else(|| {
            missing(
                "folding; give a file of rewit fold of the same guest, input, processor, threads and backend too, or another --aggregate",
                costs,
            )
        })?;
        (
            inputs.take(on, "fold, seconds", &fold.seconds)?,
            inputs.take(on, "accumulators, bytes", &fold.accumulator_bytes)?,
        )
    } else {
        let proof = costs
            .proof
            .as_ref()
            .ok_or_else(|| missing("proof; measure one with rewit run --prove 1", costs))?;
        (
            inputs.take(on, "prove, seconds", &proof.seconds)?,
            inputs.take(on, "proof, bytes", &proof.bytes)?,
        )
    };
    let (join, join_bytes) = match (&cluster.aggregation, &costs.fold) {
        (
            Aggregation::Fri {
                join_seconds,
                join_bytes,
            },
            _,
        ) => (
            inputs.take(on, "join, seconds", join_seconds)?,
            inputs.take(on, "joined proof, bytes", join_bytes)?,
        ),
        (Aggregation::Fold, Some(fold)) => (
            inputs.take(on, "merge, seconds", &fold.merge_seconds)?,
            object_bytes.clone(),
        ),
        _ => (Cost::default(), Cost::default()),
    };
    let (bps, latency) = inputs.take_link(on, link)?;
    let slower = 1.0 / speed;
    Ok(GroupPlan {
        count: *count,
        decode: scaled(decode, slower),
        regenerate: scaled(regenerate, slower),
        growth: growth * slower,
        prove: scaled(prove, slower),
        object_bytes,
        join: scaled(join, slower),
        join_bytes,
        out_bps: bps,
        in_bps: bps,
        latency,
    })
}
