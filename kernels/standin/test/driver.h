// The entry points that the tests call, as they are declared in cuda.h, and what every test starts with.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vector>

extern "C" {
int cuInit(unsigned);
int cuDeviceGetName(char*, int, int);
int cuDeviceGetAttribute(int*, int, int);
int cuDevicePrimaryCtxRetain(void**, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuDevicePrimaryCtxReset_v2(int);
int cuCtxSetCurrent(void*);
int cuCtxSynchronize(void);
int cuModuleLoadData(void**, const void*);
int cuModuleGetFunction(void**, void*, const char*);
int cuFuncSetAttribute(void*, int, int);
int cuFuncGetParamInfo(void*, size_t, size_t*, size_t*);
int cuStreamCreate(void**, unsigned);
int cuStreamDestroy_v2(void*);
int cuStreamSynchronize(void*);
int cuStreamQuery(void*);
int cuStreamWaitEvent(void*, void*, unsigned);
int cuEventCreate(void**, unsigned);
int cuEventRecord(void*, void*);
int cuEventSynchronize(void*);
int cuEventQuery(void*);
int cuEventElapsedTime(float*, void*, void*);
int cuMemAlloc_v2(uint64_t*, size_t);
int cuMemFree_v2(uint64_t);
int cuMemAllocAsync(uint64_t*, size_t, void*);
int cuMemFreeAsync(uint64_t, void*);
int cuMemHostAlloc(void**, size_t, unsigned);
int cuMemFreeHost(void*);
int cuMemGetInfo_v2(size_t*, size_t*);
int cuMemcpyHtoD_v2(uint64_t, const void*, size_t);
int cuMemcpyDtoH_v2(void*, uint64_t, size_t);
int cuMemcpyHtoDAsync_v2(uint64_t, const void*, size_t, void*);
int cuMemcpyDtoHAsync_v2(void*, uint64_t, size_t, void*);
int cuMemcpyDtoDAsync_v2(uint64_t, uint64_t, size_t, void*);
int cuMemsetD32Async(uint64_t, unsigned, size_t, void*);
int cuLaunchKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
int cuLaunchCooperativeKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*,
                              void**);
int cuGetErrorName(int, const char**);
uint64_t rewit_standin_live_allocations(void);
uint64_t rewit_standin_used(void);
void rewit_standin_fail_allocation(uint64_t);
void rewit_standin_fail_kernel(const char*);
void rewit_standin_lose_device(int);
void rewit_standin_recover(void);
void rewit_standin_set_seed(uint64_t);
}

/// Ends the test with a message unless `a == b`.
#define SAME(a, b)                                                                                                  \
    do {                                                                                                            \
        auto a_ = a;                                                                                                \
        auto b_ = b;                                                                                                \
        if (!(a_ == decltype(a_)(b_))) {                                                                            \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #a, (long long)a_, (long long)b_); \
            exit(1);                                                                                                \
        }                                                                                                           \
    } while (0)
#define OK(call) SAME(call, 0)

/// The open device, and its only module.
struct Driver {
    void* context = nullptr;
    void* module = nullptr;

    Driver() {
        OK(cuInit(0));
        OK(cuDevicePrimaryCtxRetain(&context, 0));
        OK(cuCtxSetCurrent(context));
        OK(cuModuleLoadData(&module, "probes"));
    }

    ~Driver() { OK(cuDevicePrimaryCtxRelease_v2(0)); }
    Driver(const Driver&) = delete;

    void* function(const char* name) {
        void* f = nullptr;
        OK(cuModuleGetFunction(&f, module, name));
        return f;
    }

    /// Queues a launch and returns what the call does.
    template <class... Args>
    int launch(const char* name, unsigned blocks, unsigned threads, unsigned dynamic, void* stream, Args... args) {
        void* parameters[] = {&args..., nullptr};
        return cuLaunchKernel(function(name), blocks, 1, 1, threads, 1, 1, dynamic, stream, parameters, nullptr);
    }

    /// Launches and waits.
    template <class... Args>
    void run(const char* name, unsigned blocks, unsigned threads, Args... args) {
        OK(launch(name, blocks, threads, 0, nullptr, args...));
        OK(cuCtxSynchronize());
    }

    uint64_t words(size_t count) {
        uint64_t address = 0;
        OK(cuMemAlloc_v2(&address, count * 4));
        return address;
    }

    uint64_t upload(const std::vector<uint32_t>& from) {
        uint64_t address = words(from.size());
        OK(cuMemcpyHtoD_v2(address, from.data(), from.size() * 4));
        return address;
    }

    std::vector<uint32_t> download(uint64_t from, size_t count) {
        std::vector<uint32_t> out(count);
        OK(cuMemcpyDtoH_v2(out.data(), from, count * 4));
        return out;
    }
};

/// One test.
struct Case {
    const char* name;
    void (*run)();
    /// What the report must hold; null if the case must pass.
    const char* report;
    /// A variable to set, NAME=VALUE.
    const char* environment = nullptr;
};

/// works.cpp and caught.cpp.
extern const std::vector<Case> WORKS, CAUGHT;
