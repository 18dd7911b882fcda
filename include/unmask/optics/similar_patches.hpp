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
#include <limits>
#include <utility>

#include <Eigen/Cholesky>

#include "../core/arena.hpp"
#include "../parallel/parallel_for.hpp"
#include "../simd/loop.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// For images [H, K, W]. Memory is the caller's: `carve_scratch` before `run`, which takes no heap. planned.hpp has a
/// form that owns its memory.
class similar_patches {
 public:
  similar_patches(index_t height, index_t planes, index_t width)
      : height_(height),
        planes_(planes),
        width_(width),
        patch_height_(std::min<index_t>(3, height)),
        patch_width_(std::min<index_t>(3, width)),
        strips_((references(height, patch_height_) + rows_of - 1) / rows_of) {}

  /// That memory: about 13 (K + 1) bytes a pixel.
  static std::size_t bytes(index_t height, index_t planes, index_t width) {
    similar_patches plan(height, planes, width);
    arena measure;
    plan.carve_scratch(measure);
    return measure.peak();
  }

  /// What is dead after `run`.
  void carve_scratch(arena& memory) {
    sums_ = memory.take<float>(strips_ * sums_size());
    patches_ = memory.take<float>(strips_ * most * numbers());
    rest_ = memory.take<float>(strips_ * most * numbers());
    gram_ = memory.take<float>(strips_ * most * most);
    candidates_ = memory.take<candidate>(strips_ * candidates_size);
  }

  /// z [H, K, W] in place. `sigma` in the units of z, whose planes weigh alike; the first two tell what is similar.
  template <class Backend>
  void run(const Backend& be, float* z, float sigma) noexcept {
    parallel_for(be, strips_, [&](index_t strip, int) { filter<Eigen::MatrixXf>(strip, z, sigma); });
    parallel_for(be, height_, [&](index_t h, int) { average(h, z); });
  }

 private:
  static constexpr index_t radius = 16;  // how far similar patches are looked for: 24 pixels give .01 dB more
  static constexpr index_t most = 64;    // patches in a group; 100 give up to .05 dB more
  static constexpr index_t rows_of = 5;  // of references in a strip, which has its own sums: equal bits for any threads
  static constexpr index_t candidates_size = (2 * radius + 1) * (2 * radius + 1);
  using pack = simd::pack<float>;
  using candidate = std::pair<float, index_t>;

  // References lie side by side; the last one may overlap.
  static index_t references(index_t extent, index_t patch) { return (extent + patch - 1) / patch; }
  static index_t reference(index_t i, index_t extent, index_t patch) { return std::min(i * patch, extent - patch); }

  index_t numbers() const { return planes_ * patch_height_ * patch_width_; }
  index_t strip_rows() const { return std::min(height_, rows_of * patch_height_ + 2 * radius); }
  index_t sums_size() const { return strip_rows() * (planes_ + 1) * width_; }
  index_t first_row(index_t strip) const {
    return std::clamp<index_t>(strip * rows_of * patch_height_ - radius, 0, height_ - strip_rows());
  }

  /// All groups of a strip: sums of filtered patches [rows, K + 1, W], how many there were in the last plane.
  /// A template, as `denoise`, so that only who refines compiles Eigen's decomposition: 1.2 s of a file.
  template <class Matrix>
  void filter(index_t strip, const float* z, float sigma) {
    std::fill_n(sums_ + strip * sums_size(), sums_size(), 0.f);
    const index_t rows = references(height_, patch_height_), columns = references(width_, patch_width_);
    for (index_t i = strip * rows_of; i < std::min(rows, (strip + 1) * rows_of); ++i)
      for (index_t j = 0; j < columns; ++j) {
        const index_t n =
            find_similar(strip, z, reference(i, height_, patch_height_), reference(j, width_, patch_width_));
        denoise<Matrix>(strip, z, n, sigma);
      }
  }

