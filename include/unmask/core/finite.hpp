#pragma once

/// Whether a number is finite, told by its bits. `std::isfinite` and comparisons of a number with itself are constants
/// under -ffast-math (and -ffinite-math-only), with which programs that include this library may be compiled; data from
/// outside must be refused there too.

#include <bit>
#include <cstddef>
#include <cstdint>

#include "config.hpp"

namespace unmask::inline UNMASK_ABI {

constexpr bool is_finite(float x) { return (std::bit_cast<std::uint32_t>(x) & 0x7f800000u) != 0x7f800000u; }
constexpr bool is_finite(double x) {
  return (std::bit_cast<std::uint64_t>(x) & 0x7ff0000000000000u) != 0x7ff0000000000000u;
}

/// Whether `count` numbers are all finite: one pass, a register of them at once.
inline bool all_finite(const float* x, std::ptrdiff_t count) {
  constexpr std::ptrdiff_t part = 4096;
  for (std::ptrdiff_t begin = 0; begin < count; begin += part) {
    const std::ptrdiff_t end = count - begin < part ? count : begin + part;
    unsigned broken = 0;
    for (std::ptrdiff_t i = begin; i < end; ++i) broken |= is_finite(x[i]) ? 0u : 1u;
    if (broken != 0) return false;
  }
  return true;
}
inline bool all_finite(const double* x, std::ptrdiff_t count) {
  for (std::ptrdiff_t i = 0; i < count; ++i)
    if (!is_finite(x[i])) return false;
  return true;
}

constexpr bool is_nan(float x) { return (std::bit_cast<std::uint32_t>(x) & 0x7fffffffu) > 0x7f800000u; }
constexpr bool is_nan(double x) {
  return (std::bit_cast<std::uint64_t>(x) & 0x7fffffffffffffffu) > 0x7ff0000000000000u;
}

}  // namespace unmask::inline UNMASK_ABI
