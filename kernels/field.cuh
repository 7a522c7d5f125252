// BabyBear and its extensions, in Montgomery form: the words that the host's field types hold.
#pragma once

#include "common.cuh"

/// The prime, 15 * 2^27 + 1.
constexpr uint32_t P = 0x78000001u;
/// P^-1 modulo 2^32.
constexpr uint32_t P_INVERSE = 0x88000001u;
/// 2^32 mod P: one in Montgomery form.
constexpr uint32_t ONE = 0x0ffffffeu;
/// 2^64 mod P: multiplying by it takes an integer to Montgomery form.
constexpr uint32_t R2 = 0x45dddde3u;

/// a + b. Words are below P; so is the result.
DEVICE uint32_t add(uint32_t a, uint32_t b) {
    uint32_t sum = a + b;
    return min(sum, sum - P);
}

/// a - b.
DEVICE uint32_t sub(uint32_t a, uint32_t b) {
    uint32_t difference = a - b;
    return min(difference, difference + P);
}

/// t / 2^32 mod P, for t < 2^32 * P.
DEVICE uint32_t reduce(uint64_t t) {
    uint32_t m = uint32_t(t) * P_INVERSE;
    uint32_t d = uint32_t(t >> 32) - __umulhi(m, P);
    return min(d, d + P);
}

/// a * b.
DEVICE uint32_t mul(uint32_t a, uint32_t b) { return reduce(uint64_t(a) * b); }

/// An integer below P, in Montgomery form.
DEVICE uint32_t to_monty(uint32_t x) { return mul(x, R2); }

/// The integer that a word in Montgomery form stands for.
DEVICE uint32_t from_monty(uint32_t x) { return reduce(x); }

/// a^e.
DEVICE uint32_t power(uint32_t a, uint32_t e) {
    uint32_t result = ONE;
    for (; e != 0; e >>= 1) {
        if (e & 1) result = mul(result, a);
        a = mul(a, a);
    }
    return result;
}

/// 1 / a; 0 for 0.
DEVICE uint32_t invert(uint32_t a) { return power(a, P - 2); }
