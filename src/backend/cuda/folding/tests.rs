//! Folding's stages on the device against their definitions over arkworks' field.

use ark_ff::{AdditiveGroup, PrimeField};

use super::super::bn254::SLICE;
use super::super::testing::{self, Rng};
use super::super::{Cuda, Options};
use super::MAX_PIECES;
use crate::Error;
use crate::backend::curve::{Fr, Scalars};
use crate::backend::{Block, Folding, Matrices, Products, Term};

/// Lengths: none, one, around a block of 128 threads, several blocks.
const LENGTHS: [usize; 6] = [0, 1, 127, 128, 129, 1000];

fn cuda() -> Option<Cuda> {
    testing::device()?;
    Some(Cuda::open(&Options::default()).expect("a device that opened opens again"))
}

/// A random field element.
fn element(rng: &mut Rng) -> Fr {
    let bytes: Vec<u8> = (0..16).flat_map(|_| rng.word().to_le_bytes()).collect();
    Fr::from_le_bytes_mod_order(&bytes)
}

/// Scalars of either kind on the host.
#[derive(Clone, Debug)]
enum Host {
    Full(Vec<Fr>),
    Small(Vec<i64>),
}

impl Host {
    fn scalars(&self) -> Scalars<'_> {
        match self {
            Self::Full(scalars) => Scalars::Full(scalars),
            Self::Small(scalars) => Scalars::Small(scalars),
        }
    }

    fn to_vec(&self) -> Vec<Fr> {
        self.scalars().to_vec()
    }

    /// `len` scalars, often at the ends of what there is.
    fn random(rng: &mut Rng, len: usize, small: bool) -> Self {
        let integer = |rng: &mut Rng| match rng.word() % 8 {
            0 => 0,
            1 => i64::MIN,
            2 => i64::MAX,
            3 => 1,
            4 => -1,
            5 => i64::from(rng.word() as i32),
            _ => (u64::from(rng.word()) << 32 | u64::from(rng.word())) as i64,
        };
        let scalar = |rng: &mut Rng| match rng.word() % 8 {
            0 => Fr::from(integer(rng)),
            1 => -Fr::from(1),
            _ => element(rng),
        };
        match small {
            true => Self::Small((0..len).map(|_| integer(rng)).collect()),
            false => Self::Full((0..len).map(|_| scalar(rng)).collect()),
        }
    }
}

#[test]
fn scalars_come_back() {
    let Some(cuda) = cuda() else { return };
    let mut rng = Rng::new(1);
    // The last is beyond one slice of the conversion.
    for len in LENGTHS.into_iter().chain([SLICE + 1]) {
        for small in [false, true] {
            let host = match len {
                0..=1000 => Host::random(&mut rng, len, small),
                _ => Host::Full((0..len as u64).map(Fr::from).collect()),
            };
            let vector = cuda.upload_scalars(host.scalars()).expect("upload");
            assert_eq!(vector.len(), len);
            assert_eq!(vector.is_empty(), len == 0);
            let back = cuda.download_scalars(&vector).expect("download");
            assert!(back == host.to_vec(), "{len} scalars, small: {small}");
        }
    }
}

/// Matrices with every kind of coefficient, step and gap. `num_variables` is at least 64.
fn matrices(rng: &mut Rng, num_variables: usize, repeats: &[u32]) -> Matrices {
    let integers = [
        0,
        1,
        -1,
        2,
        -65536,
        i64::from(i32::MAX),
        i64::from(i32::MIN),
        -i64::from(i32::MIN),
        1 << 32,
        -(1 << 32),
        i64::MAX,
    ];
    let mut coefficients: Vec<Fr> = integers.into_iter().map(Fr::from).collect();
    coefficients.extend([element(rng), -Fr::from(5u8), element(rng)]);
    let mut matrices = Matrices {
        num_variables,
        coefficients,
        ..Matrices::default()
    };
    let mut end = 3;
    for &repeat in repeats {
        let terms = [0, 1, 2].map(|_| {
            let from = matrices.terms.len() as u32;
            // No term at all, one, some; sums of many of the largest integers.
            let num_terms = [0, 1, 2, 7, 40][rng.word() as usize % 5];
            for _ in 0..num_terms {
                let step = rng.word() % 2;
                let most = num_variables as u32 - step * repeat.saturating_sub(1);
                matrices.terms.push(Term {
                    start: rng.word() % most,
                    step,
                    coefficient: rng.word() % matrices.coefficients.len() as u32,
                });
            }
            [from, matrices.terms.len() as u32]
        });
        matrices.blocks.push(Block {
            start: end,
            repeat,
            terms,
        });
        end += repeat + rng.word() % 3;
    }
    matrices.num_constraints = end as usize + 2;
    matrices
}

