// Folding of FRI.
//
// Codewords are [n][D], bit-reversed, so that a row of 2^a neighbours is one coset of the 2^a-th roots. FRI ignores
// the coset's shift: position i stands for the product over the set bits k of i of a primitive 2^(k+1)-th root.
#include "ext.cuh"

/// An inverse primitive 2^k-th root: the inverse of Plonky3's two-adic generator of that order.
///
/// 0x1a427a41 generates the subgroup of order 2^27.
constexpr uint32_t inverse_root(int k) {
    uint64_t root = 0x1a427a41;
    for (int i = k; i < 27; i++) root = root * root % P;
    uint64_t inverse = 1, base = root;
    for (uint32_t e = P - 2; e != 0; e >>= 1) {
        if (e & 1) inverse = inverse * base % P;
        base = base * base % P;
    }
    return uint32_t((inverse << 32) % P);
}

/// What pair j of a row of up to four pairs divides by, beside what its row divides by: [0] is not used.
constexpr uint64_t ROOT4 = inverse_root(2);
constexpr uint64_t ROOT8 = inverse_root(3);

/// (low + high) / 2 + beta (low - high) / (2 s), where `inverse` is 1 / (2 s).
template <int D>
DEVICE Ext<D> fold_pair(const Ext<D>& low, const Ext<D>& high, const Ext<D>& beta, uint32_t inverse) {
    return add(halve(add(low, high)), mul(beta, scale(sub(low, high), inverse)));
}

/// One thread a row: LOG_ARITY folds by two in registers, with beta, beta^2, beta^4.
template <int D, int LOG_ARITY>
DEVICE Ext<D> fold_row(const uint32_t* __restrict__ input, const uint32_t* __restrict__ tables, Ext<D> beta,
                       uint32_t row) {
    constexpr int ARITY = 1 << LOG_ARITY;
    Ext<D> value[ARITY];
    const uint32_t* source = input + size_t(row) * (ARITY * D);
    if (D % 4 == 0) {
#pragma unroll
        for (int i = 0; i < ARITY * D; i += 4) {
            uint4 four = __ldg(reinterpret_cast<const uint4*>(source + i));
            value[i / D].c[i % D] = four.x;
            value[i / D].c[i % D + 1] = four.y;
            value[i / D].c[i % D + 2] = four.z;
            value[i / D].c[i % D + 3] = four.w;
        }
    } else {
#pragma unroll
        for (int i = 0; i < ARITY * D; i += 2) {
            uint2 two = __ldg(reinterpret_cast<const uint2*>(source + i));
            value[i / D].c[i % D] = two.x;
            value[(i + 1) / D].c[(i + 1) % D] = two.y;
        }
    }
    // 1/s of the row's first pair; each fold squares it.
    uint32_t inverse = bit_product(tables, row << (LOG_ARITY - 1));
#pragma unroll
    for (int pairs = ARITY / 2; pairs > 0; pairs /= 2) {
        uint32_t half = halve(inverse);
#pragma unroll
        for (int j = 0; j < pairs; j++) {
            uint32_t factor = half;
            if (j & 1) factor = mul(factor, uint32_t(ROOT4));
            if (j & 2) factor = mul(factor, uint32_t(ROOT8));
            value[j] = fold_pair(value[2 * j], value[2 * j + 1], beta, factor);
        }
        if (pairs > 1) {
            inverse = mul(inverse, inverse);
            beta = mul(beta, beta);
        }
    }
    return value[0];
}

template <int D>
DEVICE void fold(const uint32_t* __restrict__ input, const uint32_t* __restrict__ tables, Ext<D> beta,
                 uint32_t log_arity, uint32_t rows, const uint32_t* __restrict__ next, Ext<D> next_weight,
                 uint32_t* __restrict__ output) {
    uint32_t row = thread_index();
    if (row >= rows) return;
    Ext<D> result;
    if (log_arity == 1) {
        result = fold_row<D, 1>(input, tables, beta, row);
    } else if (log_arity == 2) {
        result = fold_row<D, 2>(input, tables, beta, row);
    } else {
        result = fold_row<D, 3>(input, tables, beta, row);
    }
    if (next != nullptr) {
        Ext<D> joined;
#pragma unroll
        for (int k = 0; k < D; k++) joined.c[k] = __ldg(next + size_t(row) * D + k);
        result = add(result, mul(next_weight, joined));
    }
    if constexpr (D == 4) {
        // One store of 16 bytes: buffers are aligned to more.
        reinterpret_cast<uint4*>(output)[row] = make_uint4(result.c[0], result.c[1], result.c[2], result.c[3]);
    } else {
#pragma unroll
        for (int k = 0; k < D; k++) output[size_t(row) * D + k] = result.c[k];
    }
}

/// Folds rows of 2^log_arity elements to one each, and adds the next input of FRI if there is one, degree 4.
///
/// - input: [rows][2^log_arity][4].
/// - tables: [3][512], for `bit_product`: factor k is the inverse of a primitive 2^(k+2)-th root.
/// - log_arity: 1, 2 or 3. Larger arities are several folds, with beta to the power of what was folded before.
/// - next: [rows][4] or null; it is multiplied by `next_weight`.
/// - output: [rows][4].
///
/// Grid: one thread a row; block: 256; no shared memory. Oracle: Plonky3's `fold_matrix`.
KERNEL(256) fri_fold_4(const uint32_t* __restrict__ input, const uint32_t* __restrict__ tables, Ext<4> beta,
                       uint32_t log_arity, uint32_t rows, const uint32_t* __restrict__ next, Ext<4> next_weight,
                       uint32_t* __restrict__ output) {
    fold<4>(input, tables, beta, log_arity, rows, next, next_weight, output);
}
EXPORT(fri_fold_4, 256)

/// As `fri_fold_4`, degree 5: elements of five words.
KERNEL(256) fri_fold_5(const uint32_t* __restrict__ input, const uint32_t* __restrict__ tables, Ext<5> beta,
                       uint32_t log_arity, uint32_t rows, const uint32_t* __restrict__ next, Ext<5> next_weight,
                       uint32_t* __restrict__ output) {
    fold<5>(input, tables, beta, log_arity, rows, next, next_weight, output);
}
EXPORT(fri_fold_5, 256)
