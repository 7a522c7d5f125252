// Prefix combinations of u32 words along the rows of a matrix, and compaction of flags to indices.
//
// Both make a single pass over their input. Blocks take tiles in the order of an atomic counter, so that a tile waits
// only for tiles whose blocks run already; each publishes what it combines to, then what everything up to its end
// combines to, and looks back over the published words of the tiles before it, 32 at a time.
#include "lookback.cuh"

constexpr uint32_t SCAN_THREADS = 256;
constexpr uint32_t SCAN_WARPS = SCAN_THREADS / 32;
constexpr uint32_t SCAN_ITEMS = 16;
constexpr uint32_t SCAN_TILE = SCAN_THREADS * SCAN_ITEMS;
constexpr uint32_t ALL_LANES = 0xffffffffu;

/// Operators are associative with identity 0; `apply` takes what comes first, then what comes after it.
struct Sum {
    static DEVICE uint32_t apply(uint32_t before, uint32_t after) { return before + after; }
};

struct Last {
    static DEVICE uint32_t apply(uint32_t before, uint32_t after) { return after != 0 ? after : before; }
};

struct Max {
    static DEVICE uint32_t apply(uint32_t before, uint32_t after) { return max(before, after); }
};

/// A published word: the combination below, how far it reaches in the upper half.
constexpr uint64_t REACH_TILE = 1ull << 32;
constexpr uint64_t REACH_ROW = 2ull << 32;

/// Combination of the warp's values up to and including this lane's.
template <class Op>
DEVICE uint32_t warp_inclusive(uint32_t value, uint32_t lane) {
#pragma unroll
    for (uint32_t step = 1; step < 32; step *= 2) {
        uint32_t before = __shfl_up_sync(ALL_LANES, value, step);
        if (lane >= step) value = Op::apply(before, value);
    }
    return value;
}

/// The combination of all tiles of the row before `tile`; every lane of one warp calls it and gets it.
///
/// - `status`: `[tiles]` of the row, published words.
template <class Op>
DEVICE uint32_t look_back(const volatile uint64_t* status, uint32_t tile, uint32_t lane) {
    uint32_t prefix = 0;
    // Lane 0 looks at the tile just before, lane 31 furthest back; before the row's start lies the identity.
    for (uint32_t end = tile; end != 0; end -= min(end, 32u)) {
        uint64_t word = REACH_ROW;
        do {
            if (lane < end) word = status[end - 1 - lane];
        } while (__any_sync(ALL_LANES, word < REACH_TILE));
        uint32_t complete = __ballot_sync(ALL_LANES, word >= REACH_ROW);
        uint32_t furthest = complete != 0 ? __ffs(complete) - 1 : 31;
        uint32_t value = lane <= furthest ? uint32_t(word) : 0;
#pragma unroll
        for (uint32_t step = 1; step < 32; step *= 2) {
            uint32_t before = __shfl_down_sync(ALL_LANES, value, step);
            if (lane + step < 32) value = Op::apply(before, value);
        }
        prefix = Op::apply(__shfl_sync(ALL_LANES, value, 0), prefix);
        if (complete != 0) break;
    }
    return prefix;
}

/// What comes before this thread's `value` in its row, given that thread t holds the t-th part of the tile.
///
/// Publishes the tile's part of the row. `totals` is where the row's combination goes, written for its last tile.
///
/// - `parts`: `[SCAN_WARPS + 1]` shared words. Contains barriers.
template <class Op>
DEVICE uint32_t tile_exclusive(uint32_t value, uint32_t tile, bool last, volatile uint64_t* status, uint32_t* parts,
                               uint32_t* total) {
    uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    uint32_t inclusive = warp_inclusive<Op>(value, lane);
    if (lane == 31) parts[warp] = inclusive;
    uint32_t before = __shfl_up_sync(ALL_LANES, inclusive, 1);
    if (lane == 0) before = 0;
    __syncthreads();
    uint32_t warps_before = 0;
    for (uint32_t w = 0; w < warp; w++) warps_before = Op::apply(warps_before, parts[w]);
    if (warp == 0) {
        uint32_t whole = 0;
        for (uint32_t w = 0; w < SCAN_WARPS; w++) whole = Op::apply(whole, parts[w]);
        if (lane == 0) publish_tile<uint64_t>(status + tile, (tile == 0 ? REACH_ROW : REACH_TILE) | whole);
        uint32_t prefix = look_back<Op>(status, tile, lane);
        if (lane == 0) {
            uint32_t reached = Op::apply(prefix, whole);
            publish_reach<uint64_t>(status + tile, REACH_ROW | reached, tile);
            parts[SCAN_WARPS] = prefix;
            if (last) *total = reached;
        }
    }
    __syncthreads();
    return Op::apply(parts[SCAN_WARPS], Op::apply(warps_before, before));
}

