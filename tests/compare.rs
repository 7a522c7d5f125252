//! Comparing result files: the same file has ratios of 1, scaled samples have the scale, and rows that
//! are not alike are refused with what differs.

mod comparison;

use std::sync::LazyLock;

use comparison::{RUN, plainly, published, refusal, run, scaled, with};
use rewit::measure::Stage;
use rewit::model::Crossing;
use rewit::report::compare::{CompareOptions, ComparedUnit, Comparison, Outcome, comparison_table};
use rewit::report::{AnyFile, FoldingFile, ProfileFile, ResultFile};

static FOLDING: LazyLock<FoldingFile> =
    LazyLock::new(|| rewit::report::read_folding(&published("fold")).unwrap());

/// Reasons of the refused rows of a stage.
fn reasons(comparison: &Comparison, stage: &str) -> Vec<String> {
    let refused = comparison.pairs[0].refused.iter();
    let of_stage = refused.filter(|row| row.label.stage == stage);
    of_stage.flat_map(|row| row.reasons.clone()).collect()
}

fn compared<'c>(comparison: &'c Comparison, stage: &'c str) -> usize {
    let rows = comparison.pairs[0].rows.iter();
    rows.filter(|row| row.label.stage == stage).count()
}

#[test]
fn the_same_file_has_ratios_of_one() {
    for kind in ["block", "fold", "proof-size"] {
        let file = AnyFile::read(&published(kind)).unwrap();
        let comparison = with(&CompareOptions::default(), vec![file.clone(), file]).unwrap();
        let pair = &comparison.pairs[0];
        assert!(pair.rows.len() > 50 && pair.refused.is_empty(), "{kind}");
        assert!(pair.only_in_baseline.is_empty() && pair.only_in_other.is_empty());
        assert!(
            pair.differences.is_empty() && pair.notes.is_empty(),
            "{pair:?}"
        );
        for row in &pair.rows {
            assert_eq!((row.ratio, row.base), (1.0, row.other), "{row:?}");
            let expected = match (row.unit, row.base_samples) {
                (ComparedUnit::Bytes, _) => Outcome::Equal,
                (ComparedUnit::Seconds, 1) => Outcome::Undecided,
                (ComparedUnit::Seconds, _) => Outcome::NoDifference,
            };
            assert_eq!(row.outcome, expected, "{row:?}");
            let holds = |row: &rewit::measure::RatioInterval| row.low <= 1.0 && 1.0 <= row.high;
            assert!(row.interval.as_ref().is_none_or(holds), "{row:?}");
        }
        for even in &pair.break_even {
            assert_eq!(even.base, even.other);
            assert!(even.ratio.is_none_or(|ratio| ratio == 1.0));
        }
    }
    let pair = &plainly(run(|_| ())).unwrap().pairs[0];
    assert_eq!(pair.rows.len(), RUN.rows.len());
    // Every encoding but the witness, in three compressions, against four ways to ship it.
    let recomputed = RUN
        .verdicts
        .iter()
        .filter(|verdict| verdict.encoding != "witness");
    let expected: usize = recomputed.map(|verdict| verdict.break_even.len()).sum();
    assert_eq!((pair.break_even.len(), expected % 24), (expected, 0));
}

#[test]
fn scaled_times_have_the_scale() {
    let pair = &plainly(run(scaled(1.5))).unwrap().pairs[0];
    for row in &pair.rows {
        let expected = if row.unit == ComparedUnit::Seconds {
            1.5
        } else {
            1.0
        };
        assert!((row.ratio - expected).abs() < 1e-12, "{row:?}");
    }
    // Twice as many bytes less the shipment, in 1.5 times the time: 8(W − S)/T is two thirds.
    let mut seen = 0;
    for even in &pair.break_even {
        if even.witness == rewit::report::Witnesses::RawInPlace {
            let (Crossing::Below { bits_per_second: a }, Crossing::Below { bits_per_second: b }) =
                (even.base, even.other)
            else {
                panic!("{even:?}");
            };
            assert!((b / a * 1.5 - 1.0).abs() < 1e-9 && even.ratio == Some(b / a));
            seen += 1;
        }
    }
    assert_eq!(seen, 24);
    // Ten times as long is beyond any noise of this file but that of `decode` in one segment.
    let pair = &plainly(run(scaled(10.0))).unwrap().pairs[0];
    let outcomes = pair.rows.iter().filter(|row| row.interval.is_some());
    assert!(outcomes.clone().count() > 80);
    for row in outcomes {
        assert_eq!(row.outcome, Outcome::Slower, "{row:?}");
    }
    let faster = &plainly(run(scaled(0.0625))).unwrap().pairs[0];
    let judged = faster.rows.iter().filter(|row| row.interval.is_some());
    judged.for_each(|row| assert_eq!(row.outcome, Outcome::Faster, "{row:?}"));
}

