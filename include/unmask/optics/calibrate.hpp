#pragma once

/// Where a camera's mask and bands really lie, from its own snapshots: the alignment with which spectral TV best
/// predicts measured values that it was not shown. Nothing has to be known of the scenes, and a fit that is merely
/// closer to the noise gains nothing. The search tries each number a step up and down, keeps what is better, and halves
/// the steps where nothing is (pattern search: Hooke and Jeeves 1961). That is done with one strip of each snapshot;
/// how large the mask is seen and how unsharp at its top and bottom, whole snapshots tell then (mask_match.hpp).

#include <limits>
#include <vector>

#include "../core/random.hpp"
#include "mask_match.hpp"
#include "spectral_tv.hpp"

namespace unmask::inline UNMASK_ABI::optics {

struct calibration_options {
  index_t rows = 32;          ///< of each snapshot: the brightest strip of that height
  index_t stages = 8;         ///< of spectral TV: fewer than usual, because alignments are only compared
  index_t iterations = 30;    ///< in each stage
  float noise_weight = .35f;  ///< calmer than usual: where lambda could fall far, alignments differ in noise
  double kept_back = .05;     ///< share of the measured values that are predicted
  float largest_move = 4;     ///< no number goes farther from 0 than that, pixels
  float smallest_step = .1f;  ///< where the search ends, pixels
  index_t trials = 250;       ///< or after so many, in all
  index_t whole = 64;         ///< rows that a snapshot needs for what its top and bottom tell
  std::uint64_t seed = 1;
};

struct calibration {
  camera_alignment best;
  camera_model camera;           ///< what `spectral_tv` has to be told of it
  double before = 0, after = 0;  ///< the errors of values kept back, with no alignment and with the best
  index_t tried = 0;
};

class calibrator {
 public:
  /// Snapshots [H, V] of one camera (at least one) and its mask [H, W], checked by `check_cassi`; `spread` [K, C] of
  /// spectra as for `spectral_tv`. All have to live as long as this.
  calibrator(const cassi_geometry& g, std::vector<in<float, 2>> snapshots, in<float, 2> mask, in<float, 2> spread,
             const calibration_options& options = {})
      : whole_(g), geometry_(g), snapshots_(std::move(snapshots)), mask_(mask), spread_(spread), options_(options) {
    geometry_.height = std::min(options_.rows, g.height);
    const index_t V = g.measurement_width();
    left_out_.resize(static_cast<std::size_t>(geometry_.height * V));
    unmask::random draw(options_.seed, 0);
    for (auto& v : left_out_) v = draw.uniform() < options_.kept_back;
    for (const auto& y : snapshots_) tops_.push_back(brightest_strip(y));
  }

  /// |A x - y| / |y| of the values kept back, each in units of its deviation; the root of the mean square over all
  /// snapshots. Light that comes from beyond the mask's sides counts for nothing.
  template <class Backend>
  double error(const Backend& be, const camera_alignment& a) const {
    return error(be, a, quick());
  }

  template <class Backend>
  double error(const Backend& be, const camera_alignment& a, const spectral_tv_options& options) const {
    const index_t H = geometry_.height, W = geometry_.width, V = geometry_.measurement_width();
    const tensor<float, 2> whole = aligned_mask(be, mask_, a);
    const std::vector<float> positions = band_positions(geometry_, a);
    spectral_tv plan(geometry_, spread_, options, positions);
    plan.leave_out(left_out_.data());
    tensor<float, 3> x({H, W, geometry_.bands});
    tensor<float, 2> predicted({H, V});
    const index_t margin = std::min(V - W + 6, V / 4);
    double missing = 0;
    for (std::size_t i = 0; i < snapshots_.size(); ++i) {
      const array_view<const float, 2> y(snapshots_[i].data() + tops_[i] * V, H, V),
          m(whole.data() + tops_[i] * W, H, W);
      plan.run(be, x.view(), y, m);
      cassi_forward(be, predicted.view(), x.view(), m, std::span<const float>(positions));
      double mean = 0, squares = 0, errors = 0;
      for (const float v : y) mean += static_cast<double>(v) / static_cast<double>(y.size());
      for (index_t h = 0; h < H; ++h)
        for (index_t v = margin; v < V - margin; ++v) {
          if (!left_out_[static_cast<std::size_t>(h * V + v)]) continue;
          const double is = static_cast<double>(y(h, v)), off = static_cast<double>(predicted(h, v)) - is;
          const double variance = std::max(0., is) + static_cast<double>(options.noise_floor) * mean;
          errors += off * off / variance;
          squares += is * is / variance;
        }
      missing += errors / std::max(squares, std::numeric_limits<double>::min());
    }
    return std::sqrt(missing / static_cast<double>(snapshots_.size()));
  }

