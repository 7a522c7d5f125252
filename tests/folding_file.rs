//! Files and tables of folding: fixed numbers give a fixed report, and malformed files an error that
//! says what is wrong.

mod hardware;

use std::sync::LazyLock;

use hardware::hardware;
use proptest::prelude::*;
use rewit::measure::{
    FoldMeasurement, FoldParameters, FoldStage, Guest, Hops, Kind, Peer, PeerStep, Samples,
    Session, SizeRow, StageSeconds, TableSize,
};
use rewit::report::{
    FoldingFile, StarkSize, fold_model, folding_schema, is_folding_file, read, read_folding,
};
use rewit::stark::air::TableAir;
use rewit::stark::{Grinding, Params};

/// A table whose relation has round numbers a row.
fn table(name: &str, rows: u64, log_rows: u32) -> TableSize {
    let log_rows = log_rows.min(rows.ilog2());
    let chunk = 1 << log_rows;
    let per_row = if name == "cpu" { 100 } else { 4 };
    let (quadratic, main, lookup) = (per_row * chunk, 2 * per_row * chunk, per_row * chunk / 2);
    let known = if name == "cpu" { 0 } else { 2 * chunk };
    TableSize {
        table: name.into(),
        rows,
        log_rows,
        num_chunks: rows >> log_rows,
        quadratic,
        linear: 5 * chunk,
        public: 4,
        known,
        main,
        lookup,
        cell_bytes: 4 * per_row * chunk,
        fresh_bytes: 4 * 32 + 3 * 32,
        instance_bytes: 5 * 32 + 4 * 32,
        folded_bytes: 32 * (quadratic + known + main + lookup),
    }
}

fn tables(log_rows: u32) -> Vec<TableSize> {
    let rows = [4096, 64, 1024, 65536, 16];
    TableAir::NAMES
        .into_iter()
        .zip(rows)
        .map(|(name, rows)| table(name, rows, log_rows))
        .collect()
}

fn session(order: &str) -> Session {
    let tables = tables(6);
    let hops: Vec<Hops> = tables
        .iter()
        .filter(|table| table.num_chunks > 1)
        .map(|table| Hops {
            table: table.table.clone(),
            level: 0,
            folds: table.num_chunks - 1,
            sent_bytes: 2 * (table.num_chunks - 1) * table.accumulator_bytes(),
            returned_bytes: (table.num_chunks - 1) * table.accumulator_bytes(),
        })
        .collect();
    Session {
        kind: Kind::Measured,
        order: order.into(),
        folds: hops.iter().map(|hops| hops.folds).sum(),
        seconds: 36.0,
        stages: FoldStage::ALL
            .into_iter()
            .zip(1..)
            .map(|(stage, seconds)| StageSeconds {
                stage,
                seconds: f64::from(seconds),
            })
            .collect(),
        hops,
        proof_bytes: 5_000_000,
        accumulator_bytes: tables.iter().map(TableSize::accumulator_bytes).sum(),
        verify_seconds: 0.5,
        peak_memory_bytes: Some(1_000_000_000),
    }
}

fn measured() -> FoldMeasurement {
    let hash = blake3::hash(b"").to_string();
    let times = |seconds: f64| Samples::new(vec![seconds, 1.125 * seconds, 1.25 * seconds]);
    FoldMeasurement {
        guest: Guest {
            name: "block".into(),
            elf_bytes: 741_752,
            elf_blake3: hash.clone(),
            input_bytes: 2780,
            input_blake3: hash,
            cycles: 12 << 20,
            exit_code: Some(0),
        },
        parameters: FoldParameters {
            segment: 3,
            log_cycles: 12,
            log_rows: 6,
            orders: vec!["seq".into(), "tree".into()],
            sizes: vec![4, 6, 8, 12],
            sample_folds: 3,
            backend: "cpu".into(),
            threads: 2,
        },
        witness_bytes: 3_000_000,
        shipment_bytes: 8_192,
        tables: tables(6),
        sessions: vec![session("seq"), session("tree")],
        sizes: [4u32, 6, 8, 12]
            .into_iter()
            .map(|log_rows| {
                let rows = f64::from(1u32 << log_rows);
                // The largest has one chunk, so there is nothing to fold.
                let some = log_rows < 12;
                SizeRow {
                    kind: Kind::Measured,
                    log_rows,
                    tables: tables(log_rows),
                    fresh_witness: times(256.0 * rows).filter(|_| some),
                    commit: times(64e-6 * rows).filter(|_| some),
                    cross_term: times(8e-6 * rows).filter(|_| some),
                    fold: times(128e-6 * rows).filter(|_| some),
                }
            })
            .collect(),
        peers: vec![Peer {
            name: "nova-snark 0.76".into(),
            kind: Kind::Measured,
            curve: "BN254/Grumpkin, scalars of 254 bits".into(),
            log_rows: 6,
            step: PeerStep::like(&table("cpu", 4096, 6)),
            primary_constraints: 21_186,
            primary_variables: 21_100,
            secondary_constraints: 10_538,
            verifier_constraints: 9_986,
            setup_seconds: 2.0,
            prove: Samples::new(vec![0.25, 0.5]).unwrap(),
            verify_seconds: 0.25,
            bytes: 2_500_000,
        }],
    }
}

