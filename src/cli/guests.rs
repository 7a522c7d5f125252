//! The built-in guests, and how a guest is named on the command line.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use rewit::report::format_count;
use rewit::vm::Program;
use rewit::{Error, Result};
use serde::Deserialize;

use super::files::{self, MAX_ELF, MAX_INPUT, failed, read_file};
use super::{GuestArgs, print};

/// A guest and its input, ready to run.
pub(crate) struct Guest {
    /// Name of a built-in guest, or of the file.
    pub(crate) name: String,
    /// Its program.
    pub(crate) program: Program,
    /// Its input.
    pub(crate) input: Vec<u8>,
}

impl Guest {
    /// What result files say of it before it has run to its end.
    pub(crate) fn measured(&self) -> rewit::measure::Guest {
        rewit::measure::Guest {
            name: self.name.clone(),
            elf_bytes: self.program.elf().len() as u64,
            elf_blake3: blake3::Hash::from(*self.program.digest()).to_string(),
            input_bytes: self.input.len() as u64,
            input_blake3: blake3::hash(&self.input).to_string(),
            cycles: 0,
            exit_code: None,
        }
    }
}

struct BuiltIn {
    name: &'static str,
    elf: &'static [u8],
    /// By name; the first is the default.
    inputs: &'static [(&'static str, &'static [u8])],
}

/// One built-in guest: its name, and the names and files of its inputs.
macro_rules! built_in {
    ($name:literal: $($input:literal = $file:literal),+) => {
        BuiltIn {
            name: $name,
            elf: include_bytes!(concat!("../../guests/prebuilt/", $name, ".elf")),
            inputs: &[$(($input, include_bytes!(concat!("../../guests/inputs/", $file)))),+],
        }
    };
}

const MANIFEST: &str = include_str!("../../guests/manifest.json");

static BUILT_IN: [BuiltIn; 6] = [
    built_in!("fib": "default" = "fib.txt", "small" = "fib-small.txt"),
    built_in!("sha2-chain": "default" = "sha2-chain.txt", "small" = "sha2-chain-small.txt"),
    built_in!("keccak-chain": "default" = "keccak-chain.txt", "small" = "keccak-chain-small.txt"),
    built_in!("sort": "default" = "sort.txt", "small" = "sort-small.txt"),
    built_in!("ecdsa": "default" = "ecdsa.bin", "small" = "ecdsa-small.bin"),
    built_in!(
        "block":
        "default" = "block.bin", "small" = "block-small.bin", "large" = "block-large.bin"
    ),
];

/// Finds the guest and its input.
///
/// # Errors
/// [`Error::Usage`] if it is neither built in nor looks like a path, [`Error::Io`] or
/// [`Error::Elf`] if a file cannot be used.
pub(crate) fn load(args: &GuestArgs) -> Result<Guest> {
    let built_in = find(&args.guest);
    let program = load_program(&args.guest)?;
    let input = load_input(&args.guest, args.input.as_deref())?;
    let name = match built_in {
        Some(guest) => guest.name.to_owned(),
        // Not the whole path: result files are for others.
        None => Path::new(&args.guest).file_name().map_or_else(
            || args.guest.clone(),
            // Nor anything that moves a cursor.
            |name| name.to_string_lossy().replace(char::is_control, "\u{fffd}"),
        ),
    };
    Ok(Guest {
        name,
        program,
        input,
    })
}

/// The input of a guest: `given`, or its default.
pub(crate) fn load_input(guest: &str, given: Option<&str>) -> Result<Vec<u8>> {
    Ok(match (given, find(guest)) {
        (None, None) => Vec::new(),
        (None, Some(guest)) => guest.inputs[0].1.to_vec(),
        (Some("-"), _) => {
            let what = "--input - (standard input)";
            let input = files::read_up_to(std::io::stdin().lock(), MAX_INPUT);
            input
                .map_err(failed(what))?
                .ok_or_else(|| files::too_long(what, MAX_INPUT))?
        }
        (Some(name), Some(guest)) => match guest.inputs.iter().find(|(n, _)| *n == name) {
            Some((_, input)) => input.to_vec(),
            None => {
                let names: Vec<&str> = guest.inputs.iter().map(|(name, _)| *name).collect();
                read_input(name, &format!("give {} or a file", names.join(", ")))?
            }
        },
        (Some(name), None) => read_input(name, "for an own ELF give a file")?,
    })
}

/// Reads an input from a file.
///
/// - `hint`: what to do if there is none of that name.
fn read_input(name: &str, hint: &str) -> Result<Vec<u8>> {
    read_file("--input", Path::new(name), MAX_INPUT).map_err(|error| match error {
        Error::Io { path, source } if source.kind() == std::io::ErrorKind::NotFound => Error::Io {
            path,
            source: std::io::Error::new(source.kind(), format!("{source}; {hint}")),
        },
        other => other,
    })
}

/// The files among the arguments, with the flags that name them.
pub(crate) fn files_of(args: &GuestArgs) -> Vec<(&str, &Path)> {
    let built_in = find(&args.guest);
    let mut files = Vec::new();
    if built_in.is_none() {
        files.push(("--guest", Path::new(&args.guest)));
    }
    if let Some(name) = args.input.as_deref()
        && name != "-"
        && !built_in.is_some_and(|guest| guest.inputs.iter().any(|(n, _)| *n == name))
    {
        files.push(("--input", Path::new(name)));
    }
    files
}

/// Loads a program by the name of a built-in guest or by its path.
pub(crate) fn load_program(name: &str) -> Result<Program> {
    if let Some(guest) = find(name) {
        return Ok(Program::from_elf(guest.elf.to_vec())?);
    }
    let path = Path::new(name);
    if !path.exists() && !name.contains(['/', '\\', '.']) {
        let known: Vec<&str> = BUILT_IN.iter().map(|guest| guest.name).collect();
        return Err(Error::Usage(format!(
            "unknown guest {name:?}: give --guest one of {} or the path of an elf file",
            known.join(", ")
        )));
    }
    Ok(Program::from_elf(read_file("--guest", path, MAX_ELF)?)?)
}

/// The built-in program with this digest.
pub(crate) fn by_digest(digest: &[u8; 32]) -> Option<Program> {
    let guest = BUILT_IN
        .iter()
        .find(|guest| blake3::hash(guest.elf) == *digest)?;
    Program::from_elf(guest.elf.to_vec()).ok()
}

fn find(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|guest| guest.name == name)
}

#[derive(Deserialize)]
struct Manifest {
    guests: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    description: String,
    inputs: BTreeMap<String, ListedInput>,
}

#[derive(Deserialize)]
struct ListedInput {
    instructions: u64,
}

/// Prints the built-in guests with what the manifest says of them.
pub(crate) fn list() -> Result<()> {
    let manifest: Manifest = serde_json::from_str(MANIFEST)
        .map_err(|error| Error::Resource(format!("guests/manifest.json: {error}")))?;
    let mut out = String::new();
    for guest in &manifest.guests {
        let _ = writeln!(out, "{:<13} {}", guest.name, guest.description);
        for (name, input) in &guest.inputs {
            let count = format_count(input.instructions);
            let _ = writeln!(
                out,
                "{:<13}   --input {name:<8} {count:>12} instructions",
                ""
            );
        }
    }
    print(out.as_bytes())
}
