//! How a multi-scalar multiplication is cut into windows and rounds, before anything is computed.
//!
//! Costs are in multiplications of field elements and derived, not measured: they order the choices and predict no time.

use super::super::bn254::PointWords;
use super::super::plan::Plan;
use super::super::sort::sort_bytes;
use super::affine::{Accumulation, entries_left, list_bytes, round_bytes};
use super::kernels::{JOIN_THREADS, LENGTHS, SumWords, Vector, invert_bytes};

/// Bits of a full scalar's magnitude: of `s` and `r - s`, the smaller.
pub(super) const FULL_BITS: u32 = 253;
/// Narrowest and widest windows. Wider ones have more buckets than entries at every size that fits.
pub(super) const WIDTHS: std::ops::RangeInclusive<u32> = 2..=22;
/// Levels where no window needs a multiple of a point: more than any scalar has windows.
const ALL_LEVELS: u32 = 128;
/// Most entries of a round: what a sort takes.
const MAX_ENTRIES: usize = 1 << 28;
/// Multiplications of an entry: an affine point is added.
const ENTRY_COST: u64 = 10;
/// Multiplications of a bucket: two sums are added, and a fifth more for the tree above.
const BUCKET_COST: u64 = 34;
/// Fewest entries of a thread's share, so that its two records weigh little, and most, which change nothing any more.
const SHARES: (usize, usize) = (8, 64);
/// Most buckets that a thread reduces one after the other, as a base-2 logarithm.
const MAX_LOG_REDUCE_SHARE: u32 = 5;

/// How scalars are cut: windows of `width` bits, of which `levels` are from one multiple of the points to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Windows {
    pub(super) width: u32,
    pub(super) levels: u32,
}

impl Windows {
    /// Windows of a scalar whose magnitude has `bits` bits.
    pub(super) fn count(self, bits: u32) -> u32 {
        match bits {
            0 => 0,
            bits => (bits + 1).div_ceil(self.width),
        }
    }

    /// Buckets of a set.
    pub(super) fn buckets(self) -> usize {
        1 << (self.width - 1)
    }
}

/// Multiples of a key's points: `2^(k * spacing)` times each, for `k` below `tables`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Multiples {
    pub(super) tables: u32,
    /// Bits; 0 if there is only one table, the points themselves.
    pub(super) spacing: u32,
}

impl Multiples {
    /// The points alone.
    pub(super) const NONE: Self = Self {
        tables: 1,
        spacing: 0,
    };

    /// Those that serve multiplications of `expected_len` full scalars best, at most `max_tables`.
    pub(super) fn choose(expected_len: usize, max_tables: u64) -> Self {
        let mut best = (u64::MAX, Self::NONE);
        for width in WIDTHS {
            let all = Windows { width, levels: 1 }.count(FULL_BITS);
            for levels in 1..=all {
                let tables = all.div_ceil(levels);
                if u64::from(tables) > max_tables {
                    continue;
                }
                let entries = (u64::from(all) * ENTRY_COST).saturating_mul(expected_len as u64);
                let buckets = u64::from(levels) * BUCKET_COST * (1 << (width - 1));
                let cost = entries.saturating_add(buckets);
                let spacing = if tables == 1 { 0 } else { width * levels };
                // Of equal cost, the smaller.
                if (cost, tables) < (best.0, best.1.tables) {
                    best = (cost, Self { tables, spacing });
                }
            }
        }
        best.1
    }

    /// The windows that fit these multiples.
    pub(super) fn windows(self) -> Vec<Windows> {
        WIDTHS
            .filter(|width| self.tables == 1 || self.spacing.is_multiple_of(*width))
            .map(|width| Windows {
                width,
                levels: match self.tables {
                    1 => ALL_LEVELS,
                    _ => self.spacing / width,
                },
            })
            .collect()
    }
}

/// What is known of a vector's scalars.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Scalars {
    /// Nothing: field elements.
    Full,
    /// How many have magnitudes of each number of bits: [`LENGTHS`] of them.
    Small(Vec<u32>),
}

/// A vector as it is planned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct VectorPlan {
    pub(super) len: usize,
    pub(super) scalars: Scalars,
}

impl VectorPlan {
    /// Bits of the largest magnitude.
    fn bits(&self) -> u32 {
        match &self.scalars {
            Scalars::Full => FULL_BITS,
            Scalars::Small(lengths) => {
                lengths.iter().rposition(|count| *count > 0).unwrap_or(0) as u32
            }
        }
    }

    /// Most entries: digits that are not zero.
    fn entries(&self, windows: Windows) -> usize {
        match &self.scalars {
            Scalars::Full => self.len * windows.count(FULL_BITS) as usize,
            Scalars::Small(lengths) => {
                let of_length =
                    |(bits, count): (u32, &u32)| *count as usize * windows.count(bits) as usize;
                (0..).zip(lengths).map(of_length).sum()
            }
        }
    }

