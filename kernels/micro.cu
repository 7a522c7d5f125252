// Micro-benchmarks: how fast a device does one thing. Every kernel leaves results that the host computes again, for a
// sample of threads, so that no work can be left out.
//
// Kernels that compute have eight states a thread, `x[i]`, and a round changes each once; neighbours are used, so that
// nothing can be simplified over rounds, while the eight changes of a round hardly depend on each other.
#include "field.cuh"
#include "ptx.cuh"

constexpr uint32_t MICRO_THREADS = 256;
constexpr uint32_t STATES = 8;
/// Rounds that are written out; their number is a multiple of it.
constexpr uint32_t UNROLLED = 16;

/// A word that looks random.
DEVICE uint32_t mix(uint32_t x) {
    x *= 0x9e3779b1u;
    x ^= x >> 15;
    x *= 0x85ebca77u;
    return x ^ x >> 13;
}

/// Runs `Step` on eight states and leaves their exclusive or.
///
/// - `output`: `[threads of the grid]`.
template <class Step>
DEVICE void run_rounds(uint32_t* output, uint32_t rounds, uint32_t constant) {
    uint32_t thread = thread_index();
    typename Step::Word x[STATES];
#pragma unroll
    for (uint32_t i = 0; i < STATES; i++) x[i] = Step::start(mix(thread * STATES + i));
    for (uint32_t round = 0; round < rounds; round += UNROLLED) {
#pragma unroll
        for (uint32_t k = 0; k < UNROLLED; k++) {
#pragma unroll
            for (uint32_t i = 0; i < STATES; i++) {
                x[i] = Step::change(x[i], x[(i + 1) % STATES], x[(i + 2) % STATES], i, constant);
            }
        }
    }
    uint32_t all = 0;
#pragma unroll
    for (uint32_t i = 0; i < STATES; i++) all ^= Step::finish(x[i]);
    output[thread] = all;
}

/// States of 32 bits.
struct Narrow {
    using Word = uint32_t;
    static DEVICE uint32_t start(uint32_t x) { return x; }
    static DEVICE uint32_t finish(uint32_t x) { return x; }
};

struct Wide {
    using Word = uint64_t;
    static DEVICE uint64_t start(uint32_t x) { return x; }
    static DEVICE uint32_t finish(uint64_t x) { return uint32_t(x) ^ uint32_t(x >> 32); }
    static DEVICE uint64_t change(uint64_t x, uint64_t next, uint64_t, uint32_t, uint32_t constant) {
        return multiply_add_wide(uint32_t(x), constant, next);
    }
};

struct High : Narrow {
    static DEVICE uint32_t change(uint32_t x, uint32_t next, uint32_t, uint32_t, uint32_t constant) {
        return __umulhi(x, constant) + next;
    }
};

struct Low : Narrow {
    static DEVICE uint32_t change(uint32_t x, uint32_t next, uint32_t second, uint32_t, uint32_t) {
        return x * next + second;
    }
};

struct Logic : Narrow {
    static DEVICE uint32_t change(uint32_t x, uint32_t next, uint32_t second, uint32_t, uint32_t) {
        return (x & next) ^ second;
    }
};

struct Add3 : Narrow {
    static DEVICE uint32_t change(uint32_t x, uint32_t next, uint32_t second, uint32_t i, uint32_t constant) {
        return x + (i % 2 == 0 ? next : second) + constant;
    }
};

/// Half the states by logic, half by multiplication.
struct Mixed : Narrow {
    static DEVICE uint32_t change(uint32_t x, uint32_t next, uint32_t second, uint32_t i, uint32_t) {
        return i % 2 == 0 ? (x & next) ^ second : x * next + second;
    }
};

struct Multiply : Narrow {
    static DEVICE uint32_t start(uint32_t x) { return x & 0x3fffffff; }
    static DEVICE uint32_t change(uint32_t x, uint32_t next, uint32_t, uint32_t, uint32_t) { return mul(x, next); }
};

/// 32-bit by 32-bit multiplications added to 64 bits, eight a round and thread.
///
/// - `output`: `[threads of the grid]`, one word for the host to compare. `rounds`: a multiple of 16. `constant`: as on
///   the host.
///
/// Grid any number of blocks of 256. Tested against the host, as are all that follow.
KERNEL(256) micro_wide(uint32_t* __restrict__ output, uint32_t rounds, uint32_t constant) {
    run_rounds<Wide>(output, rounds, constant);
}
EXPORT(micro_wide, 256)

