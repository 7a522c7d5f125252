//! A comparison for programs: JSON and CSV.

use super::{ComparedPair, Comparison, RowLabel, escape};
use crate::measure::RatioInterval;
use crate::model::Crossing;
use crate::report::write::json_text;

/// The comparison as JSON, indented, with a line end.
pub fn comparison_json(comparison: &Comparison) -> String {
    escape::json(&json_text(comparison))
}

/// Columns of the CSV.
const COLUMNS: [&str; 21] = [
    "baseline",
    "other",
    "stage",
    "part",
    "encoding",
    "compression",
    "of",
    "at",
    "kind",
    "unit",
    "baseline_samples",
    "other_samples",
    "baseline_value",
    "other_value",
    "ratio",
    "low",
    "high",
    "confidence",
    "verdict",
    "reason",
    "threshold",
];

/// One line a row, compared or not, with a header line; files are named as given.
///
/// Break-even bandwidths have the stage `break-even` and the way to ship as part. What no file has
/// is empty; rows that are not compared have the verdict `refused`, `only in baseline` or
/// `only in other`.
pub fn comparison_csv(comparison: &Comparison) -> String {
    let mut out = COLUMNS.join(",");
    out.push('\n');
    for pair in &comparison.pairs {
        lines(comparison, pair, &mut out);
    }
    out
}

fn number(value: f64) -> String {
    value.to_string()
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, number)
}

fn lines(comparison: &Comparison, pair: &ComparedPair, out: &mut String) {
    let name = |letter: &str| {
        let file = comparison.file(letter);
        escape::csv(file.map_or(letter, |file| &file.name))
    };
    let files = [name(&pair.baseline), name(&pair.other)];
    let text = |text: &Option<String>| text.as_deref().map(escape::csv).unwrap_or_default();
    let mut line = |label: &RowLabel, rest: [String; 14]| {
        let of_label = [
            escape::csv(&label.stage),
            text(&label.part),
            text(&label.encoding),
            text(&label.compression),
            text(&label.of),
        ];
        let all: Vec<&str> = files
            .iter()
            .chain(&of_label)
            .chain(&rest)
            .map(String::as_str)
            .collect();
        out.push_str(&all.join(","));
        out.push('\n');
    };
    for row in &pair.rows {
        let interval = |get: fn(RatioInterval) -> f64| optional(row.interval.map(get));
        let above = comparison.threshold.as_ref().map(|exceeded| {
            let listed = exceeded.above.iter().any(|above| {
                (&above.file, &above.label, &above.at) == (&pair.other, &row.label, &row.at)
            });
            (if listed { "above" } else { "" }).to_owned()
        });
        line(
            &row.label,
            [
                escape::csv(&row.at),
                format!("{:?}", row.kind).to_lowercase(),
                format!("{:?}", row.unit).to_lowercase(),
                row.base_samples.to_string(),
                row.other_samples.to_string(),
                number(row.base),
                number(row.other),
                number(row.ratio),
                interval(|interval| interval.low),
                interval(|interval| interval.high),
                interval(|interval| interval.confidence),
                row.outcome.words().to_owned(),
                escape::csv(&row.note),
                above.unwrap_or_default(),
            ],
        );
    }
    for even in &pair.break_even {
        let way = serde_json::to_value(even.witness).unwrap_or_default();
        let label = RowLabel {
            stage: "break-even".to_owned(),
            part: way.as_str().map(str::to_owned),
            encoding: Some(even.encoding.clone()),
            compression: Some(even.compression.clone()),
            of: None,
        };
        let (base, base_word) = crossing(even.base);
        let (other, other_word) = crossing(even.other);
        let mut rest = [const { String::new() }; 14];
        rest[0] = escape::csv(&even.at);
        rest[1] = "modelled".to_owned();
        rest[2] = "bits per second".to_owned();
        rest[5] = optional(base);
        rest[6] = optional(other);
        rest[7] = optional(even.ratio);
        rest[11] = format!("faster {base_word} / {other_word}");
        line(&label, rest);
    }
    let mut alone = |label: &RowLabel, at: &str, verdict: &str, reason: &str| {
        let mut rest = [const { String::new() }; 14];
        rest[0] = escape::csv(at);
        rest[11] = verdict.to_owned();
        rest[12] = escape::csv(reason);
        line(label, rest);
    };
    for row in &pair.refused {
        alone(&row.label, &row.at, "refused", &row.reasons.join("; "));
    }
    for refusal in &pair.refusals {
        alone(&RowLabel::default(), "", "refused", refusal);
    }
    for label in &pair.only_in_baseline {
        alone(label, "", "only in baseline", "");
    }
    for label in &pair.only_in_other {
        alone(label, "", "only in other", "");
    }
}

/// A bandwidth, if there is one, and on which side of it recomputing is faster.
fn crossing(found: Crossing) -> (Option<f64>, &'static str) {
    match found {
        Crossing::Below { bits_per_second } => (Some(bits_per_second), "below"),
        Crossing::Above { bits_per_second } => (Some(bits_per_second), "above"),
        Crossing::Always => (None, "always"),
        Crossing::Never => (None, "never"),
    }
}
