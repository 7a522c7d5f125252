//! The kernels of `msm.cu`, one function each.

use bytemuck::{Pod, Zeroable};

use super::super::bn254::{PointWords, Words};
use super::super::device::{Buffer, Device, View};
use super::super::launch::{Kernel, Shape};
use super::plan::ReduceStep;
use crate::Result;

const MEASURE: Kernel = Kernel::new("msm", "msm_measure");
const DIGITS: Kernel = Kernel::new("msm", "msm_digits");
const ACCUMULATE: Kernel = Kernel::new("msm", "msm_accumulate");
const JOIN: Kernel = Kernel::new("msm", "msm_join");
const REDUCE: Kernel = Kernel::new("msm", "msm_reduce");
const DOUBLE: Kernel = Kernel::new("msm", "msm_double");
const INVERT: Kernel = Kernel::new("msm", "msm_invert");
const AFFINE: Kernel = Kernel::new("msm", "msm_affine");

/// Scalars of a block: `MSM_THREADS` of the kernels.
pub(super) const SCALARS_A_BLOCK: usize = 256;
/// Bit lengths that are counted: `MSM_LENGTHS`.
pub(super) const LENGTHS: usize = 65;
/// Records that a block joins, and most threads that reduce: `MSM_JOIN_THREADS`.
pub(super) const JOIN_THREADS: u32 = 128;
/// Threads of a block that adds up entries.
const ADD_THREADS: u32 = 128;
/// Elements that a thread inverts with one inversion.
const INVERSIONS: usize = 32;

/// A sum of points: X, Y, ZZ and ZZZ.
pub(super) type SumWords = [u32; 32];

/// A vector of scalars: `MsmVector`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
pub(super) struct Vector {
    pub(super) scalars: u64,
    pub(super) len: u32,
    pub(super) first: u32,
    pub(super) first_block: u32,
    pub(super) num_windows: u32,
    pub(super) first_set: u32,
    pub(super) is_small: u32,
}

/// How scalars are cut into digits: `MsmDigits`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
pub(super) struct Digits {
    width: u32,
    levels: u32,
    num_points: u32,
    bias: [u32; 9],
}

impl Digits {
    /// - `num_points`: of the key.
    pub(super) fn new(width: u32, levels: u32, num_points: u32) -> Self {
        let mut bias = [0; 9];
        let bits = (0..).step_by(width as usize).take_while(|bit| *bit < 288);
        for bit in bits.flat_map(|window| window..window + width - 1) {
            if let Some(word) = bias.get_mut(bit as usize / 32) {
                *word |= 1u32 << (bit % 32);
            }
        }
        Self {
            width,
            levels,
            num_points,
            bias,
        }
    }
}

/// Vectors on the device, and the blocks that work on them.
#[derive(Debug)]
pub(super) struct Vectors {
    records: Buffer<Vector>,
    num_blocks: usize,
}

impl Vectors {
    /// - `records`: none empty; their scalars are there as long as kernels read them.
    pub(super) fn new(device: &Device, mut records: Vec<Vector>) -> Result<Self> {
        let mut num_blocks = 0;
        for record in &mut records {
            assert!(record.len > 0, "an empty vector has no block");
            record.first_block = num_blocks as u32;
            num_blocks += (record.len as usize).div_ceil(SCALARS_A_BLOCK);
        }
        Ok(Self {
            records: device.upload("vectors", &records)?,
            num_blocks,
        })
    }

    fn shape(&self) -> Shape {
        Shape::linear(self.num_blocks * SCALARS_A_BLOCK, SCALARS_A_BLOCK as u32)
    }
}

/// Counts bit lengths of small scalars; `first_set` is the vector's row.
pub(super) fn measure(device: &Device, vectors: &Vectors) -> Result<Buffer<u32>> {
    let num_vectors = vectors.records.len();
    let lengths = device.zeros("lengths of scalars", num_vectors * LENGTHS)?;
    let args = (vectors.records.ptr(), lengths.ptr(), num_vectors as u32);
    // SAFETY: records are as many as said, their rows are below that, and they name scalars that are there.
    unsafe { device.launch(MEASURE, vectors.shape(), args)? };
    Ok(lengths)
}

