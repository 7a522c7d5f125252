use p3_air::{Air, AirBuilder, BaseAir, WindowAccess};
use p3_blake3::Blake3;
use p3_challenger::CanSample;
use p3_uni_stark::{StarkConfig, prove, verify};

use super::super::testing::{Rng, device, device_with};
use super::super::{CudaChallenger, Options, Transcript};
use super::*;
use crate::backend::types::{Challenge, Challenger, val_mmcs};

/// Parameters that differ between cases.
#[derive(Clone, Copy, Debug)]
struct Case {
    log_blowup: usize,
    log_final_len: usize,
    log_arity: usize,
    caps: (u8, u8),
    grinding: [usize; 3],
}

const PLAIN: Case = Case {
    log_blowup: 1,
    log_final_len: 0,
    log_arity: 1,
    caps: (0, 0),
    grinding: [0; 3],
};

impl Case {
    fn fri(&self) -> FriParameters<ValMmcs> {
        let [batch, commit, query] = self.grinding;
        FriParameters {
            log_blowup: self.log_blowup,
            log_final_poly_len: self.log_final_len,
            max_log_arity: self.log_arity,
            num_queries: 7,
            batch_proof_of_work_bits: batch,
            commit_proof_of_work_bits: commit,
            query_proof_of_work_bits: query,
            mmcs: val_mmcs(self.caps.1),
        }
    }

    fn cpu<E: ExtensionField<Val>>(&self) -> CpuPcs<E> {
        let fri = self.fri();
        let fri = FriParameters {
            log_blowup: fri.log_blowup,
            log_final_poly_len: fri.log_final_poly_len,
            max_log_arity: fri.max_log_arity,
            num_queries: fri.num_queries,
            batch_proof_of_work_bits: fri.batch_proof_of_work_bits,
            commit_proof_of_work_bits: fri.commit_proof_of_work_bits,
            query_proof_of_work_bits: fri.query_proof_of_work_bits,
            mmcs: ExtensionMmcs::new(fri.mmcs),
        };
        CpuPcs::new(Dft::default(), val_mmcs(self.caps.0), fri)
    }

    fn cuda<E: ExtensionField<Val>>(&self, device: &Device) -> CudaPcs<E> {
        CudaPcs::new(device, val_mmcs(self.caps.0), self.fri()).unwrap()
    }
}

/// A matrix of a commitment: base-2 logarithm of its rows, width, and whether it is opened at the next
/// row too.
type MatrixShape = (usize, usize, bool);

/// Matrices of two commitments: equal and mixed heights, one column, more than one warp's columns, with
/// and without the next row.
const MIXED: &[&[MatrixShape]] = &[
    &[(6, 3, true), (7, 17, true), (6, 1, false)],
    &[(7, 4, false), (7, 4, false), (9, 5, true)],
];

fn matrix(rng: &mut Rng, log_rows: usize, width: usize) -> RowMajorMatrix<Val> {
    RowMajorMatrix::new(into_elements(rng.elements(width << log_rows)), width)
}

/// What a prover sends: caps, opened values and the opening proof.
type Sent<E> = (Vec<Cap>, OpenedValues<E>, fri::Proof<E>);

/// Domains and points of each matrix, as commitments are opened at `zeta`.
fn points<E: ExtensionField<Val>>(shape: &[&[MatrixShape]], zeta: E) -> Vec<Vec<(Domain, Vec<E>)>> {
    let of_matrix = |&(log_rows, _, next): &MatrixShape| {
        let domain = Domain::new(Val::ONE, log_rows).unwrap();
        let mut points = vec![zeta];
        points.extend(domain.next_point(zeta).filter(|_| next));
        (domain, points)
    };
    shape
        .iter()
        .map(|m| m.iter().map(of_matrix).collect())
        .collect()
}

fn sent<E, C, P>(pcs: &P, shape: &[&[MatrixShape]], seed: u64, mut challenger: C) -> Sent<E>
where
    E: ExtensionField<Val>,
    C: CanObserve<Cap> + FieldChallenger<Val> + CanSample<E>,
    P: Pcs<E, C, Domain = Domain, Commitment = Cap, Proof = fri::Proof<E>>,
{
    let mut rng = Rng::new(seed);
    let committed: Vec<_> = shape
        .iter()
        .map(|matrices| {
            let evaluations: Vec<_> = matrices
                .iter()
                .map(|&(log_rows, width, _)| {
                    let domain = pcs.natural_domain_for_degree(1 << log_rows);
                    (domain, matrix(&mut rng, log_rows, width))
                })
                .collect();
            pcs.commit(evaluations).unwrap()
        })
        .collect();
    for (cap, _) in &committed {
        challenger.observe(cap.clone());
    }
    let zeta: E = challenger.sample();
    let requests = committed
        .iter()
        .zip(points(shape, zeta))
        .map(|((_, data), points)| {
            let points: Vec<_> = points.into_iter().map(|(_, points)| points).collect();
            (data, points).into()
        });
    let (values, proof) = pcs.open(requests.collect(), &mut challenger).unwrap();
    (
        committed.into_iter().map(|(cap, _)| cap).collect(),
        values,
        proof,
    )
}