/// Where word `i` of a tile lies in shared memory, so that neither order of access meets bank conflicts.
DEVICE uint32_t padded(uint32_t i) { return i + i / 32; }

template <class Op>
DEVICE void scan_rows(const uint32_t* input, uint32_t* output, uint32_t* totals, uint64_t* state, uint32_t len,
                      uint32_t exclusive, uint32_t* words, uint32_t* parts) {
    uint32_t thread = threadIdx.x;
    uint32_t* ticket = reinterpret_cast<uint32_t*>(state);
    if (thread == 0) parts[0] = atomicAdd(ticket, 1u);
    __syncthreads();
    uint32_t tiles = (len + SCAN_TILE - 1) / SCAN_TILE;
    uint32_t row = parts[0] / tiles, tile = parts[0] % tiles;
    volatile uint64_t* status = state + 1 + uint64_t(row) * tiles;
    uint32_t start = tile * SCAN_TILE;
    uint32_t count = min(SCAN_TILE, len - start);
    const uint32_t* from = input + uint64_t(row) * len + start;
    uint32_t* to = output + uint64_t(row) * len + start;

    uint32_t items[SCAN_ITEMS];
#pragma unroll
    for (uint32_t k = 0; k < SCAN_ITEMS; k++) {
        uint32_t i = thread + k * SCAN_THREADS;
        items[k] = i < count ? from[i] : 0;
    }
#pragma unroll
    for (uint32_t k = 0; k < SCAN_ITEMS; k++) words[padded(thread + k * SCAN_THREADS)] = items[k];
    __syncthreads();
    uint32_t whole = 0;
#pragma unroll
    for (uint32_t k = 0; k < SCAN_ITEMS; k++) {
        items[k] = words[padded(thread * SCAN_ITEMS + k)];
        whole = Op::apply(whole, items[k]);
    }
    uint32_t before = tile_exclusive<Op>(whole, tile, tile == tiles - 1, status, parts, totals + row);
#pragma unroll
    for (uint32_t k = 0; k < SCAN_ITEMS; k++) {
        uint32_t after = Op::apply(before, items[k]);
        words[padded(thread * SCAN_ITEMS + k)] = exclusive ? before : after;
        before = after;
    }
    __syncthreads();
#pragma unroll
    for (uint32_t k = 0; k < SCAN_ITEMS; k++) {
        uint32_t i = thread + k * SCAN_THREADS;
        if (i < count) to[i] = words[padded(i)];
    }
}

/// Prefix sums (wrapping) along rows.
///
/// - `input`: `[rows][len]`. `output`: `[rows][len]`, may be `input`: sums up to and including each word, or, where
///   `exclusive` is not 0, up to and without it. `totals`: `[rows]`, the sum of each row.
/// - `state`: `[1 + rows * tiles]` zeroes, for `tiles = ceil(len / 4096)`; left in a state of no use.
///
/// Grid `rows * tiles` blocks of 256, in any order. Shared 16.9 kB. `len` of 1 to 2^28. Tested against a loop.
KERNEL(256) scan_sum(const uint32_t* input, uint32_t* output, uint32_t* totals, uint64_t* state, uint32_t len,
                     uint32_t exclusive) {
    SHARED(uint32_t, words, SCAN_TILE + SCAN_TILE / 32);
    SHARED(uint32_t, parts, SCAN_WARPS + 1);
    scan_rows<Sum>(input, output, totals, state, len, exclusive, words, parts);
}
EXPORT(scan_sum, 256)

