// Points of BN254's G1, y^2 = x^3 + 3, and their sums.
//
// Sums are kept as (X, Y, ZZ, ZZZ) with x = X/ZZ, y = Y/ZZZ and ZZ^3 = ZZZ^2: adding an affine point takes 8
// multiplications and 2 squarings, adding another such sum 12 and 2; two of the products share a reduction. All functions are complete: equal points,
// opposite ones and infinity give what they should.
//
// # Source
// Formulas madd-2008-s, add-2008-s, dbl-2008-s-1 and mdbl-2008-s-1 of the Explicit-Formulas Database, XYZZ
// coordinates of short Weierstrass curves, with a = 0.
#pragma once

#include "mont256.cuh"

// The stand-in calls these functions, so that a kernel's frame stays small; on a GPU a call would put sums in memory.
#ifdef REWIT_STANDIN
#define CURVE static __attribute__((noinline))
#else
#define CURVE DEVICE
#endif

/// Words of a field element and of a sum.
constexpr uint32_t FIELD_WORDS = 8, SUM_WORDS = 32;

/// An affine point; infinity is (0, 0), which is not on the curve.
struct Affine {
    Fq x, y;
};

/// A sum of points; infinity is all zero.
struct Sum {
    Fq x, y, zz, zzz;
};

DEVICE Sum infinity() { return {Fq::zero(), Fq::zero(), Fq::zero(), Fq::zero()}; }
DEVICE bool is_infinity(const Sum& p) { return is_zero(p.zz); }
DEVICE bool is_infinity(const Affine& p) { return is_zero(p.x) && is_zero(p.y); }

DEVICE Affine load(const Affine* from) { return {load_constant(&from->x), load_constant(&from->y)}; }
DEVICE void store(Affine* to, const Affine& p) {
    store(&to->x, p.x);
    store(&to->y, p.y);
}
DEVICE Sum load(const Sum* from) { return {load(&from->x), load(&from->y), load(&from->zz), load(&from->zzz)}; }
DEVICE void store(Sum* to, const Sum& p) {
    store(&to->x, p.x);
    store(&to->y, p.y);
    store(&to->zz, p.zz);
    store(&to->zzz, p.zzz);
}

/// 2 * p for an affine p that is not infinity. No point of G1 has y = 0: their number is odd.
CURVE Sum twice(const Affine& p) {
    Fq u = twice(p.y);
    Fq v = square(u);
    Fq w = mul(u, v);
    Fq s = mul(p.x, v);
    Fq xx = square(p.x);
    Fq m = add(twice(xx), xx);
    Fq x = sub(square(m), twice(s));
    Fq y = mul_add(m, sub(s, x), neg(w), p.y);
    return {x, y, v, w};
}

/// 2 * p.
CURVE Sum twice(const Sum& p) {
    Sum result = twice(Affine{p.x, p.y});
    result.zz = mul(result.zz, p.zz);
    result.zzz = mul(result.zzz, p.zzz);
    return result;
}

/// p <- p + q.
CURVE void accumulate(Sum& p, const Affine& q) {
    if (is_infinity(q)) return;
    if (is_infinity(p)) {
        p = {q.x, q.y, Fq::one(), Fq::one()};
        return;
    }
    Fq h = sub(mul(q.x, p.zz), p.x);
    Fq r = sub(mul(q.y, p.zzz), p.y);
    if (is_zero(h)) {
        p = is_zero(r) ? twice(q) : infinity();
        return;
    }
    Fq hh = square(h);
    Fq hhh = mul(h, hh);
    Fq v = mul(p.x, hh);
    p.x = sub(sub(square(r), hhh), twice(v));
    p.y = mul_add(r, sub(v, p.x), neg(p.y), hhh);
    p.zz = mul(p.zz, hh);
    p.zzz = mul(p.zzz, hhh);
}

/// p <- p + q.
CURVE void accumulate(Sum& p, const Sum& q) {
    if (is_infinity(q)) return;
    if (is_infinity(p)) {
        p = q;
        return;
    }
    Fq u = mul(p.x, q.zz);
    Fq s = mul(p.y, q.zzz);
    Fq h = sub(mul(q.x, p.zz), u);
    Fq r = sub(mul(q.y, p.zzz), s);
    if (is_zero(h)) {
        p = is_zero(r) ? twice(q) : infinity();
        return;
    }
    Fq hh = square(h);
    Fq hhh = mul(h, hh);
    Fq v = mul(u, hh);
    p.x = sub(sub(square(r), hhh), twice(v));
    p.y = mul_add(r, sub(v, p.x), neg(s), hhh);
    p.zz = mul(mul(p.zz, q.zz), hh);
    p.zzz = mul(mul(p.zzz, q.zzz), hhh);
}

/// Words of sums in shared memory, [SUM_WORDS][threads], so that neighbouring threads use neighbouring banks.
struct SharedSums {
    uint32_t* words;
    uint32_t count;

    DEVICE Sum get(uint32_t i) const {
        Sum p;
#pragma unroll
        for (uint32_t k = 0; k < FIELD_WORDS; k++) {
            p.x.word[k] = words[k * count + i];
            p.y.word[k] = words[(FIELD_WORDS + k) * count + i];
            p.zz.word[k] = words[(2 * FIELD_WORDS + k) * count + i];
            p.zzz.word[k] = words[(3 * FIELD_WORDS + k) * count + i];
        }
        return p;
    }
    DEVICE void set(uint32_t i, const Sum& p) {
#pragma unroll
        for (uint32_t k = 0; k < FIELD_WORDS; k++) {
            words[k * count + i] = p.x.word[k];
            words[(FIELD_WORDS + k) * count + i] = p.y.word[k];
            words[(2 * FIELD_WORDS + k) * count + i] = p.zz.word[k];
            words[(3 * FIELD_WORDS + k) * count + i] = p.zzz.word[k];
        }
    }
};
