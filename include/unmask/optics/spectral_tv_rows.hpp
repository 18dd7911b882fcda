#pragma once

/// What a step of conjugate gradients in `spectral_tv` does to one row of an image, or to the rows of one group.

#include "spectral_tv_weights.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

struct spectral_tv_rows : spectral_tv_weights {
  using spectral_tv_weights::spectral_tv_weights;

  /// body(i, access, s0, s1), s = sum over t of a[t] x[t stride + i], for i in [0, n): four registers of x times two
  /// numbers each, because more loads than multiply-adds would be what it waits for (0.56 to 0.34 ms for A' of 256 x
  /// 256 pixels).
  template <class Body>
  static void weighted_sums(index_t n, const float* a0, const float* a1, index_t terms, const float* x, index_t stride,
                            Body&& body) {
    constexpr index_t lanes = pack::lanes;
    index_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      pack::type s0[4], s1[4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) s0[j] = s1[j] = pack::all(0.f);
      const float* from = x + i;
      for (index_t t = 0; t < terms; ++t, from += stride) {
        const auto f0 = pack::held(pack::all(a0[t])), f1 = pack::held(pack::all(a1[t]));
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
          const auto one = pack::held(pack::load(from + j * lanes));
          s0[j] = pack::fma(f0, one, s0[j]);
          s1[j] = pack::fma(f1, one, s1[j]);
        }
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) body(i + j * lanes, simd::whole_pack<float>{}, s0[j], s1[j]);
    }
    simd::each_pack<float>(n - i, [&](index_t j, auto access) {
      auto s0 = pack::all(0.f), s1 = s0;
      for (index_t t = 0; t < terms; ++t) {
        const auto one = access.load(x + t * stride + i + j);
        s0 = pack::fma(pack::all(a0[t]), one, s0);
        s1 = pack::fma(pack::all(a1[t]), one, s1);
      }
      body(i + j, access, s0, s1);
    });
  }

  /// line += A L x. Odd bands have a line of their own: what was just stored, shifted by a step, is slow to load.
  void measure(index_t h, const float* x, const float* mask) {
    const index_t W = geometry.width, C = geometry.bands, V = geometry.measurement_width();
    float *to = line + h * V, *odd = inverse.spare_line(h);
    std::fill_n(odd, V, 0.f);
    for (index_t c = 0; c < C; c += 2) {
      const bool pair = c + 1 < C;
      const float *a = turned + c * rank, *b = pair ? a + rank : a;
      weighted_sums(W, a, b, rank, x + h * row, W, [&](index_t i, auto access, auto first, auto second) {
        const auto light = access.load(mask + h * W + i);
        const auto add = [&](float* at, auto sum) { access.store(at, pack::fma(light, sum, access.load(at))); };
        add(to + geometry.step * c + i, first);
        if (pair) add(odd + geometry.step * (c + 1) + i, second);
      });
    }
    simd::transform<float>(
        V, to, [](auto even, auto other) { return even + other; }, to, odd);
  }

  /// line times `trust`
  void weigh_line(index_t h) {
    const index_t V = geometry.measurement_width(), first = h * V;
    simd::each_pack<float>(V, [&](index_t i, auto access) {
      access.store(line + first + i, access.load(line + first + i) * access.load(trust + first + i));
    });
  }

  /// Row h of x = L' A' line.
  void collect(index_t h, float* x, const float* mask) const {
    const index_t W = geometry.width, C = geometry.bands;
    const float* from = line + h * geometry.measurement_width();
    for (index_t k = 0; k < rank; k += 2) {
      const bool pair = k + 1 < rank;
      const float *a = spread + k * C, *b = pair ? a + C : a;
      weighted_sums(W, a, b, C, from, geometry.step, [&](index_t i, auto access, auto first, auto second) {
        const auto light = access.load(mask + h * W + i);
        float* at = x + h * row + k * W + i;
        access.store(at, light * first);
        if (pair) access.store(at + W, light * second);
      });
    }
  }

  /// body(at, access, D' w D x) for row h of all planes, D the differences between neighbours; `along` is x's.
  template <class Body>
  void each_roughness(index_t h, const float* x, Body&& body) const {
    const index_t W = geometry.width, flat = h * W;
    const auto at_row = [&](const edges& e) { return edges{e.right + flat, e.down + flat, e.corner + flat}; };
    const edges w = at_row(colour), t = at_row(along);
    for (index_t k = 0; k < rank; ++k) {
      const float *plane = x + h * row + k * W, *units = own + h * row + k * W;
      simd::each_pack<float>(W, [&](index_t i, auto access) {
        const float *at = plane + i, *unit = units + i;
        auto rough = access.load(around + flat + i) * access.load(at);
        rough = pack::fnma(access.load(w.right + i), access.load(at + 1), rough);
        rough = pack::fnma(access.load(w.right + i - 1), access.load(at - 1), rough);
        rough = pack::fnma(access.load(w.down + i), access.load(at + row), rough);
        rough = pack::fnma(access.load(w.down + i - W), access.load(at - row), rough);
        rough = pack::fma(access.load(w.corner + i), access.load(at + row + 1), rough);
        rough = pack::fma(access.load(w.corner + i - 1), access.load(at + row - 1), rough);
        rough = pack::fma(access.load(w.corner + i - W), access.load(at - row + 1), rough);
        rough = pack::fma(access.load(w.corner + i - W - 1), access.load(at - row - 1), rough);
        const auto all = access.load(t.right + i) + access.load(t.down + i) + access.load(t.corner + i);
        rough = pack::fnma(all, access.load(unit), rough);
        rough = pack::fma(access.load(t.right + i - 1), access.load(unit - 1), rough);
        rough = pack::fma(access.load(t.down + i - W), access.load(unit - row), rough);
        rough = pack::fma(access.load(t.corner + i - W - 1), access.load(unit - row - 1), rough);
        body(h * row + k * W + i, access, rough);
      });
    }
  }

  /// Row h of y = x divided by what stands for lambda D' w D in the preconditioner: each pixel's own weights, for
  /// brightness along `own` and for colours across it. y may be x.
  void soften(index_t h, float lambda, float* y, const float* x) const {
    const index_t W = geometry.width, first = h * row;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      auto dot = pack::all(0.f);
      for (index_t k = 0; k < rank; ++k)
        dot = pack::fma(access.load(own + first + k * W + i), access.load(x + first + k * W + i), dot);
      const auto tint = compliance(access.load(around + h * W + i), lambda);
      dot = dot * (compliance(access.load(bright + h * W + i), lambda) - tint);
      for (index_t k = 0; k < rank; ++k) {
        const index_t at = first + k * W + i;
        access.store(y + at, pack::fma(access.load(own + at), dot, access.load(x + at) * tint));
      }
    });
  }

  /// The inverse that `precondition` needs, for one group.
  void factor(index_t group, const float* mask, float lambda) {
    const index_t W = geometry.width;
    inverse.factor(
        group, mask, trust,
        [&](index_t h, index_t w) {
          const float tint = compliance(around[h * W + w], lambda);
          return std::pair{tint, compliance(bright[h * W + w], lambda) - tint};
        },
        [&](index_t c, index_t h, index_t w) {
          float sum = 0;
          for (index_t k = 0; k < rank; ++k) sum += turned[c * rank + k] * own[h * row + k * W + w];
          return sum;
        });
  }

  /// q = (that + L' A' t A L)^-1 r and seen_q = L' A' t A L q for a group's rows; each row's r'q into sums [H]. A L q
  /// is line / t, whose L' A' was needed anyway, so the steps never measure q.
  void precondition(index_t group, const float* mask, float lambda, double* sums) {
    const index_t V = geometry.measurement_width(), first = group * inverse.lanes,
                  end = std::min(first + inverse.lanes, geometry.height);
    for (index_t h = first; h < end; ++h) {
      soften(h, lambda, q, r);
      std::fill_n(line + h * V, V, 0.f);
      measure(h, q, mask);
    }
    inverse.solve(group, line);
    for (index_t h = first; h < end; ++h) {
      collect(h, seen_q, mask);
      simd::each_pack<float>(row, [&](index_t i, auto access) {
        const index_t at = h * row + i;
        access.store(q + at, access.load(r + at) - access.load(seen_q + at));
      });
      soften(h, lambda, q, q);
      auto sum = pack::all(0.f);
      simd::each_pack<float>(row, [&](index_t i, auto access) {
        sum = pack::fma(access.load(r + h * row + i), access.load(q + h * row + i), sum);
      });
      sums[h] = static_cast<double>(pack::sum(sum));
    }
  }

 private:
  /// One over a weight, which may be 0 in an image of one pixel.
  static float compliance(float weight, float lambda) { return 1 / (lambda * weight + 1e-5f); }
  static pack::type compliance(pack::type weight, float lambda) {
    return pack::all(1.f) / pack::fma(pack::all(lambda), weight, pack::all(1e-5f));
  }
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
