#pragma once

/// Sections of a report that hold one picture per cube: input, colour, errors, further planes.

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "report_page.hpp"

namespace unmask::inline UNMASK_ABI::render::detail {

/// Least and greatest finite value, {0, 1} without any.
inline std::pair<double, double> finite_range(in<float, 2> plane) {
  double lo = INFINITY, hi = -INFINITY;
  for (float f : plane)
    if (const double v = static_cast<double>(f); std::isfinite(v)) lo = std::min(lo, v), hi = std::max(hi, v);
  return lo <= hi ? std::pair{lo, hi} : std::pair{0.0, 1.0};
}

inline std::string size_text(in<float, 2> plane) {
  return std::to_string(plane.extent(0)) + " \u00d7 " + std::to_string(plane.extent(1)) + " pixels";
}

inline void input_section(page& p) {
  const auto& snapshot = p.input.snapshot;
  const auto& mask = p.input.mask;
  if (snapshot.size() == 0 && mask.size() == 0) return;
  p.section("input", "Snapshot and mask");
  p.begin_row(2);
  if (snapshot.size() > 0) {
    const double white = percentile(std::vector<float>(snapshot.begin(), snapshot.end()), 99.5);
    p.figure(grey_picture(snapshot, 0, white, curve::light), "Snapshot",
             size_text(snapshot) + ", white = " + number(white, 3) + " (99.5th percentile), sRGB curve");
  }
  if (mask.size() > 0) {
    const auto [lo, hi] = finite_range(mask);
    p.figure(
        grey_picture(mask, 0, 1, curve::numbers), "Mask",
        size_text(mask) + ", black = 0 (closed), white = 1 (open), values " + number(lo, 3) + " to " + number(hi, 3));
  }
  p.html += "</div>";
  p.end_section();
}

/// Letter of marked point i: A, B, ..., Z, then numbers.
inline std::string point_name(std::size_t i) {
  return i < 26 ? std::string(1, static_cast<char>('A' + i)) : std::to_string(i + 1);
}

inline std::string point_marks(const page& p) {
  std::string out;
  for (std::size_t i = 0; i < p.points.size(); ++i) {
    double x = (static_cast<double>(p.points[i].column) + 0.5) / static_cast<double>(p.width);
    double y = (static_cast<double>(p.points[i].row) + 0.5) / static_cast<double>(p.height);
    if (p.input.rotate180) x = 1 - x, y = 1 - y;
    cat(out, "<span class=\"pt", x > 0.85 ? " w" : "", "\" style=\"left:", fixed(100 * x, 2),
        "%;top:", fixed(100 * y, 2), "%\"><i>", point_name(i), "</i></span>");
  }
  return out;
}

inline void colour_section(page& p) {
  if (p.cubes.empty()) return;
  std::string how = colour_rule(p.weights);
  cat(how, " Exposure \u00d7", number(p.exposure, 3),
      ", the same for all pictures: the 99.5th percentile of the luminance of ", escape_html(p.cubes.front().name),
      " is white.");
  if (!p.points.empty()) how += " Circles mark the pixels whose spectra are drawn below.";
  p.section("colour", colour_name(p.weights), how);
  p.begin_row(p.cubes.size());
  for (const method& m : p.cubes) p.figure(colour_picture(m.cube, p.weights, p.exposure), m.name, {}, point_marks(p));
  p.html += "</div>";
  p.end_section();
}

inline void error_section(page& p) {
  if (!p.has_truth || p.input.methods.empty()) return;
  std::vector<tensor<float, 2>> errors;
  double least = INFINITY, most = 0;
  for (const method& m : p.input.methods) {
    errors.push_back(error_plane(p.input.truth, m.cube));
    const double high = percentile(std::vector<float>(errors.back().begin(), errors.back().end()), 99);
    least = std::min(least, high), most = std::max(most, high);
  }
  // Between the best and the worst method: on the worst one's own scale a good reconstruction is a black picture.
  double top = std::sqrt(std::max(least, most * 1e-2) * most);
  if (!(top > 0)) top = 1;
  p.section("errors", "Error maps",
            "Root-mean-square difference from the truth over the bands of each pixel, one scale for all methods; "
            "greater errors have the last colour of the bar.");
  p.html += page::colour_bar(0, top, palette::heat, true);
  p.begin_row(errors.size());
  for (std::size_t i = 0; i < errors.size(); ++i) {
    double sum = 0, count = 0;
    for (float e : errors[i])
      if (std::isfinite(e)) sum += static_cast<double>(e) * static_cast<double>(e), count += 1;
    p.figure(heat_picture(errors[i].view(), 0, top), p.input.methods[i].name,
             "RMSE " + number(count > 0 ? std::sqrt(sum / count) : NAN, 3));
  }
  p.html += "</div>";
  p.end_section();
}

inline void image_section(page& p) {
  if (p.input.images.empty()) return;
  p.section("images", "Further pictures");
  p.begin_row(std::max<std::size_t>(3, p.input.images.size()));
  for (const named_image& n : p.input.images) {
    if (n.values.size() == 0) {
      p.failed = error(errc::wrong_shape, "report: picture '" + n.name + "' is empty, expected at least 1 x 1");
      return;
    }
    const auto own = finite_range(n.values);
    const double lo = std::isfinite(n.lo) ? n.lo : own.first, hi = std::isfinite(n.hi) ? n.hi : own.second;
    p.figure(
        n.colours == palette::heat ? heat_picture(n.values, lo, hi) : grey_picture(n.values, lo, hi, curve::numbers),
        n.name, n.caption, {}, page::colour_bar(lo, hi, n.colours, own.second > hi));
  }
  p.html += "</div>";
  p.end_section();
}

}  // namespace unmask::inline UNMASK_ABI::render::detail
