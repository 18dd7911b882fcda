#pragma once

/// Reconstruction from one snapshot by total variation in a metric learnt from spectra. GAP-TV counts an edge alike in
/// whatever bands it is; but real spectra differ in few ways, so most of what 28 bands could do at an edge does not
/// happen, and knowing that tells which band the light of a pixel belongs to:
///
///   x = level L z,   z = argmin sum of t (A L z - y / level)^2 / 2 + lambda / 2 sum of v_ij b_ij^2 + w_ij |c_ij|^2
///   z_i - z_j = b_ij u_i + c_ij,   c_ij across u_i,   v_ij = (2 mean (b_ij^2 + |c_ij|^2 / 10) + s^2)^(p/2 - 1)
///   w_ij = 1.5 (2 mean (|c_ij|^2 + b_ij^2 / 10) + s^2)^(p/2 - 1),   t = 1.3 / (y / mean y + 0.3)
///
/// over neighbours i, j, and likewise over squares of four pixels for z_00 - z_01 - z_10 + z_11, by how much an edge
/// changes along itself. The columns of L [C, K] are the principal directions of spectral differences between
/// neighbouring pixels, each times its deviation (learn_spectra.hpp): |z_i - z_j| is the Mahalanobis length of
/// x_i - x_j, in the K directions that matter. u_i is the unit vector along z around pixel i: shade changes a spectrum
/// along itself, another material across it, and an edge of brightness is no reason to let the colour go. Rows and
/// columns are weighed apart, so an edge stays smooth along itself; with p < 1 (total variation has 1) it stays sharp;
/// the mean is over 3 x 3 pixels, because a hidden pixel's differences are only what the last weights let them be. The
/// noise of light grows with it (shot noise): a measured value's variance is taken as 1 / t, so a bright one weighs
/// less.
///
/// Lambda and s fall from stage to stage; each stage is a least-squares problem with the last weights (lagged
/// diffusivity: Vogel and Oman 1996), solved by conjugate gradients that are preconditioned with the measurement and
/// each pixel's own weights, exactly (dispersion_inverse.hpp): 45 steps a stage arrive where 120 with a diagonal did.
/// Lambda stops at what the noise asks for, which A x - y tells: one setting serves clean and noisy measurements.

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

#include "camera_alignment.hpp"
#include "spectral_tv_problem.hpp"

namespace unmask::inline UNMASK_ABI::optics {

class similar_patches;

/// A plan for one geometry and one L: one allocation when it is made, none in `run`.
class spectral_tv {
 public:
  /// `g` comes from `check_cassi`, `options` have passed `check_spectral_tv`; spread [K, C] is the transpose of L.
  /// `positions` (camera_alignment.hpp): where the bands land if not at multiples of the step. Light is then shared by
  /// the columns beside: as if there were a band for each column, whose rows of L are shares of the real bands'.
  spectral_tv(const cassi_geometry& g, in<float, 2> spread, const spectral_tv_options& options = {},
              std::span<const float> positions = {})
      : options_(options),
        bands_(g.bands),
        positions_(positions.begin(), positions.end()),
        block_(bytes(g, spread.extent(0), !positions.empty())),
        problem_(columns(g, !positions.empty()), spread.extent(0)) {
    assert(spread.extent(1) == g.bands);
    arena memory(block_.data(), block_.bytes());
    carve(memory);
    const index_t K = problem_.rank, P = problem_.geometry.bands;
    for (index_t k = 0; k < K; ++k)
      for (index_t c = 0; c < bands_; ++c) {
        const float value = spread(k, c);
        spread_[k * bands_ + c] = turned_[c * K + k] = value;
        problem_.energy[k] += value * value;
        const float at = positions_.empty() ? static_cast<float>(c) : positions_[static_cast<std::size_t>(c)];
        const auto first = static_cast<index_t>(at);
        const float part = at - static_cast<float>(first);
        for (const auto& [p, share] : {std::pair{first, 1 - part}, std::pair{std::min(first + 1, P - 1), part}}) {
          problem_.spread[k * P + p] += share * value;
          problem_.turned[p * K + k] += share * value;
        }
      }
    problem_.inverse.learn(problem_.turned, K);
  }

