// BN254's two prime fields, in Montgomery form with R = 2^256: the limbs that arkworks' `Fq` and `Fr` hold, as eight
// words, the lowest first. `mont256.cu` applies each operation to arrays, which tests compare with arkworks.
//
// Elements are below the modulus, and so is every result, unless a function says otherwise.
//
// Instructions on sm_90 beside loads, stores and addresses (in the output of nvcc 13.0.88, 2026-11): `mul` 181, of which
// 120 are IMAD.WIDE; `square` 187, of which 92 are; `mul_add` 253, of which 184 are; `add` and `sub` 26. An
// IMAD.WIDE takes as long as two or more of the others, so `square` is cheaper than `mul`, and `mul_add` than two.
#pragma once

#include "carry.cuh"

/// The field that points of the curve have their coordinates in.
struct BaseModulus {
    /// -modulus^-1 mod 2^32.
    static constexpr uint32_t INVERSE = 0xe4866389u;
    /// Word `i` of the modulus.
    static constexpr DEVICE uint32_t modulus(uint32_t i) {
        constexpr uint32_t words[8] = {0xd87cfd47u, 0x3c208c16u, 0x6871ca8du, 0x97816a91u,
                                       0x8181585du, 0xb85045b6u, 0xe131a029u, 0x30644e72u};
        return words[i];
    }
    /// R: one in Montgomery form.
    static constexpr DEVICE uint32_t one(uint32_t i) {
        constexpr uint32_t words[8] = {0xc58f0d9du, 0xd35d438du, 0xf5c70b3du, 0x0a78eb28u,
                                       0x7879462cu, 0x666ea36fu, 0x9a07df2fu, 0x0e0a77c1u};
        return words[i];
    }
    /// R^2, which takes an integer to Montgomery form.
    static constexpr DEVICE uint32_t r2(uint32_t i) {
        constexpr uint32_t words[8] = {0x538afa89u, 0xf32cfc5bu, 0xd44501fbu, 0xb5e71911u,
                                       0x0a417ff6u, 0x47ab1effu, 0xcab8351fu, 0x06d89f71u};
        return words[i];
    }
};

/// The field of scalars.
struct ScalarModulus {
    static constexpr uint32_t INVERSE = 0xefffffffu;
    static constexpr DEVICE uint32_t modulus(uint32_t i) {
        constexpr uint32_t words[8] = {0xf0000001u, 0x43e1f593u, 0x79b97091u, 0x2833e848u,
                                       0x8181585du, 0xb85045b6u, 0xe131a029u, 0x30644e72u};
        return words[i];
    }
    static constexpr DEVICE uint32_t one(uint32_t i) {
        constexpr uint32_t words[8] = {0x4ffffffbu, 0xac96341cu, 0x9f60cd29u, 0x36fc7695u,
                                       0x7879462eu, 0x666ea36fu, 0x9a07df2fu, 0x0e0a77c1u};
        return words[i];
    }
    static constexpr DEVICE uint32_t r2(uint32_t i) {
        constexpr uint32_t words[8] = {0xae216da7u, 0x1bb8e645u, 0xe35c59e3u, 0x53fe3ab1u,
                                       0x53bb8085u, 0x8c49833du, 0x7f4e44a5u, 0x0216d0b1u};
        return words[i];
    }
};

/// An element modulo M in Montgomery form.
template <class M>
struct alignas(16) Mont256 {
    uint32_t word[8];

    /// Zero.
    static DEVICE Mont256 zero() { return {{0, 0, 0, 0, 0, 0, 0, 0}}; }
    /// One.
    static DEVICE Mont256 one() {
        Mont256 result;
#pragma unroll
        for (uint32_t i = 0; i < 8; i++) result.word[i] = M::one(i);
        return result;
    }
    /// R^2.
    static DEVICE Mont256 r2() {
        Mont256 result;
#pragma unroll
        for (uint32_t i = 0; i < 8; i++) result.word[i] = M::r2(i);
        return result;
    }
};

