#pragma once

/// Softmax along the width with the channels on the lanes: three walks over the row.

#include "../../parallel/parallel_for.hpp"
#include "../../simd/loop.hpp"
#include "../width_softmax.hpp"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::width_softmax, cpu> {
  /// A channel's numbers for each thread.
  static index_t scratch(const cpu& be, const image_rows& s) { return thread_slots(be) * s.channels; }

  template <class T>
  static void forward(const cpu& be, T* z, const image_rows& s, T* scratch) {
    parallel_for(be, s.rows, [=](index_t r, int slot) {
      forward_row(z + r * s.width * s.channels, scratch + slot * s.channels, s.width, s.channels);
    });
  }
  template <class T>
  static void backward(const cpu& be, T* d, const T* e, const image_rows& s, T* scratch) {
    parallel_for(be, s.rows, [=](index_t r, int slot) {
      const index_t at = r * s.width * s.channels;
      backward_row(d + at, e + at, scratch + slot * s.channels, s.width, s.channels);
    });
  }

 private:
  template <class T>
  static void forward_row(T* row, T* channel, index_t width, index_t c) {
    using P = simd::pack<T>;
    std::copy_n(row, c, channel);
    for (index_t w = 1; w < width; ++w)
      simd::transform<T>(
          c, channel, [](auto m, auto v) { return P::max(m, v); }, channel, row + w * c);
    for (index_t w = 0; w < width; ++w)
      simd::transform4<T>(
          c, row + w * c,
          [](auto v, auto m) { return simd::exp<T>(simd::map([](auto a, auto b) { return a - b; }, v, m)); },
          row + w * c, channel);
    std::fill_n(channel, c, T(0));
    for (index_t w = 0; w < width; ++w)
      simd::transform<T>(
          c, channel, [](auto s, auto v) { return s + v; }, channel, row + w * c);
    for (index_t w = 0; w < width; ++w)
      simd::transform<T>(
          c, row + w * c, [](auto v, auto s) { return v / s; }, row + w * c, channel);
  }

  template <class T>
  static void backward_row(T* d, const T* e, T* channel, index_t width, index_t c) {
    using P = simd::pack<T>;
    std::fill_n(channel, c, T(0));
    for (index_t w = 0; w < width; ++w)
      simd::transform<T>(
          c, channel, [](auto s, auto g, auto v) { return P::fma(g, v, s); }, channel, d + w * c, e + w * c);
    for (index_t w = 0; w < width; ++w)
      simd::transform<T>(
          c, d + w * c, [](auto g, auto v, auto s) { return v * (g - s); }, d + w * c, e + w * c, channel);
  }
};

}  // namespace unmask::inline UNMASK_ABI
