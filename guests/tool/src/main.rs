//! Makes the inputs and the manifest of the guests, and checks the committed files against them.
//!
//! `ci/guests.sh` calls it; `guests/README.md` describes what it makes.

mod asm;
mod catalog;
mod chain;
mod machine;
mod manifest;
mod signatures;
#[cfg(test)]
mod trie_oracle;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use catalog::{Entry, GUESTS};
use guest_rt::EXIT_BAD_INPUT;
use manifest::{Guest, Input, Manifest};

const USAGE: &str = "usage: guest-tool COMMAND FOLDER

  generate FOLDER [NAME=VERSION...]  write inputs and manifest for the ELF files in FOLDER/prebuilt;
                                     NAME=VERSION is recorded as the toolchain
  verify FOLDER                      compare the files with the manifest, and run every guest natively and in the
                                     tool's own machine
  compare FOLDER OTHER               compare the ELF files in OTHER with the manifest
  qemu FOLDER                        run every guest under qemu-riscv32
  count ELF INPUT                    run one ELF file in the tool's own machine and print what it did";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["generate", folder, ref toolchain @ ..] => generate(folder.as_ref(), toolchain),
        ["verify", folder] => verify(folder.as_ref()),
        ["compare", folder, other] => compare(folder.as_ref(), other.as_ref()),
        ["qemu", folder] => qemu(folder.as_ref()),
        ["count", elf, input] => count(elf.as_ref(), input.as_ref()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guest-tool: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn generate(folder: &Path, toolchain: &[&str]) -> Result<()> {
    let toolchain = toolchain
        .iter()
        .map(|pair| {
            let (name, version) = pair.split_once('=').context("expected NAME=VERSION")?;
            Ok((name.to_owned(), version.to_owned()))
        })
        .collect::<Result<_>>()?;
    let guests = GUESTS
        .iter()
        .map(|entry| describe(folder, entry).with_context(|| format!("guest {}", entry.name)))
        .collect::<Result<_>>()?;
    Manifest {
        schema: manifest::SCHEMA,
        toolchain,
        guests,
    }
    .write(folder)
}

/// Writes the inputs of one guest and says what must come of them.
fn describe(folder: &Path, entry: &Entry) -> Result<Guest> {
    let elf_path = format!("prebuilt/{}.elf", entry.name);
    let elf = read(&folder.join(&elf_path))?;
    fs::create_dir_all(folder.join("inputs"))?;

    let mut inputs = BTreeMap::new();
    for &(kind, make) in entry.inputs {
        let suffix = match kind {
            "default" => String::new(),
            _ => format!("-{kind}"),
        };
        let path = format!("inputs/{}{suffix}.{}", entry.name, entry.extension);
        let bytes = make()?;
        manifest::write(&folder.join(&path), &bytes)?;

        let native = (entry.run)(&bytes).map_err(|why| anyhow::anyhow!(why.0))?;
        let outcome = machine::run(&elf, &bytes)?;
        let input = Input {
            path,
            blake3: hash(&bytes),
            exit_code: 0,
            stdout: native.text,
            journal: hex(&native.journal),
            instructions: outcome.instructions,
        };
        check_run(&input, outcome.exit_code, &outcome.stdout, &outcome.journal)?;
        println!(
            "{:14}{kind:9}{:>12} instructions {:>6} pages written",
            entry.name, outcome.instructions, outcome.pages_written
        );
        inputs.insert(kind.to_owned(), input);
    }
    Ok(Guest {
        name: entry.name.to_owned(),
        description: entry.description.to_owned(),
        elf_blake3: hash(&elf),
        elf: elf_path,
        inputs,
    })
}

fn verify(folder: &Path) -> Result<()> {
    for_every_input(folder, |entry, elf, kind, input| {
        let bytes = read(&folder.join(&input.path))?;
        ensure!(hash(&bytes) == input.blake3, "the input has another hash");
        let (_, make) = entry
            .inputs
            .iter()
            .find(|(name, _)| *name == kind)
            .context("the catalogue has no such input")?;
        ensure!(make()? == bytes, "the input is not what the tool generates");

        let native = (entry.run)(&bytes).map_err(|why| anyhow::anyhow!(why.0))?;
        check_run(input, 0, native.text.as_bytes(), &native.journal).context("natively")?;
        let elf = read(elf)?;
        let outcome = machine::run(&elf, &bytes)?;
        check_run(input, outcome.exit_code, &outcome.stdout, &outcome.journal)
            .context("in the machine")?;
        ensure!(
            outcome.instructions == input.instructions,
            "{} instructions, expected {}",
            outcome.instructions,
            input.instructions
        );

        let bad = malformed(&bytes);
        ensure!((entry.run)(&bad).is_err(), "malformed input is accepted");
        let outcome = machine::run(&elf, &bad)?;
        ensure!(
            outcome.exit_code == EXIT_BAD_INPUT && !outcome.stderr.is_empty(),
            "malformed input is not refused"
        );
        Ok(())
    })
}

fn compare(folder: &Path, other: &Path) -> Result<()> {
    let mut different = 0;
    for guest in Manifest::read(folder)?.guests {
        let rebuilt = hash(&read(&other.join(format!("{}.elf", guest.name)))?);
        let verdict = if rebuilt == guest.elf_blake3 {
            "identical"
        } else {
            different += 1;
            "DIFFERENT"
        };
        println!("{:14}{verdict}  {rebuilt}", guest.name);
    }
    ensure!(
        different == 0,
        "{different} guests differ from the manifest"
    );
    Ok(())
}

fn qemu(folder: &Path) -> Result<()> {
    for_every_input(folder, |_, elf, _, input| {
        let path = folder.join(&input.path);
        let (code, stdout, journal) = run_qemu(elf, &path)?;
        check_run(input, code, &stdout, &journal)?;

        let scratch = tempfile::tempdir()?;
        let bad = scratch.path().join("input");
        fs::write(&bad, malformed(&read(&path)?))?;
        let (code, ..) = run_qemu(elf, &bad)?;
        ensure!(
            code == EXIT_BAD_INPUT,
            "malformed input gives exit code {code}"
        );
        Ok(())
    })
}

/// Exit code, fd 1 and fd 3 of a run under qemu. A shell opens fd 3, which std cannot hand to a child.
fn run_qemu(elf: &Path, input: &Path) -> Result<(u32, Vec<u8>, Vec<u8>)> {
    let scratch = tempfile::tempdir()?;
    let journal = scratch.path().join("journal");
    let output = Command::new("sh")
        .args(["-c", "exec qemu-riscv32 \"$1\" 3>\"$2\"", "sh"])
        .args([elf, &journal])
        .stdin(Stdio::from(File::open(input)?))
        .output()?;
    let code = output.status.code().context("qemu died of a signal")?;
    Ok((u32::try_from(code)?, output.stdout, read(&journal)?))
}

fn count(elf: &Path, input: &Path) -> Result<()> {
    let outcome = machine::run(&read(elf)?, &read(input)?)?;
    print!("{}", String::from_utf8_lossy(&outcome.stdout));
    eprint!("{}", String::from_utf8_lossy(&outcome.stderr));
    println!("exit code     {}", outcome.exit_code);
    println!("journal       {}", hex(&outcome.journal));
    println!("instructions  {}", outcome.instructions);
    println!("pages written {}", outcome.pages_written);
    Ok(())
}

/// Calls `check` with catalogue entry, path of the ELF file, name of the input and the input, for every input of the
/// manifest, after comparing the ELF file with its hash.
fn for_every_input(
    folder: &Path,
    check: impl Fn(&Entry, &Path, &str, &Input) -> Result<()>,
) -> Result<()> {
    let manifest = Manifest::read(folder)?;
    ensure!(
        manifest
            .guests
            .iter()
            .map(|g| g.name.as_str())
            .eq(GUESTS.iter().map(|e| e.name)),
        "the manifest lists other guests than the catalogue"
    );
    for (guest, entry) in manifest.guests.iter().zip(GUESTS) {
        let elf = folder.join(&guest.elf);
        ensure!(
            hash(&read(&elf)?) == guest.elf_blake3,
            "{} has another hash than the manifest says",
            guest.elf
        );
        for (kind, input) in &guest.inputs {
            check(entry, &elf, kind, input)
                .with_context(|| format!("guest {}, input {kind}", guest.name))?;
            println!("{:14}{kind:9}ok", guest.name);
        }
    }
    Ok(())
}

fn check_run(expected: &Input, exit_code: u32, stdout: &[u8], journal: &[u8]) -> Result<()> {
    ensure!(
        exit_code == expected.exit_code,
        "exit code {exit_code}, expected {}",
        expected.exit_code
    );
    let stdout = String::from_utf8_lossy(stdout);
    ensure!(
        stdout == expected.stdout,
        "wrote {stdout:?}, expected {:?}",
        expected.stdout
    );
    let journal = hex(journal);
    ensure!(
        journal == expected.journal,
        "journal {journal}, expected {}",
        expected.journal
    );
    Ok(())
}

/// An input that no guest accepts: one byte too many, and no digit.
fn malformed(input: &[u8]) -> Vec<u8> {
    [input, b"!"].concat()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    guest_rt::push_hex(&mut text, bytes);
    text
}