/// Entries of buckets, before or after they are sorted.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) keys: Buffer<u32>,
    pub(super) values: Buffer<u32>,
}

/// Makes the entries of all vectors; keys without one are `u32::MAX`.
pub(super) fn digits(
    device: &Device,
    vectors: &Vectors,
    digits: Digits,
    capacity: usize,
) -> Result<Entries> {
    let entries = Entries {
        keys: device.alloc("buckets of entries", capacity)?,
        values: device.alloc("points of entries", capacity)?,
    };
    device.fill_bytes(&entries.keys, 0xff)?;
    let counter = device.zeros::<u32>("number of entries", 1)?;
    let args = (
        vectors.records.ptr(),
        entries.keys.ptr(),
        entries.values.ptr(),
        counter.ptr(),
        digits,
        vectors.records.len() as u32,
        capacity as u32,
    );
    // SAFETY: buffers are as long as said, no entry is written beyond `capacity`, and the records name scalars that are there.
    unsafe { device.launch(DIGITS, vectors.shape(), args)? };
    Ok(entries)
}

/// First and last sums of shares.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) keys: Buffer<u32>,
    pub(super) sums: Buffer<SumWords>,
}

impl Records {
    fn new(device: &Device, count: usize) -> Result<Self> {
        Ok(Self {
            keys: device.alloc("buckets of records", 2 * count)?,
            sums: device.alloc("records", 2 * count)?,
        })
    }

    fn count(&self) -> usize {
        self.keys.len() / 2
    }
}

/// Where the points of entries are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Points<'a> {
    /// In the key, where the entries' values say.
    Key(View<'a, PointWords>),
    /// In a list, one for each entry.
    List(View<'a, PointWords>),
}

impl<'a> Points<'a> {
    /// The points, and whether they are a list, for so many entries.
    pub(super) fn checked(
        self,
        keys: View<'_, u32>,
        values: View<'_, u32>,
    ) -> (View<'a, PointWords>, u32) {
        match self {
            Self::Key(points) => {
                assert_eq!(keys.len(), values.len(), "a point for each entry");
                (points, 0)
            }
            Self::List(points) => {
                assert_eq!(keys.len(), points.len(), "a point for each entry");
                (points, 1)
            }
        }
    }
}

/// Adds up sorted entries: what is complete goes to `buckets`.
///
/// Values of entries with keys below the number of buckets are points of the key.
pub(super) fn accumulate(
    device: &Device,
    points: Points<'_>,
    keys: View<'_, u32>,
    values: View<'_, u32>,
    share: usize,
    buckets: &Buffer<SumWords>,
) -> Result<Records> {
    let count = keys.len().div_ceil(share);
    let records = Records::new(device, count)?;
    let (points, from_list) = points.checked(keys, values);
    let args = (
        points.ptr(),
        keys.ptr(),
        values.ptr(),
        records.keys.ptr(),
        records.sums.ptr(),
        buckets.ptr(),
        keys.len() as u32,
        share as u32,
        buckets.len() as u32,
        from_list,
    );
    // SAFETY: all are as long as said; there are two records a share; values are indices of points, as the caller says.
    unsafe { device.launch(ACCUMULATE, Shape::linear(count, ADD_THREADS), args)? };
    Ok(records)
}

/// Joins records until all their sums are in `buckets`.
pub(super) fn join(
    device: &Device,
    mut records: Records,
    buckets: &Buffer<SumWords>,
) -> Result<()> {
    while records.count() > 0 {
        let count = records.count();
        let blocks = count.div_ceil(JOIN_THREADS as usize);
        let is_last = blocks == 1;
        let next = Records::new(device, if is_last { 0 } else { blocks })?;
        let shape = Shape::linear(count, JOIN_THREADS);
        let args = (
            records.keys.ptr(),
            records.sums.ptr(),
            next.keys.ptr(),
            next.sums.ptr(),
            buckets.ptr(),
            count as u32,
            buckets.len() as u32,
            u32::from(is_last),
        );
        // SAFETY: there are two keys and sums a record, before and after; the last block writes no record.
        unsafe {
            let shared = 2 * size_of::<SumWords>() as u32 * JOIN_THREADS;
            device.launch(JOIN, shape.with_shared(shared), args)?;
        }
        records = next;
    }
    Ok(())
}

/// Three kinds of sums of each block of a reduction, one kind after the other.
#[derive(Debug)]
pub(super) struct Reduced {
    sums: Buffer<SumWords>,
}

impl Reduced {
    /// The sums of kind 0, plain; 1, by place; or 2, of the step's extras.
    fn kind(&self, kind: usize) -> View<'_, SumWords> {
        let count = self.sums.len() / 3;
        self.sums.view(kind * count..(kind + 1) * count)
    }

    /// All of them: plain, by place, of extras.
    pub(super) fn download(&self, device: &Device) -> Result<Vec<SumWords>> {
        device.download(&self.sums)
    }

    /// Makes a step from buckets.
    pub(super) fn of_buckets(
        device: &Device,
        buckets: &Buffer<SumWords>,
        sets: usize,
        step: ReduceStep,
    ) -> Result<Self> {
        Self::of(device, buckets.all(), None, sets, step)
    }

    /// Makes a step from the one before.
    pub(super) fn next(&self, device: &Device, sets: usize, step: ReduceStep) -> Result<Self> {
        Self::of(device, self.kind(0), Some(self.kind(1)), sets, step)
    }

    fn of(
        device: &Device,
        sums: View<'_, SumWords>,
        extras: Option<View<'_, SumWords>>,
        sets: usize,
        step: ReduceStep,
    ) -> Result<Self> {
        let ReduceStep {
            threads,
            log_share,
            blocks,
        } = step;
        let all_blocks = sets * blocks;
        assert_eq!(sums.len(), (all_blocks * threads as usize) << log_share);
        let reduced = Self {
            sums: device.alloc("sums of buckets", 3 * all_blocks)?,
        };
        let extras = extras.map_or(super::super::device::Ptr::null(), |extras| {
            assert_eq!(extras.len(), sums.len());
            extras.ptr()
        });
        let args = (
            sums.ptr(),
            extras,
            reduced.kind(0).ptr(),
            reduced.kind(1).ptr(),
            reduced.kind(2).ptr(),
            log_share,
        );
        let shape = Shape::linear(all_blocks * threads as usize, threads);
        // SAFETY: each block has `threads << log_share` sums, and as many extras if any; there is room for three sums a block.
        unsafe {
            let shared = size_of::<SumWords>() as u32 * threads;
            device.launch(REDUCE, shape.with_shared(shared), args)?;
        }
        Ok(reduced)
    }
}

