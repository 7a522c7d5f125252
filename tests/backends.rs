//! One suite over every backend: the CPU against definitions, a GPU (or its stand-in) and both side
//! by side against the same.

#[cfg(feature = "cuda")]
mod device;
mod guests;

use guests::{Encoded, Guest, shipment};
use p3_baby_bear::BabyBear;
use p3_commit::Mmcs;
use p3_dft::{NaiveDft, TwoAdicSubgroupDft};
use p3_field::extension::BinomialExtensionField;
use p3_field::{BasedVectorSpace, Field, PrimeCharacteristicRing, TwoAdicField};
use p3_matrix::Dimensions;
use p3_util::reverse_bits_len;
use rewit::Error;
use rewit::backend::types::{ValMmcs, val_mmcs};
use rewit::backend::{Backend, Checked, Cpu};
use rewit::segment::Runner;
use rewit::ship::{Payload, Shipment};
use rewit::witness::{Matrix, P, Witness};

type Challenge = BinomialExtensionField<BabyBear, 4>;

/// A small deterministic generator (SplitMix64).
struct Rng(u64);

impl Rng {
    fn word(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) as u32
    }

    /// A field element in Montgomery form, often one of the ends.
    fn element(&mut self) -> u32 {
        match self.word() % 8 {
            0 => 0,
            1 => P - 1,
            _ => self.word() % P,
        }
    }

    fn table(&mut self, height: usize, width: usize) -> Matrix {
        Matrix {
            width,
            words: (0..height * width).map(|_| self.element()).collect(),
        }
    }

    fn challenge(&mut self) -> Challenge {
        Challenge::from_basis_coefficients_fn(|_| BabyBear::from_u32(self.word() % P))
    }
}

/// The definition of an extension: a Fourier transform of quadratic cost, rows bit-reversed.
fn naive_lde(table: &Matrix, log_blowup: u32) -> Matrix {
    let extended = NaiveDft.coset_lde_batch(
        table.clone().into_field(),
        log_blowup as usize,
        BabyBear::GENERATOR,
    );
    let natural = Matrix::from_field(extended);
    let log = natural.height().ilog2() as usize;
    let rows = (0..natural.height()).map(|i| natural.row(reverse_bits_len(i, log)));
    Matrix {
        width: table.width,
        words: rows.flatten().copied().collect(),
    }
}

/// Heights at which algorithms change: a single row, one butterfly, warps and blocks of threads; up to
/// 2^14 rows one kernel of the GPU does all, from 2^15 on three passes over memory do.
const HEIGHTS: [usize; 10] = [1, 2, 4, 32, 64, 256, 2048, 4096, 1 << 14, 1 << 15];

fn transfers<B: Backend>(backend: &B) {
    let mut rng = Rng(1);
    for height in [1, 2, 31, 32, 33, 1000] {
        for width in [1, 3, 31, 32, 33, 174] {
            let table = rng.table(height, width);
            let there = backend.upload(table.clone()).unwrap();
            assert!(
                backend.download(&there).unwrap() == table,
                "{height} x {width}"
            );
        }
    }
}

fn extensions<B: Backend>(backend: &B) {
    let mut rng = Rng(2);
    for height in HEIGHTS {
        // Tall ones are narrow, to be quick.
        let shapes: &[(usize, u32)] = match height {
            ..=4096 => &[(1, 0), (1, 1), (5, 2), (17, 1), (2, 3)],
            _ => &[(1, 0), (3, 1)],
        };
        for &(width, log_blowup) in shapes {
            // The definition takes quadratic time; beyond 256 rows Plonky3's fast transform stands in
            // for it, which the CPU backend is.
            let small = height <= 256;
            let table = rng.table(height, width);
            let expected = if small {
                naive_lde(&table, log_blowup)
            } else {
                Cpu.lde(&table, log_blowup).unwrap()
            };
            let there = backend.upload(table.clone()).unwrap();
            let extended = backend.lde(&there, log_blowup).unwrap();
            let back = backend.download(&extended).unwrap();
            assert!(
                back == expected,
                "{height} x {width}, blowup 2^{log_blowup}"
            );
            assert!(
                backend.download(&there).unwrap() == table,
                "the trace changed"
            );
        }
    }
    let odd = backend.upload(rng.table(3, 1)).unwrap();
    assert!(matches!(backend.lde(&odd, 1), Err(Error::Usage(_))));
    let long = backend.upload(rng.table(2, 1)).unwrap();
    for log_blowup in [27, 64, u32::MAX] {
        let refused = backend.lde(&long, log_blowup);
        assert!(matches!(refused, Err(Error::Usage(_))), "2^{log_blowup}");
    }
}