/// Upper halves of products added to 32 bits. Parameters and launch as `micro_wide`.
KERNEL(256) micro_high(uint32_t* __restrict__ output, uint32_t rounds, uint32_t constant) {
    run_rounds<High>(output, rounds, constant);
}
EXPORT(micro_high, 256)

/// Lower halves of products added to 32 bits. Parameters and launch as `micro_wide`.
KERNEL(256) micro_low(uint32_t* __restrict__ output, uint32_t rounds, uint32_t constant) {
    run_rounds<Low>(output, rounds, constant);
}
EXPORT(micro_low, 256)

/// Logic operations of three words. Parameters and launch as `micro_wide`.
KERNEL(256) micro_logic(uint32_t* __restrict__ output, uint32_t rounds, uint32_t constant) {
    run_rounds<Logic>(output, rounds, constant);
}
EXPORT(micro_logic, 256)

/// Sums of three words. Parameters and launch as `micro_wide`.
KERNEL(256) micro_add(uint32_t* __restrict__ output, uint32_t rounds, uint32_t constant) {
    run_rounds<Add3>(output, rounds, constant);
}
EXPORT(micro_add, 256)

/// Logic and lower halves of products by turns: twice the rate of either if both are issued side by side. Parameters
/// and launch as `micro_wide`.
KERNEL(256) micro_mixed(uint32_t* __restrict__ output, uint32_t rounds, uint32_t constant) {
    run_rounds<Mixed>(output, rounds, constant);
}
EXPORT(micro_mixed, 256)

/// BabyBear multiplications. Parameters and launch as `micro_wide`.
KERNEL(256) micro_field(uint32_t* __restrict__ output, uint32_t rounds, uint32_t constant) {
    run_rounds<Multiply>(output, rounds, constant);
}
EXPORT(micro_field, 256)

/// The lanes of a warp with the same 8-bit digit, found once a round, by votes or by the match instruction.
template <bool VOTES>
DEVICE void find_alike(uint32_t* output, uint32_t rounds, uint32_t constant) {
    uint32_t thread = thread_index();
    uint32_t x = mix(thread), all = 0;
    for (uint32_t round = 0; round < rounds; round += UNROLLED) {
#pragma unroll
        for (uint32_t k = 0; k < UNROLLED; k++) {
            x = x * constant + 1;
            uint32_t digit = x >> 24;
            uint32_t lanes;
            if (VOTES) {
                lanes = lanes_alike(digit, 1);
#pragma unroll
                for (uint32_t bit = 1; bit < 8; bit++) lanes &= lanes_alike(digit, 1u << bit);
            } else {
                lanes = __match_any_sync(0xffffffffu, digit);
            }
            all += lanes;
        }
    }
    output[thread] = all;
}

/// Lanes with the same digit, by votes. Parameters and launch as `micro_wide`; one a round.
KERNEL(256) micro_votes(uint32_t* __restrict__ output, uint32_t rounds, uint32_t constant) {
    find_alike<true>(output, rounds, constant);
}
EXPORT(micro_votes, 256)

/// Lanes with the same digit, by the match instruction. Parameters and launch as `micro_wide`; one a round.
KERNEL(256) micro_match(uint32_t* __restrict__ output, uint32_t rounds, uint32_t constant) {
    find_alike<false>(output, rounds, constant);
}
EXPORT(micro_match, 256)

/// Loads of 16 bytes from shared memory without bank conflicts, eight a round. Parameters and launch as `micro_wide`.
/// Shared 16 kB.
KERNEL(256) micro_shared(uint32_t* __restrict__ output, uint32_t rounds, uint32_t constant) {
    SHARED(uint4, words, 1024);
    for (uint32_t i = threadIdx.x; i < 1024; i += MICRO_THREADS) {
        words[i] = make_uint4(mix(4 * i), mix(4 * i + 1), mix(4 * i + 2), mix(4 * i + 3));
    }
    __syncthreads();
    uint4 all = make_uint4(0, 0, 0, 0);
    uint32_t at = threadIdx.x;
#pragma unroll 1
    for (uint32_t round = 0; round < rounds; round++) {
#pragma unroll
        for (uint32_t k = 0; k < STATES; k++) {
            uint4 word = words[at + 64 * k];
            all.x ^= word.x;
            all.y ^= word.y;
            all.z ^= word.z;
            all.w ^= word.w;
        }
        at = (at + constant) & 511;
    }
    output[thread_index()] = all.x + all.y + all.z + all.w;
}
EXPORT(micro_shared, 256)

