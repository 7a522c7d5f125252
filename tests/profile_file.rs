//! Files of proof sizes, profiles, and any file: what the tool wrote is read, and whatever else the
//! bytes are, an error says what is wrong.

mod hardware;
#[path = "profile_file/hostile.rs"]
mod hostile;

use std::fs;
use std::sync::LazyLock;

use hardware::hardware;
use rewit::measure::proof_size::Kind as SizeKind;
use rewit::measure::{Kind, Link};
use rewit::report::{
    AnyFile, FoldingFile, ProfileFile, ProofSizes, Tool, is_any_file, profile_schema,
    proof_size_schema, read_profile, read_proof_sizes, render,
};

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
