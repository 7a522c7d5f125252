// Stable radix sort of pairs by 8-bit digits of their keys, lowest first.
//
// One launch counts the digits of all passes; its last block turns the counts into offsets and plans the passes: those
// in which all keys have the same digit change nothing and are left out. Then one launch a pass: a block ranks the keys
// of its tile, publishes how many of each digit it has, looks back over the tiles before it (8 at a time) for where its
// own go, and writes keys and values through shared memory, so that equal digits leave in runs. Blocks take tiles in
// the order of an atomic counter and so wait only for blocks that run already.
//
// 2^20 pairs of 32-bit keys are 8 MiB read and 8 MiB written a pass, within the L2 of an H200: 3.9 us a pass at the
// 4.3 TB/s of its memory (derived, not timed). Six operations on the stream in all (one memset, one count, four
// passes), so that at this size launches and the look-back over 128 tiles weigh more than bytes.
#include "lookback.cuh"
#include "ptx.cuh"

constexpr uint32_t SORT_THREADS = 512;
constexpr uint32_t SORT_WARPS = SORT_THREADS / 32;
constexpr uint32_t SORT_BINS = 256;
constexpr uint32_t SORT_MAX_PASSES = 8;
/// Bytes of keys that a tile holds, and so of shared memory.
constexpr uint32_t SORT_TILE_BYTES = 32768;
constexpr uint32_t SORT_TILE_WORDS = SORT_TILE_BYTES / 4;
/// Tiles that are looked at together when looking back.
constexpr uint32_t SORT_WINDOW = 8;
/// Keys that a thread loads before it counts them.
constexpr uint32_t COUNT_ITEMS = 8;
constexpr uint32_t FULL_WARP = 0xffffffffu;

// The state, in words: counts, then offsets, of each pass's digits; the plan and the ticket counter of each pass; a
// counter of blocks; then two arrays of published words `[tiles][SORT_BINS]`, used in turn.
constexpr uint32_t SORT_PLAN = SORT_MAX_PASSES * SORT_BINS;
constexpr uint32_t SORT_TICKETS = SORT_PLAN + SORT_MAX_PASSES;
constexpr uint32_t SORT_DONE = SORT_TICKETS + SORT_MAX_PASSES;
constexpr uint32_t SORT_STATUS = SORT_PLAN + 32;

// A pass's plan: 0 if it is left out, else these. The first pass of the plan reads the input.
constexpr uint32_t PLAN_ACTIVE = 1;
constexpr uint32_t PLAN_FIRST = 2;
/// It writes the output; else the spare buffers.
constexpr uint32_t PLAN_TO_OUTPUT = 4;
/// It uses the second array of published words.
constexpr uint32_t PLAN_SECOND_STATUS = 8;

// A published word: a count of keys, and in the upper two bits whether it is the tile's or reaches from the start.
constexpr uint32_t SORT_REACH_TILE = 1u << 30;
constexpr uint32_t SORT_REACH_START = 2u << 30;
constexpr uint32_t SORT_COUNT = SORT_REACH_TILE - 1;

DEVICE uint32_t digit_mask(uint32_t bits) { return (1u << bits) - 1; }

/// Sum of the 256 first threads' values before this one's. All 512 threads of the block call it; contains barriers.
///
/// - `parts`: `[8]` shared words.
DEVICE uint32_t bins_exclusive(uint32_t value, uint32_t* parts) {
    uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    uint32_t inclusive = value;
#pragma unroll
    for (uint32_t step = 1; step < 32; step *= 2) {
        uint32_t before = __shfl_up_sync(FULL_WARP, inclusive, step);
        if (lane >= step) inclusive += before;
    }
    if (lane == 31 && warp < SORT_BINS / 32) parts[warp] = inclusive;
    __syncthreads();
    uint32_t before = inclusive - value;
    for (uint32_t w = 0; w < min(warp, SORT_BINS / 32); w++) before += parts[w];
    __syncthreads();
    return before;
}

