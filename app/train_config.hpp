#pragma once

/// Everything that decides a training, as one JSON object. Unknown keys and wrong values are refused by name; the
/// resolved configuration is stored with the run.

#include <limits>
#include <unmask/io/config_json.hpp>
#include <unmask/io/json_text.hpp>
#include <unmask/train/fit.hpp>

#include "names.hpp"

namespace program {

/// A small network that tiles do not change. Widths that are multiples of 8 leave no register half empty: 1.5 times the
/// speed of E 30.
inline unmask::s2_config tiled_network() {
  return {.channels = 32,
          .stages = 2,
          .depths = {2, 2},
          .heads = {4, 4},
          .spectral_head_width = 8,
          .hidden = 128,
          .scope = unmask::spectral_scope::window,
          .embedding = unmask::mask_embedding_kind::tile_safe};
}

struct train_config {
  std::string task = "snapshot";  ///< or clouds
  std::string data, from;         ///< folder of cubes; weights to start from, or empty
  std::vector<std::string> mask;  ///< the first is the one that validations use
  std::vector<std::string> validation;
  unmask::s2_config network = unmask::small_config();
  std::string bands = "benchmark", axes, stages = "me:2000,ma:6000";
  double full_scale = 0;    ///< the stored value of cubes that means 1; 0: as the files say
  std::string wavelengths;  ///< FIRST:LAST in nm of all cubes, where their files do not say; or empty
  std::uint64_t seed = 1;

  // samples
  index_t step = 2, batch = 4, crop = 64;
  std::string dispersion = "right";
  bool symmetries = true, halved = false, move_mask = true;
  double mosaics = 0, random_masks = 0, grey_masks = 0, open_share = .5, open_spread = 0, illuminants = 0;
  index_t cells = 1;
  std::vector<double> scales{}, exposures{};         ///< [least, most], or none
  std::string initial = "hm";                        ///< what the network starts from
  std::vector<std::vector<float>> spectral_basis{};  ///< spectral TV's [K, C], learnt if empty
  index_t spectral_rank = 8;                         ///< rows of it that are learnt
  index_t fields = 32, steps_per_field = 16;         ///< of an initial estimate that takes seconds
  std::string noise = "none";
  double read_sigma = 0, photons = 1e4, quantum_efficiency = .4, bit_depth = 2048, noisy = 1;
  bool noisy_validation = false;

  // loss
  std::string loss = "l1";
  double charbonnier_epsilon = 1e-3, encoding = 1, encoding_in_aware = 0, lambda = 1, epsilon = .05, cap = 1;
  bool detached = true, normalised = false;
  std::string aware_weight = "signal";  ///< or relative, visibility
  double delta = .05;

