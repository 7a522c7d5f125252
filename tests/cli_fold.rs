//! `rewit fold` as its users run it.

mod command;

use std::fs;

use command::*;
use rewit::fold::CommitmentKey;
use rewit::measure::{Kind, TableSize};
use rewit::report::{FoldingFile, read_folding};

/// A short segment in few chunks; the program and the range table are as long as they are.
const SHORT: [&str; 8] = [
    "fold",
    "--guest",
    "fib",
    "--input",
    "small",
    "--segment-log-cycles",
    "9",
    "--no-progress",
];

fn fold(args: &[&str]) -> (String, String) {
    expect(0, &[&SHORT, args].concat())
}

fn file(path: &str) -> FoldingFile {
    read_folding(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_segment_is_folded_in_both_orders_and_verified() {
    let dir = Dir::new();
    let (out, key) = (dir.name("fold.json"), dir.name("key.bin"));
    let args = [
        "--segment",
        "1",
        "--rows-per-chunk",
        "256",
        "--sizes",
        "4,8",
    ];
    let files = ["--out", &out, "--key", &key];
    let (stdout, _) = fold(&[&args[..], &files].concat());
    let has = |words: &str| assert!(stdout.contains(words), "no {words:?} in {stdout}");
    has("segment 1 of 2^9 cycles");
    has("| seq ");
    has("| tree ");
    has("| 2^4 ");
    has("published");
    has("Is ~250 kB reachable?");

    let file = file(&out);
    assert!(file.complete);
    assert_eq!(file.render(), stdout);
    let measured = &file.measured;
    assert_eq!(measured.parameters.orders, ["seq", "tree"]);
    assert_eq!(measured.tables[0].num_chunks, 2);
    for session in &measured.sessions {
        assert_eq!(session.kind, Kind::Measured);
        let chunks = measured.tables.iter().map(|table| table.num_chunks);
        assert_eq!(session.folds, chunks.map(|chunks| chunks - 1).sum::<u64>());
        // Both orders end in one accumulator a table, of the same length.
        let accumulators = measured.tables.iter().map(TableSize::accumulator_bytes);
        assert_eq!(session.accumulator_bytes, accumulators.sum::<u64>());
        assert!(session.proof_bytes > session.accumulator_bytes);
    }
    assert_eq!(
        measured.sessions[0].proof_bytes,
        measured.sessions[1].proof_bytes
    );
    // 32 chunks of 16 rows, and 2 of 256.
    let folds = |at: usize| measured.sizes[at].fold.as_ref().unwrap().samples.len();
    assert!((2..=7).contains(&folds(0)), "{}", folds(0));
    assert_eq!(folds(1), 1);
    let (small, large) = (&measured.sizes[0].tables[0], &measured.sizes[1].tables[0]);
    assert!(large.quadratic > 15 * small.quadratic && large.quadratic < 17 * small.quadratic);

    let (stdout, _) = expect(0, &["validate", &out]);
    assert!(
        stdout.contains("valid, complete, folding at 2 chunk sizes"),
        "{stdout}"
    );

    // The key was written, and is read.
    let len = CommitmentKey::load(dir.path("key.bin").as_path())
        .unwrap()
        .len();
    assert!(len > 0);
    let one = [
        "--rows-per-chunk",
        "256",
        "--sizes",
        "none",
        "--order",
        "tree",
    ];
    let (stdout, stderr) = fold(&[&one[..], &["--key", &key, "--json"]].concat());
    assert!(stderr.contains("0 added"), "{stderr}");
    let file = read_folding(stdout.as_bytes()).unwrap();
    assert_eq!(file.measured.sessions.len(), 1);
    assert_eq!(file.measured.sessions[0].order, "tree");

    // A point changed, with the file's digest made again, is no generator any more.
    let mut bytes = fs::read(&key).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&key, &bytes).unwrap();
    let refused = [&SHORT[..], &one, &["--key", &key]].concat();
    fails(2, &["--key", "bad commitment key", "remove it"], &refused);
    fs::write(&key, &bytes[..100]).unwrap();
    fails(2, &["--key", "bad commitment key", "remove it"], &refused);
}

#[test]
fn what_cannot_be_folded_is_refused() {
    let dir = Dir::new();
    let refused = |words: &[&str], args: &[&str]| fails(2, words, &[&SHORT[..], args].concat());
    for rows in ["0", "1", "48", "131072"] {
        refused(
            &["--rows-per-chunk", "power of two"],
            &["--rows-per-chunk", rows],
        );
    }
    for sizes in ["", "0..4", "9..4", "4..17", "x"] {
        refused(&["--sizes"], &["--sizes", sizes]);
    }
    refused(&["--order"], &["--order", "random"]);
    let other = dir.file("other.txt", b"not a result");
    refused(&["no rewit result file"], &["--out", &other]);
    let key = dir.file("key.bin", b"no key");
    refused(&["--out", "--key"], &["--out", &key, "--key", &key]);
    // No segment so far into the run.
    let args = [&SHORT[..], &["--segment", "100000"]].concat();
    fails(2, &["no segment 100000", "--segment"], &args);
}

#[test]
#[cfg(not(feature = "cuda"))]
fn no_device_is_built_in() {
    for backend in ["cuda", "check"] {
        let args = [&SHORT[..], &["--backend", backend]].concat();
        fails(2, &["rebuild with --features cuda"], &args);
    }
}

#[test]
fn schemas_are_printed() {
    let (stdout, _) = expect(0, &["schema", "fold"]);
    assert!(stdout == fs::read_to_string("docs/folding.schema.json").unwrap());
}
