#pragma once

/// Which steps help this scene: hold-out validation on a strip of the snapshot's rows, before the whole of it is
/// reconstructed. Rows of a canonical camera are measured apart, so a strip is an exact smaller snapshot. A twentieth
/// of its measured values is kept back from every step; what predicts these values best is taken for the whole
/// snapshot.
///
/// A network or a pass of refinement that invents what is not there explains the values it was shown, but not those
/// that were kept back (numbers in docs/decisions.md, "Hold-out check").

#include <algorithm>
#include <memory>
#include <optional>

#include "../core/finite.hpp"
#include "../models/session.hpp"
#include "../optics/held_out.hpp"
#include "../optics/similar_patches.hpp"
#include "estimator.hpp"
#include "options.hpp"
#include "outcome.hpp"

namespace unmask::inline UNMASK_ABI {

template <class Backend, Model Network>
class held_out_check {
 public:
  using model_type = basic_model<typename Network::config_type>;

  static constexpr double share = .1;  ///< of the measured values that no step is shown
  /// After a network that helps, a pass whose sum of squares is this much above the least is as good: it mostly goes on
  /// to help. Without a network it has to be the least.
  static constexpr double tolerance = 1.2;

  /// The strip is `check_rows` rows in the middle of `whole`, which is canonical; the scene's basis will have `rank`
  /// rows, and both have passed `spectral_tv::check`.
  held_out_check(const Backend&, const model_type&, const optics::camera& whole, const reconstruct_options&,
                 index_t rank);

  /// Twice each: on a measuring arena, and on memory that outlives this. Scratch is dead after `run`.
  void carve(arena&);
  void carve_scratch(arena&);
  /// After `carve`: what camera and model decide. Errors: those of the network's session.
  result<> prepare(const model_type&);

  /// From the whole snapshot y [H, V]; `spectra` [K, C]: the scene's basis for spectral TV. A step whose numbers are
  /// not finite is taken: `reconstructor::run` names it then. `progress` is told of the stage `check`. Takes no heap.
  step_choice run(in<float, 2> y, in<float, 2> spectra, progress_call progress) noexcept;

 private:
  static constexpr bool remote = storage<Backend>::remote;

  /// Solvers keep the camera's address.
  struct parts {
    optics::camera camera;
    std::optional<optics::spectral_tv> start{};
    std::optional<session<Network>> network{};
    std::optional<optics::similar_patches> patches{};
    tensor<unsigned char, 2> held_out{};
  };

  double error_of(in<float, 3> x);
  bool network_helps(out<float, 3> x, double estimate_error);

