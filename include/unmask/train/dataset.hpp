#pragma once

/// Training samples: crops of simulated CASSI snapshots. A batch is a pure function of (seed, step number), so that a
/// resumed training sees the samples it would have seen.
///
/// Crops are cut after the whole field was measured: dispersion spans s (C - 1) columns, so a narrow crop measured by
/// itself has hardly a pixel with as many overlapping bands as a real snapshot. A pixel of the crop's input can only
/// contain light of columns up to s (C - 1) away, so only those columns are visited, and of their light only what lands
/// in the crop is added up: the terms of the whole measurement in its order, hence its bits, in a third of the time.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../core/finite.hpp"
#include "../optics/camera.hpp"
#include "sample_choice.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// What the network gets and what it should give.
template <class T>
struct batch {
  tensor<T, 4> input;  ///< HM [B, H, W, C], or what else a network starts from, with channels of its own
  tensor<T, 3> mask;   ///< [B, H, W]
  tensor<T, 4> truth;  ///< [B, H, W, C]

  batch() = default;
  batch(index_t b, index_t h, index_t w, index_t c) : batch(b, h, w, c, c) {}
  batch(index_t b, index_t h, index_t w, index_t inputs, index_t c)
      : input({b, h, w, inputs}), mask({b, h, w}), truth({b, h, w, c}) {}
};

class sample_source {
 public:
  /// Scenes [H, W, C] in [0, 1], all of one C; masks [H, W]. Errors name the scene or mask that does not fit.
  static result<sample_source> create(std::vector<tensor<float, 3>> scenes, std::vector<tensor<float, 2>> masks,
                                      const sample_options& options) {
    if (auto ok = check(scenes, masks, options); !ok) return ok.error();
    if (options.variety.any())
      return error(errc::bad_argument,
                   "samples: scales, illuminants and exposures are for fields of an initial estimate other than hm");
    sample_source s;
    for (const auto& x : scenes) s.scene_sizes_.push_back({x.extent(0), x.extent(1)});
    for (const auto& m : masks) s.mask_sizes_.push_back(m.extents());
    s.scenes_ = std::move(scenes);
    s.masks_ = std::move(masks);
    s.options_ = options;
    return s;
  }

  const sample_options& options() const { return options_; }
  const std::vector<tensor<float, 3>>& scenes() const { return scenes_; }
  const std::vector<tensor<float, 2>>& masks() const { return masks_; }
  index_t bands() const { return scenes_[0].extent(2); }
  /// A scene to be overwritten with another one of its size.
  tensor<float, 3>& scene(index_t i) { return scenes_[static_cast<std::size_t>(i)]; }

  template <class T>
  batch<T> make_batch() const {
    return make_batch<T>(options_.batch);
  }
  /// For `count` samples of a batch.
  template <class T>
  batch<T> make_batch(index_t count) const {
    return {count, options_.height, options_.width, bands()};
  }

  /// Fills a batch of make_batch's size with the samples of a step, from the `first` on.
  template <class T, class Backend>
  void fill(const Backend& backend, batch<T>& to, std::uint64_t seed, index_t step, index_t first = 0) const {
    parallel_for(backend, to.input.extent(0),
                 [&](index_t b, int) { fill_sample(to, b, choose(seed, step, first + b)); });
  }

  /// The choices of sample b of a step.
  sample_choice choose(std::uint64_t seed, index_t step, index_t b) const {
    const unmask::random draw(seed ^ 0x73616d706c657321u, static_cast<std::uint64_t>(step * options_.batch + b));
    return draw_sample(draw, options_, scene_sizes_, mask_sizes_, options_.step * (bands() - 1));
  }

  /// The mask over the crop's rows and the lit columns, [H, lit_width].
  template <class T>
  void copy_mask(const sample_choice& c, array_view<T, 2> to) const {
    const auto cast = [](auto v) { return static_cast<T>(v); };
    // A grey mask lies between a binary pattern and noise that is uniform in [0, 1], somewhere else for each mask.
    const double grey = c.grey ? unmask::random(c.mask_seed, ~std::uint64_t{0}).uniform() : 0;
    unmask::random place(c.mask_seed, ~std::uint64_t{1});
    const std::array<index_t, 2> corner{place.below(c.cell), place.below(c.cell)};  // how much of a cell is cut off
    for (index_t h = 0; h < to.extent(0); ++h) {
      T* row = &to(h, 0);
      if (c.mask >= 0) {
        const auto& mask = masks_[static_cast<std::size_t>(c.mask)];
        const float* from = &mask(c.mask_row + c.row + h, c.mask_column + c.lit_begin);
        std::transform(from, from + to.extent(1), row, cast);
        continue;
      }
      if (h > 0 && (h + corner[0]) % c.cell > 0) {
        std::copy_n(row - to.extent(1), to.extent(1), row);
        continue;
      }
      unmask::random draw(c.mask_seed, static_cast<std::uint64_t>((h + corner[0]) / c.cell));
      for (index_t w = 0; w < to.extent(1); ++w) {
        if (w > 0 && (w + corner[1]) % c.cell > 0) {
          row[w] = row[w - 1];
          continue;
        }
        const double open = draw.uniform() < c.open_share;
        row[w] = cast(c.grey ? open + grey * (draw.uniform() - open) : open);
      }
    }
  }

