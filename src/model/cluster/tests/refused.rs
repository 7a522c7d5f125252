//! What cannot be simulated, and sweeps.

use super::*;

#[track_caller]
fn refused(change: impl Fn(&mut Cluster), words: &str) {
    let mut cluster = cluster(&PLAIN, 10, 2);
    change(&mut cluster);
    let error = simulate_cluster(&cluster).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn numbers_out_of_range() {
    refused(|c| c.cycles = 0, "0 segments");
    refused(|c| c.cycles = u64::MAX, "--segment-log-cycles");
    refused(|c| c.groups[0].count = 0, "0 machines");
    refused(|c| c.groups[0].count = u64::MAX, "machines");
    refused(|c| c.groups.clear(), "0 machines");
    refused(
        |c| c.groups = vec![c.groups[0].clone(); 200_000 / 2],
        "machines",
    );
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused(|c| c.groups[0].speed = speed, "speed");
        refused(
            |c| c.executor_link.bits_per_second.value = speed,
            "bandwidth",
        );
        refused(
            |c| c.switch = Some(Quantity::declared(speed, "test")),
            "switch",
        );
    }
    for value in [-1.0, f64::NAN, 1e300, f64::INFINITY] {
        refused(
            |c| c.groups[0].link.latency_seconds.value = value,
            "latency",
        );
        refused(
            |c| c.wrap = Some(Quantity::declared(value, "test")),
            "last step",
        );
        refused(
            |c| c.groups[0].price = Some(Quantity::declared(value, "test")),
            "price",
        );
        refused(
            |c| c.groups[0].costs.proof.as_mut().unwrap().seconds.value = value,
            "prove",
        );
        refused(
            |c| c.groups[0].costs.proof.as_mut().unwrap().seconds.samples = vec![1.0, value],
            "prove",
        );
        refused(|c| c.executor.record_all_hz.value = value, "execute");
        refused(
            |c| {
                c.aggregation = Aggregation::Fri {
                    join_seconds: measured(value),
                    join_bytes: measured(1.0),
                };
            },
            "join",
        );
        let stragglers = Stragglers {
            fraction: value,
            slowdown: 2.0,
        };
        refused(|c| c.stragglers = Some(stragglers), "stragglers");
        let loss = Loss {
            per_hour: 0.0,
            per_task: value,
            detection_seconds: 1.0,
            replacement_seconds: None,
        };
        refused(|c| c.loss = Some(loss), "loss");
    }
    refused(|c| c.executor.record_all_hz.value = 0.0, "execute");
    refused(|c| c.replicates = 1_000_000, "replicates");
    refused(|c| c.prefetch = u32::MAX, "ahead");
}

#[test]
fn what_was_not_measured() {
    refused(
        |c| c.encoding = "delta-prev".to_owned(),
        "previous boundary",
    );
    refused(|c| c.encoding = "image".to_owned(), "--encoding");
    refused(|c| c.encoding = "nonsense".to_owned(), "nonsense");
    refused(|c| c.groups[0].costs.proof = None, "--prove");
    refused(
        |c| {
            c.aggregation = Aggregation::Fold;
            c.groups[0].costs.fold = None;
        },
        "rewit fold",
    );
    refused(|c| c.groups[0].costs.log_cycles = 11, "one size");
    refused(
        |c| {
            c.encoding = "input".to_owned();
            let costs = &mut c.groups[0].costs;
            costs.encodings.retain(|cost| cost.encoding == "input");
        },
        "pages-1k",
    );
    refused(
        |c| {
            c.aggregation = fri(&PLAIN);
            c.placement = Placement::InPlace;
            c.loss = Some(Loss {
                per_hour: 1.0,
                per_task: 0.0,
                detection_seconds: 1.0,
                replacement_seconds: None,
            });
        },
        "in place",
    );
}

/// On a slow link fewer bytes win, on a fast one less work does; and the map says so.
#[test]
fn the_fastest_encoding_depends_on_the_link() {
    let mut cluster = cluster(&PLAIN, 50, 10);
    let set = |costs: &mut Costs| {
        let cost = |name: &str, bytes, regenerate| EncodingCost {
            encoding: name.to_owned(),
            compression: "raw".to_owned(),
            bytes: measured(bytes),
            encode_seconds: measured(0.0),
            decode_seconds: measured(0.0),
            regenerate_seconds: measured(regenerate),
        };
        costs.encodings = vec![cost("pages-1k", 1e4, 4.0), cost("reads", 1e7, 0.0)];
    };
    set(&mut cluster.executor);
    set(&mut cluster.groups[0].costs);
    let axes = vec![
        Varied {
            axis: Axis::Bandwidth,
            values: vec![1e6, 1e9, 1e12],
        },
        Varied {
            axis: Axis::Machines,
            values: vec![1.0, 10.0],
        },
    ];
    let found = sweep(&[cluster.clone()], axes.clone(), None).unwrap();
    let best: Vec<&str> = found
        .points
        .iter()
        .map(|point| point.best().encoding.as_str())
        .collect();
    assert_eq!(
        best,
        ["pages-1k", "reads", "reads", "pages-1k", "reads", "reads"]
    );
    assert_eq!(found.points[4].machines, 10);
    assert_eq!(found.points[4].bits_per_second, 1e9);
    for point in &found.points {
        let choice = point.choice();
        let least = point.best().makespan_seconds.unwrap();
        assert!(choice.makespan_seconds.unwrap() <= (1.0 + CLOSE) * least);
        assert!(choice.shipment_bytes <= point.best().shipment_bytes);
        // What was not simulated is ruled out by its bound.
        let least = point.best().makespan_seconds.unwrap();
        for tried in &point.tried {
            assert!(tried.makespan_seconds.unwrap_or(tried.bound_seconds) >= least);
        }
        let same = with_bandwidth(
            &with_machines(&cluster, point.machines),
            point.bits_per_second,
        );
        let best = point.best();
        assert_eq!(
            simulate_cluster(&with_encoding(&same, &best.encoding, &best.compression))
                .unwrap()
                .makespan_seconds
                .value,
            least
        );
    }
    let size = Varied {
        axis: Axis::Segment,
        values: vec![10.0, 12.0],
    };
    let error = sweep(&[cluster.clone()], vec![size], None).unwrap_err();
    assert!(error.to_string().contains("2^12"), "{error}");
    let many = Varied {
        axis: Axis::Machines,
        values: vec![1.0; 5000],
    };
    assert!(sweep(&[cluster.clone()], vec![many], None).is_err());
    assert!(sweep(&[cluster], Vec::new(), None).is_ok());
}

#[test]
fn machines_keep_their_proportion() {
    let mut cluster = cluster(&PLAIN, 10, 30);
    let mut other = cluster.groups[0].clone();
    other.count = 10;
    cluster.groups.push(other);
    for machines in [1, 2, 3, 4, 40, 41, 1000, 99_999] {
        let scaled = with_machines(&cluster, machines);
        assert_eq!(scaled.num_workers(), machines);
        let first = scaled.groups[0].count as f64;
        assert!((first - 0.75 * machines as f64).abs() <= 1.0);
    }
}

#[test]
fn published_numbers_are_declared() {
    let Aggregation::Fri {
        join_seconds,
        join_bytes,
    } = Aggregation::published_fri()
    else {
        panic!("it is recursion");
    };
    for quantity in [join_seconds, join_bytes] {
        assert_eq!(quantity.kind, crate::measure::Kind::Declared);
        assert!(quantity.source.contains("published"));
    }
}
