//! Reading folding files back: whatever the bytes, an error that says what is wrong, or a file that holds.

use std::collections::HashSet;

use serde::Deserialize;

use super::model::{FoldModel, fold_model};
use super::{FOLDING_FORMAT, FOLDING_VERSION, FoldingFile};
use crate::Result;
use crate::measure::{FoldMeasurement, FoldStage, Kind, Peer, Session, SizeRow, TableSize};
use crate::report::check::{
    MAX_COUNT, bad, count, guest as check_guest, header, length, name, near, number, samples,
    threads,
};
use crate::stark::air::TableAir;

/// Largest base-2 logarithm of the rows of a table or a chunk that a file may name.
const MAX_LOG_ROWS: u32 = 32;
/// Most chunks of a table: its chunks' bytes are summed.
const MAX_CHUNKS: u64 = 1 << 24;
/// Most bytes of an instance.
const MAX_INSTANCE: u64 = 1 << 32;

/// Reads a folding file.
///
/// # Errors
/// [`Error::ResultFile`](crate::Error::ResultFile) naming what is wrong and what is expected.
pub fn read_folding(bytes: &[u8]) -> Result<FoldingFile> {
    length(bytes)?;
    let look = look(bytes)?;
    if look.format != FOLDING_FORMAT {
        return Err(bad(&format!(
            "format is {:?}: expected {FOLDING_FORMAT:?}",
            look.format
        )));
    }
    if look.schema_version != u64::from(FOLDING_VERSION) {
        return Err(bad(&format!(
            "schema_version is {}: this build reads version {FOLDING_VERSION} of {FOLDING_FORMAT}",
            look.schema_version
        )));
    }
    let file: FoldingFile =
        serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
    check_folding(&file)?;
    Ok(file)
}

/// What every version of the format has.
#[derive(Deserialize)]
struct Look {
    format: String,
    schema_version: u64,
}

fn look(bytes: &[u8]) -> Result<Look> {
    serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))
}

/// Whether the bytes look like a folding file of this or another version.
///
/// For whoever is about to replace or read them; [`read_folding`] is what checks them.
pub fn is_folding_file(bytes: &[u8]) -> bool {
    look(bytes).is_ok_and(|look| look.format == FOLDING_FORMAT)
}

/// Checks what types do not say.
pub(in crate::report) fn check_folding(file: &FoldingFile) -> Result<()> {
    let FoldingFile {
        format,
        schema_version,
        complete: _,
        created,
        elapsed_seconds,
        tool,
        hardware,
        measured,
        starks,
        modelled,
    } = file;
    if (format.as_str(), *schema_version) != (FOLDING_FORMAT, FOLDING_VERSION) {
        return Err(bad(&format!(
            "format is {format:?}, schema_version {schema_version}: expected {FOLDING_FORMAT:?}, \
             version {FOLDING_VERSION}"
        )));
    }
    header(created, *elapsed_seconds, tool, hardware)?;
    match measured.parameters.backend.as_str() {
        "cpu" => {}
        "cuda" if hardware.gpu.is_some() => {}
        "cuda" => {
            return Err(bad(
                "measured.parameters.backend is cuda, but hardware.gpu is missing",
            ));
        }
        other => {
            return Err(bad(&format!(
                "measured.parameters.backend is {other:?}: expected cpu or cuda; numbers from a \
                 stand-in for a device are no results"
            )));
        }
    }
    check_measured(measured)?;
    for (i, stark) in starks.iter().enumerate() {
        let at = format!("starks[{i}]");
        kind(&at, stark.kind, Kind::Modelled)?;
        log_rows(&at, stark.log_rows)?;
        stark
            .params
            .check()
            .map_err(|error| bad(&format!("{at}.params: {error}")))?;
        number(&format!("{at}.bytes"), stark.bytes)?;
        number(
            &format!("{at}.unique_decoding_bits"),
            stark.unique_decoding_bits,
        )?;
        number(
            &format!("{at}.johnson_bits"),
            stark.johnson_bits.unwrap_or_default(),
        )?;
        number(&format!("{at}.conjectured_bits"), stark.conjectured_bits)?;
    }
    check_modelled(modelled, &fold_model(measured, starks))
}

