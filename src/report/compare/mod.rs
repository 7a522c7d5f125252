//! Result files beside each other: the same stages with the same parameters, as ratios.
//!
//! `docs/method.md` says which rows are compared, which are refused, and what the intervals hold.

mod entries;
mod even;
mod export;
mod join;
mod refuse;
mod render;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::measure::{Kind, RatioInterval};
use crate::model::Crossing;
use crate::report::{AnyFile, Tool, Witnesses, escape};
use crate::{Error, Result};
use entries::Entry;

pub use export::{comparison_csv, comparison_json};
pub use render::{comparison_markdown, comparison_table};

/// What a comparison in JSON says it is.
pub const COMPARISON_FORMAT: &str = "rewit comparison";
/// Version of that format.
pub const COMPARISON_VERSION: u32 = 1;

/// What is compared although it is refused by default, and in which order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CompareOptions {
    /// Files of different versions of the tool.
    pub across_versions: bool,
    /// Rows of different backends, of which one has transfers inside.
    pub across_backends: bool,
    /// Only rows of these stages; all if empty.
    pub stages: Vec<String>,
    /// Largest ratio first, instead of the order of the baseline.
    pub by_ratio: bool,
}

/// Files compared with the first of them.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Comparison {
    /// What it is: `rewit comparison`.
    pub format: &'static str,
    /// Version of the format.
    pub schema_version: u32,
    /// The program that compares.
    pub tool: Tool,
    /// The files; the first is the baseline.
    pub files: Vec<ComparedFile>,
    /// The second and every further file against the baseline.
    pub pairs: Vec<ComparedPair>,
    /// What a threshold says of it, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Exceeded>,
}

/// What a file is, in short.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ComparedFile {
    /// What rows call it: A, B, and so on.
    pub letter: String,
    /// Its name.
    pub name: String,
    /// Of which kind it is.
    pub kind: &'static str,
    /// When its run started.
    pub created: String,
    /// The program that measured.
    pub tool: Tool,
    /// The processor; of a link nothing is known of its ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// The GPU, if one was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// Threads, by the parts of the file.
    pub threads: Vec<u32>,
    /// Guests, with the start of the digest of their ELF file.
    pub guests: Vec<String>,
}

/// A file against the baseline.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ComparedPair {
    /// Letter of the baseline.
    pub baseline: String,
    /// Letter of the other.
    pub other: String,
    /// What differs between machines and builds: what is compared.
    pub differences: Vec<Difference>,
    /// What else to know.
    pub notes: Vec<String>,
    /// Reasons for which no row of these files is compared.
    pub refusals: Vec<String>,
    /// Rows in both.
    pub rows: Vec<ComparedRow>,
    /// Break-even bandwidths of encodings in both.
    pub break_even: Vec<ComparedBreakEven>,
    /// Rows in both that are not compared.
    pub refused: Vec<RefusedRow>,
    /// Rows in the baseline only.
    pub only_in_baseline: Vec<RowLabel>,
    /// Rows in the other only.
    pub only_in_other: Vec<RowLabel>,
}

/// Something that is different.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// What, as the file's fields are named.
    pub what: String,
    /// In the baseline.
    pub base: String,
    /// In the other.
    pub other: String,
}

/// What a row is of.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize)]
pub struct RowLabel {
    /// The stage.
    pub stage: String,
    /// A part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// The compression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// What else tells it from others of the stage: an order of folding, a chunk size, the subject
    /// of a proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// What a row's numbers count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ComparedUnit {
    /// Wall-clock time.
    Seconds,
    /// Bytes.
    Bytes,
}

