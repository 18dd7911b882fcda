#pragma once

/// A network with seeded data, parameters and everything that forward and backward need.

#include <cmath>
#include <span>
#include <string>
#include <unmask/core/random.hpp>
#include <unmask/models/s2_network.hpp>
#include <unmask/nn/cpu/all.hpp>
#include <vector>

#ifndef __CUDACC__  // what nvcc compiles, it compiles with kernels of its own
#include "instances.hpp"
#endif

namespace unmask_test {

using namespace unmask;

inline constexpr int arrangements = 8;

/// Small, and no two of its sizes are equal; the arrangement decides the other choices, so that all of them occur.
inline s2_config tiny_config(int layout = 0) {
  s2_config c{.bands = 4,
              .channels = 12,
              .stages = 2,
              .depths = {2, 1},
              .heads = {2, 3},
              .spectral_head_width = 6,
              .window = 4,
              .pad_multiple = 4,
              .hidden = 20};
  c.layout = static_cast<arrangement>(layout);
  if (layout % 2 == 1) c.scope = spectral_scope::window;
  if (layout % 3 == 1) c.spectral_effect = mask_effect::qk;
  if (layout % 3 == 2) c.spatial_effect = mask_effect::qkv;
  if (layout >= 3) c.embedding = mask_embedding_kind::tile_safe;
  return c;
}

template <class T>
std::vector<T> seeded(index_t n, std::uint64_t stream, double low, double high) {
  unmask::random draw(7, stream);
  std::vector<T> x(static_cast<std::size_t>(n));
  for (T& value : x) value = static_cast<T>(static_cast<float>(draw.uniform(low, high)));
  return x;
}

/// Weights of variance 1 / fan-in instead of a fresh network's 0.02: every part has a say in the output.
template <class T>
std::vector<T> lively_parameters(const s2_config& c) {
  const manifest m = make_manifest(c);
  std::vector<T> block(static_cast<std::size_t>(m.size));
  std::uint64_t stream = 100;
  for (const parameter& p : m.entries) {
    const double reach = std::sqrt(3. * static_cast<double>(p.shape[0]) / static_cast<double>(p.size));
    const auto values = p.init == initial::one ? seeded<T>(p.size, stream, 0.5, 1.5)
                        : p.shape.size() == 1  ? seeded<T>(p.size, stream, -0.3, 0.3)
                                               : seeded<T>(p.size, stream, -reach, reach);
    std::copy(values.begin(), values.end(), block.begin() + p.offset);
    ++stream;
  }
  return block;
}

template <class T, class Backend>
struct network_case {
  network_case(Backend be, const s2_config& c, s2_sizes s, s2_mode mode, bool drop = false);

  array_view<T, 4> image(std::vector<T>& v) const {
    return array_view<T, 4>(v.data(), sizes.batch, sizes.height, sizes.width, index_t{config.bands});
  }
  array_view<T, 4> input_image(std::vector<T>& v) const {
    return array_view<T, 4>(v.data(), sizes.batch, sizes.height, sizes.width, config.input_channels());
  }
  array_view<T, 3> mask_image(std::vector<T>& v) const {
    return array_view<T, 3>(v.data(), sizes.batch, config.padded(sizes.height), config.padded(sizes.width));
  }
  const T* factors() const { return keep.empty() ? nullptr : keep.data(); }

  void forward();
  void backward() { backward(gradients, input_image(dx), mask_image(dmask), pin_views); }
  void backward(std::vector<T>& to, array_view<T, 4> dimage, array_view<T, 3> dmask_image,
                std::span<const array_view<const T, 4>> pins);
  /// The scalar whose gradient `backward` computes.
  double value() const;

  s2_config config;
  s2_sizes sizes;
  index_t pixels;  ///< padded, of all images
  s2_network<T, Backend> net;
  memory_block memory;
  std::vector<T> x, mask, parameters, y, dy, dx, dmask, gradients, keep;
  std::vector<std::vector<T>> dpins;
  std::vector<array_view<const T, 4>> pin_views;
};

// network_case_*.cpp: one instantiation a source file keeps each of them quick to compile
extern template struct network_case<double, ref>;
extern template struct network_case<double, cpu>;
extern template struct network_case<float, cpu>;

/// Norm-wise; NaN where anything is NaN.
template <class T, class U>
double relative_error(const std::vector<T>& found, const std::vector<U>& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double f = static_cast<double>(found[i]), e = static_cast<double>(expected[i]);
    difference += (f - e) * (f - e);
    size += e * e;
  }
  return std::sqrt(difference / size);
}

template <class T>
bool finite(const std::vector<T>& x) {
  for (const T value : x)
    if (!std::isfinite(value)) return false;
  return true;
}

}  // namespace unmask_test
