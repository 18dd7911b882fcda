#pragma once

/// Configuration and model as JSON in a file's metadata, read without heap and as strictly as io/config_json.hpp and
/// io/model_json.hpp do: every key must be there, once, and no other.

#include <algorithm>
#include <span>
#include <type_traits>

#include "../models/fields.hpp"
#include "../models/model.hpp"
#include "json_reader.hpp"
#include "verdict.hpp"

namespace unmask::inline UNMASK_ABI::weights::detail {

/// Visits the fields of a configuration (models/fields.hpp) for one key of the JSON: the field of that name takes the
/// value. Names without a key are found at the end.
class field_reader {
 public:
  explicit field_reader(json_reader& json) : json_(json) {}

  /// Before each visit; an empty key takes nothing and tells `complete` only.
  void begin(std::string_view key) {
    key_ = key;
    next_ = 0;
    matched_ = false;
    complete_ = true;
  }
  bool matched() const { return matched_; }      ///< a field has that name, for the first time
  bool complete() const { return complete_; }    ///< every field had its key
  bool consistent() const { return agreeing_; }  ///< lists of one count are as long as each other

  [[gnu::cold]] void operator()(const char* name, int& value, field_range range) {
    if (!take(name, range.younger)) return;
    json_.integer(value);
    if (range.younger && value == 0) matched_ = false;  // no file states it
  }
  [[gnu::cold]] void operator()(const char* name, bool& value) {
    if (take(name, false)) json_.boolean(value);
  }
  template <class Enum, std::size_t N>
  requires std::is_enum_v<Enum>
  [[gnu::cold]] void operator()(const char* name, Enum& value, const named_value<Enum> (&names)[N]) {
    std::string_view found;
    if (!take(name, false) || !json_.string(found)) return;
    matched_ = false;
    for (const auto& n : names)
      if (n.name == found) value = n.value, matched_ = true;
  }
  [[gnu::cold]] void operator()(const char* name, const field_list<int>& to, field_range) {
    if (!take(name, false)) return;
    int length = 0;
    std::fill_n(to.values, to.capacity, 0);
    for (bool more = json_.array(); more && json_.element(); ++length) {
      if (length == to.capacity) return void(matched_ = false);
      json_.integer(to.values[length]);
    }
    const bool known = std::find(counts_, counts_ + known_, to.count) != counts_ + known_;
    agreeing_ = agreeing_ && (known ? *to.count == length : known_ < max_counts);
    if (known || known_ == max_counts) return;
    counts_[known_++] = to.count;
    *to.count = length;
  }

 private:
  static constexpr int max_counts = 4;

  [[gnu::cold]] bool take(const char* name, bool optional) {
    const std::uint64_t bit = std::uint64_t{1} << (next_++ & 63);
    if (!key_.empty() && key_ == name && !(seen_ & bit)) {
      seen_ |= bit;
      return matched_ = true;
    }
    complete_ = complete_ && (optional || (seen_ & bit));
    return false;
  }

  json_reader& json_;
  std::string_view key_{};
  unsigned next_ = 0;
  std::uint64_t seen_ = 0;
  bool matched_ = false, complete_ = true, agreeing_ = true;
  const int* counts_[max_counts] = {};
  int known_ = 0;
};

/// Only what a file says of each field; whether it can be built is the network's `check`.
template <class Config>
[[gnu::cold]] verdict read_config(std::string_view text, Config& config) {
  if (text.size() > 65536) return verdict::refuse(errc::unreadable, "metadata 'config' is %zu bytes long", text.size());
  json_reader json(text);
  field_reader read(json);
  std::string_view key;
  for (bool more = json.object(); more && json.key(key);) {
    read.begin(key);
    if (!key.empty()) visit_fields(read, config);
    const shown name(key);
    if (!read.matched() || !json.fine())
      return verdict::refuse(errc::wrong_value, "network: key '%.*s' is unknown, there twice, or has a wrong value",
                             name.size, name.text);
  }
  if (!json.finished()) return verdict::refuse(errc::unreadable, "metadata 'config' is not a JSON object");
  if (!read.consistent()) return verdict::refuse(errc::wrong_shape, "network: lists of one count differ in length");
  read.begin({});
  visit_fields(read, config);
  if (!read.complete()) return verdict::refuse(errc::wrong_value, "network: a weights file must state every value");
  return {};
}

/// What a model says beside its network.
struct model_words {
  initial_kind kind = initial_kind::hm;
  int step = 0;
  dispersion_direction direction = dispersion_direction::right;
  std::span<const double> wavelengths{};
  std::array<float, 2> range{0, 1};
};

/// `room`: where wavelengths go; more than it holds are refused.
[[gnu::cold]] inline verdict read_words(std::string_view text, std::span<double> room, model_words& m) {
  const auto refuse = [](std::string_view key) {
    const shown name(key);
    return verdict::refuse(errc::wrong_value, "model: key '%.*s' is unknown, there twice, or has a wrong value",
                           name.size, name.text);
  };
  constexpr std::array<std::string_view, 5> keys{"initial", "direction", "dispersion_step", "wavelengths", "range"};
  std::array<bool, 5> there{};
  json_reader json(text);
  std::string_view key, word;
  const auto find = [&](const auto& names) {
    return static_cast<std::size_t>(json.string(word) ? std::find(names.begin(), names.end(), word) - names.begin()
                                                      : std::ssize(names));
  };
  const auto numbers = [&](auto&& put, std::size_t most) {
    std::size_t count = 0;
    double value = 0;
    for (bool more = json.array(); more && json.element();) {
      if (count == most) return most + 1;
      if (json.number(value)) put(count++, value);
    }
    return count;
  };
  for (bool more = json.object(); more && json.key(key);) {
    const auto which = static_cast<std::size_t>(std::find(keys.begin(), keys.end(), key) - keys.begin());
    if (which == keys.size() || there[which]) return refuse(key);
    there[which] = true;
    bool right = true;
    if (which == 0) {
      const std::size_t kind = find(initial_names);
      right = kind < initial_names.size();
      if (right) m.kind = static_cast<initial_kind>(kind);
    } else if (which == 1) {
      const std::size_t direction = find(dispersion_names);
      right = direction < dispersion_names.size();
      if (right) m.direction = static_cast<dispersion_direction>(direction);
    } else if (which == 2) {
      right = json.integer(m.step) && m.step >= 0 && m.step <= 65536;
    } else if (which == 3) {
      const std::size_t count = numbers([&](std::size_t i, double nm) { room[i] = nm; }, room.size());
      right = count <= room.size();
      if (right) m.wavelengths = room.first(count);
    } else {
      const auto put = [&](std::size_t i, double value) {
        const bool fits = value >= -3.4e38 && value <= 3.4e38;
        right = right && fits;
        m.range[i] = fits ? static_cast<float>(value) : 0;
      };
      const bool both = numbers(put, 2) == 2;
      right = right && both && m.range[0] < m.range[1];
    }
    if (!right || !json.fine()) return refuse(key);
  }
  if (!json.finished()) return verdict::refuse(errc::unreadable, "metadata 'model' is not a JSON object");
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (!there[i]) return verdict::refuse(errc::not_found, "model: '%s' is missing", keys[i].data());
  for (std::size_t i = 0; i < m.wavelengths.size(); ++i)
    if (!(m.wavelengths[i] > (i == 0 ? 0 : m.wavelengths[i - 1])) || !(m.wavelengths[i] < 1e6))
      return verdict::refuse(errc::wrong_value, "wavelengths are not ascending numbers of nm");
  return {};
}

}  // namespace unmask::inline UNMASK_ABI::weights::detail