/// Barriers of a block of 512 threads, one a round; every 16th round a word goes to the neighbour. Parameters as
/// `micro_wide`.
///
/// Grid any number of blocks of 512. Shared 2 kB.
KERNEL(512) micro_barrier(uint32_t* __restrict__ output, uint32_t rounds, uint32_t constant) {
    SHARED(uint32_t, words, 512);
    uint32_t x = mix(thread_index());
    for (uint32_t round = 0; round < rounds; round += UNROLLED) {
        words[threadIdx.x] = x;
#pragma unroll
        for (uint32_t k = 0; k + 1 < UNROLLED; k++) __syncthreads();
        x = words[(threadIdx.x + 1) % 512] + constant;
        __syncthreads();
    }
    output[thread_index()] = x;
}
EXPORT(micro_barrier, 512)

/// Additions to counters in global memory.
///
/// - `counters`: `[2^16]`, added to. `skewed`: not 0 for 15 of 16 additions to go to 16 of them.
///
/// Grid any number of blocks of 256; `rounds` additions a thread.
KERNEL(256) micro_atomics(uint32_t* __restrict__ counters, uint32_t rounds, uint32_t skewed) {
    uint32_t threads = gridDim.x * MICRO_THREADS;
    uint32_t thread = thread_index();
#pragma unroll 4
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t word = mix(round * threads + thread);
        atomicAdd(&counters[word & (skewed && word >> 28 != 0 ? 15u : 0xffffu)], 1u);
    }
}
EXPORT(micro_atomics, 256)

/// Fills memory with words that look random.
///
/// - `output`: `[num_words]`, 1 to 2^31 of them.
///
/// Grid any number of blocks of 256.
KERNEL(256) micro_fill(uint32_t* __restrict__ output, uint32_t num_words) {
    uint32_t stride = gridDim.x * MICRO_THREADS;
    for (uint32_t i = thread_index(); i < num_words; i += stride) output[i] = mix(i);
}
EXPORT(micro_fill, 256)

/// Copies memory, 16 bytes at a time, four loads before the first store.
///
/// - `input`, `output`: `[1024 * blocks]` times 16 bytes.
///
/// Grid any number of blocks of 256, 16 KiB each.
KERNEL(256) micro_copy(const uint4* __restrict__ input, uint4* __restrict__ output) {
    uint64_t first = uint64_t(blockIdx.x) * 1024 + threadIdx.x;
    uint4 words[4];
#pragma unroll
    for (uint32_t k = 0; k < 4; k++) words[k] = __ldcs(input + first + k * MICRO_THREADS);
#pragma unroll
    for (uint32_t k = 0; k < 4; k++) __stcs(output + first + k * MICRO_THREADS, words[k]);
}
EXPORT(micro_copy, 256)

/// Adds up words that are weighted by their place, so that no two can be exchanged.
///
/// - `input`: `[4 * num_vectors]` words, at most 2^30. `total`: one 64-bit word, added to: the sum of (i + 1) * word i.
///
/// Grid any number of blocks of 256.
KERNEL(256) micro_sum(const uint4* __restrict__ input, uint64_t* __restrict__ total, uint32_t num_vectors) {
    uint32_t stride = gridDim.x * MICRO_THREADS;
    uint64_t sum = 0;
#pragma unroll 4
    for (uint32_t i = thread_index(); i < num_vectors; i += stride) {
        uint4 word = __ldcs(input + i);
        uint64_t place = 4 * uint64_t(i) + 1;
        sum += place * word.x + (place + 1) * word.y + (place + 2) * word.z + (place + 3) * word.w;
    }
#pragma unroll
    for (uint32_t step = 16; step > 0; step /= 2) sum += __shfl_down_sync(0xffffffffu, sum, step);
    if (threadIdx.x % 32 == 0) atomicAdd(reinterpret_cast<unsigned long long*>(total), (unsigned long long)sum);
}
EXPORT(micro_sum, 256)
