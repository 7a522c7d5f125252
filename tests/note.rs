//! The note's ledger: each figure derived again, and the tree by moving its objects.

mod results;

use std::collections::VecDeque;

use proptest::prelude::*;
use results::{figures, foldings, mean, near, runs};
use rewit::measure::Kind;
use rewit::model::note::{
    Evidence, Figure, Ledger, LedgerInputs, Line, NOTE, Note, Unit, Verdict, ledger, note,
};
use rewit::model::{Costs, Quantity};
use rewit::report::{AnyFile, NoteReport, costs, folded_sizes};
use serde_json::Value;

const NOTHING: Evidence<'static> = Evidence {
    costs: &[],
    folded: &[],
    latency_seconds: None,
};

fn as_written() -> Note {
    note(&NOTE, &[], &NOTHING).unwrap()
}

fn line<'n>(note: &'n Note, id: &str) -> &'n Line {
    let mut found = note.lines.iter().filter(|line| line.id == id);
    let line = found.next().unwrap_or_else(|| panic!("no line {id}"));
    assert!(found.next().is_none(), "two lines {id}");
    line
}

fn says(note: &Note, id: &str) -> f64 {
    let figure = line(note, id).says.as_ref().unwrap();
    assert_eq!((figure.kind, &*figure.source), (Kind::Declared, "the note"));
    figure.value
}

fn written(note: &Note, id: &str) -> f64 {
    let figure = line(note, id).as_written.as_ref().unwrap();
    assert_eq!(figure.kind, Kind::Modelled);
    figure.value
}

fn corrected(note: &Note, id: &str) -> Vec<f64> {
    line(note, id)
        .corrected
        .iter()
        .map(|figure| figure.value)
        .collect()
}

/// Every row of the table that the project keeps of the note, by arithmetic written out here.
#[test]
fn lines_of_the_note() {
    let note = as_written();
    use Verdict::*;
    let rows: [(&str, Option<f64>, f64, Verdict); 16] = [
        ("segments", Some(1000.0), 1e9 / 1e6, Right),
        ("assigned", Some(50e9), 1000.0 * 50e6, Right),
        ("returned", Some(250e6), 1000.0 * 250e3, Right),
        ("joins-sent", Some(2000.0), 1998.0, Rounded),
        ("joins-returned", Some(1000.0), 999.0, Rounded),
        ("levels", None, 10.0, Right),
        ("tree", Some(750e6), (1998.0 + 999.0) * 250e3, Rounded),
        ("aggregation", Some(1e9), 250e6 + 749.25e6, Rounded),
        ("total", Some(51e9), 50e9 + 250e6 + 749.25e6, Rounded),
        ("segment-witness", Some(1e9), 1e6 * 1e3, Right),
        ("witness", Some(1e12), 1e9 * 1e3, Right),
        ("gate", Some(750.0), 765.0, WrongUnit),
        ("nova-floor", Some(7.5e6), 937_500.0, BitsAsBytes),
        ("cyclefold-floor", Some(750e3), 93_750.0, BitsAsBytes),
        ("chunk", Some(1e6), 1e9 / 1e3, Right),
        ("folding-aggregation", None, 3997.0 * 1e6, False),
    ];
    for (id, said, value, verdict) in rows {
        if let Some(said) = said {
            assert_eq!(says(&note, id), said, "{id}");
        } else {
            assert_eq!(line(&note, id).says, None, "{id}");
        }
        assert_eq!(written(&note, id), value, "{id}");
        assert_eq!(line(&note, id).verdict, verdict, "{id}");
    }
    assert_eq!(written(&note, "tree"), 749.25e6);
    assert_eq!(written(&note, "total"), 50.999_25e9);
    assert_eq!(corrected(&note, "assigned"), [50e9, 200e9]);
    assert_eq!(corrected(&note, "total"), [50.999_25e9, 200.999_25e9]);
    assert_eq!(corrected(&note, "levels"), [10.0, 125.0, 63.0]);
    assert_eq!(corrected(&note, "tree"), [749.25e6, 1998.0, 999.0]);

    assert_eq!(says(&note, "assigned-share"), 0.95);
    let share = written(&note, "assigned-share");
    assert!((share - 50.0 / 51.0).abs() < 2e-5, "{share}");
    assert_eq!(line(&note, "assigned-share").verdict, Wrong);
    assert!(near(written(&note, "negligible"), 999.25e6 / 50.999_25e9));
    assert!(near(share + written(&note, "negligible"), 1.0));
}

