#pragma once

/// The elements of a page to look at cubes: facts, controls, picture, chart. The script fills them.

#include <string>

#include "viewer_data.hpp"

namespace unmask::inline UNMASK_ABI::render {

namespace detail {

inline std::string viewer_facts(const viewer_input& input, const viewer_parts& parts) {
  std::string out = "<dl class=\"facts\">";
  const auto fact = [&](std::string_view name, std::string_view value) {
    cat(out, "<div><dt>", escape_html(name), "</dt><dd>", escape_html(value), "</dd></div>");
  };
  const auto& cube = input.cubes.front().cube;
  const auto& nm = input.wavelengths;
  const auto size = [](index_t h, index_t w) { return std::to_string(h) + " \u00d7 " + std::to_string(w); };
  fact("Cube", size(cube.extent(0), cube.extent(1)) + " \u00d7 " + std::to_string(cube.extent(2)));
  if (!nm.empty()) {
    const auto [lo, hi] = std::minmax_element(nm.begin(), nm.end());
    fact("Wavelengths", *lo == *hi ? fixed(*lo, 1) + " nm" : fixed(*lo, 1) + " to " + fixed(*hi, 1) + " nm");
  }
  for (std::size_t k = 0; k < parts.packed.size(); ++k)
    fact(input.cubes.size() > 1 ? "Values of " + input.cubes[k].name : "Values",
         number(parts.packed[k].lo, 4) + " to " + number(parts.packed[k].hi, 4) + ", here to \u00b1" +
             number(parts.packed[k].error(), 2));
  if (parts.mean_over > 1)
    fact("Reduced", "means over " + size(parts.mean_over, parts.mean_over) + " pixels, " +
                        size(parts.shown.extent(0), parts.shown.extent(1)) + " in this page");
  return out + "</dl>";
}

/// A select box and a slider for a band.
inline std::string band_picker(std::string_view id, std::string_view name, index_t bands) {
  std::string out = "<fieldset class=\"pick\" id=\"pick-";
  cat(out, id, "\" hidden><b>", name, "</b><select id=\"select-", id, "\" aria-label=\"", name,
      ", band\" autocomplete=\"off\"></select><span class=\"slide\"><input type=\"range\" id=\"range-", id,
      "\" min=\"0\" max=\"", std::to_string(bands - 1), "\" step=\"1\" autocomplete=\"off\" aria-label=\"", name,
      ", band slider\"><i></i></span></fieldset>");
  return out;
}

inline std::string viewer_tools(const viewer_input& input, const colour_weights& weights) {
  const index_t bands = static_cast<index_t>(weights.band.size());
  std::string out =
      "<div class=\"tools\"><label>Show <select id=\"mode\" autocomplete=\"off\"><option value=\"colour\">";
  cat(out, colour_name(weights), "</option>");
  if (bands > 1) out += "<option value=\"rgb\">Three bands</option><option value=\"grey\">One band</option>";
  if (input.cubes.size() > 1)
    out += "<option value=\"rms\">Difference, all bands</option><option value=\"signed\">Difference, one band</option>";
  const auto slider = [&](std::string_view id, std::string_view name, std::string_view ends, std::string_view start) {
    cat(out, "<label>", name, " <input type=\"range\" id=\"", id, "\" ", ends,
        " value=\"0\" autocomplete=\"off\"></label><output id=\"", id, "-value\" for=\"", id, "\">", start,
        "</output>");
  };
  out += "</select></label>";
  slider("gain", "Brightness", "min=\"-4\" max=\"6\" step=\"0.1\"", "\u00d71");
  slider("gamma", "Gamma", "min=\"-1.5\" max=\"1.5\" step=\"0.05\"", "1");
  out += "<button type=\"button\" id=\"reset\">Reset</button></div><div class=\"picks\">";
  cat(out, band_picker("red", "Red", bands), band_picker("green", "Green", bands), band_picker("blue", "Blue", bands),
      band_picker("grey", "Band", bands),
      "<label id=\"tint-choice\" hidden><input type=\"checkbox\" id=\"tint\" autocomplete=\"off\">Colour of the "
      "wavelength</label></div>");
  return out;
}

/// Head, controls, picture and chart; the script fills them.
inline void viewer_body(std::string& out, const viewer_input& input, const viewer_parts& parts,
                        const colour_weights& weights) {
  const std::string w = std::to_string(parts.shown.extent(1)), h = std::to_string(parts.shown.extent(0));
  cat(out, "<header><h1>", escape_html(input.title), "</h1>", viewer_facts(input, parts), "</header>\n<main>",
      viewer_tools(input, weights), "<div id=\"look\"><div><div id=\"picture\" tabindex=\"0\" role=\"application\" ",
      "aria-label=\"Picture. Arrow keys move the cursor, with Shift by ten pixels; Enter pins the pixel, Delete "
      "removes ",
      "its pin.\" style=\"--w:", w, ";--h:", h, "\">");
  for (const char* id : {"first", "second"})
    cat(out, "<canvas id=\"", id, "\" width=\"", w, "\" height=\"", h, "\"",
        id[0] == 's' ? " class=\"pair\" hidden" : "", "></canvas>");
  const bool two = input.cubes.size() > 1;
  cat(out, "<div id=\"marks\"></div><i id=\"seam\" class=\"pair\" hidden></i><span class=\"corner left pair\" hidden>",
      escape_html(input.cubes.front().name), "</span><span class=\"corner right pair\" hidden>",
      escape_html(input.cubes.back().name), "</span><span id=\"split\" class=\"pair\" hidden tabindex=\"0\" ",
      "role=\"slider\" aria-label=\"Where the picture is divided\" aria-valuemin=\"0\" aria-valuemax=\"100\">",
      "\u2194</span></div><div id=\"bar\" class=\"bar\" hidden><i></i><span></span></div><div class=\"under\">",
      "<output id=\"where\"></output><button type=\"button\" id=\"save-picture\">Save PNG</button></div>",
      "<p class=\"how\" id=\"how\"></p></div>");
  cat(out, "<div><svg id=\"chart\" role=\"img\" aria-label=\"Spectra of the pinned pixels and of the cursor\"></svg>",
      "<div class=\"under\" style=\"margin-top:8px\"><output id=\"probe\"></output><label><input type=\"checkbox\" ",
      "id=\"whole\" autocomplete=\"off\">Axis over all values</label></div><ul id=\"pins\" aria-label=\"Pixels\"></ul>",
      "<div class=\"under\" style=\"margin-top:0\"><span><button type=\"button\" id=\"unpin\">Remove all pins</button>",
      "</span><button type=\"button\" id=\"save-spectra\">Save CSV</button></div><p class=\"how\">",
      two ? escape_html(input.cubes.front().name) + " is solid, " + escape_html(input.cubes.back().name) + " dashed. "
          : std::string(),
      "Move over the picture to see a pixel's spectrum; click to pin it. With the picture in focus, arrow keys move "
      "the "
      "cursor (Shift: by ten), Enter pins, Delete removes. Rows and columns count from 0 as in the file, bands from 1.",
      "</p></div></div><p id=\"state\" role=\"status\">Unpacking the values.</p><noscript><p>This page needs ",
      "JavaScript.</p></noscript><p id=\"spoken\" class=\"unseen\" aria-live=\"polite\"></p></main>\n<footer>Made by "
      "unmask. Pixels with a value that is not a finite number are <span style=\"color:#ff00ff\">\u25a0</span> "
      "magenta.",
      input.rotate180 ? " The picture is turned by 180\u00b0; rows and columns are those of the file." : "",
      "</footer>\n");
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::render
