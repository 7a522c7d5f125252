// Finds races, in a build of its own (ci/standin.sh --races): kernels are compiled with the calls that g++ inserts for
// ThreadSanitizer, which this file answers instead. For every word of device and shared memory it keeps who wrote and
// who read it last, and at each access asks whether something orders the two: a barrier of the block, a __syncwarp of
// the warp, or, between blocks, an atomic after a __threadfence on one side and an atomic on the other.
//
// Two accesses by atomics (or volatile ones) do not race, nor do two writes of the same value. What orders accesses
// through a third thread is not followed, except by barriers.
#include "engine.h"

#if STANDIN_RACES

#include <dlfcn.h>
#include <stdio.h>
#include <sys/mman.h>

#include <map>

namespace standin {
namespace {

/// One access to a word.
struct Record {
    uint32_t launch;
    /// 1024 * block + thread.
    uint32_t who;
    /// Barriers of the block, and __syncwarps of the warp, before it.
    uint16_t barriers, syncs;
    /// Fences and atomics of the launch before it.
    uint32_t time;
    /// Where in the library.
    uint32_t code;
    /// Which bytes of the word.
    uint8_t mask;
    bool atomic;
};

struct Cell {
    Record write, read;
    /// The last read by another thread than `read`'s.
    Record other;
};

struct Shadow {
    uintptr_t first_page;
    size_t bytes;
    Cell* cells;
};

/// What a block did that orders it with others.
struct BlockState {
    uint32_t fence, covers, published, acquired;
};

/// The cells of a page; null if accesses to it cannot race.
struct CachedPage {
    uintptr_t page;
    Cell* cells;
    bool shared;
};

/// A write over another thread's, which is no race if it wrote the same.
struct Doubt {
    uintptr_t word;
    uint32_t value;
    uint8_t mask;
    Record now, before;
};

constexpr size_t PAGE = 4096;
CachedPage cache[1024];
std::map<uint64_t, Shadow> shadows;
Shadow shared_shadow = {};
uint32_t launch_number = 0;
uint32_t now_time = 0;
uint32_t the_block = 0;
uint16_t barriers = 0;
uint16_t syncs[32];
uint16_t last_full_sync[32];
uint16_t last_sync[32][32][32];
std::vector<BlockState> blocks;
std::vector<Doubt> doubts;

Cell* make_cells(size_t bytes) {
    void* p = mmap(nullptr, bytes / 4 * sizeof(Cell), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) fail("no memory to look for races");
    return static_cast<Cell*>(p);
}

/// Finds the cells of a page.
__attribute__((noinline)) void look_up(CachedPage& entry, uintptr_t page) {
    entry = {page, nullptr, false};
    uint64_t base, bytes;
    uintptr_t arena;
    size_t arena_bytes;
    shared_arena(&arena, &arena_bytes);
    if (page * PAGE >= arena && page * PAGE < arena + arena_bytes) {
        if (shared_shadow.cells == nullptr) shared_shadow = {arena / PAGE, arena_bytes, make_cells(arena_bytes)};
        entry.cells = shared_shadow.cells + (page - shared_shadow.first_page) * (PAGE / 4);
        entry.shared = true;
    } else if (find_allocation(page * PAGE, &base, &bytes) ||
               find_allocation(page * PAGE + PAGE - 256, &base, &bytes)) {
        Shadow& s = shadows[base];
        if (s.cells == nullptr) {
            uintptr_t first = base / PAGE, end = (base + bytes + PAGE - 1) / PAGE;
            s = {first, (end - first) * PAGE, make_cells((end - first) * PAGE)};
        }
        entry.cells = s.cells + (page - s.first_page) * (PAGE / 4);
    }
}

bool is_ordered(const Record& before, const Record& now, bool shared) {
    if (before.launch != now.launch || before.who == now.who) return true;
    uint32_t a = before.who & 1023, b = now.who & 1023;
    if (before.who >> 10 == now.who >> 10) {
        if (before.barriers != now.barriers) return true;
        if (a / 32 != b / 32) return false;
        return last_full_sync[a / 32] > before.syncs || last_sync[a / 32][a & 31][b & 31] > before.syncs;
    }
    if (shared) return true;  // another block's shared memory was here
    const BlockState& from = blocks[before.who >> 10];
    const BlockState& to = blocks[now.who >> 10];
    return from.covers > before.time && from.published < to.acquired;
}

/// Ends the process with the two accesses and, if addr2line is at hand, their lines.
[[noreturn]] void report(uintptr_t word, const char* now_does, const char* before_did, const Record& now,
                         const Record& before) {
    Dl_info info = {};
    dladdr((const void*)report, &info);
    char where[256], lines[512] = "", command[512];
    describe_address(word, where, sizeof where);
    uintptr_t arena;
    size_t arena_bytes;
    shared_arena(&arena, &arena_bytes);
    if (word >= arena && word < arena + arena_bytes) snprintf(where, sizeof where, "shared memory");
    snprintf(command, sizeof command, "addr2line -s -e '%s' 0x%x 0x%x 2>&1 | sed 's/ (discriminator.*//'",
             info.dli_fname, now.code - 1, before.code - 1);
    if (FILE* pipe = popen(command, "r")) {
        size_t n = fread(lines, 1, sizeof lines - 1, pipe);
        lines[n] = 0;
        pclose(pipe);
    }
    char* second = strchr(lines, '\n');
    if (second != nullptr) *second++ = 0;
    if (second != nullptr && strchr(second, '\n') != nullptr) *strchr(second, '\n') = 0;
    fail("race: it %s what thread %u of block %u %s, and nothing orders the two: %s (%s, and before %s)", now_does,
         before.who & 1023, before.who >> 10, before_did, where, lines, second == nullptr ? "?" : second);
}

/// Writes that were held in doubt have happened: those that changed the value are races.
void settle_doubts() {
    for (const Doubt& d : doubts) {
        uint32_t value, bytes = 0;
        memcpy(&value, (const void*)d.word, 4);
        for (uint32_t i = 0; i < 4; i++) bytes |= d.mask >> i & 1 ? 0xffu << 8 * i : 0;
        if ((value ^ d.value) & bytes) report(d.word, "writes over", "wrote", d.now, d.before);
    }
    doubts.clear();
}

void access(uintptr_t address, size_t bytes, bool write, bool atomic, const void* code) {
    if (running() == nullptr) return;
    if (!doubts.empty()) settle_doubts();
    static const uintptr_t base = [] {
        Dl_info info = {};
        dladdr((const void*)report, &info);
        return uintptr_t(info.dli_fbase);
    }();
    uint32_t thread = here.linear, w = thread / 32;
    Record me = {launch_number, the_block << 10 | thread,         barriers, syncs[w],
                 now_time,      uint32_t(uintptr_t(code) - base), 0,        atomic};
    for (uintptr_t word = address & ~uintptr_t(3); word < address + bytes; word += 4) {
        CachedPage& entry = cache[word / PAGE & 1023];
        if (entry.page != word / PAGE) look_up(entry, word / PAGE);
        if (entry.cells == nullptr) return;
        Cell& c = entry.cells[word % PAGE / 4];
        uintptr_t from = max(word, address) - word, to = min(word + 4, address + bytes) - word;
        me.mask = uint8_t((1u << to) - (1u << from));
        auto races = [&](const Record& r) {
            return (r.mask & me.mask) && !(r.atomic && atomic) && !is_ordered(r, me, entry.shared);
        };
        if (races(c.write)) {
            if (write && !atomic && !c.write.atomic) {
                uint32_t value;
                memcpy(&value, (const void*)word, 4);
                doubts.push_back({word, value, uint8_t(me.mask & c.write.mask), me, c.write});
            } else {
                report(word, write ? "writes over" : "reads", "wrote", me, c.write);
            }
        }
        if (!write) {
            if (c.read.launch == launch_number && c.read.who != me.who) c.other = c.read;
            c.read = me;
            continue;
        }
        if (races(c.read)) report(word, "writes over", "read", me, c.read);
        if (races(c.other)) report(word, "writes over", "read", me, c.other);
        c.write = me;
    }
}

/// Orders this block with others, and returns the access's time.
void synchronises() {
    if (running() == nullptr) return;
    now_time++;
    BlockState& b = blocks[the_block];
    if (b.fence != 0) b.covers = b.fence, b.published = now_time;
    b.acquired = now_time;
}

void device_fence(int order) {
    if (running() == nullptr || order != __ATOMIC_SEQ_CST) return;
    blocks[the_block].fence = ++now_time;
}

}  // namespace

void races_launch(uint64_t num_blocks) {
    launch_number++;
    now_time = 0;
    // Blocks beyond 2^22 share numbers: their races may go unseen.
    blocks.assign(min(num_blocks, uint64_t(1) << 22), {});
    memset(cache, 0, sizeof cache);
}

void races_block(uint32_t block) {
    the_block = block & ((1u << 22) - 1);
    barriers = 0;
    memset(syncs, 0, sizeof syncs);
    memset(last_full_sync, 0, sizeof last_full_sync);
    memset(last_sync, 0, sizeof last_sync);
}

void races_suspend() { settle_doubts(); }

void races_barrier() { barriers++; }

void races_syncwarp(uint32_t warp, uint32_t mask) {
    syncs[warp]++;
    if (mask == 0xffffffffu) {
        last_full_sync[warp] = syncs[warp];
        return;
    }
    for (uint32_t a = 0; a < 32; a++)
        for (uint32_t b = 0; b < 32; b++)
            if (mask >> a & mask >> b & 1) last_sync[warp][a][b] = syncs[warp];
}

void races_forget(uint64_t base) {
    auto i = shadows.find(base);
    if (i == shadows.end()) return;
    munmap(i->second.cells, i->second.bytes / 4 * sizeof(Cell));
    shadows.erase(i);
}

}  // namespace standin