#[test]
fn bytes_are_equal_or_have_a_ratio() {
    let larger = |run: &mut ResultFile| {
        let sizes = run
            .rows
            .iter_mut()
            .filter(|row| row.key.stage == Stage::Size);
        // One byte more in one segment of each.
        sizes.for_each(|row| row.samples[0].value += 1.0);
    };
    let comparison = plainly(run(larger)).unwrap();
    let rows = &comparison.pairs[0].rows;
    for row in rows.iter().filter(|row| row.label.stage == "size") {
        assert_eq!(
            (row.outcome, row.interval),
            (Outcome::Larger, None),
            "{row:?}"
        );
        let sum = row.base * row.base_samples as f64;
        assert!((row.ratio - (sum + 1.0) / sum).abs() < 1e-12, "{row:?}");
    }
    assert_eq!(compared(&comparison, "size"), 27);
}

#[test]
fn other_guests_and_inputs_are_refused() {
    let other = blake3::hash(b"other").to_string();
    let guest = run(|run| run.guest.elf_blake3.clone_from(&other));
    let why = refusal(plainly(guest));
    let words = [
        "nothing can be compared",
        "117 rows of B",
        "guest",
        "47d41d91bb47",
        &other[..12],
    ];
    for word in words {
        assert!(why.contains(word), "{why}");
    }
    let input = run(|run| run.guest.input_blake3.clone_from(&other));
    assert!(refusal(plainly(input)).contains("other input: 2780 bytes (2fca792221c8)"));
}

#[test]
fn other_parameters_are_refused_by_name() {
    let queries = run(|run| run.parameters.proof.as_mut().unwrap().num_queries = 100);
    let comparison = plainly(queries).unwrap();
    for stage in ["prove", "verify", "proof-size"] {
        assert_eq!(compared(&comparison, stage), 0);
        for reason in reasons(&comparison, stage) {
            assert_eq!(reason, "other proof's num_queries: 162 / 100");
        }
    }
    assert_eq!(comparison.pairs[0].refused.len(), 5);
    assert_eq!(comparison.pairs[0].rows.len(), 112);

    let chunk = run(|run| run.parameters.log_chunk = 6);
    let comparison = plainly(chunk).unwrap();
    let reason = "other chunk of a minimal trace: 2^8 cycles / 2^6 cycles";
    for stage in [
        "encode",
        "decode",
        "size",
        "regenerate",
        "execute-record-reads",
    ] {
        assert_eq!(compared(&comparison, stage), 0, "{stage}");
        let reasons = reasons(&comparison, stage);
        assert!(!reasons.is_empty() && reasons.iter().all(|found| found == reason));
    }
    // What does not depend on it is compared; break-evens do.
    for stage in ["execute", "fold", "prove", "verify", "proof-size"] {
        assert!(compared(&comparison, stage) > 0, "{stage}");
    }
    assert!(comparison.pairs[0].break_even.is_empty());

    let weaker = run(|run| run.proofs[0].unique_decoding_bits = 60.25);
    let comparison = plainly(weaker).unwrap();
    let found = reasons(&comparison, "prove");
    assert_eq!(
        found[0],
        "other security of segment 7's proof: 86.6 / 60.2 provable bits"
    );
}

