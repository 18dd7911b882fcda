#pragma once

/// A trained model (models/model.hpp) as one safetensors file: every parameter under its manifest name and in file
/// order, architecture and configuration, what the model starts from and was trained for, a card for people, a checksum
/// for each tensor and a self-test that is replayed on load.
///
///   auto m = io::read_weights("model.safetensors");   // or from bytes in the executable
///   if (!m) return report(m.error().message());
///   if (auto ok = fits(*m, bands, step, direction); !ok) return report(ok.error().message());
///   auto s = session<s2_network<float, cpu>>::create({.threads = 4}, m->config, m->parameters, height, width, mask);
///
/// Both take the network class, s2_network<float, cpu> where nothing else is said. Include <unmask/unmask.hpp> as well:
/// the self-test runs the kernels of the backend. Files of the first form are read; the second is written.

#include <set>
#include <span>

#include "../models/model.hpp"
#include "checksum.hpp"
#include "model_json.hpp"
#include "safetensors.hpp"
#include "weights_parts.hpp"
#include "weights_selftest.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// What a network class makes files of.
template <Model N>
using model_of = basic_model<typename N::config_type>;

/// How parameters are stored. What the self-test expects is of the values as they are stored.
enum class weights_precision {
  single,
  half,   ///< rounded to the nearest half: half the file
  bytes,  ///< matrices and convolutions as integers of 8 bits with a scale for each output channel, the rest as halves
};

/// Writes a weights file atomically. The self-test runs here once to learn what to expect.
/// Errors: a model that contradicts itself, NaN (by name), a value beyond what a half can be, a file that cannot be
/// written.
template <Model N = s2_network<float, cpu>>
result<> write_weights(const std::string& path, const model_of<N>& m, typename N::backend_type backend = {},
                       weights_precision precision = weights_precision::single) {
  const auto bad = [&](const error& e) { return error(e.code(), path + ": " + e.message()); };
  if (auto fine = N::check(m.config); !fine) return fine.error();
  if (auto fine = check(m); !fine) return bad(fine.error());
  const manifest list = N::manifest(m.config);
  if (static_cast<index_t>(m.parameters.size()) != list.size)
    return error(errc::wrong_shape, path + ": " + std::to_string(m.parameters.size()) +
                                        " parameters, the configuration has " + std::to_string(list.size));
  safetensors file;
  std::vector<float> parameters = m.parameters;
  for (const parameter& p : list.entries) {
    std::vector<float> values(static_cast<std::size_t>(p.size));
    export_parameter(p, m.parameters.data(), values.data());
    if (detail::all_finite(values) && precision != weights_precision::single)
      values = detail::add_rounded(file, p, values, precision == weights_precision::bytes && p.shape.size() > 1);
    if (!detail::all_finite(values))
      return error(errc::wrong_value,
                   path + ": parameter '" + p.name + "' has a value that is NaN or infinite, not written");
    if (precision == weights_precision::single) file.tensors.push_back(make_tensor(p.name, p.shape, values));
    import_parameter(p, parameters.data(), values.data());
  }
  if (const auto& basis = m.initial.spectral_basis; basis.size() > 0)
    file.tensors.push_back(make_tensor(detail::basis_name, {basis.extent(0), basis.extent(1)},
                                       std::vector<float>(basis.begin(), basis.end())));
  const std::uint64_t seed = 1;
  const auto output = run_selftest<N>(backend, m.config, parameters, seed);
  if (!output) return bad(output.error());
  if (!detail::all_finite(*output))
    return error(errc::wrong_value, path + ": the network's output in the self-test is not finite, not written");
  file.tensors.push_back(make_tensor(detail::selftest_name, detail::selftest_shape(m.config.bands), *output));
  file.metadata["format"] = detail::weights_format;
  file.metadata["architecture"] = N::architecture;
  file.metadata["config"] = config_to_json(m.config).dump();
  file.metadata["model"] = model_to_json(m).dump();
  file.metadata["selftest"] = nlohmann::json{{"seed", seed}}.dump();
  for (const auto& [key, text] : m.card) file.metadata[as_utf8(detail::card_prefix + key)] = as_utf8(text);
  detail::seal(file);
  return write_safetensors(path, file);
}

/// Reads weights from bytes; `name` is what error messages call them. Nothing is half loaded: a parameter that is
/// missing, damaged or of the wrong shape, an entry that is no parameter, a model that contradicts itself, a self-test
/// that costs too much for the file or fails is an error.
template <Model N = s2_network<float, cpu>>
result<model_of<N>> read_weights(std::span<const std::byte> bytes, const std::string& name = "weights",
                                 typename N::backend_type backend = {}) {
  const auto bad = [&](errc code, const std::string& what) {
    return error(code, detail::printable(name, 1000) + ": " + what);
  };
  const auto parsed = parse_safetensors(bytes, name);
  if (!parsed) return parsed.error();
  auto file = detail::weights_parts::open(*parsed, N::architecture);
  if (!file) return bad(file.error().code(), file.error().message());
  model_of<N> m;
  const auto config = config_from_json<typename N::config_type>(file->config);
  if (!config) return bad(config.error().code(), config.error().message());
  if (config_to_json(*config) != file->config)
    return bad(errc::wrong_value, "s2_config: a weights file must state every value");
  m.config = *config;
  const manifest list = N::manifest(m.config);
  // The tensors, a byte a parameter at least, bound what a hostile configuration may allocate.
  if (list.size > static_cast<index_t>(bytes.size()))
    return bad(errc::wrong_shape, std::to_string(bytes.size()) + " bytes, the configuration has " +
                                      std::to_string(list.size) + " parameters");
  if (auto ok = check_selftest_cost<N>(backend, m.config, list.size); !ok)
    return bad(ok.error().code(), ok.error().message());
  m.parameters.resize(static_cast<std::size_t>(list.size));
  for (const parameter& p : list.entries) {
    const auto values = file->tensor(p.name, p.shape);
    if (!values) return bad(values.error().code(), values.error().message());
    import_parameter(p, m.parameters.data(), values->data());
  }
  if (auto ok = file->describe(m); !ok) return bad(ok.error().code(), ok.error().message());
  const auto expected = file->tensor(detail::selftest_name, detail::selftest_shape(m.config.bands));
  if (!expected) return bad(expected.error().code(), expected.error().message());
  if (const auto foreign = file->unknown_tensor(); !foreign.empty())
    return bad(errc::bad_argument, "tensor '" + foreign + "' is no parameter of this network");
  if (auto ok = check(m); !ok) return bad(ok.error().code(), ok.error().message());
  if (auto ok = file->check_metadata(); !ok) return bad(ok.error().code(), ok.error().message());

  const auto output = run_selftest<N>(backend, m.config, m.parameters, file->seed);
  if (!output) return bad(output.error().code(), output.error().message());
  const double difference = selftest_difference(*output, *expected);
  if (difference <= selftest_tolerance) return m;
  char text[160];
  std::snprintf(text, sizeof text,
                "the self-test failed: the network's output differs by %.2g of its largest value, allowed %.2g",
                difference, selftest_tolerance);
  return bad(errc::unreadable, text);
}

/// Reads a weights file.
template <Model N = s2_network<float, cpu>>
result<model_of<N>> read_weights(const std::string& path, typename N::backend_type backend = {}) {
  const auto bytes = read_file(path);
  if (!bytes) return bytes.error();
  return read_weights<N>(std::span<const std::byte>(*bytes), path, backend);
}

}  // namespace unmask::inline UNMASK_ABI::io
