//! `rewit run --profile full` and `rewit validate` as their users run them.

mod command;

use std::fs;

use command::*;
use rewit::measure::Kind;
use rewit::report::{AnyFile, ProfileFile, read_profile};

/// A run with no proofs and no folding, of one encoding.
const SHORT: [&str; 16] = [
    "run",
    "--guest",
    "fib",
    "--input",
    "small",
    "--samples",
    "1",
    "--segments",
    "1",
    "--encodings",
    "witness,reads",
    "--prove",
    "0",
    "--fold",
    "0",
    "--no-progress",
];

fn profile(path: &str) -> ProfileFile {
    read_profile(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_size_that_the_guest_fills() {
    let dir = Dir::new();
    let out = dir.name("profile.json");
    let full = ["--profile", "full", "--threads", "2"];
    let more = ["--declare-link", "10Gb/s,50us", "--out", &out];
    let (stdout, stderr) = expect(0, &[&SHORT[..], &full, &more].concat());
    assert!(stderr.contains("memory bandwidth"), "{stderr}");
    let file = profile(&out);
    assert!(file.complete);
    assert_eq!(file.render(), stdout);
    let cycles = file.runs[0].guest.cycles;
    let sizes: Vec<u32> = file
        .runs
        .iter()
        .map(|run| run.parameters.log_cycles)
        .collect();
    let filled: Vec<u32> = [14, 16, 18, 20]
        .into_iter()
        .filter(|log| cycles >> log > 0)
        .collect();
    assert_eq!(sizes, filled);
    assert!(!sizes.is_empty());
    assert!(file.foldings.is_empty() && file.proof_sizes.is_empty());
    for run in &file.runs {
        assert!(run.complete && run.proofs.is_empty() && run.folds.is_empty());
        assert_eq!(run.parameters.threads, 2);
        assert_eq!(run.segments.len(), 1);
        assert_eq!(run.link, file.link);
    }
    let link = file.link.as_ref().unwrap();
    assert_eq!(link.kind, Kind::Declared);
    assert_eq!(link.bits_per_second, 10e9);
    // 50 · 10^-6, in floating point.
    assert!((link.latency_seconds / 50e-6 - 1.0).abs() < 1e-12);
    let memory = file.hardware.memory_bandwidth.as_ref().unwrap();
    assert_eq!((memory.kind, memory.threads), (Kind::Measured, 2));
    let left: Vec<_> = fs::read_dir(dir.0.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file is left");

    let (stdout, _) = expect(0, &["validate", &out]);
    let words = format!("valid, complete, profile of {} runs", sizes.len());
    assert!(stdout.contains(&words), "{stdout}");

    // A file of a run that named a link names it as well; what is there already is replaced.
    let again = [
        &SHORT[..],
        &["--segment-log-cycles", "12", "--link", &out, "--json"],
    ]
    .concat();
    let run = measured(&again);
    assert_eq!(run.link, file.link);
    let args = [&SHORT[..], &["--segment-log-cycles", "12", "--out", &out]].concat();
    let (stdout, _) = expect(0, &args);
    assert!(!stdout.contains("\nlink "), "{stdout}");
    let file = AnyFile::read(&fs::read(&out).unwrap()).unwrap();
    assert_eq!((file.kind(), file.link()), ("run", None));
    fails(
        2,
        &["--link", "has no link", "--declare-link"],
        &[&SHORT[..], &["--link", &out]].concat(),
    );
}

#[test]
fn flags_that_do_not_go_together() {
    let dir = Dir::new();
    let refused = |words: &[&str], args: &[&str]| fails(2, words, &[&SHORT[..], args].concat());
    // As the default, too: it was said.
    for log in ["12", "20"] {
        refused(
            &["--segment-log-cycles", "--profile full", "leave it out"],
            &["--profile", "full", "--segment-log-cycles", log],
        );
        // Without the subcommand.
        let bare = ["--profile", "full", "--segment-log-cycles", log];
        fails(2, &["--segment-log-cycles", "leave it out"], &bare);
    }
    refused(
        &["--chunk-log-cycles 21", "no longer than"],
        &["--profile", "full", "--chunk-log-cycles", "21"],
    );
    refused(&["--profile"], &["--profile", "half"]);
    refused(
        &["--link", "--declare-link"],
        &["--link", "f.json", "--declare-link", "1Gb/s"],
    );
    for link in [
        "fast",
        "0",
        "10GB/s",
        "10Gb/s,",
        "10Gb/s,-1s",
        "inf",
        "nan",
        "1e400",
    ] {
        refused(&["--declare-link"], &["--declare-link", link]);
    }
    let bad = dir.file("bad.json", b"{\"format\": \"rewit link\"}");
    refused(&["--link", "bad result file"], &["--link", &bad]);
    fails(
        1,
        &["no-such"],
        &[&SHORT[..], &["--link", "no-such"]].concat(),
    );
    // A file that is read is not written.
    refused(&["--out", "--link"], &["--link", &bad, "--out", &bad]);
}

/// A guest that traps: nothing was measured, and no file takes the name.
#[test]
fn a_guest_that_fails_leaves_nothing() {
    let dir = Dir::new();
    let (guest, out) = (dir.file("traps.elf", &traps()), dir.name("out.json"));
    let args = ["run", "--profile", "full", "--guest", &guest, "--out", &out];
    fails(1, &["trapped"], &args);
    assert!(!dir.path("out.json").exists());
}

#[test]
fn all_files_are_reported_on() {
    let dir = Dir::new();
    let published = "docs/results";
    let mut files: Vec<String> = fs::read_dir(published)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|path| path.ends_with(".json"))
        .collect();
    files.sort();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let (stdout, _) = expect(0, &[&["validate"], &names[..]].concat());
    for name in &names {
        assert!(
            stdout.contains(&format!("{name}: valid, complete")),
            "{stdout}"
        );
    }
    // The others are reported on although the first and the last do not hold.
    let (bad, worse) = (dir.file("bad.json", b"{}"), dir.file("worse.json", b"["));
    let all = [&["validate", &bad], &names[..], &[&*worse, "no-such"]].concat();
    let (stdout, stderr) = expect(1, &all);
    assert_eq!(stdout.matches(": valid, complete").count(), names.len());
    for words in ["bad.json: missing", "worse.json", "no-such", "3 of"] {
        assert!(stderr.contains(words), "no {words:?} in {stderr}");
    }

    // A file that says all may be cited; one that does not is refused with the reason.
    let text = fs::read_to_string(
        names
            .iter()
            .find(|name| name.ends_with("block.json"))
            .unwrap(),
    );
    let text = text.unwrap();
    let whole = dir.file("whole.json", text.as_bytes());
    expect(0, &["validate", "--strict", &whole]);
    for (from, to, words) in [
        (
            "\"git_dirty\": false",
            "\"git_dirty\": true",
            "differ from the commit",
        ),
        (
            "\"profile\": \"release\"",
            "\"profile\": \"debug\"",
            "a debug build",
        ),
        ("\"complete\": true", "\"complete\": false", "did not end"),
        (
            "\"cpu\": \"AMD EPYC\"",
            "\"cpu\": \"unknown\"",
            "processor unknown",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let file = dir.file("less.json", text.replacen(from, to, 1).as_bytes());
        let (stdout, _) = expect(0, &["validate", &file]);
        assert!(
            stdout.contains("provenance incomplete") && stdout.contains(words),
            "{stdout}"
        );
        fails(1, &["--strict", words], &["validate", "--strict", &file]);
    }
    let commit = text.split("\"git_commit\": \"").nth(1).unwrap();
    let unknown = text.replacen(&commit[..40], "unknown", 1);
    let file = dir.file("less.json", unknown.as_bytes());
    fails(1, &["commit unknown"], &["validate", "--strict", &file]);
}

#[test]
fn schemas_are_printed() {
    for kind in ["proof-size", "profile", "link"] {
        let (stdout, _) = expect(0, &["schema", kind]);
        let path = format!("docs/{kind}.schema.json");
        assert!(stdout == fs::read_to_string(&path).unwrap(), "{path}");
    }
}
