//! Against arkworks, on both paths.

use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{Field, PrimeField};

use super::batch::{Arena, NEGATE, Sums};
use super::point::{Path, Point};
use super::{Bases, PIECE, msm};
use crate::backend::KeyOptions;
use crate::backend::curve::{Fr, G1Affine, G1Projective, Scalars};

/// Every path that this machine has.
fn paths() -> Vec<Path> {
    let mut paths = vec![Path::Portable, Path::detect()];
    paths.dedup();
    paths
}

/// Reproducible bytes.
fn random(seed: &str) -> blake3::OutputReader {
    blake3::Hasher::new_derive_key("rewit msm tests")
        .update(seed.as_bytes())
        .finalize_xof()
}

fn word(source: &mut blake3::OutputReader) -> u64 {
    let mut bytes = [0; 8];
    source.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

fn field<F: PrimeField>(source: &mut blake3::OutputReader) -> F {
    let mut bytes = [0; 64];
    source.fill(&mut bytes);
    F::from_le_bytes_mod_order(&bytes)
}

fn full(len: usize, seed: &str) -> Vec<Fr> {
    let mut source = random(seed);
    (0..len).map(|_| field(&mut source)).collect()
}

fn small(len: usize, bits: u32, seed: &str) -> Vec<i64> {
    let mut source = random(seed);
    let mut next = || (word(&mut source) >> (64 - bits)).cast_signed();
    (0..len).map(|_| next()).collect()
}

fn points(len: usize) -> Vec<G1Affine> {
    let mut source = random("points");
    let step = G1Affine::generator() * field::<Fr>(&mut source);
    let mut point = G1Affine::generator() * field::<Fr>(&mut source);
    let points: Vec<G1Projective> = (0..len)
        .map(|_| {
            point += step;
            point
        })
        .collect();
    G1Projective::normalize_batch(&points)
}

/// Holds the sum against arkworks', on every path, without and with multiples.
fn check(points: &[G1Affine], scalars: Scalars<'_>, what: &str) {
    let expected = G1Projective::msm(points, &scalars.to_vec()).expect("as many scalars");
    let bytes = 64 * points.len() as u64;
    for path in paths() {
        // The points alone, some multiples, all of them.
        for tables in [0, 3, 64] {
            let options = KeyOptions {
                budget: tables * bytes,
                expected_len: points.len(),
            };
            let bases = Bases::on(path, points, options);
            let found = bases.msm(0, scalars);
            assert_eq!(
                found, expected,
                "{what}: {path:?}, {tables} tables, {:?}",
                bases.plan
            );
        }
    }
}

/// Around a vector of lanes, two of them, a batch's remainder, and more than a block of digits.
const SIZES: [usize; 17] = [
    0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 1000, 4097,
];

#[test]
fn every_size() {
    let points = points(4097);
    let (full, small) = (full(4097, "full"), small(4097, 31, "small"));
    for size in SIZES {
        let what = format!("{size} scalars");
        check(&points[..size], Scalars::Full(&full[..size]), &what);
        check(&points[..size], Scalars::Small(&small[..size]), &what);
    }
}

#[test]
fn several_blocks_and_pieces() {
    let size = 2 * PIECE + 5;
    let points = points(size);
    for size in [PIECE, PIECE + 1, size] {
        let what = format!("{size} scalars");
        check(&points[..size], Scalars::Full(&full(size, "pieces")), &what);
        check(
            &points[..size],
            Scalars::Small(&small(size, 64, "pieces")),
            &what,
        );
    }
}

#[test]
fn special_scalars() {
    let size = 600;
    let points = points(size);
    let all = [
        ("zero", Fr::from(0u64)),
        ("one", Fr::from(1u64)),
        ("minus one", -Fr::from(1u64)),
        ("(r - 1) / 2", Fr::from(Fr::MODULUS_MINUS_ONE_DIV_TWO)),
        ("(r + 1) / 2", -Fr::from(Fr::MODULUS_MINUS_ONE_DIV_TWO)),
        ("2^128", Fr::from(1u128 << 127) + Fr::from(1u128 << 127)),
        ("some", full(1, "some")[0]),
    ];
    for (what, scalar) in all {
        check(&points, Scalars::Full(&vec![scalar; size]), what);
    }
    for scalar in [
        0,
        1,
        -1,
        2,
        -2,
        255,
        1 << 31,
        i64::MAX,
        i64::MIN,
        i64::MIN + 1,
    ] {
        let what = scalar.to_string();
        check(&points, Scalars::Small(&vec![scalar; size]), &what);
    }
    // One large among small ones decides how many windows there are.
    let mut skewed = vec![1; size];
    (skewed[7], skewed[8]) = (i64::MIN, i64::MAX);
    check(&points, Scalars::Small(&skewed), "two large ones");
    // Digits at both ends of their range, in every window.
    let edges: Vec<i64> = (0..63)
        .flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1])
        .flat_map(|edge: i64| [edge, -edge])
        .collect();
    check(
        &points[..edges.len()],
        Scalars::Small(&edges),
        "around powers of 2",
    );
    let full: Vec<Fr> = (0..254).map(|bit| Fr::from(2u64).pow([bit])).collect();
    check(&points[..254], Scalars::Full(&full), "powers of 2");
    let below: Vec<Fr> = full.iter().map(|power| *power - Fr::from(1u64)).collect();
    check(&points[..254], Scalars::Full(&below), "below powers of 2");
    let tiny: Vec<i64> = small(size, 2, "tiny").iter().map(|s| s - 2).collect();
    check(&points, Scalars::Small(&tiny), "tiny");
}

