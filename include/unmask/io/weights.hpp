#pragma once

/// A trained network as one safetensors file: every parameter under its manifest name and in file order, the
/// configuration, a free description, a checksum for each tensor and a self-test that is replayed on load.
///
///   auto w = io::read_weights("weights.safetensors");   // or from bytes in the executable
///   if (!w) return report(w.error().message());
///   auto s = session<float, cpu>::create({.threads = 4}, w->config, w->parameters, height, width, mask);
///
/// Include <unmask/unmask.hpp> as well: the self-test runs the kernels of the backend.

#include <cstdio>

#include "checksum.hpp"
#include "config_json.hpp"
#include "safetensors.hpp"
#include "weights_selftest.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct weights {
  s2_config config;
  std::vector<float> parameters;                   ///< flat block of `s2_network::manifest(config)`
  std::map<std::string, std::string> description;  ///< model card: data, recipe, licence, ...
};

namespace detail {

inline constexpr const char* weights_format = "unmask weights 1";
inline constexpr const char* selftest_name = "selftest.output";
inline constexpr const char* description_prefix = "description.";

inline std::vector<index_t> selftest_shape(const s2_config& c) { return {selftest_side, selftest_side, c.bands}; }

/// A metadata string that holds a JSON object; anything else comes back as null.
inline nlohmann::json metadata_json(const safetensors& file, const std::string& key) {
  const auto at = file.metadata.find(key);
  if (at == file.metadata.end() || nests_deeper(at->second, 2)) return nullptr;
  std::string twice;
  const nlohmann::json j = parse_unique(at->second, twice);
  return j.is_object() && twice.empty() ? j : nlohmann::json();
}

/// The checksum of each tensor, by name.
inline std::map<std::string, std::string> tensor_checksums(const safetensors& file) {
  std::vector<std::span<const std::byte>> arrays;
  for (const tensor_entry& t : file.tensors) arrays.emplace_back(t.bytes);
  const auto sums = checksums(arrays);
  std::map<std::string, std::string> named;
  for (std::size_t i = 0; i < sums.size(); ++i) named[file.tensors[i].name] = sums[i];
  return named;
}

/// The values of a tensor that must be there, be F32 of a given shape, match its checksum and be finite.
inline result<std::vector<float>> checked_tensor(const safetensors& file, const std::string& path,
                                                 const nlohmann::json& sums,
                                                 const std::map<std::string, std::string>& found,
                                                 const std::string& name, const std::vector<index_t>& shape) {
  const std::string what = printable(path, 1000) + ": parameter '" + name + "' ";
  const tensor_entry* t = file.find(name);
  if (!t) return error(errc::not_found, what + "is missing");
  if (t->shape != shape || t->dtype != "F32")
    return error(errc::wrong_shape,
                 what + "is " + t->dtype + " [" + shape_text(t->shape) + "], expected F32 [" + shape_text(shape) + "]");
  const auto sum = sums.find(name);
  if (sum == sums.end() || *sum != found.at(name))
    return error(errc::unreadable, what + "is damaged (its checksum does not match)");
  auto values = to_floats(*t);
  if (values)
    for (const float x : *values)
      if (!std::isfinite(x)) return error(errc::wrong_value, what + "has a value that is NaN or infinite");
  return values;
}

}  // namespace detail

/// Writes a weights file atomically. The self-test runs here once to learn what to expect.
/// Errors: a count that contradicts the configuration, NaN (by name), a file that cannot be written.
template <class Backend = cpu>
result<> write_weights(const std::string& path, const s2_config& config, std::span<const float> parameters,
                       const std::map<std::string, std::string>& description, Backend backend = {}) {
  if (auto fine = check(config); !fine) return fine.error();
  const manifest m = make_manifest(config);
  if (static_cast<index_t>(parameters.size()) != m.size)
    return error(errc::wrong_shape, path + ": " + std::to_string(parameters.size()) +
                                        " parameters, the configuration has " + std::to_string(m.size));
  safetensors file;
  nlohmann::json sums = nlohmann::json::object();
  for (const parameter& p : m.entries) {
    std::vector<float> values(static_cast<std::size_t>(p.size));
    export_parameter(p, parameters.data(), values.data());
    for (const float x : values)
      if (!std::isfinite(x))
        return error(errc::wrong_value,
                     path + ": parameter '" + p.name + "' has a value that is NaN or infinite, not written");
    file.tensors.push_back(make_tensor(p.name, p.shape, values));
  }
  const std::uint64_t seed = 1;
  const auto output = run_selftest(backend, config, parameters, seed);
  if (!output) return error(output.error().code(), path + ": " + output.error().message());
  for (const float x : *output)
    if (!std::isfinite(x))
      return error(errc::wrong_value, path + ": the network's output in the self-test is not finite, not written");
  file.tensors.push_back(make_tensor(detail::selftest_name, detail::selftest_shape(config), *output));
  for (const auto& [name, sum] : detail::tensor_checksums(file)) sums[name] = sum;

  file.metadata["format"] = detail::weights_format;
  file.metadata["config"] = config_to_json(config).dump();
  file.metadata["selftest"] = nlohmann::json{{"seed", seed}}.dump();
  file.metadata["checksums"] = sums.dump();
  for (const auto& [key, text] : description) file.metadata[detail::description_prefix + key] = text;
  return write_safetensors(path, file);
}

