#pragma once

/// ENVI: a text header (.hdr) beside raw numbers. Read are samples, lines, bands, header offset, data type, interleave,
/// byte order, wavelength, wavelength units, reflectance scale factor and data ignore value; other lines are left
/// alone. Either of the two files may be named. Source of the format: the header's documentation by its maker
/// (L3Harris).

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

/// Lower-case keys and their values; a value in braces may go over several lines.
inline std::map<std::string, std::string> envi_fields(std::string_view text) {
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
      fields.emplace(std::move(key), trimmed(value));  // of two equal keys the first counts
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

/// The two files of which one was named; empty names where there is no header.
inline envi_files find_envi(const std::string& path) {
  if (is_envi_header(path)) {
    const std::string base = without_ending(path);
    struct ::stat there {};
    for (const char* ending : {"", ".img", ".dat", ".raw", ".bin", ".bsq", ".bil", ".bip", ".IMG", ".DAT", ".RAW"})
      if (base + ending != path && ::stat((base + ending).c_str(), &there) == 0 && S_ISREG(there.st_mode))
        return {path, base + ending};
    return {path, ""};
  }
  for (const std::string& header : {path + ".hdr", without_ending(path) + ".hdr"})
    if (header != path && is_envi_header(header)) return {header, path};
  return {};
}

/// A header's fields with errors that name the file.
class envi_header {
 public:
  envi_header(std::string path, std::string_view text) : path_(printable(path, 1000)), fields_(envi_fields(text)) {}

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
  std::map<std::string, std::string> fields_;
};

/// The variable `cube`: shape in the file's order, and what the header says of its values.
inline result<variable_info> envi_variable(const envi_header& h, const std::string& data) {
  constexpr index_t most = index_t{1} << 31;
  variable_info v;
  v.name = "cube", v.location = data, v.numeric = true, v.exact_size = true;
  std::array<index_t, 3> size{};  // lines, samples, bands
  const std::array<const char*, 3> keys{"lines", "samples", "bands"};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto n = h.whole(keys[i], 1, most);
    if (!n) return n.error();
    size[i] = *n;
  }
  const auto code = h.whole("data type", 1, 15), order = h.has("byte order") ? h.whole("byte order", 0, 1) : 0;
  if (!code) return code.error();
  if (!order) return order.error();
  v.type = envi_type(static_cast<int>(*code));
  if (v.type.empty()) return h.bad("data type", "1 to 5 or 12 to 15 (real numbers)");
  v.swapped = (*order == 0) != (std::endian::native == std::endian::little) && number_bytes(v.type) > 1;
  if (h.has("header offset")) {
    const auto offset = h.whole("header offset", 0, most);
    if (!offset) return offset.error();
    v.position = static_cast<std::uint64_t>(*offset);
  }
  std::string way = h.text("interleave");
  for (char& c : way) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (size[2] == 1)
    v.shape = {size[0], size[1]};
  else if (way == "bsq")
    v.shape = {size[2], size[0], size[1]}, v.axes = "chw";
  else if (way == "bil")
    v.shape = {size[0], size[2], size[1]}, v.axes = "hcw";
  else if (way == "bip")
    v.shape = {size[0], size[1], size[2]}, v.axes = "hwc";
  else
    return h.bad("interleave", "bsq, bil or bip");
  double number = 0;
  if (h.has("reflectance scale factor")) {
    if (!parse_number(h.text("reflectance scale factor"), number) || !(number > 0))
      return h.bad("reflectance scale factor", "a number above 0");
    v.factor = 1 / number;
  }
  if (h.has("data ignore value")) {
    if (!parse_number(h.text("data ignore value"), number)) return h.bad("data ignore value", "a number");
    v.missing = number;
  }
  return v;
}

}  // namespace detail

/// An ENVI header and its data as the list of two variables: `cube`, and `wavelength` where the header has them.
/// Errors: `not_found` (no data beside the header), `wrong_value` (a field that is missing or makes no sense).
inline result<file_info> list_envi(const std::string& path) {
  const detail::envi_files files = detail::find_envi(path);
  if (files.data.empty())
    return error(errc::not_found, detail::printable(path, 1000) +
                                      ": an ENVI header without its data (the same name, or .img, .dat, .raw, .bin)");
  const auto bytes = read_file(files.header, std::uint64_t{1} << 24);
  if (!bytes) return bytes.error();
  const detail::envi_header header(files.header,
                                   std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
  auto cube = detail::envi_variable(header, files.data);
  if (!cube) return cube.error();
  file_info info{path, file_format::envi, {std::move(*cube)}, {}};
  if (header.has("wavelength")) {
    auto list = header.numbers("wavelength");
    if (!list) return list.error();
    variable_info w;
    w.name = "wavelength", w.type = "float64", w.numeric = true;
    w.shape = {static_cast<index_t>(list->size())};
    w.numbers = std::move(*list);
    const std::string unit = header.text("wavelength units");
    if (!unit.empty() && unit != "Unknown" && unit != "unknown") w.attributes.emplace_back("units", unit);
    info.variables.push_back(std::move(w));
  }
  return info;
}

}  // namespace unmask::inline UNMASK_ABI::io
