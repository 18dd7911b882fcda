#pragma once

/// One date from start to end: prepare, learn the weights on pixels hidden on purpose, estimate, add what is seen
/// through thin cloud, write. `declouder` owns the memory and checks what a caller passes.

#include <limits>

#include "candidates.hpp"
#include "estimate.hpp"
#include "held_out.hpp"
#include "learnt_step.hpp"
#include "rehearsal.hpp"
#include "unmarked_shadow.hpp"
#include "visible_signal.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class scene_run {
 public:
  void carve(arena& a, scene_size size, int slots, bool learnt) {
    scene_.carve(a, size, slots);
    const index_t all = scene_.n * scene_.C;
    held_ = a.take<std::uint8_t>(scene_.n);
    used_ = a.take<std::uint8_t>(scene_.n);
    seen_ = a.take<std::uint8_t>(scene_.n);
    at_ = a.take<std::int32_t>(scene_.n);
    value_ = a.take<float>(all);
    deviation_ = a.take<float>(all);
    mixtures_ = a.take<mixture>(scene_.C);
    squares_ = a.take<std::array<double, candidates + 1>>(scene_.C);
    if (size.references > 0) {
      candidates_.carve(a, scene_, slots);
      shadow_.carve(a, scene_.size);
    }
    visible_.carve(a, scene_.size, scene_.C, slots);
    if (learnt) rehearsal_.carve(a, scene_.size, scene_.C);
  }

  template <class Backend>
  outcome reconstruct(const Backend& be, const scene& s, const options& o, const estimate& to) noexcept {
    outcome found;
    scene_.load(be, s, o, found);
    const bool fitted = !found.one_image && !found.unfitted;
    for (index_t c = 0; c < scene_.C; ++c) mixtures_[c] = equal_mixture();
    if (fitted && found.hidden > 0 && o.find_shadows && scene_.C >= 3 && !found.few_open) mark_shadows(be, o, found);
    if (fitted && found.hidden > 0 && o.how == method::stack) learn(be, o, found);
    if (found.hidden > 0) {
      if (found.one_image)
        surroundings(be, found);
      else if (fitted && o.how != method::nearest && o.how != method::linear)
        from_candidates(be, o);
      else
        copy_hidden(scene_.nearest);
      if (o.see_through && found.few_open && o.how == method::stack) leave_haze(be, s, found);
      if (o.see_through && (found.held_out > 0 || found.from_nearest)) see_through(be, s);
      if (o.see_through && o.learnt && found.held_out > 0 && !found.from_nearest) mend_with(be, o, found);
      keep_positive(scene_, value_);
    }
    write_estimate(be, scene_, s, to, value_, deviation_);
    for (index_t c = 0; c < scene_.C; ++c)
      for (std::size_t m = 0; m < candidates; ++m)
        found.weight[m] += mixtures_[c].weight[m] / static_cast<double>(scene_.C);
    return found;
  }

 private:
  /// dB in the rehearsal; less is chance.
  static constexpr double least_gain = .05;

  index_t list(const std::uint8_t* chosen) noexcept {
    index_t count = 0;
    for (index_t i = 0; i < scene_.n; ++i)
      if (chosen[i] != 0) at_[count++] = static_cast<std::int32_t>(i);
    return count;
  }

  /// Shadow spoils the fit that it is found by: a second look, without what the first one found, finds the rest.
  template <class Backend>
  void mark_shadows(const Backend& be, const options& o, outcome& found) noexcept {
    for (int pass = 0; pass < 3; ++pass) {
      const float* prediction = candidates_.regress(be, scene_, o);
      const index_t count =
          shadow_.find(scene_.y, prediction, scene_.C, scene_.open, pass == 0 ? scene_.asked : used_, o.sun, held_);
      if (count == 0 || 2 * count > found.open) return;
      if (pass == 0) std::copy_n(scene_.asked, scene_.n, used_);  // the clouds; what is found is not cloud
      for (index_t i = 0; i < scene_.n; ++i)
        if (held_[i] != 0) scene_.open[i] = 0, scene_.asked[i] = 1;
      found.shadows += count, found.open -= count, found.fitted -= count, found.hidden += count;
    }
  }

  /// Weights and deviations by band. With fewer than 100 pixels to learn from they stay equal.
  template <class Backend>
  void learn(const Backend& be, const options& o, outcome& found) noexcept {
    copy_ = hold_out(scene_.size, scene_.open, held_);
    const index_t n = scene_.n, C = scene_.C, held = copy_.count;
    if (held < 100) return;
    found.held_out = held;
    for (index_t i = 0; i < n; ++i) used_[i] = scene_.open[i] != 0 && held_[i] == 0;
    list(held_);
    const candidate_values& values = candidates_.compute(be, scene_, o, used_, at_, held);
    parallel_for(be, C, [&](index_t c, int) {
      squares_[c] = {};
      const auto truth = [&](index_t i) { return static_cast<double>(scene_.y[at_[i] * C + c]); };
      mixtures_[c] = fit_mixture(values, c, truth, candidates_.scratch() + c * n, squares_[c]);
    });
    const double count = static_cast<double>(held * C);
    std::array<double, candidates + 1> total{};
    for (index_t c = 0; c < C; ++c)
      for (std::size_t m = 0; m <= candidates; ++m) total[m] += squares_[c][m];
    for (std::size_t m = 0; m < candidates; ++m) found.rmse[m] = std::sqrt(total[m] / count);
    found.held_out_rmse = std::sqrt(total[candidates] / count);
    learn_errors(values, held);
    if (!o.see_through) return;
    visible_.learn(be, value_, held_, held);
    if (o.learnt) rehearsal_.keep(scene_.y, value_, deviation_, held_);
  }

  /// A network mends as much as it gains by in the rehearsal, and deviations become what the rehearsal's errors ask
  /// for.
  template <class Backend>
  void mend_with(const Backend& be, const options& o, outcome& found) noexcept {
    float* mended = visible_.scratch(0);
    rehearsal_.begin(visible_, seen_);
    if (o.judged) {
      found.rehearsed = rehearsal_.perform(be, visible_, scene_.y, value_, seen_, copy_);
      if (found.rehearsed == 0) return;
      o.learnt(rehearsal_.view(view(used_, nullptr, nullptr)), mended);
      found.network_gain = rehearsal_.judge(scene_.y, mended);
      if (!(found.network_gain > least_gain)) return;
      rehearsal_.calibrate(scene_.y);
    }
    found.mended =
        mend(view(scene_.open, scene_.asked, rehearsal_.transmission()), rehearsal_.share(), value_, o.learnt, mended);
    for (index_t i = 0; i < scene_.n * scene_.C; ++i)
      if (scene_.asked[i / scene_.C] != 0) deviation_[i] *= rehearsal_.factor()[i % scene_.C];
  }

  /// value_ becomes the mixture's error at the pixels hidden on purpose, deviation_ its deviation.
  void learn_errors(const candidate_values& values, index_t held) noexcept {
    const index_t C = scene_.C;
    for (index_t i = 0; i < held; ++i)
      for (index_t c = 0; c < C; ++c) {
        double mean, variance;
        mixtures_[c].combine(values.at(i, c), mean, variance);
        const index_t to = at_[i] * C + c;
        value_[to] = static_cast<float>(static_cast<double>(scene_.y[to]) - mean);
        deviation_[to] = static_cast<float>(mixtures_[c].deviation(variance));
      }
  }

  network_view view(const std::uint8_t* open, const std::uint8_t* asked, const float* transmission) const noexcept {
    return {.size = scene_.size,
            .bands = scene_.C,
            .y = scene_.y,
            .prediction = candidates_.regression_everywhere(),
            .nearest = scene_.nearest,
            .base = value_,
            .deviation = deviation_,
            .transmission = transmission,
            .open = open,
            .asked = asked,
            .ground = scene_.x.component_row(0),
            .components = scene_.x.components(),
            .ground_scale = scene_.x.component_scales()};
  }

  /// The chosen method's estimate at all asked pixels.
  template <class Backend>
  void from_candidates(const Backend& be, const options& o) noexcept {
    const index_t C = scene_.C, count = list(scene_.asked);
    const candidate_values& values = candidates_.compute(be, scene_, o, scene_.open, at_, count);
    parallel_chunks(be, count, [&](index_t, index_t begin, index_t end, int) {
      for (index_t i = begin; i < end; ++i)
        for (index_t c = 0; c < C; ++c) {
          const index_t to = at_[i] * C + c;
          if (o.how == method::stack) {
            double mean, variance;
            mixtures_[c].combine(values.at(i, c), mean, variance);
            value_[to] = static_cast<float>(mean);
            deviation_[to] = static_cast<float>(mixtures_[c].deviation(variance));
          } else {
            value_[to] = values.E[o.how == method::ridge ? 0 : 4][i * C + c];
            deviation_[to] = std::numeric_limits<float>::quiet_NaN();
          }
        }
    });
  }

  /// Where all is under thin cloud, what was fitted on has some too and the estimate with it. The nearest date has
  /// none; if it is nearer to the truth, by how places change from date to date, it takes the estimate's place.
  template <class Backend>
  void leave_haze(const Backend& be, const scene& s, outcome& found) noexcept {
    float* change = visible_.scratch(0);
    index_t count = 0;
    const double expected = scene_.change(s.day, change, used_, count);
    double apart = 0, pixels = 0;
    for (index_t i = 0; i < scene_.n * scene_.C; ++i) {
      if (scene_.asked[i / scene_.C] == 0) continue;
      const double d = static_cast<double>(value_[i]) - static_cast<double>(scene_.nearest[i]);
      apart += d * d, ++pixels;
    }
    // what haze adds must be clearly the larger error; NaN: nothing is known
    if (!(apart / pixels - expected > 2 * expected)) return;
    found.from_nearest = true;
    copy_hidden(scene_.nearest);
    for (index_t i = 0; i < scene_.n * scene_.C; ++i) deviation_[i] = static_cast<float>(std::sqrt(expected));
    visible_.learn(be, change, used_, count);
  }

  void copy_hidden(const float* from) noexcept {
    std::copy_n(from, scene_.n * scene_.C, value_);
    std::fill_n(deviation_, scene_.n * scene_.C, std::numeric_limits<float>::quiet_NaN());
  }

  /// No other date: harmonic fill of the image itself; where nothing is open either, no value.
  template <class Backend>
  void surroundings(const Backend& be, const outcome& found) noexcept {
    if (found.unfitted) {
      std::fill_n(scene_.y, scene_.n * scene_.C, std::numeric_limits<float>::quiet_NaN());
    } else {
      for (index_t i = 0; i < scene_.n; ++i) held_[i] = scene_.open[i] == 0;
      scene_.harmonic.build(held_);
      scene_.harmonic.solve(be, scene_.y, scene_.C);
    }
    copy_hidden(scene_.y);
  }

  template <class Backend>
  void see_through(const Backend& be, const scene& s) noexcept {
    for (index_t i = 0; i < scene_.n; ++i)
      seen_[i] = scene_.asked[i] != 0 && prepared_scene::finite(s.image.data() + i * scene_.C, scene_.C);
    visible_.add(be, scene_.y, value_, deviation_, seen_);
  }

  prepared_scene scene_;
  candidate_set candidates_;
  visible_signal visible_;
  rehearsal rehearsal_;
  held_copy copy_;
  unmarked_shadow shadow_;
  std::uint8_t *held_ = nullptr, *used_ = nullptr, *seen_ = nullptr;
  std::int32_t* at_ = nullptr;
  float *value_ = nullptr, *deviation_ = nullptr;
  mixture* mixtures_ = nullptr;
  std::array<double, candidates + 1>* squares_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