  Backend backend_;
  index_t refinements_, top_ = 0;
  std::unique_ptr<parts> parts_;
  array_view<float, 2> y_, predicted_;
  array_view<float, 3> x_, estimate_;
};

template <class Backend, Model Network>
held_out_check<Backend, Network>::held_out_check(const Backend& be, const model_type& m, const optics::camera& whole,
                                                 const reconstruct_options& options, index_t rank)
    : backend_(be), refinements_(options.refinements) {
  const index_t rows = std::min(options.check_rows, whole.geometry().height);
  top_ = (whole.geometry().height - rows) / 2;
  parts_.reset(new parts{whole.rows(top_, rows)});
  parts& p = *parts_;
  const auto& any = m.initial.spectral_basis;  // `run` brings the scene's
  p.start.emplace(p.camera, in<float, 2>(any.data(), rank, any.extent(1)), spectral_tv_of(options));
  const auto& g = p.camera.geometry();
  if (!remote) p.network.emplace(be, m.config, network_sizes{1, g.height, g.width});
  p.patches.emplace(g.height, rank, g.width, spectral_tv_of(options).patch_stride);
  p.held_out = tensor<unsigned char, 2>(g.measurement_extents());
  optics::draw_held_out(p.held_out, share, 1);
  p.start->hold_out(p.held_out.data());
}

/// The network's own scratch lies where solvers' scratch will; cubes and snapshots have to be elsewhere.
template <class Backend, Model Network>
void held_out_check<Backend, Network>::carve(arena& memory) {
  parts& p = *parts_;
  const auto& g = p.camera.geometry();
  const index_t V = g.measurement_width();
  for (auto* x : {&x_, &estimate_})
    *x = array_view<float, 3>(memory.take<float>(g.cube_size()), g.height, g.width, g.bands);
  for (auto* y : {&y_, &predicted_}) *y = array_view<float, 2>(memory.take<float>(g.height * V), g.height, V);
  p.start->carve(memory);
  if (!remote) p.network->carve(memory);
}

template <class Backend, Model Network>
void held_out_check<Backend, Network>::carve_scratch(arena& memory) {
  parts_->start->carve_scratch(memory);
  parts_->patches->carve_scratch(memory);
}

template <class Backend, Model Network>
result<> held_out_check<Backend, Network>::prepare(const model_type& m) {
  parts& p = *parts_;
  const auto& g = p.camera.geometry();
  if (!remote) return p.network->prepare(m.parameters, p.camera.mask());
  auto network = session<Network>::create(backend_, m.config, m.parameters, g.height, g.width, p.camera.mask());
  if (!network) return network.error();
  p.network.emplace(std::move(*network));
  return {};
}

/// Sum of the squared errors of what was kept back. Columns at the sensor's sides see few bands; in dark scenes their
/// errors outweigh all others and say little of the cube.
template <class Backend, Model Network>
double held_out_check<Backend, Network>::error_of(in<float, 3> x) {
  parts_->camera.forward(host_of(backend_), predicted_, x);
  const index_t V = y_.extent(1), margin = optics::held_out_margin(V, x.extent(1));
  double sum = 0;
  for (index_t h = 0; h < y_.extent(0); ++h)
    for (index_t v = margin; v < V - margin; ++v) {
      const double off = static_cast<double>(predicted_(h, v)) - static_cast<double>(y_(h, v));
      if (parts_->held_out(h, v)) sum += off * off;
    }
  return sum;
}

/// Its result explains what was measured only after the correction, so that is compared; x is what is better.
template <class Backend, Model Network>
bool held_out_check<Backend, Network>::network_helps(out<float, 3> x, double estimate_error) {
  std::copy_n(x.data(), x.size(), estimate_.data());
  parts_->network->run(x, x);
  const bool solved = parts_->start->correct(host_of(backend_), x, y_);
  const double e = error_of(x);
  if (!solved || !is_finite(e) || e <= estimate_error) return true;
  std::copy_n(estimate_.data(), x.size(), x.data());
  return false;
}

template <class Backend, Model Network>
step_choice held_out_check<Backend, Network>::run(in<float, 2> y, in<float, 2> spectra,
                                                  progress_call progress) noexcept {
  parts& p = *parts_;
  const auto& host = host_of(backend_);
  optics::spectral_tv& tv = *p.start;
  std::copy_n(y.data() + top_ * y.extent(1), y_.size(), y_.data());
  const index_t of = refinements_ + 2;
  index_t done = 0;
  const auto step = [&] { return progress(reconstruct_progress{reconstruct_stage::check, ++done, of}); };
  tv.change_basis(spectra);
  tv.prepare(host);
  tv.run(host, x_, y_);
  if (!step()) return {.stopped = true};
  const index_t passes = passes_of(refinements_, tv.certainty());
  if (passes == 0) return {.network = true, .passes = 0};  // noise is all that could be predicted
  step_choice choice{.network = network_helps(x_, error_of(x_)), .passes = 0};
  if (!step()) return {.stopped = true};
  const double slack = choice.network ? tolerance : 1;
  double best = error_of(x_);
  for (index_t k = 1; k <= passes; ++k) {
    const bool solved = tv.refine(host, *p.patches, x_, y_);
    const double e = error_of(x_);
    if (!solved || !is_finite(e)) {
      choice.passes = passes;
      break;
    }
    best = std::min(best, e);
    if (e <= slack * best) choice.passes = k;
    if (!step()) return {.stopped = true};
  }
  if (choice.passes == passes) choice.passes = refinements_;  // as many as the whole snapshot's noise allows
  return choice;
}

}  // namespace unmask::inline UNMASK_ABI
