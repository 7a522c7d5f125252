// Runs the blocks of a launch: threads are fibers with stacks of their own, which switch only at barriers and warp
// intrinsics, so that a kernel without either is a plain loop over its threads on one stack.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>

#include "engine.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define STANDIN_ASAN 1
#else
#define STANDIN_ASAN 0
#endif

#if !defined(__x86_64__)
#error "the stand-in switches fibers in x86-64 assembly"
#endif

// void standin_switch(void** save, void* to): stores the callee-saved registers and the stack pointer, takes the others'.
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

const char* const WARP_NAMES[] = {"__syncwarp", "__shfl*_sync", "__ballot_sync", "__any_sync", "__all_sync", "__match_any_sync",
                                  "__reduce_add_sync", "__reduce_min_sync", "__reduce_max_sync", "__reduce_and_sync",
                                  "__reduce_or_sync", "__reduce_xor_sync"};

enum class State : uint8_t { New, Ready, Barrier, InWarp, Done };

/// A stack, and the context saved on it while it is not running.
struct Fiber {
    unsigned char* stack = nullptr;
    void* saved = nullptr;
    void* fake_stack = nullptr;
};

/// One thread of the running block.
struct Thread {
    State state;
    Warp kind;
    int32_t line;
    int32_t source;
    uint32_t mask;
    uint64_t value;
    uint64_t result;
    const char* file;
    Fiber* fiber;
};

/// Lanes of one warp that wait for one another.
struct Meeting {
    uint32_t mask, arrived;
    Warp kind;
    int32_t line;
    const char* file;
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
    uint32_t at_barrier = 0;
    uint32_t current = 0;
    uint32_t num_ready = 0;
    Random random{0};
    uint16_t ready[MAX_THREADS];
    Thread threads[MAX_THREADS];
    std::vector<Meeting> meetings[MAX_THREADS / 32];
    std::vector<Fiber*> idle;
    std::vector<std::unique_ptr<Fiber>> fibers;
    Fiber* active = nullptr;
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
    void enter(uint32_t thread);
    void go_on(Fiber* from, bool from_ends);
    void suspend();
    void make_ready(uint32_t thread) {
        threads[thread].state = State::Ready;
        ready[num_ready++] = uint16_t(thread);
    }
    [[noreturn]] void stuck();
    void check_red_zones();
};

__thread Worker* worker __attribute__((tls_model("initial-exec"))) = nullptr;

void* map_region(size_t bytes) {
    void* p = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        perror("stand-in: mmap");
        abort();
    }
    return p;
}

/// Switches from one context to another. `ends`: the context left is never resumed.
void change(Worker& w, Fiber& from, Fiber& to, bool ends) {
    w.active = &to;
#if STANDIN_ASAN
    const void* bottom = to.stack != nullptr ? to.stack : w.main_bottom;
    size_t size = to.stack != nullptr ? STACK : w.main_size;
    __sanitizer_start_switch_fiber(ends ? nullptr : &from.fake_stack, bottom, size);
#else
    (void)ends;
#endif
    standin_switch(&from.saved, to.saved);
#if STANDIN_ASAN
    const void* old_bottom;
    size_t old_size;
    __sanitizer_finish_switch_fiber(from.fake_stack, &old_bottom, &old_size);
    if (from.stack == nullptr) return;
    if (w.main_bottom == nullptr) w.main_bottom = old_bottom, w.main_size = old_size;
#endif
}

/// What a fiber runs: new threads of the block, one after another, until there is none that it may start.
__attribute__((noinline, noreturn)) void fiber_main() {
    Worker& w = *worker;
#if STANDIN_ASAN
    const void* old_bottom;
    size_t old_size;
    __sanitizer_finish_switch_fiber(nullptr, &old_bottom, &old_size);
    if (w.main_bottom == nullptr) w.main_bottom = old_bottom, w.main_size = old_size;
#endif
    const Kernel& kernel = *w.launch->kernel;
    const unsigned char* packed = w.launch->packed.data();
    for (;;) {
        kernel.invoke(kernel.function, packed);
        w.threads[w.current].state = State::Done;
        w.done++;
        w.go_on(w.active, true);
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
        if (mprotect(f.stack, STACK, PROT_READ | PROT_WRITE) != 0) {
            perror("stand-in: mprotect");
            abort();
        }
        idle.push_back(&f);
    }
    Fiber* f = idle.back();
    idle.pop_back();
    // Stacks start at different cache sets, or all their tops would share one.
    size_t index = size_t(f->stack - stacks) / (STACK + PAGE);
    auto top = reinterpret_cast<void**>(f->stack + STACK - index % 53 * 192 / 64 * 64 - 64);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(fiber_main);
    for (int i = 0; i < 6; i++) *--top = nullptr;
    f->saved = top;
    f->fake_stack = nullptr;
    return f;
}

