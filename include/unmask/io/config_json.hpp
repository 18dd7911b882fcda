#pragma once

/// s2_config as JSON, strictly: unknown keys, wrong types and contradictions are refused by name.
///   {"bands": 28, "channels": 60, "depths": [6,6,6,6], "heads": [6,6,6,6], "layout": "parallel_concat", ...}
/// The number of stages is the length of `depths`; keys that are left out keep their default.

#include <nlohmann/json.hpp>
#include <string_view>

#include "../models/s2_config.hpp"
#include "input_file.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

template <class Enum>
struct named_value {
  std::string_view name;
  Enum value;
};

inline constexpr named_value<arrangement> arrangement_names[] = {{"parallel_concat", arrangement::parallel_concat},
                                                                 {"parallel_sum", arrangement::parallel_sum},
                                                                 {"spatial_spectral", arrangement::spatial_spectral},
                                                                 {"spectral_spatial", arrangement::spectral_spatial},
                                                                 {"spatial", arrangement::spatial},
                                                                 {"spectral", arrangement::spectral},
                                                                 {"spatial_spatial", arrangement::spatial_spatial},
                                                                 {"spectral_spectral", arrangement::spectral_spectral}};
inline constexpr named_value<mask_effect> effect_names[] = {{"none", mask_effect::none}, {"q", mask_effect::q},
                                                            {"k", mask_effect::k},       {"qk", mask_effect::qk},
                                                            {"v", mask_effect::v},       {"qkv", mask_effect::qkv}};
inline constexpr named_value<spectral_scope> scope_names[] = {{"image", spectral_scope::image},
                                                              {"window", spectral_scope::window}};
inline constexpr named_value<mask_embedding_kind> embedding_names[] = {{"released", mask_embedding_kind::released},
                                                                       {"tile_safe", mask_embedding_kind::tile_safe}};

template <class Enum, std::size_t N>
std::string name_of(Enum value, const named_value<Enum> (&names)[N]) {
  for (const auto& n : names)
    if (n.value == value) return std::string(n.name);
  return "";
}

/// Empty, or what is wrong.
template <class Enum, std::size_t N>
std::string parse_enum(const nlohmann::json& j, Enum& value, const named_value<Enum> (&names)[N]) {
  std::string known;
  for (const auto& n : names) {
    if (j.is_string() && j.get_ref<const std::string&>() == n.name) {
      value = n.value;
      return "";
    }
    known += (known.empty() ? "" : ", ") + std::string(n.name);
  }
  return "is " + j.dump().substr(0, 60) + ", expected one of " + known;
}

inline std::string parse_int(const nlohmann::json& j, int& value) {
  // An unsigned number beyond int64 would compare as a negative one.
  const bool wraps = j.is_number_unsigned() && j.get<std::uint64_t>() > 1000000;
  if (!j.is_number_integer() || wraps || j < -1000000 || j > 1000000)
    return "is " + j.dump().substr(0, 60) + ", expected an integer";
  value = j.get<int>();
  return "";
}

inline std::string parse_list(const nlohmann::json& j, std::array<int, max_stages>& list, int& count) {
  if (!j.is_array() || j.empty() || j.size() > static_cast<std::size_t>(max_stages))
    return "is " + j.dump().substr(0, 60) + ", expected 1 to " + std::to_string(max_stages) + " integers";
  list = {};
  for (std::size_t i = 0; i < j.size(); ++i)
    if (const std::string wrong = parse_int(j[i], list[i]); !wrong.empty()) return "entry " + wrong;
  count = static_cast<int>(j.size());
  return "";
}

}  // namespace detail

inline nlohmann::json config_to_json(const s2_config& c) {
  nlohmann::json depths = nlohmann::json::array(), heads = nlohmann::json::array();
  for (std::size_t i = 0; i < static_cast<std::size_t>(c.stages); ++i) {
    depths.push_back(c.depths[i]);
    heads.push_back(c.heads[i]);
  }
  return {{"bands", c.bands},
          {"channels", c.channels},
          {"depths", depths},
          {"heads", heads},
          {"spectral_head_width", c.spectral_head_width},
          {"window", c.window},
          {"pad_multiple", c.pad_multiple},
          {"shifted", c.shifted},
          {"hidden", c.hidden},
          {"layout", detail::name_of(c.layout, detail::arrangement_names)},
          {"spatial_effect", detail::name_of(c.spatial_effect, detail::effect_names)},
          {"spectral_effect", detail::name_of(c.spectral_effect, detail::effect_names)},
          {"scope", detail::name_of(c.scope, detail::scope_names)},
          {"embedding", detail::name_of(c.embedding, detail::embedding_names)}};
}

/// Keys over the values of `c`, checked.
inline result<s2_config> config_from_json(const nlohmann::json& j, s2_config c = {}) {
  if (!j.is_object()) return error(errc::wrong_value, "network: not a JSON object");
  int depths = c.stages, heads = c.stages;
  for (const auto& item : j.items()) {
    const std::string& key = item.key();
    const nlohmann::json& v = item.value();
    std::string wrong;
    if (key == "bands")
      wrong = detail::parse_int(v, c.bands);
    else if (key == "channels")
      wrong = detail::parse_int(v, c.channels);
    else if (key == "depths")
      wrong = detail::parse_list(v, c.depths, depths);
    else if (key == "heads")
      wrong = detail::parse_list(v, c.heads, heads);
    else if (key == "spectral_head_width")
      wrong = detail::parse_int(v, c.spectral_head_width);
    else if (key == "window")
      wrong = detail::parse_int(v, c.window);
    else if (key == "pad_multiple")
      wrong = detail::parse_int(v, c.pad_multiple);
    else if (key == "hidden")
      wrong = detail::parse_int(v, c.hidden);
    else if (key == "layout")
      wrong = detail::parse_enum(v, c.layout, detail::arrangement_names);
    else if (key == "spatial_effect")
      wrong = detail::parse_enum(v, c.spatial_effect, detail::effect_names);
    else if (key == "spectral_effect")
      wrong = detail::parse_enum(v, c.spectral_effect, detail::effect_names);
    else if (key == "scope")
      wrong = detail::parse_enum(v, c.scope, detail::scope_names);
    else if (key == "embedding")
      wrong = detail::parse_enum(v, c.embedding, detail::embedding_names);
    else if (key == "shifted" && v.is_boolean())
      c.shifted = v.get<bool>();
    else if (key == "shifted")
      wrong = "is " + v.dump().substr(0, 60) + ", expected true or false";
    else
      return error(errc::bad_argument, "network: unknown key '" + detail::printable(key, 60) + "'");
    if (!wrong.empty()) return error(errc::wrong_value, "network: '" + key + "' " + wrong);
  }
  if (depths != heads)
    return error(errc::wrong_shape,
                 "network: depths has " + std::to_string(depths) + " entries, heads has " + std::to_string(heads));
  c.stages = depths;
  if (auto ok = check(c); !ok) return ok.error();
  return c;
}

}  // namespace unmask::inline UNMASK_ABI::io
