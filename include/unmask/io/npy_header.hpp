#pragma once

/// The header of NumPy's NPY files, versions 1 to 3: a Python dictionary of type, order and shape. Hostile headers are
/// refused: at most 64 KB of text, sizes that fit the file.

#include <charconv>
#include <cstring>
#include <string>
#include <vector>

#include "raw_numbers.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct npy_header {
  std::string type;           ///< byte order and code, "<f4"
  bool column_major = false;  ///< Fortran order
  std::vector<index_t> shape;
  std::uint64_t begin = 0;  ///< of the numbers, in bytes
};

namespace detail {

/// The text after 'key': in the header's dictionary; empty where there is none.
inline std::string_view npy_entry(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + key.size());
  rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(" :")));
  return rest;
}

/// Sizes of the tuple that the text begins with; false where it is none.
inline bool npy_shape(std::string_view text, std::vector<index_t>& shape) {
  if (text.empty() || text[0] != '(') return false;
  const char *at = text.data() + 1, *end = text.data() + text.size();
  while (at < end && *at != ')') {
    index_t n = 0;
    const auto [next, ec] = std::from_chars(at, end, n);
    if (ec != std::errc{} || n < 0 || shape.size() == 32) return false;
    shape.push_back(n);
    at = next;
    while (at < end && (*at == ',' || *at == ' ' || *at == 'L')) ++at;
  }
  return at < end;
}

}  // namespace detail

/// Errors: `unreadable` (no NPY file, or one that ends inside its header), `wrong_value` (a type that is no plain
/// number).
template <class File>  // input_file, or what behaves like one
result<npy_header> read_npy_header(File& file) {
  const std::string& name = file.name();
  unsigned char start[12] = {};
  if (!file.read(start, 10) || std::memcmp(start, "\x93NUMPY", 6) != 0)
    return error(errc::unreadable, name + ": not an NPY file (its first bytes are not those of one)");
  npy_header h;
  std::uint64_t length = start[8] + 256u * start[9], begin = 10;
  if (start[6] > 1) {
    if (!file.read(start + 10, 2)) return error(errc::unreadable, name + ": ends inside its header");
    length += 65536ull * start[10] + 16777216ull * start[11];
    begin = 12;
  }
  if (length > 65536 || begin + length > file.size()) return error(errc::unreadable, name + ": ends inside its header");
  std::string text(static_cast<std::size_t>(length), ' ');
  if (!file.read(text.data(), text.size())) return error(errc::unreadable, name + ": cannot be read");
  const std::string_view descr = detail::npy_entry(text, "'descr'"), order = detail::npy_entry(text, "'fortran_order'");
  h.type = descr.size() > 4 && descr[0] == '\'' && descr[4] == '\'' ? std::string(descr.substr(1, 3)) : "";
  const auto known =
      std::find_if(detail::number_types.begin(), detail::number_types.end(),
                   [&](const detail::number_type& t) { return !h.type.empty() && h.type.substr(1) == t.code; });
  if (known == detail::number_types.end())
    return error(errc::wrong_value,
                 name + ": numbers of type " +
                     detail::printable(descr.substr(0, std::min<std::size_t>(descr.find(", "), 40))) +
                     ", expected whole or floating numbers of 1 to 8 bytes (u1 .. f8)");
  if (!order.starts_with("False") && !order.starts_with("True"))
    return error(errc::unreadable, name + ": its header does not say the order of its numbers");
  h.column_major = order.starts_with("True");
  if (!detail::npy_shape(detail::npy_entry(text, "'shape'"), h.shape))
    return error(errc::unreadable, name + ": its header has no shape");
  h.begin = begin + length;
  return h;
}

/// Whether its numbers have the other byte order than this machine's.
inline bool is_swapped(const npy_header& h) {
  constexpr char foreign = std::endian::native == std::endian::little ? '>' : '<';
  return h.type[0] == foreign && h.type[2] != '1';
}

namespace detail {

inline variable_info npy_variable(const npy_header& h, const std::string& name) {
  variable_info v;
  v.name = name;
  v.shape = h.shape;
  for (const number_type& t : number_types)
    if (h.type.substr(1) == t.code) v.type = t.name;
  v.numeric = true;
  v.column_major = h.column_major;
  v.position = h.begin;
  v.swapped = is_swapped(h);
  return v;
}

}  // namespace detail

/// An NPY file as the list of its one variable, `array`.
inline result<file_info> list_npy(const std::string& path) {
  auto file = input_file::open(path);
  if (!file) return file.error();
  auto h = read_npy_header(*file);
  if (!h) return h.error();
  variable_info v = detail::npy_variable(*h, "array");
  v.location = path;
  return file_info{path, file_format::npy, {std::move(v)}, {}};
}

inline constexpr data_format npy_format{file_format::npy,
                                        "NPY",
                                        list_npy,
                                        detail::check_raw_size,
                                        detail::listed_scale,
                                        detail::read_raw<float>,
                                        detail::read_raw<double>,
                                        detail::read_raw_rows};

}  // namespace unmask::inline UNMASK_ABI::io