/// Turns counts into offsets and plans the passes; one block, after all have counted.
DEVICE void sort_plan(uint32_t* state, uint32_t num_keys, uint32_t passes, uint32_t* parts,
                      uint32_t* constant) {
    uint32_t thread = threadIdx.x;
    if (thread < SORT_MAX_PASSES) constant[thread] = 0;
    __syncthreads();
    for (uint32_t pass = 0; pass < passes; pass++) {
        uint32_t* counts = state + pass * SORT_BINS;
        uint32_t count = thread < SORT_BINS ? __ldcg(counts + thread) : 0;
        uint32_t offset = bins_exclusive(count, parts);
        if (thread < SORT_BINS) counts[thread] = offset;
        if (count == num_keys) constant[pass] = 1;
    }
    __syncthreads();
    if (thread == 0) {
        uint32_t active = 0;
        for (uint32_t pass = 0; pass < passes; pass++) active += 1 - constant[pass];
        // Something has to write the output.
        if (active == 0) {
            constant[0] = 0;
            active = 1;
        }
        uint32_t ordinal = 0;
        for (uint32_t pass = 0; pass < passes; pass++) {
            uint32_t plan = 0;
            if (!constant[pass]) {
                plan = PLAN_ACTIVE;
                if (ordinal == 0) plan |= PLAN_FIRST;
                if ((active - ordinal) % 2 == 1) plan |= PLAN_TO_OUTPUT;
                if (ordinal % 2 == 1) plan |= PLAN_SECOND_STATUS;
                ordinal++;
            }
            state[SORT_PLAN + pass] = plan;
        }
    }
}

/// Counts the digits of all passes. Each block has `COPIES` counters a digit, so that skewed digits collide less.
template <class Key, uint32_t COPIES>
DEVICE void count_digits(const Key* keys, uint32_t* state, uint32_t num_keys, uint32_t begin_bit, uint32_t end_bit,
                         uint32_t* counters, uint32_t* parts, uint32_t* constant) {
    uint32_t thread = threadIdx.x;
    uint32_t passes = (end_bit - begin_bit + 7) / 8;
    for (uint32_t i = thread; i < passes * SORT_BINS * COPIES; i += SORT_THREADS) counters[i] = 0;
    __syncthreads();
    uint32_t last_mask = digit_mask(end_bit - begin_bit - 8 * (passes - 1));
    uint32_t stride = gridDim.x * SORT_THREADS;
    for (uint32_t start = thread_index(); start < num_keys; start += COUNT_ITEMS * stride) {
        Key batch[COUNT_ITEMS];
#pragma unroll
        for (uint32_t k = 0; k < COUNT_ITEMS; k++) {
            uint32_t i = start + k * stride;
            if (i < num_keys) batch[k] = keys[i] >> begin_bit;
        }
#pragma unroll
        for (uint32_t k = 0; k < COUNT_ITEMS; k++) {
            if (start + k * stride >= num_keys) break;
#pragma unroll
            for (uint32_t pass = 0; pass < sizeof(Key); pass++) {
                if (pass < passes) {
                    uint32_t digit = uint32_t(batch[k] >> (8 * pass)) & (pass + 1 == passes ? last_mask : 0xffu);
                    atomicAdd(&counters[(pass * SORT_BINS + digit) * COPIES + thread % COPIES], 1u);
                }
            }
        }
    }
    __syncthreads();
    for (uint32_t i = thread; i < passes * SORT_BINS; i += SORT_THREADS) {
        uint32_t count = 0;
#pragma unroll
        for (uint32_t copy = 0; copy < COPIES; copy++) count += counters[i * COPIES + (copy + thread) % COPIES];
        if (count != 0) atomicAdd(&state[i], count);
    }
    __threadfence();
    __syncthreads();
    if (thread == 0) parts[0] = atomicAdd(&state[SORT_DONE], 1u);
    __syncthreads();
    bool last = parts[0] == gridDim.x - 1;
    __syncthreads();
    if (!last) return;
    __threadfence();
    sort_plan(state, num_keys, passes, parts, constant);
}

