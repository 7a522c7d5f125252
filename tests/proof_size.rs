//! The size model against real opening proofs: random matrices through FRI, each proof verified,
//! and refused with one bit changed.

use p3_batch_stark::StarkGenericConfig;
use p3_challenger::{CanObserve, FieldChallenger};
use p3_commit::Pcs;
use p3_field::{ExtensionField, PrimeCharacteristicRing};
use p3_matrix::dense::RowMajorMatrix;
use rewit::stark::config::{Challenge, Challenger, Config, Pcs as Fri, Val, config};
use rewit::stark::size::{Tree, fold_schedule, opening, siblings, siblings_at};
use rewit::stark::{Grinding, Params};

/// Small deterministic generator (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.next() as usize % of.len()]
    }

    fn matrix(&mut self, log_height: u32, width: usize) -> RowMajorMatrix<Val> {
        let cells = width << log_height;
        let values = (0..cells).map(|_| Val::from_u32(self.next() as u32));
        RowMajorMatrix::new(values.collect(), width)
    }
}

/// What a proof came to, in bytes.
struct Measured {
    bytes: usize,
    /// Of these, digests of merged paths: all that depends on chance.
    paths: usize,
}

/// Commits to `trees` of random cells, opens every column at two points, verifies the serialized
/// proof, and checks that it is refused with one bit changed.
fn measure<E: ExtensionField<Val>>(
    trees: &[Tree],
    params: &Params,
    random: &mut Random,
) -> Measured {
    type Scheme<E> = Fri<E>;
    let seed = [random.next() as u8; 32];
    let config: Config<E> = config(params, &seed);
    let pcs = config.pcs();
    let mut challenger = config.initialise_challenger();
    let mut commitments = Vec::new();
    let mut data = Vec::new();
    for tree in trees {
        let matrices = tree.iter().map(|(log_height, width)| {
            let domain =
                <Scheme<E> as Pcs<E, Challenger>>::natural_domain_for_degree(pcs, 1 << log_height);
            (domain, random.matrix(*log_height, *width))
        });
        let matrices: Vec<_> = matrices.collect();
        let domains: Vec<_> = matrices.iter().map(|(domain, _)| *domain).collect();
        let (commitment, tree_data) =
            <Scheme<E> as Pcs<E, Challenger>>::commit(pcs, matrices).expect("commits");
        challenger.observe(commitment.clone());
        commitments.push((commitment, domains));
        data.push(tree_data);
    }
    let point: E = challenger.sample_algebra_element();
    let points = vec![point, point + E::ONE];
    let verifier = challenger.clone();
    let requests = data.iter().zip(trees);
    let requests = requests.map(|(data, tree)| (data, vec![points.clone(); tree.len()]).into());
    let (values, proof) = pcs
        .open(requests.collect(), &mut challenger)
        .expect("opens");
    let bytes = postcard::to_allocvec(&proof).expect("serializes");

    let claims = |values: &[Vec<Vec<Vec<E>>>]| {
        let claims = commitments.iter().zip(values);
        let claims = claims.map(|((commitment, domains), values)| {
            let matrices = domains.iter().zip(values);
            let matrices = matrices.map(|(domain, values)| {
                let claims = points.iter().copied().zip(values.iter().cloned());
                (*domain, claims.collect::<Vec<_>>())
            });
            (commitment.clone(), matrices.collect::<Vec<_>>()).into()
        });
        claims.collect::<Vec<_>>()
    };
    let accepts = |bytes: &[u8]| {
        let proof: <Scheme<E> as Pcs<E, Challenger>>::Proof = match postcard::from_bytes(bytes) {
            Ok(proof) => proof,
            Err(_) => return false,
        };
        pcs.verify(claims(&values), &proof, &mut verifier.clone())
            .is_ok()
    };
    assert!(accepts(&bytes), "verifies: {trees:?} {params:?}");
    let mut changed = bytes.clone();
    let bit = random.next() as usize % (8 * bytes.len());
    changed[bit / 8] ^= 1 << (bit % 8);
    assert!(
        !accepts(&changed),
        "bit {bit} is bound: {trees:?} {params:?}"
    );

    let inputs = proof.input_openings.iter();
    let inputs = inputs.map(|opening| opening.opening_proof.sibling_hashes.len());
    let rounds = proof.commit_phase_openings.iter();
    let rounds = rounds.map(|step| step.opening_proof.sibling_hashes.len());
    Measured {
        bytes: bytes.len(),
        paths: 32 * inputs.chain(rounds).sum::<usize>(),
    }
}

fn params(log_blowup: u8, num_queries: u16, log_arity: u8) -> Params {
    Params {
        log_blowup,
        num_queries,
        log_arity,
        log_final_len: 0,
        cap_height: 0,
        extension: 4,
        grinding: Grinding::default(),
    }
}