/// Reads weights from bytes; `name` is what error messages call them. Nothing is half loaded: a parameter that is
/// missing, damaged or of the wrong shape, an entry that is no parameter, or a failing self-test is an error.
template <class Backend = cpu>
result<weights> read_weights(std::span<const std::byte> bytes, const std::string& name = "weights",
                             Backend backend = {}) {
  const auto bad = [&](errc code, const std::string& what) {
    return error(code, detail::printable(name, 1000) + ": " + what);
  };
  const auto file = parse_safetensors(bytes, name);
  if (!file) return file.error();
  const auto format = file->metadata.find("format");
  if (format == file->metadata.end() || format->second != detail::weights_format)
    return bad(errc::unreadable, std::string("not a weights file of this library (format '") +
                                     (format == file->metadata.end() ? "" : detail::printable(format->second)) +
                                     "', expected '" + detail::weights_format + "')");
  const nlohmann::json description = detail::metadata_json(*file, "config");
  if (!description.is_object()) return bad(errc::unreadable, "metadata 'config' is not a JSON object");
  const auto config = config_from_json(description);
  if (!config) return bad(config.error().code(), config.error().message());
  if (config_to_json(*config) != description)
    return bad(errc::wrong_value, "s2_config: a weights file must state every value");
  const nlohmann::json sums = detail::metadata_json(*file, "checksums"),
                       test = detail::metadata_json(*file, "selftest");
  const auto seed = test.is_object() ? test.find("seed") : test.end();
  if (!sums.is_object() || !test.is_object() || seed == test.end() || !seed->is_number_unsigned())
    return bad(errc::unreadable, "metadata 'checksums' or 'selftest' is missing or damaged");

  weights w{*config, {}, {}};
  const manifest m = make_manifest(*config);
  // The tensors bound what a hostile configuration may allocate.
  if (m.size * static_cast<index_t>(sizeof(float)) > static_cast<index_t>(bytes.size()))
    return bad(errc::wrong_shape, std::to_string(bytes.size()) + " bytes, the configuration has " +
                                      std::to_string(m.size) + " parameters");
  w.parameters.resize(static_cast<std::size_t>(m.size));
  const auto found = detail::tensor_checksums(*file);
  std::set<std::string> known{detail::selftest_name};
  for (const parameter& p : m.entries) {
    const auto values = detail::checked_tensor(*file, name, sums, found, p.name, p.shape);
    if (!values) return values.error();
    import_parameter(p, w.parameters.data(), values->data());
    known.insert(p.name);
  }
  for (const tensor_entry& t : file->tensors)
    if (!known.contains(t.name))
      return bad(errc::bad_argument, "tensor '" + detail::printable(t.name) + "' is no parameter of this network");
  const auto expected =
      detail::checked_tensor(*file, name, sums, found, detail::selftest_name, detail::selftest_shape(*config));
  if (!expected) return expected.error();

  const auto output =
      run_selftest(backend, *config, std::span<const float>(w.parameters), *seed->get_ptr<const std::uint64_t*>());
  if (!output) return bad(output.error().code(), output.error().message());
  const double difference = selftest_difference(*output, *expected);
  if (!(difference <= selftest_tolerance)) {
    char text[160];
    std::snprintf(text, sizeof text,
                  "the self-test failed: the network's output differs by %.2g of its largest value, allowed %.2g",
                  difference, selftest_tolerance);
    return bad(errc::unreadable, text);
  }
  for (const auto& [key, text] : file->metadata)
    if (key.starts_with(detail::description_prefix))
      w.description[key.substr(std::char_traits<char>::length(detail::description_prefix))] = text;
  return w;
}

/// Reads a weights file.
template <class Backend = cpu>
result<weights> read_weights(const std::string& path, Backend backend = {}) {
  const auto bytes = read_file(path);
  if (!bytes) return bytes.error();
  return read_weights(std::span<const std::byte>(*bytes), path, backend);
}

}  // namespace unmask::inline UNMASK_ABI::io
