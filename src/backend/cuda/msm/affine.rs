//! Adding neighbouring entries of one bucket in affine form, many with one inversion: the alternative to sums in (X, Y, ZZ, ZZZ).
//!
//! Such an addition takes 5 multiplications and a squaring, where one to a sum takes 8 and 2, and a round of them writes what is
//! left to memory. So it pays where buckets have many entries, if it does.

use super::super::bn254::{PointWords, Words};
use super::super::device::{Buffer, Device, View};
use super::super::launch::{Kernel, Shape};
use super::super::scan::{Bound, Operator, scan, scan_bytes};
use super::kernels::{Points, invert, invert_bytes};
use crate::Result;

const COUNT: Kernel = Kernel::new("msm", "msm_pair_count");
const PRODUCTS: Kernel = Kernel::new("msm", "msm_pair_products");
const ADD: Kernel = Kernel::new("msm", "msm_pair_add");

/// Pairs that a thread adds with one element to invert.
const PAIRS: usize = 32;
/// Most rounds: more save nothing that counts.
const MAX_ROUNDS: u32 = 6;

/// How the entries of a bucket are added up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in super::super) enum Accumulation {
    /// One after the other to a sum in (X, Y, ZZ, ZZZ).
    ///
    /// The default, not because it was faster: neither was measured on a GPU yet.
    #[default]
    Sums,
    /// Pair by pair in affine form for some rounds, then as above.
    Pairs,
}

impl Accumulation {
    /// Rounds that halve the entries, until a bucket has about two.
    pub(super) fn rounds(self, entries: usize, buckets: usize) -> u32 {
        match self {
            Self::Sums => 0,
            Self::Pairs => (entries / buckets.max(1))
                .checked_ilog2()
                .unwrap_or(0)
                .clamp(1, MAX_ROUNDS),
        }
    }
}

/// Sorted entries with a point each.
#[derive(Debug)]
pub(super) struct List {
    pub(super) keys: Buffer<u32>,
    pub(super) points: Buffer<PointWords>,
}

/// Most entries that a round leaves: one of two, and one more where buckets meet within a pair.
pub(super) fn entries_left(entries: usize, buckets: usize) -> usize {
    let pairs = entries.div_ceil(2);
    pairs + pairs.min(buckets)
}

/// Bytes of a list.
pub(super) fn list_bytes(entries: usize) -> u64 {
    (entries * (size_of::<u32>() + size_of::<PointWords>())) as u64
}

/// Most bytes that a round takes beside the entries and what is left of them.
pub(super) fn round_bytes(entries: usize) -> u64 {
    let pairs = entries.div_ceil(2);
    let threads = pairs.div_ceil(PAIRS);
    let places = 4 * pairs as u64;
    let elements = ((pairs + threads) * size_of::<Words>()) as u64;
    (places + scan_bytes(1, pairs)).max(places + elements + invert_bytes(threads))
}

/// Makes a round: adds neighbours of one bucket.
///
/// - `keys`, `values`: as for [`accumulate`](super::kernels::accumulate).
pub(super) fn halve(
    device: &Device,
    points: Points<'_>,
    keys: View<'_, u32>,
    values: View<'_, u32>,
    num_buckets: usize,
) -> Result<List> {
    let len = keys.len();
    let (points, from_list) = points.checked(keys, values);
    let pairs = len.div_ceil(2);
    let threads = pairs.div_ceil(PAIRS);
    let left = entries_left(len, num_buckets);
    let list = List {
        keys: device.alloc("buckets of pairs", left)?,
        points: device.alloc("sums of pairs", left)?,
    };
    device.fill_bytes(&list.keys, 0xff)?;
    let places = device.alloc::<u32>("places of pairs", pairs)?;
    let args = (keys.ptr(), places.ptr(), len as u32, num_buckets as u32);
    // SAFETY: there are as many keys as said and a place for each pair.
    unsafe { device.launch(COUNT, Shape::linear(pairs, 256), args)? };
    let (all, sum) = (places.all(), Operator::Sum);
    drop(scan(device, sum, Bound::Exclusive, 1, all, all)?);
    let before = device.alloc::<Words>("products of denominators", pairs)?;
    let products = device.alloc::<Words>("denominators", threads)?;
    let args = (
        points.ptr(),
        keys.ptr(),
        values.ptr(),
        before.ptr(),
        products.ptr(),
        len as u32,
        threads as u32,
        num_buckets as u32,
        from_list,
    );
    let shape = Shape::linear(threads, 128);
    // SAFETY: as many entries, pairs and threads as said; values are indices of points, as the caller says.
    unsafe { device.launch(PRODUCTS, shape, args)? };
    invert(device, &products)?;
    let args = (
        points.ptr(),
        keys.ptr(),
        values.ptr(),
        before.ptr(),
        products.ptr(),
        places.ptr(),
        list.keys.ptr(),
        list.points.ptr(),
        len as u32,
        threads as u32,
        num_buckets as u32,
        from_list,
    );
    // SAFETY: as above; places are below the number of entries left, of which there are at most as many as the list has.
    unsafe { device.launch(ADD, shape, args)? };
    Ok(list)
}
