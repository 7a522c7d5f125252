//! Reading profiles back.

use std::collections::{BTreeSet, HashSet};

use serde::Deserialize;

use super::{PROFILE_FORMAT, PROFILE_VERSION, ProfileFile};
use crate::Result;
use crate::measure::{Guest, Hardware};
use crate::report::check::{bad, header, length, text};
use crate::report::folding::check_folding;
use crate::report::link::check_link;
use crate::report::proof_size::check_proof_sizes;
use crate::report::validate::check_run;
use crate::report::{FoldingFile, ResultFile, Tool};
use crate::{Error, report::ProofSizes};

/// Most parts of a kind.
const MAX_PARTS: usize = 256;

/// Reads a profile: checks every part as the reader of its kind does, that all are of the same
/// program and machine, and that none is there twice.
///
/// # Errors
/// [`Error::ResultFile`] naming the part and the field. Never panics.
pub fn read_profile(bytes: &[u8]) -> Result<ProfileFile> {
    length(bytes)?;
    /// What every version of the format has.
    #[derive(Deserialize)]
    struct Look {
        format: String,
        schema_version: u64,
    }
    let look: Look = serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
    if look.format != PROFILE_FORMAT {
        return Err(bad(&format!(
            "format is {:?}: expected {PROFILE_FORMAT:?}",
            look.format
        )));
    }
    if look.schema_version != u64::from(PROFILE_VERSION) {
        return Err(bad(&format!(
            "schema_version is {}: this build reads version {PROFILE_VERSION} of {PROFILE_FORMAT}",
            look.schema_version
        )));
    }
    let file: ProfileFile =
        serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
    check(&file)?;
    Ok(file)
}

/// Checks what types do not say.
fn check(file: &ProfileFile) -> Result<()> {
    let ProfileFile {
        format: _,
        schema_version: _,
        complete,
        created,
        elapsed_seconds,
        tool,
        hardware,
        link,
        runs,
        foldings,
        proof_sizes,
        notes,
    } = file;
    header(created, *elapsed_seconds, tool, hardware)?;
    if let Some(link) = link {
        check_link("link", link)?;
    }
    for (i, note) in notes.iter().enumerate() {
        text(&format!("notes[{i}]"), note)?;
    }
    let parts = [
        ("runs", runs.len()),
        ("foldings", foldings.len()),
        ("proof_sizes", proof_sizes.len()),
    ];
    for (field, len) in parts {
        if len > MAX_PARTS {
            return Err(bad(&format!(
                "{field} has {len} entries: expected at most {MAX_PARTS}"
            )));
        }
    }
    let ended = runs.iter().map(|run| run.complete);
    let ended = ended.chain(foldings.iter().map(|folding| folding.complete));
    if *complete && notes.is_empty() && ended.filter(|ended| !ended).count() > 0 {
        return Err(bad(
            "complete is true and notes are empty, though a part did not end",
        ));
    }
    let whole = Whole { tool, hardware };
    let mut seen = HashSet::new();
    for (i, run) in runs.iter().enumerate() {
        let at = format!("runs[{i}]");
        check_run(run).map_err(|error| within(&at, error))?;
        if run.link != *link {
            return Err(bad(&format!("{at}.link is not that of the profile")));
        }
        whole.agrees(&at, &run.tool, &run.hardware)?;
        if !seen.insert(of_run(run)) {
            return Err(twice(
                &at,
                "guest, segment and chunk size, backends and threads",
            ));
        }
    }
    let mut seen = HashSet::new();
    for (i, folding) in foldings.iter().enumerate() {
        let at = format!("foldings[{i}]");
        check_folding(folding).map_err(|error| within(&at, error))?;
        whole.agrees(&at, &folding.tool, &folding.hardware)?;
        if !seen.insert(of_folding(folding)) {
            return Err(twice(
                &at,
                "guest, segment, chunk size, backend and threads",
            ));
        }
    }
    let mut seen = HashSet::new();
    for (i, sizes) in proof_sizes.iter().enumerate() {
        let at = format!("proof_sizes[{i}]");
        check_proof_sizes(sizes).map_err(|error| within(&at, error))?;
        whole.agrees(&at, &sizes.tool, &sizes.hardware)?;
        if !seen.insert(of_sizes(sizes)) {
            return Err(twice(&at, "guest, threads and options"));
        }
    }
    Ok(())
}

/// What every part must agree with.
struct Whole<'a> {
    tool: &'a Tool,
    hardware: &'a Hardware,
}

impl Whole<'_> {
    fn agrees(&self, at: &str, tool: &Tool, hardware: &Hardware) -> Result<()> {
        if tool != self.tool {
            return Err(bad(&format!("{at}.tool is not that of the profile")));
        }
        if hardware != self.hardware {
            return Err(bad(&format!("{at}.hardware is not that of the profile")));
        }
        Ok(())
    }
}

type OfGuest<'a> = (&'a str, &'a str);

fn of_guest(guest: &Guest) -> OfGuest<'_> {
    (&guest.elf_blake3, &guest.input_blake3)
}

fn of_run(run: &ResultFile) -> (OfGuest<'_>, [u32; 3], BTreeSet<&str>) {
    let parameters = &run.parameters;
    let backends = run.rows.iter().filter_map(|row| row.key.backend.as_deref());
    (
        of_guest(&run.guest),
        [
            parameters.log_cycles,
            parameters.log_chunk,
            parameters.threads,
        ],
        backends.collect(),
    )
}

fn of_folding(folding: &FoldingFile) -> (OfGuest<'_>, [u32; 4], &str) {
    let parameters = &folding.measured.parameters;
    (
        of_guest(&folding.measured.guest),
        [
            parameters.segment,
            parameters.log_cycles,
            parameters.log_rows,
            parameters.threads,
        ],
        &parameters.backend,
    )
}

fn of_sizes(sizes: &ProofSizes) -> (Option<OfGuest<'_>>, Option<u32>, Vec<u32>, [u8; 2], bool) {
    let options = &sizes.options;
    (
        sizes.guest.as_ref().map(of_guest),
        sizes.threads,
        options.targets.clone(),
        [options.max_log_blowup, options.max_grinding],
        options.sweep,
    )
}

fn twice(at: &str, what: &str) -> Error {
    bad(&format!("{at} has the {what} of an earlier one"))
}

/// Names the part in an error.
fn within(at: &str, error: Error) -> Error {
    match error {
        Error::ResultFile(what) => bad(&format!("{at}: {what}")),
        other => other,
    }
}
