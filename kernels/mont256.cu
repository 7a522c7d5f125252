// Single operations of BN254's fields over arrays, which tests compare with arkworks.
#include "mont256.cuh"

/// One operation on each pair.
template <class M>
DEVICE Mont256<M> apply(uint32_t operation, const Mont256<M>& a, const Mont256<M>& b) {
    switch (operation) {
        case 0: return add(a, b);
        case 1: return sub(a, b);
        case 2: return neg(a);
        case 3: return twice(a);
        case 4: return mul(a, b);
        case 5: return square(a);
        case 6: return mul_add(a, b, b, b);
        case 7: {
            const Mont256<M> as[4] = {a, b, a, b}, bs[4] = {b, a, a, b};
            return dot<4>(as, bs);
        }
        case 8: return to_monty(a);
        case 9: return from_monty(a);
        case 10: return invert(a);
        case 11: return from_small<M>(int64_t(uint64_t(a.word[1]) << 32 | a.word[0]));
        case 12: return select(equal(a, b), Mont256<M>::one(), Mont256<M>::zero());
        default: return select(is_zero(a), Mont256<M>::one(), Mont256<M>::zero());
    }
}

/// result[i] = operation(a[i], b[i]) in the base field.
///
/// - `a`, `b`, `result`: `[n]` elements; `operation`: as `apply` numbers them.
/// Grid: ceil(n / 128), block: 128. Tested against arkworks.
KERNEL(128) mont256_base(const Fq* __restrict__ a, const Fq* __restrict__ b, Fq* __restrict__ result,
                         uint32_t operation, uint32_t n) {
    uint32_t i = thread_index();
    if (i < n) store(result + i, apply(operation, load(a + i), load(b + i)));
}
EXPORT(mont256_base, 128)

/// The same in the scalar field.
KERNEL(128) mont256_scalar(const Fr* __restrict__ a, const Fr* __restrict__ b, Fr* __restrict__ result,
                           uint32_t operation, uint32_t n) {
    uint32_t i = thread_index();
    if (i < n) store(result + i, apply(operation, load(a + i), load(b + i)));
}
EXPORT(mont256_scalar, 128)
