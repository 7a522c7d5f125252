//! Writing result files.

use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::ResultFile;
use crate::{Error, Result};

/// The file's text: JSON, indented, with a line end.
pub fn to_json(result: &ResultFile) -> String {
    json_text(result)
}

/// A value of plain data as JSON, indented, with a line end.
pub(super) fn json_text<T: Serialize>(value: &T) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("reports are plain data");
    text.push('\n');
    text
}

/// A type's JSON Schema, as such text.
pub(super) fn schema_text<T: JsonSchema>() -> String {
    json_text(&schemars::schema_for!(T))
}

/// Writes a result file under a temporary name beside `path`, then renames it: whoever opens `path`
/// finds an older complete text or this one.
///
/// A path that is no regular file, such as a pipe, is written to as it is.
///
/// # Errors
/// [`Error::Io`] naming the file.
pub fn write(path: &Path, result: &ResultFile) -> Result<()> {
    write_text(path, &to_json(result))
}

/// Writes the text of a result file as [`write()`] does.
///
/// # Errors
/// [`Error::Io`] naming the file.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    let failed = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).is_ok_and(|file| !file.is_file()) {
        return fs::write(path, text).map_err(failed);
    }
    // The file that a link leads to is replaced, not the link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let Some(name) = target.file_name() else {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    };
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = target.with_file_name(temporary);
    let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, &target));
    written.map_err(|source| {
        // What is left of the attempt is of no use; that it could not be removed is no news either.
        let _ = fs::remove_file(&temporary);
        failed(source)
    })
}