/// Makes `thread` the running one.
void Worker::enter(uint32_t thread) {
    current = thread;
    const dim3& b = launch->block;
    here.linear = thread;
    if (b.y == 1 && b.z == 1) here.thread = {thread, 0, 0};
    else here.thread = {thread % b.x, thread / b.x % b.y, thread / b.x / b.y};
}

/// Goes on with a random thread that can run. Returns when `from` is resumed, or with a new thread to start on it.
void Worker::go_on(Fiber* from, bool from_ends) {
    if (num_ready == 0) {
        if (done != count) stuck();
        idle.push_back(from);
        change(*this, *from, main, true);
    }
    uint32_t pick = num_ready == 1 ? 0 : random.below(num_ready);
    uint32_t next = ready[pick];
    ready[pick] = ready[--num_ready];
    Thread& thread = threads[next];
    enter(next);
    if (thread.state == State::New) {
        thread.state = State::Ready;
        if (from_ends) {
            thread.fiber = from;
            return;
        }
        thread.fiber = take_fiber();
    } else if (thread.fiber == from) {
        return;
    }
    if (from_ends) idle.push_back(from);
    change(*this, *from, *thread.fiber, from_ends);
}

void Worker::suspend() {
    // The fiber may be resumed by a different caller, never by a different worker.
    go_on(threads[current].fiber, false);
}

/// Aborts: no thread of the block can run, and some have not left the kernel.
void Worker::stuck() {
    char text[2048];
    int at = snprintf(text, sizeof text, "threads wait for one another: ");
    at += snprintf(text + at, sizeof text - size_t(at), "%u of %u have left the kernel", done, count);
    int named = 0;
    for (uint32_t i = 0; i < count && named < 6; i++) {
        const Thread& t = threads[i];
        // One line for each place, with the first thread that waits there.
        bool first = t.state == State::Barrier || t.state == State::InWarp;
        for (uint32_t j = 0; j < i && first; j++) {
            const Thread& u = threads[j];
            if (u.state == t.state && u.line == t.line && u.file == t.file && (t.state == State::Barrier || (j / 32 == i / 32 && u.mask == t.mask && u.kind == t.kind)))
                first = false;
        }
        if (!first) continue;
        named++;
        if (t.state == State::Barrier) {
            at += snprintf(text + at, sizeof text - size_t(at), "; thread %u waits at the barrier of %s:%d", i, t.file, t.line);
        } else {
            uint32_t missing = 0;
            for (uint32_t l = 0; l < 32; l++) {
                uint32_t j = i / 32 * 32 + l;
                if (!(t.mask >> l & 1)) continue;
                const Thread& u = threads[j];
                bool here_too = j < count && u.state == State::InWarp && u.mask == t.mask && u.kind == t.kind && u.line == t.line && u.file == t.file;
                if (!here_too) missing |= 1u << l;
            }
            at += snprintf(text + at, sizeof text - size_t(at), "; thread %u waits in %s of %s:%d with mask 0x%08x for lanes 0x%08x", i,
                           WARP_NAMES[size_t(t.kind)], t.file, t.line, t.mask, missing);
        }
    }
    fail("%s", text);
}

void Worker::check_red_zones() {
    auto check = [&](uint32_t from, uint32_t to, const char* name) {
        for (uint32_t i = from; i < to; i++)
            if (shared_base[i] != CANARY) fail("a write beside shared array `%s`, at byte %u of the block's shared memory", name, i);
    };
    uint32_t at = 0;
    for (const Site& s : sites) {
        check(at, s.offset, s.name);
        at = s.offset + s.bytes;
    }
    if (!sites.empty()) check(at, static_end, sites.back().name);
    if (launch->dynamic_bytes != 0)
        for (const unsigned char* p = dynamic - RED_ZONE; p < dynamic; p++)
            if (*p != CANARY) fail("a write below dynamic shared memory, %ld bytes before its start", long(dynamic - p));
}

