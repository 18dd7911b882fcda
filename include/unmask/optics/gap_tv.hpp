#pragma once

/// GAP-TV: reconstruction from one snapshot without training, the baseline every network is held against.
///
///   y_k = y_(k-1) + (y - A x)                              accelerated: the residual accumulates
///   f   = x + A' (A A')^-1 (y_k - A x)                     projection; A A' is diagonal
///   f   = (I + mu D'D)^-1 f                                smooth spectra, D the second difference over bands
///   x   = max(0, argmin_u |u - f|^2 / 2 + lambda TV(u))    dual gradient projection, the dual kept between iterations
///
/// Source: Yuan 2016 (GAP-TV, accelerated GAP of Liao et al. 2014), Chambolle 2004. Ours, each measured on training
/// scenes of the CAVE database: the TV norm couples all bands of a pixel, because edges are shared; the spectral term;
/// and lambda that falls from a large value to its final one.

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "../core/refuse_setting.hpp"
#include "camera.hpp"
#include "iteration_call.hpp"
#include "row_sums.hpp"
#include "spectral_smoother.hpp"
#include "total_variation.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// Weights are relative to the scene's mean level, which the measurement tells, so the scale of y does not matter.
struct gap_tv_options {
  index_t iterations = 100;
  float tv_weight = .2f;        ///< lambda of the last iterations, in mean levels
  float first_weight = 2.f;     ///< lambda of the first iteration, in mean levels
  float weight_decay = .94f;    ///< by which the difference between the two shrinks each iteration
  index_t tv_iterations = 3;    ///< dual steps in each iteration
  float spectral_weight = 100;  ///< mu; 0 switches the spectral term off
  bool accelerate = true;
};

/// For measurements of a real camera: stronger smoothing, and no acceleration, which would add the noise up until it is
/// fitted. On a real snapshot this leaves a residual of 7 % instead of 1 %, and no bright borders or speckle.
inline gap_tv_options camera_gap_tv() { return {.iterations = 40, .tv_weight = .4f, .accelerate = false}; }

inline result<> check_gap_tv(const gap_tv_options& o) {
  const auto refuse = [](const char* name, double found, const char* expected) {
    return unmask::detail::refuse_setting("gap-tv", name, found, expected);
  };
  if (o.iterations < 1) return refuse("iterations", static_cast<double>(o.iterations), "at least 1");
  if (o.tv_iterations < 0) return refuse("tv iterations", static_cast<double>(o.tv_iterations), "at least 0");
  for (const auto& [name, value] : {std::pair{"tv weight", o.tv_weight}, std::pair{"first weight", o.first_weight},
                                    std::pair{"spectral weight", o.spectral_weight}})
    if (!(value >= 0 && value <= 1e6f)) return refuse(name, static_cast<double>(value), "a number in [0, 1e6]");
  if (!(o.weight_decay >= 0 && o.weight_decay <= 1))
    return refuse("weight decay", static_cast<double>(o.weight_decay), "a number in [0, 1]");
  return {};
}

/// For one camera. Memory is the caller's: `carve` and `carve_scratch` before `prepare`, `prepare` before `run`, which
/// takes no heap. planned.hpp has a form that owns its memory.
class gap_tv {
 public:
  /// The camera has to live as long as this; both have passed `check`.
  explicit gap_tv(const camera& c, const gap_tv_options& options = {}) : gap_tv(c.geometry(), options) { camera_ = &c; }

  /// Errors: a camera that is not canonical, or whose bands land at measured positions (the projection needs them at
  /// multiples of the step), options that cannot work.
  static result<> check(const camera& c, const gap_tv_options& options = {}) {
    if (!c.is_canonical())
      return error(errc::bad_argument, "gap-tv: the camera disperses " +
                                           std::string(dispersion_name(c.geometry().direction)) +
                                           ", expected right (camera::canonical)");
    if (c.placed())
      return error(errc::bad_argument,
                   "gap-tv: the camera's bands land at measured positions, expected multiples of the step (spectral-tv "
                   "takes positions)");
    return check_gap_tv(options);
  }

