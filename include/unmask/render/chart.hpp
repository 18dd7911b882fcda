#pragma once

/// Line charts as inline SVG. Colours come from CSS variables (--ink, --grid, --s1..--s6) so that one page sets them
/// for light and dark; without that page the fallbacks give the light set. Series differ in colour (Okabe-Ito, safe for
/// colour-blind readers), in dash and, where they have few points, in having markers.

#include <string>
#include <vector>

#include "ticks.hpp"

namespace unmask::inline UNMASK_ABI::render {

/// One line. Points with NaN (or <= 0 on a log axis) leave a gap. `style` 0 is the reference (ink, thick), 1..6 others.
struct series {
  std::string name;
  std::vector<double> x, y;
  int style = 1;
};

struct chart_options {
  std::string title, x_label, y_label;
  bool log_y = false;
  bool wavelengths_on_x = false;  ///< draw the colours of the wavelengths under the axis
  double width = 560, height = 300;
  bool from_zero = false;  ///< the y axis reaches down to 0, so noise on a flat line does not look like a signal
};

namespace detail {

inline constexpr std::array<const char*, 7> series_colour{
    "var(--ink,#1a1d21)", "var(--s1,#0072b2)", "var(--s2,#d55e00)", "var(--s3,#00865f)",
    "var(--s4,#b8508f)",  "var(--s5,#a67400)", "var(--s6,#3f8fc4)"};
inline constexpr std::array<const char*, 7> series_dash{"", "", "7 3", "2 2.5", "9 3 2 3", "12 4", "4 2"};

inline std::size_t style_of(const series& s) {
  return s.style <= 0 ? 0 : 1 + static_cast<std::size_t>(s.style - 1) % 6;
}

inline std::string stroke(const series& s) {
  std::string out = "stroke=\"currentColor\" style=\"color:";
  cat(out, series_colour[style_of(s)], "\" stroke-width=\"", style_of(s) == 0 ? "2.6" : "1.8", "\"");
  if (*series_dash[style_of(s)]) cat(out, " stroke-dasharray=\"", series_dash[style_of(s)], "\"");
  return out;
}

/// Width in pixels of a text at 12 px: sans-serif letters average 6.4 px, and UTF-8 continuation bytes have none.
inline double text_width(std::string_view text) {
  double n = 0;
  for (char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return 6.6 * n;
}

/// A line with at most `most` points. Longer ones become means over slices with their least and greatest values, which
/// are drawn as a band: single steps of a noisy loss would fill the plot, and spikes must stay visible.
struct thin_line {
  series line;
  std::vector<double> lo, hi;  ///< empty where nothing was left out
};

inline thin_line thinned(const series& s, std::size_t most) {
  const std::size_t n = std::min(s.x.size(), s.y.size());
  thin_line t{{s.name, {}, {}, s.style}, {}, {}};
  if (n <= most) {
    t.line.x.assign(s.x.begin(), s.x.begin() + static_cast<index_t>(n));
    t.line.y.assign(s.y.begin(), s.y.begin() + static_cast<index_t>(n));
    return t;
  }
  for (std::size_t i = 0; i < most; ++i) {
    double sum_x = 0, sum = 0, count = 0, lo = INFINITY, hi = -INFINITY;
    for (std::size_t k = i * n / most; k < (i + 1) * n / most; ++k) {
      if (!std::isfinite(s.y[k]) || !std::isfinite(s.x[k])) continue;
      sum_x += s.x[k], sum += s.y[k], count += 1;
      lo = std::min(lo, s.y[k]), hi = std::max(hi, s.y[k]);
    }
    t.line.x.push_back(count > 0 ? sum_x / count : NAN);
    t.line.y.push_back(count > 0 ? sum / count : NAN);
    t.lo.push_back(lo);
    t.hi.push_back(hi);
  }
  return t;
}

/// The plot's place in the picture.
struct frame {
  double left, right, top, bottom;
  axis x, y;
  std::string px(double v) const { return fixed(left + x.at(v) * (right - left), 1); }
  std::string py(double v) const { return fixed(bottom - y.at(v) * (bottom - top), 1); }
};

/// Rows of swatch and name from `top` down; returns where they end.
inline double draw_legend(std::string& svg, const std::vector<thin_line>& lines, double left, double right,
                          double top) {
  double x = left, y = top + 10;
  for (const auto& [line, lo, hi] : lines) {
    const double need = 34 + text_width(line.name) + 14;
    if (x > left && x + need > right) x = left, y += 19;
    cat(svg, "<path d=\"M", fixed(x, 1), " ", fixed(y - 4, 1), "h26\" ", stroke(line), "/><text x=\"", fixed(x + 32, 1),
        "\" y=\"", fixed(y, 1), "\">", escape_html(line.name), "</text>");
    x += need;
  }
  return lines.empty() ? top + 6 : y + 14;
}

inline void draw_axes(std::string& svg, const frame& f, const chart_options& options) {
  const std::string left = fixed(f.left, 1), width = fixed(f.right - f.left, 1), bottom = fixed(f.bottom, 1);
  for (double t : f.y.ticks)
    cat(svg, "<path d=\"M", left, " ", f.py(t), "h", width, "\" style=\"stroke:var(--grid,#d8dce2)\"/><text x=\"",
        fixed(f.left - 7, 1), "\" y=\"", f.py(t), "\" dy=\".34em\" text-anchor=\"end\" opacity=\".75\">", number(t, 4),
        "</text>");
  const double below = f.bottom + (options.wavelengths_on_x ? 8 : 0);
  constexpr int pieces = 64;
  const double piece = (f.right - f.left) / pieces;
  for (int i = 0; options.wavelengths_on_x && i < pieces; ++i) {
    const auto colour = wavelength_colour(f.x.lo + (i + 0.5) / pieces * (f.x.hi - f.x.lo));
    cat(svg, "<rect x=\"", fixed(f.left + i * piece, 2), "\" y=\"", fixed(f.bottom + 1, 1), "\" width=\"",
        fixed(piece + (i + 1 < pieces ? 0.5 : 0), 2), "\" height=\"6\" fill=\"",
        colour ? hex_colour(*colour) : "#888888", "\"/>");
  }
  for (double t : f.x.ticks)
    cat(svg, "<path d=\"M", f.px(t), " ", fixed(below, 1), "v5\" stroke=\"currentColor\" opacity=\".5\"/><text x=\"",
        f.px(t), "\" y=\"", fixed(below + 18, 1), "\" text-anchor=\"middle\" opacity=\".75\">", number(t, 6),
        "</text>");
  cat(svg, "<path d=\"M", left, " ", bottom, "h", width, "\" stroke=\"currentColor\" opacity=\".5\"/>");
  cat(svg, "<text x=\"", fixed((f.left + f.right) / 2, 1), "\" y=\"", fixed(options.height - 6, 1),
      "\" text-anchor=\"middle\">", escape_html(options.x_label), "</text><text transform=\"translate(13 ",
      fixed((f.top + f.bottom) / 2, 1), ") rotate(-90)\" text-anchor=\"middle\">", escape_html(options.y_label),
      "</text>");
}

inline void draw_line(std::string& svg, const frame& f, const thin_line& thin) {
  const series& line = thin.line;
  std::string path, dots, there, back;
  bool down = false;
  for (std::size_t i = 0; i < line.x.size(); ++i) {
    const bool here = f.y.shows(line.y[i]) && std::isfinite(line.x[i]);
    if (here) {
      const std::string x = f.px(line.x[i]), y = f.py(line.y[i]);
      cat(path, down ? "L" : "M", x, " ", y);
      if (line.x.size() == 1 || (line.x.size() <= 40 && style_of(line) != 0))
        cat(dots, "<circle cx=\"", x, "\" cy=\"", y, "\" r=\"", line.x.size() == 1 ? "3.4" : "2.1",
            "\" style=\"fill:", series_colour[style_of(line)], "\"/>");
      if (!thin.lo.empty()) {
        const double lowest = f.y.shows(thin.lo[i]) ? thin.lo[i] : f.y.lo;
        cat(there, there.empty() ? "M" : "L", x, " ", f.py(thin.hi[i]));
        back = "L" + x + " " + f.py(lowest) + back;
      }
    }
    down = here;
  }
  if (!there.empty())
    cat(svg, "<path opacity=\".25\" style=\"fill:", series_colour[style_of(line)], "\" d=\"", there, back, "Z\"/>");
  if (!path.empty())
    cat(svg, "<path fill=\"none\" stroke-linejoin=\"round\" d=\"", path, "\" ", stroke(line), "/>", dots);
}

}  // namespace detail

/// An `<svg>` element. `lines` may be empty or hold only NaN: the axes are drawn over [0, 1] then.
inline std::string line_chart(const std::vector<series>& lines, const chart_options& options) {
  double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
  axis positive;
  positive.log = options.log_y;
  std::vector<detail::thin_line> shown;
  for (const series& s : lines) {
    shown.push_back(detail::thinned(s, 400));
    for (std::size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
      if (!positive.shows(s.y[i]) || !std::isfinite(s.x[i])) continue;
      x0 = std::min(x0, s.x[i]), x1 = std::max(x1, s.x[i]);
      y0 = std::min(y0, s.y[i]), y1 = std::max(y1, s.y[i]);
    }
  }
  if (options.from_zero && y0 > 0) y0 = 0;
  std::string svg = "<svg class=\"chart\" role=\"img\" viewBox=\"0 0 ";
  cat(svg, fixed(options.width, 0), " ", fixed(options.height, 0),
      "\" font-family=\"system-ui,sans-serif\" font-size=\"12\" style=\"color:var(--ink,#1a1d21)\" "
      "fill=\"currentColor\"",
      " aria-label=\"", escape_html(options.title), ": ", escape_html(options.y_label), " over ",
      escape_html(options.x_label), "\">");
  const double left = 62, right = options.width - 26, top = options.title.empty() ? 8 : 26;
  if (!options.title.empty())
    cat(svg, "<text x=\"", fixed(left, 1), "\" y=\"16\" font-size=\"14\" font-weight=\"600\">",
        escape_html(options.title), "</text>");
  const double begin = detail::draw_legend(svg, shown, left, right, top);
  const double end = std::max(begin + 40, options.height - 44 - (options.wavelengths_on_x ? 8 : 0));
  detail::frame f{left,
                  right,
                  begin,
                  end,
                  linear_axis(x0, x1, 8, false),
                  options.log_y ? log_axis(y0, y1) : linear_axis(y0, y1, 5, true)};
  const auto whole = [](double v) { return std::abs(v - std::round(v)) <= 1e-9; };
  if (whole(x0) && whole(x1)) std::erase_if(f.x.ticks, [&](double t) { return !whole(t); });  // steps, band numbers
  detail::draw_axes(svg, f, options);
  for (const detail::thin_line& line : shown) detail::draw_line(svg, f, line);
  return svg + "</svg>";
}

}  // namespace unmask::inline UNMASK_ABI::render
