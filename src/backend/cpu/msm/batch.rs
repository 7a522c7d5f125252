//! Affine additions in batches that share an inversion.

use ark_bn254::Fq;
use ark_ff::{AdditiveGroup, Field, One};

#[cfg(target_arch = "x86_64")]
use super::ifma::{self, Lanes};
use super::inverse::inverse;
use super::point::{Path, Point, Sum};

/// Additions that share an inversion.
///
/// An inversion and what surrounds it take 1.7 µs, as long as some 85 additions; what a batch touches should stay in
/// a cache of 1 MiB between its two passes. Eight lanes, ns per addition with batches of 256, 512, 1024, 2048:
/// 26.8, 23.9, 22.4, 20.2 (AMD EPYC Zen 5, busy, 2026-11).
pub(super) const BATCH: usize = 2048;
/// The bit of an operand that negates it.
pub(super) const NEGATE: u32 = 1 << 31;

/// Additions to compute: operands by index, negated if they have [`NEGATE`] set, and where sums go.
///
/// No two additions may name the same place, but for an addition's own operands and sum.
#[derive(Default, Debug)]
pub(super) struct Sums {
    left: Vec<u32>,
    right: Vec<u32>,
    to: Vec<u32>,
}

impl Sums {
    pub(super) fn clear(&mut self) {
        self.left.clear();
        self.right.clear();
        self.to.clear();
    }

    #[inline]
    pub(super) fn push(&mut self, left: u32, right: u32, to: u32) {
        self.left.push(left);
        self.right.push(right);
        self.to.push(to);
    }

    fn len(&self) -> usize {
        self.to.len()
    }
}

/// Points that sums are computed in, and memory for it.
#[derive(Debug)]
pub(super) struct Arena {
    path: Path,
    /// Places of points.
    pub(super) points: Vec<Point>,
    /// Whether any of them may be infinity.
    careful: bool,
    portable: Vec<Fq>,
    #[cfg(target_arch = "x86_64")]
    memory: Box<Memory>,
}

impl Arena {
    pub(super) fn new(path: Path) -> Self {
        Self {
            path,
            points: Vec::new(),
            careful: false,
            portable: Vec::new(),
            #[cfg(target_arch = "x86_64")]
            memory: Box::new(Memory {
                left: Operands::new(),
                right: Operands::new(),
                prefixes: Vec::new(),
            }),
        }
    }

    /// Empties it, for points of which some may be infinity or none.
    pub(super) fn clear(&mut self) {
        self.points.clear();
        self.careful = false;
    }

    /// Copies a point of `bases` to `to`.
    #[inline]
    pub(super) fn copy(&mut self, bases: &[Point], from: u32, to: u32) {
        let point = bases[(from & !NEGATE) as usize];
        self.points[to as usize] = if from & NEGATE != 0 {
            point.negated()
        } else {
            point
        };
    }

    /// Adds points of `bases`, or of this arena if there are none given.
    pub(super) fn add(&mut self, bases: Option<&[Point]>, sums: &Sums) {
        let len = bases.map_or(self.points.len(), <[Point]>::len);
        let operands = sums.left.iter().chain(&sums.right);
        debug_assert!(operands.clone().all(|i| ((i & !NEGATE) as usize) < len));
        debug_assert!(sums.to.iter().all(|to| (*to as usize) < self.points.len()));
        for start in (0..sums.len()).step_by(BATCH) {
            let end = sums.len().min(start + BATCH);
            let batch = Batch {
                from: bases.map_or(self.points.as_ptr(), <[Point]>::as_ptr),
                to: self.points.as_mut_ptr(),
                left: &sums.left[start..end],
                right: &sums.right[start..end],
                places: &sums.to[start..end],
            };
            if self.careful || !self.run::<false>(&batch) {
                self.add_carefully(bases, &batch);
            }
        }
    }

