#pragma once

/// Similar pixels: a prediction's error at a hidden pixel is the mean of its errors at the open pixels that look most
/// like it on the other dates and lie near (in the spirit of NSPI, Chen et al. 2011).

#include "blur.hpp"
#include "features.hpp"
#include "kd_tree.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class similar_pixels {
 public:
  static constexpr index_t neighbours = 30;
  static constexpr float metre = 12;       ///< pixels that count as much as a third of the first component's deviation
  static constexpr index_t most = 120000;  ///< open pixels to choose from; of more, every so many are taken

  void carve(arena& a, grid g) {
    size_ = g;
    tree_.carve(a, std::min(g.size(), most));
  }

  /// used [H, W]: not 0 where the cloudy date is open.
  void build(const features& x, const std::uint8_t* used) noexcept {
    index_t open = 0;
    for (index_t i = 0; i < size_.size(); ++i) open += used[i] != 0;
    tree_.clear();
    index_t seen = 0;
    for (index_t i = 0; i < size_.size(); ++i) {
      if (used[i] == 0) continue;
      // of more than `most`, number n is taken where n most / open passes a whole number
      if (open <= most || seen * most / open != (seen + 1) * most / open) {
        float at[kd_tree::dimensions];
        place(x, i, at);
        tree_.insert(at, i);
      }
      ++seen;
    }
    tree_.build();
  }

  /// out [count, bands] = prediction + the weighted error, at the pixels `at`; y and prediction [H, W, bands].
  template <class Backend>
  void correct(const Backend& be, const features& x, const std::int32_t* at, index_t count, index_t bands,
               const float* y, const float* prediction, float* out) const noexcept {
    constexpr index_t together = 64;
    parallel_for(be, (count + together - 1) / together, [&](index_t part, int) {
      for (index_t n = part * together; n < std::min(count, (part + 1) * together); ++n) {
        float to[kd_tree::dimensions];
        kd_tree::neighbour found[kd_tree::most_neighbours];
        place(x, at[n], to);
        const index_t k = tree_.nearest(to, neighbours, .3f, found);
        double weights[kd_tree::most_neighbours], sum = 0;
        const double half = k > 0 ? static_cast<double>(found[k / 2].squared) + 1e-12 : 1;
        for (index_t j = 0; j < k; ++j)
          sum += weights[j] = std::exp(-.5 * static_cast<double>(found[j].squared) / half);
        for (index_t b = 0; b < bands; ++b) {
          double error = 0;
          for (index_t j = 0; j < k; ++j) {
            const index_t i = found[j].item * bands + b;
            error += weights[j] * static_cast<double>(y[i] - prediction[i]);
          }
          out[n * bands + b] = prediction[at[n] * bands + b] + (k > 0 ? static_cast<float>(error / sum) : 0.f);
        }
      }
    });
  }

 private:
  void place(const features& x, index_t pixel, float* at) const noexcept {
    const float* p = x.component_row(pixel);
    const auto scale = static_cast<float>(3 / x.deviation(0));
    std::fill_n(at, kd_tree::dimensions, 0.f);
    for (index_t j = 0; j < x.components(); ++j) at[j] = p[j] * scale;
    at[most_components] = static_cast<float>(pixel / size_.width) / metre;
    at[most_components + 1] = static_cast<float>(pixel % size_.width) / metre;
  }

  grid size_;
  kd_tree tree_;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
