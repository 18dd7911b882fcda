#pragma once

/// Work that is asked for again and again with the same pointers. On the host it simply runs; a device may record it
/// once and play it back, which costs one call instead of hundreds (cuda/recording.cuh).

#include <array>
#include <cstdint>

#include "backend.hpp"

namespace unmask::inline UNMASK_ABI {

/// What may change between two runs: pointers, and the number of a choice.
using recording_key = std::array<std::uintptr_t, 3>;

inline std::uintptr_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

template <class Backend>
class recording {
 public:
  /// Work must do the same on the device, given the same key, each time.
  template <class Work>
  void run(const Backend&, const recording_key&, Work&& work) {
    work();
  }
};

}  // namespace unmask::inline UNMASK_ABI