#[test]
fn other_segments_are_refused_and_shared_ones_compared() {
    let keep = |indices: &'static [u32]| {
        move |run: &mut ResultFile| {
            run.segments
                .retain(|segment| indices.contains(&segment.index));
            run.proofs.clear();
            run.folds.clear();
            for row in &mut run.rows {
                let kept = |index: u32| indices.contains(&index);
                row.samples.retain(|sample| sample.segment.is_none_or(kept));
            }
            run.rows.retain(|row| !row.samples.is_empty());
        }
    };
    let comparison = plainly(run(keep(&[7, 21]))).unwrap();
    let rows = &comparison.pairs[0].rows;
    let row = rows
        .iter()
        .find(|row| row.label.words() == "encode reads raw")
        .unwrap();
    assert_eq!(
        (row.base_samples, row.other_samples, row.ratio),
        (6, 6, 1.0)
    );
    assert!(row.note.contains("2 segments") && row.note.contains("7, 21, 35, 49 / 7, 21"));
    let even = &comparison.pairs[0].break_even;
    assert!(even.len() > 24 && even.iter().all(|even| even.base == even.other));

    let comparison = with(
        &CompareOptions::default(),
        vec![run(keep(&[7, 21])), run(keep(&[35]))],
    );
    let comparison = comparison.unwrap();
    assert_eq!(
        reasons(&comparison, "encode")[0],
        "no segment is in both: 7, 21 / 35"
    );
    assert_eq!(compared(&comparison, "execute"), 1);

    let tables = run(|run| run.segments[1].witness_blake3 = blake3::hash(b"").to_string());
    let comparison = plainly(tables).unwrap();
    let found = reasons(&comparison, "regenerate");
    assert!(
        found[0].starts_with("other witness of segment 21"),
        "{found:?}"
    );
}

#[test]
fn versions_builds_and_unfinished_runs() {
    let version = || run(|run| run.tool.version = "9.0.0".into());
    let why = refusal(plainly(version()));
    assert!(
        why.contains("/ 9.0.0 of rewit") && why.contains("--across-versions"),
        "{why}"
    );
    let options = CompareOptions {
        across_versions: true,
        ..CompareOptions::default()
    };
    let comparison = with(&options, vec![run(|_| ()), version()]).unwrap();
    assert_eq!(comparison.pairs[0].rows.len(), RUN.rows.len());
    assert!(comparison.pairs[0].notes[0].contains("of the programs as much"));
    // Of one version, commits may differ: that is how regressions are found.
    let commit = run(|run| run.tool.git_commit = "0123456789".repeat(4));
    let comparison = plainly(commit).unwrap();
    assert!(comparison.pairs[0].notes[0].contains("be1afd67b0a7 / 012345678901"));
    let why = refusal(plainly(run(|run| run.tool.profile = "debug".into())));
    assert!(why.contains("B was measured by a debug build"), "{why}");
    let why = refusal(plainly(run(|run| run.complete = false)));
    assert!(why.contains("B is of a run that did not end"), "{why}");
    let dirty = plainly(run(|run| run.tool.git_dirty = true)).unwrap();
    assert!(dirty.pairs[0].notes[0].contains("in no commit"));
}

/// As if it had been measured on a GPU.
fn on_cuda(run: &mut ResultFile) {
    let mut hardware = serde_json::to_value(&run.hardware).unwrap();
    hardware["gpu"] = serde_json::json!({
        "name": "NVIDIA H100 80GB HBM3", "compute_capability": "9.0", "num_multiprocessors": 132,
        "memory_bytes": 85_000_000_000u64, "cuda_version": "13.0",
    });
    run.hardware = serde_json::from_value(hardware).unwrap();
    for row in &mut run.rows {
        if let Some(backend) = &mut row.key.backend {
            *backend = "cuda".into();
        }
    }
}