/// The last word so far that is not 0, along rows; 0 where there is none. Parameters and launch as `scan_sum`.
KERNEL(256) scan_last(const uint32_t* input, uint32_t* output, uint32_t* totals, uint64_t* state, uint32_t len,
                      uint32_t exclusive) {
    SHARED(uint32_t, words, SCAN_TILE + SCAN_TILE / 32);
    SHARED(uint32_t, parts, SCAN_WARPS + 1);
    scan_rows<Last>(input, output, totals, state, len, exclusive, words, parts);
}
EXPORT(scan_last, 256)

/// The largest word so far, along rows. Parameters and launch as `scan_sum`.
KERNEL(256) scan_max(const uint32_t* input, uint32_t* output, uint32_t* totals, uint64_t* state, uint32_t len,
                     uint32_t exclusive) {
    SHARED(uint32_t, words, SCAN_TILE + SCAN_TILE / 32);
    SHARED(uint32_t, parts, SCAN_WARPS + 1);
    scan_rows<Max>(input, output, totals, state, len, exclusive, words, parts);
}
EXPORT(scan_max, 256)

/// The four bits that say which bytes of `word` have a bit of `mask` set; `mask` is one byte, four times.
DEVICE uint32_t marked(uint32_t word, uint32_t mask) {
    uint32_t bits = 0;
#pragma unroll
    for (uint32_t byte = 0; byte < 4; byte++) bits |= uint32_t((word & mask & (0xffu << (8 * byte))) != 0) << byte;
    return bits;
}

/// Indices of the flags that have a bit of `mask` set, ascending.
///
/// - `flags`: `[len]` bytes, 16-byte aligned. `indices`: `[room]`; those beyond are not written. `num_indices`: one
///   word, how many there are.
/// - `state`: `[1 + tiles]` zeroes, for `tiles = ceil(len / 4096)`; left in a state of no use.
///
/// Grid `tiles` blocks of 256, in any order. Shared 16 kB. `len` of 1 to 2^28. Tested against an iterator.
KERNEL(256) scan_compact(const uint8_t* __restrict__ flags, uint32_t* __restrict__ indices,
                         uint32_t* __restrict__ num_indices, uint64_t* state, uint32_t len, uint32_t room,
                         uint32_t mask) {
    SHARED(uint32_t, found, SCAN_TILE);
    SHARED(uint32_t, parts, SCAN_WARPS + 1);
    SHARED(uint32_t, range, 2);
    uint32_t thread = threadIdx.x;
    if (thread == 0) parts[0] = atomicAdd(reinterpret_cast<uint32_t*>(state), 1u);
    __syncthreads();
    uint32_t tiles = (len + SCAN_TILE - 1) / SCAN_TILE;
    uint32_t tile = parts[0];
    __syncthreads();
    uint32_t first = tile * SCAN_TILE + thread * SCAN_ITEMS;
    uint32_t bytes = (mask & 0xff) * 0x01010101u;
    uint32_t bits = 0;
    if (first + SCAN_ITEMS <= len) {
        uint4 words = *reinterpret_cast<const uint4*>(flags + first);
        bits = marked(words.x, bytes) | marked(words.y, bytes) << 4 | marked(words.z, bytes) << 8 |
               marked(words.w, bytes) << 12;
    } else {
        for (uint32_t k = 0; first + k < len && k < SCAN_ITEMS; k++) {
            bits |= uint32_t((flags[first + k] & bytes & 0xff) != 0) << k;
        }
    }
    uint32_t at = tile_exclusive<Sum>(__popc(bits), tile, tile == tiles - 1, state + 1, parts, num_indices);
    // Thread 0's is where the tile begins in the output, and what follows the last thread's is where it ends.
    if (thread == 0) range[0] = at;
    if (thread == SCAN_THREADS - 1) range[1] = at + __popc(bits);
    __syncthreads();
    uint32_t begin = range[0], end = range[1];
    for (; bits != 0; bits &= bits - 1) found[at++ - begin] = first + __ffs(bits) - 1;
    __syncthreads();
    for (uint32_t i = begin + thread; i < min(end, room); i += SCAN_THREADS) indices[i] = found[i - begin];
}
EXPORT(scan_compact, 256)
