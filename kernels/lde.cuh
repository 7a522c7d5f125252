// The three passes of a low-degree extension by two transforms of two passes each; see lde.cu.
//
// In a block, each thread transforms 32 words in registers, the words change threads through shared memory, and each thread
// transforms another 32: 2^10 = 32 * 32. A first step of 2^R instead gives 2^(5 + R). For 2^11 a thread has 64 words, whose
// halves go through shared memory one after the other.
#pragma once

#include "ntt.cuh"

/// Threads of every block here.
constexpr uint32_t LDE_THREADS = 256;
/// A thread's row of 32 words in shared memory, padded so that both writing columns and reading rows four words at a time
/// is free of bank conflicts.
constexpr uint32_t LDE_ROW = 36;

/// Powers of roots of unity, made by lde_roots once a device; 14336 words.
struct LdeRoots {
    /// w^k and w^(2^11 * k) for w of order 2^22, Montgomery form.
    uint32_t low[1 << 11];
    uint32_t high[1 << 11];
    /// Factors w^(+-row * col) for w of order 2^11, [64][32].
    Factor forward[64][32];
    Factor inverse[64][32];
    /// Factors w^(row * (2 * col + 1)) for w of order 2^11, [32][32].
    Factor odd[32][32];
};
constexpr uint32_t LOG_ROOTS = 22;

/// w^e for w of order 2^22, Montgomery form.
DEVICE uint32_t root_power(const LdeRoots* __restrict__ roots, uint32_t e) {
    return mul(__ldg(&roots->low[e & 0x7ff]), __ldg(&roots->high[e >> 11 & 0x7ff]));
}

/// The generator of the subgroup of order 2^log_order, Montgomery form.
DEVICE uint32_t root_of(uint32_t log_order) {
    uint32_t root = to_monty(TWO_ADIC_GENERATOR);
    for (uint32_t i = log_order; i < TWO_ADICITY; i++) root = mul(root, root);
    return root;
}

/// Reads a thread's 32 words from shared memory, rows of STRIDE words apart.
template <uint32_t STRIDE>
DEVICE void read_row(const uint32_t* tile, uint32_t row, uint32_t* x) {
#pragma unroll
    for (uint32_t i = 0; i < 32; i += STRIDE % 4 == 0 ? 4 : STRIDE % 2 == 0 ? 2 : 1) {
        const uint32_t* from = &tile[row * STRIDE + i];
        if constexpr (STRIDE % 4 == 0) {
            const uint4 words = *reinterpret_cast<const uint4*>(from);
            x[i] = words.x;
            x[i + 1] = words.y;
            x[i + 2] = words.z;
            x[i + 3] = words.w;
        } else if constexpr (STRIDE % 2 == 0) {
            const uint2 words = *reinterpret_cast<const uint2*>(from);
            x[i] = words.x;
            x[i + 1] = words.y;
        } else {
            x[i] = *from;
        }
    }
}

/// The first stage of a transform of the 64 words x, from word K on: the even outputs come of x[0..32], the odd ones of the
/// rest.
template <bool INVERSE, uint32_t K = 0>
DEVICE void split(uint32_t* x) {
    if constexpr (K < 32) {
        const uint32_t a = x[K];
        const uint32_t b = x[K + 32];
        x[K] = add(a, b);
        x[K + 32] = mul_root<6, K, INVERSE>(a - b + P);
        split<INVERSE, K + 1>(x);
    }
}

/// The last stage of a forward transform of 64 words from those of its even and odd words, x[0..32] and x[32..64], each in
/// bit-reversed order; leaves outputs y and y + 32 in their places.
template <uint32_t K = 0>
DEVICE void join(uint32_t* x) {
    if constexpr (K < 32) {
        const uint32_t at = bit_reverse(K, 5);
        const uint32_t even = x[at];
        const uint32_t odd = mul_root<6, K, false>(x[32 + at]);
        x[at] = add(even, odd);
        x[32 + at] = sub(even, odd);
        join<K + 1>(x);
    }
}

