#pragma once

/// Cubes, planes and any other array out of data files of any format, always row-major [H, W, C] in memory.
/// Every refusal is one line that names the file, the variable, what was found and what was expected.

#include "../core/tensor.hpp"
#include "envi.hpp"
#include "foreign_format.hpp"
#include "hdf5.hpp"
#include "matlab5.hpp"
#include "npy_header.hpp"
#include "npz.hpp"
#include "pictures.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// Names a reader looks for where none was given, the best first.
using name_list = std::vector<std::string_view>;

/// A format that needs no library beyond HDF5 and zlib is a line here; `add_format` has the others.
inline constexpr std::array built_in_formats{hdf5_format, matlab73_format, matlab5_format, npy_format,
                                             npz_format,  envi_format,     png_format,     pictures_format};

/// The line of a format; null where nothing reads it.
inline const data_format* format_line(file_format format) {
  for (const data_format& f : built_in_formats)
    if (f.format == format) return &f;
  return detail::added_format(format);
}

/// What is in a file: for `unmask info`, and before anything is read. What no other format reads is left to
/// `file_format::other`, where that was added.
inline result<file_info> list_variables(const std::string& path) {
  const auto format = detect_format(path);
  if (!format) return format.error();
  if (*format == file_format::matlab4)
    return error(errc::unreadable, detail::printable(path, 1000) + ": a MATLAB v4 file, expected v5, v7.3 or HDF5");
  const data_format* line = format_line(*format);
  const data_format* other = format_line(file_format::other);
  for (const data_format* f : {line, other}) {
    if (!f) continue;
    auto found = f->list(path);  // not found: nothing that this format reads, a folder without pictures
    if (found || found.error().code() != errc::not_found || (f == line && !other)) return found;
  }
  if (line) return line->list(path);
  const std::string what = detail::describe_foreign(path);
  return error(errc::unreadable, detail::printable(path, 1000) + ": not HDF5, MATLAB, NPY, NPZ, ENVI or pictures" +
                                     (what.empty() ? "" : " but " + what));
}

