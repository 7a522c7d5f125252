//! BLAKE3 Merkle trees on the device: the commitments of Plonky3's `MerkleTreeMmcs`.
//!
//! A leaf is the hash of a row of all tallest matrices, one after another; a node the hash of its
//! two children; where matrices are as tall as a layer, `C(C(left, right), H(their row))`. Words
//! are hashed as the device holds them, in Montgomery form.
//!
//! Ceilings on an H200 (132 multiprocessors at 1.98 GHz), derived from the machine code for sm_90
//! and not measured: per 64 bytes of row the integer pipe executes 587 instructions, 64 at a time,
//! which is 1.8 TB/s of rows; with [`Pipes::MultiplyAdd`] 475, which is 2.25 TB/s, beside 370 on the
//! other pipe. Memory would allow 4.3 TB/s. A layer of nodes is 64 bytes a node at the same rates.

use bytemuck::{Pod, Zeroable};
use p3_merkle_tree::PrunedMerklePaths;

use super::device::{Buffer, Device, Ptr, View};
use super::launch::{Kernel, Shape};
use crate::{Error, Result};

/// A digest, as hashes are written: the words of the device are little-endian.
pub(super) type Digest = [u8; 32];

/// Matrices that one launch takes, `MAX_MATRICES` of the kernels.
const MAX_MATRICES: usize = 128;
/// Threads of a block of hashed rows.
const ROW_THREADS: u32 = 128;
/// Below so many rows blocks are of one warp, so that all multiprocessors have some. To be
/// measured.
const MIN_ROWS_OF_FULL_BLOCKS: usize = 1 << 15;
/// Threads of a block that makes layers or copies.
const NODE_THREADS: u32 = 256;
/// Layers that a block of 256 threads can make.
const MAX_LEVELS: u32 = 9;
/// Layers that keep its warps busy: after four, threads of a warp go idle. To be measured.
const FULL_LEVELS: u32 = 4;
/// Layers of fewer nodes go nine at a time, since there latency matters more than idle threads. To
/// be measured.
const LOG_NODES_OF_FULL_LEVELS: u32 = 17;
/// Words of a BLAKE3 chunk.
const CHUNK_WORDS: u32 = 256;
/// Widest row. It bounds the shared memory of the kernel for wide rows to 48 KiB.
const MAX_WIDTH: u64 = 1 << 20;
/// Most leaves: indices of digests are 32-bit.
const MAX_LOG_LEAVES: u32 = 30;

/// Kernels in the order of [`Pipes`].
type Variants = [Kernel; 3];

const LEAVES: Variants = [
    Kernel::new("merkle", "merkle_leaves"),
    Kernel::new("merkle", "merkle_leaves_add"),
    Kernel::new("merkle", "merkle_leaves_rotate"),
];
const LEAVES_WIDE: Variants = [
    Kernel::new("merkle", "merkle_leaves_wide"),
    Kernel::new("merkle", "merkle_leaves_wide_add"),
    Kernel::new("merkle", "merkle_leaves_wide_rotate"),
];
const LEVELS: Variants = [
    Kernel::new("merkle", "merkle_levels"),
    Kernel::new("merkle", "merkle_levels_add"),
    Kernel::new("merkle", "merkle_levels_rotate"),
];
const INJECT: Variants = [
    Kernel::new("merkle", "merkle_inject"),
    Kernel::new("merkle", "merkle_inject_add"),
    Kernel::new("merkle", "merkle_inject_rotate"),
];
const GATHER: Kernel = Kernel::new("merkle", "merkle_gather");
const ROWS: Kernel = Kernel::new("merkle", "merkle_rows");

/// How the operations of BLAKE3 are shared among the two integer pipes of a multiprocessor; digests
/// are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "which is fastest is to be measured on hardware")
)]
pub(super) enum Pipes {
    /// As the compiler has it.
    Plain,
    /// Sums on the multiply-add pipe.
    MultiplyAdd,
    /// Half of the rotations on the multiply-add pipe.
    MultiplyRotate,
}

