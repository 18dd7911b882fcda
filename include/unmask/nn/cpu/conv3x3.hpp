#pragma once

/// 3x3 convolution as products straight from the image, no im2col buffer: in a channels-last row three neighbouring
/// pixels are 3 C consecutive numbers, so a row of outputs is three products of depth 3 C whose left rows overlap.
/// The first and last column see two pixels of each row only.

#include <array>

#include "../conv3x3.hpp"
#include "matmul.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// Output columns [first, first + count) that see the taps [tap, tap + taps) of a row.
struct column_run {
  index_t first, count, tap, taps;
};

inline std::array<column_run, 3> column_runs(index_t width) {
  if (width == 1) return {{{0, 1, 1, 1}, {0, 0, 0, 0}, {0, 0, 0, 0}}};
  return {{{0, 1, 1, 2}, {1, width - 2, 0, 3}, {width - 1, 1, 0, 2}}};
}

}  // namespace detail

template <>
struct kernel<op::conv3x3, cpu> {
  template <class T>
  static void forward(const cpu& be, T* y, const T* x, conv_params<const T> p, conv_sizes s) {
    const index_t c = s.in_channels, o = s.out_channels;
    parallel_for(be, s.batch * s.height, [&](index_t row, int) {
      T* to = y + row * s.width * o;
      for (index_t i = 0; i < s.width * o; i += o) std::copy_n(p.bias, o, to + i);
      for (index_t i = 0; i < 3; ++i) {
        if (!row_inside(row, i, s)) continue;
        const T* from = x + (row + i - 1) * s.width * c;
        for (const auto& run : detail::column_runs(s.width))
          if (run.count > 0)
            multiply_add(be, to + run.first * o, o, rows_of(from + (run.first + run.tap - 1) * c, c),
                         p.weight + (i * 3 + run.tap) * c * o, o, run.count, o, run.taps * c);
      }
    });
  }

  template <class T>
  static void backward(const cpu& be, T* dx, conv_params<T> d, const T* dy, const T* x, conv_params<const T> p,
                       conv_sizes s, T* partials, T* turned) {
    const index_t c = s.in_channels, o = s.out_channels;
    if (dx) {
      // dx is itself a convolution of dy: taps reversed, channels exchanged
      for (index_t tap = 0; tap < 9; ++tap) transpose(turned + (8 - tap) * o * c, c, p.weight + tap * c * o, o, c, o);
      parallel_for(be, s.batch * s.height, [&](index_t row, int) {
        T* to = dx + row * s.width * c;
        std::fill_n(to, s.width * c, T(0));
        for (index_t i = 0; i < 3; ++i) {
          if (!row_inside(row, i, s)) continue;
          const T* from = dy + (row + i - 1) * s.width * o;
          for (const auto& run : detail::column_runs(s.width))
            if (run.count > 0)
              multiply_add(be, to + run.first * c, c, rows_of(from + (run.first + run.tap - 1) * o, o),
                           turned + (i * 3 + run.tap) * o * c, c, run.count, c, run.taps * o);
        }
      });
    }
    const index_t size = s.parameters(), rows = s.batch * s.height;
    parallel_chunks(be, rows, [&](index_t chunk, index_t begin, index_t end, int) {
      T* dw = partials + chunk * size;
      T* db = dw + 9 * c * o;
      std::fill_n(dw, size, T(0));
      for (index_t row = begin; row < end; ++row) {
        const T* from = dy + row * s.width * o;
        for (index_t w = 0; w < s.width; ++w)
          for (index_t k = 0; k < o; ++k) db[k] += from[w * o + k];
        for (index_t i = 0; i < 3; ++i) {
          if (!row_inside(row, i, s)) continue;
          const T* image = x + (row + i - 1) * s.width * c;
          for (const auto& run : detail::column_runs(s.width))
            if (run.count > 0)
              multiply_add(be, dw + (i * 3 + run.tap) * c * o, o, transposed(image + (run.first + run.tap - 1) * c, c),
                           from + run.first * o, o, run.taps * c, o, run.count);
        }
      }
    });
    reduce_partials(be, d.weight, partials, chunk_count(rows), size);  // weight and bias are neighbours
  }

 private:
  /// Whether tap row `i` of image row `row` (counted over the batch) stays in its image.
  static bool row_inside(index_t row, index_t i, conv_sizes s) {
    const index_t h = row % s.height + i - 1;
    return h >= 0 && h < s.height;
  }
};

}  // namespace unmask::inline UNMASK_ABI
