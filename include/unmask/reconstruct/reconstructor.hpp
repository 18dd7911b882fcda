#pragma once

/// Measurement in, cube out: the estimate that a network starts from, the network, and, after spectral TV, refinement
/// by what was measured and by what the image has more than once. Everything that depends on camera and model alone is
/// done in `create`, in one block of memory; a stream of snapshots through one camera then costs no set-up.
///
///   auto model = io::read_weights("general.safetensors");
///   auto camera = optics::camera::create(mask, model->config.bands);
///   auto r = reconstructor<cpu>::create({.threads = 4}, *model, *camera);
///   r->run(cube, measurement);   // noexcept, no heap
///   if (auto ok = r->status(); !ok) return report(ok.error().message());
///
/// The bits of a cube depend on measurement, camera, model and options, not on the number of threads and not on what
/// ran before.

#include <cassert>
#include <cmath>
#include <memory>
#include <optional>

#include "../core/finite.hpp"
#include "../models/session.hpp"
#include "../nn/cpu/all.hpp"
#include "../optics/similar_patches.hpp"
#include "estimator.hpp"
#include "held_out_check.hpp"
#include "options.hpp"
#include "outcome.hpp"
#include "tiles.hpp"

namespace unmask::inline UNMASK_ABI {

template <class Backend, Model Network = s2_network<float, Backend>>
class reconstructor {
 public:
  using model_type = basic_model<typename Network::config_type>;

  /// Copies what it needs of model and camera. A model without parameters has no network: its estimate is the result.
  /// Errors: options out of range; a model for other bands, another step or direction (`fits`); GAP-TV for a camera
  /// with measured positions; parameters that contradict the configuration; a memory limit that cannot be kept; a
  /// device without memory.
  static result<reconstructor> create(const Backend&, const model_type&, const optics::camera&,
                                      const reconstruct_options& = {});

  /// The bytes that `create` takes on the host and keeps, beside what a device takes; errors as in `create`.
  static result<std::size_t> bytes(const Backend&, const model_type&, const optics::camera&,
                                   const reconstruct_options& = {});
  std::size_t bytes() const { return bytes_; }

  /// cube [H, W, C] from a measurement, [H, W + step (C - 1)] for dispersion to the right, in the cube's units: y is
  /// the sum over bands of mask times cube. `progress(reconstruct_progress)` after each part; where that returns
  /// false the run ends there. Returns whether all
  /// numbers were finite, and where not; then the cube is of no use.
  run_outcome run(out<float, 3> cube, in<float, 2> measurement, progress_call progress = {}) noexcept;

  /// The same tile by tile: `write(row, column, part [h, w, C])` gets the cube's parts, each row of tiles from the
  /// left, rows from the top, and returns result<>; the first error ends the run. For a reconstructor with tiles, whose
  /// memory does not grow with the image: a cube that is written as it comes is never there as a whole.
  /// Ranks with the same reconstructor share the tiles, and the first one gets all (`tiled_session::run`).
  template <class Write>
  result<> run_tiles(in<float, 2> measurement, Write&& write, progress_call progress = {},
                     communicator& ranks = alone());

  /// One tile, where the whole image is reconstructed at once.
  const tiling& tiles() const { return parts_->tiles; }
  const optics::camera& camera() const { return parts_->turned ? *parts_->turned : parts_->camera; }
  initial_kind starts_from() const { return parts_->start->kind(); }
  bool has_network() const { return parts_->network.has_value(); }
  /// After `run`: the steps that this snapshot was given.
  const step_choice& taken() const { return taken_; }
  /// After `run`: the same as a sentence, and whether the backend did all of it. Errors: `device`, `not_finite`,
  /// `stopped`.
  result<> status() const;

 private:
  static constexpr run_outcome stopped{.stopped = true};
  static constexpr bool remote = storage<Backend>::remote;

