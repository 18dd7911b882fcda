#pragma once

/// Training samples for a network that removes clouds: crops of one band of a case (cloud_cases.hpp). The last cases
/// are kept, every few steps a new one takes the place of the oldest. As with `sample_source`, a batch is a pure
/// function of (seed, step number).

#include "cloud_cases.hpp"
#include "dataset.hpp"

namespace unmask::inline UNMASK_ABI::train {

struct cloud_pool_options {
  index_t cases = 48;          ///< kept at a time
  index_t steps_per_case = 8;  ///< steps after which the oldest one is replaced
};

class cloud_source {
 public:
  /// Of `samples` batch, height and width count. Errors: a crop larger than a case, numbers below 1.
  static result<cloud_source> create(cloud_cases cases, const sample_options& samples, const cloud_pool_options& pool) {
    const auto number = [](index_t n) { return std::to_string(n); };
    if (pool.cases < 1 || pool.steps_per_case < 1)
      return error(errc::bad_argument, "clouds: " + number(pool.cases) + " cases, " + number(pool.steps_per_case) +
                                           " steps a case, expected at least 1 of each");
    if (std::max(samples.height, samples.width) > cases.options().side)
      return error(errc::wrong_shape, "clouds: crops of " + number(samples.height) + " x " + number(samples.width) +
                                          ", expected at most a case of " + number(cases.options().side));
    return cloud_source(std::move(cases), samples, pool);
  }

  const sample_options& options() const { return options_; }
  index_t bands() const { return 1; }

  template <class T>
  batch<T> make_batch() const {
    return make_batch<T>(options_.batch);
  }
  template <class T>
  batch<T> make_batch(index_t count) const {
    return {count, options_.height, options_.width, clouds::network_channels, 1};
  }

  template <class T, class Backend>
  void fill(const Backend& be, batch<T>& to, std::uint64_t seed, index_t step, index_t first_sample = 0) {
    const index_t first = step / pool_options_.steps_per_case;
    parallel_for(be, pool_options_.cases, [&](index_t i, int) {
      kept& k = pool_[static_cast<std::size_t>((first + i) % pool_options_.cases)];
      if (k.number == first + i && k.seed == seed) return;
      k = {first + i, seed, cases_.make(seed, static_cast<std::uint64_t>(first + i))};
    });
    parallel_for(be, to.input.extent(0), [&](index_t b, int) {
      unmask::random draw(seed ^ 0x636c6f7564637221u,
                          static_cast<std::uint64_t>(step * options_.batch + first_sample + b));
      copy_sample(to, b, pool_[static_cast<std::size_t>(draw.below(pool_options_.cases))].made, draw);
    });
  }

 private:
  struct kept {
    index_t number = -1;
    std::uint64_t seed = 0;
    cloud_case made;
  };

  cloud_source(cloud_cases cases, const sample_options& samples, const cloud_pool_options& pool)
      : cases_(std::move(cases)), options_(samples), pool_options_(pool), pool_(static_cast<std::size_t>(pool.cases)) {}

  /// One band of a part of the case. Components have no sign of their own, so it is drawn. Errors of more than 20 units
  /// are a mistake of the stack's that no network is to learn by heart.
  template <class T>
  void copy_sample(batch<T>& to, index_t b, const cloud_case& c, unmask::random& draw) const {
    const index_t H = options_.height, W = options_.width, band = draw.below(c.bands);
    const clouds::patch p{draw.below(c.size.height - H + 1), draw.below(c.size.width - W + 1), H, W};
    const clouds::network_view v = c.view();
    const clouds::band_scale scale = clouds::measure_band(v, band);
    std::vector<float> channels(static_cast<std::size_t>(H * W * clouds::network_channels)),
        mask(static_cast<std::size_t>(H * W));
    clouds::fill_channels(v, scale, band, p, channels.data());
    clouds::fill_mask(v, p, mask.data());
    for (index_t j = clouds::network_channels - 3; j < clouds::network_channels; ++j)
      if (draw.below(2) == 1)
        for (index_t i = 0; i < H * W; ++i) channels[static_cast<std::size_t>(i * clouds::network_channels + j)] *= -1;
    const auto cast = [](float x) { return static_cast<T>(x); };
    std::transform(channels.begin(), channels.end(), &to.input(b, 0, 0, 0), cast);
    std::transform(mask.begin(), mask.end(), &to.mask(b, 0, 0), cast);
    for (index_t h = 0; h < H; ++h)
      for (index_t w = 0; w < W; ++w) {
        const index_t i = (p.row + h) * c.size.width + p.column + w, at = i * c.bands + band;
        const float start = channels[static_cast<std::size_t>((h * W + w) * clouds::network_channels)];
        float error = 0;
        if (c.asked[static_cast<std::size_t>(i)] != 0)
          error = (c.truth[static_cast<std::size_t>(at)] - c.base[static_cast<std::size_t>(at)]) / scale.unit;
        to.truth(b, h, w, 0) = cast(start + std::clamp(error, -20.f, 20.f));
      }
  }

  cloud_cases cases_;
  sample_options options_;
  cloud_pool_options pool_options_;
  std::vector<kept> pool_;
};

}  // namespace unmask::inline UNMASK_ABI::train
