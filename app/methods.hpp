#pragma once

/// Reconstruction of one snapshot by each method, with its re-projection error and time.

#include <chrono>
#include <unmask/io/weights.hpp>

#include "context.hpp"

namespace program {

struct estimate {
  std::string name;
  tensor<float, 3> cube;
  double reprojection = 0;  ///< |A x - y| / |y|
  double seconds = 0;
  double trace = 0, chance = 0;  ///< metrics/mask_trace.hpp
};

/// A measurement in units of the cube (y = sum over bands of mask * cube), with its camera.
struct snapshot {
  tensor<float, 2> measurement;
  unmask::optics::camera camera;
  float noise_weight = unmask::optics::spectral_tv_options().noise_weight;  ///< spectral TV's for this camera

  const unmask::optics::cassi_geometry& geometry() const { return camera.geometry(); }
};

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

using unmask::optics::describe_initial;
using unmask::optics::described_initial;
using unmask::optics::initial_estimate;
using unmask::optics::initial_kind;
using unmask::optics::initial_name;

/// What a network starts from.
tensor<float, 3> network_input(const context&, const snapshot&, const initial_estimate& = {});

/// The same as a result of its own: HM, GAP-TV (the training-free baseline) or spectral TV; `check_initial` has passed.
estimate run_initial(const context&, const snapshot&, const initial_estimate&);

/// GAP-TV. `camera`: the calmer settings for real snapshots.
inline estimate run_gap_tv(const context& c, const snapshot& s, bool camera = false) {
  return run_initial(c, s, {.kind = camera ? initial_kind::gap_tv_camera : initial_kind::gap_tv});
}

/// `weights` are given back as soon as the session has its own copy; refinements: optics/reconstruct.hpp.
result<estimate> run_network(const context&, const snapshot&, unmask::io::weights weights,
                             index_t refinements = unmask::optics::usual_refinements);

/// Bytes that each takes beside the snapshot and the weights; `placed`: for a camera with positions.
double network_bytes(const context&, const unmask::optics::cassi_geometry&, const unmask::io::weights&, bool placed,
                     index_t refinements);
double initial_bytes(const unmask::optics::cassi_geometry&, const initial_estimate&, bool placed);

/// The cube, the file that HDF5 builds of it in memory and the copy that goes to the disk, when all else has gone.
double writing_bytes(const unmask::optics::cassi_geometry&);

}  // namespace program
