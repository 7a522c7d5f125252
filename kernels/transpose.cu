// Transposition between the host's row-major tables and the device's column-major ones, in either direction, with an
// optional count of the words that are no field elements.
#include "field.cuh"

/// Words of a tile, and threads of a block.
constexpr uint32_t TRANSPOSE_TILE = 1024;
constexpr uint32_t TRANSPOSE_THREADS = 256;

/// Place of tile word i in shared memory. A word of padding after each 32 makes both the rows and the columns of a tile
/// of any shape (powers of two) free of bank conflicts.
DEVICE uint32_t transpose_place(uint32_t i) { return i + (i >> 5); }

/// Moves tile `block` and returns how many of the words this thread read are not below P.
///
/// A tile has 1024 >> log_across rows and 1 << log_across columns, so that narrow matrices fill it too.
DEVICE uint32_t transpose_tile(const uint32_t* __restrict__ input, uint32_t* __restrict__ output, uint32_t* tile, uint32_t block,
                               uint32_t rows, uint32_t cols, uint32_t log_across) {
    const uint32_t log_down = 10 - log_across;
    const uint32_t tiles_across = ((cols - 1) >> log_across) + 1;
    const uint32_t first_row = (block / tiles_across) << log_down;
    const uint32_t first_col = (block % tiles_across) << log_across;
    uint32_t words[TRANSPOSE_TILE / TRANSPOSE_THREADS];  // all loads in flight before the first is used
#pragma unroll
    for (uint32_t k = 0; k < TRANSPOSE_TILE / TRANSPOSE_THREADS; k++) {
        const uint32_t i = threadIdx.x + k * TRANSPOSE_THREADS;
        const uint32_t row = first_row + (i >> log_across);
        const uint32_t col = first_col + (i & ((1u << log_across) - 1));
        words[k] = row < rows && col < cols ? __ldcs(&input[size_t(row) * cols + col]) : 0;
    }
    uint32_t bad = 0;
#pragma unroll
    for (uint32_t k = 0; k < TRANSPOSE_TILE / TRANSPOSE_THREADS; k++) {
        bad += words[k] >= P;
        tile[transpose_place(threadIdx.x + k * TRANSPOSE_THREADS)] = words[k];
    }
    __syncthreads();
#pragma unroll
    for (uint32_t k = 0; k < TRANSPOSE_TILE / TRANSPOSE_THREADS; k++) {
        const uint32_t i = threadIdx.x + k * TRANSPOSE_THREADS;
        const uint32_t down = i & ((1u << log_down) - 1);
        const uint32_t across = i >> log_down;
        const uint32_t row = first_row + down;
        const uint32_t col = first_col + across;
        if (row < rows && col < cols) output[size_t(col) * rows + row] = tile[transpose_place((down << log_across) + across)];
    }
    return bad;
}

/// Transposes a matrix of words.
///
/// - input: `[rows][cols]`; output: `[cols][rows]`, not overlapping.
/// - log_across: log2 of a tile's columns, 0..=10.
/// - grid: one block a tile, ceil(rows / 2^(10 - log_across)) * ceil(cols / 2^log_across); block: 256; 4.1 KiB shared.
/// - oracle: Plonky3's `RowMajorMatrix::transpose`.
KERNEL(256) transpose_rows(const uint32_t* __restrict__ input, uint32_t* __restrict__ output, uint32_t rows, uint32_t cols,
                           uint32_t log_across) {
    SHARED(uint32_t, tile, TRANSPOSE_TILE + TRANSPOSE_TILE / 32);
    transpose_tile(input, output, tile, blockIdx.x, rows, cols, log_across);
}
EXPORT(transpose_rows, 256)

/// `transpose_rows` that also adds the number of words not below P to `bad`: `[1]`.
///
/// For words that come from outside: no other kernel checks that its words are field elements.
KERNEL(256) transpose_checked(const uint32_t* __restrict__ input, uint32_t* __restrict__ output, unsigned long long* bad,
                              uint32_t rows, uint32_t cols, uint32_t log_across) {
    SHARED(uint32_t, tile, TRANSPOSE_TILE + TRANSPOSE_TILE / 32);
    const uint32_t found = transpose_tile(input, output, tile, blockIdx.x, rows, cols, log_across);
    if (found != 0) atomicAdd(bad, (unsigned long long)found);
}
EXPORT(transpose_checked, 256)
