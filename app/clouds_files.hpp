#pragma once

/// An image of a stack of dates as files, open and read by windows: NPY, HDF5 and NetCDF-4, and GeoTIFF where the
/// program was built with libtiff, and what GDAL opens where it was built with that. HDF5 and GeoTIFF that nobody
/// answers for are read by a child process, as a whole.

#include <filesystem>
#include <string>
#include <unmask/core/tensor.hpp>
#include <unmask/io/hdf5_raster.hpp>
#include <unmask/io/npy.hpp>
#include <variant>

#if UNMASK_APP_HAS_TIFF
#include <unmask/io/geotiff_rewrite.hpp>
#include <unmask/io/geotiff_writer.hpp>
#endif

#include "context.hpp"
#include "other_formats.hpp"

namespace program {

using unmask::io::pixel_window;
using unmask::io::raster;

inline bool ends_with_any(const std::string& text, std::initializer_list<const char*> ends) {
  for (const char* e : ends)
    if (text.ends_with(e)) return true;
  return false;
}

inline bool is_tiff(const std::string& path) { return ends_with_any(path, {".tif", ".tiff", ".TIF", ".TIFF"}); }

inline bool is_whole(unmask::io::sample_type t) {
  return t != unmask::io::sample_type::f32 && t != unmask::io::sample_type::f64;
}

/// One file, whatever its format.
class image_file {
 public:
  std::optional<double> nodata, scale, offset;  ///< what the file says of its own digits, where it does
  std::optional<placed> place;

  /// `bands_first`: of HDF5 and NetCDF: the axes are [bands, H, W]. `untrusted`: what another library parses is read
  /// by a child process.
  static result<image_file> open(const std::string& spec, bool bands_first, bool untrusted) {
    image_file f;
    f.name_ = spec;
    if (is_tiff(spec)) {
#if UNMASK_APP_HAS_TIFF
      return f.open_as([&] { return open_tiff(spec); }, untrusted);
#else
      return error(errc::bad_argument, spec + ": this program was built without libtiff (Debian: libtiff-dev)");
#endif
    }
    if (spec.ends_with(".npy")) {
      auto n = unmask::io::npy_file::open(spec);
      if (!n) return n.error();
      f.take_shape(*n);
      f.file_.emplace<unmask::io::npy_file>(std::move(*n));
      return result<image_file>(std::move(f));
    }
    const auto source = unmask::io::parse_indexed_source(spec);
    if (!ends_with_any(source.from.path, {".h5", ".hdf5", ".he5", ".nc", ".nc4"})) {
      auto other = f.open_as([&] { return other_file::open(spec); }, untrusted);
      if (other || other.error().code() != errc::not_found) return other;
      return error(errc::bad_argument, spec +
                                           ": expected a file .npy, .tif, or .h5 or .nc with its variable as "
                                           "FILE:NAME (JP2 and SAFE: a program built with GDAL, or gdal_translate)");
    }
    return f.open_as([&] { return open_hdf5(source, bands_first); }, untrusted);
  }

  /// Read by another library.
  bool is_other() const { return std::holds_alternative<other_file>(file_); }
  /// Read as a whole, by a child process.
  bool is_held() const { return std::holds_alternative<held_image>(file_); }

  const std::string& name() const { return name_; }
  index_t height() const { return height_; }
  index_t width() const { return width_; }
  index_t bands() const { return bands_; }
  unmask::io::sample_type type() const { return type_; }
  std::string size_text() const { return std::to_string(height_) + " x " + std::to_string(width_); }

  result<raster> read(const pixel_window& w) {
    return std::visit(
        [&](auto& file) -> result<raster> {
          if constexpr (std::is_same_v<std::decay_t<decltype(file)>, std::monostate>)
            return error(errc::unreadable, name_ + ": not open");
          else
            return file.read(w);
        },
        file_);
  }

  /// Bytes that reading windows of `rows` rows keeps.
  index_t kept_bytes(index_t rows) const {
#if UNMASK_APP_HAS_TIFF
    if (const auto* t = std::get_if<tiff_image>(&file_)) return t->kept_bytes(rows);
#endif
    (void)rows;
    return 0;
  }

  /// Rows that are written together.
  index_t block_rows() const {
#if UNMASK_APP_HAS_TIFF
    if (const auto* t = std::get_if<tiff_image>(&file_)) return t->layout().block_height;
#endif
    return 1;
  }

  /// What the names of results begin with: the file's, and the variable's.
  std::string stem() const {
    if (is_tiff(name_) || name_.ends_with(".npy")) return std::filesystem::path(name_).stem().string();
    const auto source = unmask::io::parse_indexed_source(name_);
    std::string text = std::filesystem::path(source.from.path).stem().string();
    if (!source.from.variable.empty()) text += "_" + source.from.variable;
    if (source.index) text += "_" + std::to_string(*source.index);
    std::replace(text.begin(), text.end(), '/', '_');
    return text;
  }

 private:
  struct hdf5_image : unmask::io::hdf5_raster {
    std::optional<placed> place;  ///< none: HDF5 says it in too many ways
  };
  static result<hdf5_image> open_hdf5(const unmask::io::indexed_source& source, bool bands_first) {
    auto h = unmask::io::hdf5_raster::open(source, bands_first);
    if (!h) return h.error();
    return result<hdf5_image>(hdf5_image{std::move(*h), {}});
  }

#if UNMASK_APP_HAS_TIFF
  struct tiff_image : unmask::io::geotiff_file {
    std::optional<placed> place;
    index_t height() const { return layout().height; }
    index_t width() const { return layout().width; }
    index_t bands() const { return layout().bands; }
    unmask::io::sample_type type() const { return layout().type; }
  };
  static result<tiff_image> open_tiff(const std::string& path) {
    auto t = unmask::io::geotiff_file::open(path);
    if (!t) return t.error();
    std::optional<placed> place;
    if (t->grid) place = placed{t->grid->x, t->grid->y, t->grid->width, t->grid->height, t->grid->system};
    return result<tiff_image>(tiff_image{std::move(*t), place});
  }
#endif

  /// `open_file` returns an open file of a library that is not ours.
  template <class Open>
  result<image_file> open_as(Open&& open_file, bool untrusted) {
    const auto keep = [&](auto&& file) -> result<image_file> {
      if (!file) return file.error();
      nodata = file->nodata, scale = file->scale, offset = file->offset, place = file->place;
      take_shape(*file);
      file_ = std::move(*file);
      return result<image_file>(std::move(*this));
    };
    return untrusted ? keep(hold_image(name_, open_file)) : keep(open_file());
  }

  template <class File>
  void take_shape(const File& file) {
    height_ = file.height(), width_ = file.width(), bands_ = file.bands(), type_ = file.type();
  }

  std::string name_;
  index_t height_ = 0, width_ = 0, bands_ = 0;
  unmask::io::sample_type type_ = unmask::io::sample_type::f32;
#if UNMASK_APP_HAS_TIFF
  std::variant<std::monostate, unmask::io::npy_file, held_image, other_file, hdf5_image, tiff_image> file_;
#else
  std::variant<std::monostate, unmask::io::npy_file, held_image, other_file, hdf5_image> file_;
#endif
};

}  // namespace program
