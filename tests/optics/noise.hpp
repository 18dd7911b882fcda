#pragma once

/// Random values in [-1, 1] for operators.

#include <array>
#include <unmask/core/random.hpp>
#include <unmask/core/tensor.hpp>

template <std::size_t Rank>
unmask::tensor<double, Rank> noise(const std::array<unmask::index_t, Rank>& extents, std::uint64_t seed) {
  unmask::tensor<double, Rank> t(extents);
  unmask::random draw(seed);
  for (double& v : t) v = draw.uniform(-1, 1);
  return t;
}
