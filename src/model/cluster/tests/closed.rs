//! Clusters whose makespan has a closed form.

use super::*;
use crate::model::Tree;

/// Seconds of executing a segment of [`PLAIN`].
const EXECUTE: f64 = 1.0 / 1024.0;
/// Seconds of its work.
const WORK: f64 = 2.0;

#[test]
fn one_worker_works_on_one_after_another() {
    for segments in [1, 2, 3, 17, 100] {
        let found = run(&cluster(&PLAIN, segments, 1));
        assert_close(found.makespan, EXECUTE + segments as f64 * WORK);
        assert_close(found.busy[1], segments as f64 * WORK);
        // All were ready long before: all but the one in work and the one fetched ahead wait.
        assert_eq!(found.peak_queue, segments.saturating_sub(2));
    }
}

#[test]
fn without_contention_the_last_segment_ends_it() {
    for (segments, workers) in [(1, 1), (5, 5), (64, 64), (64, 100)] {
        let found = run(&cluster(&PLAIN, segments, workers));
        assert_close(found.makespan, segments as f64 * EXECUTE + WORK);
        let m = found.milestones;
        assert_close(m.first_executed, EXECUTE);
        assert_close(m.last_executed, segments as f64 * EXECUTE);
        assert_close(m.first_proven, EXECUTE + WORK);
    }
}

/// Few workers keep up with a slow executor.
#[test]
fn a_slow_executor_binds() {
    let slow = Numbers {
        cycles_per_second: 1024.0 / 4.0,
        ..PLAIN
    };
    let cluster = cluster(&slow, 50, 1);
    assert_close(seconds(&cluster), 50.0 * 4.0 + WORK);
    let outcome = simulate_cluster(&cluster).unwrap();
    assert_eq!(outcome.bottleneck.resource, Resource::Executor);
    assert_close(outcome.bottleneck.makespan_without, 50.0 * WORK);
    assert_eq!(outcome.estimate.binding, "executor");
    assert_close(outcome.estimate.makespan_seconds, 50.0 * 4.0 + WORK);
}

/// The last segment has fewer cycles; encoding is added to each.
#[test]
fn a_run_that_is_no_whole_number_of_segments() {
    let numbers = Numbers {
        encode: 0.5,
        ..PLAIN
    };
    let mut cluster = cluster(&numbers, 4, 4);
    cluster.cycles -= 512;
    assert_eq!(cluster.num_segments(), 4);
    assert_close(seconds(&cluster), 3.5 * EXECUTE + 4.0 * 0.5 + WORK);
}

#[test]
fn egress_binds() {
    let numbers = Numbers {
        shipment: 1e6,
        proof: 1e3,
        ..PLAIN
    };
    let mut cluster = cluster(&numbers, 40, 40);
    links(&mut cluster, 8e6, 0.01);
    // A second for each shipment, one after another; the last is worked on and returned.
    let expected = EXECUTE + 40.0 + 0.01 + WORK + 1e-3 + 0.01;
    assert_close(seconds(&cluster), expected);
    let outcome = simulate_cluster(&cluster).unwrap();
    assert_eq!(outcome.bottleneck.resource, Resource::Egress);
    assert_eq!(outcome.estimate.binding, "egress");
    assert_close(outcome.estimate.makespan_seconds, expected);
    // Slower links of workers delay each by as much again, all at once: cut through.
    cluster.groups[0].link = LinkCost::declared(4e6, 0.01, "test");
    let expected = EXECUTE + 39.0 + 2.0 + 0.01 + WORK + 2e-3 + 0.01;
    assert_close(seconds(&cluster), expected);
}

#[test]
fn ingress_binds() {
    let numbers = Numbers {
        proof: 1e6,
        ..PLAIN
    };
    let mut cluster = cluster(&numbers, 40, 40);
    links(&mut cluster, 8e6, 0.25);
    let expected = EXECUTE + 0.25 + WORK + 0.25 + 40.0;
    assert_close(seconds(&cluster), expected);
    let outcome = simulate_cluster(&cluster).unwrap();
    assert_eq!(outcome.bottleneck.resource, Resource::Ingress);
    assert_eq!(outcome.estimate.binding, "ingress");
    assert_close(outcome.estimate.makespan_seconds, expected);
}

