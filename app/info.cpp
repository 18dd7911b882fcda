/// unmask info: what is in a file, and what a mask or a set of weights is like.

#include <unmask/io/arrays.hpp>

#include "methods.hpp"
#include "scene_files.hpp"

namespace program {

namespace {

/// What fits a terminal's line or two: recipes and spectra are as long as some pages. --json has all of it.
std::string in_one_line(const std::string& text) {
  constexpr std::size_t most = 200;
  return text.size() <= most ? text : text.substr(0, most) + " ... (" + std::to_string(text.size()) + " characters)";
}

result<> weights_info(const context& c, const std::string& path) {
  const auto w = unmask::io::read_weights(path);
  if (!w) return w.error();
  nlohmann::json j{{"file", path},
                   {"kind", "weights"},
                   {"parameters", w->parameters.size()},
                   {"self_test", "passed"},
                   {"network", unmask::io::config_to_json(w->config)},
                   {"description", w->description}};
  c.say("%s: weights of an S2-Transformer, %zu parameters, self-test passed\n", path.c_str(), w->parameters.size());
  c.say("  network %s\n", j["network"].dump().c_str());
  for (const auto& [key, value] : w->description) c.say("  %s: %s\n", key.c_str(), in_one_line(value).c_str());
  c.print(j);
  return {};
}

/// Statistics that tell a mask from a measurement from a cube.
result<nlohmann::json> statistics(const std::string& path, const unmask::io::variable_info& v) {
  std::vector<float> values;
  const unmask::io::source from{path, v.name};
  if (v.shape.size() == 2) {
    auto t = unmask::io::read_tensor<float, 2>(from);
    if (!t) return t.error();
    values.assign(t->begin(), t->end());
  } else {
    auto t = unmask::io::read_tensor<float, 3>(from);
    if (!t) return t.error();
    values.assign(t->begin(), t->end());
  }
  double sum = 0;
  index_t grey = 0;
  for (float x : values) {
    sum += x;
    grey += x > .05f && x < .95f;
  }
  const auto [lo, hi] = std::minmax_element(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  return nlohmann::json{{"min", *lo}, {"max", *hi}, {"mean", sum / n}, {"grey_share", static_cast<double>(grey) / n}};
}

result<> info(const context& c, const std::string& spec) {
  const auto from = unmask::io::parse_source(spec);
  if (std::filesystem::path(from.path).extension() == ".safetensors") return weights_info(c, from.path);
  const auto file = unmask::io::list_variables(from.path);
  if (!file) return file.error();
  if (!from.variable.empty())
    if (const auto named = unmask::io::detail::choose(*file, from.variable, 0, {});
        !named && named.error().code() == errc::not_found)
      return named.error();
  nlohmann::json list = nlohmann::json::array();
  c.say("%s\n", from.path.c_str());
  for (const auto& v : file->variables) {
    if (!from.variable.empty() && v.name != from.variable) continue;
    nlohmann::json j{{"name", v.name}, {"type", v.type}, {"shape", v.shape}};
    for (const auto& [name, text] : v.attributes) j["attributes"][name] = text;
    std::string line = "  " + unmask::io::describe(v) + " " + v.type;
    if (v.numeric && (v.shape.size() == 2 || v.shape.size() == 3)) {
      const auto s = statistics(from.path, v);
      if (s) {
        j["statistics"] = *s;
        char text[128];
        std::snprintf(text, sizeof text, "  min %.4g, max %.4g, mean %.4g, %.1f %% of the values in (.05, .95)",
                      (*s)["min"].get<double>(), (*s)["max"].get<double>(), (*s)["mean"].get<double>(),
                      100 * (*s)["grey_share"].get<double>());
        line += text;
      } else {
        j["problem"] = s.error().message();
        line += "  (" + s.error().message() + ")";
      }
    }
    c.say("%s\n", line.c_str());
    list.push_back(std::move(j));
  }
  c.print({{"file", from.path}, {"kind", "arrays"}, {"variables", list}});
  return {};
}

}  // namespace

void add_info(CLI::App& app, context& c) {
  auto file = std::make_shared<std::string>();
  auto* command =
      add_command(app, "info", "what is in a file: variables, shapes, statistics; weights and their self-test",
                  "unmask info mask.mat");
  command->add_option("file", *file, "HDF5, MATLAB or safetensors")->required();
  command->callback([&c, file] { c.run = [&c, file] { return info(c, *file); }; });
}

}  // namespace program
