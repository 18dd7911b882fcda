#pragma once

/// Everything that decides a training, as one JSON object. Unknown keys and wrong values are refused by name; the
/// resolved configuration is stored with the run.

#include <fstream>
#include <sstream>
#include <unmask/io/config_json.hpp>
#include <unmask/train/fit.hpp>

#include "noise_options.hpp"

namespace program {

struct train_config {
  unmask::s2_config network = unmask::small_config();
  std::string bands = "benchmark", noise = "none", stages = "me:2000,ma:6000", loss = "l1";
  index_t step = 2, batch = 4, crop = 64;
  std::vector<std::string> validation;
  double learning_rate = 1e-3, weight_decay = 0, clip = 1, drop_path = 0, average = .999, random_masks = 0;
  index_t warm_up = 100, validate_every = 1000, checkpoint_every = 500, patience = 0;
  double encoding = 1, encoding_in_aware = 0, lambda = 1, epsilon = .05;
  bool detached = true, normalised = false;
  std::uint64_t seed = 1;
};

namespace detail {

/// visit(key, member): the one list of keys for reading and writing.
template <class Config, class Visit>
void each_member(Config& c, Visit&& visit) {
  visit("bands", c.bands), visit("noise", c.noise), visit("stages", c.stages), visit("loss", c.loss);
  visit("step", c.step), visit("batch", c.batch), visit("crop", c.crop), visit("validation", c.validation);
  visit("learning_rate", c.learning_rate), visit("weight_decay", c.weight_decay), visit("clip", c.clip);
  visit("drop_path", c.drop_path), visit("average", c.average), visit("random_masks", c.random_masks);
  visit("warm_up", c.warm_up), visit("validate_every", c.validate_every), visit("checkpoint_every", c.checkpoint_every);
  visit("patience", c.patience), visit("encoding", c.encoding), visit("encoding_in_aware", c.encoding_in_aware);
  visit("lambda", c.lambda), visit("epsilon", c.epsilon), visit("detached", c.detached),
      visit("normalised", c.normalised);
  visit("seed", c.seed);
}

/// Whether a JSON value can become a member of this type.
template <class T>
bool fits(const nlohmann::json& j) {
  if constexpr (std::is_same_v<T, bool>)
    return j.is_boolean();
  else if constexpr (std::is_same_v<T, std::uint64_t>)
    return j.is_number_unsigned();
  else if constexpr (std::is_integral_v<T>)
    return j.is_number_integer();
  else if constexpr (std::is_floating_point_v<T>)
    return j.is_number();
  else if constexpr (std::is_same_v<T, std::string>)
    return j.is_string();
  else
    return j.is_array() && std::all_of(j.begin(), j.end(), [](const auto& x) { return x.is_string(); });
}

}  // namespace detail

inline nlohmann::json to_json(const train_config& c) {
  nlohmann::json j;
  detail::each_member(c, [&](const char* key, const auto& value) { j[key] = value; });
  j["network"] = unmask::io::config_to_json(c.network);
  return j;
}

/// Values of the file over those already in `c`. Errors name file and key.
inline result<> read_train_config(const std::string& path, train_config& c) {
  std::ifstream stream(path);
  if (!stream) return error(errc::not_found, path + ": cannot open the configuration");
  std::stringstream text;
  text << stream.rdbuf();
  auto j = nlohmann::json::parse(text.str(), nullptr, false);
  if (!j.is_object()) return error(errc::unreadable, path + ": not a JSON object");
  result<> outcome;
  detail::each_member(c, [&]<class T>(const char* key, T& value) {
    if (!j.contains(key)) return;
    if (detail::fits<T>(j[key]))
      value = j[key].template get<T>();
    else if (outcome)
      outcome = error(errc::wrong_value, path + ": '" + key + "' is " + j[key].dump() + ", which is of the wrong type");
    j.erase(key);
  });
  if (!outcome) return outcome;
  if (j.contains("network")) {
    auto network = unmask::io::config_from_json(j["network"]);
    if (!network) return error(network.error().code(), path + ": " + network.error().message());
    c.network = *network;
    j.erase("network");
  }
  if (!j.empty()) return error(errc::bad_argument, path + ": unknown key '" + j.begin().key() + "'");
  return {};
}

inline result<unmask::train::loss_spec> loss_of(const train_config& c) {
  using unmask::train::penalty_kind;
  unmask::train::loss_spec spec;
  const std::pair<const char*, penalty_kind> kinds[] = {{"l1", penalty_kind::l1},
                                                        {"squared", penalty_kind::squared},
                                                        {"rmse", penalty_kind::rmse},
                                                        {"charbonnier", penalty_kind::charbonnier}};
  bool known = false;
  for (const auto& [name, kind] : kinds)
    if (c.loss == name) spec.rho.kind = kind, known = true;
  if (!known) return error(errc::bad_argument, "loss: '" + c.loss + "' is not one of l1, squared, rmse, charbonnier");
  spec.encoding = c.encoding;
  spec.encoding_in_aware = c.encoding_in_aware;
  spec.aware.lambda = c.lambda;
  spec.aware.epsilon = c.epsilon;
  spec.aware.detached = c.detached;
  spec.aware.normalised = c.normalised;
  return spec;
}

inline unmask::train::trainer_options trainer_options_of(const train_config& c, index_t steps) {
  unmask::train::trainer_options o;
  o.batch = c.batch;
  o.height = o.width = c.crop;
  o.seed = c.seed;
  o.drop_path = c.drop_path;
  o.optimiser.weight_decay = c.weight_decay;
  o.optimiser.clip = c.clip;
  o.optimiser.average = c.average;
  o.schedule.peak = c.learning_rate;
  o.schedule.floor = std::min(1e-6, c.learning_rate);
  o.schedule.warm_up = std::min(c.warm_up, steps);
  o.schedule.steps = steps;
  return o;
}

inline result<unmask::train::sample_options> sample_options_of(const train_config& c) {
  auto noise = noise_by_name(c.noise);
  if (!noise) return noise.error();
  unmask::train::sample_options o;
  o.batch = c.batch;
  o.height = o.width = c.crop;
  o.step = c.step;
  o.random_masks = c.random_masks;
  o.noise = *noise;
  return o;
}

}  // namespace program