impl Pipes {
    /// What [`MerkleTree::commit`] uses. To be measured.
    const DEFAULT: Self = Self::Plain;
}

/// Numbers that the compiler of the kernels must not know.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Factors {
    one: u32,
    two_20: u32,
    two_25: u32,
}

const FACTORS: Factors = Factors {
    one: 1,
    two_20: 1 << 20,
    two_25: 1 << 25,
};

/// A matrix of field words on the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct MatrixRef<'a> {
    words: View<'a, u32>,
    width: usize,
    height: usize,
    by_row: bool,
}

impl<'a> MatrixRef<'a> {
    /// The matrix `words`, `[width][height]`.
    ///
    /// # Panics
    /// If that is not its length.
    pub(super) fn by_column(words: View<'a, u32>, width: usize, height: usize) -> Self {
        Self::new(words, width, height, false)
    }

    /// The matrix `words`, `[height][width]`.
    ///
    /// # Panics
    /// If that is not its length.
    pub(super) fn by_row(words: View<'a, u32>, width: usize, height: usize) -> Self {
        Self::new(words, width, height, true)
    }

    fn new(words: View<'a, u32>, width: usize, height: usize, by_row: bool) -> Self {
        assert_eq!(
            Some(words.len()),
            width.checked_mul(height),
            "a matrix has a word a cell"
        );
        Self {
            words,
            width,
            height,
            by_row,
        }
    }

    /// Number of columns.
    pub(super) fn width(&self) -> usize {
        self.width
    }
}

/// A matrix as the kernels take it.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct KernelMatrix {
    words: Ptr<u32>,
    width: u32,
    column_stride: u32,
    row_stride: u32,
    shift: u32,
}

/// Matrices as the kernels take them, by value.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct KernelMatrices {
    matrices: [KernelMatrix; MAX_MATRICES],
    num_matrices: u32,
    width: u32,
}

const _: () = assert!(size_of::<KernelMatrices>() == 24 * MAX_MATRICES + 8);

