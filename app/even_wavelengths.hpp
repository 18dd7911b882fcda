#pragma once

/// Wavelengths that a person says: --wavelengths FIRST:LAST.

#include "context.hpp"

namespace program {

/// FIRST:LAST in nm, evenly spaced over `bands`. Errors: another text, numbers that do not ascend or are no nm of
/// light.
inline result<std::vector<double>> even_wavelengths(const std::string& text, index_t bands) {
  double first = 0, last = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%lf:%lf%c", &first, &last, &rest) != 2 ||
      !(first >= 100 && last > first && last < 1e5))
    return error(errc::bad_argument, "--wavelengths: found '" + text +
                                         "', expected FIRST:LAST in nm, 100 or more and ascending, as in 450:650");
  std::vector<double> nm;
  const double gap = (last - first) / static_cast<double>(std::max<index_t>(bands - 1, 1));
  for (index_t c = 0; c < bands; ++c) nm.push_back(first + gap * static_cast<double>(c));
  return nm;
}

}  // namespace program
