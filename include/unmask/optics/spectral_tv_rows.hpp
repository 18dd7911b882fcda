#pragma once

/// The memory of `spectral_tv` and what it does to one row of an image. Images of K planes lie as [H, K, W]: a row of
/// all planes is one piece, and dispersion moves light only along it.

#include <algorithm>
#include <cmath>

#include "../core/arena.hpp"
#include "../simd/loop.hpp"
#include "cassi.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

struct spectral_tv_rows {
  using pack = simd::pack<float>;

  cassi_geometry geometry;
  index_t rank = 0, row = 0;                                     // row: K W
  float *z = nullptr, *p = nullptr, *r = nullptr, *q = nullptr;  // [H, K, W]
  // [H, W]: weights of the differences rightwards, downwards and around a corner (there +z: right below; -z: right,
  // below); after `join_weights` of a pixel's neighbours there and of the pixel itself
  float *across = nullptr, *down = nullptr, *corner = nullptr, *around = nullptr;
  float* line = nullptr;                                          // [H, V]
  float *spread = nullptr, *turned = nullptr, *energy = nullptr;  // [K, C], [C, K], [K]: squares of spread's rows

  spectral_tv_rows(const cassi_geometry& g, index_t k) : geometry(g), rank(k), row(k * g.width) {}

  void carve(arena& memory) {
    const index_t H = geometry.height, W = geometry.width, C = geometry.bands;
    // A row more above and below, and a register beside: neighbours outside the image are read, and weigh nothing.
    constexpr index_t beside = 16;
    const auto framed = [&](index_t n) {
      float* whole = memory.take<float>((H + 2) * n + 2 * beside);
      return whole ? whole + beside + n : whole;  // null while the arena only counts
    };
    z = framed(row);
    p = framed(row);
    across = framed(W);
    down = framed(W);
    corner = framed(W);
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

  /// r, q, p (rows of [H, W] in their first plane) = |difference to the right|^2, |difference to below|^2, |difference
  /// of two differences to the right, this row's and the next one's|^2; 0 over the edge.
  void differ(index_t h) {
    const index_t W = geometry.width;
    const auto below_counts = pack::all(h + 1 < geometry.height ? 1.f : 0.f);
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      auto right = pack::all(0.f), below = right, twice = right;
      for (index_t k = 0; k < rank; ++k) {
        const float* at = z + h * row + k * W + i;
        const auto here = access.load(at), across_step = access.load(at + 1) - here,
                   down_step = access.load(at + row) - here,
                   change = access.load(at + row + 1) - access.load(at + row) - across_step;
        right = pack::fma(across_step, across_step, right);
        below = pack::fma(down_step, down_step, below);
        twice = pack::fma(change, change, twice);
      }
      access.store(r + h * row + i, right);
      access.store(q + h * row + i, below * below_counts);
      access.store(p + h * row + i, twice * below_counts);
    });
    r[h * row + W - 1] = p[h * row + W - 1] = 0;  // what lies to the right of the last column is another plane's first
  }

  /// After all rows differ: the weights of row h's differences, 0 over the edge. Squares are averaged with 1 2 1 along
  /// rows and columns, because a hidden pixel's own differences are only as large as the last weights let them be.
  void weigh(index_t h, float softness, float power, float corners) {
    const index_t H = geometry.height, W = geometry.width;
    const index_t above = std::max<index_t>(h - 1, 0) * row, here = h * row, below = std::min(h + 1, H - 1) * row;
    const auto weight = [&](const float* squares, index_t w) {
      const auto column = [&](index_t i) { return squares[above + i] + 2 * squares[here + i] + squares[below + i]; };
      const float sum = column(std::max<index_t>(w - 1, 0)) + 2 * column(w) + column(std::min(w + 1, W - 1));
      return std::pow(sum / 8 + softness * softness, power / 2 - 1);
    };
    for (index_t w = 0; w < W; ++w) {
      across[h * W + w] = w + 1 < W ? weight(r, w) : 0;
      down[h * W + w] = h + 1 < H ? weight(q, w) : 0;
      corner[h * W + w] = h + 1 < H && w + 1 < W ? corners * weight(p, w) : 0;
    }
  }

  /// After all rows have weights: what each pixel itself weighs in D' w D, the sum of those of all its differences.
  void sum_weights(index_t h) {
    const index_t W = geometry.width;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      const index_t at = h * W + i;
      access.store(around + at, access.load(across + at) + access.load(across + at - 1) + access.load(down + at) +
                                    access.load(down + at - W) + access.load(corner + at) +
                                    access.load(corner + at - 1) + access.load(corner + at - W) +
                                    access.load(corner + at - W - 1));
    });
  }

  /// After all sums: two neighbours are also in the two corners beside their edge.
  void join_weights(index_t h) {
    const index_t W = geometry.width;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      const index_t at = h * W + i;
      const auto own = access.load(corner + at);
      access.store(across + at, access.load(across + at) + own + access.load(corner + at - W));
      access.store(down + at, access.load(down + at) + own + access.load(corner + at - 1));
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
    const float *light = mask + h * W, *rightwards = across + h * W, *downwards = down + h * W, *all = around + h * W,
                *corners = corner + h * W;
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
                     rough = pack::fma(access.load(corners + i), access.load(at + row + 1), rough);
                     rough = pack::fma(access.load(corners + i - 1), access.load(at + row - 1), rough);
                     rough = pack::fma(access.load(corners + i - W), access.load(at - row + 1), rough);
                     rough = pack::fma(access.load(corners + i - W - 1), access.load(at - row - 1), rough);
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