  // optimiser
  double learning_rate = 1e-3, final_learning_rate = 1e-6, beta1 = .9, beta2 = .999, weight_decay = 0, clip = 1,
         drop_path = 0, average = .999;
  bool last_zero = false, frugal = false, by_sample = false;  ///< the last: the same bits on any number of ranks
  index_t warm_up = 100, validate_every = 1000, checkpoint_every = 500, patience = 0;
};

namespace detail {

/// visit(key, member): the one list of keys for reading and writing.
template <class Config, class Visit>
void each_member(Config& c, Visit&& visit) {
  visit("task", c.task), visit("data", c.data), visit("from", c.from), visit("mask", c.mask),
      visit("validation", c.validation);
  visit("bands", c.bands), visit("axes", c.axes), visit("full_scale", c.full_scale),
      visit("wavelengths", c.wavelengths);
  visit("stages", c.stages), visit("seed", c.seed);
  visit("step", c.step), visit("dispersion", c.dispersion), visit("batch", c.batch), visit("crop", c.crop),
      visit("symmetries", c.symmetries);
  visit("halved", c.halved), visit("move_mask", c.move_mask), visit("mosaics", c.mosaics),
      visit("random_masks", c.random_masks);
  visit("grey_masks", c.grey_masks), visit("open_share", c.open_share), visit("open_spread", c.open_spread);
  visit("cells", c.cells), visit("scales", c.scales), visit("illuminants", c.illuminants);
  visit("exposures", c.exposures);
  visit("initial", c.initial), visit("spectral_basis", c.spectral_basis), visit("spectral_rank", c.spectral_rank);
  visit("fields", c.fields), visit("steps_per_field", c.steps_per_field);
  visit("noise", c.noise), visit("read_sigma", c.read_sigma), visit("photons", c.photons);
  visit("quantum_efficiency", c.quantum_efficiency), visit("bit_depth", c.bit_depth), visit("noisy", c.noisy);
  visit("noisy_validation", c.noisy_validation);
  visit("loss", c.loss), visit("charbonnier_epsilon", c.charbonnier_epsilon), visit("encoding", c.encoding);
  visit("encoding_in_aware", c.encoding_in_aware), visit("lambda", c.lambda), visit("epsilon", c.epsilon);
  visit("cap", c.cap), visit("detached", c.detached), visit("normalised", c.normalised);
  visit("aware_weight", c.aware_weight), visit("delta", c.delta);
  visit("learning_rate", c.learning_rate), visit("final_learning_rate", c.final_learning_rate);
  visit("beta1", c.beta1), visit("beta2", c.beta2), visit("weight_decay", c.weight_decay), visit("clip", c.clip);
  visit("last_zero", c.last_zero), visit("frugal", c.frugal), visit("by_sample", c.by_sample),
      visit("drop_path", c.drop_path), visit("average", c.average), visit("warm_up", c.warm_up);
  visit("validate_every", c.validate_every), visit("checkpoint_every", c.checkpoint_every);
  visit("patience", c.patience);
}

/// Whether a JSON value can become a member of this type.
template <class T>
bool fits(const nlohmann::json& j) {
  if constexpr (std::is_same_v<T, bool>)
    return j.is_boolean();
  else if constexpr (std::is_same_v<T, std::uint64_t>)
    return j.is_number_unsigned();
  else if constexpr (std::is_integral_v<T>)  // an unsigned number beyond T would become a negative one
    return j.is_number_integer() && (!j.is_number_unsigned() || j <= std::uint64_t{std::numeric_limits<T>::max()});
  else if constexpr (std::is_floating_point_v<T>)
    return j.is_number();
  else if constexpr (std::is_same_v<T, std::string>)
    return j.is_string();
  else if constexpr (std::is_same_v<T, std::vector<double>>)
    return j.is_array() && std::all_of(j.begin(), j.end(), [](const auto& x) { return x.is_number(); });
  else if constexpr (std::is_same_v<T, std::vector<std::vector<float>>>)
    return j.is_array() && std::all_of(j.begin(), j.end(), [](const auto& row) {
             return row.is_array() && std::all_of(row.begin(), row.end(), [](const auto& x) { return x.is_number(); });
           });
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

/// Values of a JSON object over those already in `c`. Errors name `origin` and key.
inline result<> apply(train_config& c, nlohmann::json j, const std::string& origin) {
  result<> outcome;
  detail::each_member(c, [&]<class T>(const char* key, T& value) {
    if (!j.contains(key)) return;
    if constexpr (std::is_same_v<T, std::vector<std::string>>)
      if (j[key].is_string()) j[key] = nlohmann::json::array({j[key]});  // one name needs no brackets
    if (detail::fits<T>(j[key]))
      value = j[key].template get<T>();
    else if (outcome)
      outcome = error(errc::wrong_value, origin + ": '" + key + "' is " +
                                             unmask::io::detail::printable(unmask::io::json_text(j[key]), 1000) +
                                             ", which is of the wrong type");
    j.erase(key);
  });
  if (!outcome) return outcome;
  if (j.contains("network")) {
    auto network = unmask::io::config_from_json(j["network"], c.network);
    if (!network) return error(network.error().code(), origin + ": " + network.error().message());
    c.network = *network;
    j.erase("network");
  }
  if (!j.empty())
    return error(errc::bad_argument, origin + ": unknown key '" + unmask::io::detail::printable(j.begin().key()) + "'");
  return {};
}

inline result<nlohmann::json> read_json_object(const std::string& path) {
  constexpr std::uint64_t most = std::uint64_t{1} << 24;
  const auto bytes = unmask::io::read_file(path, most);
  if (!bytes) return bytes.error();
  std::string twice;
  auto j = unmask::io::detail::parse_unique({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, twice);
  if (!twice.empty())
    return error(errc::unreadable, path + ": has the key '" + unmask::io::detail::printable(twice) + "' twice");
  if (!j.is_object()) return error(errc::unreadable, path + ": not a JSON object");
  return j;
}

/// "key=value" with a JSON value, or a text that is none ("loss=rmse"); "network.key=value" reaches into the network.
inline result<nlohmann::json> parse_settings(const std::vector<std::string>& settings) {
  nlohmann::json all = nlohmann::json::object();
  for (const std::string& s : settings) {
    const std::size_t equals = s.find('=');
    const std::string said = unmask::io::detail::printable(s, 1000);
    if (equals == 0 || equals == std::string::npos)
      return error(errc::bad_argument, "--set: '" + said + "' is not key=value");
    if (!unmask::io::is_utf8(s)) return error(errc::bad_argument, "--set: '" + said + "' is not UTF-8");
    const std::string key = s.substr(0, equals), text = s.substr(equals + 1), inside = "network.";
    std::string twice;
    auto value = unmask::io::detail::parse_unique(text, twice);
    if (!twice.empty())
      return error(errc::bad_argument,
                   "--set: '" + said + "' has the key '" + unmask::io::detail::printable(twice) + "' twice");
    if (value.is_discarded()) value = text;
    if (key.starts_with(inside) && all.contains("network") && !all["network"].is_object())
      return error(errc::bad_argument, "--set: '" + said + "' after a network that is no JSON object");
    (key.starts_with(inside) ? all["network"][key.substr(inside.size())] : all[key]) = value;
  }
  return all;
}

inline unmask::train::trainer_options trainer_options_of(const train_config& c, index_t steps) {
  unmask::train::trainer_options o;
  o.batch = c.batch;
  o.height = o.width = c.crop;
  o.seed = c.seed;
  o.drop_path = c.drop_path;
  o.last_zero = c.last_zero;
  o.frugal = c.frugal;
  o.by_sample = c.by_sample;
  o.optimiser = {
      .beta1 = c.beta1, .beta2 = c.beta2, .weight_decay = c.weight_decay, .clip = c.clip, .average = c.average};
  o.schedule = {.peak = c.learning_rate,
                .floor = std::min(c.final_learning_rate, c.learning_rate),
                .warm_up = std::min(c.warm_up, steps),
                .steps = steps};
  return o;
}

}  // namespace program