/// A row in both files.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ComparedRow {
    /// What it is of.
    #[serde(flatten)]
    pub label: RowLabel,
    /// Parameters in words: the size of a segment, a backend.
    pub at: String,
    /// Where the numbers come from, in both files.
    pub kind: Kind,
    /// Unit of `base` and `other`.
    pub unit: ComparedUnit,
    /// Samples of the baseline that were used.
    pub base_samples: usize,
    /// Samples of the other that were used.
    pub other_samples: usize,
    /// The baseline: mean over segments of the median time, or of the mean of bytes.
    pub base: f64,
    /// The same of the other.
    pub other: f64,
    /// `other` divided by `base`.
    pub ratio: f64,
    /// Interval of the ratio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<RatioInterval>,
    /// What follows.
    pub outcome: Outcome,
    /// What to know of it, such as that only some segments are in both.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What a ratio says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The interval lies below 1.
    Faster,
    /// The interval lies above 1.
    Slower,
    /// The interval holds 1.
    NoDifference,
    /// There is no interval: nothing was measured twice.
    Undecided,
    /// The same bytes in every sample.
    Equal,
    /// Fewer bytes.
    Smaller,
    /// More bytes.
    Larger,
}

impl Outcome {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::NoDifference => "no difference",
            Self::Undecided => "undecided",
            Self::Equal => "equal",
            Self::Smaller => "smaller",
            Self::Larger => "larger",
        }
    }
}

/// A break-even bandwidth in both files.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ComparedBreakEven {
    /// Always `modelled`: computed from the rows of the segments in both files.
    pub kind: Kind,
    /// The encoding recomputed from.
    pub encoding: String,
    /// Its compression.
    pub compression: String,
    /// Parameters in words.
    pub at: String,
    /// How the witness would be shipped instead.
    pub witness: Witnesses,
    /// Where recomputing is faster, by the baseline.
    pub base: Crossing,
    /// The same by the other.
    pub other: Crossing,
    /// Bandwidth of the other divided by that of the baseline, where both have one of a kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
}

/// A row in both files that is not compared.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RefusedRow {
    /// What it is of.
    #[serde(flatten)]
    pub label: RowLabel,
    /// Parameters in words.
    pub at: String,
    /// Why.
    pub reasons: Vec<String>,
}

/// What a threshold says of a comparison.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Exceeded {
    /// The threshold, a ratio.
    pub threshold: f64,
    /// By which rule.
    pub rule: &'static str,
    /// Rows of time above it.
    pub above: Vec<AboveThreshold>,
    /// Rows of time without an interval, which are not judged.
    pub undecided: usize,
}

/// A row above a threshold.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AboveThreshold {
    /// Letter of the file.
    pub file: String,
    /// What it is of.
    #[serde(flatten)]
    pub label: RowLabel,
    /// Parameters in words.
    pub at: String,
    /// The ratio.
    pub ratio: f64,
    /// Its interval.
    pub interval: RatioInterval,
}

/// Compares files with the first of them.
///
/// - `files`: their names and contents, two or more.
///
/// Cost: a bootstrap for each row in both files.
/// # Errors
/// [`Error::Usage`] with fewer than two files, if no file has a row of the stages asked for, or if
/// no row of any file can be compared, with the reasons.
pub fn compare(files: &[(String, AnyFile)], options: &CompareOptions) -> Result<Comparison> {
    let [baseline, others @ ..] = files else {
        return Err(too_few());
    };
    if others.is_empty() {
        return Err(too_few());
    }
    let wanted = |entry: &Entry<'_>| {
        options.stages.is_empty() || options.stages.contains(&entry.label.stage)
    };
    let mut stages = BTreeSet::new();
    let entries: Vec<Vec<Entry<'_>>> = files
        .iter()
        .map(|(_, file)| {
            let mut entries = entries::entries(file, options);
            for entry in &entries {
                if !stages.contains(&entry.label.stage) {
                    stages.insert(entry.label.stage.clone());
                }
            }
            entries.retain(wanted);
            entries
        })
        .collect();
    if let Some(unknown) = options.stages.iter().find(|stage| !stages.contains(*stage)) {
        let known: Vec<&str> = stages.iter().map(String::as_str).collect();
        return Err(Error::Usage(format!(
            "--stage {}: no row of that stage; there are {}",
            escape::plain(unknown),
            escape::plain(&known.join(", "))
        )));
    }
    let pairs: Vec<ComparedPair> = others
        .iter()
        .enumerate()
        .map(|(i, other)| {
            let files = [&baseline.1, &other.1];
            let mut pair = refuse::pair(files, [letter(0), letter(i + 1)], options);
            join::fill(&mut pair, [&entries[0], &entries[i + 1]], options);
            if options.by_ratio {
                pair.rows.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
            }
            pair
        })
        .collect();
    let comparison = Comparison {
        format: COMPARISON_FORMAT,
        schema_version: COMPARISON_VERSION,
        tool: Tool::this(),
        files: files
            .iter()
            .enumerate()
            .map(|(i, (name, file))| ComparedFile::new(letter(i), name, file))
            .collect(),
        pairs,
        threshold: None,
    };
    if comparison.pairs.iter().all(|pair| pair.rows.is_empty()) {
        return Err(Error::Usage(render::nothing(&comparison)));
    }
    Ok(comparison)
}

