#pragma once

/// How much of a coded mask's pattern is left in a reconstruction: needs no truth, so it can be told of a real
/// camera's.
///
///   x = l (1 + b f_d),   l = mean of x over 5 x 5 pixels, f_d = mask less its own mean over 5 x 5, moved by d pixels
///
/// For each band b is fitted by least squares over pixels that are at least 8 from the edges, for d up to one row and
/// two columns; the largest |b| counts, and the mean over bands is the result: 0.1 where a pixel behind an open cell is
/// a tenth brighter or darker than one behind a closed cell. HM, the mask itself, has 1 to 2; a true scene has some by
/// chance, less the larger it is, which `chance_trace` tells. Our own definition: papers show pictures.

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "../core/finite.hpp"
#include "../core/tensor.hpp"
#include "../parallel/parallel_for.hpp"

namespace unmask::inline UNMASK_ABI::metrics {

/// x [H, W, C], mask [H, W]; NaN in, NaN out; 0 where an image is smaller than 17 x 17 or nowhere bright. Equal bits
/// for any number of threads.
template <class Backend>
double mask_trace(const Backend& be, in<float, 3> x, in<float, 2> mask) {
  constexpr index_t reach = 2, edge = 8, rows = 16, moves = 15;
  const index_t H = x.extent(0), W = x.extent(1), C = x.extent(2);
  if (H <= 2 * edge || W <= 2 * edge) return 0;
  tensor<float, 2> fine({H, W});
  parallel_for(be, H - 2 * reach, [&](index_t h, int) {
    for (index_t w = reach; w < W - reach; ++w) {
      float sum = 0;
      for (index_t i = 0; i <= 2 * reach; ++i)
        for (index_t j = -reach; j <= reach; ++j) sum += mask(h + i, w + j);
      fine(h + reach, w) = mask(h + reach, w) - sum / 25;
    }
  });
  const index_t strips = (H - 2 * edge + rows - 1) / rows;
  tensor<double, 3> sums({strips, 2 * moves, C});  // of (x - l) l f and of (l f)^2
  parallel_for(be, strips, [&](index_t strip, int) {
    std::vector<float> columns(static_cast<std::size_t>(W * C)), means(static_cast<std::size_t>(C));
    const index_t first = edge + strip * rows;
    for (index_t h = first; h < std::min(first + rows, H - edge); ++h) {
      for (index_t i = 0; i < W * C; ++i) {
        columns[static_cast<std::size_t>(i)] = 0;
        for (index_t k = -reach; k <= reach; ++k) columns[static_cast<std::size_t>(i)] += x.data()[(h + k) * W * C + i];
      }
      for (index_t w = edge; w < W - edge; ++w) {
        for (index_t c = 0; c < C; ++c) {
          float sum = 0;
          for (index_t k = -reach; k <= reach; ++k) sum += columns[static_cast<std::size_t>((w + k) * C + c)];
          means[static_cast<std::size_t>(c)] = sum / 25;
        }
        for (index_t move = 0; move < moves; ++move) {
          const float f = fine(h - (move / 5 - 1), w - (move % 5 - 2));
          double *product = &sums(strip, 2 * move, 0), *square = &sums(strip, 2 * move + 1, 0);
          for (index_t c = 0; c < C; ++c) {
            const float l = means[static_cast<std::size_t>(c)], expected = l * f;
            product[c] += static_cast<double>((x(h, w, c) - l) * expected);
            square[c] += static_cast<double>(expected * expected);
          }
        }
      }
    }
  });
  double trace = 0;
  for (index_t c = 0; c < C; ++c) {
    double worst = 0;
    for (index_t move = 0; move < moves; ++move) {
      double product = 0, square = 0;
      for (index_t strip = 0; strip < strips; ++strip) {
        product += sums(strip, 2 * move, c);
        square += sums(strip, 2 * move + 1, c);
      }
      const double b = square > 0 || is_nan(square) ? std::abs(product / square) : 0;
      if (!(b <= worst)) worst = b;
    }
    trace += worst / static_cast<double>(C);
  }
  return trace;
}

/// The same with a mask that x has never seen: this one, turned round by half its height and width.
template <class Backend>
double chance_trace(const Backend& be, in<float, 3> x, in<float, 2> mask) {
  const index_t H = mask.extent(0), W = mask.extent(1);
  tensor<float, 2> other({H, W});
  for (index_t h = 0; h < H; ++h)
    for (index_t w = 0; w < W; ++w) other(h, w) = mask((h + H / 2) % H, (w + W / 2) % W);
  return mask_trace(be, x, in<float, 2>(other.view()));
}

}  // namespace unmask::inline UNMASK_ABI::metrics
