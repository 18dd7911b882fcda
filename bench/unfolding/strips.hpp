#pragma once

/// Samples for `unfolded_network`: strips of full rows of a scene, as the sensor sees them, with what may vary varied:
/// scene (also at twice the grain), turns, side by side with another scene, illuminant, exposure, mask.

#include <algorithm>
#include <cmath>
#include <unmask/core/random.hpp>
#include <unmask/core/tensor.hpp>
#include <unmask/train/dataset.hpp>
#include <vector>

namespace bench {

using unmask::index_t;
using unmask::tensor;

struct row_sizes {
  index_t width, bands, step;
};

/// A row as the sensor holds it, shifted back: input, truth [W, C], mask [W].
inline void measure_row(float* input, const float* mask, const float* truth, const row_sizes& s) {
  std::vector<float> y(static_cast<std::size_t>(s.width + s.step * (s.bands - 1)));
  for (index_t w = 0; w < s.width; ++w)
    for (index_t c = 0; c < s.bands; ++c)
      y[static_cast<std::size_t>(w + s.step * c)] += mask[w] * truth[w * s.bands + c];
  for (index_t w = 0; w < s.width; ++w)
    for (index_t c = 0; c < s.bands; ++c) input[w * s.bands + c] = y[static_cast<std::size_t>(w + s.step * c)];
}

struct strip_options {
  index_t rows = 32, columns = 256, step = 2;
  double other_masks = .5;   ///< share of strips behind another mask than the first one
  double illuminants = .5;   ///< share of strips under another light
  double side_by_side = .5;  ///< share of strips of two scenes
};

class strip_source {
 public:
  strip_source(std::vector<tensor<float, 3>> scenes, std::vector<tensor<float, 2>> masks, strip_options options)
      : scenes_(std::move(scenes)), masks_(std::move(masks)), o_(options) {}

  /// Sample `number` of `seed` into the b-th of a batch; its input gets the measurement shifted back.
  void fill(unmask::train::batch<float>& to, index_t b, std::uint64_t seed, index_t number) const {
    unmask::random draw(seed, static_cast<std::uint64_t>(number));
    const index_t H = o_.rows, W = o_.columns, C = scenes_[0].extent(2);
    const index_t seam = draw.uniform() < o_.side_by_side ? W / 4 + draw.below(W / 2) : W;
    piece(to, b, 0, seam, draw);
    if (seam < W) piece(to, b, seam, W, draw);
    light(to, b, draw);
    mask(to, b, draw);
    for (index_t h = 0; h < H; ++h)
      measure_row(&to.input(b, h, 0, 0), &to.mask(b, h, 0), &to.truth(b, h, 0, 0), {W, C, o_.step});
  }

 private:
  /// Columns [begin, end) of a turned piece of a scene.
  void piece(unmask::train::batch<float>& to, index_t b, index_t begin, index_t end, unmask::random& draw) const {
    const auto& x = scenes_[static_cast<std::size_t>(draw.below(static_cast<index_t>(scenes_.size())))];
    const index_t H = o_.rows, W = end - begin, C = x.extent(2);
    const bool turned = draw.below(2) == 1, up = draw.below(2) == 1, left = draw.below(2) == 1;
    const index_t rows = turned ? W : H, columns = turned ? H : W;
    const index_t top = draw.below(x.extent(0) - rows + 1), side = draw.below(x.extent(1) - columns + 1);
    for (index_t h = 0; h < H; ++h)
      for (index_t w = 0; w < W; ++w) {
        const index_t i = up ? H - 1 - h : h, j = left ? W - 1 - w : w;
        std::copy_n(&x(top + (turned ? j : i), side + (turned ? i : j), 0), C, &to.truth(b, h, begin + w, 0));
      }
  }

  /// Another exposure, and for some another smooth illuminant; the largest value stays at most 1.
  void light(unmask::train::batch<float>& to, index_t b, unmask::random& draw) const {
    const index_t C = to.truth.extent(3), n = o_.rows * o_.columns;
    std::vector<float> gain(static_cast<std::size_t>(C), static_cast<float>(std::exp2(draw.uniform(-.7, 1))));
    if (draw.uniform() < o_.illuminants) {
      const double slope = .35 * draw.normal(), bend = .25 * draw.normal();
      for (index_t c = 0; c < C; ++c) {
        const double t = 2. * static_cast<double>(c) / static_cast<double>(C - 1) - 1;
        gain[static_cast<std::size_t>(c)] *= static_cast<float>(std::exp(slope * t + bend * (t * t - .3)));
      }
    }
    float largest = 1;
    float* x = &to.truth(b, 0, 0, 0);
    for (index_t i = 0; i < n; ++i)
      for (index_t c = 0; c < C; ++c) {
        x[i * C + c] *= gain[static_cast<std::size_t>(c)];
        largest = std::max(largest, x[i * C + c]);
      }
    for (index_t i = 0; i < n * C; ++i) x[i] /= largest;
  }

  void mask(unmask::train::batch<float>& to, index_t b, unmask::random& draw) const {
    const bool other = draw.uniform() < o_.other_masks;
    const index_t given = other ? draw.below(static_cast<index_t>(masks_.size()) + 1) : 0;
    const bool up = draw.below(2) == 1;
    const double open = draw.uniform(.3, .7), grey = std::max(0., draw.uniform(-1, 1));
    const bool fresh = given == static_cast<index_t>(masks_.size());
    const auto& m = masks_[static_cast<std::size_t>(fresh ? 0 : given)];
    const index_t top = draw.below(m.extent(0) - o_.rows + 1), left = draw.below(m.extent(1) - o_.columns + 1);
    for (index_t h = 0; h < o_.rows; ++h)
      for (index_t w = 0; w < o_.columns; ++w) {
        const double binary = draw.uniform() < open ? 1 : 0;
        to.mask(b, h, w) = fresh ? static_cast<float>(binary + grey * (draw.uniform() - binary))
                                 : m(top + (up ? o_.rows - 1 - h : h), left + w);
      }
  }

  std::vector<tensor<float, 3>> scenes_;
  std::vector<tensor<float, 2>> masks_;
  strip_options o_;
};

}  // namespace bench