/// A, B and C times `z` by definition.
fn products(matrices: &Matrices, z: &[Fr]) -> [Vec<Fr>; 3] {
    [0, 1, 2].map(|which| {
        let mut product = vec![Fr::ZERO; matrices.num_constraints];
        for block in &matrices.blocks {
            let [from, to] = block.terms[which];
            for i in 0..block.repeat {
                let terms = matrices.terms[from as usize..to as usize].iter();
                product[(block.start + i) as usize] = terms
                    .map(|term| {
                        let index = term.start + term.step * i;
                        matrices.coefficients[term.coefficient as usize] * z[index as usize]
                    })
                    .sum();
            }
        }
        product
    })
}

#[test]
fn products_are_those_of_the_matrices() {
    let Some(cuda) = cuda() else { return };
    let mut rng = Rng::new(2);
    // Lengths of the head and the parts, and whether each part is of integers: as folding has them; parts without
    // scalars at either end and between; as many parts as there may be; only a head.
    let layouts: [(usize, &[(usize, bool)]); 5] = [
        (9, &[(64, true), (300, true), (128, false)]),
        (
            0,
            &[
                (0, true),
                (100, true),
                (0, false),
                (0, true),
                (90, false),
                (0, true),
            ],
        ),
        (
            1,
            &[
                (20, false),
                (20, true),
                (20, true),
                (20, false),
                (20, true),
                (1, false),
                (70, true),
            ],
        ),
        (5, &[(100, false), (100, false), (0, false)]),
        (200, &[]),
    ];
    for (head, parts) in layouts {
        // Blocks within a warp, across warps and blocks of threads, and none at all.
        for repeats in [
            &[][..],
            &[1],
            &[0, 16, 15, 1, 64, 0],
            &[31, 32, 33, 1, 1, 60, 16],
        ] {
            let len = head + parts.iter().map(|(len, _)| len).sum::<usize>();
            let head = Host::random(&mut rng, head, false).to_vec();
            let parts: Vec<Host> = parts
                .iter()
                .map(|(len, small)| Host::random(&mut rng, *len, *small))
                .collect();
            let matrices = matrices(&mut rng, len, repeats);
            let z: Vec<Fr> = head
                .iter()
                .copied()
                .chain(parts.iter().flat_map(Host::to_vec))
                .collect();
            let expected = products(&matrices, &z);

            let device = cuda.upload_matrices(&matrices).expect("upload");
            let parts = parts.iter().map(|part| cuda.upload_scalars(part.scalars()));
            let parts: Vec<_> = parts.collect::<Result<_, _>>().expect("upload");
            let found = cuda.products(&device, &head, &parts.iter().collect::<Vec<_>>());
            let Products { az, bz, cz } = found.expect("products");
            for ((found, expected), name) in [az, bz, cz].iter().zip(expected).zip(["A", "B", "C"])
            {
                let found = cuda.download_scalars(found).expect("download");
                assert!(
                    found == expected,
                    "{name} with blocks of {repeats:?}, z of {len}"
                );
            }
        }
    }
}

#[test]
fn sums_of_integers_do_not_overflow() {
    let Some(cuda) = cuda() else { return };
    // The largest product of a small coefficient and an integer, 2^94, more often than 64 bits of sums could hold.
    let terms = vec![
        Term {
            start: 0,
            step: 1,
            coefficient: 0
        };
        1000
    ];
    let block = Block {
        start: 0,
        repeat: 2,
        terms: [[0, 1000], [0, 999], [0, 0]],
    };
    let matrices = Matrices {
        num_variables: 2,
        num_constraints: 2,
        blocks: vec![block],
        terms,
        coefficients: vec![Fr::from(i32::MIN + 1)],
    };
    let z = Host::Small(vec![i64::MIN, i64::MAX]);
    let expected = products(&matrices, &z.to_vec());
    let device = cuda.upload_matrices(&matrices).expect("upload");
    let part = cuda.upload_scalars(z.scalars()).expect("upload");
    let found = cuda.products(&device, &[], &[&part]).expect("products");
    for (found, expected) in [found.az, found.bz, found.cz].iter().zip(expected) {
        assert_eq!(cuda.download_scalars(found).expect("download"), expected);
    }
}

#[test]
fn cross_terms_are_as_defined() {
    let Some(cuda) = cuda() else { return };
    let mut rng = Rng::new(3);
    let [u, v] = [0, 1].map(|_| element(&mut rng));
    let one = Fr::from(1);
    for len in LENGTHS {
        for (u1, u2) in [
            (u, v),
            (u, one),
            (one, v),
            (one, one),
            (Fr::ZERO, v),
            (-one, -one),
        ] {
            // Products are elements; of integers, which nothing forbids, one side is tried at the shortest.
            let host = [0, 1, 2, 3, 4, 5].map(|i| Host::random(&mut rng, len, len == 1 && i < 3));
            let [a1, b1, c1, a2, b2, c2] = host.clone().map(|host| host.to_vec());
            let expected: Vec<Fr> = (0..len)
                .map(|i| a1[i] * b2[i] + a2[i] * b1[i] - u1 * c2[i] - u2 * c1[i])
                .collect();
            let device = host.map(|host| cuda.upload_scalars(host.scalars()).expect("upload"));
            let [az, bz, cz, az2, bz2, cz2] = device;
            let (first, second) = (
                Products { az, bz, cz },
                Products {
                    az: az2,
                    bz: bz2,
                    cz: cz2,
                },
            );
            let term = cuda
                .cross_term((first.as_ref(), u1), (second.as_ref(), u2))
                .expect("cross term");
            let found = cuda.download_scalars(&term).expect("download");
            assert!(found == expected, "{len} with {u1} and {u2}");
        }
    }
}

