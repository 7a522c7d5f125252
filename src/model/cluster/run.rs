//! From a cluster to an outcome: the simulation with medians and means, without single resources, and its replicates.

use rayon::prelude::*;

use super::aggregate::Places;
use super::outcome::{
    Bottleneck, ErrorBar, LinkTotal, Milestones, Outcome, Resource, Transfer, TransferTotal,
    Utilisation,
};
use super::plan::Plan;
use super::simulate::{Simulated, simulate};
use super::trace::Act;
use super::{Cluster, Estimate, EstimateInputs, Placement, estimate};
use crate::Result;
use crate::measure::Kind;
use crate::model::Quantity;

/// Segments and workers that all replicates together simulate at most, so that large clusters take seconds.
const REPLICATED: u64 = 2_000_000;
/// Fewest replicates, however large the cluster.
const FEWEST: u64 = 20;
/// Resources without which a simulation is repeated.
const REPEATED: usize = 3;
/// How many times as much as without the bottleneck must be gained without another resource for that to be said.
const NOTABLE: f64 = 2.0;

/// Simulates a cluster's job.
///
/// Cost: `O(n log n)` time and a few hundred bytes for each of n segments, joins and workers; as many times as there are
/// replicates, in parallel, without the memory.
///
/// # Errors
/// [`Error::Usage`](crate::Error::Usage) if the cluster is none that can be simulated, a cost that the encoding needs is
/// missing, or every worker is lost.
pub fn simulate_cluster(cluster: &Cluster) -> Result<Outcome> {
    let (plan, inputs) = Plan::new(cluster)?;
    let nominal = plan.nominal();
    let found = simulate(&nominal, true)?;
    let mut outcome = describe(cluster, &nominal, &found);
    outcome.inputs = inputs;
    bottleneck(&mut outcome, &nominal)?;
    outcome.interval = replicates(cluster, &plan)?;
    outcome.price = price(cluster, &outcome);
    outcome.notes = notes(cluster, &outcome);
    Ok(outcome)
}

/// The makespan alone, with medians and means: seconds.
pub(super) fn makespan(cluster: &Cluster) -> Result<f64> {
    let (plan, _) = Plan::new(cluster)?;
    Ok(simulate(&plan.nominal(), false)?.makespan)
}

/// The closed form of a cluster's job, and what it starts from.
///
/// # Errors
/// As [`simulate_cluster`].
pub fn estimate_cluster(cluster: &Cluster) -> Result<(EstimateInputs, Estimate)> {
    let (plan, _) = Plan::new(cluster)?;
    let inputs = plan.estimate_inputs();
    Ok((inputs, estimate(&inputs)))
}

fn describe(cluster: &Cluster, plan: &Plan, found: &Simulated) -> Outcome {
    let places = Places::new(plan.segments);
    let workers = found.busy.len() as u32 - 1;
    let machine = |act: &Act| match act.machine {
        0 => "executor's machine".to_owned(),
        worker => format!("worker {}", worker - 1),
    };
    let label = |act: &Act| match places.level(act.task) {
        _ if act.resource == Resource::Wrap => machine(act),
        0 => format!("{}, segment {}", machine(act), act.task),
        level => format!("{}, join of level {level}", machine(act)),
    };
    let (critical_path, shares) = found.trace.critical_path(found.last, &label);
    let transfers = Transfer::ALL.iter().zip(&found.transfers);
    let transfers = transfers
        .filter(|(_, (count, _))| *count > 0)
        .map(|(&what, &(count, bytes))| TransferTotal { what, count, bytes })
        .collect();
    let estimate = estimate(&plan.estimate_inputs());
    Outcome {
        cycles: cluster.cycles,
        segments: u64::from(plan.segments),
        workers: u64::from(workers),
        encoding: cluster.encoding.clone(),
        compression: cluster.compression.clone(),
        makespan_seconds: Quantity::modelled(
            found.makespan,
            "discrete-event simulation with medians and means of the inputs",
        ),
        interval: None,
        milestones: Milestones {
            last_executed: found.milestones.last_executed,
            ..found.milestones
        },
        transfers,
        links: links(found),
        utilisation: utilisation(cluster, found),
        peak_queue: found.peak_queue,
        peak_queue_bytes: found.peak_queue as f64 * plan.shipment_bytes.value,
        joins: found.joins,
        lost_workers: found.lost_workers,
        retries: found.retries,
        critical_path,
        shares,
        bottleneck: Bottleneck {
            resource: Resource::Executor,
            share: 0.0,
            makespan_without: found.makespan,
            sentence: String::new(),
        },
        estimate,
        price: None,
        spans: found.trace.spans(found.last, workers, &places),
        inputs: Vec::new(),
        notes: Vec::new(),
    }
}

