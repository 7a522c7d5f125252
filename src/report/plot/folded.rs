//! Folded witnesses against the size of what is folded.

use super::axis::{Axis, Scale};
use super::sheet::Style;
use super::xy::{Chart, Datum, Level, Series};
use super::{Figure, Plot, bytes, one_line};
use crate::measure::SizeRow;
use crate::report::FoldingFile;

/// The note's size of a folded witness, in bytes.
const NOTE_BYTES: f64 = 250e3;

/// Rows of a chunk.
fn rows(value: f64) -> String {
    let log = value.log2();
    if (log - log.round()).abs() < 1e-6 && log.abs() < 64.0 {
        format!("2^{log:.0}")
    } else if value < 1e6 {
        format!("{value:.0}")
    } else {
        format!("{value:.0e}")
    }
}

/// Bytes of folded witnesses against rows of a chunk; none if there are none.
pub(in crate::report) fn folded_witness(foldings: &[&FoldingFile], source: &str) -> Option<Figure> {
    let mut series: Vec<Series> = Vec::new();
    for file in foldings {
        let of = |get: &dyn Fn(&SizeRow) -> Option<f64>| -> Vec<Datum> {
            let datum = |size: &SizeRow| {
                let y = get(size).filter(|bytes| *bytes > 0.0)?;
                Some(Datum {
                    x: 2f64.powi(size.log_rows.min(1000) as i32),
                    y,
                    title: format!("chunks of 2^{} rows: {}", size.log_rows, bytes(y)),
                })
            };
            file.measured.sizes.iter().filter_map(datum).collect()
        };
        let curves: [(&str, Vec<Datum>); 4] = [
            (
                "accumulators of all tables",
                of(&|size| Some(size.segment_bytes() as f64)),
            ),
            (
                "accumulator of the cpu table",
                of(&|size| Some(size.cpu()?.accumulator_bytes() as f64)),
            ),
            (
                "chunk before it is folded",
                of(&|size| Some(size.fresh_witness.as_ref()?.summary.median)),
            ),
            (
                "its cells in a STARK's trace",
                of(&|size| Some(size.cpu()?.cell_bytes as f64)),
            ),
        ];
        let many = foldings.len() > 1;
        for (name, data) in curves {
            if data.is_empty() {
                continue;
            }
            let guest = one_line(&file.measured.guest.name, 20);
            let name = if many {
                format!("{name}, {guest}")
            } else {
                name.to_owned()
            };
            // Sizes follow from the relation alone: the same again says nothing new.
            if series.iter().any(|other| other.data == data) {
                continue;
            }
            let index = series.len();
            series.push(Series {
                name,
                style: Style {
                    line: Some(1.6),
                    dash: None,
                    ..Style::marks(index, true)
                },
                data,
            });
        }
    }
    let all = || series.iter().flat_map(|s| &s.data);
    all().next()?;
    let mut levels = vec![Level {
        value: NOTE_BYTES,
        name: "250 kB, as the note has it".into(),
    }];
    for stark in foldings.iter().flat_map(|file| &file.starks).take(4) {
        let name = format!(
            "{}, STARK of blowup {} (modelled)",
            bytes(stark.bytes),
            1u64 << stark.params.log_blowup.min(63)
        );
        if stark.bytes > 0.0 && stark.bytes.is_finite() {
            levels.push(Level {
                value: stark.bytes,
                name,
            });
        }
    }
    levels.sort_by(|a, b| b.value.total_cmp(&a.value));
    let y = Scale::log(
        all()
            .map(|d| d.y)
            .chain(levels.iter().map(|level| level.value)),
    );
    let x = Scale::log2(all().map(|d| d.x));
    let words: Vec<String> = series
        .iter()
        .filter_map(|s| {
            let (first, last) = (s.data.first()?, s.data.last()?);
            Some(format!(
                "{} from {} at {} rows to {} at {}",
                s.name,
                bytes(first.y),
                rows(first.x),
                bytes(last.y),
                rows(last.x)
            ))
        })
        .collect();
    Some(Figure::new(
        "folded-witness",
        "Bytes of a folded witness against the size of what is folded".into(),
        format!("{}.", words.join("; ")),
        source,
        Plot::Chart(Chart {
            x: Axis {
                name: "rows of a chunk".into(),
                scale: x,
                format: rows,
            },
            y: Axis {
                name: "bytes (measured)".into(),
                scale: y,
                format: bytes,
            },
            series,
            levels,
            callouts: Vec::new(),
        }),
    ))
}
