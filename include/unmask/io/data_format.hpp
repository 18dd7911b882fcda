#pragma once

/// What a format of data files has to offer to be read like all others: one header, and one line in a table
/// (`built_in_formats` in arrays.hpp, or `add_format` for those that need a library of their own). Which format a file
/// has is told by its first bytes (source.hpp). Writers of cubes are a table too, where the program needs them.

#include "linear_scale.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct data_format {
  file_format format = file_format::unknown;
  std::string_view name;  ///< "NPY"

  /// What is in the file: names, shapes, types, attributes.
  result<file_info> (*list)(const std::string& path) = nullptr;
  /// Whether a listed variable's numbers can be there, before memory is taken for them.
  result<> (*check_size)(const std::string& path, const variable_info&) = nullptr;
  /// How stored numbers become physical ones.
  result<linear_scale> (*scale)(const std::string& path, const variable_info&) = nullptr;
  /// Stored numbers in the file's order; `to` has room for all.
  result<> (*read_floats)(const std::string& path, const variable_info&, float* to) = nullptr;
  result<> (*read_doubles)(const std::string& path, const variable_info&, double* to) = nullptr;
  /// `count` entries of the first axis from `first` on; null where a format has no way to.
  result<> (*read_rows)(const std::string& path, const variable_info&, index_t first, index_t count,
                        float* to) = nullptr;

  template <class T>
  result<> read(const std::string& path, const variable_info& v, T* to) const {
    if constexpr (std::is_same_v<T, float>)
      return read_floats(path, v, to);
    else
      return read_doubles(path, v, to);
  }
};

/// Formats that a program added. Not for several threads at once.
inline std::vector<data_format>& added_formats() {
  static std::vector<data_format> added;
  return added;
}

/// Once, before files are read: `io::add_format(io::tiff_format)`.
inline void add_format(const data_format& f) { added_formats().push_back(f); }

namespace detail {

inline const data_format* added_format(file_format format) {
  for (const data_format& f : added_formats())
    if (f.format == format) return &f;
  return nullptr;
}

/// For formats whose list has compared the numbers' bytes with those that there are.
inline result<> check_count(const std::string& path, const variable_info& v) {
  const auto count = checked_elements(path, v);
  return count ? result<>() : result<>(count.error());
}

/// Scale, offset and missing value as the listing found them.
inline result<linear_scale> listed_scale(const std::string&, const variable_info& v) {
  linear_scale scale;
  scale.factor = v.factor, scale.offset = v.offset;
  if (v.missing) scale.missing = {*v.missing};
  return scale;
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::io
