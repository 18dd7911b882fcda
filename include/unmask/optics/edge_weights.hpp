#pragma once

/// What each difference between neighbours weighs in `spectral_tv`: iteratively reweighted least squares of the
/// differences' p-th power (lagged diffusivity: Vogel and Oman 1996).

#include <algorithm>
#include <array>
#include <cmath>

#include "../parallel/parallel_for.hpp"
#include "edge_differences.hpp"
#include "spectral_tv_options.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class edge_weights : public edge_differences {
 public:
  using edge_differences::edge_differences;

  void carve_scratch(arena& memory) {
    edge_differences::carve_scratch(memory);
    for (framed_image& f : frames_) f.carve(memory, layout_.height, layout_.width);
    colour_squares_ = edges_of(frames_.data());
    whole_sum_ = memory.take<float>(layout_.height * layout_.width);
  }

  void clear_frames() const {
    edge_differences::clear_frames();
    for (const framed_image& f : frames_) f.clear_frame();
  }

  /// The weights that z asks for. `squares`: scratch.
  template <class Backend>
  void update(const Backend& be, const float* z, const spectral_tv_options& o, float epsilon,
              const edge_images& squares) {
    weigh_differences(be, z, o, epsilon, squares);
    complete(be);
  }

  /// In two halves. Between them the squares of differences, `squares` and colour_squares(), can be read and the
  /// weights changed; 0 over the edge.
  template <class Backend>
  void weigh_differences(const Backend& be, const float* z, const spectral_tv_options& o, float epsilon,
                         const edge_images& squares) {
    parallel_for(be, layout_.height,
                 [&](index_t h, int) { find_unit_spectra(h, z), square_differences(h, z, squares); });
    parallel_for(be, layout_.height, [&](index_t h, int) { weigh(h, o, epsilon, squares); });
  }
  template <class Backend>
  void complete(const Backend& be) {
    parallel_for(be, layout_.height, [&](index_t h, int) { add_up(h); });
    parallel_for(be, layout_.height, [&](index_t h, int) { add_corners(h); });
  }
  const edge_images& colour_squares() const { return colour_squares_; }

  /// [H, W]: the diagonal of D' w D at a pixel, along its spectrum.
  const float* brightness_diagonal() const { return whole_sum_; }

 private:
  /// Row h of the unit spectra: z averaged with 1 2 1 along rows and columns, at length 1 (0 where z is 0).
  void find_unit_spectra(index_t h, const float* z) {
    const index_t H = layout_.height, W = layout_.width, K = layout_.count, row = layout_.row();
    const index_t above = std::max<index_t>(h - 1, 0) * row, here = h * row, below = std::min(h + 1, H - 1) * row;
    float* unit = unit_.data() + here;
    for (index_t k = 0; k < K; ++k) {
      const auto column = [&, k](index_t w) {
        const index_t at = k * W + w;
        return z[above + at] + 2 * z[here + at] + z[below + at];
      };
      for (index_t w = 0; w < W; ++w)
        unit[k * W + w] = column(std::max<index_t>(w - 1, 0)) + 2 * column(w) + column(std::min(w + 1, W - 1));
    }
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      auto square = pack::all(0.f);
      for (index_t k = 0; k < K; ++k) {
        const auto v = access.load(unit + k * W + i);
        square = pack::fma(v, v, square);
      }
      const auto length = pack::max(pack::sqrt(square), pack::all(1e-6f));
      for (index_t k = 0; k < K; ++k) {
        float* at = unit + k * W + i;
        access.store(at, access.load(at) / length);
      }
    });
  }

  /// Row h of the differences' squares: brightness into `along`, colour into `colour_squares_`; 0 over the edge.
  void square_differences(index_t h, const float* z, const edge_images& along) {
    const index_t W = layout_.width, flat = h * W;
    const auto below = pack::all(h + 1 < layout_.height ? 1.f : 0.f), zero = pack::all(0.f);
    each_difference(h, z, [&](index_t i, auto access, const auto& dots, const auto& squares) {
      const auto part = [&](std::size_t way, float* brightness, float* colour, auto counts) {
        const auto square = dots[way] * dots[way];
        access.store(brightness + flat + i, square * counts);
        access.store(colour + flat + i, pack::max(squares[way] - square, zero) * counts);
      };
      part(0, along.right, colour_squares_.right, pack::all(1.f));
      part(1, along.down, colour_squares_.down, below);
      part(2, along.corner, colour_squares_.corner, below);
    });
    // what lies to the right of the last column is another plane's first
    const index_t last = flat + W - 1;
    along.right[last] = along.corner[last] = colour_squares_.right[last] = colour_squares_.corner[last] = 0;
  }

  /// After all rows' squares: the weights of row h's differences, 0 over the edge. Squares are averaged with 1 2 1
  /// along rows and columns, because a hidden pixel's own differences are only as large as the last weights let them
  /// be.
  void weigh(index_t h, const spectral_tv_options& o, float epsilon, const edge_images& along) {
    const index_t H = layout_.height, W = layout_.width, above = std::max<index_t>(h - 1, 0),
                  below = std::min(h + 1, H - 1);
    const float power = o.power, shared = o.shared, colours = o.colour_weight;
    const auto mean = [&](const float* squares, index_t w) {
      const auto column = [&](index_t i) {
        return squares[above * W + i] + 2 * squares[h * W + i] + squares[below * W + i];
      };
      return (column(std::max<index_t>(w - 1, 0)) + 2 * column(w) + column(std::min(w + 1, W - 1))) / 8;
    };
    const auto weight = [&](float squares) { return std::pow(squares + epsilon * epsilon, power / 2 - 1); };
    const auto set = [&](float* across, float* more, const float* colour, const float* brightness, index_t w,
                         float factor) {
      across[h * W + w] = more[h * W + w] = 0;
      if (factor == 0) return;
      const float colour_square = mean(colour, w), square = mean(brightness, w);
      across[h * W + w] = factor * colours * weight(colour_square + shared * square);
      more[h * W + w] = factor * weight(square + shared * colour_square) - across[h * W + w];
    };
    for (index_t w = 0; w < W; ++w) {
      const float right = w + 1 < W ? 1.f : 0.f, down = h + 1 < H ? 1.f : 0.f;
      set(colour_.right, brightness_.right, colour_squares_.right, along.right, w, right);
      set(colour_.down, brightness_.down, colour_squares_.down, along.down, w, down);
      set(colour_.corner, brightness_.corner, colour_squares_.corner, along.corner, w, o.corner_weight * right * down);
    }
  }

  /// After all rows have weights: the diagonals, sums over all differences of a pixel.
  void add_up(index_t h) {
    const index_t W = layout_.width;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      const index_t at = h * W + i;
      const auto all = [&](const edge_images& e) {
        return access.load(e.right + at) + access.load(e.right + at - 1) + access.load(e.down + at) +
               access.load(e.down + at - W) + access.load(e.corner + at) + access.load(e.corner + at - 1) +
               access.load(e.corner + at - W) + access.load(e.corner + at - W - 1);
      };
      const auto colour = all(colour_);
      access.store(colour_sum_ + at, colour);
      access.store(whole_sum_ + at, colour + all(brightness_));
    });
  }

  /// After all sums: two neighbours are also in the two corners beside their edge.
  void add_corners(index_t h) {
    const index_t W = layout_.width;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      const index_t at = h * W + i;
      const auto corner = access.load(colour_.corner + at);
      access.store(colour_.right + at, access.load(colour_.right + at) + corner + access.load(colour_.corner + at - W));
      access.store(colour_.down + at, access.load(colour_.down + at) + corner + access.load(colour_.corner + at - 1));
    });
  }

  std::array<framed_image, 3> frames_;
  edge_images colour_squares_;
  float* whole_sum_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
