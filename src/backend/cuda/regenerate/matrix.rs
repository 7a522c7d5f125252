//! Tables in device memory.

use crate::backend::cuda::device::{Buffer, View};

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
    pub(in crate::backend::cuda) fn new(width: usize, height: usize, words: Buffer<u32>) -> Self {
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
    pub(in crate::backend::cuda) fn words(&self) -> View<'_, u32> {
        self.words.view(0..self.width * self.height)
    }
}
