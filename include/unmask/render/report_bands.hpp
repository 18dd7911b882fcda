#pragma once

/// The band pictures of a report: a slider over all bands and a table of a few of them.

#include <string>
#include <vector>

#include "report_page.hpp"

namespace unmask::inline UNMASK_ABI::render::detail {

/// Every band of every cube as base64 PNG, all made smaller by one factor until they fit the budget.
struct band_pictures {
  index_t factor = 1;
  index_t height = 0, width = 0;
  std::vector<std::vector<std::string>> png;
  std::vector<std::vector<std::string>> tint;  ///< white where the picture itself has colours (NaN pixels)
};

inline band_pictures make_band_pictures(page& p) {
  std::vector<double> white(static_cast<std::size_t>(p.bands));
  for (index_t c = 0; c < p.bands; ++c) {
    const tensor<float, 2> plane = band_plane(p.reference(), c);
    white[static_cast<std::size_t>(c)] = percentile(std::vector<float>(plane.begin(), plane.end()), 99.5);
  }
  band_pictures all;
  const double raw = 4.0 / 3 * static_cast<double>(p.reference().size()) * static_cast<double>(p.cubes.size());
  const double budget = static_cast<double>(p.input.band_bytes);
  // PNG saves at most half of natural pictures: smaller factors need not be tried.
  while (raw / static_cast<double>(all.factor * all.factor) > 2.5 * budget) ++all.factor;
  const index_t longest = std::max(p.height, p.width);
  for (;; ++all.factor) {
    std::size_t bytes = 0;
    all.png.assign(p.cubes.size(), {});
    all.tint.assign(p.cubes.size(), {});
    for (std::size_t m = 0; m < p.cubes.size(); ++m)
      for (index_t c = 0; c < p.bands && (bytes <= p.input.band_bytes || all.factor >= longest); ++c) {
        const tensor<float, 2> plane = shrink(band_plane(p.cubes[m].cube, c), all.factor);
        const image8 picture = grey_picture(plane.view(), 0, white[static_cast<std::size_t>(c)], curve::light);
        all.height = picture.height, all.width = picture.width;
        all.tint[m].push_back(picture.channels == 1 ? p.band_colour(c) : "#ffffff");
        all.png[m].push_back(p.png(picture));
        bytes += all.png[m].back().size();
      }
    if (bytes <= p.input.band_bytes || all.factor >= longest) return all;
  }
}

inline std::string band_img(const page& p, const band_pictures& all, std::size_t m, index_t c) {
  image8 size;
  size.height = all.height, size.width = all.width;
  const std::size_t k = static_cast<std::size_t>(c);
  std::string out = "<span class=\"pic grey\" style=\"--tint:";
  cat(out, all.tint[m][k], "\">", p.img(size, all.png[m][k], p.cubes[m].name + ", " + p.band_name(c)), "</span>");
  return out;
}

inline void band_table(page& p, const band_pictures& all) {
  const index_t columns = std::min<index_t>(6, p.bands);
  std::vector<index_t> chosen;
  for (index_t k = 0; k < columns; ++k) chosen.push_back((2 * k + 1) * p.bands / (2 * columns));
  const std::string n = std::to_string(columns);
  cat(p.html, "<div class=\"scroll\"><div class=\"matrix\" style=\"--least:", std::to_string(90 + 98 * columns),
      "px;grid-template-columns:fit-content(9em) repeat(", n, ",minmax(90px,", columns > 2 ? "1fr" : "300px",
      "))\"><b></b>");
  for (index_t c : chosen) {
    const std::string name = p.input.wavelengths.empty()
                                 ? "Band " + std::to_string(c + 1)
                                 : fixed(p.input.wavelengths[static_cast<std::size_t>(c)], 1) + " nm";
    cat(p.html, "<span class=\"top\" style=\"--tint:", p.input.wavelengths.empty() ? "var(--line)" : p.band_colour(c),
        "\">", name, "</span>");
  }
  for (std::size_t m = 0; m < p.cubes.size(); ++m) {
    cat(p.html, "<b>", escape_html(p.cubes[m].name), "</b>");
    for (index_t c : chosen) p.html += band_img(p, all, m, c);
  }
  p.html += "</div></div>";
}

inline void band_slider(page& p, const band_pictures& all) {
  const index_t first = p.bands / 2;
  cat(p.html, "<div class=\"controls\"><button id=\"play\" type=\"button\">Play</button><div class=\"slide\">",
      "<input id=\"band\" type=\"range\" min=\"0\" max=\"", std::to_string(p.bands - 1), "\" value=\"",
      std::to_string(first), "\" step=\"1\" autocomplete=\"off\" aria-label=\"Band\">");
  if (!p.input.wavelengths.empty()) {
    p.html += "<i style=\"background:linear-gradient(to right";
    for (index_t c = 0; c < p.bands; ++c) cat(p.html, ",", p.band_colour(c));
    p.html += ")\"></i>";
  }
  cat(p.html, "</div><output id=\"band-name\" for=\"band\">", p.band_name(first), "</output>");
  cat(p.html, "<label", p.input.wavelengths.empty() ? " hidden" : "",
      "><input id=\"tint\" type=\"checkbox\" checked autocomplete=\"off\">Colour of the wavelength</label></div>",
      "<noscript><p>The slider needs JavaScript; the table below shows some of the bands without it.</p></noscript>",
      "<div id=\"explorer\">");
  p.begin_row(p.cubes.size());
  for (std::size_t m = 0; m < p.cubes.size(); ++m)
    cat(p.html, "<figure>", band_img(p, all, m, first), "<figcaption><b>", escape_html(p.cubes[m].name),
        "</b></figcaption></figure>");
  p.html += "</div></div>\n<script type=\"application/json\" id=\"band-images\">{\"label\":[";
  for (index_t c = 0; c < p.bands; ++c) cat(p.html, c ? "," : "", json_string(p.band_name(c)));
  p.html += "],\"name\":[";
  for (std::size_t m = 0; m < p.cubes.size(); ++m) cat(p.html, m ? "," : "", json_string(p.cubes[m].name));
  const auto table = [&](const std::vector<std::vector<std::string>>& texts, bool skip_first) {
    for (std::size_t m = 0; m < texts.size(); ++m) {
      cat(p.html, m ? "],\n[" : "[");
      for (std::size_t c = 0; c < texts[m].size(); ++c) {
        cat(p.html, c ? ",\"" : "\"");
        if (!skip_first || static_cast<index_t>(c) != first) p.html += texts[m][c];
        p.html += '"';
      }
    }
    p.html += ']';
  };
  p.html += "],\"colour\":[";
  table(all.tint, false);
  p.html += "],\"png\":[";
  table(all.png, true);
  p.html += "]}</script>\n";
}

inline void band_section(page& p) {
  if (p.cubes.empty()) return;
  const band_pictures all = make_band_pictures(p);
  if (p.failed) return;
  std::string how = "White is the 99.5th percentile of ";
  cat(how, escape_html(p.cubes.front().name), " in each band, the same for all pictures of that band; sRGB curve.");
  if (all.factor > 1)
    cat(how, " Shown at ", std::to_string(all.width), " \u00d7 ", std::to_string(all.height), " pixels (means over ",
        std::to_string(all.factor), " \u00d7 ", std::to_string(all.factor), ") to keep the file small.");
  p.section("bands", "Bands", how);
  if (p.bands > 1) band_slider(p, all);
  band_table(p, all);
  p.end_section();
}

}  // namespace unmask::inline UNMASK_ABI::render::detail