  /// Solvers keep the camera's address, so the parts stay where they are when a reconstructor moves.
  struct parts {
    optics::camera camera;                   ///< disperses to the right
    std::optional<optics::camera> turned{};  ///< the given one, where that does not
    std::optional<estimator> start{};
    tiling tiles{};
    std::optional<session<Network>> network{};
    std::optional<tiled_session<Network>> tiled{};  ///< instead, where there is more than one tile
    std::optional<optics::similar_patches> patches{};
    std::optional<held_out_check<Backend, Network>> check{};
  };

  reconstructor(const Backend& be, const reconstruct_options& options) : backend_(be), options_(options) {}

  static result<reconstructor> plan(const Backend&, const model_type&, const optics::camera&,
                                    const reconstruct_options&);
  result<> plan_tiles(const model_type&);
  void measure();
  void carve(arena&);
  run_outcome run_canonical(out<float, 3> x, in<float, 2> y, progress_call progress) noexcept;
  run_outcome refine(out<float, 3> x, in<float, 2> y, progress_call progress) noexcept;
  template <class Write>
  result<> tile_by_tile(in<float, 2> measurement, Write&& write, progress_call progress, communicator& ranks);

  Backend backend_;
  reconstruct_options options_;
  std::unique_ptr<parts> parts_;
  memory_block block_;
  std::size_t bytes_ = 0;
  run_outcome outcome_;                ///< of the last run
  step_choice taken_;                  ///< in it
  float *y_ = nullptr, *x_ = nullptr;  ///< measurement and cube of the camera that disperses to the right
};

template <class Backend, Model Network>
run_outcome reconstructor<Backend, Network>::run(out<float, 3> cube, in<float, 2> measurement,
                                                 progress_call progress) noexcept {
  const parts& p = *parts_;
  const auto& g = p.camera.geometry();
  if (p.tiled) {
    (void)tile_by_tile(  // a copy does not fail
        measurement,
        [&](index_t row, index_t column, in<float, 3> part) -> result<> {
          for (index_t h = 0; h < part.extent(0); ++h)
            std::copy_n(&part(h, 0, 0), part.extent(1) * g.bands, &cube(row + h, column, 0));
          return {};
        },
        progress, alone());
    return outcome_;
  }
  if (!p.turned) return outcome_ = run_canonical(cube, measurement, progress);
  const array_view<float, 2> y(y_, g.height, g.measurement_width());
  const array_view<float, 3> x(x_, g.height, g.width, g.bands);
  p.turned->to_canonical(host_of(backend_), y, measurement);
  outcome_ = run_canonical(x, y, progress);
  p.turned->from_canonical(host_of(backend_), cube, x);
  return outcome_;
}

template <class Backend, Model Network>
result<> reconstructor<Backend, Network>::status() const {
  if (auto ok = finish(backend_); !ok) return ok;
  if (outcome_) return {};
  if (outcome_.stopped) return error(errc::stopped, "reconstruct: ended by its caller");
  return error(errc::not_finite, place_of(outcome_, starts_from()) + ": a value is NaN or infinite");
}

template <class Backend, Model Network>
template <class Write>
result<> reconstructor<Backend, Network>::run_tiles(in<float, 2> measurement, Write&& write, progress_call progress,
                                                    communicator& ranks) {
  if (!parts_->tiled)
    return error(errc::bad_argument, "reconstruct: run_tiles needs options with tiles or a memory limit");
  if (auto ok = tile_by_tile(measurement, write, progress, ranks); !ok) return outcome_ ? ok : status();
  return status();
}

/// A tile that is not finite ends it with an error that has no text: no heap here, `outcome_` knows the rest.
template <class Backend, Model Network>
template <class Write>
result<> reconstructor<Backend, Network>::tile_by_tile(in<float, 2> measurement, Write&& write, progress_call progress,
                                                       communicator& ranks) {
  parts& p = *parts_;
  const auto broken = [&](const run_outcome& o) {
    outcome_ = o;
    return error(errc::not_finite, {});
  };
  outcome_ = {};
  if (!all_finite(measurement.data(), measurement.size())) return broken({false, reconstruct_stage::measurement});
  const auto of = static_cast<index_t>(p.tiles.count());
  index_t done = 0;
  return p.tiled->run(
      [&](const tile_span& rows, const tile_span& columns, out<float, 3> input, out<float, 2> mask) -> result<> {
        p.camera.input(host_of(backend_), input, measurement, rows.from, columns.from);
        for (index_t h = 0; h < rows.size(); ++h)
          std::copy_n(&p.camera.mask()(rows.from + h, columns.from), columns.size(), &mask(h, 0));
        return {};
      },
      [&](const tile_span& rows, const tile_span& columns, in<float, 3> part) -> result<> {
        if (!all_finite(part.data(), part.size())) return broken({false, reconstruct_stage::tiles, done + 1, of});
        if (auto ok = write(rows.begin, columns.begin, part); !ok) return ok;
        const bool go_on = progress(reconstruct_progress{reconstruct_stage::tiles, ++done, of});
        return go_on ? result<>() : broken(stopped);
      },
      ranks);
}

template <class Backend, Model Network>
run_outcome reconstructor<Backend, Network>::run_canonical(out<float, 3> x, in<float, 2> y,
                                                           progress_call progress) noexcept {
  parts& p = *parts_;
  assert(x.extents() == p.camera.geometry().cube_extents());
  assert(y.extents() == p.camera.geometry().measurement_extents());
  if (!all_finite(y.data(), y.size())) return {false, reconstruct_stage::measurement};
  taken_ = {p.network.has_value(), p.patches ? options_.refinements : 0};
  const index_t of = p.start->reports();
  index_t last = 0;
  bool fine = true, go_on = true;
  const auto tell = [&](index_t done, float residual) {
    last = done;
    go_on = progress(reconstruct_progress{reconstruct_stage::estimate, done, of, residual});
    return (fine = is_finite(residual)) && go_on;
  };
  if (p.check) {
    p.start->spectral()->look(host_of(backend_), x, y, tell);
    if (!go_on) return stopped;
    if (fine && (taken_ = p.check->run(y, p.start->spectral()->spectra(), progress)).stopped) return stopped;
    if (fine) p.start->spectral()->estimate(host_of(backend_), x, y, tell);
  } else {
    p.start->run(host_of(backend_), x, y, tell);
  }
  if (!go_on) return stopped;
  if (!fine || !all_finite(x.data(), x.size())) return {false, reconstruct_stage::estimate, last, of};
  if (taken_.network) {
    p.network->run(x, x);
    if (!all_finite(x.data(), x.size())) return {false, reconstruct_stage::network};
    if (!progress(reconstruct_progress{reconstruct_stage::network, 1, 1})) return stopped;
  }
  return p.patches ? refine(x, y, progress) : run_outcome{};
}

template <class Backend, Model Network>
run_outcome reconstructor<Backend, Network>::refine(out<float, 3> x, in<float, 2> y, progress_call progress) noexcept {
  const auto& host = host_of(backend_);
  optics::adaptive_spectral_tv& tv = *parts_->start->spectral();
  const bool certain = passes_of(options_.refinements, tv.certainty()) > 0;
  const index_t passes = taken_.passes = std::min(taken_.passes, passes_of(options_.refinements, tv.certainty()));
  const auto fine = [&](bool solved) { return solved && all_finite(x.data(), x.size()); };
  if (taken_.network && certain && !fine(tv.correct(host, x, y))) return {false, reconstruct_stage::refinement};
  for (index_t k = 0; k < passes; ++k) {
    if (!fine(tv.refine(host, *parts_->patches, x, y))) return {false, reconstruct_stage::refinement, k + 1, passes};
    if (!progress(reconstruct_progress{reconstruct_stage::refinement, k + 1, passes})) return stopped;
  }
  return {};
}

}  // namespace unmask::inline UNMASK_ABI

#include "reconstructor_plan.hpp"
