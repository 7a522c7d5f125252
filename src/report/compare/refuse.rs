//! What must be equal for two files, or two rows, to be compared.

use std::collections::{HashMap, HashSet};

use super::entries::{CYCLES, Entry, leaves, shared};
use super::{CompareOptions, ComparedFile, ComparedPair, Difference, RowLabel};
use crate::measure::{Gpu, Stage};
use crate::report::AnyFile;

/// Two files before their rows are joined: what is different, and why nothing can be compared.
pub(super) fn pair(
    files: [&AnyFile; 2],
    letters: [String; 2],
    options: &CompareOptions,
) -> ComparedPair {
    let mut notes = Vec::new();
    let mut refusals = Vec::new();
    for (file, letter) in files.iter().zip(&letters) {
        if !complete(file) {
            refusals.push(format!(
                "{letter} is of a run that did not end; run it again"
            ));
        }
        let tool = file.tool();
        if tool.profile != "release" {
            refusals.push(format!(
                "{letter} was measured by a {} build; build with --release",
                tool.profile
            ));
        }
        if stand_in(file) {
            refusals.push(format!(
                "{letter} was measured on a stand-in for a GPU, whose times are no results"
            ));
        }
        if tool.git_dirty {
            notes.push(format!(
                "{letter} was measured by a build with changes that are in no commit"
            ));
        }
    }
    let [base, other] = files.map(AnyFile::tool);
    if base.version != other.version {
        let versions = format!("version {} / {} of rewit", base.version, other.version);
        if options.across_versions {
            notes.push(format!(
                "{versions}: ratios are of the programs as much as of the machines; stages may \
                 have other boundaries"
            ));
        } else {
            refusals.push(format!(
                "{versions}; --across-versions compares them nevertheless"
            ));
        }
    } else if base.git_commit != other.git_commit {
        notes.push(format!(
            "commit {} / {}: ratios are of the programs as much as of the machines",
            commit(&base.git_commit),
            commit(&other.git_commit)
        ));
    } else if base.git_commit == "unknown" {
        notes.push("neither file names the commit it was built from".to_owned());
    }
    let [baseline, other] = letters;
    ComparedPair {
        differences: differences(files),
        baseline,
        other,
        notes,
        refusals,
        rows: Vec::new(),
        break_even: Vec::new(),
        refused: Vec::new(),
        only_in_baseline: Vec::new(),
        only_in_other: Vec::new(),
    }
}

/// The start of a commit's name.
fn commit(name: &str) -> &str {
    name.get(..12).unwrap_or(name)
}

/// Of the file and of all its parts.
fn complete(file: &AnyFile) -> bool {
    let runs = file.runs().iter().all(|run| run.complete);
    let foldings = file.foldings().iter().all(|folding| folding.complete);
    file.complete() && runs && foldings
}

fn stand_in(file: &AnyFile) -> bool {
    let gpu = file.hardware().and_then(|hardware| hardware.gpu.as_ref());
    gpu.is_some_and(Gpu::is_stand_in)
}

/// What differs between builds, machines and threads.
fn differences(files: [&AnyFile; 2]) -> Vec<Difference> {
    /// Listing more helps nobody.
    const MOST: usize = 48;
    let described = files.map(|file| {
        let tool = file.tool();
        let threads = &ComparedFile::new(String::new(), "", file).threads;
        let threads: Vec<String> = threads.iter().map(u32::to_string).collect();
        let mut all = vec![
            ("threads".to_owned(), threads.join(", ")),
            ("tool.features".to_owned(), tool.features.join(", ")),
            ("tool.target".to_owned(), tool.target.clone()),
        ];
        let described = [
            ("hardware", serde_json::to_value(file.hardware())),
            ("link", serde_json::to_value(file.link())),
        ];
        for (what, value) in described {
            let leaves = leaves(&value.unwrap_or_default()).into_iter();
            all.extend(leaves.map(|(name, value)| (format!("{what}.{name}"), value)));
        }
        all
    });
    let mut found = Vec::new();
    let other: HashMap<&str, &str> = described[1]
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut seen = HashSet::new();
    for (name, base) in &described[0] {
        seen.insert(name.as_str());
        let other = other.get(name.as_str()).copied().unwrap_or("none");
        if base != other {
            found.push((name, base.as_str(), other));
        }
    }
    let only = described[1]
        .iter()
        .filter(|(name, _)| !seen.contains(name.as_str()));
    found.extend(only.map(|(name, other)| (name, "none", other.as_str())));
    found
        .into_iter()
        .take(MOST)
        .map(|(what, base, other)| Difference {
            what: what.clone(),
            base: base.to_owned(),
            other: other.to_owned(),
        })
        .collect()
}

