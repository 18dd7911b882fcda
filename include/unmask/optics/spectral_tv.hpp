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
/// Lambda and s fall from one outer iteration to the next; each is a least-squares problem with the weights of the last
/// result (edge_weights.hpp), solved by conjugate gradients (conjugate_gradient.hpp) that are preconditioned with the
/// measurement and each pixel's own weights, exactly: 45 iterations arrive where 120 with a diagonal did. The first one
/// starts from a coarse image (coarse_start.hpp), or from one that is given. Lambda stops at what the noise asks for,
/// which A x - y tells: one setting serves clean and noisy measurements.

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "../core/finite.hpp"
#include "coarse_start.hpp"
#include "conjugate_gradient.hpp"
#include "iteration_call.hpp"

namespace unmask::inline UNMASK_ABI::optics {

class similar_patches;

/// One camera and one L. Memory is the caller's: `carve` and `carve_scratch` before `prepare`, `prepare` before `run`,
/// whose calls take no heap. planned.hpp has a form that owns its memory.
class spectral_tv {
 public:
  /// Both have to live as long as this, and to have passed `check`; spectral_basis [K, C] is the transpose of L.
  spectral_tv(const camera& c, in<float, 2> spectral_basis, const spectral_tv_options& options = {})
      : spectral_tv(detail::spectral_operator(c, spectral_basis), options) {}

  /// Errors: a camera that is not canonical, a basis that is not of 1..C rows for each of its C bands, or not finite,
  /// options that cannot work.
  [[gnu::cold]] static result<> check(const camera& c, in<float, 2> spectral_basis,
                                      const spectral_tv_options& options = {});

  /// All memory together, about 4 (C + 7 K + 17) bytes a pixel of the scene; `placed`: a camera with positions, where C
  /// is the number of columns that the bands are spread over.
  static std::size_t bytes(const cassi_geometry& g, index_t rank, bool placed = false) {
    spectral_tv plan(detail::spectral_operator(g, rank, placed), {});
    arena measure;
    plan.carve(measure);
    plan.carve_scratch(measure);
    return measure.peak();
  }

  /// What `prepare` makes. It has to stay.
  void carve(arena& memory) {
    measurement_.carve(memory);
    solver_.carve(memory);
  }

  /// What is dead between `run`, `correct` and `refine`: others may use the same memory then.
  void carve_scratch(arena& memory) {
    const detail::planes layout = measurement_.layout();
    z_.carve(memory, layout.height, layout.row());
    measurement_.carve_scratch(memory);
    edges_.carve_scratch(memory);
    solver_.carve_scratch(memory);
    coarse_.carve_scratch(memory);
    squares_.carve(memory);
    plain_squares_.carve(memory);
  }

  /// Another basis of the same size, which has to live as long, for the next `prepare`.
  void change_basis(in<float, 2> spectral_basis) { measurement_.change_basis(spectral_basis); }

  /// What depends on camera and L alone.
  template <class Backend>
  void prepare(const Backend&) noexcept {
    measurement_.prepare();
    solver_.prepare(measurement_);
    passed_ = 0;
    for (const float m : measurement_.seen_by().mask()) passed_ += static_cast<double>(m);
  }

  /// Values of y that are not shown: all that they tell is y's mean. [H, V], anything but 0 is held out; has to live as
  /// long as `run` goes on. Null: none.
  void hold_out(const unsigned char* values) { held_out_ = values; }

  /// x [H, W, C] from y = A x [H, W + step (C - 1)] (a factor on y comes back as a factor on x). What x was before
  /// counts only where the options say that it is the start.
  /// Every outer iteration ends with `progress(iteration from 1, |A x - y| / |y|)`; where that returns a bool, false
  /// stops. Returns the residual of the result. An all-dark measurement gives zeros; where numbers stop being finite
  /// the residual is NaN, and the last.
  template <class Backend>
  float run(const Backend& be, out<float, 3> x, in<float, 2> y, iteration_call progress = {}) noexcept;

  /// After `run`: z [H, K, W], until anything else is called.
  const float* coefficients() const { return z_.data(); }

  /// After `run` for the same y: moves x, what a network made of that estimate, towards what was measured
  /// (spectral_tv_refine.hpp). False where numbers stop being finite.
  template <class Backend>
  bool correct(const Backend& be, out<float, 3> x, in<float, 2> y) noexcept;

  /// The same after a pass in which similar patches of x tell each other what they have in common.
  template <class Backend>
  bool refine(const Backend& be, similar_patches& patches, out<float, 3> x, in<float, 2> y) noexcept;

  /// After `run`: the weighted mean square of A x / level - y / level that it took for noise.
  double noise() const noexcept { return noise_; }
  /// What the next runs take the first outer iteration's noise for; 0 at first.
  void expect_noise(double n) noexcept { expected_noise_ = n; }

  bool lit() const noexcept { return level_ > 0; }  ///< after `run`: whether there was light in y

  /// After `run`: 1 where the measurement can be explained exactly, less the more of it is noise.
  float certainty() const noexcept { return options_.last_weight / lambda_; }

 private:
  spectral_tv(const detail::spectral_operator& a, const spectral_tv_options& options)
      : options_(options),
        measurement_(a),
        edges_(a.layout()),
        solver_(a),
        coarse_(a),
        squares_(a.layout().height),
        plain_squares_(a.layout().height) {}

  template <class Backend>
  void weigh_measurement(const Backend& be, in<float, 2> y);
  template <class Backend>
  void add_spectra(const Backend& be, out<float, 3> x) const {
    parallel_for(be, x.extent(0), [&](index_t h, int) { measurement_.add_spectra(h, x, z_.data(), level_); });
  }
  double residual_row(index_t h, const float* y);

  void clear_frames() const {
    z_.clear_frame();
    edges_.clear_frames();
    solver_.clear_frames();
  }

  spectral_tv_options options_;
  const unsigned char* held_out_ = nullptr;
  detail::spectral_operator measurement_;
  detail::edge_weights edges_;
  detail::conjugate_gradient solver_;
  detail::coarse_start coarse_;
  detail::row_sums squares_, plain_squares_;  // of A L z - y / level, weighted and not
  detail::framed_image z_;
  double noise_ = 0, expected_noise_ = 0;
  double passed_ = 0;                        // the mask's sum
  float level_ = 0, mean_ = 0, lambda_ = 1;  // of the last run: the scene's mean, y's, the last weight
};

inline result<> spectral_tv::check(const camera& c, in<float, 2> spectral_basis, const spectral_tv_options& options) {
  const index_t C = c.geometry().bands, K = spectral_basis.extent(0);
  if (!c.is_canonical())
    return error(errc::bad_argument, "spectral-tv: the camera disperses " +
                                         std::string(dispersion_name(c.geometry().direction)) +
                                         ", expected right (camera::canonical)");
  if (spectral_basis.extent(1) != C || K < 1 || K > C)
    return error(errc::wrong_shape, "spectral-tv: spectral basis is " +
                                        detail::shape_text(K, spectral_basis.extent(1)) + ", expected 1 to " +
                                        std::to_string(C) + " rows of " + std::to_string(C));
  if (!std::all_of(spectral_basis.begin(), spectral_basis.end(), [](float v) { return is_finite(v); }))
    return error(errc::wrong_value, "spectral-tv: spectral basis has a value that is not finite");
  return check_spectral_tv(options);
}

}  // namespace unmask::inline UNMASK_ABI::optics

#include "spectral_tv_run.hpp"
