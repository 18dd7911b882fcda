#pragma once

/// NumPy's NPZ files (numpy.savez and savez_compressed): a zip archive of NPY files, one a variable.

#include "npy_header.hpp"
#include "zip_stream.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

/// "cube" for "cube.npy"; empty for what is no NPY file.
inline std::string npz_name(const zip_entry& e) {
  return e.name.size() > 4 && e.name.ends_with(".npy") ? e.name.substr(0, e.name.size() - 4) : "";
}

/// One entry of an archive as a variable. Errors: an NPY file that is damaged or of another size than it says.
inline result<variable_info> npz_variable(input_file& file, const zip_entry& e) {
  auto stream = zip_stream::open(file, e);
  if (!stream) return stream.error();
  const auto h = read_npy_header(*stream);
  if (!h && h.error().code() != errc::wrong_value) return h.error();
  variable_info v;
  v.name = npz_name(e);
  if (!h) {  // texts and objects keep nobody from reading the numbers beside them
    v.type = "no plain numbers";
    return v;
  }
  v = npy_variable(*h, v.name);
  std::uint64_t bytes = number_bytes(v.type);
  for (const index_t n : v.shape)
    bytes =
        n > 0 && bytes > e.size / static_cast<std::uint64_t>(n) ? e.size + 1 : bytes * static_cast<std::uint64_t>(n);
  if (bytes > e.size || h->begin != e.size - bytes)
    return error(errc::unreadable, stream->name() + ": [" + shape_text(v.shape) + "] of " + v.type + " behind " +
                                       std::to_string(h->begin) + " bytes, found " + std::to_string(e.size) +
                                       " bytes in all");
  return v;
}

/// As stored, in the file's order. Errors: `unreadable` (damaged: the archive's sum is another).
template <class T>
result<> read_npz(const std::string& path, const variable_info& v, T* to) {
  auto file = input_file::open(path);
  if (!file) return file.error();
  const auto entries = list_zip(*file);
  if (!entries) return entries.error();
  for (const zip_entry& e : *entries) {
    if (npz_name(e) != v.name) continue;
    auto stream = zip_stream::open(*file, e);
    if (!stream) return stream.error();
    const auto h = read_npy_header(*stream);
    const auto count = checked_elements(path, v);
    if (!h || !count || h->shape != v.shape || !read_numbers(*stream, v, static_cast<std::size_t>(*count), to) ||
        !stream->finish())
      return error(errc::unreadable, stream->name() + ": damaged (its checksum is another, or it ends too early)");
    return {};
  }
  return variable_error(errc::not_found, path, v, "is no longer there");
}

}  // namespace detail

/// Errors: `unreadable` (a damaged archive, or one without NPY files).
inline result<file_info> list_npz(const std::string& path) {
  auto file = input_file::open(path);
  if (!file) return file.error();
  const auto entries = detail::list_zip(*file);
  if (!entries) return entries.error();
  file_info info{path, file_format::npz, {}, {}};
  for (const detail::zip_entry& e : *entries) {
    if (detail::npz_name(e).empty()) continue;
    auto v = detail::npz_variable(*file, e);
    if (!v) return v.error();
    info.variables.push_back(std::move(*v));
  }
  if (!info.variables.empty()) return info;
  return error(errc::unreadable, file->name() + ": a zip archive without NumPy's arrays (an .npz file has NAME.npy)");
}

inline constexpr data_format npz_format{
    file_format::npz,        "NPZ", list_npz, detail::check_count, detail::listed_scale, detail::read_npz<float>,
    detail::read_npz<double>};

}  // namespace unmask::inline UNMASK_ABI::io