/// Writes `2^times` times each of `points` to `multiples`, as many.
pub(super) fn multiply(
    device: &Device,
    points: View<'_, PointWords>,
    multiples: View<'_, PointWords>,
    times: u32,
) -> Result<()> {
    let count = points.len();
    assert_eq!(count, multiples.len());
    let sums = device.alloc::<SumWords>("multiples", count)?;
    let inverses = device.alloc::<Words>("inverses", count)?;
    let args = (
        points.ptr(),
        sums.ptr(),
        inverses.ptr(),
        count as u32,
        times,
    );
    // SAFETY: all have `count` items.
    unsafe { device.launch(DOUBLE, Shape::linear(count, 128), args)? };
    invert(device, &inverses)?;
    let args = (sums.ptr(), inverses.ptr(), multiples.ptr(), count as u32);
    // SAFETY: as above.
    unsafe { device.launch(AFFINE, Shape::linear(count, 128), args) }
}

/// Bytes that [`invert`] takes.
pub(super) fn invert_bytes(count: usize) -> u64 {
    (count * size_of::<Words>()) as u64
}

/// Inverts elements in place; those that are zero stay.
pub(super) fn invert(device: &Device, elements: &Buffer<Words>) -> Result<()> {
    let count = elements.len();
    let before = device.alloc::<Words>("products", count)?;
    let threads = count.div_ceil(INVERSIONS);
    let args = (elements.ptr(), before.ptr(), count as u32, threads as u32);
    // SAFETY: both have `count` items.
    unsafe { device.launch(INVERT, Shape::linear(threads, 128), args) }
}
