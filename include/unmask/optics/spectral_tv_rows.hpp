#pragma once

/// The memory of `spectral_tv` and what it does to one row of an image. Images of K planes lie as [H, K, W]: a row of
/// all planes is one piece, and dispersion moves light only along it.

#include <cmath>

#include "../core/arena.hpp"
#include "../simd/loop.hpp"
#include "cassi.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

struct spectral_tv_rows {
  using pack = simd::pack<float>;

  cassi_geometry geometry;
  index_t rank = 0, row = 0;                                      // row: K W
  float *z = nullptr, *p = nullptr, *r = nullptr, *q = nullptr;   // [H, K, W]
  float *across = nullptr, *down = nullptr, *around = nullptr;    // [H, W]: weights of differences; their sum
  float* line = nullptr;                                          // [H, V]
  float *spread = nullptr, *turned = nullptr, *energy = nullptr;  // [K, C], [C, K], [K]: squares of spread's rows

  spectral_tv_rows(const cassi_geometry& g, index_t k) : geometry(g), rank(k), row(k * g.width) {}

  void carve(arena& memory) {
    const index_t H = geometry.height, W = geometry.width, C = geometry.bands;
    // A row more above and below, and a register beside: neighbours outside the image are read, and weigh nothing.
    constexpr index_t beside = 16;
    const auto framed = [&](index_t n) { return memory.take<float>((H + 2) * n + 2 * beside) + beside + n; };
    z = framed(row);
    p = framed(row);
    across = framed(W);
    down = framed(W);
    r = memory.take<float>(H * row);
    q = memory.take<float>(H * row);
    around = memory.take<float>(H * W);
    line = memory.take<float>(H * geometry.measurement_width());
    spread = memory.take<float>(rank * C);
    turned = memory.take<float>(rank * C);
    energy = memory.take<float>(rank);
  }

  /// body(i, access, sum over t of a[t] x[t stride + i]) for i in [0, n); four registers share each a[t].
  template <class Body>
  static void weighted_sum(index_t n, const float* a, index_t terms, const float* x, index_t stride, Body&& body) {
    constexpr index_t lanes = pack::lanes;
    index_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      auto s0 = pack::all(0.f), s1 = s0, s2 = s0, s3 = s0;
      const float* from = x + i;
      for (index_t t = 0; t < terms; ++t, from += stride) {
        const auto factor = pack::held(pack::all(a[t]));
        s0 = pack::fma(factor, pack::load(from), s0);
        s1 = pack::fma(factor, pack::load(from + lanes), s1);
        s2 = pack::fma(factor, pack::load(from + 2 * lanes), s2);
        s3 = pack::fma(factor, pack::load(from + 3 * lanes), s3);
      }
      const simd::whole_pack<float> whole;
      body(i, whole, s0);
      body(i + lanes, whole, s1);
      body(i + 2 * lanes, whole, s2);
      body(i + 3 * lanes, whole, s3);
    }
    simd::each_pack<float>(n - i, [&](index_t j, auto access) {
      auto sum = pack::all(0.f);
      for (index_t t = 0; t < terms; ++t) sum = pack::fma(pack::all(a[t]), access.load(x + t * stride + i + j), sum);
      body(i + j, access, sum);
    });
  }

  /// Weights of row h's differences, 1 / sqrt(|grad z|^2 + softness^2), 0 over the edge.
  void weigh(index_t h, float softness) {
    const index_t W = geometry.width;
    const float* from = z + h * row;
    const float inside = h + 1 < geometry.height ? 1.f : 0.f;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      auto sum = pack::all(softness * softness);
      for (index_t k = 0; k < rank; ++k) {
        const float* at = from + k * W + i;
        const auto right = access.load(at + 1) - access.load(at), below = access.load(at + row) - access.load(at);
        sum = pack::fma(right, right, pack::fma(below, below * pack::all(inside), sum));
      }
      const auto weight = pack::all(1.f) / pack::sqrt(sum);
      access.store(across + h * W + i, weight);
      access.store(down + h * W + i, weight * pack::all(inside));
    });
    // What lies to the right of the last column is another plane's first.
    float sum = softness * softness;
    for (index_t k = 0; k < rank; ++k) {
      const float below = inside * (from[k * W + W - 1 + row] - from[k * W + W - 1]);
      sum += below * below;
    }
    across[h * W + W - 1] = 0;
    down[h * W + W - 1] = inside / std::sqrt(sum);
  }

  /// After all rows have weights: the sum of the four of each pixel.
  void sum_weights(index_t h) {
    const index_t W = geometry.width;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      const index_t at = h * W + i;
      access.store(around + at, access.load(across + at) + access.load(across + at - 1) + access.load(down + at) +
                                    access.load(down + at - W));
    });
  }

  /// line += A L x
  void measure(index_t h, const float* x, const float* mask) {
    const index_t W = geometry.width;
    float* to = line + h * geometry.measurement_width();
    for (index_t c = 0; c < geometry.bands; ++c, to += geometry.step)
      weighted_sum(W, turned + c * rank, rank, x + h * row, W, [&](index_t i, auto access, auto sum) {
        access.store(to + i, pack::fma(access.load(mask + h * W + i), sum, access.load(to + i)));
      });
  }

  /// body(at, access, L' A' line + lambda D' w D x) for row h of all planes, D the differences between neighbours.
  template <class Body>
  void gradient(index_t h, const float* x, const float* mask, float lambda, Body&& body) const {
    const index_t W = geometry.width;
    const float *light = mask + h * W, *rightwards = across + h * W, *downwards = down + h * W, *all = around + h * W;
    for (index_t k = 0; k < rank; ++k) {
      const float* plane = x + h * row + k * W;
      weighted_sum(W, spread + k * geometry.bands, geometry.bands, line + h * geometry.measurement_width(),
                   geometry.step, [&](index_t i, auto access, auto sum) {
                     const float* at = plane + i;
                     auto rough = access.load(all + i) * access.load(at);
                     rough = pack::fnma(access.load(rightwards + i), access.load(at + 1), rough);
                     rough = pack::fnma(access.load(rightwards + i - 1), access.load(at - 1), rough);
                     rough = pack::fnma(access.load(downwards + i), access.load(at + row), rough);
                     rough = pack::fnma(access.load(downwards + i - W), access.load(at - row), rough);
                     body(h * row + k * W + i, access,
                          pack::fma(pack::all(lambda), rough, access.load(light + i) * sum));
                   });
    }
  }

  /// q = r / (diagonal of that operator); returns the row's r'q.
  double precondition(index_t h, const float* mask, float lambda) {
    const index_t W = geometry.width;
    auto sum = pack::all(0.f);
    for (index_t k = 0; k < rank; ++k)
      simd::each_pack<float>(W, [&](index_t i, auto access) {
        const index_t at = h * row + k * W + i;
        const auto light = access.load(mask + h * W + i), residual = access.load(r + at);
        const auto diagonal =
            pack::fma(pack::all(lambda), access.load(around + h * W + i), pack::all(energy[k]) * light * light);
        // dark pixels without neighbours, and a tail's padding, have 0 / 0
        const auto quotient = residual / pack::max(diagonal, pack::all(1e-20f));
        access.store(q + at, quotient);
        sum = pack::fma(residual, quotient, sum);
      });
    return static_cast<double>(pack::sum(sum));
  }
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
