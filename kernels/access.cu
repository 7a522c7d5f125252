// Accesses joined over a whole segment: gaps of registers across chunks, and of memory words by sorting; then the memory
// boundary table.
#include "count.cuh"
#include "machine.cuh"

constexpr uint32_t THREADS = 256;
constexpr uint32_t WARPS = THREADS / 32;

/// Sum of `value` over this and the lanes below.
DEVICE uint32_t warp_scan_sum(uint32_t value) {
    for (uint32_t distance = 1; distance < 32; distance *= 2) {
        uint32_t below = __shfl_up_sync(0xffffffffu, value, distance);
        if ((threadIdx.x & 31) >= distance) value += below;
    }
    return value;
}

/// Corrects the gap of each chunk's first access of a register, which replay took for the segment's first.
///
/// - first: `[32][num_chunks]` from replay, 0 where a chunk has no access.
/// - before: `[32][num_chunks]`, last access in the chunks before each, or 0: times ascend, so a scan's maximum.
/// - fields: `[10][stride]`, gaps in and out.
/// - register_first: `[32]`, out: the segment's first access; must be 0 before.
///
/// Grid: (chunks / 256, 32); block: 256. Tested against `witness::replay_reads`.
KERNEL(THREADS) access_fix(const uint32_t* __restrict__ first, const uint32_t* __restrict__ before,
                           uint32_t num_chunks, uint32_t* __restrict__ fields, uint32_t stride,
                           uint32_t* __restrict__ register_first) {
    uint32_t chunk = thread_index();
    if (chunk >= num_chunks) return;
    size_t at = size_t(blockIdx.y) * num_chunks + chunk;
    uint32_t now = first[at];
    if (now == 0) return;
    uint32_t last = before[at];
    if (last == 0) {
        register_first[blockIdx.y] = now;
        return;
    }
    uint32_t row = (now - 1) / 4;
    uint32_t slot = (now - 1) % 4;
    fields[size_t(FIELD_GAP + slot) * stride + row] = now - last - 1;
}
EXPORT(access_fix, THREADS)

/// Gap of every access of memory, and whether it finds what the access before it left.
///
/// - accessed: `[num_rows]`, words accessed, ascending, NO_WORD last; rows: `[num_rows]`, their rows, ascending
///   within a word.
/// - fields: `[10][stride]`; the memory gap is written.
/// - heads: `[blocks]`, out: how many words start in each block's part.
/// - last_row: whose `op` goes to the status.
///
/// Grid: one thread a row; block: 256. Tested against `witness::replay_reads`.
KERNEL(THREADS) access_link(const uint32_t* __restrict__ accessed, const uint32_t* __restrict__ rows,
                            uint32_t num_rows, uint32_t* __restrict__ fields, uint32_t stride, uint32_t last_row,
                            uint32_t* __restrict__ heads, uint32_t* __restrict__ status) {
    SHARED(uint32_t, partial, WARPS);
    uint32_t i = thread_index();
    bool head = false;
    if (i < num_rows) {
        uint32_t word = accessed[i];
        if (word != NO_WORD) {
            uint32_t row = rows[i];
            uint32_t gap = timestamp(row, 2) - 1;
            head = i == 0 || accessed[i - 1] != word;
            if (!head) {
                uint32_t before = rows[i - 1];
                gap -= timestamp(before, 2);
                uint32_t left = fields[size_t(FIELD_AFTER) * stride + before];
                uint32_t found = fields[size_t(FIELD_OLD) * stride + row];
                if (left != found) report(status, row, ERROR_INCONSISTENT, word << 2);
            }
            fields[size_t(FIELD_GAP + 2) * stride + row] = gap;
        }
        if (i == last_row) status[STATUS_LAST_OP] = fields[size_t(FIELD_OP) * stride + i];
    }
    uint32_t mask = __ballot_sync(0xffffffffu, head);
    if ((threadIdx.x & 31) == 0) partial[threadIdx.x / 32] = __popc(mask);
    __syncthreads();
    if (threadIdx.x == 0) {
        uint32_t count = 0;
        for (uint32_t warp = 0; warp < WARPS; warp++) count += partial[warp];
        heads[blockIdx.x] = count;
    }
}
EXPORT(access_link, THREADS)

/// Sums of all `heads` before each, in place; the sum of all goes to the status.
///
/// - heads: `[count]`.
///
/// Grid: 1; block: 256.
KERNEL(THREADS) access_scan(uint32_t* __restrict__ heads, uint32_t count, uint32_t* __restrict__ status) {
    constexpr uint32_t ITEMS = 4;
    SHARED(uint32_t, partial, WARPS);
    uint32_t warp = threadIdx.x / 32;
    uint32_t base = 0;
    for (uint32_t start = 0; start < count; start += ITEMS * THREADS) {
        uint32_t at = start + ITEMS * threadIdx.x;
        uint32_t values[ITEMS];
        uint32_t sum = 0;
        for (uint32_t k = 0; k < ITEMS; k++) {
            values[k] = at + k < count ? heads[at + k] : 0;
            sum += values[k];
        }
        uint32_t scanned = warp_scan_sum(sum);
        if ((threadIdx.x & 31) == 31) partial[warp] = scanned;
        __syncthreads();
        uint32_t total = 0;
        uint32_t before = base + scanned - sum;
        for (uint32_t w = 0; w < WARPS; w++) {
            if (w < warp) before += partial[w];
            total += partial[w];
        }
        for (uint32_t k = 0; k < ITEMS; k++) {
            if (at + k < count) heads[at + k] = before;
            before += values[k];
        }
        base += total;
        __syncthreads();
    }
    if (threadIdx.x == 0) status[STATUS_WORDS] = base;
}
EXPORT(access_scan, THREADS)

