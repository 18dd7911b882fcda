#pragma once

/// NumPy's NPY files, versions 1 to 3: [H, W] or [H, W, C] of whole or floating numbers, C order, either byte order.

#include <algorithm>
#include <bit>
#include <span>
#include <string>

#include "atomic_file.hpp"
#include "npy_header.hpp"
#include "raster.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// Reads the whole file. Errors: `not_found`, `unreadable` (no NPY file, or shorter than its header says),
/// `wrong_shape`, `wrong_value` (a type that is not a plain number).
inline result<raster> read_npy(const std::string& path) {
  auto file = input_file::open(path);
  if (!file) return file.error();
  const std::string& name = file->name();
  auto header = read_npy_header(*file);
  if (!header) return header.error();
  const std::string code = header->type.substr(1) == "b1" ? "u1" : header->type.substr(1);
  const auto* known = std::find(sample_type_names.begin(), sample_type_names.end(), code);
  if (known == sample_type_names.end())
    return error(errc::wrong_value, name + ": numbers of type " + header->type +
                                        ", expected whole numbers of 1 to 4 bytes or floating ones of 4 or 8");
  if (header->column_major)
    return error(errc::wrong_shape, name + ": is in Fortran order, expected C order (save numpy.ascontiguousarray(x))");
  auto shape = header->shape;
  if (shape.size() == 2) shape.push_back(1);
  std::int64_t count = 1;
  for (const index_t n : shape) count = n < 1 || n > max_elements / count ? max_elements + 1 : count * n;
  if (shape.size() != 3 || count > max_elements)
    return error(errc::wrong_shape,
                 name + ": found [" + detail::shape_text(shape) + "], expected [H, W] or [H, W, bands]");
  raster r;
  r.type = static_cast<sample_type>(known - sample_type_names.begin());
  r.height = shape[0], r.width = shape[1], r.bands = shape[2];
  const std::int64_t bytes = count * sample_bytes(r.type);
  if (header->begin + static_cast<std::uint64_t>(bytes) > file->size())
    return error(errc::unreadable, name + ": ends after " + std::to_string(file->size()) + " bytes, expected " +
                                       std::to_string(header->begin + static_cast<std::uint64_t>(bytes)));
  auto memory = detail::allocate<std::byte>(bytes);
  if (!memory) return error(errc::unreadable, name + ": no memory for " + std::to_string(bytes) + " bytes");
  r.bytes = std::move(*memory);
  if (!file->read(r.bytes.data(), r.bytes.size())) return error(errc::unreadable, name + ": cannot be read to its end");
  if (is_swapped(*header))
    for (auto at = r.bytes.begin(); at != r.bytes.end(); at += sample_bytes(r.type))
      std::reverse(at, at + sample_bytes(r.type));
  return r;
}

/// Numbers of this machine's byte order, C order. The file ends with our mark, which NumPy does not read.
inline result<> write_npy(const std::string& path, sample_type type, const std::vector<index_t>& shape,
                          std::span<const std::byte> numbers) {
  constexpr char native = std::endian::native == std::endian::little ? '<' : '>';
  std::string sizes;
  for (const index_t n : shape) sizes += (sizes.empty() ? "" : ", ") + std::to_string(n);
  std::string header = "{'descr': '" + std::string(1, sample_bytes(type) == 1 ? '|' : native) +
                       std::string(sample_type_names[static_cast<std::size_t>(type)]) +
                       "', 'fortran_order': False, 'shape': (" + sizes + "), }";
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::string start("\x93NUMPY\x01\x00", 8);
  start += static_cast<char>(header.size() & 255);
  start += static_cast<char>(header.size() >> 8);
  auto file = atomic_file::create(path);
  if (!file) return file.error();
  for (const std::string& text : {start, header})
    if (auto ok = file->write(std::as_bytes(std::span(text.data(), text.size()))); !ok) return ok;
  if (auto ok = file->write(numbers); !ok) return ok;
  if (auto ok = file->write(std::as_bytes(std::span(output_mark))); !ok) return ok;
  return file->commit();
}

/// Writes [H, W, C], or [H, W] where there is one band and `plane` says so.
inline result<> write_npy(const std::string& path, const raster& r, bool plane = false) {
  const auto shape = plane && r.bands == 1 ? std::vector{r.height, r.width} : std::vector{r.height, r.width, r.bands};
  return write_npy(path, r.type, shape, r.bytes);
}

}  // namespace unmask::inline UNMASK_ABI::io
