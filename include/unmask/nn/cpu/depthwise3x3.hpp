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
  static void backward(const cpu& be, T* dx, chunk_buffers<T> dweight, const T* dy, const T* x, index_t ldx,
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

  /// `pixels` of a row, y [pixels, C], from three rows [pixels + 2, C] that start at the first one's left neighbour.
  template <class T>
  static void row(T* y, const T* above, const T* own, const T* below, const T* weight, index_t pixels, index_t c) {
    each_register<T>(c, [&](index_t k, auto access) {
      typename simd::pack<T>::type taps[9];
#pragma GCC unroll 9
      for (index_t tap = 0; tap < 9; ++tap) taps[tap] = access.load(weight + tap * c + k);
      inner_pixels(y + k, above + k, own + k, below + k, c, taps, pixels, c, access);
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

  /// y and its successors, c numbers apart, from nine pixels each; the first one's left neighbours are given.
  template <class T, class Taps, class Access>
  static void inner_pixels(T* y, const T* above, const T* own, const T* below, index_t ldx, const Taps& taps,
                           index_t pixels, index_t c, Access access) {
    for (index_t w = 0; w < pixels; ++w) {
      auto sum = taps[0] * access.load(above);
      sum = simd::pack<T>::fma(taps[1], access.load(above + ldx), sum);
      sum = simd::pack<T>::fma(taps[2], access.load(above + 2 * ldx), sum);
      sum = simd::pack<T>::fma(taps[3], access.load(own), sum);
      sum = simd::pack<T>::fma(taps[4], access.load(own + ldx), sum);
      sum = simd::pack<T>::fma(taps[5], access.load(own + 2 * ldx), sum);
      sum = simd::pack<T>::fma(taps[6], access.load(below), sum);
      sum = simd::pack<T>::fma(taps[7], access.load(below + ldx), sum);
      sum = simd::pack<T>::fma(taps[8], access.load(below + 2 * ldx), sum);
      access.store(y, sum);
      above += ldx, own += ldx, below += ldx, y += c;
    }
  }

  /// A register of channels walks along a row.
  template <class T, class Walk>
  static void each_register(index_t c, Walk&& walk) {
    constexpr index_t lanes = simd::pack<T>::lanes;
    if (c < lanes) return simd::each_pack<T>(c, walk);
    // the last register overlaps the one before it instead of being a part
    for (index_t k = 0; k < c; k += lanes) walk(std::min(k, c - lanes), simd::whole_pack<T>{});
  }

  /// Row h of the convolution, or (`Reversed`) of its adjoint, which is the same sum with the taps reversed. A register
  /// of channels walks along the row with its nine weights in registers: three times as fast as pixel by pixel.
  template <bool Reversed, class T>
  static void gather_row(T* y, const T* x, index_t ldx, const T* weight, index_t h, index_t height, index_t width,
                         index_t c) {
    const index_t top = h == 0 ? 1 : 0, bottom = h == height - 1 ? 1 : 2;  // the taps' rows that lie in the image
    const T* middle = x + h * width * ldx;
    T* to = y + h * width * c;
    const auto walk = [&](index_t k, auto access) {
      typename simd::pack<T>::type taps[9];
#pragma GCC unroll 9
      for (index_t tap = 0; tap < 9; ++tap) taps[tap] = access.load(weight + (Reversed ? 8 - tap : tap) * c + k);
      const auto pixel = [&](index_t w, index_t left, index_t right) {
        auto sum = simd::pack<T>::all(T(0));
        for (index_t i = top; i <= bottom; ++i)
          for (index_t j = left; j <= right; ++j)
            sum =
                simd::pack<T>::fma(taps[i * 3 + j], access.load(middle + ((i - 1) * width + w + j - 1) * ldx + k), sum);
        access.store(to + w * c + k, sum);
      };
      if (top == 0 && bottom == 2) {
        pixel(0, 1, width > 1 ? 2 : 1);
        const T *own = middle + k, *above = own - width * ldx, *below = own + width * ldx;
        inner_pixels(to + c + k, above, own, below, ldx, taps, width - 2, c, access);
        if (width > 1) pixel(width - 1, 0, 1);
      } else {
        for (index_t w = 0; w < width; ++w) pixel(w, w == 0 ? 1 : 0, w == width - 1 ? 1 : 2);
      }
    };
    each_register<T>(c, walk);
  }
};

}  // namespace unmask::inline UNMASK_ABI
