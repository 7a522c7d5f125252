//! Transposition on the device: host tables are row-major, device tables column-major.

use super::Device;
use super::device::{Buffer, View};
use super::launch::{Kernel, Shape};
use crate::Result;

const ROWS: Kernel = Kernel::new("transpose", "transpose_rows");
const CHECKED: Kernel = Kernel::new("transpose", "transpose_checked");
/// Threads of a block.
const THREADS: u32 = 256;
/// Log of the words of a tile.
const LOG_TILE: u32 = 10;

/// Log of the columns of a tile: tiles are square unless the matrix is narrower or lower.
fn log_across(rows: usize, cols: usize) -> u32 {
    let square = 1 << (LOG_TILE / 2);
    if cols < square {
        cols.next_power_of_two().ilog2()
    } else if rows < square {
        LOG_TILE - rows.next_power_of_two().ilog2()
    } else {
        LOG_TILE / 2
    }
}

/// The launch for a matrix, and `log_across` for its tiles.
fn shape(rows: usize, cols: usize) -> (Shape, u32) {
    let across = log_across(rows, cols);
    let tiles = rows.div_ceil(1 << (LOG_TILE - across)) * cols.div_ceil(1 << across);
    (Shape::linear(tiles * THREADS as usize, THREADS), across)
}

/// Checks lengths; `false` if there is nothing to do.
fn check(input: &View<'_, u32>, output: &View<'_, u32>, rows: usize, cols: usize) -> bool {
    assert_eq!(input.len(), rows * cols, "a transposition's input");
    assert_eq!(output.len(), rows * cols, "a transposition's output");
    assert!(
        rows <= u32::MAX as usize && cols <= u32::MAX as usize,
        "a kernel takes 32-bit sizes"
    );
    rows * cols > 0
}

/// Transposes `input`, `[rows][cols]`, to `output`, `[cols][rows]`.
///
/// Row-major to column-major with `rows` the height, and back with `rows` the width.
///
/// Cost: one read and one write of the matrix.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device) if the launch fails.
/// # Panics
/// If a length is not `rows * cols`.
pub(super) fn transpose(
    device: &Device,
    input: View<'_, u32>,
    output: View<'_, u32>,
    rows: usize,
    cols: usize,
) -> Result<()> {
    if !check(&input, &output, rows, cols) {
        return Ok(());
    }
    let (shape, across) = shape(rows, cols);
    let args = (input.ptr(), output.ptr(), rows as u32, cols as u32, across);
    // SAFETY: the parameters are the kernel's; both views have rows * cols words, and are of
    // different buffers or parts of one, since the caller holds both.
    unsafe { device.launch(ROWS, shape, args) }
}

/// [`transpose`] that also adds to `bad` the number of words that are no field elements.
///
/// For words that come from outside. `bad`: `[1]`.
///
/// # Errors
/// As for [`transpose`].
/// # Panics
/// As for [`transpose`], and if `bad` is not one item.
pub(super) fn transpose_checked(
    device: &Device,
    input: View<'_, u32>,
    output: View<'_, u32>,
    bad: &Buffer<u64>,
    rows: usize,
    cols: usize,
) -> Result<()> {
    assert_eq!(bad.len(), 1, "one counter");
    if !check(&input, &output, rows, cols) {
        return Ok(());
    }
    let (shape, across) = shape(rows, cols);
    let args = (
        input.ptr(),
        output.ptr(),
        bad.ptr(),
        rows as u32,
        cols as u32,
        across,
    );
    // SAFETY: as for `transpose`; `bad` has the one counter.
    unsafe { device.launch(CHECKED, shape, args) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rng, device};
    use super::*;
    use p3_matrix::Matrix as _;
    use p3_matrix::dense::RowMajorMatrix;

    /// Rows and columns: one word; narrower, as wide as, and one wider than a tile, either way round;
    /// heights and widths that fill no tile.
    const SIZES: [(usize, usize); 14] = [
        (1, 1),
        (1, 1025),
        (1025, 1),
        (2, 3),
        (31, 33),
        (32, 32),
        (33, 31),
        (64, 174),
        (174, 64),
        (1024, 17),
        (17, 1024),
        (700, 5),
        (5, 700),
        (513, 259),
    ];

    #[test]
    fn transposes_as_plonky3_does() {
        let Some(device) = device() else { return };
        let mut rng = Rng::new(1);
        for (rows, cols) in SIZES {
            let words = rng.elements(rows * cols);
            let input = device.upload("input", &words).unwrap();
            let output = device.alloc("output", words.len()).unwrap();
            device.fill_bytes(&output, 0xa5).unwrap();
            transpose(&device, input.all(), output.all(), rows, cols).unwrap();
            let expected = RowMajorMatrix::new(words.clone(), cols).transpose();
            assert_eq!(device.download(&output).unwrap(), expected.values);
            assert_eq!(device.download(&input).unwrap(), words);
            assert_eq!(expected.width(), rows);
            let back = device.alloc("back", words.len()).unwrap();
            transpose(&device, output.all(), back.all(), cols, rows).unwrap();
            assert_eq!(device.download(&back).unwrap(), words, "{rows} x {cols}");
        }
    }

    #[test]
    fn counts_words_that_are_no_elements() {
        let Some(device) = device() else { return };
        let mut rng = Rng::new(2);
        for (rows, cols) in SIZES {
            let mut words = rng.elements(rows * cols);
            let mut expected = 0;
            for word in &mut words {
                if rng.word().is_multiple_of(7) {
                    // The prime itself is the smallest bad word.
                    let bad = [crate::witness::P, u32::MAX, 1 << 31];
                    *word = bad[rng.word() as usize % bad.len()];
                    expected += 1;
                }
            }
            let input = device.upload("input", &words).unwrap();
            let output = device.alloc("output", words.len()).unwrap();
            let bad = device.zeros("counter", 1).unwrap();
            transpose_checked(&device, input.all(), output.all(), &bad, rows, cols).unwrap();
            assert_eq!(device.download(&bad).unwrap(), [expected]);
            let transposed = RowMajorMatrix::new(words, cols).transpose().values;
            assert_eq!(device.download(&output).unwrap(), transposed);
        }
    }

    #[test]
    fn an_empty_matrix_is_no_launch() {
        let Some(device) = device() else { return };
        for (rows, cols) in [(0, 5), (5, 0), (0, 0)] {
            let empty = device.alloc("empty", 0).unwrap();
            transpose(&device, empty.all(), empty.all(), rows, cols).unwrap();
        }
    }
}
