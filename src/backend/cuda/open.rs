//! Values of committed matrices at points outside their domain, and the quotients that FRI tests.
//!
//! The values are sums over the first rows of a low-degree extension, which are the evaluations over a
//! smaller coset, weighted by Lagrange's polynomials at the point; field arithmetic is exact, so they
//! are Plonky3's to the bit.
//!
//! Derived ceilings on an H200 for 2^20 rows of 256 columns, doubled, at two points, degree 4: values
//! 0.29 ms (2^31 wide multiply-adds at 32 per clock and multiprocessor; 1 GiB read takes 0.26 ms),
//! quotients 0.52 ms (2 GiB read). Neither was measured.

use bytemuck::{Pod, Zeroable};
use p3_baby_bear::BabyBear;
use p3_field::{ExtensionField, Field, PrimeCharacteristicRing};

use super::Device;
use super::device::{Buffer, Ptr, View};
use super::elements::{Tables, extension_words, extensions};
use super::launch::{Kernel, Shape};
use crate::{Error, Result};

const INVERSES_4: Kernel = Kernel::new("open", "open_inverses_4");
const INVERSES_5: Kernel = Kernel::new("open", "open_inverses_5");
const COLUMNS_4_1: Kernel = Kernel::new("open", "open_columns_4_1");
const COLUMNS_4_2: Kernel = Kernel::new("open", "open_columns_4_2");
const COLUMNS_5_1: Kernel = Kernel::new("open", "open_columns_5_1");
const COLUMNS_5_2: Kernel = Kernel::new("open", "open_columns_5_2");
const SUM: Kernel = Kernel::new("open", "open_sum");
const REDUCE_4_1: Kernel = Kernel::new("open", "open_reduce_4_1");
const REDUCE_4_2: Kernel = Kernel::new("open", "open_reduce_4_2");
const REDUCE_5_1: Kernel = Kernel::new("open", "open_reduce_5_1");
const REDUCE_5_2: Kernel = Kernel::new("open", "open_reduce_5_2");
const ROWS: Kernel = Kernel::new("open", "open_rows");

/// Points that one launch of a kernel takes.
pub(super) const POINTS: usize = 2;
/// Rows that one thread of `open_inverses` inverts.
const INVERSES_A_THREAD: usize = 8;
/// Columns that one warp of `open_columns` evaluates.
const COLUMNS_A_WARP: usize = 4;
/// Rows of a warp below which its last sums, 31 shuffles, cost more than a tenth.
const GOOD_PART_ROWS: usize = 4096;
/// Rows that a warp of `open_columns` takes at a time, the fewest of a part.
const STEP_ROWS: usize = 128;
/// Warps of a multiprocessor that keep it busy.
const WARPS: usize = 16;

/// A low-degree extension on the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns<'a> {
    /// `[width][1 << log_height]`, rows bit-reversed.
    pub(super) words: View<'a, u32>,
    pub(super) width: usize,
    pub(super) log_height: u32,
}

impl Columns<'_> {
    fn height(&self) -> usize {
        1 << self.log_height
    }
}

/// A matrix and the points to open it at.
#[derive(Clone, Debug)]
pub(super) struct Request<'a, E> {
    pub(super) matrix: Columns<'a>,
    pub(super) points: Vec<E>,
}

/// One input of FRI: `[1 << log_len][degree]`, bit-reversed.
#[derive(Debug)]
pub(super) struct Codeword {
    pub(super) words: Buffer<u32>,
    pub(super) log_len: u32,
}

/// A point with its table.
#[derive(Debug)]
struct Point<E> {
    at: E,
    log_rows: u32,
    /// 1/(`at` − x) for the first rows x of the coset: `[degree][1 << log_rows]`.
    inverses: Buffer<u32>,
}

/// Opens matrices at points; made once for all that one proof opens.
#[derive(Debug)]
pub(super) struct Opener<'a, E> {
    device: &'a Device,
    log_blowup: u32,
    requests: Vec<Request<'a, E>>,
    points: Vec<Point<E>>,
}