#[test]
fn lines_about_folding() {
    let note = as_written();
    // Two elements of 32 B each are 512 bits.
    assert_eq!(corrected(&note, "gate"), [765.0, 512.0]);
    // 10,000 · 750 / 8; 10,000 · 64; what nova-snark's own circuit has.
    assert_eq!(
        corrected(&note, "nova-floor"),
        [937_500.0, 640_000.0, 638_928.0]
    );
    assert_eq!(line(&note, "nova-floor").corrected[2].kind, Kind::Declared);
    assert_eq!(
        corrected(&note, "cyclefold-gates"),
        [33_856.0, 86_756.0, 138_240.0, 1_354.0]
    );
    assert_eq!(line(&note, "cyclefold-gates").verdict, Verdict::Misread);
    for gain in corrected(&note, "cyclefold-gain") {
        assert!(gain < 1.0, "{gain}");
    }
    // 250,000 cells as elements of 32 B, once for W and once for E.
    assert_eq!(corrected(&note, "folded"), [8e6, 16e6]);
    assert_eq!(corrected(&note, "folded-returned"), [8e9, 16e9]);
    assert_eq!(line(&note, "folded").verdict, Verdict::Low);
    assert_eq!(
        corrected(&note, "folding-aggregation"),
        [3.997e9, 63.952e9, 999.25e6]
    );
    assert_eq!(says(&note, "match"), 250e3);
    assert_eq!(written(&note, "match"), 7_812.0);
    // As relaxed R1CS, and as published for a folding without E.
    assert_eq!(
        corrected(&note, "match"),
        [3_906.0, 7_327.0, 7_327.0 * 64.0, 268_368.0]
    );
    // 1,000 · 750 / 8; the least primary circuit at 64 B.
    assert_eq!(
        corrected(&note, "cyclefold-floor"),
        [93_750.0, 33_856.0 * 64.0]
    );
    assert_eq!(line(&note, "match").verdict, Verdict::NotReachable);
}

#[test]
fn headline_and_what_is_needed() {
    let note = as_written();
    let found: Vec<f64> = note.break_even.iter().map(|figure| figure.value).collect();
    assert_eq!(found.len(), 2);
    assert!(near(found[0], 7.6e9) && near(found[1], 76e9), "{found:?}");

    let item = |id: &str| note.needed.iter().find(|item| item.id == id).unwrap();
    let values = |id| -> Vec<f64> { item(id).figures.iter().map(|figure| figure.value).collect() };
    assert_eq!(values("egress"), [400.0, 40.0, 4.0]);
    assert_eq!(values("latency")[0], 22.0);
    let slow = Quantity::declared(0.03, "a link across an ocean");
    let far = Evidence {
        latency_seconds: Some(&slow),
        ..NOTHING
    };
    let with_link = rewit::model::note::note(&NOTE, &[], &far);
    let latency = with_link
        .unwrap()
        .needed
        .into_iter()
        .find(|item| item.id == "latency");
    let figures = latency.unwrap().figures;
    assert_eq!((figures[2].value, figures[2].kind), (0.03, Kind::Declared));
    assert!(near(figures[3].value, 22.0 * 0.03));
    assert!(near(values("executor")[0], 1e9 / 43e6));
    // One lost in a hundred is sent again, and so on.
    let series: f64 = (1..40).map(|i| 50e9 * 0.01f64.powi(i)).sum();
    assert!(near(values("retries")[0], series));
    for id in ["compression", "deduplication", "metadata", "inputs"] {
        assert!(values(id).is_empty(), "{id} is not counted without files");
    }
    for item in note.needed.iter().chain(&note.questions) {
        assert!(!item.what.is_empty() && !item.id.is_empty());
        let measured = |figure: &Figure| figure.kind == Kind::Measured;
        assert!(!item.figures.iter().any(measured), "{}", item.id);
    }
    assert_eq!(note.questions.len(), 6);
}

