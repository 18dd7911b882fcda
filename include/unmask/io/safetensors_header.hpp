#pragma once

/// The JSON header of a safetensors file. It is hostile until proven: every length, offset, shape and name is checked
/// before anything is allocated.

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "input_file.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct tensor_entry {
  std::string name;
  std::string dtype;  ///< "F32", "F64", "F16", "BF16", "I64", ...
  std::vector<index_t> shape;
  std::vector<std::byte> bytes;  ///< little-endian, row-major
};

struct safetensors {
  std::map<std::string, std::string> metadata;
  std::vector<tensor_entry> tensors;  ///< in the order of their data

  const tensor_entry* find(std::string_view name) const {
    for (const tensor_entry& t : tensors)
      if (t.name == name) return &t;
    return nullptr;
  }
};

/// The format's own limit of a header.
inline constexpr std::uint64_t max_safetensors_header = 100'000'000;

namespace detail {

/// Bytes of one element; 0: not a type of the format.
inline std::uint64_t dtype_size(std::string_view dtype) {
  using row = std::pair<std::string_view, std::uint64_t>;
  constexpr std::array<row, 15> sizes{row{"F64", 8},     row{"F32", 4},     row{"F16", 2}, row{"BF16", 2},
                                      row{"F8_E4M3", 1}, row{"F8_E5M2", 1}, row{"I64", 8}, row{"I32", 4},
                                      row{"I16", 2},     row{"I8", 1},      row{"U64", 8}, row{"U32", 4},
                                      row{"U16", 2},     row{"U8", 1},      row{"BOOL", 1}};
  for (const auto& [name, size] : sizes)
    if (name == dtype) return size;
  return 0;
}

/// Brackets never nest deeper than 3 in a valid header; a deeper one is refused before the parser builds it.
inline bool nests_deeper(std::string_view text, int limit) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > limit) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

/// Parses JSON whose keys must be unique; `twice` names the first key that is not. A discarded value: not JSON.
inline nlohmann::json parse_unique(std::string_view text, std::string& twice) {
  using nlohmann::json;
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.empty()) {
      const auto* key = value.get_ptr<const json::string_t*>();
      if (key && !keys.back().insert(*key).second && twice.empty()) twice = *key;
    }
    return true;
  };
  return json::parse(text.begin(), text.end(), watch, false);
}

struct tensor_extent {
  std::uint64_t begin = 0, end = 0;
};

/// One header entry; an empty string where it is right, else what is wrong with it.
inline std::string parse_entry(const nlohmann::json& j, std::uint64_t data_size, tensor_entry& t, tensor_extent& at) {
  using nlohmann::json;
  if (!j.is_object()) return "is not a JSON object";
  for (const auto& item : j.items())
    if (item.key() != "dtype" && item.key() != "shape" && item.key() != "data_offsets")
      return "has an unknown key '" + printable(item.key()) + "'";
  const auto dtype = j.find("dtype"), shape = j.find("shape"), offsets = j.find("data_offsets");
  if (dtype == j.end() || !dtype->is_string()) return "has no dtype";
  t.dtype = *dtype->get_ptr<const json::string_t*>();
  const std::uint64_t size = dtype_size(t.dtype);
  if (size == 0) return "has the unknown dtype '" + printable(t.dtype) + "'";
  if (shape == j.end() || !shape->is_array() || shape->size() > 16) return "has no shape";
  std::uint64_t elements = 1;
  for (const json& e : *shape) {
    const auto* n = e.get_ptr<const json::number_unsigned_t*>();
    if (!n) return "has a shape that is not made of sizes";
    // Each extent too: beside a 0 the product says nothing.
    constexpr auto most = static_cast<std::uint64_t>(max_elements);
    if (*n > most || (*n != 0 && elements > most / *n)) return "claims more than 2^33 elements";
    elements *= *n;
    t.shape.push_back(static_cast<index_t>(*n));
  }
  if (offsets == j.end() || !offsets->is_array() || offsets->size() != 2) return "has no data_offsets";
  const auto* begin = (*offsets)[0].get_ptr<const json::number_unsigned_t*>();
  const auto* end = (*offsets)[1].get_ptr<const json::number_unsigned_t*>();
  if (!begin || !end || *begin > *end) return "has data_offsets that are not two growing positions";
  if (*end > data_size)
    return "ends at byte " + std::to_string(*end) + " of the data, the file has " + std::to_string(data_size);
  if (*end - *begin != elements * size)
    return "has " + std::to_string(*end - *begin) + " bytes, " + t.dtype + " [" + shape_text(t.shape) + "] needs " +
           std::to_string(elements * size);
  at = {*begin, *end};
  return {};
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::io