impl<'a, E: ExtensionField<BabyBear>> Opener<'a, E> {
    /// Computes the tables of all points.
    ///
    /// # Errors
    /// [`Error::Usage`] if a point is zero or in the domain of a matrix that it opens (a challenge is
    /// with a chance of less than 2^-90); errors of the device.
    /// # Panics
    /// If the degree is neither 4 nor 5.
    pub(super) fn new(
        device: &'a Device,
        tables: &Tables,
        log_blowup: u32,
        requests: Vec<Request<'a, E>>,
    ) -> Result<Self> {
        assert!(
            matches!(E::DIMENSION, 4 | 5),
            "kernels are of degree 4 and 5"
        );
        let mut highest: Vec<(E, u32)> = Vec::new();
        for Request { matrix, points } in &requests {
            assert_eq!(matrix.words.len(), matrix.width << matrix.log_height);
            for &point in points {
                match highest.iter_mut().find(|(at, _)| *at == point) {
                    Some((_, log_rows)) => *log_rows = matrix.log_height.max(*log_rows),
                    None => highest.push((point, matrix.log_height)),
                }
            }
        }
        let points = highest.into_iter().map(|(at, log_rows)| {
            let inverses = inverses(device, tables, at, log_rows)?;
            Ok(Point {
                at,
                log_rows,
                inverses,
            })
        });
        let points = points.collect::<Result<_>>()?;
        Ok(Self {
            device,
            log_blowup,
            requests,
            points,
        })
    }

    fn point(&self, at: E) -> &Point<E> {
        let mut points = self.points.iter();
        points.find(|point| point.at == at).expect("all are listed")
    }

    /// The value of each column's polynomial at each point: `[request][point][column]`.
    ///
    /// # Errors
    /// Errors of the device.
    pub(super) fn values(&self) -> Result<Vec<Vec<Vec<E>>>> {
        let num_values = |r: &Request<'_, E>| r.matrix.width * r.points.len();
        let num_words = self.requests.iter().map(num_values).sum::<usize>() * E::DIMENSION;
        let sums = self.device.alloc("opened values", num_words)?;
        let mut next = 0;
        for Request { matrix, points } in &self.requests {
            for points in points.chunks(POINTS) {
                let points: Vec<_> = points.iter().map(|&at| self.point(at)).collect();
                let end = next + matrix.width * points.len() * E::DIMENSION;
                self.sums(matrix, &points, sums.view(next..end))?;
                next = end;
            }
        }
        let mut sums = extensions::<E>(self.device.download(&sums)?).into_iter();
        let values = self.requests.iter().map(|Request { matrix, points }| {
            let log_rows = matrix.log_height - self.log_blowup;
            let mut values = vec![Vec::with_capacity(matrix.width); points.len()];
            for (points, values) in points.chunks(POINTS).zip(values.chunks_mut(POINTS)) {
                let factors: Vec<_> = points.iter().map(|&z| interpolation(z, log_rows)).collect();
                for _ in 0..matrix.width {
                    for (values, &factor) in values.iter_mut().zip(&factors) {
                        let sum = sums.next().expect("as many as were asked for");
                        values.push(factor * sum);
                    }
                }
            }
            values
        });
        Ok(values.collect())
    }

    /// Sums of a matrix's low rows, weighted for up to two points, to `output`:
    /// `[width][points][degree]`.
    fn sums(
        &self,
        matrix: &Columns<'_>,
        points: &[&Point<E>],
        output: View<'_, u32>,
    ) -> Result<()> {
        if matrix.width == 0 || points.is_empty() {
            return Ok(());
        }
        let rows = matrix.height() >> self.log_blowup;
        let num_warps = matrix.width.div_ceil(COLUMNS_A_WARP);
        let multiprocessors = self.device.info().num_multiprocessors as usize;
        let parts = num_parts(rows, num_warps, multiprocessors);
        let partial = self
            .device
            .alloc("partial sums of opened values", parts * output.len())?;
        let shape = Shape::linear(num_warps * parts * 32, 128);
        let matrix_args = (
            matrix.words.ptr(),
            matrix.height() as u32,
            matrix.width as u32,
            rows as u32,
            parts as u32,
        );
        let target = partial.ptr();
        match E::DIMENSION {
            4 => self.columns::<5>(
                [COLUMNS_4_1, COLUMNS_4_2],
                shape,
                matrix_args,
                points,
                target,
            )?,
            _ => self.columns::<6>(
                [COLUMNS_5_1, COLUMNS_5_2],
                shape,
                matrix_args,
                points,
                target,
            )?,
        }
        let shape = Shape::linear(32 * output.len(), 256);
        let args = (
            partial.ptr(),
            parts as u32,
            output.len() as u32,
            output.ptr(),
        );
        // SAFETY: open_sum's parameters; there are `parts` times the output's words.
        unsafe { self.device.launch(SUM, shape, args) }
    }