// What g++ calls for ThreadSanitizer.
#define CODE __builtin_return_address(0)
extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_read_range(void* p, size_t n) { standin::access(uintptr_t(p), n, false, false, CODE); }
void __tsan_write_range(void* p, size_t n) { standin::access(uintptr_t(p), n, true, false, CODE); }
void __tsan_atomic_thread_fence(int order) { standin::device_fence(order); }
void __tsan_atomic_signal_fence(int) {}

#define ACCESSES(N)                                                                                  \
    void __tsan_read##N(void* p) { standin::access(uintptr_t(p), N, false, false, CODE); }           \
    void __tsan_write##N(void* p) { standin::access(uintptr_t(p), N, true, false, CODE); }           \
    void __tsan_unaligned_read##N(void* p) { standin::access(uintptr_t(p), N, false, false, CODE); } \
    void __tsan_unaligned_write##N(void* p) { standin::access(uintptr_t(p), N, true, false, CODE); } \
    void __tsan_volatile_read##N(void* p) {                                                          \
        standin::synchronises();                                                                     \
        standin::access(uintptr_t(p), N, false, true, CODE);                                         \
    }                                                                                                \
    void __tsan_volatile_write##N(void* p) {                                                         \
        standin::synchronises();                                                                     \
        standin::access(uintptr_t(p), N, true, true, CODE);                                          \
    }                                                                                                \
    void __tsan_unaligned_volatile_read##N(void* p) { __tsan_volatile_read##N(p); }                  \
    void __tsan_unaligned_volatile_write##N(void* p) { __tsan_volatile_write##N(p); }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

