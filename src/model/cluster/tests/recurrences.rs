//! The same clusters by recurrences over segments, without events.

use super::*;

/// A machine of the recurrences: when it is free, seconds of work, whether it has the program.
#[derive(Clone, Copy)]
struct Machine {
    free: f64,
    slower: f64,
}

/// Segments in order, each to the machine that is done with it first: list scheduling, O(segments · machines).
#[test]
fn list_scheduling_on_unequal_machines() {
    for (segments, execute_hz) in [(50u64, 1e6), (200, 3000.0), (333, 1500.0)] {
        for encoding in ["pages-1k", "input"] {
            let numbers = Numbers {
                cycles_per_second: execute_hz,
                ..PLAIN
            };
            let mut cluster = cluster(&numbers, segments, 3);
            cluster.encoding = encoding.to_owned();
            cluster.prefetch = 1000;
            for (count, speed) in [(2, 0.7), (1, 2.9)] {
                let mut group = cluster.groups[0].clone();
                (group.count, group.speed) = (count, speed);
                cluster.groups.push(group);
            }

            let mut machines = Vec::new();
            for (count, slower) in [(3, 1.0), (2, 1.0 / 0.7), (1, 1.0 / 2.9)] {
                machines.extend(vec![Machine { free: 0.0, slower }; count]);
            }
            let (hz, growth) = if encoding == "input" {
                (2.0 * execute_hz, 1024.0 / (2.0 * execute_hz))
            } else {
                (execute_hz, 0.0)
            };
            let mut end = 0.0f64;
            for segment in 0..segments {
                let ready = (segment + 1) as f64 * 1024.0 / hz;
                let work = 2.0 + growth * segment as f64;
                let done = |m: &Machine| m.free.max(ready) + work * m.slower;
                let best = (0..machines.len())
                    .min_by(|&a, &b| done(&machines[a]).total_cmp(&done(&machines[b])))
                    .unwrap();
                machines[best].free = done(&machines[best]);
                end = end.max(machines[best].free);
            }
            assert_close(seconds(&cluster), end);
        }
    }
}

/// A worker for each segment: one queue out of the executor's machine, one into it, in the order of arrival.
#[test]
fn two_queues_in_a_row() {
    for (shipment, proof, worker_bps, hz) in [
        (1e6, 2e6, 8e6, 1024.0),
        (3e6, 1e5, 4e6, 4096.0),
        (1e4, 5e6, 80e6, 1e9),
        (7e5, 7e5, 1e6, 500.0),
    ] {
        let numbers = Numbers {
            cycles_per_second: hz,
            shipment,
            proof,
            program: 12345.0,
            ..PLAIN
        };
        let mut cluster = cluster(&numbers, 30, 30);
        links(&mut cluster, 8e6, 0.03);
        cluster.groups[0].link = LinkCost::declared(worker_bps, 0.01, "test");
        // A worker that has the program is preferred to one that has not: make that impossible.
        cluster.prefetch = 0;
        cluster.groups[0].costs.proof.as_mut().unwrap().seconds = measured(1000.0);

        let (latency, executor_bps) = (0.02, 8e6);
        let slower = worker_bps.min(executor_bps);
        let mut out_free = 0.0f64;
        let mut returned: Vec<f64> = (0..30)
            .map(|segment| {
                let ready = f64::from(segment + 1) * 1024.0 / hz;
                let start = ready.max(out_free);
                out_free = start + 8.0 * (12345.0 + shipment) / executor_bps;
                // Two transfers, cut through: what the slower side has to pass of each.
                let at_executor = start + 8.0 * 12345.0 / executor_bps;
                let program = start + latency + 8.0 * 12345.0 / worker_bps;
                let there = (program.max(at_executor + latency) + 8.0 * shipment / worker_bps)
                    .max(out_free + latency);
                there + 0.5 + 1000.0
            })
            .collect();
        returned.sort_by(f64::total_cmp);
        let mut in_free = 0.0f64;
        let mut end = 0.0f64;
        for done in returned {
            in_free = in_free.max(done + latency) + 8.0 * proof / executor_bps;
            end = end.max(in_free.max(done + latency + 8.0 * proof / slower));
        }
        assert_close(seconds(&cluster), end);
    }
}

/// A worker for each segment and links that only take time to answer: every object by recursion.
#[test]
fn trees_by_recursion() {
    const LATENCY: f64 = 0.0625;
    for segments in [2u64, 3, 7, 20, 100, 129] {
        let numbers = Numbers {
            cycles_per_second: 2048.0,
            ..PLAIN
        };
        let mut cluster = cluster(&numbers, segments, segments);
        links(&mut cluster, UNLIMITED, LATENCY);
        cluster.aggregation = fri(&numbers);
        // So that no worker that is done takes another segment.
        cluster.prefetch = 0;
        cluster.groups[0].costs.proof.as_mut().unwrap().seconds = measured(100.0);
        let mut level: Vec<f64> = (0..segments)
            .map(|segment| 0.5 * (segment + 1) as f64 + LATENCY + 100.5 + LATENCY)
            .collect();
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| match pair {
                    [a, b] => a.max(*b) + LATENCY + 0.25 + LATENCY,
                    [carried] => *carried,
                    _ => unreachable!("chunks of two"),
                })
                .collect();
        }
        assert_close(seconds(&cluster), level[0]);
    }
}
