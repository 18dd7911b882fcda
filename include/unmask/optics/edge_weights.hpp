#pragma once

/// What each difference between neighbours weighs in `spectral_tv`: iteratively reweighted least squares of the
/// differences' p-th power (lagged diffusivity: Vogel and Oman 1996). Images of K planes lie as [H, K, W].
///
/// A pixel has three differences: with the one to its right, with the one below, and the corner of the four pixels that
/// begin at it. Each is parted into brightness, along the pixel's own spectrum, and colour, across it.

#include <algorithm>
#include <array>
#include <cmath>

#include "../parallel/parallel_for.hpp"
#include "../simd/loop.hpp"
#include "framed_image.hpp"
#include "spectral_tv_options.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class edge_weights {
 public:
  explicit edge_weights(const planes& layout) : layout_(layout) {}

  void carve_scratch(arena& memory) {
    const index_t H = layout_.height, W = layout_.width;
    unit_.carve(memory, H, layout_.row());
    for (std::size_t i = 0; i < frames_.size(); ++i) frames_[i].carve(memory, H, W);
    colour_ = edges_of(&frames_[0]), brightness_ = edges_of(&frames_[3]), projected_ = edges_of(&frames_[6]);
    colour_sum_ = memory.take<float>(H * W);
    whole_sum_ = memory.take<float>(H * W);
  }

  void clear_frames() const {
    unit_.clear_frame();
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
  const edge_images& colour() const { return colour_; }
  const edge_images& brightness() const { return brightness_; }  ///< what it weighs more than colour
  const edge_images& colour_squares() const { return projected_; }

  /// Before `each_roughness` of an image x, for all its rows: what the three differences that begin at a pixel give its
  /// neighbours right, below and right below along its spectrum; the pixel itself gets minus their sum.
  void project(index_t h, const float* x) const {
    const index_t flat = h * layout_.width;
    each_difference(h, x, [&](index_t i, auto access, const auto& dots, const auto&) {
      const auto corner = access.load(brightness_.corner + flat + i) * dots[2];
      access.store(projected_.right + flat + i, access.load(brightness_.right + flat + i) * dots[0] - corner);
      access.store(projected_.down + flat + i, access.load(brightness_.down + flat + i) * dots[1] - corner);
      access.store(projected_.corner + flat + i, corner);
    });
  }

  /// body(at, access, D' w D x) for row h of all planes, D the differences, w their weights.
  template <class Body>
  UNMASK_INLINE void each_roughness(index_t h, const float* x, Body&& body) const {
    const index_t W = layout_.width, K = layout_.count, row = layout_.row(), flat = h * W;
    const auto at_row = [&](const edge_images& e) {
      return edge_images{e.right + flat, e.down + flat, e.corner + flat};
    };
    const edge_images w = at_row(colour_), t = at_row(projected_);
    const float* diagonal = colour_sum_ + flat;
    for (index_t k = 0; k < K; ++k) {
      const float *plane = x + h * row + k * W, *units = unit_.data() + h * row + k * W;
      simd::each_pack<float>(W, [&](index_t i, auto access) {
        const float *at = plane + i, *unit = units + i;
        auto rough = access.load(diagonal + i) * access.load(at);
        rough = pack::fnma(access.load(w.right + i), access.load(at + 1), rough);
        rough = pack::fnma(access.load(w.right + i - 1), access.load(at - 1), rough);
        rough = pack::fnma(access.load(w.down + i), access.load(at + row), rough);
        rough = pack::fnma(access.load(w.down + i - W), access.load(at - row), rough);
        rough = pack::fma(access.load(w.corner + i), access.load(at + row + 1), rough);
        rough = pack::fma(access.load(w.corner + i - 1), access.load(at + row - 1), rough);
        rough = pack::fma(access.load(w.corner + i - W), access.load(at - row + 1), rough);
        rough = pack::fma(access.load(w.corner + i - W - 1), access.load(at - row - 1), rough);
        const auto all = access.load(t.right + i) + access.load(t.down + i) + access.load(t.corner + i);
        rough = pack::fnma(all, access.load(unit), rough);
        rough = pack::fma(access.load(t.right + i - 1), access.load(unit - 1), rough);
        rough = pack::fma(access.load(t.down + i - W), access.load(unit - row), rough);
        rough = pack::fma(access.load(t.corner + i - W - 1), access.load(unit - row - 1), rough);
        body(h * row + k * W + i, access, rough);
      });
    }
  }

  const float* unit_spectrum() const { return unit_.data(); }  ///< [H, K, W]: along each pixel's own spectrum
  /// [H, W]: the diagonal of D' w D at a pixel, across its spectrum and along it.
  const float* colour_diagonal() const { return colour_sum_; }
  const float* brightness_diagonal() const { return whole_sum_; }

 private:
  using pack = simd::pack<float>;

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

  /// body(i, access, dots, squares) for the pixels of row h: the unit spectrum times each difference of x, and each
  /// |difference|^2.
  template <class Body>
  UNMASK_INLINE void each_difference(index_t h, const float* x, Body&& body) const {
    const index_t W = layout_.width, K = layout_.count, row = layout_.row();
    const float *plane = x + h * row, *units = unit_.data() + h * row;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      const auto zero = pack::all(0.f);
      std::array dots{zero, zero, zero}, squares = dots;
      for (index_t k = 0; k < K; ++k) {
        const float* at = plane + k * W + i;
        const auto unit = access.load(units + k * W + i);
        const auto here = access.load(at), right = access.load(at + 1) - here, down = access.load(at + row) - here,
                   corner = access.load(at + row + 1) - access.load(at + row) - right;
        dots = {pack::fma(unit, right, dots[0]), pack::fma(unit, down, dots[1]), pack::fma(unit, corner, dots[2])};
        squares = {pack::fma(right, right, squares[0]), pack::fma(down, down, squares[1]),
                   pack::fma(corner, corner, squares[2])};
      }
      body(i, access, dots, squares);
    });
  }

  /// Row h of the differences' squares: brightness into `along`, colour into `projected_`; 0 over the edge.
  void square_differences(index_t h, const float* z, const edge_images& along) {
    const index_t W = layout_.width, flat = h * W;
    const auto below = pack::all(h + 1 < layout_.height ? 1.f : 0.f), zero = pack::all(0.f);
    each_difference(h, z, [&](index_t i, auto access, const auto& dots, const auto& squares) {
      const auto part = [&](std::size_t way, float* brightness, float* colour, auto counts) {
        const auto square = dots[way] * dots[way];
        access.store(brightness + flat + i, square * counts);
        access.store(colour + flat + i, pack::max(squares[way] - square, zero) * counts);
      };
      part(0, along.right, projected_.right, pack::all(1.f));
      part(1, along.down, projected_.down, below);
      part(2, along.corner, projected_.corner, below);
    });
    // what lies to the right of the last column is another plane's first
    const index_t last = flat + W - 1;
    along.right[last] = along.corner[last] = projected_.right[last] = projected_.corner[last] = 0;
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
      set(colour_.right, brightness_.right, projected_.right, along.right, w, right);
      set(colour_.down, brightness_.down, projected_.down, along.down, w, down);
      set(colour_.corner, brightness_.corner, projected_.corner, along.corner, w, o.corner_weight * right * down);
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

  planes layout_;
  framed_image unit_;
  std::array<framed_image, 9> frames_;
  edge_images colour_;      // weights of colour; after add_corners of a pixel's neighbours right and below
  edge_images brightness_;  // what brightness weighs more than that
  edge_images projected_;   // see `project`; squares of colour while weights are made
  float *colour_sum_ = nullptr, *whole_sum_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
