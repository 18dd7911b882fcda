#pragma once

/// Where a camera's mask and bands really lie, from its own snapshots: the alignment with which spectral TV best
/// predicts measured values that are held out. Nothing has to be known of the scenes, and a fit that is merely
/// closer to the noise gains nothing. The search tries each number a step up and down, keeps what is better, and halves
/// the steps where nothing is (pattern search: Hooke and Jeeves 1961). That is done with one strip of each snapshot;
/// how large the mask is seen and how unsharp at its top and bottom, whole snapshots tell then (mask_match.hpp).

#include <limits>
#include <vector>

#include "held_out.hpp"
#include "mask_match.hpp"
#include "planned.hpp"
#include "spectral.hpp"
#include "spectral_tv.hpp"

namespace unmask::inline UNMASK_ABI::optics {

struct calibration_options {
  index_t rows = 32;             ///< of each snapshot: the brightest strip of that height
  index_t outer_iterations = 8;  ///< of spectral TV: fewer than usual, because alignments are only compared
  index_t iterations = 30;       ///< of conjugate gradients in each
  float noise_weight = .35f;     ///< calmer than usual: where lambda could fall far, alignments differ in noise
  double held_out = .05;         ///< share of the measured values that are predicted
  float largest_move = 4;        ///< no number goes farther from 0 than that, pixels
  float smallest_step = .1f;     ///< where the search ends, pixels
  index_t trials = 250;          ///< or after so many, in all
  index_t whole = 64;            ///< rows that a snapshot needs for what its top and bottom tell
  std::uint64_t seed = 1;
};

struct calibration {
  camera_alignment alignment;
  optics::camera camera;         ///< with the mask as the sensor sees it and the bands' positions
  float noise_weight;            ///< of `spectral_tv_options`: more where the camera is known less well than its noise
  double before = 0, after = 0;  ///< the errors of held-out values, with no alignment and with the best
  index_t tried = 0;
};

class calibrator {
 public:
  /// Rows of the spectral basis that count: more take as many times as long for each of hundreds of trials.
  static constexpr index_t rank = few_spectra;

  /// Snapshots [H, V] (at least one) of a camera with its mask as stored; `spectral_basis` [K, C] as for `spectral_tv`.
  /// All have to live as long as this, and to have passed `check`.
  calibrator(const camera& stored, std::vector<in<float, 2>> snapshots, in<float, 2> spectral_basis,
             const calibration_options& options = {})
      : stored_(stored),
        snapshots_(std::move(snapshots)),
        spectral_basis_(spectral_basis.data(), std::min(rank, spectral_basis.extent(0)), spectral_basis.extent(1)),
        options_(options),
        rows_(std::min(options.rows, stored.geometry().height)) {
    held_out_.resize(static_cast<std::size_t>(rows_ * stored.geometry().measurement_width()));
    draw_held_out(held_out_, options_.held_out, options_.seed);
    for (const auto& y : snapshots_) tops_.push_back(brightest_strip(y));
  }

  /// Errors: as `spectral_tv::check`; no snapshot, one that is not the camera's, fewer rows than 1.
  static result<> check(const camera& stored, const std::vector<in<float, 2>>& snapshots, in<float, 2> spectral_basis,
                        const calibration_options& options = {}) {
    if (auto ok = spectral_tv::check(stored, spectral_basis); !ok) return ok;
    if (snapshots.empty()) return unmask::error(errc::bad_argument, "calibration: found no snapshot, expected one");
    if (options.rows < 1)
      return unmask::error(errc::bad_argument,
                           "calibration: rows is " + std::to_string(options.rows) + ", expected at least 1");
    for (const auto& y : snapshots)
      if (auto ok = stored.check(y.extents()); !ok) return ok;
    return {};
  }

  /// |A x - y| / |y| of held-out values, each in units of its deviation; the root of the mean square over all
  /// snapshots. Light that comes from beyond the mask's sides counts for nothing.
  template <class Backend>
  double error(const Backend& be, const camera_alignment& a) const {
    return error(be, a, quick());
  }

  template <class Backend>
  double error(const Backend& be, const camera_alignment& a, const spectral_tv_options& options) const {
    const camera whole = aligned_camera(be, stored_, a);
    tensor<float, 3> x({rows_, whole.geometry().width, whole.geometry().bands});
    tensor<float, 2> predicted({rows_, whole.geometry().measurement_width()});
    double missing = 0;
    for (std::size_t i = 0; i < snapshots_.size(); ++i) {
      const camera strip = whole.rows(tops_[i], rows_);
      const index_t V = predicted.extent(1);
      const array_view<const float, 2> y(snapshots_[i].data() + tops_[i] * V, rows_, V);
      planned<spectral_tv> plan(strip, spectral_basis_, options);
      plan->hold_out(held_out_.data());
      plan->run(be, x.view(), y);
      strip.forward(be, predicted.view(), x.view());
      missing += held_out_error(y, predicted.view());
    }
    return std::sqrt(missing / static_cast<double>(snapshots_.size()));
  }

