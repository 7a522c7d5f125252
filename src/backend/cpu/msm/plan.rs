//! Which windows to cut scalars into.

use super::digits::Windows;

/// Widest windows considered.
const WIDEST: u32 = 20;
/// What a step of the bucket sums costs beyond its additions, in additions: an inversion.
const STEP: f64 = 100.0;

/// Windows, and how multiples of the points are used.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Plan {
    /// Bits of a window.
    pub(super) width: u32,
    /// Most sets of buckets: window `w` uses set `w mod sets` and table `w / sets`.
    pub(super) sets: usize,
    /// Additions that it takes, more or less.
    pub(super) cost: f64,
}

impl Plan {
    /// The cost of `len` scalars below `2^bits` in windows of `width` bits that share `sets` sets of buckets.
    pub(super) fn new(width: u32, sets: usize, len: usize, bits: u32) -> Self {
        let windows = Windows::new(width, bits).count;
        let sets = sets.min(windows);
        let digits = len as f64 * windows as f64;
        let buckets = f64::from(width - 1).exp2();
        let used = buckets.min(digits / sets as f64).max(1.0);
        // Where most buckets are empty, halving merges few.
        let sparse = 0.5 * (buckets / used).log2();
        let weigh = sets as f64 * used * (2.0 + sparse);
        Self {
            width,
            sets,
            cost: digits * 1.15 + weigh + f64::from(width) * STEP,
        }
    }

    /// The cheapest windows without multiples.
    pub(super) fn plain(len: usize, bits: u32) -> Self {
        (2..=WIDEST)
            .map(|width| Self::new(width, usize::MAX, len, bits))
            .min_by(|a, b| a.cost.total_cmp(&b.cost))
            .expect("there are widths")
    }

    /// The cheapest windows for a key of `points` points whose tables fit in `tables`.
    pub(super) fn for_key(len: usize, tables: usize) -> Self {
        let mut best = Self::plain(len, super::digits::FULL_BITS);
        for width in 4..=WIDEST {
            let windows = Windows::full(width).count;
            for wanted in 2..=windows.min(tables) {
                let sets = windows.div_ceil(wanted);
                let plan = Self::new(width, sets, len, super::digits::FULL_BITS);
                if plan.cost < best.cost {
                    best = plan;
                }
            }
        }
        best
    }

    /// Number of tables that any scalar needs.
    pub(super) fn tables(&self) -> usize {
        Windows::full(self.width).count.div_ceil(self.sets)
    }
}
