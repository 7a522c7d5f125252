//! `rewit validate`: result files.

use std::path::PathBuf;

use clap::Args;
use rewit::report::{MAX_BYTES, read};
use rewit::{Error, Result};

use super::{print, read_file};

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
        let size = std::fs::metadata(path)
            .map_err(|source| Error::Io {
                path: path.clone(),
                source,
            })?
            .len();
        if size > MAX_BYTES as u64 {
            return Err(of_file(format!(
                "{size} bytes, expected at most {MAX_BYTES}"
            )));
        }
        let result = read(&read_file(path)?).map_err(|error| match error {
            Error::ResultFile(what) => of_file(what),
            other => other,
        })?;
        let state = if result.complete {
            "complete"
        } else {
            "of a run that did not end"
        };
        print(format!("{name}: valid, {state}, {} rows\n", result.rows.len()).as_bytes())?;
    }
    Ok(())
}