/// Configurations that sweep every parameter, heights and widths: one tree, and several of mixed
/// heights.
fn configurations(random: &mut Random) -> Vec<(Vec<Tree>, Params)> {
    let mut configurations = Vec::new();
    for log_blowup in [1, 2, 3] {
        for log_arity in [1, 2, 3, 4] {
            for log_height in [8, 10, 12] {
                let queries = 90 / u16::from(log_blowup);
                let params = params(log_blowup, queries, log_arity);
                let width = random.pick(&[1, 8, 40, 200]);
                configurations.push((vec![vec![(log_height, width)]], params));
            }
        }
    }
    for case in 0..80 {
        let log_height = 8 + case % 5;
        let trees = (0..random.pick(&[1, 2, 3, 4])).map(|tree| {
            let matrices = (0..random.pick(&[1, 2, 3])).map(|matrix| {
                let less = if tree + matrix == 0 {
                    0
                } else {
                    random.pick(&[0, 0, 1, 2, 3])
                };
                let log_height: u32 = log_height - less;
                (log_height.max(6), random.pick(&[1, 4, 16, 100, 150]))
            });
            matrices.collect()
        });
        let trees: Vec<Tree> = trees.collect();
        let params = Params {
            log_blowup: random.pick(&[1, 1, 2, 3, 4]),
            num_queries: random.pick(&[20, 35, 60, 100, 150]),
            log_arity: random.pick(&[1, 2, 3, 4, 5]),
            log_final_len: random.pick(&[0, 1, 3, 5]),
            cap_height: random.pick(&[0, 0, 1, 3, 5]),
            extension: random.pick(&[4, 5]),
            grinding: Grinding {
                query: random.pick(&[0, 4]),
                commit: random.pick(&[0, 2]),
                batch: random.pick(&[0, 3]),
                ..Grinding::default()
            },
        };
        configurations.push((trees, params));
    }
    configurations.push((vec![vec![(14, 100)]], params(1, 100, 1)));
    configurations
}

/// Fewest proofs of a configuration: of fewer, the spread is too uncertain to stop by.
const MIN_PROOFS: f64 = 32.0;

/// Relative standard error at which the mean length of a configuration's proofs is known well enough.
/// Which positions are queried is chance, the same for all trees of a proof, and moves a proof of
/// few queries by several percent around its expected length.
const STANDARD_ERROR: f64 = 0.002;

#[test]
fn model_is_within_one_percent_of_measured_proofs() {
    let mut random = Random(7);
    let configurations = configurations(&mut random);
    assert!(configurations.len() >= 100);
    for (trees, params) in &configurations {
        let size = opening(trees, params);
        let fixed = size.total() - size.input_paths - size.fri_paths;
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        let (mean, error) = loop {
            let measured = match params.extension {
                4 => measure::<Challenge<4>>(trees, params, &mut random),
                _ => measure::<Challenge<5>>(trees, params, &mut random),
            };
            // All but the paths is exact; the lengths of these may take a byte more or less.
            let rest = (measured.bytes - measured.paths) as f64;
            let lengths = 4.0 + trees.len() as f64;
            assert!(
                (rest - fixed).abs() <= lengths,
                "{rest} {size:?} {trees:?} {params:?}"
            );
            count += 1.0;
            sum += measured.bytes as f64;
            squares += (measured.bytes as f64).powi(2);
            let mean: f64 = sum / count;
            let variance = (squares / count - mean.powi(2)).max(0.0);
            let error = (variance / (count - 1.0)).sqrt() / mean;
            if count >= MIN_PROOFS && error <= STANDARD_ERROR {
                break (mean, error);
            }
        };
        let residual = mean / size.total() - 1.0;
        println!(
            "{mean:>9.0} measured {:>9.0} modelled {:>6.2} ± {:.2} % {count:>4} proofs",
            size.total(),
            100.0 * residual,
            100.0 * error
        );
        assert!(
            residual.abs() <= 0.01,
            "{mean} {size:?} {trees:?} {params:?}"
        );
    }
}

#[test]
fn siblings_of_few_and_many_queries() {
    // One position has a whole path; a cap cuts it short.
    assert!((siblings(10, 0, 1) - 10.0).abs() < 1e-9);
    assert!((siblings(10, 4, 1) - 6.0).abs() < 1e-9);
    assert!(siblings(10, 10, 50).abs() < 1e-9);
    // Two leaves: both are queried, and nothing is sent, but for both choosing the same.
    assert!((siblings_at(1, 2) - 0.5).abs() < 1e-9);
    // Everything is queried, nearly surely.
    assert!(siblings(8, 0, 5000) < 1e-5);
    // By enumeration: eight leaves, all 8^3 choices of three positions.
    let mut sent = 0;
    for choice in 0..512usize {
        let mut nodes = vec![choice & 7, choice >> 3 & 7, choice >> 6];
        for _ in 0..3 {
            nodes.sort_unstable();
            nodes.dedup();
            sent += nodes
                .iter()
                .filter(|node| !nodes.contains(&(**node ^ 1)))
                .count();
            nodes.iter_mut().for_each(|node| *node /= 2);
        }
    }
    assert!((siblings(3, 0, 3) - sent as f64 / 512.0).abs() < 1e-9);
}

#[test]
fn schedule_is_that_of_plonky3() {
    let mut random = Random(11);
    for _ in 0..1000 {
        let mut heights = [(); 4].map(|()| 8 + (random.next() % 14) as u32).to_vec();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        heights.dedup();
        let params = Params {
            log_final_len: (random.next() % 8) as u8,
            ..params(
                1 + (random.next() % 5) as u8,
                1,
                1 + (random.next() % 5) as u8,
            )
        };
        let blowup = usize::from(params.log_blowup);
        let extended: Vec<_> = heights
            .iter()
            .map(|height| *height as usize + blowup)
            .collect();
        let last = blowup + usize::from(params.log_final_len);
        let theirs = p3_fri::fold_schedule(&extended, last, params.log_arity.into());
        let ours = fold_schedule(&heights, &params);
        assert!(
            ours.iter().map(|arity| *arity as usize).eq(theirs),
            "{heights:?} {params:?}"
        );
    }
}
