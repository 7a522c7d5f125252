//! `rewit model --note`: the note's ledger.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use rewit::model::note::{LedgerInputs, NOTE};
use rewit::report::{AnyFile, MAX_BYTES, NoteReport};
use rewit::{Error, Result};

use crate::cli::files::{failed, read_file_up_to};
use crate::cli::print;

/// Options of the ledger.
#[derive(Args, Debug)]
#[command(next_help_heading = "The note's ledger")]
pub(crate) struct NoteArgs {
    /// Print the note's ledger line by line: as written, corrected, and with FILE from measured sizes.
    #[arg(long)]
    note: bool,
    /// Bytes of the snapshots sent with segments; the first is used line by line [default: 50MB,200MB].
    #[arg(
        long,
        value_name = "BYTES",
        value_delimiter = ',',
        value_parser = parse_bytes,
        allow_negative_numbers = true,
        requires = "note"
    )]
    snapshot: Vec<f64>,
    /// Bytes of a proof where none is measured [default: 250kB].
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = parse_bytes,
        allow_negative_numbers = true,
        requires = "note"
    )]
    stark: Option<f64>,
    /// Cycles of a segment where none is measured [default: 1e6].
    #[arg(
        long,
        value_name = "N",
        value_parser = parse_number,
        allow_negative_numbers = true,
        requires = "note"
    )]
    segment_cycles: Option<f64>,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Tables for a terminal.
    Text,
    /// The same as Markdown.
    Markdown,
    /// A line for each number.
    Csv,
    /// Everything.
    Json,
}

/// What the ledger shares with the model of a cluster.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cluster {
    /// Workers.
    pub(super) machines: Option<f64>,
    /// Cycles of the computation.
    pub(super) cycles: Option<f64>,
}

impl NoteArgs {
    /// Whether the ledger is what is wanted.
    pub(super) fn asked(&self) -> bool {
        self.note
    }
}

/// Prints the ledger.
pub(super) fn note(
    args: &NoteArgs,
    cluster: Cluster,
    files: &[PathBuf],
    format: Format,
) -> Result<()> {
    let inputs = LedgerInputs {
        machines: cluster.machines.unwrap_or(NOTE.machines),
        cycles: cluster.cycles.unwrap_or(NOTE.cycles),
        segment_cycles: args.segment_cycles.unwrap_or(NOTE.segment_cycles),
        snapshot_bytes: NOTE.snapshot_bytes,
        stark_bytes: args.stark.unwrap_or(NOTE.stark_bytes),
    };
    let files = files
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>>>()?;
    let report = NoteReport::new(&files, &inputs, &args.snapshot)?;
    let text = match format {
        Format::Text => report.to_text(),
        Format::Markdown => report.to_markdown(),
        Format::Csv => report.to_csv(),
        Format::Json => report.to_json(),
    };
    print(text.as_bytes())
}

/// Reads a result file of any kind.
pub(super) fn read(path: &Path) -> Result<AnyFile> {
    let name = path.display();
    let bytes = read_file_up_to(path, MAX_BYTES as u64).map_err(failed(name.to_string()))?;
    let Some(bytes) = bytes else {
        let what = format!("{name}: more than {MAX_BYTES} bytes, expected at most that");
        return Err(Error::ResultFile(what));
    };
    AnyFile::read(&bytes).map_err(|error| match error {
        Error::ResultFile(what) => Error::ResultFile(format!("{name}: {what}")),
        other => other,
    })
}

/// Parses a number such as `1e9` or `1000`.
pub(super) fn parse_number(text: &str) -> Result<f64, String> {
    let value: f64 = text
        .parse()
        .map_err(|_| "expected a number such as 1000 or 1e9".to_owned())?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err("expected a finite number".into())
    }
}

/// Parses a size such as `50MB`, `250kB`, `4 MiB` or `1e6`.
pub(super) fn parse_bytes(text: &str) -> Result<f64, String> {
    const UNITS: [(&str, f64); 9] = [
        ("kiB", 1024.0),
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("kB", 1e3),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
    ];
    let text = text.trim();
    let unit = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit));
    let (number, scale) = match unit {
        Some((unit, scale)) => (&text[..text.len() - unit.len()], scale),
        None => (text.strip_suffix('B').unwrap_or(text), 1.0),
    };
    let bytes = parse_number(number.trim_end())
        .map_err(|_| "expected bytes, such as 250kB, 50MB or 1e6".to_owned())?
        * scale;
    if bytes.is_finite() {
        Ok(bytes)
    } else {
        Err("expected a finite number of bytes".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("50MB", 50e6),
            ("250kB", 250e3),
            ("1.5 GB", 1.5e9),
            ("4 MiB", 4_194_304.0),
            ("12B", 12.0),
            ("1e6", 1e6),
            ("0", 0.0),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in [
            "", "MB", "50 mB", "50Mb", "nan", "NaNMB", "1e308GB", "inf", "5,0MB", "ß",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
