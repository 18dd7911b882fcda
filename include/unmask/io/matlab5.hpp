#pragma once

/// MATLAB v5..v7.2 files, read only. Source: MathWorks, "MAT-File Format", level 5.
/// Why not matio 1.5.23, which writes the files of the tests: for a file of one small cube it returned success at 1264
/// of 1455 truncated lengths (compressed: 815 of 1072), and of 1200 copies with a few damaged bytes one crashed it and
/// two kept it busy for more than 5 s. Walking the elements by their lengths is what makes reading safe, and whoever
/// has done that has the numbers in hand.

#include <algorithm>
#include <bit>
#include <set>

#include "data_format.hpp"
#include "matlab5_stream.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

/// Type codes of stored numbers; a variable of class double may be stored as bytes where its values allow it.
inline std::size_t matlab_type_size(std::uint32_t type) {
  constexpr std::size_t sizes[] = {0, 1, 1, 2, 2, 4, 4, 4, 0, 8, 0, 0, 8, 8};
  return type < std::size(sizes) ? sizes[type] : 0;
}

inline const char* matlab_class_name(std::uint32_t c) {
  constexpr const char* names[] = {"unknown", "cell",    "struct", "object", "char",     "sparse",
                                   "float64", "float32", "int8",   "uint8",  "int16",    "uint16",
                                   "int32",   "uint32",  "int64",  "uint64", "function", "opaque"};
  return c < std::size(names) ? names[c] : "unknown";
}

struct matlab_tag {
  std::uint32_t type = 0, bytes = 0;
  std::uint32_t padding = 0;  ///< bytes after the data up to the next multiple of 8
  std::uint32_t inside = 0;   ///< data of up to 4 bytes may sit inside the tag
  bool is_inside = false;
};

inline std::optional<matlab_tag> read_tag(matlab_stream& s) {
  matlab_tag t;
  const auto first = s.number();
  if (!first) return std::nullopt;
  if ((*first >> 16) != 0) {
    t.type = *first & 0xffff;
    t.bytes = *first >> 16;
    t.is_inside = true;
    if (t.bytes > 4 || !s.read(&t.inside, 4)) return std::nullopt;
    return t;
  }
  const auto bytes = s.number();
  if (!bytes) return std::nullopt;
  t.type = *first;
  t.bytes = *bytes;
  t.padding = (8 - t.bytes % 8) % 8;
  return t;
}

/// Reads the bytes of a short sub-element (at most `limit`).
inline std::optional<std::vector<unsigned char>> read_short(matlab_stream& s, std::uint32_t type, std::uint32_t limit) {
  const auto t = read_tag(s);
  if (!t || t->type != type || t->bytes > limit) return std::nullopt;
  std::vector<unsigned char> data(t->bytes);
  if (t->is_inside) {
    std::memcpy(data.data(), &t->inside, t->bytes);
  } else if (!s.read(data.data(), data.size()) || !s.skip(t->padding)) {
    return std::nullopt;
  }
  return data;
}

/// Flags, dimensions and name of a matrix; the stream then stands before its numbers. False: damaged.
inline bool read_matrix_header(matlab_stream& s, variable_info& v) {
  const auto tag = read_tag(s);
  if (!tag || tag->type != 6 || tag->bytes != 8 || tag->is_inside) return false;
  const auto flags = s.number();
  if (!flags || !s.number()) return false;
  const std::uint32_t kind = *flags & 0xff;
  v.type = matlab_class_name(kind);
  v.column_major = true;
  if (kind == 16 || kind == 17) return true;  // function handles and opaque objects have no dimensions
  v.numeric = kind >= 6 && kind <= 15 && (*flags & 0x0800) == 0;
  if ((*flags & 0x0800) != 0) v.type = "complex " + v.type;
  if ((*flags & 0x0200) != 0) v.type = "bool";
  const auto dims = read_short(s, 5, 4 * 32);
  if (!dims || dims->size() < 8 || dims->size() % 4 != 0) return false;
  for (std::size_t i = 0; i < dims->size(); i += 4) {
    std::uint32_t n;
    std::memcpy(&n, dims->data() + i, 4);
    n = s.native(n);
    if (n > 0x7fffffff) return false;
    v.shape.push_back(static_cast<index_t>(n));
  }
  const auto name = read_short(s, 1, 4096);
  if (!name) return false;
  v.name.assign(name->begin(), name->end());
  return true;
}

