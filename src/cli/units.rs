//! Numbers with units on the command line.

/// Bits per second: a number, alone or with a decimal unit such as `10Gb/s`, `25 Gbit/s`, `400Gbps`
/// or `100M`. A capital B would be bytes, and is refused.
pub(crate) fn parse_bandwidth(text: &str) -> Result<f64, String> {
    const WANTED: &str = "expected bits per second, such as 2.5e9, 10Gb/s or 400Mbit/s";
    let (value, unit) = split(text);
    let unit = ["bits/s", "bit/s", "b/s", "bps"]
        .iter()
        .find_map(|end| unit.strip_suffix(end))
        .unwrap_or(unit);
    let scale = match unit.trim_end() {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        _ => return Err(WANTED.into()),
    };
    let bits = value.parse::<f64>().map_err(|_| WANTED.to_owned())? * scale;
    if bits.is_finite() && bits > 0.0 {
        Ok(bits)
    } else {
        Err(format!("{WANTED}, above 0"))
    }
}

/// Seconds: a number, alone or with `s`, `ms`, `us`, `µs` or `ns`; not negative.
pub(crate) fn parse_seconds(text: &str) -> Result<f64, String> {
    const WANTED: &str = "expected seconds, such as 0.0001, 50us or 1.5ms";
    let (value, unit) = split(text);
    let scale = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" | "μs" => 1e-6,
        "ns" => 1e-9,
        _ => return Err(WANTED.into()),
    };
    let seconds = value.parse::<f64>().map_err(|_| WANTED.to_owned())? * scale;
    if seconds.is_finite() && seconds >= 0.0 {
        Ok(seconds)
    } else {
        Err(format!("{WANTED}, not negative"))
    }
}

/// A number of bytes, with an optional decimal or binary suffix.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let scale = match suffix.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => 0,
    };
    let bytes = number.parse::<u64>().ok().filter(|_| scale > 0);
    bytes
        .and_then(|n| n.checked_mul(scale))
        .ok_or_else(|| "expected bytes, such as 8000000000, 8GB or 8GiB".into())
}

/// A number as Rust writes it, and what follows it, without the space between them.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let bytes = text.as_bytes();
    let mut end = 0;
    while end < bytes.len() {
        let part = match bytes[end] {
            b'0'..=b'9' | b'.' => true,
            b'+' | b'-' => end == 0 || matches!(bytes[end - 1], b'e' | b'E'),
            // An exponent has a digit after it.
            b'e' | b'E' => bytes[end + 1..]
                .iter()
                .find(|byte| !matches!(byte, b'+' | b'-'))
                .is_some_and(u8::is_ascii_digit),
            _ => false,
        };
        if !part {
            break;
        }
        end += 1;
    }
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bandwidths() {
        for (text, bits) in [
            ("2.5e9", 2.5e9),
            ("1E+9", 1e9),
            ("10Gb/s", 1e10),
            ("10 Gb/s", 1e10),
            ("25Gbit/s", 2.5e10),
            ("400Gbps", 4e11),
            ("100M", 1e8),
            ("1.5k", 1500.0),
            ("3b/s", 3.0),
            ("1e-3Tb/s", 1e9),
        ] {
            assert_eq!(parse_bandwidth(text), Ok(bits), "{text}");
        }
        for text in [
            "", "G", "0", "-1", "1GB/s", "1 Gib/s", "nan", "inf", "1e400", "1e", "1e9e9", "1..2",
            "10m", "1Gb/h", "٣",
        ] {
            assert!(parse_bandwidth(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds() {
        for (text, seconds) in [
            ("0", 0.0),
            ("1.5", 1.5),
            ("1e-4", 1e-4),
            ("50us", 50.0 * 1e-6),
            ("50 µs", 50.0 * 1e-6),
            ("2ms", 2e-3),
            ("7ns", 7.0 * 1e-9),
            ("1s", 1.0),
        ] {
            assert_eq!(parse_seconds(text), Ok(seconds), "{text}");
        }
        for text in ["", "s", "-1s", "1h", "inf", "nan", "1e999", "1 s s"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_have_suffixes() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("8GB", 8_000_000_000),
            ("8 GiB", 8 << 30),
            ("3k", 3 << 10),
            ("500mb", 500_000_000),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "-1", "1.5GiB", "8TiB", "99999999999GiB", "1 2"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