#[test]
fn special_points() {
    let size = 300;
    let ordinary = points(size);
    let (full, small) = (full(size, "points"), small(size, 9, "points"));
    let infinity = G1Affine::identity();
    let one = ordinary[0];
    let mut some = ordinary.clone();
    for index in [0, 1, 5, 8, 64, size - 1] {
        some[index] = infinity;
    }
    let all: [(&str, Vec<G1Affine>); 6] = [
        ("one point", vec![one; size]),
        (
            "opposites",
            (0..size)
                .map(|i| if i % 2 == 0 { one } else { -one })
                .collect(),
        ),
        ("three points", (0..size).map(|i| ordinary[i % 3]).collect()),
        (
            "P, -P, infinity",
            (0..size).map(|i| [one, -one, infinity][i % 3]).collect(),
        ),
        ("infinity", vec![infinity; size]),
        ("some infinity", some),
    ];
    for (what, points) in &all {
        check(points, Scalars::Full(&full), what);
        check(points, Scalars::Small(&small), what);
        check(points, Scalars::Small(&vec![1; size]), what);
        check(points, Scalars::Small(&vec![-3; size]), what);
    }
}

#[test]
fn a_bucket_that_many_parts_add_up() {
    let size = 5 * super::RANGE + 17;
    check(&points(size), Scalars::Small(&vec![1; size]), "one bucket");
}

#[test]
fn offsets_and_many() {
    let points = points(1200);
    let full: Vec<Vec<Fr>> = (0..5)
        .map(|i| full(1000 - 111 * i, &format!("{i}")))
        .collect();
    let small: Vec<Vec<i64>> = (0..40)
        .map(|i| small(25 * i, 31, &format!("{i}")))
        .collect();
    let vectors: Vec<Scalars<'_>> = small[..20]
        .iter()
        .map(|s| Scalars::Small(s))
        .chain(full.iter().map(|s| Scalars::Full(s)))
        .chain(small[20..].iter().map(|s| Scalars::Small(s)))
        .collect();
    let mut with_infinity = points.clone();
    (with_infinity[3], with_infinity[150]) = (G1Affine::identity(), G1Affine::identity());
    for path in paths() {
        for (threads, tables) in [(1, 0), (2, 0), (1, 30), (2, 4)] {
            let options = KeyOptions {
                budget: tables * 64 * points.len() as u64,
                expected_len: 512,
            };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().expect("threads start").install(|| {
                let bases = Bases::on(path, &with_infinity, options);
                for first in [0, 4, 150, 200] {
                    let found = bases.msm_many(first, &vectors);
                    for (scalars, found) in vectors.iter().zip(found) {
                        let points = &with_infinity[first..first + scalars.len()];
                        let expected = G1Projective::msm(points, &scalars.to_vec());
                        assert_eq!(found, expected.expect("as many scalars"));
                    }
                }
            });
        }
    }
    let none = Bases::new(&[], KEYLESS);
    assert!(none.is_empty() && none.msm_many(0, &[]).is_empty());
}

/// No memory for multiples.
const KEYLESS: KeyOptions = KeyOptions {
    budget: 0,
    expected_len: 0,
};

#[test]
fn budgets() {
    let points = points(64);
    let made = |tables: u64| {
        let options = KeyOptions {
            budget: tables * 64 * 64,
            expected_len: 64,
        };
        Bases::new(&points, options).points.len() as u64 / 64
    };
    for tables in 0..70 {
        assert!(made(tables) <= tables.max(1), "{tables}");
    }
    assert_eq!((made(0), made(1)), (1, 1));
    assert!(made(1000) > 10);
}

#[test]
fn one_shot() {
    let points = points(500);
    let scalars = full(500, "one shot");
    let expected = G1Projective::msm(&points, &scalars).expect("as many scalars");
    assert_eq!(msm(&points, Scalars::Full(&scalars)), expected);
}

#[test]
#[should_panic(expected = "9 scalars for the points from 2 of 10")]
fn too_short_a_key() {
    let _ = Bases::new(&points(10), KEYLESS).msm(2, Scalars::Small(&[0; 9]));
}