  /// `progress(tried, error of the best, the best)` after each trial; the second search has an error of its own.
  template <class Backend, class Progress>
  calibration run(const Backend& be, Progress&& progress) const {
    calibration found;
    using a = camera_alignment;
    found.before = error(be, found.best);
    search({&a::right, &a::down, &a::blur, &a::stretch, &a::bend}, found, progress,
           [&](const camera_alignment& next) { return error(be, next); });
    if (whole_.height >= options_.whole && found.tried < options_.trials) {
      const mask_match match = matched(be, found.best);
      search({&a::right, &a::down, &a::tall, &a::wide, &a::edge_blur}, found, progress,
             [&](const camera_alignment& next) { return match.error(be, next); });
    }
    found.after = error(be, found.best);
    found.camera.positions = band_positions(geometry_, found.best);
    found.camera.noise_weight = best_noise_weight(be, found.best);
    return found;
  }

 private:
  using numbers = std::vector<float camera_alignment::*>;

  template <class Progress, class Error>
  void search(const numbers& which, calibration& found, Progress&& progress, Error&& error_of) const {
    double least = error_of(found.best);
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
        camera_alignment next = found.best;
        next.*number += by;
        if (!(std::abs(next.*number) <= options_.largest_move) || std::min(next.blur, next.edge_blur) < 0) continue;
        const double e = error_of(next);
        const bool gain = e < least;
        if (gain) {
          least = e;
          found.best = next;
          better = true;
        }
        progress(++found.tried, least, found.best);
        if (found.tried == options_.trials) return better;
        if (gain) break;
      }
    return better;
  }

  /// All snapshots with what spectral TV makes of them.
  template <class Backend>
  mask_match matched(const Backend& be, const camera_alignment& a) const {
    const tensor<float, 2> mask = aligned_mask(be, mask_, a);
    const std::vector<float> positions = band_positions(whole_, a);
    spectral_tv plan(whole_, spread_, quick(), positions);
    mask_match match(mask_, positions);
    for (const auto& y : snapshots_) {
      tensor<float, 3> x({whole_.height, whole_.width, whole_.bands});
      plan.run(be, x.view(), y, mask.view());
      match.add(be, y, std::move(x));
    }
    return match;
  }

  spectral_tv_options quick() const {
    spectral_tv_options options;
    options.stages = options_.stages;
    options.iterations = options_.iterations;
    options.noise_weight = options_.noise_weight;
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
      if (h >= geometry_.height) sum -= rows[static_cast<std::size_t>(h - geometry_.height)];
      if (h + 1 >= geometry_.height && sum > most) most = sum, top = h + 1 - geometry_.height;
    }
    return top;
  }

  cassi_geometry whole_, geometry_;  ///< of a snapshot, of a strip
  std::vector<in<float, 2>> snapshots_;
  in<float, 2> mask_, spread_;
  calibration_options options_;
  std::vector<unsigned char> left_out_;  ///< [strip's rows, V]
  std::vector<index_t> tops_;            ///< first row of each snapshot's strip
};

}  // namespace unmask::inline UNMASK_ABI::optics
