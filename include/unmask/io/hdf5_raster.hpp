#pragma once

/// One image out of an HDF5 or NetCDF-4 file, by windows and with its digits as they are stored: `file.h5:variable`
/// [H, W] or [H, W, bands], or `file.h5:variable[3]`, the fourth along the first axis of a stack [T, H, W] or
/// [T, H, W, bands].

#include <charconv>

#include "arrays.hpp"
#include "raster.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// A source and which image of a stack it is.
struct indexed_source {
  source from;
  std::optional<index_t> index;
};

/// Text behind the variable's name in brackets is the index; a path that exists as it is written has none.
inline indexed_source parse_indexed_source(const std::string& text) {
  indexed_source s{parse_source(text), {}};
  const std::size_t open = s.from.variable.rfind('[');
  if (open == std::string::npos || !s.from.variable.ends_with(']')) return s;
  index_t n = 0;
  const char *first = s.from.variable.data() + open + 1, *last = s.from.variable.data() + s.from.variable.size() - 1;
  const auto [end, code] = std::from_chars(first, last, n);
  if (code != std::errc{} || end != last || n < 0) return s;
  s.index = n;
  s.from.variable.resize(open);
  return s;
}

class hdf5_raster {
 public:
  /// `bands_first`: the axes are [bands, H, W], as NetCDF files often have them. Errors: `not_found`, `unreadable`
  /// (not HDF5, damaged), `wrong_shape` (other axes, an index beyond the stack), `wrong_value` (not real numbers).
  static result<hdf5_raster> open(const indexed_source& s, bool bands_first = false) {
    const auto list = list_variables(s.from.path);
    if (!list) return list.error();
    const std::string path = detail::printable(s.from.path, 1000);
    if (list->format != file_format::hdf5)
      return error(errc::bad_argument, path + ": neither HDF5 nor NetCDF-4, which were expected");
    const variable_info* v = detail::find(*list, s.from.variable);
    if (s.from.variable.empty() && list->variables.size() == 1) v = &list->variables[0];
    if (!v)
      return error(errc::not_found,
                   path + ": " +
                       (s.from.variable.empty() ? "say which variable, as FILE:NAME"
                                                : "variable '" + detail::printable(s.from.variable) + "' not found") +
                       " (" + describe(*list) + ")");
    if (!v->numeric) return detail::type_error(s.from.path, *v);
    hdf5_raster r;
    r.path_ = s.from.path, r.info_ = *v, r.index_ = s.index, r.bands_first_ = bands_first;
    if (auto ok = r.find_axes(); !ok) return ok.error();
    if (auto ok = check_hdf5_size(r.path_, r.info_); !ok) return ok.error();
    const auto scale = hdf5_scale(r.path_, r.info_);
    if (!scale) return scale.error();
    if (scale->factor != 1) r.scale = scale->factor;
    if (scale->offset != 0) r.offset = scale->offset;
    if (scale->missing.size() > 1 && scale->missing[0] != scale->missing[1])
      return detail::variable_error(errc::wrong_value, r.path_, r.info_,
                                    "marks two numbers as missing (_FillValue and missing_value), expected one");
    if (!scale->missing.empty()) r.nodata = scale->missing[0];
    const detail::hdf5_quiet quiet;
    r.data_ = detail::hdf5_open_variable::open(r.path_, r.info_);
    if (!r.data_) return detail::hdf5_unreadable(r.path_);
    return result<hdf5_raster>(std::move(r));
  }

  std::optional<double> nodata, scale, offset;  ///< _FillValue; scale or scale_factor; add_offset

  sample_type type() const { return type_; }
  index_t height() const { return size_[0]; }
  index_t width() const { return size_[1]; }
  index_t bands() const { return size_[2]; }

