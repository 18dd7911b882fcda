#pragma once

/// Depthwise 3x3 with the channels on the lanes; rows in parallel, each output written once.

#include "../../simd/loop.hpp"
#include "../depthwise3x3.hpp"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::depthwise3x3, cpu> {
  template <class T>
  static void forward(const cpu& be, T* y, const T* x, index_t ldx, const T* weight, index_t height, index_t width,
                      index_t c) {
    parallel_for(be, height, [&](index_t h, int) { gather_row<false>(y, x, ldx, weight, h, height, width, c); });
  }

  template <class T>
  static void backward(const cpu& be, T* dx, gradient_chunks<T> dweight, const T* dy, const T* x, index_t ldx,
                       const T* weight, index_t height, index_t width, index_t c) {
    using P = simd::pack<T>;
    const index_t chunks = std::min(dweight.limit, chunk_count(height));
    parallel_for(be, chunks, [&](index_t chunk, int) {
      T* dw = dweight.first + chunk * dweight.stride;
      for (index_t h = chunk_begin(chunk, chunks, height); h < chunk_begin(chunk + 1, chunks, height); ++h) {
        gather_row<true>(dx, dy, c, weight, h, height, width, c);
        for (index_t w = 0; w < width; ++w)
          detail::each_neighbour(h, w, height, width, [&](index_t tap, index_t at) {
            simd::transform<T>(
                c, dw + tap * c, [](auto sum, auto v, auto g) { return P::fma(v, g, sum); }, dw + tap * c, x + at * ldx,
                dy + (h * width + w) * c);
          });
      }
    });
  }

 private:
  /// Row h of the convolution, or (`Reversed`) of its adjoint, which is the same sum with the taps reversed.
  template <bool Reversed, class T>
  static void gather_row(T* y, const T* x, index_t ldx, const T* weight, index_t h, index_t height, index_t width,
                         index_t c) {
    using P = simd::pack<T>;
    for (index_t w = 0; w < width; ++w) {
      T* to = y + (h * width + w) * c;
      std::fill_n(to, c, T(0));
      detail::each_neighbour(h, w, height, width, [&](index_t tap, index_t at) {
        simd::transform<T>(
            c, to, [](auto sum, auto v, auto k) { return P::fma(v, k, sum); }, to, x + at * ldx,
            weight + (Reversed ? 8 - tap : tap) * c);
      });
    }
  }
};

}  // namespace unmask::inline UNMASK_ABI
