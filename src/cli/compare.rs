//! `rewit compare`: result files beside each other.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use rewit::report::compare::{
    CompareOptions, compare as compared, comparison_csv, comparison_json, comparison_markdown,
    comparison_table,
};
use rewit::report::{AnyFile, MAX_BYTES};
use rewit::{Error, Result};

use super::files::{failed, read_file_up_to, refuse_same};
use super::{print, say};

/// Most files: each is compared with the first.
const MAX_FILES: usize = 64;

#[derive(Args, Debug)]
pub(crate) struct CompareArgs {
    /// Result files of any kind; the first is the baseline.
    #[arg(required = true, num_args = 2.., value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Exit with 4 if a time's whole interval is above this ratio to the baseline: `1.10`, or `10%`
    /// for the same. Bytes are not judged, nor what was measured only once.
    #[arg(long, value_name = "RATIO", value_parser = parse_threshold)]
    threshold: Option<f64>,
    /// How to write the comparison.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Write it here instead of to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Compare only rows of these stages, separated by commas: `regenerate,prove`.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    stage: Vec<String>,
    /// Order of the rows.
    #[arg(long, value_enum, default_value = "file")]
    sort: Sort,
    /// Compare files of different versions of rewit too, for tracking regressions.
    #[arg(long)]
    across_versions: bool,
    /// Compare stages of the cpu with those of a GPU too, whose times include transfers.
    #[arg(long)]
    across_backends: bool,
}

/// Forms of output.
#[derive(Clone, Copy, PartialEq, Debug, ValueEnum)]
enum Format {
    /// Text with tables.
    Table,
    /// A Markdown document.
    Markdown,
    /// A line for every row, compared or refused.
    Csv,
    /// Everything.
    Json,
}

/// Orders of rows.
#[derive(Clone, Copy, PartialEq, Debug, ValueEnum)]
enum Sort {
    /// That of the baseline.
    File,
    /// Largest ratio first.
    Ratio,
}

/// Compares, and exits with 4 if a threshold is exceeded.
pub(crate) fn compare(args: &CompareArgs) -> Result<ExitCode> {
    if args.files.len() > MAX_FILES {
        return Err(Error::Usage(format!(
            "{} files; at most {MAX_FILES} are compared at once, give fewer",
            args.files.len()
        )));
    }
    if let Some(out) = &args.out {
        let read: Vec<_> = args
            .files
            .iter()
            .map(|file| ("a file to compare", file.as_path()))
            .collect();
        refuse_same("--out", out, &read)?;
        // A comparison has no mark by which an older one could be told from a file of another kind.
        if fs::metadata(out).is_ok_and(|there| there.is_file() && there.len() > 0) {
            return Err(Error::Usage(format!(
                "--out {} is there already; choose another file",
                out.display()
            )));
        }
    }
    let files = args
        .files
        .iter()
        .map(|path| {
            let name = path.display().to_string();
            let of_file = |what: String| Error::ResultFile(format!("{name}: {what}"));
            let bytes = read_file_up_to(path, MAX_BYTES as u64)
                .map_err(failed(&*name))?
                .ok_or_else(|| {
                    of_file(format!(
                        "more than {MAX_BYTES} bytes, the most there may be"
                    ))
                })?;
            let file = AnyFile::read(&bytes).map_err(|error| match error {
                Error::ResultFile(what) => of_file(what),
                other => other,
            })?;
            Ok((name, file))
        })
        .collect::<Result<Vec<(String, AnyFile)>>>()?;
    let options = CompareOptions {
        across_versions: args.across_versions,
        across_backends: args.across_backends,
        stages: args.stage.clone(),
        by_ratio: args.sort == Sort::Ratio,
    };
    let mut comparison = compared(&files, &options)?;
    if let Some(threshold) = args.threshold {
        comparison.judge(threshold);
    }
    let text = match args.format {
        Format::Table => comparison_table(&comparison),
        Format::Markdown => comparison_markdown(&comparison),
        Format::Csv => comparison_csv(&comparison),
        Format::Json => comparison_json(&comparison),
    };
    match &args.out {
        Some(path) if path.as_os_str() == "-" => print(text.as_bytes())?,
        Some(path) => rewit::report::write_text(path, &text)?,
        None => print(text.as_bytes())?,
    }
    let above = comparison
        .threshold
        .map_or(0, |exceeded| exceeded.above.len());
    if above > 0 {
        say(&format!("{above} rows are above --threshold"));
        return Ok(ExitCode::from(4));
    }
    Ok(ExitCode::SUCCESS)
}

/// A ratio, or an increase in percent.
fn parse_threshold(text: &str) -> Result<f64, String> {
    let ratio = match text.strip_suffix('%') {
        Some(percent) => percent
            .trim()
            .parse::<f64>()
            .map(|percent| 1.0 + percent / 100.0),
        None => text.parse::<f64>(),
    };
    match ratio {
        Ok(ratio) if ratio.is_finite() && ratio > 0.0 => Ok(ratio),
        _ => Err("expected a ratio above 0 such as 1.10, or an increase such as 10%".to_owned()),
    }
}
