//! `rewit compare` on good and bad files, and strings in files that mean harm.

mod command;
mod comparison;

use std::fs;

use command::{Dir, expect, fails};
use comparison::{RUN, run, scaled, text, with};
use rewit::report::AnyFile;
use rewit::report::compare::{
    CompareOptions, comparison_csv, comparison_json, comparison_markdown, comparison_table,
};
use serde_json::Value;

/// What a file could say to do harm.
const HOSTILE: &str = "=cmd|'/c calc'!A1 <script>alert(1)</script> | [a](javascript:b) `x` @all";

#[test]
fn strings_do_no_harm() {
    let hostile = run(|run| {
        run.hardware.cpu = HOSTILE.into();
        run.hardware.os = HOSTILE.into();
        run.rows[0].key.part = Some(HOSTILE.into());
    });
    let comparison = with(&CompareOptions::default(), vec![hostile.clone(), hostile]).unwrap();
    assert_eq!(comparison.pairs[0].rows.len(), RUN.rows.len());
    let markdown = comparison_markdown(&comparison);
    for harm in ["<script", "[a]", " @all", " | [", " `"] {
        assert!(!markdown.contains(harm), "{harm}: {markdown}");
    }
    // Each row of the table has as many cells as its head.
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let table: Vec<usize> = markdown
        .lines()
        .filter(|l| l.starts_with('|'))
        .map(bars)
        .collect();
    assert!(table.len() > RUN.rows.len() && table.iter().all(|bars| [10, 7].contains(bars)));

    let csv = comparison_csv(&comparison);
    let lines = fields(&csv);
    // A line for each row and each break-even.
    assert_eq!(
        lines.len(),
        1 + RUN.rows.len() + comparison.pairs[0].break_even.len()
    );
    for line in &lines {
        assert_eq!(line.len(), lines[0].len());
        for field in line {
            assert!(!field.starts_with(['=', '+', '-', '@']), "{field}");
        }
    }
    assert_eq!(lines[1][3], format!("'{HOSTILE}"));
    let back: Value = serde_json::from_str(&comparison_json(&comparison)).unwrap();
    assert_eq!(back["pairs"][0]["rows"][0]["part"], HOSTILE);

    // Characters that terminals obey are escaped whether or not a reader lets them through.
    let mut file = RUN.clone();
    file.hardware.cpu = "\u{1b}]0;title\u{7}\u{9b}2J\u{202e}\r\nfake | line".into();
    let file = AnyFile::Run(Box::new(file));
    let comparison = with(&CompareOptions::default(), vec![file.clone(), file]).unwrap();
    for text in [
        comparison_table(&comparison),
        comparison_markdown(&comparison),
        comparison_csv(&comparison),
        comparison_json(&comparison),
    ] {
        let obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.contains(obeyed), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("fake")));
    }
}

/// Fields of CSV by its grammar (RFC 4180).
fn fields(csv: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut chars = csv.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => line.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                line.push(std::mem::take(&mut field));
                lines.push(std::mem::take(&mut line));
            }
            c => field.push(c),
        }
    }
    assert!(!quoted && field.is_empty() && line.is_empty());
    lines
}

