//! The functions of the page against those of the library.

use rewit::model::cluster::{EstimateInputs, estimate};
use rewit::model::note::ledger;
use rewit::model::{Route, break_even};
use rewit::report::{format_count, format_ratio};

use super::*;

#[test]
fn numbers_read_as_those_of_the_command_line() {
    let Some(mut browser) = browser() else { return };
    browser.open(block_page(), "");
    let mut values = vec![0.0, 0.5, 1.0, 1.5, 2.5, 999.4, 999.5, 1e21, 1e22, 1.5e30];
    // Where digits and units change, a hair to either side; and ties, which are multiples of a power of two.
    for scale in [1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9, 1e12] {
        for edge in [
            0.0995, 0.9995, 1.0, 9.995, 99.95, 999.5, 0.125, 2.5, 1.375, 12.25, 112.5,
        ] {
            let value: f64 = edge * scale;
            values.extend([value.next_down(), value, value.next_up()]);
        }
    }
    values.extend((1..=4000).map(|n| f64::from(n) / 32.0));
    values.extend(spread(1, -9.0, 18.0).take(4000));
    type Format = fn(f64) -> String;
    let formats: [(&str, Format); 4] = [
        ("formatBytes", format_bytes),
        ("formatSeconds", format_seconds),
        ("formatBandwidth", format_bandwidth),
        ("formatRatio", format_ratio),
    ];
    for (name, format) in formats {
        let found = browser.apply(&format!("(list) => list.map(rewit.{name})"), &json!(values));
        for (&value, found) in values.iter().zip(found.as_array().unwrap()) {
            assert_eq!(found, &json!(format(value)), "{name} of {value:e}");
        }
    }
    let counts: Vec<u64> = (0..16)
        .flat_map(|n| [10u64.pow(n) - 1, 10u64.pow(n)])
        .collect();
    let found = browser.apply("(list) => list.map(rewit.formatCount)", &json!(counts));
    for (&count, found) in counts.iter().zip(found.as_array().unwrap()) {
        assert_eq!(found, &json!(format_count(count)));
    }
}

#[test]
fn models_are_those_of_the_library() {
    let Some(mut browser) = browser() else { return };
    browser.open(block_page(), "");

    let mut sizes = vec![0.0, 1.0, 1e9];
    sizes.extend(spread(2, 0.0, 12.0).take(6));
    let mut times = vec![0.0, 1.0];
    times.extend(spread(3, -6.0, 3.0).take(4));
    let mut cases = Vec::new();
    for &(bytes, seconds) in &pairs(&sizes, &times) {
        for &(to, work) in &pairs(&sizes, &times) {
            cases.push([bytes, seconds, to, work]);
        }
    }
    let found = browser.apply(
        "(cases) => cases.map(([bytes, seconds, to, work]) => [rewit.breakEven({bytes, seconds}, {bytes: to, seconds: work}), \
         rewit.totalSeconds({bytes, seconds}, 1 + to)])",
        &json!(cases),
    );
    for (case, found) in cases.iter().zip(found.as_array().unwrap()) {
        let [bytes, seconds, to, work] = *case;
        let route = Route { bytes, seconds };
        let expected = break_even(
            route,
            Route {
                bytes: to,
                seconds: work,
            },
        );
        same_numbers(&found[0], &json!(expected), &format!("{case:?}"));
        assert_eq!(
            found[1].as_f64(),
            Some(route.total_seconds(1.0 + to)),
            "{case:?}"
        );
    }

    let (mut counts, mut bytes) = (spread(4, 0.0, 6.0), spread(5, 0.0, 10.0));
    let mut inputs = vec![[1000.0, 1e9, 1e6, 50e6, 250e3], [1.0, 1.0, 1e6, 1.0, 1.0]];
    inputs.extend((0..300).map(|_| {
        let mut count = || counts.next().unwrap().round();
        let (machines, segment_cycles, segments) = (count(), count(), count());
        let mut byte = || bytes.next().unwrap();
        [
            machines,
            segment_cycles * segments - 1.0,
            segment_cycles,
            byte(),
            byte(),
        ]
    }));
    let inputs: Vec<LedgerInputs> = inputs
        .into_iter()
        .map(
            |[
                machines,
                cycles,
                segment_cycles,
                snapshot_bytes,
                stark_bytes,
            ]| LedgerInputs {
                machines,
                cycles,
                segment_cycles,
                snapshot_bytes,
                stark_bytes,
            },
        )
        .collect();
    let found = browser.apply("(list) => list.map(rewit.ledger)", &json!(inputs));
    for (inputs, found) in inputs.iter().zip(found.as_array().unwrap()) {
        same_numbers(found, &json!(ledger(inputs)), &format!("{inputs:?}"));
    }
}

#[test]
fn the_closed_form_is_that_of_the_library() {
    let Some(mut browser) = browser() else { return };
    browser.open(block_page(), "");
    let (mut counts, mut bytes, mut times) = (
        spread(6, 0.0, 5.0),
        spread(7, 2.0, 9.0),
        spread(8, -4.0, 2.0),
    );
    let mut inputs = Vec::new();
    for i in 0..400 {
        let mut byte = || bytes.next().unwrap();
        let mut time = || times.next().unwrap();
        let workers = counts.next().unwrap().round();
        // The first few sizes of a tree, and then any.
        let segments = if i < 40 {
            f64::from(i / 2 + 1)
        } else {
            counts.next().unwrap().round()
        };
        let execute_seconds = time();
        inputs.push(EstimateInputs {
            segments,
            execute_seconds,
            last_execute_seconds: execute_seconds * 0.37,
            encode_seconds: time(),
            shipment_bytes: byte(),
            program_bytes: if i % 5 == 0 { 0.0 } else { byte() },
            workers,
            capacity: workers * 0.9,
            work_seconds: time(),
            work_growth_seconds: if i % 3 == 0 { time() } else { 0.0 },
            object_bytes: byte(),
            aggregate: i % 4 > 0,
            through_coordinator: i % 4 > 1,
            join_seconds: time(),
            join_bytes: byte(),
            executor_bps: 8.0 * byte(),
            worker_bps: 8.0 * byte(),
            latency_seconds: if i % 7 == 0 { 0.0 } else { 0.01 * time() },
            wrap_seconds: if i % 11 == 0 { time() } else { 0.0 },
        });
    }
    let found = browser.apply("(list) => list.map(rewit.estimate)", &json!(inputs));
    let mut binding = std::collections::BTreeSet::new();
    for (inputs, found) in inputs.iter().zip(found.as_array().unwrap()) {
        same_numbers(found, &json!(estimate(inputs)), &format!("{inputs:?}"));
        binding.insert(found["binding"].as_str().unwrap());
    }
    // Every bound was the greatest once.
    let all = ["aggregation", "egress", "executor", "ingress", "workers"];
    assert_eq!(binding.into_iter().collect::<Vec<_>>(), all);
}

/// The same fields with the same numbers, however they are written.
#[track_caller]
fn same_numbers(found: &Value, expected: &Value, what: &str) {
    let (found, expected) = (found.as_object().unwrap(), expected.as_object().unwrap());
    let names =
        |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
    let (mut left, mut right) = (names(found), names(expected));
    left.sort();
    right.sort();
    assert_eq!(left, right, "{what}");
    for (name, number) in expected {
        match number.as_f64() {
            Some(number) => close(found[name].as_f64(), number, &format!("{name}, {what}")),
            None => assert_eq!(&found[name], number, "{name}, {what}"),
        }
    }
}
