//! Multi-scalar multiplication over BN254's G1 on the CPU.
//!
//! Scalars become signed digits, digits are sorted by bucket, and buckets are added up pair by pair with affine
//! additions that share inversions: eight at a time where the processor has AVX-512 IFMA.

mod batch;
mod buckets;
mod digits;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod inverse;
mod plan;
mod point;
mod powers;
mod sort;
#[cfg(test)]
mod tests;

use ark_ff::{AdditiveGroup, Zero};
use bytemuck::Zeroable;
use rayon::prelude::*;

use crate::backend::KeyOptions;
use crate::backend::curve::{G1Affine, G1Projective, Scalars};
use crate::memory::zeroed_vec;
use batch::{Arena, BATCH, NEGATE};
use buckets::Bucket;
use digits::{Digits, Integers, Windows};
use plan::Plan;
use point::{Path, Point};
pub(crate) use powers::powers;
use sort::{Vector, sort};

/// Operands that are added up together; fewer in tests, so that small ones have several ranges.
const RANGE: usize = if cfg!(test) { 1 << 10 } else { 1 << 15 };
/// Operands that are worth a thread.
const FEW: usize = if cfg!(test) { 1 << 6 } else { 1 << 11 };
/// Scalars of a multiplication that is done in one piece.
const PIECE: usize = if cfg!(test) { 1 << 13 } else { 1 << 21 };
/// Digits of the multiplications that are done together.
const TOGETHER: usize = 1 << 20;

/// Points that many multi-scalar multiplications share.
///
/// Keeps 64 bytes for each point and for each precomputed multiple of it.
#[derive(Debug)]
pub struct Bases {
    path: Path,
    /// Points, then their multiples by `2^(width · sets)`, by its square, …
    points: Vec<Point>,
    len: usize,
    tables: usize,
    plan: Plan,
    /// Which points are infinity.
    infinite: Vec<u32>,
}

impl Bases {
    /// Prepares `points`.
    ///
    /// Cost: 254 doublings per point for multiples, if `options` leave memory for them and the multiplications that
    /// they announce gain from it.
    ///
    /// # Panics
    /// If there are 2^31 points or more.
    pub fn new(points: &[G1Affine], options: KeyOptions) -> Self {
        Self::on(Path::detect(), points, options)
    }

    fn on(path: Path, points: &[G1Affine], options: KeyOptions) -> Self {
        let len = points.len();
        assert!(len < NEGATE as usize, "more points than can be numbered");
        let bytes = (len * size_of::<Point>()).max(1) as u64;
        let most = (options.budget / bytes).min((NEGATE as usize / len.max(1)) as u64);
        let plan = Plan::for_key(options.expected_len.clamp(1, PIECE), most as usize);
        let tables = plan.tables();
        let mut bases = Self {
            path,
            points: zeroed(len * tables),
            len,
            tables,
            plan,
            infinite: Vec::new(),
        };
        bases.points[..len]
            .par_iter_mut()
            .zip(points)
            .with_min_len(1024)
            .for_each(|(to, point)| *to = Point::new(path, point));
        let infinite = (0..len as u32).filter(|i| bases.points[*i as usize].is_infinity());
        bases.infinite = infinite.collect();
        bases.precompute();
        bases
    }

