// What the stand-in must run.
#include <set>
#include <string>

#include "driver.h"

namespace {

void parameters() {
    Driver d;
    uint64_t in = d.upload({1, 2, 3, 4, 5, 6, 7, 8}), out = d.words(16);
    struct {
        uint32_t a, b;
    } pair = {10, 3};
    uint8_t flag = 7;
    uint64_t offset = uint64_t(1) << 40;
    OK(d.launch("probe_affine", 2, 4, 0, nullptr, in, out, pair, flag, offset, 0.5f));
    auto got = d.download(out, 16);
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t v;
        memcpy(&v, &got[2 * i], 8);
        SAME(v, offset + 10 * (i + 1) + 3);
    }
    const size_t offsets[] = {0, 8, 16, 24, 32, 40}, sizes[] = {8, 8, 8, 1, 8, 4};
    for (size_t i = 0; i < 6; i++) {
        size_t at = 0, bytes = 0;
        OK(cuFuncGetParamInfo(d.function("probe_affine"), i, &at, &bytes));
        SAME(at, offsets[i]);
        SAME(bytes, sizes[i]);
    }
    SAME(cuFuncGetParamInfo(d.function("probe_affine"), 6, nullptr, nullptr), 1);
}

void barrier() {
    Driver d;
    // One thread, less than a warp, a warp and one, the most there may be; more than one block.
    for (uint32_t threads : {1u, 7u, 33u, 256u, 1024u}) {
        std::vector<uint32_t> data(threads * 3);
        for (uint32_t i = 0; i < data.size(); i++) data[i] = i;
        uint64_t on_device = d.upload(data);
        d.run("probe_reverse", 3, threads, on_device);
        auto got = d.download(on_device, data.size());
        for (uint32_t i = 0; i < got.size(); i++) SAME(got[i], i / threads * threads + threads - 1 - i % threads);
        OK(cuMemFree_v2(on_device));
    }
}

void sites() {
    Driver d;
    uint64_t out = d.words(32);
    d.run("probe_sites", 1, 32, out);
    auto got = d.download(out, 32);
    for (uint32_t i = 0; i < 32; i++) SAME(got[i], 3 * (31 - i) + 300);
}

void warp() {
    Driver d;
    uint64_t out = d.words(14 * 64);
    d.run("probe_warp", 1, 64, out);
    auto got = d.download(out, 14 * 64);
    for (uint32_t t = 0; t < 64; t++) {
        auto f = [](uint32_t i) { return i * i + 3; };
        uint32_t w = t & 32, l = t & 31, sum = 0, mask = 0, third = 0;
        for (uint32_t k = 0; k < 32; k++) {
            sum += f(w + k);
            mask |= uint32_t(f(w + k) % 5 == f(t) % 5) << k;
            third |= uint32_t((w + k) % 3 == 0) << k;
        }
        uint32_t half = 0;
        for (uint32_t k = 0; k < 16; k++) half += f(w + k);
        const uint32_t expected[14] = {f(w + 5),
                                       f(l < 3 ? t : t - 3),
                                       f(l + 7 > 31 ? t : t + 7),
                                       f(t ^ 9),
                                       f((t & ~7u) + 2),
                                       third,
                                       w != 0,
                                       w == 0,
                                       mask,
                                       sum,
                                       f(t ^ 1),
                                       l < 16 ? half : f(t) + f(t ^ 1),
                                       f(w) + f(w + 31),
                                       32 + 100};
        for (uint32_t k = 0; k < 14; k++) {
            if (got[k * 64 + t] != expected[k]) fprintf(stderr, "intrinsic %u, thread %u\n", k, t);
            SAME(got[k * 64 + t], expected[k]);
        }
    }
}

void atomics() {
    Driver d;
    const uint32_t n = 9 * 128;
    uint64_t words = d.upload({0, 0, 0xffffffff, 0, 0, 0xffffffff, 0, 0, 0}), wide = d.upload({0, 0, 0, 0});
    d.run("probe_atomics", 9, 128, words, wide);
    auto got = d.download(words, 9);
    const uint32_t expected[9] = {n, 0u - n, 0, n - 1, 0xffffffff, 0, 0, 2 * n, 77};
    for (uint32_t i = 0; i < 9; i++) SAME(got[i], expected[i]);
    uint64_t sums[2];
    OK(cuMemcpyDtoH_v2(sums, wide, 16));
    SAME(sums[0], uint64_t(n) * (n - 1) / 2);
    SAME(sums[1], uint64_t(n - 1) << 33);
}