  /// `progress(tried, error of the best, the best)` after each trial; the second search has an error of its own.
  template <class Backend, class Progress>
  calibration run(const Backend& be, Progress&& progress) const {
    calibration found{{}, stored_, 0};
    using a = camera_alignment;
    found.before = error(be, found.alignment);
    search({&a::right, &a::down, &a::blur, &a::stretch, &a::bend}, found, progress,
           [&](const camera_alignment& next) { return error(be, next); });
    if (stored_.geometry().height >= options_.whole && found.tried < options_.trials) {
      const mask_match match = matched(be, found.alignment);
      search({&a::right, &a::down, &a::tall, &a::wide, &a::edge_blur}, found, progress,
             [&](const camera_alignment& next) { return match.error(be, next); });
    }
    found.after = error(be, found.alignment);
    found.camera = aligned_camera(be, stored_, found.alignment);
    found.noise_weight = best_noise_weight(be, found.alignment);
    return found;
  }

 private:
  using numbers = std::vector<float camera_alignment::*>;

  template <class Progress, class Error>
  void search(const numbers& which, calibration& found, Progress&& progress, Error&& error_of) const {
    double least = error_of(found.alignment);
    for (float step = .8f; step >= options_.smallest_step; step /= 2)
      while (found.tried < options_.trials && improve(which, found, least, step, progress, error_of)) continue;
  }

  /// One step up or down for each number, where that is better; whether anything was.
  template <class Progress, class Error>
  bool improve(const numbers& which, calibration& found, double& least, float step, Progress&& progress,
               Error&& error_of) const {
    bool better = false;
    for (const auto number : which)
      for (const float by : {step, -step}) {
        camera_alignment next = found.alignment;
        next.*number += by;
        if (!(std::abs(next.*number) <= options_.largest_move) || std::min(next.blur, next.edge_blur) < 0) continue;
        const double e = error_of(next);
        const bool gain = e < least;
        if (gain) {
          least = e;
          found.alignment = next;
          better = true;
        }
        progress(++found.tried, least, found.alignment);
        if (found.tried == options_.trials) return better;
        if (gain) break;
      }
    return better;
  }

  /// All snapshots with what spectral TV makes of them.
  template <class Backend>
  mask_match matched(const Backend& be, const camera_alignment& a) const {
    const camera aligned = aligned_camera(be, stored_, a);
    planned<spectral_tv> plan(aligned, spectral_basis_, quick());
    mask_match match(stored_, band_positions(stored_.geometry(), a));
    for (const auto& y : snapshots_) {
      tensor<float, 3> x(stored_.geometry().cube_extents());
      plan->run(be, x.view(), y);
      match.add(be, y, std::move(x));
    }
    return match;
  }

  /// |A x - y|^2 / |y|^2 of a strip's held-out values, each over its variance.
  double held_out_error(in<float, 2> y, in<float, 2> predicted) const {
    const index_t V = y.extent(1), margin = held_out_margin(V, stored_.geometry().width);
    double mean = 0, squares = 0, errors = 0;
    for (const float v : y) mean += static_cast<double>(v) / static_cast<double>(y.size());
    for (index_t h = 0; h < rows_; ++h)
      for (index_t v = margin; v < V - margin; ++v) {
        if (!held_out_[static_cast<std::size_t>(h * V + v)]) continue;
        const double is = static_cast<double>(y(h, v)), off = static_cast<double>(predicted(h, v)) - is;
        const double variance = std::max(0., is) + static_cast<double>(stored_.noise().floor) * mean;
        errors += off * off / variance;
        squares += is * is / variance;
      }
    return errors / std::max(squares, std::numeric_limits<double>::min());
  }

  spectral_tv_options quick() const {
    spectral_tv_options options;
    options.outer_iterations = options_.outer_iterations;
    options.iterations = options_.iterations;
    options.noise_weight = options_.noise_weight;
    options.start =
        spectral_tv_start::zero;  // in strips of few rows it tells right alignments from wrong ones less well
    return options;
  }

  /// With spectral TV as it will be run: the weight that predicts best, the usual one if none is better.
  template <class Backend>
  float best_noise_weight(const Backend& be, const camera_alignment& a) const {
    spectral_tv_options options;
    float best = options.noise_weight;
    double least = error(be, a, options);
    for (const float weight : {.25f, .35f, .5f}) {
      options.noise_weight = weight;
      const double e = error(be, a, options);
      if (e < least) least = e, best = weight;
    }
    return best;
  }

  index_t brightest_strip(in<float, 2> y) const {
    const index_t H = y.extent(0), V = y.extent(1);
    std::vector<double> rows(static_cast<std::size_t>(H));
    for (index_t h = 0; h < H; ++h)
      for (index_t v = 0; v < V; ++v) rows[static_cast<std::size_t>(h)] += static_cast<double>(y(h, v));
    double sum = 0, most = -1;
    index_t top = 0;
    for (index_t h = 0; h < H; ++h) {
      sum += rows[static_cast<std::size_t>(h)];
      if (h >= rows_) sum -= rows[static_cast<std::size_t>(h - rows_)];
      if (h + 1 >= rows_ && sum > most) most = sum, top = h + 1 - rows_;
    }
    return top;
  }

  const camera& stored_;
  std::vector<in<float, 2>> snapshots_;
  in<float, 2> spectral_basis_;
  calibration_options options_;
  index_t rows_;                         ///< of a strip
  std::vector<unsigned char> held_out_;  ///< [strip's rows, V]
  std::vector<index_t> tops_;            ///< first row of each snapshot's strip
};

}  // namespace unmask::inline UNMASK_ABI::optics
