// What kernels see of CUDA when g++ compiles them for the CPU stand-in: the macros of common.cuh, built-in variables,
// vector types and intrinsics. Intrinsics that involve other threads go through the engine (fiber.cpp), which checks
// them; all others are computed here.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <type_traits>
#include <utility>

#define DEVICE inline __attribute__((always_inline))
#define LARGE inline __attribute__((noinline))
#define __device__
#define __host__
#define __constant__ static const
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __forceinline__ inline __attribute__((always_inline))

struct alignas(8) uint2 {
    uint32_t x, y;
};
struct uint3 {
    uint32_t x, y, z;
};
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};
struct alignas(8) int2 {
    int32_t x, y;
};
struct alignas(16) int4 {
    int32_t x, y, z, w;
};
struct alignas(4) uchar4 {
    uint8_t x, y, z, w;
};
struct alignas(16) ulonglong2 {
    unsigned long long x, y;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct dim3 {
    uint32_t x, y, z;
};

inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; }
inline uint3 make_uint3(uint32_t x, uint32_t y, uint32_t z) { return {x, y, z}; }
inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }
inline int2 make_int2(int32_t x, int32_t y) { return {x, y}; }
inline int4 make_int4(int32_t x, int32_t y, int32_t z, int32_t w) { return {x, y, z, w}; }
inline uchar4 make_uchar4(uint8_t x, uint8_t y, uint8_t z, uint8_t w) { return {x, y, z, w}; }
inline ulonglong2 make_ulonglong2(unsigned long long x, unsigned long long y) { return {x, y}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace standin {

/// Where the running device thread is. One per operating-system thread; rewritten whenever another fiber goes on.
struct Here {
    uint3 thread;
    uint3 block;
    dim3 block_dim;
    dim3 grid_dim;
    /// Index of the thread in its block, x fastest.
    uint32_t linear;
};
extern __thread Here here __attribute__((tls_model("initial-exec")));

enum class Warp : uint8_t {
    Sync,
    Shuffle,
    Ballot,
    Any,
    All,
    MatchAny,
    ReduceAdd,
    ReduceMin,
    ReduceMax,
    ReduceAnd,
    ReduceOr,
    ReduceXor
};

/// Waits for all threads of the block.
/// Returns the sum of `value` over the block.
uint32_t barrier(uint32_t value, const char* file, int line);
/// Waits for the lanes of `mask`; `source` is the lane whose value a shuffle returns. Returns what the intrinsic does.
uint64_t warp(Warp kind, uint32_t mask, uint64_t value, int source, const char* file, int line);
/// Storage of one SHARED array of the running block; `site` identifies the declaration.
void* shared(const void* site, size_t bytes, size_t align, const char* name);
/// The running block's dynamic shared memory.
void* dynamic_shared(size_t align);
/// Prints what is wrong and where, and aborts the process.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

inline uint32_t lane() { return here.linear & 31; }

/// How a parameter is laid out in a packed launch.
struct Parameter {
    uint32_t offset, size;
    /// Alignment of what a pointer points to; 0 for a parameter that is no pointer.
    uint32_t pointee_align;
};

/// One kernel that EXPORT made known.
struct Kernel {
    const char* name;
    const char* file;
    uint32_t max_threads;
    uint32_t num_parameters;
    uint32_t packed_bytes;
    const Parameter* parameters;
    /// Calls the kernel for the running thread.
    void (*invoke)(const void* function, const unsigned char* packed);
    const void* function;
};
void add_kernel(const Kernel& kernel);

template <class T>
constexpr uint32_t pointee_align() {
    if constexpr (std::is_pointer_v<T>) {
        using Pointee = std::remove_pointer_t<T>;
        if constexpr (std::is_void_v<Pointee>) return 1;
        else return alignof(Pointee);
    } else {
        return 0;
    }
}

template <class... Args>
struct Layout {
    static constexpr size_t count = sizeof...(Args);
    Parameter parameters[count + 1] = {};
    uint32_t bytes = 0;
    constexpr Layout() {
        size_t i = 0;
        (add<Args>(i++), ...);
    }
    template <class T>
    constexpr void add(size_t i) {
        bytes = (bytes + alignof(T) - 1) / alignof(T) * alignof(T);
        parameters[i] = {bytes, sizeof(T), pointee_align<T>()};
        bytes += sizeof(T);
    }
};
template <class... Args>
inline constexpr Layout<Args...> layout{};

template <class T>
T parameter(const unsigned char* at) {
    static_assert(std::is_trivially_copyable_v<T>, "kernel parameters are scalars, pointers and plain structs");
    T value;
    memcpy(&value, at, sizeof(T));
    return value;
}

template <class... Args, size_t... I>
void invoke(void (*function)(Args...), const unsigned char* packed, std::index_sequence<I...>) {
    function(parameter<Args>(packed + layout<Args...>.parameters[I].offset)...);
}

struct Registrar {
    template <class... Args>
    Registrar(const char* name, const char* file, uint32_t max_threads, void (*function)(Args...)) {
        add_kernel({name, file, max_threads, sizeof...(Args), layout<Args...>.bytes, layout<Args...>.parameters,
                    [](const void* f, const unsigned char* packed) {
                        invoke((void (*)(Args...))f, packed, std::index_sequence_for<Args...>{});
                    },
                    (const void*)function});
    }
};

/// Checks that an intrinsic's address is aligned, as hardware demands of every access.
template <class T>
inline void check_address(const T* p, const char* what) {
    if (__builtin_expect(uintptr_t(p) % alignof(T) != 0, 0))
        fail("%s of %zu bytes at misaligned address %p", what, sizeof(T), (const void*)p);
}

template <class T>
inline uint64_t bits(T value) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "warp intrinsics take values of 4 or 8 bytes");
    uint64_t out = 0;
    memcpy(&out, &value, sizeof(T));
    return out;
}
template <class T>
inline T from_bits(uint64_t value) {
    T out;
    memcpy(&out, &value, sizeof(T));
    return out;
}

}  // namespace standin

