// Integers of several 32-bit words, lowest first: the rows of products and sums that carries run through.
//
// nvcc has no word for a carry, so each row is one piece of PTX, and carries never leave it. A pair
// `mad.lo.cc, madc.hi.cc` of the same factors becomes one multiply-add of 64 bits (IMAD.WIDE) with carry.
#pragma once

#include "common.cuh"

/// row = (x[0], x[2], x[4], x[6]) * b: each product fills two words.
DEVICE void multiply_row(uint32_t* row, const uint32_t* x, uint32_t b) {
#pragma unroll
    for (uint32_t i = 0; i < 8; i += 2) {
        uint64_t product = uint64_t(x[i]) * b;
        row[i] = uint32_t(product);
        row[i + 1] = uint32_t(product >> 32);
    }
}

#ifdef REWIT_STANDIN

/// row += (x[0], x[2], ...) * b over `words` words; returns the carry.
template <int words>
DEVICE uint32_t multiply_add_words(uint32_t* row, const uint32_t* x, uint32_t b) {
    uint64_t carry = 0;
    for (uint32_t i = 0; i < words; i += 2) {
        unsigned __int128 sum = uint64_t(x[i]) * b;
        sum += uint64_t(row[i + 1]) << 32 | row[i];
        sum += carry;
        row[i] = uint32_t(sum);
        row[i + 1] = uint32_t(sum >> 32);
        carry = uint64_t(sum >> 64);
    }
    return uint32_t(carry);
}

/// row += (x[0], x[2], x[4], x[6]) * b, which must not carry out of the row.
DEVICE void multiply_add_row(uint32_t* row, const uint32_t* x, uint32_t b) {
    multiply_add_words<8>(row, x, b);
}

/// The same with the carry added to `top`.
DEVICE void multiply_add_row(uint32_t* row, const uint32_t* x, uint32_t b, uint32_t& top) {
    top += multiply_add_words<8>(row, x, b);
}

/// Moves a row down by a word, its lowest being zero: the second word joins `first`, the others become the start of
/// the row, to which x * b and the carry of that sum are added.
DEVICE void multiply_add_shifted(uint32_t& first, uint32_t* row, const uint32_t* x, uint32_t b) {
    uint64_t sum = uint64_t(first) + row[1];
    first = uint32_t(sum);
    for (uint32_t i = 0; i < 6; i++) row[i] = row[i + 2];
    row[6] = row[7] = 0;
    const uint32_t carried[8] = {uint32_t(sum >> 32), 0, 0, 0, 0, 0, 0, 0};
    multiply_add_words<8>(row, carried, 1);
    multiply_add_words<8>(row, x, b);
}

/// The same with b = first * inverse, after the sum; returns b.
DEVICE uint32_t reduce_shifted(uint32_t& first, uint32_t* row, const uint32_t* x, uint32_t inverse) {
    uint32_t b = (first + row[1]) * inverse;
    multiply_add_shifted(first, row, x, b);
    return b;
}

/// row[0..6] += (x[0], x[2], x[4]) * b, the carry to row[6].
DEVICE void multiply_add_three(uint32_t* row, const uint32_t* x, uint32_t b) {
    row[6] = multiply_add_words<6>(row, x, b);
}

/// row[0..4] += (x[0], x[2]) * b, the carry to row[4].
DEVICE void multiply_add_two(uint32_t* row, const uint32_t* x, uint32_t b) {
    row[4] = multiply_add_words<4>(row, x, b);
}

/// row[0..2] += x[0] * b, the carry to row[2].
DEVICE void multiply_add_one(uint32_t* row, const uint32_t* x, uint32_t b) {
    row[2] = multiply_add_words<2>(row, x, b);
}

/// sum = a + b over eight words, which must not carry out.
DEVICE void add_words(uint32_t* sum, const uint32_t* a, const uint32_t* b) {
    uint64_t carry = 0;
    for (uint32_t i = 0; i < 8; i++) {
        carry += uint64_t(a[i]) + b[i];
        sum[i] = uint32_t(carry);
        carry >>= 32;
    }
}

/// row += other over thirteen words, the carry to row[13].
DEVICE void add_thirteen(uint32_t* row, const uint32_t* other) {
    uint64_t carry = 0;
    for (uint32_t i = 0; i < 13; i++) {
        carry += uint64_t(row[i]) + other[i];
        row[i] = uint32_t(carry);
        carry >>= 32;
    }
    row[13] = uint32_t(carry);
}

