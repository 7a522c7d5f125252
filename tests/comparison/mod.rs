//! Published files with something changed, and comparisons of them.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::fs;
use std::sync::LazyLock;

use rewit::measure::{Row, Unit};
use rewit::report::compare::{CompareOptions, Comparison, compare};
use rewit::report::{AnyFile, ResultFile, read, to_json, verdicts};

const RESULTS: &str = "docs/results/2026-11-22-amd-epyc-zen5-2-threads";

pub fn published(kind: &str) -> Vec<u8> {
    fs::read(format!("{RESULTS}-{kind}.json")).unwrap()
}

/// Four segments, all encodings, a proof and a sample of folds.
pub static RUN: LazyLock<ResultFile> = LazyLock::new(|| read(&published("block")).unwrap());

/// The run with something changed, and what follows from its rows computed again.
pub fn run(change: impl FnOnce(&mut ResultFile)) -> AnyFile {
    AnyFile::read(text(change).as_bytes()).unwrap()
}

pub fn text(change: impl FnOnce(&mut ResultFile)) -> String {
    let mut run = RUN.clone();
    change(&mut run);
    for row in &mut run.rows {
        row.summary = row.recompute().unwrap();
    }
    run.verdicts = verdicts(&run.segments, &run.rows);
    to_json(&run)
}

fn scale(row: &mut Row, factor: f64) {
    for sample in &mut row.samples {
        sample.value *= factor;
    }
}

/// All times as if everything took so many times as long.
pub fn scaled(factor: f64) -> impl FnOnce(&mut ResultFile) {
    move |run| {
        let times = run.rows.iter_mut().filter(|row| row.unit == Unit::Seconds);
        times.for_each(|row| scale(row, factor));
    }
}

pub fn with(options: &CompareOptions, files: Vec<AnyFile>) -> rewit::Result<Comparison> {
    let names = ["a.json", "b.json", "c.json"];
    let files: Vec<(String, AnyFile)> = names.into_iter().map(str::to_owned).zip(files).collect();
    compare(&files, options)
}

pub fn plainly(other: AnyFile) -> rewit::Result<Comparison> {
    with(&CompareOptions::default(), vec![run(|_| ()), other])
}

pub fn refusal(result: rewit::Result<Comparison>) -> String {
    match result.unwrap_err() {
        rewit::Error::Usage(text) => text,
        other => panic!("{other}"),
    }
}
