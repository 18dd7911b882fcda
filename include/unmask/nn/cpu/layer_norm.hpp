#pragma once

/// Layer normalisation with the channels of a row on the lanes; sums run over packs in a fixed order.

#include "../../simd/loop.hpp"
#include "../layer_norm.hpp"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::layer_norm, cpu> : no_scratch {
  template <class T>
  static void forward(const cpu&, T* y, norm_saved<T> saved, const T* x, norm_params<const T> p, row_sizes s) {
    using P = simd::pack<T>;
    const index_t c = s.channels;
    T *const mean = saved.mean, *const rstd = saved.rstd;
    for (index_t i = 0; i < s.rows; ++i, x += c, y += c) {
      mean[i] = simd::sum<T>(
                    c, [](auto v) { return v; }, x) /
                static_cast<T>(c);
      // y holds x - mean between the passes: a padded tail would otherwise add (0 - mean)^2 to the variance
      const auto m = P::all(mean[i]);
      simd::transform<T>(
          c, y, [&](auto v) { return v - m; }, x);
      const T square = simd::sum<T>(
          c, [](auto v) { return v * v; }, y);
      rstd[i] = 1 / std::sqrt(square / static_cast<T>(c) + static_cast<T>(layer_norm_epsilon));
      const auto r = P::all(rstd[i]);
      simd::transform<T>(
          c, y, [&](auto v, auto w, auto b) { return P::fma(v * r, w, b); }, y, p.weight, p.bias);
    }
  }

  template <class T>
  static void backward(const cpu&, T* dx, norm_params<T> d, const T* dy, const norm_input<T>& in, row_sizes size,
                       T* /*scratch*/) {
    using P = simd::pack<T>;
    const index_t c = size.channels;
    const norm_params<const T> p = in.p;
    const T* x = in.x;
    for (index_t i = 0; i < size.rows; ++i, x += c, dy += c, dx += c) {
      const auto m = P::all(in.saved.mean[i]), r = P::all(in.saved.rstd[i]);
      const auto s = P::all(simd::sum<T>(
                                c, [](auto g, auto w) { return g * w; }, dy, p.weight) /
                            static_cast<T>(c));
      const T dot = simd::sum<T>(
          c, [&](auto g, auto w, auto v) { return g * w * ((v - m) * r); }, dy, p.weight, x);
      const auto t = P::all(dot / static_cast<T>(c));
      simd::transform<T>(
          c, d.weight, [&](auto a, auto g, auto v) { return P::fma(g, (v - m) * r, a); }, d.weight, dy, x);
      simd::transform<T>(
          c, d.bias, [](auto a, auto g) { return a + g; }, d.bias, dy);
      simd::transform<T>(
          c, dx, [&](auto a, auto g, auto w, auto v) { return a + r * (g * w - s - (v - m) * r * t); }, dx, dy,
          p.weight, x);
    }
  }
};

}  // namespace unmask::inline UNMASK_ABI
