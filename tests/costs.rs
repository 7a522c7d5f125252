//! The costs that models start from: those of the files, found there by other code.

mod results;

use proptest::prelude::*;
use results::{foldings, mean, median, near, runs};
use rewit::measure::{Row, Stage};
use rewit::model::{Costs, Quantity};
use rewit::report::{AnyFile, ResultFile, costs, costs_in_chunks, folded_sizes};
use serde_json::Value;

/// The samples of the row whose named fields have these values, and which has no others of a key.
fn samples(file: &Value, key: &[(&str, &str)]) -> Option<Vec<f64>> {
    let of_key = |row: &&Value| {
        ["stage", "part", "encoding", "compression", "backend"]
            .iter()
            .all(|field| {
                let wanted = key.iter().find(|(name, _)| name == field);
                row[*field].as_str() == wanted.map(|(_, value)| *value)
            })
    };
    let row = file["rows"].as_array()?.iter().find(of_key)?;
    let values = row["samples"].as_array()?.iter();
    Some(
        values
            .map(|sample| sample["value"].as_f64().unwrap())
            .collect(),
    )
}

fn same(found: &Quantity, expected: f64) {
    assert!(near(found.value, expected), "{found:?}: {expected}");
    assert!(!found.source.is_empty());
}

fn run_of(file: &AnyFile) -> ResultFile {
    file.runs()[0].clone()
}

fn file_of(run: ResultFile) -> AnyFile {
    AnyFile::Run(Box::new(run))
}

#[test]
fn numbers_are_those_of_the_file() {
    for (file, json) in runs() {
        let all = costs(std::slice::from_ref(&file)).unwrap();
        assert!(!all.is_empty());
        for found in &all {
            of_file(found, &json);
        }
    }
}

