#pragma once

/// Sensor noise by name, for simulate and train.

#include <unmask/optics/noise.hpp>

#include "context.hpp"

namespace program {

inline result<unmask::optics::noise_model> noise_by_name(const std::string& name) {
  using namespace unmask::optics;
  if (name == "none") return noise_model{};
  if (name == "camera") return camera_noise();
  if (name == "poisson") return noise_model{.shot = shot_noise::poisson};
  if (name == "gaussian") return noise_model{.read_sigma = .01};
  return error(errc::bad_argument, "noise: '" + name + "' is not one of none, camera, poisson, gaussian");
}

inline CLI::Option* add_noise_option(CLI::App* command, std::string& name) {
  return command
      ->add_option("--noise", name,
                   "none; camera: binomial shot noise, quantum efficiency 0.4, 2048 levels; poisson: 10000 photons; "
                   "gaussian: sigma 0.01")
      ->check(CLI::IsMember({"none", "camera", "poisson", "gaussian"}))
      ->capture_default_str();
}

}  // namespace program
