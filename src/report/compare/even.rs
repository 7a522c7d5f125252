//! Break-even bandwidths of two runs beside each other.

use super::ComparedBreakEven;
use super::entries::shared;
use crate::measure::{Kind, MeasuredSegment, Row, Stage};
use crate::model::Crossing;
use crate::report::{ResultFile, Verdict, verdicts};

/// Of the encodings in both runs, computed from the segments in both.
pub(super) fn compared(runs: [&ResultFile; 2]) -> Vec<ComparedBreakEven> {
    let [base, other] = runs;
    let common = shared(base, other);
    let of = |run: &ResultFile, side: usize| {
        let segments: Vec<&MeasuredSegment> = common.iter().map(|pair| pair[side]).collect();
        of_segments(run, &segments)
    };
    let (base_verdicts, other_verdicts) = (of(base, 0), of(other, 1));
    let backends = runs.map(backend);
    let mut at = format!("2^{} cycles", base.parameters.log_cycles);
    match backends {
        [Some(a), Some(b)] if a == b => at += &format!(", {a}"),
        [Some(a), Some(b)] => at += &format!(", {a} / {b}"),
        _ => {}
    }
    let mut found = Vec::new();
    for a in &base_verdicts {
        let twin = other_verdicts
            .iter()
            .find(|b| (&b.encoding, &b.compression) == (&a.encoding, &a.compression));
        let Some(b) = twin else {
            continue;
        };
        for even in &a.break_even {
            let Some(crossing) = b.against(even.witness) else {
                continue;
            };
            found.push(ComparedBreakEven {
                kind: Kind::Modelled,
                encoding: a.encoding.clone(),
                compression: a.compression.clone(),
                at: at.clone(),
                witness: even.witness,
                base: even.recompute,
                other: crossing,
                ratio: ratio(even.recompute, crossing),
            });
        }
    }
    found
}

/// Of two bandwidths below which, or two above which, recomputing is faster.
fn ratio(base: Crossing, other: Crossing) -> Option<f64> {
    let ratio = match (base, other) {
        (Crossing::Below { bits_per_second: a }, Crossing::Below { bits_per_second: b })
        | (Crossing::Above { bits_per_second: a }, Crossing::Above { bits_per_second: b }) => b / a,
        _ => return None,
    };
    ratio.is_finite().then_some(ratio)
}

/// What a run computed on.
fn backend(run: &ResultFile) -> Option<&str> {
    let mut rows = run.rows.iter();
    let row = rows.find(|row| row.key.stage == Stage::Regenerate && row.key.part.is_none())?;
    row.key.backend.as_deref()
}

/// The verdicts of a run as if it had measured these of its segments only.
fn of_segments(run: &ResultFile, segments: &[&MeasuredSegment]) -> Vec<Verdict> {
    if segments.len() == run.segments.len() {
        return run.verdicts.clone();
    }
    let mut rows: Vec<Row> = Vec::new();
    for row in &run.rows {
        let mut row = row.clone();
        row.samples.retain(|sample| {
            // Ascending.
            sample.segment.is_none_or(|index| {
                segments
                    .binary_search_by_key(&index, |segment| segment.index)
                    .is_ok()
            })
        });
        if let Some(summary) = row.recompute() {
            row.summary = summary;
            rows.push(row);
        }
    }
    let segments: Vec<MeasuredSegment> =
        segments.iter().map(|segment| (*segment).clone()).collect();
    verdicts(&segments, &rows)
}
