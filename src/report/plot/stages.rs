//! Where the time goes.

use super::bars::{Bar, Bars, MAX_BARS};
use super::{Figure, Plot, one_line, seconds};
use crate::measure::{Row, Stage};
use crate::report::{FoldingFile, ResultFile, format_threads};
use crate::ship::Encoding;

/// Parts of getting a witness, as result files name them, with what they are called here.
const PARTS: [(&str, &str); 3] = [
    ("execute", "replay"),
    ("adopt", "adopt (boundary, or check of the cells)"),
    ("fill", "fill the tables"),
];

fn median(
    rows: &[Row],
    stage: Stage,
    part: Option<&str>,
    encoding: &str,
    compression: Option<&str>,
) -> Option<f64> {
    let found = rows.iter().find(|row| {
        row.key.stage == stage
            && row.key.part.as_deref() == part
            && row.key.encoding.as_deref() == Some(encoding)
            && row.key.compression.as_deref() == compression
    });
    found.map(|row| row.summary.median)
}

/// Divides what a segment takes by its cycles, so that segments of different sizes stand beside each other.
fn per_cycle(parts: &mut [(usize, f64)], log_cycles: u32) {
    for (_, seconds) in parts {
        *seconds /= f64::from(log_cycles).exp2();
    }
}

/// Seconds of encode, decode, parts of regenerate and the rest of it, as numbers of parts and values.
fn witness_parts(rows: &[Row], encoding: &str, first: &str) -> Vec<(usize, f64)> {
    let mut parts = Vec::new();
    if let Some(value) = median(rows, Stage::Decode, None, encoding, Some(first)) {
        parts.push((0, value));
    }
    if let Some(whole) = median(rows, Stage::Regenerate, None, encoding, None) {
        let mut rest = whole;
        for (index, (part, _)) in PARTS.iter().enumerate() {
            if let Some(value) = median(rows, Stage::Regenerate, Some(part), encoding, None) {
                // Medians of parts need not add up to the median of the whole.
                let value = value.min(rest);
                rest -= value;
                parts.push((index + 1, value));
            }
        }
        parts.push((4, rest));
    }
    parts
}

fn names() -> Vec<String> {
    let parts = PARTS.map(|(_, name)| name);
    let all = ["decode"]
        .into_iter()
        .chain(parts)
        .chain(["rest of regenerate"]);
    all.map(str::to_owned).collect()
}

/// From the bytes of a shipment to the witness, by encoding; none if nothing was measured.
pub(in crate::report) fn encoding_stages(
    run: &ResultFile,
    id: &str,
    source: &str,
) -> Option<Figure> {
    let mut bars = Vec::new();
    for encoding in Encoding::ALL {
        let name = encoding.name();
        let mut of = run.verdicts.iter().filter(|v| v.encoding == name);
        let Some(first) = of.next() else { continue };
        let compression = one_line(&first.compression, 20);
        bars.push(Bar {
            name: format!("{name} ({compression})"),
            parts: witness_parts(&run.rows, name, &first.compression),
        });
    }
    bars.retain(|bar| bar.parts.iter().any(|(_, value)| *value > 0.0));
    if bars.is_empty() {
        return None;
    }
    let total = |bar: &Bar| bar.parts.iter().map(|(_, value)| value).sum::<f64>();
    bars.sort_by(|a, b| total(a).total_cmp(&total(b)));
    let words: Vec<String> = bars
        .iter()
        .map(|bar| format!("{} {}", bar.name, seconds(total(bar))))
        .collect();
    let guest = one_line(&run.guest.name, 40);
    let log_cycles = run.parameters.log_cycles;
    Some(Figure::new(
        id,
        format!(
            "From bytes received to the witness: a segment of 2^{log_cycles} cycles of {guest}"
        ),
        format!(
            "Seconds to decode and regenerate, in parts. {}.",
            words.join("; ")
        ),
        source,
        Plot::Bars(Bars {
            name: "seconds (medians, measured)".into(),
            format: seconds,
            parts: names(),
            bars,
        }),
    ))
}

/// A segment from shipment to proof and fold, a bar for every run; none if nothing was measured.
pub(in crate::report) fn segment_stages(
    runs: &[&ResultFile],
    foldings: &[&FoldingFile],
    source: &str,
) -> Option<Figure> {
    let mut parts = names();
    parts.extend(["prove", "fold", "verify"].map(str::to_owned));
    let mut bars = Vec::new();
    for run in runs {
        let regenerated = |v: &&crate::report::Verdict| v.encoding != Encoding::Witness.name();
        let fastest = run
            .verdicts
            .iter()
            .filter(regenerated)
            .min_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let Some(fastest) = fastest else { continue };
        let mut bar = witness_parts(&run.rows, &fastest.encoding, &fastest.compression);
        for (index, stage) in [(5, Stage::Prove), (7, Stage::Verify)] {
            let whole = |row: &&Row| row.key.stage == stage && row.key.part.is_none();
            if let Some(row) = run.rows.iter().find(whole) {
                bar.push((index, row.summary.median));
            }
        }
        per_cycle(&mut bar, run.parameters.log_cycles);
        bars.push(Bar {
            name: format!(
                "{}, 2^{}, {}, {}",
                one_line(&run.guest.name, 24),
                run.parameters.log_cycles,
                format_threads(run.parameters.threads),
                one_line(&fastest.encoding, 20)
            ),
            parts: bar,
        });
    }
    for file in foldings {
        let parameters = &file.measured.parameters;
        for session in &file.measured.sessions {
            let mut parts = vec![(6, session.seconds), (7, session.verify_seconds)];
            per_cycle(&mut parts, parameters.log_cycles);
            bars.push(Bar {
                name: format!(
                    "{}, 2^{}, {}, folded ({})",
                    one_line(&file.measured.guest.name, 24),
                    parameters.log_cycles,
                    format_threads(parameters.threads),
                    one_line(&session.order, 12)
                ),
                parts,
            });
        }
    }
    if bars.is_empty() {
        return None;
    }
    let shown = bars.len().min(MAX_BARS);
    let words: Vec<String> = bars[..shown]
        .iter()
        .map(|bar| {
            let of = |(part, value): &(usize, f64)| {
                let name = parts.get(*part).map_or("", String::as_str);
                format!("{name} {}", seconds(*value))
            };
            let values: Vec<String> = bar.parts.iter().map(of).collect();
            format!("{}: {}", bar.name, values.join(", "))
        })
        .collect();
    Some(Figure::new(
        "stages",
        "What a cycle takes, from bytes received to proof or folded accumulator".into(),
        format!("Seconds by stage. {}.", words.join("; ")),
        source,
        Plot::Bars(Bars {
            name: "time a cycle (medians, measured)".into(),
            format: seconds,
            parts,
            bars,
        }),
    ))
}
