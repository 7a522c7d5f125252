// Counts of small values.
//
// Two ways: counters in shared memory, one set a block, for few bins; counters in global memory, a few sets that blocks
// share out among them, for up to 2^16 bins. Both may first count equal values within a warp, which pays where few
// values make up most (the counters of equal values are incremented one after the other).
#include "common.cuh"

constexpr uint32_t HISTOGRAM_THREADS = 256;
/// Values that a thread loads before it counts them.
constexpr uint32_t HISTOGRAM_ITEMS = 8;

// Flags of a launch.
/// Zeros are not counted: their count follows from the total.
constexpr uint32_t SKIP_ZEROS = 1;
/// Equal values within a warp are added once.
constexpr uint32_t COMBINE = 2;

/// Adds this thread's share of `values` to `counters`, shared or global.
DEVICE void count_values(const uint32_t* values, uint32_t len, uint32_t* counters, uint32_t bins, uint32_t flags) {
    uint32_t lane = threadIdx.x % 32;
    uint32_t stride = gridDim.x * HISTOGRAM_THREADS;
    bool combine = flags & COMBINE;
    // Every lane takes every turn, so that warps stay whole.
    for (uint32_t start = blockIdx.x * HISTOGRAM_THREADS; start < len; start += HISTOGRAM_ITEMS * stride) {
        uint32_t batch[HISTOGRAM_ITEMS];
#pragma unroll
        for (uint32_t k = 0; k < HISTOGRAM_ITEMS; k++) {
            uint32_t i = start + k * stride + threadIdx.x;
            batch[k] = i < len ? values[i] : bins;
        }
#pragma unroll
        for (uint32_t k = 0; k < HISTOGRAM_ITEMS; k++) {
            uint32_t value = batch[k];
            bool counts = value < bins && !(value == 0 && flags & SKIP_ZEROS);
            uint32_t more = 1;
            if (combine) {
                uint32_t lanes = __match_any_sync(0xffffffffu, value);
                counts = counts && lane == uint32_t(__ffs(lanes) - 1);
                more = __popc(lanes);
            }
            if (counts) atomicAdd(&counters[value], more);
        }
    }
}

/// Counts values in shared memory.
///
/// - `values`: `[len]`, 1 to 2^30 of them; those of `bins` or more are not counted. `counts`: `[bins]`, added to.
/// - `flags`: SKIP_ZEROS, COMBINE.
///
/// Grid any number of blocks of 256. Dynamic shared memory `4 * bins` bytes. Tested against a loop.
KERNEL(256) histogram_shared(const uint32_t* __restrict__ values, uint32_t* __restrict__ counts, uint32_t len,
                             uint32_t bins, uint32_t flags) {
    DYN_SHARED(uint32_t, counters);
    for (uint32_t bin = threadIdx.x; bin < bins; bin += HISTOGRAM_THREADS) counters[bin] = 0;
    __syncthreads();
    count_values(values, len, counters, bins, flags);
    __syncthreads();
    for (uint32_t bin = threadIdx.x; bin < bins; bin += HISTOGRAM_THREADS) {
        uint32_t count = counters[bin];
        if (count != 0) atomicAdd(&counts[bin], count);
    }
}
EXPORT(histogram_shared, 256)

/// Counts values in global memory.
///
/// - `values`, `len`, `flags`: as for `histogram_shared`. `shards`: `[num_shards][bins]`, added to; a block adds to one.
///
/// Grid any number of blocks of 256. Tested against a loop.
KERNEL(256) histogram_shards(const uint32_t* __restrict__ values, uint32_t* __restrict__ shards, uint32_t len,
                             uint32_t bins, uint32_t num_shards, uint32_t flags) {
    count_values(values, len, shards + uint64_t(blockIdx.x % num_shards) * bins, bins, flags);
}
EXPORT(histogram_shards, 256)

/// Adds up the shards.
///
/// - `shards`: `[num_shards][bins]`. `counts`: `[bins]`, overwritten.
///
/// Grid `ceil(bins / 256)` blocks of 256. Tested against a loop.
KERNEL(256) histogram_merge(const uint32_t* __restrict__ shards, uint32_t* __restrict__ counts, uint32_t bins,
                            uint32_t num_shards) {
    uint32_t bin = thread_index();
    if (bin >= bins) return;
    uint32_t count = 0;
    for (uint32_t shard = 0; shard < num_shards; shard++) count += shards[uint64_t(shard) * bins + bin];
    counts[bin] = count;
}
EXPORT(histogram_merge, 256)
