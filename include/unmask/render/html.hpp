#pragma once

/// Text for HTML, SVG and JSON: escaping, base64 and numbers that do not depend on the program's locale.

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "colour.hpp"
#include "png.hpp"

namespace unmask::inline UNMASK_ABI::render {

/// Appends all pieces to `out`.
template <class... Pieces>
void cat(std::string& out, const Pieces&... pieces) {
  (out.append(std::string_view(pieces)), ...);
}

/// Safe as HTML text and inside a quoted attribute.
inline std::string escape_html(std::string_view text) {
  std::string out;
  for (char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  return out;
}

/// A JSON string with its quotes; '<' is escaped too, so that "</script>" in a name cannot end the block it stands in.
inline std::string json_string(std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (u < 0x20 || c == '<') {
      out += "\\u00";
      out += hex[u >> 4];
      out += hex[u & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// Shortest form with at most `digits` significant digits; "–" for NaN and infinity.
inline std::string number(double v, int digits = 6) {
  if (!std::isfinite(v)) return "\u2013";
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, v == 0 ? 0.0 : v, std::chars_format::general, digits).ptr;
  return std::string(text, end);
}

/// `decimals` digits after the point; "–" for NaN and infinity.
inline std::string fixed(double v, int decimals) {
  if (!std::isfinite(v) || std::abs(v) > 1e15) return number(v);
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, v, std::chars_format::fixed, decimals).ptr);
}

/// A JSON number; null for NaN and infinity.
inline std::string json_number(double v) { return std::isfinite(v) ? number(v, 9) : "null"; }

template <class Values>
std::string json_array(const Values& values) {
  std::string out = "[";
  for (const auto& v : values) cat(out, out.size() > 1 ? "," : "", json_number(static_cast<double>(v)));
  return out + "]";
}

/// "#rrggbb"
inline std::string hex_colour(rgb8 c) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out = "#";
  for (std::uint8_t v : {c.r, c.g, c.b}) {
    out += hex[v >> 4];
    out += hex[v & 15];
  }
  return out;
}

/// RFC 4648, with padding.
inline std::string base64(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) -> std::uint32_t {
      return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u;
    };
    const std::uint32_t word = byte(0) << 16 | byte(1) << 8 | byte(2);
    out += digits[word >> 18];
    out += digits[word >> 12 & 63];
    out += i + 1 < bytes.size() ? digits[word >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? digits[word & 63] : '=';
  }
  return out;
}

}  // namespace unmask::inline UNMASK_ABI::render