#[test]
fn transfers_inside_or_outside() {
    let comparison = plainly(run(on_cuda)).unwrap();
    assert_eq!(compared(&comparison, "regenerate"), 0);
    assert!(compared(&comparison, "encode") > 0 && compared(&comparison, "size") > 0);
    let found = reasons(&comparison, "regenerate");
    let whole = "other backend: cpu / cuda; no transfers / upload inside, download outside; \
                 --across-backends compares them nevertheless";
    assert!(found.iter().any(|reason| reason == whole), "{found:?}");
    let gpu = comparison.pairs[0].differences.iter();
    assert!(
        gpu.clone()
            .any(|d| d.what == "hardware.gpu.name" && d.base == "none")
    );

    let options = CompareOptions {
        across_backends: true,
        ..CompareOptions::default()
    };
    let comparison = with(&options, vec![run(|_| ()), run(on_cuda)]).unwrap();
    let pair = &comparison.pairs[0];
    assert!(
        pair.notes
            .iter()
            .any(|note| note.contains("upload inside, download outside"))
    );
    // Nine encodings; their parts have other boundaries.
    assert_eq!(compared(&comparison, "regenerate"), 9);
    for reason in reasons(&comparison, "regenerate") {
        assert!(reason.contains("other boundaries on a device"), "{reason}");
    }
    assert_eq!(pair.break_even[0].at, "2^20 cycles, cpu / cuda");
    assert_eq!(compared(&comparison, "prove"), 2);
}

#[test]
fn machines_and_threads_are_what_is_compared() {
    let other = run(|run| {
        run.parameters.threads = 1;
        run.hardware.cpu = "Other CPU".into();
        run.hardware.ram_bytes = 1 << 30;
    });
    let comparison = plainly(other).unwrap();
    let found: Vec<_> = comparison.pairs[0]
        .differences
        .iter()
        .map(|d| (d.what.as_str(), d.base.as_str(), d.other.as_str()))
        .collect();
    let expected = [
        ("threads", "2", "1"),
        ("hardware.cpu", "AMD EPYC", "Other CPU"),
        ("hardware.ram_bytes", "25276510208", "1073741824"),
    ];
    assert_eq!(found, expected);
    let table = comparison_table(&comparison);
    assert!(table.contains("differs: threads: 2 / 1"), "{table}");
}

#[test]
fn foldings_and_profiles() {
    let folding = |change: &dyn Fn(&mut FoldingFile)| {
        let mut file = FOLDING.clone();
        change(&mut file);
        AnyFile::Folding(Box::new(file))
    };
    let against = |other| with(&CompareOptions::default(), vec![folding(&|_| ()), other]);
    let slower = |file: &mut FoldingFile| {
        for row in &mut file.measured.sizes {
            let fold = row.fold.as_mut().unwrap();
            fold.samples.iter_mut().for_each(|sample| *sample *= 4.0);
        }
        file.measured.sessions[0].proof_bytes += 7;
    };
    let comparison = against(folding(&slower)).unwrap();
    let rows = &comparison.pairs[0].rows;
    for row in rows
        .iter()
        .filter(|row| row.label.part.as_deref() == Some("rest"))
    {
        assert_eq!(
            (row.ratio, row.label.stage.as_str()),
            (4.0, "fold"),
            "{row:?}"
        );
    }
    let proof = rows
        .iter()
        .find(|row| row.label.words() == "fold-session-size proof seq");
    assert_eq!(proof.unwrap().outcome, Outcome::Larger);
    let proof = rows
        .iter()
        .find(|row| row.label.words() == "fold-session-size proof tree");
    assert_eq!(proof.unwrap().outcome, Outcome::Equal);
    let chunk = folding(&|file| file.measured.parameters.log_rows = 7);
    let comparison = against(chunk).unwrap();
    assert_eq!(compared(&comparison, "fold-session"), 0);
    assert_eq!(
        reasons(&comparison, "fold-session")[0],
        "other chunk to fold: 2^6 rows / 2^7 rows"
    );
    let segment = folding(&|file| file.measured.parameters.log_cycles = 15);
    assert!(refusal(against(segment)).contains("other segment: 2^14 cycles / 2^15 cycles"));
    // Nothing of one kind is in a file of another.
    let why = refusal(against(run(|_| ())));
    assert!(
        why.contains("88 rows are only in A, 117 only in B"),
        "{why}"
    );

    // A profile has both, and the run at another segment size, which belongs to no row of the run.
    let mut profile = ProfileFile::new(&RUN.hardware, &RUN.created);
    profile.tool = RUN.tool.clone();
    profile.complete = true;
    profile.foldings = vec![FOLDING.clone()];
    let mut small = RUN.clone();
    small.parameters.log_cycles = 18;
    profile.runs = vec![small, RUN.clone()];
    let profile = || AnyFile::Profile(Box::new(profile.clone()));
    let comparison = plainly(profile()).unwrap();
    let pair = &comparison.pairs[0];
    assert_eq!((pair.rows.len(), pair.refused.len()), (117, 0));
    assert!(
        pair.rows
            .iter()
            .all(|row| row.at.is_empty() || row.at.starts_with("2^20"))
    );
    assert_eq!(pair.only_in_other.len(), 117 + 88);
    let both = with(&CompareOptions::default(), vec![profile(), profile()]).unwrap();
    assert_eq!(both.pairs[0].rows.len(), 2 * 117 + 88);
    assert!(both.pairs[0].refused.is_empty());
}