void integers() {
    Driver d;
    uint64_t in = d.upload({0x80012340, 0xdeadbeef, 33, 44}), out = d.words(16);
    d.run("probe_integers", 1, 1, in, out);
    auto got = d.download(out, 16);
    const uint32_t expected[16] = {6,          0, 7,  0x02c48001, 0x6f57f30a, 0x10a8f68a, 0xadbeef80, 0xef800123,
                                   0xdebe8023, 0, 32, 8,          44,         33,         0xdeadbeef, 0x80012340};
    for (uint32_t i = 0; i < 16; i++) {
        // The high products are computed here in 64 bits.
        uint32_t want = expected[i];
        if (i == 4) want = uint32_t(uint64_t(0x80012340u) * 0xdeadbeefu >> 32);
        if (i == 5) want = uint32_t(int64_t(int32_t(0x80012340u)) * int32_t(0xdeadbeefu) >> 32);
        if (i == 9) want = uint32_t(uint64_t(0x80012340u) * 0xdeadbeefu);
        SAME(got[i], want);
    }
}

void poison() {
    Driver d;
    uint64_t out = d.words(8);
    for (uint32_t w : d.download(out, 8)) SAME(w, 0xa5a5a5a5u);
    OK(d.launch("probe_poison", 4, 32, 32, nullptr, out));
    for (uint32_t w : d.download(out, 8)) SAME(w, 0xa5a5a5a5u);
}

void shared_limits() {
    Driver d;
    uint64_t out = d.words(1);
    int optin = 0;
    OK(cuDeviceGetAttribute(&optin, 97, 0));
    SAME(optin, 64 * 1024);
    uint32_t words = 12 * 1024;
    OK(d.launch("probe_dynamic", 1, 32, words * 4, nullptr, out, words));
    SAME(d.launch("probe_dynamic", 1, 32, words * 4 + 4, nullptr, out, words), 1);
    OK(cuFuncSetAttribute(d.function("probe_dynamic"), 8, optin));
    words = uint32_t(optin) / 4;
    OK(d.launch("probe_dynamic", 1, 32, words * 4, nullptr, out, words));
    SAME(d.download(out, 1)[0], words - 1);
    SAME(d.launch("probe_dynamic", 1, 32, words * 4 + 4, nullptr, out, words), 1);
    SAME(cuFuncSetAttribute(d.function("probe_dynamic"), 8, optin + 1), 1);
}

void capability() {
    Driver d;
    int value = 0;
    OK(cuDeviceGetAttribute(&value, 97, 0));
    SAME(value, 227 * 1024);
    OK(cuDeviceGetAttribute(&value, 75, 0));
    SAME(value, 9);
    char name[64];
    OK(cuDeviceGetName(name, 64, 0));
    SAME(strcmp(name, "CPU stand-in for CUDA (no GPU)"), 0);
}

void launch_shapes() {
    Driver d;
    uint64_t out = d.words(1 << 12);
    SAME(d.launch("probe_order", 1, 65, 0, nullptr, out, out), 701);
    SAME(d.launch("probe_reverse", 1, 1025, 0, nullptr, out), 1);
    SAME(d.launch("probe_reverse", 0, 32, 0, nullptr, out), 1);
    SAME(d.launch("probe_reverse", 0x80000000u, 32, 0, nullptr, out), 1);
    void* parameters[] = {&out, nullptr};
    SAME(cuLaunchKernel(d.function("probe_reverse"), 1, 65536, 1, 32, 1, 1, 0, nullptr, parameters, nullptr), 1);
    SAME(cuLaunchCooperativeKernel(d.function("probe_reverse"), 1, 1, 1, 32, 1, 1, 0, nullptr, parameters), 801);
    void* f = nullptr;
    SAME(cuModuleGetFunction(&f, d.module, "probe_nothing"), 500);
    void* other = nullptr;
    SAME(cuModuleLoadData(&other, "nothing"), 200);
}

/// The order in which the threads of `blocks` blocks begin.
std::vector<uint32_t> order(uint64_t seed, uint32_t blocks) {
    Driver d;
    rewit_standin_set_seed(seed);
    uint64_t ticket = d.upload({0}), out = d.words(64 * blocks);
    d.run("probe_order", blocks, 64, ticket, out);
    return d.download(out, 64 * blocks);
}

void random_order() {
    std::set<std::vector<uint32_t>> thread_orders, block_orders;
    for (uint64_t seed = 0; seed < 8; seed++) {
        thread_orders.insert(order(seed, 1));
        std::vector<uint32_t> blocks;
        auto all = order(seed, 8);
        SAME(std::set<uint32_t>(all.begin(), all.end()).size(), 512);
        for (uint32_t i = 0; i < 512; i += 64) blocks.push_back(all[i] / 64);
        block_orders.insert(blocks);
    }
    SAME(thread_orders.size(), 8);
    SAME(block_orders.size(), 8);
}

void tickets() {
    Driver d;
    uint64_t ticket = d.upload({0}), out = d.words(40 * 64);
    d.run("probe_ticket", 40, 64, ticket, out);
    auto got = d.download(out, 40 * 64);
    for (uint32_t i = 0; i < got.size(); i++) SAME(got[i], i / 64);
}

