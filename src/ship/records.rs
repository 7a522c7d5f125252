//! `records`: one record per cycle, column by column so that like values are neighbours.

use rayon::prelude::*;

use super::body::{BodyReader, BodyWriter};
use super::frame::equal;
use super::{At, ROW_KIND_SHIFT, Record, RowKind, ShipError};
use crate::segment::Segment;

/// Bytes of a record on the wire.
pub(super) const RECORD_BYTES: u64 = size_of::<Record>() as u64;
/// Columns: the words of a [`Record`].
const WIDTH: usize = size_of::<Record>() / 4;
/// Records in every block but the last. A block is stored column by column.
const BLOCK: usize = 1 << 16;
/// Blocks transposed at once.
const BATCH: usize = 8;

/// Checks `records` and returns their bytes on the wire.
pub(super) fn check(segment: &Segment, records: &[Record]) -> Result<u64, ShipError> {
    let at = At::Value;
    equal(
        "number of records",
        at,
        records.len() as u64,
        u64::from(segment.num_cycles),
    )?;
    match records.par_iter().find_first(|r| !has_row_kind(r.op)) {
        Some(r) => Err(ShipError::BadRowKind {
            at,
            value: r.op >> ROW_KIND_SHIFT,
        }),
        None => Ok(RECORD_BYTES * records.len() as u64),
    }
}

fn has_row_kind(op: u32) -> bool {
    op >> ROW_KIND_SHIFT <= RowKind::MoveOutWord as u32
}

/// Writes records that were checked.
pub(super) fn write(records: &[Record], body: &mut BodyWriter<'_>) {
    let mut columns = Vec::new();
    for batch in records.chunks(BATCH * BLOCK) {
        columns.clear();
        columns.resize(batch.len() * WIDTH, 0);
        columns
            .par_chunks_mut(BLOCK * WIDTH)
            .zip(batch.par_chunks(BLOCK))
            .for_each(|(columns, records)| {
                let rows: &[[u32; WIDTH]] = bytemuck::cast_slice(records);
                for (c, column) in columns.chunks_exact_mut(rows.len()).enumerate() {
                    for (word, row) in column.iter_mut().zip(rows) {
                        *word = row[c];
                    }
                }
            });
        body.words(&columns);
    }
}

/// Reads the rest of the body as the records of `segment`.
pub(super) fn read(segment: &Segment, body: &mut BodyReader<'_>) -> Result<Vec<Record>, ShipError> {
    let mut left = segment.num_cycles as usize;
    body.expect_remaining("records", RECORD_BYTES * left as u64)?;
    let mut records: Vec<Record> = Vec::new();
    let mut columns: Vec<u32> = Vec::new();
    while left > 0 {
        let len = left.min(BATCH * BLOCK);
        let first = segment.num_cycles as usize - left;
        body.read_into("records", len * WIDTH, &mut columns)?;
        records.resize(first + len, Record::default());
        records[first..first + len]
            .par_chunks_mut(BLOCK)
            .zip(columns.par_chunks(BLOCK * WIDTH))
            .for_each(|(records, columns)| {
                let rows: &mut [[u32; WIDTH]] = bytemuck::cast_slice_mut(records);
                for (c, column) in columns.chunks_exact(rows.len()).enumerate() {
                    for (word, row) in column.iter().zip(&mut *rows) {
                        row[c] = *word;
                    }
                }
            });
        left -= len;
    }
    match records.par_iter().position_first(|r| !has_row_kind(r.op)) {
        Some(i) => Err(ShipError::BadRowKind {
            at: At::Body(op_offset(segment, body, i)),
            value: records[i].op >> ROW_KIND_SHIFT,
        }),
        None => Ok(records),
    }
}

/// Offset in the raw body of record `i`'s first column; the body was read to its end.
fn op_offset(segment: &Segment, body: &BodyReader<'_>, i: usize) -> u64 {
    let At::Body(end) = body.at() else {
        unreachable!("a body's place is in the body")
    };
    let first = end - RECORD_BYTES * u64::from(segment.num_cycles);
    first + (i / BLOCK * BLOCK) as u64 * RECORD_BYTES + 4 * (i % BLOCK) as u64
}