/// Cells of the boundary table being written.
struct Boundary {
    uint32_t* table;
    uint32_t height;

    DEVICE void put(uint32_t col, uint32_t row, uint32_t value) {
        table[size_t(col) * height + row] = to_monty(value);
    }
    DEVICE void put_bytes(uint32_t col, uint32_t row, uint32_t value) {
        for (uint32_t i = 0; i < 4; i++) put(col + i, row, value >> (8 * i) & 255);
    }
};

/// The memory boundary table: words by address, the 32 registers, padding; and what its rows look up.
///
/// - accessed, rows: as for `access_link`; heads: `[blocks]` from `access_scan`, of which status has the sum.
/// - fields: `[10][stride]`, words before and after.
/// - states: `[2][STATE_WORDS]`, the segment's start and end.
/// - register_last: `[32]`.
/// - table: column-major `[BOUNDARY_WIDTH][height]` with the height that the number of words gives; the memory is as
///   large as max_height asks, which is a power of two.
/// - counters: `[shards][COUNTERS]`; shards: a power of two.
///
/// Grid: one thread for each of max(num_rows, max_height); block: 256. Tested against `witness::fill_tables`.
KERNEL(THREADS) access_boundary(const uint32_t* __restrict__ accessed, const uint32_t* __restrict__ rows,
                                uint32_t num_rows, const uint32_t* __restrict__ heads,
                                const uint32_t* __restrict__ fields, uint32_t stride,
                                const uint32_t* __restrict__ states, const uint32_t* __restrict__ register_last,
                                uint32_t max_height, uint32_t* __restrict__ table, uint32_t* __restrict__ counters,
                                uint32_t shards, const uint32_t* __restrict__ status) {
    SHARED(uint32_t, partial, WARPS);
    uint32_t i = thread_index();
    uint32_t warp = threadIdx.x / 32;
    uint32_t words = status[STATUS_WORDS];
    Boundary out = {table, boundary_height(words)};
    uint32_t* shard = counters + size_t(blockIdx.x & (shards - 1)) * COUNTERS;

    // Words: the first access of a word knows what it held before, the last what it holds after.
    uint32_t word = i < num_rows ? accessed[i] : NO_WORD;
    bool head = word != NO_WORD && (i == 0 || accessed[i - 1] != word);
    uint32_t next = i + 1 < num_rows ? accessed[i + 1] : NO_WORD;
    bool tail = word != NO_WORD && next != word;
    uint32_t mask = __ballot_sync(0xffffffffu, head);
    if ((threadIdx.x & 31) == 0) partial[warp] = __popc(mask);
    __syncthreads();
    // Heads up to and including this thread, less one.
    uint32_t rank = i < num_rows ? heads[blockIdx.x] : 0;
    for (uint32_t w = 0; w < warp; w++) rank += partial[w];
    rank += __popc(mask & (0xffffffffu >> (31 - (threadIdx.x & 31)))) - 1;

    uint32_t lo = 0, hi = 0, init = 0, step = 0;
    if (head) {
        lo = word & 0xffff;
        hi = word >> 16;
        init = fields[size_t(FIELD_OLD) * stride + rows[i]];
        out.put(BOUNDARY_REAL, rank, 1);
        out.put(BOUNDARY_LO, rank, lo);
        out.put(BOUNDARY_HI, rank, hi);
        out.put(BOUNDARY_REGISTER, rank, 0);
        out.put_bytes(BOUNDARY_INIT, rank, init);
    }
    if (tail) {
        // After the last word come the registers, from NO_WORD on.
        step = next - word - 1;
        uint32_t row = rows[i];
        out.put_bytes(BOUNDARY_FINAL, rank, fields[size_t(FIELD_AFTER) * stride + row]);
        out.put(BOUNDARY_TIME, rank, timestamp(row, 2));
        out.put(BOUNDARY_STEP, rank, step & 0xffff);
        out.put(BOUNDARY_STEP + 1, rank, step >> 16);
        out.put(BOUNDARY_CARRY, rank, ((word & 0xffff) + (step & 0xffff) + 1) >> 16);
    }
    count_lookup(shard + COUNTS16, lo);
    count_lookup(shard + COUNTS14, hi);
    count_lookup(shard + COUNTS_BYTES, init & 0xffff);
    count_lookup(shard + COUNTS_BYTES, init >> 16);
    count_lookup(shard + COUNTS16, step & 0xffff);
    count_lookup(shard + COUNTS14, step >> 16);

    // Registers, and padding.
    uint32_t reg = i - words;
    bool is_register = i >= words && reg < 32;
    lo = 0, init = 0;
    if (is_register) {
        lo = reg;
        init = states[STATE_X + reg];
        out.put(BOUNDARY_REAL, i, 1);
        out.put(BOUNDARY_LO, i, reg);
        out.put(BOUNDARY_HI, i, 0);
        out.put(BOUNDARY_REGISTER, i, 1);
        out.put_bytes(BOUNDARY_INIT, i, init);
        out.put_bytes(BOUNDARY_FINAL, i, states[STATE_WORDS + STATE_X + reg]);
        out.put(BOUNDARY_TIME, i, register_last[reg]);
        out.put(BOUNDARY_STEP, i, 0);
        out.put(BOUNDARY_STEP + 1, i, 0);
        out.put(BOUNDARY_CARRY, i, 0);
    } else if (i >= words && i < out.height && out.height <= max_height) {
        for (uint32_t col = 0; col < BOUNDARY_WIDTH; col++) table[size_t(col) * out.height + i] = 0;
    }
    count_lookup(shard + COUNTS16, lo);
    count_lookup(shard + COUNTS_BYTES, init & 0xffff);
    count_lookup(shard + COUNTS_BYTES, init >> 16);
}
EXPORT(access_boundary, THREADS)
