//! What messages consist of.

use rayon::prelude::*;

use super::{
    Dimensions, HEADER_BYTES, MAGIC, MAX_LOG, MAX_TABLES, ProofHeader, SCALAR_BYTES, VERSION,
    WireError,
};
use crate::backend::curve::{Fr, G1Affine};
use crate::fold::instance::{Instance, Order, RelaxedInstance, RelaxedWitness, TableProof};
use crate::fold::point::{POINT_BYTES, compress, decompress, field_bytes, field_element};

/// The header of a message.
pub(super) fn header(kind: u8) -> Vec<u8> {
    let [low, high] = VERSION.to_le_bytes();
    [&MAGIC[..], &[low, high, kind, 0]].concat()
}

fn put_scalars(bytes: &mut Vec<u8>, scalars: &[Fr]) {
    bytes.reserve(SCALAR_BYTES * scalars.len());
    for scalar in scalars {
        bytes.extend(field_bytes(scalar));
    }
}

pub(super) fn put_points(bytes: &mut Vec<u8>, points: &[G1Affine]) {
    for point in points {
        bytes.extend(compress(point));
    }
}

pub(super) fn put_instance(bytes: &mut Vec<u8>, instance: &Instance) {
    let Instance { x, parts } = instance;
    put_scalars(bytes, x);
    put_points(bytes, parts);
}

pub(super) fn put_relaxed_instance(bytes: &mut Vec<u8>, instance: &RelaxedInstance) {
    let RelaxedInstance { u, x, parts, error } = instance;
    put_scalars(bytes, &[*u]);
    put_scalars(bytes, x);
    put_points(bytes, parts);
    put_points(bytes, &[*error]);
}

pub(super) fn put_relaxed_witness(bytes: &mut Vec<u8>, witness: &RelaxedWitness) {
    let RelaxedWitness { parts, error } = witness;
    for part in parts {
        put_scalars(bytes, part);
    }
    put_scalars(bytes, error);
}

/// Reads a message from front to back.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    offset: u64,
}

impl<'a> Reader<'a> {
    /// Reads the header.
    pub(super) fn message(bytes: &'a [u8], kind: u8) -> Result<Self, WireError> {
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if magic != MAGIC {
            let found = magic.to_vec();
            return Err(WireError::BadMagic { found });
        }
        let mut reader = Self {
            rest: bytes,
            offset: 0,
        };
        let [.., low, high, found, reserved] = *reader.array::<HEADER_BYTES>("header")?;
        let version = u16::from_le_bytes([low, high]);
        if version != VERSION {
            return Err(WireError::UnsupportedVersion { found: version });
        }
        if found != kind {
            let expected = kind;
            return Err(WireError::WrongKind { expected, found });
        }
        in_range("reserved byte", 7, u64::from(reserved), 0, 0)?;
        Ok(reader)
    }

    /// Refuses fewer bytes than are left to read.
    pub(super) fn has(&self, what: &'static str, expected: u64) -> Result<(), WireError> {
        let (offset, found) = (self.offset, self.rest.len() as u64);
        if found < expected {
            return Err(WireError::Truncated {
                what,
                offset,
                expected,
                found,
            });
        }
        Ok(())
    }

    /// Refuses fewer bytes than are left to read, and more.
    pub(super) fn ends_after(&self, what: &'static str, bytes: u64) -> Result<(), WireError> {
        self.has(what, bytes)?;
        let extra = self.rest.len() as u64 - bytes;
        if extra > 0 {
            let offset = self.offset + bytes;
            return Err(WireError::TrailingBytes { offset, extra });
        }
        Ok(())
    }

    /// Takes the next bytes.
    fn take(&mut self, what: &'static str, bytes: usize) -> Result<Self, WireError> {
        self.has(what, bytes as u64)?;
        let (taken, rest) = self.rest.split_at(bytes);
        let offset = self.offset;
        self.rest = rest;
        self.offset += bytes as u64;
        Ok(Self {
            rest: taken,
            offset,
        })
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<&'a [u8; N], WireError> {
        let taken = self.take(what, N)?;
        Ok(taken.rest.first_chunk().expect("as many were taken"))
    }

    fn scalar(&mut self, what: &'static str) -> Result<Fr, WireError> {
        let offset = self.offset;
        let bytes = self.array(what)?;
        field_element(bytes).ok_or(WireError::BadScalar { what, offset })
    }

    fn scalars(&mut self, what: &'static str, len: usize) -> Result<Vec<Fr>, WireError> {
        let taken = self.take(what, SCALAR_BYTES * len)?;
        taken.records(SCALAR_BYTES, |reader| reader.scalar(what))
    }

    pub(super) fn point(&mut self, what: &'static str) -> Result<G1Affine, WireError> {
        let offset = self.offset;
        let bytes = self.array(what)?;
        decompress(bytes).map_err(|reason| WireError::BadPoint {
            what,
            offset,
            reason,
        })
    }