    /// Doubles every point as often as said; none of them may be infinity.
    pub(super) fn double(&mut self, times: usize) {
        let places: Vec<u32> = (0..self.points.len() as u32).collect();
        for places in places.chunks(BATCH) {
            for _ in 0..times {
                let batch = Batch {
                    from: self.points.as_ptr(),
                    to: self.points.as_mut_ptr(),
                    left: places,
                    right: places,
                    places,
                };
                assert!(self.run::<true>(&batch), "a point of order 2");
            }
        }
    }

    /// Sorts out the additions that need no inversion, or another numerator.
    fn add_carefully(&mut self, bases: Option<&[Point]>, batch: &Batch<'_>) {
        let mut kinds = [Sums::default(), Sums::default()];
        for ((left, right), to) in batch.left.iter().zip(batch.right).zip(batch.places) {
            let operand = |operand: u32| {
                let point = bases.unwrap_or(&self.points)[(operand & !NEGATE) as usize];
                if operand & NEGATE != 0 {
                    point.negated()
                } else {
                    point
                }
            };
            let (a, b) = (operand(*left), operand(*right));
            let place = &mut self.points[*to as usize];
            match a.sum_kind(&b) {
                Sum::Left => *place = a,
                Sum::Right => *place = b,
                Sum::Infinity => {
                    *place = Point::INFINITY;
                    self.careful = true;
                }
                Sum::Add => kinds[0].push(*left, *right, *to),
                Sum::Double => kinds[1].push(*left, *right, *to),
            }
        }
        let [adds, doubles] = kinds;
        for (double, sums) in [(false, &adds), (true, &doubles)] {
            let batch = Batch {
                from: bases.map_or(self.points.as_ptr(), <[Point]>::as_ptr),
                to: self.points.as_mut_ptr(),
                left: &sums.left,
                right: &sums.right,
                places: &sums.to,
            };
            let done = match double {
                false => self.run::<false>(&batch),
                true => self.run::<true>(&batch),
            };
            assert!(done, "denominators of additions that were sorted out");
        }
    }

    /// Computes a batch; nothing and `false` if a denominator is zero.
    fn run<const DOUBLE: bool>(&mut self, batch: &Batch<'_>) -> bool {
        if batch.places.is_empty() {
            return true;
        }
        match self.path {
            Path::Portable => self.run_portable::<DOUBLE>(batch),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is chosen where the processor has these instructions, and the batch's
            // operands and places are of points.
            Path::Ifma => unsafe { run_ifma::<DOUBLE>(&mut self.memory, batch) },
        }
    }

    fn run_portable<const DOUBLE: bool>(&mut self, batch: &Batch<'_>) -> bool {
        let field = |words: [u64; 4]| Fq::new_unchecked(ark_ff::BigInt(words));
        let operand = |operand: u32| {
            // SAFETY: operands are in range.
            let point = unsafe { *batch.from.add((operand & !NEGATE) as usize) };
            let y = field(point.y);
            let y = if operand & NEGATE != 0 { -y } else { y };
            (field(point.x), y)
        };
        let denominator = |a: (Fq, Fq), b: (Fq, Fq)| if DOUBLE { a.1.double() } else { b.0 - a.0 };
        let mut product = Fq::one();
        self.portable.clear();
        for (left, right) in batch.left.iter().zip(batch.right) {
            self.portable.push(product);
            product *= denominator(operand(*left), operand(*right));
        }
        let Some(mut rest) = inverse(product) else {
            return false;
        };
        for (index, prefix) in self.portable.iter().enumerate().rev() {
            let (a, b) = (operand(batch.left[index]), operand(batch.right[index]));
            let numerator = if DOUBLE {
                let square = a.0.square();
                square.double() + square
            } else {
                b.1 - a.1
            };
            let slope = rest * prefix * numerator;
            rest *= denominator(a, b);
            let x = slope.square() - a.0 - b.0;
            let y = slope * (a.0 - x) - a.1;
            let sum = Point { x: x.0.0, y: y.0.0 };
            // SAFETY: places are in range.
            unsafe { *batch.to.add(batch.places[index] as usize) = sum };
        }
        true
    }
}

