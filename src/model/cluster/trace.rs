//! What happened in a simulation, and what each occupation waited for.

use super::aggregate::Places;
use super::outcome::{PathStep, Resource, Share, Span};

/// The machine with the executor.
pub(super) const COORDINATOR: u32 = 0;
/// No occupation.
pub(super) const NONE: u32 = u32::MAX;
/// Steps of a critical path that are kept, at each end.
const KEPT_STEPS: usize = 40;
/// Workers in a timeline.
const WORKER_LANES: u32 = 24;
/// Into how many parts of the makespan a lane is divided: neighbours within one become one span.
const LANE_SPANS: f64 = 100.0;

/// Something that was occupied.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Act {
    pub(super) start: f64,
    pub(super) end: f64,
    /// The occupation that its start waited for.
    pub(super) cause: u32,
    /// The machine: 0 for the executor's, then workers.
    pub(super) machine: u32,
    /// The segment or join it is for: a place in the tree.
    pub(super) task: u32,
    pub(super) resource: Resource,
}

/// Occupations in the order in which they were decided on; none are kept unless asked for.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    acts: Option<Vec<Act>>,
}

impl Trace {
    pub(super) fn new(keep: bool) -> Self {
        Self {
            acts: keep.then(Vec::new),
        }
    }

    /// Adds one; returns its number.
    pub(super) fn add(&mut self, act: Act) -> u32 {
        let Some(acts) = &mut self.acts else {
            return NONE;
        };
        acts.push(act);
        acts.len() as u32 - 1
    }

    /// The chain that led to the end of `last`, first to last, as numbers with the part of the time that each explains.
    fn chain(&self, last: u32) -> Vec<(u32, f64, f64)> {
        let acts = self.acts.as_deref().unwrap_or_default();
        let mut chain = Vec::new();
        let mut until = f64::INFINITY;
        let mut at = last;
        while let Some(act) = acts.get(at as usize) {
            let end = act.end.min(until);
            if end > act.start {
                chain.push((at, act.start, end));
            }
            until = act.start.min(until);
            at = act.cause;
        }
        chain.reverse();
        chain
    }

    /// Critical path and what each resource holds of it, the greatest first.
    pub(super) fn critical_path(
        &self,
        last: u32,
        label: &impl Fn(&Act) -> String,
    ) -> (Vec<PathStep>, Vec<Share>) {
        let acts = self.acts.as_deref().unwrap_or_default();
        let chain = self.chain(last);
        let total: f64 = chain.iter().map(|(_, start, end)| end - start).sum();
        let mut shares: Vec<Share> = Vec::new();
        let mut steps: Vec<(PathStep, u32)> = Vec::new();
        for &(number, start, end) in &chain {
            let act = &acts[number as usize];
            let resource = act.resource;
            match shares.iter_mut().find(|share| share.resource == resource) {
                Some(share) => share.seconds += end - start,
                None => shares.push(Share {
                    resource,
                    seconds: end - start,
                    share: 0.0,
                    makespan_without: None,
                }),
            }
            match steps.last_mut() {
                Some((step, machine)) if step.resource == resource && *machine == act.machine => {
                    step.end = end;
                    step.count += 1;
                }
                _ => steps.push((
                    PathStep {
                        resource,
                        label: label(act),
                        start,
                        end,
                        count: 1,
                    },
                    act.machine,
                )),
            }
        }
        for share in &mut shares {
            share.share = if total > 0.0 {
                share.seconds / total
            } else {
                0.0
            };
        }
        shares.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        let mut steps: Vec<PathStep> = steps.into_iter().map(|(step, _)| step).collect();
        if steps.len() > 2 * KEPT_STEPS {
            steps.drain(KEPT_STEPS..steps.len() - KEPT_STEPS);
        }
        (steps, shares)
    }