/// Lanes of the warp whose digit is this lane's, by eight votes.
DEVICE uint32_t lanes_with(uint32_t digit) {
    uint32_t lanes = lanes_alike(digit, 1);
#pragma unroll
    for (uint32_t bit = 1; bit < 8; bit++) lanes &= lanes_alike(digit, 1u << bit);
    return lanes;
}

/// How many keys of this thread's digit the tiles before `tile` hold.
///
/// - `status`: `[tiles][SORT_BINS]`, from this thread's digit on.
DEVICE uint32_t keys_before(const volatile uint32_t* status, uint32_t tile) {
    uint32_t before = 0;
    for (uint32_t end = tile; end != 0;) {
        uint32_t words[SORT_WINDOW];
#pragma unroll
        for (uint32_t k = 0; k < SORT_WINDOW; k++) {
            words[k] = k < end ? status[uint64_t(end - 1 - k) * SORT_BINS] : 0;
        }
        bool stop = false;
        uint32_t next = end;
#pragma unroll
        for (uint32_t k = 0; k < SORT_WINDOW; k++) {
            // A word not published yet is read again.
            stop = stop || words[k] == 0;
            if (!stop) {
                before += words[k] & SORT_COUNT;
                stop = words[k] >= SORT_REACH_START;
                next = stop ? 0 : next - 1;
            }
        }
        end = next;
    }
    return before;
}

/// A thread's places in the tile, two to a register: places are below 2^15.
template <uint32_t ITEMS>
struct Places {
    uint32_t pairs[ITEMS / 2];

    DEVICE uint32_t get(uint32_t k) const { return k % 2 == 0 ? pairs[k / 2] & 0xffff : pairs[k / 2] >> 16; }
    DEVICE void set(uint32_t k, uint32_t place) { pairs[k / 2] = k % 2 == 0 ? place : pairs[k / 2] | place << 16; }
    DEVICE void add(uint32_t k, uint32_t more) { pairs[k / 2] += k % 2 == 0 ? more : more << 16; }
};

