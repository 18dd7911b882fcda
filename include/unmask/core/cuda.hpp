#pragma once

/// The tag of the CUDA backend. It names no CUDA header, so a program may hold one and be compiled by any compiler;
/// what runs with it needs `unmask/cuda.cuh`. There is no fallback: an operation that has no CUDA kernel does not
/// compile. Pointers that operations get with it are device pointers.

#include "backend.hpp"
#include "view.hpp"

struct CUstream_st;

namespace unmask::inline UNMASK_ABI {

/// How products of float matrices round their factors; sums are float in any case, double stays double.
enum class product_precision {
  full,  ///< float
  tf32,  ///< 10 bits of mantissa, on tensor cores
  bf16,  ///< 7 bits
};

/// Work is put on `stream` of the device that is current; null is the default stream.
struct cuda {
  CUstream_st* stream = nullptr;
  product_precision products = product_precision::full;
  int host_threads = 1;  ///< for what stays on the host, such as making training samples
};

/// The backend for that.
constexpr cpu host_of(const cuda& be) { return {.threads = be.host_threads}; }

template <class Op>
struct kernel<Op, cuda>;  // nn/cuda/*.cuh

/// Partial sums of a gradient on a GPU: enough blocks to fill one; added in order, so the bits are the same every run.
constexpr index_t gradient_chunks(const cuda&) { return 128; }
/// No threads of the host work on a device's memory.
constexpr int thread_slots(const cuda&) { return 1; }

}  // namespace unmask::inline UNMASK_ABI
