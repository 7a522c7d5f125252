//! Text and numbers that come from files, made fit to be shown.

use super::font;
use crate::report::escape::obeyed;
use crate::report::{format_bandwidth, format_bytes, format_seconds};

/// Most characters of a name shown.
pub(in crate::report) const MAX_NAME: usize = 80;

/// A text from a file as one line of at most `most` characters.
///
/// Control characters and those that turn the direction of writing become U+FFFD, so that what is
/// read is what is there.
pub(in crate::report) fn one_line(text: &str, most: usize) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        // What no XML document may have, and noncharacters.
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c if obeyed(c) => '\u{fffd}',
        c => c,
    };
    let mut out: String = text.chars().take(most).map(shown).collect();
    if text.chars().nth(most).is_some() {
        out.pop();
        out.push('…');
    }
    out
}

/// A number in words, by `format` unless it is too large for that to be short.
fn bounded(value: f64, format: fn(f64) -> String, unit: &str) -> String {
    if !value.is_finite() {
        "–".to_owned()
    } else if value.abs() >= 1e17 {
        format!("{value:.2e} {unit}")
    } else {
        format(value)
    }
}

/// Seconds in words, at most a dozen characters.
pub(in crate::report) fn seconds(value: f64) -> String {
    if value.is_finite() && value >= 1e5 {
        return format!("{value:.2e} s");
    }
    bounded(value, format_seconds, "s")
}

/// Bytes in words, at most a dozen characters.
pub(in crate::report) fn bytes(value: f64) -> String {
    bounded(value, format_bytes, "B")
}

/// Bits per second in words, at most a dozen characters.
pub(in crate::report) fn bandwidth(value: f64) -> String {
    bounded(value, format_bandwidth, "b/s")
}

/// The same without zeros behind the decimal point: `10 Gb/s` for `10.0 Gb/s`.
pub(in crate::report) fn short(text: &str) -> String {
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') && !number.contains('e') => {
            let number = number.trim_end_matches('0').trim_end_matches('.');
            format!("{number} {unit}")
        }
        _ => text.to_owned(),
    }
}

/// Cuts a text so that it is at most so wide.
pub(super) fn fit(text: &str, size: f64, bold: bool, most: f64) -> String {
    if font::width(text, size, bold) <= most {
        return text.to_owned();
    }
    let mut cut: Vec<char> = text.chars().collect();
    while cut.pop().is_some() {
        let shorter: String = cut.iter().chain(&['…']).collect();
        if font::width(&shorter, size, bold) <= most {
            return shorter;
        }
    }
    String::new()
}

/// Breaks a text into lines of at most so wide, at spaces where there are any.
pub(super) fn wrap(text: &str, size: f64, bold: bool, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match (longer, lines.last_mut()) {
            (Some(longer), Some(line)) if font::width(&longer, size, bold) <= most => {
                *line = longer;
            }
            _ => lines.push(fit(word, size, bold, most)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_could_mislead_is_made_visible() {
        assert_eq!(one_line("a\u{202e}b\u{0}c\nd", 80), "a\u{fffd}b\u{fffd}c d");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(one_line("abcd", 4), "abcd");
        assert_eq!(one_line("", 4), "");
    }

    #[test]
    fn numbers_stay_short() {
        for value in [
            0.0,
            1e-300,
            1.0,
            99_999.0,
            1e5,
            1e20,
            1e308,
            f64::INFINITY,
            f64::NAN,
        ] {
            for text in [seconds(value), bytes(value), bandwidth(value)] {
                assert!(text.chars().count() <= 16, "{value}: {text}");
            }
        }
        assert_eq!(short("10.0 Gb/s"), "10 Gb/s");
        assert_eq!(short("100 MB"), "100 MB");
        assert_eq!(short("2.50 µs"), "2.5 µs");
    }

    #[test]
    fn lines_fit() {
        let text = "time to the witness of one segment against the bandwidth of the link";
        let lines = wrap(text, 14.0, true, 200.0);
        assert_eq!(lines.join(" "), text);
        assert!(
            lines
                .iter()
                .all(|line| font::width(line, 14.0, true) <= 200.0)
        );
        assert!(font::width(&fit(text, 14.0, false, 100.0), 14.0, false) <= 100.0);
        assert_eq!(fit("wide", 14.0, false, 1.0), "");
    }
}
