// Device and pinned host memory. Every allocation is a mapping of its own: its end lies at a guard page (but for
// rounding up to 256 bytes), the bytes around it are canaries, it is filled with poison, and after it is freed its
// pages fault.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <deque>
#include <map>
#include <set>

#include "engine.h"

namespace standin {
namespace {

constexpr size_t PAGE = 4096;
constexpr uint64_t ALIGN = 256;
constexpr unsigned char POISON = 0xa5;
constexpr unsigned char CANARY = 0xc3;
/// Freed mappings that are kept so that accesses to them are recognised.
constexpr size_t QUARANTINE = 8192;

struct Allocation {
    uint64_t bytes;
    unsigned char* map;
    size_t map_bytes;
    uint64_t number;
    bool released;
};

using Table = std::map<uint64_t, Allocation>;
/// By address: what may be used, and what was freed.
Table allocations, freed;
/// Pinned host memory.
std::set<void*> pinned;
/// Addresses in `freed`, oldest first.
std::deque<uint64_t> quarantine;
uint64_t num_allocations = 0;
uint64_t used = 0;
uint64_t used_high = 0;
uint64_t mapped = 0;

uint64_t round_up(uint64_t x, uint64_t to) { return (x + to - 1) / to * to; }

/// The allocation of `table` whose mapping (guard pages included) holds `address`, or null.
const Table::value_type* holder(const Table& table, uint64_t address) {
    // The last allocation that starts at or below: or the next, if the address is in its front guard.
    auto i = table.upper_bound(address);
    for (int side = 0; side < 2; side++) {
        if (i != table.end()) {
            uint64_t map = uint64_t(i->second.map);
            if (address >= map && address - map < i->second.map_bytes) return &*i;
        }
        if (i == table.begin()) return nullptr;
        --i;
    }
    return nullptr;
}

void check_one(uint64_t base, const Allocation& a, const char* after) {
    if (STANDIN_ASAN) return;  // the access itself was reported
    auto check = [&](const unsigned char* from, const unsigned char* to) {
        for (const unsigned char* p = from; p < to; p++) {
            if (*p == CANARY) continue;
            char text[256];
            describe_address(uint64_t(p), text, sizeof text);
            fail("out-of-bounds write found after %s: %s", after, text);
        }
    };
    check(a.map + PAGE, (const unsigned char*)base);
    check((const unsigned char*)(base + a.bytes), a.map + a.map_bytes - PAGE);
}

}  // namespace

Result allocate(uint64_t* address, uint64_t bytes) {
    if (address == nullptr || bytes == 0) return INVALID_VALUE;
    num_allocations++;
    if (settings.fail_allocation != 0 && num_allocations == settings.fail_allocation) return OUT_OF_MEMORY;
    uint64_t rounded = round_up(bytes, ALIGN);
    if (rounded < bytes || rounded > settings.memory || used > settings.memory - rounded) return OUT_OF_MEMORY;
    size_t data = round_up(rounded, PAGE);
    size_t map_bytes = data + 2 * PAGE;
    void* map = mmap(nullptr, map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return OUT_OF_MEMORY;
    auto m = static_cast<unsigned char*>(map);
    mprotect(m, PAGE, PROT_NONE);
    mprotect(m + map_bytes - PAGE, PAGE, PROT_NONE);
    uint64_t base = uint64_t(m + map_bytes - PAGE) - rounded;
    memset(m + PAGE, CANARY, size_t(base - uint64_t(m + PAGE)));
    memset((void*)base, POISON, bytes);
    memset((void*)(base + bytes), CANARY, rounded - bytes);
    forbid(m + PAGE, size_t(base - uint64_t(m + PAGE)));
    forbid((void*)(base + bytes), rounded - bytes);
    mapped += rounded;
    allocations[base] = {bytes, m, map_bytes, num_allocations, false};
    used += rounded;
    used_high = max(used_high, used);
    *address = base;
    return SUCCESS;
}

Result release(uint64_t address) {
    auto i = allocations.find(address);
    if (i == allocations.end() || i->second.released) return INVALID_VALUE;
    i->second.released = true;
    used -= round_up(i->second.bytes, ALIGN);
    return SUCCESS;
}

void retire(uint64_t address) {
    auto i = allocations.find(address);
    if (i == allocations.end()) return;
    Allocation a = i->second;
    check_one(address, a, "the last kernel before this allocation was freed");
    allocations.erase(i);
    freed[address] = a;
    races_forget(address);
    mapped -= round_up(a.bytes, ALIGN);
    mprotect(a.map, a.map_bytes, PROT_NONE);
    madvise(a.map, a.map_bytes, MADV_DONTNEED);
    quarantine.push_back(address);
    if (quarantine.size() <= QUARANTINE) return;
    auto oldest = freed.find(quarantine.front());
    quarantine.pop_front();
    allow(oldest->second.map, oldest->second.map_bytes);
    munmap(oldest->second.map, oldest->second.map_bytes);
    freed.erase(oldest);
}

bool is_allocated(uint64_t address, uint64_t bytes) {
    const Table::value_type* i = holder(allocations, address);
    if (i == nullptr || address < i->first) return false;
    uint64_t offset = address - i->first;
    return offset <= i->second.bytes && bytes <= i->second.bytes - offset;
}

bool find_allocation(uint64_t address, uint64_t* base, uint64_t* bytes) {
    const Table::value_type* i = holder(allocations, address);
    if (i == nullptr || address < i->first || address >= i->first + i->second.bytes) return false;
    *base = i->first;
    *bytes = i->second.bytes;
    return true;
}

void check_canaries(const char* after) {
    for (const auto& [base, a] : allocations) check_one(base, a, after);
}

void describe_address(uint64_t address, char* text, size_t bytes) {
    const Table::value_type* i = holder(allocations, address);
    const char* was = "";
    if (i == nullptr) i = holder(freed, address), was = ", which was freed";
    if (i == nullptr) {
        snprintf(text, bytes, "address 0x%lx lies in no allocation", (unsigned long)address);
        return;
    }
    const Allocation& a = i->second;
    snprintf(text, bytes, "address 0x%lx is at byte %ld of allocation %lu of %lu bytes%s", (unsigned long)address,
             long(address - i->first), (unsigned long)a.number, (unsigned long)a.bytes, was);
}

void retire_all() {
    std::vector<uint64_t> live;
    for (const auto& entry : allocations) live.push_back(entry.first);
    for (uint64_t address : live) {
        release(address);
        retire(address);
    }
}

uint64_t memory_mapped() { return mapped; }

}  // namespace standin

using namespace standin;
using Guard = std::lock_guard<std::recursive_mutex>;

/// Bytes of device memory that are allocated, rounded as the device rounds them.
STANDIN_API uint64_t rewit_standin_used(void) {
    Guard guard(the_lock);
    return used;
}

/// The most that rewit_standin_used has been since the last call of this function.
STANDIN_API uint64_t rewit_standin_used_high(void) {
    Guard guard(the_lock);
    uint64_t high = used_high;
    used_high = used;
    return high;
}

/// Allocations that were not freed.
STANDIN_API uint64_t rewit_standin_live_allocations(void) {
    Guard guard(the_lock);
    uint64_t live = 0;
    for (const auto& entry : allocations) live += !entry.second.released;
    return live;
}

/// Makes the n-th allocation from now on fail with out-of-memory; 0 for none.
STANDIN_API void rewit_standin_fail_allocation(uint64_t n) {
    Guard guard(the_lock);
    settings.fail_allocation = n == 0 ? 0 : num_allocations + n;
}

/// Bytes of device memory from now on.
STANDIN_API void rewit_standin_set_memory(uint64_t bytes) {
    Guard guard(the_lock);
    settings.memory = bytes;
}

STANDIN_API int cuMemAlloc_v2(uint64_t* address, size_t bytes) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    return allocate(address, bytes);
}