#[test]
#[should_panic(expected = "one scalar per point")]
fn mismatched_lengths() {
    let _ = msm(&points(3), Scalars::Small(&[1; 4]));
}

#[test]
fn additions() {
    let size = 5000;
    let points = points(size);
    for path in paths() {
        let bases: Vec<Point> = points.iter().map(|point| Point::new(path, point)).collect();
        for (point, stored) in points.iter().zip(&bases) {
            assert_eq!(stored.to_affine(path), *point);
            assert_eq!(stored.negated().to_affine(path), -*point);
        }
        for len in [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 2047, 2048, 2049, size] {
            let mut arena = Arena::new(path);
            arena.points.resize(len, Point::INFINITY);
            let mut sums = Sums::default();
            let sign = |i: usize| if i.is_multiple_of(3) { NEGATE } else { 0 };
            let other = |i: usize| (i * 7 + 1) % size;
            for i in 0..len {
                sums.push(i as u32 | sign(i / 2), other(i) as u32 | sign(i), i as u32);
            }
            arena.add(Some(&bases), &sums);
            for i in 0..len {
                let signed = |i: usize, sign: u32| if sign == 0 { points[i] } else { -points[i] };
                let expected = signed(i, sign(i / 2)) + signed(other(i), sign(i));
                let found = arena.points[i].to_affine(path);
                assert_eq!(found, expected.into_affine(), "{path:?} {len} {i}");
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn lanes() {
    use super::ifma::{self, Lanes};
    use ark_bn254::Fq;
    use ark_ff::BigInt;

    if Path::detect() != Path::Ifma {
        eprintln!("SKIPPED: this processor has no AVX-512 IFMA");
        return;
    }
    // Around multiples of q and of limbs, and random ones below q.
    let mut edges: Vec<[u64; 4]> = vec![[0; 4], [1, 0, 0, 0], [u64::MAX, 0, 0, 0]];
    for bit in [51, 52, 53, 103, 104, 155, 156, 207, 208, 252] {
        let mut words = [0; 4];
        words[bit / 64] = 1 << (bit % 64);
        edges.push(words);
    }
    let mut multiple = BigInt([0; 4]);
    for _ in 0..3 {
        let mut less = multiple;
        if !ark_ff::BigInteger::sub_with_borrow(&mut less, &BigInt::from(1u64)) {
            edges.push(less.0);
        }
        ark_ff::BigInteger::add_with_carry(&mut multiple, &Fq::MODULUS);
        edges.push(multiple.0);
    }
    let mut source = random("lanes");
    edges.extend((0..40).map(|_| field::<Fq>(&mut source).0.0));
    let value = |words: [u64; 4]| Path::Ifma.load(words);
    let below = |words: [u64; 4], multiples: u64| {
        // Compares 2^-64 of both.
        u128::from(words[3]) <= u128::from(multiples) * u128::from(ifma::MODULUS[3] + 1)
    };
    let eight = |start: usize| std::array::from_fn(|lane| edges[(start + lane) % edges.len()]);
    for (i, step) in (0..edges.len()).flat_map(|i| [(i, 1), (i, 5), (i, 11)]) {
        let all: [[[u64; 4]; 8]; 3] = [eight(i), eight(i * step + 3), eight(i + 17)];
        // SAFETY: the path is chosen where the processor has the instructions.
        let found = unsafe { compute(&all) };
        for lane in 0..8 {
            let [a, b, c] = all.map(|lanes| value(lanes[lane]));
            let expected = [a * b, a * b, a * a, a * b - b, a * b - c - c];
            for (kind, expected) in expected.into_iter().enumerate() {
                let words = found[kind][lane];
                assert_eq!(
                    value(words),
                    expected,
                    "operation {kind} of {:?}",
                    all[0][lane]
                );
                assert!(below(words, 2), "operation {kind} leaves too much");
            }
            assert_eq!(
                found[5][lane], all[0][lane],
                "normal elements stay as they are"
            );
        }
    }

    #[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
    fn compute(all: &[[[u64; 4]; 8]; 3]) -> [[[u64; 4]; 8]; 6] {
        let [a, b, c] = [0, 1, 2].map(|i| Lanes::from_lanes(&all[i]));
        let [product, _] = ifma::mul(&[a, b], &[b, c]);
        let [loose] = ifma::mul_loose(&[a], &[b]);
        let [square] = ifma::square_loose(&[a]);
        // What is subtracted is below 1.35q, as points' coordinates are.
        let one = Lanes::splat(ifma::ONE);
        let [b, c] = ifma::mul(&[b, c], &[one, one]);
        [
            product.to_lanes(),
            loose.normal().to_lanes(),
            square.normal().to_lanes(),
            loose.minus(b).reduced().to_lanes(),
            loose.minus(c).minus(c).reduced().to_lanes(),
            a.to_lanes(),
        ]
    }
}
