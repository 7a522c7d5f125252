//! Files that the command line names: read up to a limit, written whole.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use rewit::ship::{self, HEADER_BYTES};
use rewit::{Error, Result};

use super::print;

/// Most bytes of an ELF file.
pub(crate) const MAX_ELF: u64 = 256 << 20;
/// Most bytes of a guest's input: positions in it have 32 bits.
pub(crate) const MAX_INPUT: u64 = u32::MAX as u64;
/// Most bytes of a shipment.
const MAX_SHIPMENT: u64 = 16 << 30;

/// An I/O error of what the command line calls `what`.
pub(crate) fn failed(what: impl Into<String>) -> impl Fn(io::Error) -> Error {
    let what = what.into();
    move |source| Error::Io {
        path: what.clone().into(),
        source,
    }
}

/// Reads to the end, but no more than `limit` bytes; `None` if there are more.
pub(crate) fn read_up_to(from: impl Read, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// Reads a file of at most `limit` bytes; `None` if it has more.
pub(crate) fn read_file_up_to(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    // A regular file that is too long is not read at all.
    if file.metadata()?.len() > limit {
        return Ok(None);
    }
    read_up_to(file, limit)
}

/// What is said of a file above its limit.
pub(crate) fn too_long(what: &str, limit: u64) -> Error {
    Error::Usage(format!(
        "{what} is longer than {limit} bytes, the most there may be; give another file"
    ))
}

/// Reads a file whole.
///
/// - `flag`: what names the file on the command line.
pub(crate) fn read_file(flag: &str, path: &Path, limit: u64) -> Result<Vec<u8>> {
    let what = format!("{flag} {}", path.display()).trim_start().to_owned();
    let bytes = read_file_up_to(path, limit).map_err(failed(&*what))?;
    bytes.ok_or_else(|| too_long(&what, limit))
}

/// Reads a shipment: its header, then as much as that announces and a byte more, so that decoding
/// sees whether there is too much.
///
/// - `flag`: what names the file on the command line; empty if its position does.
pub(crate) fn read_shipment(flag: &str, path: &Path) -> Result<Vec<u8>> {
    let what = format!("{flag} {}", path.display()).trim_start().to_owned();
    let failed = failed(&*what);
    let mut file = File::open(path).map_err(&failed)?;
    let mut bytes = Vec::new();
    file.by_ref()
        .take(HEADER_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(&failed)?;
    let total = ship::inspect(&bytes)?.total_bytes();
    if total > MAX_SHIPMENT {
        return Err(Error::Usage(format!(
            "{what} announces {total} bytes, the most there may be are {MAX_SHIPMENT}; give \
             another file"
        )));
    }
    file.take(total - HEADER_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(&failed)?;
    Ok(bytes)
}

/// Writes a file whole; `-` is standard output.
///
/// - `flag`: what names the file on the command line.
pub(crate) fn write_file(flag: &str, path: &Path, bytes: &[u8]) -> Result<()> {
    if path.as_os_str() == "-" {
        return print(bytes);
    }
    fs::write(path, bytes).map_err(failed(format!("{flag} {}", path.display())))
}

/// Refuses a file to be written that is one of those read.
///
/// - `flag`: what names the file to be written.
/// - `read`: the others, with what names them.
pub(crate) fn refuse_same(flag: &str, path: &Path, read: &[(&str, &Path)]) -> Result<()> {
    for (other, file) in read {
        if same(path, file) {
            return Err(Error::Usage(format!(
                "{flag} {} is the same file as {other}; choose another file for {flag}",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Whether two paths lead to one regular file.
fn same(a: &Path, b: &Path) -> bool {
    let (Ok(one), Ok(two)) = (fs::metadata(a), fs::metadata(b)) else {
        return false;
    };
    one.is_file() && two.is_file() && (same_inode(&one, &two) || same_path(a, b))
}

fn same_path(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(unix)]
fn same_inode(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same_inode(_: &Metadata, _: &Metadata) -> bool {
    false
}
