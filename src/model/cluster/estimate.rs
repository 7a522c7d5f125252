//! A closed form: bounds that no schedule of a cluster can beat.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the closed form needs of a cluster: plain numbers, in seconds, bytes and bits per second.
///
/// Where workers differ, each number is that of the group for which it is best, so that the result stays a bound.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EstimateInputs {
    /// Segments, at least 1.
    pub segments: f64,
    /// Seconds to execute a full segment.
    pub execute_seconds: f64,
    /// Seconds to execute the last segment.
    pub last_execute_seconds: f64,
    /// Seconds of other work per segment on the executor's machine: encoding, and regenerating where it ships witnesses.
    pub encode_seconds: f64,
    /// Bytes of a shipment.
    pub shipment_bytes: f64,
    /// Bytes that a worker receives once; 0 where every shipment brings them.
    pub program_bytes: f64,
    /// Workers, at least 1.
    pub workers: f64,
    /// Workers in units of the fastest: their number if all are equal.
    pub capacity: f64,
    /// Seconds of work on segment 0: decode, regenerate, prove or fold.
    pub work_seconds: f64,
    /// Seconds that the work on segment i takes longer, for each of the i before it.
    pub work_growth_seconds: f64,
    /// Bytes of what a segment becomes: a proof or accumulators.
    pub object_bytes: f64,
    /// Whether objects are joined in a binary tree.
    pub aggregate: bool,
    /// Whether both objects of a join come from the coordinator and the result returns there; otherwise one of the
    /// machines that hold them joins them.
    pub through_coordinator: bool,
    /// Seconds of a join.
    pub join_seconds: f64,
    /// Bytes of a join's result.
    pub join_bytes: f64,
    /// Bits per second of the executor's link, in each direction.
    pub executor_bps: f64,
    /// Bits per second of a worker's link, in each direction.
    pub worker_bps: f64,
    /// One-way latency in seconds.
    pub latency_seconds: f64,
    /// Seconds of the last step, 0 without.
    pub wrap_seconds: f64,
}

/// Lower bounds of the makespan, in seconds, each from one resource and the shortest way into and out of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The serial executor, and the way of its last segments to the end.
    pub executor_seconds: f64,
    /// Bytes that leave the executor's machine.
    pub egress_seconds: f64,
    /// Work on segments and joins, spread over all workers.
    pub workers_seconds: f64,
    /// Bytes that arrive at the executor's machine.
    pub ingress_seconds: f64,
    /// The first segment's way through all levels of the tree.
    pub aggregation_seconds: f64,
    /// The greatest of them.
    pub makespan_seconds: f64,
    /// Which it is: `executor`, `egress`, `workers`, `ingress` or `aggregation`.
    pub binding: String,
}

/// Joins between leaf number `leaf` and the root of the tree over `leaves`: levels less those at which it is carried over.
pub fn joins_above(leaf: f64, leaves: f64) -> f64 {
    let (mut node, mut nodes, mut joins) = (leaf, leaves, 0.0);
    while nodes > 1.0 {
        let carried = nodes % 2.0 == 1.0 && node == nodes - 1.0;
        if !carried {
            joins += 1.0;
        }
        node = (node / 2.0).floor();
        nodes = (nodes / 2.0).ceil();
    }
    joins
}