#[test]
fn more_samples_than_are_compared() {
    let mut file = RUN.clone();
    let sample = file.rows[0].samples[0];
    file.rows[0].samples = vec![sample; (1 << 20) + 1];
    let comparison = plainly(AnyFile::Run(Box::new(file))).unwrap();
    assert_eq!(
        reasons(&comparison, "execute"),
        ["3 / 1048577 samples; at most 1048576 are compared"]
    );
}

#[test]
fn links() {
    use rewit::measure::{Link, LinkDirection, LinkPoint, Samples};
    use rewit::report::LinkFile;
    let link = |factor: f64, streams: u32| {
        let directions = [
            LinkDirection::RoundTrip,
            LinkDirection::ToServer,
            LinkDirection::FromServer,
        ];
        let point = |direction| {
            let times = [1.0, 1.25, 1.125, 1.0625, 1.5, 1.03125];
            let samples = Samples::new(times.map(|time| time * factor).to_vec()).unwrap();
            LinkPoint {
                direction,
                message_bytes: 1024,
                streams,
                samples: samples.samples,
                summary: samples.summary,
            }
        };
        let points = directions.map(point).to_vec();
        let link = Link::measured("loopback", points).unwrap();
        let mut file = LinkFile::new(link, &RUN.created, 1.0);
        // That of this test may be of any profile.
        file.tool = RUN.tool.clone();
        AnyFile::Link(Box::new(file))
    };
    let files = vec![link(1.0, 1), link(2.0, 1)];
    let comparison = with(&CompareOptions::default(), files).unwrap();
    let pair = &comparison.pairs[0];
    assert_eq!(pair.rows.len(), 3);
    for row in &pair.rows {
        assert_eq!((row.ratio, row.outcome), (2.0, Outcome::Slower), "{row:?}");
    }
    let slower = pair
        .differences
        .iter()
        .find(|d| d.what == "link.bits_per_second");
    assert!(slower.is_some(), "{pair:?}");
    let files = vec![link(1.0, 1), link(1.0, 4)];
    let why = refusal(with(&CompareOptions::default(), files));
    assert!(why.contains("3 rows are only in A, 3 only in B"), "{why}");
}

#[test]
fn several_files_have_one_baseline() {
    let files = vec![run(|_| ()), run(scaled(2.0)), run(scaled(0.5))];
    let mut comparison = with(&CompareOptions::default(), files).unwrap();
    let ratio = |pair: usize| comparison.pairs[pair].rows[0].ratio;
    assert_eq!((ratio(0), ratio(1)), (2.0, 0.5));
    assert_eq!(comparison.pairs[1].other, "C");
    comparison.judge(1.0);
    let exceeded = comparison.threshold.unwrap();
    assert!(
        exceeded
            .above
            .iter()
            .all(|row| row.file == "B" && row.interval.low > 1.0)
    );
    assert!(exceeded.above.len() > 50 && exceeded.undecided > 0);
}
