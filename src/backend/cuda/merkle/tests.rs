//! Oracles: the `blake3` crate for rows, Plonky3's `MerkleTreeMmcs` for trees and openings.

use p3_commit::Mmcs;
use p3_field::PrimeCharacteristicRing;
use p3_matrix::dense::RowMajorMatrix;

use super::super::Options;
use super::super::testing::{self, Rng};
use super::*;
use crate::backend::types::{Val, val_mmcs};
use crate::witness::from_monty;

const PIPES: [Pipes; 3] = [Pipes::Plain, Pipes::MultiplyAdd, Pipes::MultiplyRotate];
/// More than any tree has: the cap is then all leaves.
const ALL: u8 = 40;

/// A matrix by row on the host, and how it lies on the device.
struct HostMatrix {
    words: Vec<u32>,
    width: usize,
    height: usize,
    by_row: bool,
    /// Words before it in its buffer, so that rows start anywhere.
    offset: usize,
}

impl HostMatrix {
    fn random(rng: &mut Rng, height: usize, width: usize, by_row: bool) -> Self {
        Self {
            words: rng.elements(height * width),
            width,
            height,
            by_row,
            offset: rng.word() as usize % 5,
        }
    }

    fn upload(&self, device: &Device) -> Buffer<u32> {
        let mut words = vec![u32::MAX; self.offset];
        match self.by_row {
            true => words.extend(&self.words),
            false => {
                for column in 0..self.width {
                    words.extend((0..self.height).map(|row| self.words[row * self.width + column]));
                }
            }
        }
        device.upload("a test matrix", &words).unwrap()
    }

    fn of<'a>(&self, buffer: &'a Buffer<u32>) -> MatrixRef<'a> {
        let words = buffer.view(self.offset..buffer.len());
        match self.by_row {
            true => MatrixRef::by_row(words, self.width, self.height),
            false => MatrixRef::by_column(words, self.width, self.height),
        }
    }

    fn to_plonky3(&self) -> RowMajorMatrix<Val> {
        RowMajorMatrix::new(elements(&self.words), self.width)
    }

    fn row_hash(&self, row: usize) -> Digest {
        let row = &self.words[row * self.width..][..self.width];
        let bytes: Vec<u8> = row.iter().flat_map(|w| w.to_le_bytes()).collect();
        *blake3::hash(&bytes).as_bytes()
    }
}

fn elements(words: &[u32]) -> Vec<Val> {
    words
        .iter()
        .map(|&w| Val::from_u32(from_monty(w)))
        .collect()
}

/// Matrices of these heights and widths, by column and by row in turn.
fn random_matrices(rng: &mut Rng, shapes: &[(usize, usize)]) -> Vec<HostMatrix> {
    let one = |(i, &(height, width)): (usize, &(usize, usize))| {
        HostMatrix::random(rng, height, width, i % 3 == 1)
    };
    shapes.iter().enumerate().map(one).collect()
}

