// Kernels that do what the stand-in must run, or must catch. They are linked into its test program only.
#include "common.cuh"

/// out[i] = a * in[i] + b; parameters of every size, to see how they are unpacked.
struct Pair {
    uint32_t a, b;
};
KERNEL(256)
probe_affine(const uint32_t* __restrict__ in, uint64_t* __restrict__ out, Pair pair, uint8_t flag, uint64_t offset,
             float half) {
    uint32_t i = thread_index();
    out[i] = uint64_t(in[i]) * pair.a + pair.b + offset + (flag == 7 && half == 0.5f ? 0 : 1000000);
}
EXPORT(probe_affine, 256)

/// Reverses each block through shared memory.
KERNEL(1024) probe_reverse(uint32_t* data) {
    SHARED(uint32_t, tile, 1024);
    uint32_t i = thread_index();
    tile[threadIdx.x] = data[i];
    __syncthreads();
    data[i] = tile[blockDim.x - 1 - threadIdx.x];
}
EXPORT(probe_reverse, 1024)

template <class T>
DEVICE T* two_arrays(T value) {
    SHARED(T, kept, 32);
    if (threadIdx.x < 32) kept[threadIdx.x] = value;
    return kept;
}

/// Each instantiation of a device function has arrays of its own.
KERNEL(32) probe_sites(uint32_t* out) {
    uint32_t* a = two_arrays<uint32_t>(threadIdx.x);
    uint64_t* b = two_arrays<uint64_t>(threadIdx.x + 100);
    SHARED(uint32_t, own, 32);
    own[threadIdx.x] = threadIdx.x + 200;
    __syncwarp();
    uint32_t k = 31 - threadIdx.x;
    out[threadIdx.x] = a[k] + uint32_t(b[k]) + own[k];
}
EXPORT(probe_sites, 32)

/// Every warp intrinsic; out[intrinsic * 64 + thread].
KERNEL(64) probe_warp(uint32_t* out) {
    uint32_t t = threadIdx.x, all = 0xffffffffu;
    uint32_t v = t * t + 3;
    out[0 * 64 + t] = __shfl_sync(all, v, 5);
    out[1 * 64 + t] = __shfl_up_sync(all, v, 3);
    out[2 * 64 + t] = __shfl_down_sync(all, v, 7);
    out[3 * 64 + t] = __shfl_xor_sync(all, v, 9);
    out[4 * 64 + t] = __shfl_sync(all, v, 2, 8);
    out[5 * 64 + t] = __ballot_sync(all, t % 3 == 0);
    out[6 * 64 + t] = uint32_t(__any_sync(all, t == 40));
    out[7 * 64 + t] = uint32_t(__all_sync(all, t < 32));
    out[8 * 64 + t] = __match_any_sync(all, v % 5);
    out[9 * 64 + t] = __reduce_add_sync(all, v);
    out[10 * 64 + t] = uint32_t(__shfl_xor_sync(all, uint64_t(v) << 32, 1) >> 32);
    uint32_t half = t % 32 < 16 ? 0xffffu : 0xffff0000u;
    // The two halves of a warp meet apart, then together.
    uint32_t sum = v;
    if (t % 32 < 16) {
        for (int k = 8; k; k >>= 1) sum += __shfl_xor_sync(half, sum, k);
    } else {
        sum += __shfl_xor_sync(half, sum, 1);
    }
    __syncwarp();
    out[11 * 64 + t] = sum;
    out[12 * 64 + t] = __reduce_min_sync(all, v) + __reduce_max_sync(all, v);
    out[13 * 64 + t] = uint32_t(__syncthreads_count(t % 2 == 0)) + uint32_t(__syncthreads_or(t == 9)) * 100 +
                       uint32_t(__syncthreads_and(t != 9)) * 1000;
}
EXPORT(probe_warp, 64)

/// Atomics on a few words from every thread.
KERNEL(128) probe_atomics(uint32_t* words, unsigned long long* wide) {
    uint32_t i = thread_index();
    atomicAdd(&words[0], 1u);
    atomicSub(&words[1], 1u);
    atomicMin(&words[2], i);
    atomicMax(&words[3], i);
    atomicOr(&words[4], 1u << i % 32);
    atomicAnd(&words[5], ~(1u << i % 32));
    atomicXor(&words[6], i);
    uint32_t seen = *static_cast<volatile uint32_t*>(words + 7), before;
    do {
        before = seen;
        seen = atomicCAS(&words[7], before, before + 2);
    } while (seen != before);
    atomicAdd(wide, (unsigned long long)i);
    atomicMax(wide + 1, (unsigned long long)i << 33);
    atomicExch(&words[8], 77u);
}
EXPORT(probe_atomics, 128)

