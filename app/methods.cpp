#include "methods.hpp"

#include "device.hpp"
#include "run_method.hpp"

namespace program {

std::string method_name(initial_kind kind, bool network) {
  if (network) return "S2-Transformer";
  switch (kind) {
    case initial_kind::hm:
      return "HM";
    case initial_kind::gap_tv:
    case initial_kind::gap_tv_camera:
      return "GAP-TV";
    case initial_kind::spectral_tv:
      return "spectral TV";
  }
  return "";
}

result<estimate> run_method(const context& c, const snapshot& s, unmask::model m,
                            const unmask::reconstruct_options& options) {
  // estimates run on the host; only a network is a device's
  if (c.device == "cuda" && options.network && !m.parameters.empty())
    return run_method_on_cuda(c, s, std::move(m), options);
  return run_method_on(c.backend(), c, s, std::move(m), options);
}

result<std::vector<estimate>> run_steps(const context& c, const snapshot& s, const initial_spec& start, bool real,
                                        float noise_weight) {
  std::vector<initial_spec> specs{{initial_kind::hm, {}}};
  if (!s.camera.placed()) specs.push_back({real ? initial_kind::gap_tv_camera : initial_kind::gap_tv, {}});
  if (start.kind == initial_kind::spectral_tv) specs.push_back(start);
  std::vector<estimate> steps;
  for (auto& spec : specs) {
    auto e = run_method(c, s, without_network(std::move(spec), s.geometry().bands), {.noise_weight = noise_weight});
    if (!e) return e.error();
    steps.push_back(std::move(*e));
  }
  return steps;
}

result<double> method_bytes(const context& c, const unmask::optics::camera& camera, const unmask::model& m,
                            const unmask::reconstruct_options& options) {
  const auto& g = camera.geometry();
  const double cube = static_cast<double>(g.cube_size()) * sizeof(float),
               parameters = static_cast<double>(m.parameters.size()) * sizeof(float);
  const auto planned = unmask::reconstructor<unmask::cpu>::bytes(c.backend(), m, camera, options);
  if (!planned) return planned.error();
  // the cube comes when the parameters have gone
  return static_cast<double>(*planned) + std::max(0., cube - parameters);
}

double writing_bytes(const unmask::optics::cassi_geometry& g) {
  constexpr double deflated = .8, caches = 2e6;  // CAVE and real scenes: .74 to .8 of the cube
  return static_cast<double>(g.cube_size()) * sizeof(float) * (1 + 2 * deflated) + caches;
}

}  // namespace program