/// A program is sent once to each worker, before its first segment.
#[test]
fn programs_are_sent_once() {
    let numbers = Numbers {
        shipment: 1e6,
        program: 3e6,
        ..PLAIN
    };
    let mut one = cluster(&numbers, 10, 1);
    links(&mut one, 8e6, 0.0);
    let found = run(&one);
    assert_eq!(bytes(&found, Transfer::Program), (1, 3e6));
    assert_eq!(bytes(&found, Transfer::Shipment), (10, 1e7));
    assert_close(found.makespan, EXECUTE + 3.0 + 1.0 + 10.0 * WORK);
    // An encoding that brings the program with every shipment does without.
    one.encoding = "input".to_owned();
    assert_eq!(bytes(&run(&one), Transfer::Program), (0, 0.0));
}

/// Nothing sent ahead: a worker waits for each segment, and the coordinator for the word that it is free.
#[test]
fn without_prefetch_every_segment_waits_for_its_shipment() {
    let numbers = Numbers {
        shipment: 1e6,
        proof: 1e5,
        ..PLAIN
    };
    let mut cluster = cluster(&numbers, 10, 1);
    links(&mut cluster, 8e6, 0.125);
    cluster.prefetch = 0;
    let first = EXECUTE + 1.0 + 0.125 + WORK;
    let each = 0.125 + 1.0 + 0.125 + WORK;
    assert_close(seconds(&cluster), first + 9.0 * each + 0.1 + 0.125);
    cluster.prefetch = 1;
    assert_close(seconds(&cluster), first + 9.0 * WORK + 0.1 + 0.125);
}

#[test]
fn groups_share_by_their_speed() {
    // One worker is three times as fast: of 40 segments it takes 30, if the end comes out even.
    let mut cluster = cluster(&PLAIN, 40, 1);
    let mut fast = cluster.groups[0].clone();
    fast.speed = 3.0;
    fast.name = "fast".to_owned();
    cluster.groups.push(fast);
    let found = run(&cluster);
    let lower = EXECUTE + 40.0 * WORK / 4.0;
    assert!(found.makespan >= lower);
    assert!(
        found.makespan <= lower + WORK + 40.0 * EXECUTE,
        "{}",
        found.makespan
    );
    let outcome = simulate_cluster(&cluster).unwrap();
    let rows: Vec<&str> = outcome
        .utilisation
        .iter()
        .map(|row| row.resource.as_str())
        .collect();
    assert_eq!(rows[3..], ["workers", "workers", "fast"]);
}

#[test]
fn a_tree_is_as_deep_as_it_counts() {
    let at_once = Numbers {
        cycles_per_second: 1e12,
        ..PLAIN
    };
    for segments in [1u64, 2, 3, 4, 5, 8, 9, 1000, 1023, 1024, 1025] {
        let mut cluster = cluster(&at_once, segments, segments);
        cluster.aggregation = fri(&at_once);
        for placement in [Placement::Coordinator, Placement::InPlace] {
            cluster.placement = placement;
            let found = run(&cluster);
            let tree = Tree::new(segments);
            let depth = tree.joins.len() as f64;
            // A nanosecond each to execute.
            assert!((found.makespan - WORK - depth * 0.25).abs() < 2e-6);
            assert_eq!(found.joins, tree.num_joins());
        }
    }
}

/// The ledger: 1000 segments, 250 kB each, through the coordinator and in place.
#[test]
fn bytes_are_those_of_the_ledger() {
    let numbers = Numbers {
        shipment: 50e6,
        proof: 250e3,
        joined: 250e3,
        ..PLAIN
    };
    let mut cluster = cluster(&numbers, 1000, 1000);
    cluster.aggregation = fri(&numbers);
    links(&mut cluster, 10e9, 50e-6);
    let found = run(&cluster);
    assert_eq!(bytes(&found, Transfer::Shipment), (1000, 50e9));
    assert_eq!(bytes(&found, Transfer::Object), (1000, 250e6));
    assert_eq!(bytes(&found, Transfer::JoinSent), (1998, 499.5e6));
    assert_eq!(bytes(&found, Transfer::JoinReturned), (999, 249.75e6));
    let all: f64 = Transfer::ALL
        .iter()
        .map(|&what| bytes(&found, what).1)
        .sum();
    assert_eq!(all, 50.999_25e9);
    assert_eq!(found.links.ports[0].out.bytes, 50.4995e9);
    assert_eq!(found.links.ports[0].into.bytes, 499.75e6);

    // Every worker has one object: one transfer a join, and the last object returned.
    cluster.placement = Placement::InPlace;
    let found = run(&cluster);
    assert_eq!(bytes(&found, Transfer::Object).0, 0);
    assert_eq!(bytes(&found, Transfer::JoinSent), (999, 249.75e6));
    assert_eq!(bytes(&found, Transfer::JoinReturned), (1, 250e3));
}

