#pragma once

/// An architecture's configuration as JSON, strictly: unknown keys, wrong types and contradictions are refused by name.
///   {"bands": 28, "channels": 60, "depths": [6,6,6,6], "heads": [6,6,6,6], "layout": "parallel_concat", ...}
/// Keys are those of `visit_fields` (models/fields.hpp); how many a list has says its count; keys that are left out
/// keep their default.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "../models/fields.hpp"
#include "../models/s2_config.hpp"
#include "input_file.hpp"
#include "json_text.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

/// "is 60.5, expected an integer"
inline std::string is_not(const nlohmann::json& j, const std::string& expected) {
  return "is " + printable(json_text(j), 60) + ", expected " + expected;
}

/// Empty, or what is wrong.
inline std::string parse_int(const nlohmann::json& j, int& value) {
  // An unsigned number beyond int64 would compare as a negative one.
  const bool wraps = j.is_number_unsigned() && j.get<std::uint64_t>() > 1000000;
  if (!j.is_number_integer() || wraps || j < -1000000 || j > 1000000) return is_not(j, "an integer");
  value = j.get<int>();
  return "";
}

class fields_to_json {
 public:
  void operator()(const char* name, int value, field_range range) {
    if (value != 0 || !range.younger) json[name] = value;
  }
  void operator()(const char* name, bool value) { json[name] = value; }
  template <class Enum, std::size_t N>
  requires std::is_enum_v<Enum>
  void operator()(const char* name, Enum value, const named_value<Enum> (&names)[N]) {
    json[name] = std::string(name_of(value, names));
  }
  void operator()(const char* name, const field_list<const int>& list, field_range) {
    json[name] = std::vector<int>(list.values, list.values + *list.count);
  }
  nlohmann::json json = nlohmann::json::object();
};

/// Takes the values of an object; the first thing that is wrong stays.
class fields_from_json {
 public:
  explicit fields_from_json(const nlohmann::json& json) : json_(json) {}

  void operator()(const char* name, int& value, field_range) {
    if (const auto* j = find(name)) note(name, parse_int(*j, value));
  }
  void operator()(const char* name, bool& value) {
    const auto* j = find(name);
    if (j && !j->is_boolean()) return note(name, is_not(*j, "true or false"));
    if (j) value = j->get<bool>();
  }
  template <class Enum, std::size_t N>
  requires std::is_enum_v<Enum>
  void operator()(const char* name, Enum& value, const named_value<Enum> (&names)[N]) {
    const auto* j = find(name);
    if (!j) return;
    for (const auto& n : names)
      if (j->is_string() && j->get_ref<const std::string&>() == n.name) return void(value = n.value);
    note(name, is_not(*j, "one of " + list_names(names)));
  }
  void operator()(const char* name, const field_list<int>& to, field_range) {
    const auto* j = find(name);
    if (!j) return lists_.push_back({name, *to.count, to.count});
    if (!j->is_array() || j->empty() || j->size() > static_cast<std::size_t>(to.capacity))
      return note(name, is_not(*j, "1 to " + std::to_string(to.capacity) + " integers"));
    std::fill_n(to.values, to.capacity, 0);
    for (std::size_t i = 0; i < j->size(); ++i)
      if (const std::string wrong = parse_int((*j)[i], to.values[i]); !wrong.empty())
        return note(name, "entry " + wrong);
    lists_.push_back({name, static_cast<int>(j->size()), to.count});
  }

  /// After the visit: sets what lists share, and tells what was wrong.
  result<> finish() {
    for (const auto& item : json_.items())
      if (!known_.contains(item.key()))
        return error(errc::bad_argument, "network: unknown key '" + printable(item.key(), 60) + "'");
    if (!first_) return first_;
    for (const list& l : lists_) {
      for (const list& other : lists_)
        if (other.count == l.count && other.length != l.length)
          return error(errc::wrong_shape, std::string("network: ") + l.name + " has " + std::to_string(l.length) +
                                              " entries, " + other.name + " has " + std::to_string(other.length));
    }
    for (const list& l : lists_) *l.count = l.length;
    return {};
  }

 private:
  struct list {
    const char* name;
    int length;
    int* count;
  };
  const nlohmann::json* find(const char* name) {
    known_.insert(name);
    const auto at = json_.find(name);
    return at == json_.end() ? nullptr : &*at;
  }
  void note(const char* name, const std::string& wrong) {
    if (first_ && !wrong.empty()) first_ = error(errc::wrong_value, std::string("network: '") + name + "' " + wrong);
  }

  const nlohmann::json& json_;
  std::set<std::string> known_;
  std::vector<list> lists_;
  result<> first_;
};

}  // namespace detail

template <class Config>
nlohmann::json config_to_json(const Config& c) {
  detail::fields_to_json visitor;
  visit_fields(visitor, c);
  return visitor.json;
}
inline nlohmann::json config_to_json(const s2_config& c) { return config_to_json<s2_config>(c); }

/// Keys over the values of `c`, checked.
template <class Config = s2_config>
result<Config> config_from_json(const nlohmann::json& j, Config c = {}) {
  if (!j.is_object()) return error(errc::wrong_value, "network: not a JSON object");
  detail::fields_from_json visitor(j);
  visit_fields(visitor, c);
  if (auto ok = visitor.finish(); !ok) return ok.error();
  if (auto ok = check(c); !ok) return ok.error();
  return c;
}

}  // namespace unmask::inline UNMASK_ABI::io