/// Runs `test` on the matrices on the device.
fn with_uploaded<R>(
    device: &Device,
    matrices: &[HostMatrix],
    test: impl FnOnce(&[MatrixRef<'_>]) -> R,
) -> R {
    let buffers: Vec<_> = matrices.iter().map(|m| m.upload(device)).collect();
    let refs: Vec<_> = matrices
        .iter()
        .zip(&buffers)
        .map(|(m, b)| m.of(b))
        .collect();
    test(&refs)
}

/// Compares caps of all heights given with Plonky3's.
fn check_caps(device: &Device, matrices: &[HostMatrix], cap_heights: &[u8], pipes: Pipes) {
    let shapes: Vec<_> = matrices.iter().map(|m| (m.height, m.width)).collect();
    with_uploaded(device, matrices, |refs| {
        let tree = MerkleTree::commit_with(device, refs, pipes).unwrap();
        for &cap_height in cap_heights {
            let inputs = matrices.iter().map(HostMatrix::to_plonky3).collect();
            let (expected, _) = val_mmcs(cap_height).commit(inputs);
            let cap = tree.cap(cap_height.into()).unwrap();
            assert_eq!(
                cap,
                expected.roots(),
                "{shapes:?}, cap height {cap_height}, {pipes:?}"
            );
        }
    });
}

#[test]
fn rows_of_every_length_hash_as_blake3_does() {
    let Some(device) = testing::device() else {
        return;
    };
    // About blocks (16 words), chunks (256), and numbers of chunks with one to four chaining values
    // waiting; between them a step coprime to both.
    let mut widths: Vec<usize> = (0..=4096).step_by(61).collect();
    for chunks in [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17] {
        widths.extend([256 * chunks - 1, 256 * chunks, 256 * chunks + 1]);
    }
    widths.extend([0, 1, 15, 16, 17, 31, 32, 33, 1100]);
    let mut rng = Rng::new(1);
    for (i, &width) in widths.iter().enumerate() {
        let matrix = [HostMatrix::random(&mut rng, 4, width, i % 2 == 0)];
        let expected: Vec<_> = (0..4).map(|row| matrix[0].row_hash(row)).collect();
        with_uploaded(&device, &matrix, |refs| {
            for pipes in PIPES {
                let tree = MerkleTree::commit_with(&device, refs, pipes).unwrap();
                assert_eq!(
                    tree.cap(ALL.into()).unwrap(),
                    expected,
                    "{width} words, {pipes:?}"
                );
            }
        });
    }
}

#[test]
fn widest_row_hashes_as_blake3_does() {
    let Some(device) = testing::device() else {
        return;
    };
    // 4096 chunks: twelve chaining values wait before the last. One chunk less: eleven.
    for width in [1 << 20, (1 << 20) - 256] {
        let matrix = [HostMatrix::random(&mut Rng::new(90), 1, width, false)];
        with_uploaded(&device, &matrix, |refs| {
            let tree = MerkleTree::commit(&device, refs).unwrap();
            assert_eq!(tree.cap(0).unwrap(), [matrix[0].row_hash(0)], "{width}");
        });
    }
}

#[test]
fn trees_of_every_height_are_plonky3s() {
    let Some(device) = testing::device() else {
        return;
    };
    // 1: the root is a leaf. 2^9, 2^10: one launch of nine layers, and a second. Caps up to the
    // leaves and above.
    for log_height in 0..=12 {
        let mut rng = Rng::new(2 + log_height);
        let matrix = random_matrices(&mut rng, &[(1 << log_height, 3)]);
        let pipes = PIPES[log_height as usize % 3];
        check_caps(&device, &matrix, &[0, 1, 2, 3, 10, ALL], pipes);
    }
}

#[test]
fn tall_trees_are_plonky3s() {
    let Some(device) = testing::device() else {
        return;
    };
    // 2^17 leaves: the first launch makes four layers, and rows are hashed in full blocks.
    let matrix = random_matrices(&mut Rng::new(20), &[(1 << 17, 1)]);
    for pipes in PIPES {
        check_caps(&device, &matrix, &[0, 7], pipes);
    }
}

#[test]
fn trees_over_several_matrices_are_plonky3s() {
    let Some(device) = testing::device() else {
        return;
    };
    let every_height: Vec<_> = (0..=10).map(|k| (1 << k, 1 + 3 * k)).collect();
    let cases: [&[(usize, usize)]; 10] = [
        // Of one height: within a block, ends at a block's end and across it, at a chunk's end and
        // across it.
        &[(8, 3), (8, 5), (8, 7)],
        &[(8, 16), (8, 1), (8, 15), (8, 17)],
        &[(8, 255), (8, 1), (8, 256), (8, 1)],
        &[(4, 250), (4, 12), (4, 513)],
        // Of several heights, in any order, the last one a single row.
        &[(16, 3), (16, 20), (8, 5), (4, 1), (4, 300), (1, 2)],
        &[(1, 2), (16, 1), (4, 7), (16, 2), (8, 600)],
        // Rows injected into the root only, and into the layer below a launch's ninth.
        &[(4096, 1), (1, 1)],
        &[(4096, 2), (8, 2), (4, 1)],
        &[(1, 5), (1, 6)],
        // A layer of rows at every height: no launch makes more than one layer.
        &every_height,
    ];
    for (i, shapes) in cases.iter().enumerate() {
        let matrices = random_matrices(&mut Rng::new(30 + i as u64), shapes);
        for pipes in PIPES {
            check_caps(&device, &matrices, &[0, 3, ALL], pipes);
        }
    }
}

#[test]
fn empty_rows_count_for_nothing_beside_others() {
    let Some(device) = testing::device() else {
        return;
    };
    let mut rng = Rng::new(50);
    let [a, b, c] = [0, 20, 0].map(|width| HostMatrix::random(&mut rng, 8, width, false));
    let expected: Vec<_> = (0..8).map(|row| b.row_hash(row)).collect();
    with_uploaded(&device, &[a, b, c], |refs| {
        let tree = MerkleTree::commit(&device, refs).unwrap();
        assert_eq!(tree.cap(ALL.into()).unwrap(), expected);
    });
}

#[test]
fn openings_are_plonky3s() {
    let Some(device) = testing::device() else {
        return;
    };
    let shapes = [(64, 3), (64, 40), (16, 300), (8, 1), (1, 4)];
    let matrices = random_matrices(&mut Rng::new(60), &shapes);
    let mut rng = Rng::new(61);
    let random: Vec<usize> = (0..40).map(|_| rng.word() as usize % 64).collect();
    let index_sets: [&[usize]; 7] = [
        &[],
        &[0],
        &[63],
        // Siblings, and cousins, in wrong order and twice.
        &[5, 4],
        &[17, 3, 3, 16, 17, 2, 60],
        &random,
        &(0..64).collect::<Vec<_>>(),
    ];
    with_uploaded(&device, &matrices, |refs| {
        let tree = MerkleTree::commit(&device, refs).unwrap();
        let width: usize = shapes.iter().map(|s| s.1).sum();
        // 6: the cap is the leaves, so that paths are empty.
        for cap_height in [0, 1, 3, 6, ALL] {
            let mmcs = val_mmcs(cap_height);
            let inputs = matrices.iter().map(HostMatrix::to_plonky3).collect();
            let (_, data) = mmcs.commit(inputs);
            for indices in index_sets {
                let (values, proof) = mmcs.open_multi_batch(indices, &data);
                let paths = tree.open_paths(indices, cap_height.into()).unwrap();
                let context = format!("{indices:?}, cap height {cap_height}");
                assert_eq!(paths.sibling_hashes, proof.sibling_hashes, "{context}");
                let rows = open_rows(&device, refs, indices).unwrap();
                let expected: Vec<_> = values.concat().concat();
                assert_eq!(elements(&rows), expected, "{context}");
                assert_eq!(rows.len(), indices.len() * width);
            }
        }
    });
}

#[test]
fn as_many_matrices_as_a_launch_takes() {
    let Some(device) = testing::device() else {
        return;
    };
    let mut shapes = vec![(4, 2); MAX_MATRICES];
    shapes.push((2, 3));
    let matrices = random_matrices(&mut Rng::new(70), &shapes);
    check_caps(&device, &matrices, &[0, 2], Pipes::DEFAULT);
    with_uploaded(&device, &matrices, |refs| {
        // Rows are gathered by two launches.
        let rows = open_rows(&device, refs, &[3, 1]).unwrap();
        let of = |index: usize| {
            let row = |m: &HostMatrix| {
                let start = (index >> (4 / m.height).ilog2()) * m.width;
                m.words[start..start + m.width].to_vec()
            };
            matrices.iter().flat_map(row).collect::<Vec<_>>()
        };
        assert_eq!(rows, [of(3), of(1)].concat());
        let one_more = [refs, &refs[..1]].concat();
        let error = MerkleTree::commit(&device, &one_more).unwrap_err();
        assert_eq!(
            error.to_string(),
            "129 matrices of one height are more than the 128 that a tree on the device takes"
        );
    });
}

#[test]
fn other_shapes_are_refused() {
    let Some(device) = testing::device() else {
        return;
    };
    let refused = |height: usize, width: usize| {
        let buffer = device.zeros("a test matrix", height * width).unwrap();
        let matrix = [MatrixRef::by_column(buffer.all(), width, height)];
        let error = MerkleTree::commit(&device, &matrix).unwrap_err();
        assert!(matches!(error, Error::Usage(_)), "{error}");
        error.to_string()
    };
    for height in [0, 3, 5, 12] {
        assert!(refused(height, 2).starts_with(&format!("a matrix of {height} rows cannot be")));
    }
    assert!(refused(1, (1 << 20) + 1).starts_with("rows of 1048577 words are longer"));
    let error = MerkleTree::commit(&device, &[]).unwrap_err();
    assert_eq!(error.to_string(), "a commitment to no matrix");
    let error = open_rows(&device, &[], &[0]).unwrap_err();
    assert_eq!(error.to_string(), "a commitment to no matrix");
}

#[test]
fn trees_take_the_memory_they_say() {
    let Some(device) = testing::device() else {
        return;
    };
    let shapes = [(32, 9), (32, 300), (8, 2)];
    let matrices = random_matrices(&mut Rng::new(80), &shapes);
    with_uploaded(&device, &matrices, |refs| {
        let before = device.memory().live;
        device.reset_peak();
        let tree = MerkleTree::commit(&device, refs).unwrap();
        assert_eq!(device.memory().peak - before, tree_bytes(32));
        assert_eq!(device.memory().live - before, tree_bytes(32));

        let before = device.memory().live;
        device.reset_peak();
        let indices: Vec<usize> = (0..7).map(|i| i * 5 % 32).collect();
        tree.open_paths(&indices, 0).unwrap();
        open_rows(&device, refs, &indices).unwrap();
        let most = open_bytes(indices.len(), 32, 9 + 300 + 2);
        assert!(device.memory().peak - before <= most);
        assert_eq!(device.memory().live, before);
    });
}

#[test]
fn trees_that_do_not_fit_are_refused_by_name() {
    // Room for the matrix and all of the tree but one byte.
    let options = Options {
        vram_budget: Some(64 * 4 + tree_bytes(64) - 1),
        ..Options::default()
    };
    let Some(device) = testing::device_with(&options) else {
        return;
    };
    let matrix = device.zeros("a test matrix", 64).unwrap();
    let matrix = [MatrixRef::by_column(matrix.all(), 1, 64)];
    let error = MerkleTree::commit(&device, &matrix).unwrap_err();
    assert!(matches!(error, Error::OutOfDeviceMemory(_)), "{error}");
    assert!(error.to_string().contains("a Merkle tree"), "{error}");
}

/// Prints rates of every choice of kernels, interleaved, from which [`Pipes::DEFAULT`] and the
/// sizes of launches are to be chosen: `cargo test --release --features cuda --lib cuda::merkle --
/// --ignored --nocapture`.
#[test]
#[ignore = "prints rates; for a GPU"]
fn rates() {
    let Some(device) = testing::device() else {
        return;
    };
    if device.info().stand_in {
        eprintln!("SKIPPED: rates of the CPU stand-in mean nothing");
        return;
    }
    let (log_height, repeats) = (20, 11);
    println!("{}", device.info().name);
    // Rows of one chunk, of several, and of one FRI layer (8 elements of degree 4, by row); trees
    // alone.
    for (name, width, by_row) in [
        ("rows of 256 by column", 256, false),
        ("rows of 600 by column", 600, false),
        ("rows of 32 by row", 32, true),
        ("rows of 1 by column", 1, false),
    ] {
        let height = 1 << log_height;
        let matrix = device.zeros("a matrix", width * height).unwrap();
        let matrix = [MatrixRef::new(matrix.all(), width, height, by_row)];
        let mut seconds: [Vec<f64>; 3] = Default::default();
        for repeat in 0..repeats {
            for pipes in PIPES {
                let before = device.mark().unwrap();
                let tree = MerkleTree::commit_with(&device, &matrix, pipes).unwrap();
                let after = device.mark().unwrap();
                let time = after.seconds_since(&before).unwrap();
                // The first loads the kernels.
                if repeat > 0 {
                    seconds[pipes as usize].push(time);
                }
                drop(tree);
            }
        }
        for (pipes, mut seconds) in PIPES.into_iter().zip(seconds) {
            seconds.sort_by(f64::total_cmp);
            let median = seconds[seconds.len() / 2];
            let bytes = (4 * width * height) as f64;
            println!(
                "{name}, 2^{log_height} rows, tree included, {pipes:?}: {:.3} ms, {:.0} GB/s of rows",
                median * 1e3,
                bytes / median / 1e9
            );
        }
    }
}