/// Moves objects: bytes by link, counted at every transfer.
#[derive(Default, Debug)]
struct Moved {
    executor_out: f64,
    coordinator_in: f64,
    coordinator_out: f64,
    worker_in: Vec<f64>,
    worker_out: Vec<f64>,
    sent: u64,
    returned: u64,
    levels: u64,
}

fn moved(machines: usize, segments: u64, snapshot: f64, stark: f64) -> Moved {
    let mut moved = Moved {
        worker_in: vec![0.0; machines],
        worker_out: vec![0.0; machines],
        ..Moved::default()
    };
    for segment in 0..segments as usize {
        let worker = segment % machines;
        moved.executor_out += snapshot;
        moved.worker_in[worker] += snapshot;
        moved.worker_out[worker] += stark;
        moved.coordinator_in += stark;
    }
    let mut level: VecDeque<()> = (0..segments).map(|_| ()).collect();
    while level.len() > 1 {
        moved.levels += 1;
        let mut above = VecDeque::new();
        let mut join = 0;
        while let Some(()) = level.pop_front() {
            if level.pop_front().is_some() {
                let worker = join % machines;
                moved.sent += 2;
                moved.coordinator_out += 2.0 * stark;
                moved.worker_in[worker] += 2.0 * stark;
                moved.returned += 1;
                moved.worker_out[worker] += stark;
                moved.coordinator_in += stark;
                join += 1;
            }
            above.push_back(());
        }
        level = above;
    }
    moved
}

proptest! {
    /// Whole bytes, so that sums are exact in any order.
    #[test]
    fn ledger_is_what_is_moved(
        machines in 1usize..40,
        cycles in 1u64..5_000,
        segment_cycles in 1u64..200,
        snapshot in 1u32..1_000_000,
        stark in 1u32..1_000_000,
    ) {
        let inputs = LedgerInputs {
            machines: machines as f64,
            cycles: cycles as f64,
            segment_cycles: segment_cycles as f64,
            snapshot_bytes: snapshot.into(),
            stark_bytes: stark.into(),
        };
        inputs.check().unwrap();
        let found = ledger(&inputs);
        let segments = cycles.div_ceil(segment_cycles);
        let expected = moved(machines, segments, snapshot.into(), stark.into());
        let most = |bytes: &[f64]| bytes.iter().copied().fold(0.0, f64::max);
        prop_assert_eq!(found.segments, segments as f64);
        prop_assert_eq!(found.levels, expected.levels as f64);
        prop_assert_eq!(2.0 * found.joins, expected.sent as f64);
        prop_assert_eq!(found.joins, expected.returned as f64);
        prop_assert_eq!(found.executor_egress_bytes, expected.executor_out);
        prop_assert_eq!(found.coordinator_ingress_bytes, expected.coordinator_in);
        prop_assert_eq!(found.coordinator_egress_bytes, expected.coordinator_out);
        prop_assert_eq!(found.worker_ingress_max_bytes, most(&expected.worker_in));
        prop_assert_eq!(found.worker_egress_max_bytes, most(&expected.worker_out));
        prop_assert!(near(found.worker_ingress_mean_bytes, mean(&expected.worker_in)));
        prop_assert!(near(found.worker_egress_mean_bytes, mean(&expected.worker_out)));
        // Every byte leaves one machine and reaches another.
        let out = expected.executor_out + expected.coordinator_out + expected.worker_out.iter().sum::<f64>();
        prop_assert_eq!(found.total_bytes, out);
    }
}

