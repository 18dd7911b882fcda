#pragma once

/// The text of an ENVI header: its fields, and which two files belong together.

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <string>
#include <vector>

#include "raw_numbers.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

inline std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n"), last = text.find_last_not_of(" \t\r\n");
  return first == std::string_view::npos ? "" : std::string(text.substr(first, last - first + 1));
}

/// Lower-case keys and their values; a value in braces may go over several lines. `twice`: keys with two values.
inline std::map<std::string, std::string> envi_fields(std::string_view text, std::vector<std::string>& twice) {
  std::map<std::string, std::string> fields;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    const std::size_t equals = line.find('=');
    std::size_t next = std::min(end + 1, text.size());
    if (equals != std::string_view::npos && line[0] != ';') {
      std::string key = trimmed(line.substr(0, equals));
      for (char& c : key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      std::string_view value = line.substr(equals + 1);
      if (trimmed(value).starts_with('{')) {
        const std::size_t open = text.find('{'), close = text.find('}');
        value = text.substr(open + 1, close == std::string_view::npos ? close : close - open - 1);
        next = close == std::string_view::npos ? text.size() : std::min(text.find('\n', close), text.size() - 1) + 1;
      }
      const auto [at, fresh] = fields.emplace(std::move(key), trimmed(value));
      if (!fresh && at->second != trimmed(value)) twice.push_back(at->first);
    }
    text.remove_prefix(next);
  }
  return fields;
}

inline bool parse_number(std::string_view text, double& value) {
  const std::string t = trimmed(text);
  const auto [end, failure] = std::from_chars(t.data(), t.data() + t.size(), value);
  return failure == std::errc() && end == t.data() + t.size() && is_finite(value);
}

/// ENVI's "data type"; empty for complex and unknown ones.
inline std::string_view envi_type(int code) {
  switch (code) {
    case 1:
      return "uint8";
    case 2:
      return "int16";
    case 3:
      return "int32";
    case 4:
      return "float32";
    case 5:
      return "float64";
    case 12:
      return "uint16";
    case 13:
      return "uint32";
    case 14:
      return "int64";
    case 15:
      return "uint64";
    default:
      return "";
  }
}

inline std::string without_ending(const std::string& path) {
  const std::size_t slash = path.rfind('/'), dot = path.rfind('.');
  return dot != std::string::npos && (slash == std::string::npos || dot > slash) ? path.substr(0, dot) : path;
}

inline bool is_envi_header(const std::string& path) {
  auto file = input_file::open(path);
  std::array<char, 4> start{};
  return file && file->read(start.data(), 4) && std::string_view(start.data(), 4) == "ENVI";
}

struct envi_files {
  std::string header, data;
};

/// What the numbers beside a header may end with, in the order in which they are looked for.
inline constexpr std::array<std::string_view, 11> envi_endings{"",     ".img", ".dat", ".raw", ".bin", ".bsq",
                                                               ".bil", ".bip", ".IMG", ".DAT", ".RAW"};

/// The first file of numbers beside a header, other than `except`; empty where there is none.
inline std::string envi_data_beside(const std::string& header, const std::string& except = "") {
  struct ::stat there {};
  for (const std::string_view ending : envi_endings) {
    const std::string path = without_ending(header) + std::string(ending);
    if (path != header && path != except && ::stat(path.c_str(), &there) == 0 && S_ISREG(there.st_mode)) return path;
  }
  return "";
}

/// The two files of which one was named; empty names where there is no header.
inline envi_files find_envi(const std::string& path) {
  if (is_envi_header(path)) return {path, envi_data_beside(path)};
  for (const std::string& header : {path + ".hdr", without_ending(path) + ".hdr"})
    if (header != path && is_envi_header(header)) return {header, path};
  return {};
}

/// A header's fields with errors that name the file.
class envi_header {
 public:
  envi_header(std::string path, std::string_view text)
      : path_(printable(path, 1000)), fields_(envi_fields(text, twice_)) {}

  /// Keys that count may not be there with two values.
  result<> check_keys() const {
    for (const std::string_view key : {"samples", "lines", "bands", "header offset", "data type", "interleave",
                                       "byte order", "wavelength", "wavelength units", "reflectance scale factor",
                                       "data gain values", "data offset values", "data ignore value"})
      if (std::find(twice_.begin(), twice_.end(), key) != twice_.end())
        return error(errc::wrong_value, path_ + ": '" + std::string(key) + "' is there twice, with two values");
    return {};
  }
  bool has(const std::string& key) const { return fields_.contains(key); }
  std::string text(const std::string& key) const { return has(key) ? fields_.at(key) : ""; }
  error bad(const std::string& key, const std::string& expected) const {
    return error(errc::wrong_value, path_ + ": '" + key + "' is " +
                                        (has(key) ? "'" + printable(text(key), 40) + "'" : "missing") + ", expected " +
                                        expected);
  }
  /// A whole number in [least, most].
  result<index_t> whole(const std::string& key, index_t least, index_t most) const {
    double value = 0;
    if (!has(key) || !parse_number(text(key), value) || !(value >= static_cast<double>(least)) ||
        !(value <= static_cast<double>(most)) || value != static_cast<double>(static_cast<index_t>(value)))
      return bad(key, "a whole number of " + std::to_string(least) + " to " + std::to_string(most));
    return static_cast<index_t>(value);
  }
  result<std::vector<double>> numbers(const std::string& key) const {
    std::vector<double> list;
    std::string_view rest = fields_.at(key);
    while (!trimmed(rest).empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      list.push_back(0);
      if (!parse_number(rest.substr(0, comma), list.back())) return bad(key, "numbers between commas");
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return list;
  }

 private:
  std::string path_;
  std::vector<std::string> twice_;
  std::map<std::string, std::string> fields_;
};

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::io
