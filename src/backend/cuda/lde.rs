//! Low-degree extension of column-major tables on the device.

use super::Device;
use super::device::{Buffer, View};
use super::launch::{Kernel, Shape};
use crate::backend::types::Val;
use crate::witness::to_monty;
use crate::{Error, Result};
use p3_field::PrimeField32;

const ROOTS: Kernel = Kernel::new("lde", "lde_roots");
const SCALES: Kernel = Kernel::new("lde", "lde_scales");
const SMALL: Kernel = Kernel::new("lde", "lde_small");
/// By `log_n - MIN_LOG_PASSES`.
const FIRST: [Kernel; 8] = [
    Kernel::new("lde", "lde_first_15"),
    Kernel::new("lde", "lde_first_16"),
    Kernel::new("lde", "lde_first_17"),
    Kernel::new("lde", "lde_first_18"),
    Kernel::new("lde", "lde_first_19"),
    Kernel::new("lde", "lde_first_20"),
    Kernel::new("lde", "lde_first_21"),
    Kernel::new("lde", "lde_first_22"),
];
/// By `log_n - MIN_LOG_PASSES`.
const SECOND: [Kernel; 8] = [
    Kernel::new("lde", "lde_second_15"),
    Kernel::new("lde", "lde_second_16"),
    Kernel::new("lde", "lde_second_17"),
    Kernel::new("lde", "lde_second_18"),
    Kernel::new("lde", "lde_second_19"),
    Kernel::new("lde", "lde_second_20"),
    Kernel::new("lde", "lde_second_21"),
    Kernel::new("lde", "lde_second_22"),
];
/// By `log_n1 - 5`.
const THIRD: [Kernel; 7] = [
    Kernel::new("lde", "lde_third_5"),
    Kernel::new("lde", "lde_third_6"),
    Kernel::new("lde", "lde_third_7"),
    Kernel::new("lde", "lde_third_8"),
    Kernel::new("lde", "lde_third_9"),
    Kernel::new("lde", "lde_third_10"),
    Kernel::new("lde", "lde_third_11"),
];

/// Threads of every block.
const THREADS: u32 = 256;
/// Smallest height that is extended in three passes; lower columns fit a block's shared memory.
const MIN_LOG_PASSES: u32 = 15;
/// Largest height.
const MAX_LOG_N: u32 = 22;
/// The field's two-adicity.
const TWO_ADICITY: u32 = 27;
/// Words of `struct LdeRoots`.
const ROOT_WORDS: usize = 2 * 2048 + 2 * (2 * 64 * 32 + 32 * 32);
/// Entries of `struct LdeRoots`: factors are two words.
const ROOT_ENTRIES: usize = 2 * 2048 + 2 * 64 * 32 + 32 * 32;
/// Log of the words of a block of the small kernel, if columns are no longer.
const LOG_SMALL_WORDS: u32 = 12;
/// Shared memory through which the second pass exchanges words.
const EXCHANGE_BYTES: u32 = 36 << 10;
/// Between the first passes, so many bytes of columns wait in memory: enough blocks to fill a GPU
/// several times over (not yet tuned on one).
const SCRATCH_BYTES: usize = 128 << 20;
/// Most columns of a launch: a grid's limit in y.
const MAX_COLUMNS: usize = 65_535;

/// The roots of unity that every extension reads, 56 KiB. Made once a device.
#[derive(Debug)]
pub(super) struct Roots(Buffer<u32>);

impl Roots {
    /// Makes them.
    ///
    /// # Errors
    /// Those of the device.
    pub(super) fn new(device: &Device) -> Result<Self> {
        let roots = device.alloc("roots of unity", ROOT_WORDS)?;
        let args = (roots.ptr(),);
        // SAFETY: the parameter is the kernel's, and the buffer has the words of its struct.
        unsafe { device.launch(ROOTS, Shape::linear(ROOT_ENTRIES, THREADS), args)? };
        Ok(Self(roots))
    }
}

/// Sizes of an extension.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Size {
    /// Columns.
    pub(super) width: usize,
    /// Log of a column's words.
    pub(super) log_n: u32,
    /// Log of how many times longer an extended column is.
    pub(super) log_blowup: u32,
}

impl Size {
    /// Sizes for a table of `height` rows.
    ///
    /// # Errors
    /// [`Error::Usage`] if the height is no power of two, above 2^22, or the extension has more rows
    /// than the field has roots of unity.
    pub(super) fn new(width: usize, height: usize, log_blowup: u32) -> Result<Self> {
        crate::backend::check_lde(height, log_blowup)?;
        let log_n = height.ilog2();
        if log_n > MAX_LOG_N {
            return Err(Error::Usage(format!(
                "a table of 2^{log_n} rows: the CUDA backend extends at most 2^{MAX_LOG_N}; give a \
                 lower --segment-log-cycles"
            )));
        }
        Ok(Self {
            width,
            log_n,
            log_blowup,
        })
    }

    /// Words of the table.
    pub(super) fn input_len(&self) -> usize {
        self.width << self.log_n
    }