/// Whether Plonky3's verifier accepts.
fn accepted<E: ExtensionField<Val>>(case: &Case, shape: &[&[MatrixShape]], sent: &Sent<E>) -> bool {
    let (caps, values, proof) = sent;
    let mut challenger = plonky3();
    for cap in caps {
        challenger.observe(cap.clone());
    }
    let zeta: E = challenger.sample();
    let claims = caps
        .iter()
        .zip(points(shape, zeta))
        .zip(values)
        .map(|((cap, points), values)| {
            let matrices = points
                .into_iter()
                .zip(values)
                .map(|((domain, points), values)| {
                    (
                        domain,
                        points.into_iter().zip(values.iter().cloned()).collect(),
                    )
                });
            (cap.clone(), matrices.collect()).into()
        });
    let pcs = case.cpu::<E>();
    Pcs::<E, Challenger>::verify(&pcs, claims.collect(), proof, &mut challenger).is_ok()
}

fn plonky3() -> Challenger {
    Challenger::from_hasher(vec![1, 2, 3], Blake3)
}

fn bytes<E: ExtensionField<Val>>(sent: &Sent<E>) -> Vec<u8> {
    postcard::to_stdvec(sent).unwrap()
}

fn proofs_are_equal<E: ExtensionField<Val>>(case: Case, shape: &[&[MatrixShape]]) {
    let Some(device) = device() else { return };
    let cpu = sent::<E, _, _>(&case.cpu(), shape, 9, plonky3());
    let cuda = sent::<E, _, _>(&case.cuda(&device), shape, 9, plonky3());
    assert_eq!(cuda.0, cpu.0, "caps with {case:?}");
    assert_eq!(cuda.1, cpu.1, "values with {case:?}");
    assert_eq!(
        cuda.2.commit_phase_commits, cpu.2.commit_phase_commits,
        "layers with {case:?}"
    );
    assert_eq!(cuda.2.final_poly, cpu.2.final_poly, "with {case:?}");
    assert!(bytes(&cuda) == bytes(&cpu), "proofs differ with {case:?}");
    assert!(accepted(&case, shape, &cuda), "{case:?}");
}

#[test]
fn proofs_are_plonky3s_to_the_byte() {
    let cases = [
        PLAIN,
        // Arities 4 and 8 that joining inputs cut short; final polynomials of 2, 4 and 32 elements;
        // caps of both kinds, also larger than the smallest layer's tree; blowups.
        Case {
            log_arity: 2,
            log_final_len: 1,
            caps: (2, 0),
            ..PLAIN
        },
        Case {
            log_arity: 3,
            log_final_len: 2,
            caps: (0, 3),
            log_blowup: 2,
            ..PLAIN
        },
        Case {
            log_arity: 1,
            log_final_len: 5,
            caps: (3, 2),
            log_blowup: 3,
            ..PLAIN
        },
        Case {
            log_arity: 5,
            log_blowup: 2,
            caps: (20, 20),
            ..PLAIN
        },
    ];
    for case in cases {
        proofs_are_equal::<Challenge<4>>(case, MIXED);
    }
    proofs_are_equal::<Challenge<5>>(cases[0], MIXED);
    proofs_are_equal::<Challenge<5>>(cases[2], MIXED);
}

#[test]
fn small_and_lone_matrices() {
    // One row, two rows, and one commitment of one column; with the next row, which of one row is
    // the same.
    let shapes: [&[&[MatrixShape]]; 4] = [
        &[&[(0, 1, true)]],
        &[&[(1, 2, true)], &[(0, 3, false)]],
        &[&[(5, 1, false)]],
        &[&[(8, 40, true)]],
    ];
    for shape in shapes {
        proofs_are_equal::<Challenge<4>>(PLAIN, shape);
    }
}