  /// The size of that allocation: about 4 (C + 7 K + 16) bytes a pixel of the scene; `placed`: with positions, where C
  /// is the number of columns that the bands are spread over.
  static std::size_t bytes(const cassi_geometry& g, index_t rank, bool placed = false) {
    arena measure;
    spectral_tv(g, rank, placed, measure);
    return measure.peak();
  }

  /// Values of y that are kept back: all that they tell is y's mean. [H, V], anything but 0 is left out; has to live as
  /// long as `run` goes on. Null: none.
  void leave_out(const unsigned char* values) { left_out_ = values; }

  /// x [H, W, C] from y = A x [H, W + step (C - 1)] (a factor on y comes back as a factor on x) and the mask [H, W].
  /// Every stage ends with `progress(stage from 1, |A x - y| / |y|)`; where that returns a bool, false stops.
  /// Returns the residual of the result. An all-dark measurement gives zeros; a NaN in it spreads.
  template <class Backend, class Progress>
  float run(const Backend& be, out<float, 3> x, in<float, 2> y, in<float, 2> mask, Progress&& progress);

  template <class Backend>
  float run(const Backend& be, out<float, 3> x, in<float, 2> y, in<float, 2> mask) {
    return run(be, x, y, mask, [](index_t, float) {});
  }

  /// After `run` for the same y and mask: moves x, what a network made of that estimate, towards what was measured
  /// (spectral_tv_refine.hpp).
  template <class Backend>
  void correct(const Backend& be, out<float, 3> x, in<float, 2> y, in<float, 2> mask);

  /// The same after a step in which similar patches of x tell each other what they have in common.
  template <class Backend>
  void refine(const Backend& be, similar_patches& patches, out<float, 3> x, in<float, 2> y, in<float, 2> mask);

  /// After `run`: 1 where the measurement can be explained exactly, less the more of it is noise.
  float certainty() const { return options_.last_weight / lambda_; }

 private:
  spectral_tv(const cassi_geometry& g, index_t rank, bool placed, arena& measure)
      : bands_(g.bands), problem_(columns(g, placed), rank) {
    carve(measure);
  }

  static cassi_geometry columns(const cassi_geometry& g, bool placed) {
    return placed ? cassi_geometry{g.height, g.width, g.step * (g.bands - 1) + 1, 1} : g;
  }

  void carve(arena& memory) {
    problem_.carve(memory);
    bare_ = memory.take<double>(problem_.geometry.height);
    spread_ = memory.take<float>(problem_.rank * bands_);
    turned_ = memory.take<float>(problem_.rank * bands_);
  }

  template <class Backend>
  void take_apart(const Backend& be, in<float, 3> x);
  template <class Backend>
  void add(const Backend& be, out<float, 3> x, const float* d);
  double compare(index_t h, const float* y, const float* mask, float level);

