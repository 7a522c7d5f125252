//! Other projects' code, timed on the same work as ours.

use std::ffi::c_void;
use std::time::Instant;

use ark_ec::AdditiveGroup;
use ark_ec::CurveGroup;
// sppark computes with it on the host.
use blst as _;
use rayon::prelude::*;

use super::Device;
use super::bn254::{PointWords, Words, element, point_words, upload, words};
use crate::backend::curve::{Fr, G1Affine, G1Projective};
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

    /// See `peers/sppark_msm.cu`, as for the next two.
    fn rewit_sppark_msm_new(points: *const c_void, num_points: usize) -> *mut c_void;
    fn rewit_sppark_msm_free(msm: *mut c_void);
    fn rewit_sppark_msm(
        msm: *mut c_void,
        scalars: *const c_void,
        count: usize,
        resident: i32,
        sum: *mut c_void,
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

/// sppark's points on the device.
struct SpparkPoints(*mut c_void);

impl Drop for SpparkPoints {
    fn drop(&mut self) {
        // SAFETY: it was made by `rewit_sppark_msm_new` and is not used again.
        unsafe { rewit_sppark_msm_free(self.0) };
    }
}

/// Multiplies points by scalars and adds the products with sppark 0.1.16, `rounds` times.
///
/// The points are on the device before the time starts. The times are of the wall clock, in seconds, until the sum is on the
/// host. sppark has no multiples of the points and no class of small scalars.
///
/// - `resident`: whether the scalars are on the device too, or are copied within the time.
/// - returns: the sum of the last round, and the times.
///
/// # Errors
/// Those of the device.
///
/// # Panics
/// If there are no scalars or rounds, or not as many points as scalars.
pub fn sppark_msm(
    device: &Device,
    points: &[G1Affine],
    scalars: &[Fr],
    resident: bool,
    rounds: usize,
) -> Result<(G1Affine, Vec<f64>)> {
    assert!(!scalars.is_empty() && points.len() == scalars.len() && rounds > 0);
    let failed = |code: i32| Error::Device(format!("sppark failed with CUDA error {code}"));
    let coordinates: Vec<PointWords> = points.par_iter().map(point_words).collect();
    let host: Vec<Words> = scalars.par_iter().map(|scalar| words(*scalar)).collect();
    let on_device = match resident {
        true => Some(upload(device, "peer's scalars", scalars)?),
        false => None,
    };
    device.synchronize()?;
    // SAFETY: the current context is this device's, which `synchronize` made sure of, and is the primary one that the CUDA runtime
    // uses too; there are as many points as said.
    let msm = unsafe { rewit_sppark_msm_new(coordinates.as_ptr().cast(), points.len()) };
    if msm.is_null() {
        return Err(failed(-1));
    }
    let msm = SpparkPoints(msm);
    let address = match &on_device {
        Some(scalars) => bytemuck::cast::<_, u64>(scalars.ptr()) as usize as *const c_void,
        None => host.as_ptr().cast(),
    };
    let mut sum = [[0u32; 8]; 3];
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        // SAFETY: as above; there are as many scalars as said where `resident` says, no work of ours on them is left, the call
        // waits for its own, and a sum is three elements.
        let code = unsafe {
            let sum = sum.as_mut_ptr().cast();
            rewit_sppark_msm(msm.0, address, scalars.len(), i32::from(resident), sum)
        };
        times.push(start.elapsed().as_secs_f64());
        if code != 0 {
            return Err(failed(code));
        }
    }
    let [x, y, z] = sum.map(element);
    let sum = match z == AdditiveGroup::ZERO {
        true => G1Projective::ZERO,
        false => G1Projective::new_unchecked(x, y, z),
    };
    Ok((sum.into_affine(), times))
}
