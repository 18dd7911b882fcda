#pragma once

/// Whether a number is finite, told by its bits. `std::isfinite` and comparisons of a number with itself are constants
/// under -ffast-math (and -ffinite-math-only), with which programs that include this library may be compiled; data from
/// outside must be refused there too.

#include <bit>
#include <cstdint>

#include "config.hpp"

namespace unmask::inline UNMASK_ABI {

constexpr bool is_finite(float x) { return (std::bit_cast<std::uint32_t>(x) & 0x7f800000u) != 0x7f800000u; }
constexpr bool is_finite(double x) {
  return (std::bit_cast<std::uint64_t>(x) & 0x7ff0000000000000u) != 0x7ff0000000000000u;
}

constexpr bool is_nan(float x) { return (std::bit_cast<std::uint32_t>(x) & 0x7fffffffu) > 0x7f800000u; }
constexpr bool is_nan(double x) {
  return (std::bit_cast<std::uint64_t>(x) & 0x7fffffffffffffffu) > 0x7ff0000000000000u;
}

}  // namespace unmask::inline UNMASK_ABI
