#pragma once

/// One reconstruction on any backend: methods.cpp compiles it for cpu, device_cuda.cpp for cuda.

#include <cmath>
#include <optional>
#include <unmask/metrics/mask_trace.hpp>
#include <unmask/reconstruct/reconstructor.hpp>

#include "methods.hpp"

namespace program {

inline const char* stage_label(unmask::reconstruct_stage stage) {
  if (stage == unmask::reconstruct_stage::check) return "hold-out check";
  return stage == unmask::reconstruct_stage::tiles ? "tiles" : "refinement";
}

/// A bar for each stage of a reconstruction.
class reconstruction_progress {
 public:
  explicit reconstruction_progress(initial_kind kind, bool silent = false)
      : start_(method_name(kind, false)), silent_(silent) {}

  void operator()(const unmask::reconstruct_progress& p) {
    using stage = unmask::reconstruct_stage;
    if (silent_ || p.stage == stage::network) return;  // a tenth of a second
    if (!bar_ || p.stage != shown_) {
      bar_.reset();
      label_ = p.stage == stage::estimate ? start_ : stage_label(p.stage);
      bar_.emplace(p.of, 0, unmask::progress_line::options{.label = label_.c_str()});
      shown_ = p.stage;
    }
    char text[64] = "";
    if (p.residual >= 0) std::snprintf(text, sizeof text, "residual %.4f", static_cast<double>(p.residual));
    bar_->update(p.done, text);
  }

 private:
  std::string start_, label_;
  bool silent_;
  unmask::reconstruct_stage shown_ = unmask::reconstruct_stage::estimate;
  std::optional<unmask::progress_line> bar_;
};

/// |A x - y| / |y| where `reprojected` is A x; 0 for an all-dark measurement.
inline double reprojection_error(const tensor<float, 2>& reprojected, const snapshot& s) {
  double difference = 0, energy = 0;
  for (index_t i = 0; i < reprojected.size(); ++i) {
    const double y = s.measurement.data()[i], d = reprojected.data()[i] - y;
    difference += d * d;
    energy += y * y;
  }
  return energy > 0 ? std::sqrt(difference / energy) : 0;
}

template <class Backend>
result<estimate> run_method_on(const Backend& be, const context& c, const snapshot& s, unmask::model m,
                               const unmask::reconstruct_options& options) {
  const bool network = options.network && !m.parameters.empty();
  estimate e{method_name(m.initial.kind, network), {}};
  {
    auto r = unmask::reconstructor<Backend>::create(be, m, s.camera, options);
    if (!r) return r.error();
    m.parameters = std::vector<float>();
    const auto start = std::chrono::steady_clock::now();
    e.cube = tensor<float, 3>(s.geometry().cube_extents());
    r->run(e.cube.view(), s.measurement.view(), reconstruction_progress(m.initial.kind, c.quiet));
    if (auto ok = r->status(); !ok) return ok.error();
    e.seconds = seconds_since(start);
    e.taken = r->taken();
    if (network && !e.taken.network)
      e.name = method_name(m.initial.kind, false) + (e.taken.passes > 0 ? " and refinement" : "");
  }  // its memory goes before that of the file comes
  tensor<float, 2> reprojected(s.measurement.extents());
  s.camera.forward(c.backend(), reprojected.view(), e.cube.view());
  e.reprojection = reprojection_error(reprojected, s);
  const unmask::in<float, 3> x = e.cube.view();
  e.trace = unmask::metrics::mask_trace(c.backend(), x, s.camera.mask());
  e.chance = unmask::metrics::chance_trace(c.backend(), x, s.camera.mask());
  return e;
}

}  // namespace program
