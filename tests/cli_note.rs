//! `rewit model --note`: what it prints, as tables, JSON and CSV, and what it refuses.

mod command;
mod results;

use command::{expect, fails, rewit};
use results::{figures, foldings, runs};
use rewit::model::note::{Evidence, NOTE, note};
use rewit::report::{AnyFile, NoteReport};
use serde_json::Value;

/// What is shown, whatever the layout: a row's cells in their order.
fn has_row(text: &str, cells: &[&str]) -> bool {
    text.lines().any(|line| {
        let mut rest = line;
        cells.iter().all(|cell| match rest.find(cell) {
            Some(at) => {
                rest = &rest[at + cell.len()..];
                true
            }
            None => false,
        })
    })
}

#[test]
fn the_command_prints_the_ledger() {
    let (text, stderr) = expect(0, &["model", "--note"]);
    assert_eq!(stderr, "");
    for cells in [
        &[
            "segments assigned to provers",
            "50 GB",
            "50 GB",
            "50 GB",
            "200 GB",
            "right",
        ][..],
        &["proofs returned", "250 MB", "250 MB", "250 MB", "right"],
        &[
            "the tree",
            "750 MB",
            "749.25 MB",
            "749.25 MB",
            "sent: 1,998",
            "returned: 999",
            "rounded",
        ],
        &[
            "everything",
            "51 GB",
            "50.999 GB",
            "50.999 GB",
            "200.999 GB",
            "rounded",
        ],
        &["levels of the tree", "10", "125", "63"],
        &[
            "assigned, of everything",
            "95 %",
            "98.04 %",
            "98.04 %",
            "wrong",
        ],
        &[
            "bits of a gate",
            "750 bit",
            "765 bit",
            "512 bit",
            "wrong unit",
        ],
        &[
            "least folded witness of Nova",
            "7.5 MB",
            "937.5 kB",
            "638.928 kB (d)",
            "bits read as bytes",
        ],
        &[
            "least folded witness with CycleFold",
            "750 kB",
            "93.75 kB",
            "bits read as bytes",
        ],
        &[
            "gates of CycleFold",
            "1,000",
            "33,856 (d)",
            "138,240 (d)",
            "misread",
        ],
        &[
            "the same part, folded",
            "1 MB",
            "8 MB",
            "16 MB",
            "8–16× low",
        ],
        &[
            "aggregating them",
            "3.997 GB",
            "63.952 GB",
            "999.25 MB",
            "false",
        ],
        &[
            "as small as the STARK",
            "250 kB",
            "7,812",
            "3,906",
            "not reachable with Nova",
        ],
        &["witness of the computation", "1 TB", "1 TB", "right"],
        &["regenerated in 1 s", "7.6 Gb/s"],
        &["regenerated in 0.1 s", "76 Gb/s"],
        &["as written at 1 Gb/s", "400 s"],
        &["as written at 10 Gb/s", "40 s"],
        &["as written at 100 Gb/s", "4 s"],
        &[
            "snapshots of 50 MB and STARKs",
            "50 MB (d)",
            "499.5 MB (1,998)",
            "249.75 MB (999)",
            "50.999 GB",
        ],
        &["snapshots of 200 MB and STARKs", "200 MB (d)", "200.999 GB"],
    ] {
        assert!(has_row(&text, cells), "no {cells:?} in\n{text}");
    }
    let (markdown, _) = expect(0, &["model", "--note", "--format", "markdown"]);
    assert!(markdown.starts_with("# The note's ledger\n"));
    let tables = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with('|'))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(tables(&markdown), tables(&text));
    let (json, _) = expect(0, &["model", "--note", "--json"]);
    let report: NoteReport = serde_json::from_str(&json).unwrap();
    let nothing = Evidence {
        costs: &[],
        folded: &[],
        latency_seconds: None,
    };
    assert_eq!(report.note, note(&NOTE, &[], &nothing).unwrap());
}

/// Rows of a CSV file with quotes, by the grammar of RFC 4180.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            c => field.push(c),
        }
    }
    assert!(!quoted && field.is_empty());
    rows
}