    /// Launches `open_columns` for one or two points; `N` is one more than the degree.
    fn columns<const N: usize>(
        &self,
        [one, two]: [Kernel; 2],
        shape: Shape,
        (matrix, stride, width, rows, parts): (Ptr<u32>, u32, u32, u32, u32),
        points: &[&Point<E>],
        target: Ptr<u32>,
    ) -> Result<()> {
        let argument = |point: &Point<E>| {
            let weight = extension_words::<E, N>(point.at.inverse());
            (point.inverses.ptr(), with_stride(point.log_rows, weight))
        };
        assert!(rows <= stride && points.iter().all(|p| stride <= 1 << p.log_rows));
        let (inverses, point) = argument(points[0]);
        match points.get(1) {
            // SAFETY: the kernel's parameters; the matrix has `width` columns of `stride` words, each
            // table covers its rows, and the target has `parts` times the words that its caller
            // checks the output for.
            None => unsafe {
                let args = (matrix, stride, width, rows, parts, inverses, point, target);
                self.device.launch(one, shape, args)
            },
            // SAFETY: as above.
            Some(second) => unsafe {
                let (inverses2, point2) = argument(second);
                let args = (
                    matrix, stride, width, rows, parts, inverses, point, inverses2, point2, target,
                );
                self.device.launch(two, shape, args)
            },
        }
    }

    /// The inputs of FRI, one for each height, tallest first: each row's sum over all columns of that
    /// height and points z of (value at z − cell) / (z − x), weighted by successive powers of `alpha`.
    ///
    /// - `values`: from [`values`](Self::values).
    ///
    /// # Errors
    /// Errors of the device.
    pub(super) fn quotients(&self, alpha: E, values: &[Vec<Vec<E>>]) -> Result<Vec<Codeword>> {
        let widest = self.requests.iter().map(|r| r.matrix.width).max();
        let powers: Vec<E> = alpha.powers().take(widest.unwrap_or(0)).collect();
        let powers = match E::DIMENSION {
            4 => self.upload_powers::<4>(&powers)?,
            _ => self.upload_powers::<8>(&powers)?,
        };
        let mut heights: Vec<u32> = self.requests.iter().map(|r| r.matrix.log_height).collect();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        heights.dedup();
        let codewords = heights.into_iter().map(|log_len| {
            let words = self.quotient(alpha, values, log_len, &powers)?;
            Ok(Codeword { words, log_len })
        });
        codewords.collect()
    }

    fn upload_powers<const N: usize>(&self, powers: &[E]) -> Result<Buffer<u32>> {
        let words: Vec<_> = powers.iter().map(|&p| extension_words::<E, N>(p)).collect();
        self.device
            .upload("powers of a challenge", words.as_flattened())
    }

    /// The input of FRI for one height.
    fn quotient(
        &self,
        alpha: E,
        values: &[Vec<Vec<E>>],
        log_len: u32,
        powers: &Buffer<u32>,
    ) -> Result<Buffer<u32>> {
        let rows = 1usize << log_len;
        let output = self.device.alloc("an input of FRI", rows * E::DIMENSION)?;
        let of_height = || {
            let all = self.requests.iter().zip(values);
            all.filter(|(request, _)| {
                request.matrix.log_height == log_len && request.matrix.width > 0
            })
        };
        let mut points: Vec<E> = Vec::new();
        for at in of_height().flat_map(|(request, _)| &request.points) {
            if !points.contains(at) {
                points.push(*at);
            }
        }
        if points.is_empty() {
            self.device.fill_bytes(&output, 0)?;
        }
        for (chunk, pair) in points.chunks(POINTS).enumerate() {
            let mut terms = Vec::new();
            let mut claims = [E::ZERO; POINTS];
            let mut weight = E::ONE;
            for (Request { matrix, points }, values) in of_height() {
                let mut weights = [E::ZERO; POINTS];
                for (point, values) in points.iter().zip(values) {
                    if let Some(slot) = pair.iter().position(|at| at == point) {
                        let value = values.iter().rev();
                        let value = value.fold(E::ZERO, |sum, &v| sum * alpha + v);
                        claims[slot] += weight * value;
                        weights[slot] += weight;
                    }
                    weight *= alpha.exp_u64(matrix.width as u64);
                }
                terms.push(Term {
                    cells: matrix.words.ptr(),
                    width: matrix.width as u32,
                    unused: 0,
                    weights: weights.map(extension_words),
                });
            }
            let terms = self.device.upload("the terms of a quotient", &terms)?;
            let args = (terms.ptr(), terms.len() as u32, powers.ptr(), rows as u32);
            let points: Vec<_> = pair.iter().map(|&at| self.point(at)).collect();
            let tail = (u32::from(chunk > 0), output.ptr());
            match E::DIMENSION {
                4 => self.reduce::<5>([REDUCE_4_1, REDUCE_4_2], args, &points, &claims, tail)?,
                _ => self.reduce::<6>([REDUCE_5_1, REDUCE_5_2], args, &points, &claims, tail)?,
            }
        }
        Ok(output)
    }