void Worker::run_block(const Launch& the_launch, uint3 block, uint64_t seed) {
    launch = &the_launch;
    worker = this;
    random = Random(seed);
    count = launch->block.x * launch->block.y * launch->block.z;
    done = at_barrier = 0;
    num_ready = count;
    for (uint32_t i = 0; i < count; i++) {
        ready[i] = uint16_t(i);
        threads[i].state = State::New;
    }
    sites.clear();
    static_bytes = static_end = 0;
    if (launch->dynamic_bytes != 0) {
        // The end is at the guard page, but for what alignment to 16 bytes leaves.
        dynamic = shared_base + 2 * SHARED_CAPACITY - (launch->dynamic_bytes + 15) / 16 * 16;
        memset(dynamic, POISON, launch->dynamic_bytes);
        memset(dynamic - RED_ZONE, CANARY, RED_ZONE);
    }
    here.block = block;
    here.block_dim = launch->block;
    here.grid_dim = launch->grid;
    for (auto& m : meetings) m.clear();
    main_bottom = nullptr;
    // As if a thread had just ended on a fresh fiber: starts a random one.
    uint32_t pick = random.below(num_ready);
    uint32_t next = ready[pick];
    ready[pick] = ready[--num_ready];
    enter(next);
    threads[next].state = State::Ready;
    threads[next].fiber = take_fiber();
    change(*this, main, *threads[next].fiber, false);
    check_red_zones();
    worker = nullptr;
}

}  // namespace

uint32_t barrier(uint32_t value, const char* file, int line) {
    Worker& w = *worker;
    Thread& me = w.threads[w.current];
    me.state = State::Barrier;
    me.file = file;
    me.line = line;
    me.value = value;
    if (w.done != 0) w.at_barrier = 0, w.at_barrier = UINT32_MAX;  // never released: reported once the others have stopped
    if (w.at_barrier != UINT32_MAX && ++w.at_barrier == w.count) {
        w.at_barrier = 0;
        uint64_t sum = 0;
        for (uint32_t i = 0; i < w.count; i++) {
            const Thread& t = w.threads[i];
            if (t.line != line || (t.file != file && strcmp(t.file, file) != 0))
                fail("divergent barrier: thread %u is at %s:%d, thread %u at %s:%d", w.current, file, line, i, t.file, t.line);
            sum += t.value;
        }
        for (uint32_t i = 0; i < w.count; i++) {
            w.threads[i].result = sum;
            w.make_ready(i);
        }
    }
    w.suspend();
    return uint32_t(me.result);
}

uint64_t warp(Warp kind, uint32_t mask, uint64_t value, int source, const char* file, int line) {
    Worker& w = *worker;
    uint32_t self = w.current, first = self & ~31u, lane = self & 31;
    const char* name = WARP_NAMES[size_t(kind)];
    if (!(mask >> lane & 1)) fail("%s of %s:%d: lane %u calls it with mask 0x%08x, which does not name it", name, file, line, lane, mask);
    uint32_t lanes = w.count - first >= 32 ? 0xffffffffu : (1u << (w.count - first)) - 1;
    if (mask & ~lanes) fail("%s of %s:%d: mask 0x%08x names lanes that the warp does not have (it has 0x%08x)", name, file, line, mask, lanes);
    if (kind == Warp::Shuffle && !(mask >> source & 1))
        fail("%s of %s:%d: lane %u reads lane %d, which mask 0x%08x does not name", name, file, line, lane, source, mask);
    Thread& me = w.threads[self];
    me.state = State::InWarp;
    me.kind = kind;
    me.mask = mask;
    me.value = value;
    me.source = source;
    me.file = file;
    me.line = line;
    auto& meetings = w.meetings[first / 32];
    size_t m = 0;
    while (m < meetings.size() && !(meetings[m].mask == mask && meetings[m].kind == kind && meetings[m].line == line && meetings[m].file == file)) m++;
    if (m == meetings.size()) meetings.push_back({mask, 0, kind, line, file});
    meetings[m].arrived |= 1u << lane;
    if (meetings[m].arrived == mask) {
        meetings[m] = meetings.back();
        meetings.pop_back();
        uint64_t all = 0;
        bool begun = false;
        for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
            uint32_t l = uint32_t(__builtin_ctz(rest));
            uint64_t v = w.threads[first + l].value;
            switch (kind) {
                case Warp::Ballot: case Warp::Any: case Warp::All: all |= v << l; break;
                case Warp::ReduceAdd: all += v; break;
                case Warp::ReduceMin: all = begun ? min(all, v) : v; break;
                case Warp::ReduceMax: all = max(all, v); break;
                case Warp::ReduceAnd: all = begun ? all & v : v; break;
                case Warp::ReduceOr: all |= v; break;
                case Warp::ReduceXor: all ^= v; break;
                default: break;
            }
            begun = true;
        }
        if (kind == Warp::Any) all = all != 0;
        if (kind == Warp::All) all = all == mask;
        for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
            uint32_t l = uint32_t(__builtin_ctz(rest));
            Thread& t = w.threads[first + l];
            t.result = all;
            if (kind == Warp::Shuffle) {
                t.result = w.threads[first + uint32_t(t.source)].value;
            } else if (kind == Warp::MatchAny) {
                t.result = 0;
                for (uint32_t r = mask; r != 0; r &= r - 1) {
                    uint32_t k = uint32_t(__builtin_ctz(r));
                    t.result |= uint64_t(w.threads[first + k].value == t.value) << k;
                }
            }
        }
        for (uint32_t rest = mask; rest != 0; rest &= rest - 1) w.make_ready(first + uint32_t(__builtin_ctz(rest)));
    }
    w.suspend();
    return me.result;
}

