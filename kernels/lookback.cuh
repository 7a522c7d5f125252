// Publishing for decoupled look-back: a tile first publishes what it holds itself, then what everything up to its end
// holds; the tiles after it add up words of the first kind until they meet one of the second.
//
// # Source
// Merrill and Garland, "Single-pass Parallel Prefix Scan with Decoupled Look-back", 2016.
#pragma once

#include "common.cuh"

/// Publishes what tile holds itself, where there was 0.
template <class Word>
DEVICE void publish_tile(volatile Word* at, Word word) {
#ifdef REWIT_STANDIN
    if (*at != 0) standin::fail("a tile publishes over the word %#llx", (unsigned long long)*at);
#endif
    *at = word;
}

/// Publishes what everything up to the end of `tile` holds.
///
/// The stand-in mostly runs blocks one after another, so that each would look back no further than one tile. There only
/// every 41st tile publishes this word, which is as if the others were slow.
template <class Word>
DEVICE void publish_reach(volatile Word* at, Word word, uint32_t tile) {
#ifdef REWIT_STANDIN
    if (tile % 41 != 0) return;
#endif
    *at = word;
}