#[test]
fn multiples_are_added() {
    let Some(cuda) = cuda() else { return };
    let mut rng = Rng::new(4);
    let challenge = Fr::from(u128::MAX - u128::from(rng.word()));
    for len in LENGTHS {
        for r in [
            Fr::ZERO,
            Fr::from(1),
            -Fr::from(1),
            challenge,
            element(&mut rng),
        ] {
            for (small_x, small_y) in [(false, false), (true, false), (false, true), (true, true)] {
                let x = Host::random(&mut rng, len, small_x);
                let y = Host::random(&mut rng, len, small_y);
                let sums = y
                    .to_vec()
                    .into_iter()
                    .zip(x.to_vec())
                    .map(|(y, x)| y + r * x);
                let expected: Vec<Fr> = sums.collect();
                let x = cuda.upload_scalars(x.scalars()).expect("upload");
                let mut y = cuda.upload_scalars(y.scalars()).expect("upload");
                cuda.axpy(&mut y, r, &x).expect("axpy");
                let found = cuda.download_scalars(&y).expect("download");
                assert!(
                    found == expected,
                    "{len} times {r}, small: {small_x}, {small_y}"
                );
            }
        }
    }
}

#[test]
fn lengths_that_differ_are_refused() {
    let Some(cuda) = cuda() else { return };
    let vector = |len: usize| {
        let scalars = vec![1; len];
        cuda.upload_scalars(Scalars::Small(&scalars))
            .expect("upload")
    };
    let usage = |result: crate::Result<()>| match result {
        Err(Error::Usage(text)) => text,
        other => panic!("expected a refusal, found {other:?}"),
    };
    let text = usage(cuda.axpy(&mut vector(3), Fr::from(2), &vector(4)));
    assert!(text.contains("3 and 4 scalars"), "{text}");

    // Each of the six may be the one that differs.
    for odd in 0..6 {
        let lens = [0, 1, 2, 3, 4, 5].map(|i| if i == odd { 5 } else { 4 });
        let [az, bz, cz, az2, bz2, cz2] = lens.map(vector);
        let (first, second) = (
            Products { az, bz, cz },
            Products {
                az: az2,
                bz: bz2,
                cz: cz2,
            },
        );
        let one = Fr::from(1);
        usage(
            cuda.cross_term((first.as_ref(), one), (second.as_ref(), one))
                .map(drop),
        );
    }

    let mut rng = Rng::new(5);
    let mut host = matrices(&mut rng, 64, &[4]);
    let device = cuda.upload_matrices(&host).expect("upload");
    for part in [0, 62, 64] {
        usage(
            cuda.products(&device, &[Fr::from(1)], &[&vector(part)])
                .map(drop),
        );
    }
    let parts: Vec<_> = (0..MAX_PIECES).map(|_| vector(8)).collect();
    let text = usage(
        cuda.products(&device, &[], &parts.iter().collect::<Vec<_>>())
            .map(drop),
    );
    assert!(text.contains("8 parts"), "{text}");
    host.terms[0].start = 64;
    host.blocks[0].terms[0] = [0, 1];
    let text = usage(cuda.upload_matrices(&host).map(drop));
    assert!(text.contains("variable 64"), "{text}");
}

#[test]
fn memory_that_lacks_is_named() {
    let Some(_) = testing::device() else { return };
    // Enough for the small tables and six vectors of 1000 elements, but not for a seventh.
    let open = |budget| {
        Cuda::open(&Options {
            vram_budget: Some(budget),
            ..Options::default()
        })
    };
    let cuda = open(1 << 20).expect("a budget");
    let before = cuda.device().memory().live;
    drop(cuda);
    let cuda = open(before + 6 * 32000 + 31999).expect("a budget");
    let scalars = vec![Fr::from(7); 1000];
    let vector = || {
        cuda.upload_scalars(Scalars::Full(&scalars))
            .expect("within the budget")
    };
    let pair = [0, 1].map(|_| Products {
        az: vector(),
        bz: vector(),
        cz: vector(),
    });
    let one = Fr::from(1);
    match cuda.cross_term((pair[0].as_ref(), one), (pair[1].as_ref(), one)) {
        Err(Error::OutOfDeviceMemory(text)) => assert!(text.contains("a cross term"), "{text}"),
        other => panic!("expected no memory, found {other:?}"),
    }
    // What was there still is.
    let [first, _] = pair;
    assert_eq!(cuda.download_scalars(&first.az).expect("download"), scalars);
    assert_eq!(cuda.device().memory().live, before + 6 * 32000);
}