/// Multiplies what 2^(5 - R) transforms of 2^R words left in y by w^(col * q), q the output's index.
///
/// - table: factors `[64][32]`; half: 0, or for words of `split` which half.
/// - col(g): the table's column for transform g.
template <uint32_t R, bool SPLIT, class Col>
DEVICE void twiddle(uint32_t* y, const Factor (*__restrict__ table)[32], uint32_t half, Col col) {
#pragma unroll
    for (uint32_t i = 0; i < 32; i++) {
        const uint32_t q = bit_reverse(i & ((1u << R) - 1), R);
        const uint32_t row = SPLIT ? 2 * q + half : q << (6 - R);
        if (row != 0) {
            y[i] = mul_known(y[i], __ldg(&table[row][col(i >> R)]));
        } else if (R > 0) {
            y[i] = once(y[i]);
        }
    }
}

/// lde_first for n1 = 2^L1.
template <uint32_t L1, uint32_t L2>
DEVICE void first_pass(const uint32_t* __restrict__ input, uint32_t* __restrict__ scratch, const LdeRoots* __restrict__ roots,
                       uint32_t* tile) {
    constexpr bool SPLIT = L1 == 11;
    constexpr uint32_t R = SPLIT ? 5 : L1 - 5;
    constexpr uint32_t COLS = 1u << (8 - R);
    constexpr uint32_t STRIDE = COLS == 8 ? LDE_ROW : COLS == 16 ? 34 : 33;
    constexpr uint32_t LOG_N = L1 + L2;
    const uint32_t c = threadIdx.x % COLS;
    const uint32_t u = threadIdx.x / COLS;
    const uint32_t i2 = blockIdx.x * COLS + c;
    const size_t column = (size_t(blockIdx.y) << LOG_N) + i2;
    const uint32_t* from = input + column + (size_t(u) << L2);
    uint32_t x[SPLIT ? 64 : 32];
#pragma unroll
    for (uint32_t i = 0; i < (SPLIT ? 64 : 32); i++) {
        const uint32_t i1 = SPLIT ? i << 5 : (i & ((1u << R) - 1)) << 5 | (i >> R) << R;  // + u
        x[i] = __ldcs(&from[size_t(i1) << L2]);
    }
    if constexpr (SPLIT) split<true>(x);
#pragma unroll
    for (uint32_t half = 0; half < (SPLIT ? 2 : 1); half++) {
        uint32_t* y = x + 32 * half;
        transforms<R, true, true>(y);
        twiddle<R, SPLIT>(y, roots->inverse, half, [&](uint32_t g) { return g << R | u; });
        if constexpr (R > 0) {
            if (half == 1) __syncthreads();
#pragma unroll
            for (uint32_t i = 0; i < 32; i++) {
                const uint32_t q = bit_reverse(i & ((1u << R) - 1), R);
                tile[(q * COLS + c) * STRIDE + ((i >> R) << R | u)] = y[i];
            }
            __syncthreads();
            read_row<STRIDE>(tile, threadIdx.x, y);
        }
        transform<5, true, false>(y);
        // Output j of this thread is k1 = q + (n1 / 32) * j: its factor w_n^(-k1 * i2) is a geometric sequence in j.
        const uint32_t q = SPLIT ? 2 * u + half : u;
        uint32_t t = root_power(roots, 0u - (i2 * q << (LOG_ROOTS - LOG_N)));
        const Factor ratio = factor(root_power(roots, 0u - (i2 << (L1 - 5 + LOG_ROOTS - LOG_N))));
        uint32_t* to = scratch + column + (size_t(q) << L2);
#pragma unroll
        for (uint32_t j = 0; j < 32; j++) {
            to[size_t(j) << (L1 - 5 + L2)] = mul(y[bit_reverse(j, 5)], t);
            t = mul_lazy(t, ratio.x, ratio.y);
        }
    }
}

