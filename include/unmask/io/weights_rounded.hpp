#pragma once

/// Parameters in fewer bits: as halves, or as integers of 8 bits with a scale for each output channel in a tensor of
/// its own, `NAME.scale` (docs/embedded.md has what that costs).

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "../core/half.hpp"
#include "../nn/parameters.hpp"
#include "safetensors.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

inline constexpr const char* scale_suffix = ".scale";

/// Adds a finite parameter in file order; returns the values that a reader gets, infinite where a half cannot hold one.
inline std::vector<float> add_rounded(safetensors& file, const parameter& p, std::span<const float> values,
                                      bool as_bytes) {
  std::vector<float> stored(values.size());
  if (!as_bytes) {
    std::vector<std::byte> bytes(2 * values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint16_t half = unmask::detail::float_to_half(values[i]);
      std::memcpy(bytes.data() + 2 * i, &half, 2);
      stored[i] = unmask::detail::half_to_float(half);
    }
    file.tensors.push_back({p.name, "F16", p.shape, std::move(bytes)});
    return stored;
  }
  const auto rows = static_cast<std::size_t>(p.shape[0]), length = values.size() / rows;
  std::vector<float> scales(rows);
  std::vector<std::byte> bytes(values.size());
  for (std::size_t r = 0; r < rows; ++r) {
    const auto row = values.subspan(r * length, length);
    float largest = 0;
    for (const float x : row) largest = std::max(largest, std::abs(x));
    scales[r] = largest / 127;
    for (std::size_t i = 0; i < length; ++i) {
      const float digits = scales[r] > 0 ? std::round(std::clamp(row[i] / scales[r], -127.f, 127.f)) : 0.f;
      bytes[r * length + i] = static_cast<std::byte>(static_cast<std::int8_t>(digits));
      stored[r * length + i] = digits * scales[r];
    }
  }
  file.tensors.push_back({p.name, "I8", p.shape, std::move(bytes)});
  file.tensors.push_back(make_tensor(p.name + scale_suffix, {p.shape[0]}, scales));
  return stored;
}

/// Integers times the scales of their rows.
inline std::vector<float> scaled(const tensor_entry& t, std::span<const float> scales) {
  std::vector<float> values(t.bytes.size());
  const std::size_t length = scales.empty() ? 1 : values.size() / scales.size();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(static_cast<std::int8_t>(t.bytes[i])) * scales[i / length];
  return values;
}

}  // namespace unmask::inline UNMASK_ABI::io::detail
