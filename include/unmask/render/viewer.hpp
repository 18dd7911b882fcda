#pragma once

/// A page to look at one cube, or at two side by side: colours of any bands, the spectrum of every pixel, files to
/// save. Self-contained (no network), works from file://, in light and dark.
///
///   auto made = render::write_viewer("cube.html", {.title = "Scene 1", .wavelengths = nm, .cubes = {{"a",
///   cube.view()}}});

#include <string>

#include "../io/atomic_file.hpp"
#include "style.hpp"
#include "viewer_body.hpp"
#include "viewer_script_chart.hpp"
#include "viewer_script_events.hpp"
#include "viewer_script_page.hpp"
#include "viewer_script_values.hpp"
#include "viewer_style.hpp"

namespace unmask::inline UNMASK_ABI::render {

struct viewer_page {
  std::string html;       ///< UTF-8
  index_t mean_over = 1;  ///< a pixel of the page is the mean over so many rows and columns of the cube
};

/// Errors: bad_argument for no cube or more than two, wrong_shape for cubes or wavelengths that contradict each other.
inline result<viewer_page> make_viewer(const viewer_input& input) {
  if (const auto wrong = detail::contradiction(input)) return *wrong;
  viewer_page page;
  const auto& first = input.cubes.front().cube;
  page.mean_over = detail::viewer_factor(first.extents(), input.cubes.size(), input.most_bytes);
  detail::viewer_parts parts;
  std::vector<tensor<float, 3>> reduced;
  for (const viewed_cube& c : input.cubes) {
    if (page.mean_over > 1) reduced.push_back(detail::shrink_cube(c.cube, page.mean_over));
    auto packed = pack_cube(page.mean_over > 1 ? reduced.back().view() : c.cube);
    if (!packed) return packed.error();
    parts.packed.push_back(std::move(*packed));
  }
  parts.mean_over = page.mean_over;
  parts.shown = page.mean_over > 1 ? array_view<const float, 3>(reduced.front().view()) : first;
  const colour_weights weights = make_colour_weights(input.wavelengths, first.extent(2));
  page.html = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" ";
  cat(page.html, "content=\"width=device-width,initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>",
      escape_html(input.title), "</title><style>", detail::page_style, detail::viewer_style, "</style></head>\n<body>");
  detail::viewer_body(page.html, input, parts, weights);
  cat(page.html, "<script type=\"application/json\" id=\"view-data\">", detail::viewer_json(input, parts, weights),
      "</script>\n");
  for (std::size_t k = 0; k < parts.packed.size(); ++k) {
    cat(page.html, "<script type=\"application/octet-stream\" id=\"values-", std::to_string(k), "\">\n");
    for (const std::string& band : parts.packed[k].bands) cat(page.html, band, "\n");
    page.html += "</script>\n";
  }
  cat(page.html, "<script>(() => {", detail::viewer_script_values, detail::viewer_script_chart,
      detail::viewer_script_page, detail::viewer_script_events, "})();</script>\n</body></html>\n");
  return page;
}

/// Makes the page and writes it; no partial file is left behind. Returns `mean_over`.
inline result<index_t> write_viewer(const std::string& path, const viewer_input& input) {
  const result<viewer_page> page = make_viewer(input);
  if (!page) return page.error();
  if (auto done = io::write_file(path, page->html); !done) return done.error();
  return page->mean_over;
}

}  // namespace unmask::inline UNMASK_ABI::render
