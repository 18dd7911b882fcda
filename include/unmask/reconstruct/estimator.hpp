#pragma once

/// The cube that a network starts from, or a result of its own. The paper's is HM, the measurement shifted back and
/// masked: every pixel then holds light of bands from up to step (C - 1) columns away, which a small network cannot
/// reach. GAP-TV has sorted most of it already and spectral TV more, and the network learns what is left.

#include <variant>

#include "../models/model.hpp"
#include "../optics/adaptive_spectral_tv.hpp"
#include "../optics/gap_tv.hpp"
#include "../optics/planned.hpp"

namespace unmask::inline UNMASK_ABI {

class estimator {
 public:
  /// `camera` disperses to the right (optics::basic_camera::canonical) and, with `spec`, outlives this. `options` and
  /// `spectra` are those of spectral TV.
  /// Errors: GAP-TV for a camera with measured positions, a spectral basis that is not this camera's, settings that
  /// cannot work.
  static result<estimator> create(const initial_spec& spec, const optics::camera& camera,
                                  const optics::spectral_tv_options& options = {},
                                  const optics::scene_spectra_options& spectra = {}) {
    estimator e(spec.kind, camera);
    if (spec.kind == initial_kind::spectral_tv) {
      const auto basis = spec.spectral_basis.view();
      if (auto ok = optics::spectral_tv::check(camera, basis, options); !ok) return ok.error();
      if (auto ok = optics::check_scene_spectra(spectra); !ok) return ok.error();
      e.reports_ = e.solver_.emplace<optics::adaptive_spectral_tv>(camera, basis, options, spectra).reports();
    } else if (spec.kind != initial_kind::hm) {
      const auto tv = spec.kind == initial_kind::gap_tv ? optics::gap_tv_options() : optics::camera_gap_tv();
      if (auto ok = optics::gap_tv::check(camera, tv); !ok) return ok.error();
      e.solver_.emplace<optics::gap_tv>(camera, tv);
      e.reports_ = tv.iterations;
    }
    return result<estimator>(std::move(e));
  }

  initial_kind kind() const { return kind_; }

  index_t reports() const { return reports_; }  ///< how often `run` reports

  /// Spectral TV, which can correct a network's result by the measurement; null for the others.
  optics::adaptive_spectral_tv* spectral() { return std::get_if<optics::adaptive_spectral_tv>(&solver_); }

  /// Twice each: on a measuring arena, and on memory that outlives this. Scratch is dead after `run`, but for spectral
  /// TV's, which `correct` and `refine` use again.
  void carve(arena& memory) {
    each_solver([&](auto& solver) { solver.carve(memory); });
  }
  void carve_scratch(arena& memory) {
    each_solver([&](auto& solver) { solver.carve_scratch(memory); });
  }

  /// After `carve`: what depends on the camera alone.
  template <class Backend>
  void prepare(const Backend& be) {
    each_solver([&](auto& solver) { solver.prepare(be); });
  }

  /// x [H, W, C] from y [H, V]; `progress(iteration from 1, |A x - y| / |y|)`.
  template <class Backend>
  void run(const Backend& be, out<float, 3> x, in<float, 2> y, optics::iteration_call progress = {}) noexcept {
    if (auto* tv = std::get_if<optics::gap_tv>(&solver_))
      tv->run(be, x, y, progress);
    else if (auto* smooth = spectral())
      smooth->run(be, x, y, progress);
    else
      camera_->input(be, x, y);
  }

 private:
  estimator(initial_kind kind, const optics::camera& camera) : kind_(kind), camera_(&camera) {}

  template <class Body>
  void each_solver(Body&& body) {
    if (auto* tv = std::get_if<optics::gap_tv>(&solver_)) body(*tv);
    if (auto* tv = spectral()) body(*tv);
  }

  initial_kind kind_;
  const optics::camera* camera_;
  index_t reports_ = 0;
  std::variant<std::monostate, optics::gap_tv, optics::adaptive_spectral_tv> solver_;  ///< none: HM
};

/// An estimator with memory of its own. The camera outlives it. (A template so that only who calls it compiles
/// solvers.)
template <class Estimator = estimator>
result<optics::planned<Estimator>> planned_estimate(const initial_spec& spec, const optics::camera& camera) {
  auto e = Estimator::create(spec, camera);
  if (!e) return e.error();
  return optics::planned<Estimator>(std::move(*e));
}

}  // namespace unmask::inline UNMASK_ABI