    /// Launches `open_reduce` for one or two points; `N` is one more than the degree.
    fn reduce<const N: usize>(
        &self,
        [one, two]: [Kernel; 2],
        (terms, num_terms, powers, rows): (Ptr<Term>, u32, Ptr<u32>, u32),
        points: &[&Point<E>],
        claims: &[E; POINTS],
        (accumulate, target): (u32, Ptr<u32>),
    ) -> Result<()> {
        let argument = |point: &Point<E>, claim: E| {
            let claim = extension_words::<E, N>(claim);
            (point.inverses.ptr(), with_stride(point.log_rows, claim))
        };
        assert!(rows.is_multiple_of(2) && points.iter().all(|p| rows <= 1 << p.log_rows));
        let shape = Shape::linear(rows as usize / 2, 256);
        let (inverses, point) = argument(points[0], claims[0]);
        match points.get(1) {
            // SAFETY: the kernel's parameters; the terms are matrices of `rows` rows and no more
            // columns than there are powers, each table covers the rows, and the target is an
            // element for each row.
            None => unsafe {
                let args = (
                    terms, num_terms, powers, rows, inverses, point, accumulate, target,
                );
                self.device.launch(one, shape, args)
            },
            // SAFETY: as above.
            Some(second) => unsafe {
                let (inverses2, point2) = argument(second, claims[1]);
                let args = (
                    terms, num_terms, powers, rows, inverses, point, inverses2, point2, accumulate,
                    target,
                );
                self.device.launch(two, shape, args)
            },
        }
    }
}

/// A matrix as `open_reduce` takes it.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Term {
    cells: Ptr<u32>,
    width: u32,
    unused: u32,
    weights: [[u32; 8]; POINTS],
}

const _: () = assert!(size_of::<Term>() == 80);

/// What kernels call a point: the stride of its table, then a weight's words, the last of which is no
/// coefficient and goes.
fn with_stride<const N: usize>(log_rows: u32, weight: [u32; N]) -> [u32; N] {
    let mut result = [1 << log_rows; N];
    result[1..].copy_from_slice(&weight[..N - 1]);
    result
}

/// Parts to cut a column into, so that there are enough warps and each has enough rows.
fn num_parts(rows: usize, num_warps: usize, multiprocessors: usize) -> usize {
    let mut parts = (rows / GOOD_PART_ROWS).max(1);
    while parts * num_warps < multiprocessors * WARPS && rows / parts >= 2 * STEP_ROWS {
        parts *= 2;
    }
    parts
}

/// Elements of the sums that evaluating a matrix leaves for each point, before they are added up.
pub(super) fn partial_sums(width: usize, log_rows: u32, multiprocessors: usize) -> usize {
    width
        * num_parts(
            1 << log_rows,
            width.div_ceil(COLUMNS_A_WARP),
            multiprocessors,
        )
}

/// z (z^n − g^n) / (n g^n), with which the weighted sum of evaluations over g·H, of order
/// n = 2^`log_rows`, is multiplied to give the value at z.
fn interpolation<E: ExtensionField<BabyBear>>(z: E, log_rows: u32) -> E {
    let shift = BabyBear::GENERATOR.exp_power_of_2(log_rows as usize);
    let scale = shift.mul_2exp_u64(log_rows.into()).inverse();
    z * (z.exp_power_of_2(log_rows as usize) - shift) * scale
}

