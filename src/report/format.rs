//! Numbers for people: three significant digits and a unit.

use crate::measure::{Kind, Link};

/// Three significant digits, for values from 0 to below 1000.
fn digits(value: f64) -> String {
    let places = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.places$}")
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let &(scale, unit) = units
        .iter()
        .find(|(scale, _)| value >= 0.9995 * scale)
        .unwrap_or(&units[units.len() - 1]);
    format!("{} {unit}", digits(value / scale))
}

/// Bytes with a decimal unit: `731 MB`.
pub fn format_bytes(bytes: f64) -> String {
    if bytes < 1e3 {
        return format!("{bytes:.0} B");
    }
    scaled(
        bytes,
        &[(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")],
    )
}

/// Seconds: `1.25 s`, `31.0 ms`, `2.50 µs`.
pub fn format_seconds(seconds: f64) -> String {
    scaled(seconds, &[(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")])
}

/// Bits per second with a decimal unit: `25.0 Gb/s`.
pub fn format_bandwidth(bits_per_second: f64) -> String {
    scaled(
        bits_per_second,
        &[(1e12, "Tb/s"), (1e9, "Gb/s"), (1e6, "Mb/s"), (1e3, "kb/s")],
    )
}

/// A ratio: `698`, `1.30`, `0.0049`.
pub fn format_ratio(ratio: f64) -> String {
    if ratio < 0.0995 && ratio > 0.0 {
        format!("{ratio:.4}")
    } else {
        digits(ratio)
    }
}

/// A count in groups of three digits: `58,992,822`.
pub fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things whose name takes an s: `1 segment`, `1,000 segments`.
pub fn format_counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", format_count(count))
}

/// `1 thread`, `2 threads`.
pub fn format_threads(threads: u32) -> String {
    format_counted(threads.into(), "thread")
}

/// A link: `10.0 Gb/s, 50.0 µs one way, declared`.
pub(super) fn format_link(link: &Link) -> String {
    let how = match link.kind {
        Kind::Measured => format!("measured ({})", link.description),
        Kind::Modelled => "modelled".to_owned(),
        Kind::Declared => "declared".to_owned(),
    };
    let latency = match link.latency_seconds {
        0.0 => "no latency".to_owned(),
        seconds => format!("{} one way", format_seconds(seconds)),
    };
    let bandwidth = format_bandwidth(link.bits_per_second);
    format!("{bandwidth}, {latency}, {how}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        assert_eq!(format_bytes(0.0), "0 B");
        assert_eq!(format_bytes(999.0), "999 B");
        assert_eq!(format_bytes(999_499.0), "999 kB");
        assert_eq!(format_bytes(999_600.0), "1.00 MB");
        assert_eq!(format_bytes(731_234_567.0), "731 MB");
        assert_eq!(format_seconds(0.0), "0.00 µs");
        assert_eq!(format_seconds(0.031), "31.0 ms");
        assert_eq!(format_seconds(12.34), "12.3 s");
        assert_eq!(format_bandwidth(25e9), "25.0 Gb/s");
        assert_eq!(format_bandwidth(9.996e9), "10.0 Gb/s");
        assert_eq!(format_ratio(697.9), "698");
        assert_eq!(format_ratio(1.304), "1.30");
        assert_eq!(format_ratio(0.004_88), "0.0049");
        assert_eq!(format_count(58_992_822), "58,992,822");
        assert_eq!(format_count(999), "999");
        assert_eq!(format_count(0), "0");
    }
}
