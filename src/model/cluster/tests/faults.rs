//! Stragglers, losses, samples.

use super::*;

#[test]
fn every_task_a_straggler() {
    let mut cluster = cluster(&PLAIN, 20, 1);
    let plain = seconds(&cluster);
    cluster.stragglers = Some(Stragglers {
        fraction: 1.0,
        slowdown: 3.0,
    });
    assert_close(
        seconds(&cluster) - 1.0 / 1024.0,
        3.0 * (plain - 1.0 / 1024.0),
    );
    cluster.stragglers = Some(Stragglers {
        fraction: 0.0,
        slowdown: 3.0,
    });
    assert_close(seconds(&cluster), plain);
}

/// As many as said, to within what chance allows: 2000 draws of probability 0.1 are 200 ± 5 · 13.4.
#[test]
fn a_fraction_of_stragglers() {
    let mut cluster = cluster(&PLAIN, 2000, 10);
    cluster.stragglers = Some(Stragglers {
        fraction: 0.1,
        slowdown: 2.0,
    });
    let busy: f64 = run(&cluster).busy[1..].iter().sum();
    let stragglers = busy / 2.0 - 2000.0;
    assert!((133.0..267.0).contains(&stragglers), "{stragglers}");
}

fn loss(per_hour: f64, per_task: f64, replacement_seconds: Option<f64>) -> Option<Loss> {
    Some(Loss {
        per_hour,
        per_task,
        detection_seconds: 5.0,
        replacement_seconds,
    })
}

#[test]
fn no_segment_is_lost_with_its_worker() {
    let numbers = Numbers {
        shipment: 1e6,
        program: 1e6,
        proof: 1e6,
        joined: 1e6,
        ..PLAIN
    };
    for seed in 0..20 {
        let mut cluster = cluster(&numbers, 60, 7);
        links(&mut cluster, 100e6, 1e-3);
        cluster.seed = seed;
        for aggregation in [Aggregation::None, fri(&numbers)] {
            cluster.aggregation = aggregation;
            for losses in [
                loss(0.0, 0.2, Some(1.0)),
                loss(300.0, 0.0, Some(10.0)),
                loss(100.0, 0.1, Some(0.0)),
            ] {
                cluster.loss = losses;
                let found = run(&cluster);
                assert!(found.lost_workers > 0 && found.retries > 0);
                assert!(found.finished[..60].iter().all(|&times| times > 0));
                // Joins of the tree over 60: 59 places have one.
                let joined = found.finished[60..].iter().filter(|&&times| times > 0);
                let expected = if cluster.aggregation == Aggregation::None {
                    0
                } else {
                    59
                };
                assert_eq!(joined.count(), expected);
                let again = bytes(&found, Transfer::Retry).0;
                assert!(again >= found.retries, "{again} {}", found.retries);
            }
        }
    }
}

/// One worker, lost once in the middle of its first task: noticed, replaced, done again.
#[test]
fn a_loss_costs_its_detection() {
    let found = (0..100).find_map(|seed| {
        let mut cluster = cluster(&PLAIN, 1, 1);
        cluster.seed = seed;
        cluster.loss = loss(0.0, 0.5, Some(3.0));
        let found = run(&cluster);
        (found.lost_workers == 1).then_some(found)
    });
    let found = found.expect("half of all seeds lose the worker in its first task");
    let again = found.makespan - 1.0 / 1024.0 - 2.0 - 5.0 - 3.0;
    // The part of the first attempt that was done.
    assert!((0.0..2.0).contains(&again), "{again}");
    assert_close(found.busy[1], 2.0 + again);
}

