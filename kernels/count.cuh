// Counting lookups of the range table.
#pragma once

#include "field.cuh"
#include "layout.h"

/// Values of a range table; each of the tables `value16`, `value14` and `bytes` has that many counters.
constexpr uint32_t RANGE_ROWS = 1u << RANGE_LOG_ROWS;
/// Counters of one shard: `[3][RANGE_ROWS]`.
constexpr uint32_t COUNTERS = RANGE_WIDTH * RANGE_ROWS;
/// Counter arrays of a shard, in order.
constexpr uint32_t COUNTS16 = 0;
constexpr uint32_t COUNTS14 = RANGE_ROWS;
constexpr uint32_t COUNTS_BYTES = 2 * RANGE_ROWS;

/// Counts one lookup per lane; zeros are not counted, for the number of rows implies them.
///
/// All lanes of a warp must call it together. Lanes that look up what the first of them does are counted at once: a
/// value that is frequent is probably the first lane's.
DEVICE void count_lookup(uint32_t* counters, uint32_t value) {
    uint32_t active = __ballot_sync(0xffffffffu, value != 0);
    if (active == 0) return;
    uint32_t leader = __ffs(int(active)) - 1;
    uint32_t common = __shfl_sync(0xffffffffu, value, int(leader));
    uint32_t same = __ballot_sync(0xffffffffu, value == common);
    if ((threadIdx.x & 31) == leader) {
        atomicAdd(counters + common, uint32_t(__popc(same)));
    } else if (value != 0 && value != common) {
        atomicAdd(counters + value, 1u);
    }
}

/// Height of a boundary table with `words` words.
DEVICE uint32_t boundary_height(uint32_t words) {
    uint32_t height = MIN_ROWS;
    while (height < words + 32) height *= 2;
    return height;
}
