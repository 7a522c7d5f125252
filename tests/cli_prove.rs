//! `rewit prove` and `rewit verify` as their users run them.

mod command;

use std::fs;

use command::*;
use rewit::stark::{Argument, SegmentProof};

/// Cheap parameters; about 20 bits.
const CHEAP: [&str; 4] = ["--queries", "20", "--grinding", "0,0,0,0,0"];

fn prove(args: &[&str]) -> (String, String) {
    let (stdout, stderr) = expect(
        0,
        &[&["prove", "--guest", "fib", "--input", "small"], args].concat(),
    );
    (stdout.trim().to_owned(), stderr)
}

#[test]
fn a_segment_is_proven_and_verified() {
    let dir = Dir::new();
    let out = dir.name("p.bin");
    let (key, stderr) = prove(&[
        "--segment",
        "3",
        "--segment-log-cycles",
        "12",
        "--out",
        &out,
    ]);
    assert_eq!(key.len(), 64);
    assert!(
        stderr.contains("segment 3 of fib: 4,096 cycles"),
        "{stderr}"
    );
    // The default is 100 provable bits, for prover and verifier.
    for program in [["--key", &key], ["--guest", "fib"]] {
        let (stdout, stderr) = expect(0, &[&["verify", &out], &program[..]].concat());
        assert_eq!(stdout, "accepted\n");
        assert!(stderr.contains("segment 3 accepted"), "{stderr}");
        assert!(stderr.contains("proven"), "{stderr}");
    }
    fails(
        3,
        &["another program"],
        &["verify", &out, "--guest", "sort"],
    );
    fails(
        3,
        &["provable bits", "--security"],
        &["verify", &out, "--guest", "fib", "--security", "128"],
    );
    // A single segment from the middle is no run.
    fails(
        3,
        &["segment 3"],
        &[
            "verify", &out, "--guest", "fib", "--input", "small", "--chain",
        ],
    );
}

#[test]
fn a_weak_proof_is_refused_by_default() {
    let dir = Dir::new();
    let out = dir.name("p.bin");
    let args = [&["--segment-log-cycles", "10", "--out", &out], &CHEAP[..]].concat();
    let (key, stderr) = prove(&args);
    assert!(stderr.contains("fewer than --security"), "{stderr}");
    fails(3, &["provable bits"], &["verify", &out, "--key", &key]);
    let accepted = expect(0, &["verify", &out, "--key", &key, "--security", "5"]);
    assert_eq!(accepted.0, "accepted\n");
}

#[test]
fn a_whole_run_is_a_chain() {
    let dir = Dir::new();
    let out = dir.name("run");
    let args = [
        &["--all", "--segment-log-cycles", "17", "--out", &out],
        &CHEAP[..],
    ]
    .concat();
    let (_, stderr) = prove(&args);
    assert!(stderr.contains("segments,"), "{stderr}");
    let mut files: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    let journal = dir.name("journal");
    expect(
        0,
        &[
            "exec",
            "--guest",
            "fib",
            "--input",
            "small",
            "--journal",
            &journal,
        ],
    );
    let run = ["--guest", "fib", "--input", "small", "--security", "5"];
    let verify =
        |proofs: &[&str], more: &[&str]| [&["verify"], proofs, &run, more].concat().join("\n");
    let accepted = |proofs: &[&str], more: &[&str]| {
        let args = verify(proofs, more);
        let args: Vec<&str> = args.split('\n').collect();
        let (stdout, stderr) = expect(0, &args);
        assert_eq!(stdout, "accepted\n");
        assert!(
            stderr.contains("one run from the program's start"),
            "{stderr}"
        );
    };
    let rejected = |words: &[&str], proofs: &[&str], more: &[&str]| {
        let args = verify(proofs, more);
        let args: Vec<&str> = args.split('\n').collect();
        fails(3, words, &args);
    };
    let all: Vec<&str> = files.iter().map(String::as_str).collect();
    accepted(&[&out], &["--journal", &journal]);
    accepted(&all, &["--chain"]);

    // Proofs of an earlier run are not mixed with new ones.
    let again = ["prove", "--guest", "fib", "--all", "--out", &out];
    fails(2, &["holds proofs already"], &again);
    rejected(&["exit"], &all, &["--chain", "--exit-code", "1"]);
    let other = dir.file("other", b"not it");
    rejected(&["journal"], &all, &["--chain", "--journal", &other]);
    let mut swapped = all.clone();
    swapped.swap(0, 1);
    rejected(&["segment"], &swapped, &["--chain"]);
    let mut dropped = all.clone();
    dropped.remove(1);
    rejected(&["segment"], &dropped, &["--chain"]);
    rejected(&["exit"], &all[..all.len() - 1], &["--chain"]);
    let other_input = [
        "verify",
        &out,
        "--guest",
        "fib",
        "--input",
        &other,
        "--security",
        "5",
    ];
    fails(3, &["system call"], &other_input);
}