#[test]
fn a_cluster_that_dies_is_an_error() {
    let mut cluster = cluster(&PLAIN, 100, 3);
    cluster.loss = loss(0.0, 1.0, None);
    let error = simulate_cluster(&cluster).unwrap_err().to_string();
    assert!(error.contains("--loss-replace"), "{error}");
    cluster.loss = loss(0.0, 1.0, Some(0.0));
    let error = simulate_cluster(&cluster).unwrap_err().to_string();
    assert!(error.contains("--loss"), "{error}");
    // Losses too rare to happen change nothing.
    cluster.loss = loss(1e-9, 0.0, None);
    let without = Cluster {
        loss: None,
        ..cluster.clone()
    };
    assert_eq!(seconds(&cluster), seconds(&without));
}

#[test]
fn the_same_seed_gives_the_same() {
    let numbers = Numbers {
        shipment: 1e5,
        proof: 1e5,
        joined: 1e5,
        ..PLAIN
    };
    let mut cluster = cluster(&numbers, 100, 9);
    links(&mut cluster, 1e9, 1e-4);
    cluster.aggregation = fri(&numbers);
    cluster.replicates = 30;
    cluster.stragglers = Some(Stragglers {
        fraction: 0.2,
        slowdown: 2.0,
    });
    cluster.loss = loss(50.0, 0.01, Some(1.0));
    let outcome = simulate_cluster(&cluster).unwrap();
    assert_eq!(simulate_cluster(&cluster).unwrap(), outcome);
    cluster.seed += 1;
    let other = simulate_cluster(&cluster).unwrap();
    assert_ne!(other.makespan_seconds, outcome.makespan_seconds);
}

/// Costs without samples leave nothing open; with samples the bar holds what each alone would give.
#[test]
fn error_bars() {
    let mut cluster = cluster(&PLAIN, 40, 4);
    cluster.replicates = 100;
    let bar = simulate_cluster(&cluster).unwrap().interval.unwrap();
    let nominal = seconds(&cluster);
    assert_eq!((bar.low, bar.high, bar.replicates), (nominal, nominal, 100));

    // Half of what was measured took twice as long: per worker 10 proofs of 1 or 2 s.
    let proof = cluster.groups[0].costs.proof.as_mut().unwrap();
    proof.seconds.samples = vec![1.0, 2.0];
    let bar = simulate_cluster(&cluster).unwrap().interval.unwrap();
    // The last of the four workers begins with the fourth segment.
    let of = |prove: f64| 4.0 / 1024.0 + 10.0 * (0.5 + prove);
    assert!(of(1.0) <= bar.low && bar.high <= of(2.0), "{bar:?}");
    assert!(bar.low < bar.median && bar.median < bar.high, "{bar:?}");
    // Two samples, resampled, are one and the same half of the time: the bar reaches both ends.
    assert_eq!((bar.low, bar.high), (of(1.0), of(2.0)));
}

/// A run's rate is drawn once for all segments, so that it does not average out.
#[test]
fn rates_are_drawn_once() {
    let mut cluster = cluster(&PLAIN, 1000, 1000);
    cluster.executor.record_all_hz.samples = vec![1024.0, 2048.0];
    cluster.replicates = 50;
    let bar = simulate_cluster(&cluster).unwrap().interval.unwrap();
    assert_close(bar.low, 500.0 + 2.0);
    assert_close(bar.high, 1000.0 + 2.0);
}

/// A segment that is folded is a sum over many chunks: all take the mean of a replicate's samples, so that the bar holds
/// the makespan however many there are.
#[test]
fn folding_averages_over_its_chunks() {
    let mut cluster = cluster(&PLAIN, 512, 512);
    cluster.aggregation = Aggregation::Fold;
    let fold = cluster.groups[0].costs.fold.as_mut().unwrap();
    fold.seconds = Quantity::modelled(12.0, "test");
    fold.seconds.samples = vec![10.0, 14.0];
    cluster.replicates = 200;
    let nominal = seconds(&cluster);
    let bar = simulate_cluster(&cluster).unwrap().interval.unwrap();
    assert_close(bar.median, nominal);
    // Two samples, resampled, are the lower twice in a quarter of the replicates, and the higher in another.
    assert_close(bar.low, nominal - 2.0);
    assert_close(bar.high, nominal + 2.0);
}