    /// Words of its extension.
    pub(super) fn output_len(&self) -> usize {
        self.input_len() << self.log_blowup
    }

    /// Bytes of device memory it takes while it runs beside table, extension and [`Roots`].
    pub(super) fn working_bytes(&self) -> u64 {
        if self.width == 0 {
            return 0;
        }
        let scratch = self.columns_at_once() << self.log_n;
        let tables = (1 << self.log_n1()) + (2 << self.log_n2());
        4 * (scratch + (tables << self.log_blowup)) as u64
    }

    /// Log of the length of the transforms of the first and third pass.
    fn log_n1(&self) -> u32 {
        self.log_n - self.log_n2()
    }

    /// Log of the length of the transforms of the second pass.
    fn log_n2(&self) -> u32 {
        match self.log_n {
            ..MIN_LOG_PASSES => self.log_n / 2,
            MAX_LOG_N => 11,
            _ => 10,
        }
    }

    /// Columns that go through the three passes together; 0 if one kernel does all.
    fn columns_at_once(&self) -> usize {
        if self.log_n < MIN_LOG_PASSES {
            return 0;
        }
        let fitting = SCRATCH_BYTES / (4 << self.log_n);
        fitting.clamp(1, MAX_COLUMNS).min(self.width)
    }
}

/// Extends each column of `input` to a coset.
///
/// - `input`: `[width][n]`, column-major, natural order: evaluations over the subgroup of order `n`.
///   Not changed.
/// - `shift`: of the coset, not zero. For evaluations over `d·H`, the target's shift over `d`.
/// - returns: `[width][n << log_blowup]`, evaluations over `shift·K`, bit-reversed rows: Plonky3's
///   `coset_lde_batch`, then `bit_reverse_rows`.
///
/// Cost: `O(width · N log N)`. Memory traffic is three times that of reading the input and writing
/// the output: 9 GiB for 2^20 x 256 doubled, 2.3 ms at 4.2 TB/s (derived, not measured).
/// Device memory: the result's and [`Size::working_bytes`].
/// # Errors
/// [`Error::OutOfDeviceMemory`] if that does not fit; [`Error::Device`].
/// # Panics
/// If a length is not that of `size`.
/// # Source
/// ethSTARK (eprint 2021/582), low-degree extension; Bailey, FFTs in external or hierarchical memory
/// (1990), the four-step transform.
pub(super) fn extend(
    device: &Device,
    roots: &Roots,
    input: View<'_, u32>,
    size: Size,
    shift: Val,
) -> Result<Buffer<u32>> {
    let output = device.alloc("extended table", size.output_len())?;
    extend_into(device, roots, input, &output, size, shift)?;
    Ok(output)
}

/// [`extend`] into memory that is there: `output`, `[width][n << log_blowup]`.
///
/// # Errors
/// As for [`extend`].
/// # Panics
/// As for [`extend`].
pub(super) fn extend_into(
    device: &Device,
    roots: &Roots,
    input: View<'_, u32>,
    output: &Buffer<u32>,
    size: Size,
    shift: Val,
) -> Result<()> {
    assert_eq!(input.len(), size.input_len(), "a table's words");
    assert_eq!(output.len(), size.output_len(), "an extension's words");
    assert!(size.log_n <= MAX_LOG_N && size.log_n + size.log_blowup <= TWO_ADICITY);
    if size.width == 0 {
        return Ok(());
    }
    let scales = Scales::new(device, size, shift)?;
    if size.log_n < MIN_LOG_PASSES {
        return small(device, roots, &scales, input, output, size);
    }
    let at_once = size.columns_at_once();
    let scratch = device.alloc("coefficients", at_once << size.log_n)?;
    for column in (0..size.width).step_by(at_once) {
        let columns = at_once.min(size.width - column);
        first(device, roots, input, &scratch, size, column, columns)?;
        second(
            device, roots, &scales, &scratch, output, size, column, columns,
        )?;
        third(device, roots, output, size, column, columns)?;
    }
    Ok(())
}

/// Powers of the shifts of an extension's cosets.
struct Scales {
    /// `[cosets][n1]`.
    powers: Buffer<u32>,
    /// `[cosets][n2][2]`.
    scales: Buffer<u32>,
}

impl Scales {
    fn new(device: &Device, size: Size, shift: Val) -> Result<Self> {
        let (log_n1, log_n2) = (size.log_n1(), size.log_n2());
        let num_powers = 1 << (log_n1 + size.log_blowup);
        let num_scales = 1 << (log_n2 + size.log_blowup);
        let tables = Self {
            powers: device.alloc("powers of shifts", num_powers)?,
            scales: device.alloc("scales of coefficients", 2 * num_scales)?,
        };
        let args = (
            tables.powers.ptr(),
            tables.scales.ptr(),
            to_monty(shift.as_canonical_u32()),
            log_n1,
            log_n2,
            size.log_blowup,
        );
        let shape = Shape::linear(num_powers + num_scales, THREADS);
        // SAFETY: the parameters are the kernel's; the buffers have an entry for each thread.
        unsafe { device.launch(SCALES, shape, args)? };
        Ok(tables)
    }
}

