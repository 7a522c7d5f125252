//! Multi-scalar multiplication over BN254's G1.
//!
//! Many vectors of scalars are multiplied in one set of launches, since a short one alone leaves most of a GPU idle; long ones
//! are cut into rounds that fit the device's memory. `msm.cu` says how; `msm/plan.rs` chooses windows and rounds.
//!
//! Ceilings on an H200, derived and not measured, from 40 clocks of a multiprocessor for the addition of a point (10
//! multiplications), 6.6·10⁹ a second: full scalars 2^22 in 10 ms, 8.5 ms with multiples of the points; 31-bit ones 1.3 ms.

mod affine;
mod kernels;
mod plan;
#[cfg(test)]
mod tests;

use ark_bn254::Fq;
use ark_ec::{AdditiveGroup, CurveGroup};
use rayon::prelude::*;

use super::Device;
use super::bn254::{PointWords, Words, element, point_words};
use super::device::{Buffer, View};
use super::plan::Plan;
use crate::Result;
use crate::backend::KeyOptions;
use crate::backend::curve::{G1Affine, G1Projective};
use crate::backend::folding::check_msm;

use affine::List;
use kernels::{Digits, LENGTHS, Points, SumWords, Vector, Vectors};
use plan::{Job, Multiples, Piece, Round, Scalars, Setting, Tuning, VectorPlan, Windows};

/// Points that are converted at a time.
const SLICE: usize = 1 << 18;
/// Most multiples of points that entries can name.
const MAX_INDEX: u64 = 1 << 31;

/// Scalars on the device.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input<'a> {
    /// Field elements in Montgomery form.
    Full(View<'a, Words>),
    /// Integers.
    Small(View<'a, i64>),
}

impl Input<'_> {
    /// Number of scalars.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Full(scalars) => scalars.len(),
            Self::Small(scalars) => scalars.len(),
        }
    }

    fn address(&self) -> u64 {
        match self {
            Self::Full(scalars) => bytemuck::cast(scalars.ptr()),
            Self::Small(scalars) => bytemuck::cast(scalars.ptr()),
        }
    }

    fn is_small(&self) -> bool {
        matches!(self, Self::Small(_))
    }
}

/// A commitment key on the device: points, and multiples of them.
#[derive(Debug)]
pub(super) struct MsmKey {
    device: Device,
    /// `[tables][num_points]`.
    points: Buffer<PointWords>,
    num_points: usize,
    multiples: Multiples,
    tuning: Tuning,
}

impl MsmKey {
    /// Brings points to the device and computes multiples of them within `options.budget`, and within half of what the device has left.
    ///
    /// # Errors
    /// [`Error::OutOfDeviceMemory`](crate::Error::OutOfDeviceMemory) if the points alone do not fit; those of the device.
    /// # Panics
    /// If there are 2^31 points or more.
    pub(super) fn new(device: &Device, points: &[G1Affine], options: KeyOptions) -> Result<Self> {
        Self::with_tuning(device, points, options, Tuning::default())
    }

    /// The same with choices of a test's.
    fn with_tuning(
        device: &Device,
        points: &[G1Affine],
        options: KeyOptions,
        tuning: Tuning,
    ) -> Result<Self> {
        let num_points = points.len();
        assert!((num_points as u64) < MAX_INDEX, "{num_points} points");
        let memory = device.memory();
        let left = memory.budget.saturating_sub(memory.live) / 2;
        let table_bytes = plan::key_bytes(num_points, 1).max(1);
        let max_tables = (options.budget.min(left) / table_bytes)
            .min((MAX_INDEX - 1) / num_points.max(1) as u64)
            .max(1);
        let multiples = Multiples::choose(options.expected_len, max_tables);
        Self::plan_key(num_points, multiples).check(device)?;
        let on_device = device.alloc(
            "points of a commitment key",
            num_points * multiples.tables as usize,
        )?;
        for (i, slice) in points.chunks(SLICE).enumerate() {
            let words: Vec<PointWords> = slice.par_iter().map(point_words).collect();
            device.write(on_device.view(i * SLICE..i * SLICE + slice.len()), &words)?;
        }
        let key = Self {
            device: device.clone(),
            points: on_device,
            num_points,
            multiples,
            tuning,
        };
        key.compute_multiples()?;
        Ok(key)
    }

    /// What making a key holds.
    fn plan_key(num_points: usize, multiples: Multiples) -> Plan {
        let mut plan = Plan::default();
        let held = [
            ("points", plan::key_bytes(num_points, multiples.tables)),
            ("multiples", plan::multiples_bytes(num_points, multiples)),
        ];
        plan.step("key", &held);
        plan
    }

