// The fields of challenges: BabyBear extended by X^4 = 11 or X^5 = 2, in Montgomery form.
#pragma once

#include "field.cuh"

/// An element of the extension of degree D: the coefficients of 1, X, .., X^(D-1), as Plonky3 holds them.
template <int D>
struct Ext {
    uint32_t c[D];
};

/// What X^D is, in Montgomery form.
template <int D>
constexpr uint32_t EXT_W = uint32_t(((D == 4 ? 11ull : 2ull) << 32) % P);

/// t below 2^33 * P, with the same remainder modulo P, below 2^32 * P.
///
/// A sum of products stays in 64 bits if it is settled after its first four products and then after every two:
/// a product of words below P is less than 15/32 of 2^32 * P.
DEVICE uint64_t settle(uint64_t t) {
    uint32_t high = uint32_t(t >> 32);
    return uint64_t(min(high, high - P)) << 32 | uint32_t(t);
}

/// a * b as it is added to a sum of products.
DEVICE uint64_t product(uint32_t a, uint32_t b) { return uint64_t(a) * b; }

template <int D>
DEVICE Ext<D> add(const Ext<D>& a, const Ext<D>& b) {
    Ext<D> result;
#pragma unroll
    for (int i = 0; i < D; i++) result.c[i] = add(a.c[i], b.c[i]);
    return result;
}

template <int D>
DEVICE Ext<D> sub(const Ext<D>& a, const Ext<D>& b) {
    Ext<D> result;
#pragma unroll
    for (int i = 0; i < D; i++) result.c[i] = sub(a.c[i], b.c[i]);
    return result;
}

/// a * b for b of the base field.
template <int D>
DEVICE Ext<D> scale(const Ext<D>& a, uint32_t b) {
    Ext<D> result;
#pragma unroll
    for (int i = 0; i < D; i++) result.c[i] = mul(a.c[i], b);
    return result;
}

/// a * b: D^2 products, D - 1 multiplications by W and D reductions.
template <int D>
DEVICE Ext<D> mul(const Ext<D>& a, const Ext<D>& b) {
    uint32_t wrapped[D];
#pragma unroll
    for (int i = 1; i < D; i++) wrapped[i] = D == 5 ? add(b.c[i], b.c[i]) : mul(b.c[i], EXT_W<D>);
    Ext<D> result;
#pragma unroll
    for (int k = 0; k < D; k++) {
        uint64_t sum = 0;
#pragma unroll
        for (int i = 0; i < D; i++) {
            sum += product(a.c[i], i <= k ? b.c[k - i] : wrapped[k - i + D]);
            if (i >= 3 && (i & 1)) sum = settle(sum);
        }
        // Five products: the fourth was settled, the fifth is not.
        if (D == 5) sum = settle(sum);
        result.c[k] = reduce(sum);
    }
    return result;
}

/// a / 2.
DEVICE uint32_t halve(uint32_t a) { return (a >> 1) + (a & 1 ? (P + 1) / 2 : 0); }

template <int D>
DEVICE Ext<D> halve(const Ext<D>& a) {
    Ext<D> result;
#pragma unroll
    for (int i = 0; i < D; i++) result.c[i] = halve(a.c[i]);
    return result;
}

/// The product of one factor per set bit of `index` < 2^27.
///
/// - tables: [3][512], the products over the low, middle and high nine bits; a common factor sits in the first.
DEVICE uint32_t bit_product(const uint32_t* __restrict__ tables, uint32_t index) {
    uint32_t low = __ldg(tables + (index & 511));
    uint32_t middle = __ldg(tables + 512 + (index >> 9 & 511));
    uint32_t high = __ldg(tables + 1024 + (index >> 18));
    return mul(mul(low, middle), high);
}