  /// The places (row W + column) of the patches most similar to the one at (row, column), itself among them.
  index_t find_similar(index_t strip, const float* z, index_t row, index_t column) {
    candidate* list = candidates_ + strip * candidates_size;
    const index_t last_row = std::min(row + radius, height_ - patch_height_),
                  first = std::max<index_t>(column - radius, 0),
                  n = std::min(column + radius, width_ - patch_width_) - first + 1;
    index_t found = 0;
    for (index_t r = std::max<index_t>(row - radius, 0); r <= last_row; ++r)
      simd::each_pack<float>(n, [&](index_t at, auto access) {
        auto distance = pack::all(0.f);
        for (index_t i = 0; i < patch_height_; ++i)
          for (index_t k = 0; k < std::min<index_t>(2, planes_); ++k) {
            const float *there = z + ((r + i) * planes_ + k) * width_ + first + at,
                        *here = z + ((row + i) * planes_ + k) * width_ + column;
            for (index_t j = 0; j < patch_width_; ++j) {
              const auto d = access.load(there + j) - pack::all(here[j]);
              distance = pack::fma(d, d, distance);
            }
          }
        float distances[pack::lanes];
        pack::store(distances, distance);
        for (index_t l = 0; l < std::min(pack::lanes, n - at); ++l) {
          const index_t place = r * width_ + first + at + l;
          // the reference comes first even where all are alike, so that no pixel is missing; a NaN has no order
          const float least = place == row * width_ + column ? -1.f : std::numeric_limits<float>::infinity();
          list[found++] = {distances[l] >= 0 && least > 0 ? distances[l] : least, place};
        }
      });
    const index_t kept = std::min(most, found);
    std::nth_element(list, list + kept - 1, list + found);
    std::sort(list, list + kept);  // the order of sums, whatever nth_element leaves
    return kept;
  }

  /// body(number of the patch's, its place in z, in sums) for the patch at `place`.
  template <class Body>
  void each_number(index_t strip, index_t place, Body&& body) const {
    const index_t row = place / width_, column = place % width_, start = first_row(strip);
    index_t d = 0;
    for (index_t i = 0; i < patch_height_; ++i)
      for (index_t k = 0; k < planes_; ++k)
        for (index_t j = 0; j < patch_width_; ++j, ++d)
          body(d, ((row + i) * planes_ + k) * width_ + column + j,
               ((row + i - start) * (planes_ + 1) + k) * width_ + column + j);
  }

  template <class Matrix>
  void denoise(index_t strip, const float* z, index_t n, float sigma) {
    const candidate* list = candidates_ + strip * candidates_size;
    const index_t d = numbers();
    Eigen::Map<Matrix> patches(patches_ + strip * most * d, n, d), rest(rest_ + strip * most * d, n, d),
        gram(gram_ + strip * most * most, n, n);
    for (index_t q = 0; q < n; ++q)
      each_number(strip, list[q].second, [&](index_t i, index_t at, index_t) { patches(q, i) = z[at]; });
    for (index_t i = 0; i < d; ++i) rest.col(i).array() = patches.col(i).array() - patches.col(i).mean();
    const float deviation = sigma * (std::sqrt(static_cast<float>(n)) + std::sqrt(static_cast<float>(d)));
    gram.setZero();
    gram.template selfadjointView<Eigen::Lower>().rankUpdate(rest);
    gram.diagonal().array() += deviation * deviation;
    const Eigen::LLT<Eigen::Ref<Matrix>> factors(gram);
    factors.solveInPlace(rest);
    patches -= deviation * deviation * rest;
    float* sums = sums_ + strip * sums_size();
    for (index_t q = 0; q < n; ++q) {
      each_number(strip, list[q].second, [&](index_t i, index_t, index_t at) { sums[at] += patches(q, i); });
      count(strip, list[q].second);
    }
  }

  void count(index_t strip, index_t place) {
    const index_t row = place / width_ - first_row(strip), column = place % width_;
    for (index_t i = 0; i < patch_height_; ++i)
      for (index_t j = 0; j < patch_width_; ++j)
        sums_[strip * sums_size() + ((row + i) * (planes_ + 1) + planes_) * width_ + column + j] += 1;
  }

  /// Row h of z: the sums of all strips over their counts. Every pixel is in a reference.
  void average(index_t h, float* z) {
    const index_t size = (planes_ + 1) * width_;
    float* total = nullptr;
    for (index_t strip = 0; strip < strips_; ++strip) {
      const index_t row = h - first_row(strip);
      if (row < 0 || row >= strip_rows()) continue;
      float* part = sums_ + strip * sums_size() + row * size;
      if (total)
        simd::transform<float>(
            size, total, [](auto a, auto b) { return a + b; }, total, part);
      else
        total = part;  // the first one's row is only this call's
    }
    const float* counts = total + planes_ * width_;
    for (index_t k = 0; k < planes_; ++k)
      simd::transform<float>(
          width_, z + (h * planes_ + k) * width_, [](auto a, auto b) { return a / b; }, total + k * width_, counts);
  }

  index_t height_, planes_, width_, patch_height_, patch_width_, strips_;
  float *sums_ = nullptr, *patches_ = nullptr, *rest_ = nullptr, *gram_ = nullptr;
  candidate* candidates_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics
