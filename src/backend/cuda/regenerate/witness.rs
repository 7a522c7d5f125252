//! Witnesses on the device, and their way there and back.

use super::matrix::DeviceMatrix;
use crate::backend::cuda::device::{Buffer, Device};
use crate::backend::cuda::transpose::{transpose, transpose_checked};
use crate::memory::zeroed_vec;
use crate::witness::layout::public;
use crate::witness::{Matrix, Witness};
use crate::{Error, Result};

/// A witness in device memory; see [`Witness`] for what its tables hold.
#[derive(Debug)]
pub struct DeviceWitness {
    /// One row per cycle, padded: `[layout::WIDTH][2^log_cycles]`.
    pub cpu: DeviceMatrix,
    /// Registers and touched words before and after: `[layout::boundary::WIDTH][padded]`.
    pub boundary: DeviceMatrix,
    /// How often each instruction ran: `[1][padded number of instructions]`.
    pub program: DeviceMatrix,
    /// How often each value was range-checked: `[layout::range::WIDTH][2^16]`.
    pub range: DeviceMatrix,
    /// Public values of the CPU table, as integers below 2^31.
    pub public: [u32; public::COUNT],
}

impl DeviceWitness {
    /// Uploads a witness, checking that its cells are field elements.
    ///
    /// Cost: one copy, one pass over the cells on the device; twice the largest table's memory while
    /// it lasts.
    ///
    /// # Errors
    /// [`Error::Replay`] if a cell is no field element, those of memory, [`Error::Device`].
    pub fn upload(device: &Device, witness: &Witness) -> Result<Self> {
        let bad = [(); 4].map(|()| device.zeros::<u64>("words that are no field elements", 1));
        let tables = witness.tables();
        let take = |i: usize, bad: &Result<Buffer<u64>>| -> Result<DeviceMatrix> {
            let bad = match bad {
                Ok(bad) => bad,
                Err(e) => return Err(Error::Device(e.to_string())),
            };
            let (name, table) = tables[i];
            let matrix = upload_table(device, table, bad)?;
            let mut count = [0];
            device.download_into(bad.all(), &mut count)?;
            match count {
                [0] => Ok(matrix),
                _ => Err(Error::Replay(format!(
                    "not a witness: the {name} table has a cell that is no field element"
                ))),
            }
        };
        Ok(Self {
            cpu: take(0, &bad[0])?,
            boundary: take(1, &bad[1])?,
            program: take(2, &bad[2])?,
            range: take(3, &bad[3])?,
            public: witness.public,
        })
    }

    /// Downloads the witness, row-major as the host holds it.
    ///
    /// - `reuse`: an earlier witness whose memory may be overwritten, or an empty one.
    ///
    /// # Errors
    /// Those of memory, [`Error::Device`].
    pub fn download(&self, device: &Device, reuse: Witness) -> Result<Witness> {
        Ok(Witness {
            cpu: download_table(device, &self.cpu, reuse.cpu.words)?,
            boundary: download_table(device, &self.boundary, reuse.boundary.words)?,
            program: download_table(device, &self.program, reuse.program.words)?,
            range: download_table(device, &self.range, reuse.range.words)?,
            public: self.public,
        })
    }

    /// Size of all tables in bytes.
    pub fn num_bytes(&self) -> u64 {
        [&self.cpu, &self.boundary, &self.program, &self.range]
            .iter()
            .map(|table| table.num_bytes())
            .sum()
    }
}

fn upload_table(device: &Device, table: &Matrix, bad: &Buffer<u64>) -> Result<DeviceMatrix> {
    let (width, height) = (table.width, table.height());
    let rows = device.upload("a table's rows", &table.words)?;
    let words = device.alloc("a table", width * height)?;
    transpose_checked(device, rows.all(), words.all(), bad, height, width)?;
    Ok(DeviceMatrix::new(width, height, words))
}

fn download_table(device: &Device, table: &DeviceMatrix, mut words: Vec<u32>) -> Result<Matrix> {
    let (width, height) = (table.width(), table.height());
    let len = width * height;
    let rows = device.alloc("a table's rows", len)?;
    transpose(device, table.words(), rows.all(), width, height)?;
    if words.capacity() >= len {
        words.resize(len, 0);
    } else {
        words = zeroed_vec(len)?;
    }
    device.download_into(rows.all(), &mut words)?;
    Ok(Matrix { width, words })
}
