// Folding's stages between multi-scalar multiplications: products of matrices with z, cross terms, sums of vectors.
#include "mont256.cuh"

/// Pieces that z is made of at most: the head and the parts of the witness.
constexpr uint32_t FOLD_PIECES = 8;

/// z, piece after piece.
struct FoldVariables {
    /// Addresses of the pieces: elements, or 64-bit integers.
    uint64_t address[FOLD_PIECES];
    /// Index into z of each piece's first scalar, ascending; of those not there, 2^32 - 1.
    uint32_t start[FOLD_PIECES];
    /// Bit k: piece k holds integers.
    uint32_t small;
    uint32_t unused;
};
static_assert(sizeof(FoldVariables) == 104, "the host passes 104 bytes");

/// A constraint that holds `repeat` times.
struct FoldBlock {
    /// The first repetition.
    uint32_t start;
    uint32_t repeat;
    /// For each matrix, its terms: from and to.
    uint32_t terms[3][2];
};
static_assert(sizeof(FoldBlock) == 32, "the host writes blocks of 32 bytes");

/// Last block that starts at or before `constraint`; block 0 starts there if no other does.
DEVICE uint32_t find_block(const FoldBlock* __restrict__ blocks, uint32_t num_blocks, uint32_t constraint) {
    uint32_t low = 0, high = num_blocks;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (__ldg(&blocks[middle].start) <= constraint) low = middle;
        else high = middle;
    }
    return low;
}

/// A signed sum of integers as an element.
DEVICE Fr from_sum(__int128 sum) {
    unsigned __int128 magnitude = sum < 0 ? 0 - (unsigned __int128)sum : (unsigned __int128)sum;
    uint64_t low = uint64_t(magnitude), high = uint64_t(magnitude >> 64);
    Fr words = {{uint32_t(low), uint32_t(low >> 32), uint32_t(high), uint32_t(high >> 32), 0, 0, 0, 0}};
    Fr result = to_monty(words);
    return sum < 0 ? neg(result) : result;
}

/// One matrix of an R1CS times z: a thread is a constraint, so neighbours read neighbouring scalars.
///
/// Integers times small coefficients are summed as integers: what a fresh instance's trace meets. All other terms cost
/// a product of elements each, or a sum if the coefficient is 1 or -1.
///
/// - `z`: its pieces together hold every index that the terms name.
/// - `blocks`: `[num_blocks]`, ascending, not overlapping.
/// - `terms`: `[..]`, vectors (start, step, the coefficient if it is an integer of 32 bits or 0, its index).
/// - `coefficients`: `[..][2]` elements: the coefficient times R and times R^2.
/// - `az`, `bz`, `cz`: `[num_constraints]` elements; those that no block covers become 0.
/// Grid: (ceil(num_constraints / 128), 3), the second index being the matrix; block: 128. Tested against sums in arkworks.
KERNEL(128) fold_products(FoldVariables z, const FoldBlock* __restrict__ blocks, uint32_t num_blocks,
                          const uint4* __restrict__ terms, const Fr* __restrict__ coefficients, Fr* __restrict__ az,
                          Fr* __restrict__ bz, Fr* __restrict__ cz, uint32_t num_constraints) {
    uint32_t constraint = thread_index();
    if (constraint >= num_constraints) return;
    Fr total = Fr::zero();
    if (num_blocks > 0) {
        uint32_t block = find_block(blocks, num_blocks, constraint);
        // Before the first block, the difference wraps round.
        uint32_t repetition = constraint - __ldg(&blocks[block].start);
        if (repetition < __ldg(&blocks[block].repeat)) {
            __int128 sum = 0;
            uint32_t to = __ldg(&blocks[block].terms[blockIdx.y][1]);
            for (uint32_t t = __ldg(&blocks[block].terms[blockIdx.y][0]); t < to; t++) {
                uint4 term = __ldg(terms + t);
                uint32_t index = term.x + term.y * repetition;
                uint64_t address = z.address[0];
                uint32_t start = 0, small = z.small;
#pragma unroll
                for (uint32_t piece = 1; piece < FOLD_PIECES; piece++) {
                    if (index >= z.start[piece]) {
                        address = z.address[piece];
                        start = z.start[piece];
                        small = z.small >> piece;
                    }
                }
                index -= start;
                int32_t factor = int32_t(term.z);
                if (small & 1) {
                    int64_t value = __ldg(reinterpret_cast<const int64_t*>(address) + index);
                    if (factor != 0) sum += __int128(factor) * value;
                    else total = add(total, mul_small(load_constant(coefficients + 2 * size_t(term.w) + 1), value));
                } else {
                    Fr value = load_constant(reinterpret_cast<const Fr*>(address) + index);
                    if (factor == 1) total = add(total, value);
                    else if (factor == -1) total = sub(total, value);
                    else total = add(total, mul(load_constant(coefficients + 2 * size_t(term.w)), value));
                }
            }
            if (sum != 0) total = add(total, from_sum(sum));
        }
    }
    store((blockIdx.y == 0 ? az : blockIdx.y == 1 ? bz : cz) + constraint, total);
}
EXPORT(fold_products, 128)

