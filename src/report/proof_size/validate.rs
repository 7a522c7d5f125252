//! Reading files of proof sizes back.

use std::collections::HashSet;

use serde::Deserialize;

use super::{PROOF_SIZE_FORMAT, PROOF_SIZE_VERSION, ProofSizes};
use crate::Result;
use crate::measure::proof_size::{
    Bits, KIB, Kind, LIMITS_KIB, Measured, Object, Options, Requirement, Row, Scheme,
};
use crate::report::check::{
    MAX_COUNT, bad, count, guest as check_guest, header, length, name, near, num_rows, number,
    text, threads,
};
use crate::stark::Params;
use crate::stark::params::MAX_GRINDING;

/// Largest base-2 logarithm of the rows of a table.
const MAX_LOG_HEIGHT: u32 = 32;
/// Most bits of security that a level may claim, in either direction.
const MAX_BITS: f64 = 1024.0;
/// Most levels that can be asked for.
const MAX_TARGETS: usize = 128;

/// Reads a file of proof sizes and checks it: version, types, ranges, names, that no row is there
/// twice, that residuals, totals of parts and provable bits follow from what they are of, and that
/// requirements hold what they say.
///
/// Security levels are checked against each other, not computed again: the shape of what was proved
/// is not in the file.
///
/// # Errors
/// [`Error::ResultFile`](crate::Error::ResultFile) naming the field. Never panics.
pub fn read_proof_sizes(bytes: &[u8]) -> Result<ProofSizes> {
    length(bytes)?;
    /// What every version of the format has.
    #[derive(Deserialize)]
    struct Look {
        format: String,
        version: u64,
    }
    let look: Look = serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
    if look.format != PROOF_SIZE_FORMAT {
        return Err(bad(&format!(
            "format is {:?}: expected {PROOF_SIZE_FORMAT:?}",
            look.format
        )));
    }
    if look.version != u64::from(PROOF_SIZE_VERSION) {
        return Err(bad(&format!(
            "version is {}: this build reads version {PROOF_SIZE_VERSION} of {PROOF_SIZE_FORMAT}",
            look.version
        )));
    }
    let file: ProofSizes =
        serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
    check(&file)?;
    Ok(file)
}

/// Checks what types do not say.
pub(in crate::report) fn check(file: &ProofSizes) -> Result<()> {
    let ProofSizes {
        format,
        version,
        created,
        elapsed_seconds,
        tool,
        hardware,
        threads: used,
        guest,
        options,
        rows,
        requirements,
    } = file;
    if (format.as_str(), *version) != (PROOF_SIZE_FORMAT, PROOF_SIZE_VERSION) {
        return Err(bad(&format!(
            "format is {format:?}, version {version}: expected {PROOF_SIZE_FORMAT:?}, version \
             {PROOF_SIZE_VERSION}"
        )));
    }
    header(created, *elapsed_seconds, tool, hardware)?;
    if let Some(used) = used {
        threads("threads", *used)?;
    }
    if let Some(guest) = guest {
        check_guest("guest", guest)?;
    }
    check_options(options)?;
    let mut seen = HashSet::new();
    num_rows(rows.len())?;
    for (i, row) in rows.iter().enumerate() {
        let at = format!("rows[{i}]");
        check_row(&at, row)?;
        if !seen.insert((&row.subject, row.of, &row.purpose)) {
            return Err(bad(&format!(
                "{at} has the subject, object and purpose of an earlier row"
            )));
        }
    }
    let mut seen = HashSet::new();
    for (i, requirement) in requirements.iter().enumerate() {
        let at = format!("requirements[{i}]");
        check_requirement(&at, requirement)?;
        if !rows.iter().any(|row| row.subject == requirement.subject) {
            return Err(bad(&format!(
                "{at}.subject is {:?}, of which there is no row",
                requirement.subject
            )));
        }
        let Requirement {
            subject,
            target_bits,
            limit_kib,
            ..
        } = requirement;
        if !seen.insert((subject, target_bits, limit_kib)) {
            return Err(bad(&format!(
                "{at} has the subject, bits and limit of an earlier one"
            )));
        }
    }
    Ok(())
}

fn check_options(options: &Options) -> Result<()> {
    let Options {
        targets,
        max_log_blowup,
        max_grinding,
        sweep: _,
    } = options;
    if targets.len() > MAX_TARGETS {
        return Err(bad(&format!(
            "options.targets has {} entries: expected at most {MAX_TARGETS}",
            targets.len()
        )));
    }
    for (i, target) in targets.iter().enumerate() {
        bits_asked(&format!("options.targets[{i}]"), *target)?;
    }
    count("options.max_log_blowup", (*max_log_blowup).into(), 5)?;
    let most = MAX_GRINDING.into();
    count("options.max_grinding", (*max_grinding).into(), most)
}

