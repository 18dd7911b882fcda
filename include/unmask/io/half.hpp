#pragma once

/// Half precision, as weights and arrays may be stored.

#include <cmath>
#include <cstdint>

#include "../core/config.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

/// IEEE 754: 1 sign, 5 exponent, 10 mantissa bits.
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

}  // namespace unmask::inline UNMASK_ABI::io::detail