  /// The pixels of a window inside the image. Errors: `unreadable`.
  result<raster> read(const pixel_window& w) {
    const detail::hdf5_quiet quiet;
    raster r(type_, w.rows, w.columns, bands());
    std::vector<hsize_t> start, count;
    if (index_) start.push_back(static_cast<hsize_t>(*index_)), count.push_back(1);
    const auto along = [&](index_t first, index_t n) {
      start.push_back(static_cast<hsize_t>(first)), count.push_back(static_cast<hsize_t>(n));
    };
    if (bands_first_ && has_bands_) along(0, bands());
    along(w.row, w.rows), along(w.column, w.columns);
    if (!bands_first_ && has_bands_) along(0, bands());
    const detail::hdf5_id stored(H5Dget_space(data_.dataset), H5Sclose),
        memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
    if (H5Sselect_hyperslab(stored, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) < 0 ||
        H5Dread(data_.dataset, native(), memory, stored, H5P_DEFAULT, r.bytes.data()) < 0)
      return detail::hdf5_unreadable(path_, info_, data_.dataset);
    if (bands_first_ && has_bands_) {
      const std::vector<std::byte> planes = r.bytes;
      const index_t n = w.rows * w.columns, size = sample_bytes(type_);
      for (index_t i = 0; i < n; ++i)
        for (index_t c = 0; c < bands(); ++c)
          std::memcpy(r.bytes.data() + (i * bands() + c) * size, planes.data() + (c * n + i) * size,
                      static_cast<std::size_t>(size));
    }
    return r;
  }

 private:
  result<> find_axes() {
    const std::size_t stack = index_ ? 1 : 0, rank = info_.shape.size();
    const auto wrong = [&](const std::string& what) {
      return detail::variable_error(errc::wrong_shape, path_, info_, what);
    };
    if (rank != stack + 2 && rank != stack + 3)
      return wrong("is [" + detail::shape_text(info_.shape) + "], expected [H, W] or [H, W, bands]" +
                   (rank == stack + 4 || rank == 4 ? "; one image of a stack is " + info_.name + "[0]" : ""));
    if (index_ && *index_ >= info_.shape[0])
      return wrong("has " + std::to_string(info_.shape[0]) + " images, found [" + std::to_string(*index_) +
                   "], expected 0 to " + std::to_string(info_.shape[0] - 1));
    has_bands_ = rank == stack + 3;
    const index_t* s = info_.shape.data() + stack;
    size_ = !has_bands_    ? std::array<index_t, 3>{s[0], s[1], 1}
            : bands_first_ ? std::array<index_t, 3>{s[1], s[2], s[0]}
                           : std::array<index_t, 3>{s[0], s[1], s[2]};
    constexpr std::array<std::string_view, 8> names{"uint8",  "int8",  "uint16",  "int16",
                                                    "uint32", "int32", "float32", "float64"};
    const auto* known = std::find(names.begin(), names.end(), info_.type);
    type_ = known != names.end()                         ? static_cast<sample_type>(known - names.begin())
            : info_.type == "bool"                       ? sample_type::u8
            : info_.type.find("64") != std::string::npos ? sample_type::f64
                                                         : sample_type::f32;
    return {};
  }

  hid_t native() const {
    switch (type_) {
      case sample_type::u8:
        return H5T_NATIVE_UINT8;
      case sample_type::i8:
        return H5T_NATIVE_INT8;
      case sample_type::u16:
        return H5T_NATIVE_UINT16;
      case sample_type::i16:
        return H5T_NATIVE_INT16;
      case sample_type::u32:
        return H5T_NATIVE_UINT32;
      case sample_type::i32:
        return H5T_NATIVE_INT32;
      case sample_type::f32:
        return H5T_NATIVE_FLOAT;
      default:
        return H5T_NATIVE_DOUBLE;
    }
  }

  std::string path_;
  variable_info info_;
  detail::hdf5_open_variable data_;
  std::optional<index_t> index_;
  std::array<index_t, 3> size_{};
  sample_type type_ = sample_type::f32;
  bool bands_first_ = false, has_bands_ = false;
};

}  // namespace unmask::inline UNMASK_ABI::io