  /// What the sensor holds of a crop, y [H, W + step (C - 1)], with mask [H, W] and truth [H, W, C]. Light of columns
  /// beside the crop is in it.
  template <class T>
  void measure(const sample_choice& c, out<T, 2> y, out<T, 2> crop_mask, out<T, 3> truth) const {
    const index_t W = options_.width, C = bands(), before = c.column - c.lit_begin;
    tensor<T, 2> mask({options_.height, c.lit_width()});
    copy_mask<T>(c, mask.view());
    for (index_t h = 0; h < options_.height; ++h) std::copy_n(&mask(h, before), W, &crop_mask(h, 0));
    const auto camera = camera_of<T>(crop_mask);
    std::fill(y.begin(), y.end(), T(0));
    for (int k = 0; k < c.pieces; ++k) {
      const sample_piece& p = c.parts[static_cast<std::size_t>(k)];
      for (index_t h = p.top; h < p.top + p.height; ++h) {
        auto [x, stride] = spectra(p, h - p.top);
        for (index_t w = p.left - before; w < p.left - before + p.width; ++w, x += stride) {
          camera.add_light(&y(h, 0), w, mask(h, w + before), x);
          if (w >= 0 && w < W) std::transform(x, x + C, &truth(h, w, 0), [](float v) { return static_cast<T>(v); });
        }
      }
    }
    optics::noise_model noise = options_.noise;
    noise.full_scale *= static_cast<double>(C) / 2;
    // Without noise the division by full scale would still round.
    if (c.noisy && (noise.shot != optics::shot_noise::none || noise.read_sigma > 0))
      optics::add_noise(ref{}, y, noise, c.noise_seed);
  }

  /// The camera of a crop with this mask [H, W]. Scenes, masks and step were checked.
  template <class T>
  optics::basic_camera<T> camera_of(in<T, 2> mask) const {
    return optics::basic_camera<T>::create(mask, bands(), options_.step).value();
  }

 private:
  sample_source() = default;

  /// The spectra of a piece's row from left to right: the first one, and how far it is from each to the next.
  std::pair<const float*, index_t> spectra(const sample_piece& p, index_t h) const {
    const auto& scene = scenes_[static_cast<std::size_t>(p.scene)];
    const index_t rows = scene.extent(0), columns = scene.extent(1), i = p.row + h, j = p.column;
    index_t row = p.transposed ? j : i, column = p.transposed ? i : j;
    if (p.flip_rows) row = rows - 1 - row;
    if (p.flip_columns) column = columns - 1 - column;
    const bool backwards = p.transposed ? p.flip_rows : p.flip_columns;
    const index_t stride = (p.transposed ? columns : 1) * bands();
    return {scene.data() + (row * columns + column) * bands(), backwards ? -stride : stride};
  }

  template <class T>
  void fill_sample(batch<T>& to, index_t b, const sample_choice& c) const {
    const index_t H = options_.height, W = options_.width, C = bands(), s = options_.step;
    tensor<T, 2> y({H, W + s * (C - 1)});
    const array_view<T, 2> mask(&to.mask(b, 0, 0), H, W);
    measure<T>(c, y.view(), mask, array_view<T, 3>(&to.truth(b, 0, 0, 0), H, W, C));
    camera_of<T>(mask).input(ref{}, array_view<T, 3>(&to.input(b, 0, 0, 0), H, W, C), y.view());
  }

  static result<> check(const std::vector<tensor<float, 3>>& scenes, const std::vector<tensor<float, 2>>& masks,
                        const sample_options& o) {
    const auto size = [](index_t h, index_t w) { return "[" + std::to_string(h) + " x " + std::to_string(w) + "]"; };
    const auto number = [](index_t i) { return std::to_string(i); };
    if (auto ok = train::check(o); !ok) return ok;
    if (scenes.empty()) return error(errc::bad_argument, "samples: found no scene, expected at least one");
    if (masks.empty() && !(o.random_masks >= 1))
      return error(errc::bad_argument, "samples: found no mask, expected at least one or random_masks = 1");
    for (std::size_t i = 0; i < scenes.size(); ++i) {
      const auto& x = scenes[i];
      const std::string name = "samples: scene " + std::to_string(i);
      if (auto ok = optics::check_cassi(x.extents(), {x.extent(0), x.extent(1)}, o.step); !ok) return ok.error();
      if (x.extent(2) != scenes[0].extent(2))
        return error(errc::wrong_shape, name + " has " + number(x.extent(2)) + " bands, expected " +
                                            number(scenes[0].extent(2)) + " as scene 0");
      if (x.extent(0) < o.height || x.extent(1) < o.width)
        return error(errc::wrong_shape, name + " is " + size(x.extent(0), x.extent(1)) +
                                            ", expected at least the crop " + size(o.height, o.width));
      if (!std::all_of(x.begin(), x.end(), [](float v) { return is_finite(v); }))
        return error(errc::wrong_value, name + " has a value that is not finite");
    }
    for (std::size_t i = 0; i < masks.size(); ++i) {
      const std::string name = "samples: mask " + std::to_string(i);
      if (masks[i].extent(0) < o.height || masks[i].extent(1) < o.width)
        return error(errc::wrong_shape, name + " is " + size(masks[i].extent(0), masks[i].extent(1)) +
                                            ", expected at least the crop " + size(o.height, o.width));
      if (!std::all_of(masks[i].begin(), masks[i].end(), [](float v) { return is_finite(v); }))
        return error(errc::wrong_value, name + " has a value that is not finite");
    }
    return {};
  }

  std::vector<tensor<float, 3>> scenes_;
  std::vector<tensor<float, 2>> masks_;
  std::vector<std::array<index_t, 2>> scene_sizes_, mask_sizes_;
  sample_options options_;
};

}  // namespace unmask::inline UNMASK_ABI::train
