//! Files of proof sizes, profiles, and any file: what the tool wrote is read, and whatever else the
//! bytes are, an error says what is wrong.

mod hardware;

use std::fs;
use std::sync::LazyLock;

use hardware::hardware;
use proptest::prelude::*;
use rewit::measure::proof_size::Kind as SizeKind;
use rewit::measure::{Kind, Link};
use rewit::report::{
    AnyFile, FoldingFile, ProfileFile, ProofSizes, Tool, is_any_file, profile_schema,
    proof_size_schema, read_profile, read_proof_sizes, render,
};
use serde_json::Value;

const RESULTS: &str = "docs/results";

/// A published file, by the end of its name.
fn published(end: &str) -> AnyFile {
    let entries = fs::read_dir(RESULTS).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_str().is_some_and(|path| path.ends_with(end)));
    paths.sort();
    let path = paths
        .first()
        .unwrap_or_else(|| panic!("no {end} in {RESULTS}"));
    AnyFile::read(&fs::read(path).unwrap()).unwrap()
}

/// The published sizes, as far as they are of the smallest table: measured, modelled and refused.
fn sizes() -> ProofSizes {
    let AnyFile::ProofSizes(file) = published("proof-size.json") else {
        panic!("a file of proof sizes");
    };
    let mut file = *file;
    let subject = "2^14 × 64";
    file.rows
        .retain(|row| row.subject == subject || row.measured.is_none());
    file.rows.sort_by_key(|row| row.measured.is_none());
    file.requirements
        .retain(|requirement| requirement.subject == subject);
    file
}

static SIZES: LazyLock<String> = LazyLock::new(|| sizes().to_json());

/// The published parts as if one program had measured them on one machine.
fn profile() -> ProfileFile {
    let AnyFile::Run(run) = published("block.json") else {
        panic!("a file of a run");
    };
    let AnyFile::Folding(folding) = published("fold.json") else {
        panic!("a file of folding");
    };
    let mut file = ProfileFile {
        complete: true,
        elapsed_seconds: 400.5,
        link: Some(Link::declared(10e9, 50e-6)),
        notes: vec!["a note".into()],
        runs: vec![*run],
        foldings: vec![*folding],
        proof_sizes: vec![sizes()],
        ..ProfileFile::new(&hardware(), "2026-11-22T12:00:00Z")
    };
    for run in &mut file.runs {
        (run.tool, run.hardware) = (file.tool.clone(), file.hardware.clone());
        run.link.clone_from(&file.link);
    }
    for folding in &mut file.foldings {
        (folding.tool, folding.hardware) = (file.tool.clone(), file.hardware.clone());
    }
    for sizes in &mut file.proof_sizes {
        (sizes.tool, sizes.hardware) = (file.tool.clone(), file.hardware.clone());
    }
    file
}

static PROFILE: LazyLock<String> = LazyLock::new(|| profile().to_json());

/// Shows everything there is to show of a file.
fn show(file: &AnyFile) -> String {
    let mut text: String = file.runs().into_iter().map(render).collect();
    text.extend(file.foldings().into_iter().map(FoldingFile::render));
    for sizes in file.proof_sizes() {
        text += &sizes.render();
        text += &sizes.to_csv();
    }
    if let AnyFile::Profile(profile) = file {
        text += &profile.render();
    }
    text + &file.gaps().concat()
}

#[test]
fn published_files_are_read() {
    let mut read = 0;
    for entry in fs::read_dir(RESULTS).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        assert!(is_any_file(&bytes), "{path:?}");
        let file = AnyFile::read(&bytes).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let again = AnyFile::read(file.to_json().as_bytes()).unwrap();
        assert!(again == file, "{path:?}");
        assert!(file.complete(), "{path:?}");
        show(&file);
        read += 1;
    }
    assert!(read >= 3, "{read} files");
}

#[test]
fn reads_what_it_writes() {
    assert!(read_proof_sizes(SIZES.as_bytes()).unwrap() == sizes());
    let file = read_profile(PROFILE.as_bytes()).unwrap();
    assert!(file == profile());
    let any = AnyFile::read(PROFILE.as_bytes()).unwrap();
    assert_eq!(any.kind(), "profile");
    let parts = (
        any.runs().len(),
        any.foldings().len(),
        any.proof_sizes().len(),
    );
    assert_eq!(parts, (1, 1, 1));
    assert_eq!(any.link().map(|link| link.kind), Some(Kind::Declared));
    // The parts are files of their own.
    for run in any.runs() {
        let text = rewit::report::to_json(run);
        assert!(rewit::report::read(text.as_bytes()).unwrap() == *run);
    }
    // What was cut short, and what has only begun.
    let mut file = profile();
    (file.complete, file.runs[0].complete) = (false, false);
    assert!(read_profile(file.to_json().as_bytes()).unwrap() == file);
    let empty = ProfileFile::new(&hardware(), "2026-11-22T12:00:00Z");
    assert!(read_profile(empty.to_json().as_bytes()).unwrap() == empty);
}