impl KernelMatrices {
    /// `matrices`, whose row indices are `log_height` bits long before each matrix takes its upper
    /// ones.
    ///
    /// # Errors
    /// [`Error::Usage`] if they are too many, or their rows too long.
    fn new(matrices: &[MatrixRef<'_>], log_height: u32) -> Result<Self> {
        if matrices.len() > MAX_MATRICES {
            return Err(Error::Usage(format!(
                "{} matrices of one height are more than the {MAX_MATRICES} that a tree on the \
                 device takes",
                matrices.len()
            )));
        }
        let width: u64 = matrices.iter().map(|m| m.width as u64).sum();
        if width > MAX_WIDTH {
            return Err(Error::Usage(format!(
                "rows of {width} words are longer than the {MAX_WIDTH} that a tree on the device \
                 takes"
            )));
        }
        let mut this = Self {
            num_matrices: matrices.len() as u32,
            width: width as u32,
            ..Self::zeroed()
        };
        for (to, matrix) in this.matrices.iter_mut().zip(matrices) {
            let (width, height) = (matrix.width as u32, matrix.height as u32);
            *to = KernelMatrix {
                words: matrix.words.ptr(),
                width,
                column_stride: if matrix.by_row { 1 } else { height },
                row_stride: if matrix.by_row { width } else { 1 },
                shift: log_height - height.ilog2(),
            };
        }
        Ok(this)
    }
}

/// Checks heights; returns the logarithm of the largest.
fn log_max_height(matrices: &[MatrixRef<'_>]) -> Result<u32> {
    let mut log_max = None;
    for MatrixRef { height, .. } in matrices {
        if !height.is_power_of_two() || height.ilog2() > MAX_LOG_LEAVES {
            return Err(Error::Usage(format!(
                "a matrix of {height} rows cannot be committed to on the device: heights are \
                 powers of two up to 2^{MAX_LOG_LEAVES}"
            )));
        }
        log_max = log_max.max(Some(height.ilog2()));
    }
    log_max.ok_or_else(|| Error::Usage("a commitment to no matrix".into()))
}

/// Bytes of device memory of a tree over matrices of at most `max_height` rows, a power of two.
pub(super) fn tree_bytes(max_height: usize) -> u64 {
    (2 * max_height as u64 - 1) * size_of::<Digest>() as u64
}

/// Bytes of device memory that opening needs for a moment: rows of `width` words in all, or the
/// digests of the paths, of `num_indices` indices into a tree of `max_height` rows.
pub(super) fn open_bytes(num_indices: usize, max_height: usize, width: usize) -> u64 {
    let num_indices = num_indices as u64;
    let rows = num_indices * 4 * (1 + width as u64);
    // At most one digest a level and index, and its index.
    let digests = num_indices * u64::from(max_height.ilog2()) * (4 + size_of::<Digest>() as u64);
    rows.max(digests)
}

/// A Merkle tree on the device: every layer, not the matrices.
#[derive(Debug)]
pub(super) struct MerkleTree {
    /// `[2^log_leaves]` leaves, the layers above them, the root.
    nodes: Buffer<Digest>,
    log_leaves: u32,
}

impl MerkleTree {
    /// Commits to the rows of `matrices`, whose order counts.
    ///
    /// Cost: the hashes of all rows, then one compression a node; [`tree_bytes`] of device memory.
    /// Does not wait for the device.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no matrix, a height is no power of two, or the matrices of one
    /// height are more than 128 or their rows together longer than 2^20 words;
    /// [`Error::OutOfDeviceMemory`].
    /// # Source
    /// Plonky3 0.8.0, p3-merkle-tree/src/merkle_tree.rs.
    pub(super) fn commit(device: &Device, matrices: &[MatrixRef<'_>]) -> Result<Self> {
        Self::commit_with(device, matrices, Pipes::DEFAULT)
    }

    /// The same with a choice of kernels.
    fn commit_with(device: &Device, matrices: &[MatrixRef<'_>], pipes: Pipes) -> Result<Self> {
        let log_leaves = log_max_height(matrices)?;
        let of_layer = |level: u32| {
            let height = 1 << (log_leaves - level);
            let same = matrices.iter().filter(|m| m.height == height).copied();
            same.collect::<Vec<_>>()
        };
        let tree = Self {
            nodes: device.alloc("a Merkle tree", (2 << log_leaves) - 1)?,
            log_leaves,
        };
        tree.hash_rows(0, &of_layer(0), pipes)?;
        let mut level = 0;
        while level < log_leaves {
            let injected = of_layer(level + 1);
            if injected.is_empty() {
                let above = level + 1..=log_leaves;
                let run = above.take_while(|&l| of_layer(l).is_empty()).count() as u32;
                let num_levels = run.min(levels_at_once(log_leaves - level));
                tree.make_levels(level, num_levels, pipes)?;
                level += num_levels;
            } else {
                tree.hash_rows(level + 1, &injected, pipes)?;
                tree.inject(level + 1, pipes)?;
                level += 1;
            }
        }
        Ok(tree)
    }

    /// Logarithm of the number of leaves.
    pub(super) fn log_leaves(&self) -> u32 {
        self.log_leaves
    }

    /// Index of the first digest of layer `level`; 0 are the leaves.
    fn layer_start(&self, level: u32) -> usize {
        let twice = 2usize << self.log_leaves;
        twice - (twice >> level)
    }

    /// The commitment: the layer of `2^cap_height` digests, or the leaves if that is more; waits
    /// for the device.
    ///
    /// # Errors
    /// [`Error::Device`] if work before it failed.
    pub(super) fn cap(&self, cap_height: usize) -> Result<Vec<Digest>> {
        let levels = self.num_path_levels(cap_height);
        let start = self.layer_start(levels);
        let mut cap = vec![[0; 32]; 1 << (self.log_leaves - levels)];
        let view = self.nodes.view(start..start + cap.len());
        self.nodes.device().download_into(view, &mut cap)?;
        Ok(cap)
    }

    /// Layers below the cap.
    fn num_path_levels(&self, cap_height: usize) -> u32 {
        let cap_height = u32::try_from(cap_height).unwrap_or(u32::MAX);
        self.log_leaves.saturating_sub(cap_height)
    }

    /// The authentication paths of leaves up to the cap, each digest once: what Plonky3 sends.
    /// Waits for the device.
    ///
    /// - `indices`: of leaves, in any order, repeated or not.
    ///
    /// # Errors
    /// [`Error::OutOfDeviceMemory`] for [`open_bytes`]; [`Error::Device`] if work before it failed.
    /// # Panics
    /// If there is no such leaf.
    /// # Source
    /// Plonky3 0.8.0, p3-merkle-tree/src/pruning.rs.
    pub(super) fn open_paths(
        &self,
        indices: &[usize],
        cap_height: usize,
    ) -> Result<PrunedMerklePaths<u8, 32>> {
        let mut known = indices.to_vec();
        known.sort_unstable();
        known.dedup();
        if let Some(last) = known.last() {
            assert!(
                last >> self.log_leaves == 0,
                "opening leaf {last} of 2^{}",
                self.log_leaves
            );
        }
        let mut wanted = Vec::new();
        for level in 0..self.num_path_levels(cap_height) {
            let start = self.layer_start(level);
            let mut parents = Vec::with_capacity(known.len());
            for pair in known.chunk_by(|a, b| a / 2 == b / 2) {
                if let &[node] = pair {
                    wanted.push((start + (node ^ 1)) as u32);
                }
                parents.push(pair[0] / 2);
            }
            known = parents;
        }
        Ok(PrunedMerklePaths {
            sibling_hashes: self.gather(&wanted)?,
        })
    }

    /// Hashes rows of matrices as tall as layer `level`, into it.
    fn hash_rows(&self, level: u32, matrices: &[MatrixRef<'_>], pipes: Pipes) -> Result<()> {
        let num_rows = 1usize << (self.log_leaves - level);
        assert!(
            matrices.iter().all(|m| m.height == num_rows),
            "matrices as tall as the layer"
        );
        let start = self.layer_start(level);
        let digests = self.nodes.view(start..start + num_rows).ptr();
        let matrices = KernelMatrices::new(matrices, num_rows.ilog2())?;
        let shape = Shape::linear(num_rows, row_threads(num_rows));
        let num_chunks = matrices.width.div_ceil(CHUNK_WORDS);
        let (kernels, shape) = if num_chunks <= 1 {
            (LEAVES, shape)
        } else {
            let stack_bytes = num_chunks.ilog2() * 32 * shape.threads;
            (LEAVES_WIDE, shape.with_shared(stack_bytes))
        };
        let args = (matrices, digests, num_rows as u32, FACTORS);
        // SAFETY: the matrices have `num_rows` rows, which their views hold, and the layer as many
        // digests; of `num_chunks` chunks at most their logarithm waits on the stack.
        unsafe {
            self.nodes
                .device()
                .launch(kernels[pipes as usize], shape, args)
        }
    }

    /// Makes `num_levels` layers above layer `level`.
    fn make_levels(&self, level: u32, num_levels: u32, pipes: Pipes) -> Result<()> {
        assert!((1..=MAX_LEVELS).contains(&num_levels) && level + num_levels <= self.log_leaves);
        let shape = Shape::linear(1 << (self.log_leaves - level - 1), NODE_THREADS);
        let nodes = self.nodes.ptr();
        let args = (nodes, self.log_leaves, level, num_levels, FACTORS);
        // SAFETY: the nodes are those of a tree of 2^log_leaves leaves, and the layers are among
        // its own.
        unsafe {
            self.nodes
                .device()
                .launch(LEVELS[pipes as usize], shape, args)
        }
    }

    /// Makes layer `level` of the layer below and the hashes of rows that it holds.
    fn inject(&self, level: u32, pipes: Pipes) -> Result<()> {
        assert!(
            (1..=self.log_leaves).contains(&level),
            "only layers of nodes take rows"
        );
        let num_nodes = 1 << (self.log_leaves - level);
        let shape = Shape::linear(num_nodes, row_threads(num_nodes));
        let args = (self.nodes.ptr(), self.log_leaves, level, FACTORS);
        // SAFETY: the nodes are those of a tree of 2^log_leaves leaves, with a layer below this
        // one.
        unsafe {
            self.nodes
                .device()
                .launch(INJECT[pipes as usize], shape, args)
        }
    }

    /// The digests at `indices`; waits for the device.
    fn gather(&self, indices: &[u32]) -> Result<Vec<Digest>> {
        if indices.is_empty() {
            return Ok(Vec::new());
        }
        assert!(
            indices.iter().all(|&i| (i as usize) < self.nodes.len()),
            "digests of the tree"
        );
        let device = self.nodes.device();
        let d_indices = device.upload("indices of digests", indices)?;
        let digests: Buffer<Digest> = device.alloc("digests of paths", indices.len())?;
        let shape = Shape::linear(2 * indices.len(), NODE_THREADS);
        let count = indices.len() as u32;
        let args = (self.nodes.ptr(), d_indices.ptr(), digests.ptr(), count);
        // SAFETY: `count` indices, each of a digest of the tree, and room for as many digests.
        unsafe { device.launch(GATHER, shape, args)? };
        device.download(&digests)
    }
}

/// Rows of `matrices` at `indices`: `[indices][sum of widths]`; waits for the device.
///
/// - `indices`: into the tallest of the matrices; shorter ones take as many upper bits as they have
///   rows for.
///
/// Cost: reads 32 bytes a word of matrices by column; [`open_bytes`] of device memory.
/// # Errors
/// [`Error::Usage`] as for [`MerkleTree::commit`], of which the number of matrices is no bound here;
/// [`Error::OutOfDeviceMemory`]; [`Error::Device`] if work before it failed.
/// # Panics
/// If there is no such row.
pub(super) fn open_rows(
    device: &Device,
    matrices: &[MatrixRef<'_>],
    indices: &[usize],
) -> Result<Vec<u32>> {
    let log_height = log_max_height(matrices)?;
    assert!(
        indices.iter().all(|i| i >> log_height == 0),
        "rows of the tallest matrix"
    );
    let width: usize = matrices.iter().map(MatrixRef::width).sum();
    if indices.is_empty() || width == 0 {
        return Ok(Vec::new());
    }
    let indices: Vec<u32> = indices.iter().map(|&i| i as u32).collect();
    let d_indices = device.upload("indices of rows", &indices)?;
    let rows: Buffer<u32> = device.alloc("opened rows", indices.len() * width)?;
    let mut start = 0;
    for some in matrices.chunks(MAX_MATRICES) {
        let some = KernelMatrices::new(some, log_height)?;
        let shape = Shape {
            blocks: [indices.len() as u32, some.num_matrices, 1],
            threads: ROW_THREADS,
            shared_bytes: 0,
        };
        let to = rows.view(start..rows.len()).ptr();
        // SAFETY: a block an index and matrix; indices are rows of the tallest matrix, and shifted
        // they are rows of the others. Each writes `some.width` words from `start` on in a row of
        // `width`.
        unsafe { device.launch(ROWS, shape, (some, d_indices.ptr(), to, width as u32))? };
        start += some.width as usize;
    }
    device.download(&rows)
}

/// Threads of a block where each hashes one row.
fn row_threads(num_rows: usize) -> u32 {
    if num_rows < MIN_ROWS_OF_FULL_BLOCKS {
        32
    } else {
        ROW_THREADS
    }
}

/// Layers made at once above one of `2^log_nodes` digests, if there are as many.
fn levels_at_once(log_nodes: u32) -> u32 {
    if log_nodes < LOG_NODES_OF_FULL_LEVELS {
        MAX_LEVELS
    } else {
        FULL_LEVELS
    }
}

#[cfg(test)]
mod tests;
