#pragma once

/// What tests of pages share.

#include <string>
#include <unmask/core/view.hpp>
#include <vector>

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline std::vector<double> nm_of(unmask::index_t bands) {
  std::vector<double> nm;
  for (unmask::index_t c = 0; c < bands; ++c)
    nm.push_back(450 + 200.0 * static_cast<double>(c) / static_cast<double>(bands));
  return nm;
}
