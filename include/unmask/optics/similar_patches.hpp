#pragma once

/// What an image has more than once. Each group of similar patches of 3 x 3 pixels, a reference and the most similar
/// ones around it, varies in few ways; what does not fit these is error, the more so in a hidden pixel, which is open
/// in another patch of its group. With the patches as rows of B, their mean taken off, the group becomes
///
///   B - s (B B' + s)^-1 B,   s = sigma^2 (sqrt n + sqrt d)^2
///
/// a Wiener filter between the n patches, where noise of deviation sigma has no singular value above sqrt s (d numbers
/// a patch). A pixel becomes the mean over all patches it is in. Grouping is BM3D's (Dabov et al. 2007), for snapshot
/// imaging DeSCI's (Liu et al. 2018), which cuts singular values off instead: that needs an eigenvalue problem for each
/// group and ended .1 dB lower (docs/decisions.md).

#include <algorithm>
#include <cmath>

#include "../parallel/parallel_for.hpp"
#include "patch_filter.hpp"
#include "patch_search.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// For images [H, K, W]. Memory is the caller's: `carve_scratch` before `run`, which takes no heap. planned.hpp has a
/// form that owns its memory.
class similar_patches {
 public:
  /// `stride` >= 1: pixels from one reference to the next. With 4 references lie a pixel apart, which takes .6 of the
  /// time they take side by side; their groups cover what is between (docs/decisions.md).
  similar_patches(index_t height, index_t planes, index_t width, index_t stride = 4)
      : layout_{height, planes, width},
        stride_(stride),
        patch_height_(std::min<index_t>(3, height)),
        patch_width_(std::min<index_t>(3, width)),
        strips_((references(height, patch_height_) + rows_of - 1) / rows_of) {}

  /// That memory: about 15 (K + 1) bytes a pixel.
  static std::size_t bytes(index_t height, index_t planes, index_t width) {
    similar_patches plan(height, planes, width);
    arena measure;
    plan.carve_scratch(measure);
    return measure.peak();
  }

  /// What is dead after `run`.
  void carve_scratch(arena& memory) {
    pixels_ = memory.take<float>(layout_.size());
    sums_ = memory.take<float>(strips_ * strip_rows() * layout_.row());
    counts_ = memory.take<float>(strips_ * strip_rows() * layout_.width);
    // of each strip, which need not know whose thread it is on
    scratch_ = memory.take<std::byte>(strips_ * strip_scratch());
  }

  /// z [H, K, W] in place. `sigma` in the units of z, whose planes weigh alike; the first two tell what is similar.
  template <class Backend>
  void run(const Backend& be, float* z, float sigma) noexcept {
    parallel_for(be, layout_.height, [&](index_t h, int) { turn(h, z); });
    parallel_for(be, strips_, [&](index_t strip, int) { filter(strip, z, sigma); });
    parallel_for(be, layout_.height, [&](index_t h, int) { average(h, z); });
  }

 private:
  static constexpr index_t rows_of = 7;  // of references in a strip, which has its own sums: equal bits for any threads
  static constexpr index_t radius = detail::patch_search::radius;
  using pack = simd::pack<float>;

  // The last reference may lie closer to the one before it.
  index_t references(index_t extent, index_t patch) const { return (extent - patch + stride_ - 1) / stride_ + 1; }
  index_t reference(index_t i, index_t extent, index_t patch) const { return std::min(i * stride_, extent - patch); }

  index_t numbers() const { return layout_.count * patch_height_ * patch_width_; }
  index_t strip_rows() const { return std::min(layout_.height, rows_of * stride_ + 2 * radius); }
  index_t first_row(index_t strip) const {
    return std::clamp<index_t>(strip * rows_of * stride_ - radius, 0, layout_.height - strip_rows());
  }

  struct strip_tools {
    detail::patch_search search;
    detail::patch_filter group;
    void carve_scratch(arena& memory) { search.carve_scratch(memory), group.carve_scratch(memory); }
  };
  strip_tools tools() const {
    return {detail::patch_search(layout_, patch_height_, patch_width_), detail::patch_filter(numbers())};
  }
  index_t strip_scratch() const {
    arena measure;
    tools().carve_scratch(measure);
    return static_cast<index_t>(measure.peak());
  }