#[test]
fn with_grinding_the_smallest_witnesses_are_found() {
    let Some(device) = device() else { return };
    let case = Case {
        grinding: [3, 2, 5],
        log_arity: 2,
        ..PLAIN
    };
    let seed = vec![1, 2, 3];
    let cpu = sent::<Challenge<4>, _, _>(
        &case.cpu(),
        MIXED,
        9,
        Transcript::challenger(seed.clone(), None),
    );
    let on_device = Transcript::challenger(seed, Some(device.clone()));
    let cuda = sent::<Challenge<4>, _, _>(&case.cuda(&device), MIXED, 9, on_device);
    assert!(bytes(&cuda) == bytes(&cpu), "proofs differ");
    assert!(accepted(&case, MIXED, &cuda));
    // With Plonky3's own transcript, whose witnesses are not the smallest.
    let cuda = sent::<Challenge<4>, _, _>(&case.cuda(&device), MIXED, 9, plonky3());
    assert!(accepted(&case, MIXED, &cuda));
}

#[test]
fn tampered_proofs_are_rejected() {
    let Some(device) = device() else { return };
    let case = Case {
        grinding: [0, 0, 2],
        ..PLAIN
    };
    let make = || sent::<Challenge<4>, _, _>(&case.cuda(&device), MIXED, 3, plonky3());
    assert!(accepted(&case, MIXED, &make()));
    let tampers: [fn(&mut Sent<Challenge<4>>); 6] = [
        |s| s.1[0][1][0][2] += Challenge::ONE,
        |s| s.2.final_poly[0] += Challenge::ONE,
        |s| s.2.query_pow_witness += Val::ONE,
        |s| s.2.input_openings[1].opened_values[2][0][1] += Val::ONE,
        |s| s.2.commit_phase_openings[1].sibling_values[0][0] += Challenge::ONE,
        |s| s.2.input_openings[0].opening_proof.sibling_hashes[0][5] ^= 1,
    ];
    for (i, tamper) in tampers.into_iter().enumerate() {
        let mut proof = make();
        tamper(&mut proof);
        assert!(!accepted(&case, MIXED, &proof), "tamper {i}");
    }
}

#[test]
fn evaluations_and_quotients_are_plonky3s() {
    type E = Challenge<4>;
    let Some(device) = device() else { return };
    let case = Case {
        log_blowup: 2,
        caps: (1, 0),
        ..PLAIN
    };
    let (cpu, cuda) = (case.cpu::<E>(), case.cuda::<E>(&device));
    let mut rng = Rng::new(5);
    let domain = Domain::new(Val::ONE, 5).unwrap();
    let evaluations = [matrix(&mut rng, 5, 3), matrix(&mut rng, 5, 33)].map(|m| (domain, m));
    let (_, cpu_data) = Pcs::<E, Challenger>::commit(&cpu, evaluations.clone()).unwrap();
    let (_, cuda_data) = Pcs::<E, Challenger>::commit(&cuda, evaluations).unwrap();
    let coset = |shift, log_size| Domain::new(shift, log_size).unwrap();
    // Smaller than the trace, as large as quotients need, the whole coset; beyond it, and elsewhere.
    let domains = [
        (5, Val::GENERATOR),
        (3, Val::GENERATOR),
        (7, Val::GENERATOR),
    ];
    for (log_size, shift) in domains
        .into_iter()
        .chain([(8, Val::GENERATOR), (6, Val::TWO)])
    {
        let domain = coset(shift, log_size);
        for index in 0..2 {
            type P = CpuPcs<E>;
            let expected = <P as UnivariateStarkPcs<E, Challenger>>::get_evaluations_on_domain(
                &cpu, &cpu_data, index, domain,
            );
            let found = UnivariateStarkPcs::<E, Challenger>::get_evaluations_on_domain(
                &cuda, &cuda_data, index, domain,
            );
            assert_eq!(
                found,
                expected.to_row_major_matrix(),
                "2^{log_size}, shift {shift}"
            );
        }
    }

    let domain = coset(Val::GENERATOR, 6);
    let values = matrix(&mut rng, 6, 4);
    let chunks = |num| {
        domain
            .split_domains(num)
            .into_iter()
            .zip(domain.split_evals(num, values.clone()))
    };
    let expected =
        UnivariateStarkPcs::<E, Challenger>::get_quotient_ldes(&cpu, chunks(2), 2).unwrap();
    let found =
        UnivariateStarkPcs::<E, Challenger>::get_quotient_ldes(&cuda, chunks(2), 2).unwrap();
    assert_eq!(found, expected);
    let (expected_cap, _) =
        UnivariateStarkPcs::<E, Challenger>::commit_ldes(&cpu, expected).unwrap();
    let (cap, _) = UnivariateStarkPcs::<E, Challenger>::commit_ldes(&cuda, found).unwrap();
    assert_eq!(cap, expected_cap);
    let (cap, _) =
        UnivariateStarkPcs::<E, Challenger>::commit_quotient(&cuda, domain, values.clone(), 2)
            .unwrap();
    assert_eq!(cap, expected_cap);
}

