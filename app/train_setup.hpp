#pragma once

/// What a training starts from: options and files become a configuration, scenes and masks.

#include <filesystem>
#include <sstream>
#include <unmask/clouds/network_view.hpp>
#include <unmask/io/weights.hpp>
#include <unmask/optics/learn_spectra.hpp>
#include <unmask/train/estimated_source.hpp>
#include <variant>

#include "halved.hpp"
#include "methods.hpp"
#include "train_data.hpp"
#include "train_samples.hpp"

namespace program {

namespace fs = std::filesystem;

struct train_options {
  std::string task, data, out, config, stages, noise, from;
  std::vector<std::string> mask, validation, settings;
  bool resume = false, force = false, seed_given = false, untrusted = false;
};

/// The files of a run.
struct run_folder {
  std::string path;
  std::string operator/(const char* name) const { return path + "/" + name; }
  std::string checkpoint() const { return *this / "last.ckpt"; }
};

inline std::string absolute(const std::string& path) {
  return path.empty() ? path : fs::absolute(path).lexically_normal().string();
}

struct train_setup {
  train_config config;
  std::optional<unmask::model> from;  ///< where the training starts, if not at random
};

/// The first key in which two configurations differ, but for where scenes and masks lie; empty if there is none.
inline std::string difference(const nlohmann::json& a, const nlohmann::json& b) {
  for (const auto& item : a.items())
    if (item.key() != "data" && item.key() != "mask" && b[item.key()] != item.value())
      return "'" + item.key() + "' is " + unmask::io::json_text(item.value()) + " and not " +
             unmask::io::json_text(b[item.key()]);
  return "";
}

/// The rows of a basis, as the configuration has them, and back.
inline std::vector<std::vector<float>> rows_of(const tensor<float, 2>& basis) {
  std::vector<std::vector<float>> rows;
  for (index_t k = 0; k < basis.extent(0); ++k)
    rows.emplace_back(basis.data() + k * basis.extent(1), basis.data() + (k + 1) * basis.extent(1));
  return rows;
}

/// What a network starts from. Errors: a name, a basis that is missing or not for these bands.
inline result<initial_spec> initial_of(const train_config& config, index_t bands) {
  const auto kind = unmask::initial_by_name(config.initial);
  if (!kind) return kind.error();
  initial_spec initial{.kind = *kind};
  if (*kind != initial_kind::spectral_tv) return initial;
  const auto& rows = config.spectral_basis;
  initial.spectral_basis = tensor<float, 2>({static_cast<index_t>(rows.size()), bands});
  for (std::size_t k = 0; k < rows.size(); ++k) {
    if (static_cast<index_t>(rows[k].size()) != bands)
      return error(errc::wrong_shape, "spectral_basis: row " + std::to_string(k) + " has " +
                                          std::to_string(rows[k].size()) + " numbers, expected " +
                                          std::to_string(bands) + ", one a band");
    std::copy(rows[k].begin(), rows[k].end(), &initial.spectral_basis(static_cast<index_t>(k), 0));
  }
  return initial;
}

/// As a network was trained: initial estimate and dispersion.
inline void start_as(train_config& config, const unmask::model& from) {
  config.initial = initial_name(from.initial.kind);
  config.spectral_basis = rows_of(from.initial.spectral_basis);
  config.step = from.dispersion_step;
  config.dispersion = unmask::dispersion_name(from.direction);
}

/// The files of a list with commas, absolute.
inline std::vector<std::string> absolute_list(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');)
    if (!part.empty()) all.push_back(absolute(part));
  return all;
}

/// Defaults of a network for clouds, unless it starts from given weights: it learns one band at a time, in units of
/// what regression errs by, where a loss of large errors would see little else.
inline void start_for_clouds(train_config& config) {
  if (config.from.empty()) {
    config.network = tiled_network();
    config.network.bands = 1;
    config.network.inputs = static_cast<int>(unmask::clouds::network_channels);
  }
  config.last_zero = true;
  config.batch = 8, config.fields = 48, config.steps_per_field = 8;
  config.loss = "charbonnier", config.charbonnier_epsilon = .5, config.epsilon = .3;
  config.stages = "me:20000", config.encoding = .1;
}

/// File, then options, over the defaults. A resumed run has its own configuration, which they may repeat. Relative
/// paths become absolute, so that a run can be resumed from anywhere.
inline result<train_setup> configure(const context& c, const train_options& o, const run_folder& run) {
  train_setup setup;
  train_config& config = setup.config;
  config.by_sample = c.launched && !o.resume;  // an older run has no such key
  const std::string stored = run / "config.json";
  nlohmann::json before, file = nlohmann::json::object();
  if (o.resume) {
    if (!fs::exists(stored)) return error(errc::not_found, stored + ": nothing to resume here");
    const auto read = read_json_object(stored);
    if (!read) return read.error();
    if (auto ok = apply(config, *read, stored); !ok) return ok.error();
    before = to_json(config);
  }
  if (!o.config.empty()) {
    auto read = read_json_object(o.config);
    if (!read) return read.error();
    file = std::move(*read);
  }
  auto settings = parse_settings(o.settings);
  if (!settings) return settings.error();
  if (!o.from.empty()) (*settings)["from"] = o.from;
  if (settings->contains("from")) file["from"] = (*settings)["from"];
  if (const auto from = file.value("from", nlohmann::json(config.from)); from.is_string()) config.from = from;
  // The network of given weights is the default, which the rest may only repeat.
  if (!config.from.empty() && !(o.resume && fs::exists(run.checkpoint()))) {
    auto read = unmask::io::read_weights(config.from);
    if (!read) return read.error();
    config.network = read->config;
    start_as(config, *read);
    setup.from = std::move(*read);
  }
  if (const auto task = o.task.empty() ? file.value("task", nlohmann::json()) : nlohmann::json(o.task);
      task == "clouds" && !o.resume)
    start_for_clouds(config);
  if (auto ok = apply(config, file, o.config); !ok) return ok.error();
  if (auto ok = apply(config, *settings, "--set"); !ok) return ok.error();
  if (setup.from && !(config.network == setup.from->config))
    return error(errc::wrong_shape, config.from + ": its network is not the one of the configuration");
  if (!o.task.empty()) config.task = o.task;
  if (config.task != "snapshot" && config.task != "clouds")
    return error(errc::bad_argument, "task: '" + config.task + "' is not one of snapshot, clouds");
  if (!o.stages.empty()) config.stages = o.stages;
  if (!o.noise.empty()) config.noise = o.noise;
  if (!o.validation.empty()) config.validation = o.validation;
  if (!o.data.empty()) config.data = o.data;
  if (!o.mask.empty()) config.mask = o.mask;
  if (o.seed_given) config.seed = c.seed;
  if (config.data.empty()) return error(errc::bad_argument, "train: no --data, and no 'data' in the configuration");
  if (config.mask.empty() && config.task == "snapshot")
    return error(errc::bad_argument, "train: no --mask, and no 'mask' in the configuration");
  if (config.task == "clouds") {
    std::string all;
    for (const auto& path : absolute_list(config.data)) all += (all.empty() ? "" : ",") + path;
    config.data = all;
    for (auto& path : config.validation) path = absolute(path);
  } else {
    config.data = absolute(config.data);
  }
  config.from = absolute(config.from);
  for (auto& mask : config.mask) mask = absolute(mask);
  if (const auto what = o.resume ? difference(before, to_json(config)) : ""; !what.empty())
    return error(errc::bad_argument, stored + ": " + what + "; a resumed run keeps its configuration");
  return setup;
}

/// Once for a run, whose configuration keeps what is learnt here.
inline result<> learn_basis(train_config& config, const std::vector<scene>& scenes) {
  if (config.initial != initial_name(initial_kind::spectral_tv) || !config.spectral_basis.empty()) return {};
  const auto basis = unmask::optics::learn_spectral_basis(cubes(scenes), config.spectral_rank);
  if (!basis) return basis.error();
  config.spectral_basis = rows_of(*basis);
  return {};
}

using sample_source = std::variant<unmask::train::sample_source, unmask::train::estimated_source>;

inline result<sample_source> source_of(const train_config& config, const training_data& data,
                                       const unmask::train::sample_options& samples, const initial_spec& initial) {
  const auto either = [](auto made) -> result<sample_source> {
    if (!made) return made.error();
    return sample_source(std::move(*made));
  };
  auto scenes = cubes(data.training);
  if (config.halved)
    for (const auto& s : data.training) scenes.push_back(halved(s.cube));
  if (initial.kind == initial_kind::hm)
    return either(unmask::train::sample_source::create(std::move(scenes), data.masks, samples));
  return either(unmask::train::estimated_source::create(std::move(scenes), data.masks, samples,
                                                        {initial, config.fields, config.steps_per_field}));
}

inline result<std::optional<unmask::train::validation_set>> validation_of(const context& c, const train_config& config,
                                                                          const training_data& data,
                                                                          const initial_spec& initial) {
  if (data.validation.empty()) return std::optional<unmask::train::validation_set>();
  unmask::optics::noise_model noise;
  if (config.noisy_validation) noise = *noise_of(config);
  auto set = unmask::train::validation_set::create(cubes(data.validation), data.masks.front(), config.step, noise, 1,
                                                   initial, c.backend());
  if (!set) return set.error();
  return std::optional(std::move(*set));
}

/// What a run learns, without parameters and text: all that `fits` compares.
inline result<unmask::model> model_of(const train_config& config, const training_data& data) {
  unmask::model m;
  m.config = config.network;
  auto initial = initial_of(config, config.network.bands);
  if (!initial) return initial.error();
  m.initial = std::move(*initial);
  m.dispersion_step = config.step;
  m.direction = *unmask::dispersion_by_name(config.dispersion);
  m.wavelengths = wavelengths_of(data);
  if (auto ok = check(m); !ok) return ok.error();
  return m;
}

/// What a weights file tells people about itself: the recipe without this machine's folders.
inline std::map<std::string, std::string> card_of(const train_config& config, index_t steps, double psnr) {
  nlohmann::json recipe = to_json(config);
  std::string masks;
  for (const auto& mask : config.mask) masks += (masks.empty() ? "" : ", ") + fs::path(mask).filename().string();
  for (const char* key : {"data", "spectral_basis"}) recipe.erase(key);
  recipe["mask"] = masks;
  recipe["from"] = fs::path(config.from).filename().string();
  std::map<std::string, std::string> card{
      {"recipe", unmask::io::json_text(recipe)}, {"training steps", std::to_string(steps)}, {"mask", masks}};
  if (std::isfinite(psnr))
    card["validation PSNR"] =
        std::to_string(psnr) + (config.task == "clouds" ? " dB (peak 1, hidden pixels)" : " dB (official-8bit)");
  return card;
}

}  // namespace program
