#pragma once

/// Reconstruction of one snapshot by each method, with its re-projection error and time.

#include <chrono>
#include <unmask/io/weights.hpp>
#include <unmask/reconstruct/outcome.hpp>

#include "context.hpp"

namespace program {

struct estimate {
  std::string name;
  tensor<float, 3> cube;
  double reprojection = 0;  ///< |A x - y| / |y|
  double seconds = 0;
  double trace = 0, chance = 0;  ///< metrics/mask_trace.hpp
  unmask::step_choice taken{};   ///< by a network's reconstruction
};

/// A measurement in units of the cube (y = sum over bands of mask * cube), and the camera that took it.
struct snapshot {
  tensor<float, 2> measurement;
  unmask::optics::camera camera;

  const unmask::optics::cassi_geometry& geometry() const { return camera.geometry(); }
};

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

using unmask::initial_kind;
using unmask::initial_name;
using unmask::initial_spec;

/// Whether a model was made for such a snapshot; `name` is its file's. Wavelengths: those of the snapshot's bands, if
/// known.
inline result<> fits_snapshot(const unmask::model& m, const unmask::optics::cassi_geometry& g, const std::string& name,
                              std::span<const double> wavelengths = {}) {
  return fits(m, {g.bands, g.step, g.direction, wavelengths}, name);
}

/// A model without a network: what it starts from is the result.
inline unmask::model without_network(initial_spec initial, index_t bands) {
  unmask::model m;
  m.config.bands = static_cast<int>(bands);
  m.initial = std::move(initial);
  return m;
}

/// What a method is called in tables and reports: HM, GAP-TV, spectral TV or S2-Transformer.
std::string method_name(initial_kind, bool network);

/// A cube by a model, on the device that was chosen. Its parameters are given back as soon as they are copied.
result<estimate> run_method(const context&, const snapshot&, unmask::model, const unmask::reconstruct_options& = {});

/// What a network is compared with, each as a result of its own: HM, GAP-TV (`real`: its settings for a real camera),
/// and what the network starts from if that is neither. A camera with measured positions has no GAP-TV.
result<std::vector<estimate>> run_steps(const context&, const snapshot&, const initial_spec& start, bool real = false,
                                        float noise_weight = unmask::reconstruct_options().noise_weight);

/// Bytes that `run_method` takes beside the snapshot and the model.
result<double> method_bytes(const context&, const unmask::optics::camera&, const unmask::model&,
                            const unmask::reconstruct_options&);

/// The cube, the file that HDF5 builds of it in memory and the copy that goes to the disk, when all else has gone.
double writing_bytes(const unmask::optics::cassi_geometry&);

}  // namespace program
