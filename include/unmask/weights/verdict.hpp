#pragma once

/// What a check found, without heap: fine, or a code and one line. `error` (core/result.hpp) says the same in a string.

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <string_view>

#include "../core/result.hpp"

namespace unmask::inline UNMASK_ABI::weights {

class [[nodiscard]] verdict {
 public:
  verdict() = default;  ///< fine

  /// As printf; what does not fit is left out. Texts of a file are passed as `%.*s` of `shown`.
  [[gnu::cold, gnu::format(printf, 2, 3)]] static verdict refuse(errc code, const char* format, ...) {
    verdict v;
    v.code_ = code;
    v.fine_ = false;
    std::va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(v.text_, sizeof v.text_, format, arguments);
    va_end(arguments);
    for (char* c = v.text_; *c != 0; ++c)  // a foreign name stays one line
      if (static_cast<unsigned char>(*c) < 32 || *c == 127) *c = '?';
    return v;
  }

  explicit operator bool() const { return fine_; }
  errc code() const { return code_; }
  const char* message() const { return text_; }
  /// The same for whoever takes heap.
  result<> as_result() const { return fine_ ? result<>() : result<>(error(code_, text_)); }

 private:
  errc code_ = errc::unreadable;
  bool fine_ = true;
  char text_[200] = "";
};

namespace detail {

/// At most 80 bytes of a foreign text for a message, without half a character of UTF-8 at its end.
struct shown {
  int size;
  const char* text;

  explicit shown(std::string_view all)
      : size(static_cast<int>(std::min<std::size_t>(all.size(), 80))), text(all.data()) {
    while (static_cast<std::size_t>(size) < all.size() && size > 0 &&
           (static_cast<unsigned char>(text[size]) & 0xc0u) == 0x80u)
      --size;
  }
};

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::weights
