// Runs the blocks of a launch: threads are fibers with stacks of their own, which switch only at barriers and warp
// intrinsics, so that a kernel without either is a plain loop over its threads on one stack.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

#include "engine.h"

#if !defined(__x86_64__)
#error "the stand-in switches fibers in x86-64 assembly"
#endif

// void standin_switch(void** save, void* to): stores the callee-saved registers and the stack pointer, takes the
// others'.
asm(R"(
.text
.globl standin_switch
.hidden standin_switch
.type standin_switch, @function
standin_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size standin_switch, .-standin_switch
)");
extern "C" void standin_switch(void** save, void* to);

namespace standin {

__thread Here here;

namespace {

constexpr size_t STACK = STANDIN_ASAN ? 512 * 1024 : 64 * 1024;
constexpr size_t PAGE = 4096;
constexpr uint32_t MAX_THREADS = 1024;
constexpr size_t SHARED_CAPACITY = 256 * 1024;
/// Bytes between SHARED arrays that no one may touch.
constexpr size_t RED_ZONE = 64;
constexpr unsigned char POISON = 0xa5;
constexpr unsigned char CANARY = 0xc3;

const char* const WARP_NAMES[] = {"__syncwarp",        "__shfl*_sync",      "__ballot_sync",     "__any_sync",
                                  "__all_sync",        "__match_any_sync",  "__reduce_add_sync", "__reduce_min_sync",
                                  "__reduce_max_sync", "__reduce_and_sync", "__reduce_or_sync",  "__reduce_xor_sync"};

/// A stack for threads to run on.
struct Fiber {
    unsigned char* stack = nullptr;
    void* fake_stack = nullptr;
};

/// Lanes of one warp that wait for one another.
struct Meeting {
    uint32_t mask, arrived;
    Warp kind;
    int32_t line;
    const char* file;

    bool is(uint32_t its_mask, Warp its_kind, const char* its_file, int its_line) const {
        return mask == its_mask && kind == its_kind && line == its_line && file == its_file;
    }
};

/// One warp of the running block. Bit and index i are lane i.
struct WarpState {
    /// Lanes that can run; of these, lanes that have not begun; lanes that wait at the barrier.
    uint32_t ready, fresh, at_barrier;
    uint32_t num_meetings;
    uint64_t value[32];
    uint64_t result[32];
    uint8_t source[32];
    /// Where lanes that do not run were left, and on which stack.
    void* saved[32];
    Fiber* fiber[32];
    Meeting meetings[32];
};

/// A SHARED array of the running block.
struct Site {
    const void* key;
    const char* name;
    uint32_t offset, bytes;
};

/// Runs one block at a time.
struct Worker {
    const Launch* launch = nullptr;
    uint32_t count = 0;
    uint32_t done = 0;
    uint32_t current = 0;
    /// Warps with lanes that can run.
    uint32_t ready_warps = 0;
    uint32_t random_bits = 0;
    Random random{0};
    /// The barrier that some threads wait at: how many, the first of them, its place, the sum of their values.
    uint32_t at_barrier = 0, barrier_first = 0, barrier_sum = 0, barrier_result = 0;
    int barrier_line = 0;
    const char* barrier_file = nullptr;
    WarpState warps[MAX_THREADS / 32];
    std::vector<Fiber*> idle;
    std::vector<std::unique_ptr<Fiber>> fibers;
    void* main_saved = nullptr;
    Fiber main;
    const void* main_bottom = nullptr;
    size_t main_size = 0;
    unsigned char* stacks = nullptr;
    /// Static arrays from the start; dynamic memory ends at the guard page behind.
    unsigned char* shared_base = nullptr;
    std::vector<Site> sites;
    uint32_t static_bytes = 0;
    uint32_t static_end = 0;
    unsigned char* dynamic = nullptr;

