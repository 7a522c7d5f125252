// BLAKE3 in registers: one thread hashes one message. Words of messages are read as little-endian, as the GPU holds
// them.
//
// The specification is section 2 of the BLAKE3 paper (github.com/BLAKE3-team/BLAKE3-specs); the default hash only, of
// at most 2^32 chunks. The message schedule is a renaming of registers: every index is known when compiling, so nothing
// is kept in local memory.
#pragma once

#include "common.cuh"

constexpr uint32_t CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8;
/// Words of a block, blocks of a chunk, words of a chunk.
constexpr uint32_t BLOCK_WORDS = 16, CHUNK_BLOCKS = 16, CHUNK_WORDS = BLOCK_WORDS * CHUNK_BLOCKS;

constexpr uint32_t IV0 = 0x6a09e667u, IV1 = 0xbb67ae85u, IV2 = 0x3c6ef372u, IV3 = 0xa54ff53au;
constexpr uint32_t IV4 = 0x510e527fu, IV5 = 0x9b05688cu, IV6 = 0x1f83d9abu, IV7 = 0x5be0cd19u;

// Which pipe executes what. Of the 680 operations of a compression the integer pipe takes about 570 as compiled, while
// the multiply-add pipe beside it, as wide, takes 110. Two ways to move some, the digests being the same:

/// 1, 2^20 and 2^25. Kernel parameters: were they known when compiling, multiplications by them would become shifts.
struct Factors {
    uint32_t one, two_20, two_25;
};

/// As compiled: sums of three are one instruction of the integer pipe, rotations byte permutations and funnel shifts.
struct Plain {
    DEVICE Plain(Factors) {}
    DEVICE uint32_t sum(uint32_t a, uint32_t b, uint32_t c) const { return a + b + c; }
    DEVICE uint32_t rotate_16(uint32_t x) const { return __byte_perm(x, x, 0x1032); }
    DEVICE uint32_t rotate_12(uint32_t x) const { return __funnelshift_r(x, x, 12); }
    DEVICE uint32_t rotate_8(uint32_t x) const { return __byte_perm(x, x, 0x0321); }
    DEVICE uint32_t rotate_7(uint32_t x) const { return __funnelshift_r(x, x, 7); }
};

/// Sums of three as multiply-adds by one (the compiler makes one of them a sum of two, which it gives to the emptier
/// pipe): 112 operations less on one pipe, 224 more on the other.
struct MultiplyAdd : Plain {
    uint32_t one;
    DEVICE MultiplyAdd(Factors factors) : Plain(factors), one(factors.one) {}
    DEVICE uint32_t sum(uint32_t a, uint32_t b, uint32_t c) const { return b * one + (a * one + c); }
};

/// Rotations by 12 and 7 as multiplications by 2^20 and 2^25: 112 operations less on one pipe, and on the other 224
/// more, half of which take twice as long.
struct MultiplyRotate : Plain {
    uint32_t two_20, two_25;
    DEVICE MultiplyRotate(Factors factors) : Plain(factors), two_20(factors.two_20), two_25(factors.two_25) {}
    DEVICE uint32_t rotate_12(uint32_t x) const { return x * two_20 + __umulhi(x, two_20); }
    DEVICE uint32_t rotate_7(uint32_t x) const { return x * two_25 + __umulhi(x, two_25); }
};

/// The quarter-round, on one column or diagonal of the state and two message words.
template <class Pipes>
DEVICE void blake3_mix(uint32_t& a, uint32_t& b, uint32_t& c, uint32_t& d, uint32_t x, uint32_t y, Pipes pipes) {
    a = pipes.sum(a, b, x);
    d = pipes.rotate_16(d ^ a);
    c = c + d;
    b = pipes.rotate_12(b ^ c);
    a = pipes.sum(a, b, y);
    d = pipes.rotate_8(d ^ a);
    c = c + d;
    b = pipes.rotate_7(b ^ c);
}

/// One of the seven rounds; `m` in the order of this round.
template <class Pipes>
DEVICE void blake3_round(uint32_t (&v)[16], const uint32_t (&m)[16], Pipes pipes) {
    blake3_mix(v[0], v[4], v[8], v[12], m[0], m[1], pipes);
    blake3_mix(v[1], v[5], v[9], v[13], m[2], m[3], pipes);
    blake3_mix(v[2], v[6], v[10], v[14], m[4], m[5], pipes);
    blake3_mix(v[3], v[7], v[11], v[15], m[6], m[7], pipes);
    blake3_mix(v[0], v[5], v[10], v[15], m[8], m[9], pipes);
    blake3_mix(v[1], v[6], v[11], v[12], m[10], m[11], pipes);
    blake3_mix(v[2], v[7], v[8], v[13], m[12], m[13], pipes);
    blake3_mix(v[3], v[4], v[9], v[14], m[14], m[15], pipes);
}

/// The order of the message words in the next round.
DEVICE void blake3_permute(uint32_t (&m)[16]) {
    uint32_t next[16] = {m[2], m[6],  m[3],  m[10], m[7], m[0],  m[4],  m[13],
                         m[1], m[11], m[12], m[5],  m[9], m[14], m[15], m[8]};
#pragma unroll
    for (int i = 0; i < 16; i++) m[i] = next[i];
}

/// Compresses a block of `length` bytes into the chaining value `cv`; of the output only the first 8 words are made.
template <class Pipes>
DEVICE void blake3_compress(uint32_t (&cv)[8], const uint32_t (&block)[16], uint32_t counter, uint32_t length,
                            uint32_t flags, Pipes pipes) {
    uint32_t v[16] = {cv[0], cv[1], cv[2], cv[3], cv[4],   cv[5], cv[6],  cv[7],
                      IV0,   IV1,   IV2,   IV3,   counter, 0,     length, flags};
    uint32_t m[16];
#pragma unroll
    for (int i = 0; i < 16; i++) m[i] = block[i];
#pragma unroll
    for (int round = 0; round < 7; round++) {
        blake3_round(v, m, pipes);
        if (round < 6) blake3_permute(m);
    }
#pragma unroll
    for (int i = 0; i < 8; i++) cv[i] = v[i] ^ v[i + 8];
}

/// The chaining value that chunks, parents and one-block messages start from.
DEVICE void blake3_start(uint32_t (&cv)[8]) {
    cv[0] = IV0;
    cv[1] = IV1;
    cv[2] = IV2;
    cv[3] = IV3;
    cv[4] = IV4;
    cv[5] = IV5;
    cv[6] = IV6;
    cv[7] = IV7;
}

/// The hash of the 64 bytes of two digests: a node of a Merkle tree.
template <class Pipes>
DEVICE void blake3_node(uint32_t (&digest)[8], const uint32_t (&children)[16], Pipes pipes) {
    blake3_start(digest);
    blake3_compress(digest, children, 0, 64, CHUNK_START | CHUNK_END | ROOT, pipes);
}
