// Grinding: the search for a proof-of-work witness of a BLAKE3 transcript.
#include "blake3.cuh"
#include "field.cuh"

constexpr uint32_t GRIND_THREADS = 128;

/// A digest by value.
struct GrindDigest {
    uint32_t words[8];
};

/// Looks for the smallest witness among `count` candidates from `first` on.
///
/// Candidate w passes if BLAKE3(digest || w in Montgomery form) ends in the zero bits that `mask` has as ones: of the
/// word that Plonky3's byte transcript samples next, which takes bytes from the end.
///
/// - `smallest`: one word, lowered to the smallest witness found; above all candidates at first.
/// - launch: one thread a candidate, up to 128 a block; no shared memory.
///
/// Tested against: SerializingChallenger32 of Plonky3, every smaller candidate refused.
KERNEL(GRIND_THREADS)
grind_search(GrindDigest digest, uint32_t mask, uint32_t first, uint32_t count, uint32_t* smallest) {
    uint32_t i = thread_index();
    uint32_t candidate = first + i;
    // Blocks start roughly in order: those after a find have nothing to do.
    if (i >= count || __ldcg(smallest) < candidate) return;
    uint32_t message[16] = {digest.words[0], digest.words[1], digest.words[2], digest.words[3], digest.words[4],
                            digest.words[5], digest.words[6], digest.words[7], to_monty(candidate)};
    uint32_t cv[8];
    blake3_start(cv);
    blake3_compress(cv, message, 0, 36, CHUNK_START | CHUNK_END | ROOT, Plain(Factors{}));
    uint32_t sample = __byte_perm(cv[7], 0, 0x0123);
    if ((sample & mask) == 0) atomicMin(smallest, candidate);
}
EXPORT(grind_search, GRIND_THREADS)
