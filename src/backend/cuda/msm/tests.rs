//! Results are arkworks'.

use ark_bn254::Fr;
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{Field, PrimeField};

use super::affine::Accumulation;
use super::*;
use crate::Error;
use crate::backend::cuda::Options;
use crate::backend::cuda::bn254::upload;
use crate::backend::cuda::testing::{Rng, device, device_with};

/// Scalars on the host.
#[derive(Clone, Debug)]
enum Host {
    Full(Vec<Fr>),
    Small(Vec<i64>),
}

impl Host {
    fn elements(&self) -> Vec<Fr> {
        match self {
            Self::Full(scalars) => scalars.clone(),
            Self::Small(scalars) => scalars.iter().map(|scalar| Fr::from(*scalar)).collect(),
        }
    }
}

/// Scalars on the device.
enum Uploaded {
    Full(Buffer<Words>),
    Small(Buffer<i64>),
}

impl Uploaded {
    fn new(device: &Device, scalars: &Host) -> Self {
        match scalars {
            Host::Full(scalars) => Self::Full(upload(device, "scalars", scalars).unwrap()),
            Host::Small(scalars) => Self::Small(device.upload("scalars", scalars).unwrap()),
        }
    }

    fn input(&self) -> Input<'_> {
        match self {
            Self::Full(scalars) => Input::Full(scalars.all()),
            Self::Small(scalars) => Input::Small(scalars.all()),
        }
    }
}

fn wide(rng: &mut Rng) -> u64 {
    (u64::from(rng.word()) << 32) | u64::from(rng.word())
}

fn element(rng: &mut Rng) -> Fr {
    let bytes: Vec<u8> = (0..10).flat_map(|_| rng.word().to_le_bytes()).collect();
    Fr::from_le_bytes_mod_order(&bytes)
}

/// Different points: multiples of the generator.
fn points(len: usize, seed: u64) -> Vec<G1Affine> {
    let mut rng = Rng::new(seed);
    let step = G1Affine::generator() * element(&mut rng);
    let mut point = G1Affine::generator() * element(&mut rng);
    let points: Vec<G1Projective> = (0..len)
        .map(|_| {
            point += step;
            point
        })
        .collect();
    G1Projective::normalize_batch(&points)
}

/// Full scalars of a kind.
fn full(kind: &str, len: usize, seed: u64) -> Host {
    let mut rng = Rng::new(seed);
    let same = element(&mut rng);
    let half = Fr::from(2u64).inverse().unwrap();
    Host::Full(
        (0..len)
            .map(|i| match kind {
                "random" => element(&mut rng),
                "equal" => same,
                "zero" => Fr::ZERO,
                "one" => Fr::ONE,
                "minus one" => -Fr::ONE,
                "tiny" => Fr::from(rng.word() % 8) - Fr::from(4u64),
                // (r + 1) / 2 and (r - 1) / 2, where one turns into the other's opposite; and powers of two.
                "edges" => match i % 4 {
                    0 => half,
                    1 => half - Fr::ONE,
                    2 => Fr::from(2u64).pow([u64::from(rng.word() % 254)]),
                    _ => -Fr::from(2u64).pow([u64::from(rng.word() % 254)]),
                },
                // Nine of ten share their digits.
                "skewed" if i % 10 != 0 => same,
                "skewed" => element(&mut rng),
                _ => panic!("{kind}"),
            })
            .collect(),
    )
}

const FULL: [&str; 8] = [
    "random",
    "equal",
    "zero",
    "one",
    "minus one",
    "tiny",
    "edges",
    "skewed",
];

/// Small scalars of a kind.
fn small(kind: &str, len: usize, seed: u64) -> Host {
    let mut rng = Rng::new(seed);
    Host::Small(
        (0..len)
            .map(|i| match kind {
                "bits" => i64::from(rng.word() % 2),
                "bytes" => i64::from(rng.word() % 256),
                "31-bit" => i64::from(rng.word() >> 1),
                "signed" => i64::from(rng.word() as i32),
                "wide" => wide(&mut rng) as i64,
                // No wider magnitude exists.
                "edges" => [i64::MIN, i64::MAX, -1, 0, 1, 1 << 62, -(1 << 62)][i % 7],
                "zero" => 0,
                "minus one" => -1,
                // As a witness has them: mostly zeros and bits, now and then a word.
                "skewed" => match rng.word() % 16 {
                    0 => i64::from(rng.word() >> 1),
                    1..4 => 1,
                    _ => 0,
                },
                _ => panic!("{kind}"),
            })
            .collect(),
    )
}

