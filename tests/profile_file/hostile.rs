//! Bytes that no tool of ours wrote: cut short, of other kinds, too deep, with hostile values, or changed at random.

use proptest::prelude::*;
use rewit::report::{AnyFile, ProfileFile, is_any_file, read_profile};
use serde_json::Value;

use super::{PROFILE, SIZES, has, profile, show};

/// Both kinds of text that are not run files.
fn texts() -> [&'static str; 2] {
    [&SIZES, &PROFILE]
}

#[test]
fn truncated() {
    for text in texts() {
        let end = text.trim_end().len();
        // Every length would take minutes; a prime meets every place in a line.
        for len in (0..end).step_by(997).chain(end - 200..end) {
            let error = AnyFile::read(&text.as_bytes()[..len]).unwrap_err();
            has(&error.to_string(), "");
        }
    }
}

#[test]
fn other_versions_and_kinds() {
    let cases = [
        (
            r#"{"format": "rewit proof sizes", "version": 7}"#,
            "version is 7",
        ),
        (
            r#"{"format": "rewit profile", "schema_version": 7}"#,
            "schema_version is 7",
        ),
        (
            r#"{"format": "rewit profile", "schema_version": -1}"#,
            "invalid value",
        ),
        (
            r#"{"format": "rewit profile", "schema_version": 1e400}"#,
            "line 1",
        ),
        (r#"{"format": "rewit profile"}"#, "missing field"),
        (
            r#"{"format": "rewit profile", "schema_version": 1}"#,
            "missing field",
        ),
        (r#"{"format": "<script>alert(1)</script>"}"#, "format is"),
        (
            r#"{"format": "rewit profile", "format": "rewit link"}"#,
            "duplicate field",
        ),
        (r#"{"format": 1}"#, "invalid type"),
        ("[]", "invalid"),
        ("null", "invalid type"),
        ("", "EOF"),
        ("{}", "schema_version"),
    ];
    for (text, words) in cases {
        has(
            &AnyFile::read(text.as_bytes()).unwrap_err().to_string(),
            words,
        );
    }
    assert!(!is_any_file(br#"{"format": "another"}"#));
    assert!(is_any_file(
        br#"{"format": "rewit profile", "schema_version": 9}"#
    ));
}

#[test]
fn too_deep_too_long_and_twice() {
    let deep = format!(
        r#"{{"format": "rewit profile", "schema_version": 1, "runs": {}"#,
        "[".repeat(100_000)
    );
    has(&AnyFile::read(deep.as_bytes()).unwrap_err().to_string(), "");
    let long = format!(
        r#"{{"format": "rewit proof sizes", "version": 1, "rows": [{}0]}}"#,
        "0,".repeat(1_000_000)
    );
    has(&AnyFile::read(long.as_bytes()).unwrap_err().to_string(), "");
    for text in texts() {
        let twice = text.replacen("\"created\":", "\"created\": \"\", \"created\":", 1);
        has(
            &AnyFile::read(twice.as_bytes()).unwrap_err().to_string(),
            "duplicate field",
        );
        let more = text.replacen("\"created\":", "\"creator\": 1, \"created\":", 1);
        has(
            &AnyFile::read(more.as_bytes()).unwrap_err().to_string(),
            "unknown field",
        );
    }
}

/// Scripts are kept as they are, for whoever shows them to escape; what moves a cursor is refused.
#[test]
fn texts_are_data() {
    let script = "<script>alert('1')</script>\" onload=\"x";
    let mut file = profile();
    script.clone_into(&mut file.runs[0].guest.name);
    file.notes.push(script.into());
    script.clone_into(&mut file.proof_sizes[0].rows[0].note);
    let read = read_profile(file.to_json().as_bytes()).unwrap();
    assert!(read == file);
    type Change = fn(&mut ProfileFile, String);
    let places: [(Change, &str); 5] = [
        (|f, text| f.notes.push(text), "notes[1]"),
        (|f, text| f.runs[0].guest.name = text, "runs[0]: guest.name"),
        (|f, text| f.tool.version = text, "tool.version"),
        (
            |f, text| f.foldings[0].measured.guest.name = text,
            "foldings[0]: measured.guest.name",
        ),
        (
            |f, text| f.proof_sizes[0].rows[0].subject = text,
            "proof_sizes[0]: rows[0].subject",
        ),
    ];
    for (change, words) in places {
        for text in [
            "\u{1b}[2J".to_owned(),
            "a\rb".into(),
            "\u{9b}".into(),
            "x".repeat(70_000),
        ] {
            let mut file = profile();
            change(&mut file, text);
            has(
                &read_profile(file.to_json().as_bytes())
                    .unwrap_err()
                    .to_string(),
                words,
            );
        }
    }
}

/// Every value of a file, replaced: an error, or a file that can be shown and holds no number that is
/// none.
#[test]
fn any_value_replaced() {
    let hostile = [
        "1e308",
        "-1e308",
        "1e400",
        "-1",
        "0",
        "18446744073709551615",
        "4294967296",
        "1e-320",
        "\"NaN\"",
        "\"\"",
        "null",
        "true",
        "[]",
        "{}",
    ];
    for (text, step) in [(&*SIZES, 37), (&*PROFILE, 1009)] {
        let value: Value = serde_json::from_str(text).unwrap();
        let mut pointers = Vec::new();
        leaves(&value, String::new(), &mut pointers);
        let (mut accepted, mut refused) = (0, 0);
        for pointer in pointers.iter().step_by(step) {
            for hostile in hostile {
                let mut changed = value.clone();
                *changed.pointer_mut(pointer).unwrap() = Value::String("\u{1}".into());
                let changed = serde_json::to_string(&changed).unwrap();
                let changed = changed.replacen("\"\\u0001\"", hostile, 1);
                match AnyFile::read(changed.as_bytes()) {
                    Ok(file) => {
                        let shown = show(&file);
                        // A text may say so; a number may not.
                        let none = shown.contains("NaN") || shown.contains("inf ");
                        assert!(!none || hostile.contains("NaN"), "{pointer} {hostile}");
                        accepted += 1;
                    }
                    Err(error) => {
                        has(&error.to_string(), "");
                        refused += 1;
                    }
                }
            }
        }
        assert!(
            refused > 4 * accepted,
            "{refused} refused, {accepted} accepted"
        );
    }
}

/// Pointers to everything that is no list or record.
fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Array(values) => {
            for (i, value) in values.iter().enumerate() {
                leaves(value, format!("{at}/{i}"), found);
            }
        }
        Value::Object(values) => {
            for (key, value) in values {
                leaves(value, format!("{at}/{key}"), found);
            }
        }
        _ => found.push(at),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A byte changed, a part cut out, or a part twice: an error, or a file that holds.
    #[test]
    fn mutated(
        at in any::<prop::sample::Index>(),
        len in 0usize..40,
        byte in any::<u8>(),
        how in 0u8..3,
        which in 0usize..2,
    ) {
        let mut bytes = texts()[which].as_bytes().to_vec();
        let at = at.index(bytes.len());
        let end = (at + len).min(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => drop(bytes.drain(at..end)),
            _ => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
        if let Ok(file) = AnyFile::read(&bytes) {
            show(&file);
            let again = AnyFile::read(file.to_json().as_bytes()).unwrap();
            prop_assert!(again == file);
        }
    }
}