/// The cross term az1 bz2 + az2 bz1 - u1 cz2 - u2 cz1, all products with one reduction. 224 bytes of memory an element.
///
/// - `az1` ... `cz2`, `term`: `[n]` elements.
/// - `minus_u1`, `minus_u2`: -u1 and -u2.
/// - `ones`: how many of u1 and u2 are 1, which then needs no product: with one it is u2.
/// Grid: ceil(n / 128), block: 128. Tested against arkworks.
KERNEL(128) fold_cross_term(const Fr* __restrict__ az1, const Fr* __restrict__ bz1, const Fr* __restrict__ cz1,
                            const Fr* __restrict__ az2, const Fr* __restrict__ bz2, const Fr* __restrict__ cz2,
                            Fr minus_u1, Fr minus_u2, uint32_t ones, Fr* __restrict__ term, uint32_t n) {
    uint32_t i = thread_index();
    if (i >= n) return;
    Fr a1 = load_constant(az1 + i), b1 = load_constant(bz1 + i), c1 = load_constant(cz1 + i);
    Fr a2 = load_constant(az2 + i), b2 = load_constant(bz2 + i), c2 = load_constant(cz2 + i);
    Fr result;
    if (ones == 0) {
        const Fr as[4] = {a1, a2, c2, c1}, bs[4] = {b2, b1, minus_u1, minus_u2};
        result = dot<4>(as, bs);
    } else if (ones == 1) {
        const Fr as[3] = {a1, a2, c2}, bs[3] = {b2, b1, minus_u1};
        result = sub(dot<3>(as, bs), c1);
    } else {
        result = sub(sub(mul_add(a1, b2, a2, b1), c1), c2);
    }
    store(term + i, result);
}
EXPORT(fold_cross_term, 128)

/// y += r x. 96 bytes of memory an element.
///
/// - `x`, `y`: `[n]` elements; `r`: an element.
/// Grid: ceil(n / 128), block: 128. Tested against arkworks.
KERNEL(128) fold_axpy(const Fr* __restrict__ x, Fr r, Fr* __restrict__ y, uint32_t n) {
    uint32_t i = thread_index();
    if (i < n) store(y + i, add(load(y + i), mul(r, load_constant(x + i))));
}
EXPORT(fold_axpy, 128)

/// y += r x for integers x. 72 bytes of memory an element.
///
/// - `x`: `[n]`; `y`: `[n]` elements.
/// - `scaled`: r times R, in Montgomery form.
/// Grid: ceil(n / 128), block: 128. Tested against arkworks.
KERNEL(128) fold_axpy_small(const int64_t* __restrict__ x, Fr scaled, Fr* __restrict__ y, uint32_t n) {
    uint32_t i = thread_index();
    if (i >= n) return;
    int64_t value = __ldg(x + i);
    if (value != 0) store(y + i, add(load(y + i), mul_small(scaled, value)));
}
EXPORT(fold_axpy_small, 128)

/// Integers as elements. 40 bytes of memory an element.
///
/// - `x`: `[n]`; `y`: `[n]` elements.
/// Grid: ceil(n / 128), block: 128. Tested against arkworks.
KERNEL(128) fold_expand(const int64_t* __restrict__ x, Fr* __restrict__ y, uint32_t n) {
    uint32_t i = thread_index();
    if (i < n) store(y + i, from_small<ScalarModulus>(__ldg(x + i)));
}
EXPORT(fold_expand, 128)
