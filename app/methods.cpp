#include "methods.hpp"

#include "device.hpp"

#include <cmath>
#include <optional>
#include <unmask/metrics/mask_trace.hpp>
#include <unmask/train/progress.hpp>

namespace program {

namespace {

std::string shown_name(initial_kind kind) {
  switch (kind) {
    case initial_kind::hm:
      return "HM input";
    case initial_kind::gap_tv:
    case initial_kind::gap_tv_camera:
      return "GAP-TV";
    case initial_kind::spectral_tv:
      return "spectral TV";
  }
  return "";
}

/// Steps of refinement, as a bar; how many there are is known at the first.
class refinement_progress {
 public:
  void operator()(index_t k, index_t steps) {
    if (!bar_) bar_.emplace(steps, 0, unmask::train::progress::options{.label = "refinement"});
    bar_->update(k, "");
  }

 private:
  std::optional<unmask::train::progress> bar_;
};

/// What an initial estimate reports, as a bar.
class initial_progress {
 public:
  explicit initial_progress(initial_kind kind)
      : name_(shown_name(kind)), bar_(initial_steps(kind), 0, {.label = name_.c_str()}) {}
  void operator()(index_t k, float residual) {
    char text[64];
    std::snprintf(text, sizeof text, "residual %.4f", static_cast<double>(residual));
    bar_.update(k, text);
  }

 private:
  std::string name_;
  unmask::train::progress bar_;
};

double reprojection_error(const context& c, const tensor<float, 3>& cube, const snapshot& s) {
  tensor<float, 2> again(s.measurement.extents());
  s.camera.forward(c.backend(), again.view(), cube.view());
  double difference = 0, energy = 0;
  for (index_t i = 0; i < again.size(); ++i) {
    const double y = s.measurement.data()[i], d = again.data()[i] - y;
    difference += d * d;
    energy += y * y;
  }
  return energy > 0 ? std::sqrt(difference / energy) : 0;
}

/// What can be said of a result without a truth.
void judge(const context& c, estimate& e, const snapshot& s) {
  e.reprojection = reprojection_error(c, e.cube, s);
  const unmask::in<float, 3> x = e.cube.view();
  e.trace = unmask::metrics::mask_trace(c.backend(), x, s.camera.mask());
  e.chance = unmask::metrics::chance_trace(c.backend(), x, s.camera.mask());
}

}  // namespace

tensor<float, 3> network_input(const context& c, const snapshot& s, const initial_estimate& initial) {
  tensor<float, 3> x(s.geometry().cube_extents());
  unmask::optics::estimate_initially(c.backend(), initial, s.camera, x.view(), s.measurement.view(),
                                     initial_progress(initial.kind));
  return x;
}

estimate run_initial(const context& c, const snapshot& s, const initial_estimate& initial) {
  const auto start = std::chrono::steady_clock::now();
  estimate e{shown_name(initial.kind), network_input(c, s, initial)};
  e.seconds = seconds_since(start);
  judge(c, e, s);
  return e;
}

result<estimate> run_network(const context& c, const snapshot& s, unmask::io::weights w, index_t refinements) {
  if (w.config.bands != s.geometry().bands)
    return error(errc::wrong_shape, "weights are for " + std::to_string(w.config.bands) +
                                        " bands, the measurement has " + std::to_string(s.geometry().bands));
  auto initial = described_initial(w.description, w.config.bands);
  if (!initial) return initial.error();
  initial->noise_weight = s.noise_weight;
  if (auto ok = unmask::optics::check_initial(*initial, s.camera); !ok) return ok.error();
  estimate e{"S2-Transformer", {}};
  const auto reconstruct = [&](auto&& network) {
    const auto start = std::chrono::steady_clock::now();
    e.cube = tensor<float, 3>(s.geometry().cube_extents());
    unmask::optics::reconstruct_calls calls{initial_progress(initial->kind), refinement_progress()};
    unmask::optics::reconstruct(c.backend(), *initial, s.camera, network, e.cube.view(), s.measurement.view(),
                                refinements, std::move(calls));
    e.seconds = seconds_since(start);
  };
  if (c.device == "cuda") {
    if (auto ok = check_cuda(); !ok) return ok.error();
    if (auto ok = with_network_on_cuda(c, w.config, w.parameters, s.camera.mask(), reconstruct); !ok) return ok.error();
  } else {
    auto network =
        unmask::session<float, unmask::cpu>::create(c.backend(), w.config, std::span<const float>(w.parameters),
                                                    s.geometry().height, s.geometry().width, s.camera.mask());
    if (!network) return network.error();
    w.parameters = std::vector<float>();
    reconstruct([&](array_view<float, 3> x) { network->run(x, x); });
  }  // the session's memory goes before that of the file comes
  for (const float v : e.cube)
    if (!std::isfinite(v))
      return error(errc::wrong_value, "the network's reconstruction holds a value that is not finite");
  judge(c, e, s);
  return e;
}

double network_bytes(const context& c, const unmask::optics::cassi_geometry& g, const unmask::io::weights& w,
                     bool placed, index_t refinements) {
  const double cube = static_cast<double>(g.cube_size()) * sizeof(float),
               parameters = static_cast<double>(w.parameters.size()) * sizeof(float);
  const auto initial = described_initial(w.description, w.config.bands);
  // what a device's session takes is the device's
  const double session =
      c.device == "cuda"
          ? parameters
          : static_cast<double>(unmask::session<float, unmask::cpu>::bytes(w.config, g.height, g.width, c.threads));
  return session +
         // the cube, and what goes on around the network, come when the parameters have gone
         std::max(
             0., cube - parameters +
                     (initial ? static_cast<double>(unmask::optics::reconstruct_bytes(*initial, g, placed, refinements))
                              : 0));
}

double initial_bytes(const unmask::optics::cassi_geometry& g, const initial_estimate& initial, bool placed) {
  return static_cast<double>(unmask::optics::initial_bytes(initial, g, placed)) +
         static_cast<double>(g.cube_size()) * sizeof(float);
}

double writing_bytes(const unmask::optics::cassi_geometry& g) {
  constexpr double deflated = .8, caches = 2e6;  // CAVE and real scenes: .74 to .8 of the cube
  return static_cast<double>(g.cube_size()) * sizeof(float) * (1 + 2 * deflated) + caches;
}

}  // namespace program