    /// Reads all there is, as records of `size` bytes. Threads share them; of several errors, the
    /// first is returned.
    fn records<T: Send>(
        self,
        size: usize,
        read: impl Fn(&mut Self) -> Result<T, WireError> + Sync,
    ) -> Result<Vec<T>, WireError> {
        let record = |(at, rest): (usize, &'a [u8])| {
            let offset = self.offset + (at * size) as u64;
            read(&mut Self { rest, offset })
        };
        let records = self.rest.par_chunks_exact(size).enumerate();
        let all: Result<_, _> = records.map(record).collect();
        all.or_else(|_| {
            self.rest
                .chunks_exact(size)
                .enumerate()
                .map(record)
                .collect()
        })
    }

    fn points<const N: usize>(&mut self, what: &'static str) -> Result<[G1Affine; N], WireError> {
        let mut points = [G1Affine::identity(); N];
        for point in &mut points {
            *point = self.point(what)?;
        }
        Ok(points)
    }

    pub(super) fn integer(&mut self) -> Result<i64, WireError> {
        let offset = self.offset;
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.array("integer")?;
            let group = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit, and a last byte of zero says nothing.
            if group << shift >> shift != group || (byte == 0 && shift > 0) {
                break;
            }
            value |= group << shift;
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(WireError::BadInteger { offset })
    }

    pub(super) fn instance(&mut self, dimensions: &Dimensions) -> Result<Instance, WireError> {
        Ok(Instance {
            x: self.scalars("x", dimensions.num_public)?,
            parts: self.points("commitment to a part")?,
        })
    }

    pub(super) fn relaxed_instance(
        &mut self,
        dimensions: &Dimensions,
    ) -> Result<RelaxedInstance, WireError> {
        Ok(RelaxedInstance {
            u: self.scalar("u")?,
            x: self.scalars("x", dimensions.num_public)?,
            parts: self.points("commitment to a part")?,
            error: self.point("commitment to the error")?,
        })
    }

    pub(super) fn relaxed_witness(
        &mut self,
        dimensions: &Dimensions,
    ) -> Result<RelaxedWitness, WireError> {
        let [known, main, lookup] = dimensions.parts;
        Ok(RelaxedWitness {
            parts: [
                self.scalars("part known", known)?,
                self.scalars("part main", main)?,
                self.scalars("part lookup", lookup)?,
            ],
            error: self.scalars("error", dimensions.num_constraints)?,
        })
    }

    /// Reads what a proof says of itself; also, where its number of tables is.
    pub(super) fn proof_header(&mut self) -> Result<(ProofHeader, u64), WireError> {
        let at = self.offset;
        let [log_rows, log_cycles, order, num_tables] = *self.array("proof")?;
        in_range("log_rows", at, u64::from(log_rows), 0, MAX_LOG)?;
        in_range("log_cycles", at + 1, u64::from(log_cycles), 0, MAX_LOG)?;
        in_range("order", at + 2, u64::from(order), 0, 1)?;
        let (found, max) = (u64::from(num_tables), u64::from(MAX_TABLES));
        in_range("number of tables", at + 3, found, 0, max)?;
        let mut num_chunks = Vec::new();
        for _ in 0..num_tables {
            let offset = self.offset;
            let found = u32::from_le_bytes(*self.array("number of chunks")?);
            let max = u64::from(u32::MAX);
            in_range("number of chunks", offset, u64::from(found), 1, max)?;
            num_chunks.push(found);
        }
        let header = ProofHeader {
            log_rows: u32::from(log_rows),
            log_cycles: u32::from(log_cycles),
            order: [Order::Sequential, Order::Tree][usize::from(order)],
            num_chunks,
        };
        Ok((header, at + 3))
    }

    pub(super) fn table(
        &mut self,
        dimensions: &Dimensions,
        chunks: usize,
    ) -> Result<TableProof, WireError> {
        let size = dimensions.bare_instance();
        let instances = self.take("instances", size * chunks)?;
        let cross_terms = self.take("cross terms", POINT_BYTES * (chunks - 1))?;
        Ok(TableProof {
            instances: instances.records(size, |reader| reader.instance(dimensions))?,
            cross_terms: cross_terms.records(POINT_BYTES, |reader| reader.point("cross term"))?,
            accumulator: self.relaxed_instance(dimensions)?,
            witness: self.relaxed_witness(dimensions)?,
        })
    }
}

/// Refuses a number outside what its place allows.
fn in_range(
    what: &'static str,
    offset: u64,
    value: u64,
    min: u64,
    max: u64,
) -> Result<(), WireError> {
    if !(min..=max).contains(&value) {
        return Err(WireError::OutOfRange {
            what,
            offset,
            value,
            min,
            max,
        });
    }
    Ok(())
}