/// difference = a - b over eight words; returns 0xffffffff if it borrows, or 0.
DEVICE uint32_t sub_words(uint32_t* difference, const uint32_t* a, const uint32_t* b) {
    uint32_t borrow = 0;
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t word = uint64_t(a[i]) - b[i] - borrow;
        difference[i] = uint32_t(word);
        borrow = uint32_t(word >> 32) & 1;
    }
    return 0u - borrow;
}

/// words += (a[0]^2, a[1]^2, ...) over sixteen words, which must not carry out.
DEVICE void add_squares(uint32_t* words, const uint32_t* a) {
    uint64_t carry = 0;
    for (uint32_t i = 0; i < 8; i++) {
        unsigned __int128 sum = uint64_t(a[i]) * a[i];
        sum += uint64_t(words[2 * i + 1]) << 32 | words[2 * i];
        sum += carry;
        words[2 * i] = uint32_t(sum);
        words[2 * i + 1] = uint32_t(sum >> 32);
        carry = uint64_t(sum >> 64);
    }
}

#else

// Registers of a row, and of every second word of a factor.
#define ROW8(r) "+r"(r[0]), "+r"(r[1]), "+r"(r[2]), "+r"(r[3]), "+r"(r[4]), "+r"(r[5]), "+r"(r[6]), "+r"(r[7])
#define FACTORS4(x) "r"(x[0]), "r"(x[2]), "r"(x[4]), "r"(x[6])

DEVICE void multiply_add_row(uint32_t* row, const uint32_t* x, uint32_t b) {
    asm("mad.lo.cc.u32 %0, %8, %12, %0;\n\t"
        "madc.hi.cc.u32 %1, %8, %12, %1;\n\t"
        "madc.lo.cc.u32 %2, %9, %12, %2;\n\t"
        "madc.hi.cc.u32 %3, %9, %12, %3;\n\t"
        "madc.lo.cc.u32 %4, %10, %12, %4;\n\t"
        "madc.hi.cc.u32 %5, %10, %12, %5;\n\t"
        "madc.lo.cc.u32 %6, %11, %12, %6;\n\t"
        "madc.hi.u32 %7, %11, %12, %7;"
        : ROW8(row)
        : FACTORS4(x), "r"(b));
}

DEVICE void multiply_add_row(uint32_t* row, const uint32_t* x, uint32_t b, uint32_t& top) {
    asm("mad.lo.cc.u32 %0, %9, %13, %0;\n\t"
        "madc.hi.cc.u32 %1, %9, %13, %1;\n\t"
        "madc.lo.cc.u32 %2, %10, %13, %2;\n\t"
        "madc.hi.cc.u32 %3, %10, %13, %3;\n\t"
        "madc.lo.cc.u32 %4, %11, %13, %4;\n\t"
        "madc.hi.cc.u32 %5, %11, %13, %5;\n\t"
        "madc.lo.cc.u32 %6, %12, %13, %6;\n\t"
        "madc.hi.cc.u32 %7, %12, %13, %7;\n\t"
        "addc.u32 %8, %8, 0;"
        : ROW8(row), "+r"(top)
        : FACTORS4(x), "r"(b));
}

DEVICE void multiply_add_shifted(uint32_t& first, uint32_t* row, const uint32_t* x, uint32_t b) {
    asm("add.cc.u32 %8, %8, %1;\n\t"
        "madc.lo.cc.u32 %0, %9, %13, %2;\n\t"
        "madc.hi.cc.u32 %1, %9, %13, %3;\n\t"
        "madc.lo.cc.u32 %2, %10, %13, %4;\n\t"
        "madc.hi.cc.u32 %3, %10, %13, %5;\n\t"
        "madc.lo.cc.u32 %4, %11, %13, %6;\n\t"
        "madc.hi.cc.u32 %5, %11, %13, %7;\n\t"
        "madc.lo.cc.u32 %6, %12, %13, 0;\n\t"
        "madc.hi.u32 %7, %12, %13, 0;"
        : ROW8(row), "+r"(first)
        : FACTORS4(x), "r"(b));
}

