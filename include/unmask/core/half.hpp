#pragma once

/// Half precision, as weights and arrays may be stored. IEEE 754: 1 sign, 5 exponent, 10 mantissa bits.

#include <bit>
#include <cmath>
#include <cstdint>

#include "config.hpp"

namespace unmask::inline UNMASK_ABI::detail {

/// Exact.
inline float half_to_float(std::uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  float value = 0;
  if (exponent == 31)
    value = mantissa == 0 ? HUGE_VALF : std::nanf("");
  else if (exponent == 0)
    value = std::ldexp(static_cast<float>(mantissa), -24);
  else
    value = std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  return (h & 0x8000) != 0 ? -value : value;
}

/// The nearest half, of two as near the even one; infinity from 65520 on, NaN of NaN.
constexpr std::uint16_t float_to_half(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
  const auto rounded = [](std::uint32_t value, std::uint32_t shift) {
    const std::uint32_t half = 1u << (shift - 1), rest = value & ((half << 1) - 1), whole = value >> shift;
    return whole + (rest > half || (rest == half && (whole & 1u)) ? 1u : 0u);
  };
  if (magnitude >= 0x38800000u)  // 2^-14, the least normal one; a carry runs on into the exponent
    return static_cast<std::uint16_t>(sign | rounded(magnitude - 0x38000000u, 13));
  const std::uint32_t exponent = magnitude >> 23;
  if (exponent < 102) return static_cast<std::uint16_t>(sign);  // below half of the least subnormal, 2^-25
  return static_cast<std::uint16_t>(sign | rounded((magnitude & 0x7fffffu) | 0x800000u, 126 - exponent));
}

}  // namespace unmask::inline UNMASK_ABI::detail