  /// All memory together: about 12 bytes a voxel.
  static std::size_t bytes(const cassi_geometry& g) {
    gap_tv plan(g, gap_tv_options{});
    arena measure;
    plan.carve(measure);
    plan.carve_scratch(measure);
    return measure.peak();
  }

  /// What `prepare` makes. It has to stay.
  void carve(arena& memory) {
    diagonal_ = memory.take<float>(geometry_.height * geometry_.measurement_width());
    smoother_ = memory.take<float>(geometry_.bands * geometry_.bands);
  }

  /// What is dead after `run`.
  void carve_scratch(arena& memory) {
    const index_t sensor = geometry_.height * geometry_.measurement_width(), voxels = geometry_.cube_size();
    f_ = memory.take<float>(voxels);
    px_ = memory.take<float>(voxels);
    py_ = memory.take<float>(voxels);
    measured_ = memory.take<float>(sensor);
    goal_ = memory.take<float>(sensor);
    sums_.carve(memory);
  }

  /// What depends on the camera alone.
  template <class Backend>
  void prepare(const Backend& be);

  /// x [H, W, C] from y = A x [H, W + step (C - 1)] (a factor on y comes back as a factor on x).
  /// Every iteration calls `progress(iteration from 1, |A x - y| / |y|)`; where that returns a bool, false stops.
  /// Returns the last residual. An all-dark measurement gives zeros; a NaN in it spreads.
  template <class Backend>
  float run(const Backend& be, out<float, 3> x, in<float, 2> y, iteration_call progress = {}) noexcept;

 private:
  gap_tv(const cassi_geometry& g, const gap_tv_options& options) : geometry_(g), options_(options), sums_(g.height) {}

  void project_row(const float* x, in<float, 2> y, index_t h);
  template <class Backend>
  void smooth(const Backend& be, float* x, float lambda);

  const camera* camera_ = nullptr;
  cassi_geometry geometry_;
  gap_tv_options options_;
  detail::row_sums sums_;
  float *f_ = nullptr, *px_ = nullptr, *py_ = nullptr;                 // [H, W, C]
  float *diagonal_ = nullptr, *measured_ = nullptr, *goal_ = nullptr;  // [H, V]: A A', A x, y_k
  float* smoother_ = nullptr;                                          // [C, C]
  double passed_ = 0;                                                  // the mask's sum
};

template <class Backend>
void gap_tv::prepare(const Backend& be) {
  const index_t H = geometry_.height, V = geometry_.measurement_width();
  detail::spectral_smoother(geometry_.bands, static_cast<double>(options_.spectral_weight), smoother_);
  camera_->diagonal(be, array_view<float, 2>(diagonal_, H, V));
  double squares = 0;
  passed_ = 0;
  for (float m : camera_->mask()) {
    passed_ += static_cast<double>(m);
    squares += static_cast<double>(m) * static_cast<double>(m);
  }
  // The sensor's ends see few bands, the very end one mask pixel: an exact projection would divide noise by almost zero
  // there (real snapshots got borders 40 times brighter than the scene). A tenth of the mean is the least divisor.
  const auto least =
      static_cast<float>(.1 * squares * static_cast<double>(geometry_.bands) / static_cast<double>(H * V));
  for (index_t v = 0; v < H * V; ++v) diagonal_[v] = std::max(diagonal_[v], least);
}