    /// Fills the tables after the first.
    fn precompute(&mut self) {
        if self.tables < 2 {
            return;
        }
        let doublings = self.plan.width as usize * self.plan.sets;
        let mut blocks: Vec<Vec<&mut [Point]>> = Vec::new();
        for table in self.points.chunks_mut(self.len) {
            for (index, part) in table.chunks_mut(BATCH).enumerate() {
                if blocks.len() <= index {
                    blocks.push(Vec::new());
                }
                blocks[index].push(part);
            }
        }
        blocks.into_par_iter().for_each(|mut tables| {
            let (points, multiples) = tables.split_first_mut().expect("two tables or more");
            let mut arena = Arena::new(self.path);
            let finite = points.iter().filter(|point| !point.is_infinity());
            arena.points.extend(finite);
            for table in multiples {
                arena.double(doublings);
                let finite = table
                    .iter_mut()
                    .zip(points.iter())
                    .filter(|(_, p)| !p.is_infinity());
                for ((to, _), multiple) in finite.zip(&arena.points) {
                    *to = multiple.canonical();
                }
            }
        });
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// `Σ_i scalars[i] · points[first + i]`.
    ///
    /// Uses all threads of the current rayon pool.
    ///
    /// # Panics
    /// If there are not as many points.
    /// # Source
    /// Pippenger's bucket method.
    pub fn msm(&self, first: usize, scalars: Scalars<'_>) -> G1Projective {
        self.msm_many(first, &[scalars])[0]
    }

    /// [`msm`](Self::msm) of each vector of scalars.
    ///
    /// # Panics
    /// If there are not as many points.
    pub fn msm_many(&self, first: usize, scalars: &[Scalars<'_>]) -> Vec<G1Projective> {
        for scalars in scalars {
            assert!(
                first + scalars.len() <= self.len,
                "{} scalars for the points from {first} of {}",
                scalars.len(),
                self.len
            );
        }
        // Into the pool once rather than for every loop: what waits outside is woken up each time.
        rayon::scope(|_| self.in_pool(first, scalars))
    }

    fn in_pool(&self, first: usize, scalars: &[Scalars<'_>]) -> Vec<G1Projective> {
        // Vectors of one kind and about one length are multiplied together, to share inversions.
        let mut sums = vec![G1Projective::zero(); scalars.len()];
        let mut order: Vec<usize> = (0..scalars.len())
            .filter(|i| !scalars[*i].is_empty())
            .collect();
        let kind = |i: usize| matches!(scalars[i], Scalars::Full(_));
        order.sort_by_key(|i| (kind(*i), scalars[*i].len()));
        let mut jobs: Vec<&[usize]> = Vec::new();
        let mut rest = &order[..];
        while let [head, ..] = rest {
            let digits = if kind(*head) { 20 } else { 5 };
            let most = (TOGETHER / (scalars[*head].len() * digits)).max(1);
            let alike = rest.iter().take(most).take_while(|i| {
                kind(**i) == kind(*head) && scalars[**i].len() <= 2 * scalars[*head].len()
            });
            let (job, others) = rest.split_at(alike.count());
            jobs.push(job);
            rest = others;
        }
        let found: Vec<Vec<G1Projective>> = jobs
            .par_iter()
            .map(|job| {
                let vectors: Vec<Scalars<'_>> = job.iter().map(|i| scalars[*i]).collect();
                self.together(first, &vectors)
            })
            .collect();
        for (job, found) in jobs.iter().zip(found) {
            for (i, sum) in job.iter().zip(found) {
                sums[*i] = sum;
            }
        }
        sums
    }

    /// Multiplies vectors of one kind, none of them empty, in the same batches.
    fn together(&self, first: usize, scalars: &[Scalars<'_>]) -> Vec<G1Projective> {
        if let [scalars] = scalars
            && scalars.len() > PIECE
        {
            let (low, high) = match scalars {
                Scalars::Full(all) => {
                    let (low, high) = all.split_at(PIECE);
                    (Scalars::Full(low), Scalars::Full(high))
                }
                Scalars::Small(all) => {
                    let (low, high) = all.split_at(PIECE);
                    (Scalars::Small(low), Scalars::Small(high))
                }
            };
            return vec![self.msm(first, low) + self.msm(first + PIECE, high)];
        }
        let integers: Vec<_> = scalars.iter().map(|s| Integers::new(*s)).collect();
        let bits = integers.iter().map(|(_, bits)| *bits).max().unwrap_or(0);
        if bits == 0 {
            return vec![G1Projective::zero(); scalars.len()];
        }
        let len = scalars.iter().map(Scalars::len).max().unwrap_or(0);
        let plan = self.plan(len, bits);
        let from = self.infinite.partition_point(|i| (*i as usize) < first);
        let skip: Vec<u32> = self.infinite[from..]
            .iter()
            .map(|i| i - first as u32)
            .collect();
        let vectors: Vec<Vector> = integers
            .into_iter()
            .map(|(integers, bits)| {
                let windows = Windows::new(plan.width, bits);
                Vector {
                    digits: Digits::new(&integers, windows, &skip),
                    windows: windows.count,
                    sets: plan.sets.min(windows.count),
                }
            })
            .collect();
        self.sum(first, &vectors, plan.width)
    }

    /// Windows for scalars below `2^bits`: the key's if multiples pay, others if not.
    fn plan(&self, len: usize, bits: u32) -> Plan {
        let plain = Plan::plain(len, bits);
        if self.tables < 2 {
            return plain;
        }
        let prepared = Plan::new(self.plan.width, self.plan.sets, len, bits);
        if prepared.cost < plain.cost {
            prepared
        } else {
            plain
        }
    }

    /// Adds up digits times points.
    fn sum(&self, first: usize, vectors: &[Vector], width: u32) -> Vec<G1Projective> {
        let log_buckets = width - 1;
        let sorted = sort(vectors, 1 << log_buckets, first, self.len);
        let total = sorted.operands.len();
        // Few additions take less time than waking another thread up.
        let threads = rayon::current_num_threads().min(total.div_ceil(FEW)).max(1);
        let range = total.div_ceil(threads).clamp(1, RANGE);
        let lists: Vec<Vec<Bucket>> = (0..total.div_ceil(range))
            .into_par_iter()
            .map_init(
                || Arena::new(self.path),
                |arena, index| {
                    let range = index * range..total.min((index + 1) * range);
                    buckets::accumulate(arena, &self.points, &sorted, range)
                },
            )
            .collect();

        // Sets are divided so that every thread has some.
        let sets: usize = vectors.iter().map(|vector| vector.sets).sum();
        let mut log_parts = 0;
        while (sets << log_parts) < threads && log_buckets - log_parts > 8 {
            log_parts += 1;
        }
        let log_part = log_buckets - log_parts;
        let parts = sets << log_parts;
        let tasks = parts.min(threads);
        let weighed: Vec<Vec<Point>> = (0..tasks)
            .into_par_iter()
            .map_init(
                || Arena::new(self.path),
                |arena, task| {
                    let (from, to) = (task * parts / tasks, (task + 1) * parts / tasks);
                    let bucket = |part: usize| (part << log_part) as u32;
                    let lists = lists.iter().map(|list| {
                        let start = list.partition_point(|(index, _)| *index < bucket(from));
                        let end = list.partition_point(|(index, _)| *index < bucket(to));
                        &list[start..end]
                    });
                    buckets::weigh(arena, lists, from, to - from, log_part)
                },
            )
            .collect();
        let weighed = weighed.concat();

        let row = log_part as usize + 2;
        let mut set = 0;
        let rows = vectors.iter().map(|vector| {
            let from = set << log_parts;
            set += vector.sets;
            &weighed[from * row..(set << log_parts) * row]
        });
        let rows: Vec<&[Point]> = rows.collect();
        rows.into_par_iter()
            .map(|rows| self.join(rows, width, log_part, log_parts))
            .collect()
    }

    /// Adds up what [`weigh`](buckets::weigh) returns for the sets of a vector.
    fn join(&self, rows: &[Point], width: u32, log_part: u32, log_parts: u32) -> G1Projective {
        let mut bits: Vec<G1Projective> = Vec::new();
        let mut add = |bit: usize, point: &Point| {
            if bits.len() <= bit {
                bits.resize(bit + 1, G1Projective::zero());
            }
            bits[bit] += point.to_affine(self.path);
        };
        for (index, row) in rows.chunks(log_part as usize + 2).enumerate() {
            let (set, part) = (index >> log_parts, index & ((1 << log_parts) - 1));
            let base = set * width as usize;
            let (all, sums) = row.split_last().expect("a row has sums");
            for (bit, point) in sums.iter().enumerate().filter(|(_, p)| !p.is_infinity()) {
                add(base + bit, point);
            }
            // Magnitudes of part p start at p · 2^log_part.
            for bit in (0..log_parts as usize).filter(|bit| part >> bit & 1 == 1) {
                if !all.is_infinity() {
                    add(base + log_part as usize + bit, all);
                }
            }
        }
        let mut sum = G1Projective::zero();
        for bit in bits.iter().rev() {
            sum.double_in_place();
            sum += bit;
        }
        sum
    }
}

/// Zeros, in large pages if they are many.
///
/// # Panics
/// If there is no such memory.
fn zeroed<T: Zeroable>(len: usize) -> Vec<T> {
    zeroed_vec(len).unwrap_or_else(|refused| panic!("out of memory: {} bytes", refused.bytes))
}

/// `Σ_i scalars[i] · points[i]`, with nothing prepared.
///
/// # Panics
/// If the lengths differ.
pub fn msm(points: &[G1Affine], scalars: Scalars<'_>) -> G1Projective {
    assert_eq!(points.len(), scalars.len(), "one scalar per point");
    let options = KeyOptions {
        budget: 0,
        expected_len: points.len(),
    };
    Bases::new(points, options).msm(0, scalars)
}