/// The largest inputs allowed, and just beyond.
#[test]
fn inputs_that_are_refused() {
    type Change = fn(&mut LedgerInputs, f64);
    let set: [(&str, Change, f64); 5] = [
        ("--machines", |i, v| i.machines = v, 1e12),
        ("--cycles", |i, v| i.cycles = v, 1e18),
        ("--segment-cycles", |i, v| i.segment_cycles = v, 1e18),
        ("--snapshot", |i, v| i.snapshot_bytes = v, 1e18),
        ("--stark", |i, v| i.stark_bytes = v, 1e18),
    ];
    for (flag, change, most) in set {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, most * 1.5] {
            let mut inputs = NOTE;
            change(&mut inputs, value);
            let error = inputs.check().unwrap_err().to_string();
            assert!(error.starts_with(flag), "{flag} {value}: {error}");
        }
        let mut inputs = NOTE;
        if flag == "--cycles" {
            inputs.segment_cycles = most;
        }
        change(&mut inputs, most);
        inputs.check().unwrap();
        let Ledger { total_bytes, .. } = ledger(&inputs);
        assert!(total_bytes.is_finite());
    }
    let many = LedgerInputs {
        cycles: 1e15,
        segment_cycles: 1.0,
        ..NOTE
    };
    let error = many.check().unwrap_err().to_string();
    assert!(error.contains("raise --segment-cycles"), "{error}");
    let part = LedgerInputs {
        machines: 1.5,
        ..NOTE
    };
    assert!(
        part.check()
            .unwrap_err()
            .to_string()
            .contains("whole number")
    );
    let sizes = [1e6; 17];
    let error = note(&NOTE, &sizes, &NOTHING).unwrap_err().to_string();
    assert!(error.contains("--snapshot has 17 sizes"), "{error}");
    let error = note(&NOTE, &[50e6, f64::NAN], &NOTHING)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("--snapshot"), "{error}");
}

/// With other inputs the note's own figures stay, and the same formulas are computed beside them.
#[test]
fn other_inputs() {
    let asked = LedgerInputs {
        machines: 64.0,
        cycles: 3e9,
        segment_cycles: 1e6,
        snapshot_bytes: 1e6,
        stark_bytes: 100e3,
    };
    let redone = note(&asked, &[4e6], &NOTHING).unwrap();
    let plain = as_written();
    assert_eq!(redone.asked.unwrap().snapshot_bytes, 4e6);
    assert_eq!(plain.asked, None);
    for (a, b) in plain.lines.iter().zip(&redone.lines) {
        assert_eq!(
            (&a.says, &a.as_written, &a.corrected),
            (&b.says, &b.as_written, &b.corrected)
        );
        assert_eq!(a.with_inputs, None);
    }
    let with = |id| line(&redone, id).with_inputs.as_ref().unwrap().value;
    assert_eq!(with("segments"), 3000.0);
    assert_eq!(with("snapshot"), 4e6);
    assert_eq!(with("assigned"), 12e9);
    assert_eq!(with("tree"), 3.0 * 2999.0 * 100e3);
    assert_eq!(redone.scenarios[0].inputs.machines, 64.0);
    assert_eq!(
        plain.scenarios.len(),
        redone.scenarios.len() + 1,
        "one snapshot, not two"
    );
}

fn measured() -> (Vec<AnyFile>, Vec<Costs>) {
    let files = vec![runs().remove(0).0, foldings().remove(0).0];
    let costs = costs(&files).unwrap();
    (files, costs)
}

