#pragma once

/// Training samples: crops of simulated CASSI snapshots. A batch is a pure function of (seed, step number), so that a
/// resumed training sees the samples it would have seen.
///
/// Each sample: a scene, one of its 8 symmetries (before measuring: a prism disperses along columns only), the field
/// that scene and mask have in common at a random place of the larger one, a crop of it, noise, the input HM.
///
/// Crops are cut after the whole field was measured: dispersion spans s (C - 1) columns, so a narrow crop measured by
/// itself has hardly a pixel with as many overlapping bands as a real snapshot. A pixel of the crop's input can only
/// contain light of columns up to s (C - 1) away, so only the crop widened by that much to both sides, as far as the
/// field goes, is measured: the same terms in the same order, hence the same bits.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../core/random.hpp"
#include "../core/tensor.hpp"
#include "../optics/cassi.hpp"
#include "../optics/noise.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// What the network gets and what it should give.
template <class T>
struct batch {
  tensor<T, 4> input;  ///< HM [B, H, W, C]
  tensor<T, 3> mask;   ///< [B, H, W]
  tensor<T, 4> truth;  ///< [B, H, W, C]

  batch() = default;
  batch(index_t b, index_t h, index_t w, index_t c) : input({b, h, w, c}), mask({b, h, w}), truth({b, h, w, c}) {}
};

struct sample_options {
  index_t batch = 4, height = 64, width = 64;  ///< crops
  index_t step = 2;                            ///< dispersion, pixels a band
  bool symmetries = true;                      ///< flips and rotations of the scene
  bool move_mask = true;        ///< a mask larger than the scene is used at random places, else at its top left
  double random_masks = 0;      ///< share of samples with a fresh binary mask instead of a given one
  double open_share = .5;       ///< of the pixels of a fresh mask
  optics::noise_model noise{};  ///< its full scale is in units of the network's input, y 2 / C
};

/// The choices behind one sample.
struct sample_choice {
  index_t scene = 0, mask = -1;  ///< mask -1: a fresh random one
  bool transposed = false, flip_rows = false, flip_columns = false;
  index_t field_height = 0, field_width = 0;  ///< common size of (transposed) scene and mask
  index_t scene_row = 0, scene_column = 0;    ///< where the field starts
  index_t mask_row = 0, mask_column = 0;
  index_t row = 0, column = 0;  ///< where the crop starts within the field
  std::uint64_t mask_seed = 0, noise_seed = 0;
};

class sample_source {
 public:
  /// Scenes [H, W, C] in [0, 1], all of one C; masks [H, W]. Errors name the scene or mask that does not fit.
  static result<sample_source> create(std::vector<tensor<float, 3>> scenes, std::vector<tensor<float, 2>> masks,
                                      const sample_options& options) {
    if (auto ok = check(scenes, masks, options); !ok) return ok.error();
    sample_source s;
    s.scenes_ = std::move(scenes);
    s.masks_ = std::move(masks);
    s.options_ = options;
    return s;
  }

  const sample_options& options() const { return options_; }
  const std::vector<tensor<float, 3>>& scenes() const { return scenes_; }
  const std::vector<tensor<float, 2>>& masks() const { return masks_; }
  index_t bands() const { return scenes_[0].extent(2); }

  template <class T>
  batch<T> make_batch() const {
    return {options_.batch, options_.height, options_.width, bands()};
  }

  /// Fills a batch of make_batch's size with the samples of a step.
  template <class T, class Backend>
  void fill(const Backend& backend, batch<T>& to, std::uint64_t seed, index_t step) const {
    parallel_for(backend, options_.batch, [&](index_t b, int) { fill_sample(to, b, choose(seed, step, b)); });
  }

