#pragma once

/// JSON as text and text as JSON, whatever bytes come in: names of files and attributes need not be UTF-8, and what a
/// person wrote may nest 90,000 deep or say the same key twice.

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "../core/config.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// Never throws: bytes that are no UTF-8 become the replacement character. `indent`: -1 is one line.
inline std::string json_text(const nlohmann::json& value, int indent = -1) {
  return value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Whether a text is UTF-8 (RFC 3629), which JSON is made of.
inline bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u; };
    const unsigned first = byte(i);
    const std::size_t more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : (first & 0xf0u) == 0xe0 ? 2 : 3;
    if (first >= 0x80 && (first < 0xc2 || first > 0xf4)) return false;
    for (std::size_t k = 1; k <= more; ++k)
      if ((byte(i + k) & 0xc0u) != 0x80) return false;
    const unsigned second = byte(i + 1);  // overlong forms, halves of pairs, beyond U+10FFFF
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
        (first == 0xf4 && second > 0x8f))
      return false;
    i += more + 1;
  }
  return true;
}

/// A text as JSON has it: bytes that are no UTF-8 become the replacement character.
inline std::string as_utf8(const std::string& text) {
  return is_utf8(text) ? text : nlohmann::json::parse(json_text(text)).get<std::string>();
}

namespace detail {

/// Walks over JSON text and builds nothing: the first key that an object has twice, and how deep it nests. Time and
/// memory are linear in the text.
class json_watch {
 public:
  using json = nlohmann::json;

  explicit json_watch(std::size_t deepest) : deepest_(deepest) {}

  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(json::number_integer_t) { return true; }
  bool number_unsigned(json::number_unsigned_t) { return true; }
  bool number_float(json::number_float_t, const json::string_t&) { return true; }
  bool string(json::string_t&) { return true; }
  bool binary(json::binary_t&) { return true; }
  bool start_object(std::size_t) { return enter(); }
  bool start_array(std::size_t) { return enter(); }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }
  bool key(json::string_t& name) {
    if (!keys_.back().insert(name).second && twice_.empty()) twice_ = name;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) { return false; }

  const std::string& twice() const { return twice_; }

 private:
  bool enter() {
    keys_.emplace_back();
    return keys_.size() <= deepest_;
  }
  bool leave() {
    keys_.pop_back();
    return true;
  }

  std::size_t deepest_;
  std::vector<std::set<std::string>> keys_;
  std::string twice_;
};

/// Parses JSON that nests at most `deepest` brackets and whose keys must be unique; `twice` names the first key that is
/// not. A discarded value: not JSON, or deeper.
inline nlohmann::json parse_unique(std::string_view text, std::string& twice, std::size_t deepest = 32) {
  json_watch watch(deepest);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &watch))
    return nlohmann::json(nlohmann::json::value_t::discarded);
  twice = watch.twice();
  return nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::io