fn check_row(at: &str, row: &Row) -> Result<()> {
    let Row {
        subject,
        log_height,
        elements,
        of,
        scheme,
        purpose,
        kind,
        params,
        setting,
        measured,
        modelled_bytes,
        modelled_parts,
        residual_percent,
        unique,
        johnson,
        johnson_2025,
        conjectured,
        provable_bits,
        note,
    } = row;
    name(&format!("{at}.subject"), subject)?;
    name(&format!("{at}.purpose"), purpose)?;
    text(&format!("{at}.note"), note)?;
    if let Some(setting) = setting {
        name(&format!("{at}.setting"), setting)?;
    }
    let log = u64::from(*log_height);
    count(&format!("{at}.log_height"), log, MAX_LOG_HEIGHT.into())?;
    count(&format!("{at}.elements"), *elements, MAX_COUNT)?;
    if let Some(params) = params {
        check_params(&format!("{at}.params"), params)?;
    }
    if *of == Object::Proof && *scheme != Scheme::Fri {
        return Err(bad(&format!(
            "{at}.scheme is {}: expected fri of a proof",
            scheme.name()
        )));
    }
    let fits = match kind {
        Kind::Measured => measured.is_some(),
        Kind::Modelled => measured.is_none() && modelled_bytes.is_some(),
        Kind::Refused => measured.is_none() && modelled_bytes.is_none() && !note.is_empty(),
    };
    if !fits {
        return Err(bad(&format!(
            "{at}.kind is {}, which does not fit what is there of measured, modelled_bytes and note",
            kind.name()
        )));
    }
    if *kind != Kind::Refused && *scheme == Scheme::Fri && params.is_none() {
        return Err(bad(&format!("{at}.params is missing")));
    }
    if let Some(measured) = measured {
        check_measured(&format!("{at}.measured"), measured)?;
    }
    if let Some(bytes) = modelled_bytes {
        number(&format!("{at}.modelled_bytes"), *bytes)?;
        if *bytes < 1.0 {
            return Err(bad(&format!("{at}.modelled_bytes is {bytes}")));
        }
    }
    if let Some(parts) = modelled_parts {
        for (part, bytes) in parts.parts() {
            number(&format!("{at}.modelled_parts, {part}"), bytes)?;
        }
        let total = parts.total();
        if modelled_bytes.is_none_or(|bytes| !near(bytes, total)) {
            return Err(bad(&format!(
                "{at}.modelled_bytes is {modelled_bytes:?}: expected {total}, the total of \
                 modelled_parts"
            )));
        }
    }
    let expected = measured.zip(*modelled_bytes).map(|(measured, modelled)| {
        // In bytes, where nothing cancels.
        (measured.bytes as f64, modelled)
    });
    let same = match (residual_percent, expected) {
        (None, None) => true,
        (Some(found), Some((measured, modelled))) => {
            near((1.0 + found / 100.0) * modelled, measured)
        }
        _ => false,
    };
    if !same {
        return Err(bad(&format!(
            "{at}.residual_percent is {residual_percent:?}: expected that of measured above \
             modelled_bytes"
        )));
    }
    let levels = [
        ("unique", unique),
        ("johnson", johnson),
        ("johnson_2025", johnson_2025),
        ("conjectured", conjectured),
    ];
    for (field, level) in levels {
        if let Some(level) = level {
            check_level(&format!("{at}.{field}"), level)?;
        }
    }
    let proved = [unique, johnson].into_iter().flatten();
    let best = proved.map(|level| level.bits).reduce(f64::max);
    let same = match (provable_bits, best) {
        (None, None) => true,
        (Some(found), Some(best)) => near(*found, best),
        _ => false,
    };
    if !same {
        return Err(bad(&format!(
            "{at}.provable_bits is {provable_bits:?}: expected {best:?}, the better of unique and \
             johnson"
        )));
    }
    Ok(())
}

fn check_measured(at: &str, measured: &Measured) -> Result<()> {
    let Measured {
        bytes,
        prove_seconds,
        verify_seconds,
        flipped_bit,
    } = measured;
    count(&format!("{at}.bytes"), *bytes, MAX_COUNT)?;
    number(&format!("{at}.prove_seconds"), *prove_seconds)?;
    number(&format!("{at}.verify_seconds"), *verify_seconds)?;
    if *flipped_bit >= 8 * bytes {
        return Err(bad(&format!(
            "{at}.flipped_bit is {flipped_bit}: expected a bit of the proof's {bytes} bytes"
        )));
    }
    Ok(())
}

fn check_level(at: &str, level: &Bits) -> Result<()> {
    let Bits {
        bits,
        binding,
        multiplicity,
    } = level;
    if !(-MAX_BITS..=MAX_BITS).contains(bits) {
        return Err(bad(&format!(
            "{at}.bits is {bits}: expected -{MAX_BITS} to {MAX_BITS}"
        )));
    }
    name(&format!("{at}.binding"), binding)?;
    let multiplicity = multiplicity.unwrap_or_default() as u64;
    count(&format!("{at}.multiplicity"), multiplicity, MAX_COUNT)
}

fn check_requirement(at: &str, requirement: &Requirement) -> Result<()> {
    let Requirement {
        subject: _,
        target_bits,
        limit_kib,
        reached,
        params,
        modelled_bytes,
    } = requirement;
    bits_asked(&format!("{at}.target_bits"), *target_bits)?;
    if !LIMITS_KIB.contains(limit_kib) {
        return Err(bad(&format!(
            "{at}.limit_kib is {limit_kib}: expected one of {LIMITS_KIB:?}"
        )));
    }
    if let Some(params) = params {
        check_params(&format!("{at}.params"), params)?;
    }
    if let Some(bytes) = modelled_bytes {
        number(&format!("{at}.modelled_bytes"), *bytes)?;
    }
    if params.is_some() != modelled_bytes.is_some() {
        return Err(bad(&format!(
            "{at} has one of params and modelled_bytes: expected both or none"
        )));
    }
    let within = modelled_bytes.is_some_and(|bytes| bytes <= f64::from(*limit_kib) * KIB);
    if *reached != within {
        return Err(bad(&format!(
            "{at}.reached is {reached}: expected {within}, for modelled_bytes is {modelled_bytes:?}"
        )));
    }
    Ok(())
}

fn check_params(at: &str, params: &Params) -> Result<()> {
    let checked = params.check();
    checked.map_err(|error| bad(&format!("{at}: {error}")))
}

fn bits_asked(at: &str, bits: u32) -> Result<()> {
    if (1..=MAX_BITS as u32).contains(&bits) {
        return Ok(());
    }
    Err(bad(&format!("{at} is {bits}: expected 1 to {MAX_BITS}")))
}