void nothing_before_synchronise() {
    Driver d;
    uint64_t a = d.upload({1, 2});
    void* stream = nullptr;
    OK(cuStreamCreate(&stream, 1));
    uint32_t host[2] = {5, 6};
    OK(cuMemcpyHtoDAsync_v2(a, host, 8, stream));
    // What the buffer holds when the copy runs is copied.
    host[1] = 7;
    uint32_t back[2] = {0, 0};
    OK(cuMemcpyDtoHAsync_v2(back, a, 8, stream));
    SAME(back[1], 0);
    OK(cuStreamSynchronize(stream));
    SAME(back[0], 5);
    SAME(back[1], 7);
    OK(cuMemcpyDtoHAsync_v2(back, a, 8, stream));
    int r, queries = 0;
    while ((r = cuStreamQuery(stream)) == 600) queries++;
    SAME(r, 0);
    SAME(queries, 1);
    OK(cuStreamDestroy_v2(stream));
}

/// 3 (3 x + 1) + 2 or 3 (3 x + 2) + 1: which of two launches on two streams came first.
uint32_t race(Driver& d, uint64_t seed, bool ordered) {
    rewit_standin_set_seed(seed);
    uint64_t x = d.upload({0});
    void *a = nullptr, *b = nullptr, *event = nullptr;
    OK(cuStreamCreate(&a, 1));
    OK(cuStreamCreate(&b, 1));
    OK(cuEventCreate(&event, 0));
    uint32_t one = 1, two = 2;
    OK(d.launch("probe_add", 1, 64, 0, a, x, one));
    OK(cuEventRecord(event, a));
    if (ordered) OK(cuStreamWaitEvent(b, event, 0));
    OK(d.launch("probe_add", 1, 64, 0, b, x, two));
    OK(cuCtxSynchronize());
    return d.download(x, 1)[0];
}

void streams_and_events() {
    Driver d;
    std::set<uint32_t> free_results, ordered_results;
    for (uint64_t seed = 0; seed < 20; seed++) {
        free_results.insert(race(d, seed, false));
        ordered_results.insert(race(d, seed, true));
    }
    SAME(free_results.size(), 2);
    SAME(ordered_results.size(), 1);
    SAME(*ordered_results.begin(), 5);
}

void legacy_stream() {
    Driver d;
    for (uint64_t seed = 0; seed < 20; seed++) {
        rewit_standin_set_seed(seed);
        uint64_t x = d.upload({0});
        void* blocking = nullptr;
        OK(cuStreamCreate(&blocking, 0));
        uint32_t one = 1, two = 2, three = 3;
        OK(d.launch("probe_add", 1, 64, 0, blocking, x, one));
        OK(d.launch("probe_add", 1, 64, 0, nullptr, x, two));
        OK(d.launch("probe_add", 1, 64, 0, blocking, x, three));
        OK(cuCtxSynchronize());
        SAME(d.download(x, 1)[0], (1 * 3 + 2) * 3 + 3);
    }
}

void events() {
    Driver d;
    void *stream = nullptr, *from = nullptr, *to = nullptr;
    OK(cuStreamCreate(&stream, 1));
    OK(cuEventCreate(&from, 0));
    OK(cuEventCreate(&to, 0));
    float ms = -1;
    SAME(cuEventElapsedTime(&ms, from, to), 400);
    OK(cuEventRecord(from, stream));
    OK(cuEventRecord(to, stream));
    SAME(cuEventElapsedTime(&ms, from, to), 600);
    SAME(cuEventQuery(to), 600);
    OK(cuEventSynchronize(to));
    OK(cuEventQuery(to));
    OK(cuEventElapsedTime(&ms, from, to));
    SAME(ms >= 0, true);
}

void out_of_memory() {
    Driver d;
    uint64_t a = 0, b = 0;
    SAME(rewit_standin_live_allocations(), 0);
    OK(cuMemAlloc_v2(&a, 700000));
    SAME(cuMemAllocAsync(&b, 700000, nullptr), 2);
    OK(cuMemFreeAsync(a, nullptr));
    // Freed in the stream's order: the next allocation may have it.
    OK(cuMemAllocAsync(&b, 700000, nullptr));
    size_t free_bytes = 0, total = 0;
    OK(cuMemGetInfo_v2(&free_bytes, &total));
    SAME(total, 1000000);
    SAME(rewit_standin_used(), 700160);
    SAME(free_bytes, total - 700160);
    OK(cuMemFree_v2(b));
    SAME(cuMemFree_v2(b), 1);
    SAME(cuMemFreeAsync(a, nullptr), 1);
    rewit_standin_fail_allocation(2);
    OK(cuMemAlloc_v2(&a, 4));
    SAME(cuMemAlloc_v2(&b, 4), 2);
    OK(cuMemAlloc_v2(&b, 4));
    SAME(rewit_standin_live_allocations(), 2);
}

