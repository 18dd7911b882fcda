#pragma once

/// The only place that starts kernels.
///   UNMASK_CUDA_SYNCHRONOUS  define it first, and every launch waits for its end: an error then names its own line,
///                            and the host may read managed memory at once

#include "error.cuh"
#include "thread.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// Blocks of a multiprocessor at a time, for which a body (`least_blocks`) leaves registers; 0: as the compiler thinks,
/// which may be more blocks than shared memory has room for, and then spills registers for nothing.
template <class Body>
constexpr int least_blocks() {
  if constexpr (requires { Body::least_blocks; })
    return Body::least_blocks;
  else
    return 0;
}

#if defined(__CUDACC__)
template <class Body>
__global__ void __launch_bounds__(Body::threads, least_blocks<Body>()) run_body(const Body body) {
  device_thread t;
  body(t);
}

/// More than 48 KB of shared memory has to be asked for: a setting of the kernel on the device that is current.
template <class Body>
bool allow_shared(std::size_t bytes, call_site where) {
  return bytes <= 48 * 1024 || keep(cudaFuncSetAttribute(run_body<Body>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                         static_cast<int>(bytes)),
                                    where);
}
#else
/// Runs `body` for every thread of every block; defined by the emulator of the tests.
template <class Body>
void emulate(index_t blocks, std::size_t shared, const Body& body);
#endif

}  // namespace detail

/// `blocks` blocks of Body::threads threads, each block with `shared` bytes of shared memory. Nothing where there are
/// no blocks or an earlier fault was not collected.
template <class Body>
void launch(const cuda& be, index_t blocks, std::size_t shared, const Body& body, call_site where = call_site::here()) {
  static_assert(Body::threads % warp_size == 0 && Body::threads >= warp_size && Body::threads <= 1024);
  if (blocks < 1 || detail::first_fault().text) return;
  if (blocks > 0x7fffffff) return detail::keep_fault("a grid of more than 2^31 - 1 blocks", where);
#if defined(__CUDACC__)
  if (!detail::allow_shared<Body>(shared, where)) return;
  detail::run_body<Body><<<static_cast<unsigned>(blocks), Body::threads, shared, be.stream>>>(body);
  detail::keep(cudaGetLastError(), where);
#if defined(UNMASK_CUDA_SYNCHRONOUS)
  detail::keep(cudaStreamSynchronize(be.stream), where);
#endif
#else
  (void)be;
  detail::emulate(blocks, shared, body);
#endif
}

namespace detail {
template <class F>
struct each_body {
  static constexpr int threads = 256;
  F f;
  index_t n;
  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t i = t.block() * threads + t.thread();
    if (i < n) f(i);
  }
};
}  // namespace detail

/// f(i) for i in [0, n), a thread each. `f` is a class with a device operator(): a lambda would need a flag of nvcc
/// that consumers would have to set.
template <class F>
void launch_each(const cuda& be, index_t n, const F& f, call_site where = call_site::here()) {
  launch(be, blocks_for(n, detail::each_body<F>::threads), 0, detail::each_body<F>{f, n}, where);
}

}  // namespace unmask::inline UNMASK_ABI
