#pragma once

/// The backend that the op-case table compares with `ref`: cpu, or (UNMASK_TEST_CUDA) cuda, emulated where nvcc does
/// not compile. `tested_variants` are ways to run it that must give the same bits.

#if defined(UNMASK_TEST_CUDA)
#if !defined(__CUDACC__)
#include "../cuda/emulator.hpp"
#endif
#include <unmask/cuda.cuh>
#else
#include <unmask/core/cuda.hpp>
#include <unmask/nn/cpu/all.hpp>
#endif

#include <type_traits>
#include <vector>

namespace unmask_test {

using namespace unmask;

#if defined(UNMASK_TEST_CUDA)
using tested_backend = cuda;
#else
using tested_backend = cpu;
#endif

/// Whether a row's kernels run on a device.
template <class Backend>
inline constexpr bool on_device = std::is_same_v<std::remove_cvref_t<Backend>, cuda>;

struct tested_variant {
  tested_backend be;
  bool reversed = false;  ///< the emulator's threads run from the last to the first

  void enter() const {
#if defined(UNMASK_TEST_CUDA) && !defined(__CUDACC__)
    block_emulator::get().reversed = reversed;
#endif
  }
};

inline std::vector<tested_variant> tested_variants() {
#if defined(UNMASK_TEST_CUDA)
  return {{cuda{}}, {cuda{}, true}};
#else
  return {{cpu{.threads = 1}}, {cpu{.threads = 2}}, {cpu{.threads = 3}}};
#endif
}

}  // namespace unmask_test
