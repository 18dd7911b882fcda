#pragma once

/// Wavelengths that a person says: --wavelengths FIRST:LAST, or a file of them.

#include <filesystem>
#include <sstream>
#include <unmask/io/untrusted.hpp>

#include "context.hpp"

namespace program {

namespace detail {

inline error no_wavelengths(const std::string& text, const std::string& why) {
  return error(errc::bad_argument, "--wavelengths: found '" + unmask::io::detail::printable(text, 1000) + "', " + why +
                                       "expected FIRST:LAST in nm, 100 or more and ascending, as in 450:650, or a file "
                                       "with a number for each band");
}

/// Numbers of a text file, apart by anything that is no part of a number. Errors: a word among them.
inline result<std::vector<double>> numbers_of_text(const std::string& path) {
  constexpr std::uint64_t most = std::uint64_t{1} << 20;
  const auto bytes = unmask::io::read_file(path, most);
  if (!bytes) return bytes.error();
  std::string text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  for (char& c : text)
    if (c == ',' || c == ';') c = ' ';
  std::istringstream words(text);
  std::vector<double> numbers;
  for (std::string word; words >> word;) {
    char* end = nullptr;
    numbers.push_back(std::strtod(word.c_str(), &end));
    if (*end != '\0') return no_wavelengths(path, "with the word '" + unmask::io::detail::printable(word, 40) + "', ");
  }
  return numbers;
}

/// Of a list in an array file (file.h5:wavelengths), or of a text file.
inline result<std::vector<double>> numbers_of_file(const std::string& spec, bool untrusted) {
  const auto from = unmask::io::parse_source(spec);
  const auto format = unmask::io::detect_format(from.path);
  if (!format) return format.error();
  if (from.variable.empty() && *format == unmask::io::file_format::unknown) return numbers_of_text(from.path);
  using list = std::tuple<std::vector<double>>;
  const auto read = [&]() -> result<list> {
    const auto found = unmask::io::read_tensor<double, 1>(from, {"wavelengths", "wavelength"});
    if (!found) return found.error();
    return list(std::vector<double>(found->begin(), found->end()));
  };
  auto found = untrusted ? unmask::io::read_in_child(from.path, {}, read) : read();
  if (!found) return found.error();
  return std::get<0>(std::move(*found));
}

}  // namespace detail

/// For so many bands, in nm, ascending. FIRST:LAST is evenly spaced; a file, if there is one of that name, has a number
/// for each. Errors: another text, another count, numbers that do not ascend or are no nm of light.
inline result<std::vector<double>> known_wavelengths(const std::string& text, index_t bands, bool untrusted) {
  std::error_code ignored;
  std::vector<double> nm;
  if (std::filesystem::exists(unmask::io::parse_source(text).path, ignored)) {
    auto found = detail::numbers_of_file(text, untrusted);
    if (!found) return found;
    nm = std::move(*found);
    if (static_cast<index_t>(nm.size()) != bands)
      return detail::no_wavelengths(text,
                                    std::to_string(nm.size()) + " numbers for " + std::to_string(bands) + " bands, ");
  } else {
    double first = 0, last = 0;
    char rest = 0;
    if (std::sscanf(text.c_str(), "%lf:%lf%c", &first, &last, &rest) != 2 || !(last > first))
      return detail::no_wavelengths(text, "");
    const double gap = (last - first) / static_cast<double>(std::max<index_t>(bands - 1, 1));
    for (index_t c = 0; c < bands; ++c) nm.push_back(first + gap * static_cast<double>(c));
  }
  const bool ascending =
      std::adjacent_find(nm.begin(), nm.end(), [](double a, double b) { return !(a < b); }) == nm.end();
  if (!ascending || !(nm.front() >= 100 && nm.back() < 1e5)) return detail::no_wavelengths(text, "");
  return nm;
}

}  // namespace program
