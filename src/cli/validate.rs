//! `rewit validate`: result files.

use std::path::{Path, PathBuf};

use clap::Args;
use rewit::report::{AnyFile, MAX_BYTES, escape_text};
use rewit::{Error, Result};

use super::files::{failed, read_file_up_to};
use super::{print, say};

#[derive(Args, Debug)]
pub(crate) struct ValidateArgs {
    /// Result files of any kind.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Refuse what should not be cited, too: files of runs that did not end, of an unknown commit, of
    /// a build that differs from it or is not optimized, or with anything else unknown.
    #[arg(long)]
    strict: bool,
}

/// Checks every file and reports on each; fails at the end if one of them does not hold.
pub(crate) fn validate(args: &ValidateArgs) -> Result<()> {
    let mut errors = Vec::new();
    for path in &args.files {
        match check(path, args.strict) {
            Ok(report) => print(report.as_bytes())?,
            Err(error) => errors.push(error),
        }
    }
    if errors.len() < 2 {
        return errors.pop().map_or(Ok(()), Err);
    }
    let (of, bad) = (args.files.len(), errors.len());
    for error in errors {
        say(&format!("error: {error}"));
    }
    Err(Error::ResultFile(format!(
        "{bad} of {of} files, named above"
    )))
}

/// What there is to say of a file that holds.
fn check(path: &Path, strict: bool) -> Result<String> {
    let name = escape_text(&path.display().to_string());
    let of_file = |what: String| Error::ResultFile(format!("{name}: {what}"));
    let bytes = read_file_up_to(path, MAX_BYTES as u64)
        .map_err(failed(&*name))?
        .ok_or_else(|| {
            of_file(format!(
                "more than {MAX_BYTES} bytes, expected at most that"
            ))
        })?;
    let file = AnyFile::read(&bytes).map_err(|error| match error {
        Error::ResultFile(what) => of_file(what),
        other => other,
    })?;
    let gaps = file.gaps().join("; ");
    if strict && !gaps.is_empty() {
        return Err(of_file(format!("not to be cited (--strict): {gaps}")));
    }
    let state = if file.complete() {
        "complete"
    } else {
        "of a run that did not end"
    };
    let mut report = format!("{name}: valid, {state}, {}\n", contents(&file));
    if !gaps.is_empty() {
        report += &format!("{name}: provenance incomplete: {gaps}\n");
    }
    Ok(report)
}

/// What is in a file, in words.
fn contents(file: &AnyFile) -> String {
    let rows: usize = file.runs().iter().map(|run| run.rows.len()).sum();
    let foldings = file.foldings();
    let chunks: usize = foldings.iter().map(|file| file.measured.sizes.len()).sum();
    let sizes: usize = file.proof_sizes().iter().map(|file| file.rows.len()).sum();
    match file {
        AnyFile::Run(_) => format!("{rows} rows"),
        AnyFile::Folding(_) => format!("folding at {chunks} chunk sizes"),
        AnyFile::Link(file) => format!("link at {} points", file.link.points.len()),
        AnyFile::ProofSizes(_) => format!("{sizes} proof sizes"),
        AnyFile::Profile(profile) => format!(
            "profile of {} runs ({rows} rows), {} foldings ({chunks} chunk sizes) and {sizes} proof \
             sizes",
            profile.runs.len(),
            profile.foldings.len()
        ),
    }
}
