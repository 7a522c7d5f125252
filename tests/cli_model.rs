//! `rewit model` for clusters, as its users run it, on the result file in docs/results.

mod command;

use std::fs;

use command::*;
use rewit::measure::Kind;
use rewit::model::cluster::{Transfer, estimate, simulate_cluster};
use rewit::report::{AnyFile, ClusterReport, SweepReport, costs};

fn profile() -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    format!("{root}/docs/results/2026-11-22-amd-epyc-zen5-2-threads-block.json")
}

fn folding() -> String {
    profile().replace("block", "fold")
}

fn model(args: &[&str]) -> ClusterReport {
    let profile = profile();
    let (stdout, _) = expect(
        0,
        &[&["model", "--profile", &profile, "--json"], args].concat(),
    );
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn a_thousand_machines_and_a_billion_cycles() {
    let report = model(&["--machines", "1000", "--cycles", "1e9"]);
    let outcome = &report.outcome;
    assert_eq!((outcome.segments, outcome.workers), (954, 1000));
    assert_eq!((outcome.joins, outcome.retries), (953, 0));
    assert_eq!(outcome.makespan_seconds.kind, Kind::Modelled);
    let count = |what| {
        let of = |total: &&rewit::model::cluster::TransferTotal| total.what == what;
        outcome
            .transfers
            .iter()
            .find(of)
            .map_or(0, |total| total.count)
    };
    let counts = [
        Transfer::Shipment,
        Transfer::JoinSent,
        Transfer::JoinReturned,
    ]
    .map(count);
    assert_eq!(counts, [954, 2 * 953, 953]);

    // A segment's proof and ten joins, one after another, are all in the makespan.
    let bytes = fs::read(profile()).unwrap();
    let found = costs(&[AnyFile::read(&bytes).unwrap()]).unwrap();
    let prove = found[0].proof.as_ref().unwrap().seconds.value;
    let makespan = outcome.makespan_seconds.value;
    assert!(makespan > prove + 10.0 * 1.5, "{makespan}");
    assert!(makespan >= outcome.estimate.makespan_seconds);
    assert_eq!(estimate(&report.estimate_inputs), outcome.estimate);
    let bar = outcome.interval.unwrap();
    assert!(bar.low <= makespan && makespan <= bar.high, "{bar:?}");

    // The best of all encodings, and no other is below its own bound.
    assert_eq!(report.tried[0].encoding, outcome.encoding);
    assert_eq!(report.tried[0].makespan_seconds, Some(makespan));
    for tried in &report.tried {
        let seconds = tried.makespan_seconds.unwrap_or(f64::INFINITY);
        assert!(seconds >= makespan && seconds >= tried.bound_seconds * (1.0 - 1e-9));
    }
    // Every number it was computed from says where it is from.
    let kinds = outcome.inputs.iter().map(|input| {
        assert!(!input.quantity.source.is_empty(), "{}", input.name);
        (input.name.as_str(), input.quantity.kind)
    });
    let kinds: Vec<_> = kinds.collect();
    assert!(kinds.contains(&("prove, seconds", Kind::Measured)));
    assert!(kinds.contains(&("join, seconds", Kind::Declared)));
    assert!(kinds.contains(&("link, bits per second", Kind::Declared)));
    // The file has all that is needed to compute it again.
    let again = simulate_cluster(&report.cluster).unwrap();
    assert_eq!(again.makespan_seconds, outcome.makespan_seconds);
}

#[test]
fn the_text_says_what_binds() {
    let profile = profile();
    let args = ["model", &profile, "--machines", "8", "--cycles", "6e7"];
    let (text, _) = expect(0, &args);
    for words in [
        "makespan",
        "(modelled",
        "proving or folding on workers binds",
        "measured",
        "declared",
        "published measurement of p3-recursion",
        "measured once, so the error bar has nothing",
        "computed in",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let (csv, _) = expect(0, &[&args[..], &["--format", "csv"]].concat());
    assert!(csv.starts_with("name,value,unit,kind,source\nmakespan,"));
    let kinds = ["measured", "modelled", "declared"];
    for line in csv.lines().skip(1) {
        assert!(
            kinds.iter().any(|kind| line.contains(&format!(",{kind},"))),
            "{line}"
        );
    }
}

#[test]
fn folding_takes_its_times_from_the_other_file() {
    let folding = folding();
    let report = model(&[&folding, "--aggregate", "fold", "--machines", "10"]);
    let names: Vec<&str> = report
        .outcome
        .inputs
        .iter()
        .map(|input| input.name.as_str())
        .collect();
    assert!(names.contains(&"fold, seconds") && names.contains(&"merge, seconds"));
    assert!(!names.contains(&"prove, seconds"));
}

#[test]
fn options_change_what_they_name() {
    let base = [
        "--machines",
        "20",
        "--cycles",
        "3e7",
        "--encoding",
        "pages-1k",
        "--compression",
        "lz4",
    ];
    let with = |more: &[&str]| model(&[&base[..], more].concat()).outcome;
    let plain = with(&[]);
    let seconds = |outcome: &rewit::model::cluster::Outcome| outcome.makespan_seconds.value;
    assert!((seconds(&with(&["--wrap", "20s"])) - seconds(&plain) - 20.0).abs() < 1e-6);
    assert!(seconds(&with(&["--link", "1Mb/s,10ms"])) > seconds(&plain) + 1.0);
    assert!(seconds(&with(&["--stragglers", "100%:2x"])) > 1.5 * seconds(&plain));
    assert!(seconds(&with(&["--aggregate", "none"])) < seconds(&plain));
    let lost = with(&[
        "--loss",
        "20%",
        "--loss-detect",
        "5s",
        "--loss-replace",
        "1s",
    ]);
    assert!(lost.lost_workers > 0 && lost.retries > 0 && seconds(&lost) > seconds(&plain) + 5.0);
    let price = with(&["--price", "2.5/h"]).price.unwrap();
    assert!((price.value - 21.0 * 2.5 * seconds(&plain) / 3600.0).abs() < 1e-9);
    let in_place = with(&["--joins", "in-place"]);
    assert!(in_place.links[1].bytes < plain.links[1].bytes / 10.0);
    assert_eq!(with(&["--replicates", "0"]).interval, None);
    // Two groups: of 30 machines ten are twice as fast.
    let profile = profile();
    let fast = format!("{profile}:10@2");
    let slow = format!("{profile}:20");
    let (stdout, _) = expect(
        0,
        &["model", "--profile", &slow, "--profile", &fast, "--json"],
    );
    let report: ClusterReport = serde_json::from_str(&stdout).unwrap();
    let counts: Vec<u64> = report
        .cluster
        .groups
        .iter()
        .map(|group| group.count)
        .collect();
    assert_eq!(
        (counts, report.cluster.groups[1].speed),
        (vec![20, 10], 2.0)
    );
}

#[test]
fn sweeps_and_maps() {
    let profile = profile();
    let sweep = |args: &[&str]| {
        let common = ["model", "--profile", &profile, "--cycles", "1e8"];
        expect(0, &[&common[..], args].concat()).0
    };
    let points = |json: &str| {
        let report: SweepReport = serde_json::from_str(json).unwrap();
        report.sweep.points
    };
    let found = points(&sweep(&["--sweep", "machines=1,10,100", "--json"]));
    let machines: Vec<u64> = found.iter().map(|point| point.machines).collect();
    assert_eq!(machines, [1, 10, 100]);
    let makespan = |i: usize| found[i].best().makespan_seconds.unwrap();
    assert!(makespan(0) > 5.0 * makespan(1) && makespan(1) > 2.0 * makespan(2));

    let csv = sweep(&["--sweep", "bandwidth=1Mb/s,10Gb/s", "--format", "csv"]);
    let header = csv.lines().next().unwrap();
    assert!(header.starts_with("machines,bits_per_second,"));
    assert!(csv.lines().skip(1).all(|line| line.ends_with(",modelled")));
    assert_eq!(csv.lines().filter(|line| line.contains(",1,")).count(), 2);

    // Of a range of sizes those that were measured.
    let full = profile.replace("22", "23").replace("block", "profile");
    let args = ["--sweep", "segment=15..20", "--cycles", "1e8", "--json"];
    let (json, _) = expect(0, &[&["model", "--profile", &full][..], &args].concat());
    let sizes: Vec<u32> = points(&json).iter().map(|point| point.log_cycles).collect();
    assert_eq!(sizes, [16, 18, 20]);

    let all = sweep(&["--sweep", "encoding=all", "--machines", "4"]);
    assert!(all.contains("witness") && all.contains("pages-1k") && !all.contains("not needed"));

    let args = [
        "--map",
        "bandwidth×machines",
        "--sweep",
        "machines=1,100",
        "--sweep",
        "bandwidth=1Mb/s,1Gb/s,1Tb/s",
    ];
    let map = sweep(&args);
    assert!(map.contains("bandwidth across, machines down"), "{map}");
    assert!(map.contains("1.00 Mb/s to 1.00 Tb/s"), "{map}");
    assert_eq!(
        map.lines().filter(|line| line.contains(" | ")).count(),
        2,
        "{map}"
    );
}

#[test]
fn out_is_written_whole_and_overwrites_only_its_like() {
    let dir = Dir::new();
    let profile = profile();
    let out = dir.name("cluster.json");
    let args = [
        "model",
        &profile,
        "--cycles",
        "1e7",
        "--replicates",
        "0",
        "--out",
        &out,
    ];
    expect(0, &args);
    expect(0, &args);
    let report: ClusterReport = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    assert_eq!(report.cluster.cycles, 10_000_000);
    assert!(!report.outcome.spans.is_empty());
    let other = dir.file("other.json", b"{\"format\": \"something else\"}");
    fails(
        2,
        &["--out", "no model of a cluster"],
        &["model", &profile, "--out", &other],
    );
    fails(
        2,
        &["--out", "same file"],
        &["model", &profile, "--out", &profile],
    );
    assert_eq!(
        fs::read(&other).unwrap(),
        b"{\"format\": \"something else\"}"
    );
}

#[test]
fn refusals_name_the_flag_and_the_fix() {
    let profile = profile();
    let counted = format!("{profile}:5");
    let refused = |words: &[&str], args: &[&str]| {
        fails(
            2,
            words,
            &[&["model", "--profile", &profile], args].concat(),
        );
    };
    fails(2, &["rewit run --out", "--note"], &["model"]);
    refused(&["--machines"], &["--machines", "0"]);
    refused(&["--machines"], &["--machines", "1e300"]);
    refused(&["machines"], &["--machines", "1e9"]);
    refused(&["--cycles"], &["--cycles", "0.5"]);
    refused(&["--segment-log-cycles"], &["--cycles", "1e15"]);
    refused(
        &["--segment-log-cycles 12", "20"],
        &["--segment-log-cycles", "12"],
    );
    refused(&["--guest", "block"], &["--guest", "nothing"]);
    refused(&["unknown"], &["--encoding", "nothing"]);
    refused(
        &["previous boundary", "--encoding"],
        &["--encoding", "delta-prev"],
    );
    refused(&["rewit fold"], &["--aggregate", "fold"]);
    refused(
        &["in place", "--joins"],
        &["--joins", "in-place", "--loss", "1/h"],
    );
    refused(&["--loss"], &["--loss", "100%", "--machines", "3"]);
    refused(
        &["--join-seconds"],
        &["--aggregate", "none", "--join-seconds", "1"],
    );
    refused(&["expected bits per second"], &["--link", "1GB/s"]);
    refused(&["5%:3x"], &["--stragglers", "5%"]);
    refused(&["COUNT"], &["--profile", &counted]);
    refused(
        &["--map"],
        &["--sweep", "machines=1", "--sweep", "bandwidth=1Gb/s"],
    );
    refused(&["2^14", "20"], &["--sweep", "segment=14"]);
    refused(
        &["points"],
        &[
            "--map",
            "bandwidth×machines",
            "--sweep",
            &format!("machines={}", list(500)),
        ],
    );
    refused(&["no profile", "20"], &["--sweep", "segment=8..19"]);
    refused(
        &["--wrap", "--aggregate none"],
        &["--aggregate", "none", "--wrap", "20s"],
    );
    refused(
        &["--joins", "--aggregate none"],
        &["--aggregate", "none", "--joins", "in-place"],
    );
    refused(&["--profile", "--note"], &["--note"]);
    for ignored in [
        ["--replicates", "200"],
        ["--sweep", "machines=1"],
        ["--encoding", "reads"],
        ["--aggregate", "fold"],
        ["--link", "1Gb/s"],
        ["--wrap", "20s"],
        ["--price", "2/h"],
    ] {
        let [flag, value] = ignored;
        fails(2, &[flag, "--note"], &["model", "--note", flag, value]);
    }
    refused(&["markdown"], &["--format", "markdown"]);
    let dir = Dir::new();
    let broken = dir.file("broken.json", b"{\"schema_version\": 1");
    fails(1, &["broken.json"], &["model", "--profile", &broken]);
    fails(
        1,
        &["nowhere.json"],
        &["model", "--profile", "nowhere.json"],
    );
    fails(2, &["no file has a run"], &["model", &folding()]);
}

/// Numbers from 1.
fn list(count: u32) -> String {
    let numbers: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
    numbers.join(",")
}
