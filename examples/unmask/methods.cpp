#include "methods.hpp"

#include <cmath>
#include <unmask/optics/gap_tv.hpp>
#include <unmask/train/progress.hpp>

namespace program {

double reprojection_error(const context& c, const tensor<float, 3>& cube, const snapshot& s) {
  tensor<float, 2> again(s.measurement.extents());
  unmask::optics::cassi_forward(c.backend(), again.view(), cube.view(), s.mask.view(), s.geometry.step);
  double difference = 0, energy = 0;
  for (index_t i = 0; i < again.size(); ++i) {
    const double y = s.measurement.data()[i], d = again.data()[i] - y;
    difference += d * d;
    energy += y * y;
  }
  return energy > 0 ? std::sqrt(difference / energy) : 0;
}

tensor<float, 3> network_input(const context& c, const snapshot& s, initial_estimate initial) {
  tensor<float, 3> x({s.geometry.height, s.geometry.width, s.geometry.bands});
  unmask::optics::estimate_initially(c.backend(), initial, x.view(), s.measurement.view(), s.mask.view(),
                                     s.geometry.step);
  return x;
}

estimate run_gap_tv(const context& c, const snapshot& s, bool camera) {
  const auto start = std::chrono::steady_clock::now();
  const auto options = camera ? unmask::optics::camera_gap_tv() : unmask::optics::gap_tv_options();
  estimate e{"GAP-TV", tensor<float, 3>({s.geometry.height, s.geometry.width, s.geometry.bands}), 0, 0};
  unmask::optics::gap_tv solver(s.geometry, options);
  unmask::train::progress bar(options.iterations, 0, {.label = "GAP-TV"});
  solver.run(c.backend(), e.cube.view(), s.measurement.view(), s.mask.view(), [&](index_t k, float residual) {
    char text[64];
    std::snprintf(text, sizeof text, "residual %.4f", static_cast<double>(residual));
    bar.update(k, text);
  });
  e.seconds = seconds_since(start);
  e.reprojection = reprojection_error(c, e.cube, s);
  return e;
}

result<estimate> run_network(const context& c, const snapshot& s, unmask::io::weights w) {
  if (w.config.bands != s.geometry.bands)
    return error(errc::wrong_shape, "weights are for " + std::to_string(w.config.bands) +
                                        " bands, the measurement has " + std::to_string(s.geometry.bands));
  const auto initial = described_initial(w.description);
  if (!initial) return initial.error();
  estimate e{"S2-Transformer", {}, 0, 0};
  {
    auto network =
        unmask::session<float, unmask::cpu>::create(c.backend(), w.config, std::span<const float>(w.parameters),
                                                    s.geometry.height, s.geometry.width, s.mask.view());
    if (!network) return network.error();
    w.parameters = std::vector<float>();
    const auto start = std::chrono::steady_clock::now();
    e.cube = network_input(c, s, *initial);
    network->run(e.cube.view(), e.cube.view());
    e.seconds = seconds_since(start);
  }  // the session's memory goes before that of the file comes
  for (const float v : e.cube)
    if (!std::isfinite(v))
      return error(errc::wrong_value, "the network's reconstruction holds a value that is not finite");
  e.reprojection = reprojection_error(c, e.cube, s);
  return e;
}

double network_bytes(const context& c, const unmask::optics::cassi_geometry& g, const unmask::io::weights& w) {
  const double cube = static_cast<double>(g.cube_size()) * sizeof(float),
               parameters = static_cast<double>(w.parameters.size()) * sizeof(float);
  const auto initial = described_initial(w.description);
  const bool gap_tv = initial && *initial != initial_estimate::hm;
  return static_cast<double>(unmask::session<float, unmask::cpu>::bytes(w.config, g.height, g.width, c.threads)) +
         // the cube, and GAP-TV's memory with it, come when the parameters have gone
         std::max(0., cube + (gap_tv ? static_cast<double>(unmask::optics::gap_tv::bytes(g)) : 0) - parameters);
}

double gap_tv_bytes(const unmask::optics::cassi_geometry& g) {
  return static_cast<double>(unmask::optics::gap_tv::bytes(g)) + static_cast<double>(g.cube_size()) * sizeof(float);
}

}  // namespace program
