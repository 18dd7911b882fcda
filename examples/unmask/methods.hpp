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
};

/// A measurement in units of the cube (y = sum over bands of mask * cube), with its mask.
struct snapshot {
  tensor<float, 2> measurement, mask;
  unmask::optics::cassi_geometry geometry;
};

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double reprojection_error(const context&, const tensor<float, 3>& cube, const snapshot&);

using unmask::optics::described_initial;
using unmask::optics::initial_estimate;
using unmask::optics::initial_name;

/// What a network starts from.
tensor<float, 3> network_input(const context&, const snapshot&, initial_estimate);

/// The training-free baseline. `camera`: the calmer settings for real snapshots.
estimate run_gap_tv(const context&, const snapshot&, bool camera = false);

/// `weights` are given back as soon as the session has its own copy.
result<estimate> run_network(const context&, const snapshot&, unmask::io::weights weights);

/// Bytes that each takes beside the snapshot and the weights.
double network_bytes(const context&, const unmask::optics::cassi_geometry&, const unmask::io::weights&);
double gap_tv_bytes(const unmask::optics::cassi_geometry&);

}  // namespace program