/// Folding: other costs of segment, object and join, from the same machine.
#[test]
fn folding_merges_accumulators() {
    let numbers = Numbers {
        cycles_per_second: 1e12,
        proof: 1e3,
        ..PLAIN
    };
    let mut cluster = cluster(&numbers, 8, 8);
    cluster.aggregation = Aggregation::Fold;
    let found = run(&cluster);
    // Regenerate 0.5, fold 6, three levels of merges of 0.5.
    assert!((found.makespan - 8.0).abs() < 1e-6, "{}", found.makespan);
    assert_eq!(bytes(&found, Transfer::Object), (8, 64e3));
    assert_eq!(bytes(&found, Transfer::JoinReturned), (7, 56e3));
}

/// `input` is executed from the start by every worker: segment i takes i segments' execution longer.
#[test]
fn work_on_input_grows() {
    let mut cluster = cluster(&PLAIN, 100, 100);
    cluster.encoding = "input".to_owned();
    let half = EXECUTE / 2.0;
    assert_close(seconds(&cluster), 100.0 * half + WORK + 99.0 * half);
    cluster.groups[0].speed = 4.0;
    assert_close(seconds(&cluster), 100.0 * half + (WORK + 99.0 * half) / 4.0);
}

/// A shipped witness is made on the executor's machine first.
#[test]
fn witnesses_are_regenerated_before_shipping() {
    let numbers = Numbers {
        encode: 1.0,
        ..PLAIN
    };
    let mut cluster = cluster(&numbers, 10, 10);
    cluster.encoding = "witness".to_owned();
    let each = 2.0 * EXECUTE + 0.375 + 1.0;
    assert_close(seconds(&cluster), 10.0 * each + WORK);
}

#[test]
fn a_switch_is_shared() {
    let numbers = Numbers {
        proof: 1e6,
        cycles_per_second: 1e12,
        ..PLAIN
    };
    let mut cluster = cluster(&numbers, 20, 20);
    cluster.switch = Some(Quantity::declared(8e6, "test"));
    assert!((seconds(&cluster) - WORK - 20.0).abs() < 1e-6);
    let outcome = simulate_cluster(&cluster).unwrap();
    assert_eq!(outcome.bottleneck.resource, Resource::Switch);
}

#[test]
fn a_last_step_and_prices_are_added() {
    let mut cluster = cluster(&PLAIN, 3599, 1);
    cluster.wrap = Some(Quantity::declared(2.0, "test"));
    let expected = EXECUTE + 7200.0;
    assert_close(seconds(&cluster), expected);
    assert_eq!(simulate_cluster(&cluster).unwrap().price, None);
    cluster.executor_price = Some(Quantity::declared(1.0, "test"));
    cluster.groups[0].price = Some(Quantity::declared(2.5, "test"));
    let outcome = simulate_cluster(&cluster).unwrap();
    assert_close(outcome.price.unwrap().value, 3.5 * expected / 3600.0);
}

/// 1000 machines and a billion cycles, in segments of 2^14 cycles too.
#[test]
fn large_clusters() {
    let numbers = Numbers {
        cycles_per_second: 1e9,
        shipment: 1e4,
        program: 1e6,
        proof: 1e5,
        joined: 1e5,
        ..PLAIN
    };
    for log_cycles in [20, 14] {
        let mut cluster = cluster(&numbers, 1, 1000);
        cluster.cycles = 1_000_000_000;
        cluster.executor.log_cycles = log_cycles;
        cluster.groups[0].costs.log_cycles = log_cycles;
        cluster.aggregation = fri(&numbers);
        links(&mut cluster, 10e9, 50e-6);
        let outcome = simulate_cluster(&cluster).unwrap();
        assert_eq!(
            outcome.segments,
            if log_cycles == 20 { 954 } else { 61_036 }
        );
        assert_eq!(outcome.joins, outcome.segments - 1);
        assert!(outcome.spans.len() < 5_000, "{}", outcome.spans.len());
    }
}