/// Each figure is a row, and what has none is a row without a value.
#[test]
fn csv_has_every_line() {
    let measured = vec![runs().remove(0).0, foldings().remove(0).0];
    let mut without = 0;
    for files in [measured, Vec::new()] {
        let report = NoteReport::new(&files, &NOTE, &[]).unwrap();
        let rows = csv(&report.to_csv());
        assert!(rows.iter().all(|row| row.len() == rows[0].len()));
        let mut count = 0;
        let json: Value = serde_json::from_str(&report.to_json()).unwrap();
        figures(&json["note"], &mut |figure| {
            count += 1;
            let value = figure["value"].as_f64().unwrap();
            let name = figure["name"].as_str().unwrap();
            let same = |row: &Vec<String>| {
                row[4] == name
                    && row[5].parse() == Ok(value)
                    && figure["kind"] == *row[7]
                    && figure["source"] == *row[8]
            };
            assert!(rows.iter().any(same), "{figure}");
        });
        let totals = rows.iter().filter(|row| row[0] == "total").count();
        assert_eq!(totals, 18 * report.note.scenarios.len());
        let empty: Vec<_> = rows.iter().filter(|row| row[5].is_empty()).collect();
        assert_eq!(rows.len(), 1 + count + totals + empty.len());
        for row in &empty {
            assert!(row[4].is_empty() && row[6..].iter().all(String::is_empty));
            let same = |other: &&Vec<String>| other[..2] == row[..2];
            assert_eq!(rows.iter().filter(same).count(), 1, "{row:?}");
        }
        without += empty.len();
        for (section, list) in [
            ("line", "lines"),
            ("needed", "needed"),
            ("question", "questions"),
        ] {
            for item in json["note"][list].as_array().unwrap() {
                let is = |row: &Vec<String>| {
                    row[0] == section && item["id"] == *row[1] && item["what"] == *row[2]
                };
                assert!(rows.iter().any(is), "{item}");
            }
        }
    }
    assert!(without > 0, "no line without a figure was tested");
}

/// Names come from files, and files from anywhere.
#[test]
fn names_cannot_leave_their_cell() {
    let (file, _) = runs().remove(0);
    let mut run = file.runs()[0].clone();
    run.guest.name = "=1+1|<script>alert(1)</script>\u{1b}[2J\n\u{202e}\"x".into();
    let report = NoteReport::new(&[AnyFile::Run(Box::new(run))], &NOTE, &[]).unwrap();
    for text in [report.to_text(), report.to_markdown()] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']));
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("alert(1)"))
            .collect();
        assert!(rows.len() > 10);
        if text.starts_with("# ") {
            assert!(!text.contains("<script>"));
            let of_totals = rows
                .iter()
                .filter(|line| line.contains("image"))
                .map(|line| bars(line));
            assert!(of_totals.clone().min() >= Some(4) && of_totals.max() <= Some(11));
        }
    }
    let rows = csv(&report.to_csv());
    assert!(rows.iter().all(|row| row.len() == 9));
    let names = rows
        .iter()
        .map(|row| &row[4])
        .filter(|name| name.contains("alert(1)"));
    assert!(names.clone().count() > 10);
    assert!(
        names.clone().all(|name| name.starts_with("'=")),
        "a formula"
    );
}

#[test]
fn wrong_usage() {
    for (args, words) in [
        (&["--machines", "0"][..], "--machines is 0"),
        (&["--machines", "-5"], "--machines is -5"),
        (&["--cycles", "1e300"], "--cycles is 1e300"),
        (&["--cycles", "1.5"], "whole number"),
        (&["--segment-cycles", "0"], "--segment-cycles is 0"),
        (&["--snapshot", "0"], "--snapshot is 0"),
        (&["--snapshot", "50MB,1e30"], "--snapshot is 1e30"),
        (&["--stark", "-1"], "--stark is -1"),
        (
            &["--cycles", "1e18", "--segment-cycles", "1"],
            "raise --segment-cycles",
        ),
        (&["--machines", "NaN"], "finite"),
        (&["--cycles", "inf"], "finite"),
        (&["--snapshot", "50 parsecs"], "250kB, 50MB or 1e6"),
        (&["--stark", "1e400"], "expected bytes"),
        (&["--format", "html"], "html"),
    ] {
        fails(2, &[words], &[&["model", "--note"], args].concat());
    }
    let dir = command::Dir::new();
    fails(
        1,
        &["missing.json"],
        &["model", "--note", &dir.name("missing.json")],
    );
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("text", b"hello"),
        ("short", b"{\"schema_version\": 1"),
    ] {
        let file = dir.file(name, bytes);
        fails(1, &["bad result file", name], &["model", "--note", &file]);
    }
    let output = rewit(&["model", "--note", "--snapshot", "1MB,2MB,3MB"])
        .assert()
        .success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(has_row(&text, &["with your inputs"]));
    assert!(has_row(
        &text,
        &["segments assigned to provers", "50 GB", "50 GB", "1 GB"]
    ));
    for size in 1..=3 {
        let name = format!("snapshots of {size} MB and STARKs");
        assert_eq!(text.matches(&name).count(), 2, "{name}");
    }
}