  /// Row h as [W, K]: a patch's rows are then whole pieces.
  void turn(index_t h, const float* z) {
    const index_t W = layout_.width, K = layout_.count, row = h * layout_.row();
    for (index_t w = 0; w < W; ++w)
      for (index_t k = 0; k < K; ++k) pixels_[row + w * K + k] = z[row + k * W + w];
  }

  /// All groups of a strip: sums of filtered patches [rows, W, K], and of how many a pixel is in.
  void filter(index_t strip, const float* z, float sigma) {
    const index_t size = strip_scratch(), W = layout_.width, row = layout_.row(), start = first_row(strip),
                  rows = references(layout_.height, patch_height_), columns = references(W, patch_width_);
    arena memory(scratch_ + strip * size, static_cast<std::size_t>(size));
    strip_tools use = tools();
    use.carve_scratch(memory);
    float *sums = sums_ + strip * strip_rows() * row, *counts = counts_ + strip * strip_rows() * W;
    std::fill_n(sums, strip_rows() * row, 0.f);
    std::fill_n(counts, strip_rows() * W, 0.f);
    for (index_t i = strip * rows_of; i < std::min(rows, (strip + 1) * rows_of); ++i)
      for (index_t j = 0; j < columns; ++j) {
        const index_t n = use.search.run(z, reference(i, layout_.height, patch_height_), reference(j, W, patch_width_),
                                         detail::patch_filter::most);
        denoise(use, n, sigma, sums, start);
        for (index_t q = 0; q < n; ++q) counts[use.search.place(q) - start * W] += 1;
      }
    spread(counts);
  }

  void denoise(strip_tools& use, index_t n, float sigma, float* sums, index_t start) {
    const index_t K = layout_.count, row = layout_.row(), piece = patch_width_ * K;
    const float deviation = sigma * (std::sqrt(static_cast<float>(n)) + std::sqrt(static_cast<float>(numbers()))),
                s = deviation * deviation;
    const auto each_piece = [&](auto&& body) {
      for (index_t q = 0; q < n; ++q)
        for (index_t i = 0; i < patch_height_; ++i)
          body(use.group.row(q) + i * piece, use.search.place(q) * K + i * row);
    };
    each_piece([&](float* patch, index_t at) { std::copy_n(pixels_ + at, piece, patch); });
    use.group.run(n, s);
    each_piece([&](const float* wrong, index_t at) {
      float* to = sums + at - start * row;
      simd::transform<float>(
          piece, to, [&](auto sum, auto x, auto w) { return sum + pack::fnma(pack::all(s), w, x); }, to, pixels_ + at,
          wrong);
    });
  }

  /// From how many patches begin at a pixel to how many it is in.
  void spread(float* counts) const {
    const index_t W = layout_.width;
    for (index_t r = strip_rows() - 1; r >= 0; --r) {
      float* line = counts + r * W;
      for (index_t i = 1; i < std::min(patch_height_, r + 1); ++i)
        simd::transform<float>(
            W, line, [](auto a, auto b) { return a + b; }, line, line - i * W);
      for (index_t w = W - 1; w >= 0; --w)
        for (index_t j = 1; j < std::min(patch_width_, w + 1); ++j) line[w] += line[w - j];
    }
  }

  /// Row h of z: the sums of all strips over their counts. A pixel that no group has stays.
  void average(index_t h, float* z) {
    const index_t W = layout_.width, K = layout_.count, row = layout_.row();
    float *total = nullptr, *count = nullptr;
    const auto add = [](index_t n, float*& to, float* part) {
      if (to)
        simd::transform<float>(
            n, to, [](auto a, auto b) { return a + b; }, to, part);
      else
        to = part;  // the first one's row is only this call's
    };
    for (index_t strip = 0; strip < strips_; ++strip) {
      const index_t r = h - first_row(strip);
      if (r < 0 || r >= strip_rows()) continue;
      add(row, total, sums_ + (strip * strip_rows() + r) * row);
      add(W, count, counts_ + (strip * strip_rows() + r) * W);
    }
    for (index_t w = 0; w < W; ++w)
      for (index_t k = 0; k < K && count[w] > 0; ++k) z[h * row + k * W + w] = total[w * K + k] / count[w];
  }

  detail::planes layout_;
  index_t stride_, patch_height_, patch_width_, strips_;
  float *pixels_ = nullptr, *sums_ = nullptr, *counts_ = nullptr;
  std::byte* scratch_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics
