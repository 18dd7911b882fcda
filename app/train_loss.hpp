#pragma once

/// What a training's configuration says of its loss.

#include "train_config.hpp"

namespace program {

/// Errors: a name that there is not, a number out of its range, options that exclude each other.
inline result<unmask::train::loss_spec> loss_of(const train_config& c) {
  using unmask::train::aware_weight, unmask::train::penalty_kind;
  unmask::train::loss_spec spec;
  const std::pair<const char*, penalty_kind> kinds[] = {{"l1", penalty_kind::l1},
                                                        {"squared", penalty_kind::squared},
                                                        {"rmse", penalty_kind::rmse},
                                                        {"charbonnier", penalty_kind::charbonnier}};
  bool known = false;
  for (const auto& [name, kind] : kinds)
    if (c.loss == name) spec.rho.kind = kind, known = true;
  if (!known) return error(errc::bad_argument, "loss: '" + c.loss + "' is not one of l1, squared, rmse, charbonnier");
  spec.rho.epsilon = c.charbonnier_epsilon;
  spec.encoding = c.encoding;
  spec.encoding_in_aware = c.encoding_in_aware;
  spec.aware = {.lambda = c.lambda,
                .epsilon = c.epsilon,
                .detached = c.detached,
                .cap = c.cap,
                .normalised = c.normalised,
                .delta = c.delta};
  const std::pair<const char*, aware_weight> weights[] = {
      {"signal", aware_weight::signal}, {"relative", aware_weight::relative}, {"visibility", aware_weight::visibility}};
  known = false;
  for (const auto& [name, weight] : weights)
    if (c.aware_weight == name) spec.aware.weight = weight, known = true;
  if (!known)
    return error(errc::bad_argument,
                 "aware_weight: '" + c.aware_weight + "' is not one of signal, relative, visibility");
  if (auto ok = check(spec); !ok) return ok.error();
  return spec;
}

}  // namespace program
