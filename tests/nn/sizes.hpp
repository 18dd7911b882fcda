#pragma once

/// Sizes where vector code goes wrong: 1, 3, and around one register and eight, for both widths of numbers.

#include <set>
#include <unmask/simd/pack.hpp>
#include <vector>

namespace unmask_test {

inline std::vector<unmask::index_t> hostile_sizes() {
  const auto f = unmask::simd::pack<float>::lanes, d = unmask::simd::pack<double>::lanes;
  std::set<unmask::index_t> sizes{1, 3, d, d + 1, f - 1, f, f + 1, 8 * f + 2};
  sizes.erase(0);
  return {sizes.begin(), sizes.end()};
}

}  // namespace unmask_test