/// From files: the same formulas with the files' sizes.
#[test]
fn recomputed_from_measured_sizes() {
    let (files, costs) = measured();
    let folded = folded_sizes(&files);
    let evidence = Evidence {
        costs: &costs,
        folded: &folded,
        latency_seconds: None,
    };
    let note = note(&NOTE, &[], &evidence).unwrap();
    let one = &costs[0];
    let segments = (1e9 / f64::from(1u32 << one.log_cycles)).ceil();
    let value = |id: &str, name: &str| {
        let figures = &line(&note, id).recomputed;
        let found = figures.iter().find(|figure| figure.name.ends_with(name));
        found
            .unwrap_or_else(|| panic!("{id}: no {name} in {figures:?}"))
            .value
    };
    let of = |encoding: &str, compression: &str| {
        let same = |cost: &&rewit::model::EncodingCost| {
            cost.encoding == encoding && cost.compression == compression
        };
        one.encodings.iter().find(same).unwrap().bytes.value
    };
    let image = of("image", "raw");
    let proof = one.proof.as_ref().unwrap();
    assert_eq!(value("segments", "cycles"), segments);
    assert_eq!(value("snapshot", "image, raw"), image);
    assert!(near(value("assigned", "image, raw"), segments * image));
    assert!(near(
        value("returned", "cycles"),
        segments * proof.bytes.value
    ));
    let tree = 3.0 * (segments - 1.0) * proof.bytes.value;
    assert!(near(value("tree", "cycles"), tree));
    let total = segments * (image + proof.bytes.value) + tree;
    assert!(near(value("total", "image, raw"), total));
    assert!(near(
        value("assigned-share", "image, raw"),
        segments * image / total
    ));
    assert_eq!(value("metadata", "cycles"), proof.statement_bytes.value);
    let cycles = f64::from(1u32 << one.log_cycles);
    assert!(near(
        value("row", "cycles"),
        one.witness_bytes.value / cycles
    ));

    for size in &folded {
        let name = format!("chunks of 2^{} rows", size.log_rows);
        let bytes = size.segment_bytes as f64;
        assert_eq!(value("match", &name), bytes);
        assert_eq!(value("folding-aggregation", &name), 3997.0 * bytes);
        let question = note
            .questions
            .iter()
            .find(|item| item.id == "ratio")
            .unwrap();
        let share = question
            .figures
            .iter()
            .find(|figure| figure.name.ends_with(&name))
            .unwrap();
        let scalars = (size.cpu.witness + size.cpu.error) as f64;
        assert!(near(share.value, 2.0 * 9986.0 / (2.0 * 9986.0 + scalars)));
    }

    // What is chosen as least is nothing that a worker with only the program could not use.
    let least = &line(&note, "snapshot").recomputed;
    for unusable in ["witness", "input", "delta-prev"] {
        assert!(
            !least
                .iter()
                .any(|figure| figure.name.contains(&format!(": {unusable},")))
        );
    }
    for scenario in &note.scenarios {
        let again = ledger(&scenario.inputs);
        assert_eq!(again, scenario.ledger);
    }
    let encodings = one.encodings.iter().map(|cost| &cost.encoding);
    for encoding in encodings {
        let of_encoding = |name: &str| name.contains(&format!(": {encoding}, "));
        assert!(
            note.scenarios
                .iter()
                .any(|scenario| of_encoding(&scenario.name)),
            "{encoding}"
        );
    }
    for item in &note.needed {
        assert!(!item.figures.is_empty(), "{} has no figure", item.id);
    }
    for question in &note.questions {
        assert!(
            question.answer.is_some() && question.measure.is_none(),
            "{question:?}"
        );
    }
}

/// All figures: finite, not negative, with where they come from; measured ones only where files were given.
#[test]
fn figures_have_provenance() {
    let (files, _) = measured();
    for files in [&[][..], &files[..1], &files[1..], &files[..]] {
        let report = NoteReport::new(files, &NOTE, &[]).unwrap();
        assert_eq!(report.measured.len(), files.len());
        let json: Value = serde_json::from_str(&report.to_json()).unwrap();
        let again: NoteReport = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(again, report);
        let mut kinds = [0; 3];
        figures(&json, &mut |figure| {
            let value = figure["value"].as_f64().unwrap();
            assert!(value.is_finite() && value >= 0.0, "{figure}");
            assert!(!figure["source"].as_str().unwrap().is_empty(), "{figure}");
            let all = ["measured", "modelled", "declared"];
            kinds[all.iter().position(|kind| figure["kind"] == *kind).unwrap()] += 1;
        });
        assert_eq!(kinds[0] > 0, !files.is_empty());
        assert!(kinds[1] > 0 && kinds[2] > 0);
    }
}

/// Units are those that formulas compute in.
#[test]
fn units() {
    let note = as_written();
    for line in &note.lines {
        let all = line
            .says
            .iter()
            .chain(&line.as_written)
            .chain(&line.corrected);
        let share = |figure: &&Figure| figure.unit == Unit::Share;
        assert!(
            all.filter(share).all(|figure| figure.value <= 1.0),
            "{}",
            line.id
        );
    }
}