    void run_block(const Launch& the_launch, uint3 block, uint64_t seed);
    Fiber* take_fiber();
    void* fresh_stack(Fiber& fiber);
    void prepare_shared();
    void check_red_zones();
    void all_ready();
    uint32_t pick();
    void enter(uint32_t thread);
    void suspend();
    void finish();
    [[noreturn]] void stuck();
};

__thread Worker* worker __attribute__((tls_model("initial-exec"))) = nullptr;

void* map_region(size_t bytes) {
    void* p = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) fail("no memory for stacks");
    return p;
}

void open_region(void* from, size_t bytes) {
    if (mprotect(from, bytes, PROT_READ | PROT_WRITE) != 0) fail("no memory for stacks");
}

/// Leaves one context for another. `ends`: the one left is never resumed.
DEVICE void change(Worker& w, Fiber& from, void** save, Fiber& to, void* saved, bool ends) {
#if STANDIN_ASAN
    const void* bottom = to.stack != nullptr ? to.stack : w.main_bottom;
    size_t size = to.stack != nullptr ? STACK : w.main_size;
    __sanitizer_start_switch_fiber(ends ? nullptr : &from.fake_stack, bottom, size);
#else
    (void)w, (void)from, (void)to, (void)ends;
#endif
    standin_switch(save, saved);
#if STANDIN_ASAN
    __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

/// What a fiber runs: new threads of the block, one after another, until there is none that it may start.
__attribute__((noinline, noreturn)) void fiber_main() {
    Worker& w = *worker;
#if STANDIN_ASAN
    // The block's first fiber comes from the thread's own stack, to which the last one returns.
    const void* bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(nullptr, &bottom, &size);
    if (w.main_bottom == nullptr) w.main_bottom = bottom, w.main_size = size;
#endif
    const Kernel& kernel = *w.launch->kernel;
    const unsigned char* packed = w.launch->packed.data();
    for (;;) {
        kernel.invoke(kernel.function, packed);
        w.finish();
    }
}

Fiber* Worker::take_fiber() {
    if (idle.empty()) {
        if (stacks == nullptr) stacks = static_cast<unsigned char*>(map_region((STACK + PAGE) * MAX_THREADS + PAGE));
        size_t index = fibers.size();
        fibers.push_back(std::make_unique<Fiber>());
        // A guard page lies below each stack, and one above the last.
        Fiber& f = *fibers.back();
        f.stack = stacks + index * (STACK + PAGE) + PAGE;
        open_region(f.stack, STACK);
        idle.push_back(&f);
    }
    Fiber* f = idle.back();
    idle.pop_back();
    return f;
}

/// A stack pointer from which standin_switch begins fiber_main on `fiber`.
void* Worker::fresh_stack(Fiber& fiber) {
    fiber.fake_stack = nullptr;
    // What the frames left there by the last block's end forbid is forbidden no more.
    allow(fiber.stack + STACK - 32 * 1024, 32 * 1024);
    // Stacks start at different cache sets, or all their tops would share one.
    size_t index = size_t(fiber.stack - stacks) / (STACK + PAGE);
    auto top = reinterpret_cast<void**>(fiber.stack + STACK - 64 - index % 53 * 192);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(fiber_main);
    for (int i = 0; i < 6; i++) *--top = nullptr;
    return top;
}

/// Every thread of the block can run.
void Worker::all_ready() {
    uint32_t num_warps = (count + 31) / 32;
    for (uint32_t w = 0; w < num_warps; w++) warps[w].ready = 0xffffffffu, warps[w].at_barrier = 0;
    if (count % 32 != 0) warps[num_warps - 1].ready = (1u << count % 32) - 1;
    ready_warps = num_warps == 32 ? 0xffffffffu : (1u << num_warps) - 1;
}

/// A bit of `mask`, which is not 0, at random.
DEVICE uint32_t random_bit(uint32_t mask, uint32_t random) {
    uint32_t turn = random & 31;
    uint32_t turned = mask >> turn | mask << (-turn & 31);
    return (uint32_t(__builtin_ctz(turned)) + turn) & 31;
}

/// Takes a random thread that can run. Mostly one of the warp that ran last, whose stacks are in the cache.
DEVICE uint32_t Worker::pick() {
    uint32_t bits = random_bits;
    random_bits = random.next();
    uint32_t w = current / 32;
    if (warps[w].ready == 0 || (bits >> 10 & 15) == 0) w = random_bit(ready_warps, bits >> 5);
    uint32_t lane = random_bit(warps[w].ready, bits);
    warps[w].ready &= ~(1u << lane);
    if (warps[w].ready == 0) ready_warps &= ~(1u << w);
    return w * 32 + lane;
}

/// Makes `thread` the running one.
DEVICE void Worker::enter(uint32_t thread) {
    current = thread;
    const dim3& b = launch->block;
    here.linear = thread;
    if (b.y == 1 && b.z == 1) here.thread.x = thread;
    else here.thread = {thread % b.x, thread / b.x % b.y, thread / b.x / b.y};
}

/// Lets other threads run; returns when this one has been made ready and chosen.
DEVICE void Worker::suspend() {
    races_suspend();
    if (ready_warps == 0) stuck();
    uint32_t self = current;
    uint32_t next = pick();
    if (next == self) return;
    WarpState& mine = warps[self / 32];
    WarpState& its = warps[next / 32];
    enter(next);
    if (its.fresh >> (next & 31) & 1) {
        its.fresh &= ~(1u << (next & 31));
        Fiber* fiber = its.fiber[next & 31] = take_fiber();
        its.saved[next & 31] = fresh_stack(*fiber);
    }
    change(*this, *mine.fiber[self & 31], &mine.saved[self & 31], *its.fiber[next & 31], its.saved[next & 31], false);
}

/// After a thread has left the kernel: returns with another one to begin on the same fiber, or leaves the fiber.
void Worker::finish() {
    races_suspend();
    done++;
    Fiber* fiber = warps[current / 32].fiber[current & 31];
    void* unused;
    if (ready_warps == 0) {
        if (done != count) stuck();
        idle.push_back(fiber);
        change(*this, *fiber, &unused, main, main_saved, true);
    }
    uint32_t next = pick();
    WarpState& its = warps[next / 32];
    enter(next);
    if (its.fresh >> (next & 31) & 1) {
        its.fresh &= ~(1u << (next & 31));
        its.fiber[next & 31] = fiber;
        return;
    }
    idle.push_back(fiber);
    change(*this, *fiber, &unused, *its.fiber[next & 31], its.saved[next & 31], true);
}

/// Aborts: no thread of the block can run, and some have not left the kernel.
void Worker::stuck() {
    char text[2048];
    int at = snprintf(text, sizeof text, "threads wait for one another: %u of %u have left the kernel", done, count);
    auto room = [&] { return sizeof text - size_t(at); };
    for (uint32_t w = 0; w < MAX_THREADS / 32 && at_barrier != 0; w++) {
        if (w * 32 >= count || warps[w].at_barrier == 0) continue;
        at += snprintf(text + at, room(), "; thread %d waits at the barrier of %s:%d, as do %u others",
                       int(w * 32) + __builtin_ctz(warps[w].at_barrier), barrier_file, barrier_line, at_barrier - 1);
        break;
    }
    int named = 0;
    for (uint32_t w = 0; w * 32 < count; w++) {
        for (uint32_t i = 0; i < warps[w].num_meetings && named < 4; i++, named++) {
            const Meeting& m = warps[w].meetings[i];
            at += snprintf(text + at, room(), "; thread %d waits in %s of %s:%d with mask 0x%08x for lanes 0x%08x",
                           int(w * 32) + __builtin_ctz(m.arrived), WARP_NAMES[size_t(m.kind)], m.file, m.line, m.mask,
                           m.mask & ~m.arrived);
        }
    }
    fail("%s", text);
}

void Worker::check_red_zones() {
    if (STANDIN_ASAN) return;  // the access itself was reported
    auto check = [&](uint32_t from, uint32_t to, const char* name) {
        for (uint32_t i = from; i < to; i++)
            if (shared_base[i] != CANARY)
                fail("a write beside shared array `%s`, at byte %u of the block's shared memory", name, i);
    };
    uint32_t at = 0;
    for (const Site& s : sites) {
        check(at, s.offset, s.name);
        at = s.offset + s.bytes;
    }
    if (!sites.empty()) check(at, static_end, sites.back().name);
    if (launch->dynamic_bytes == 0) return;
    for (const unsigned char* p = dynamic - RED_ZONE; p < dynamic; p++)
        if (*p != CANARY) fail("a write below dynamic shared memory, %ld bytes before its start", long(dynamic - p));
    for (const unsigned char* p = dynamic + launch->dynamic_bytes; p < shared_base + 2 * SHARED_CAPACITY; p++)
        if (*p != CANARY) fail("a write above dynamic shared memory, at its byte %ld", long(p - dynamic));
}

/// Poisons the block's shared memory.
void Worker::prepare_shared() {
    allow(shared_base, STANDIN_ASAN ? 2 * SHARED_CAPACITY : 0);
    sites.clear();
    static_bytes = static_end = 0;
    if (launch->dynamic_bytes == 0) return;
    // The end is at the guard page, but for what alignment to 16 bytes leaves.
    size_t slack = -size_t(launch->dynamic_bytes) & 15;
    dynamic = shared_base + 2 * SHARED_CAPACITY - launch->dynamic_bytes - slack;
    memset(dynamic, POISON, launch->dynamic_bytes);
    memset(dynamic - RED_ZONE, CANARY, RED_ZONE);
    memset(dynamic + launch->dynamic_bytes, CANARY, slack);
    forbid(dynamic - RED_ZONE, RED_ZONE);
    forbid(dynamic + launch->dynamic_bytes, slack);
}

void Worker::run_block(const Launch& the_launch, uint3 block, uint64_t seed) {
    launch = &the_launch;
    worker = this;
    random = Random(seed);
    random_bits = random.next();
    count = launch->block.x * launch->block.y * launch->block.z;
    done = at_barrier = barrier_sum = 0;
    all_ready();
    for (uint32_t w = 0; w * 32 < count; w++) {
        warps[w].fresh = warps[w].ready;
        warps[w].num_meetings = 0;
    }
    prepare_shared();
    races_block((block.z * launch->grid.y + block.y) * launch->grid.x + block.x);
    here.block = block;
    here.block_dim = launch->block;
    here.grid_dim = launch->grid;
    here.thread = {0, 0, 0};
    main_bottom = nullptr;
    current = random.below(count);
    uint32_t first = pick();
    WarpState& its = warps[first / 32];
    enter(first);
    its.fresh &= ~(1u << (first & 31));
    Fiber* fiber = its.fiber[first & 31] = take_fiber();
    change(*this, main, &main_saved, *fiber, fresh_stack(*fiber), false);
    check_red_zones();
    worker = nullptr;
}

}  // namespace

uint32_t barrier(uint32_t value, const char* file, int line) {
    Worker& w = *worker;
    uint32_t self = w.current;
    if (w.at_barrier == 0) {
        w.barrier_first = self;
        w.barrier_file = file;
        w.barrier_line = line;
    } else if (line != w.barrier_line || (file != w.barrier_file && strcmp(file, w.barrier_file) != 0)) {
        fail("divergent barrier: thread %u is at %s:%d, thread %u at %s:%d", self, file, line, w.barrier_first,
             w.barrier_file, w.barrier_line);
    }
    w.warps[self / 32].at_barrier |= 1u << (self & 31);
    w.barrier_sum += value;
    // Threads that have left are never here: then no one goes on, and the report says who waits.
    if (++w.at_barrier == w.count) {
        w.barrier_result = w.barrier_sum;
        w.at_barrier = w.barrier_sum = 0;
        races_barrier();
        w.all_ready();
    }
    w.suspend();
    return w.barrier_result;
}

namespace {

/// Computes what every lane of a meeting that is complete gets.
DEVICE void settle(WarpState& state, Warp kind, uint32_t mask) {
    uint64_t all = 0;
    switch (kind) {
        case Warp::Sync: return;
        case Warp::Shuffle:
            for (uint32_t l = 0; l < 32; l++)
                if (mask >> l & 1) state.result[l] = state.value[state.source[l]];
            return;
        case Warp::MatchAny:
            for (uint32_t rest = mask; rest != 0;) {
                uint64_t v = state.value[__builtin_ctz(rest)];
                uint32_t same = 0;
                for (uint32_t l = 0; l < 32; l++) same |= uint32_t(state.value[l] == v) << l;
                same &= mask;
                rest &= ~same;
                for (uint32_t l = 0; l < 32; l++)
                    if (same >> l & 1) state.result[l] = same;
            }
            return;
        default: break;
    }
    bool begun = false;
    for (uint32_t l = 0; l < 32; l++) {
        if (!(mask >> l & 1)) continue;
        uint64_t v = state.value[l];
        switch (kind) {
            case Warp::ReduceAdd: all = uint32_t(all + v); break;
            case Warp::ReduceMin: all = begun ? min(all, v) : v; break;
            case Warp::ReduceMax: all = max(all, v); break;
            case Warp::ReduceAnd: all = begun ? all & v : v; break;
            case Warp::ReduceOr: all |= v; break;
            case Warp::ReduceXor: all ^= v; break;
            default: all |= v << l; break;  // votes
        }
        begun = true;
    }
    if (kind == Warp::Any) all = all != 0;
    if (kind == Warp::All) all = all == mask;
    for (uint32_t l = 0; l < 32; l++)
        if (mask >> l & 1) state.result[l] = all;
}

/// Aborts where a warp intrinsic is called with a mask or source that makes no sense.
void check_mask(const Worker& w, Warp kind, uint32_t mask, int source, const char* file, int line) {
    uint32_t first = w.current & ~31u, lane = w.current & 31;
    const char* name = WARP_NAMES[size_t(kind)];
    uint32_t lanes = w.count - first >= 32 ? 0xffffffffu : (1u << (w.count - first)) - 1;
    if (!(mask >> lane & 1))
        fail("%s of %s:%d: lane %u calls it with mask 0x%08x, which does not name it", name, file, line, lane, mask);
    if (mask & ~lanes)
        fail("%s of %s:%d: mask 0x%08x names lanes that the warp does not have (it has 0x%08x)", name, file, line, mask,
             lanes);
    if (kind == Warp::Shuffle && !(mask >> source & 1))
        fail("%s of %s:%d: lane %u reads lane %d, which mask 0x%08x does not name", name, file, line, lane, source,
             mask);
}

}  // namespace

uint64_t warp(Warp kind, uint32_t mask, uint64_t value, int source, const char* file, int line) {
    Worker& w = *worker;
    uint32_t self = w.current, lane = self & 31;
    WarpState& state = w.warps[self / 32];
    if (mask != 0xffffffffu || (self | 31) >= w.count) check_mask(w, kind, mask, source, file, line);
    state.value[lane] = value;
    state.source[lane] = uint8_t(source);
    uint32_t m = 0;
    while (m < state.num_meetings && !state.meetings[m].is(mask, kind, file, line)) m++;
    if (m == state.num_meetings) state.meetings[state.num_meetings++] = {mask, 0, kind, line, file};
    Meeting& meeting = state.meetings[m];
    meeting.arrived |= 1u << lane;
    if (meeting.arrived == mask) {
        meeting = state.meetings[--state.num_meetings];
        settle(state, kind, mask);
        if (kind == Warp::Sync) races_syncwarp(self / 32, mask);
        state.ready |= mask;
        w.ready_warps |= 1u << self / 32;
    }
    w.suspend();
    return state.result[lane];
}

void* shared(const void* site, size_t bytes, size_t align, const char* name) {
    Worker& w = *worker;
    for (const Site& s : w.sites)
        if (s.key == site) return w.shared_base + s.offset;
    uint32_t from = w.sites.empty() ? 0 : w.static_end;
    uint32_t start =
        uint32_t((from + RED_ZONE + max(align, size_t(16)) - 1) / max(align, size_t(16)) * max(align, size_t(16)));
    w.static_bytes = uint32_t((w.static_bytes + align - 1) / align * align + bytes);
    if (w.static_bytes > Settings::shared_default)
        fail("%u bytes of static shared memory with array `%s`; at most %u", w.static_bytes, name,
             Settings::shared_default);
    if (w.static_bytes + w.launch->dynamic_bytes > settings.shared_optin())
        fail("%u bytes of static and %u of dynamic shared memory; the device has %u for a block", w.static_bytes,
             w.launch->dynamic_bytes, settings.shared_optin());
    w.sites.push_back({site, name, start, uint32_t(bytes)});
    w.static_end = uint32_t(start + bytes + RED_ZONE);
    memset(w.shared_base + from, CANARY, w.static_end - from);
    memset(w.shared_base + start, POISON, bytes);
    forbid(w.shared_base + from, start - from);
    forbid(w.shared_base + start + bytes, RED_ZONE);
    return w.shared_base + start;
}

void* dynamic_shared(size_t align) {
    Worker& w = *worker;
    if (align > 16)
        fail("DYN_SHARED of a type aligned to %zu bytes; the launch's shared memory is aligned to 16", align);
    if (w.launch->dynamic_bytes == 0) return w.shared_base + 2 * SHARED_CAPACITY;
    return w.dynamic;
}

const Launch* running() { return worker != nullptr ? worker->launch : nullptr; }

void describe_place(char* text, size_t bytes) {
    text[0] = 0;
    if (worker == nullptr) return;
    const Here& h = here;
    snprintf(text, bytes, "kernel %s, block (%u, %u, %u), thread (%u, %u, %u): ", worker->launch->kernel->name,
             h.block.x, h.block.y, h.block.z, h.thread.x, h.thread.y, h.thread.z);
}

bool in_stack_guard(uintptr_t address) {
    if (worker == nullptr || worker->stacks == nullptr) return false;
    uintptr_t base = uintptr_t(worker->stacks);
    return address >= base && address < base + (STACK + PAGE) * MAX_THREADS + PAGE;
}

bool in_shared_guard(uintptr_t address) {
    if (worker == nullptr) return false;
    uintptr_t base = uintptr_t(worker->shared_base);
    return address >= base - PAGE && address < base + 2 * SHARED_CAPACITY + PAGE;
}

void shared_arena(uintptr_t* address, size_t* bytes) {
    *address = uintptr_t(worker->shared_base);
    *bytes = 2 * SHARED_CAPACITY;
}

namespace {

Worker* make_worker() {
    auto w = new Worker;
    auto base = static_cast<unsigned char*>(map_region(2 * SHARED_CAPACITY + 2 * PAGE));
    w->shared_base = base + PAGE;
    open_region(w->shared_base, 2 * SHARED_CAPACITY);
    return w;
}

}  // namespace

void run_grid(const Launch& launch) {
    // Never destroyed: the process may end on another thread.
    static auto& workers = *new std::vector<Worker*>;
    Watch watch(launch);
    Random random(launch.seed);
    uint64_t blocks = uint64_t(launch.grid.x) * launch.grid.y * launch.grid.z;
    if (blocks > UINT32_MAX)
        fail("kernel %s: a grid of %lu blocks, too many to run here", launch.kernel->name, (unsigned long)blocks);
    std::vector<uint32_t> order(blocks);
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t j = random.below(i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    size_t num_workers = STANDIN_RACES ? 1 : min(blocks, uint64_t(max(settings.threads, 1)));
    races_launch(blocks);
    while (workers.size() < num_workers) workers.push_back(make_worker());
    std::atomic<uint64_t> next{0};
    auto work = [&](Worker* w) {
        prepare_thread();
        for (uint64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < blocks;) {
            uint32_t b = order[i];
            uint3 block = {b % launch.grid.x, b / launch.grid.x % launch.grid.y, b / launch.grid.x / launch.grid.y};
            w->run_block(launch, block, launch.seed ^ uint64_t(b) << 20);
        }
    };
    std::vector<std::thread> others;
    for (size_t i = 1; i < num_workers; i++) others.emplace_back(work, workers[i]);
    work(workers[0]);
    for (std::thread& t : others) t.join();
}

}  // namespace standin