inline error damaged(const std::string& path, std::uint64_t at) {
  return error(errc::unreadable,
               printable(path, 1000) + ": damaged MATLAB file (element at byte " + std::to_string(at) + ")");
}

}  // namespace detail

/// Every variable of the file. The lengths of all elements are checked against the file, so a truncated file is
/// refused even when the variable asked for would still be there.
inline result<file_info> list_matlab5(const std::string& path) {
  auto file = input_file::open(path);
  if (!file) return file.error();
  const auto truncated = [&](std::uint64_t at, std::uint64_t needs) {
    return error(errc::unreadable, file->name() + ": truncated MATLAB file (element at byte " + std::to_string(at) +
                                       " ends at byte " + std::to_string(needs) + ", the file has " +
                                       std::to_string(file->size()) + ")");
  };
  if (file->size() < 128) return truncated(0, 128);
  file_info info{path, file_format::matlab5, {}, {}};
  std::set<std::string> names;
  std::uint64_t at = 128;
  while (at < file->size()) {
    if (at + 8 > file->size()) return truncated(at, at + 8);
    auto stream = detail::matlab_stream::open(*file, at);
    if (!stream) return detail::damaged(path, at);
    if (stream->end() > file->size()) return truncated(at, stream->end());
    variable_info v;
    v.position = at;
    if (stream->is_matrix()) {
      if (!detail::read_matrix_header(*stream, v)) return detail::damaged(path, at);
      // MATLAB keeps private data of objects in a nameless variable at the end.
      if (!v.name.empty() && !names.insert(v.name).second)
        return detail::variable_error(errc::unreadable, path, v, "is there twice");
      if (!v.name.empty()) info.variables.push_back(std::move(v));
    }
    at = stream->end();
  }
  return info;
}

/// Reads the numbers of one listed variable, in the file's order (first index fastest), into `to`.
template <class T>
result<> read_matlab5(const std::string& path, const variable_info& v, T* to) {
  auto file = input_file::open(path);
  if (!file) return file.error();
  const auto elements = detail::checked_elements(path, v);
  if (!elements) return elements.error();
  auto stream = detail::matlab_stream::open(*file, v.position);
  variable_info header;
  if (!stream || stream->end() > file->size() || !stream->is_matrix() || !detail::read_matrix_header(*stream, header) ||
      header.name != v.name || header.shape != v.shape)
    return detail::damaged(path, v.position);
  const auto tag = detail::read_tag(*stream);
  const std::size_t size = tag ? detail::matlab_type_size(tag->type) : 0;
  if (size == 0 || tag->bytes != static_cast<std::uint64_t>(*elements) * size) return detail::damaged(path, v.position);

  unsigned char block[8192];
  for (std::int64_t done = 0; done < *elements;) {
    const std::int64_t n = std::min<std::int64_t>(*elements - done, static_cast<std::int64_t>(sizeof block / size));
    if (tag->is_inside)
      std::memcpy(block, &tag->inside, tag->bytes);
    else if (!stream->read(block, static_cast<std::size_t>(n) * size))
      return detail::damaged(path, v.position);
    for (std::int64_t i = 0; i < n; ++i)
      to[done + i] = stream->template convert<T>(tag->type, block + static_cast<std::size_t>(i) * size);
    done += n;
  }
  if (!stream->finish()) return detail::damaged(path, v.position);
  return {};
}

/// Bytes of numbers that a listed variable must have behind it in the file: at least 1/1032 of its elements, the
/// most that deflate can pack, so that a few bytes cannot ask for gigabytes.
inline result<> check_matlab5_size(const std::string& path, const variable_info& v) {
  auto file = input_file::open(path);
  if (!file) return file.error();
  const auto elements = detail::checked_elements(path, v);
  if (!elements) return elements.error();
  auto stream = detail::matlab_stream::open(*file, v.position);
  if (!stream) return detail::damaged(path, v.position);
  const std::uint64_t bytes = stream->end() - v.position;
  if (static_cast<std::uint64_t>(*elements) / 1032 > bytes)
    return detail::variable_error(
        errc::unreadable, path, v,
        "claims [" + detail::shape_text(v.shape) + "] elements in " + std::to_string(bytes) + " bytes");
  return {};
}

inline constexpr data_format matlab5_format{
    file_format::matlab5, "MATLAB", list_matlab5, check_matlab5_size, detail::listed_scale, read_matlab5<float>,
    read_matlab5<double>};

}  // namespace unmask::inline UNMASK_ABI::io