fn commitments<B: Backend>(backend: &B) {
    let mut rng = Rng(3);
    // One row; equal heights; mixed heights, wide rows (over one and two BLAKE3 chunks) among them.
    let shapes: [&[(usize, usize)]; 6] = [
        &[(1, 1)],
        &[(2, 256)],
        &[(64, 174), (64, 1)],
        &[(16, 3), (16, 5), (8, 2), (4, 257), (4, 1), (1, 7)],
        &[(512, 20), (32, 600)],
        &[(4096, 2)],
    ];
    for shape in shapes {
        let tables: Vec<Matrix> = shape.iter().map(|(h, w)| rng.table(*h, *w)).collect();
        let tallest = shape.iter().map(|(h, _)| *h).max().unwrap();
        for cap_height in [0, 2] {
            let there = || {
                tables
                    .iter()
                    .map(|table| backend.upload(table.clone()).unwrap())
                    .collect()
            };
            if 1 << cap_height > tallest {
                let refused = backend.commit(there(), cap_height);
                assert!(matches!(refused, Err(Error::Usage(_))));
                continue;
            }
            let (cap, tree) = backend.commit(there(), cap_height).unwrap();
            let mmcs: ValMmcs = val_mmcs(cap_height);
            let (expected, _) =
                mmcs.commit(tables.iter().map(|t| t.clone().into_field()).collect());
            assert_eq!(cap, expected.roots(), "{shape:?}, cap {cap_height}");

            // First and last, out of order, twice.
            let mut indices = vec![tallest - 1, 0, tallest / 2, tallest - 1];
            indices.extend((0..5).map(|_| rng.word() as usize % tallest));
            let opening = backend.open(&tree, &indices).unwrap();
            for (index, rows) in indices.iter().zip(&opening.rows) {
                for (table, row) in tables.iter().zip(rows) {
                    let shift = tallest.ilog2() - table.height().ilog2();
                    assert_eq!(row, table.row(index >> shift), "{shape:?} row {index}");
                }
            }
            let dimensions: Vec<Dimensions> = shape
                .iter()
                .map(|&(height, width)| Dimensions { width, height })
                .collect();
            let rows: Vec<Vec<Vec<BabyBear>>> = opening
                .rows
                .iter()
                .map(|rows| rows.iter().map(|row| field(row)).collect())
                .collect();
            let paths = p3_merkle_tree::PrunedMerklePaths {
                sibling_hashes: opening.siblings.clone(),
            };
            mmcs.verify_multi_batch(&expected, &dimensions, &indices, &rows, &paths)
                .unwrap_or_else(|e| panic!("{shape:?}, cap {cap_height}: {e:?}"));
            let refused = backend.open(&tree, &[tallest]);
            assert!(matches!(refused, Err(Error::Usage(_))));
        }
    }
    let odd = vec![backend.upload(rng.table(3, 1)).unwrap()];
    assert!(matches!(backend.commit(odd, 0), Err(Error::Usage(_))));
    assert!(matches!(backend.commit(vec![], 0), Err(Error::Usage(_))));
}

fn field(words: &[u32]) -> Vec<BabyBear> {
    let table = Matrix {
        width: words.len(),
        words: words.to_vec(),
    };
    table.into_field().values
}

fn evaluations<B: Backend>(backend: &B) {
    let mut rng = Rng(4);
    for (height, width, log_blowup) in
        [(1, 3, 1), (2, 1, 2), (64, 7, 1), (1024, 33, 0), (512, 2, 3)]
    {
        let table = rng.table(height, width);
        let point = rng.challenge();
        let there = backend.upload(table.clone()).unwrap();
        let extended = backend.lde(&there, log_blowup).unwrap();
        let values = backend.evaluate(&extended, log_blowup, point).unwrap();
        // By Horner's rule from the coefficients.
        let coefficients = NaiveOrFast.coefficients(&table);
        for (col, value) in values.iter().enumerate() {
            let expected = coefficients
                .chunks_exact(width)
                .rev()
                .fold(Challenge::ZERO, |sum, row| sum * point + row[col]);
            assert_eq!(*value, expected, "{height} x {width}, column {col}");
        }
        assert_eq!(values.len(), width);
    }
    // Of a height that no extension has; with larger blowups than it has rows.
    let point = rng.challenge();
    for (height, log_blowup) in [(3, 0), (3, 1), (1, 1), (4, 3), (4, 64), (4, u32::MAX)] {
        let table = backend.upload(rng.table(height, 2)).unwrap();
        let refused = backend.evaluate(&table, log_blowup, point);
        assert!(
            matches!(refused, Err(Error::Usage(_))),
            "{height} rows, blowup 2^{log_blowup}"
        );
    }
}

struct NaiveOrFast;

