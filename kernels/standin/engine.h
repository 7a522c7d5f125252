// The stand-in's inside: what its source files share. Kernels never see this header.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "shim.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define STANDIN_ASAN 1
#else
#define STANDIN_ASAN 0
#endif

#define STANDIN_API extern "C" __attribute__((visibility("default")))

namespace standin {

/// The CUresult values that the stand-in returns, as cuda.h numbers them.
enum Result : int {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    DEVICE_UNAVAILABLE = 46,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    LAUNCH_OUT_OF_RESOURCES = 701,
    LAUNCH_FAILED = 719,
    NOT_SUPPORTED = 801,
    UNKNOWN = 999,
};

/// Every entry point holds it: one thread at a time is inside the stand-in.
extern std::recursive_mutex the_lock;

/// What the environment and the rewit_standin_* functions set.
struct Settings {
    /// Compute capability, 10 * major + minor.
    int capability;
    /// Bytes of device memory.
    uint64_t memory;
    /// Seed of every random order.
    uint64_t seed;
    /// Operating-system threads that run blocks.
    int threads;
    /// The allocation, counted from 1, that fails; 0 for none.
    uint64_t fail_allocation;
    /// The kernel whose next launch fails; empty for none.
    std::string fail_kernel;
    bool device_lost;
    bool no_device;
    /// File that receives the names of the kernels that ran; empty for none.
    std::string log;
    /// Seconds that one launch may take; 0 for any.
    uint64_t timeout;

    /// Shared memory of one block without, and with, opting in.
    static constexpr uint32_t shared_default = 48 * 1024;
    uint32_t shared_optin() const;
};
extern Settings settings;

/// Has AddressSanitizer, where it is built in, report accesses to a range; or no longer.
inline void forbid(void* from, size_t bytes) {
#if STANDIN_ASAN
    ASAN_POISON_MEMORY_REGION(from, bytes);
#else
    (void)from, (void)bytes;
#endif
}
inline void allow(void* from, size_t bytes) {
#if STANDIN_ASAN
    ASAN_UNPOISON_MEMORY_REGION(from, bytes);
#else
    (void)from, (void)bytes;
#endif
}

/// xorshift64*: the random order of blocks, threads and streams.
struct Random {
    uint64_t state;
    explicit Random(uint64_t seed) : state(mix(seed)) {}
    static uint64_t mix(uint64_t x) {
        x += 0x9e3779b97f4a7c15u;
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
        x = (x ^ x >> 27) * 0x94d049bb133111ebu;
        return (x ^ x >> 31) | 1;
    }
    uint32_t next() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return uint32_t(state * 0x2545f4914f6cdd1du >> 32);
    }
    /// Below `bound`, which is not 0.
    uint32_t below(uint32_t bound) { return uint32_t(uint64_t(next()) * bound >> 32); }
};

/// One kernel launch as the engine runs it.
struct Launch {
    const Kernel* kernel;
    dim3 grid, block;
    uint32_t dynamic_bytes;
    std::vector<unsigned char> packed;
    uint64_t seed;
};

// fiber.cpp
/// Runs every block of a launch.
void run_grid(const Launch& launch);
/// The launch that this operating-system thread is running, or null.
const Launch* running();
/// "kernel K, block (x, y, z), thread (x, y, z)" of the running thread, or "" outside kernels.
void describe_place(char* text, size_t bytes);
/// Whether `address` lies beside a fiber's stack, or beside the running block's shared memory.
bool in_stack_guard(uintptr_t address);
bool in_shared_guard(uintptr_t address);

/// Where shared memory lies.
void shared_arena(uintptr_t* address, size_t* bytes);

// races.cpp
#if defined(REWIT_STANDIN_RACES)
#define STANDIN_RACES 1
/// What the engine tells: a launch begins, a block begins, a thread is about to wait, all threads met, lanes met.
void races_launch(uint64_t num_blocks);
void races_block(uint32_t block);
void races_suspend();
void races_barrier();
void races_syncwarp(uint32_t warp, uint32_t mask);
/// The allocation at `base` is gone.
void races_forget(uint64_t base);
#else
#define STANDIN_RACES 0
inline void races_launch(uint64_t) {}
inline void races_block(uint32_t) {}
inline void races_suspend() {}
inline void races_barrier() {}
inline void races_syncwarp(uint32_t, uint32_t) {}
inline void races_forget(uint64_t) {}
#endif

// registry
const std::vector<Kernel>& kernels();

// memory.cpp
/// Reserves and poisons device memory. 0 bytes are an error.
Result allocate(uint64_t* address, uint64_t bytes);
/// The part of freeing that takes effect at the call: the memory counts as free.
Result release(uint64_t address);
/// The part of freeing that takes effect in stream order: later accesses fault.
void retire(uint64_t address);
/// Whether all of [address, address + bytes) lies in one allocation that is not retired.
bool is_allocated(uint64_t address, uint64_t bytes);
/// The allocation that holds `address`.
bool find_allocation(uint64_t address, uint64_t* base, uint64_t* bytes);
/// Aborts if a canary beside an allocation changed; `after` names what ran.
void check_canaries(const char* after);
/// Writes which allocation `address` belongs to, or is near to.
void describe_address(uint64_t address, char* text, size_t bytes);
/// Frees everything: the context is gone.
void retire_all();
/// Bytes that are mapped: allocated, or freed in a queue that has not run.
uint64_t memory_mapped();

// stream.cpp
/// Runs everything that is queued.
void drain_all();
/// Queues a launch whose parameters are packed and whose shape is checked.
Result queue_launch(Launch launch, void* stream);
/// Forgets what is queued.
void drop_queues();
/// Forgets streams and events too: the context is gone.
void drop_streams();
/// Prints why a call is refused, and returns `result`.
Result refuse(Result result, const std::string& why);
/// The error that a kernel left behind, or SUCCESS; every call returns it.
extern Result sticky;

// fault.cpp
void install_fault_handler();
/// Gives this operating-system thread a signal stack, once.
void prepare_thread();
/// Between construction and destruction the process may take no longer than the time limit.
struct Watch {
    explicit Watch(const Launch& launch);
    ~Watch();
};

// device.cpp
/// What an entry point returns before anything else: SUCCESS if the call may go on.
Result usable();

}  // namespace standin
