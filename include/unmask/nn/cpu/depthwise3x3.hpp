#pragma once

/// Depthwise 3x3 with the channels on the lanes; rows in parallel, each output written once.

#include "../../simd/loop.hpp"
#include "../depthwise3x3.hpp"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::depthwise3x3, cpu> : no_scratch {
  template <class T>
  static void forward(const cpu& be, T* y, matrix<const T> x, const T* weight, const depthwise_sizes& s) {
    parallel_for(be, s.batch * s.height, [&](index_t i, int) {
      const index_t first = i / s.height * s.height * s.width;
      gather_row<false, T>(y + first * s.channels, {x.data + first * x.ld, x.ld}, weight, i % s.height, s);
    });
  }

  template <class T>
  static void backward(const cpu& be, T* dx, chunk_buffers<T> dweight, const T* dy, matrix<const T> x, const T* weight,
                       const depthwise_sizes& s) {
    const index_t c = s.channels, rows = s.batch * s.height, chunks = std::min(dweight.limit, chunk_count(rows));
    parallel_for(be, chunks, [&](index_t chunk, int) {
      T* dw = dweight.first + chunk * dweight.stride;
      for (index_t r = chunk_begin(chunk, chunks, rows); r < chunk_begin(chunk + 1, chunks, rows); ++r) {
        const index_t h = r % s.height, first = r / s.height * s.height * s.width;
        const T* const own = dy + first * c;
        gather_row<true, T>(dx + first * c, {own, c}, weight, h, s);
        for (index_t i = 0; i < 3; ++i) {
          const index_t row = h + i - 1;
          if (row < 0 || row >= s.height) continue;
          const matrix<const T> line{x.data + (first + row * s.width) * x.ld, x.ld};
          // a whole row of pixels for each tap: nine sums in registers instead of nine walks over dw
          for (index_t j = 0; j < 3; ++j)
            add_weight_gradient<T>(dw + (i * 3 + j) * c, own + h * s.width * c, line, j - 1, s.width, c);
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
      inner_pixels<T>({y + k, c}, {above + k, own + k, below + k, c}, taps, pixels, access);
    });
  }

 private:
  /// dw[c] += sum over w of x[w + shift, c] dy[w, c].
  template <class T>
  static void add_weight_gradient(T* dw, const T* dy, matrix<const T> x, index_t shift, index_t width, index_t c) {
    using P = simd::pack<T>;
    simd::each_pack<T>(c, [&](index_t k, auto access) {
      auto sum = access.load(dw + k);
      for (index_t w = std::max<index_t>(0, -shift); w < std::min(width, width - shift); ++w)
        sum = P::fma(access.load(x.data + (w + shift) * x.ld + k), access.load(dy + w * c + k), sum);
      access.store(dw + k, sum);
    });
  }

  /// Three pixels below one another and their right neighbours, `ld` apart.
  template <class T>
  struct pixel_lines {
    const T *above, *own, *below;
    index_t ld;
  };

  /// y and its successors from nine pixels each; the first one's left neighbours are given.
  template <class T, class Taps, class Access>
  static void inner_pixels(matrix<T> to, pixel_lines<std::type_identity_t<T>> from, const Taps& taps, index_t pixels,
                           Access access) {
    const index_t ldx = from.ld, c = to.ld;
    const T *above = from.above, *own = from.own, *below = from.below;
    T* y = to.data;
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
  static void gather_row(T* y, matrix<const T> x, const T* weight, index_t h, const depthwise_sizes& s) {
    const index_t height = s.height, width = s.width, c = s.channels, ldx = x.ld;
    const index_t top = h == 0 ? 1 : 0, bottom = h == height - 1 ? 1 : 2;  // the taps' rows that lie in the image
    const T* middle = x.data + h * width * ldx;
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
        inner_pixels<T>({to + c + k, c}, {above, own, below, ldx}, taps, width - 2, access);
        if (width > 1) pixel(width - 1, 0, 1);
      } else {
        for (index_t w = 0; w < width; ++w) pixel(w, w == 0 ? 1 : 0, w == width - 1 ? 1 : 2);
      }
    };
    each_register<T>(c, walk);
  }
};

}  // namespace unmask::inline UNMASK_ABI