void* shared(const void* site, size_t bytes, size_t align, const char* name) {
    Worker& w = *worker;
    for (const Site& s : w.sites)
        if (s.key == site) return w.shared_base + s.offset;
    uint32_t from = w.sites.empty() ? 0 : w.static_end;
    uint32_t start = uint32_t((from + RED_ZONE + max(align, size_t(16)) - 1) / max(align, size_t(16)) * max(align, size_t(16)));
    w.static_bytes = uint32_t((w.static_bytes + align - 1) / align * align + bytes);
    if (w.static_bytes > Settings::shared_default)
        fail("%u bytes of static shared memory with array `%s`; at most %u", w.static_bytes, name, Settings::shared_default);
    if (w.static_bytes + w.launch->dynamic_bytes > settings.shared_optin())
        fail("%u bytes of static and %u of dynamic shared memory; the device has %u for a block", w.static_bytes, w.launch->dynamic_bytes,
             settings.shared_optin());
    w.sites.push_back({site, name, start, uint32_t(bytes)});
    w.static_end = uint32_t(start + bytes + RED_ZONE);
    memset(w.shared_base + from, CANARY, w.static_end - from);
    memset(w.shared_base + start, POISON, bytes);
    return w.shared_base + start;
}

void* dynamic_shared(size_t align) {
    Worker& w = *worker;
    if (align > 16) fail("DYN_SHARED of a type aligned to %zu bytes; the launch's shared memory is aligned to 16", align);
    if (w.launch->dynamic_bytes == 0) return w.shared_base + 2 * SHARED_CAPACITY;
    return w.dynamic;
}

const Launch* running() { return worker != nullptr ? worker->launch : nullptr; }

void describe_place(char* text, size_t bytes) {
    text[0] = 0;
    if (worker == nullptr) return;
    const Here& h = here;
    snprintf(text, bytes, "kernel %s, block (%u, %u, %u), thread (%u, %u, %u): ", worker->launch->kernel->name, h.block.x, h.block.y, h.block.z, h.thread.x, h.thread.y,
             h.thread.z);
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

void run_grid(const Launch& launch) {
    static std::unique_ptr<Worker> the_worker;
    if (!the_worker) {
        the_worker = std::make_unique<Worker>();
        auto base = static_cast<unsigned char*>(map_region(2 * SHARED_CAPACITY + 2 * PAGE));
        the_worker->shared_base = base + PAGE;
        if (mprotect(base + PAGE, 2 * SHARED_CAPACITY, PROT_READ | PROT_WRITE) != 0) {
            perror("stand-in: mprotect");
            abort();
        }
    }
    prepare_thread();
    Random random(launch.seed);
    uint64_t blocks = uint64_t(launch.grid.x) * launch.grid.y * launch.grid.z;
    std::vector<uint32_t> order(blocks);
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t j = random.below(i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (uint32_t b : order) {
        uint3 block = {b % launch.grid.x, b / launch.grid.x % launch.grid.y, b / launch.grid.x / launch.grid.y};
        the_worker->run_block(launch, block, launch.seed ^ (uint64_t(b) << 20));
    }
}

}  // namespace standin
