#pragma once

/// The memory of `spectral_tv`, and what each difference between neighbours weighs. Images of K planes lie as [H, K,
/// W]: a row of all planes is one piece, and dispersion moves light only along it.

#include <algorithm>
#include <array>
#include <cmath>

#include "../core/arena.hpp"
#include "../simd/loop.hpp"
#include "cassi.hpp"
#include "dispersion_inverse.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

struct spectral_tv_weights {
  using pack = simd::pack<float>;

  /// [H, W] each: of a pixel and the one to its right, the one below, and the corner of four that begins at it.
  struct edges {
    float *right = nullptr, *down = nullptr, *corner = nullptr;
  };

  cassi_geometry geometry;
  index_t rank = 0, row = 0;                                     // row: K W
  float *z = nullptr, *p = nullptr, *r = nullptr, *q = nullptr;  // [H, K, W]
  float *seen_q = nullptr, *seen_p = nullptr;                    // [H, K, W]: L' A' t A L of q and of p
  float* own = nullptr;     // [H, K, W]: unit vectors along each pixel's own spectrum, where differences are brightness
  edges colour;             // weights of differences across `own`; after `join` of a pixel's neighbours right and below
  edges brightness;         // what differences along `own` weigh more than that
  edges along;              // what `brightness` makes of an image: factors on `own` for the neighbours of its pixel
  float* around = nullptr;  // [H, W]: what a pixel itself has of `colour`
  float* bright = nullptr;  // [H, W]: what it has of `colour` and `brightness` together
  float* line = nullptr;    // [H, V]
  float* trust = nullptr;   // [H, V]: what a measured value weighs
  float *spread = nullptr, *turned = nullptr, *energy = nullptr;  // [K, C], [C, K], [K]: squares of spread's rows
  dispersion_inverse inverse;

