//! `rewit report`: result files as a page.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use rewit::report::{self, Figure, MAX_BYTES, Page, PageOptions, Size, Source, is_page, page};
use rewit::{Error, Result};

use super::files::{failed, read_file_up_to, refuse_same, write_file};
use super::{print, say};

/// Pixels of an image a pixel of the plot.
const SCALE: f64 = 2.0;
/// Most bytes of a page.
const MAX_PAGE: u64 = 256 << 20;

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// Result files of any kind.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write the page here; `-` for standard output. A file that is there is replaced only if it is such a page.
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// Write every plot as PNG into this folder, too.
    #[arg(long, value_name = "DIR")]
    png: Option<PathBuf>,
    /// Write every plot as SVG into this folder, too.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// The page's title.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "Recompute or ship a zkVM witness: measured"
    )]
    title: String,
}

/// Reads the files, makes the page, and writes it and its plots.
pub(crate) fn report(args: &ReportArgs) -> Result<()> {
    let mut sources = Vec::new();
    for path in &args.files {
        let shown = path.display();
        let bytes = read_file_up_to(path, MAX_BYTES as u64)
            .map_err(failed(shown.to_string()))?
            .ok_or_else(|| {
                Error::ResultFile(format!(
                    "{shown}: more than {MAX_BYTES} bytes, expected at most that"
                ))
            })?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let source =
            Source::read(&name.to_string_lossy(), &bytes).map_err(|error| match error {
                Error::ResultFile(what) => Error::ResultFile(format!("{}: {what}", path.display())),
                other => other,
            })?;
        sources.push(source);
    }
    let to_stdout = args.out.as_os_str() == "-";
    if !to_stdout {
        refuse_others(args)?;
    }
    let options = PageOptions {
        title: args.title.clone(),
        created: super::now(),
    };
    let Page { html, figures } = page(&sources, &options)?;
    if let Some(folder) = &args.png {
        export("--png", folder, "png", &figures, |figure| {
            figure.png(Size::Desktop, SCALE)
        })?;
    }
    if let Some(folder) = &args.svg {
        export("--svg", folder, "svg", &figures, |figure| {
            Ok(figure.svg(Size::Desktop).into_bytes())
        })?;
    }
    if to_stdout {
        return print(html.as_bytes());
    }
    report::write_text(&args.out, &html).map_err(|error| match error {
        Error::Io { source, .. } => failed(format!("--out {}", args.out.display()))(source),
        other => other,
    })?;
    say(&format!(
        "{}: {} plots, {} kB, loads nothing",
        args.out.display(),
        figures.len(),
        html.len() / 1000
    ));
    Ok(())
}

/// Refuses to replace a file that is no page of ours.
fn refuse_others(args: &ReportArgs) -> Result<()> {
    let read: Vec<(&str, &Path)> = args
        .files
        .iter()
        .map(|path| ("a result file", path.as_path()))
        .collect();
    refuse_same("--out", &args.out, &read)?;
    let Ok(found) = fs::metadata(&args.out) else {
        return Ok(());
    };
    if found.is_dir() {
        return Err(Error::Usage(format!(
            "--out {} is a folder; name a file in it",
            args.out.display()
        )));
    }
    if !found.is_file() || found.len() == 0 {
        return Ok(());
    }
    let bytes = read_file_up_to(&args.out, MAX_PAGE)
        .map_err(failed(format!("--out {}", args.out.display())))?;
    if bytes.is_some_and(|bytes| is_page(&bytes)) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "--out {} is there already and is no page of `rewit report`; choose another file",
        args.out.display()
    )))
}

/// Writes plots into a folder, which is made if need be.
fn export(
    flag: &str,
    folder: &Path,
    extension: &str,
    figures: &[Figure],
    bytes: impl Fn(&Figure) -> Result<Vec<u8>>,
) -> Result<()> {
    fs::create_dir_all(folder).map_err(failed(format!("{flag} {}", folder.display())))?;
    for figure in figures {
        let path = folder.join(format!("{}.{extension}", figure.id));
        // A file of another kind under that name is somebody else's.
        let bytes = bytes(figure)?;
        if !replaceable(&path, &bytes) {
            return Err(Error::Usage(format!(
                "{flag}: {} is there already and is not that plot; choose another folder",
                path.display()
            )));
        }
        write_file(flag, &path, &bytes)?;
    }
    say(&format!("{}: {} plots", folder.display(), figures.len()));
    Ok(())
}

/// Whether a plot may be written to `path`: nothing is there, an empty file, or an older drawing of the same plot.
fn replaceable(path: &Path, plot: &[u8]) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else {
        return true;
    };
    if !found.is_file() {
        return false;
    }
    // An SVG up to its size has the plot's own name; a PNG up to its width is as wide as ours.
    let name = plot.windows(7).position(|part| part == b" width=");
    let mark = if plot.starts_with(b"\x89PNG") {
        Some(20)
    } else {
        name
    };
    match (read_file_up_to(path, MAX_PAGE), mark) {
        (Ok(Some(there)), Some(mark)) => there.is_empty() || there.get(..mark) == plot.get(..mark),
        _ => false,
    }
}
