//! The file of `--out`: progress beside it, the file itself at the end.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rewit::report;
use rewit::{Error, Result};

use super::files::{failed, read_file_up_to, refuse_same};

/// Progress is written no more often than this, except where a part of the job ends.
const PAUSE: Duration = Duration::from_secs(1);
/// How many times as long as writing took the pause after it lasts, at least.
const PAUSE_PER_WRITE: u32 = 20;

/// Where a result goes.
pub(crate) struct Out {
    /// Name given to `--out`.
    target: PathBuf,
    /// Name until the result is complete; none if the target is a pipe or a device.
    partial: Option<PathBuf>,
    /// When progress may be written again.
    next: Instant,
    /// Whether any was written.
    written: bool,
}

impl Out {
    /// Checks that nothing of value would be overwritten; writes nothing.
    ///
    /// - `read`: files the job reads, with the flags that name them.
    ///
    /// # Errors
    /// [`Error::Usage`] if the file is one of `read`, a directory, or there already and no result
    /// file.
    pub(crate) fn new(path: &Path, read: &[(&str, &Path)]) -> Result<Self> {
        let mut out = Self {
            target: path.to_owned(),
            partial: None,
            next: Instant::now(),
            written: false,
        };
        if fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir()) {
            return Ok(out);
        }
        // The file that a link leads to is replaced, not the link.
        out.target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut partial = OsString::from(&out.target);
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        for path in [&out.target, &partial] {
            refuse_same("--out", path, read)?;
            refuse_other_files(path)?;
        }
        out.partial = Some(partial);
        Ok(out)
    }

    /// Writes progress, if it is time.
    ///
    /// - `always`: whether it is time in any case.
    /// - `result`: the file's text.
    pub(crate) fn progress(&mut self, always: bool, result: impl FnOnce() -> String) -> Result<()> {
        let Some(partial) = &self.partial else {
            return Ok(());
        };
        let start = Instant::now();
        if always || start >= self.next {
            report::write_text(partial, &result()).map_err(name)?;
            self.written = true;
            let end = Instant::now();
            self.next = end + PAUSE.max((end - start) * PAUSE_PER_WRITE);
        }
        Ok(())
    }

    /// Writes the complete result and gives it its name.
    pub(crate) fn finish(&self, result: &str) -> Result<()> {
        let Some(partial) = &self.partial else {
            return report::write_text(&self.target, result).map_err(name);
        };
        report::write_text(partial, result).map_err(name)?;
        let failed = failed(format!("--out {}", self.target.display()));
        fs::rename(partial, &self.target).map_err(failed)
    }

    /// Where progress is, if any was written.
    pub(crate) fn left(&self) -> Option<&Path> {
        self.partial.as_deref().filter(|_| self.written)
    }
}

/// Names the flag in an error.
fn name(error: Error) -> Error {
    match error {
        Error::Io { path, source } => failed(format!("--out {}", path.display()))(source),
        other => other,
    }
}

/// Refuses a file that is there and is no result file; an empty one holds nothing of value.
fn refuse_other_files(path: &Path) -> Result<()> {
    let Ok(found) = fs::metadata(path) else {
        return Ok(());
    };
    let ours = found.is_file()
        && (found.len() == 0
            || read_file_up_to(path, report::MAX_BYTES as u64)
                .map_err(failed(format!("--out {}", path.display())))?
                .is_some_and(|bytes| report::is_any_file(&bytes)));
    if ours {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "--out {} is there already and is no rewit result file; choose another file",
        path.display()
    )))
}