/// A coordinate of a point.
using Fq = Mont256<BaseModulus>;
/// A scalar.
using Fr = Mont256<ScalarModulus>;
static_assert(sizeof(Fq) == 32 && alignof(Fq) == 16, "two vector loads");

/// Reads an element as two vectors of 16 bytes.
template <class M>
DEVICE Mont256<M> load(const Mont256<M>* from) {
    const uint4* vectors = reinterpret_cast<const uint4*>(from);
    uint4 low = vectors[0], high = vectors[1];
    return {{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}};
}

/// Reads an element that no kernel writes meanwhile, through the read-only path.
template <class M>
DEVICE Mont256<M> load_constant(const Mont256<M>* from) {
    const uint4* vectors = reinterpret_cast<const uint4*>(from);
    uint4 low = __ldg(vectors), high = __ldg(vectors + 1);
    return {{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}};
}

/// Writes an element as two vectors of 16 bytes.
template <class M>
DEVICE void store(Mont256<M>* to, const Mont256<M>& a) {
    uint4* vectors = reinterpret_cast<uint4*>(to);
    vectors[0] = make_uint4(a.word[0], a.word[1], a.word[2], a.word[3]);
    vectors[1] = make_uint4(a.word[4], a.word[5], a.word[6], a.word[7]);
}

/// Whether all words are zero.
template <class M>
DEVICE bool is_zero(const Mont256<M>& a) {
    return (a.word[0] | a.word[1] | a.word[2] | a.word[3] | a.word[4] | a.word[5] | a.word[6] | a.word[7]) == 0;
}

/// Whether two elements are the same.
template <class M>
DEVICE bool equal(const Mont256<M>& a, const Mont256<M>& b) {
    uint32_t different = 0;
#pragma unroll
    for (uint32_t i = 0; i < 8; i++) different |= a.word[i] ^ b.word[i];
    return different == 0;
}

/// `a` if `first`, or `b`.
template <class M>
DEVICE Mont256<M> select(bool first, const Mont256<M>& a, const Mont256<M>& b) {
    Mont256<M> result;
#pragma unroll
    for (uint32_t i = 0; i < 8; i++) result.word[i] = first ? a.word[i] : b.word[i];
    return result;
}

/// The words of the modulus.
template <class M>
DEVICE void modulus_words(uint32_t* words) {
#pragma unroll
    for (uint32_t i = 0; i < 8; i++) words[i] = M::modulus(i);
}

/// a mod M for a < 2M.
template <class M>
DEVICE Mont256<M> reduce_once(const Mont256<M>& a) {
    uint32_t modulus[8];
    modulus_words<M>(modulus);
    Mont256<M> less;
    uint32_t borrow = sub_words(less.word, a.word, modulus);
    return select(borrow != 0, a, less);
}

/// a + b.
template <class M>
DEVICE Mont256<M> add(const Mont256<M>& a, const Mont256<M>& b) {
    Mont256<M> sum;
    add_words(sum.word, a.word, b.word);
    return reduce_once(sum);
}

/// 2a.
template <class M>
DEVICE Mont256<M> twice(const Mont256<M>& a) {
    return add(a, a);
}

/// a - b.
template <class M>
DEVICE Mont256<M> sub(const Mont256<M>& a, const Mont256<M>& b) {
    Mont256<M> difference, result;
    uint32_t borrow = sub_words(difference.word, a.word, b.word);
    uint32_t modulus[8];
    modulus_words<M>(modulus);
#pragma unroll
    for (uint32_t i = 0; i < 8; i++) modulus[i] &= borrow;
    add_words(result.word, difference.word, modulus);
    return result;
}

/// -a.
template <class M>
DEVICE Mont256<M> neg(const Mont256<M>& a) {
    uint32_t modulus[8];
    modulus_words<M>(modulus);
    Mont256<M> result;
    sub_words(result.word, modulus, a.word);
    return select(is_zero(a), a, result);
}