STANDIN_API int cuMemFree_v2(uint64_t address) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    if (address == 0) return SUCCESS;
    drain_all();
    if (Result r = release(address)) return r;
    retire(address);
    return sticky;
}

STANDIN_API int cuMemGetInfo_v2(size_t* free_bytes, size_t* total_bytes) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    if (free_bytes != nullptr) *free_bytes = used > settings.memory ? 0 : settings.memory - used;
    if (total_bytes != nullptr) *total_bytes = settings.memory;
    return SUCCESS;
}

STANDIN_API int cuMemHostAlloc(void** address, size_t bytes, unsigned) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    if (address == nullptr || bytes == 0) return INVALID_VALUE;
    void* p = nullptr;
    if (posix_memalign(&p, PAGE, bytes) != 0) return OUT_OF_MEMORY;
    memset(p, POISON, bytes);
    pinned.insert(p);
    *address = p;
    return SUCCESS;
}

STANDIN_API int cuMemAllocHost_v2(void** address, size_t bytes) { return cuMemHostAlloc(address, bytes, 0); }

STANDIN_API int cuMemFreeHost(void* address) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    if (pinned.erase(address) == 0) return refuse(INVALID_VALUE, "free of host memory that is not pinned");
    drain_all();
    free(address);
    return sticky;
}

namespace {
/// cuMemPool attributes 1 to 8: the reuse flags and the release threshold are kept, the counters computed.
uint64_t pool_values[9] = {};
int the_pool;
}  // namespace

STANDIN_API int cuDeviceGetDefaultMemPool(void** pool, int device) {
    Guard guard(the_lock);
    if (pool == nullptr || device != 0) return INVALID_VALUE;
    *pool = &the_pool;
    return SUCCESS;
}

STANDIN_API int cuMemPoolSetAttribute(void* pool, int attribute, const void* value) {
    Guard guard(the_lock);
    if (pool != &the_pool || value == nullptr) return INVALID_VALUE;
    switch (attribute) {
        case 1:
        case 2:
        case 3: pool_values[attribute] = uint64_t(*static_cast<const int*>(value)); return SUCCESS;
        case 4: pool_values[4] = *static_cast<const uint64_t*>(value); return SUCCESS;
        case 6:
        case 8:
            if (*static_cast<const uint64_t*>(value) != 0) return INVALID_VALUE;
            used_high = used;
            return SUCCESS;
        default: return INVALID_VALUE;
    }
}

STANDIN_API int cuMemPoolGetAttribute(void* pool, int attribute, void* value) {
    Guard guard(the_lock);
    if (pool != &the_pool || value == nullptr) return INVALID_VALUE;
    switch (attribute) {
        case 1:
        case 2:
        case 3: *static_cast<int*>(value) = int(pool_values[attribute]); return SUCCESS;
        case 4: *static_cast<uint64_t*>(value) = pool_values[4]; return SUCCESS;
        case 5:
        case 7: *static_cast<uint64_t*>(value) = used; return SUCCESS;
        case 6:
        case 8: *static_cast<uint64_t*>(value) = used_high; return SUCCESS;
        default: return INVALID_VALUE;
    }
}

STANDIN_API int cuMemPoolTrimTo(void* pool, size_t) { return pool == &the_pool ? SUCCESS : INVALID_VALUE; }