#[test]
fn bad_files_and_arguments() {
    let dir = Dir::new();
    let out = dir.name("p.bin");
    let args = [&["--segment-log-cycles", "10", "--out", &out], &CHEAP[..]].concat();
    let (key, _) = prove(&args);
    let bytes = fs::read(&out).unwrap();
    let verify = |bytes: &[u8], code: i32, words: &[&str]| {
        let file = dir.file("bad.bin", bytes);
        fails(
            code,
            words,
            &["verify", &file, "--key", &key, "--security", "1"],
        );
    };
    verify(&[], 3, &["bad magic", "bad.bin"]);
    verify(b"REWITPRF", 3, &["truncated"]);
    verify(&bytes[..bytes.len() / 2], 3, &["bad argument"]);
    verify(&[&bytes[..], &[0]].concat(), 3, &["1 bytes follow"]);
    let mut version = bytes.clone();
    version[8] = 9;
    verify(&version, 3, &["unsupported version 9"]);
    let mut params = bytes.clone();
    params[12] = 77;
    verify(&params, 3, &["log blowup 77"]);
    // Heights that only a look before any computation with them refuses.
    let heights = |change: fn(&mut SegmentProof, &mut Vec<usize>)| {
        let mut proof = SegmentProof::decode(&bytes).unwrap();
        let mut bits = match &proof.argument {
            Argument::Quartic(argument) => argument.degree_bits.clone(),
            Argument::Quintic(argument) => argument.degree_bits.clone(),
        };
        change(&mut proof, &mut bits);
        match &mut proof.argument {
            Argument::Quartic(argument) => argument.degree_bits = bits,
            Argument::Quintic(argument) => argument.degree_bits = bits,
        }
        proof.encode()
    };
    verify(&heights(|_, bits| bits.clear()), 3, &["0 tables"]);
    let tall = heights(|proof, bits| (proof.key.log_rows, bits[2]) = (200, 200));
    verify(&tall, 3, &["program table's height"]);
    verify(&heights(|_, bits| bits[0] = usize::MAX), 3, &["cpu table"]);
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    verify(&flipped, 3, &["rejected"]);

    fails(2, &["--key", "--guest"], &["verify", &out]);
    fails(2, &["--guest"], &["verify", &out, "--key", &key, "--chain"]);
    fails(
        2,
        &["ends in .proof"],
        &["verify", &dir.name("."), "--guest", "fib"],
    );
    for claim in [
        ["--exit-code", "0"],
        ["--journal", &out],
        ["--input", "small"],
    ] {
        let words = [claim[0], "--chain"];
        fails(
            2,
            &words,
            &[&["verify", &out, "--guest", "fib"][..], &claim].concat(),
        );
    }
    let guest = ["prove", "--guest", "fib", "--input", "small", "--out", &out];
    let usage = |words: &[&str], more: &[&str]| fails(2, words, &[&guest, more].concat());
    usage(&["no segment 99999"], &["--segment", "99999"]);
    usage(&["22"], &["--segment-log-cycles", "23"]);
    usage(&["five"], &["--grinding", "1,2"]);
    usage(&["log arity 9"], &["--log-arity", "9"]);
    usage(
        &["--max-log-blowup"],
        &["--extension", "4", "--security", "128"],
    );
}