  /// The choices of sample b of a step.
  sample_choice choose(std::uint64_t seed, index_t step, index_t b) const {
    unmask::random draw(seed ^ 0x73616d706c657321u, static_cast<std::uint64_t>(step * options_.batch + b));
    sample_choice c;
    c.scene = draw.below(static_cast<index_t>(scenes_.size()));
    const bool fresh = draw.uniform() < options_.random_masks;
    const index_t given = draw.below(static_cast<index_t>(masks_.size()));
    c.mask = fresh || masks_.empty() ? -1 : given;
    const std::uint64_t symmetry = options_.symmetries ? draw.next() >> 61 : 0;
    c.transposed = symmetry & 1;
    c.flip_rows = symmetry & 2;
    c.flip_columns = symmetry & 4;
    const auto& scene = scenes_[static_cast<std::size_t>(c.scene)];
    std::array<index_t, 2> area{scene.extent(c.transposed ? 1 : 0), scene.extent(c.transposed ? 0 : 1)}, mask = area;
    if (c.mask >= 0) mask = masks_[static_cast<std::size_t>(c.mask)].extents();
    c.field_height = std::min(area[0], mask[0]);
    c.field_width = std::min(area[1], mask[1]);
    // A field too small for the crop after transposing (long scenes) is not transposed.
    if (c.transposed && (c.field_height < options_.height || c.field_width < options_.width)) {
      c.transposed = false;
      std::swap(area[0], area[1]);
      if (c.mask < 0) mask = area;
      c.field_height = std::min(area[0], mask[0]);
      c.field_width = std::min(area[1], mask[1]);
    }
    c.scene_row = draw.below(area[0] - c.field_height + 1);
    c.scene_column = draw.below(area[1] - c.field_width + 1);
    c.mask_row = options_.move_mask ? draw.below(mask[0] - c.field_height + 1) : 0;
    c.mask_column = options_.move_mask ? draw.below(mask[1] - c.field_width + 1) : 0;
    c.row = draw.below(c.field_height - options_.height + 1);
    c.column = draw.below(c.field_width - options_.width + 1);
    c.mask_seed = draw.next();
    c.noise_seed = draw.next();
    return c;
  }

  /// First and one past the last column of the field that can send light into the crop.
  std::array<index_t, 2> lit_columns(const sample_choice& c) const {
    const index_t reach = options_.step * (bands() - 1);
    return {std::max<index_t>(0, c.column - reach), std::min(c.field_width, c.column + options_.width + reach)};
  }

  /// The field's scene [h, w, C] and mask [h, w], from row `top` and column `left` on.
  template <class T>
  void copy_field(const sample_choice& c, index_t top, index_t left, array_view<T, 3> cube,
                  array_view<T, 2> mask) const {
    const auto& scene = scenes_[static_cast<std::size_t>(c.scene)];
    const index_t rows = scene.extent(0), columns = scene.extent(1);
    for (index_t h = 0; h < cube.extent(0); ++h) {
      unmask::random draw(c.mask_seed, static_cast<std::uint64_t>(top + h));
      for (index_t w = 0; w < cube.extent(1); ++w) {
        const index_t i = c.scene_row + top + h, j = c.scene_column + left + w;
        index_t row = c.transposed ? j : i, column = c.transposed ? i : j;
        if (c.flip_rows) row = rows - 1 - row;
        if (c.flip_columns) column = columns - 1 - column;
        const float* from = scene.data() + (row * columns + column) * bands();
        std::transform(from, from + bands(), &cube(h, w, 0), [](float v) { return static_cast<T>(v); });
        if (c.mask < 0)
          mask(h, w) = static_cast<T>(draw.uniform() < options_.open_share);
        else
          mask(h, w) = static_cast<T>(given_mask(c, top + h, left + w));
      }
    }
  }

 private:
  sample_source() = default;

  float given_mask(const sample_choice& c, index_t h, index_t w) const {
    return masks_[static_cast<std::size_t>(c.mask)](c.mask_row + h, c.mask_column + w);
  }

