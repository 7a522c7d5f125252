//! Multi-scalar multiplication over BN254's G1, beside arkworks' and, with `--features peers`, halo2curves'.
//!
//! `cargo bench --bench msm --features peers -- [--min-log 10] [--max-log 18] [--samples 5]`. Every sample of a row runs
//! each implementation once, one after the other; times are medians. Inputs are converted to each library's own types
//! beforehand: arkworks multiplies 31-bit scalars with `msm_u32`, halo2curves only has `msm_best`. All results are
//! compared.

use std::time::Instant;

use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::PrimeField;
use rewit::backend::curve::{Fr, G1Affine, G1Projective, Scalars};
use rewit::backend::{Bases, KeyOptions, msm};
use rewit::segment::Runner;
use rewit::vm::Program;
use rewit::witness::{P, fill_from_reads, from_monty};

/// Most memory for points and their multiples in the column `multiples`.
const BUDGET: u64 = 1 << 30;
/// Cycles of the segment whose trace gives witness scalars.
const LOG_CYCLES: u32 = 16;

struct Options {
    min_log: u32,
    max_log: u32,
    samples: usize,
}

/// # Panics
/// On a flag that is not known or a value that is no number.
fn options() -> Options {
    let mut options = Options {
        min_log: 10,
        max_log: 18,
        samples: 5,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || -> u32 {
            let value = args.next().and_then(|value| value.parse().ok());
            value.unwrap_or_else(|| panic!("{arg} takes a number"))
        };
        match arg.as_str() {
            "--min-log" => options.min_log = value(),
            "--max-log" => options.max_log = value(),
            "--samples" => options.samples = value().max(1) as usize,
            "--test" => (options.min_log, options.max_log, options.samples) = (10, 10, 1),
            "--bench" => {}
            _ => panic!("{arg} is no flag of this benchmark"),
        }
    }
    options
}

/// Elements of a field from a hash.
fn random<F: PrimeField>(len: usize, seed: &str) -> Vec<F> {
    let mut source = blake3::Hasher::new_derive_key("rewit msm benchmark")
        .update(seed.as_bytes())
        .finalize_xof();
    let mut bytes = [0; 48];
    let mut next = || {
        source.fill(&mut bytes);
        F::from_le_bytes_mod_order(&bytes)
    };
    (0..len).map(|_| next()).collect()
}

/// Different points.
fn points(len: usize) -> Vec<G1Affine> {
    let start = random::<Fr>(2, "points");
    let step = (G1Affine::generator() * start[0]).into_affine();
    let mut point = G1Affine::generator() * start[1];
    let mut points = Vec::with_capacity(len);
    while points.len() < len {
        let more: Vec<G1Projective> = (0..(len - points.len()).min(1 << 12))
            .map(|_| {
                point += step;
                point
            })
            .collect();
        points.extend(G1Projective::normalize_batch(&more));
    }
    points
}

/// Cells of the trace of a segment, repeated if there are too few, as integers around zero.
fn witness(len: usize) -> Vec<i64> {
    let elf = std::fs::read("guests/prebuilt/sha2-chain.elf").expect("prebuilt guest");
    let input = std::fs::read("guests/inputs/sha2-chain.txt").expect("its input");
    let program = Program::from_elf(elf).expect("prebuilt guests are valid");
    let mut runner = Runner::new(&program, &input, LOG_CYCLES, 8).expect("guest starts");
    runner.skip_segment().expect("the guest has two segments");
    let recording = runner.next_segment().expect("the guest has two segments");
    let made = fill_from_reads(&program, &recording.segment, &recording.reads, Vec::new());
    let words = made.expect("regenerates").cpu.words;
    let signed = |word: &u32| {
        let value = i64::from(from_monty(*word));
        let p = i64::from(P);
        if value > p / 2 { value - p } else { value }
    };
    words.iter().map(signed).cycle().take(len).collect()
}

/// What is measured: a name and how it is computed.
type Contender<'a> = (&'static str, Box<dyn Fn() -> G1Affine + 'a>);