fn links(found: &Simulated) -> Vec<LinkTotal> {
    let (executor, workers) = found.links.ports.split_at(1);
    let row = |link: &str, bytes: f64| LinkTotal {
        link: link.to_owned(),
        bytes,
    };
    let mean = |total: f64| total / workers.len() as f64;
    let into = workers.iter().map(|port| port.into.bytes);
    let out = workers.iter().map(|port| port.out.bytes);
    vec![
        row("executor egress", executor[0].out.bytes),
        row("executor ingress", executor[0].into.bytes),
        row("worker ingress, mean", mean(into.clone().sum())),
        row("worker ingress, most", into.fold(0.0, f64::max)),
        row("worker egress, mean", mean(out.clone().sum())),
        row("worker egress, most", out.fold(0.0, f64::max)),
        row(
            "all links",
            found.links.ports.iter().map(|port| port.out.bytes).sum(),
        ),
    ]
}

fn utilisation(cluster: &Cluster, found: &Simulated) -> Vec<Utilisation> {
    let all = if found.makespan > 0.0 {
        found.makespan
    } else {
        1.0
    };
    // A link may have been promised to what arrives after the end.
    let part = |seconds: f64| (seconds / all).min(1.0);
    let row = |resource: &str, busy: &[f64]| Utilisation {
        resource: resource.to_owned(),
        mean: busy.iter().map(|&b| part(b)).sum::<f64>() / busy.len() as f64,
        min: part(busy.iter().copied().fold(f64::INFINITY, f64::min)),
        max: part(busy.iter().copied().fold(0.0, f64::max)),
    };
    let (executor, workers) = found.busy.split_at(1);
    let port = &found.links.ports[0];
    let mut rows = vec![
        row("executor", executor),
        row("executor egress", &[port.out.busy]),
        row("executor ingress", &[port.into.busy]),
        row("workers", workers),
    ];
    if cluster.groups.len() > 1 {
        let mut rest = workers;
        for group in &cluster.groups {
            let (own, others) = rest.split_at(group.count as usize);
            rows.push(row(&group.name, own));
            rest = others;
        }
    }
    rows
}

fn bottleneck(outcome: &mut Outcome, plan: &Plan) -> Result<()> {
    for share in outcome.shares.iter_mut().take(REPEATED) {
        share.makespan_without = Some(simulate(&plan.without(share.resource), false)?.makespan);
    }
    let Some(first) = outcome.shares.first() else {
        return Ok(());
    };
    let makespan = outcome.makespan_seconds.value;
    let percent = |seconds: f64| 100.0 * seconds / makespan;
    let without = first.makespan_without.unwrap_or(makespan);
    let mut sentence = format!(
        "{} binds: {:.0} % of the critical path; if it took no time, the makespan would be {:.0} % of what it is",
        first.resource.describe(),
        100.0 * first.share,
        percent(without)
    );
    // Where two resources have as much to do, to free one of them leaves the other.
    let gains = outcome.shares.iter();
    let gains = gains.filter_map(|share| Some((share.makespan_without?, share.resource)));
    if let Some((least, other)) = gains.min_by(|a, b| a.0.total_cmp(&b.0))
        && other != first.resource
        && makespan - least > NOTABLE * (makespan - without).max(0.0)
        && makespan - least > 0.01 * makespan
    {
        sentence.push_str(&format!(
            ", as others have nearly as much to do; most is gained without {}: {:.0} %",
            other.describe(),
            percent(least)
        ));
    }
    outcome.bottleneck = Bottleneck {
        resource: first.resource,
        share: first.share,
        makespan_without: without,
        sentence,
    };
    Ok(())
}