#define KERNEL(...) extern "C" void
#define EXPORT(name, threads) static const standin::Registrar register_##name(#name, __FILE__, threads, name);
#define SHARED(type, name, count)              \
    static const char name##_site_ = 0;        \
    auto& name = *static_cast<type(*)[count]>( \
        standin::shared(&name##_site_, sizeof(type) * size_t(count), alignof(type), #name))
#define DYN_SHARED(type, name) type* name = static_cast<type*>(standin::dynamic_shared(alignof(type)))

#define threadIdx (standin::here.thread)
#define blockIdx (standin::here.block)
#define blockDim (standin::here.block_dim)
#define gridDim (standin::here.grid_dim)
static const int warpSize = 32;

#define STANDIN_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

// Barriers.
inline void __syncthreads(STANDIN_SITE) { standin::barrier(0, file, line); }
inline int __syncthreads_count(int predicate, STANDIN_SITE) {
    return int(standin::barrier(predicate != 0, file, line));
}
inline int __syncthreads_or(int predicate, STANDIN_SITE) { return standin::barrier(predicate != 0, file, line) != 0; }
inline int __syncthreads_and(int predicate, STANDIN_SITE) { return standin::barrier(predicate == 0, file, line) == 0; }
inline void __syncwarp(uint32_t mask = 0xffffffffu, STANDIN_SITE) {
    standin::warp(standin::Warp::Sync, mask, 0, 0, file, line);
}
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_ACQ_REL); }
inline void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// Shuffles.
template <class T>
inline T __shfl_sync(uint32_t mask, T value, int source, int width = 32, STANDIN_SITE) {
    int lane = int(standin::lane());
    int from = (lane & ~(width - 1)) | (source & (width - 1));
    return standin::from_bits<T>(standin::warp(standin::Warp::Shuffle, mask, standin::bits(value), from, file, line));
}
template <class T>
inline T __shfl_up_sync(uint32_t mask, T value, uint32_t delta, int width = 32, STANDIN_SITE) {
    int lane = int(standin::lane());
    int from = uint32_t(lane & (width - 1)) < delta ? lane : lane - int(delta);
    return standin::from_bits<T>(standin::warp(standin::Warp::Shuffle, mask, standin::bits(value), from, file, line));
}
template <class T>
inline T __shfl_down_sync(uint32_t mask, T value, uint32_t delta, int width = 32, STANDIN_SITE) {
    int lane = int(standin::lane());
    int from = uint64_t(lane & (width - 1)) + delta >= uint32_t(width) ? lane : lane + int(delta);
    return standin::from_bits<T>(standin::warp(standin::Warp::Shuffle, mask, standin::bits(value), from, file, line));
}
template <class T>
inline T __shfl_xor_sync(uint32_t mask, T value, int lane_mask, int width = 32, STANDIN_SITE) {
    int lane = int(standin::lane());
    int from = lane ^ lane_mask;
    if (from >= (lane & ~(width - 1)) + width) from = lane;
    return standin::from_bits<T>(standin::warp(standin::Warp::Shuffle, mask, standin::bits(value), from, file, line));
}

