// The range table and the program table, from the lookups that filling rows counted.
#include "count.cuh"
#include "machine.cuh"

constexpr uint32_t THREADS = 256;

/// Adds the shards up.
///
/// - counters: `[shards][COUNTERS]`; the sums replace the first shard.
/// - executed: `[shards][num_ops]`, how often each instruction ran.
/// - program: `[padded_ops]`, out: the program table.
/// - totals: `[3]`, zero before, out: sums of each table's counters.
///
/// Grid: one thread for each of COUNTERS + padded_ops; block: 256. Tested against `witness::fill_tables`.
KERNEL(THREADS) counts_sum(uint32_t* __restrict__ counters, const uint32_t* __restrict__ executed, uint32_t shards,
                           uint32_t num_ops, uint32_t padded_ops, uint32_t* __restrict__ program,
                           uint32_t* __restrict__ totals) {
    uint32_t i = thread_index();
    uint32_t sum = 0;
    if (i < COUNTERS) {
        for (uint32_t shard = 0; shard < shards; shard++) sum += counters[size_t(shard) * COUNTERS + i];
        counters[i] = sum;
        // A warp's counters are all of one table.
        for (uint32_t distance = 16; distance != 0; distance /= 2) {
            sum += __shfl_xor_sync(0xffffffffu, sum, int(distance));
        }
        if ((threadIdx.x & 31) == 0 && sum != 0) atomicAdd(totals + i / RANGE_ROWS, sum);
        return;
    }
    i -= COUNTERS;
    if (i >= padded_ops) return;
    if (i < num_ops) {
        for (uint32_t shard = 0; shard < shards; shard++) sum += executed[size_t(shard) * num_ops + i];
    }
    program[i] = to_monty(sum);
}
EXPORT(counts_sum, THREADS)

/// The range table; lookups of zero are what remains of the known number.
///
/// - counters: `[COUNTERS]` and totals: `[3]` from `counts_sum`.
/// - cpu_rows: height of the CPU table; that of the boundary table follows from the status.
/// - table: column-major `[RANGE_WIDTH][RANGE_ROWS]`, out.
///
/// Grid: one thread a row; block: 256. Tested against `witness::fill_tables`.
KERNEL(THREADS) counts_range(const uint32_t* __restrict__ counters, const uint32_t* __restrict__ totals,
                             uint32_t cpu_rows, const uint32_t* __restrict__ status, uint32_t* __restrict__ table) {
    uint32_t value = thread_index();
    if (value >= RANGE_ROWS) return;
    uint32_t boundary_rows = boundary_height(status[STATUS_WORDS]);
    uint32_t count16 = counters[COUNTS16 + value];
    uint32_t bytes = counters[COUNTS_BYTES + value];
    uint32_t count14 = value % 4 == 0 ? counters[COUNTS14 + value / 4] : 0;
    if (value == 0) {
        count16 = RANGE_COLS16_COUNT * cpu_rows + BOUNDARY_COLS16_COUNT * boundary_rows - totals[0];
        count14 = RANGE_COLS14_COUNT * cpu_rows + BOUNDARY_COLS14_COUNT * boundary_rows - totals[1];
        bytes = RANGE_COLS_BYTES_COUNT * cpu_rows + BOUNDARY_COLS_BYTES_COUNT * boundary_rows - totals[2];
    }
    table[RANGE_VALUE16 * RANGE_ROWS + value] = to_monty(count16);
    table[RANGE_BYTES * RANGE_ROWS + value] = to_monty(bytes);
    table[RANGE_VALUE14 * RANGE_ROWS + value] = to_monty(count14);
}
EXPORT(counts_range, THREADS)