#define READ_MODIFY_WRITE(BITS, name, builtin)                                                       \
    uint##BITS##_t __tsan_atomic##BITS##_##name(volatile uint##BITS##_t* p, uint##BITS##_t v, int) { \
        standin::synchronises();                                                                     \
        standin::access(uintptr_t(p), BITS / 8, true, true, CODE);                                   \
        return builtin(p, v, __ATOMIC_SEQ_CST);                                                      \
    }
#define ATOMICS(BITS)                                                                                   \
    READ_MODIFY_WRITE(BITS, exchange, __atomic_exchange_n)                                              \
    READ_MODIFY_WRITE(BITS, fetch_add, __atomic_fetch_add)                                              \
    READ_MODIFY_WRITE(BITS, fetch_sub, __atomic_fetch_sub)                                              \
    READ_MODIFY_WRITE(BITS, fetch_and, __atomic_fetch_and)                                              \
    READ_MODIFY_WRITE(BITS, fetch_or, __atomic_fetch_or)                                                \
    READ_MODIFY_WRITE(BITS, fetch_xor, __atomic_fetch_xor)                                              \
    READ_MODIFY_WRITE(BITS, fetch_nand, __atomic_fetch_nand)                                            \
    uint##BITS##_t __tsan_atomic##BITS##_load(const volatile uint##BITS##_t* p, int) {                  \
        standin::synchronises();                                                                        \
        standin::access(uintptr_t(p), BITS / 8, false, true, CODE);                                     \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                    \
    }                                                                                                   \
    void __tsan_atomic##BITS##_store(volatile uint##BITS##_t* p, uint##BITS##_t v, int) {               \
        standin::synchronises();                                                                        \
        standin::access(uintptr_t(p), BITS / 8, true, true, CODE);                                      \
        __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                       \
    }                                                                                                   \
    int __tsan_atomic##BITS##_compare_exchange_strong(volatile uint##BITS##_t* p, uint##BITS##_t* seen, \
                                                      uint##BITS##_t v, int, int) {                     \
        standin::synchronises();                                                                        \
        standin::access(uintptr_t(p), BITS / 8, true, true, CODE);                                      \
        return __atomic_compare_exchange_n(p, seen, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);      \
    }                                                                                                   \
    int __tsan_atomic##BITS##_compare_exchange_weak(volatile uint##BITS##_t* p, uint##BITS##_t* seen,   \
                                                    uint##BITS##_t v, int a, int b) {                   \
        return __tsan_atomic##BITS##_compare_exchange_strong(p, seen, v, a, b);                         \
    }
ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)
}

#endif