  spectral_tv_options options_;
  index_t bands_;
  std::vector<float> positions_;
  const unsigned char* left_out_ = nullptr;
  memory_block block_;
  detail::spectral_tv_problem problem_;
  double* bare_ = nullptr;                       // [H]
  float *spread_ = nullptr, *turned_ = nullptr;  // [K, C], [C, K]: of the scene's bands
  float level_ = 0, lambda_ = 1;                 // of the last run: the scene's mean, the last stage's weight
};

/// line = A L z - y / level, weighed; returns the sum of its squares, weighed, and keeps that of the bare ones.
inline double spectral_tv::compare(index_t h, const float* y, const float* mask, float level) {
  const index_t V = problem_.geometry.measurement_width();
  float* line = problem_.line + h * V;
  std::transform(y + h * V, y + (h + 1) * V, line, [&](float v) { return -v / level; });
  problem_.measure(h, problem_.z, mask);
  double sum = bare_[h] = 0;
  for (index_t v = 0; v < V; ++v) {
    const double square = static_cast<double>(line[v]) * static_cast<double>(line[v]);
    bare_[h] += square;
    sum += square * static_cast<double>(problem_.trust[h * V + v]);
  }
  problem_.weigh_line(h);
  return sum;
}

/// z: x in the directions of L, which are at right angles.
template <class Backend>
void spectral_tv::take_apart(const Backend& be, in<float, 3> x) {
  auto& a = problem_;
  const index_t W = a.geometry.width, C = bands_;
  parallel_for(be, a.geometry.height, [&](index_t h, int) {
    for (index_t w = 0; w < W; ++w)
      for (index_t k = 0; k < a.rank; ++k) {
        float sum = 0;
        for (index_t c = 0; c < C; ++c) sum += spread_[k * C + c] * x(h, w, c);
        a.z[h * a.row + k * W + w] = sum / (level_ * a.energy[k]);
      }
  });
}

/// x + level L d, not below 0.
template <class Backend>
void spectral_tv::add(const Backend& be, out<float, 3> x, const float* d) {
  auto& a = problem_;
  const index_t W = a.geometry.width, C = bands_;
  parallel_for(be, a.geometry.height, [&](index_t h, int) {
    for (index_t w = 0; w < W; ++w)
      for (index_t c = 0; c < C; ++c) {
        float sum = 0;
        for (index_t k = 0; k < a.rank; ++k) sum += turned_[c * a.rank + k] * d[h * a.row + k * W + w];
        const float to = x(h, w, c) + level_ * sum;
        x(h, w, c) = to < 0 ? 0 : to;
      }
  });
}

template <class Backend, class Progress>
float spectral_tv::run(const Backend& be, out<float, 3> x, in<float, 2> y, in<float, 2> mask, Progress&& progress) {
  auto& a = problem_;
  const index_t H = a.geometry.height, C = bands_;
  assert(x.size() == H * a.geometry.width * C && mask.size() == H * a.geometry.width);
  double light = 0, passed = 0, squares = 0;
  for (float m : mask) passed += static_cast<double>(m);
  for (float v : y) {
    light += static_cast<double>(v);
    squares += static_cast<double>(v) * static_cast<double>(v);
  }
  std::fill_n(x.data(), x.size(), 0.f);
  level_ = 0;
  if (light <= 0 || passed <= 0) return squares > 0 ? 1.f : 0.f;
  const auto level = static_cast<float>(light / (passed * static_cast<double>(C)));
  level_ = level;
  squares /= static_cast<double>(level) * static_cast<double>(level);
  const auto missing = [&] {
    return a.sum_rows(be, [&](index_t h) { return compare(h, y.data(), mask.data(), level); });
  };
  // 1 at part 0, then geometrically down to `last` / `first` at part 1
  const auto between = [](float first, float last, float part) { return first * std::pow(last / first, part); };

  const auto relative = [&] { return static_cast<float>(std::sqrt(std::accumulate(bare_, bare_ + H, 0.) / squares)); };

  const auto mean = static_cast<float>(light / static_cast<double>(y.size()));
  parallel_for(be, H, [&](index_t h, int) {
    a.believe(h, y.data(), mean, options_.noise_floor);
    if (!left_out_) return;
    const index_t V = a.geometry.measurement_width();
    for (index_t i = h * V; i < (h + 1) * V; ++i)
      if (left_out_[i]) a.trust[i] = 1e-6f;  // 0 has no inverse; the rest weigh about 1
  });
  std::fill_n(a.z, H * a.row, 0.f);
  double residual = missing();
  for (index_t stage = 0; stage < options_.stages; ++stage) {
    const float part = static_cast<float>(stage) / static_cast<float>(std::max<index_t>(options_.stages - 1, 1));
    const float softness = between(options_.first_softness, options_.last_softness, part);
    // z = 0 explains nothing, and that is no noise
    const double noise = stage == 0 ? 0 : residual / static_cast<double>(y.size());
    const float lambda = std::max(options_.noise_weight * static_cast<float>(noise),
                                  between(options_.first_weight, options_.last_weight, std::min(1.f, 1.5f * part)));
    lambda_ = lambda;
    a.weigh_all(be, options_, softness);
    a.descend(be, mask.data(), lambda, options_.iterations);
    residual = missing();
    if constexpr (std::is_same_v<std::invoke_result_t<Progress&, index_t, float>, bool>) {
      if (!progress(stage + 1, relative())) break;
    } else {
      progress(stage + 1, relative());
    }
  }
  add(be, x, a.z);
  return relative();
}

}  // namespace unmask::inline UNMASK_ABI::optics