fn replicates(cluster: &Cluster, plan: &Plan) -> Result<Option<ErrorBar>> {
    let size = cluster.num_segments() + cluster.num_workers();
    let count = u64::from(cluster.replicates).min((REPLICATED / size).max(FEWEST));
    if count == 0 {
        return Ok(None);
    }
    let mut makespans = (0..count)
        .into_par_iter()
        .map(|number| Ok(simulate(&plan.replicate(number), false)?.makespan))
        .collect::<Result<Vec<f64>>>()?;
    makespans.sort_by(f64::total_cmp);
    Ok(Some(ErrorBar {
        low: percentile(&makespans, 0.025),
        median: percentile(&makespans, 0.5),
        high: percentile(&makespans, 0.975),
        replicates: count,
    }))
}

/// The value below which a part of the sorted values lies, linear between neighbours.
fn percentile(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len() - 1) as f64;
    let (low, rest) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + rest * (sorted[high] - sorted[low])
}

/// All machines for as long as it takes, and what leaves the executor's; none unless every machine has a price.
fn price(cluster: &Cluster, outcome: &Outcome) -> Option<Quantity> {
    let hours = outcome.makespan_seconds.value / 3600.0;
    let mut per_hour = cluster.executor_price.as_ref()?.value;
    for group in &cluster.groups {
        per_hour += group.count as f64 * group.price.as_ref()?.value;
    }
    let mut sum = hours * per_hour;
    let mut source = format!(
        "{hours:.6} h of all machines, {per_hour} an hour, the executor's included (declared)"
    );
    if let Some(price) = &cluster.egress_price {
        let gigabytes = outcome.links[0].bytes / 1e9;
        sum += gigabytes * price.value;
        source.push_str(&format!(
            ", and {gigabytes:.3} GB from the executor's at {} a GB (declared)",
            price.value
        ));
    }
    Some(Quantity::modelled(sum, source))
}

fn notes(cluster: &Cluster, outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    let single: Vec<String> = outcome
        .inputs
        .iter()
        .filter(|input| input.num_samples == 1)
        .map(|input| format!("{} ({})", input.name, input.machine))
        .collect();
    if !single.is_empty() && outcome.interval.is_some() {
        notes.push(format!(
            "measured once, so the error bar has nothing of how they vary: {}",
            single.join("; ")
        ));
    }
    let ranges: Vec<String> = outcome
        .inputs
        .iter()
        .filter(|input| input.num_samples > 1 && input.quantity.kind == Kind::Declared)
        .map(|input| format!("{} ({})", input.name, input.machine))
        .collect();
    if !ranges.is_empty() && outcome.interval.is_some() {
        notes.push(format!(
            "published ranges, whose ends the error bar draws from as if they were samples: {}",
            ranges.join("; ")
        ));
    }
    if cluster.encoding == "input" {
        notes.push(
            "input: the work on a segment grows with its place in the run, as it is executed from the start; the bytes of the \
             input are those measured, however long the run"
                .to_owned(),
        );
    }
    if cluster.placement == Placement::InPlace {
        notes.push(
            "joins in place: a join waits for one of the two workers that hold its objects, even if others are idle"
                .to_owned(),
        );
    }
    if let Some(loss) = cluster.loss.filter(|loss| loss.per_hour > 0.0) {
        notes.push(format!(
            "{} losses an hour and worker; the coordinator is never lost",
            loss.per_hour
        ));
    }
    notes.push(format!(
        "every segment is taken to cost what the measured ones of {} do, which had {} cycles each",
        cluster.executor.guest,
        cluster.executor.segment_cycles()
    ));
    notes
}