    fn compute_multiples(&self) -> Result<()> {
        let Multiples { tables, spacing } = self.multiples;
        for to in (1..tables as usize).map(|table| table * self.num_points) {
            let from = to - self.num_points;
            for start in (0..self.num_points).step_by(plan::MULTIPLES_AT_ONCE) {
                let end = self.num_points.min(start + plan::MULTIPLES_AT_ONCE);
                let points = self.points.view(from + start..from + end);
                let multiples = self.points.view(to + start..to + end);
                kernels::multiply(&self.device, points, multiples, spacing)?;
            }
        }
        Ok(())
    }

    /// Multiplies points by scalars and adds the products, for several vectors of scalars.
    ///
    /// - `first`: which point the first scalar of every vector belongs to.
    /// - returns: `Σ_i scalars[i] · key[first + i]` for each vector.
    ///
    /// Cost: an addition of a point for each digit that is not zero; about ten launches for all vectors together, or for each
    /// round of them if they do not fit the device's memory at once; one wait for each round and one more if a vector is of
    /// integers.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if the key is too short;
    /// [`Error::OutOfDeviceMemory`](crate::Error::OutOfDeviceMemory) if even small rounds do not fit; those of the device.
    /// # Source
    /// Pippenger's bucket method.
    pub(super) fn msm(&self, first: usize, inputs: &[Input<'_>]) -> Result<Vec<G1Affine>> {
        for input in inputs {
            check_msm(self.num_points, first, input.len())?;
        }
        let vectors = self.measure(inputs)?;
        let job = plan::plan(&vectors, &self.setting());
        job.plan.check(&self.device)?;
        let mut sums = vec![G1Projective::ZERO; inputs.len()];
        for round in &job.rounds {
            let parts = self.round(first, inputs, &job, round)?;
            for (piece, part) in round.pieces.iter().zip(parts) {
                sums[piece.vector] += part;
            }
        }
        Ok(G1Projective::normalize_batch(&sums))
    }

    fn setting(&self) -> Setting {
        let memory = self.device.memory();
        Setting {
            multiples: self.multiples,
            multiprocessors: self.device.info().num_multiprocessors,
            max_bytes: memory.budget.saturating_sub(memory.live),
            tuning: self.tuning,
        }
    }

    /// Finds out how long small scalars are.
    fn measure(&self, inputs: &[Input<'_>]) -> Result<Vec<VectorPlan>> {
        let small = inputs
            .iter()
            .filter(|input| input.is_small() && input.len() > 0);
        let records: Vec<Vector> = (0..)
            .zip(small)
            .map(|(row, input)| Vector {
                scalars: input.address(),
                len: input.len() as u32,
                first: 0,
                first_block: 0,
                num_windows: 0,
                first_set: row,
                is_small: 1,
            })
            .collect();
        let mut lengths = Vec::new();
        if !records.is_empty() {
            let mut plan = Plan::default();
            plan.step("measure", &[("lengths", plan::plan_measure(records.len()))]);
            plan.check(&self.device)?;
            let vectors = Vectors::new(&self.device, records)?;
            let counts = kernels::measure(&self.device, &vectors)?;
            lengths = self.device.download(&counts)?;
        }
        let mut lengths = lengths.chunks_exact(LENGTHS);
        let plans = inputs.iter().map(|input| VectorPlan {
            len: input.len(),
            scalars: match input.is_small() && input.len() > 0 {
                true => Scalars::Small(
                    lengths
                        .next()
                        .expect("a row for each small vector")
                        .to_vec(),
                ),
                false => Scalars::Full,
            },
        });
        Ok(plans.collect())
    }

    /// Does one round: the sum of each piece.
    fn round(
        &self,
        first: usize,
        inputs: &[Input<'_>],
        job: &Job,
        round: &Round,
    ) -> Result<Vec<G1Projective>> {
        let device = &self.device;
        let windows = job.windows;
        let buckets = num_buckets(round.sets, windows);
        let entries = {
            let records = self.records(first, inputs, round);
            let vectors = Vectors::new(device, records)?;
            let digits = Digits::new(windows.width, windows.levels, self.num_points as u32);
            let entries = kernels::digits(device, &vectors, digits, round.entries)?;
            super::sort::sort_pairs(
                device,
                entries.keys.all(),
                super::sort::Values::Words(entries.values.all()),
                // No bucket has all of these bits set, as the keys without entry have.
                0..usize::BITS - buckets.leading_zeros(),
            )?
        };
        let mut list = None;
        let (mut keys, mut values) = (entries.keys, Some(entries.values));
        for _ in 0..self.tuning.accumulation.rounds(round.entries, buckets) {
            let halved = self.halve(&keys, values.as_ref(), list.as_ref(), buckets)?;
            (keys, values, list) = (halved.keys, None, Some(halved.points));
        }
        let share = plan::share(keys.len(), &self.setting());
        let buckets = device.zeros("buckets", buckets)?;
        let (points, values_there) = self.sources(&keys, values.as_ref(), list.as_ref());
        let records =
            kernels::accumulate(device, points, keys.all(), values_there, share, &buckets)?;
        drop((keys, values, list));
        kernels::join(device, records, &buckets)?;
        let results = self.reduce(&buckets, round.sets, windows)?;
        Ok(combine(&results, &round.pieces, windows))
    }

    /// Makes a round of additions in affine form.
    fn halve(
        &self,
        keys: &Buffer<u32>,
        values: Option<&Buffer<u32>>,
        list: Option<&Buffer<PointWords>>,
        num_buckets: usize,
    ) -> Result<List> {
        let (points, values) = self.sources(keys, values, list);
        affine::halve(&self.device, points, keys.all(), values, num_buckets)
    }

    /// Where the points of entries are: in the key, or in a list, when values are not read and keys stand for them.
    fn sources<'a>(
        &'a self,
        keys: &'a Buffer<u32>,
        values: Option<&'a Buffer<u32>>,
        list: Option<&'a Buffer<PointWords>>,
    ) -> (Points<'a>, View<'a, u32>) {
        let values = values.unwrap_or(keys).all();
        match list {
            Some(list) => (Points::List(list.all()), values),
            None => (Points::Key(self.points.all()), values),
        }
    }

    /// The vectors of a round as kernels see them.
    fn records(&self, first: usize, inputs: &[Input<'_>], round: &Round) -> Vec<Vector> {
        let mut first_set = 0;
        let record = |piece: &Piece| {
            let input = &inputs[piece.vector];
            let bytes = match input {
                Input::Full(_) => size_of::<Words>(),
                Input::Small(_) => size_of::<i64>(),
            };
            let record = Vector {
                scalars: input.address() + (piece.from * bytes) as u64,
                len: piece.len as u32,
                first: (first + piece.from) as u32,
                first_block: 0,
                num_windows: piece.windows,
                first_set,
                is_small: u32::from(input.is_small()),
            };
            first_set += piece.sets as u32;
            record
        };
        round.pieces.iter().map(record).collect()
    }

    /// `Σ_b b · bucket` of each set of buckets, `b` from 1.
    fn reduce(
        &self,
        buckets: &Buffer<SumWords>,
        sets: usize,
        windows: Windows,
    ) -> Result<Vec<G1Projective>> {
        let device = &self.device;
        let steps = plan::reduce_steps(
            windows.width - 1,
            sets,
            device.info().num_multiprocessors,
            self.tuning,
        );
        let first = kernels::Reduced::of_buckets(device, buckets, sets, steps[0])?;
        // Sums of all buckets, by place in the last step, and by place in the first.
        let (sums, log_stride) = match steps.get(1) {
            None => (first.download(device)?, None),
            Some(step) => {
                let log_block = steps[0].threads.ilog2() + steps[0].log_share;
                let second = first.next(device, sets, *step)?;
                (second.download(device)?, Some(log_block))
            }
        };
        let kind = |kind: usize, set: usize| projective(sums[kind * sets + set]);
        let result = |set: usize| match log_stride {
            // Places are from 0, buckets from 1.
            None => kind(0, set) + kind(1, set),
            Some(log_stride) => {
                kind(0, set) + kind(2, set) + times_power_of_two(kind(1, set), log_stride)
            }
        };
        Ok((0..sets).into_par_iter().map(result).collect())
    }
}

/// Buckets of all sets.
fn num_buckets(sets: usize, windows: Windows) -> usize {
    let buckets = sets * windows.buckets();
    assert!(
        u32::try_from(buckets).is_ok_and(|buckets| buckets < u32::MAX),
        "{buckets} buckets have no 32-bit keys"
    );
    buckets
}

/// The sum of each piece: of its sets, each `2^width` times the one before.
fn combine(sets: &[G1Projective], pieces: &[Piece], windows: Windows) -> Vec<G1Projective> {
    let mut rest = sets;
    let parts: Vec<&[G1Projective]> = pieces
        .iter()
        .map(|piece| rest.split_off(..piece.sets).expect("a result for each set"))
        .collect();
    let add = |sets: &&[G1Projective]| {
        let add = |sum, set: &G1Projective| times_power_of_two(sum, windows.width) + set;
        sets.iter().rev().fold(G1Projective::ZERO, add)
    };
    parts.par_iter().map(add).collect()
}

fn times_power_of_two(mut point: G1Projective, log: u32) -> G1Projective {
    for _ in 0..log {
        point.double_in_place();
    }
    point
}

/// A sum of the device's: with x = X/ZZ and y = Y/ZZZ, (X·ZZ, Y·ZZZ, ZZ) is the point in Jacobian form.
fn projective(words: SumWords) -> G1Projective {
    let [x, y, zz, zzz]: [Words; 4] = bytemuck::cast(words);
    let [x, y, zz, zzz]: [Fq; 4] = [x, y, zz, zzz].map(element);
    match zz == Fq::ZERO {
        true => G1Projective::ZERO,
        false => G1Projective::new_unchecked(x * zz, y * zzz, zz),
    }
}