/// Row h of f = S (x + A' (A A')^-1 (y_k - A x)), S the spectral smoother.
inline void gap_tv::project_row(const float* x, in<float, 2> y, index_t h) {
  const index_t W = geometry_.width, C = geometry_.bands, step = geometry_.step, V = geometry_.measurement_width();
  const in<float, 2> mask = camera_->mask();
  float *f = f_, *residual = goal_ + h * V;
  for (index_t v = 0; v < V; ++v) {
    const index_t at = h * V + v;
    if (options_.accelerate)
      residual[v] += y.data()[at] - measured_[at];
    else
      residual[v] = y.data()[at];
  }
  for (index_t w = 0; w < W; ++w) {
    const index_t at = (h * W + w) * C;
    const float m = mask(h, w);
    const auto projected = [&](index_t c) {
      const index_t v = h * V + w + step * c;
      return x[at + c] + m * (goal_[v] - measured_[v]) / diagonal_[v];
    };
    if (options_.spectral_weight > 0 && C > 2) {
      std::fill_n(f + at, C, 0.f);
      for (index_t c = 0; c < C; ++c) {
        const float value = projected(c);
        for (index_t i = 0; i < C; ++i) f[at + i] += smoother_[c * C + i] * value;
      }
    } else {
      for (index_t c = 0; c < C; ++c) f[at + c] = projected(c);
    }
  }
}

/// x = max(0, argmin_u |u - f|^2 / 2 + lambda TV(u)).
template <class Backend>
void gap_tv::smooth(const Backend& be, float* x, float lambda) {
  const index_t H = geometry_.height, C = geometry_.bands, row = geometry_.width * C;
  // 1.9 of the 2 / |grad|^2 up to which the dual iteration converges.
  const float tau = lambda > 0 ? 1.9f / (8 * lambda) : 0.f;
  const auto primal = [&](index_t h, int) { detail::tv_primal(x, f_, {px_, py_}, lambda, {h, H, row, C}); };
  for (index_t i = 0; i < options_.tv_iterations; ++i) {
    parallel_for(be, H, primal);
    parallel_for(be, H, [&](index_t h, int) { detail::tv_dual(x, {px_, py_}, tau, {h, H, row, C}); });
  }
  parallel_for(be, H, [&](index_t h, int slot) {
    primal(h, slot);
    for (index_t j = h * row; j < (h + 1) * row; ++j) x[j] = x[j] < 0 ? 0.f : x[j];
  });
}

template <class Backend>
float gap_tv::run(const Backend& be, out<float, 3> x, in<float, 2> y, iteration_call progress) noexcept {
  const index_t H = geometry_.height, V = geometry_.measurement_width(), voxels = geometry_.cube_size();
  assert(x.extents() == geometry_.cube_extents() && y.extents() == geometry_.measurement_extents());
  std::fill_n(x.data(), voxels, 0.f);
  std::fill_n(px_, voxels, 0.f);
  std::fill_n(py_, voxels, 0.f);
  std::fill_n(measured_, H * V, 0.f);
  std::fill_n(goal_, H * V, 0.f);
  double light = 0, energy = 0;
  for (float v : y) {
    light += static_cast<double>(v);
    energy += static_cast<double>(v) * static_cast<double>(v);
  }
  if (light <= 0 || passed_ <= 0) return energy > 0 ? 1.f : 0.f;
  const auto level = static_cast<float>(light / (passed_ * static_cast<double>(geometry_.bands)));

  float residual = 1, extra = options_.first_weight - options_.tv_weight;
  for (index_t k = 1; k <= options_.iterations; ++k, extra *= options_.weight_decay) {
    parallel_for(be, H, [&](index_t h, int) { project_row(x.data(), y, h); });
    smooth(be, x.data(), level * (options_.tv_weight + extra));
    camera_->forward(be, array_view<float, 2>(measured_, H, V), x);
    const double missing = sums_.over_rows(be, [&](index_t h) {
      double sum = 0;
      for (index_t v = h * V; v < (h + 1) * V; ++v) {
        const double difference = static_cast<double>(measured_[v]) - static_cast<double>(y.data()[v]);
        sum += difference * difference;
      }
      return sum;
    });
    residual = static_cast<float>(std::sqrt(missing / energy));
    if (!progress(k, residual)) break;
  }
  return residual;
}

}  // namespace unmask::inline UNMASK_ABI::optics
