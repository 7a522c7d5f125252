//! Figures of the ledger: five digits or more, so that what is rounded can be told from what is not.

use crate::model::note::Unit;
use crate::report::format_count;

/// A number with its unit, to five significant digits or three places, without zeros at the end: `749.25 MB`,
/// `50.999 GB`, `1,998`.
pub fn format_figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => scaled(
            value,
            &[
                (1e15, "PB"),
                (1e12, "TB"),
                (1e9, "GB"),
                (1e6, "MB"),
                (1e3, "kB"),
                (1.0, "B"),
            ],
        ),
        Unit::BitsPerSecond => scaled(
            value,
            &[
                (1e12, "Tb/s"),
                (1e9, "Gb/s"),
                (1e6, "Mb/s"),
                (1e3, "kb/s"),
                (1.0, "b/s"),
            ],
        ),
        Unit::Seconds => scaled(value, &[(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")]),
        Unit::Bits => format!("{} bit", digits(value)),
        Unit::Share => percent(value),
        Unit::Ratio => digits(value),
        Unit::Count if value.fract() == 0.0 && (0.0..1e15).contains(&value) => {
            format_count(value as u64)
        }
        Unit::Count => digits(value),
    }
}

/// Two places; two significant digits of what would be zero.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent == 0.0 || percent >= 0.1 {
        format!("{} %", trimmed(&format!("{percent:.2}")))
    } else if percent >= 1e-9 {
        let places = (1.0 - percent.log10().floor()) as usize;
        format!("{} %", trimmed(&format!("{percent:.places$}")))
    } else {
        format!("{} %", digits(percent))
    }
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let fits = |&&(scale, _): &&(f64, &str)| value >= 0.999_995 * scale;
    let &(scale, unit) = units.iter().find(fits).unwrap_or(&units[units.len() - 1]);
    format!("{} {unit}", digits(value / scale))
}

/// Without zeros after the point.
fn trimmed(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Five significant digits, at least three places, without zeros at the end.
fn digits(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor();
    if !(-9.0..15.0).contains(&magnitude) {
        return format!("{value:.4e}");
    }
    let places = (4.0 - magnitude).max(3.0) as usize;
    trimmed(&format!("{value:.places$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_digits() {
        let bytes = |value| format_figure(value, Unit::Bytes);
        for (value, expected) in [
            (0.0, "0 B"),
            (1.0, "1 B"),
            (999.0, "999 B"),
            (50e9, "50 GB"),
            (250e6, "250 MB"),
            (749.25e6, "749.25 MB"),
            (50_999_250_000.0, "50.999 GB"),
            (999_996.0, "1 MB"),
            (999_990.0, "999.99 kB"),
            (200_999_250_000.0, "200.999 GB"),
            (100e3, "100 kB"),
            (1e12, "1 TB"),
            (1e36, "1.0000e21 PB"),
        ] {
            assert_eq!(bytes(value), expected);
        }
        assert_eq!(format_figure(7.6e9, Unit::BitsPerSecond), "7.6 Gb/s");
        assert_eq!(format_figure(400.0, Unit::Seconds), "400 s");
        assert_eq!(format_figure(0.022, Unit::Seconds), "22 ms");
        assert_eq!(format_figure(1998.0, Unit::Count), "1,998");
        assert_eq!(format_figure(50.0 / 51.0, Unit::Share), "98.04 %");
        assert_eq!(format_figure(0.0, Unit::Share), "0 %");
        assert_eq!(format_figure(1.23e-5, Unit::Share), "0.0012 %");
        assert_eq!(format_figure(765.0, Unit::Bits), "765 bit");
        assert_eq!(format_figure(24.597, Unit::Ratio), "24.597");
    }
}
