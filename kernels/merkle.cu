// BLAKE3 Merkle trees over the rows of matrices, as Plonky3's MerkleTreeMmcs builds them.
//
// All layers of a tree of 2^k leaves are one array of 2^(k+1) - 1 digests: the 2^k leaves, then the 2^(k-1) nodes above
// them, up to the root. A digest is 8 consecutive words, so that opening a path reads whole 32-byte sectors; the loads
// of a node's children are then 64 consecutive bytes a thread, which costs nothing beside a compression.
//
// A kernel NAME_add or NAME_rotate is NAME with sums or rotations made by multiplications (blake3.cuh), tested against
// the same; all three take the factors, so that they are launched alike.
#include "blake3.cuh"

/// Matrices that one launch takes: their description is a kernel parameter, of which there are 4 KiB.
constexpr uint32_t MAX_MATRICES = 128;
/// Threads of a block that hashes rows, at most.
constexpr uint32_t ROW_THREADS = 128;
/// Threads of a block that compresses layers.
constexpr uint32_t NODE_THREADS = 256;

/// A matrix of field words: `words[row * row_stride + column * column_stride]`.
struct MerkleMatrix {
    uint64_t words;
    uint32_t width, column_stride, row_stride;
    /// For opening rows: how many bits shorter its row indices are than those of the tallest matrix.
    uint32_t shift;
};

/// Matrices whose rows are read one after another.
struct MerkleMatrices {
    MerkleMatrix matrices[MAX_MATRICES];
    /// How many there are, and the sum of their widths.
    uint32_t num_matrices, width;
};

static_assert(sizeof(MerkleMatrices) == 24 * MAX_MATRICES + 8 && sizeof(MerkleMatrices) <= 3200, "shared with merkle.rs");

DEVICE const uint32_t* matrix_row(const MerkleMatrix& matrix, uint32_t row) {
    return reinterpret_cast<const uint32_t*>(matrix.words) + size_t(row) * matrix.row_stride;
}

/// Reads one row of all matrices, in order, in blocks of 16 words. Threads of a warp read neighbouring rows and take
/// the same branches, except that rows of one matrix may differ in alignment.
struct RowReader {
    const uint32_t* next;
    /// Words left in this matrix, and from one of them to the next.
    uint32_t remaining, stride;
    uint32_t matrix, row;

    DEVICE void open(const MerkleMatrices& from) {
        next = matrix_row(from.matrices[matrix], row);
        remaining = from.matrices[matrix].width;
        stride = from.matrices[matrix].column_stride;
    }

    /// The next `count` words and zeros after them.
    DEVICE void block(const MerkleMatrices& from, uint32_t count, uint32_t (&block)[16]) {
        while (remaining == 0 && count != 0) {
            matrix++;
            open(from);
        }
        if (remaining < 16) {
#pragma unroll
            for (uint32_t i = 0; i < 16; i++) {
                block[i] = 0;
                if (i < count) {
                    while (remaining == 0) {
                        matrix++;
                        open(from);
                    }
                    block[i] = __ldg(next);
                    next += stride;
                    remaining--;
                }
            }
            return;
        }
        if (stride != 1) {
            // Column-major: a warp reads 32 consecutive words of each column, once.
#pragma unroll
            for (uint32_t i = 0; i < 16; i++) block[i] = __ldcs(next + size_t(i) * stride);
        } else if (reinterpret_cast<uintptr_t>(next) % 16 == 0) {
            // Row-major: 64 consecutive bytes a thread.
#pragma unroll
            for (uint32_t i = 0; i < 4; i++) {
                uint4 four = __ldg(reinterpret_cast<const uint4*>(next) + i);
                block[4 * i] = four.x;
                block[4 * i + 1] = four.y;
                block[4 * i + 2] = four.z;
                block[4 * i + 3] = four.w;
            }
        } else {
#pragma unroll
            for (uint32_t i = 0; i < 16; i++) block[i] = __ldg(next + i);
        }
        next += size_t(16) * stride;
        remaining -= 16;
    }
};

DEVICE void store_digest(uint4* __restrict__ to, size_t index, const uint32_t (&digest)[8]) {
    to[2 * index] = make_uint4(digest[0], digest[1], digest[2], digest[3]);
    to[2 * index + 1] = make_uint4(digest[4], digest[5], digest[6], digest[7]);
}

/// Two digests, from `index` on.
DEVICE void load_children(const uint4* __restrict__ from, size_t index, uint32_t (&children)[16]) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        uint4 four = from[2 * index + i];
        children[4 * i] = four.x;
        children[4 * i + 1] = four.y;
        children[4 * i + 2] = four.z;
        children[4 * i + 3] = four.w;
    }
}

