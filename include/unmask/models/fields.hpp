#pragma once

/// The fields of an architecture's configuration, listed once: `visit_fields(visitor, config)` calls
///   v("channels", c.channels, field_range{1, 4096});           an integer
///   v("shifted", c.shifted);                                   true or false
///   v("layout", c.layout, arrangement_names);                  an enumeration by its names
///   v("depths", field_list{c.depths.data(), &c.stages, ...}, field_range{1, 64});   as many integers as `stages` says
/// for each. Files, checkpoints, messages and `check_fields` are written over that list, for any configuration.

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "../core/result.hpp"

namespace unmask::inline UNMASK_ABI {

template <class Enum>
struct named_value {
  std::string_view name;
  Enum value;
};

/// Both ends are allowed.
struct field_range {
  int first, last;
  bool younger = false;  ///< than files that lack it: neither files nor checkpoints state it where it is 0
};

/// Integers whose number is a field of its own; lists that share a count have one length. `Int` is const where the
/// configuration is.
template <class Int>
struct field_list {
  Int* values;
  Int* count;
  int capacity;
  const char* count_name;  ///< "stages"
  const char* element;     ///< what messages call one of them
};
template <class Int>
field_list(Int*, Int*, int, const char*, const char*) -> field_list<Int>;

/// The name of a value, or "" where it has none.
template <class Enum, std::size_t N>
std::string_view name_of(Enum value, const named_value<Enum> (&names)[N]) {
  for (const auto& n : names)
    if (n.value == value) return n.name;
  return "";
}

/// "none, q, k"
template <class Enum, std::size_t N>
[[gnu::cold]] std::string list_names(const named_value<Enum> (&names)[N]) {
  std::string list;
  for (const auto& n : names) list += (list.empty() ? "" : ", ") + std::string(n.name);
  return list;
}

namespace detail {

class field_checker {
 public:
  explicit field_checker(std::string what) : what_(std::move(what)) {}

  void operator()(const char* name, int value, field_range range) {
    if (value < range.first || value > range.last)
      note(name, value, std::to_string(range.first) + ".." + std::to_string(range.last));
  }
  void operator()(const char*, bool) {}
  template <class Enum, std::size_t N>
  requires std::is_enum_v<Enum>
  void operator()(const char* name, Enum value, const named_value<Enum> (&names)[N]) {
    if (name_of(value, names).empty()) note(name, static_cast<int>(value), "one of " + list_names(names));
  }
  void operator()(const char*, const field_list<const int>& list, field_range range) {
    (*this)(list.count_name, *list.count, {1, list.capacity});
    for (int i = 0; first_ && i < *list.count; ++i) (*this)(list.element, list.values[i], range);
  }
  const result<>& first() const { return first_; }

 private:
  [[gnu::cold]] void note(const char* name, int value, const std::string& expected) {
    if (first_)
      first_ =
          error(errc::bad_argument, what_ + ": " + name + " is " + std::to_string(value) + ", expected " + expected);
  }
  std::string what_;
  result<> first_;
};

}  // namespace detail

/// Whether every field is in its range. Errors: `bad_argument`, the first that is not.
template <class Config>
[[gnu::cold]] result<> check_fields(const Config& config, const char* what) {
  detail::field_checker check(what);
  visit_fields(check, config);
  return check.first();
}

}  // namespace unmask::inline UNMASK_ABI