/// lde_second for n1 = 2^L1, n2 = 2^L2.
template <uint32_t L1, uint32_t L2>
DEVICE void second_pass(const uint32_t* __restrict__ scratch, uint32_t* __restrict__ output, const LdeRoots* __restrict__ roots,
                        const uint32_t* __restrict__ powers, const Factor* __restrict__ scales, uint32_t log_blowup,
                        uint32_t first_coset, uint32_t num_cosets, uint32_t* shared) {
    constexpr bool SPLIT = L2 == 11;
    constexpr uint32_t HALVES = SPLIT ? 2 : 1;
    // Of each 32 coefficients, so many groups of four wait in shared memory; the others in registers.
    constexpr uint32_t KEPT = SPLIT ? 8 : 7;
    uint32_t* tile = shared;
    uint4* kept = reinterpret_cast<uint4*>(shared + LDE_THREADS * LDE_ROW);
    const uint32_t thread = threadIdx.x;
    const uint32_t lane = thread & 31;
    const uint32_t warp = thread >> 5;
    constexpr uint32_t LOG_N = L1 + L2;
    uint32_t x[32 * HALVES];
    // Each warp has one k1: a contiguous row of scratch.
    const uint32_t* from = scratch + (size_t(blockIdx.y) << LOG_N) + (size_t(blockIdx.x * 8 + warp) << L2) + lane;
#pragma unroll
    for (uint32_t i = 0; i < 32 * HALVES; i++) x[i] = __ldcs(&from[i * 32]);
    if constexpr (SPLIT) split<true>(x);
#pragma unroll
    for (uint32_t half = 0; half < HALVES; half++) {
        uint32_t* y = x + 32 * half;
        transform<5, true, true>(y);
        twiddle<5, SPLIT>(y, roots->inverse, half, [&](uint32_t) { return lane; });
        if (half == 1) __syncwarp();
#pragma unroll
        for (uint32_t i = 0; i < 32; i++) tile[(warp * 32 + bit_reverse(i, 5)) * LDE_ROW + lane] = y[i];
        __syncwarp();
        read_row<LDE_ROW>(tile, thread, y);
        // Coefficient j of this lane is k2 = lane + 32 * j, or 2 * lane + half + 64 * j; at y[bitrev(j)].
        transform<5, true, true>(y);
    }
    uint32_t rest[32 - 4 * KEPT + 1];
    if (num_cosets > 1) {
#pragma unroll
        for (uint32_t half = 0; half < HALVES; half++) {
            const uint32_t* y = x + 32 * half;
#pragma unroll
            for (uint32_t i = 0; i < KEPT; i++) {
                kept[(half * KEPT + i) * LDE_THREADS + thread] = make_uint4(y[4 * i], y[4 * i + 1], y[4 * i + 2], y[4 * i + 3]);
            }
        }
    }
#pragma unroll
    for (uint32_t i = 4 * KEPT; i < 32; i++) rest[i - 4 * KEPT] = x[i];

    // After the exchange, this thread has one k1 and one residue u0 of the outputs' indices u = u0 + 32 * y.
    const uint32_t k1 = blockIdx.x * 8 + (thread & 7);
    const uint32_t u0 = thread >> 3;
    constexpr uint32_t unit = LOG_ROOTS - LOG_N;
    const uint32_t base = root_power(roots, u0 * k1 << unit);
    const Factor ratio = factor(root_power(roots, k1 << (5 + unit)));
    const size_t place = (size_t(blockIdx.y) << (LOG_N + log_blowup)) + (size_t(bit_reverse(u0, 5)) << (L2 - 5 + L1)) + k1;
#pragma unroll 1
    for (uint32_t coset = first_coset; coset < first_coset + num_cosets; coset++) {
        if (coset != first_coset) {
#pragma unroll
            for (uint32_t half = 0; half < HALVES; half++) {
                uint32_t* y = x + 32 * half;
#pragma unroll
                for (uint32_t i = 0; i < KEPT; i++) {
                    const uint4 words = kept[(half * KEPT + i) * LDE_THREADS + thread];
                    y[4 * i] = words.x;
                    y[4 * i + 1] = words.y;
                    y[4 * i + 2] = words.z;
                    y[4 * i + 3] = words.w;
                }
            }
#pragma unroll
            for (uint32_t i = 4 * KEPT; i < 32; i++) x[i] = rest[i - 4 * KEPT];
        }
        const Factor* scale = scales + (size_t(coset) << L2) + (SPLIT ? 2 * lane : lane);
#pragma unroll
        for (uint32_t half = 0; half < HALVES; half++) {
            uint32_t* y = x + 32 * half;
            uint32_t z[32];
#pragma unroll
            for (uint32_t j = 0; j < 32; j++) {
                z[j] = mul_known(y[bit_reverse(j, 5)], __ldg(&scale[SPLIT ? half + 64 * j : 32 * j]));
            }
            transform<5, false, true>(z);
            if (half == 0) {
                twiddle<5, false>(z, roots->forward, 0, [&](uint32_t) { return lane; });
            } else {
#pragma unroll
                for (uint32_t i = 0; i < 32; i++) z[i] = mul_known(z[i], __ldg(&roots->odd[bit_reverse(i, 5)][lane]));
            }
            __syncthreads();
#pragma unroll
            for (uint32_t i = 0; i < 32; i++) tile[(bit_reverse(i, 5) * 8 + warp) * LDE_ROW + lane] = z[i];
            __syncthreads();
            read_row<LDE_ROW>(tile, thread, y);
            transform<5, false, false>(y);
        }
        if constexpr (SPLIT) join(x);
        // Times (s * w_n^u)^k1: again a geometric sequence.
        uint32_t t = mul(base, __ldg(&powers[(coset << L1) + k1]));
        uint32_t* to = output + place + (size_t(bit_reverse(coset, log_blowup)) << LOG_N);
#pragma unroll
        for (uint32_t y = 0; y < 32 * HALVES; y++) {
            const uint32_t at = bit_reverse(y & 31, 5) + (y & 32);
            to[size_t(bit_reverse(y, L2 - 5)) << L1] = mul(x[at], t);
            t = mul_lazy(t, ratio.x, ratio.y);
        }
    }
}

/// lde_third for n1 = 2^L1.
template <uint32_t L1>
DEVICE void third_pass(uint32_t* __restrict__ data, const LdeRoots* __restrict__ roots, uint32_t* tile) {
    constexpr bool SPLIT = L1 == 11;
    constexpr uint32_t R = SPLIT ? 5 : L1 - 5;
    constexpr uint32_t HALVES = SPLIT ? 2 : 1;
    const uint32_t lane = threadIdx.x & 31;
    const uint32_t warp = threadIdx.x >> 5;
    uint32_t* at = data + (size_t(blockIdx.x * 8 + warp) << (SPLIT ? 11 : 10));
    // Words never leave their warp.
    tile += warp * 32 * LDE_ROW;
    uint32_t x[32 * HALVES];
#pragma unroll
    for (uint32_t i = 0; i < 32 * HALVES; i++) x[i] = at[i * 32 + lane];
    if constexpr (SPLIT) split<false>(x);
#pragma unroll
    for (uint32_t half = 0; half < HALVES; half++) {
        uint32_t* y = x + 32 * half;
        transforms<R, false, true>(y);
        twiddle<R, SPLIT>(y, roots->forward, half, [&](uint32_t) { return lane; });
        if (half == 1) __syncwarp();
#pragma unroll
        for (uint32_t i = 0; i < 32; i++) tile[i * LDE_ROW + lane] = y[i];
        __syncwarp();
        read_row<LDE_ROW>(tile, lane, y);
        transform<5, false, false>(y);
        // Each lane has 32 neighbouring words; they go back through shared memory, for whole lines to be written.
        uint4* quads = reinterpret_cast<uint4*>(tile);
#pragma unroll
        for (uint32_t i = 0; i < 8; i++) {
            quads[lane * (LDE_ROW / 4) + i] = make_uint4(y[4 * i], y[4 * i + 1], y[4 * i + 2], y[4 * i + 3]);
        }
        __syncwarp();
        uint4* to = reinterpret_cast<uint4*>(at + 1024 * half);
#pragma unroll
        for (uint32_t i = 0; i < 8; i++) {
            to[i * 32 + lane] = quads[(i * 4 + (lane >> 3)) * (LDE_ROW / 4) + (lane & 7)];
        }
    }
}
