//! `rewit validate`: result files.

use std::path::PathBuf;

use clap::Args;
use rewit::report::{AnyFile, MAX_BYTES};
use rewit::{Error, Result};

use super::files::{failed, read_file_up_to};
use super::print;

#[derive(Args, Debug)]
pub(crate) struct ValidateArgs {
    /// Result files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Checks every file; the first that is malformed ends it.
pub(crate) fn validate(args: &ValidateArgs) -> Result<()> {
    for path in &args.files {
        let name = path.display();
        let of_file = |what: String| Error::ResultFile(format!("{name}: {what}"));
        let bytes = read_file_up_to(path, MAX_BYTES as u64)
            .map_err(failed(name.to_string()))?
            .ok_or_else(|| {
                of_file(format!(
                    "more than {MAX_BYTES} bytes, expected at most that"
                ))
            })?;
        let name_file = |error| match error {
            Error::ResultFile(what) => of_file(what),
            other => other,
        };
        let file = AnyFile::read(&bytes).map_err(name_file)?;
        let rows: usize = file.runs().iter().map(|run| run.rows.len()).sum();
        let foldings = file.foldings();
        let sizes: usize = foldings.iter().map(|file| file.measured.sizes.len()).sum();
        let what = match file {
            AnyFile::Run(_) => format!("{rows} rows"),
            AnyFile::Folding(_) => format!("folding at {sizes} chunk sizes"),
            AnyFile::ProofSizes(_) | AnyFile::Profile(_) => file.kind().to_owned(),
        };
        let state = if file.complete() {
            "complete"
        } else {
            "of a run that did not end"
        };
        print(format!("{name}: valid, {state}, {what}\n").as_bytes())?;
    }
    Ok(())
}
