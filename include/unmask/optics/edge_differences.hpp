#pragma once

/// D' w D of `spectral_tv`: the weighted differences between neighbours and what they pull at each pixel with. Images
/// of K planes lie as [H, K, W].
///
/// A pixel has three differences: with the one to its right, with the one below, and the corner of the four pixels that
/// begin at it. Each is parted into brightness, along the pixel's own spectrum, and colour, across it.

#include <algorithm>
#include <array>
#include <utility>

#include "../simd/loop.hpp"
#include "framed_image.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class edge_differences {
 public:
  explicit edge_differences(const planes& layout) : layout_(layout) {}

  void carve_scratch(arena& memory) {
    const index_t H = layout_.height, W = layout_.width;
    unit_.carve(memory, H, layout_.row());
    for (framed_image& f : frames_) f.carve(memory, H, W);
    colour_ = edges_of(&frames_[0]), brightness_ = edges_of(&frames_[3]);
    colour_sum_ = memory.take<float>(H * W);
    lines_ = memory.take<float>(chunks() * line_count * line_size());
  }

  void clear_frames() const {
    unit_.clear_frame();
    for (const framed_image& f : frames_) f.clear_frame();
    std::fill_n(lines_, chunks() * line_count * line_size(), 0.f);
  }

  /// Rows are worked on in chunks, from the top.
  index_t chunks() const { return (layout_.height + rows_of - 1) / rows_of; }

  /// Rows [row, end) of a chunk are left, and what the last one's differences gave to the one below.
  struct progress {
    index_t row, end;
    edge_images above, here;
  };
  progress begin(index_t chunk, const float* x) const {
    float* line = lines_ + chunk * line_count * line_size() + beside;
    const auto next = [&] { return std::exchange(line, line + line_size()); };
    const index_t first = chunk * rows_of;
    progress p{first, std::min(first + rows_of, layout_.height), {}, {}};
    p.above = {next(), next(), next()}, p.here = {next(), next(), next()};
    project(first - 1, x, p.above);  // of the frame, which weighs nothing, for the first
    return p;
  }

  /// body(at, access, D' w D x) for all planes of the next row of an image with a frame.
  template <class Body>
  UNMASK_INLINE void next_row(progress& p, const float* x, Body&& body) const {
    const index_t W = layout_.width, K = layout_.count, row = layout_.row(), h = p.row, flat = h * W;
    project(h, x, p.here);
    const edge_images w{colour_.right + flat, colour_.down + flat, colour_.corner + flat};
    const float *diagonal = colour_sum_ + flat, *first = x + h * row, *units = unit_.data() + h * row;
    simd::each_pack<float>(W, [&, W, K, row](index_t i, auto access) {
      const auto here = access.load(diagonal + i), right = access.load(w.right + i),
                 left = access.load(w.right + i - 1), down = access.load(w.down + i), up = access.load(w.down + i - W),
                 down_right = access.load(w.corner + i), down_left = access.load(w.corner + i - 1),
                 up_right = access.load(w.corner + i - W), up_left = access.load(w.corner + i - W - 1);
      const auto all = access.load(p.here.right + i) + access.load(p.here.down + i) + access.load(p.here.corner + i),
                 from_left = access.load(p.here.right + i - 1), from_above = access.load(p.above.down + i),
                 from_corner = access.load(p.above.corner + i - 1);
      const float *at = first + i, *unit = units + i;
      for (index_t k = 0; k < K; ++k, at += W, unit += W) {
        auto rough = here * access.load(at), other = left * access.load(at - 1);
        rough = pack::fnma(right, access.load(at + 1), rough);
        other = pack::fma(down, access.load(at + row), other);
        rough = pack::fnma(up, access.load(at - row), rough);
        other = pack::fnma(down_right, access.load(at + row + 1), other);
        rough = pack::fma(down_left, access.load(at + row - 1), rough);
        other = pack::fnma(up_right, access.load(at - row + 1), other);
        rough = pack::fma(up_left, access.load(at - row - 1), rough);
        other = pack::fma(all, access.load(unit), other);
        rough = pack::fma(from_left, access.load(unit - 1), rough);
        other = pack::fnma(from_above, access.load(unit - row), other);
        rough = pack::fma(from_corner, access.load(unit - row - 1), rough);
        body(h * row + k * W + i, access, rough - other);
      }
    });
    std::swap(p.above, p.here);
    ++p.row;
  }

  const edge_images& colour() const { return colour_; }
  const edge_images& brightness() const { return brightness_; }  ///< what it weighs more than colour
  const float* unit_spectrum() const { return unit_.data(); }    ///< [H, K, W]: along each pixel's own spectrum
  /// [H, W]: the diagonal of D' w D at a pixel, across its spectrum.
  const float* colour_diagonal() const { return colour_sum_; }

 protected:
  using pack = simd::pack<float>;

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

  planes layout_;
  framed_image unit_;
  edge_images colour_;      // weights of colour; two neighbours' include those of the corners beside their edge
  edge_images brightness_;  // what brightness weighs more than that
  float* colour_sum_ = nullptr;

 private:
  static constexpr index_t rows_of = 16;                 // in a chunk
  static constexpr index_t line_count = 6, beside = 16;  // of a line, for what lies over the edge: 0
  index_t line_size() const { return layout_.width + beside; }

  /// What the three differences that begin at the pixels of row h give their neighbours right, below and right below
  /// along their spectrum; a pixel itself gets minus their sum.
  void project(index_t h, const float* x, const edge_images& to) const {
    const index_t flat = h * layout_.width;
    each_difference(h, x, [&](index_t i, auto access, const auto& dots, const auto&) {
      const auto corner = access.load(brightness_.corner + flat + i) * dots[2];
      access.store(to.right + i, access.load(brightness_.right + flat + i) * dots[0] - corner);
      access.store(to.down + i, access.load(brightness_.down + flat + i) * dots[1] - corner);
      access.store(to.corner + i, corner);
    });
  }

  std::array<framed_image, 6> frames_;
  float* lines_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
