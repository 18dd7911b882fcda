#pragma once

/// A mask or a measurement read by rows, for images that should not be in memory as a whole. HDF5 and MATLAB v7.3 files
/// are read in place, NPY, ENVI and TIFF files by rows; others are kept in memory (MATLAB v5 and NPZ files are
/// streams).

#include "arrays.hpp"

namespace unmask::inline UNMASK_ABI::io {

class plane_rows {
 public:
  /// Chooses and checks the variable as `read_plane` does, but reads no values yet.
  static result<plane_rows> open(const source& from, const name_list& preferred) {
    const auto file = list_variables(from.path);
    if (!file) return file.error();
    auto v = detail::choose(*file, from.variable, 2, preferred);
    if (!v) return v.error();
    plane_rows p;
    p.path_ = from.path;
    p.info_ = std::move(*v);
    if (const data_format* f = format_line(file->format); f->read_rows && !p.info_.column_major) {
      if (auto fine = detail::check_size(*file, p.info_); !fine) return fine.error();
      const auto scale = f->scale(p.path_, p.info_);
      if (!scale) return scale.error();
      p.scale_ = *scale;
      p.read_rows_ = f->read_rows;
      return p;
    }
    if (file->format != file_format::hdf5 && file->format != file_format::matlab73) {
      auto plane = detail::read_chosen<float, 2>(*file, p.info_);
      if (!plane) return plane.error();
      p.whole_ = std::move(*plane);
      return p;
    }
    if (auto fine = detail::check_size(*file, p.info_); !fine) return fine.error();
    const auto scale = hdf5_scale(p.path_, p.info_);
    if (!scale) return scale.error();
    p.scale_ = *scale;
    const detail::hdf5_quiet quiet;
    p.data_ = detail::hdf5_open_variable::open(p.path_, p.info_);
    if (!p.data_) return detail::hdf5_unreadable(p.path_);
    return p;
  }
  static result<plane_rows> open_mask(const source& from) { return open(from, {"mask"}); }
  static result<plane_rows> open_measurement(const source& from) {
    return open(from, {"meas_real", "measurement", "meas"});
  }

  /// Values that were read already, by a process that may be in the hands of whoever built the file.
  static plane_rows held(const std::string& path, variable_info info, tensor<float, 2> values) {
    plane_rows p;
    p.path_ = path;
    p.info_ = std::move(info);
    p.info_.shape = {values.extent(0), values.extent(1)};
    p.whole_ = std::move(values);
    return p;
  }

  index_t height() const { return info_.shape[0]; }
  index_t width() const { return info_.shape[1]; }
  std::array<index_t, 2> extents() const { return {height(), width()}; }
  const variable_info& variable() const { return info_; }

  /// Rows [first, first + count) as [count, width]. Errors: a damaged file, values that are not finite (with their
  /// place).
  result<tensor<float, 2>> read(index_t first, index_t count) const {
    tensor<float, 2> rows({count, width()});
    if (whole_.size() > 0) {
      std::copy_n(whole_.data() + first * width(), rows.size(), rows.data());
      return rows;
    }
    variable_info part = info_;
    part.shape[0] = count;
    const auto done = read_rows_           ? read_rows_(path_, info_, first, count, rows.data())
                      : info_.column_major ? read_columns(first, part, rows)
                                           : select(first, count, rows.data());
    if (!done) return done.error();
    if (auto scaled = detail::apply_scale(path_, info_, scale_, rows.data(), rows.size()); !scaled)
      return scaled.error();
    if (auto fine = detail::check_finite(path_, part, rows.data(), first); !fine) return fine.error();
    return rows;
  }
  result<tensor<float, 2>> read() const { return read(0, height()); }

 private:
  plane_rows() = default;

  /// MATLAB's files have the axes reversed.
  result<> read_columns(index_t first, const variable_info& part, tensor<float, 2>& rows) const {
    std::vector<float> turned(static_cast<std::size_t>(rows.size()));
    if (auto done = select(first, part.shape[0], turned.data()); !done) return done;
    detail::to_row_major(turned.data(), part.shape, rows.data());
    return {};
  }

  result<> select(index_t first, index_t count, float* to) const {
    const detail::hdf5_quiet quiet;
    std::array<hsize_t, 2> start{static_cast<hsize_t>(first), 0},
        size{static_cast<hsize_t>(count), static_cast<hsize_t>(width())};
    if (info_.column_major) std::swap(start[0], start[1]), std::swap(size[0], size[1]);
    const detail::hdf5_id stored(H5Dget_space(data_.dataset), H5Sclose),
        memory(H5Screate_simple(2, size.data(), nullptr), H5Sclose);
    if (H5Sselect_hyperslab(stored, H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr) < 0 ||
        H5Dread(data_.dataset, H5T_NATIVE_FLOAT, memory, stored, H5P_DEFAULT, to) < 0)
      return detail::hdf5_unreadable(path_, info_, data_.dataset);
    return {};
  }

  std::string path_;
  variable_info info_;
  linear_scale scale_;
  detail::hdf5_open_variable data_;
  decltype(data_format::read_rows) read_rows_ = nullptr;
  tensor<float, 2> whole_;
};

}  // namespace unmask::inline UNMASK_ABI::io