fn too_few() -> Error {
    Error::Usage("one file is nothing to compare; give two result files or more".into())
}

/// A, B, … Z, then F27, F28, …
fn letter(index: usize) -> String {
    match u8::try_from(index) {
        Ok(small @ 0..26) => char::from(b'A' + small).to_string(),
        _ => format!("F{}", index + 1),
    }
}

impl Comparison {
    /// Judges every row of time: it is above the threshold if the whole interval of its ratio is.
    pub fn judge(&mut self, threshold: f64) {
        let mut exceeded = Exceeded {
            threshold,
            rule: "the lower end of the interval of a time's ratio is above the threshold",
            above: Vec::new(),
            undecided: 0,
        };
        for pair in &self.pairs {
            let times = pair.rows.iter();
            for row in times.filter(|row| row.unit == ComparedUnit::Seconds) {
                match row.interval {
                    None => exceeded.undecided += 1,
                    Some(interval) if interval.low > threshold => {
                        exceeded.above.push(AboveThreshold {
                            file: pair.other.clone(),
                            label: row.label.clone(),
                            at: row.at.clone(),
                            ratio: row.ratio,
                            interval,
                        });
                    }
                    Some(_) => {}
                }
            }
        }
        self.threshold = Some(exceeded);
    }

    /// The file of a letter.
    pub fn file(&self, letter: &str) -> Option<&ComparedFile> {
        self.files.iter().find(|file| file.letter == letter)
    }
}

impl ComparedFile {
    fn new(letter: String, name: &str, file: &AnyFile) -> Self {
        let hardware = file.hardware();
        let gpu = hardware.and_then(|hardware| hardware.gpu.as_ref());
        let mut threads: Vec<u32> = Vec::new();
        threads.extend(file.runs().iter().map(|run| run.parameters.threads));
        let foldings = file.foldings();
        threads.extend(foldings.iter().map(|fold| fold.measured.parameters.threads));
        threads.extend(file.proof_sizes().iter().filter_map(|sizes| sizes.threads));
        threads.sort_unstable();
        threads.dedup();
        let mut guests: Vec<String> = file
            .runs()
            .iter()
            .map(|run| &run.guest)
            .chain(foldings.iter().map(|fold| &fold.measured.guest))
            .map(entries::guest_name)
            .collect();
        guests.sort_unstable();
        guests.dedup();
        Self {
            letter,
            name: name.to_owned(),
            kind: file.kind(),
            created: file.created().to_owned(),
            tool: file.tool().clone(),
            cpu: hardware.map(|hardware| hardware.cpu.clone()),
            gpu: gpu.map(|gpu| gpu.name.clone()),
            threads,
            guests,
        }
    }
}

impl RowLabel {
    /// In words: the names that are there, with spaces between.
    pub fn words(&self) -> String {
        let Self {
            stage,
            part,
            encoding,
            compression,
            of,
        } = self;
        let all = [
            Some(stage),
            part.as_ref(),
            encoding.as_ref(),
            compression.as_ref(),
            of.as_ref(),
        ];
        let words: Vec<&str> = all.into_iter().flatten().map(String::as_str).collect();
        words.join(" ")
    }
}
