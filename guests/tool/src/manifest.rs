//! `manifest.json`: what is committed, and what running it must give.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// The version of the layout of the file.
pub const SCHEMA: u32 = 1;

/// The whole file.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What the ELF files were built with: only this gives the same bytes again.
    pub toolchain: BTreeMap<String, String>,
    /// In the order of the catalogue.
    pub guests: Vec<Guest>,
}

/// One guest. Paths are relative to the folder of the manifest.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Guest {
    /// Short name.
    pub name: String,
    /// One line.
    pub description: String,
    /// The program.
    pub elf: String,
    /// BLAKE3 of it, in hexadecimal digits.
    pub elf_blake3: String,
    /// By name: `default` for everyday measurements, `small` for quick tests, and for `block` a `large` one.
    pub inputs: BTreeMap<String, Input>,
}

/// One input and what comes of it.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The file that becomes fd 0.
    pub path: String,
    /// BLAKE3 of it, in hexadecimal digits.
    pub blake3: String,
    /// How the guest exits.
    pub exit_code: u32,
    /// All of fd 1.
    pub stdout: String,
    /// All of fd 3, in hexadecimal digits.
    pub journal: String,
    /// Instructions executed, every system call counted as one. It depends on how many reads and writes the input
    /// and output take, and a little on where the stack lies.
    pub instructions: u64,
}

impl Manifest {
    /// Reads `FOLDER/manifest.json`.
    ///
    /// # Errors
    /// If the file is absent, malformed or of another version.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("manifest.json");
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let manifest: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} is malformed", path.display()))?;
        ensure!(
            manifest.schema == SCHEMA,
            "{} has schema {}, this tool reads {SCHEMA}",
            path.display(),
            manifest.schema
        );
        Ok(manifest)
    }

    /// Writes `FOLDER/manifest.json`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        write(&folder.join("manifest.json"), text.as_bytes())
    }
}

/// Replaces a file as a whole: whoever reads it meanwhile sees the old or the new one.
///
/// # Errors
/// If the folder cannot be written to.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    fs::write(&name, bytes)
        .and_then(|()| fs::rename(&name, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