/// (a[0] b[0] + ... + a[N - 1] b[N - 1]) / R: products with one reduction for all, N at most 4.
///
/// Each a[k] is an element. b[k] may be any eight words, as long as the sum of a[k] b[k] is below M 2^256 for the modulus
/// M: four products of elements are, since 4M < 2^256, and so is one of an element and any words.
///
/// Cost: 64 (N + 1) multiply-adds of 64 bits. Word i of every b[k] and the multiple of the modulus that clears the
/// lowest word are added to two rows, of products that begin at even and at odd words; then the rows change places.
template <int N, class M>
DEVICE Mont256<M> dot(const Mont256<M> (&a)[N], const Mont256<M> (&b)[N]) {
    static_assert(N >= 1 && N <= 4, "four products and the modulus fit the rows");
    uint32_t modulus[8];
    modulus_words<M>(modulus);
    uint32_t rows[2][8];
#pragma unroll
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t* even = rows[i & 1];
        uint32_t* odd = rows[~i & 1];
        if (i == 0) {
            multiply_row(even, a[0].word, b[0].word[0]);
            multiply_row(odd, a[0].word + 1, b[0].word[0]);
        } else {
            multiply_add_shifted(even[0], odd, a[0].word + 1, b[0].word[i]);
            multiply_add_row(even, a[0].word, b[0].word[i], odd[7]);
        }
#pragma unroll
        for (uint32_t k = 1; k < N; k++) {
            multiply_add_row(odd, a[k].word + 1, b[k].word[i]);
            multiply_add_row(even, a[k].word, b[k].word[i], odd[7]);
        }
        uint32_t multiple = even[0] * M::INVERSE;
        multiply_add_row(odd, modulus + 1, multiple);
        multiply_add_row(even, modulus, multiple, odd[7]);
    }
    // The last round's even row is rows[1]; its lowest word is zero.
    uint32_t upper[8];
#pragma unroll
    for (uint32_t i = 0; i < 7; i++) upper[i] = rows[1][i + 1];
    upper[7] = 0;
    Mont256<M> result;
    add_words(result.word, rows[0], upper);
    return reduce_once(result);
}

/// a * b / R: the product of elements in Montgomery form.
template <class M>
DEVICE Mont256<M> mul(const Mont256<M>& a, const Mont256<M>& b) {
    const Mont256<M> as[1] = {a}, bs[1] = {b};
    return dot<1>(as, bs);
}

/// a b + c d, for the reductions of one product.
template <class M>
DEVICE Mont256<M> mul_add(const Mont256<M>& a, const Mont256<M>& b, const Mont256<M>& c, const Mont256<M>& d) {
    const Mont256<M> as[2] = {a, c}, bs[2] = {b, d};
    return dot<2>(as, bs);
}

/// The sixteen words of a^2. Cost: 36 multiply-adds of 64 bits.
template <class M>
DEVICE void square_words(uint32_t* words, const Mont256<M>& element) {
    const uint32_t* a = element.word;
    // Products of two different words: those that begin at an even word i in even[i], at an odd one in odd[i - 1].
    uint32_t even[16], odd[15];
    multiply_row(odd, a + 1, a[0]);
#pragma unroll
    for (uint32_t i = 2; i < 8; i += 2) {
        uint64_t product = uint64_t(a[i]) * a[0];
        even[i] = uint32_t(product);
        even[i + 1] = uint32_t(product >> 32);
    }
    even[8] = even[9] = 0;
    multiply_add_three(even + 4, a + 3, a[1]);
    multiply_add_three(odd + 2, a + 2, a[1]);
    odd[9] = 0;
    multiply_add_three(odd + 4, a + 3, a[2]);
    multiply_add_two(even + 6, a + 4, a[2]);
    even[11] = 0;
    multiply_add_two(even + 8, a + 5, a[3]);
    multiply_add_two(odd + 6, a + 4, a[3]);
    odd[11] = 0;
    multiply_add_two(odd + 8, a + 5, a[4]);
    multiply_add_one(even + 10, a + 6, a[4]);
    even[13] = 0;
    multiply_add_one(even + 12, a + 7, a[5]);
    multiply_add_one(odd + 10, a + 6, a[5]);
    odd[13] = 0;
    multiply_add_one(odd + 12, a + 7, a[6]);
    // Their sum, twice: words 2 to 14 of both rows, and the carry.
    even[14] = 0;
    add_thirteen(even + 2, odd + 1);
    words[0] = 0;
    words[1] = odd[0] << 1;
    words[2] = __funnelshift_l(odd[0], even[2], 1);
#pragma unroll
    for (uint32_t i = 3; i < 16; i++) words[i] = __funnelshift_l(even[i - 1], even[i], 1);
    add_squares(words, a);
}