// Votes, matches and reductions.
inline uint32_t __ballot_sync(uint32_t mask, int predicate, STANDIN_SITE) {
    return uint32_t(standin::warp(standin::Warp::Ballot, mask, predicate != 0, 0, file, line));
}
inline int __any_sync(uint32_t mask, int predicate, STANDIN_SITE) {
    return int(standin::warp(standin::Warp::Any, mask, predicate != 0, 0, file, line));
}
inline int __all_sync(uint32_t mask, int predicate, STANDIN_SITE) {
    return int(standin::warp(standin::Warp::All, mask, predicate != 0, 0, file, line));
}
template <class T>
inline uint32_t __match_any_sync(uint32_t mask, T value, STANDIN_SITE) {
    return uint32_t(standin::warp(standin::Warp::MatchAny, mask, standin::bits(value), 0, file, line));
}
#define STANDIN_REDUCE(name, kind)                                                       \
    inline uint32_t name(uint32_t mask, uint32_t value, STANDIN_SITE) {                  \
        return uint32_t(standin::warp(standin::Warp::kind, mask, value, 0, file, line)); \
    }
STANDIN_REDUCE(__reduce_add_sync, ReduceAdd)
STANDIN_REDUCE(__reduce_min_sync, ReduceMin)
STANDIN_REDUCE(__reduce_max_sync, ReduceMax)
STANDIN_REDUCE(__reduce_and_sync, ReduceAnd)
STANDIN_REDUCE(__reduce_or_sync, ReduceOr)
STANDIN_REDUCE(__reduce_xor_sync, ReduceXor)
#undef STANDIN_REDUCE