  template <class T>
  void fill_sample(batch<T>& to, index_t b, const sample_choice& c) const {
    const index_t H = options_.height, W = options_.width, C = bands(), s = options_.step;
    const auto lit = lit_columns(c);
    const index_t wide = lit[1] - lit[0], before = c.column - lit[0];
    tensor<T, 3> cube({H, wide, C});
    tensor<T, 2> mask({H, wide}), whole({H, wide + s * (C - 1)}), cut({H, W + s * (C - 1)});
    copy_field<T>(c, c.row, lit[0], cube.view(), mask.view());
    optics::cassi_forward(ref{}, whole.view(), cube.view(), mask.view(), s);
    for (index_t h = 0; h < H; ++h) {
      std::copy_n(&whole(h, before), cut.extent(1), &cut(h, 0));
      std::copy_n(&mask(h, before), W, &to.mask(b, h, 0));
      std::copy_n(&cube(h, before, 0), W * C, &to.truth(b, h, 0, 0));
    }
    optics::noise_model noise = options_.noise;
    noise.full_scale *= static_cast<double>(C) / 2;
    // Without noise the division by full scale would still round.
    if (noise.shot != optics::shot_noise::none || noise.read_sigma > 0)
      optics::add_noise(ref{}, cut.view(), noise, c.noise_seed);
    const array_view<T, 3> input(&to.input(b, 0, 0, 0), H, W, C);
    optics::cassi_input(ref{}, input, cut.view(), array_view<const T, 2>(&to.mask(b, 0, 0), H, W), s);
  }

  static result<> check(const std::vector<tensor<float, 3>>& scenes, const std::vector<tensor<float, 2>>& masks,
                        const sample_options& o) {
    const auto size = [](index_t h, index_t w) { return optics::detail::shape_text(h, w); };
    const auto number = [](index_t i) { return std::to_string(i); };
    if (o.batch < 1 || o.height < 1 || o.width < 1)
      return error(errc::bad_argument, "samples: batch " + number(o.batch) + ", crop " + size(o.height, o.width) +
                                           ", expected at least 1 of each");
    if (scenes.empty()) return error(errc::bad_argument, "samples: found no scene, expected at least one");
    if (masks.empty() && !(o.random_masks >= 1))
      return error(errc::bad_argument, "samples: found no mask, expected at least one or random_masks = 1");
    if (auto ok = optics::check_noise(o.noise); !ok) return ok;
    for (std::size_t i = 0; i < scenes.size(); ++i) {
      const auto& x = scenes[i];
      const std::string name = "samples: scene " + std::to_string(i);
      if (auto ok = optics::detail::check_geometry({x.extent(0), x.extent(1), x.extent(2), o.step}); !ok) return ok;
      if (x.extent(2) != scenes[0].extent(2))
        return error(errc::wrong_shape, name + " has " + number(x.extent(2)) + " bands, expected " +
                                            number(scenes[0].extent(2)) + " as scene 0");
      if (x.extent(0) < o.height || x.extent(1) < o.width)
        return error(errc::wrong_shape, name + " is " + size(x.extent(0), x.extent(1)) +
                                            ", expected at least the crop " + size(o.height, o.width));
      if (!std::all_of(x.begin(), x.end(), [](float v) { return std::isfinite(v); }))
        return error(errc::wrong_value, name + " has a value that is not finite");
    }
    for (std::size_t i = 0; i < masks.size(); ++i) {
      const std::string name = "samples: mask " + std::to_string(i);
      if (masks[i].extent(0) < o.height || masks[i].extent(1) < o.width)
        return error(errc::wrong_shape, name + " is " + size(masks[i].extent(0), masks[i].extent(1)) +
                                            ", expected at least the crop " + size(o.height, o.width));
      if (!std::all_of(masks[i].begin(), masks[i].end(), [](float v) { return std::isfinite(v); }))
        return error(errc::wrong_value, name + " has a value that is not finite");
    }
    return {};
  }

  std::vector<tensor<float, 3>> scenes_;
  std::vector<tensor<float, 2>> masks_;
  sample_options options_;
};

}  // namespace unmask::inline UNMASK_ABI::train