#[test]
fn the_command_and_its_exit_codes() {
    let dir = Dir::new();
    let a = dir.file("a.json", text(|_| ()).as_bytes());
    let b = dir.file("b.json", text(scaled(8.0)).as_bytes());
    let files = ["compare", &a, &b];
    let and = |more: &[&str]| -> Vec<String> {
        files
            .iter()
            .chain(more)
            .map(|&arg| arg.to_owned())
            .collect()
    };
    let expect = |code: i32, more: &[&str]| {
        let args = and(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        expect(code, &args)
    };
    let (table, stderr) = expect(0, &[]);
    assert!(
        table.contains("| execute ") && stderr.is_empty(),
        "{stderr}"
    );
    for threshold in ["1.10", "10%", "1"] {
        let (table, stderr) = expect(4, &["--threshold", threshold]);
        assert!(stderr.contains("above --threshold"), "{stderr}");
        assert!(table.contains("B: execute: 8.000"), "{table}");
        assert!(table.contains("3 rows of time have no interval and are not judged"));
    }
    // Above every interval, one of which is wide.
    expect(0, &["--threshold", "1000"]);
    expect(0, &["--threshold", "10%", "--stage", "size,proof-size"]);
    // The lower end counts, not the ratio: all take 8 times as long, few surely more than 7.5 times.
    let (json, _) = expect(
        4,
        &["--threshold", "7.5", "--format", "json", "--sort", "ratio"],
    );
    let json: Value = serde_json::from_str(&json).unwrap();
    let above = json["threshold"]["above"].as_array().unwrap();
    let low = |row: &Value| row["interval"]["low"].as_f64().unwrap();
    let rows = json["pairs"][0]["rows"].as_array().unwrap();
    let expected = rows
        .iter()
        .filter(|row| !row["interval"].is_null() && low(row) > 7.5);
    assert_eq!(above.len(), expected.count());
    assert!((1..60).contains(&above.len()) && above.iter().all(|row| low(row) > 7.5));
    assert_eq!(rows.len(), RUN.rows.len());
    let ratios: Vec<f64> = rows
        .iter()
        .map(|row| row["ratio"].as_f64().unwrap())
        .collect();
    assert!(ratios.is_sorted_by(|a, b| a >= b));
    for wrong in ["ten", "-1", "0", "nan", "inf", "-200%", "%"] {
        let (_, stderr) = expect(2, &[&format!("--threshold={wrong}")]);
        assert!(stderr.contains("expected a ratio above 0"), "{stderr}");
    }
    let out = dir.name("out.md");
    let (stdout, _) = expect(0, &["--format", "markdown", "--out", &out]);
    assert_eq!(stdout, "");
    assert!(fs::read_to_string(&out).unwrap().contains("## B against A"));
    let (_, stderr) = expect(2, &["--out", &a]);
    assert!(stderr.contains("choose another file for --out"), "{stderr}");
    let (csv, _) = expect(0, &["--format", "csv", "--stage", "prove"]);
    assert_eq!(csv.lines().count(), 3, "{csv}");
    let (_, stderr) = expect(2, &["--stage", "proving"]);
    assert!(
        stderr.contains("--stage proving") && stderr.contains("prove, regenerate"),
        "{stderr}"
    );
}

#[test]
fn files_that_are_none() {
    let dir = Dir::new();
    let good = dir.file("good.json", text(|_| ()).as_bytes());
    fails(2, &["<FILE>"], &["compare"]);
    fails(2, &["2 values required"], &["compare", &good]);
    fails(1, &["nowhere"], &["compare", &good, &dir.name("nowhere")]);
    let whole = text(|_| ());
    for part in [0, 1, 17, 1000, whole.len() / 2, whole.len() - 3] {
        let cut = dir.file("cut.json", &whole.as_bytes()[..part]);
        fails(
            1,
            &["bad result file", "cut.json"],
            &["compare", &good, &cut],
        );
    }
    for length in (0..whole.len() - 2).step_by(3331) {
        assert!(
            AnyFile::read(&whole.as_bytes()[..length]).is_err(),
            "{length}"
        );
    }
    let other = dir.file(
        "other.json",
        br#"{"format": "rewit comparison", "schema_version": 1}"#,
    );
    fails(1, &["format is"], &["compare", &good, &other]);
    let version = whole.replacen("\"schema_version\": 1", "\"schema_version\": 2", 1);
    let version = dir.file("version.json", version.as_bytes());
    fails(1, &["schema_version is 2"], &["compare", &good, &version]);
    let guest = text(|run| run.guest.elf_blake3 = blake3::hash(b"other").to_string());
    let guest = dir.file("guest.json", guest.as_bytes());
    fails(
        2,
        &["nothing can be compared", "other guest"],
        &["compare", &good, &guest],
    );
    // One of two is enough.
    expect(0, &["compare", &good, &guest, &good]);
}