/// Hashes row `thread_index()` of the matrices.
///
/// Rows of more than one chunk (WIDE) are trees of chunks. A chaining value waits for its right sibling on a stack in
/// dynamic shared memory, `[depth][8][threads]`: merged after chunk i are the subtrees that i + 1 chunks complete, and
/// after the last chunk all that wait, the last merge being the root.
template <bool WIDE, class Pipes>
DEVICE void hash_row(const MerkleMatrices& matrices, uint4* __restrict__ digests, uint32_t num_rows, uint32_t* stack,
                     Pipes pipes) {
    uint32_t row = thread_index();
    if (row >= num_rows) return;
    RowReader reader{nullptr, 0, 0, 0, row};
    if (matrices.num_matrices != 0) reader.open(matrices);

    uint32_t num_blocks = matrices.width == 0 ? 1 : (matrices.width + BLOCK_WORDS - 1) / BLOCK_WORDS;
    uint32_t waiting = 0;
    uint32_t cv[8];
    for (uint32_t i = 0; i < num_blocks; i++) {
        uint32_t words[16];
        uint32_t count = min(matrices.width - BLOCK_WORDS * i, BLOCK_WORDS);
        reader.block(matrices, count, words);

        bool last = i + 1 == num_blocks;
        bool first_of_chunk = i % CHUNK_BLOCKS == 0;
        bool last_of_chunk = last || (i + 1) % CHUNK_BLOCKS == 0;
        if (first_of_chunk) blake3_start(cv);
        uint32_t chunk = i / CHUNK_BLOCKS;
        uint32_t flags = (first_of_chunk ? CHUNK_START : 0) | (last_of_chunk ? CHUNK_END : 0);
        if (WIDE ? last && chunk == 0 : last) flags |= ROOT;
        blake3_compress(cv, words, WIDE ? chunk : 0, 4 * count, flags, pipes);

        if (!WIDE || !last_of_chunk) continue;
        uint32_t num_merges = last ? waiting : __ffs(chunk + 1) - 1;
        for (; num_merges != 0; num_merges--) {
            waiting--;
#pragma unroll
            for (int w = 0; w < 8; w++) {
                words[w] = stack[(waiting * 8 + w) * blockDim.x + threadIdx.x];
                words[w + 8] = cv[w];
            }
            blake3_start(cv);
            blake3_compress(cv, words, 0, 64, PARENT | (last && waiting == 0 ? ROOT : 0), pipes);
        }
        if (!last) {
#pragma unroll
            for (int w = 0; w < 8; w++) stack[(waiting * 8 + w) * blockDim.x + threadIdx.x] = cv[w];
            waiting++;
        }
    }
    store_digest(digests, row, cv);
}

/// Hashes the rows of matrices of one height, of 256 words at most.
///
/// - `matrices`: of at least `num_rows` rows.
/// - `digests`: `[num_rows][8]` words, written.
/// - launch: one thread a row, up to 128 a block; no shared memory.
///
/// Tested against: blake3, and the leaves of Plonky3's trees.
KERNEL(ROW_THREADS)
merkle_leaves(MerkleMatrices matrices, uint4* __restrict__ digests, uint32_t num_rows, Factors factors) {
    hash_row<false>(matrices, digests, num_rows, nullptr, Plain(factors));
}
EXPORT(merkle_leaves, ROW_THREADS)

KERNEL(ROW_THREADS)
merkle_leaves_add(MerkleMatrices matrices, uint4* __restrict__ digests, uint32_t num_rows, Factors factors) {
    hash_row<false>(matrices, digests, num_rows, nullptr, MultiplyAdd(factors));
}
EXPORT(merkle_leaves_add, ROW_THREADS)

KERNEL(ROW_THREADS)
merkle_leaves_rotate(MerkleMatrices matrices, uint4* __restrict__ digests, uint32_t num_rows, Factors factors) {
    hash_row<false>(matrices, digests, num_rows, nullptr, MultiplyRotate(factors));
}
EXPORT(merkle_leaves_rotate, ROW_THREADS)

/// The same for any width.
///
/// - launch: dynamic shared memory of 32 bytes a thread for each chaining value that can wait: of c chunks, the
///   logarithm of c, rounded down.
KERNEL(ROW_THREADS)
merkle_leaves_wide(MerkleMatrices matrices, uint4* __restrict__ digests, uint32_t num_rows, Factors factors) {
    DYN_SHARED(uint32_t, stack);
    hash_row<true>(matrices, digests, num_rows, stack, Plain(factors));
}
EXPORT(merkle_leaves_wide, ROW_THREADS)

