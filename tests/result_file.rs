//! Result files: whatever the bytes, an error that says what is wrong, or a result that holds.

mod hardware;

use std::sync::LazyLock;

use hardware::hardware;
use proptest::prelude::*;
use rewit::measure::{
    FoldedSample, Gpu, Guest, Key, Kind, MeasuredSegment, Measurement, Parameters, ProvenSegment,
    Row, Rows, Selection, Stage, TableSize,
};
use rewit::model::Crossing;
use rewit::report::{ResultFile, SCHEMA_VERSION, read, render, schema, to_json, write};
use rewit::ship::{Compression, Encoding};
use rewit::stark::{Grinding, Params};

/// Parameters of a proof.
const PARAMS: Params = Params {
    log_blowup: 1,
    num_queries: 161,
    log_arity: 3,
    log_final_len: 7,
    cap_height: 0,
    extension: 5,
    grinding: Grinding {
        lookup: 0,
        out_of_domain: 0,
        batch: 9,
        commit: 3,
        query: 20,
    },
};

fn sample() -> ResultFile {
    let mut rows = Rows::default();
    for seconds in [0.1, 0.125, 0.1875] {
        rows.add(Key::of_run(Stage::Execute), None, seconds);
    }
    for (encoding, bytes, seconds) in [
        (Encoding::Witness, 7e8, 0.3),
        (Encoding::Reads, 2e6, 0.05),
        (Encoding::Input, 8e5, 0.1),
    ] {
        for compression in [Compression::Raw, Compression::Zstd] {
            for segment in [3, 9] {
                let key = |stage| Key::of_bytes(stage, encoding, compression);
                rows.add(key(Stage::Size), Some(segment), bytes);
                rows.add(key(Stage::Encode), Some(segment), seconds / 8.0);
                rows.add(key(Stage::Decode), Some(segment), seconds / 16.0);
            }
        }
        rows.add(Key::regenerate(encoding, "cpu", None), Some(3), seconds);
        rows.add(
            Key::regenerate(encoding, "cpu", Some("fill")),
            Some(3),
            seconds / 2.0,
        );
    }
    for (part, seconds) in [("commit", 0.0625), ("cross-term", 0.001), ("rest", 0.0625)] {
        for _ in 0..2 {
            rows.add(Key::fold("cpu", part), Some(3), seconds);
        }
    }
    rows.add(Key::prove("cpu", None), Some(3), 18.5);
    rows.add(Key::proof(Stage::Verify, None), Some(3), 0.0065);
    for (part, bytes) in [("argument", 478_560.0), ("statement", 33_583.0)] {
        rows.add(Key::proof(Stage::ProofSize, Some(part)), Some(3), bytes);
    }
    let hash = blake3::hash(b"").to_string();
    let segment = |index| MeasuredSegment {
        index,
        start_cycle: u64::from(index) << 20,
        num_cycles: 1 << 20,
        witness_bytes: 731_906_048,
        witness_blake3: hash.clone(),
        touched_pages: 77,
    };
    let measurement = Measurement {
        guest: Guest {
            name: "block".into(),
            elf_bytes: 741_752,
            elf_blake3: hash.clone(),
            input_bytes: 2780,
            input_blake3: hash.clone(),
            cycles: 12 << 20,
            exit_code: Some(0),
        },
        parameters: Parameters {
            log_cycles: 20,
            log_chunk: 8,
            encodings: vec!["witness".into(), "reads".into(), "input".into()],
            compressions: vec!["raw".into(), "zstd".into()],
            segments: Selection::Spaced(2),
            max_cycles: 1 << 34,
            threads: 2,
            samples: 3,
            proofs: 1,
            folds: 1,
            proof: Some(PARAMS),
        },
        num_segments: 12,
        segments: vec![segment(3), segment(9)],
        proofs: vec![ProvenSegment {
            index: 3,
            rows: 1 << 20,
            argument_bytes: 478_560,
            statement_bytes: 33_583,
            unique_decoding_bits: 86.25,
            johnson_bits: Some(100.125),
            conjectured_bits: 125.5,
            peak_memory_bytes: Some(4_300_000_000),
        }],
        folds: vec![FoldedSample {
            index: 3,
            kind: Kind::Measured,
            folds: 2,
            fresh_witness_bytes: 23_000.0,
            cpu: TableSize {
                table: "cpu".into(),
                rows: 1 << 20,
                log_rows: 6,
                num_chunks: 1 << 14,
                quadratic: 13_769,
                linear: 701,
                public: 18,
                known: 0,
                main: 22_483,
                lookup: 2_050,
                cell_bytes: 44_544,
                fresh_bytes: 680,
                instance_bytes: 744,
                folded_bytes: 1_225_672,
            },
            segment_bytes: 1_380_000,
        }],
        rows,
        notes: vec!["a note".into()],
    };
    ResultFile::new(
        &measurement,
        &hardware(),
        "2026-11-22T12:00:00Z",
        34.5,
        true,
    )
}