const SMALL: [&str; 9] = [
    "bits",
    "bytes",
    "31-bit",
    "signed",
    "wide",
    "edges",
    "zero",
    "minus one",
    "skewed",
];

fn expected(points: &[G1Affine], scalars: &Host) -> G1Affine {
    let scalars = scalars.elements();
    G1Projective::msm(&points[..scalars.len()], &scalars)
        .unwrap()
        .into_affine()
}

fn key(device: &Device, points: &[G1Affine], tables: u64, tuning: Tuning) -> MsmKey {
    // The length that a key is made for chooses how many tables there are: with long ones, all that fit.
    let options = KeyOptions {
        budget: plan::key_bytes(points.len().max(1), 1) * tables,
        expected_len: points.len(),
    };
    MsmKey::with_tuning(device, points, options, tuning).unwrap()
}

/// Compares a batch with arkworks, and the memory that it took with the plan.
fn check(key: &MsmKey, points: &[G1Affine], first: usize, batch: &[Host], what: &str) {
    let device = &key.device;
    let uploaded: Vec<Uploaded> = batch
        .iter()
        .map(|scalars| Uploaded::new(device, scalars))
        .collect();
    let inputs: Vec<Input<'_>> = uploaded.iter().map(Uploaded::input).collect();
    device.reset_peak();
    let before = device.memory().live;
    let results = key.msm(first, &inputs).unwrap();
    let memory = device.memory();
    assert_eq!(memory.live, before, "{what}: all is given back");
    let vectors = key.measure(&inputs).unwrap();
    let measured = vectors
        .iter()
        .filter(|vector| matches!(vector.scalars, Scalars::Small(_)));
    let measuring = plan::plan_measure(measured.count());
    let planned = plan::plan(&vectors, &key.setting()).plan.peak_bytes();
    let planned = planned.max(measuring);
    assert_eq!(memory.peak - before, planned, "{what}: bytes at the peak");
    assert_eq!(results.len(), batch.len(), "{what}");
    for (i, (result, scalars)) in results.iter().zip(batch).enumerate() {
        let expected = expected(&points[first..], scalars);
        assert_eq!(*result, expected, "{what}: vector {i}");
    }
}

#[test]
fn sums_of_every_length_are_arkworks() {
    let Some(device) = device() else { return };
    let points = points(4097, 1);
    // Nothing, one, two, around a warp, around a block's scalars, and more than one share of everything.
    for len in [0, 1, 2, 31, 32, 33, 255, 256, 257, 4097] {
        let key = key(&device, &points[..len], 1, Tuning::default());
        let batch = [full("random", len, 2), small("31-bit", len, 3)];
        check(&key, &points, 0, &batch, &format!("{len} points"));
    }
}

/// Scalars of every kind, in one batch that has both classes; alone, shared windows and all multiples; either accumulation.
#[test]
fn sums_of_every_kind_of_scalars_are_arkworks() {
    let Some(device) = device() else { return };
    let points = points(300, 4);
    let kinds = FULL.iter().map(|kind| full(kind, 300, 5));
    let batch: Vec<Host> = kinds
        .chain(SMALL.iter().map(|kind| small(kind, 290, 6)))
        .collect();
    for accumulation in [Accumulation::Sums, Accumulation::Pairs] {
        for tables in [1, 4, 64] {
            let tuning = Tuning {
                accumulation,
                ..Tuning::default()
            };
            let key = key(&device, &points, tables, tuning);
            assert_eq!(key.multiples.tables > 1, tables > 1);
            let what = format!("{accumulation:?}, {tables} tables");
            check(&key, &points, 0, &batch, &what);
        }
    }
}

/// Windows narrow and wide, shares of one entry and of more than there are, rounds of few entries, reductions in one step and in two.
#[test]
fn choices_do_not_change_sums() {
    let Some(device) = device() else { return };
    let points = points(200, 7);
    let batch = [
        full("random", 200, 8),
        full("skewed", 33, 9),
        small("signed", 200, 10),
        small("skewed", 77, 11),
        small("edges", 9, 12),
    ];
    let choices = [
        // Width, share, entries of a round, logarithm of buckets that a thread reduces.
        (2, 1, 1 << 20, 0),
        (3, 64, 1000, 1),
        (8, 7, 1 << 20, 5),
        (9, 8, 1 << 20, 0),
        (12, 16, 4000, 2),
        (11, 100_000, 1 << 20, 3),
    ];
    for accumulation in [Accumulation::Sums, Accumulation::Pairs] {
        for (width, share, max_entries, log_reduce_share) in choices {
            let tuning = Tuning {
                width: Some(width),
                share: Some(share),
                max_entries: Some(max_entries),
                log_reduce_share: Some(log_reduce_share),
                accumulation,
            };
            let key = key(&device, &points, 1, tuning);
            check(&key, &points, 0, &batch, &format!("{tuning:?}"));
        }
    }
}

