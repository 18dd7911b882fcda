/// unmask info: what is in a file, and what a mask or a set of weights is like.

#include <unmask/io/arrays.hpp>

#include "clouds_info.hpp"
#include "methods.hpp"
#include "scene_files.hpp"
#include "train_setup.hpp"

namespace program {

namespace {

struct info_options {
  std::string file, rewrite;
  bool untrusted = false;
};

/// What fits a terminal's line or two: recipes and spectra are as long as some pages. --json has all of it.
std::string in_one_line(const std::string& text) {
  constexpr std::size_t most = 200;
  return text.size() <= most ? text : text.substr(0, most) + " ... (" + std::to_string(text.size()) + " characters)";
}

/// `rewrite`: a path that gets the same model in the present form of the file, or empty.
result<> weights_info(const context& c, const std::string& path, const std::string& rewrite) {
  const auto m = unmask::io::read_weights(path);
  if (!m) return m.error();
  const nlohmann::json network = unmask::io::config_to_json(m->config), about = unmask::io::model_to_json(*m);
  const index_t basis = m->initial.spectral_basis.extent(0);
  c.say("%s: weights of an S2-Transformer, %zu parameters, self-test passed\n", path.c_str(), m->parameters.size());
  c.say("  network %s\n", network.dump().c_str());
  c.say("  for dispersion step %td to the %s, values in [%g, %g]\n", m->dispersion_step,
        std::string(dispersion_name(m->direction)).c_str(), static_cast<double>(m->range[0]),
        static_cast<double>(m->range[1]));
  c.say("  starts from %s", std::string(initial_name(m->initial.kind)).c_str());
  c.say(basis > 0 ? ", a basis of %td spectra\n" : "\n", basis);
  if (m->wavelengths.empty())
    c.say("  wavelengths not known\n");
  else
    c.say("  %zu wavelengths, %g to %g nm\n", m->wavelengths.size(), m->wavelengths.front(), m->wavelengths.back());
  for (const auto& [key, value] : m->card) c.say("  %s: %s\n", key.c_str(), in_one_line(value).c_str());
  if (!rewrite.empty()) {
    if (auto ok = unmask::io::write_weights(rewrite, *m); !ok) return ok;
    c.say("%s written\n", rewrite.c_str());
  }
  c.print({{"file", path},
           {"kind", "weights"},
           {"parameters", m->parameters.size()},
           {"self_test", "passed"},
           {"network", network},
           {"model", about},
           {"spectral_basis", rows_of(m->initial.spectral_basis)},
           {"card", m->card}});
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

/// What is in a file of arrays: a line for each variable, and all of it as JSON.
using description = std::tuple<std::vector<std::string>, std::string>;

result<description> describe_arrays(const unmask::io::source& from) {
  const auto file = unmask::io::list_variables(from.path);
  if (!file) return file.error();
  if (!from.variable.empty())
    if (const auto named = unmask::io::detail::choose(*file, from.variable, 0, {});
        !named && named.error().code() == errc::not_found)
      return named.error();
  nlohmann::json list = nlohmann::json::array();
  std::vector<std::string> lines;
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
    lines.push_back(std::move(line));
    list.push_back(std::move(j));
  }
  return description(std::move(lines), unmask::io::json_text(list));
}

result<> info(const context& c, const info_options& o) {
  const auto from = unmask::io::parse_source(o.file);
  if (std::filesystem::path(from.path).extension() == ".safetensors") return weights_info(c, from.path, o.rewrite);
  if (!o.rewrite.empty()) return error(errc::bad_argument, "--rewrite is for weights, " + from.path + " has arrays");
  if (std::filesystem::path(from.path).extension() == ".json") return stack_info(c, from.path, o.untrusted);
  const auto read = [&] { return describe_arrays(from); };
  const auto found = o.untrusted ? unmask::io::read_in_child(from.path, {}, read) : read();
  if (!found) return found.error();
  const auto& [lines, variables] = *found;
  std::string twice;
  const auto list = unmask::io::detail::parse_unique(variables, twice);
  if (!list.is_array()) return unmask::io::detail::sent_nonsense(from.path);
  c.say("%s\n", from.path.c_str());
  for (const std::string& line : lines) c.say("%s\n", line.c_str());
  c.print({{"file", from.path}, {"kind", "arrays"}, {"variables", list}});
  return {};
}

}  // namespace

void add_info(CLI::App& app, context& c) {
  auto o = std::make_shared<info_options>();
  auto* command = add_command(
      app, "info", "what is in a file: variables, shapes, statistics; weights and their self-test; a stack of dates",
      "unmask info mask.mat");
  command
      ->add_option("file", o->file,
                   "a file of arrays, a folder of pictures of bands, safetensors, or a manifest of dates (.json)")
      ->required();
  command->add_option("--rewrite", o->rewrite,
                      "of weights: write the same model here, in the present form of the file");
  add_untrusted(command, o->untrusted);
  command->callback([&c, o] { c.run = [&c, o] { return info(c, *o); }; });
}

}  // namespace program