/// 1/(z − x) for the first 2^`log_rows` rows x of the coset: `[degree][1 << log_rows]`.
fn inverses<E: ExtensionField<BabyBear>>(
    device: &Device,
    tables: &Tables,
    z: E,
    log_rows: u32,
) -> Result<Buffer<u32>> {
    let in_coset =
        |z: BabyBear| (z / BabyBear::GENERATOR).exp_power_of_2(log_rows as usize) == BabyBear::ONE;
    if z.as_base().is_some_and(|z| z.is_zero() || in_coset(z)) {
        return Err(Error::Usage(format!(
            "the point {z} to open at is zero or in the domain; draw another"
        )));
    }
    let rows = 1usize << log_rows;
    let output = device.alloc("inverses of distances to a point", rows * E::DIMENSION)?;
    let shape = Shape::linear(rows.div_ceil(INVERSES_A_THREAD), 256);
    let args = (tables.coset.ptr(), rows as u32, output.ptr());
    match E::DIMENSION {
        4 => launch_inverses::<16>(device, INVERSES_4, shape, denominator(z), args)?,
        _ => launch_inverses::<25>(device, INVERSES_5, shape, denominator(z), args)?,
    }
    Ok(output)
}

/// Launches `open_inverses`; `N` is the square of the degree.
fn launch_inverses<const N: usize>(
    device: &Device,
    kernel: Kernel,
    shape: Shape,
    denominator: [u32; N],
    (tables, rows, output): (Ptr<u32>, u32, Ptr<u32>),
) -> Result<()> {
    let args = (tables, denominator, rows, output);
    // SAFETY: the kernel's parameters; the tables are of three times 512 words, the output has an
    // element for each row.
    unsafe { device.launch(kernel, shape, args) }
}

/// z's characteristic polynomial, the product of X − z' over its conjugates z', and its quotient by
/// X − z, lowest coefficient first, without their leading ones.
fn denominator<E: ExtensionField<BabyBear>, const N: usize>(z: E) -> [u32; N] {
    let degree = E::DIMENSION;
    // Of the product so far, lowest coefficient first.
    let mut norm = vec![E::ONE];
    let mut conjugate = z;
    for _ in 0..degree {
        norm.insert(0, E::ZERO);
        for i in 0..norm.len() - 1 {
            let next = norm[i + 1];
            norm[i] -= conjugate * next;
        }
        conjugate = conjugate.exp_u64(crate::witness::P.into());
    }
    // Division by X - z: the coefficients from the highest down.
    let mut quotient = vec![E::ONE; degree];
    for i in (0..degree - 1).rev() {
        quotient[i] = norm[i + 1] + z * quotient[i + 1];
    }
    let mut result = [0; N];
    for (word, coefficient) in result.iter_mut().zip(&norm[..degree]) {
        [*word] =
            extension_words::<BabyBear, 1>(coefficient.as_base().expect("fixed by conjugation"));
    }
    let quotient = quotient[..degree - 1].iter();
    for (words, coefficient) in result[degree..].chunks_exact_mut(degree).zip(quotient) {
        words.copy_from_slice(&extension_words::<E, 5>(*coefficient)[..degree]);
    }
    result
}

/// The first 2^`log_rows` rows of a matrix, row-major, in natural order: `[1 << log_rows][width]`.
///
/// # Errors
/// Errors of the device.
/// # Panics
/// If the matrix has fewer rows.
pub(super) fn rows(device: &Device, matrix: Columns<'_>, log_rows: u32) -> Result<Buffer<u32>> {
    assert!(log_rows <= matrix.log_height);
    assert_eq!(matrix.words.len(), matrix.width << matrix.log_height);
    let output = device.alloc("rows of a matrix", matrix.width << log_rows)?;
    let mut shape = Shape::linear((1 << log_rows) * 8, 256);
    shape.blocks[1] = matrix.width.div_ceil(32) as u32;
    let args = (
        matrix.words.ptr(),
        matrix.height() as u32,
        matrix.width as u32,
        log_rows,
        output.ptr(),
    );
    // SAFETY: open_rows' parameters; a block for each 32 rows and 32 columns, which the matrix has and
    // the output has room for.
    unsafe { device.launch(ROWS, shape, args)? };
    Ok(output)
}

#[cfg(test)]
mod tests;