/// Integer intrinsics of four words.
KERNEL(1) probe_integers(const uint32_t* in, uint32_t* out) {
    uint32_t a = in[0], b = in[1];
    out[0] = uint32_t(__popc(a));
    out[1] = uint32_t(__clz(a));
    out[2] = uint32_t(__ffs(a));
    out[3] = __brev(a);
    out[4] = __umulhi(a, b);
    out[5] = uint32_t(__mulhi(int(a), int(b)));
    out[6] = __funnelshift_l(a, b, 8);
    out[7] = __funnelshift_r(a, b, 8);
    out[8] = __byte_perm(a, b, 0x7531);
    out[9] = uint32_t(__umul64hi(uint64_t(a) << 32, uint64_t(b) << 32));
    out[10] = uint32_t(__clz(0));
    out[11] = min(a, 7u) + uint32_t(max(-3, int(b & 1)));
    uint4 four = __ldg(reinterpret_cast<const uint4*>(in));
    __stcs(reinterpret_cast<uint4*>(out + 12), make_uint4(four.w, four.z, four.y, four.x));
}
EXPORT(probe_integers, 1)

/// The first word of static and of dynamic shared memory as the block finds them.
KERNEL(32) probe_poison(uint32_t* out) {
    SHARED(uint32_t, fixed, 8);
    DYN_SHARED(uint32_t, open);
    if (threadIdx.x == 0) {
        out[2 * blockIdx.x] = fixed[3];
        out[2 * blockIdx.x + 1] = open[1];
    }
    __syncthreads();
    fixed[threadIdx.x % 8] = 1;
    open[threadIdx.x % 8] = 2;
}
EXPORT(probe_poison, 32)

/// Touches all its dynamic shared memory.
KERNEL(32) probe_dynamic(uint32_t* out, uint32_t words) {
    DYN_SHARED(uint32_t, open);
    for (uint32_t i = threadIdx.x; i < words; i += 32) open[i] = i;
    __syncthreads();
    if (threadIdx.x == 0) out[0] = open[words - 1];
}
EXPORT(probe_dynamic, 32)

/// The order in which threads and blocks begin: out[ticket] = index.
KERNEL(64) probe_order(uint32_t* ticket, uint32_t* out) { out[atomicAdd(ticket, 1u)] = thread_index(); }
EXPORT(probe_order, 64)

KERNEL(64) probe_store(uint32_t* out, uint64_t index) {
    if (thread_index() == 37) out[index] = 1;
}
EXPORT(probe_store, 64)

KERNEL(64) probe_load(uint32_t* out, const uint32_t* in, uint64_t index) {
    if (thread_index() == 37) out[0] = in[index];
}
EXPORT(probe_load, 64)

KERNEL(64) probe_add(uint32_t* out, uint32_t value) {
    if (thread_index() == 0) out[0] = out[0] * 3 + value;
}
EXPORT(probe_add, 64)

KERNEL(64) probe_vector(uint32_t* words, uint32_t first) {
    if (threadIdx.x == 5) reinterpret_cast<uint4*>(words + first)->x = 1;
}
EXPORT(probe_vector, 64)

KERNEL(64) probe_hinted(const uint32_t* words, uint32_t* out) {
    if (threadIdx.x == 5) out[0] = __ldg(reinterpret_cast<const uint4*>(words)).x;
}
EXPORT(probe_hinted, 64)

KERNEL(64) probe_divergent(uint32_t* out) {
    if (threadIdx.x < 40) __syncthreads();
    out[threadIdx.x] = 1;
}
EXPORT(probe_divergent, 64)

KERNEL(64) probe_two_barriers(uint32_t* out) {
    if (threadIdx.x < 40) {
        __syncthreads();
    } else {
        out[0] = 2;
        __syncthreads();
    }
}
EXPORT(probe_two_barriers, 64)

KERNEL(64) probe_half_warp(uint32_t* out) {
    if (threadIdx.x % 32 < 20) out[threadIdx.x] = __ballot_sync(0xffffffffu, 1);
}
EXPORT(probe_half_warp, 64)

KERNEL(64) probe_unnamed(uint32_t* out) { out[threadIdx.x] = __ballot_sync(0xffffu, 1); }
EXPORT(probe_unnamed, 64)

KERNEL(64) probe_unnamed_source(uint32_t* out) {
    if (threadIdx.x % 32 < 16) out[threadIdx.x] = __shfl_sync(0xffffu, threadIdx.x, 20);
}
EXPORT(probe_unnamed_source, 64)

KERNEL(64) probe_missing_lanes(uint32_t* out) { out[threadIdx.x] = __ballot_sync(0xffffffffu, 1); }
EXPORT(probe_missing_lanes, 64)

KERNEL(64) probe_shared_index(uint32_t* out, uint32_t index) {
    SHARED(uint32_t, tile, 16);
    tile[index] = 3;
    out[0] = tile[0];
}
EXPORT(probe_shared_index, 64)

KERNEL(64) probe_shared_pointer(uint32_t* out, uint32_t index) {
    SHARED(uint32_t, tile, 16);
    uint32_t* p = tile;
    if (threadIdx.x == 3) p[index] = 3;
    out[0] = tile[0];
}
EXPORT(probe_shared_pointer, 64)