/// The same point again and again, points and their opposites, infinity: additions that are none, double or vanish.
#[test]
fn sums_of_special_points_are_arkworks() {
    let Some(device) = device() else { return };
    let different = points(130, 13);
    let kinds: [(&str, Vec<G1Affine>); 5] = [
        ("one point", vec![different[0]; 130]),
        (
            "opposites",
            (0..130)
                .map(|i| match i % 2 {
                    0 => different[3],
                    _ => -different[3],
                })
                .collect(),
        ),
        (
            "infinity now and then",
            (0..130)
                .map(|i| match i % 3 {
                    0 => G1Affine::identity(),
                    _ => different[i],
                })
                .collect(),
        ),
        ("infinity", vec![G1Affine::identity(); 130]),
        ("few points", (0..130).map(|i| different[i % 4]).collect()),
    ];
    let batch = [
        full("random", 130, 14),
        full("equal", 130, 15),
        full("one", 130, 16),
        full("minus one", 129, 17),
        small("minus one", 130, 18),
        small("bits", 130, 19),
    ];
    for (what, points) in kinds {
        for accumulation in [Accumulation::Sums, Accumulation::Pairs] {
            for tables in [1, 6] {
                let tuning = Tuning {
                    accumulation,
                    share: Some(5),
                    ..Tuning::default()
                };
                let key = key(&device, &points, tables, tuning);
                let what = format!("{what}, {accumulation:?}, {tables} tables");
                check(&key, &points, 0, &batch, &what);
            }
        }
    }
}

#[test]
fn vectors_begin_at_any_point_and_have_any_length() {
    let Some(device) = device() else { return };
    let points = points(260, 20);
    let key = key(&device, &points, 3, Tuning::default());
    let batch: Vec<Host> = [0, 1, 5, 100, 0, 257]
        .into_iter()
        .map(|len| small("31-bit", len, 21))
        .chain([0, 3, 64].into_iter().map(|len| full("random", len, 22)))
        .collect();
    check(&key, &points, 3, &batch, "from point 3");
    check(&key, &points, 0, &[], "no vector");
    let scalars = device.upload("scalars", &[1i64; 10]).unwrap();
    for first in [251, 260, 261, usize::MAX] {
        let refused = key.msm(first, &[Input::Small(scalars.all())]);
        assert!(matches!(refused, Err(Error::Usage(_))), "{refused:?}");
    }
}

#[test]
fn what_does_not_fit_is_done_in_rounds_or_refused() {
    let Some(free) = device() else { return };
    drop(free);
    let points = points(2000, 23);
    let batch = [full("random", 2000, 24), small("31-bit", 2000, 25)];
    let with_budget = |budget| {
        device_with(&Options {
            vram_budget: Some(budget),
            ..Options::default()
        })
    };
    for (budget, fits) in [(64 << 20, true), (2 << 20, true), (200_000, false)] {
        let Some(device) = with_budget(budget) else {
            return;
        };
        let options = KeyOptions {
            budget: u64::MAX,
            expected_len: 2000,
        };
        let key = MsmKey::new(&device, &points, options).unwrap();
        assert!(key.points.len() * 64 <= budget as usize / 2);
        if fits {
            check(&key, &points, 0, &batch, &format!("{budget} bytes"));
            continue;
        }
        // Key and scalars leave less than a sort's counters.
        let scalars = Uploaded::new(&device, &batch[0]);
        let refused = key.msm(0, &[scalars.input()]);
        assert!(
            matches!(refused, Err(Error::OutOfDeviceMemory(_))),
            "{refused:?}"
        );
    }
    let tiny = with_budget(100 << 10).unwrap();
    let options = KeyOptions {
        budget: 0,
        expected_len: 2000,
    };
    let refused = MsmKey::new(&tiny, &points, options);
    assert!(matches!(refused, Err(Error::OutOfDeviceMemory(_))));
}

#[test]
fn multiples_are_within_the_budget() {
    for len in [1, 1 << 10, 1 << 16, 1 << 20, 1 << 26] {
        for max_tables in [1, 2, 5, 12, 200] {
            let multiples = Multiples::choose(len, max_tables);
            assert!(u64::from(multiples.tables) <= max_tables);
            let windows = multiples.windows();
            assert!(!windows.is_empty(), "{multiples:?}");
            for windows in windows {
                let last = windows.count(plan::FULL_BITS) - 1;
                assert!(last / windows.levels < multiples.tables, "{multiples:?}");
            }
        }
    }
}