impl NaiveOrFast {
    /// Coefficients of each column, row-major.
    fn coefficients(&self, table: &Matrix) -> Vec<BabyBear> {
        NaiveDft.idft_batch(table.clone().into_field()).values
    }
}

fn folds<B: Backend>(backend: &B) {
    let mut rng = Rng(5);
    for (log_len, log_arity) in [(1, 1), (3, 3), (5, 1), (8, 2), (10, 3), (11, 4)] {
        let values: Vec<Challenge> = (0..1 << log_len).map(|_| rng.challenge()).collect();
        let beta = rng.challenge();
        let layer = backend.upload_layer(values.clone()).unwrap();
        assert_eq!(backend.download_layer(&layer).unwrap(), values);
        let folded = backend.fri_fold(&layer, log_arity, beta).unwrap();
        let folded = backend.download_layer(&folded).unwrap();
        // By the definition, halving at a time: (lo + hi) / 2 + beta (lo - hi) / (2 x).
        let mut expected = values;
        let mut power = beta;
        for _ in 0..log_arity {
            let log_half = expected.len().ilog2() as usize - 1;
            let root = BabyBear::two_adic_generator(log_half + 1);
            expected = expected
                .chunks_exact(2)
                .enumerate()
                .map(|(i, pair)| {
                    let x = root.exp_u64(reverse_bits_len(i, log_half) as u64);
                    (pair[0] + pair[1]).halve() + power * (pair[0] - pair[1]) * x.double().inverse()
                })
                .collect();
            power = power.square();
        }
        assert_eq!(folded, expected, "2^{log_len} by 2^{log_arity}");
        for log_arity in [0, log_len + 1, u32::MAX] {
            let refused = backend.fri_fold(&layer, log_arity, beta);
            assert!(matches!(refused, Err(Error::Usage(_))), "2^{log_arity}");
        }
    }
    for len in [0, 3, 12] {
        let layer = (0..len).map(|_| rng.challenge()).collect();
        let refused = backend.upload_layer(layer);
        assert!(matches!(refused, Err(Error::Usage(_))), "{len} evaluations");
    }
}

/// From every encoding, also relative to the memory before, at the sizes where padding starts and chunks end.
fn witnesses<B: Backend>(backend: &B) {
    for (name, log_cycles, log_chunk, take) in [
        ("fib", 4, 2, 2),
        ("sort", 8, 4, 2),
        ("block", 9, 5, 3),
        // The last segment, which is padded.
        ("fib", 10, 6, 0),
    ] {
        let guest = Guest::small(name);
        let program = &guest.program;
        let runner = || Runner::new(program, &guest.input, log_cycles, log_chunk).unwrap();
        let mut skip = 0;
        if take == 0 {
            let mut run = runner();
            while run.skip_segment().is_some() {
                skip += 1;
            }
        }
        let mut runner = runner();
        let mut previous = program.initial_pages();
        for _ in 1..skip {
            previous = runner.image();
            runner.skip_segment();
        }
        let mut reuse = None;
        for _ in 0..take.max(1) {
            let Some(encoded) = guest.next_encoded(&mut runner, &previous) else {
                break;
            };
            let Encoded {
                recording,
                image,
                witness: expected,
                payloads,
            } = encoded;
            let segment = recording.segment;
            for payload in payloads {
                let shipment = shipment(program, &recording, payload);
                let encoding = shipment.encoding();
                let at = format!("{name}, segment {} from {encoding}", segment.index);
                let made = backend
                    .regenerate(program, shipment.clone(), Some(&previous), reuse.take())
                    .unwrap_or_else(|e| panic!("{at}: {e}"));
                let back: Witness = made
                    .witness
                    .as_ref()
                    .try_map(|t| backend.download(t))
                    .unwrap();
                assert!(back == expected, "{at}: another witness");
                reuse = Some(made.witness);

                let mut other = shipment;
                other.segment.end.x[7] ^= 4;
                let refused = backend.regenerate(program, other, Some(&previous), None);
                assert!(
                    matches!(refused, Err(Error::Replay(_))),
                    "{at}: a wrong end state is accepted"
                );
            }
            previous = image;
        }
    }
}

fn suite<B: Backend>(backend: &B) {
    transfers(backend);
    extensions(backend);
    commitments(backend);
    evaluations(backend);
    folds(backend);
    witnesses(backend);
}

#[test]
fn the_cpu() {
    suite(&Cpu);
}

#[test]
fn the_cpu_against_itself() {
    suite(&Checked::new(Cpu, Cpu));
}

/// A backend that changes one cell, to see that the check finds it.
struct Wrong;

mod wrong {
    //! Delegates to the CPU, with one difference a stage.

