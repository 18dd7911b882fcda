#pragma once

/// What a step of conjugate gradients in `spectral_tv` does to one row of an image.

#include "spectral_tv_weights.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

struct spectral_tv_rows : spectral_tv_weights {
  using spectral_tv_weights::spectral_tv_weights;

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

  /// line += A L x
  void measure(index_t h, const float* x, const float* mask) {
    const index_t W = geometry.width;
    float* to = line + h * geometry.measurement_width();
    for (index_t c = 0; c < geometry.bands; ++c, to += geometry.step)
      weighted_sum(W, turned + c * rank, rank, x + h * row, W, [&](index_t i, auto access, auto sum) {
        access.store(to + i, pack::fma(access.load(mask + h * W + i), sum, access.load(to + i)));
      });
  }

  /// line times `trust`
  void weigh_line(index_t h) {
    const index_t V = geometry.measurement_width(), first = h * V;
    simd::each_pack<float>(V, [&](index_t i, auto access) {
      access.store(line + first + i, access.load(line + first + i) * access.load(trust + first + i));
    });
  }

  /// body(at, access, L' A' line + lambda D' w D x) for row h of all planes, D the differences between neighbours;
  /// `along` is x's.
  template <class Body>
  void gradient(index_t h, const float* x, const float* mask, float lambda, Body&& body) const {
    const index_t W = geometry.width, flat = h * W;
    const auto at_row = [&](const edges& e) { return edges{e.right + flat, e.down + flat, e.corner + flat}; };
    const edges w = at_row(colour), t = at_row(along);
    const float *light = mask + flat, *all = around + flat;
    for (index_t k = 0; k < rank; ++k) {
      const float *plane = x + h * row + k * W, *units = own + h * row + k * W;
      weighted_sum(W, spread + k * geometry.bands, geometry.bands, line + h * geometry.measurement_width(),
                   geometry.step, [&](index_t i, auto access, auto sum) {
                     const float *at = plane + i, *unit = units + i;
                     auto rough = access.load(all + i) * access.load(at);
                     rough = pack::fnma(access.load(w.right + i), access.load(at + 1), rough);
                     rough = pack::fnma(access.load(w.right + i - 1), access.load(at - 1), rough);
                     rough = pack::fnma(access.load(w.down + i), access.load(at + row), rough);
                     rough = pack::fnma(access.load(w.down + i - W), access.load(at - row), rough);
                     rough = pack::fma(access.load(w.corner + i), access.load(at + row + 1), rough);
                     rough = pack::fma(access.load(w.corner + i - 1), access.load(at + row - 1), rough);
                     rough = pack::fma(access.load(w.corner + i - W), access.load(at - row + 1), rough);
                     rough = pack::fma(access.load(w.corner + i - W - 1), access.load(at - row - 1), rough);
                     const auto given = access.load(t.right + i) + access.load(t.down + i) + access.load(t.corner + i);
                     rough = pack::fnma(given, access.load(unit), rough);
                     rough = pack::fma(access.load(t.right + i - 1), access.load(unit - 1), rough);
                     rough = pack::fma(access.load(t.down + i - W), access.load(unit - row), rough);
                     rough = pack::fma(access.load(t.corner + i - W - 1), access.load(unit - row - 1), rough);
                     body(h * row + k * W + i, access,
                          pack::fma(pack::all(lambda), rough, access.load(light + i) * sum));
                   });
    }
  }

  /// q = r / (diagonal of that operator, all differences weighing as much as colours, all bands alike); returns the
  /// row's r'q.
  double precondition(index_t h, float lambda) {
    const index_t W = geometry.width;
    auto sum = pack::all(0.f);
    for (index_t k = 0; k < rank; ++k)
      simd::each_pack<float>(W, [&](index_t i, auto access) {
        const index_t at = h * row + k * W + i;
        const auto residual = access.load(r + at);
        const auto diagonal = pack::fma(pack::all(lambda), access.load(around + h * W + i),
                                        pack::all(energy[k]) * access.load(heard + h * W + i));
        // dark pixels without neighbours, and a tail's padding, have 0 / 0
        const auto quotient = residual / pack::max(diagonal, pack::all(1e-20f));
        access.store(q + at, quotient);
        sum = pack::fma(residual, quotient, sum);
      });
    return static_cast<double>(pack::sum(sum));
  }
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
