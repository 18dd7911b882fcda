#pragma once

/// From the numbers that a file stores to those that they mean.

#include <algorithm>
#include <optional>
#include <vector>

#include "variables.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// From stored to physical values: value = factor * stored + offset.
struct linear_scale {
  double factor = 1, offset = 0;
  std::vector<double> missing;      ///< stored numbers that mean "no value" (_FillValue, missing_value)
  std::optional<double> low, high;  ///< what the file calls valid (valid_min, valid_max, valid_range)
  bool physical_limits = false;     ///< of physical values, not of stored ones
  double wrap = 0;                  ///< added to negative stored numbers, which stand for unsigned ones (_Unsigned)

  template <class T>
  T operator()(T stored) const {
    return static_cast<T>(static_cast<double>(stored) * factor + offset);
  }
  bool changes() const { return !(factor == 1 && offset == 0); }
};

namespace detail {

/// Stored numbers to physical ones, in place. Errors: numbers that the file marks as missing or does not call valid.
template <class T>
result<> apply_scale(const std::string& path, const variable_info& v, const linear_scale& s, T* values,
                     std::int64_t count) {
  const auto refuse = [&](std::int64_t bad, const std::string& why) {
    return variable_error(errc::wrong_value, path, v,
                          "has " + std::to_string(bad) + " of " + std::to_string(count) + " values that " + why);
  };
  if (s.wrap != 0)
    for (std::int64_t i = 0; i < count; ++i)
      if (values[i] < 0) values[i] += static_cast<T>(s.wrap);
  for (const double none : s.missing)
    if (const auto bad = std::count(values, values + count, static_cast<T>(none)); bad > 0)
      return refuse(bad, "the file marks as missing (_FillValue or missing_value " + number_text(none) + ")");
  const auto invalid = [&](T x) {
    return (s.low && x < static_cast<T>(*s.low)) || (s.high && x > static_cast<T>(*s.high));
  };
  const auto check_limits = [&]() -> result<> {
    const auto bad = s.low || s.high ? std::count_if(values, values + count, invalid) : 0;
    if (bad == 0) return {};
    return refuse(bad, "are not valid by the file's own limits (" + (s.low ? number_text(*s.low) : "") + ".." +
                           (s.high ? number_text(*s.high) : "") + ")");
  };
  if (!s.physical_limits)
    if (auto fine = check_limits(); !fine) return fine;
  if (s.changes())
    for (std::int64_t i = 0; i < count; ++i) values[i] = s(values[i]);
  return s.physical_limits ? check_limits() : result<>();
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::io