// Atomics: on int, uint32_t and 64-bit unsigned words. Each returns the old value.
template <class T>
struct standin_same {
    using type = T;
};
template <class T>
using standin_same_t = typename standin_same<T>::type;
#define STANDIN_ATOMIC(name, builtin)                     \
    template <class T>                                    \
    inline T name(T* address, standin_same_t<T> value) {  \
        standin::check_address(address, #name);           \
        return builtin(address, value, __ATOMIC_RELAXED); \
    }
STANDIN_ATOMIC(atomicAdd, __atomic_fetch_add)
STANDIN_ATOMIC(atomicSub, __atomic_fetch_sub)
STANDIN_ATOMIC(atomicOr, __atomic_fetch_or)
STANDIN_ATOMIC(atomicAnd, __atomic_fetch_and)
STANDIN_ATOMIC(atomicXor, __atomic_fetch_xor)
STANDIN_ATOMIC(atomicExch, __atomic_exchange_n)
#undef STANDIN_ATOMIC
template <class T>
inline T atomicCAS(T* address, standin_same_t<T> compare, standin_same_t<T> value) {
    standin::check_address(address, "atomicCAS");
    __atomic_compare_exchange_n(address, &compare, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return compare;
}
template <class T>
inline T atomicMin(T* address, standin_same_t<T> value) {
    T old = __atomic_load_n(address, __ATOMIC_RELAXED);
    while (value < old) {
        T seen = atomicCAS(address, old, value);
        if (seen == old) break;
        old = seen;
    }
    return old;
}
template <class T>
inline T atomicMax(T* address, standin_same_t<T> value) {
    T old = __atomic_load_n(address, __ATOMIC_RELAXED);
    while (old < value) {
        T seen = atomicCAS(address, old, value);
        if (seen == old) break;
        old = seen;
    }
    return old;
}

// Integer intrinsics.
inline int __popc(uint32_t x) { return __builtin_popcount(x); }
inline int __popcll(uint64_t x) { return __builtin_popcountll(x); }
inline int __clz(uint32_t x) { return x == 0 ? 32 : __builtin_clz(x); }
inline int __clzll(uint64_t x) { return x == 0 ? 64 : __builtin_clzll(x); }
inline int __ffs(uint32_t x) { return __builtin_ffs(int(x)); }
inline int __ffsll(uint64_t x) { return __builtin_ffsll((long long)x); }
inline uint32_t __brev(uint32_t x) {
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(x);
}
inline uint64_t __brevll(uint64_t x) { return uint64_t(__brev(uint32_t(x))) << 32 | __brev(uint32_t(x >> 32)); }
inline uint32_t __umulhi(uint32_t a, uint32_t b) { return uint32_t(uint64_t(a) * b >> 32); }
inline uint64_t __umul64hi(uint64_t a, uint64_t b) { return uint64_t((unsigned __int128)a * b >> 64); }
inline int32_t __mulhi(int32_t a, int32_t b) { return int32_t(int64_t(a) * b >> 32); }
inline int64_t __mul64hi(int64_t a, int64_t b) { return int64_t((__int128)a * b >> 64); }
inline uint32_t __funnelshift_l(uint32_t low, uint32_t high, uint32_t shift) {
    return uint32_t((uint64_t(high) << 32 | low) << (shift & 31) >> 32);
}
inline uint32_t __funnelshift_r(uint32_t low, uint32_t high, uint32_t shift) {
    return uint32_t((uint64_t(high) << 32 | low) >> (shift & 31));
}
inline uint32_t __byte_perm(uint32_t a, uint32_t b, uint32_t selector) {
    uint64_t both = uint64_t(b) << 32 | a;
    uint32_t out = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t nibble = selector >> (4 * i) & 0xf;
        uint32_t byte = uint32_t(both >> (8 * (nibble & 7))) & 0xff;
        if (nibble & 8) byte = byte & 0x80 ? 0xff : 0;
        out |= byte << (8 * i);
    }
    return out;
}
inline long long clock64() { return 0; }

// Loads and stores with a cache hint.
#define STANDIN_LOAD(name)                           \
    template <class T>                               \
    inline std::remove_const_t<T> name(T* address) { \
        standin::check_address(address, #name);      \
        return *address;                             \
    }
STANDIN_LOAD(__ldg)
STANDIN_LOAD(__ldcs)
STANDIN_LOAD(__ldca)
STANDIN_LOAD(__ldlu)
#undef STANDIN_LOAD
// Words that others may write meanwhile are read past the first-level cache: volatile here, so that no race is
// reported.
#define STANDIN_LOAD_SHARED(name)                                                               \
    template <class T>                                                                          \
    inline std::remove_const_t<T> name(T* address) {                                            \
        standin::check_address(address, #name);                                                 \
        if constexpr (std::is_arithmetic_v<T>) return *static_cast<volatile const T*>(address); \
        else return *address;                                                                   \
    }
STANDIN_LOAD_SHARED(__ldcg)
STANDIN_LOAD_SHARED(__ldcv)
#undef STANDIN_LOAD_SHARED
#define STANDIN_STORE(name)                                 \
    template <class T>                                      \
    inline void name(T* address, standin_same_t<T> value) { \
        standin::check_address(address, #name);             \
        *address = value;                                   \
    }
STANDIN_STORE(__stcs)
STANDIN_STORE(__stcg)
STANDIN_STORE(__stwb)
STANDIN_STORE(__stwt)
#undef STANDIN_STORE

// The overloads of min and max that CUDA has.
#define STANDIN_MINMAX(A, B, R)                                                               \
    constexpr R min(A a, B b) {                                                               \
        return static_cast<R>(a) < static_cast<R>(b) ? static_cast<R>(a) : static_cast<R>(b); \
    }                                                                                         \
    constexpr R max(A a, B b) { return static_cast<R>(a) < static_cast<R>(b) ? static_cast<R>(b) : static_cast<R>(a); }
STANDIN_MINMAX(int, int, int)
STANDIN_MINMAX(unsigned, unsigned, unsigned)
STANDIN_MINMAX(int, unsigned, unsigned)
STANDIN_MINMAX(unsigned, int, unsigned)
STANDIN_MINMAX(long, long, long)
STANDIN_MINMAX(unsigned long, unsigned long, unsigned long)
STANDIN_MINMAX(long, unsigned long, unsigned long)
STANDIN_MINMAX(unsigned long, long, unsigned long)
STANDIN_MINMAX(long long, long long, long long)
STANDIN_MINMAX(unsigned long long, unsigned long long, unsigned long long)
STANDIN_MINMAX(float, float, float)
STANDIN_MINMAX(double, double, double)
#undef STANDIN_MINMAX