fn sample() -> FoldingFile {
    let starks = vec![StarkSize {
        kind: Kind::Modelled,
        log_rows: 20,
        params: Params {
            log_blowup: 1,
            num_queries: 161,
            log_arity: 3,
            log_final_len: 7,
            cap_height: 0,
            extension: 5,
            grinding: Grinding::default(),
        },
        bytes: 778_000.0,
        unique_decoding_bits: 86.5,
        johnson_bits: Some(100.25),
        conjectured_bits: 123.5,
    }];
    let mut file = FoldingFile::new(
        measured(),
        starks,
        hardware(),
        "2026-11-22T12:00:00Z",
        34.5,
        true,
    );
    // So that the report does not change with the commit or the features.
    file.tool.version = "0.1.0".into();
    file.tool.git_commit = "0".repeat(40);
    file.tool.git_dirty = false;
    file.tool.features = vec![];
    file.tool.profile = "release".into();
    file
}

static TEXT: LazyLock<String> = LazyLock::new(|| sample().to_json());

#[test]
fn reads_what_it_writes() {
    assert!(read_folding(TEXT.as_bytes()).unwrap() == sample());
    assert!(is_folding_file(TEXT.as_bytes()));
    assert!(read(TEXT.as_bytes()).is_err());
    assert!(!is_folding_file(b"{\"schema_version\": 1}"));
    let cut_short = FoldingFile {
        complete: false,
        ..sample()
    };
    assert!(read_folding(cut_short.to_json().as_bytes()).is_ok());
}

