#pragma once

/// Sections of a report that hold numbers: the summary table, spectra, PSNR per band, training curves.

#include <string>
#include <vector>

#include "report_pictures.hpp"

namespace unmask::inline UNMASK_ABI::render::detail {

/// Value of the winner of column c as it is printed, so that ties by rounding are all bold; empty without a winner.
inline std::string best_text(const score_table& table, std::size_t c) {
  const score_column& column = table.columns[c];
  double best = NAN;
  int rows = 0;
  for (const score_row& row : table.rows) {
    const double v = c < row.values.size() ? row.values[c] : NAN;
    if (!std::isfinite(v)) continue;
    ++rows;
    if (!std::isfinite(best) || (column.best == better::higher ? v > best : v < best)) best = v;
  }
  return column.best == better::neither || rows < 2 ? std::string() : fixed(best, column.decimals);
}

inline void score_section(page& p) {
  const score_table& table = p.input.scores;
  if (table.rows.empty() || table.columns.empty()) return;
  p.section("summary", "Summary");
  p.html += "<div class=\"scroll\"><table class=\"scores\"><thead><tr><th></th>";
  const auto opens_group = [&](std::size_t c) {
    return c == 0 || table.columns[c].group != table.columns[c - 1].group;
  };
  for (std::size_t c = 0; c < table.columns.size();) {
    std::size_t end = c + 1;
    while (end < table.columns.size() && !opens_group(end)) ++end;
    cat(p.html, "<th scope=\"colgroup\" colspan=\"", std::to_string(end - c), "\"", c ? " class=\"gap\"" : "", ">",
        escape_html(table.columns[c].group), "</th>");
    c = end;
  }
  p.html += "</tr><tr><th scope=\"col\"></th>";
  const auto gap = [&](std::size_t c) { return c > 0 && opens_group(c) ? "gap " : ""; };
  for (std::size_t c = 0; c < table.columns.size(); ++c)
    cat(p.html, "<th scope=\"col\" class=\"", gap(c), "\">", escape_html(table.columns[c].name), "</th>");
  p.html += "</tr></thead><tbody>";
  for (const score_row& row : table.rows) {
    cat(p.html, "<tr><th scope=\"row\">", escape_html(row.name), "</th>");
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const std::string text = fixed(c < row.values.size() ? row.values[c] : NAN, table.columns[c].decimals);
      cat(p.html, "<td class=\"", gap(c), text == best_text(table, c) ? "best" : "", "\">", text, "</td>");
    }
    p.html += "</tr>";
  }
  p.html += "</tbody></table></div>";
  if (!table.definition.empty())
    cat(p.html, "<p class=\"how\">Metrics by definition: ", escape_html(table.definition), ".</p>");
  p.end_section();
}

/// Wavelengths, or band numbers from 1.
inline std::vector<double> band_axis(const page& p) {
  std::vector<double> x = p.input.wavelengths;
  for (index_t c = 1; x.size() < static_cast<std::size_t>(p.bands); ++c) x.push_back(static_cast<double>(c));
  return x;
}

inline int style_of_cube(const page& p, std::size_t m) { return static_cast<int>(m) + (p.has_truth ? 0 : 1); }

inline void spectrum_section(page& p) {
  bool per_band = false;
  for (const method& m : p.cubes) per_band = per_band || !m.band_psnr.empty();
  if (p.cubes.empty() || (p.points.empty() && !per_band)) return;
  const std::vector<double> x = band_axis(p);
  chart_options options;
  options.wavelengths_on_x = !p.input.wavelengths.empty();
  options.from_zero = true;
  options.x_label = options.wavelengths_on_x ? "Wavelength [nm]" : "Band";
  p.section("spectra", "Spectra",
            p.points.empty() ? "" : "Means over 3 \u00d7 3 pixels round the points marked above.");
  p.html += "<div class=\"charts\">";
  for (std::size_t i = 0; i < p.points.size(); ++i) {
    std::vector<series> lines;
    for (std::size_t m = 0; m < p.cubes.size(); ++m)
      lines.push_back({p.cubes[m].name, x, spectrum_at(p.cubes[m].cube, p.points[i]), style_of_cube(p, m)});
    options.title = point_name(i) + " \u00b7 row " + std::to_string(p.points[i].row) + ", column " +
                    std::to_string(p.points[i].column);
    options.y_label = "Value";
    p.html += line_chart(lines, options);
  }
  if (per_band) {
    std::vector<series> lines;
    for (std::size_t m = 0; m < p.cubes.size(); ++m)
      if (!p.cubes[m].band_psnr.empty())
        lines.push_back({p.cubes[m].name, x, p.cubes[m].band_psnr, style_of_cube(p, m)});
    options.from_zero = false;
    options.title = "PSNR per band";
    options.y_label = "PSNR [dB]";
    p.html += line_chart(lines, options);
  }
  p.html += "</div>";
  p.end_section();
}

inline void training_section(page& p) {
  if (p.input.loss_curves.empty()) return;
  p.section("training", "Training");
  chart_options options;
  options.title = "Loss";
  options.x_label = "Step";
  options.y_label = "Loss (logarithmic)";
  options.log_y = true;
  options.width = 620;
  options.height = 330;
  p.html += "<div class=\"charts\">";
  p.html += line_chart(p.input.loss_curves, options);
  p.html += "</div>";
  p.end_section();
}

}  // namespace unmask::inline UNMASK_ABI::render::detail
