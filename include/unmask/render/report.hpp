#pragma once

/// A self-contained report page: no network, pictures as data URIs, works from file://, in light and dark.
///
///   auto page = render::make_report({.title = "Scene 1", .wavelengths = nm, .methods = {{"GAP-TV", cube.view()}}});
///   auto done = render::write_report("report.html", input);

#include <string>

#include "../io/atomic_file.hpp"
#include "report_bands.hpp"
#include "report_charts.hpp"
#include "report_pictures.hpp"

namespace unmask::inline UNMASK_ABI::render {

namespace detail {

inline std::string page_facts(const page& p) {
  std::string out = "<dl class=\"facts\">";
  const auto fact = [&](std::string_view name, std::string_view value) {
    cat(out, "<div><dt>", escape_html(name), "</dt><dd>", escape_html(value), "</dd></div>");
  };
  if (!p.cubes.empty()) {
    fact("Cube",
         std::to_string(p.height) + " \u00d7 " + std::to_string(p.width) + " \u00d7 " + std::to_string(p.bands));
    const auto& nm = p.input.wavelengths;
    if (!nm.empty()) {
      const auto [lo, hi] = std::minmax_element(nm.begin(), nm.end());
      fact("Wavelengths", *lo == *hi ? fixed(*lo, 1) + " nm" : fixed(*lo, 1) + " to " + fixed(*hi, 1) + " nm");
    }
  }
  for (const auto& [name, value] : p.input.facts) fact(name, value);
  return out + "</dl>";
}

inline void note_section(page& p) {
  if (p.input.notes.empty()) return;
  p.section("notes", "Notes");
  p.html += "<ul>";
  for (const std::string& note : p.input.notes) cat(p.html, "<li>", escape_html(note), "</li>");
  p.html += "</ul>";
  p.end_section();
}

/// Everything a program may want to read back: shape, scores, spectra, curves.
inline std::string report_json(const page& p) {
  const auto list = [](const auto& items, auto&& text) {
    std::string out = "[";
    for (const auto& item : items) cat(out, out.size() > 1 ? "," : "", text(item));
    return out + "]";
  };
  std::string out = "{\"title\":";
  cat(out, json_string(p.input.title), ",\"shape\":", json_array(std::vector<index_t>{p.height, p.width, p.bands}),
      ",\"wavelengths_nm\":", json_array(p.input.wavelengths), ",\"exposure\":", json_number(p.exposure));
  cat(out, ",\"facts\":", list(p.input.facts, [](const auto& f) {
        return "[" + json_string(f.first) + "," + json_string(f.second) + "]";
      }));
  const score_table& scores = p.input.scores;
  cat(out, ",\"scores\":{\"definition\":", json_string(scores.definition), ",\"columns\":",
      list(scores.columns,
           [](const score_column& c) { return "[" + json_string(c.group) + "," + json_string(c.name) + "]"; }),
      ",\"rows\":",
      list(scores.rows,
           [](const score_row& r) {
             return "{\"name\":" + json_string(r.name) + ",\"values\":" + json_array(r.values) + "}";
           }),
      "}");
  cat(out, ",\"band_psnr\":", list(p.input.methods, [](const method& m) {
        return "{\"name\":" + json_string(m.name) + ",\"values\":" + json_array(m.band_psnr) + "}";
      }));
  cat(out, ",\"spectra\":", list(p.points, [&](marked_point at) {
        return "{\"row\":" + std::to_string(at.row) + ",\"column\":" + std::to_string(at.column) + ",\"cubes\":" +
               list(p.cubes,
                    [&](const method& m) {
                      return "{\"name\":" + json_string(m.name) + ",\"values\":" + json_array(spectrum_at(m.cube, at)) +
                             "}";
                    }) +
               "}";
      }));
  cat(out, ",\"curves\":", list(p.input.loss_curves, [](const series& s) {
        const series t = thinned(s, 2000).line;
        return "{\"name\":" + json_string(s.name) + ",\"x\":" + json_array(t.x) + ",\"y\":" + json_array(t.y) + "}";
      }));
  return out + "}";
}

}  // namespace detail

/// The page as UTF-8 text. Errors: wrong_shape for cubes or wavelengths that contradict each other, bad_argument for a
/// marked point outside the cube.
inline result<std::string> make_report(const report_input& input) {
  detail::page p(input);
  if (p.failed) return *p.failed;
  detail::score_section(p);
  detail::input_section(p);
  detail::colour_section(p);
  detail::band_section(p);
  detail::error_section(p);
  detail::spectrum_section(p);
  detail::training_section(p);
  detail::image_section(p);
  detail::note_section(p);
  if (p.failed) return *p.failed;

  std::string out = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" ";
  cat(out, "content=\"width=device-width,initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>",
      escape_html(input.title), "</title><style>", detail::page_style, "</style></head>\n<body class=\"",
      input.wavelengths.empty() ? "" : "tinted", "\"><header><h1>", escape_html(input.title), "</h1>");
  if (!input.subtitle.empty()) cat(out, "<p class=\"sub\">", escape_html(input.subtitle), "</p>");
  cat(out, detail::page_facts(p), "<nav aria-label=\"Sections\">", p.sections, "</nav></header>\n<main>\n", p.html,
      "</main>\n<footer>Made by unmask. Pixels that are not finite numbers are drawn in ",
      "<span style=\"color:#ff00ff\">\u25a0</span> magenta.",
      input.rotate180 ? " All pictures are turned by 180\u00b0; rows and columns count in the stored orientation." : "",
      " The numbers of this page stand in its source as JSON.</footer>\n<script type=\"application/json\" "
      "id=\"report-data\">",
      detail::report_json(p), "</script>\n<script>", detail::page_script, "</script>\n</body></html>\n");
  return out;
}

/// Makes the page and writes it; no partial file is left behind.
inline result<void> write_report(const std::string& path, const report_input& input) {
  result<std::string> page = make_report(input);
  if (!page) return page.error();
  return io::write_file(path, *page);
}

}  // namespace unmask::inline UNMASK_ABI::render