#[test]
fn a_profile_shows_every_part() {
    let file = profile();
    let text = file.render();
    let has = |words: &str| assert!(text.contains(words), "no {words:?} in {text}");
    has("10.0 Gb/s, 50.0 µs one way, declared");
    has("| block |");
    has("2^20");
    has("all chunks of 2^6 rows, tree:");
    has("smallest, 100 bits, degree 4");
    has("note: a note");
    let measured = file.proof_sizes[0].rows.iter();
    let count = measured.filter(|row| row.measured.is_some()).count();
    has(&format!("{count} proofs measured"));
}

#[test]
fn published_schemas_are_up_to_date() {
    let schemas = [
        ("proof-size", proof_size_schema()),
        ("profile", profile_schema()),
        ("link", rewit::report::link_schema()),
    ];
    for (name, schema) in schemas {
        let path = format!("docs/{name}.schema.json");
        if std::env::var_os("REWIT_BLESS").is_some() {
            fs::write(&path, &schema).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(published == schema, "run `rewit schema {name} > {path}`");
    }
}

fn has(error: &str, words: &str) {
    assert!(error.starts_with("bad result file: "), "{error}");
    assert!(error.contains(words), "no {words:?} in {error}");
}

#[test]
fn sizes_that_do_not_fit() {
    type Change = fn(&mut ProofSizes);
    // The first row is a measured proof; others are looked up.
    let cases: [(Change, &str); 30] = [
        (|f| f.version = 2, "version is 2"),
        (
            |f| f.format = "rewit sizes".into(),
            "format is \"rewit sizes\"",
        ),
        (|f| f.created = "today".into(), "created"),
        (|f| f.elapsed_seconds = 1e31, "elapsed_seconds is 1e31"),
        (|f| f.tool.version.clear(), "tool.version is empty"),
        (|f| f.tool.git_commit = "main".into(), "tool.git_commit"),
        (|f| f.hardware.cpu = " ".into(), "hardware.cpu is empty"),
        (|f| f.hardware.logical_cores = 0, "hardware.logical_cores"),
        (|f| f.threads = Some(0), "threads is 0"),
        (
            |f| f.options.targets = vec![100; 129],
            "options.targets has 129",
        ),
        (|f| f.options.targets = vec![0], "options.targets[0] is 0"),
        (
            |f| f.options.max_grinding = 27,
            "options.max_grinding is 27",
        ),
        (|f| f.rows[0].log_height = 33, "rows[0].log_height"),
        (|f| f.rows[0].elements = u64::MAX, "rows[0].elements"),
        (|f| f.rows[0].subject.clear(), "rows[0].subject"),
        (|f| f.rows[0].measured = None, "rows[0].kind is measured"),
        (|f| f.rows[0].params = None, "rows[0].params is missing"),
        (
            |f| f.rows[0].params.as_mut().unwrap().log_blowup = 60,
            "rows[0].params",
        ),
        (
            |f| f.rows[0].measured.as_mut().unwrap().bytes += 1,
            "rows[0].residual_percent",
        ),
        (
            |f| f.rows[0].measured.as_mut().unwrap().flipped_bit = u64::MAX,
            "rows[0].measured.flipped_bit",
        ),
        (
            |f| f.rows[0].measured.as_mut().unwrap().prove_seconds = -1.0,
            "rows[0].measured.prove_seconds",
        ),
        (
            |f| f.rows[0].residual_percent = None,
            "rows[0].residual_percent",
        ),
        (
            |f| f.rows[0].modelled_parts.as_mut().unwrap().nonces += 1.0,
            "the total of modelled_parts",
        ),
        (
            |f| f.rows[0].unique.as_mut().unwrap().bits = 2000.0,
            "rows[0].unique.bits",
        ),
        (
            |f| f.rows[0].provable_bits = Some(128.0),
            "rows[0].provable_bits",
        ),
        (|f| f.rows.push(f.rows[0].clone()), "of an earlier row"),
        (
            |f| f.requirements[0].limit_kib = 601,
            "requirements[0].limit_kib",
        ),
        (
            |f| f.requirements[0].reached = !f.requirements[0].reached,
            "requirements[0].reached",
        ),
        (
            |f| f.requirements[0].subject = "x".into(),
            "of which there is no row",
        ),
        (
            |f| f.requirements.push(f.requirements[0].clone()),
            "of an earlier one",
        ),
    ];
    for (change, words) in cases {
        let mut file = sizes();
        change(&mut file);
        has(
            &read_proof_sizes(file.to_json().as_bytes())
                .unwrap_err()
                .to_string(),
            words,
        );
    }
    // A row that was refused has a note that says why.
    let mut file = sizes();
    let row = file
        .rows
        .iter_mut()
        .find(|row| row.kind == SizeKind::Refused)
        .unwrap();
    row.note.clear();
    assert!(read_proof_sizes(file.to_json().as_bytes()).is_err());
}

#[test]
fn parts_that_do_not_fit() {
    type Change = fn(&mut ProfileFile);
    let cases: [(Change, &str); 17] = [
        (|f| f.schema_version = 2, "schema_version is 2"),
        (
            |f| f.format = "rewit profiles".into(),
            "format is \"rewit profiles\"",
        ),
        (
            |f| f.runs[0].tool.version = "9".into(),
            "runs[0].tool is not",
        ),
        (
            |f| f.foldings[0].hardware.ram_bytes += 1,
            "foldings[0].hardware is not",
        ),
        (
            |f| f.proof_sizes[0].tool.git_dirty ^= true,
            "proof_sizes[0].tool is not",
        ),
        (|f| f.link = None, "runs[0].link is not"),
        (
            |f| f.link.as_mut().unwrap().bits_per_second = 0.0,
            "link.bits_per_second",
        ),
        (
            |f| f.link.as_mut().unwrap().kind = Kind::Measured,
            "link.points",
        ),
        (|f| f.runs.push(f.runs[0].clone()), "runs[1] has the guest"),
        (
            |f| f.foldings.push(f.foldings[0].clone()),
            "foldings[1] has the guest",
        ),
        (
            |f| f.proof_sizes.push(f.proof_sizes[0].clone()),
            "proof_sizes[1] has the guest",
        ),
        // Parts are checked as they are alone.
        (
            |f| f.runs[0].rows[0].samples[0].value = -1.0,
            "runs[0]: rows[0].samples[0].value",
        ),
        (
            |f| f.runs[0].schema_version = 2,
            "runs[0]: schema_version is 2",
        ),
        (
            |f| f.foldings[0].starks[0].bytes *= 2.0,
            "foldings[0]: modelled.",
        ),
        (|f| f.proof_sizes[0].version = 0, "proof_sizes[0]: format"),
        (
            |f| {
                f.runs[0].complete = false;
                f.notes.clear();
            },
            "though a part did not end",
        ),
        (
            |f| f.proof_sizes = vec![f.proof_sizes[0].clone(); 257],
            "proof_sizes has 257 entries",
        ),
    ];
    for (change, words) in cases {
        let mut file = profile();
        change(&mut file);
        has(
            &read_profile(file.to_json().as_bytes())
                .unwrap_err()
                .to_string(),
            words,
        );
    }
    // Another number of threads is another measurement.
    let mut file = profile();
    file.runs.push(file.runs[0].clone());
    file.runs[1].parameters.threads += 1;
    assert!(read_profile(file.to_json().as_bytes()).is_ok());
}

/// What is missing of the provenance, and what is worth less for it.
#[test]
fn gaps_are_named() {
    let gaps = |change: fn(&mut ProfileFile)| {
        let mut file = profile();
        file.tool = Tool {
            git_commit: "0123456789".repeat(4),
            git_dirty: false,
            profile: "release".into(),
            ..file.tool
        };
        file.proof_sizes[0].threads = Some(2);
        file.proof_sizes[0].guest = Some(file.runs[0].guest.clone());
        change(&mut file);
        AnyFile::Profile(Box::new(file)).gaps()
    };
    assert_eq!(gaps(|_| ()), [""; 0]);
    assert_eq!(
        gaps(|f| f.tool.git_commit = "unknown".into()),
        ["commit unknown"]
    );
    assert_eq!(gaps(|f| f.tool.profile = "debug".into()), ["a debug build"]);
    assert_eq!(gaps(|f| f.complete = false), ["the run did not end"]);
    assert_eq!(
        gaps(|f| f.runs[0].complete = false),
        ["runs[0]: did not end"]
    );
    assert_eq!(
        gaps(|f| f.proof_sizes[0].threads = None),
        ["proof_sizes[0]: threads unknown"]
    );
    assert_eq!(
        gaps(|f| f.proof_sizes[0].guest = None),
        ["proof_sizes[0]: the guest's digests unknown"]
    );
    // Tables made for the purpose are of no guest.
    let tables_only = |f: &mut ProfileFile| {
        let sizes = &mut f.proof_sizes[0];
        sizes.guest = None;
        sizes.rows.retain(|row| row.subject == "2^14 × 64");
    };
    assert_eq!(gaps(tables_only), [""; 0]);
    assert_eq!(gaps(|f| f.tool.git_dirty = true).len(), 1);
    assert_eq!(
        gaps(|f| f.hardware.cpu = "unknown".into()),
        ["processor unknown"]
    );
}

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