/// Whether a row is a part whose boundaries depend on the backend: parts of `regenerate` are other
/// ones on a device.
pub(super) fn parts_differ(label: &RowLabel) -> bool {
    label.stage == Stage::Regenerate.name() && label.part.is_some()
}

/// Which transfers between host and device lie within a stage; `docs/method.md` has the boundaries.
fn transfers(stage: &str, backend: &str) -> &'static str {
    match (stage, backend) {
        ("regenerate", "cuda") => "upload inside, download outside",
        ("prove", "cuda") => "upload and return of the extended trace inside",
        ("fold", "cuda") => "upload of the parts outside, return of commitments inside",
        ("fold-session", "cuda") => "all transfers inside",
        _ => "no transfers",
    }
}

/// What the backends of two files have inside, in words, for the notes.
pub(super) fn transfers_note(a: &Entry<'_>, b: &Entry<'_>) -> Option<String> {
    let (base, other) = (a.backend?, b.backend?);
    (base != other).then(|| {
        let stage = &a.label.stage;
        format!(
            "{stage}: backend {base} ({}) / {other} ({})",
            transfers(stage, base),
            transfers(stage, other)
        )
    })
}

/// Why two rows of the same label are not compared; empty if they are.
pub(super) fn reasons(a: &Entry<'_>, b: &Entry<'_>) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    let unequal = unequal(a, b);
    let another_job = unequal
        .iter()
        .any(|(name, ..)| ["guest", "input"].contains(name));
    for (name, base, other) in unequal {
        if name == CYCLES && another_job {
            // Follows from it.
        } else if name == "backend" {
            let stage = &a.label.stage;
            let more = if parts_differ(&a.label) {
                "the parts of this stage have other boundaries on a device".to_owned()
            } else {
                format!(
                    "{} / {}; --across-backends compares them nevertheless",
                    transfers(stage, base),
                    transfers(stage, other)
                )
            };
            reasons.push(format!("other backend: {base} / {other}; {more}"));
        } else {
            reasons.push(format!("other {name}: {base} / {other}"));
        }
    }
    if a.kind != b.kind {
        let name = |entry: &Entry<'_>| format!("{:?}", entry.kind).to_lowercase();
        reasons.push(format!("other kind: {} / {}", name(a), name(b)));
    }
    if a.unit != b.unit {
        reasons.push("other unit".to_owned());
    }
    if !reasons.is_empty() {
        return reasons;
    }
    if let (Some(base), Some(other)) = (a.run, b.run) {
        let sampled: HashSet<Option<u32>> = a.samples.iter().map(|s| s.segment).collect();
        for [segment, twin] in shared(base, other) {
            let of_row = sampled.contains(&Some(segment.index));
            if of_row && segment.witness_blake3 != twin.witness_blake3 {
                reasons.push(format!(
                    "other witness of segment {}: the tables of {} / {} bytes differ",
                    segment.index, segment.witness_bytes, twin.witness_bytes
                ));
                break;
            }
        }
        let proven = |stage: Stage| a.label.stage == stage.name();
        if [Stage::Prove, Stage::Verify, Stage::ProofSize]
            .into_iter()
            .any(proven)
        {
            for proof in &base.proofs {
                let twin = other.proofs.iter().find(|twin| twin.index == proof.index);
                let bits = |bits: f64| format!("{bits:.1}");
                let at = twin.map(|twin| bits(twin.unique_decoding_bits));
                let was = bits(proof.unique_decoding_bits);
                if let Some(at) = at.filter(|at| *at != was) {
                    reasons.push(format!(
                        "other security of segment {}'s proof: {was} / {at} provable bits",
                        proof.index
                    ));
                    break;
                }
            }
        }
    }
    reasons
}

/// Conditions that differ: name and both values. Conditions of one label have one order.
pub(super) fn unequal<'e>(a: &'e Entry<'_>, b: &'e Entry<'_>) -> Vec<(&'e str, &'e str, &'e str)> {
    let mut found = Vec::new();
    for condition in &a.conditions {
        let twin = b.conditions.iter().find(|twin| twin.name == condition.name);
        if twin.is_none_or(|twin| twin.value != condition.value) {
            let other = twin.map_or("none", |twin| twin.shown());
            found.push((condition.name.as_str(), condition.shown(), other));
        }
    }
    for twin in &b.conditions {
        if !a
            .conditions
            .iter()
            .any(|condition| condition.name == twin.name)
        {
            found.push((twin.name.as_str(), "none", twin.shown()));
        }
    }
    found
}
