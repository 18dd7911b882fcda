#pragma once

/// Spectral TV in a metric of the scene's own, from a few rows. The basis that all scenes have in common needs more
/// directions than one scene does. So first a few strips of the snapshot's rows, which are measured apart from all
/// others, are reconstructed with all of them, as if they were neighbours: nearly they are. The few directions that
/// these strips show (scene_spectra.hpp) are those of the whole image, and it starts from what lies between the strips:
/// a third of the rows saves the others half of their iterations. A basis of no more rows than a scene's own is used as
/// it is: then this is spectral_tv.hpp.

#include <algorithm>
#include <memory>
#include <optional>

#include "../core/tensor.hpp"
#include "row_strips.hpp"
#include "scene_spectra.hpp"
#include "scene_spectra_options.hpp"
#include "spectral_tv_refine.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// One camera and one basis; members are those of `spectral_tv`, whose promises hold. Memory is the caller's.
class adaptive_spectral_tv {
 public:
  /// The camera has to live as long as this, the basis as long as `prepare` is called; both have passed
  /// `spectral_tv::check`, and `spectra` `check_scene_spectra`.
  [[gnu::cold]] adaptive_spectral_tv(const camera& c, in<float, 2> spectral_basis,
                                     const spectral_tv_options& options = {}, const scene_spectra_options& spectra = {})
      : general_(spectral_basis),
        share_(spectra.share),
        strips_(c.geometry().height, spectra.strip_rows, spectra.spacing, spectra.least_rows),
        look_reports_(spectra.look_outer),
        reports_(options.outer_iterations) {
    if (spectral_basis.extent(0) <= spectra.rank) {
      whole_.emplace(c, spectral_basis, options);
      return;
    }
    reports_ = spectra.look_outer + spectra.outer;
    own_ = array_view<float, 2>(nullptr, spectra.rank, spectral_basis.extent(1));
    tensor<float, 2> mask({strips_.rows(), c.geometry().width});
    for (index_t s = 0; s < strips_.rows(); ++s)
      std::copy_n(&c.mask()(strips_.image_row(s), 0), mask.extent(1), &mask(s, 0));
    camera of_strips = c.rows(0, strips_.rows());
    of_strips.change_mask(mask.view());
    camera_ = std::make_shared<const camera>(std::move(of_strips));
    spectral_tv_options look = options, rest = options;
    look.outer_iterations = spectra.look_outer, look.iterations = spectra.look_inner;
    rest.outer_iterations = spectra.outer, rest.iterations = spectra.inner, rest.start = spectral_tv_start::given;
    rest.first_weight = spectra.first_weight, rest.first_irls_epsilon = spectra.first_irls_epsilon;
    sample_.emplace(*camera_, spectral_basis, look);
    spectra_.emplace(detail::planes{strips_.rows(), spectral_basis.extent(0), c.geometry().width},
                     strips_.rows_of_strip());
    whole_.emplace(c, in<float, 2>(spectral_basis.data(), own_.extent(0), own_.extent(1)), rest);
  }

  /// Whether the scene's own spectra are looked for.
  bool adapts() const { return sample_.has_value(); }
  /// Planes that `refine` works on.
  index_t rank() const { return adapts() ? own_.extent(0) : general_.extent(0); }
  /// How often `run` reports: of the strips first, where there are any.
  index_t reports() const { return reports_; }

  void carve(arena& memory) {
    whole_->carve(memory);
    kept_ = array_view<float, 2>(memory.take<float>(general_.size()), general_.extent(0), general_.extent(1));
    if (!adapts()) return;
    sample_->carve(memory);
    own_ = array_view<float, 2>(memory.take<float>(own_.size()), own_.extent(0), own_.extent(1));
    whole_->change_basis(own_);
  }
  /// The whole image is worked on where the strips were.
  void carve_scratch(arena& memory) {
    if (adapts()) {
      const auto& g = camera_->geometry();
      const std::size_t level = memory.level();
      y_ = array_view<float, 2>(memory.take<float>(g.height * g.measurement_width()), g.height, g.measurement_width());
      marks_ = memory.take<unsigned char>(y_.size());
      sample_->carve_scratch(memory);
      spectra_->carve_scratch(memory);
      memory.release(level);
    }
    whole_->carve_scratch(memory);
  }
  template <class Backend>
  void prepare(const Backend& be) noexcept {
    std::copy_n(general_.data(), general_.size(), kept_.data());
    (adapts() ? *sample_ : *whole_).prepare(be);
  }
  void hold_out(const unsigned char* values) {
    held_out_ = values;
    whole_->hold_out(values);
  }