KERNEL(ROW_THREADS)
merkle_leaves_wide_add(MerkleMatrices matrices, uint4* __restrict__ digests, uint32_t num_rows, Factors factors) {
    DYN_SHARED(uint32_t, stack);
    hash_row<true>(matrices, digests, num_rows, stack, MultiplyAdd(factors));
}
EXPORT(merkle_leaves_wide_add, ROW_THREADS)

KERNEL(ROW_THREADS)
merkle_leaves_wide_rotate(MerkleMatrices matrices, uint4* __restrict__ digests, uint32_t num_rows, Factors factors) {
    DYN_SHARED(uint32_t, stack);
    hash_row<true>(matrices, digests, num_rows, stack, MultiplyRotate(factors));
}
EXPORT(merkle_leaves_wide_rotate, ROW_THREADS)

/// Digests before layer `level` of a tree of 2^log_leaves leaves.
DEVICE size_t layer_start(uint32_t log_leaves, uint32_t level) {
    size_t twice = size_t(2) << log_leaves;
    return twice - (twice >> level);
}

/// Makes `num_levels` layers above layer `level`; each block those above 512 digests of it.
template <class Pipes>
DEVICE void make_levels(uint4* nodes, uint32_t log_leaves, uint32_t level, uint32_t num_levels, uint32_t* wide,
                        uint32_t* narrow, Pipes pipes) {
    uint32_t t = threadIdx.x;
    uint32_t children[16], digest[8];
    uint32_t* from = narrow;
    uint32_t* to = wide;
    for (uint32_t step = 0; step < num_levels; step++) {
        uint32_t active = NODE_THREADS >> step;
        // Nodes of the layer being made, and the first of this block.
        size_t num_nodes = size_t(1) << (log_leaves - level - step - 1);
        size_t first = size_t(blockIdx.x) * active;
        if (step != 0) __syncthreads();
        if (t < active && first + t < num_nodes) {
            if (step == 0) {
                load_children(nodes, layer_start(log_leaves, level) + 2 * (first + t), children);
            } else {
                // `[8][2 * active]` words: siblings side by side, without bank conflicts.
#pragma unroll
                for (int w = 0; w < 8; w++) {
                    uint2 pair = reinterpret_cast<const uint2*>(from)[w * active + t];
                    children[w] = pair.x;
                    children[w + 8] = pair.y;
                }
            }
            blake3_node(digest, children, pipes);
            store_digest(nodes, layer_start(log_leaves, level + step + 1) + first + t, digest);
#pragma unroll
            for (int w = 0; w < 8; w++) to[w * active + t] = digest[w];
        }
        uint32_t* swapped = from;
        from = to;
        to = swapped;
    }
}

/// Makes the `num_levels` layers above layer `level` of a tree.
///
/// - `nodes`: `[2 << log_leaves]` digests less one; layer `level` is read, those above it written.
/// - `num_levels`: 1 to 9, and at most `log_leaves - level`.
/// - launch: one thread for each node of the lowest layer made, 256 a block, all of them there; 12 KiB of shared
///   memory.
///
/// The first four layers of a block keep whole warps busy, later ones part of one.
/// Tested against: the layers of Plonky3's trees.
KERNEL(NODE_THREADS)
merkle_levels(uint4* nodes, uint32_t log_leaves, uint32_t level, uint32_t num_levels, Factors factors) {
    SHARED(uint2, wide, NODE_THREADS * 4);
    SHARED(uint2, narrow, NODE_THREADS * 2);
    make_levels(nodes, log_leaves, level, num_levels, reinterpret_cast<uint32_t*>(wide),
                reinterpret_cast<uint32_t*>(narrow), Plain(factors));
}
EXPORT(merkle_levels, NODE_THREADS)

KERNEL(NODE_THREADS)
merkle_levels_add(uint4* nodes, uint32_t log_leaves, uint32_t level, uint32_t num_levels, Factors factors) {
    SHARED(uint2, wide, NODE_THREADS * 4);
    SHARED(uint2, narrow, NODE_THREADS * 2);
    make_levels(nodes, log_leaves, level, num_levels, reinterpret_cast<uint32_t*>(wide),
                reinterpret_cast<uint32_t*>(narrow), MultiplyAdd(factors));
}
EXPORT(merkle_levels_add, NODE_THREADS)

