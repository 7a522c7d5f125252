//! One suite of folding's stages over every backend: against loops over arkworks' types, and both
//! side by side.

#[cfg(feature = "cuda")]
mod device;
mod fold_values;

use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use fold_values::random::{Rng, Vector};
use rewit::backend::curve::{Fr, G1Affine, G1Projective, Scalars};
use rewit::backend::{Block, Checked, Cpu, Folding, KeyOptions, Matrices, Products, Term};
use rewit::fold::CommitmentKey;
use rewit::{Error, Result};

fn both(len: usize, rng: &mut Rng) -> [Vector; 2] {
    [
        Vector::Full((0..len).map(|_| rng.scalar()).collect()),
        Vector::Small((0..len).map(|_| rng.small()).collect()),
    ]
}

fn usage<T>(result: Result<T>) -> String {
    match result {
        Err(Error::Usage(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

const OPTIONS: KeyOptions = KeyOptions {
    budget: 1 << 20,
    expected_len: 100,
};

fn uploads_come_back<B: Folding>(backend: &B) {
    let mut rng = Rng::new("uploads");
    for len in [0, 1, 2, 1023, 1025] {
        for vector in both(len, &mut rng) {
            let there = backend.upload_scalars(vector.scalars()).unwrap();
            assert_eq!(backend.download_scalars(&there).unwrap(), vector.to_vec());
        }
    }
}

/// `Σ scalars[i] · points[i]`, by doubling and adding.
fn naive_msm(points: &[G1Affine], scalars: &[Fr]) -> G1Affine {
    let terms = points.iter().zip(scalars);
    let sum: G1Projective = terms.map(|(point, scalar)| *point * scalar).sum();
    sum.into_affine()
}

fn multi_scalar_multiplications_are_sums<B: Folding>(backend: &B) {
    let mut rng = Rng::new("msm");
    let mut points = CommitmentKey::derive(140).unwrap().points().to_vec();
    // Not of any key, but nothing says that points differ.
    points[7] = points[6];
    points[8] = -points[6];
    let key = backend.upload_key(&points, OPTIONS).unwrap();
    // Nothing, one, and lengths about 32 and 128, where loops and windows change.
    for len in [0, 1, 2, 31, 33, 127, 130] {
        for first in [0, 5, points.len() - len] {
            // Several at once, of both kinds and of different lengths.
            let vectors: Vec<_> = [len, len, len / 2, 0]
                .into_iter()
                .flat_map(|len| both(len, &mut rng))
                .filter(|vector| first + vector.scalars().len() <= points.len())
                .collect();
            let there: Vec<_> = vectors
                .iter()
                .map(|vector| backend.upload_scalars(vector.scalars()).unwrap())
                .collect();
            let sums = backend.msm(&key, first, &there.iter().collect::<Vec<_>>());
            let expected: Vec<_> = vectors
                .iter()
                .map(|vector| naive_msm(&points[first..], &vector.to_vec()))
                .collect();
            assert_eq!(sums.unwrap(), expected, "{len} from {first} on");
        }
    }
    assert!(backend.msm(&key, 0, &[]).unwrap().is_empty());

    let vector = backend.upload_scalars(Scalars::Small(&[1; 3])).unwrap();
    for first in [138, 140, 141, usize::MAX] {
        let why = usage(backend.msm(&key, first, &[&vector]));
        assert!(why.contains("the commitment key has 140 points"), "{why}");
    }
    assert!(backend.msm(&key, 137, &[&vector]).is_ok());
}

/// Coefficients of every kind that a backend may treat in its own way.
fn coefficients(rng: &mut Rng) -> Vec<Fr> {
    let small = [
        1,
        -1,
        2,
        -3,
        1 << 30,
        (1 << 62) - 1,
        1 << 62,
        i64::MAX,
        i64::MIN,
    ];
    let small = small.into_iter().map(Fr::from);
    small
        .chain([Fr::ZERO, Fr::from(1u128 << 64), rng.scalar(), rng.scalar()])
        .collect()
}

/// Matrices for a `z` of `num_variables`, and rows that no block covers.
fn matrices(num_variables: usize, rng: &mut Rng) -> Matrices {
    let mut matrices = Matrices {
        num_variables,
        coefficients: coefficients(rng),
        ..Matrices::default()
    };
    // Singles, lengths about a tile of 64, and one above a job of 1024.
    for repeat in [1, 2, 63, 64, 65, 0, 1, 1025, 300, 64, 64, 64] {
        let repeat = repeat.min(num_variables);
        let start = matrices.num_constraints + rng.below(3);
        let terms = [(); 3].map(|()| {
            let from = matrices.terms.len() as u32;
            for _ in 0..rng.below(12) {
                let step = rng.below(4).min(1);
                let last = if step == 1 {
                    num_variables - repeat.max(1)
                } else {
                    num_variables - 1
                };
                matrices.terms.push(Term {
                    start: rng.below(last + 1) as u32,
                    step: step as u32,
                    coefficient: rng.below(matrices.coefficients.len()) as u32,
                });
            }
            [from, matrices.terms.len() as u32]
        });
        matrices.blocks.push(Block {
            start: start as u32,
            repeat: repeat as u32,
            terms,
        });
        matrices.num_constraints = start + repeat;
    }
    matrices.num_constraints += 5;
    matrices
}

fn naive_products(matrices: &Matrices, z: &[Fr]) -> [Vec<Fr>; 3] {
    [0, 1, 2].map(|which| {
        let mut products = vec![Fr::ZERO; matrices.num_constraints];
        for block in &matrices.blocks {
            let [from, to] = block.terms[which].map(|at| at as usize);
            for i in 0..block.repeat as usize {
                for term in &matrices.terms[from..to] {
                    let scalar = z[term.start as usize + term.step as usize * i];
                    let coefficient = matrices.coefficients[term.coefficient as usize];
                    products[block.start as usize + i] += coefficient * scalar;
                }
            }
        }
        products
    })
}

fn download<B: Folding>(backend: &B, products: &Products<B::Vector>) -> [Vec<Fr>; 3] {
    [&products.az, &products.bz, &products.cz].map(|v| backend.download_scalars(v).unwrap())
}

fn products_are_sums<B: Folding>(backend: &B) {
    let mut rng = Rng::new("products");
    for lens in [
        [5, 0, 700, 600],
        [1, 3, 0, 0],
        [9, 1030, 1030, 2000],
        [2, 64, 1, 1],
    ] {
        let matrices = matrices(lens.iter().sum(), &mut rng);
        let there = backend.upload_matrices(&matrices).unwrap();
        for _ in 0..4 {
            let head: Vec<_> = (0..lens[0]).map(|_| rng.scalar()).collect();
            let parts: Vec<_> = lens[1..].iter().map(|len| rng.vector(*len)).collect();
            let mut z = head.clone();
            z.extend(parts.iter().flat_map(Vector::to_vec));
            let parts: Vec<_> = parts
                .iter()
                .map(|part| backend.upload_scalars(part.scalars()).unwrap())
                .collect();
            let parts: Vec<_> = parts.iter().collect();
            let products = backend.products(&there, &head, &parts).unwrap();
            let expected = naive_products(&matrices, &z);
            assert!(download(backend, &products) == expected, "{lens:?}");

            let why = usage(backend.products(&there, &head[1..], &parts));
            assert!(why.contains("expected as many"), "{why}");
            usage(
                backend
                    .products(&there, &head, &parts[1..])
                    .and_then(|products| {
                        // Of a part of no length, nothing is missing.
                        if lens[1] == 0 {
                            return Err(Error::Usage(String::new()));
                        }
                        Ok(products)
                    }),
            );
        }
    }
    let none = backend.upload_matrices(&Matrices::default()).unwrap();
    let products = backend.products(&none, &[], &[]).unwrap();
    assert_eq!(download(backend, &products), [(); 3].map(|()| Vec::new()));
}

fn bad_matrices_are_refused<B: Folding>(backend: &B) {
    let good = Matrices {
        num_variables: 10,
        num_constraints: 8,
        blocks: vec![
            Block {
                start: 0,
                repeat: 4,
                terms: [[0, 1], [1, 1], [0, 0]],
            },
            Block {
                start: 4,
                repeat: 4,
                terms: [[0, 1]; 3],
            },
        ],
        terms: vec![Term {
            start: 6,
            step: 1,
            coefficient: 0,
        }],
        coefficients: vec![Fr::ONE],
    };
    backend.upload_matrices(&good).unwrap();
    type Change = fn(&mut Matrices);
    let changes: [(&str, Change); 11] = [
        ("constraints 3 to 7", |m| m.blocks[1].start = 3),
        ("constraints 5 to 9", |m| m.blocks[1].start = 5),
        ("expected 4 to 7", |m| m.num_constraints = 7),
        ("constraints 4294967295", |m| m.blocks[0].start = u32::MAX),
        ("constraints 0 to 4294967295", |m| {
            m.blocks[0].repeat = u32::MAX;
        }),
        ("terms 0 to 2", |m| m.blocks[0].terms[2] = [0, 2]),
        ("terms 1 to 0", |m| m.blocks[1].terms[0] = [1, 0]),
        ("step 2", |m| m.terms[0].step = 2),
        ("variable 10", |m| m.terms[0].start = 7),
        ("variable 9", |m| m.num_variables = 9),
        ("coefficient 1", |m| m.terms[0].coefficient = 1),
    ];
    for (what, change) in changes {
        let mut bad = good.clone();
        change(&mut bad);
        let why = usage(backend.upload_matrices(&bad));
        assert!(why.contains(what), "{why}");
    }
}

fn upload_products<B: Folding>(backend: &B, full: &[Vec<Fr>; 3]) -> Products<B::Vector> {
    let upload = |scalars: &Vec<Fr>| backend.upload_scalars(Scalars::Full(scalars)).unwrap();
    let [az, bz, cz] = full.each_ref().map(upload);
    Products { az, bz, cz }
}

fn cross_terms_are_novas<B: Folding>(backend: &B) {
    let mut rng = Rng::new("cross");
    for len in [0, 1, 255, 1025, 3000] {
        let [one, two] =
            [(); 2].map(|()| [(); 3].map(|()| (0..len).map(|_| rng.scalar()).collect()));
        let there = [&one, &two].map(|full| upload_products(backend, full));
        for (u, v) in [
            (Fr::ONE, Fr::ONE),
            (rng.scalar() + Fr::from(2), Fr::ONE),
            (Fr::ZERO, rng.scalar()),
        ] {
            let term = backend
                .cross_term((there[0].as_ref(), u), (there[1].as_ref(), v))
                .unwrap();
            let expected: Vec<Fr> = (0..len)
                .map(|i| {
                    one[0][i] * two[1][i] + two[0][i] * one[1][i] - u * two[2][i] - v * one[2][i]
                })
                .collect();
            assert!(backend.download_scalars(&term).unwrap() == expected);
        }
    }
    let scalars = |len| vec![Fr::ONE; len];
    let good = upload_products(backend, &[scalars(4), scalars(4), scalars(4)]);
    for at in 0..3 {
        let mut lens = [4; 3];
        lens[at] = 5;
        let bad = upload_products(backend, &lens.map(scalars));
        for (first, second) in [(&good, &bad), (&bad, &good)] {
            let first = (first.as_ref(), Fr::ONE);
            usage(backend.cross_term(first, (second.as_ref(), Fr::ONE)));
        }
    }
}

fn axpy_adds_multiples<B: Folding>(backend: &B) {
    let mut rng = Rng::new("axpy");
    for len in [0, 1, 255, 1025, 3000] {
        for (y, x) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            for r in [
                Fr::ZERO,
                Fr::ONE,
                -Fr::ONE,
                Fr::from(u128::MAX),
                rng.scalar(),
            ] {
                let (y, x) = (
                    both(len, &mut rng)[y].clone(),
                    both(len, &mut rng)[x].clone(),
                );
                let mut there = backend.upload_scalars(y.scalars()).unwrap();
                let multiple = backend.upload_scalars(x.scalars()).unwrap();
                backend.axpy(&mut there, r, &multiple).unwrap();
                let pairs = y.to_vec().into_iter().zip(x.to_vec());
                let expected: Vec<Fr> = pairs.map(|(y, x)| y + r * x).collect();
                assert!(backend.download_scalars(&there).unwrap() == expected);
            }
        }
    }
    let mut y = backend.upload_scalars(Scalars::Small(&[1; 3])).unwrap();
    for len in [0, 2, 4] {
        let x = backend
            .upload_scalars(Scalars::Full(&vec![Fr::ONE; len]))
            .unwrap();
        let why = usage(backend.axpy(&mut y, Fr::ONE, &x));
        assert!(why.contains(&format!("3 and {len} scalars")), "{why}");
    }
    // What was refused changed nothing.
    assert_eq!(backend.download_scalars(&y).unwrap(), [Fr::ONE; 3]);
}

fn suite<B: Folding>(backend: &B) {
    uploads_come_back(backend);
    multi_scalar_multiplications_are_sums(backend);
    products_are_sums(backend);
    bad_matrices_are_refused(backend);
    cross_terms_are_novas(backend);
    axpy_adds_multiples(backend);
}

#[test]
fn cpu() {
    suite(&Cpu);
}

#[test]
fn cpu_beside_itself() {
    suite(&Checked::new(Cpu, Cpu));
}

/// The CPU, but for one result.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Wrong {
    Nothing,
    Upload,
    Point,
    Points,
    Product(usize),
    CrossTerm,
    Axpy,
    Length,
    Refuses,
    Accepts,
}

type CpuVector = <Cpu as Folding>::Vector;

/// Adds one to a scalar.
fn spoil(vector: &CpuVector, at: usize) -> CpuVector {
    let mut scalars = Cpu.download_scalars(vector).unwrap();
    scalars[at] += Fr::ONE;
    Cpu.upload_scalars(Scalars::Full(&scalars)).unwrap()
}

impl Folding for Wrong {
    type Key = <Cpu as Folding>::Key;
    type Vector = CpuVector;
    type Matrices = <Cpu as Folding>::Matrices;

    fn name(&self) -> &'static str {
        "wrong"
    }

    fn upload_key(&self, points: &[G1Affine], options: KeyOptions) -> Result<Self::Key> {
        Cpu.upload_key(points, options)
    }

    fn upload_matrices(&self, matrices: &Matrices) -> Result<Self::Matrices> {
        if *self == Self::Refuses {
            return Err(Error::Usage("not these".into()));
        }
        Cpu.upload_matrices(matrices)
    }

    fn upload_scalars(&self, scalars: Scalars<'_>) -> Result<CpuVector> {
        let vector = Cpu.upload_scalars(scalars)?;
        Ok(match self {
            Self::Upload => spoil(&vector, scalars.len() - 1),
            Self::Length => Cpu.upload_scalars(Scalars::Small(&vec![0; scalars.len() + 1]))?,
            _ => vector,
        })
    }

    fn download_scalars(&self, scalars: &CpuVector) -> Result<Vec<Fr>> {
        Cpu.download_scalars(scalars)
    }

    fn msm(&self, key: &Self::Key, first: usize, vectors: &[&CpuVector]) -> Result<Vec<G1Affine>> {
        let mut points = Cpu.msm(key, first, vectors)?;
        match self {
            Self::Point => points[1] = -points[1],
            Self::Points => points.push(G1Affine::identity()),
            _ => {}
        }
        Ok(points)
    }

    fn products(
        &self,
        matrices: &Self::Matrices,
        head: &[Fr],
        parts: &[&CpuVector],
    ) -> Result<Products<CpuVector>> {
        let mut products = Cpu.products(matrices, head, parts)?;
        match self {
            Self::Product(0) => products.az = spoil(&products.az, 1),
            Self::Product(1) => products.bz = spoil(&products.bz, 2),
            Self::Product(_) => products.cz = spoil(&products.cz, 3),
            _ => {}
        }
        Ok(products)
    }

    fn cross_term(
        &self,
        first: (Products<&CpuVector>, Fr),
        second: (Products<&CpuVector>, Fr),
    ) -> Result<CpuVector> {
        let term = Cpu.cross_term(first, second)?;
        Ok(if *self == Self::CrossTerm {
            spoil(&term, 0)
        } else {
            term
        })
    }

    fn axpy(&self, y: &mut CpuVector, r: Fr, x: &CpuVector) -> Result<()> {
        match (self, Cpu.axpy(y, r, x)) {
            (Self::Accepts, Err(_)) => {}
            (_, result) => result?,
        }
        if *self == Self::Axpy {
            *y = spoil(y, 3);
        }
        Ok(())
    }
}

/// Every stage once, on vectors of four.
fn stages<B: Folding>(backend: &B) -> Result<()> {
    let key = backend.upload_key(CommitmentKey::derive(8)?.points(), OPTIONS)?;
    let matrices = backend.upload_matrices(&Matrices {
        num_variables: 5,
        num_constraints: 4,
        blocks: vec![Block {
            start: 0,
            repeat: 4,
            terms: [[0, 1]; 3],
        }],
        terms: vec![Term {
            start: 1,
            step: 1,
            coefficient: 0,
        }],
        coefficients: vec![Fr::ONE],
    })?;
    let mut part = backend.upload_scalars(Scalars::Small(&[1, 2, 3, 4]))?;
    backend.msm(&key, 1, &[&part, &part])?;
    let products = backend.products(&matrices, &[Fr::ONE], &[&part])?;
    let products = (products.as_ref(), Fr::ONE);
    let term = backend.cross_term(products, products)?;
    backend.axpy(&mut part, Fr::from(9), &term)?;
    let longer = backend.upload_scalars(Scalars::Small(&[1; 5]))?;
    match backend.axpy(&mut part, Fr::from(9), &longer) {
        Err(Error::Usage(_)) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => panic!("lengths differ"),
    }
}

#[test]
fn a_wrong_backend_is_caught() {
    stages(&Checked::new(Cpu, Wrong::Nothing)).unwrap();
    for (wrong, what) in [
        (Wrong::Upload, "upload of scalars, scalar 3: 4 and 5"),
        (Wrong::Length, "upload of scalars, 4 and 5 scalars"),
        (Wrong::Point, "msm, vector 1: "),
        (Wrong::Points, "msm, 2 and 3 points"),
        (Wrong::Product(0), "products, A·z, scalar 1: 2 and 3"),
        (Wrong::Product(1), "products, B·z, scalar 2: 3 and 4"),
        (Wrong::Product(2), "products, C·z, scalar 3: 4 and 5"),
        (Wrong::CrossTerm, "cross term, scalar 0: 0 and 1"),
        (Wrong::Axpy, "axpy, scalar 3: "),
        (
            Wrong::Refuses,
            "upload of matrices, only the second refuses: not these",
        ),
        (Wrong::Accepts, "axpy, only the first refuses: "),
    ] {
        match stages(&Checked::new(Cpu, wrong)) {
            Err(Error::Differs(why)) => {
                assert!(why.starts_with(&format!("cpu and wrong: {what}")), "{why}");
            }
            other => panic!("{wrong:?}: {other:?}"),
        }
    }
    // The trusted backend is the first, but a difference is one either way.
    let result = stages(&Checked::new(Wrong::CrossTerm, Cpu));
    assert!(
        matches!(result, Err(Error::Differs(why)) if why.contains("wrong and cpu: cross term"))
    );
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::device::{cuda, on_cuda};
    use super::*;

    #[test]
    fn the_gpu() {
        on_cuda(suite);
    }

    #[test]
    fn the_gpu_against_the_cpu() {
        if let Some(cuda) = cuda() {
            suite(&Checked::new(Cpu, cuda));
        }
    }
}
