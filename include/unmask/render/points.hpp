#pragma once

/// Which pixels get their spectrum drawn, and the spectrum there.

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "report_input.hpp"

namespace unmask::inline UNMASK_ABI::render {

/// Mean over 3 x 3 pixels (fewer at the border), band by band; NaN pixels are left out.
inline std::vector<double> spectrum_at(in<float, 3> cube, marked_point p) {
  std::vector<double> mean(static_cast<std::size_t>(cube.extent(2)));
  for (index_t c = 0; c < cube.extent(2); ++c) {
    double sum = 0, count = 0;
    for (index_t h = std::max<index_t>(0, p.row - 1); h <= std::min(cube.extent(0) - 1, p.row + 1); ++h)
      for (index_t w = std::max<index_t>(0, p.column - 1); w <= std::min(cube.extent(1) - 1, p.column + 1); ++w)
        if (const double v = static_cast<double>(cube(h, w, c)); std::isfinite(v)) sum += v, count += 1;
    mean[static_cast<std::size_t>(c)] = count > 0 ? sum / count : NAN;
  }
  return mean;
}

/// Up to `most` points of a 16 x 16 lattice: bright and even places first, each next one far in spectral angle from all
/// before it. Deterministic. Fewer where the scene holds fewer different spectra.
inline std::vector<marked_point> choose_points(in<float, 3> cube, std::size_t most = 4) {
  struct candidate {
    marked_point at;
    std::vector<double> spectrum;
    double norm = 0, quality = 0, angle = 1.6;  ///< no angle between spectra of non-negative values is greater
  };
  const auto length = [](const std::vector<double>& v) {
    double sum = 0;
    for (double x : v) sum += x * x;
    return std::sqrt(sum);
  };
  // The outer 6 % are left out: the letters of the marks need room, and borders are no typical material.
  const auto inside = [](index_t k, index_t n, index_t size) {
    const double at = 0.06 + 0.88 * (static_cast<double>(k) + 0.5) / static_cast<double>(n);
    return static_cast<index_t>(at * static_cast<double>(size));
  };
  std::vector<candidate> found;
  double brightest = 0;
  const index_t rows = std::min<index_t>(16, cube.extent(0)), columns = std::min<index_t>(16, cube.extent(1));
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < columns; ++j) {
      candidate c;
      c.at = {inside(i, rows, cube.extent(0)), inside(j, columns, cube.extent(1))};
      c.spectrum = spectrum_at(cube, c.at);
      c.norm = length(c.spectrum);
      if (!std::isfinite(c.norm) || !(c.norm > 0)) continue;
      // Evenness: how much the spectrum changes 2 % of the picture away. Spectra at edges are mixtures.
      double change = 0;
      const index_t dh = std::max<index_t>(1, cube.extent(0) / 50), dw = std::max<index_t>(1, cube.extent(1) / 50);
      for (auto [h, w] : {std::pair{-dh, index_t{0}}, {dh, index_t{0}}, {index_t{0}, -dw}, {index_t{0}, dw}}) {
        const marked_point neighbour{std::clamp<index_t>(c.at.row + h, 0, cube.extent(0) - 1),
                                std::clamp<index_t>(c.at.column + w, 0, cube.extent(1) - 1)};
        std::vector<double> other = spectrum_at(cube, neighbour);
        for (std::size_t k = 0; k < other.size(); ++k) other[k] -= c.spectrum[k];
        if (const double d = length(other); std::isfinite(d)) change = std::max(change, d);
      }
      c.quality = std::sqrt(c.norm) / (1 + 4 * change / c.norm);
      brightest = std::max(brightest, c.norm);
      found.push_back(std::move(c));
    }
  std::erase_if(found, [&](const candidate& c) { return c.norm < 0.1 * brightest; });
  std::vector<marked_point> points;
  while (points.size() < most && !found.empty()) {
    std::erase_if(found, [](const candidate& c) { return c.angle < 0.05; });  // three degrees: the same material again
    const auto next = std::max_element(found.begin(), found.end(), [](const candidate& a, const candidate& b) {
      return a.angle * a.quality < b.angle * b.quality;
    });
    if (next == found.end()) break;
    const candidate chosen = *next;
    points.push_back(chosen.at);
    std::erase_if(found, [&](const candidate& c) {  // marks must not cover each other
      return 8 * std::abs(c.at.row - chosen.at.row) < cube.extent(0) &&
             6 * std::abs(c.at.column - chosen.at.column) < cube.extent(1);
    });
    for (candidate& c : found) {
      double dot = 0;
      for (std::size_t k = 0; k < c.spectrum.size(); ++k) dot += c.spectrum[k] * chosen.spectrum[k];
      c.angle = std::min(c.angle, std::acos(std::clamp(dot / (c.norm * chosen.norm), -1.0, 1.0)));
    }
  }
  return points;
}

}  // namespace unmask::inline UNMASK_ABI::render
