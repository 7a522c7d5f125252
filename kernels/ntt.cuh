// Number-theoretic transforms of up to 32 words held in a thread's registers, and multiplication by known factors.
#pragma once

#include "field.cuh"

/// a * b mod P of plain integers, at compile time.
constexpr uint32_t plain_mul(uint32_t a, uint32_t b) { return uint32_t(uint64_t(a) * b % P); }

/// a^e mod P of plain integers, at compile time.
constexpr uint32_t plain_power(uint32_t a, uint32_t e) {
    uint32_t result = 1;
    for (; e != 0; e >>= 1) {
        if (e & 1) result = plain_mul(result, a);
        a = plain_mul(a, a);
    }
    return result;
}

/// The field's two-adicity.
constexpr uint32_t TWO_ADICITY = 27;

/// Plonky3's generator of the subgroup of order 2^27, a plain integer.
constexpr uint32_t TWO_ADIC_GENERATOR = 0x1a427a41u;

/// Plonky3's generator of the subgroup of order 2^log_order, a plain integer.
constexpr uint32_t plain_root(uint32_t log_order) {
    uint32_t root = TWO_ADIC_GENERATOR;
    for (uint32_t i = log_order; i < TWO_ADICITY; i++) root = plain_mul(root, root);
    return root;
}

/// The lowest `bits` bits of x in reverse order; x < 2^bits, bits in 0..=32.
DEVICE uint32_t bit_reverse(uint32_t x, uint32_t bits) { return bits == 0 ? 0 : __brev(x) >> (32 - bits); }

/// A factor known before its products are needed (Shoup): x holds the plain integer w, y holds floor(w * 2^32 / P).
/// A product costs a high and two low multiplications and a subtraction, and takes any 32-bit word.
using Factor = uint2;

/// x * w, below 2 P. x is any word.
DEVICE uint32_t mul_lazy(uint32_t x, uint32_t w, uint32_t quotient) { return x * w - __umulhi(x, quotient) * P; }

/// x * w. x is any word.
DEVICE uint32_t mul_known(uint32_t x, Factor w) {
    const uint32_t r = mul_lazy(x, w.x, w.y);
    return min(r, r - P);
}

/// The factor for a word in Montgomery form: w * 2^32 = quotient * P + word, so the quotient is -word / P modulo 2^32.
DEVICE Factor factor(uint32_t word) { return make_uint2(from_monty(word), word * (0u - P_INVERSE)); }

/// A word below 2 P, brought below P.
DEVICE uint32_t once(uint32_t x) { return min(x, x - P); }

/// w^K for the generator w of the subgroup of order 2^LOG, or its inverse.
template <uint32_t LOG, uint32_t K, bool INVERSE>
struct Root {
    static constexpr uint32_t value = plain_power(plain_root(LOG), INVERSE ? ((1u << LOG) - K) & ((1u << LOG) - 1) : K);
    static constexpr uint32_t quotient = uint32_t((uint64_t(value) << 32) / P);
};

/// x * Root<LOG, K, INVERSE>. x is any word below 2 P.
template <uint32_t LOG, uint32_t K, bool INVERSE>
DEVICE uint32_t mul_root(uint32_t x) {
    using R = Root<LOG, K, INVERSE>;
    if constexpr (K == 0) {
        return once(x);
    } else {
        return once(mul_lazy(x, R::value, R::quotient));
    }
}

/// Butterflies K.. of the first stage of a transform of 2^LOG words from x[AT].
template <uint32_t LOG, bool INVERSE, bool LAZY, uint32_t AT, uint32_t K>
DEVICE void butterflies(uint32_t* x) {
    constexpr uint32_t half = (1u << LOG) / 2;
    if constexpr (K < half) {
        const uint32_t a = x[AT + K];
        const uint32_t b = x[AT + K + half];
        const uint32_t difference = a - b + P;
        if constexpr (LOG == 1 && LAZY) {
            x[AT] = a + b;
            x[AT + 1] = difference;
        } else {
            x[AT + K] = add(a, b);
            x[AT + K + half] = K == 0 ? sub(a, b) : mul_root<LOG, K, INVERSE>(difference);
        }
        butterflies<LOG, INVERSE, LAZY, AT, K + 1>(x);
    }
}

/// Transforms the 2^LOG words from x[AT], LOG <= 5: output q goes to x[AT + bitrev(q)].
///
/// Decimation in frequency, so that differences need no reduction before they are multiplied. Words are below P; those
/// of the result too, or with LAZY below 2 P, which a product by a factor takes as they are.
template <uint32_t LOG, bool INVERSE, bool LAZY, uint32_t AT = 0>
DEVICE void transform(uint32_t* x) {
    if constexpr (LOG > 0) {
        butterflies<LOG, INVERSE, LAZY, AT, 0>(x);
        transform<LOG - 1, INVERSE, LAZY, AT>(x);
        transform<LOG - 1, INVERSE, LAZY, AT + (1u << LOG) / 2>(x);
    }
}

/// 2^(5 - LOG) transforms of 2^LOG words, one after another in x.
template <uint32_t LOG, bool INVERSE, bool LAZY, uint32_t AT = 0>
DEVICE void transforms(uint32_t* x) {
    if constexpr (AT < 32) {
        transform<LOG, INVERSE, LAZY, AT>(x);
        transforms<LOG, INVERSE, LAZY, AT + (1u << LOG)>(x);
    }
}