/// Additions that share an inversion, by address.
struct Batch<'a> {
    from: *const Point,
    to: *mut Point,
    left: &'a [u32],
    right: &'a [u32],
    places: &'a [u32],
}

/// Vectors of additions computed in lockstep, each with a running product of its own.
#[cfg(target_arch = "x86_64")]
const STREAMS: usize = 2;
/// Additions of a step.
#[cfg(target_arch = "x86_64")]
const STEP: usize = 8 * STREAMS;
/// How many additions ahead points are fetched from memory.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 32;

/// What [`run_ifma`] needs for a batch.
#[cfg(target_arch = "x86_64")]
#[derive(Debug)]
struct Memory {
    left: Operands,
    right: Operands,
    /// Products of the denominators before each step.
    prefixes: Vec<[Lanes; STREAMS]>,
}

/// Twice the modulus, added to differences of coordinates below `2q`.
#[cfg(target_arch = "x86_64")]
const TWICE: [u64; 4] = [
    0x7841_182d_b0f9_fa8e,
    0x2f02_d522_d0e3_951a,
    0x70a0_8b6d_0302_b0bb,
    0x60c8_9ce5_c263_4053,
];

/// Operands of a batch, filled up to whole steps with the last.
#[cfg(target_arch = "x86_64")]
#[derive(Debug)]
struct Operands([u32; BATCH + STEP]);

#[cfg(target_arch = "x86_64")]
impl Operands {
    fn new() -> Self {
        Self([0; BATCH + STEP])
    }

    fn fill(&mut self, from: &[u32]) {
        self.0[..from.len()].copy_from_slice(from);
        self.0[from.len()..from.len().next_multiple_of(STEP)].fill(from[from.len() - 1]);
    }

    /// Addresses of eight points.
    #[inline]
    fn points(&self, from: *const Point, start: usize) -> [*const Point; 8] {
        let indices: &[u32; 8] = self.0[start..start + 8].try_into().expect("eight");
        indices.map(|index| from.wrapping_add((index & !NEGATE) as usize))
    }

    /// Which of eight are negated.
    #[inline]
    fn negated(&self, start: usize) -> u8 {
        let indices: &[u32; 8] = self.0[start..start + 8].try_into().expect("eight");
        let bits = indices.map(|index| (index >> 31) as u8);
        (0..8).fold(0, |mask, lane| mask | bits[lane] << lane)
    }
}

