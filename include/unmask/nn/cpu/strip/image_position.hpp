#pragma once

/// The positional term of spectral attention over a whole image, depthwise 3x3, GELU, depthwise 3x3, in one pass: a
/// piece of a row at a time, the rows between the two convolutions in the second cache. As three passes over the image
/// it waited for memory, which two threads share.

#include "../../../parallel/parallel_for.hpp"
#include "../depthwise3x3.hpp"
#include "../gelu.hpp"

namespace unmask::inline UNMASK_ABI::strip {

/// Rows and columns that one item of the parallel loop answers for. It computes a border of one pixel of the hidden
/// rows again: 10 % more work in the first convolution and in GELU than without pieces.
inline constexpr index_t position_rows = 32, position_columns = 64;

/// Numbers of a thread's scratch: three hidden rows of a piece and its borders.
inline constexpr index_t position_scratch(index_t c) { return 3 * (position_columns + 2) * c; }

/// y [height, width, C] from v [height + 2, width + 2, C], whose border is zero.
template <class Backend, class T>
void image_position(const Backend& be, T* y, const T* v, const T* weight0, const T* weight2, T* scratch,
                    const depthwise_sizes& s) {
  const index_t height = s.height, width = s.width, c = s.channels;
  using convolution = kernel<op::depthwise3x3, cpu>;
  const index_t bands = (height + position_rows - 1) / position_rows,
                pieces = (width + position_columns - 1) / position_columns;
  parallel_for(be, bands * pieces, [&](index_t item, int slot) {
    const index_t top = item / pieces * position_rows, bottom = std::min(height, top + position_rows),
                  left = item % pieces * position_columns, right = std::min(width, left + position_columns);
    T* rows = scratch + slot * position_scratch(c);
    const index_t pixels = right - left + 2, wide = (width + 2) * c;
    const auto hidden = [&](index_t h) { return rows + (h + 3) % 3 * pixels * c; };
    for (index_t h = top - 1; h <= bottom; ++h) {
      T* to = hidden(h);
      // what lies beyond the image is zero for the second convolution too
      const index_t first = left == 0 ? 1 : 0, last = pixels - (right == width ? 1 : 0);
      if (h < 0 || h == height) {
        std::fill_n(to, pixels * c, T(0));
      } else {
        if (first == 1) std::fill_n(to, c, T(0));
        if (last < pixels) std::fill_n(to + last * c, c, T(0));
        T* inside = to + first * c;
        const T* above = v + h * wide + (left - 1 + first) * c;  // image row h is row h + 1 of v
        convolution::row(inside, above, above + wide, above + 2 * wide, weight0, last - first, c);
        kernel<op::gelu, cpu>::forward(cpu{}, inside, inside, (last - first) * c);
      }
      if (h > top)
        convolution::row(y + ((h - 1) * width + left) * c, hidden(h - 2), hidden(h - 1), to, weight2, right - left, c);
    }
  });
}

}  // namespace unmask::inline UNMASK_ABI::strip
