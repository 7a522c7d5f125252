//! Rows of two files, joined and divided.

use std::collections::{HashMap, HashSet, VecDeque};

use rayon::prelude::*;

use super::entries::Entry;
use super::even;
use super::refuse::{reasons, transfers_note, unequal};
use super::{CompareOptions, ComparedPair, ComparedRow, ComparedUnit, Outcome, RefusedRow};
use crate::measure::{Sample, Statistic, Stratum, ratio};
use crate::report::{ResultFile, format_counted};

/// Rows of the baseline that a row which fits none is held against, to say why.
const MOST_CANDIDATES: usize = 64;
/// Most samples of a row that are compared.
const MOST_SAMPLES: usize = 1 << 20;

/// Compares the rows of two files, the baseline first, and adds what comes of it to the pair.
pub(super) fn fill(pair: &mut ComparedPair, files: [&[Entry<'_>]; 2], options: &CompareOptions) {
    if !pair.refusals.is_empty() {
        return;
    }
    let partners = partners(files);
    let [base, other] = files;
    let mut taken = vec![false; base.len()];
    let mut candidates = Vec::new();
    for (entry, partner) in other.iter().zip(&partners) {
        match partner {
            Some(index) => {
                taken[*index] = true;
                candidates.push((*index, entry));
            }
            None => pair.only_in_other.push(entry.label.clone()),
        }
    }
    // In the baseline's order.
    candidates.sort_by_key(|(index, _)| *index);
    let compared: Vec<Result<ComparedRow, Vec<String>>> = candidates
        .par_iter()
        .map(|(index, other)| row(&base[*index], other))
        .collect();
    let mut runs: Vec<[&ResultFile; 2]> = Vec::new();
    let mut notes = HashSet::new();
    for (found, (index, other)) in compared.into_iter().zip(&candidates) {
        let base = &base[*index];
        match found {
            Ok(row) => {
                if let (Some(a), Some(b)) = (base.run, other.run)
                    && base.label.stage == "regenerate"
                    && !runs
                        .iter()
                        .any(|run| std::ptr::eq(run[0], a) && std::ptr::eq(run[1], b))
                {
                    runs.push([a, b]);
                }
                if let Some(note) = transfers_note(base, other)
                    && notes.insert(note.clone())
                {
                    pair.notes.push(note);
                }
                pair.rows.push(row);
            }
            Err(reasons) => pair.refused.push(RefusedRow {
                label: base.label.clone(),
                at: base.at.clone(),
                reasons,
            }),
        }
    }
    let alone = base.iter().zip(&taken).filter(|(_, taken)| !**taken);
    pair.only_in_baseline = alone.map(|(entry, _)| entry.label.clone()).collect();
    if options.stages.is_empty() || options.stages.iter().any(|stage| stage == "regenerate") {
        pair.break_even = runs.into_iter().flat_map(even::compared).collect();
    }
}

/// For each row of the other file the row of the baseline that it belongs to: one with the same
/// label, conditions and context; else with the same label and conditions; else one with the same
/// label that is left over, with the fewest other conditions, which will be refused.
fn partners(files: [&[Entry<'_>]; 2]) -> Vec<Option<usize>> {
    let [base, other] = files;
    let mut partners = vec![None; other.len()];
    let mut taken = vec![false; base.len()];
    // Rows are told apart by all that is written of them.
    let key = |entry: &Entry<'_>, context: bool| {
        let conditions = entry.conditions.iter();
        let values: Vec<&str> = conditions.flat_map(|c| [&*c.name, &*c.value]).collect();
        let context = if context {
            entry.context.clone()
        } else {
            Vec::new()
        };
        format!("{:?}{values:?}{context:?}", entry.label)
    };
    for context in [true, false] {
        let mut by_key: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (index, entry) in base.iter().enumerate().filter(|(index, _)| !taken[*index]) {
            by_key
                .entry(key(entry, context))
                .or_default()
                .push_back(index);
        }
        for (partner, entry) in partners.iter_mut().zip(other) {
            if partner.is_none() {
                *partner = by_key
                    .get_mut(&key(entry, context))
                    .and_then(VecDeque::pop_front);
                if let Some(index) = *partner {
                    taken[index] = true;
                }
            }
        }
    }
    let mut left: HashMap<_, Vec<usize>> = HashMap::new();
    for (index, entry) in base.iter().enumerate().filter(|(index, _)| !taken[*index]) {
        left.entry(&entry.label).or_default().push(index);
    }
    for (partner, entry) in partners.iter_mut().zip(other) {
        let Some(left) = left.get_mut(&entry.label).filter(|_| partner.is_none()) else {
            continue;
        };
        let near = left.iter().take(MOST_CANDIDATES).enumerate();
        let nearest = near.min_by_key(|(_, index)| unequal(&base[**index], entry).len());
        if let Some(at) = nearest.map(|(at, _)| at) {
            *partner = Some(left.remove(at));
        }
    }
    partners
}

/// A row of both files, or why it is not compared.
fn row(base: &Entry<'_>, other: &Entry<'_>) -> Result<ComparedRow, Vec<String>> {
    let reasons = reasons(base, other);
    if !reasons.is_empty() {
        return Err(reasons);
    }
    if base.samples.len().max(other.samples.len()) > MOST_SAMPLES {
        return Err(vec![format!(
            "{} / {} samples; at most {MOST_SAMPLES} are compared",
            base.samples.len(),
            other.samples.len()
        )]);
    }
    let strata = strata(&base.samples, &other.samples);
    if strata.is_empty() {
        return Err(vec![format!(
            "no segment is in both: {} / {}",
            segments(&base.samples),
            segments(&other.samples)
        )]);
    }
    let statistic = match base.unit {
        ComparedUnit::Seconds => Statistic::Median,
        ComparedUnit::Bytes => Statistic::Mean,
    };
    let Some(found) = ratio(&strata, statistic) else {
        return Err(vec!["a ratio of or to zero".to_owned()]);
    };
    let count = |get: fn(&Stratum) -> &Vec<f64>| strata.iter().map(|s| get(s).len()).sum();
    let (base_samples, other_samples) = (count(|s| &s.base), count(|s| &s.other));
    let left_out = [
        (base.samples.len(), base_samples),
        (other.samples.len(), other_samples),
    ];
    let note = if left_out.iter().any(|(all, used)| all != used) {
        format!(
            "of the {} in both: {} / {}",
            format_counted(strata.len() as u64, "segment"),
            segments(&base.samples),
            segments(&other.samples)
        )
    } else {
        String::new()
    };
    let equal = strata.iter().all(equal_bytes);
    let outcome = match base.unit {
        ComparedUnit::Bytes if equal => Outcome::Equal,
        ComparedUnit::Bytes if base.random => match found.interval {
            None => Outcome::Undecided,
            Some(interval) if interval.high < 1.0 => Outcome::Smaller,
            Some(interval) if interval.low > 1.0 => Outcome::Larger,
            Some(_) => Outcome::NoDifference,
        },
        ComparedUnit::Bytes if found.ratio < 1.0 => Outcome::Smaller,
        ComparedUnit::Bytes if found.ratio > 1.0 => Outcome::Larger,
        // Other segments, other bytes, the same sum.
        ComparedUnit::Bytes => Outcome::NoDifference,
        ComparedUnit::Seconds => match found.interval {
            None => Outcome::Undecided,
            Some(interval) if interval.high < 1.0 => Outcome::Faster,
            Some(interval) if interval.low > 1.0 => Outcome::Slower,
            Some(_) => Outcome::NoDifference,
        },
    };
    Ok(ComparedRow {
        label: base.label.clone(),
        at: if base.at == other.at {
            base.at.clone()
        } else {
            format!("{} / {}", base.at, other.at)
        },
        kind: base.kind,
        unit: base.unit,
        base_samples,
        other_samples,
        base: found.base,
        other: found.other,
        ratio: found.ratio,
        // Bytes that are counted have no noise, and equal ones no ratio but 1.
        interval: found
            .interval
            .filter(|_| base.unit == ComparedUnit::Seconds || base.random),
        outcome,
        note,
    })
}

/// Samples by segment, of the segments in both.
fn strata(base: &[Sample], other: &[Sample]) -> Vec<Stratum> {
    let mut strata: Vec<Stratum> = Vec::new();
    let mut numbers: HashMap<Option<u32>, usize> = HashMap::new();
    for sample in base {
        let index = *numbers.entry(sample.segment).or_insert_with(|| {
            strata.push(Stratum::default());
            strata.len() - 1
        });
        strata[index].base.push(sample.value);
    }
    for sample in other {
        if let Some(index) = numbers.get(&sample.segment) {
            strata[*index].other.push(sample.value);
        }
    }
    strata.retain(|stratum| !stratum.other.is_empty());
    strata
}

/// Whether a segment has the same bytes in both files, however often they were counted.
fn equal_bytes(stratum: &Stratum) -> bool {
    let Stratum { base, other } = stratum;
    let constant = |values: &[f64], value| values.iter().all(|other| *other == value);
    base == other
        || base
            .first()
            .is_some_and(|&value| constant(base, value) && constant(other, value))
}

/// Numbers of the segments of samples, in words.
fn segments(samples: &[Sample]) -> String {
    /// Beyond them only their number is said.
    const MOST: usize = 8;
    let mut numbers: Vec<u32> = samples.iter().filter_map(|sample| sample.segment).collect();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() {
        return "none".to_owned();
    }
    if numbers.len() > MOST {
        return format!("{} of them", numbers.len());
    }
    let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
    words.join(", ")
}
