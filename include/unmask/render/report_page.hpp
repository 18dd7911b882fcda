#pragma once

/// State and small pieces of a report page: pictures, figures, colour bars.

#include <optional>
#include <string>
#include <vector>

#include "colour_map.hpp"
#include "points.hpp"
#include "report_input.hpp"
#include "style.hpp"

namespace unmask::inline UNMASK_ABI::render::detail {

struct page {
  const report_input& input;
  std::vector<method> cubes;  ///< the truth, where there is one, then the methods
  bool has_truth = false;
  index_t height = 0, width = 0, bands = 0;
  colour_weights weights;
  double exposure = 1;
  std::vector<marked_point> points;
  std::string html;
  std::string sections;  ///< <a> links of the sections so far
  std::optional<error> failed;

  explicit page(const report_input& in) : input(in) {
    has_truth = input.truth.size() > 0;
    if (has_truth) cubes.push_back({"Truth", input.truth, {}});
    cubes.insert(cubes.end(), input.methods.begin(), input.methods.end());
    if (cubes.empty()) return;
    const auto& first = reference();
    height = first.extent(0), width = first.extent(1), bands = first.extent(2);
    if (const auto wrong = contradiction()) {
      failed = wrong;
      return;
    }
    weights = make_colour_weights(input.wavelengths, bands);
    exposure = exposure_of(first, weights);
    points = input.points.empty() ? choose_points(first) : input.points;
  }

  /// Exposure, scales and marked points come from this cube.
  const array_view<const float, 3>& reference() const { return cubes.front().cube; }

  std::optional<error> contradiction() const {
    const auto size = [](const array_view<const float, 3>& c) {
      return std::to_string(c.extent(0)) + " x " + std::to_string(c.extent(1)) + " x " + std::to_string(c.extent(2));
    };
    for (const method& m : cubes)
      if (m.cube.size() == 0 || m.cube.extents() != reference().extents())
        return error(errc::wrong_shape, "report: cube '" + m.name + "' is " + size(m.cube) + ", expected " +
                                            (reference().size() ? size(reference()) : "at least 1 x 1 x 1"));
    if (!input.wavelengths.empty() && static_cast<index_t>(input.wavelengths.size()) != bands)
      return error(errc::wrong_shape, "report: " + std::to_string(input.wavelengths.size()) +
                                          " wavelengths, expected " + std::to_string(bands) + ", one per band");
    for (marked_point p : input.points)
      if (p.row < 0 || p.row >= height || p.column < 0 || p.column >= width)
        return error(errc::bad_argument, "report: marked point (" + std::to_string(p.row) + ", " +
                                             std::to_string(p.column) + "), expected one inside " +
                                             std::to_string(height) + " x " + std::to_string(width));
    return std::nullopt;
  }

  void section(const char* id, std::string_view name, std::string_view how = {}) {
    cat(sections, "<a href=\"#", id, "\">", name, "</a>");
    cat(html, "<section id=\"", id, "\"><h2>", name, "</h2>");
    if (!how.empty()) cat(html, "<p class=\"how\">", how, "</p>");
  }
  void end_section() { html += "</section>\n"; }

  /// base64 of the PNG; the first failure is kept and ends the report.
  std::string png(const image8& picture) {
    result<std::string> file = encode_png(input.rotate180 ? rotated180(picture) : picture);
    if (!file && !failed) failed = file.error();
    return file ? base64(*file) : std::string();
  }

  /// <img>; pictures below 128 pixels are magnified with hard pixels, larger ones smoothly.
  std::string img(const image8& picture, std::string_view encoded, std::string_view alt) const {
    std::string out = "<img";
    cat(out, picture.width < 128 ? " class=\"px\"" : "", " width=\"", std::to_string(picture.width), "\" height=\"",
        std::to_string(picture.height), "\" alt=\"", escape_html(alt), "\" src=\"data:image/png;base64,", encoded,
        "\">");
    return out;
  }

  /// A grid whose cells suit the number of pictures in it.
  void begin_row(std::size_t pictures) {
    const char* cell = pictures == 4                   ? "260px"
                       : pictures > 4                  ? "210px"
                       : pictures <= 2 && width >= 400 ? "480px"
                                                       : "340px";
    cat(html, "<div class=\"row\" style=\"--cell:", cell, "\">");
  }

  /// `name` and `caption` are plain text; `over` and `below` are HTML (marks on the picture, a colour bar).
  void figure(const image8& picture, std::string_view name, std::string_view caption = {}, std::string_view over = {},
              std::string_view below = {}) {
    cat(html, "<figure><span class=\"pic\">", img(picture, png(picture), name), over, "</span><figcaption><b>",
        escape_html(name), "</b>");
    if (!caption.empty()) cat(html, "<small>", escape_html(caption), "</small>");
    cat(html, "</figcaption>", below, "</figure>");
  }

  /// The colours between two numbers; `saturated` marks that greater values have the last colour.
  static std::string colour_bar(double lo, double hi, palette colours, bool saturated = false) {
    std::string out = "<div class=\"bar\"><i style=\"background:linear-gradient(to right";
    for (int k = 0; k <= 16; ++k) {
      const std::uint8_t grey = to_byte(k / 16.0);
      cat(out, ",", hex_colour(colours == palette::heat ? heat(k / 16.0) : rgb8{grey, grey, grey}));
    }
    cat(out, ")\"></i><span>");
    for (int k = 0; k <= 4; ++k)
      cat(out, "<span>", k == 4 && saturated ? "\u2265\u00a0" : "", number(lo + (hi - lo) * k / 4, 3), "</span>");
    return out + "</span></div>";
  }

  std::string band_name(index_t c) const {
    const std::string n = "Band " + std::to_string(c + 1);
    return input.wavelengths.empty()
               ? n
               : n + " \u00b7 " + fixed(input.wavelengths[static_cast<std::size_t>(c)], 1) + " nm";
  }

  /// Colour of band c; white where it is unknown or invisible.
  std::string band_colour(index_t c) const {
    if (input.wavelengths.empty()) return "#ffffff";
    const auto colour = wavelength_colour(input.wavelengths[static_cast<std::size_t>(c)]);
    return colour ? hex_colour(*colour) : "#ffffff";
  }
};

}  // namespace unmask::inline UNMASK_ABI::render::detail