/// One pass over one tile.
///
/// - `words`: `[SORT_TILE_WORDS]`, 8-byte aligned; `starts`: `[SORT_BINS]`; `parts`: `[8]`, all shared.
template <class Key>
DEVICE void sort_pass(const Key* in_keys, const uint32_t* in_values, Key* spare_keys, uint32_t* spare_values,
                      Key* out_keys, uint32_t* out_values, uint32_t* state, uint32_t num_keys, uint32_t pass,
                      uint32_t begin_bit, uint32_t end_bit, uint32_t values_are_indices, uint32_t* words,
                      uint32_t* starts, uint32_t* parts) {
    constexpr uint32_t TILE = SORT_TILE_BYTES / sizeof(Key);
    constexpr uint32_t ITEMS = TILE / SORT_THREADS;
    uint32_t plan = state[SORT_PLAN + pass];
    if (plan == 0) return;
    bool first = plan & PLAN_FIRST, to_output = plan & PLAN_TO_OUTPUT;
    const Key* from_keys = first ? in_keys : to_output ? spare_keys : out_keys;
    const uint32_t* from_values = first ? in_values : to_output ? spare_values : out_values;
    Key* to_keys = to_output ? out_keys : spare_keys;
    uint32_t* to_values = to_output ? out_values : spare_values;
    bool make_values = first && values_are_indices;

    uint32_t thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    uint32_t shift = begin_bit + 8 * pass;
    uint32_t mask = digit_mask(min(8u, end_bit - shift));
    if (thread == 0) parts[0] = atomicAdd(&state[SORT_TICKETS + pass], 1u);
    for (uint32_t i = thread; i < SORT_WARPS * SORT_BINS; i += SORT_THREADS) words[i] = 0;
    __syncthreads();
    uint32_t tile = parts[0];
    uint32_t tiles = (num_keys + TILE - 1) / TILE;
    uint32_t start = tile * TILE;
    uint32_t count = min(TILE, num_keys - start);
    uint32_t* status = state + SORT_STATUS;
    uint32_t* next_status = status;
    (plan & PLAN_SECOND_STATUS ? status : next_status) += uint64_t(tiles) * SORT_BINS;

    // A warp holds consecutive keys, item by item; what is missing in the last tile sorts to its end.
    uint32_t mine = warp * 32 * ITEMS + lane;
    const Key* my_keys = from_keys + start + mine;
    Key keys[ITEMS];
#pragma unroll
    for (uint32_t k = 0; k < ITEMS; k++) keys[k] = mine + 32 * k < count ? my_keys[32 * k] : ~Key(0);

    // Rank among the warp's keys of the same digit.
    uint32_t* counts = words + warp * SORT_BINS;
    Places<ITEMS> places;
#pragma unroll
    for (uint32_t k = 0; k < ITEMS; k++) {
        uint32_t digit = uint32_t(keys[k] >> shift) & mask;
        uint32_t lanes = lanes_with(digit);
        uint32_t leader = __ffs(lanes) - 1;
        uint32_t seen = 0;
        if (lane == leader) {
            seen = counts[digit];
            counts[digit] = seen + __popc(lanes);
        }
        __syncwarp();
        places.set(k, __shfl_sync(FULL_WARP, seen, leader) + __popc(lanes & ((1u << lane) - 1)));
    }
    __syncthreads();

    // The tile's counts are published, and each warp's made into places within the tile.
    uint32_t in_tile = 0;
    if (thread < SORT_BINS) {
        for (uint32_t w = 0; w < SORT_WARPS; w++) in_tile += words[w * SORT_BINS + thread];
        publish_tile<uint32_t>(status + uint64_t(tile) * SORT_BINS + thread,
                               (tile == 0 ? SORT_REACH_START : SORT_REACH_TILE) | in_tile);
        next_status[uint64_t(tile) * SORT_BINS + thread] = 0;
    }
    uint32_t first_place = bins_exclusive(in_tile, parts);
    if (thread < SORT_BINS) {
        uint32_t place = first_place;
        for (uint32_t w = 0; w < SORT_WARPS; w++) {
            uint32_t in_warp = words[w * SORT_BINS + thread];
            words[w * SORT_BINS + thread] = place;
            place += in_warp;
        }
    }
    __syncthreads();
#pragma unroll
    for (uint32_t k = 0; k < ITEMS; k++) places.add(k, counts[uint32_t(keys[k] >> shift) & mask]);
    __syncthreads();

    Key* staged_keys = reinterpret_cast<Key*>(words);
#pragma unroll
    for (uint32_t k = 0; k < ITEMS; k++) staged_keys[places.get(k)] = keys[k];
    const uint32_t* my_values = from_values + start + mine;
    uint32_t values[ITEMS];
#pragma unroll
    for (uint32_t k = 0; k < ITEMS; k++) {
        values[k] = make_values ? start + mine + 32 * k : mine + 32 * k < count ? my_values[32 * k] : 0;
    }
    if (thread < SORT_BINS) {
        uint32_t before = keys_before(status + thread, tile);
        publish_reach<uint32_t>(status + uint64_t(tile) * SORT_BINS + thread, SORT_REACH_START | (before + in_tile),
                                tile);
        starts[thread] = state[pass * SORT_BINS + thread] + before - first_place;
    }
    __syncthreads();

    uint32_t targets[ITEMS];
#pragma unroll
    for (uint32_t k = 0; k < ITEMS; k++) {
        uint32_t i = thread + k * SORT_THREADS;
        Key key = staged_keys[i];
        targets[k] = starts[uint32_t(key >> shift) & mask] + i;
        if (i < count) to_keys[targets[k]] = key;
    }
    __syncthreads();
#pragma unroll
    for (uint32_t k = 0; k < ITEMS; k++) words[places.get(k)] = values[k];
    __syncthreads();
#pragma unroll
    for (uint32_t k = 0; k < ITEMS; k++) {
        uint32_t i = thread + k * SORT_THREADS;
        if (i < count) to_values[targets[k]] = words[i];
    }
}