fn of_file(found: &Costs, json: &Value) {
    let cycles = json["guest"]["cycles"].as_f64().unwrap();
    for (hz, stage) in [
        (&found.execute_hz, "execute"),
        (&found.record_reads_hz, "execute-record-reads"),
        (&found.record_all_hz, "execute-record-all"),
    ] {
        let seconds = samples(json, &[("stage", stage)]).unwrap();
        assert_eq!(hz.samples.len(), seconds.len());
        for (hz, seconds) in hz.samples.iter().zip(&seconds) {
            assert!(near(hz * seconds, cycles));
        }
        same(hz, cycles / median(seconds));
        assert!(hz.source.contains(stage), "{}", hz.source);
    }
    let witness: Vec<f64> = json["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|segment| segment["witness_bytes"].as_f64().unwrap())
        .collect();
    same(&found.witness_bytes, mean(&witness));
    same(
        &found.program_bytes,
        json["guest"]["elf_bytes"].as_f64().unwrap(),
    );
    same(
        &found.input_bytes,
        json["guest"]["input_bytes"].as_f64().unwrap(),
    );

    let mut sizes = 0;
    for encoding in json["parameters"]["encodings"].as_array().unwrap() {
        for compression in json["parameters"]["compressions"].as_array().unwrap() {
            let (encoding, compression) =
                (encoding.as_str().unwrap(), compression.as_str().unwrap());
            let of = |stage| {
                let key = [
                    ("stage", stage),
                    ("encoding", encoding),
                    ("compression", compression),
                ];
                samples(json, &key)
            };
            let Some(bytes) = of("size") else { continue };
            sizes += 1;
            let cost = found
                .encodings
                .iter()
                .find(|cost| cost.encoding == encoding && cost.compression == compression)
                .unwrap();
            same(&cost.bytes, mean(&bytes));
            assert_eq!(cost.bytes.samples, bytes);
            same(&cost.encode_seconds, median(of("encode").unwrap()));
            same(&cost.decode_seconds, median(of("decode").unwrap()));
            let key = [
                ("stage", "regenerate"),
                ("encoding", encoding),
                ("backend", &found.backend),
            ];
            let seconds = samples(json, &key).unwrap();
            let words = format!("regenerate, {encoding}, {}", found.backend);
            assert!(cost.regenerate_seconds.source.starts_with(&words));
            assert!(
                cost.regenerate_seconds
                    .source
                    .contains(&format!("{} sample", seconds.len()))
            );
            same(&cost.regenerate_seconds, median(seconds));
        }
    }
    assert_eq!(found.encodings.len(), sizes);

    let Some(proof) = &found.proof else {
        assert!(json["proofs"].as_array().unwrap().is_empty());
        return;
    };
    let key = [("stage", "prove"), ("backend", &*found.backend)];
    same(&proof.seconds, median(samples(json, &key).unwrap()));
    same(
        &proof.verify_seconds,
        median(samples(json, &[("stage", "verify")]).unwrap()),
    );
    let proofs = json["proofs"].as_array().unwrap();
    let of = |field: &str| -> Vec<f64> {
        proofs
            .iter()
            .map(|proof| proof[field].as_f64().unwrap())
            .collect()
    };
    let (argument, statement) = (of("argument_bytes"), of("statement_bytes"));
    same(&proof.bytes, mean(&argument) + mean(&statement));
    same(&proof.statement_bytes, mean(&statement));
    let least = of("johnson_bits").into_iter().fold(f64::INFINITY, f64::min);
    assert_eq!(proof.johnson_bits, Some(least));
}

/// Folding a segment: every chunk of every table is committed to, and all but the first are folded.
#[test]
fn folding_is_joined_to_the_run_of_its_guest() {
    let (run, _) = runs().remove(0);
    for (folding, json) in foldings() {
        let files = [run.clone(), folding];
        let log_cycles = run_of(&run).parameters.log_cycles;
        let number = |table: &Value, field: &str| table[field].as_f64().unwrap();
        let scalars = |table: &Value| {
            ["known", "main", "lookup", "quadratic"]
                .map(|field| number(table, field))
                .iter()
                .sum::<f64>()
        };
        // Scalars of a chunk of the cpu table, seconds of its commitments, seconds of its fold.
        let mut timed = vec![[0.0; 3]];
        for size in json["measured"]["sizes"].as_array().unwrap() {
            let means = ["commit", "cross_term", "fold"].map(|part| {
                let samples = size[part]["samples"].as_array().unwrap();
                let samples: Vec<f64> = samples.iter().map(|s| s.as_f64().unwrap()).collect();
                mean(&samples)
            });
            let [commit, cross, rest] = means;
            timed.push([scalars(&size["tables"][0]), commit, cross + rest]);
        }
        let seconds_of = |part: usize, scalars: f64| {
            let pair = timed.windows(2).find(|pair| scalars <= pair[1][0]).unwrap();
            let share = (scalars - pair[0][0]) / (pair[1][0] - pair[0][0]);
            (1.0 - share) * pair[0][part] + share * pair[1][part]
        };
        let mut fastest: Option<f64> = None;
        for size in json["measured"]["sizes"].as_array().unwrap() {
            let log_rows = size["log_rows"].as_u64().unwrap() as u32;
            let tables = size["tables"].as_array().unwrap();
            let (mut seconds, mut merge, mut bytes) = (0.0, 0.0, 0.0);
            for (i, table) in tables.iter().enumerate() {
                let rows = if i == 0 {
                    2f64.powi(log_cycles as i32)
                } else {
                    number(table, "rows")
                };
                let chunks = rows / 2f64.powf(number(table, "log_rows"));
                let fold = seconds_of(2, scalars(table));
                seconds += chunks * seconds_of(1, scalars(table)) + (chunks - 1.0) * fold;
                merge += fold;
                bytes += number(table, "instance_bytes") + number(table, "folded_bytes");
            }
            let found = costs_in_chunks(&files, Some(log_rows)).unwrap();
            let fold = found[0].fold.as_ref().unwrap();
            assert_eq!(fold.log_rows, log_rows);
            same(&fold.seconds, seconds);
            same(&fold.merge_seconds, merge);
            same(&fold.accumulator_bytes, bytes);
            assert!(!fold.seconds.samples.is_empty());
            fastest = Some(fastest.map_or(seconds, |least| least.min(seconds)));
        }
        let found = costs(&files).unwrap();
        same(&found[0].fold.as_ref().unwrap().seconds, fastest.unwrap());
        let sizes = folded_sizes(&files);
        assert_eq!(
            sizes.len(),
            json["measured"]["sizes"].as_array().unwrap().len()
        );
        assert!(sizes.is_sorted_by_key(|size| size.log_rows));
    }
}

/// The model of a whole segment against the same segment folded whole: within a factor of 1.6. A chain of folds takes
/// longer than a tree of as many, which the model does not know.
#[test]
fn modelled_folding_is_near_a_measured_session() {
    let (run, _) = runs().remove(0);
    for (folding, json) in foldings() {
        let measured = &json["measured"];
        let parameters = &measured["parameters"];
        let mut run = run_of(&run);
        run.parameters.log_cycles = parameters["log_cycles"].as_u64().unwrap() as u32;
        let log_rows = parameters["log_rows"].as_u64().unwrap() as u32;
        let found = costs_in_chunks(&[file_of(run), folding], Some(log_rows)).unwrap();
        let modelled = found[0].fold.as_ref().unwrap().seconds.value;
        for session in measured["sessions"].as_array().unwrap() {
            let ratio = modelled / session["seconds"].as_f64().unwrap();
            assert!((1.0 / 1.6..1.6).contains(&ratio), "{ratio}");
        }
    }
}

#[test]
fn folding_of_anything_else_is_not_joined() {
    let (run, _) = runs().remove(0);
    let (folding, _) = foldings().remove(0);
    let changes: [fn(&mut ResultFile); 4] = [
        |run| run.guest.elf_blake3 = "0".repeat(64),
        |run| run.guest.input_blake3 = "0".repeat(64),
        |run| run.parameters.threads += 1,
        |run| run.hardware.cpu.push('X'),
    ];
    assert!(
        costs(&[run.clone(), folding.clone()]).unwrap()[0]
            .fold
            .is_some()
    );
    for change in changes {
        let mut other = run_of(&run);
        change(&mut other);
        let files = [file_of(other), folding.clone()];
        assert_eq!(costs(&files).unwrap()[0].fold, None);
        let error = costs_in_chunks(&files, Some(6)).unwrap_err().to_string();
        assert!(error.contains("rewit fold --sizes 6 --out FILE"), "{error}");
    }
}

/// Multiplies every time of a run.
fn scale(run: &mut ResultFile, factor: f64) {
    for row in &mut run.rows {
        if matches!(row.key.stage, Stage::Size | Stage::ProofSize) {
            continue;
        }
        for sample in &mut row.samples {
            sample.value *= factor;
        }
        row.summary = row.recompute().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Powers of two, so that nothing is rounded.
    #[test]
    fn scaled_times_scale_costs(log_factor in -20i32..20) {
        let factor = 2f64.powi(log_factor);
        let (file, _) = runs().remove(0);
        let mut run = run_of(&file);
        let before = costs(&[file]).unwrap().remove(0);
        scale(&mut run, factor);
        let after = costs(&[file_of(run)]).unwrap().remove(0);
        let times = |a: &Quantity, b: &Quantity| {
            assert_eq!(a.value * factor, b.value);
            let scaled: Vec<f64> = a.samples.iter().map(|sample| sample * factor).collect();
            assert_eq!(scaled, b.samples);
        };
        for (a, b) in before.encodings.iter().zip(&after.encodings) {
            times(&a.encode_seconds, &b.encode_seconds);
            times(&a.decode_seconds, &b.decode_seconds);
            times(&a.regenerate_seconds, &b.regenerate_seconds);
            prop_assert_eq!(&a.bytes, &b.bytes);
        }
        if let (Some(a), Some(b)) = (&before.proof, &after.proof) {
            times(&a.seconds, &b.seconds);
            times(&a.verify_seconds, &b.verify_seconds);
            prop_assert_eq!(&a.bytes, &b.bytes);
        }
        prop_assert!(near(before.execute_hz.value, after.execute_hz.value * factor));
    }
}

#[test]
fn runs_without_what_models_need() {
    let (file, _) = runs().remove(0);
    let refused = |change: &dyn Fn(&mut ResultFile), words: &[&str]| {
        let mut run = run_of(&file);
        change(&mut run);
        let error = costs(&[file_of(run)]).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "no {word:?} in {error}");
        }
    };
    let drop_stage =
        |stage| move |run: &mut ResultFile| run.rows.retain(|row| row.key.stage != stage);
    let out = "rewit run --out FILE";
    refused(
        &drop_stage(Stage::Execute),
        &["no row of execute", out, "run of guest"],
    );
    refused(
        &drop_stage(Stage::ExecuteRecordAll),
        &["no row of execute-record-all", out],
    );
    refused(&drop_stage(Stage::Regenerate), &["no file has a run", out]);
    refused(&|run| run.segments.clear(), &["no segment was measured"]);
    refused(
        &|run| run.guest.cycles = 0,
        &["0 cycles of execute", "longer run"],
    );
    let set = |stage, value: f64| {
        move |run: &mut ResultFile| {
            let of_stage = |row: &&mut Row| row.key.stage == stage;
            for row in run.rows.iter_mut().filter(of_stage) {
                row.samples[0].value = value;
                row.summary = row.recompute().unwrap();
            }
        }
    };
    refused(&set(Stage::Execute, 0.0), &["give no rate"]);
    refused(&set(Stage::ExecuteRecordReads, 1e300), &["give no rate"]);
    refused(
        &set(Stage::Decode, 1e300),
        &["1e300", "decode", "expected 0 to 1e100"],
    );
    refused(&set(Stage::Size, 1.7e308), &["size", "expected 0 to 1e100"]);
    refused(&set(Stage::Prove, f64::INFINITY), &["inf", "prove"]);
    let error = costs(&[]).unwrap_err().to_string();
    assert!(error.contains("no file has a run"), "{error}");
    let error = costs(&[foldings().remove(0).0]).unwrap_err().to_string();
    assert!(error.contains(out), "{error}");
}

/// An encoding of which one stage is missing is no choice for a model.
#[test]
fn encodings_in_part_are_left_out() {
    let (file, _) = runs().remove(0);
    let all = costs(std::slice::from_ref(&file))
        .unwrap()
        .remove(0)
        .encodings;
    for stage in [Stage::Size, Stage::Encode, Stage::Decode, Stage::Regenerate] {
        let mut run = run_of(&file);
        let gone =
            |row: &Row| row.key.stage == stage && row.key.encoding.as_deref() == Some("reads");
        run.rows.retain(|row| !gone(row));
        let found = costs(&[file_of(run)]).unwrap().remove(0).encodings;
        let expected: Vec<_> = all
            .iter()
            .filter(|cost| cost.encoding != "reads")
            .cloned()
            .collect();
        assert_eq!(found, expected);
        assert!(found.len() < all.len());
    }
}