    use super::*;
    use rewit::Result;
    use rewit::backend::{CpuTree, Opening, Regenerated};
    use rewit::segment::Pages;
    use rewit::vm::Program;

    fn change(mut table: Matrix, at: usize) -> Matrix {
        table.words[at] = (table.words[at] + 1) % P;
        table
    }

    impl Backend for Wrong {
        type Table = Matrix;
        type Tree = CpuTree;
        type Layer = Vec<Challenge>;

        fn name(&self) -> &'static str {
            "wrong"
        }
        fn regenerate(
            &self,
            program: &Program,
            shipment: Shipment,
            base: Option<&Pages>,
            reuse: Option<Witness>,
        ) -> Result<Regenerated> {
            let mut made = Cpu.regenerate(program, shipment, base, reuse)?;
            made.witness.boundary = change(made.witness.boundary, 18);
            Ok(made)
        }
        fn upload(&self, table: Matrix) -> Result<Matrix> {
            Ok(table)
        }
        fn download(&self, table: &Matrix) -> Result<Matrix> {
            Ok(table.clone())
        }
        fn lde(&self, table: &Matrix, log_blowup: u32) -> Result<Matrix> {
            Ok(change(Cpu.lde(table, log_blowup)?, 5))
        }
        fn commit(&self, tables: Vec<Matrix>, cap: u8) -> Result<(Vec<[u8; 32]>, CpuTree)> {
            let tables = tables.into_iter().map(|table| change(table, 0)).collect();
            Cpu.commit(tables, cap)
        }
        fn open(&self, tree: &CpuTree, indices: &[usize]) -> Result<Opening> {
            let mut opening = Cpu.open(tree, indices)?;
            opening.siblings[0][3] ^= 1;
            Ok(opening)
        }
        fn evaluate(
            &self,
            lde: &Matrix,
            log_blowup: u32,
            point: Challenge,
        ) -> Result<Vec<Challenge>> {
            Cpu.evaluate(lde, log_blowup, point + Challenge::ONE)
        }
        fn upload_layer(&self, values: Vec<Challenge>) -> Result<Vec<Challenge>> {
            Ok(values)
        }
        fn download_layer(&self, layer: &Vec<Challenge>) -> Result<Vec<Challenge>> {
            Ok(layer.clone())
        }
        fn fri_fold(
            &self,
            layer: &Vec<Challenge>,
            log: u32,
            beta: Challenge,
        ) -> Result<Vec<Challenge>> {
            Cpu.fri_fold(layer, log, beta.double())
        }
    }
}

#[test]
fn a_check_names_the_first_difference() {
    let checked = Checked::new(Cpu, Wrong);
    let mut rng = Rng(6);
    let text = |error: Option<Error>| match error {
        Some(Error::Differs(what)) => what,
        other => panic!("{other:?}"),
    };
    let table = checked.upload(rng.table(8, 3)).unwrap();
    let lde = text(checked.lde(&table, 1).err());
    assert!(
        lde.starts_with("cpu and wrong: lde, row 1, column 2: 0x"),
        "{lde}"
    );
    let commit = checked.commit(vec![checked.upload(rng.table(8, 3)).unwrap()], 0);
    assert!(text(commit.err()).starts_with("cpu and wrong: commit, cap, item 0"));
    let (_, tree) = Cpu.commit(vec![rng.table(8, 3)], 0).unwrap();
    let (_, same) = Cpu
        .commit(
            vec![
                Cpu.download(&Matrix {
                    width: 1,
                    words: vec![0; 8],
                })
                .unwrap(),
            ],
            0,
        )
        .unwrap();
    let opened = text(checked.open(&(tree, same), &[0]).err());
    assert!(
        opened.starts_with("cpu and wrong: open, rows, item 0"),
        "{opened}"
    );
    let lde = Cpu.lde(&rng.table(8, 3), 1).unwrap();
    let values = checked.evaluate(&(lde.clone(), lde), 1, rng.challenge());
    assert!(text(values.err()).starts_with("cpu and wrong: evaluate, item 0"));
    let layer = checked
        .upload_layer((0..8).map(|_| rng.challenge()).collect())
        .unwrap();
    let folded = checked.fri_fold(&layer, 1, rng.challenge());
    assert!(text(folded.err()).contains("item 0"));

    let guest = Guest::small("fib");
    let mut runner = Runner::new(&guest.program, &guest.input, 6, 3).unwrap();
    let recording = runner.next_segment().unwrap();
    let reads = Payload::Reads(recording.reads.clone());
    let shipment = shipment(&guest.program, &recording, reads);
    let made = checked.regenerate(&guest.program, shipment, None, None);
    let what = text(made.err());
    assert!(
        what.starts_with("cpu and wrong: boundary table, row 1, hi: 0x"),
        "{what}"
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