#[test]
fn report_is_as_published() {
    let path = "tests/data/folding.txt";
    let text = sample().render();
    if std::env::var_os("REWIT_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert!(text == published, "{path} is not:\n{text}");
}

/// The numbers of the report, worked out by hand.
#[test]
fn report_says_what_follows() {
    let file = sample();
    let text = file.render();
    let has = |words: &str| assert!(text.contains(words), "no {words:?} in {text}");
    // 64 rows of 350 scalars: 100 of E, 250 of W; 14,400 constraints are as many scalars as 2·14,400.
    let cpu = table("cpu", 4096, 6);
    assert_eq!(cpu.witness_bytes() + cpu.error_bytes(), 64 * 350 * 32);
    assert_eq!(
        PeerStep::like(&cpu).small + PeerStep::like(&cpu).full,
        11_200
    );
    // 19,972 of 19,972 + 22,400 scalars.
    has("47.1 % at 2^6");
    has("749 MB");
    // 2997 · 778 kB.
    has("2.33 GB");
    has("3,906");
    has("At most 10 % is reached at 2^12 rows");
    assert_eq!(file.modelled.trees[0].tree_bytes, 749.25e6);
}

#[test]
fn published_schema_is_up_to_date() {
    let path = "docs/folding.schema.json";
    if std::env::var_os("REWIT_BLESS").is_some() {
        std::fs::write(path, folding_schema()).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        published == folding_schema(),
        "run `rewit schema fold > {path}`"
    );
}

/// The message for the sample changed in some way.
fn changed(change: impl FnOnce(&mut FoldingFile)) -> String {
    let mut file = sample();
    change(&mut file);
    read_folding(file.to_json().as_bytes())
        .unwrap_err()
        .to_string()
}

/// The same where what is modelled follows from the change.
fn remodelled(change: impl FnOnce(&mut FoldMeasurement)) -> String {
    changed(|file| {
        change(&mut file.measured);
        file.modelled = fold_model(&file.measured, &file.starks);
    })
}

#[test]
fn measurements_that_do_not_fit() {
    let has = |error: String, words: &str| assert!(error.contains(words), "{error}");
    type Change = fn(&mut FoldMeasurement);
    let cases: [(Change, &str); 22] = [
        (
            |m| m.parameters.backend = "cuda".into(),
            "hardware.gpu is missing",
        ),
        (|m| m.parameters.backend = "stand-in".into(), "stand-in"),
        (|m| m.parameters.log_cycles = 64, "log_cycles is 64"),
        (|m| m.guest.elf_blake3 = "0".into(), "guest.elf_blake3"),
        (|m| m.shipment_bytes = u64::MAX, "shipment_bytes"),
        (|m| drop(m.tables.pop()), "tables has 4 entries"),
        (|m| m.tables.swap(0, 1), "tables[0].table"),
        (|m| m.tables[0].rows += 1, "tables[0].rows"),
        (|m| m.tables[0].log_rows = 5, "tables[0].rows"),
        (|m| m.tables[0].log_rows = 40, "tables[0].log_rows"),
        (|m| m.tables[2].folded_bytes = 32, "tables[2].folded_bytes"),
        (|m| m.tables[2].main = 1 << 60, "tables[2].main"),
        (|m| m.sessions[1].order = "seq".into(), "sessions[1].order"),
        (
            |m| m.sessions[0].order = "random".into(),
            "sessions[0].order",
        ),
        (|m| m.sessions[0].folds += 1, "sessions[0].folds"),
        (|m| m.sessions[0].kind = Kind::Declared, "sessions[0].kind"),
        (|m| m.sessions[0].hops[0].folds += 1, "sessions[0].hops"),
        (
            |m| m.sessions[0].stages[1].stage = FoldStage::Assign,
            "stages[1].stage",
        ),
        (|m| m.sizes.swap(0, 1), "sizes[1].log_rows"),
        (|m| m.parameters.sizes.clear(), "sizes[0].log_rows"),
        (|m| m.sizes[0].kind = Kind::Modelled, "sizes[0].kind"),
        (
            |m| m.peers[0].verifier_constraints += 1,
            "peers[0].verifier_constraints",
        ),
    ];
    for (change, words) in cases {
        has(remodelled(change), words);
    }
    has(
        remodelled(|m| m.sizes[0].commit.as_mut().unwrap().samples[0] *= 2.0),
        "sizes[0].commit.summary",
    );
    has(
        remodelled(|m| m.sizes[0].fold.as_mut().unwrap().samples.clear()),
        "sizes[0].fold.samples is empty",
    );
    // As many chunks as make sums overflow, and none, of which one less is no number.
    for (chunks, rows) in [(1 << 60, 0), (0, 0)] {
        has(
            changed(|file| {
                file.measured.tables[0].num_chunks = chunks;
                file.measured.tables[0].rows = rows;
            }),
            "tables[0]",
        );
    }
}

#[test]
fn models_that_do_not_follow() {
    let has = |error: String, words: &str| assert!(error.contains(words), "{error}");
    has(
        changed(|f| f.measured.sizes[0].tables[0].folded_bytes += 32),
        "modelled.",
    );
    has(changed(|f| f.starks[0].bytes *= 2.0), "modelled.trees[1]");
    has(
        changed(|f| f.starks[0].kind = Kind::Measured),
        "starks[0].kind",
    );
    has(
        changed(|f| f.starks[0].params.log_blowup = 60),
        "starks[0].params",
    );
    has(
        changed(|f| f.modelled.circuits[0].primary -= 1),
        "modelled.circuits",
    );
    has(
        changed(|f| f.modelled.circuits[0].kind = Kind::Measured),
        "modelled.circuits",
    );
    has(
        changed(|f| f.modelled.trees[3].tree_bytes *= 1.001),
        "modelled.trees[3]",
    );
    has(changed(|f| drop(f.modelled.trees.pop())), "modelled.trees");
    has(
        changed(|f| f.modelled.alternatives[1].bytes += 1.0),
        "modelled.alternatives[1]",
    );
    has(
        changed(|f| f.modelled.answers[1].answer = "Yes.".into()),
        "modelled.answers",
    );
    has(changed(|f| f.schema_version = 2), "schema_version is 2");
    has(
        changed(|f| f.format = "other".into()),
        "format is \"other\"",
    );
    has(changed(|f| f.created = "today".into()), "created");
    has(changed(|f| f.elapsed_seconds = -1.0), "elapsed_seconds");
}

#[test]
fn truncated_anywhere() {
    let end = TEXT.trim_end().len();
    for len in (0..end).step_by(7) {
        let error = read_folding(&TEXT.as_bytes()[..len]).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("bad result file: "), "{len}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One byte changed: an error, or a file that holds; never a panic.
    #[test]
    fn one_byte_changed(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = TEXT.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(file) = read_folding(&bytes) {
            file.render();
        }
    }
}