namespace detail {

inline const variable_info* find(const file_info& file, std::string_view name) {
  while (name.starts_with('/')) name.remove_prefix(1);
  for (const variable_info& v : file.variables)
    if (v.name == name) return &v;
  return nullptr;
}

inline const char* rank_text(std::size_t rank) {
  return rank == 3 ? "3-D [H x W x C]" : rank == 2 ? "2-D [H x W]" : rank == 1 ? "a list of numbers" : "an array";
}

inline error rank_error(const std::string& path, const variable_info& v, std::size_t rank) {
  const std::string hint =
      rank == 2 && v.shape.size() == 3 ? " (one plane of it, if its bands are the same or shifted)" : "";
  return variable_error(
      errc::wrong_shape, path, v,
      "is " + std::to_string(v.shape.size()) + "-D [" + shape_text(v.shape) + "], expected " + rank_text(rank) + hint);
}

/// Where nothing can be read: the one variable that has the shape but no real numbers, or a preferred name of another
/// rank, tells more than a list of all that there is.
inline const variable_info* nearest_miss(const file_info& file, std::size_t rank, const name_list& preferred) {
  for (std::string_view name : preferred)
    if (const variable_info* v = find(file, name)) return v;
  const variable_info* only = nullptr;
  for (const variable_info& v : file.variables)
    if (!v.numeric && v.shape.size() == rank) {
      if (only) return nullptr;
      only = &v;
    }
  return only;
}

/// The variable that was named, else the first preferred name of the right rank, else the only candidate.
inline result<variable_info> choose(const file_info& file, const std::string& named, std::size_t rank,
                                    const name_list& preferred) {
  const std::string path = printable(file.path, 1000);
  if (!named.empty()) {
    const variable_info* v = find(file, named);
    if (!v)
      return error(errc::not_found, path + ": variable '" + printable(named) + "' not found (" + describe(file) + ")");
    if (!v->numeric) return type_error(file.path, *v);
    if (v->shape.size() != rank) return rank_error(file.path, *v, rank);
    return *v;
  }
  std::vector<const variable_info*> candidates;
  for (std::string_view name : preferred) {
    const variable_info* v = find(file, name);
    if (v && v->numeric && v->shape.size() == rank) return *v;
  }
  for (const variable_info& v : file.variables) {
    // MATLAB has no 1-D arrays: a list of wavelengths is a 2-D row, and no candidate for a plane.
    const bool row = v.column_major && rank == 2 && v.shape.size() == 2 && (v.shape[0] == 1 || v.shape[1] == 1);
    if (v.numeric && v.shape.size() == rank && !row) candidates.push_back(&v);
  }
  if (candidates.size() == 1) return *candidates[0];
  if (const variable_info* v = candidates.empty() ? nearest_miss(file, rank, preferred) : nullptr)
    return v->numeric ? rank_error(file.path, *v, rank) : type_error(file.path, *v);
  return error(candidates.empty() ? errc::not_found : errc::bad_argument,
               path + ": " + (candidates.empty() ? "no variable that is " : "several variables are ") +
                   rank_text(rank) + (candidates.empty() ? "" : ", name one as FILE:NAME") + " (" + describe(file) +
                   ")");
}

/// How the file says that stored values become physical ones.
inline result<linear_scale> scale_of(const file_info& file, const variable_info& v) {
  return format_line(file.format)->scale(file.path, v);
}

/// Reads a chosen variable into `to` (row-major, scaled); `to` has room for its elements.
template <class T>
result<> read_into(const file_info& file, const variable_info& v, T* to) {
  const std::int64_t n = *checked_elements(file.path, v);
  std::vector<T> buffer;
  T* raw = to;
  if (v.column_major && v.shape.size() > 1) {
    auto room = allocate<T>(n);
    if (!room) return variable_error(errc::wrong_shape, file.path, v, "does not fit into memory");
    buffer = std::move(*room);
    raw = buffer.data();
  }
  const auto scale = scale_of(file, v);
  if (!scale) return scale.error();
  const auto done = format_line(file.format)->template read<T>(file.path, v, raw);
  if (!done) return done;
  if (raw != to) to_row_major(raw, v.shape, to);
  return apply_scale(file.path, v, *scale, to, n);
}

inline result<> check_size(const file_info& file, const variable_info& v) {
  return format_line(file.format)->check_size(file.path, v);
}

template <class T, std::size_t Rank>
result<tensor<T, Rank>> read_chosen(const file_info& file, const variable_info& v) {
  if (auto fine = check_size(file, v); !fine) return fine.error();
  std::array<index_t, Rank> extents{};
  std::copy(v.shape.begin(), v.shape.end(), extents.begin());
  std::optional<tensor<T, Rank>> array;
#if UNMASK_HAS_EXCEPTIONS
  try {
    array.emplace(extents);
  } catch (const std::bad_alloc&) {
    return variable_error(errc::wrong_shape, file.path, v, "does not fit into memory");
  }
#else
  array.emplace(extents);
#endif
  if (auto done = read_into(file, v, array->data()); !done) return done.error();
  if (auto fine = check_finite(file.path, v, array->data()); !fine) return fine.error();
  return std::move(*array);
}

}  // namespace detail

/// Any array of a known rank; T is float or double.
template <class T, std::size_t Rank>
result<tensor<T, Rank>> read_tensor(const source& from, const name_list& preferred = {}) {
  const auto file = list_variables(from.path);
  if (!file) return file.error();
  const auto v = detail::choose(*file, from.variable, Rank, preferred);
  if (!v) return v.error();
  return detail::read_chosen<T, Rank>(*file, *v);
}

/// A mask, a measurement, an error map: [H, W].
inline result<tensor<float, 2>> read_plane(const source& from, const name_list& preferred = {}) {
  return read_tensor<float, 2>(from, preferred);
}

/// A coded mask: `mask` where no variable is named.
inline result<tensor<float, 2>> read_mask(const source& from) { return read_plane(from, {"mask"}); }

/// A snapshot: `meas_real`, `measurement` or `meas` where no variable is named.
inline result<tensor<float, 2>> read_measurement(const source& from) {
  return read_plane(from, {"meas_real", "measurement", "meas"});
}

}  // namespace unmask::inline UNMASK_ABI::io