DEVICE uint32_t reduce_shifted(uint32_t& first, uint32_t* row, const uint32_t* x, uint32_t inverse) {
    uint32_t b;
    asm("add.cc.u32 %8, %8, %1;\n\t"
        "mul.lo.u32 %9, %8, %14;\n\t"
        "madc.lo.cc.u32 %0, %10, %9, %2;\n\t"
        "madc.hi.cc.u32 %1, %10, %9, %3;\n\t"
        "madc.lo.cc.u32 %2, %11, %9, %4;\n\t"
        "madc.hi.cc.u32 %3, %11, %9, %5;\n\t"
        "madc.lo.cc.u32 %4, %12, %9, %6;\n\t"
        "madc.hi.cc.u32 %5, %12, %9, %7;\n\t"
        "madc.lo.cc.u32 %6, %13, %9, 0;\n\t"
        "madc.hi.u32 %7, %13, %9, 0;"
        : ROW8(row), "+r"(first), "=&r"(b)
        : FACTORS4(x), "r"(inverse));
    return b;
}

DEVICE void multiply_add_three(uint32_t* row, const uint32_t* x, uint32_t b) {
    asm("mad.lo.cc.u32 %0, %7, %10, %0;\n\t"
        "madc.hi.cc.u32 %1, %7, %10, %1;\n\t"
        "madc.lo.cc.u32 %2, %8, %10, %2;\n\t"
        "madc.hi.cc.u32 %3, %8, %10, %3;\n\t"
        "madc.lo.cc.u32 %4, %9, %10, %4;\n\t"
        "madc.hi.cc.u32 %5, %9, %10, %5;\n\t"
        "addc.u32 %6, 0, 0;"
        : "+r"(row[0]), "+r"(row[1]), "+r"(row[2]), "+r"(row[3]), "+r"(row[4]), "+r"(row[5]), "=r"(row[6])
        : "r"(x[0]), "r"(x[2]), "r"(x[4]), "r"(b));
}

DEVICE void multiply_add_two(uint32_t* row, const uint32_t* x, uint32_t b) {
    asm("mad.lo.cc.u32 %0, %5, %7, %0;\n\t"
        "madc.hi.cc.u32 %1, %5, %7, %1;\n\t"
        "madc.lo.cc.u32 %2, %6, %7, %2;\n\t"
        "madc.hi.cc.u32 %3, %6, %7, %3;\n\t"
        "addc.u32 %4, 0, 0;"
        : "+r"(row[0]), "+r"(row[1]), "+r"(row[2]), "+r"(row[3]), "=r"(row[4])
        : "r"(x[0]), "r"(x[2]), "r"(b));
}

DEVICE void multiply_add_one(uint32_t* row, const uint32_t* x, uint32_t b) {
    asm("mad.lo.cc.u32 %0, %3, %4, %0;\n\t"
        "madc.hi.cc.u32 %1, %3, %4, %1;\n\t"
        "addc.u32 %2, 0, 0;"
        : "+r"(row[0]), "+r"(row[1]), "=r"(row[2])
        : "r"(x[0]), "r"(b));
}

DEVICE void add_words(uint32_t* sum, const uint32_t* a, const uint32_t* b) {
    asm("add.cc.u32 %0, %8, %16;\n\t"
        "addc.cc.u32 %1, %9, %17;\n\t"
        "addc.cc.u32 %2, %10, %18;\n\t"
        "addc.cc.u32 %3, %11, %19;\n\t"
        "addc.cc.u32 %4, %12, %20;\n\t"
        "addc.cc.u32 %5, %13, %21;\n\t"
        "addc.cc.u32 %6, %14, %22;\n\t"
        "addc.u32 %7, %15, %23;"
        : "=&r"(sum[0]), "=&r"(sum[1]), "=&r"(sum[2]), "=&r"(sum[3]), "=&r"(sum[4]), "=&r"(sum[5]), "=&r"(sum[6]),
          "=&r"(sum[7])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(a[4]), "r"(a[5]), "r"(a[6]), "r"(a[7]), "r"(b[0]), "r"(b[1]),
          "r"(b[2]), "r"(b[3]), "r"(b[4]), "r"(b[5]), "r"(b[6]), "r"(b[7]));
}