    /// Spans for a timeline, no more than a screen can show.
    ///
    /// - `workers`: how many there are.
    pub(super) fn spans(&self, last: u32, workers: u32, places: &Places) -> Vec<Span> {
        let acts = self.acts.as_deref().unwrap_or_default();
        let Some(end) = acts.get(last as usize).map(|act| act.end) else {
            return Vec::new();
        };
        let step = end / LANE_SPANS;
        let mut critical = vec![false; acts.len()];
        // What the end waited for, in a lane of its own: most of its workers are not among those shown.
        let mut spans: Vec<Span> = Vec::new();
        for (number, start, end) in self.chain(last) {
            critical[number as usize] = true;
            let resource = acts[number as usize].resource;
            if let Some(open) = spans.last_mut()
                && (open.resource == resource || end - open.start <= step)
            {
                open.end = end;
                continue;
            }
            spans.push(Span {
                lane: "critical path".to_owned(),
                resource,
                label: resource.describe().to_owned(),
                start,
                end,
                critical: true,
            });
        }
        // A lane of each kind, in this order.
        let lanes = workers.min(WORKER_LANES);
        let lane_of = |act: &Act| -> Option<u32> {
            match act.resource {
                Resource::Executor | Resource::Wrap => Some(0),
                Resource::Egress => Some(1),
                Resource::Ingress => Some(2),
                Resource::Regenerate | Resource::Prove | Resource::Join => {
                    // Lane k shows worker ⌊k·workers/lanes⌋.
                    let worker = act.machine - 1;
                    let lane = (u64::from(worker) * u64::from(lanes)).div_ceil(u64::from(workers));
                    let shown = lane * u64::from(workers) / u64::from(lanes);
                    (shown == u64::from(worker)).then_some(3 + lane as u32)
                }
                _ => None,
            }
        };
        let name = |lane: u32| match lane {
            0 => "executor".to_owned(),
            1 => "executor egress".to_owned(),
            2 => "executor ingress".to_owned(),
            lane => {
                let shown = u64::from(lane - 3) * u64::from(workers) / u64::from(lanes);
                format!("worker {shown}")
            }
        };
        let mut by_lane: Vec<Vec<(usize, &Act)>> = vec![Vec::new(); 3 + lanes as usize];
        let mut levels: Vec<Span> = Vec::new();
        for (number, act) in acts.iter().enumerate() {
            if let Some(lane) = lane_of(act) {
                by_lane[lane as usize].push((number, act));
            }
            if act.resource == Resource::Join {
                widen(&mut levels, places.level(act.task), act);
            }
        }
        for (lane, mut acts) in by_lane.into_iter().enumerate() {
            acts.sort_by(|a, b| a.1.start.total_cmp(&b.1.start));
            spans.extend(merged(&name(lane as u32), &acts, &critical, step, places));
        }
        spans.extend(levels.into_iter().filter(|span| !span.label.is_empty()));
        spans
    }
}

/// Widens the span of a level's joins by one of them.
fn widen(levels: &mut Vec<Span>, level: usize, act: &Act) {
    while levels.len() <= level {
        levels.push(Span {
            lane: "aggregation".to_owned(),
            resource: Resource::Join,
            label: String::new(),
            start: f64::INFINITY,
            end: 0.0,
            critical: false,
        });
    }
    let span = &mut levels[level];
    span.label = format!("joins of level {level}");
    span.start = span.start.min(act.start);
    span.end = span.end.max(act.end);
}

/// Spans of a lane, from acts by their starts: neighbours that together last no longer than `step` become one, named
/// after the longest.
fn merged(
    lane: &str,
    acts: &[(usize, &Act)],
    critical: &[bool],
    step: f64,
    places: &Places,
) -> Vec<Span> {
    struct Open {
        span: Span,
        longest: f64,
        segments: Option<(u32, u32)>,
        joins: u32,
    }
    let mut out: Vec<Open> = Vec::new();
    for &(number, act) in acts {
        let is_join = places.level(act.task) > 0;
        let longest = act.end - act.start;
        let near = |open: &&mut Open| {
            open.span.critical == critical[number]
                && act.end.max(open.span.end) - open.span.start <= step
        };
        if let Some(open) = out.last_mut().filter(near) {
            open.span.end = open.span.end.max(act.end);
            if longest > open.longest {
                (open.longest, open.span.resource) = (longest, act.resource);
            }
            if is_join {
                open.joins += 1;
            } else {
                let (low, high) = open.segments.unwrap_or((act.task, act.task));
                open.segments = Some((low.min(act.task), high.max(act.task)));
            }
            continue;
        }
        out.push(Open {
            span: Span {
                lane: lane.to_owned(),
                resource: act.resource,
                label: String::new(),
                start: act.start,
                end: act.end,
                critical: critical[number],
            },
            longest,
            segments: (!is_join).then_some((act.task, act.task)),
            joins: u32::from(is_join),
        });
    }
    let label = |open: &Open| match (open.segments, open.joins) {
        (Some((low, high)), 0) if low == high => format!("segment {low}"),
        (Some((low, high)), 0) => format!("segments {low}–{high}"),
        (Some((low, high)), _) => format!("joins and segments {low}–{high}"),
        (None, 1) => "join".to_owned(),
        (None, _) => "joins".to_owned(),
    };
    out.into_iter()
        .map(|open| Span {
            label: label(&open),
            ..open.span
        })
        .collect()
}
