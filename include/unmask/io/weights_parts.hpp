#pragma once

/// The parts of a weights file, metadata and checked tensors, in both forms:
///   "unmask weights 1"   an S2-Transformer; what the model was trained for is in words among `description.*`
///   "unmask weights 2"   `architecture` names the network class, `model` is model_json.hpp, `card.*` is for people,
///   and
///                        spectral TV's basis is a tensor. A reader of the first form refuses it, as it must: it would
///                        start the network from HM.
/// Both: `config` with every value of the configuration, `checksums` of all tensors and, under the name `__metadata__`
/// that no tensor can have, of the rest of the metadata, `selftest`. Files from before that have no sum of the
/// metadata: a bit that flips in the name of that sum leaves a file that is right, any other is noticed.

#include <cmath>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../core/finite.hpp"
#include "checksum.hpp"
#include "model_json.hpp"
#include "safetensors.hpp"
#include "weights_rounded.hpp"
#include "weights_selftest.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

inline constexpr const char *weights_format = "unmask weights 2", *first_format = "unmask weights 1";
inline constexpr const char *selftest_name = "selftest.output", *basis_name = "initial.spectral_basis";
inline constexpr const char *card_prefix = "card.", *description_prefix = "description.";
inline constexpr const char *sums_name = "checksums", *metadata_name = "__metadata__";

inline std::vector<index_t> selftest_shape(index_t bands) { return {selftest_side, selftest_side, bands}; }

