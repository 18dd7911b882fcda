#pragma once

/// NumPy's NPY files, versions 1 to 3: [H, W] or [H, W, C] of whole or floating numbers, C order, either byte order.

#include <algorithm>
#include <bit>
#include <charconv>
#include <string>

#include "atomic_file.hpp"
#include "input_file.hpp"
#include "raster.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

/// The text after 'key': in the header's dictionary; empty where there is none.
inline std::string_view npy_entry(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + key.size());
  rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(" :")));
  return rest;
}

/// Sizes of the tuple that the text begins with; empty where it is none.
inline std::vector<index_t> npy_shape(std::string_view text) {
  std::vector<index_t> shape;
  if (text.empty() || text[0] != '(') return {};
  const char *at = text.data() + 1, *end = text.data() + text.size();
  while (at < end && *at != ')') {
    index_t n = 0;
    const auto [next, ec] = std::from_chars(at, end, n);
    if (ec != std::errc{} || n < 1) return {};
    shape.push_back(n);
    at = next;
    while (at < end && (*at == ',' || *at == ' ' || *at == 'L')) ++at;
  }
  return shape;
}

}  // namespace detail

/// Reads the whole file. Errors: `not_found`, `unreadable` (no NPY file, or shorter than its header says),
/// `wrong_shape`, `wrong_value` (a type that is not a plain number).
inline result<raster> read_npy(const std::string& path) {
  auto file = input_file::open(path);
  if (!file) return file.error();
  const std::string& name = file->name();
  unsigned char start[12] = {};
  if (!file->read(start, 10) || std::memcmp(start, "\x93NUMPY", 6) != 0)
    return error(errc::unreadable, name + ": not an NPY file (its first bytes are not those of one)");
  std::uint64_t length = start[8] + 256u * start[9], begin = 10;
  if (start[6] > 1) {
    if (!file->read(start + 10, 2)) return error(errc::unreadable, name + ": ends inside its header");
    length += 65536ull * start[10] + 16777216ull * start[11];
    begin = 12;
  }
  if (length > 65536 || begin + length > file->size())
    return error(errc::unreadable, name + ": ends inside its header");
  std::string header(static_cast<std::size_t>(length), ' ');
  if (!file->read(header.data(), header.size())) return error(errc::unreadable, name + ": cannot be read");
  const std::string_view descr = detail::npy_entry(header, "'descr'"),
                         order = detail::npy_entry(header, "'fortran_order'");
  std::string type = descr.size() > 4 ? std::string(descr.substr(1, 3)) : "";
  if (type == "|b1") type = "|u1";
  const auto* known =
      std::find(sample_type_names.begin(), sample_type_names.end(), type.size() == 3 ? type.substr(1) : "");
  if (known == sample_type_names.end())
    return error(errc::wrong_value, name + ": numbers of type " + detail::printable(descr.substr(0, 8)) +
                                        ", expected whole or floating numbers of 1 to 8 bytes (u1 .. f8)");
  if (!order.starts_with("False"))
    return error(errc::wrong_shape, name + ": is in Fortran order, expected C order (save numpy.ascontiguousarray(x))");
  auto shape = detail::npy_shape(detail::npy_entry(header, "'shape'"));
  if (shape.size() == 2) shape.push_back(1);
  std::int64_t count = 1;
  for (const index_t n : shape) count = n > max_elements / count ? max_elements + 1 : count * n;
  if (shape.size() != 3 || count > max_elements)
    return error(errc::wrong_shape,
                 name + ": found [" + detail::shape_text(shape) + "], expected [H, W] or [H, W, bands]");
  raster r;
  r.type = static_cast<sample_type>(known - sample_type_names.begin());
  r.height = shape[0], r.width = shape[1], r.bands = shape[2];
  const std::int64_t bytes = count * sample_bytes(r.type);
  if (begin + length + static_cast<std::uint64_t>(bytes) > file->size())
    return error(errc::unreadable, name + ": ends after " + std::to_string(file->size()) + " bytes, expected " +
                                       std::to_string(begin + length + static_cast<std::uint64_t>(bytes)));
  auto memory = detail::allocate<std::byte>(bytes);
  if (!memory) return error(errc::unreadable, name + ": no memory for " + std::to_string(bytes) + " bytes");
  r.bytes = std::move(*memory);
  if (!file->read(r.bytes.data(), r.bytes.size())) return error(errc::unreadable, name + ": cannot be read to its end");
  constexpr char foreign = std::endian::native == std::endian::little ? '>' : '<';
  if (type[0] == foreign && sample_bytes(r.type) > 1)
    for (auto at = r.bytes.begin(); at != r.bytes.end(); at += sample_bytes(r.type))
      std::reverse(at, at + sample_bytes(r.type));
  return r;
}

/// Writes [H, W, C], or [H, W] where there is one band and `plane` says so.
inline result<> write_npy(const std::string& path, const raster& r, bool plane = false) {
  constexpr char native = std::endian::native == std::endian::little ? '<' : '>';
  std::string header = "{'descr': '" + std::string(1, sample_bytes(r.type) == 1 ? '|' : native) +
                       std::string(sample_type_names[static_cast<std::size_t>(r.type)]) +
                       "', 'fortran_order': False, 'shape': (" + std::to_string(r.height) + ", " +
                       std::to_string(r.width) + (plane && r.bands == 1 ? "" : ", " + std::to_string(r.bands)) + "), }";
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::string start("\x93NUMPY\x01\x00", 8);
  start += static_cast<char>(header.size() & 255);
  start += static_cast<char>(header.size() >> 8);
  auto file = atomic_file::create(path);
  if (!file) return file.error();
  for (const std::string& text : {start, header})
    if (auto ok = file->write(std::as_bytes(std::span(text.data(), text.size()))); !ok) return ok;
  if (auto ok = file->write(r.bytes); !ok) return ok;
  if (auto ok = file->write(std::as_bytes(std::span(output_mark))); !ok) return ok;
  return file->commit();
}

}  // namespace unmask::inline UNMASK_ABI::io