fn check_measured(measured: &FoldMeasurement) -> Result<()> {
    let FoldMeasurement {
        guest,
        parameters,
        witness_bytes,
        shipment_bytes,
        tables,
        sessions,
        sizes,
        peers,
    } = measured;
    check_guest("measured.guest", guest)?;
    threads("measured.parameters.threads", parameters.threads)?;
    // Bytes a segment are scaled by cycles.
    if parameters.log_cycles > crate::ship::MAX_LOG_CYCLES {
        return Err(bad(&format!(
            "measured.parameters.log_cycles is {}",
            parameters.log_cycles
        )));
    }
    log_rows("measured.parameters", parameters.log_rows)?;
    count("measured.witness_bytes", *witness_bytes, MAX_COUNT)?;
    count("measured.shipment_bytes", *shipment_bytes, MAX_COUNT)?;
    check_tables("measured.tables", tables, parameters.log_rows)?;
    for (i, session) in sessions.iter().enumerate() {
        check_session(&format!("measured.sessions[{i}]"), session, measured)?;
        if sessions[..i]
            .iter()
            .any(|other| other.order == session.order)
        {
            return Err(bad(&format!(
                "measured.sessions[{i}].order is {:?}, as of an earlier one",
                session.order
            )));
        }
    }
    for (i, row) in sizes.iter().enumerate() {
        let at = format!("measured.sizes[{i}]");
        let SizeRow {
            kind: found,
            log_rows: log,
            tables,
            fresh_witness,
            commit,
            cross_term,
            fold,
        } = row;
        kind(&at, *found, Kind::Measured)?;
        log_rows(&at, *log)?;
        if i > 0 && sizes[i - 1].log_rows >= *log {
            return Err(bad(&format!(
                "{at}.log_rows is {log}, not above that of the size before"
            )));
        }
        if !parameters.sizes.contains(log) {
            return Err(bad(&format!(
                "{at}.log_rows is {log}, which is not among measured.parameters.sizes"
            )));
        }
        check_tables(&format!("{at}.tables"), tables, *log)?;
        for (name, part) in [
            ("fresh_witness", fresh_witness),
            ("commit", commit),
            ("cross_term", cross_term),
            ("fold", fold),
        ] {
            if let Some(part) = part {
                samples(&format!("{at}.{name}"), part)?;
            }
        }
    }
    for (i, peer) in peers.iter().enumerate() {
        check_peer(&format!("measured.peers[{i}]"), peer)?;
    }
    Ok(())
}

/// Checks that there is one relation for each table, whose chunks cover its rows.
fn check_tables(at: &str, tables: &[TableSize], log: u32) -> Result<()> {
    if tables.len() != TableAir::COUNT {
        return Err(bad(&format!(
            "{at} has {} entries: expected {}",
            tables.len(),
            TableAir::COUNT
        )));
    }
    for (i, (table, name)) in tables.iter().zip(TableAir::NAMES).enumerate() {
        let at = format!("{at}[{i}]");
        check_table(&at, table, name)?;
        // A table shorter than a chunk is one chunk.
        if table.log_rows > log || (table.log_rows < log && table.num_chunks > 1) {
            return Err(bad(&format!(
                "{at}.log_rows is {}: expected {log}, or less for a table of one chunk",
                table.log_rows
            )));
        }
    }
    Ok(())
}