/// Counts the digits of 32-bit keys for all passes and plans the passes.
///
/// - `keys`: `[num_keys]`, 1 to 2^28 of them. `state`: zeroes, `SORT_STATUS + 2 * tiles * 256` words; becomes what the
///   passes need. Bits `begin_bit..end_bit` (at least one) are sorted by.
///
/// Grid any number of blocks of 512. Shared 32 kB. Tested through the sort.
KERNEL(512) sort_count32(const uint32_t* __restrict__ keys, uint32_t* state, uint32_t num_keys, uint32_t begin_bit,
                         uint32_t end_bit) {
    SHARED(uint32_t, counters, 4 * SORT_BINS * 8);
    SHARED(uint32_t, parts, 8);
    SHARED(uint32_t, constant, SORT_MAX_PASSES);
    count_digits<uint32_t, 8>(keys, state, num_keys, begin_bit, end_bit, counters, parts, constant);
}
EXPORT(sort_count32, 512)

/// As `sort_count32`, for 64-bit keys.
KERNEL(512) sort_count64(const uint64_t* __restrict__ keys, uint32_t* state, uint32_t num_keys, uint32_t begin_bit,
                         uint32_t end_bit) {
    SHARED(uint32_t, counters, 8 * SORT_BINS * 4);
    SHARED(uint32_t, parts, 8);
    SHARED(uint32_t, constant, SORT_MAX_PASSES);
    count_digits<uint64_t, 4>(keys, state, num_keys, begin_bit, end_bit, counters, parts, constant);
}
EXPORT(sort_count64, 512)

/// One pass of the sort of 32-bit keys with 32-bit values: the plan's, or nothing where the plan leaves it out.
///
/// - `in_*`, `spare_*`, `out_*`: `[num_keys]` each, all different; the input is read only. After the last pass the
///   output is sorted. `in_values` is not read where `values_are_indices` is not 0: then values are `0..num_keys`.
/// - `state`: as the pass before left it. `pass`: from 0 on, in order. Bits as for `sort_count32`.
///
/// Grid `ceil(num_keys / 8192)` blocks of 512, in any order. Shared 33.1 kB. Tested against `sort_by_key`.
KERNEL(512, 2) sort_pass32(const uint32_t* in_keys, const uint32_t* in_values, uint32_t* spare_keys,
                        uint32_t* spare_values, uint32_t* out_keys, uint32_t* out_values, uint32_t* state,
                        uint32_t num_keys, uint32_t pass, uint32_t begin_bit, uint32_t end_bit,
                        uint32_t values_are_indices) {
    SHARED(uint32_t, words, SORT_TILE_WORDS);
    SHARED(uint32_t, starts, SORT_BINS);
    SHARED(uint32_t, parts, 8);
    sort_pass<uint32_t>(in_keys, in_values, spare_keys, spare_values, out_keys, out_values, state, num_keys, pass,
                        begin_bit, end_bit, values_are_indices, words, starts, parts);
}
EXPORT(sort_pass32, 512)

/// As `sort_pass32`, for 64-bit keys; a grid of `ceil(num_keys / 4096)` blocks.
KERNEL(512, 2) sort_pass64(const uint64_t* in_keys, const uint32_t* in_values, uint64_t* spare_keys,
                        uint32_t* spare_values, uint64_t* out_keys, uint32_t* out_values, uint32_t* state,
                        uint32_t num_keys, uint32_t pass, uint32_t begin_bit, uint32_t end_bit,
                        uint32_t values_are_indices) {
    SHARED(uint64_t, words, SORT_TILE_WORDS / 2);
    SHARED(uint32_t, starts, SORT_BINS);
    SHARED(uint32_t, parts, 8);
    sort_pass<uint64_t>(in_keys, in_values, spare_keys, spare_values, out_keys, out_values, state, num_keys, pass,
                        begin_bit, end_bit, values_are_indices, reinterpret_cast<uint32_t*>(words), starts, parts);
}
EXPORT(sort_pass64, 512)
