#pragma once

/// The self-test of trained weights: a small image that is generated from a formula goes through the network, and what
/// comes out must be what came out when the file was written. It catches what checksums cannot: a configuration that
/// does not belong to the parameters, a changed memory order, a kernel that is wrong on this processor.

#include <cstdint>

#include "../core/random.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

inline constexpr index_t selftest_side = 16;

/// Relative to the largest expected value. Rounding: the reference and the tuned kernels differ by 1.8e-6 in the
/// network of the paper (24 blocks), the released code loses up to 1.2e-6 in float32 (golden files); ten times that is
/// allowed. With parameters of a trained size one wrong setting is off by 2.6e-4 (which of q and k the mask multiplies)
/// to 0.7 (padding). In a freshly initialised network attention hardly acts yet, and some settings change 1e-6 only:
/// there the test cannot tell.
inline constexpr double selftest_tolerance = 2e-5;

namespace detail {

/// Uniform in [0, 1), the same bits everywhere: integer arithmetic and one exact product.
inline float selftest_value(std::uint64_t seed, index_t i) {
  return static_cast<float>(mix64(seed + static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15u) >> 40) * 0x1p-24f;
}

}  // namespace detail

/// The test's mask [side, side] and image [side, side, inputs], a masked cube as in practice.
inline void fill_selftest(float* mask, float* input, index_t inputs, std::uint64_t seed) {
  constexpr index_t pixels = selftest_side * selftest_side;
  for (index_t i = 0; i < pixels; ++i) mask[i] = detail::selftest_value(seed, i);
  for (index_t i = 0; i < pixels * inputs; ++i) input[i] = mask[i / inputs] * detail::selftest_value(seed + 1, i);
}

/// What a self-test may cost, so that a small file cannot ask for much: its work and memory grow with what the file
/// holds, beside an allowance that every network of a usual size stays below by far. The paper's network takes 3e8
/// multiply-adds and 15 MB.
struct selftest_limits {
  double work;   ///< multiply-adds
  double bytes;  ///< of a session

  explicit selftest_limits(index_t parameters)
      : work(2e9 + 4096 * static_cast<double>(parameters)), bytes(128e6 + 64 * static_cast<double>(parameters)) {}
};

}  // namespace unmask::inline UNMASK_ABI