/// Lower bounds of the time from the executor's start to the final object.
///
/// With `n` segments, `w` workers, `x` execute, `e` encode, `S` shipment, `P` program, `A` object, `J` joined object,
/// `t(b) = 8·b / min(executor, worker bandwidth) + latency`:
///
/// - segment `i` is ready at `r(i) = (i+1)·(x+e)`, the last at `(n−1)·(x+e) + last x + e`;
/// - work on it takes `work + i·growth`;
/// - `tail(d)`, from the end of that work to the end of all, with `d` joins above: `t(A)` without aggregation; through the
///   coordinator `t(A) + t(A + min(A, J)) + join + t(J)` for the first join and `t(J + min(A, J)) + join + t(J)` for
///   each other; in place `d·join + t(J)`; each plus wrap;
/// - executor: greatest `r(i) + t(S) + work(i) + tail(joins above i)` over the last segment and, at each level with an
///   odd number of nodes, the last leaf that is not carried over there;
/// - egress: the least over `k` machines used of the greater of
///   `r(0) + 8·(n·S + k·P)/executor bandwidth + latency + work + tail(d)` and
///   `r(0) + t(P + S) + ⌈n/k⌉·work + tail(d)`, with `d` the joins above the last leaf, which has fewest; and, through
///   the coordinator, `r(0) + 8·(n·S + P + n·A + (n−2)·J)/executor bandwidth + latency + join + t(J) + wrap`;
/// - workers: the greater of `r(0) + t(P + S) + ⌈n/w⌉·work + tail(d)` and
///   `r(0) + t(P + S) + (all work + (n−1)·join)/capacity + t(A or J) + wrap`;
/// - ingress, unless joined in place: `r(0) + t(P + S) + work + 8·(n·A + (n−1)·J)/executor bandwidth + latency + wrap`;
/// - aggregation: `r(0) + t(P + S) + work + tail(levels)`.
///
/// Each is below the makespan of every schedule of the model in `docs/model.md` without stragglers and losses, and so
/// is the greatest.
///
/// Cost: `O(log segments · log workers)`.
pub fn estimate(inputs: &EstimateInputs) -> Estimate {
    let i = inputs;
    let n = i.segments;
    let path = i.executor_bps.min(i.worker_bps);
    let transfer = |bytes: f64| 8.0 * bytes / path + i.latency_seconds;
    let ready = |index: f64| {
        let execute = if index == n - 1.0 {
            i.last_execute_seconds
        } else {
            i.execute_seconds
        };
        index * (i.execute_seconds + i.encode_seconds) + execute + i.encode_seconds
    };
    let joined = i.aggregate && n > 1.0;
    let smaller = i.object_bytes.min(i.join_bytes);
    let tail = |joins: f64| {
        if !joined {
            return transfer(i.object_bytes) + i.wrap_seconds;
        }
        if !i.through_coordinator {
            return joins * i.join_seconds + transfer(i.join_bytes) + i.wrap_seconds;
        }
        let first = transfer(i.object_bytes + smaller);
        let other = transfer(i.join_bytes + smaller);
        let back = i.join_seconds + transfer(i.join_bytes);
        transfer(i.object_bytes) + first + back + (joins - 1.0) * (other + back) + i.wrap_seconds
    };
    let depth = |leaf: f64| if joined { joins_above(leaf, n) } else { 0.0 };
    let from_leaf = |leaf: f64| {
        let work = i.work_seconds + leaf * i.work_growth_seconds;
        ready(leaf) + transfer(i.shipment_bytes) + work + tail(depth(leaf))
    };
    let least_depth = depth(n - 1.0);
    let begin = ready(0.0);
    let worker_begin = begin + transfer(i.program_bytes + i.shipment_bytes);

    // Executor: the last leaf, and the last of those that go through more joins.
    let mut executor_seconds = from_leaf(n - 1.0);
    let (mut nodes, mut width) = (n, 1.0);
    while joined && nodes > 1.0 {
        if nodes % 2.0 == 1.0 {
            executor_seconds = executor_seconds.max(from_leaf((nodes - 1.0) * width - 1.0));
        }
        nodes = (nodes / 2.0).ceil();
        width *= 2.0;
    }

    // Workers: somebody has ⌈n/k⌉ segments if k work.
    let spread = |k: f64| worker_begin + (n / k).ceil() * i.work_seconds + tail(least_depth);
    let last = if joined { i.join_bytes } else { i.object_bytes };
    let joins = if joined { n - 1.0 } else { 0.0 };
    let all_work =
        n * i.work_seconds + i.work_growth_seconds * n * (n - 1.0) / 2.0 + joins * i.join_seconds;
    let most = i.workers.min(n);
    let workers_seconds =
        spread(most).max(worker_begin + all_work / i.capacity + transfer(last) + i.wrap_seconds);

    // Egress: with more machines in use more programs are sent, and with fewer each has more to do.
    let sent = |k: f64| {
        let bytes = n * i.shipment_bytes + k * i.program_bytes;
        begin
            + 8.0 * bytes / i.executor_bps
            + i.latency_seconds
            + i.work_seconds
            + tail(least_depth)
    };
    let (mut low, mut high) = (1.0, most);
    while low < high {
        let middle = ((low + high) / 2.0).floor();
        if sent(middle) >= spread(middle) {
            high = middle;
        } else {
            low = middle + 1.0;
        }
    }
    let at = |k: f64| sent(k).max(spread(k));
    let mut egress_seconds = at(low).min(at((low - 1.0).max(1.0)));
    let mut ingress_seconds = 0.0;
    let arriving = if !joined {
        n * i.object_bytes
    } else {
        n * i.object_bytes + (n - 1.0) * i.join_bytes
    };
    if !joined || i.through_coordinator {
        ingress_seconds = worker_begin
            + i.work_seconds
            + 8.0 * arriving / i.executor_bps
            + i.latency_seconds
            + i.wrap_seconds;
    }
    if joined && i.through_coordinator {
        let bytes =
            n * i.shipment_bytes + i.program_bytes + n * i.object_bytes + (n - 2.0) * i.join_bytes;
        let all = begin
            + 8.0 * bytes / i.executor_bps
            + i.latency_seconds
            + i.join_seconds
            + transfer(i.join_bytes)
            + i.wrap_seconds;
        egress_seconds = egress_seconds.max(all);
    }
    let aggregation_seconds = worker_begin + i.work_seconds + tail(depth(0.0));

    // The first of equals: the bound of egress is never below that of workers.
    let mut binding = ("workers", workers_seconds);
    for (name, seconds) in [
        ("executor", executor_seconds),
        ("aggregation", aggregation_seconds),
        ("ingress", ingress_seconds),
        ("egress", egress_seconds),
    ] {
        if seconds > binding.1 {
            binding = (name, seconds);
        }
    }
    Estimate {
        executor_seconds,
        egress_seconds,
        workers_seconds,
        ingress_seconds,
        aggregation_seconds,
        makespan_seconds: binding.1,
        binding: binding.0.to_owned(),
    }
}
