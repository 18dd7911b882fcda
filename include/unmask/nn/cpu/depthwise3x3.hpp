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
    const index_t chunks = std::min(dweight.limit, chunk_count(height));
    parallel_for(be, chunks, [&](index_t chunk, int) {
      T* dw = dweight.first + chunk * dweight.stride;
      for (index_t h = chunk_begin(chunk, chunks, height); h < chunk_begin(chunk + 1, chunks, height); ++h) {
        gather_row<true>(dx, dy, c, weight, h, height, width, c);
        for (index_t i = 0; i < 3; ++i) {
          const index_t row = h + i - 1;
          if (row < 0 || row >= height) continue;
          // a whole row of pixels for each tap: nine sums in registers instead of nine walks over dw
          for (index_t j = 0; j < 3; ++j)
            add_weight_gradient(dw + (i * 3 + j) * c, dy + h * width * c, x + row * width * ldx, ldx, j - 1, width, c);
        }
      }
    });
  }

 private:
  /// dw[c] += sum over w of x[w + shift, c] dy[w, c].
  template <class T>
  static void add_weight_gradient(T* dw, const T* dy, const T* x, index_t ldx, index_t shift, index_t width,
                                  index_t c) {
    using P = simd::pack<T>;
    simd::each_pack<T>(c, [&](index_t k, auto access) {
      auto sum = access.load(dw + k);
      for (index_t w = std::max<index_t>(0, -shift); w < std::min(width, width - shift); ++w)
        sum = P::fma(access.load(x + (w + shift) * ldx + k), access.load(dy + w * c + k), sum);
      access.store(dw + k, sum);
    });
  }

  /// Row h of the convolution, or (`Reversed`) of its adjoint, which is the same sum with the taps reversed.
  template <bool Reversed, class T>
  static void gather_row(T* y, const T* x, index_t ldx, const T* weight, index_t h, index_t height, index_t width,
                         index_t c) {
    using P = simd::pack<T>;
    for (index_t w = 0; w < width; ++w) {
      const T *pixels[9], *weights[9];
      index_t taps = 0;
      detail::each_neighbour(h, w, height, width, [&](index_t tap, index_t at) {
        pixels[taps] = x + at * ldx;
        weights[taps++] = weight + (Reversed ? 8 - tap : tap) * c;
      });
      simd::each_pack<T>(c, [&](index_t k, auto access) {
        auto sum = P::all(T(0));
        for (index_t t = 0; t < taps; ++t) sum = P::fma(access.load(pixels[t] + k), access.load(weights[t] + k), sum);
        access.store(y + (h * width + w) * c + k, sum);
      });
    }
  }
};

}  // namespace unmask::inline UNMASK_ABI