KERNEL(64) probe_dynamic_index(uint32_t* out, int32_t index) {
    DYN_SHARED(uint32_t, open);
    if (threadIdx.x == 3) open[index] = 3;
    out[0] = open[0];
}
EXPORT(probe_dynamic_index, 64)

KERNEL(64) probe_big_static(uint32_t* out) {
    SHARED(uint32_t, big, 13 * 1024);
    big[threadIdx.x] = 1;
    out[0] = big[0];
}
EXPORT(probe_big_static, 64)

KERNEL(64) probe_static_and_dynamic(uint32_t* out) {
    SHARED(uint32_t, part, 8 * 1024);
    DYN_SHARED(uint32_t, open);
    part[threadIdx.x] = open[threadIdx.x] = 1;
    out[0] = part[0];
}
EXPORT(probe_static_and_dynamic, 64)

KERNEL(64) probe_shift(uint32_t* out, uint32_t by) { out[threadIdx.x] = 1u << by; }
EXPORT(probe_shift, 64)

KERNEL(64) probe_divide(uint32_t* out, uint32_t by) { out[threadIdx.x] = 100 / by; }
EXPORT(probe_divide, 64)

KERNEL(64) probe_local(uint32_t* out, uint32_t index) {
    uint32_t local[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    local[index & 15] = 9;
    out[threadIdx.x] = local[threadIdx.x & 7];
}
EXPORT(probe_local, 64)

uint32_t deeper(uint32_t depth, volatile uint32_t* out) {
    volatile uint32_t frame[256];
    frame[depth % 256] = depth;
    if (depth == 0) return out[0];
    return deeper(depth - 1, out) + frame[depth % 256];
}

KERNEL(64) probe_stack(uint32_t* out, uint32_t depth) { out[0] = deeper(depth, out); }
EXPORT(probe_stack, 64)

KERNEL(64) probe_spin(volatile uint32_t* flag) {
    if (blockIdx.x == 0) {
        while (flag[0] != 1) {}
    }
}
EXPORT(probe_spin, 64)

/// A block takes its number when it starts: waiting for lower numbers ends in any order of blocks.
KERNEL(64) probe_ticket(uint32_t* ticket, uint32_t* out) {
    SHARED(uint32_t, mine, 1);
    if (threadIdx.x == 0) mine[0] = atomicAdd(ticket, 1u);
    __syncthreads();
    out[mine[0] * blockDim.x + threadIdx.x] = mine[0];
}
EXPORT(probe_ticket, 64)

// Races, which only a build with --races finds; most give the right result here.

/// Every thread adds to one word without an atomic.
KERNEL(64) probe_race_count(uint32_t* out) { out[0] += 1; }
EXPORT(probe_race_count, 64)

/// `between` 0: nothing between writing shared memory and reading what another lane wrote; 1: a shuffle; 2: __syncwarp.
KERNEL(32) probe_race_lanes(uint32_t* out, uint32_t between) {
    SHARED(uint32_t, tile, 32);
    tile[threadIdx.x] = threadIdx.x;
    uint32_t v = 0;
    if (between == 1) v = __shfl_xor_sync(0xffffffffu, threadIdx.x, 1);
    if (between == 2) __syncwarp();
    out[threadIdx.x] = tile[threadIdx.x ^ 1] + v;
}
EXPORT(probe_race_lanes, 32)

/// The barrier after the reads is missing.
KERNEL(64) probe_race_reuse(uint32_t* out) {
    SHARED(uint32_t, tile, 64);
    for (uint32_t i = 0; i < 3; i++) {
        tile[threadIdx.x] = i + threadIdx.x;
        __syncthreads();
        out[threadIdx.x] = tile[63 - threadIdx.x];
    }
}
EXPORT(probe_race_reuse, 64)

/// Blocks pass values on: each adds to what all blocks wrote before, with or without a fence.
KERNEL(64) probe_race_blocks(uint32_t* ticket, uint32_t* parts, uint32_t* out, uint32_t fence) {
    SHARED(uint32_t, is_last, 1);
    parts[thread_index()] = 1;
    if (fence != 0) __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) is_last[0] = atomicAdd(ticket, 1u) == gridDim.x - 1;
    __syncthreads();
    if (is_last[0] == 0) return;
    __threadfence();
    uint32_t sum = 0;
    for (uint32_t b = 0; b < gridDim.x; b++) sum += parts[b * blockDim.x + threadIdx.x];
    out[threadIdx.x] = sum;
}
EXPORT(probe_race_blocks, 64)

/// Every thread sets the same flag, to the same value or to its own.
KERNEL(64) probe_race_flag(uint32_t* out, uint32_t own) { out[0] = own != 0 ? threadIdx.x : 1; }
EXPORT(probe_race_flag, 64)