/// Checks the relation of one table.
pub(in crate::report) fn check_table(at: &str, table: &TableSize, name: &str) -> Result<()> {
    if table.table != name {
        return Err(bad(&format!(
            "{at}.table is {:?}: expected {name:?}",
            table.table
        )));
    }
    log_rows(at, table.log_rows)?;
    count(&format!("{at}.num_chunks"), table.num_chunks, MAX_CHUNKS)?;
    let covered = table.num_chunks << table.log_rows;
    if table.num_chunks == 0 || table.rows != covered {
        return Err(bad(&format!(
            "{at}.rows is {}: expected {covered}, its chunks times their rows",
            table.rows
        )));
    }
    let counts = [
        ("quadratic", table.quadratic),
        ("linear", table.linear),
        ("public", table.public),
        ("known", table.known),
        ("main", table.main),
        ("lookup", table.lookup),
        ("cell_bytes", table.cell_bytes),
        ("folded_bytes", table.folded_bytes),
    ];
    for (name, value) in counts {
        count(&format!("{at}.{name}"), value, MAX_COUNT)?;
    }
    count(
        &format!("{at}.fresh_bytes"),
        table.fresh_bytes,
        MAX_INSTANCE,
    )?;
    count(
        &format!("{at}.instance_bytes"),
        table.instance_bytes,
        MAX_INSTANCE,
    )?;
    // Whatever the format of a witness, the scalars of its main and lookup parts and of E are in it.
    let least = 32 * (table.main + table.lookup + table.quadratic);
    if table.folded_bytes < least {
        return Err(bad(&format!(
            "{at}.folded_bytes is {}: expected {least} or more, 32 for each scalar",
            table.folded_bytes
        )));
    }
    Ok(())
}

fn check_session(at: &str, session: &Session, measured: &FoldMeasurement) -> Result<()> {
    let Session {
        kind: found,
        order,
        folds,
        seconds,
        stages,
        hops,
        proof_bytes,
        accumulator_bytes,
        verify_seconds,
        peak_memory_bytes,
    } = session;
    let memory = peak_memory_bytes.unwrap_or_default();
    count(&format!("{at}.peak_memory_bytes"), memory, MAX_COUNT)?;
    kind(at, *found, Kind::Measured)?;
    if !measured.parameters.orders.contains(order) || !["seq", "tree"].contains(&order.as_str()) {
        return Err(bad(&format!(
            "{at}.order is {order:?}: expected one of measured.parameters.orders, seq or tree"
        )));
    }
    let expected: u64 = measured
        .tables
        .iter()
        .map(|table| table.num_chunks - 1)
        .sum();
    if *folds != expected {
        return Err(bad(&format!(
            "{at}.folds is {folds}: expected {expected}, one less than the chunks of each table"
        )));
    }
    number(&format!("{at}.seconds"), *seconds)?;
    number(&format!("{at}.verify_seconds"), *verify_seconds)?;
    let mut seen: HashSet<FoldStage> = HashSet::new();
    for (i, entry) in stages.iter().enumerate() {
        number(&format!("{at}.stages[{i}].seconds"), entry.seconds)?;
        if !seen.insert(entry.stage) {
            return Err(bad(&format!(
                "{at}.stages[{i}].stage is {}, as of an earlier one",
                entry.stage.name()
            )));
        }
    }
    let mut total = 0u64;
    for (i, entry) in hops.iter().enumerate() {
        let at = format!("{at}.hops[{i}]");
        if !TableAir::NAMES.contains(&entry.table.as_str()) {
            return Err(bad(&format!("{at}.table is {:?}", entry.table)));
        }
        count(&format!("{at}.folds"), entry.folds, MAX_CHUNKS)?;
        count(&format!("{at}.sent_bytes"), entry.sent_bytes, MAX_COUNT)?;
        count(
            &format!("{at}.returned_bytes"),
            entry.returned_bytes,
            MAX_COUNT,
        )?;
        total += entry.folds;
    }
    if total != *folds {
        return Err(bad(&format!(
            "{at}.hops are of {total} folds: expected {folds}"
        )));
    }
    count(&format!("{at}.proof_bytes"), *proof_bytes, MAX_COUNT)?;
    if accumulator_bytes > proof_bytes {
        return Err(bad(&format!(
            "{at}.accumulator_bytes is {accumulator_bytes}, more than the {proof_bytes} of the proof"
        )));
    }
    Ok(())
}

