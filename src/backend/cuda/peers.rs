//! Other projects' code, timed on the same work as ours.

use std::time::Instant;

use rayon::prelude::*;

use super::Device;
use crate::witness::Matrix;
use crate::{Error, Result};

unsafe extern "C" {
    /// See `peers/sppark.cu`.
    fn rewit_sppark_lde(
        columns: u64,
        extended: u64,
        log_rows: u32,
        log_blowup: u32,
        num_columns: u32,
        num_streams: u32,
    ) -> i32;
}

/// Most streams that columns are spread over.
pub const MAX_STREAMS: u32 = 3;

/// Extends each column of `table` with sppark 0.1.16, `rounds` times.
///
/// The table is on the device before the time starts and the result stays there; the times are of
/// the wall clock, in seconds, until all of sppark's streams are done. sppark transforms one
/// polynomial at a time, and its own input is overwritten.
///
/// - `table`: a power of two of rows, in natural order.
/// - `num_streams`: 1 to [`MAX_STREAMS`], over which the columns are spread.
/// - returns: the extension of the last round, `[width][rows << log_blowup]`, column after column,
///   evaluations over sppark's coset in natural order; and the times.
///
/// # Errors
/// Those of the device.
///
/// # Panics
/// If the table's rows are no power of two or `num_streams` is out of range.
pub fn sppark_lde(
    device: &Device,
    table: &Matrix,
    log_blowup: u32,
    num_streams: u32,
    rounds: usize,
) -> Result<(Vec<u32>, Vec<f64>)> {
    let (height, width) = (table.height(), table.width);
    assert!(
        height.is_power_of_two() && (1..=MAX_STREAMS).contains(&num_streams),
        "{height} rows on {num_streams} streams"
    );
    let mut columns = vec![0; table.words.len()];
    let by_column = columns.par_chunks_exact_mut(height).enumerate();
    by_column.for_each(|(j, column)| {
        for (word, row) in column.iter_mut().zip(table.words.chunks_exact(width)) {
            *word = row[j];
        }
    });
    let extended = device.alloc::<u32>("peer's extension", columns.len() << log_blowup)?;
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let input = device.upload("peer's input", &columns)?;
        device.synchronize()?;
        let start = Instant::now();
        // SAFETY: the current context is this device's, which `synchronize` made sure of, and is the
        // primary one that the CUDA runtime uses too; both buffers are of these sizes, no work of
        // ours on them is left, and the call waits for its own.
        let code = unsafe {
            rewit_sppark_lde(
                bytemuck::cast(input.ptr()),
                bytemuck::cast(extended.ptr()),
                height.ilog2(),
                log_blowup,
                width as u32,
                num_streams,
            )
        };
        times.push(start.elapsed().as_secs_f64());
        if code != 0 {
            return Err(Error::Device(format!(
                "sppark failed with CUDA error {code}"
            )));
        }
    }
    Ok((device.download(&extended)?, times))
}