/// words / R, for sixteen words below M 2^256.
template <class M>
DEVICE Mont256<M> reduce_words(const uint32_t* words) {
    uint32_t modulus[8];
    modulus_words<M>(modulus);
    uint32_t rows[2][8];
    uint32_t multiple = words[0] * M::INVERSE;
#pragma unroll
    for (uint32_t i = 0; i < 8; i++) rows[0][i] = words[i];
    multiply_row(rows[1], modulus + 1, multiple);
    multiply_add_row(rows[0], modulus, multiple, rows[1][7]);
#pragma unroll
    for (uint32_t i = 1; i < 8; i++) {
        uint32_t* even = rows[i & 1];
        uint32_t* odd = rows[~i & 1];
        multiple = reduce_shifted(even[0], odd, modulus + 1, M::INVERSE);
        multiply_add_row(even, modulus, multiple, odd[7]);
    }
    // What is left of the lower words, at most M, and the upper ones.
    uint32_t upper[8];
#pragma unroll
    for (uint32_t i = 0; i < 7; i++) upper[i] = rows[1][i + 1];
    upper[7] = 0;
    Mont256<M> result;
    add_words(result.word, rows[0], upper);
    add_words(result.word, result.word, words + 8);
    return reduce_once(result);
}

/// a * a. Cost: 100 multiply-adds of 64 bits, where a product needs 128.
template <class M>
DEVICE Mont256<M> square(const Mont256<M>& a) {
    uint32_t words[16];
    square_words(words, a);
    return reduce_words<M>(words);
}

/// Eight words, any, modulo M and in Montgomery form.
template <class M>
DEVICE Mont256<M> to_monty(const Mont256<M>& integer) {
    return mul(Mont256<M>::r2(), integer);
}

/// The integer below M that an element stands for.
template <class M>
DEVICE Mont256<M> from_monty(const Mont256<M>& a) {
    uint32_t words[16];
#pragma unroll
    for (uint32_t i = 0; i < 8; i++) {
        words[i] = a.word[i];
        words[i + 8] = 0;
    }
    return reduce_words<M>(words);
}

/// An integer of 64 bits as the first words of eight, not in Montgomery form.
template <class M>
DEVICE Mont256<M> integer(uint64_t value) {
    return {{uint32_t(value), uint32_t(value >> 32), 0, 0, 0, 0, 0, 0}};
}

/// factor * value / R for a signed integer: with R^2 times x as the factor, the element x * value.
template <class M>
DEVICE Mont256<M> mul_small(const Mont256<M>& factor, int64_t value) {
    uint64_t magnitude = value < 0 ? 0 - uint64_t(value) : uint64_t(value);
    Mont256<M> product = mul(factor, integer<M>(magnitude));
    return value < 0 ? neg(product) : product;
}

/// A signed integer as an element.
template <class M>
DEVICE Mont256<M> from_small(int64_t value) {
    return mul_small(Mont256<M>::r2(), value);
}

/// 1 / a by Fermat's little theorem; 0 for 0. Cost: 254 squares and about 128 products: for sums of many.
template <class M>
DEVICE Mont256<M> invert(const Mont256<M>& a) {
    Mont256<M> result = Mont256<M>::one();
#pragma unroll 1
    for (uint32_t bit = 254; bit-- > 0;) {
        uint32_t word = 0;
#pragma unroll
        for (uint32_t i = 0; i < 8; i++) {
            // The modulus less two: no borrow, its lowest word is larger.
            if (bit >> 5 == i) word = M::modulus(i) - (i == 0 ? 2 : 0);
        }
        result = square(result);
        if (word >> (bit & 31) & 1) result = mul(result, a);
    }
    return result;
}