/// Extends columns that fit a block's shared memory.
fn small(
    device: &Device,
    roots: &Roots,
    scales: &Scales,
    input: View<'_, u32>,
    output: &Buffer<u32>,
    size: Size,
) -> Result<()> {
    // As many columns a block as its words allow, but no more than there are.
    let most = LOG_SMALL_WORDS.saturating_sub(size.log_n);
    let log_cols = most.min(size.width.next_power_of_two().ilog2());
    let blocks = size.width.div_ceil(1 << log_cols);
    let shape =
        Shape::linear(blocks * THREADS as usize, THREADS).with_shared(4 << (size.log_n + log_cols));
    let width = u32::try_from(size.width).expect("fewer columns than words of memory");
    let args = (
        input.ptr(),
        output.ptr(),
        roots.0.ptr(),
        scales.powers.ptr(),
        scales.scales.ptr(),
        width,
        size.log_n,
        size.log_n1(),
        size.log_blowup,
        log_cols,
    );
    // SAFETY: the parameters are the kernel's; `extend_into` checked the lengths, and the scales are
    // of this size.
    unsafe { device.launch(SMALL, shape, args) }
}

/// Inverse transforms of length n1, of `columns` columns from `column`.
fn first(
    device: &Device,
    roots: &Roots,
    input: View<'_, u32>,
    scratch: &Buffer<u32>,
    size: Size,
    column: usize,
    columns: usize,
) -> Result<()> {
    let n = 1 << size.log_n;
    let from = input.view(column * n..(column + columns) * n);
    let to = scratch.view(0..columns * n);
    let blocks = n >> if size.log_n1() == 11 { 14 } else { 13 };
    let args = (from.ptr(), to.ptr(), roots.0.ptr());
    let kernel = FIRST[(size.log_n - MIN_LOG_PASSES) as usize];
    // SAFETY: the parameters are the kernel's, and both views have that many columns.
    unsafe { device.launch(kernel, shape(blocks, columns, 0), args) }
}

/// Inverse transforms of length n2 and, for each coset, forward ones.
#[expect(
    clippy::too_many_arguments,
    reason = "what the kernel reads and writes, and which columns"
)]
fn second(
    device: &Device,
    roots: &Roots,
    scales: &Scales,
    scratch: &Buffer<u32>,
    output: &Buffer<u32>,
    size: Size,
    column: usize,
    columns: usize,
) -> Result<()> {
    let long = 1 << (size.log_n + size.log_blowup);
    let from = scratch.view(0..columns << size.log_n);
    let to = output.view(column * long..(column + columns) * long);
    let num_cosets = 1u32 << size.log_blowup;
    let kept_bytes = if size.log_n2() == 11 {
        64 << 10
    } else {
        28 << 10
    };
    // Coefficients of 2^11 do not fit beside the exchange on small devices: there each coset is a
    // launch of its own, which transforms them again.
    let fits = EXCHANGE_BYTES + kept_bytes <= device.info().max_shared_bytes;
    let step = if fits { num_cosets } else { 1 };
    let shared_bytes = EXCHANGE_BYTES + if step > 1 { kept_bytes } else { 0 };
    let shape = shape(1 << (size.log_n1() - 3), columns, shared_bytes);
    let kernel = SECOND[(size.log_n - MIN_LOG_PASSES) as usize];
    for coset in (0..num_cosets).step_by(step as usize) {
        let args = (
            from.ptr(),
            to.ptr(),
            roots.0.ptr(),
            scales.powers.ptr(),
            scales.scales.ptr(),
            size.log_blowup,
            coset,
            step,
        );
        // SAFETY: the parameters are the kernel's, both views have that many columns, the scales are
        // of this size, and the shared memory is what it asks for that many cosets.
        unsafe { device.launch(kernel, shape, args)? };
    }
    Ok(())
}

/// Forward transforms of length n1, in place.
fn third(
    device: &Device,
    roots: &Roots,
    output: &Buffer<u32>,
    size: Size,
    column: usize,
    columns: usize,
) -> Result<()> {
    let long = 1 << (size.log_n + size.log_blowup);
    let data = output.view(column * long..(column + columns) * long);
    let blocks = data.len() >> if size.log_n1() == 11 { 14 } else { 13 };
    let args = (data.ptr(), roots.0.ptr());
    let kernel = THIRD[size.log_n1() as usize - 5];
    // SAFETY: the parameters are the kernel's; the view is whole blocks of words.
    unsafe { device.launch(kernel, shape(blocks, 1, 0), args) }
}

/// A launch of `blocks` in x and `columns` in y.
fn shape(blocks: usize, columns: usize, shared_bytes: u32) -> Shape {
    let blocks = u32::try_from(blocks).expect("fewer blocks than a grid may have");
    let columns = u32::try_from(columns).expect("fewer columns than a grid may have");
    Shape {
        blocks: [blocks, columns, 1],
        threads: THREADS,
        shared_bytes,
    }
}

#[cfg(test)]
mod tests;