  template <class Backend>
  float run(const Backend& be, out<float, 3> x, in<float, 2> y, iteration_call progress = {}) noexcept {
    bool go_on = true;
    const float error = look(be, x, y, [&](index_t i, float e) { return go_on = progress(i, e); });
    return go_on && is_finite(error) ? estimate(be, x, y, progress) : error;
  }

  /// The two halves of `run`. The first finds the scene's own spectra in strips of y, and in x [H, W, C] what the
  /// second starts from. Returns the strips' residual; 0 where the basis is used as it is.
  template <class Backend>
  float look(const Backend& be, out<float, 3> x, in<float, 2> y, iteration_call progress = {}) noexcept;
  /// After `look`: the basis [K, C] of this scene.
  in<float, 2> spectra() const { return adapts() ? own_ : kept_; }
  template <class Backend>
  float estimate(const Backend& be, out<float, 3> x, in<float, 2> y, iteration_call progress = {}) noexcept {
    if (!adapts()) return whole_->run(be, x, y, progress);
    whole_->prepare(be);
    whole_->expect_noise(sample_->noise());
    return whole_->run(be, x, y, [&](index_t i, float e) { return progress(look_reports_ + i, e); });
  }

  template <class Backend>
  bool correct(const Backend& be, out<float, 3> x, in<float, 2> y) noexcept {
    return whole_->correct(be, x, y);
  }
  template <class Backend>
  bool refine(const Backend& be, similar_patches& patches, out<float, 3> x, in<float, 2> y) noexcept {
    return whole_->refine(be, patches, x, y);
  }
  float certainty() const noexcept { return whole_->certainty(); }

 private:
  in<float, 2> general_;
  array_view<float, 2> kept_{};  ///< general_, from `prepare` on
  double share_;
  array_view<float, 2> own_{};  ///< the scene's basis
  detail::row_strips strips_;
  index_t look_reports_, reports_;
  std::shared_ptr<const camera> camera_;  ///< where it is when this moves: of the strips, one below the other
  std::optional<spectral_tv> sample_;     ///< of the strips; none where the basis is used as it is
  std::optional<detail::scene_spectra> spectra_;
  std::optional<spectral_tv> whole_;
  const unsigned char* held_out_ = nullptr;
  array_view<float, 2> y_{};  ///< the strips' measurement, and which of its values are held out
  unsigned char* marks_ = nullptr;
};

template <class Backend>
float adaptive_spectral_tv::look(const Backend& be, out<float, 3> x, in<float, 2> y, iteration_call progress) noexcept {
  if (!adapts()) return 0;
  const index_t V = y.extent(1);
  for (index_t h = 0; h < y_.extent(0); ++h) {
    const index_t from = strips_.image_row(h) * V;
    std::copy_n(y.data() + from, V, y_.data() + h * V);
    if (held_out_) std::copy_n(held_out_ + from, V, marks_ + h * V);
  }
  sample_->hold_out(held_out_ ? marks_ : nullptr);
  const array_view<float, 3> strips(x.data(), y_.extent(0), x.extent(1), x.extent(2));
  const float error = sample_->run(be, strips, y_, progress);
  strips_.spread(x.data(), x.extent(1) * x.extent(2));
  spectra_->find(be, own_.data(), rank(), sample_->lit() ? sample_->coefficients() : nullptr, kept_, share_);
  return error;
}

}  // namespace unmask::inline UNMASK_ABI::optics