    /// Sets of buckets.
    fn sets(&self, windows: Windows) -> usize {
        windows.levels.min(windows.count(self.bits())) as usize
    }
}

/// Neighbouring scalars of a vector, done in one round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    /// The vector's number.
    pub(super) vector: usize,
    /// The first scalar, and how many.
    pub(super) from: usize,
    pub(super) len: usize,
    /// Windows of each scalar, and sets of buckets that they go to.
    pub(super) windows: u32,
    pub(super) sets: usize,
}

/// What is done with one set of launches.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Round {
    pub(super) pieces: Vec<Piece>,
    /// Most entries.
    pub(super) entries: usize,
    pub(super) sets: usize,
}

/// Choices that can be made for it, so that in tests small inputs go every way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tuning {
    /// The width of windows.
    pub(super) width: Option<u32>,
    /// Entries of a thread's share.
    pub(super) share: Option<usize>,
    /// Most entries of a round.
    pub(super) max_entries: Option<usize>,
    /// Buckets that a thread reduces, as a base-2 logarithm.
    pub(super) log_reduce_share: Option<u32>,
    /// How entries are added up.
    pub(super) accumulation: Accumulation,
}

/// The windows for these vectors.
pub(super) fn choose_windows(
    vectors: &[VectorPlan],
    multiples: Multiples,
    tuning: Tuning,
    max_bytes: u64,
) -> Windows {
    let sets = |windows| -> u64 {
        let sets = vectors.iter().map(|vector| vector.sets(windows));
        sets.max().unwrap_or(0) as u64
    };
    let cost = |windows: Windows| -> u64 {
        let costs = vectors.iter().map(|vector| {
            ENTRY_COST * vector.entries(windows) as u64
                + BUCKET_COST * (vector.sets(windows) * windows.buckets()) as u64
        });
        costs.sum()
    };
    let all = multiples.windows();
    // Buckets take a quarter of what there is at most, or windows are as narrow as can be.
    let fits = |windows: &&Windows| {
        sets(**windows) * (windows.buckets() * size_of::<SumWords>()) as u64 <= max_bytes / 4
    };
    let asked = |windows: &&Windows| Some(windows.width) == tuning.width;
    let found = all
        .iter()
        .find(asked)
        .or_else(|| {
            all.iter()
                .filter(fits)
                .min_by_key(|windows| cost(**windows))
        })
        .or(all.first());
    *found.expect("a multiple of some width separates the multiples")
}

/// Cuts vectors into rounds of at most `max_entries` entries and as many buckets, or one piece.
fn cut(vectors: &[VectorPlan], windows: Windows, max_entries: usize) -> Vec<Round> {
    let mut rounds = Vec::new();
    let mut round = Round::default();
    for (number, vector) in vectors.iter().enumerate() {
        let all = vector.entries(windows);
        let count = windows.count(vector.bits());
        if all == 0 {
            continue;
        }
        // All of them may have all windows.
        let most = match all <= max_entries {
            true => vector.len,
            false => (max_entries / count as usize).max(1),
        };
        let mut from = 0;
        while from < vector.len {
            let len = most.min(vector.len - from);
            let entries = all.min(len * count as usize);
            let piece = Piece {
                vector: number,
                from,
                len,
                windows: count,
                sets: vector.sets(windows),
            };
            let buckets = (round.sets + piece.sets) * windows.buckets();
            if !round.pieces.is_empty()
                && (round.entries + entries > max_entries || buckets > max_entries)
            {
                rounds.push(std::mem::take(&mut round));
            }
            round.entries += entries;
            round.sets += piece.sets;
            round.pieces.push(piece);
            from += len;
        }
    }
    if !round.pieces.is_empty() {
        rounds.push(round);
    }
    rounds
}

/// How one round's buckets are reduced: in each step a block of `threads` takes `threads << log_share` sums.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ReduceStep {
    pub(super) threads: u32,
    pub(super) log_share: u32,
    /// Blocks, and so sums left, of a set.
    pub(super) blocks: usize,
}

/// The steps that reduce sets of `2^log_len` sums to one: one or two.
pub(super) fn reduce_steps(
    log_len: u32,
    sets: usize,
    multiprocessors: u32,
    tuning: Tuning,
) -> Vec<ReduceStep> {
    let log_threads = JOIN_THREADS.ilog2();
    // Two blocks of threads on each multiprocessor.
    let busy = 256 * multiprocessors.max(1) as usize;
    let spread = ((sets << log_len) / busy).max(1).ilog2();
    let log_share = tuning.log_reduce_share.unwrap_or(spread);
    // What the second step cannot take, the first must.
    let least = log_len.saturating_sub(2 * log_threads + MAX_LOG_REDUCE_SHARE);
    let most = MAX_LOG_REDUCE_SHARE.min(log_len);
    let log_share = log_share.min(most).max(least);
    let step = |log_len: u32, log_share: u32| {
        let log_in_block = (log_len - log_share).min(log_threads);
        ReduceStep {
            threads: 1 << log_in_block,
            log_share,
            blocks: 1 << (log_len - log_share - log_in_block),
        }
    };
    let first = step(log_len, log_share);
    let log_left = first.blocks.ilog2();
    match log_left {
        0 => vec![first],
        _ => vec![first, step(log_left, log_left.saturating_sub(log_threads))],
    }
}