/// Eight lanes, each of [`STREAMS`] vectors, of `2^260`-Montgomery elements.
///
/// # Safety
/// Operands and places have to be those of points.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
unsafe fn run_ifma<const DOUBLE: bool>(memory: &mut Memory, batch: &Batch<'_>) -> bool {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let len = batch.places.len();
    let steps = len.div_ceil(STEP);
    let twice = Lanes::splat(TWICE);
    let once = Lanes::splat(ifma::MODULUS);
    let zero = Lanes::splat([0; 4]);
    let one = Lanes::splat(ifma::ONE);
    let Memory {
        left,
        right,
        prefixes,
    } = memory;
    left.fill(batch.left);
    right.fill(batch.right);
    prefixes.clear();
    prefixes.reserve(steps);
    let mut products = [one; STREAMS];
    for step in 0..steps {
        if step * STEP + AHEAD + STEP <= len {
            for start in (step * STEP + AHEAD..step * STEP + AHEAD + STEP).step_by(8) {
                for operands in [&*left, &*right] {
                    for point in operands.points(batch.from, start) {
                        _mm_prefetch::<_MM_HINT_T0>(point.cast());
                    }
                }
            }
        }
        let mut denominators = [zero; STREAMS];
        for (stream, denominator) in denominators.iter_mut().enumerate() {
            let start = step * STEP + 8 * stream;
            let (a, b) = (
                left.points(batch.from, start),
                right.points(batch.from, start),
            );
            // SAFETY: the addresses are those of points.
            *denominator = unsafe {
                if DOUBLE {
                    let (_, y) = ifma::load(a);
                    let y = y.blend(left.negated(start), once.minus(y));
                    y.plus(y).plus(twice).normal()
                } else {
                    let difference = ifma::load_x(b).minus(ifma::load_x(a));
                    difference.plus(twice).normal()
                }
            };
        }
        prefixes.push(products);
        products = ifma::mul(&products, &denominators);
    }
    let Some(mut rests) = invert(&products) else {
        return false;
    };
    for step in (0..steps).rev() {
        let [mut xa, mut ya, mut xb, mut denominators, mut numerators] = [[zero; STREAMS]; 5];
        for stream in 0..STREAMS {
            let start = step * STEP + 8 * stream;
            // SAFETY: the addresses are those of points.
            let (a, b) = unsafe {
                (
                    ifma::load(left.points(batch.from, start)),
                    ifma::load(right.points(batch.from, start)),
                )
            };
            (xa[stream], xb[stream]) = (a.0, b.0);
            ya[stream] = a.1.blend(left.negated(start), once.minus(a.1));
            if DOUBLE {
                denominators[stream] = ya[stream].plus(ya[stream]).plus(twice).normal();
            } else {
                denominators[stream] = b.0.minus(a.0).plus(twice).normal();
                let yb = b.1.blend(right.negated(start), once.minus(b.1));
                numerators[stream] = yb.minus(ya[stream]).plus(twice).normal();
            }
        }
        if DOUBLE {
            let squares = ifma::square_loose(&xa);
            for stream in 0..STREAMS {
                let square = squares[stream];
                numerators[stream] = square.plus(square).plus(square).normal();
            }
        }
        let inverses = ifma::mul(&rests, &prefixes[step]);
        rests = ifma::mul(&rests, &denominators);
        let slopes = ifma::mul(&inverses, &numerators);
        let squares = ifma::square_loose(&slopes);
        let [mut x, mut moved] = [[zero; STREAMS]; 2];
        for stream in 0..STREAMS {
            x[stream] = squares[stream]
                .minus(xa[stream])
                .minus(xb[stream])
                .reduced();
            moved[stream] = xa[stream].minus(x[stream]).plus(twice).normal();
        }
        let y = ifma::mul_loose(&slopes, &moved);
        for stream in 0..STREAMS {
            let rows = ifma::rows(x[stream], y[stream].minus(ya[stream]).reduced());
            let start = step * STEP + stream * 8;
            for (place, row) in batch.places[start.min(len)..].iter().zip(rows) {
                // SAFETY: places are those of points.
                unsafe { ifma::store(batch.to.add(*place as usize), row) };
            }
        }
    }
    true
}

/// Inverts every lane with one inversion; none if one of them is zero.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
fn invert(lanes: &[Lanes; STREAMS]) -> Option<[Lanes; STREAMS]> {
    let path = Path::Ifma;
    let mut values = [Fq::one(); STEP];
    for (index, lanes) in lanes.iter().enumerate() {
        for (value, words) in values[8 * index..].iter_mut().zip(lanes.to_lanes()) {
            *value = path.raw(words);
        }
    }
    let mut prefixes = [Fq::one(); STEP];
    let mut product = Fq::one();
    for (prefix, value) in prefixes.iter_mut().zip(&values) {
        *prefix = product;
        product *= value;
    }
    // A stored word is 16 times what arkworks takes it for, and so has its inverse to be.
    let mut rest = inverse(product)? * Fq::from(256u64);
    for (value, prefix) in values.iter_mut().zip(&prefixes).rev() {
        let inverse = rest * prefix;
        rest *= &*value;
        *value = inverse;
    }
    Some(std::array::from_fn(|stream| {
        let lanes: [[u64; 4]; 8] = std::array::from_fn(|lane| values[8 * stream + lane].0.0);
        Lanes::from_lanes(&lanes)
    }))
}
