#pragma once

/// NumPy's NPY files, versions 1 to 3: [H, W] or [H, W, C] of whole or floating numbers, C order, either byte order;
/// whole, or by windows and rows where an image should not be in memory.

#include <algorithm>
#include <bit>
#include <span>
#include <string>

#include "atomic_file.hpp"
#include "npy_header.hpp"
#include "raster.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// An open NPY file whose pixels are read by windows.
class npy_file {
 public:
  /// Reads the header. Errors: `not_found`, `unreadable` (no NPY file, or shorter than its header says), `wrong_shape`,
  /// `wrong_value` (a type that is not a plain number).
  static result<npy_file> open(const std::string& path) {
    auto file = input_file::open(path);
    if (!file) return file.error();
    auto header = read_npy_header(*file);
    if (!header) return header.error();
    npy_file f(std::move(*file), header->begin);
    if (auto ok = f.describe(*header); !ok) return ok.error();
    return result<npy_file>(std::move(f));
  }

  sample_type type() const { return type_; }
  index_t height() const { return shape_[0]; }
  index_t width() const { return shape_[1]; }
  index_t bands() const { return shape_[2]; }

  /// The pixels of a window inside the image. Errors: `unreadable`.
  result<raster> read(const pixel_window& w) {
    raster r;
    r.type = type_, r.height = w.rows, r.width = w.columns, r.bands = bands();
    const index_t pixel = bands() * sample_bytes(type_), run = w.columns * pixel, bytes = w.rows * run;
    auto memory = detail::allocate<std::byte>(bytes);
    if (!memory) return error(errc::unreadable, file_.name() + ": no memory for " + std::to_string(bytes) + " bytes");
    r.bytes = std::move(*memory);
    const bool whole = w.columns == width();
    for (index_t h = 0; h < (whole ? 1 : w.rows); ++h) {
      const index_t at = ((w.row + h) * width() + w.column) * pixel;
      if (!file_.seek(begin_ + static_cast<std::uint64_t>(at)) ||
          !file_.read(r.bytes.data() + h * run, static_cast<std::size_t>(whole ? bytes : run)))
        return error(errc::unreadable, file_.name() + ": cannot be read to its end");
    }
    if (swapped_)
      for (auto at = r.bytes.begin(); at != r.bytes.end(); at += sample_bytes(type_))
        std::reverse(at, at + sample_bytes(type_));
    return r;
  }

 private:
  npy_file(input_file file, std::uint64_t begin) : file_(std::move(file)), begin_(begin) {}

  result<> describe(const npy_header& header) {
    const std::string& name = file_.name();
    const std::string code = header.type.substr(1) == "b1" ? "u1" : header.type.substr(1);
    const auto* known = std::find(sample_type_names.begin(), sample_type_names.end(), code);
    if (known == sample_type_names.end())
      return error(errc::wrong_value, name + ": numbers of type " + header.type +
                                          ", expected whole numbers of 1 to 4 bytes or floating ones of 4 or 8");
    if (header.column_major)
      return error(errc::wrong_shape,
                   name + ": is in Fortran order, expected C order (save numpy.ascontiguousarray(x))");
    shape_ = header.shape;
    if (shape_.size() == 2) shape_.push_back(1);
    std::int64_t count = 1;
    for (const index_t n : shape_) count = n < 1 || n > max_elements / count ? max_elements + 1 : count * n;
    if (shape_.size() != 3 || count > max_elements)
      return error(errc::wrong_shape,
                   name + ": found [" + detail::shape_text(shape_) + "], expected [H, W] or [H, W, bands]");
    type_ = static_cast<sample_type>(known - sample_type_names.begin());
    const std::uint64_t end = begin_ + static_cast<std::uint64_t>(count * sample_bytes(type_));
    if (end > file_.size())
      return error(errc::unreadable,
                   name + ": ends after " + std::to_string(file_.size()) + " bytes, expected " + std::to_string(end));
    swapped_ = is_swapped(header);
    return {};
  }

  input_file file_;
  std::uint64_t begin_ = 0;
  sample_type type_ = sample_type::f32;
  std::vector<index_t> shape_;
  bool swapped_ = false;
};

/// Reads the whole file. Errors: those of `npy_file`.
inline result<raster> read_npy(const std::string& path) {
  auto file = npy_file::open(path);
  if (!file) return file.error();
  return file->read({0, 0, file->height(), file->width()});
}

/// What stands before the numbers: of this machine's byte order, C order.
inline std::string npy_start(sample_type type, const std::vector<index_t>& shape) {
  constexpr char native = std::endian::native == std::endian::little ? '<' : '>';
  std::string sizes;
  for (const index_t n : shape) sizes += (sizes.empty() ? "" : ", ") + std::to_string(n);
  if (shape.size() == 1) sizes += ",";  // else Python would read a number
  std::string header = "{'descr': '" + std::string(1, sample_bytes(type) == 1 ? '|' : native) +
                       std::string(sample_type_names[static_cast<std::size_t>(type)]) +
                       "', 'fortran_order': False, 'shape': (" + sizes + "), }";
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::string start("\x93NUMPY\x01\x00", 8);
  start += static_cast<char>(header.size() & 255);
  start += static_cast<char>(header.size() >> 8);
  return start + header;
}

/// An NPY file that is written part by part and appears when it is complete. The file ends with our mark, which NumPy
/// does not read.
class npy_writer {
 public:
  /// Of numbers in this machine's byte order, C order. Errors: `not_writable`.
  static result<npy_writer> create(const std::string& path, sample_type type, const std::vector<index_t>& shape) {
    const std::string start = npy_start(type, shape);
    auto file = atomic_file::create(path);
    if (!file) return file.error();
    if (auto ok = file->write(std::as_bytes(std::span(start.data(), start.size()))); !ok) return ok.error();
    return npy_writer(std::move(*file));
  }

  result<> write(std::span<const std::byte> numbers) { return file_.write(numbers); }
  result<> commit() {
    if (auto ok = file_.write(std::as_bytes(std::span(output_mark))); !ok) return ok;
    return file_.commit();
  }

 private:
  explicit npy_writer(atomic_file file) : file_(std::move(file)) {}
  atomic_file file_;
};

inline result<> write_npy(const std::string& path, sample_type type, const std::vector<index_t>& shape,
                          std::span<const std::byte> numbers) {
  auto file = npy_writer::create(path, type, shape);
  if (!file) return file.error();
  if (auto ok = file->write(numbers); !ok) return ok;
  return file->commit();
}

/// Writes [H, W, C], or [H, W] where there is one band and `plane` says so.
inline result<> write_npy(const std::string& path, const raster& r, bool plane = false) {
  const auto shape = plane && r.bands == 1 ? std::vector{r.height, r.width} : std::vector{r.height, r.width, r.bands};
  return write_npy(path, r.type, shape, r.bytes);
}

}  // namespace unmask::inline UNMASK_ABI::io