fn check_peer(at: &str, peer: &Peer) -> Result<()> {
    let Peer {
        name: called,
        kind: found,
        curve,
        log_rows: log,
        step,
        primary_constraints,
        primary_variables,
        secondary_constraints,
        verifier_constraints,
        setup_seconds,
        prove,
        verify_seconds,
        bytes,
    } = peer;
    kind(at, *found, Kind::Measured)?;
    log_rows(at, *log)?;
    name(&format!("{at}.name"), called)?;
    name(&format!("{at}.curve"), curve)?;
    let other = [
        ("primary_variables", primary_variables),
        ("secondary_constraints", secondary_constraints),
    ];
    for (field, value) in other {
        count(&format!("{at}.{field}"), *value, MAX_COUNT)?;
    }
    count(&format!("{at}.step.small"), step.small, MAX_COUNT)?;
    count(&format!("{at}.step.full"), step.full, MAX_COUNT)?;
    count(
        &format!("{at}.primary_constraints"),
        *primary_constraints,
        MAX_COUNT,
    )?;
    count(
        &format!("{at}.verifier_constraints"),
        *verifier_constraints,
        MAX_COUNT,
    )?;
    if step.small + step.full + verifier_constraints != *primary_constraints {
        return Err(bad(&format!(
            "{at}.verifier_constraints is {verifier_constraints}: expected what the step leaves of \
             {primary_constraints}"
        )));
    }
    number(&format!("{at}.setup_seconds"), *setup_seconds)?;
    number(&format!("{at}.verify_seconds"), *verify_seconds)?;
    count(&format!("{at}.bytes"), *bytes, MAX_COUNT)?;
    samples(&format!("{at}.prove"), prove)
}

/// Checks that what is modelled follows from what is measured.
fn check_modelled(found: &FoldModel, expected: &FoldModel) -> Result<()> {
    let FoldModel {
        circuits,
        trees,
        alternatives,
        answers,
    } = found;
    let follows = |what: &str| {
        bad(&format!(
            "modelled.{what} is not what follows from measured and starks"
        ))
    };
    if *circuits != expected.circuits {
        return Err(follows("circuits"));
    }
    if trees.len() != expected.trees.len() {
        return Err(follows("trees"));
    }
    for (i, (a, b)) in trees.iter().zip(&expected.trees).enumerate() {
        let same = a.object == b.object
            && a.kind == b.kind
            && near(a.bytes, b.bytes)
            && near(a.tree_bytes, b.tree_bytes)
            && near(a.in_place_bytes, b.in_place_bytes);
        if !same {
            return Err(follows(&format!("trees[{i}]")));
        }
    }
    if alternatives.len() != expected.alternatives.len() {
        return Err(follows("alternatives"));
    }
    for (i, (a, b)) in alternatives.iter().zip(&expected.alternatives).enumerate() {
        let same = a.name == b.name
            && a.kind == b.kind
            && near(a.bytes, b.bytes)
            && (&a.formula, &a.cost) == (&b.formula, &b.cost);
        if !same {
            return Err(follows(&format!("alternatives[{i}]")));
        }
    }
    if *answers != expected.answers {
        return Err(follows("answers"));
    }
    Ok(())
}

fn kind(at: &str, found: Kind, expected: Kind) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(bad(&format!(
        "{at}.kind is {found:?}: expected {expected:?}"
    )))
}

fn log_rows(at: &str, value: u32) -> Result<()> {
    if value <= MAX_LOG_ROWS {
        return Ok(());
    }
    Err(bad(&format!(
        "{at}.log_rows is {value}: expected at most {MAX_LOG_ROWS}"
    )))
}