static TEXT: LazyLock<String> = LazyLock::new(|| to_json(&sample()));

/// The message for a file with one part replaced; the part must be there.
fn message(from: &str, to: &str) -> String {
    assert!(TEXT.contains(from), "{from:?} is not in the file");
    read(TEXT.replacen(from, to, 1).as_bytes())
        .unwrap_err()
        .to_string()
}

#[test]
fn reads_what_it_writes() {
    let result = sample();
    assert!(read(TEXT.as_bytes()).unwrap() == result);
    assert_eq!(result.schema_version, SCHEMA_VERSION);
    assert_eq!(result.verdicts.len(), 6);
    assert!(
        result
            .verdicts
            .iter()
            .all(|verdict| verdict.kind == Kind::Modelled)
    );
    let cut_short = ResultFile {
        complete: false,
        ..result
    };
    assert!(read(to_json(&cut_short).as_bytes()).is_ok());
}

#[test]
fn renders() {
    let text = render(&sample());
    // 2 MB and 0.05 s + 0.003 s against 732 MB: 8 · (731.906 − 2) MB / 53.125 ms.
    assert!(
        text.contains(
            "Below 110 Gb/s recomputing from `reads` (raw) beats receiving the raw witness in \
             place; above, receiving is faster."
        ),
        "{text}"
    );
    // 8 · 731.906 MB / 1 Gb/s.
    let row = text
        .lines()
        .find(|line| line.contains("| witness, in place "));
    assert!(row.is_some_and(|row| row.contains(" 5.86 s ")), "{text}");
    assert!(
        text.contains("400 Gb/s witness, in place (14.6 ms)"),
        "{text}"
    );
    assert!(!text.contains("strongest rival"), "{text}");
    assert!(!text.contains("padded"), "{text}");
    assert!(
        text.contains("note: a note") && text.contains("698 bytes a cycle"),
        "{text}"
    );
}

/// A compressed witness that beats recomputing where the raw one in place does not.
#[test]
fn renders_a_strong_rival_and_what_delta_prev_needs() {
    let mut rows = Rows::default();
    for (encoding, compression, bytes, seconds) in [
        (Encoding::Witness, Compression::Zstd, 1e8, 0.01),
        (Encoding::DeltaPrevious, Compression::Raw, 2e8, 0.02),
    ] {
        let key = |stage| Key::of_bytes(stage, encoding, compression);
        rows.add(key(Stage::Size), Some(3), bytes);
        rows.add(key(Stage::Decode), Some(3), seconds);
        rows.add(Key::regenerate(encoding, "cpu", None), Some(3), seconds);
    }
    let mut result = sample();
    result.rows = rows.to_vec();
    result.segments.truncate(1);
    result.segments[0].num_cycles = 1000;
    result.verdicts = rewit::report::verdicts(&result.segments, &result.rows);
    let text = render(&result);
    let has = |words: &str| assert!(text.contains(words), "no {words:?} in {text}");
    // 8 · (731.906 − 200) MB / 40 ms.
    has("Below 106 Gb/s recomputing from `delta-prev` (raw; the receiver must hold the memory");
    has("as zstd on every link");
    has("not the strongest rival: below 106 Gb/s (zstd)");
    has("1 Gb/s witness zstd");
    has("segment 3 is not full (1,000 of 2^20 cycles)");
    has("* delta-prev: the receiver must hold");
    let named = text.lines().filter(|line| line.contains("`delta-prev`"));
    for line in named {
        assert!(line.contains("the receiver must hold"), "{line}");
    }
}

