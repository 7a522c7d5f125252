//! Shipped bytes a cycle.

use super::dots::{Dot, DotRow, Dots};
use super::words::short;
use super::{Figure, Plot, one_line};
use crate::report::{ResultFile, Verdict, format_ratio};
use crate::ship::Encoding;

fn per_cycle(value: f64) -> String {
    if !value.is_finite() || value >= 1e6 {
        return format!("{value:.1e} B");
    }
    if value < 0.001 {
        return format!("{value:.0e} B");
    }
    if value < 0.0995 {
        let text = format!("{value:.4}");
        return format!("{} B", text.trim_end_matches('0'));
    }
    short(&format!("{} B", format_ratio(value)))
}

/// Bytes a cycle of every encoding, by program and segment size; none if nothing was measured.
pub(in crate::report) fn shipped_bytes(runs: &[&ResultFile], source: &str) -> Option<Figure> {
    let mut groups: Vec<String> = Vec::new();
    let mut rows: Vec<DotRow> = Vec::new();
    let mut words = Vec::new();
    for encoding in Encoding::ALL {
        let mut dots = Vec::new();
        for run in runs {
            let of = || {
                run.verdicts
                    .iter()
                    .filter(|v| v.encoding == encoding.name())
            };
            let smallest = of().min_by(|a, b| a.bytes_per_cycle.total_cmp(&b.bytes_per_cycle));
            let Some((first, smallest)) = of().next().zip(smallest) else {
                continue;
            };
            let name = format!(
                "{}, 2^{} cycles",
                one_line(&run.guest.name, 24),
                run.parameters.log_cycles
            );
            let group = groups
                .iter()
                .position(|other| *other == name)
                .unwrap_or_else(|| {
                    groups.push(name.clone());
                    groups.len() - 1
                });
            // The same program measured again, on other hardware: the bytes are the same.
            if dots.iter().any(|dot: &Dot| dot.group == group) {
                continue;
            }
            let least = |v: &Verdict| (v.bytes_per_cycle, one_line(&v.compression, 20));
            let smaller = smallest.bytes_per_cycle < first.bytes_per_cycle;
            words.push(format!(
                "{} of {name} {}",
                encoding.name(),
                per_cycle(smallest.bytes_per_cycle)
            ));
            dots.push(Dot {
                group,
                raw: first.bytes_per_cycle,
                least: smaller.then(|| least(smallest)),
            });
        }
        if !dots.is_empty() {
            rows.push(DotRow {
                name: encoding.name().to_owned(),
                dots,
            });
        }
    }
    if rows.is_empty() {
        return None;
    }
    let most = |row: &DotRow| row.dots.iter().map(|dot| dot.raw).fold(0.0, f64::max);
    rows.sort_by(|a, b| most(b).total_cmp(&most(a)));
    words.truncate(60);
    Some(Figure::new(
        "shipped-bytes",
        "Bytes shipped a cycle, by encoding and program".into(),
        format!("Smallest compressed: {}.", words.join("; ")),
        source,
        Plot::Dots(Dots {
            name: "bytes a cycle (means, measured)".into(),
            format: per_cycle,
            groups,
            rows,
        }),
    ))
}
