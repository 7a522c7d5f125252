// What every kernel includes: how kernels are declared, and the types they share with the host.
//
// The same file is compiled by nvcc for GPUs and by g++ for the CPU stand-in (kernels/standin/), so kernels keep to
// these macros:
//   KERNEL(THREADS) name(parameters) { ... }   a kernel of at most THREADS threads a block
//   KERNEL(THREADS, BLOCKS)                    also: registers such that BLOCKS blocks fit on a multiprocessor
//   EXPORT(name, THREADS)                      after its body: makes it known to the stand-in
//   SHARED(type, name, count);                 static shared memory, an array
//   DYN_SHARED(type, name);                    the launch's dynamic shared memory, 16-byte aligned
//   DEVICE                                     a function of the device
//   LARGE                                      the same, but one that g++ need not inline: it would take minutes
#pragma once

#include <stdint.h>

#ifdef REWIT_STANDIN

#include "standin/shim.h"

#else

#define KERNEL(...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__)
#define EXPORT(name, threads)
#define SHARED(type, name, count) __shared__ type name[count]
#define DYN_SHARED(type, name)                                        \
    extern __shared__ __align__(16) unsigned char dynamic_shared_[]; \
    type* name = reinterpret_cast<type*>(dynamic_shared_)
#define DEVICE __device__ __forceinline__
#define LARGE DEVICE

#endif

/// Index of this thread in a one-dimensional launch.
DEVICE uint32_t thread_index() { return blockIdx.x * blockDim.x + threadIdx.x; }