  spectral_tv_weights(const cassi_geometry& g, index_t k) : geometry(g), rank(k), row(k * g.width), inverse(g) {}

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
    own = framed(row);
    for (edges* e : {&colour, &brightness, &along}) {
      e->right = framed(W);
      e->down = framed(W);
      e->corner = framed(W);
    }
    r = memory.take<float>(H * row);
    q = memory.take<float>(H * row);
    seen_q = memory.take<float>(H * row);
    seen_p = memory.take<float>(H * row);
    around = memory.take<float>(H * W);
    bright = memory.take<float>(H * W);
    line = memory.take<float>(H * geometry.measurement_width());
    trust = memory.take<float>(H * geometry.measurement_width());
    spread = memory.take<float>(rank * C);
    turned = memory.take<float>(rank * C);
    energy = memory.take<float>(rank);
    inverse.carve(memory);
  }

  /// Row h of `trust`: one over the variance of y, which grows with y from `floor` times y's mean on; 1 at
  /// the mean.
  void believe(index_t h, const float* y, float mean, float floor) {
    const index_t V = geometry.measurement_width();
    for (index_t v = h * V; v < (h + 1) * V; ++v) trust[v] = (1 + floor) / (std::max(0.f, y[v] / mean) + floor);
  }

  /// Row h of `own`: z averaged with 1 2 1 along rows and columns, at length 1 (0 where z is 0).
  void direct(index_t h) {
    const index_t H = geometry.height, W = geometry.width;
    const index_t above = std::max<index_t>(h - 1, 0) * row, here = h * row, below = std::min(h + 1, H - 1) * row;
    for (index_t k = 0; k < rank; ++k) {
      const auto column = [&, k](index_t w) {
        const index_t at = k * W + w;
        return z[above + at] + 2 * z[here + at] + z[below + at];
      };
      for (index_t w = 0; w < W; ++w)
        own[here + k * W + w] = column(std::max<index_t>(w - 1, 0)) + 2 * column(w) + column(std::min(w + 1, W - 1));
    }
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      auto square = pack::all(0.f);
      for (index_t k = 0; k < rank; ++k) {
        const auto v = access.load(own + here + k * W + i);
        square = pack::fma(v, v, square);
      }
      const auto length = pack::max(pack::sqrt(square), pack::all(1e-6f));
      for (index_t k = 0; k < rank; ++k) {
        float* at = own + here + k * W + i;
        access.store(at, access.load(at) / length);
      }
    });
  }

  /// body(i, access, dots, squares) for the pixels of row h: of `own` with each difference of x, and each
  /// |difference|^2.
  template <class Body>
  void each_difference(index_t h, const float* x, Body&& body) const {
    simd::each_pack<float>(geometry.width, [&](index_t i, auto access) {
      const auto zero = pack::all(0.f);
      std::array dots{zero, zero, zero}, squares = dots;
      for (index_t k = 0; k < rank; ++k) {
        const float* at = x + h * row + k * geometry.width + i;
        const auto unit = access.load(own + h * row + k * geometry.width + i);
        const auto here = access.load(at), right = access.load(at + 1) - here, down = access.load(at + row) - here,
                   corner = access.load(at + row + 1) - access.load(at + row) - right;
        dots = {pack::fma(unit, right, dots[0]), pack::fma(unit, down, dots[1]), pack::fma(unit, corner, dots[2])};
        squares = {pack::fma(right, right, squares[0]), pack::fma(down, down, squares[1]),
                   pack::fma(corner, corner, squares[2])};
      }
      body(i, access, dots, squares);
    });
  }

  /// After `direct`: the squares of row h's differences, along `own` in the first planes of r, q and p, across it in
  /// `along`; 0 over the edge.
  void differ(index_t h) {
    const index_t W = geometry.width, first = h * row, flat = h * W;
    const auto below = pack::all(h + 1 < geometry.height ? 1.f : 0.f), zero = pack::all(0.f);
    each_difference(h, z, [&](index_t i, auto access, const auto& dots, const auto& squares) {
      const auto part = [&](std::size_t way, float* inside, float* beside, auto counts) {
        const auto square = dots[way] * dots[way];
        access.store(inside + first + i, square * counts);
        access.store(beside + flat + i, pack::max(squares[way] - square, zero) * counts);
      };
      part(0, r, along.right, pack::all(1.f));
      part(1, q, along.down, below);
      part(2, p, along.corner, below);
    });
    // what lies to the right of the last column is another plane's first
    r[first + W - 1] = p[first + W - 1] = along.right[flat + W - 1] = along.corner[flat + W - 1] = 0;
  }

  /// After all rows differ: the weights of row h's differences, 0 over the edge. Squares are averaged with 1 2 1 along
  /// rows and columns, because a hidden pixel's own differences are only as large as the last weights let them be.
  void weigh(index_t h, float softness, float power, float shared, float colours, float corners) {
    const index_t H = geometry.height, W = geometry.width, above = std::max<index_t>(h - 1, 0),
                  below = std::min(h + 1, H - 1);
    const auto mean = [&](const float* squares, index_t stride, index_t w) {
      const auto column = [&](index_t i) {
        return squares[above * stride + i] + 2 * squares[h * stride + i] + squares[below * stride + i];
      };
      return (column(std::max<index_t>(w - 1, 0)) + 2 * column(w) + column(std::min(w + 1, W - 1))) / 8;
    };
    const auto weight = [&](float squares) { return std::pow(squares + softness * softness, power / 2 - 1); };
    const auto set = [&](float* across, float* more, const float* beside, const float* inside, index_t w,
                         float factor) {
      across[h * W + w] = more[h * W + w] = 0;
      if (factor == 0) return;
      const float tint = mean(beside, W, w), light = mean(inside, row, w);
      across[h * W + w] = factor * colours * weight(tint + shared * light);
      more[h * W + w] = factor * weight(light + shared * tint) - across[h * W + w];
    };
    for (index_t w = 0; w < W; ++w) {
      const float right = w + 1 < W ? 1.f : 0.f, down = h + 1 < H ? 1.f : 0.f;
      set(colour.right, brightness.right, along.right, r, w, right);
      set(colour.down, brightness.down, along.down, q, w, down);
      set(colour.corner, brightness.corner, along.corner, p, w, corners * right * down);
    }
  }

  /// After all rows have weights: what each pixel itself has of them, the sums over all its differences.
  void sum(index_t h) {
    const index_t W = geometry.width;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      const index_t at = h * W + i;
      const auto all = [&](const edges& e) {
        return access.load(e.right + at) + access.load(e.right + at - 1) + access.load(e.down + at) +
               access.load(e.down + at - W) + access.load(e.corner + at) + access.load(e.corner + at - 1) +
               access.load(e.corner + at - W) + access.load(e.corner + at - W - 1);
      };
      const auto tint = all(colour);
      access.store(around + at, tint);
      access.store(bright + at, tint + all(brightness));
    });
  }

  /// After all sums: two neighbours are also in the two corners beside their edge.
  void join(index_t h) {
    const index_t W = geometry.width;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      const index_t at = h * W + i;
      const auto corner = access.load(colour.corner + at);
      access.store(colour.right + at, access.load(colour.right + at) + corner + access.load(colour.corner + at - W));
      access.store(colour.down + at, access.load(colour.down + at) + corner + access.load(colour.corner + at - 1));
    });
  }

  /// Row h of `along` for an image x: what the three differences that begin at a pixel give its neighbours right, below
  /// and right below along its `own`; the pixel itself gets minus their sum.
  void project(index_t h, const float* x) {
    const index_t flat = h * geometry.width;
    each_difference(h, x, [&](index_t i, auto access, const auto& dots, const auto&) {
      const auto corner = access.load(brightness.corner + flat + i) * dots[2];
      access.store(along.right + flat + i, access.load(brightness.right + flat + i) * dots[0] - corner);
      access.store(along.down + flat + i, access.load(brightness.down + flat + i) * dots[1] - corner);
      access.store(along.corner + flat + i, corner);
    });
  }
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
