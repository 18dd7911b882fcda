#pragma once

/// JSON text, value by value, without heap and without recursion: the caller says what has to come next, anything else
/// fails and stays failed. Strict as RFC 8259.
///
///   json_reader json(text);
///   for (bool more = json.object(); more && json.key(name);)
///     if (name == "seed") json.unsigned_integer(seed); else ...
///   if (!json.finished()) ...

#include <clocale>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "json_string.hpp"

namespace unmask::inline UNMASK_ABI::weights::detail {

class json_reader {
 public:
  explicit json_reader(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  bool object() { return open('{'); }
  bool array() { return open('['); }

  /// The next key of the object, as it is written; false at its end.
  [[gnu::cold]] bool key(std::string_view& name) {
    if (!next('}')) return false;
    if (!string(name)) return false;
    return skip(), take(':') || fail();
  }
  /// Whether the array has another value; false at its end.
  [[gnu::cold]] bool element() { return next(']'); }

  [[gnu::cold]] bool string(std::string_view& raw) {
    return skip(), (take('"') && scan_string(at_, end_, raw)) || fail();
  }

  [[gnu::cold]] bool unsigned_integer(std::uint64_t& value) {
    skip();
    const char* const begin = at_;
    value = 0;
    for (; digit(); ++at_) {
      const auto d = static_cast<std::uint64_t>(*at_ - '0');
      if (value > (UINT64_MAX - d) / 10) return fail();
      value = value * 10 + d;
    }
    if (at_ == begin || (*begin == '0' && at_ - begin > 1)) return fail();
    return (at_ == end_ || (*at_ != '.' && *at_ != 'e' && *at_ != 'E')) || fail();
  }

  /// An integer of at most a million either way.
  [[gnu::cold]] bool integer(int& value) {
    skip();
    const bool negative = take('-');
    std::uint64_t magnitude = 0;
    if (at_ == end_ || !digit()) return fail();  // no blank behind the sign
    if (!unsigned_integer(magnitude) || magnitude > 1'000'000) return fail();
    value = negative ? -static_cast<int>(magnitude) : static_cast<int>(magnitude);
    return true;
  }

  /// A number of at most 60 characters, rounded to the nearest double. Not infinite.
  [[gnu::cold]] bool number(double& value) {
    skip();
    const char* const begin = at_;
    take('-');
    const char* const whole = at_;
    if (!digits() || (*whole == '0' && at_ - whole > 1)) return fail();
    const char* point = nullptr;
    if (at_ != end_ && *at_ == '.') {
      point = at_++;
      if (!digits()) return fail();
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (!take('-')) take('+');
      if (!digits()) return fail();
    }
    return convert(begin, point, value) || fail();
  }

  [[gnu::cold]] bool boolean(bool& value) {
    skip();
    value = word("true");
    return value || word("false") || fail();
  }

  /// Whether everything so far was as it had to be.
  bool fine() const { return fine_; }

  /// Whether all of the text was one value, and right.
  [[gnu::cold]] bool finished() { return skip(), fine_ && depth_ == 0 && at_ == end_; }

 private:
  bool fail() { return fine_ = false; }
  [[gnu::cold]] void skip() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  [[gnu::cold]] bool take(char c) {
    if (!fine_ || at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool digit() const { return at_ != end_ && *at_ >= '0' && *at_ <= '9'; }
  [[gnu::cold]] bool digits() {
    const char* const begin = at_;
    while (digit()) ++at_;
    return at_ != begin;
  }
  [[gnu::cold]] bool word(std::string_view w) {
    if (!fine_ || std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, w.size()) != w) return false;
    at_ += w.size();
    return true;
  }
  [[gnu::cold]] bool open(char bracket) {
    skip();
    if (!take(bracket)) return fail();
    ++depth_;
    return first_ = true;
  }
  [[gnu::cold]] bool next(char close) {
    skip();
    if (!fine_) return false;
    if (take(close)) {
      --depth_;
      return first_ = false;
    }
    if (!first_ && !take(',')) return fail();
    first_ = false;
    return true;
  }

  /// The C library rounds right, but reads the decimal point of its locale.
  [[gnu::cold]] bool convert(const char* begin, const char* point, double& value) const {
    const auto size = static_cast<std::size_t>(at_ - begin);
    const char* const mark = std::localeconv()->decimal_point;
    const std::size_t more = std::strlen(mark);
    char text[80];
    if (size > 60 || more > 8) return false;
    std::size_t n = 0;
    for (const char* c = begin; c != at_; ++c) {
      if (c == point)
        for (std::size_t i = 0; i < more; ++i) text[n++] = mark[i];
      else
        text[n++] = *c;
    }
    text[n] = 0;
    char* stop = nullptr;
    value = std::strtod(text, &stop);
    return stop == text + n && value <= 1.7976931348623157e308 && value >= -1.7976931348623157e308;
  }

  const char *at_, *end_;
  int depth_ = 0;
  bool first_ = false, fine_ = true;
};

}  // namespace unmask::inline UNMASK_ABI::weights::detail
