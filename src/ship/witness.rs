//! `witness`: the tables themselves.

use rayon::prelude::*;

use super::body::{BodyReader, BodyWriter};
use super::frame::{equal, in_range, u32_len};
use super::{At, ShipError, Table};

/// Most tables in a witness.
pub const MAX_TABLES: u32 = 16;
/// Most words in a table's row.
pub const MAX_WIDTH: u32 = 1024;
/// Bytes of a table's name on the wire; shorter names are padded with zeros.
pub const TABLE_NAME_BYTES: usize = 16;

/// BabyBear's modulus, `2^31 - 2^27 + 1`.
const MODULUS: u32 = 0x7800_0001;
/// Bytes before the first table's entry.
const PREFIX_BYTES: u64 = 4;
/// Bytes of a table's entry: name, width, rows.
const ENTRY_BYTES: u64 = TABLE_NAME_BYTES as u64 + 8;
/// Words checked at once.
const PART: usize = 1 << 16;

/// Checks `tables` and returns their bytes on the wire.
pub(super) fn check(tables: &[Table]) -> Result<u64, ShipError> {
    let at = At::Value;
    in_range(
        "number of tables",
        at,
        tables.len() as u64,
        0..=u64::from(MAX_TABLES),
    )?;
    let mut bytes = PREFIX_BYTES;
    for (i, Table { name, width, words }) in tables.iter().enumerate() {
        let repeats = tables[..i].iter().any(|t| t.name == *name);
        if repeats || !is_name(name.as_bytes()) {
            return Err(ShipError::BadTableName { at });
        }
        in_range(
            "width of a table",
            at,
            u64::from(*width),
            1..=u64::from(MAX_WIDTH),
        )?;
        let rows = words.len() / *width as usize;
        equal(
            "words of a table",
            at,
            words.len() as u64,
            (rows * *width as usize) as u64,
        )?;
        u32_len("rows of a table", rows)?;
        if let Some(i) = bad_word(words) {
            return Err(ShipError::NotCanonicalWord {
                at,
                value: words[i],
            });
        }
        bytes += ENTRY_BYTES + 4 * words.len() as u64;
    }
    Ok(bytes)
}

/// Writes tables that were checked.
pub(super) fn write(tables: &[Table], body: &mut BodyWriter<'_>) {
    body.u32(tables.len() as u32);
    for Table { name, width, words } in tables {
        let mut padded = [0; TABLE_NAME_BYTES];
        padded[..name.len()].copy_from_slice(name.as_bytes());
        body.bytes(&padded);
        body.u32(*width);
        body.u32((words.len() / *width as usize) as u32);
    }
    for table in tables {
        body.words(&table.words);
    }
}

/// Reads the rest of the body as tables.
pub(super) fn read(body: &mut BodyReader<'_>) -> Result<Vec<Table>, ShipError> {
    let at = body.at();
    let count = body.u32("number of tables")?;
    in_range(
        "number of tables",
        at,
        u64::from(count),
        0..=u64::from(MAX_TABLES),
    )?;
    let mut entries: Vec<(String, u32, u64)> = Vec::new();
    let mut bytes = 0;
    for _ in 0..count {
        let at = body.at();
        let padded: [u8; TABLE_NAME_BYTES] = body.array("name of a table")?;
        let len = padded
            .iter()
            .position(|&b| b == 0)
            .unwrap_or(TABLE_NAME_BYTES);
        let (name, padding) = padded.split_at(len);
        let repeats = entries.iter().any(|(n, ..)| n.as_bytes() == name);
        if repeats || !is_name(name) || padding.iter().any(|&b| b != 0) {
            return Err(ShipError::BadTableName { at });
        }
        let name = name.iter().copied().map(char::from).collect();
        let at = body.at();
        let width = body.u32("width of a table")?;
        in_range(
            "width of a table",
            at,
            u64::from(width),
            1..=u64::from(MAX_WIDTH),
        )?;
        let words = u64::from(width) * u64::from(body.u32("rows of a table")?);
        bytes += 4 * words;
        entries.push((name, width, words));
    }
    body.expect_remaining("tables", bytes)?;
    let mut tables = Vec::new();
    for (name, width, len) in entries {
        let At::Body(first) = body.at() else {
            unreachable!("a body's place is in the body")
        };
        let words: Vec<u32> = body.vec("table", len)?;
        if let Some(i) = bad_word(&words) {
            let at = At::Body(first + 4 * i as u64);
            return Err(ShipError::NotCanonicalWord {
                at,
                value: words[i],
            });
        }
        tables.push(Table { name, width, words });
    }
    Ok(tables)
}

fn is_name(name: &[u8]) -> bool {
    (1..=TABLE_NAME_BYTES).contains(&name.len())
        && name
            .iter()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// Index of the first word that is not a field element.
fn bad_word(words: &[u32]) -> Option<usize> {
    let position = |part: &[u32]| part.iter().position(|&w| w >= MODULUS);
    if words.len() <= PART {
        return position(words);
    }
    let part = words
        .par_chunks(PART)
        .position_first(|part| part.iter().fold(0, |max, &w| w.max(max)) >= MODULUS)?;
    position(&words[part * PART..]).map(|i| part * PART + i)
}