/// Medians in milliseconds, of samples taken in turn.
///
/// # Panics
/// If two results differ.
fn race(contenders: &[Contender<'_>], samples: usize) -> Vec<f64> {
    let mut times = vec![Vec::new(); contenders.len()];
    let expected = contenders[0].1();
    for _ in 0..samples {
        for ((name, run), times) in contenders.iter().zip(&mut times) {
            let start = Instant::now();
            let result = run();
            times.push(start.elapsed().as_secs_f64() * 1e3);
            assert_eq!(result, expected, "{name}");
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    };
    times.iter_mut().map(median).collect()
}

#[cfg(feature = "peers")]
mod peer {
    use ark_ec::AffineRepr;
    use ark_ff::{BigInteger, PrimeField};
    use halo2curves::bn256;
    use halo2curves::ff::PrimeField as _;
    use halo2curves::group::Curve;
    use halo2curves::{CurveAffine, msm::msm_best};
    use rewit::backend::curve::{Fr, G1Affine};

    fn bytes(value: impl PrimeField) -> [u8; 32] {
        let bytes = value.into_bigint().to_bytes_le();
        bytes.try_into().expect("32 bytes")
    }

    pub(crate) fn point(point: &G1Affine) -> bn256::G1Affine {
        let (x, y) = point.xy().expect("not infinity");
        let [x, y] =
            [x, y].map(|value| bn256::Fq::from_repr(bytes(value).into()).expect("below q"));
        bn256::G1Affine::from_xy(x, y).expect("on the curve")
    }

    pub(crate) fn scalar(scalar: &Fr) -> bn256::Fr {
        bn256::Fr::from_repr(bytes(*scalar).into()).expect("below r")
    }

    pub(crate) fn msm(scalars: &[bn256::Fr], points: &[bn256::G1Affine]) -> bn256::G1Affine {
        msm_best(scalars, points).to_affine()
    }

    pub(crate) fn back(point: &bn256::G1Affine) -> G1Affine {
        let field =
            |value: bn256::Fq| ark_bn254::Fq::from_le_bytes_mod_order(value.to_repr().as_ref());
        G1Affine::new_unchecked(field(point.x), field(point.y))
    }
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let name = model.and_then(|line| line.split(": ").nth(1));
    name.unwrap_or("unknown processor").to_owned()
}

fn simd() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512ifma") && is_x86_feature_detected!("avx512vbmi2") {
        return "AVX-512 IFMA";
    }
    "no vectors"
}

fn main() {
    let options = options();
    println!(
        "{}, {} threads, {}; ms, medians of {}; once: points as arkworks has them, key: points prepared, \
         multiples: with multiples of them in at most {} MiB",
        processor(),
        rayon::current_num_threads(),
        simd(),
        options.samples,
        BUDGET >> 20,
    );
    let most = 1usize << options.max_log;
    let points = points(most);
    #[cfg(feature = "peers")]
    let peer_points: Vec<_> = points.iter().map(peer::point).collect();
    let full: Vec<Fr> = random(most, "scalars");
    let words = random::<Fr>(most, "31 bits");
    let narrow: Vec<u32> = words
        .iter()
        .map(|word| (word.into_bigint().0[0] >> 33) as u32)
        .collect();
    let small: Vec<i64> = narrow.iter().map(|word| i64::from(*word)).collect();
    let cells = witness(most);
    for log in options.min_log..=options.max_log {
        let len = 1usize << log;
        let points = &points[..len];
        let key = |budget| {
            let options = KeyOptions {
                budget,
                expected_len: len,
            };
            Bases::new(points, options)
        };
        let start = Instant::now();
        let plain = key(0);
        let prepared = start.elapsed();
        let start = Instant::now();
        let multiples = key(BUDGET);
        println!(
            "2^{log}: key made in {prepared:.1?}, with multiples in {:.1?}",
            start.elapsed()
        );
        let kinds = [
            ("full", Scalars::Full(&full[..len])),
            ("31-bit", Scalars::Small(&small[..len])),
            ("witness", Scalars::Small(&cells[..len])),
        ];
        for (kind, scalars) in kinds {
            let elements = scalars.to_vec();
            #[cfg(feature = "peers")]
            let peer_scalars: Vec<_> = elements.iter().map(peer::scalar).collect();
            let mut contenders: Vec<Contender<'_>> = vec![
                ("key", Box::new(|| plain.msm(0, scalars).into_affine())),
                ("once", Box::new(|| msm(points, scalars).into_affine())),
                (
                    "multiples",
                    Box::new(|| multiples.msm(0, scalars).into_affine()),
                ),
            ];
            let ours = contenders.len();
            contenders.push((
                "arkworks",
                if kind == "31-bit" {
                    Box::new(|| G1Projective::msm_u32(points, &narrow[..len]).into_affine())
                } else {
                    Box::new(|| {
                        let sum = G1Projective::msm(points, &elements);
                        sum.expect("as many scalars").into_affine()
                    })
                },
            ));
            #[cfg(feature = "peers")]
            contenders.push((
                "halo2curves",
                Box::new(|| peer::back(&peer::msm(&peer_scalars, &peer_points[..len]))),
            ));
            let times = race(&contenders, options.samples);
            print!("  {kind:8}");
            for (index, ((name, _), time)) in contenders.iter().zip(&times).enumerate() {
                print!(" {name} {time:.3}");
                if index >= ours {
                    let [key, once] = [time / times[0], time / times[1]];
                    print!(" ({key:.1} x key, {once:.1} x once)");
                }
            }
            println!();
        }
    }
}