#[test]
fn impossible_requests_are_errors() {
    type E = Challenge<4>;
    let Some(device) = device() else { return };
    let case = Case {
        log_final_len: 2,
        ..PLAIN
    };
    let cuda = case.cuda::<E>(&device);
    let mut rng = Rng::new(5);
    let domain = Domain::new(Val::ONE, 2).unwrap();
    let (_, data) =
        Pcs::<E, Challenger>::commit(&cuda, [(domain, matrix(&mut rng, 2, 1))]).unwrap();
    let open = |points: Vec<E>| {
        let request = OpeningRequest {
            prover_data: &data,
            points: vec![points],
        };
        cuda.open(vec![request], &mut plonky3()).map(|_| ())
    };
    // As many rows as the final polynomial has coefficients, and nothing opened at all.
    assert!(matches!(open(vec![E::TWO]), Err(Error::Usage(_))));
    let nothing = cuda.open(vec![], &mut plonky3()).map(|_| ());
    assert!(matches!(nothing, Err(Error::Usage(_))));
    assert!(matches!(
        Pcs::<E, Challenger>::commit(&cuda, []),
        Err(Error::Usage(_))
    ));
    // A matrix shorter than the blowup.
    let short =
        UnivariateStarkPcs::<E, Challenger>::commit_ldes(&cuda, vec![matrix(&mut rng, 0, 1)]);
    assert!(matches!(short, Err(Error::Usage(_))));
    // Extended beyond the field's roots of unity: a million rows of no memory.
    let long = Domain::new(Val::ONE, 27).unwrap();
    let empty = DeviceMatrix::new(0, 1 << 27, device.alloc("nothing", 0).unwrap());
    assert!(matches!(cuda.extend(long, &empty), Err(Error::Usage(_))));
    for fri in [
        FriParameters {
            log_blowup: 0,
            ..case.fri()
        },
        FriParameters {
            max_log_arity: 0,
            ..case.fri()
        },
        FriParameters {
            num_queries: 0,
            ..case.fri()
        },
    ] {
        assert!(matches!(
            CudaPcs::<E>::new(&device, val_mmcs(0), fri),
            Err(Error::Usage(_))
        ));
    }
    assert!(matches!(
        CudaPcs::<Val>::new(&device, val_mmcs(0), case.fri()),
        Err(Error::Usage(_))
    ));
}

/// The rows of a Fibonacci sequence: a program that is not this crate's.
struct FibonacciAir;

impl<F> BaseAir<F> for FibonacciAir {
    fn width(&self) -> usize {
        2
    }

    fn num_public_values(&self) -> usize {
        3
    }
}

impl<AB: AirBuilder> Air<AB> for FibonacciAir {
    fn eval(&self, builder: &mut AB) {
        let main = builder.main();
        let public = builder.public_values();
        let (a, b, x) = (public[0], public[1], public[2]);
        let (now, next) = (main.current_slice(), main.next_slice());
        let (left, right) = (now[0], now[1]);
        let (next_left, next_right) = (next[0], next[1]);
        let mut first = builder.when_first_row();
        first.assert_eq(left, a);
        first.assert_eq(right, b);
        let mut step = builder.when_transition();
        step.assert_eq(right, next_left);
        step.assert_eq(left + right, next_right);
        builder.when_last_row().assert_eq(right, x);
    }
}

fn fibonacci(log_rows: usize) -> (RowMajorMatrix<Val>, Vec<Val>) {
    let mut rows = vec![Val::ZERO, Val::ONE];
    while rows.len() < 2 << log_rows {
        let [left, right] = [rows[rows.len() - 2], rows[rows.len() - 1]];
        rows.extend([right, left + right]);
    }
    let public = vec![Val::ZERO, Val::ONE, rows[rows.len() - 1]];
    (RowMajorMatrix::new(rows, 2), public)
}

#[test]
fn a_foreign_air_is_proven() {
    type E = Challenge<4>;
    let Some(device) = device() else { return };
    let case = Case {
        log_blowup: 2,
        log_final_len: 2,
        log_arity: 2,
        ..PLAIN
    };
    let (trace, public) = fibonacci(7);
    let cpu = StarkConfig::<_, E, _>::new(case.cpu::<E>(), plonky3());
    let cuda = StarkConfig::<_, E, _>::new(case.cuda::<E>(&device), plonky3());
    let expected = prove(&cpu, &FibonacciAir, trace.clone(), &public).unwrap();
    let proof = prove(&cuda, &FibonacciAir, trace, &public).unwrap();
    let proof = postcard::to_stdvec(&proof).unwrap();
    assert!(
        proof == postcard::to_stdvec(&expected).unwrap(),
        "proofs differ"
    );
    let proof = postcard::from_bytes(&proof).unwrap();
    verify(&cpu, &FibonacciAir, &proof, &public).unwrap();
}

