#pragma once

/// What a reconstructor can be told, and what it tells while it runs.

#include <limits>
#include <string>

#include "../core/call_ref.hpp"
#include "../core/refuse_setting.hpp"
#include "../core/result.hpp"
#include "../core/view.hpp"
#include "../optics/scene_spectra_options.hpp"
#include "../optics/spectral_tv_options.hpp"

namespace unmask::inline UNMASK_ABI {

/// Passes of refinement: most scenes gain up to the eighth, some lose from the first on (docs/decisions.md).
inline constexpr index_t usual_refinements = 5;

inline constexpr index_t usual_check_rows = 64;

/// How much work spectral TV and refinement are given.
enum class reconstruct_effort {
  best,  ///< all that gains
  fast,  ///< less than half of the time; 1 dB less on average, most on smooth scenes
};

struct reconstruct_options {
  bool network = true;  ///< false: what the network starts from is the result
  /// After a network that starts from spectral TV: passes in which similar patches and the measurement correct its
  /// result. Fewer are taken the noisier a measurement is, down to none. 0: the network's result is the last.
  index_t refinements = usual_refinements;
  /// Rows of the strip on which hold-out validation decides, before each run, whether the network and how many passes
  /// of refinement help this scene (held_out_check.hpp). Costs their share of the whole. 0: all steps are taken.
  index_t check_rows = usual_check_rows;
  float noise_weight = optics::spectral_tv_options().noise_weight;  ///< spectral TV's; `calibrate` finds a camera's
  reconstruct_effort effort = reconstruct_effort::best;
  /// Memory in bytes that a reconstructor may take, the cube included; 0: no limit. Where more is needed it works tile
  /// by tile, each with `halo` pixels around it; `tile` > 0 sets the tile's side itself. Only networks that start from
  /// HM have tiles: the other estimates need the whole image.
  std::size_t memory_limit = 0;
  index_t tile = 0, halo = 32;
};

/// Options whose steps are as fast as their effort.
inline reconstruct_options fast_reconstruction() {
  reconstruct_options o;
  o.effort = reconstruct_effort::fast;
  o.refinements = 2, o.check_rows = 32;
  return o;
}

/// The settings of spectral TV that options ask for.
inline optics::spectral_tv_options spectral_tv_of(const reconstruct_options& o) {
  optics::spectral_tv_options s;
  s.noise_weight = o.noise_weight;
  if (o.effort == reconstruct_effort::best) return s;
  s.outer_iterations = 5, s.iterations = 45, s.correction_iterations = 12, s.first_weight = .05f;
  s.patch_stride = 6, s.patch_noise = .8f;
  return s;
}

/// What it is told of a scene's own spectra.
inline optics::scene_spectra_options scene_spectra_of(const reconstruct_options& o) {
  optics::scene_spectra_options s;
  if (o.effort == reconstruct_effort::fast) s.look_outer = 4, s.look_inner = 75, s.outer = 3, s.inner = 40;
  return s;
}

inline result<> check(const reconstruct_options& o) {
  const auto refuse = [](const char* name, double found, const char* expected) {
    return unmask::detail::refuse_setting("reconstruct", name, found, expected);
  };
  if (o.refinements < 0 || o.refinements > 1000)
    return refuse("refinements", static_cast<double>(o.refinements), "0..1000");
  if (o.check_rows < 0 || o.check_rows > 1000000)
    return refuse("check rows", static_cast<double>(o.check_rows), "0..1000000");
  if (!(o.noise_weight >= 0 && o.noise_weight <= 1e6f))
    return refuse("noise weight", static_cast<double>(o.noise_weight), "a number in [0, 1e6]");
  if (o.tile < 0 || o.tile > 65536) return refuse("tile", static_cast<double>(o.tile), "0..65536 pixels");
  if (o.halo < 0 || o.halo > 4096) return refuse("halo", static_cast<double>(o.halo), "0..4096 pixels");
  return {};
}

enum class reconstruct_stage { estimate, network, refinement, tiles, measurement, check };

/// Told after each part of a stage. `residual` is |A x - y| / |y| after a part of the estimate, else NaN.
struct reconstruct_progress {
  reconstruct_stage stage = reconstruct_stage::estimate;
  index_t done = 0, of = 0;
  float residual = std::numeric_limits<float>::quiet_NaN();
};

using progress_call = call_ref<const reconstruct_progress&>;

}  // namespace unmask::inline UNMASK_ABI
