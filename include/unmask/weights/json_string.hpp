#pragma once

/// Strings of JSON text, checked and decoded without heap (RFC 8259, UTF-8 as RFC 3629 has it). Cold, as everything
/// that reads a header: it is compiled for size.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/config.hpp"

namespace unmask::inline UNMASK_ABI::weights::detail {

/// Four hexadecimal digits, or -1.
[[gnu::cold]] inline int hex4(const char* at, const char* end) {
  if (end - at < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = at[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/// Bytes of the character that begins here, or 0 where it is none: overlong, half of a pair, beyond U+10FFFF, cut off.
[[gnu::cold]] inline std::size_t utf8_length(const char* at, const char* end) {
  const auto byte = [&](std::ptrdiff_t i) { return i < end - at ? static_cast<unsigned char>(at[i]) : 0u; };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(static_cast<std::ptrdiff_t>(i)) & 0xc0u) != 0x80) return 0;
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
      (first == 0xf4 && second > 0x8f))
    return 0;
  return length;
}

/// One character that an escape stands for; `at` is behind the backslash and moves on. False: no escape of JSON.
[[gnu::cold]] inline bool read_escape(const char*& at, const char* end, std::uint32_t& code) {
  if (at == end) return false;
  constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
  const char c = *at++;
  if (c != 'u') {
    const std::size_t which = names.find(c);
    if (which == std::string_view::npos) return false;
    code = static_cast<unsigned char>(values[which]);
    return true;
  }
  const int high = hex4(at, end);
  if (high < 0 || (high >= 0xdc00 && high < 0xe000)) return false;
  at += 4;
  code = static_cast<std::uint32_t>(high);
  if (high < 0xd800 || high >= 0xe000) return true;
  if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return false;
  const int low = hex4(at + 2, end);
  if (low < 0xdc00 || low >= 0xe000) return false;
  at += 6;
  code = 0x10000u + ((static_cast<std::uint32_t>(high) - 0xd800u) << 10) + (static_cast<std::uint32_t>(low) - 0xdc00u);
  return true;
}

/// Behind the opening quote: what stands until the closing one, which `at` moves past. False: no string of JSON.
[[gnu::cold]] inline bool scan_string(const char*& at, const char* end, std::string_view& raw) {
  const char* const begin = at;
  while (at != end) {
    const auto c = static_cast<unsigned char>(*at);
    if (c == '"') {
      raw = {begin, static_cast<std::size_t>(at - begin)};
      ++at;
      return true;
    }
    if (c < 0x20) return false;
    if (c == '\\') {
      std::uint32_t code = 0;
      if (!read_escape(++at, end, code)) return false;
      continue;
    }
    const std::size_t length = utf8_length(at, end);
    if (length == 0) return false;
    at += length;
  }
  return false;
}

/// The text that a scanned string stands for, in at most as many bytes; returns where it ends.
[[gnu::cold]] inline char* decode(std::string_view raw, char* to) {
  const char *at = raw.data(), *const end = at + raw.size();
  while (at != end) {
    if (*at != '\\') {
      *to++ = *at++;
      continue;
    }
    std::uint32_t code = 0;
    if (!read_escape(++at, end, code)) return to;  // a scanned string has none such
    const auto put = [&](std::uint32_t byte) { *to++ = static_cast<char>(byte); };
    const auto rest = [&](int shift) { put(0x80u | (code >> shift & 0x3fu)); };
    if (code < 0x80)
      put(code);
    else if (code < 0x800)
      put(0xc0u | code >> 6), rest(0);
    else if (code < 0x10000)
      put(0xe0u | code >> 12), rest(6), rest(0);
    else
      put(0xf0u | code >> 18), rest(12), rest(6), rest(0);
  }
  return to;
}

}  // namespace unmask::inline UNMASK_ABI::weights::detail
