#pragma once

/// Which patches are most similar to one: squared differences in the first two planes, over a square around it.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

#include "../core/arena.hpp"
#include "../simd/loop.hpp"
#include "framed_image.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class patch_search {
 public:
  static constexpr index_t radius = 16;  ///< how far similar patches are looked for: 24 pixels give .01 dB more

  patch_search(const planes& layout, index_t patch_height, index_t patch_width)
      : layout_(layout), patch_height_(patch_height), patch_width_(patch_width) {}

  void carve_scratch(arena& memory) {
    distances_ = memory.take<float>(all + pack::lanes);
    some_ = memory.take<float>(all);
    near_ = memory.take<index_t>(all);
  }

  /// The places (row W + column) in z of the `most` patches most similar to the one at (row, column), itself among
  /// them, in the order of their places; fewer only where there are no more. Valid until the next call.
  index_t run(const float* z, index_t row, index_t column, index_t most) {
    const index_t top = std::max<index_t>(row - radius, 0), left = std::max<index_t>(column - radius, 0),
                  rows = std::min(row + radius, layout_.height - patch_height_) - top + 1,
                  columns = std::min(column + radius, layout_.width - patch_width_) - left + 1, n = rows * columns;
    for (index_t r = 0; r < rows; ++r) measure(z, row, column, z + (top + r) * layout_.row() + left, r, columns);
    // the reference comes first even where all are alike
    distances_[(row - top) * columns + column - left] = -1;
    std::fill_n(distances_ + n, pack::lanes, std::numeric_limits<float>::infinity());
    const index_t kept = choose(n, std::min(most, n));
    for (index_t q = 0; q < kept; ++q) {
      const index_t r = near_[q] / columns;
      near_[q] = (top + r) * layout_.width + left + near_[q] - r * columns;
    }
    return kept;
  }
  index_t place(index_t q) const { return near_[q]; }

 private:
  using pack = simd::pack<float>;
  static constexpr index_t all = (2 * radius + 1) * (2 * radius + 1);
  static constexpr index_t slack = 32;  // of what is sorted out one by one

  /// Line r of distances_: from the patch at (row, column) to those that begin at `there`, side by side.
  void measure(const float* z, index_t row, index_t column, const float* there, index_t r, index_t columns) {
    const index_t W = layout_.width, K = layout_.count, compared = std::min<index_t>(2, K);
    const auto infinite = pack::all(std::numeric_limits<float>::infinity()),
               largest = pack::all(std::numeric_limits<float>::max());
    simd::each_pack<float>(columns, [&](index_t at, auto access) {
      auto distance = pack::all(0.f);
      for (index_t i = 0; i < patch_height_; ++i)
        for (index_t k = 0; k < compared; ++k) {
          const float *other = there + (i * K + k) * W + at, *here = z + ((row + i) * K + k) * W + column;
          for (index_t j = 0; j < patch_width_; ++j) {
            const auto d = access.load(other + j) - pack::all(here[j]);
            distance = pack::fma(d, d, distance);
          }
        }
      access.store(distances_ + r * columns + at, pack::where_negative(distance - largest, distance, infinite));
    });
  }

  /// The `kept` least of n distances into near_, ties by place. A NaN has no order: it counts as infinitely far.
  index_t choose(index_t n, index_t kept) {
    // bits of numbers from 0 on are in their order: from the last limit on in longer and longer steps, then by halves,
    // until hardly more than `kept` lie below
    std::uint32_t low = 0, high = std::bit_cast<std::uint32_t>(std::numeric_limits<float>::infinity()), step = 1u << 21,
                  middle = std::min(last_, high - 1);
    while (low < high) {
      const index_t found = count(n, std::bit_cast<float>(middle));
      if (found < kept)
        low = middle + 1;
      else
        high = middle;
      if (found >= kept && found <= kept + slack) break;
      const std::uint32_t half = low + (high - low) / 2;
      middle = found < kept ? low + std::min(step, half - low) : high - std::min(step, high - half);
      step = std::min(2 * step, 1u << 30);
    }
    last_ = high;
    const float limit = std::bit_cast<float>(high);
    index_t found = 0;
    for (index_t i = 0; i < n; ++i) {
      near_[found] = i;
      some_[found] = distances_[i];
      found += distances_[i] <= limit ? 1 : 0;
    }
    return found <= kept ? found : thin_out(found, kept);
  }

  index_t thin_out(index_t found, index_t kept) {
    std::nth_element(some_, some_ + kept - 1, some_ + found);
    const float last = some_[kept - 1];
    index_t ties = kept;
    for (index_t i = 0; i < kept; ++i) ties -= some_[i] < last ? 1 : 0;
    index_t to = 0;
    for (index_t i = 0; i < found; ++i) {
      const float d = distances_[near_[i]];
      if (!(d <= last) || (d == last && ties-- <= 0)) continue;
      near_[to++] = near_[i];
    }
    return to;
  }

  /// How many are at most this.
  index_t count(index_t n, float limit) const {
    const auto most = pack::all(limit), one = pack::all(1.f), none = pack::all(0.f);
    auto sum = none;
    for (index_t i = 0; i < n; i += pack::lanes)
      sum = sum + pack::where_negative(most - pack::load(distances_ + i), none, one);
    return static_cast<index_t>(pack::sum(sum));
  }

  planes layout_;
  index_t patch_height_, patch_width_;
  float *distances_ = nullptr, *some_ = nullptr;
  index_t* near_ = nullptr;
  std::uint32_t last_ = std::bit_cast<std::uint32_t>(1.f);  // limit's bits: where to begin decides no result
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
