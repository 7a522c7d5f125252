// Low-degree extension: evaluations of polynomials over a subgroup of order n to evaluations over a coset of one
// 2^log_blowup times larger.
//
// n <= 2^14: one kernel (lde_small) with the column in shared memory. Above, n = n1 * n2, n2 = 2^10 (2^11 for n = 2^22), and
// the transforms of both directions split there (four-step):
//   lde_first    index i2 + n2 * i1: inverse transforms over i1, times w_n^(-k1 * i2); natural order, at [k1][i2]
//   lde_second   inverse transforms over i2 give coefficients k1 + n1 * k2, all k2 of one k1: what the forward transform's
//                first pass takes. So for each coset in turn: times s^(n1 * k2) / n, forward transforms over k2, times
//                (s * w_n^u)^k1; at [coset][bitrev(u)][k1]. No coefficient goes to global memory.
//   lde_third    forward transforms over k1, in place on contiguous rows, which leaves bit-reversed rows.
// Traffic is 3 n + 3 N words a column, N = n << log_blowup.
#include "lde.cuh"

/// Fills the tables of roots.
///
/// - roots: one.
/// - grid: 36 blocks of 256, a thread an entry.
KERNEL(256) lde_roots(LdeRoots* __restrict__ roots) {
    const uint32_t i = thread_index();
    if (i < 4096) {
        const uint32_t k = i & 2047;
        if (i < 2048) {
            roots->low[k] = power(root_of(LOG_ROOTS), k);
        } else {
            roots->high[k] = power(root_of(11), k);
        }
    } else if (i < 9216) {
        const uint32_t which = (i - 4096) >> 11;
        const uint32_t row = i >> 5 & 63;
        const uint32_t col = i & 31;
        if (which == 0) {
            roots->forward[row][col] = factor(power(root_of(11), row * col));
        } else if (which == 1) {
            roots->inverse[row][col] = factor(power(root_of(11), (2048 - row * col) & 2047));
        } else {
            roots->odd[row][col] = factor(power(root_of(11), row * (2 * col + 1)));
        }
    }
}
EXPORT(lde_roots, 256)

/// Fills the tables of powers of s = shift * w_N^coset, for one extension.
///
/// - powers: `[2^log_blowup][n1]`, s^k1 in Montgomery form; scales: `[2^log_blowup][n2]`, factors s^(n1 * k2) / n.
/// - shift: Montgomery form.
/// - grid: a thread an entry, those of powers first; block: 256.
KERNEL(256) lde_scales(uint32_t* __restrict__ powers, Factor* __restrict__ scales, uint32_t shift, uint32_t log_n1,
                       uint32_t log_n2, uint32_t log_blowup) {
    const uint32_t i = thread_index();
    const uint32_t num_powers = 1u << (log_n1 + log_blowup);
    const uint32_t num_scales = 1u << (log_n2 + log_blowup);
    if (i >= num_powers + num_scales) return;
    const uint32_t log_n = log_n1 + log_n2;
    const bool is_power = i < num_powers;
    const uint32_t at = is_power ? i : i - num_powers;
    const uint32_t log_len = is_power ? log_n1 : log_n2;
    const uint32_t coset = at >> log_len;
    const uint32_t k = at & ((1u << log_len) - 1);
    const uint32_t s = mul(shift, power(root_of(log_n + log_blowup), coset));
    if (is_power) {
        powers[at] = power(s, k);
    } else {
        const uint32_t half = to_monty((P + 1) / 2);
        scales[at] = factor(mul(power(s, k << log_n1), power(half, log_n)));
    }
}
EXPORT(lde_scales, 256)

/// Place of word i in shared memory: groups of 32 words are permuted so that strides cause few bank conflicts.
DEVICE uint32_t small_place(uint32_t i) { return i ^ (i >> 5 & 31); }

/// One step of a transform in shared memory: of each run of 2^m words, 2^R words a stride of 2^(m - R) apart.
template <uint32_t R, bool INVERSE>
DEVICE void small_step(uint32_t* tile, const LdeRoots* __restrict__ roots, uint32_t log_words, uint32_t m) {
    const uint32_t log_stride = m - R;
    for (uint32_t group = threadIdx.x; group < 1u << (log_words - R); group += LDE_THREADS) {
        const uint32_t a = group & ((1u << log_stride) - 1);
        const uint32_t at = (group >> log_stride) << m | a;
        uint32_t x[1 << R];
#pragma unroll
        for (uint32_t k = 0; k < 1u << R; k++) x[k] = tile[small_place(at | k << log_stride)];
        transform<R, INVERSE, true>(x);
        // Output q times w^(a * q), w of order 2^m.
        const uint32_t ratio = root_power(roots, (INVERSE ? 0u - a : a) << (LOG_ROOTS - m));
        uint32_t t = ratio;
        x[0] = once(x[0]);
#pragma unroll
        for (uint32_t q = 1; q < 1u << R; q++) {
            x[bit_reverse(q, R)] = mul(x[bit_reverse(q, R)], t);
            t = mul(t, ratio);
        }
#pragma unroll
        for (uint32_t k = 0; k < 1u << R; k++) tile[small_place(at | k << log_stride)] = x[k];
    }
    __syncthreads();
}

/// Transforms each run of 2^log_n of the 2^log_words words in shared memory; outputs in bit-reversed order.
template <bool INVERSE>
DEVICE void small_transform(uint32_t* tile, const LdeRoots* __restrict__ roots, uint32_t log_words, uint32_t log_n) {
    uint32_t m = log_n;
    for (; m >= 4; m -= 4) small_step<4, INVERSE>(tile, roots, log_words, m);
    if (m == 3) small_step<3, INVERSE>(tile, roots, log_words, m);
    if (m == 2) small_step<2, INVERSE>(tile, roots, log_words, m);
    if (m == 1) small_step<1, INVERSE>(tile, roots, log_words, m);
}

/// Extends columns of up to 2^14 words.
///
/// - input: `[width][n]`, natural order; output: `[width][N]`, bit-reversed, not overlapping. Coefficients wait where the
///   last coset's words go: each thread reads only those that it wrote.
/// - powers, scales: of lde_scales, for n1 = 2^log_n1.
/// - grid: ceil(width / 2^log_cols), each block 2^log_cols columns; block: 256; dynamic shared memory: 4 * n * 2^log_cols bytes.
/// - oracle: Plonky3's `NaiveDft` and `Radix2DitParallel`.
KERNEL(256) lde_small(const uint32_t* __restrict__ input, uint32_t* output, const LdeRoots* __restrict__ roots,
                      const uint32_t* __restrict__ powers, const Factor* __restrict__ scales, uint32_t width, uint32_t log_n,
                      uint32_t log_n1, uint32_t log_blowup, uint32_t log_cols) {
    DYN_SHARED(uint32_t, tile);
    const uint32_t log_words = log_n + log_cols;
    const uint32_t first = blockIdx.x << log_cols;
    // The last block may have fewer columns.
    const uint32_t num_words = min(width - first, 1u << log_cols) << log_n;
    for (uint32_t i = threadIdx.x; i < 1u << log_words; i += LDE_THREADS) {
        tile[small_place(i)] = i < num_words ? __ldcs(&input[(size_t(first) << log_n) + i]) : 0;
    }
    __syncthreads();
    small_transform<true>(tile, roots, log_words, log_n);

    const uint32_t num_cosets = 1u << log_blowup;
    const uint32_t low = (1u << log_n) - 1;
    uint32_t* const columns = output + (size_t(first) << (log_n + log_blowup));
    for (uint32_t i = threadIdx.x; i < num_words; i += LDE_THREADS) {
        const size_t column = size_t(i >> log_n) << (log_n + log_blowup);
        const uint32_t j = i & low;
        columns[column + (size_t(num_cosets - 1) << log_n) + j] = tile[small_place((i & ~low) | bit_reverse(j, log_n))];
    }
    for (uint32_t coset = 0; coset < num_cosets; coset++) {
        const Factor* scale = scales + (size_t(coset) << (log_n - log_n1));
        const uint32_t* base = powers + (size_t(coset) << log_n1);
        __syncthreads();
        for (uint32_t i = threadIdx.x; i < num_words; i += LDE_THREADS) {
            const size_t column = size_t(i >> log_n) << (log_n + log_blowup);
            const uint32_t j = i & low;
            const uint32_t coefficient = columns[column + (size_t(num_cosets - 1) << log_n) + j];
            const uint32_t scaled = mul_known(coefficient, __ldg(&scale[j >> log_n1]));
            tile[small_place(i)] = mul(scaled, __ldg(&base[j & ((1u << log_n1) - 1)]));
        }
        __syncthreads();
        small_transform<false>(tile, roots, log_words, log_n);
        for (uint32_t i = threadIdx.x; i < num_words; i += LDE_THREADS) {
            const size_t column = size_t(i >> log_n) << (log_n + log_blowup);
            columns[column + (size_t(bit_reverse(coset, log_blowup)) << log_n) + (i & low)] = tile[small_place(i)];
        }
    }
}
EXPORT(lde_small, 256)

// The kernels of the three passes, one for each size. Together they are tested against Plonky3's
// `Radix2DitParallel::coset_lde_batch`.

#define FIRST_PASS(L1, L2)                          \
    SHARED(uint4, tile, LDE_THREADS * LDE_ROW / 4); \
    first_pass<L1, L2>(input, scratch, roots, reinterpret_cast<uint32_t*>(tile))
#define SECOND_PASS(L1, L2)     \
    DYN_SHARED(uint4, shared);  \
    second_pass<L1, L2>(scratch, output, roots, powers, scales, log_blowup, first_coset, num_cosets, \
                        reinterpret_cast<uint32_t*>(shared))
#define THIRD_PASS(L1)                              \
    SHARED(uint4, tile, LDE_THREADS * LDE_ROW / 4); \
    third_pass<L1>(data, roots, reinterpret_cast<uint32_t*>(tile))

/// Inverse transforms over i1, times the factors between the passes, for n = 2^15 = 2^5 * 2^10.
///
/// - input: `[columns][n1][n2]`, natural order; scratch: the same shape, k1 in place of i1. Not overlapping.
/// - grid: (n / 2^13, columns), with n1 = 2^11 (n / 2^14, columns); block: 256; 36 KiB of shared memory.
KERNEL(256) lde_first_15(const uint32_t* __restrict__ input, uint32_t* __restrict__ scratch,
                         const LdeRoots* __restrict__ roots) {
    FIRST_PASS(5, 10);
}
EXPORT(lde_first_15, 256)

/// `lde_first_15` for n = 2^16 = 2^6 * 2^10.
KERNEL(256) lde_first_16(const uint32_t* __restrict__ input, uint32_t* __restrict__ scratch,
                         const LdeRoots* __restrict__ roots) {
    FIRST_PASS(6, 10);
}
EXPORT(lde_first_16, 256)

/// `lde_first_15` for n = 2^17 = 2^7 * 2^10.
KERNEL(256) lde_first_17(const uint32_t* __restrict__ input, uint32_t* __restrict__ scratch,
                         const LdeRoots* __restrict__ roots) {
    FIRST_PASS(7, 10);
}
EXPORT(lde_first_17, 256)

/// `lde_first_15` for n = 2^18 = 2^8 * 2^10.
KERNEL(256) lde_first_18(const uint32_t* __restrict__ input, uint32_t* __restrict__ scratch,
                         const LdeRoots* __restrict__ roots) {
    FIRST_PASS(8, 10);
}
EXPORT(lde_first_18, 256)

/// `lde_first_15` for n = 2^19 = 2^9 * 2^10.
KERNEL(256) lde_first_19(const uint32_t* __restrict__ input, uint32_t* __restrict__ scratch,
                         const LdeRoots* __restrict__ roots) {
    FIRST_PASS(9, 10);
}
EXPORT(lde_first_19, 256)

/// `lde_first_15` for n = 2^20 = 2^10 * 2^10.
KERNEL(256) lde_first_20(const uint32_t* __restrict__ input, uint32_t* __restrict__ scratch,
                         const LdeRoots* __restrict__ roots) {
    FIRST_PASS(10, 10);
}
EXPORT(lde_first_20, 256)

/// `lde_first_15` for n = 2^21 = 2^11 * 2^10.
KERNEL(256) lde_first_21(const uint32_t* __restrict__ input, uint32_t* __restrict__ scratch,
                         const LdeRoots* __restrict__ roots) {
    FIRST_PASS(11, 10);
}
EXPORT(lde_first_21, 256)

/// `lde_first_15` for n = 2^22 = 2^11 * 2^11.
KERNEL(256) lde_first_22(const uint32_t* __restrict__ input, uint32_t* __restrict__ scratch,
                         const LdeRoots* __restrict__ roots) {
    FIRST_PASS(11, 11);
}
EXPORT(lde_first_22, 256)

/// Inverse transforms over i2, and for each coset the forward transforms over k2 with all factors, for n = 2^15.
///
/// - scratch: `[columns][n1][n2]` as lde_first leaves it; output: `[columns][N]`, not overlapping: coset i's words at
///   bitrev(i) * n + bitrev(u) * n1 + k1.
/// - powers, scales: of lde_scales.
/// - first_coset, num_cosets: which cosets.
/// - grid: (n1 / 8, columns); block: 256; dynamic shared memory: 36 KiB, and for more than one coset another 28 KiB (64 KiB
///   for n2 = 2^11).
KERNEL(256) lde_second_15(const uint32_t* __restrict__ scratch, uint32_t* __restrict__ output,
                          const LdeRoots* __restrict__ roots, const uint32_t* __restrict__ powers,
                          const Factor* __restrict__ scales, uint32_t log_blowup, uint32_t first_coset, uint32_t num_cosets) {
    SECOND_PASS(5, 10);
}
EXPORT(lde_second_15, 256)

/// `lde_second_15` for n = 2^16.
KERNEL(256) lde_second_16(const uint32_t* __restrict__ scratch, uint32_t* __restrict__ output,
                          const LdeRoots* __restrict__ roots, const uint32_t* __restrict__ powers,
                          const Factor* __restrict__ scales, uint32_t log_blowup, uint32_t first_coset, uint32_t num_cosets) {
    SECOND_PASS(6, 10);
}
EXPORT(lde_second_16, 256)

/// `lde_second_15` for n = 2^17.
KERNEL(256) lde_second_17(const uint32_t* __restrict__ scratch, uint32_t* __restrict__ output,
                          const LdeRoots* __restrict__ roots, const uint32_t* __restrict__ powers,
                          const Factor* __restrict__ scales, uint32_t log_blowup, uint32_t first_coset, uint32_t num_cosets) {
    SECOND_PASS(7, 10);
}
EXPORT(lde_second_17, 256)

/// `lde_second_15` for n = 2^18.
KERNEL(256) lde_second_18(const uint32_t* __restrict__ scratch, uint32_t* __restrict__ output,
                          const LdeRoots* __restrict__ roots, const uint32_t* __restrict__ powers,
                          const Factor* __restrict__ scales, uint32_t log_blowup, uint32_t first_coset, uint32_t num_cosets) {
    SECOND_PASS(8, 10);
}
EXPORT(lde_second_18, 256)