void failed_kernel() {
    Driver d;
    uint64_t x = d.upload({0});
    uint32_t one = 1;
    rewit_standin_fail_kernel("probe_add");
    OK(d.launch("probe_add", 1, 64, 0, nullptr, x, one));
    SAME(cuCtxSynchronize(), 719);
    // The error stays until the context goes, and takes the memory with it.
    uint64_t y = 0;
    SAME(cuMemAlloc_v2(&y, 4), 719);
    SAME(cuMemFree_v2(x), 719);
    OK(cuDevicePrimaryCtxReset_v2(0));
    SAME(rewit_standin_live_allocations(), 0);
    Driver again;
    OK(cuMemAlloc_v2(&y, 4));
}

void lost_device() {
    Driver d;
    rewit_standin_lose_device(1);
    SAME(cuCtxSynchronize(), 46);
    uint64_t x = 0;
    SAME(cuMemAlloc_v2(&x, 4), 46);
    rewit_standin_recover();
    OK(cuMemAlloc_v2(&x, 4));
}

void no_device() {
    SAME(cuInit(0), 100);
    const char* name = nullptr;
    OK(cuGetErrorName(100, &name));
    SAME(strcmp(name, "CUDA_ERROR_NO_DEVICE"), 0);
}

void no_context() {
    uint64_t x = 0;
    SAME(cuMemAlloc_v2(&x, 4), 3);
    OK(cuInit(0));
    SAME(cuMemAlloc_v2(&x, 4), 201);
}

void pinned() {
    Driver d;
    void* host = nullptr;
    OK(cuMemHostAlloc(&host, 64, 0));
    SAME(static_cast<uint32_t*>(host)[3], 0xa5a5a5a5u);
    uint64_t x = d.upload({1, 2, 3});
    OK(cuMemcpyDtoHAsync_v2(host, x, 12, nullptr));
    OK(cuCtxSynchronize());
    SAME(static_cast<uint32_t*>(host)[2], 3);
    OK(cuMemFreeHost(host));
    SAME(cuMemFreeHost(host), 1);
}

/// What a context leaves is freed with it, and can be counted before.
void leaks() {
    {
        Driver d;
        d.words(10);
        d.words(10);
        SAME(rewit_standin_live_allocations(), 2);
    }
    SAME(rewit_standin_live_allocations(), 0);
    uint64_t x = 0;
    SAME(cuMemAlloc_v2(&x, 4), 201);
}

void copy_bounds() {
    Driver d;
    uint64_t x = d.words(100);
    std::vector<uint32_t> host(200);
    SAME(cuMemcpyHtoD_v2(x, host.data(), 404), 1);
    SAME(cuMemcpyDtoH_v2(host.data(), x + 396, 8), 1);
    SAME(cuMemsetD32Async(x, 0, 101, nullptr), 1);
    SAME(cuMemcpyDtoDAsync_v2(x, uint64_t(host.data()), 4, nullptr), 1);
    SAME(cuMemsetD32Async(x + 2, 0, 1, nullptr), 1);
}

}  // namespace

const std::vector<Case> WORKS = {
    {"parameters", parameters, nullptr},
    {"barrier", barrier, nullptr},
    {"sites", sites, nullptr},
    {"warp", warp, nullptr},
    {"warp_three_workers", warp, nullptr, "REWIT_STANDIN_THREADS=3"},
    {"atomics", atomics, nullptr},
    {"atomics_three_workers", atomics, nullptr, "REWIT_STANDIN_THREADS=3"},
    {"integers", integers, nullptr},
    {"poison", poison, nullptr},
    {"shared_limits", shared_limits, nullptr},
    {"capability", capability, nullptr, "REWIT_STANDIN_CC=90"},
    {"launch_shapes", launch_shapes, nullptr},
    {"random_order", random_order, nullptr},
    {"tickets", tickets, nullptr},
    {"nothing_before_synchronise", nothing_before_synchronise, nullptr},
    {"streams_and_events", streams_and_events, nullptr},
    {"legacy_stream", legacy_stream, nullptr},
    {"events", events, nullptr},
    {"out_of_memory", out_of_memory, nullptr, "REWIT_STANDIN_MEMORY=1000000"},
    {"failed_kernel", failed_kernel, nullptr},
    {"lost_device", lost_device, nullptr},
    {"no_device", no_device, nullptr, "REWIT_STANDIN_NO_DEVICE=1"},
    {"no_context", no_context, nullptr},
    {"pinned", pinned, nullptr},
    {"leaks", leaks, nullptr},
    {"copy_bounds", copy_bounds, nullptr},
};