#[test]
fn published_schema_is_up_to_date() {
    let path = "docs/result.schema.json";
    if std::env::var_os("REWIT_BLESS").is_some() {
        std::fs::write(path, schema()).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert!(published == schema(), "run `rewit schema > {path}`");
}

#[test]
fn truncated_anywhere() {
    let end = TEXT.trim_end().len();
    for len in 0..end {
        let error = read(&TEXT.as_bytes()[..len]).unwrap_err().to_string();
        assert!(error.starts_with("bad result file: "), "{len}: {error}");
    }
}

#[test]
fn other_versions() {
    for version in ["0", "2", "18446744073709551615"] {
        let error = message(
            r#""schema_version": 1"#,
            &format!(r#""schema_version": {version}"#),
        );
        assert!(
            error.contains(&format!("schema_version is {version}")),
            "{error}"
        );
    }
    for version in [
        "-1",
        "1.5",
        "\"1\"",
        "null",
        "1e400",
        "18446744073709551616",
    ] {
        message(
            r#""schema_version": 1"#,
            &format!(r#""schema_version": {version}"#),
        );
    }
    // Another version is named even if nothing else is as in this one.
    let error = read(br#"{"schema_version": 7, "rows": "none"}"#)
        .unwrap_err()
        .to_string();
    assert!(error.contains("schema_version is 7"), "{error}");
}

#[test]
fn numbers_out_of_range() {
    for value in ["1e999", "-1e999", "1e308e1", "NaN", "Infinity", "-1.0"] {
        message(
            r#""elapsed_seconds": 34.5"#,
            &format!(r#""elapsed_seconds": {value}"#),
        );
        message(r#""value": 0.125"#, &format!(r#""value": {value}"#));
    }
    let error = message(r#""value": 0.125"#, r#""value": -0.125"#);
    assert!(error.contains("rows[0].samples[1].value"), "{error}");
    // Too large to multiply, and merely not what the summary is of.
    let error = message(r#""value": 0.125"#, r#""value": 1e300"#);
    assert!(error.contains("rows[0].samples[1].value"), "{error}");
    let error = message(r#""value": 0.125"#, r#""value": 1e29"#);
    assert!(error.contains("rows[0].summary"), "{error}");
    let error = message(r#""logical_cores": 2"#, r#""logical_cores": 4294967296"#);
    assert!(error.contains("line"), "{error}");
    let error = message(r#""index": 9"#, r#""index": 12"#);
    assert!(error.contains("segments[1].index"), "{error}");
    let error = message(
        r#""start_cycle": 3145728"#,
        r#""start_cycle": 18446744073709551615"#,
    );
    assert!(error.contains("segments[0]"), "{error}");
    let error = message(r#""log_cycles": 20"#, r#""log_cycles": 4000000000"#);
    assert!(error.contains("parameters.log_cycles"), "{error}");
    let error = message(r#""exit_code": 0"#, r#""exit_code": 256"#);
    assert!(error.contains("guest.exit_code"), "{error}");
}

/// The message for the sample changed in some way.
fn changed(change: impl FnOnce(&mut ResultFile)) -> String {
    let mut result = sample();
    change(&mut result);
    read(to_json(&result).as_bytes()).unwrap_err().to_string()
}

#[test]
fn segments_that_lie_elsewhere() {
    let has = |error: String, words: &str| assert!(error.contains(words), "{error}");
    has(
        changed(|r| r.segments[0].start_cycle += 1),
        "segments[0].start_cycle",
    );
    has(
        changed(|r| r.segments[1].num_cycles = 0),
        "segments[1].num_cycles",
    );
    has(
        changed(|r| r.segments[1].num_cycles += 1),
        "segments[1].num_cycles",
    );
    has(
        changed(|r| r.segments[1] = r.segments[0].clone()),
        "segments[1].index",
    );
}

#[test]
fn rows_and_verdicts_that_do_not_fit() {
    let has = |error: String, words: &str| assert!(error.contains(words), "{error}");
    has(
        changed(|r| r.rows.push(r.rows[2].clone())),
        "has the key of an earlier row",
    );
    has(
        changed(|r| r.verdicts[2].bytes *= 1.000_001),
        "verdicts[2].bytes ",
    );
    has(
        changed(|r| r.verdicts[2].bytes_per_cycle += 1.0),
        "verdicts[2].bytes_per_cycle",
    );
    has(
        changed(|r| r.verdicts[3].seconds /= 2.0),
        "verdicts[3].seconds",
    );
    has(
        changed(|r| r.verdicts[3].break_even[0].recompute = Crossing::Always),
        "verdicts[3].break_even[0]",
    );
    has(
        changed(|r| r.verdicts[3].break_even.truncate(2)),
        "verdicts[3].break_even has 2 entries",
    );
    has(
        changed(|r| r.verdicts[5].totals[4].seconds += 1e-3),
        "verdicts[5].totals[4].seconds",
    );
    has(
        changed(|r| r.verdicts[5].totals[4].gigabits_per_second = 7.0),
        "verdicts[5].totals[4].gigabits_per_second",
    );
    has(
        changed(|r| r.verdicts[0].compression = "lz4".into()),
        "verdicts[0] is of witness lz4",
    );
    has(
        changed(|r| r.verdicts.push(r.verdicts[0].clone())),
        "verdicts[6] is of witness raw",
    );
    has(changed(|r| r.verdicts.truncate(5)), "verdicts has none of");
    has(changed(|r| r.rows.clear()), "verdicts[0]");
    // Rounding is no difference.
    let mut result = sample();
    result.verdicts[2].bytes *= 1.0 + 1e-12;
    assert!(read(to_json(&result).as_bytes()).is_ok());
}

#[test]
fn proofs_that_do_not_fit() {
    for (from, to, words) in [
        (
            "\"rows\": 1048576",
            "\"rows\": 1048575",
            "proofs[0].rows is 1048575",
        ),
        (
            "\"num_queries\": 161",
            "\"num_queries\": 0",
            "parameters.proof: number of queries 0",
        ),
        ("\"extension\": 5", "\"extension\": 6", "extension degree 6"),
        (
            "\"argument_bytes\": 478560",
            "\"argument_bytes\": 478561",
            "proofs[0].argument_bytes",
        ),
        (
            "\"statement_bytes\": 33583",
            "\"statement_bytes\": 3",
            "proofs[0].statement_bytes",
        ),
        (
            "\"unique_decoding_bits\": 86.25",
            "\"unique_decoding_bits\": -1.0",
            "unique_decoding_bits",
        ),
        (
            "\"johnson_bits\": 100.125",
            "\"johnson_bits\": 256.0",
            "more than",
        ),
        (
            "\"johnson_bits\": 100.125",
            "\"johnson_bits\": -1.0",
            "johnson_bits",
        ),
        (
            "\"conjectured_bits\": 125.5",
            "\"conjectured_bits\": -2.0",
            "conjectured_bits",
        ),
    ] {
        let message = message(from, to);
        assert!(message.contains(words), "{message}");
    }
    let changed = |change: fn(&mut ResultFile)| {
        let mut result = sample();
        change(&mut result);
        let error = read(to_json(&result).as_bytes()).unwrap_err();
        error.to_string()
    };
    let twice = changed(|result| result.proofs.push(result.proofs[0].clone()));
    assert!(twice.contains("as of an earlier one"), "{twice}");
    let elsewhere = changed(|result| result.proofs[0].index = 4);
    assert!(elsewhere.contains("not among the segments"), "{elsewhere}");
    let without = changed(|result| result.parameters.proof = None);
    assert!(without.contains("no parameters.proof"), "{without}");
}

/// Files of before there were proofs.
#[test]
fn files_without_proofs() {
    let mut result = sample();
    result.proofs.clear();
    (result.parameters.proofs, result.parameters.proof) = (0, None);
    result
        .rows
        .retain(|row| ![Stage::Prove, Stage::Verify, Stage::ProofSize].contains(&row.key.stage));
    let text = to_json(&result);
    let text = text.replace("\"proofs\": [],\n", "");
    assert!(!text.contains("\"proofs\": ["), "{text}");
    assert!(read(text.as_bytes()).unwrap() == result);
}

#[test]
fn names_and_digests() {
    let hash = blake3::hash(b"").to_string();
    for bad in [
        &hash[1..],
        &hash.to_uppercase(),
        &format!("{hash}0"),
        "",
        &hash.replace('a', "g"),
    ] {
        let error = message(&hash, bad);
        assert!(error.contains("guest.elf_blake3"), "{error}");
    }
    let error = message(r#""backend": "cpu""#, r#""backend": "cuda-on-cpu""#);
    assert!(
        error.contains("backend") && error.contains("stand-in"),
        "{error}"
    );
    let error = message(r#""encoding": "witness""#, r#""encoding": "wittness""#);
    assert!(error.contains(".encoding: unknown encoding"), "{error}");
    let error = message(r#""stage": "decode""#, r#""stage": "guess""#);
    assert!(error.contains("guess"), "{error}");
    let error = message(r#""unit": "bytes""#, r#""unit": "seconds""#);
    assert!(error.contains("unit"), "{error}");
    let error = message(r#""created": "2026"#, r#""created": "soon"#);
    assert!(error.contains("created"), "{error}");
    let error = message(r#""hardware""#, r#""software""#);
    assert!(error.contains("software"), "{error}");
    let error = message(r#""kind": "modelled""#, r#""kind": "measured""#);
    assert!(error.contains("verdicts[0].kind"), "{error}");
}

#[test]
fn times_of_a_stand_in_are_refused() {
    let gpu = |name: &str| Gpu {
        name: name.into(),
        compute_capability: "9.0".into(),
        num_multiprocessors: 132,
        memory_bytes: 141_000_000_000,
        cuda_version: "13.0".into(),
        ..Gpu::default()
    };
    let error = changed(|file| file.hardware.gpu = Some(gpu("CPU stand-in for CUDA (no GPU)")));
    assert!(error.contains("hardware.gpu is a stand-in"), "{error}");
    let of_cpu = |row: &&mut Row| row.key.backend.as_deref() == Some("cpu");
    let error = changed(|file| {
        let row = file.rows.iter_mut().find(of_cpu).unwrap();
        row.key.backend = Some("cuda".into());
    });
    assert!(error.contains("hardware.gpu is missing"), "{error}");
    let mut result = sample();
    result.hardware.gpu = Some(gpu("a GPU"));
    assert!(read(to_json(&result).as_bytes()).unwrap() == result);
}

#[test]
fn too_deep_or_too_large() {
    assert!(read("[".repeat(100_000).as_bytes()).is_err());
    assert!(read(r#"{"schema_version":"#.repeat(10_000).as_bytes()).is_err());
    let error = read(&vec![b' '; rewit::report::MAX_BYTES + 1])
        .unwrap_err()
        .to_string();
    assert!(error.contains("expected at most"), "{error}");
}

#[test]
fn writing_replaces_the_file_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("result.json");
    let mut result = sample();
    for elapsed in [1.0, 2.0] {
        result.elapsed_seconds = elapsed;
        write(&path, &result).unwrap();
        assert!(read(&std::fs::read(&path).unwrap()).unwrap() == result);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    #[cfg(unix)]
    {
        // The file behind a link is replaced, and the link stays.
        let link = dir.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        result.elapsed_seconds = 3.0;
        write(&link, &result).unwrap();
        assert!(link.is_symlink());
        assert!(read(&std::fs::read(&path).unwrap()).unwrap() == result);
        write("/dev/null".as_ref(), &result).unwrap();
    }
    let error = write(&dir.path().join("no/such"), &result)
        .unwrap_err()
        .to_string();
    assert!(error.contains("such"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn mutated(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = TEXT.clone().into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(result) = read(&bytes) {
            // What is accepted can be written, read again, and shown.
            prop_assert!(read(to_json(&result).as_bytes()).unwrap() == result);
            render(&result);
        }
    }

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
    }
}
