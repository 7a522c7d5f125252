//! What the readers of all kinds of result files check alike.

use super::Tool;
use super::escape::{obeyed, plain};
use super::hardware::check_hardware;
use crate::measure::{Guest, Hardware, Samples, Summary};
use crate::{Error, Result};

/// Largest file that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// Most of any count, so that sums of products of two do not overflow.
pub(super) const MAX_COUNT: u64 = 1 << 48;
/// Largest number of any kind, so that products of several with each other are finite.
const MAX_NUMBER: f64 = 1e30;
/// Most rows of a file: ten times those of any job, so that tables and comparisons stay small.
const MAX_ROWS: usize = 4096;
/// Most bytes of a text.
const MAX_TEXT: usize = 64 << 10;
/// Most threads, and cores.
const MAX_THREADS: u32 = 1 << 20;

pub(super) fn bad(what: &str) -> Error {
    // Names of fields that are not known, and of variants, are the file's own.
    Error::ResultFile(plain(what))
}

/// Refuses more bytes than a file may have.
pub(super) fn length(bytes: &[u8]) -> Result<()> {
    if bytes.len() > MAX_BYTES {
        return Err(bad(&format!(
            "{} bytes, expected at most {MAX_BYTES}",
            bytes.len()
        )));
    }
    Ok(())
}

/// Refuses more rows than a file may have.
pub(super) fn num_rows(rows: usize) -> Result<()> {
    count("the number of rows", rows as u64, MAX_ROWS as u64)
}

/// Checks what every file says of the run, the program and the machine.
pub(super) fn header(
    created: &str,
    elapsed_seconds: f64,
    tool: &Tool,
    hardware: &Hardware,
) -> Result<()> {
    if created.parse::<jiff::Timestamp>().is_err() {
        return Err(bad(&format!(
            "created is {created:?}: expected a time as in RFC 3339"
        )));
    }
    number("elapsed_seconds", elapsed_seconds)?;
    check_tool(tool)?;
    check_hardware("hardware", hardware)?;
    name("hardware.cpu", &hardware.cpu)?;
    threads("hardware.logical_cores", hardware.logical_cores)?;
    if let Some(cores) = hardware.physical_cores {
        threads("hardware.physical_cores", cores)?;
    }
    count("hardware.ram_bytes", hardware.ram_bytes, MAX_COUNT)
}

/// Checks what a file says of the program.
pub(super) fn check_tool(tool: &Tool) -> Result<()> {
    let Tool {
        version,
        git_commit,
        git_dirty: _,
        features,
        profile,
        target,
    } = tool;
    name("tool.version", version)?;
    if git_commit != "unknown" {
        hex("tool.git_commit", git_commit, 40)?;
    }
    for (i, feature) in features.iter().enumerate() {
        name(&format!("tool.features[{i}]"), feature)?;
    }
    name("tool.profile", profile)?;
    name("tool.target", target)
}

/// Checks what a file says of a guest.
pub(super) fn guest(at: &str, guest: &Guest) -> Result<()> {
    let Guest {
        name: called,
        elf_bytes,
        elf_blake3,
        input_bytes,
        input_blake3,
        cycles,
        exit_code,
    } = guest;
    name(&format!("{at}.name"), called)?;
    hex(&format!("{at}.elf_blake3"), elf_blake3, 64)?;
    hex(&format!("{at}.input_blake3"), input_blake3, 64)?;
    count(&format!("{at}.elf_bytes"), *elf_bytes, MAX_COUNT)?;
    count(&format!("{at}.input_bytes"), *input_bytes, MAX_COUNT)?;
    count(&format!("{at}.cycles"), *cycles, MAX_COUNT)?;
    if exit_code.is_some_and(|code| code > 255) {
        return Err(bad(&format!("{at}.exit_code is above 255")));
    }
    Ok(())
}

/// Checks that there are threads, and not more than there can be.
pub(super) fn threads(at: &str, value: u32) -> Result<()> {
    if (1..=MAX_THREADS).contains(&value) {
        return Ok(());
    }
    Err(bad(&format!(
        "{at} is {value}: expected 1 to {MAX_THREADS}"
    )))
}

/// Checks a text that is printed in a line: nothing that moves a cursor, hides, or turns the direction of writing.
pub(super) fn text(at: &str, value: &str) -> Result<()> {
    if value.len() > MAX_TEXT {
        return Err(bad(&format!(
            "{at} has {} bytes: expected at most {MAX_TEXT}",
            value.len()
        )));
    }
    if value.chars().any(obeyed) {
        return Err(bad(&format!(
            "{at} is {value:?}: expected no control characters and none that are invisible"
        )));
    }
    Ok(())
}

/// Checks a text that must be there.
pub(super) fn name(at: &str, value: &str) -> Result<()> {
    if value.trim().is_empty() {
        return Err(bad(&format!("{at} is empty")));
    }
    text(at, value)
}

/// Checks that a number is finite, not negative, and not so large that arithmetic overflows.
pub(super) fn number(at: &str, value: f64) -> Result<()> {
    if !value.is_finite() || value < 0.0 {
        return Err(bad(&format!(
            "{at} is {value}: expected a finite number, not negative"
        )));
    }
    if value > MAX_NUMBER {
        return Err(bad(&format!(
            "{at} is {value:e}: expected at most {MAX_NUMBER:e}"
        )));
    }
    Ok(())
}

/// Checks that a count is at most `most`.
pub(super) fn count(at: &str, value: u64, most: u64) -> Result<()> {
    if value <= most {
        return Ok(());
    }
    Err(bad(&format!("{at} is {value}: expected at most {most}")))
}

/// Checks samples and that their summary is theirs.
pub(super) fn samples(at: &str, samples: &Samples) -> Result<()> {
    for (i, sample) in samples.samples.iter().enumerate() {
        number(&format!("{at}.samples[{i}]"), *sample)?;
    }
    let Some(expected) = Summary::of(&samples.samples) else {
        return Err(bad(&format!("{at}.samples is empty")));
    };
    if !close(&samples.summary, &expected) {
        return Err(bad(&format!("{at}.summary is not that of the samples")));
    }
    Ok(())
}

/// Checks a digest or a commit.
pub(super) fn hex(at: &str, text: &str, digits: usize) -> Result<()> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == digits && text.bytes().all(is_digit) {
        Ok(())
    } else {
        Err(bad(&format!(
            "{at} is {text:?}: expected {digits} lower-case hexadecimal digits"
        )))
    }
}

/// Whether two numbers agree but for rounding.
pub(super) fn near(a: f64, b: f64) -> bool {
    a.is_finite() && b.is_finite() && (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// Whether two summaries agree but for rounding.
pub(super) fn close(a: &Summary, b: &Summary) -> bool {
    let intervals = match (&a.interval, &b.interval) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            near(a.low, b.low) && near(a.high, b.high) && near(a.confidence, b.confidence)
        }
        _ => false,
    };
    intervals
        && near(a.median, b.median)
        && near(a.min, b.min)
        && near(a.max, b.max)
        && near(a.mean, b.mean)
}
