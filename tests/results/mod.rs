//! The result files of this repository.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::fs;
use std::path::Path;

use rewit::report::AnyFile;
use serde_json::Value;

/// All of a kind, as read and as plain JSON.
fn files(wanted: fn(&Value) -> bool) -> Vec<(AnyFile, Value)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/results");
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    paths.sort();
    let read = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        wanted(&value).then(|| (AnyFile::read(&bytes).unwrap(), value))
    };
    let found: Vec<_> = paths.iter().filter_map(|path| read(path)).collect();
    assert!(!found.is_empty(), "docs/results has no such file");
    found
}

/// Files of `rewit run`.
pub fn runs() -> Vec<(AnyFile, Value)> {
    files(|value| value["rows"].is_array() && value["guest"].is_object())
}

/// Files of `rewit fold`.
pub fn foldings() -> Vec<(AnyFile, Value)> {
    files(|value| value["format"] == "rewit folding")
}

/// Middle of the numbers, or the mean of the two in the middle.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    if numbers.len() % 2 == 1 {
        numbers[half]
    } else {
        (numbers[half - 1] + numbers[half]) / 2.0
    }
}

pub fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// Whether two numbers agree but for rounding.
pub fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}
