#pragma once

/// What the body of a kernel may use of the machine. A body is a class whose members are its arguments:
///
///   template <class T>
///   struct scale_body {
///     static constexpr int threads = 256;   // of a block: a multiple of 32
///     T* x; T factor; index_t n;
///     template <class Thread> UNMASK_DEVICE void operator()(Thread& t) const {
///       const index_t i = t.block() * threads + t.thread();
///       if (i < n) x[i] *= factor;
///     }
///   };
///   launch(be, blocks_for(n, 256), 0, scale_body<T>{x, factor, n});
///
/// On a GPU `Thread` is `device_thread`, whose members are single instructions. The tests run the same body with a
/// thread of their emulator, so that it needs no GPU and no nvcc.
///   UNMASK_DEVICE  marks functions of the device; nothing where nvcc does not compile
///   UNMASK_UNROLL  before a loop over registers

#include "../core/cuda.hpp"

#if defined(__CUDACC__)
#define UNMASK_DEVICE __device__ __forceinline__
#define UNMASK_PRAGMA(text) _Pragma(#text)
#define UNMASK_UNROLL UNMASK_PRAGMA(unroll)
#define UNMASK_UNROLL_BY(n) UNMASK_PRAGMA(unroll n)
#else
#define UNMASK_DEVICE inline
#define UNMASK_UNROLL
#define UNMASK_UNROLL_BY(n)
#endif

namespace unmask::inline UNMASK_ABI {

inline constexpr int warp_size = 32;

/// Bytes of shared memory that `t.shared<T>(n)` takes; a launch asks for the sum of its body's calls.
template <class T>
constexpr std::size_t shared_bytes(index_t n) {
  return (static_cast<std::size_t>(n) * sizeof(T) + 15) / 16 * 16;
}

/// What the largest kernels may take a block: less than an A100 (163 KB) or an H100 (227 KB) has; smaller GPUs have
/// 99 KB, and are refused when memory is planned.
inline constexpr std::size_t most_shared_bytes = 160 * 1024;

/// Blocks of `size` items each that hold n items.
constexpr index_t blocks_for(index_t n, index_t size) { return (n + size - 1) / size; }

#if defined(__CUDACC__)

class device_thread {
 public:
  UNMASK_DEVICE index_t block() const { return static_cast<index_t>(blockIdx.x); }
  UNMASK_DEVICE index_t blocks() const { return static_cast<index_t>(gridDim.x); }
  UNMASK_DEVICE int thread() const { return static_cast<int>(threadIdx.x); }
  UNMASK_DEVICE int threads() const { return static_cast<int>(blockDim.x); }
  UNMASK_DEVICE int lane() const { return thread() % warp_size; }
  UNMASK_DEVICE int warp() const { return thread() / warp_size; }

  /// All threads of the block must come here.
  UNMASK_DEVICE void sync() const { __syncthreads(); }
  /// All lanes of the warp must come here.
  UNMASK_DEVICE void sync_warp() const { __syncwarp(); }
  /// The value of lane `lane() ^ mask`; all lanes of the warp must come here.
  template <class T>
  UNMASK_DEVICE T shuffle_xor(T value, int mask) const {
    return __shfl_xor_sync(0xffffffffu, value, mask);
  }
  /// The value of lane `from`.
  template <class T>
  UNMASK_DEVICE T shuffle(T value, int from) const {
    return __shfl_sync(0xffffffffu, value, from);
  }

  /// The next n numbers of the block's shared memory, aligned to 16 bytes; every thread makes the same calls.
  template <class T>
  UNMASK_DEVICE T* shared(index_t n) {
    extern __shared__ uint4 unmask_shared_memory[];
    T* const at = reinterpret_cast<T*>(reinterpret_cast<char*>(unmask_shared_memory) + used_);
    used_ += shared_bytes<T>(n);
    return at;
  }

 private:
  std::size_t used_ = 0;
};

#endif

/// Sums over the lanes of a warp; every lane gets the same bits.
template <class Thread, class T>
UNMASK_DEVICE T warp_sum(Thread& t, T value) {
  for (int mask = warp_size / 2; mask > 0; mask /= 2) value += t.shuffle_xor(value, mask);
  return value;
}

template <class Thread, class T>
UNMASK_DEVICE T warp_max(Thread& t, T value) {
  for (int mask = warp_size / 2; mask > 0; mask /= 2) {
    const T other = t.shuffle_xor(value, mask);
    value = other > value ? other : value;
  }
  return value;
}

/// Sum over the block, for every thread of it; `between` is shared memory for one number a warp.
template <class Thread, class T>
UNMASK_DEVICE T block_sum(Thread& t, T value, T* between) {
  value = warp_sum(t, value);
  t.sync();  // the last call's numbers may still be read
  if (t.lane() == 0) between[t.warp()] = value;
  t.sync();
  T sum = 0;
  for (int w = 0; w < t.threads() / warp_size; ++w) sum += between[w];
  return sum;
}

}  // namespace unmask::inline UNMASK_ABI
