//! Tables in device memory, and their way there and back.

use super::device::{Buffer, Device, View};
use super::transpose::{transpose, transpose_checked};
use crate::memory::zeroed_vec;
use crate::witness::{Matrix, Witness};
use crate::{Error, Result};

/// A table on the device: column-major `[width][height]`, BabyBear words in Montgomery form.
#[derive(Debug)]
pub struct DeviceMatrix {
    width: usize,
    height: usize,
    /// At least `width · height` words.
    words: Buffer<u32>,
}

impl DeviceMatrix {
    /// A table whose columns are the first words of `words`, one after another.
    ///
    /// # Panics
    /// If there are not as many.
    pub(super) fn new(width: usize, height: usize, words: Buffer<u32>) -> Self {
        assert!(
            width * height <= words.len(),
            "a table of {width} columns and {height} rows has {} words",
            words.len()
        );
        Self {
            width,
            height,
            words,
        }
    }

    /// Brings a table to the device.
    ///
    /// Cost: one copy, one pass over the words on the device; twice the table's memory while it lasts.
    ///
    /// # Errors
    /// [`Error::OutOfDeviceMemory`], [`Error::Device`].
    pub fn upload(device: &Device, table: &Matrix) -> Result<Self> {
        Self::upload_rows(device, &table.words, table.width)
    }

    /// The same for rows that are no [`Matrix`].
    pub(super) fn upload_rows(device: &Device, rows: &[u32], width: usize) -> Result<Self> {
        let height = rows.len().checked_div(width).unwrap_or(0);
        let by_row = device.upload("a table by row", rows)?;
        let words = device.alloc("a table", width * height)?;
        transpose(device, by_row.all(), words.all(), height, width)?;
        Ok(Self::new(width, height, words))
    }

    /// The same for a table that came from elsewhere: its words must be field elements.
    ///
    /// # Errors
    /// [`Error::Replay`] naming the table if one is not; as for [`upload`](Self::upload).
    pub(super) fn upload_checked(device: &Device, name: &str, table: &Matrix) -> Result<Self> {
        let (width, height) = (table.width, table.height());
        let bad = device.zeros::<u64>("words that are no field elements", 1)?;
        let by_row = device.upload("a table by row", &table.words)?;
        let words = device.alloc("a table", width * height)?;
        transpose_checked(device, by_row.all(), words.all(), &bad, height, width)?;
        match device.download(&bad)?[..] {
            [0] => Ok(Self::new(width, height, words)),
            _ => Err(Error::Replay(format!(
                "not a witness: the {name} table has a cell that is no field element"
            ))),
        }
    }

    /// Brings the table back, row by row.
    ///
    /// - `reuse`: memory that may be overwritten, or an empty vector.
    ///
    /// Cost: as [`upload`](Self::upload).
    ///
    /// # Errors
    /// As for [`upload`](Self::upload), [`Error::Resource`] if the host has no memory.
    pub fn download(&self, device: &Device, reuse: Vec<u32>) -> Result<Matrix> {
        let len = self.width * self.height;
        let by_row = device.alloc("a table by row", len)?;
        transpose(device, self.words(), by_row.all(), self.width, self.height)?;
        let mut words = reuse;
        if words.capacity() >= len {
            words.resize(len, 0);
        } else {
            words = zeroed_vec(len)?;
        }
        device.download_into(by_row.all(), &mut words)?;
        Ok(Matrix {
            width: self.width,
            words,
        })
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Size in bytes, without spare memory behind the last column.
    pub fn num_bytes(&self) -> u64 {
        4 * (self.width * self.height) as u64
    }

    /// Its words: `[width][height]`.
    pub(super) fn words(&self) -> View<'_, u32> {
        self.words.view(0..self.width * self.height)
    }
}

/// A witness in device memory; see [`Witness`] for what its tables hold.
pub type DeviceWitness = Witness<DeviceMatrix>;

impl DeviceWitness {
    /// Brings a witness that came from elsewhere to the device.
    ///
    /// # Errors
    /// [`Error::Replay`] if a cell is no field element; as for [`DeviceMatrix::upload`].
    pub fn upload(device: &Device, witness: &Witness) -> Result<Self> {
        let [cpu, boundary, program, range] = witness.tables();
        let take =
            |(name, table): (&str, &Matrix)| DeviceMatrix::upload_checked(device, name, table);
        Ok(Self {
            cpu: take(cpu)?,
            boundary: take(boundary)?,
            program: take(program)?,
            range: take(range)?,
            public: witness.public,
        })
    }

    /// Brings the witness back.
    ///
    /// - `reuse`: an earlier witness whose memory may be overwritten, or an empty one.
    ///
    /// # Errors
    /// As for [`DeviceMatrix::download`].
    pub fn download(&self, device: &Device, reuse: Witness) -> Result<Witness> {
        Ok(Witness {
            cpu: self.cpu.download(device, reuse.cpu.words)?,
            boundary: self.boundary.download(device, reuse.boundary.words)?,
            program: self.program.download(device, reuse.program.words)?,
            range: self.range.download(device, reuse.range.words)?,
            public: self.public,
        })
    }

    /// Size of all tables in bytes.
    pub fn num_bytes(&self) -> u64 {
        self.tables()
            .iter()
            .map(|(_, table)| table.num_bytes())
            .sum()
    }
}
