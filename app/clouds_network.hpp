#pragma once

/// The network of `unmask declouds --method network`.

#include <unmask/clouds/network_correction.hpp>
#include <unmask/io/weights.hpp>

#include "clouds.hpp"
#include "context.hpp"
#include "models.hpp"

namespace program {

using clouds_network = unmask::clouds::network_correction<unmask::cpu>;

/// The network of --method network, for the stack's bands; none for other methods.
inline result<std::optional<clouds_network>> network_of(const context& c, const std::string& method,
                                                        const std::string& weights, index_t bands) {
  if (method != "network") {
    if (weights.empty()) return std::optional<clouds_network>();
    return error(errc::bad_argument, "--weights: --method " + method + " uses none (--method network does)");
  }
  const auto path = weights.empty() ? model_path(clouds_model) : std::optional(weights);
  if (!path)
    return error(errc::not_found, "--method network: models/" + std::string(clouds_model) +
                                      " was not found; --weights takes another (train --task clouds makes one)");
  const auto m = unmask::io::read_weights(*path, c.backend());
  if (!m) return m.error();
  auto made = clouds_network::create(c.backend(), m->config, m->parameters, bands);
  if (!made) return error(made.error().code(), *path + ": " + made.error().message());
  return std::optional(std::move(*made));
}

}  // namespace program