KERNEL(NODE_THREADS)
merkle_levels_rotate(uint4* nodes, uint32_t log_leaves, uint32_t level, uint32_t num_levels, Factors factors) {
    SHARED(uint2, wide, NODE_THREADS * 4);
    SHARED(uint2, narrow, NODE_THREADS * 2);
    make_levels(nodes, log_leaves, level, num_levels, reinterpret_cast<uint32_t*>(wide),
                reinterpret_cast<uint32_t*>(narrow), MultiplyRotate(factors));
}
EXPORT(merkle_levels_rotate, NODE_THREADS)

/// Makes the nodes of a layer whose height matrices have: C(C(left, right), hash of their rows).
template <class Pipes>
DEVICE void inject(uint4* nodes, uint32_t log_leaves, uint32_t level, Pipes pipes) {
    size_t i = thread_index();
    if (i >= size_t(1) << (log_leaves - level)) return;
    size_t node = layer_start(log_leaves, level) + i;
    uint32_t children[16], digest[8];
    load_children(nodes, layer_start(log_leaves, level - 1) + 2 * i, children);
    blake3_node(digest, children, pipes);
    uint4 low = nodes[2 * node], high = nodes[2 * node + 1];
    uint32_t both[16] = {digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
                         low.x,     low.y,     low.z,     low.w,     high.x,    high.y,    high.z,    high.w};
    blake3_node(digest, both, pipes);
    store_digest(nodes, node, digest);
}

/// Makes layer `level` of a tree where it holds the hashes of the rows of matrices as tall as the layer.
///
/// - `nodes`: as for merkle_levels; layer `level - 1` is read, layer `level` read and overwritten.
/// - launch: one thread a node of the layer, up to 256 a block; no shared memory.
///
/// Tested against: the roots of Plonky3's trees over matrices of several heights.
KERNEL(NODE_THREADS)
merkle_inject(uint4* nodes, uint32_t log_leaves, uint32_t level, Factors factors) {
    inject(nodes, log_leaves, level, Plain(factors));
}
EXPORT(merkle_inject, NODE_THREADS)

KERNEL(NODE_THREADS)
merkle_inject_add(uint4* nodes, uint32_t log_leaves, uint32_t level, Factors factors) {
    inject(nodes, log_leaves, level, MultiplyAdd(factors));
}
EXPORT(merkle_inject_add, NODE_THREADS)

KERNEL(NODE_THREADS)
merkle_inject_rotate(uint4* nodes, uint32_t log_leaves, uint32_t level, Factors factors) {
    inject(nodes, log_leaves, level, MultiplyRotate(factors));
}
EXPORT(merkle_inject_rotate, NODE_THREADS)

/// Copies digests of a tree.
///
/// - `nodes`: all digests of the tree; `indices`: `[count]`, into them; `digests`: `[count][8]` words, written.
/// - launch: two threads a digest, up to 256 a block; no shared memory.
///
/// Tested against: the pruned paths of Plonky3's openings.
KERNEL(NODE_THREADS)
merkle_gather(const uint4* __restrict__ nodes, const uint32_t* __restrict__ indices, uint4* __restrict__ digests,
              uint32_t count) {
    uint32_t i = thread_index();
    if (i < 2 * count) digests[i] = nodes[2 * size_t(indices[i / 2]) + i % 2];
}
EXPORT(merkle_gather, NODE_THREADS)

/// Copies rows of matrices: those opened by queries.
///
/// - `matrices`: `shift` turns an index into a row of the matrix.
/// - `indices`: one for each block in x.
/// - `rows`: `[indices][pitch]` words; of each row the first `matrices.width` are written.
/// - launch: a block for each index (x) and matrix (y), of any number of threads; no shared memory.
///
/// Tested against: the opened values of Plonky3's openings.
KERNEL(NODE_THREADS)
merkle_rows(MerkleMatrices matrices, const uint32_t* __restrict__ indices, uint32_t* __restrict__ rows,
            uint32_t pitch) {
    uint32_t which = blockIdx.y;
    uint32_t start = 0;
    for (uint32_t i = 0; i < which; i++) start += matrices.matrices[i].width;
    const MerkleMatrix& matrix = matrices.matrices[which];
    const uint32_t* from = matrix_row(matrix, indices[blockIdx.x] >> matrix.shift);
    uint32_t* to = rows + size_t(blockIdx.x) * pitch + start;
    for (uint32_t column = threadIdx.x; column < matrix.width; column += blockDim.x)
        to[column] = __ldg(from + size_t(column) * matrix.column_stride);
}
EXPORT(merkle_rows, NODE_THREADS)