inline bool all_finite(std::span<const float> values) {
  for (const float x : values)
    if (!is_finite(x)) return false;
  return true;
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

/// The checksum of all metadata but the checksums, each text behind its length.
inline std::string metadata_checksum(const safetensors& file) {
  std::string all;
  for (const auto& [key, text] : file.metadata)
    if (key != sums_name) all += std::to_string(key.size()) + " " + key + std::to_string(text.size()) + " " + text;
  return checksum(std::as_bytes(std::span(all)));
}

/// Puts the checksums of tensors and metadata into a file, the last that is done to it.
inline void seal(safetensors& file) {
  auto sums = nlohmann::json(tensor_checksums(file));
  sums[metadata_name] = metadata_checksum(file);
  file.metadata[sums_name] = json_text(sums);
}

class weights_parts {
 public:
  nlohmann::json config;
  std::uint64_t seed = 0;  ///< of the self-test

  /// `file` must outlive the parts. Errors: another format or architecture, metadata that is missing or damaged.
  static result<weights_parts> open(const safetensors& file, std::string_view architecture) {
    weights_parts parts(file);
    const std::string format = parts.text("format");
    parts.first_ = format == first_format;
    if (!parts.first_ && format != weights_format)
      return error(errc::unreadable, "not a weights file of this library (format '" + printable(format) +
                                         "', expected '" + weights_format + "')");
    const std::string found = parts.first_ ? "S2-Transformer" : parts.text("architecture");
    if (found != architecture)
      return error(errc::bad_argument,
                   "weights of a network '" + printable(found) + "', expected '" + std::string(architecture) + "'");
    parts.config = parts.object("config");
    if (!parts.config.is_object()) return error(errc::unreadable, "metadata 'config' is not a JSON object");
    parts.sums_ = parts.object(sums_name);
    const nlohmann::json test = parts.object("selftest");
    const auto number = test.is_object() ? test.find("seed") : test.end();
    if (!parts.sums_.is_object() || !test.is_object() || number == test.end() || !number->is_number_unsigned())
      return error(errc::unreadable, "metadata 'checksums' or 'selftest' is missing or damaged");
    parts.seed = number->get<std::uint64_t>();
    parts.found_ = tensor_checksums(file);
    for (const tensor_entry& t : file.tensors) parts.tensors_.emplace(t.name, &t);
    return parts;
  }

  /// The values of a tensor that must be there, be F32 or F16 (a parameter may be I8 beside its scales) of a given
  /// shape, match its checksum and be finite.
  result<std::vector<float>> tensor(const std::string& name, const std::vector<index_t>& shape) {
    known_.insert(name);
    const std::string what = "parameter '" + name + "' ";
    const tensor_entry* t = find(name);
    if (!t) return error(errc::not_found, what + "is missing");
    const bool of_network = name != selftest_name && name != basis_name && !name.ends_with(scale_suffix);
    const bool bytes = t->dtype == "I8" && of_network && !shape.empty();
    const bool half = t->dtype == "F16" && (of_network || name == basis_name);
    if (t->shape != shape || (t->dtype != "F32" && !half && !bytes))
      return error(errc::wrong_shape, what + "is " + t->dtype + " [" + shape_text(t->shape) + "], expected F32 [" +
                                          shape_text(shape) + "]");
    const auto sum = sums_.find(name);
    if (sum == sums_.end() || *sum != found_.at(name))
      return error(errc::unreadable, what + "is damaged (its checksum does not match)");
    auto scales = bytes ? tensor(name + scale_suffix, {shape[0]}) : result<std::vector<float>>(std::vector<float>());
    if (!scales) return scales;
    auto values = bytes ? result<std::vector<float>>(scaled(*t, *scales)) : to_floats(*t);
    if (values && !all_finite(*values)) return error(errc::wrong_value, what + "has a value that is NaN or infinite");
    return values;
  }

  /// Everything of a model but its network. Its configuration must be set.
  template <class Config>
  result<> describe(basic_model<Config>& m) {
    const std::string prefix = first_ ? description_prefix : card_prefix;
    for (const auto& [key, value] : file_->metadata)
      if (key.starts_with(prefix)) m.card[key.substr(prefix.size())] = value;
    if (first_) return model_from_description(m);
    const nlohmann::json j = object("model");
    if (!j.is_object()) return error(errc::unreadable, "metadata 'model' is not a JSON object");
    if (auto ok = model_from_json(j, m); !ok) return ok;
    if (m.initial.kind != initial_kind::spectral_tv) return {};
    const tensor_entry* t = find(basis_name);
    const index_t rank = t && t->shape.size() == 2 ? t->shape[0] : 1;
    auto values = tensor(basis_name, {rank, m.config.bands});
    if (!values) return values.error();
    m.initial.spectral_basis = unmask::tensor<float, 2>({rank, m.config.bands});
    std::copy(values->begin(), values->end(), m.initial.spectral_basis.begin());
    return {};
  }

  /// Whether the metadata is what was written, as far as the file can tell.
  result<> check_metadata() const {
    const auto sum = sums_.find(metadata_name);
    if (sum == sums_.end() || *sum == metadata_checksum(*file_)) return {};
    return error(errc::unreadable, "the metadata is damaged (its checksum does not match)");
  }

  /// A tensor that nobody asked for; empty if there is none.
  std::string unknown_tensor() const {
    for (const tensor_entry& t : file_->tensors)
      if (!known_.contains(t.name)) return printable(t.name);
    return "";
  }

 private:
  explicit weights_parts(const safetensors& file) : file_(&file) {}

  const tensor_entry* find(const std::string& name) const {
    const auto at = tensors_.find(name);
    return at == tensors_.end() ? nullptr : at->second;
  }
  std::string text(const std::string& key) const {
    const auto at = file_->metadata.find(key);
    return at == file_->metadata.end() ? "" : at->second;
  }
  /// A metadata string that holds a JSON object; anything else comes back as null.
  nlohmann::json object(const std::string& key) const {
    const std::string whole = text(key);
    if (nests_deeper(whole, 2)) return nullptr;
    std::string twice;
    const nlohmann::json j = parse_unique(whole, twice);
    return j.is_object() && twice.empty() ? j : nlohmann::json();
  }

  const safetensors* file_;
  bool first_ = false;
  nlohmann::json sums_;
  std::map<std::string, std::string> found_;
  std::map<std::string_view, const tensor_entry*> tensors_;
  std::set<std::string> known_;
};

}  // namespace unmask::inline UNMASK_ABI::io::detail