/// `lde_second_15` for n = 2^19.
KERNEL(256) lde_second_19(const uint32_t* __restrict__ scratch, uint32_t* __restrict__ output,
                          const LdeRoots* __restrict__ roots, const uint32_t* __restrict__ powers,
                          const Factor* __restrict__ scales, uint32_t log_blowup, uint32_t first_coset, uint32_t num_cosets) {
    SECOND_PASS(9, 10);
}
EXPORT(lde_second_19, 256)

/// `lde_second_15` for n = 2^20.
KERNEL(256) lde_second_20(const uint32_t* __restrict__ scratch, uint32_t* __restrict__ output,
                          const LdeRoots* __restrict__ roots, const uint32_t* __restrict__ powers,
                          const Factor* __restrict__ scales, uint32_t log_blowup, uint32_t first_coset, uint32_t num_cosets) {
    SECOND_PASS(10, 10);
}
EXPORT(lde_second_20, 256)

/// `lde_second_15` for n = 2^21.
KERNEL(256) lde_second_21(const uint32_t* __restrict__ scratch, uint32_t* __restrict__ output,
                          const LdeRoots* __restrict__ roots, const uint32_t* __restrict__ powers,
                          const Factor* __restrict__ scales, uint32_t log_blowup, uint32_t first_coset, uint32_t num_cosets) {
    SECOND_PASS(11, 10);
}
EXPORT(lde_second_21, 256)

/// `lde_second_15` for n = 2^22.
KERNEL(256) lde_second_22(const uint32_t* __restrict__ scratch, uint32_t* __restrict__ output,
                          const LdeRoots* __restrict__ roots, const uint32_t* __restrict__ powers,
                          const Factor* __restrict__ scales, uint32_t log_blowup, uint32_t first_coset, uint32_t num_cosets) {
    SECOND_PASS(11, 11);
}
EXPORT(lde_second_22, 256)

/// Forward transforms over k1 for n1 = 2^5, in place, outputs in bit-reversed order.
///
/// - data: `[rows][n1]`; 16-byte aligned.
/// - grid: rows * n1 / 2^13, with n1 = 2^11 rows * n1 / 2^14; block: 256; 36 KiB of shared memory.
KERNEL(256) lde_third_5(uint32_t* __restrict__ data, const LdeRoots* __restrict__ roots) { THIRD_PASS(5); }
EXPORT(lde_third_5, 256)

/// `lde_third_5` for n1 = 2^6.
KERNEL(256) lde_third_6(uint32_t* __restrict__ data, const LdeRoots* __restrict__ roots) { THIRD_PASS(6); }
EXPORT(lde_third_6, 256)

/// `lde_third_5` for n1 = 2^7.
KERNEL(256) lde_third_7(uint32_t* __restrict__ data, const LdeRoots* __restrict__ roots) { THIRD_PASS(7); }
EXPORT(lde_third_7, 256)

/// `lde_third_5` for n1 = 2^8.
KERNEL(256) lde_third_8(uint32_t* __restrict__ data, const LdeRoots* __restrict__ roots) { THIRD_PASS(8); }
EXPORT(lde_third_8, 256)

/// `lde_third_5` for n1 = 2^9.
KERNEL(256) lde_third_9(uint32_t* __restrict__ data, const LdeRoots* __restrict__ roots) { THIRD_PASS(9); }
EXPORT(lde_third_9, 256)

/// `lde_third_5` for n1 = 2^10.
KERNEL(256) lde_third_10(uint32_t* __restrict__ data, const LdeRoots* __restrict__ roots) { THIRD_PASS(10); }
EXPORT(lde_third_10, 256)

/// `lde_third_5` for n1 = 2^11.
KERNEL(256) lde_third_11(uint32_t* __restrict__ data, const LdeRoots* __restrict__ roots) { THIRD_PASS(11); }
EXPORT(lde_third_11, 256)