DEVICE void add_thirteen(uint32_t* row, const uint32_t* other) {
    asm("add.cc.u32 %0, %0, %14;\n\t"
        "addc.cc.u32 %1, %1, %15;\n\t"
        "addc.cc.u32 %2, %2, %16;\n\t"
        "addc.cc.u32 %3, %3, %17;\n\t"
        "addc.cc.u32 %4, %4, %18;\n\t"
        "addc.cc.u32 %5, %5, %19;\n\t"
        "addc.cc.u32 %6, %6, %20;\n\t"
        "addc.cc.u32 %7, %7, %21;\n\t"
        "addc.cc.u32 %8, %8, %22;\n\t"
        "addc.cc.u32 %9, %9, %23;\n\t"
        "addc.cc.u32 %10, %10, %24;\n\t"
        "addc.cc.u32 %11, %11, %25;\n\t"
        "addc.cc.u32 %12, %12, %26;\n\t"
        "addc.u32 %13, 0, 0;"
        : ROW8(row), "+r"(row[8]), "+r"(row[9]), "+r"(row[10]), "+r"(row[11]), "+r"(row[12]), "=&r"(row[13])
        : "r"(other[0]), "r"(other[1]), "r"(other[2]), "r"(other[3]), "r"(other[4]), "r"(other[5]), "r"(other[6]),
          "r"(other[7]), "r"(other[8]), "r"(other[9]), "r"(other[10]), "r"(other[11]), "r"(other[12]));
}

DEVICE uint32_t sub_words(uint32_t* difference, const uint32_t* a, const uint32_t* b) {
    uint32_t borrow;
    asm("sub.cc.u32 %0, %9, %17;\n\t"
        "subc.cc.u32 %1, %10, %18;\n\t"
        "subc.cc.u32 %2, %11, %19;\n\t"
        "subc.cc.u32 %3, %12, %20;\n\t"
        "subc.cc.u32 %4, %13, %21;\n\t"
        "subc.cc.u32 %5, %14, %22;\n\t"
        "subc.cc.u32 %6, %15, %23;\n\t"
        "subc.cc.u32 %7, %16, %24;\n\t"
        "subc.u32 %8, 0, 0;"
        : "=&r"(difference[0]), "=&r"(difference[1]), "=&r"(difference[2]), "=&r"(difference[3]), "=&r"(difference[4]),
          "=&r"(difference[5]), "=&r"(difference[6]), "=&r"(difference[7]), "=&r"(borrow)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(a[4]), "r"(a[5]), "r"(a[6]), "r"(a[7]), "r"(b[0]), "r"(b[1]),
          "r"(b[2]), "r"(b[3]), "r"(b[4]), "r"(b[5]), "r"(b[6]), "r"(b[7]));
    return borrow;
}

DEVICE void add_squares(uint32_t* words, const uint32_t* a) {
    asm("mad.lo.cc.u32 %0, %16, %16, %0;\n\t"
        "madc.hi.cc.u32 %1, %16, %16, %1;\n\t"
        "madc.lo.cc.u32 %2, %17, %17, %2;\n\t"
        "madc.hi.cc.u32 %3, %17, %17, %3;\n\t"
        "madc.lo.cc.u32 %4, %18, %18, %4;\n\t"
        "madc.hi.cc.u32 %5, %18, %18, %5;\n\t"
        "madc.lo.cc.u32 %6, %19, %19, %6;\n\t"
        "madc.hi.cc.u32 %7, %19, %19, %7;\n\t"
        "madc.lo.cc.u32 %8, %20, %20, %8;\n\t"
        "madc.hi.cc.u32 %9, %20, %20, %9;\n\t"
        "madc.lo.cc.u32 %10, %21, %21, %10;\n\t"
        "madc.hi.cc.u32 %11, %21, %21, %11;\n\t"
        "madc.lo.cc.u32 %12, %22, %22, %12;\n\t"
        "madc.hi.cc.u32 %13, %22, %22, %13;\n\t"
        "madc.lo.cc.u32 %14, %23, %23, %14;\n\t"
        "madc.hi.u32 %15, %23, %23, %15;"
        : ROW8(words), "+r"(words[8]), "+r"(words[9]), "+r"(words[10]), "+r"(words[11]), "+r"(words[12]),
          "+r"(words[13]), "+r"(words[14]), "+r"(words[15])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(a[4]), "r"(a[5]), "r"(a[6]), "r"(a[7]));
}

#undef ROW8
#undef FACTORS4

#endif
