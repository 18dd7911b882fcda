#pragma once

/// Training samples whose input is an estimate of a whole field, such as spectral TV, that takes seconds: the last
/// fields are kept, every few steps a new one takes the place of the oldest, and crops are cut from all of them. As
/// with `sample_source`, a batch is a pure function of (seed, step number): after a resumed start all fields are made
/// again.

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "../reconstruct/estimator.hpp"
#include "dataset.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// No scene is larger on a side.
inline constexpr index_t largest_field = index_t{1} << 20;

struct field_options {
  initial_spec initial{.kind = initial_kind::gap_tv};
  index_t fields = 32;           ///< kept at a time
  index_t steps_per_field = 16;  ///< steps after which the oldest one is replaced
};

class estimated_source {
 public:
  /// As `sample_source::create`; a field has the common size of all scenes and masks.
  static result<estimated_source> create(std::vector<tensor<float, 3>> scenes, std::vector<tensor<float, 2>> masks,
                                         const sample_options& options, const field_options& fields) {
    if (fields.fields < 1 || fields.steps_per_field < 1)
      return error(errc::bad_argument, "samples: fields " + std::to_string(fields.fields) + ", steps_per_field " +
                                           std::to_string(fields.steps_per_field) + ", expected at least 1 of each");
    if (auto ok = check(options); !ok) return ok.error();
    sample_options whole = options;
    whole.batch = 1;
    whole.height = whole.width = largest_field;
    const auto include = [&](index_t h, index_t w) {
      whole.height = std::min(whole.height, h);
      whole.width = std::min(whole.width, w);
    };
    for (const auto& x : scenes) include(x.extent(0), x.extent(1));
    for (const auto& m : masks) include(m.extent(0), m.extent(1));
    // a scene smaller than the crop is then refused by its name
    whole.height = std::max(whole.height, options.height);
    whole.width = std::max(whole.width, options.width);
    whole.variety = {};  // of the field's scenes, made below
    const bool varies = options.variety.any();
    std::vector<tensor<float, 2>> same_masks;
    if (varies) same_masks = masks;
    auto source = sample_source::create(std::move(scenes), std::move(masks), whole);
    if (!source) return source.error();
    estimated_source made(std::move(*source), options, fields);
    if (!varies) return made;
    std::vector<tensor<float, 3>> pieces(4, tensor<float, 3>({whole.height, whole.width, made.bands()}));
    made.varied_ = sample_source::create(std::move(pieces), std::move(same_masks), whole).value();
    return made;
  }

  const sample_options& options() const { return options_; }
  index_t bands() const { return whole_.bands(); }

  template <class T>
  batch<T> make_batch() const {
    return make_batch<T>(options_.batch);
  }
  /// For `count` samples of a batch.
  template <class T>
  batch<T> make_batch(index_t count) const {
    return {count, options_.height, options_.width, bands()};
  }

  /// Fills a batch of make_batch's size with the samples of a step, from `first_sample` on; makes the fields it needs
  /// before.
  template <class T, class Backend>
  void fill(const Backend& backend, batch<T>& to, std::uint64_t seed, index_t step, index_t first_sample = 0) {
    const index_t first = step / fields_.steps_per_field;
    for (index_t number = first; number < first + fields_.fields; ++number) prepare(backend, seed, number);
    parallel_for(backend, to.input.extent(0), [&](index_t b, int) {
      unmask::random draw(seed ^ 0x6669656c64637221u,
                          static_cast<std::uint64_t>(step * options_.batch + first_sample + b));
      copy_crop(to, b, pool_[static_cast<std::size_t>(draw.below(fields_.fields))].whole, draw);
    });
  }

 private:
  struct field {
    index_t number = -1;
    std::uint64_t seed = 0;
    batch<float> whole;
  };

  estimated_source(sample_source whole, const sample_options& options, const field_options& fields)
      : whole_(std::move(whole)), options_(options), fields_(fields), pool_(static_cast<std::size_t>(fields.fields)) {}

  template <class Backend>
  void prepare(const Backend& backend, std::uint64_t seed, index_t number) {
    field& f = pool_[static_cast<std::size_t>(number % fields_.fields)];
    if (f.number == number && f.seed == seed) return;
    if (f.number < 0) f.whole = whole_.template make_batch<float>();
    const index_t H = whole_.options().height, W = whole_.options().width, C = bands(), s = options_.step;
    tensor<float, 2> y({H, W + s * (C - 1)});
    const array_view<float, 2> mask(f.whole.mask.data(), H, W);
    const array_view<float, 3> input(f.whole.input.data(), H, W, C);
    measure(backend, seed, number, y.view(), f.whole);
    const optics::camera camera = whole_.template camera_of<float>(mask);
    planned_estimate(fields_.initial, camera).value()->run(backend, input, y.view());
    f.number = number;
    f.seed = seed;
  }

  /// The sensor's values of a field, its mask and truth. With variety each of its scenes is made for it alone.
  template <class Backend>
  void measure(const Backend& backend, std::uint64_t seed, index_t number, out<float, 2> y, batch<float>& to) {
    const index_t H = whole_.options().height, W = whole_.options().width, C = bands();
    const array_view<float, 2> mask(to.mask.data(), H, W);
    const array_view<float, 3> truth(to.truth.data(), H, W, C);
    if (!varied_) return whole_.template measure<float>(whole_.choose(seed, number, 0), y, mask, truth);
    sample_choice c = varied_->choose(seed, number, 0);
    parallel_for(backend, c.pieces, [&](index_t k, int) {
      unmask::random draw(seed ^ 0x76617269657479u, static_cast<std::uint64_t>(number * 4 + k));
      const auto& from = whole_.scenes()[static_cast<std::size_t>(draw.below(std::ssize(whole_.scenes())))];
      vary_scene(varied_->scene(k).view(), from.view(), options_.variety, draw);
    });
    for (int k = 0; k < c.pieces; ++k) c.parts[static_cast<std::size_t>(k)].scene = k;
    varied_->template measure<float>(c, y, mask, truth);
  }

  /// Upside down for half of the samples: optics do not mind, and neither does the estimate.
  template <class T>
  void copy_crop(batch<T>& to, index_t b, const batch<float>& from, unmask::random& draw) const {
    const index_t H = options_.height, W = options_.width, rows = from.mask.extent(1), columns = from.mask.extent(2);
    const index_t row = draw.below(rows - H + 1), column = draw.below(columns - W + 1);
    const bool flip = options_.symmetries && draw.below(2) == 1;
    const auto cast = [](float v) { return static_cast<T>(v); };
    for (index_t h = 0; h < H; ++h) {
      const index_t i = row + (flip ? H - 1 - h : h), n = W * bands();
      std::transform(&from.mask(0, i, column), &from.mask(0, i, column) + W, &to.mask(b, h, 0), cast);
      std::transform(&from.truth(0, i, column, 0), &from.truth(0, i, column, 0) + n, &to.truth(b, h, 0, 0), cast);
      std::transform(&from.input(0, i, column, 0), &from.input(0, i, column, 0) + n, &to.input(b, h, 0, 0), cast);
    }
  }

  sample_source whole_;
  std::optional<sample_source> varied_{};  ///< of the field that is made: a scene for each of four pieces
  sample_options options_;
  field_options fields_;
  std::vector<field> pool_;
};

}  // namespace unmask::inline UNMASK_ABI::train