#[test]
fn a_device_that_is_too_small_is_an_error_at_every_step() {
    type E = Challenge<4>;
    let Some(whole) = device() else { return };
    let (trace, public) = fibonacci(9);
    let case = Case {
        log_final_len: 1,
        ..PLAIN
    };
    let prove_with = |device: &Device| {
        let pcs = CudaPcs::<E>::new(device, val_mmcs(0), case.fri())?;
        let challenger: CudaChallenger = Transcript::challenger(vec![1], None);
        let config = StarkConfig::<_, E, _>::new(pcs, challenger);
        match prove(&config, &FibonacciAir, trace.clone(), &public) {
            Ok(_) => Ok(()),
            Err(e) => Err(Error::Resource(format!("{e:?}"))),
        }
    };
    whole.reset_peak();
    prove_with(&whole).unwrap();
    let peak = whole.memory().peak;
    assert!(peak > 0);
    // Other tests use the same device, so the peak is no measure: budgets up to it, some of which fit.
    let mut failures = HashSet::new();
    for step in 1..=24 {
        let budget = Some(step * 6_000);
        let device = device_with(&Options {
            ordinal: 0,
            vram_budget: budget,
        })
        .unwrap();
        match prove_with(&device) {
            Ok(()) => {}
            Err(Error::OutOfDeviceMemory(text) | Error::Resource(text)) => {
                assert!(
                    text.contains("OutOfDeviceMemory") || text.contains("needs"),
                    "{text}"
                );
                failures.insert(text);
            }
            Err(other) => panic!("{other}"),
        }
        assert_eq!(
            device.memory().live,
            0,
            "all is freed after {budget:?} bytes"
        );
    }
    assert!(failures.len() > 3, "{failures:?}");
}

#[test]
fn memory_is_what_was_planned() {
    type E = Challenge<4>;
    if device().is_none() {
        return;
    }
    // Its own account of memory.
    let device = device_with(&Options::default()).unwrap();
    let case = Case {
        log_arity: 2,
        ..PLAIN
    };
    let cuda = case.cuda::<E>(&device);
    let shapes: [&[MatrixShape]; 2] = [&[(10, 3, true), (12, 20, true)], &[(11, 8, false)]];
    let of_matrix = |&(log_rows, width, next): &MatrixShape| MatrixPlan {
        log_rows: log_rows as u32,
        width,
        num_points: 1 + usize::from(next),
    };
    let plans = shapes.map(|shape| shape.iter().map(of_matrix).collect::<Vec<_>>());
    // The plan holds, and does not exceed what is used by more than a fifth.
    let check = |planned: u64, before: u64, what: &str| {
        let used = device.memory().peak - before;
        assert!(
            used <= planned && planned <= used + used / 5,
            "{what}: {used} of {planned} planned"
        );
        device.reset_peak();
    };
    let mut rng = Rng::new(2);
    let mut challenger = plonky3();
    device.synchronize().unwrap();
    device.reset_peak();
    let mut committed = Vec::new();
    for (shape, plan) in shapes.iter().zip(&plans) {
        let before = device.memory().live;
        let evaluations: Vec<_> = shape
            .iter()
            .map(|&(log_rows, width, _)| {
                (
                    Domain::new(Val::ONE, log_rows).unwrap(),
                    matrix(&mut rng, log_rows, width),
                )
            })
            .collect();
        let (_, data) = Pcs::<E, Challenger>::commit(&cuda, evaluations).unwrap();
        assert_eq!(device.memory().live - before, cuda.committed_bytes(plan));
        check(
            cuda.plan_commit(plan, false).unwrap().peak_bytes(),
            before,
            "commit",
        );
        committed.push(data);
    }
    let before = device.memory().live;
    let zeta: E = challenger.sample();
    let requests = committed
        .iter()
        .zip(points(&shapes, zeta))
        .map(|(data, points)| {
            let points: Vec<_> = points.into_iter().map(|(_, points)| points).collect();
            (data, points).into()
        });
    cuda.open(requests.collect(), &mut challenger).unwrap();
    let plans: Vec<_> = plans.iter().map(Vec::as_slice).collect();
    check(cuda.plan_open(&plans).peak_bytes(), before, "open");
    assert_eq!(device.memory().live, before);
}