/// A whole multiplication as it is planned.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) windows: Windows,
    pub(super) rounds: Vec<Round>,
    pub(super) plan: Plan,
}

/// Everything a plan depends on beside the vectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) multiples: Multiples,
    pub(super) multiprocessors: u32,
    /// Bytes that may be taken.
    pub(super) max_bytes: u64,
    pub(super) tuning: Tuning,
}

/// Plans a multiplication: rounds as large as fit, or as small as they get.
pub(super) fn plan(vectors: &[VectorPlan], setting: &Setting) -> Job {
    let Setting {
        multiples,
        max_bytes,
        tuning,
        ..
    } = *setting;
    let windows = choose_windows(vectors, multiples, tuning, max_bytes);
    let mut max_entries = tuning.max_entries.unwrap_or(MAX_ENTRIES);
    loop {
        let rounds = cut(vectors, windows, max_entries);
        let mut plan = Plan::default();
        for round in &rounds {
            plan_round(&mut plan, round, windows, setting);
        }
        // Fewer entries than buckets save nothing.
        if plan.peak_bytes() <= max_bytes || max_entries <= windows.buckets() {
            return Job {
                windows,
                rounds,
                plan,
            };
        }
        max_entries /= 2;
    }
}

/// Entries of a thread's share.
pub(super) fn share(entries: usize, setting: &Setting) -> usize {
    // Four times as many threads as are there at once.
    let threads = 4 * 512 * setting.multiprocessors.max(1) as usize;
    let spread = (entries / threads).clamp(SHARES.0, SHARES.1);
    setting.tuning.share.unwrap_or(spread)
}

/// Bytes of `count` records: two sums with their buckets each.
pub(super) fn record_bytes(count: usize) -> u64 {
    (count * 2 * (size_of::<u32>() + size_of::<SumWords>())) as u64
}

/// Adds what a round holds, step by step.
fn plan_round(plan: &mut Plan, round: &Round, windows: Windows, setting: &Setting) {
    let sum_bytes = size_of::<SumWords>() as u64;
    let entries = 8 * round.entries as u64;
    let vectors = (round.pieces.len() * size_of::<Vector>()) as u64;
    plan.step(
        "sort",
        &[
            ("vectors", vectors),
            ("entries", entries),
            ("sorting", sort_bytes::<u32>(round.entries)),
        ],
    );
    let num_buckets = round.sets * windows.buckets();
    let buckets = num_buckets as u64 * sum_bytes;
    let mut len = round.entries;
    let mut held = entries;
    for _ in 0..setting.tuning.accumulation.rounds(len, num_buckets) {
        let left = entries_left(len, num_buckets);
        let step = [
            ("entries", held),
            ("sums of pairs", list_bytes(left)),
            ("products", round_bytes(len)),
        ];
        plan.step("pairs", &step);
        (len, held) = (left, list_bytes(left));
    }
    let records = len.div_ceil(share(len, setting));
    plan.step(
        "add",
        &[
            ("entries", held),
            ("buckets", buckets),
            ("records", record_bytes(records)),
        ],
    );
    let joined = match records.div_ceil(JOIN_THREADS as usize) {
        0 | 1 => 0,
        left => record_bytes(left),
    };
    plan.step(
        "join",
        &[
            ("buckets", buckets),
            ("records", record_bytes(records) + joined),
        ],
    );
    let steps = reduce_steps(
        windows.width - 1,
        round.sets,
        setting.multiprocessors,
        setting.tuning,
    );
    let sums: usize = steps.iter().map(|step| step.blocks * round.sets).sum();
    plan.step(
        "reduce",
        &[("buckets", buckets), ("sums", 3 * sums as u64 * sum_bytes)],
    );
}

/// What measuring small vectors holds.
pub(super) fn plan_measure(num_vectors: usize) -> u64 {
    (num_vectors * (size_of::<Vector>() + 4 * LENGTHS)) as u64
}

/// Points whose multiples are computed at a time.
pub(super) const MULTIPLES_AT_ONCE: usize = 1 << 20;

/// What computing multiples holds beside the key, for `num_points` points.
pub(super) fn multiples_bytes(num_points: usize, multiples: Multiples) -> u64 {
    match multiples.tables {
        1 => 0,
        _ => {
            let at_once = num_points.min(MULTIPLES_AT_ONCE);
            (at_once * size_of::<SumWords>()) as u64 + 2 * invert_bytes(at_once)
        }
    }
}

/// Bytes of a key.
pub(super) fn key_bytes(num_points: usize, tables: u32) -> u64 {
    (num_points * size_of::<PointWords>()) as u64 * u64::from(tables)
}
