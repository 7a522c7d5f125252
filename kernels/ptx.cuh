// The machine instructions that CUDA C++ has no good words for, each with what the CPU stand-in computes instead.
#pragma once

#include "common.cuh"

/// Lanes of the warp whose bits `bit` are as this lane's. All 32 lanes call it.
///
/// Written in C++, it becomes two predicates a bit in place of one.
DEVICE uint32_t lanes_alike(uint32_t word, uint32_t bit) {
#ifdef REWIT_STANDIN
    uint32_t votes = __ballot_sync(0xffffffffu, word & bit);
    return word & bit ? votes : ~votes;
#else
    uint32_t lanes;
    asm volatile(
        "{\n\t"
        ".reg .pred is_set;\n\t"
        "and.b32 %0, %1, %2;\n\t"
        "setp.ne.u32 is_set, %0, 0;\n\t"
        "vote.sync.ballot.b32 %0, is_set, 0xffffffff;\n\t"
        "@!is_set not.b32 %0, %0;\n\t"
        "}"
        : "=r"(lanes)
        : "r"(word), "r"(bit));
    return lanes;
#endif
}

/// a * b + c, one instruction.
DEVICE uint64_t multiply_add_wide(uint32_t a, uint32_t b, uint64_t c) {
#ifdef REWIT_STANDIN
    return uint64_t(a) * b + c;
#else
    uint32_t low, high;
    asm("mad.lo.cc.u32 %0, %2, %3, %4;\n\t"
        "madc.hi.u32 %1, %2, %3, %5;"
        : "=&r"(low), "=r"(high)
        : "r"(a), "r"(b), "r"(uint32_t(c)), "r"(uint32_t(c >> 32)));
    return uint64_t(high) << 32 | low;
#endif
}
