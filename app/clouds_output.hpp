#pragma once

/// The files of a declouded date, written row by row: the image in its source's format, where each pixel comes from,
/// and the deviation. A GeoTIFF has GeoTIFFs beside it; what GDAL opened and lies on the ground becomes GeoTIFFs there;
/// anything else NPY.

#include <unmask/clouds/tile_rows.hpp>
#include <unmask/io/cube_checks.hpp>

#include "clouds_stack.hpp"

namespace program {

/// Digits of rows of the result: the input's own where observed, the nearest digit that is not the no-data value
/// elsewhere.
inline void set_digits(raster& r, const date_notes& y, const unmask::clouds::finished_rows& rows) {
  const bool whole = is_whole(r.type);
  for (index_t i = 0; i < rows.origin.size(); ++i) {
    if (rows.origin.data()[i] < static_cast<std::uint8_t>(unmask::clouds::provenance::reconstructed)) continue;
    for (index_t c = 0; c < r.bands; ++c) {
      const index_t at = i * r.bands + c;
      const float v = rows.image.data()[at];
      if (!std::isfinite(v)) {
        r.set(at, y.nodata.value_or(whole ? 0 : static_cast<double>(v)));
        continue;
      }
      r.set(at, (static_cast<double>(v) - y.offset) / y.scale);
      const double reserved = y.nodata.value_or(whole ? 0 : std::nan(""));
      if (r.digit(at) == reserved) r.set(at, reserved + 1);
    }
  }
}

/// Folder and beginning of the names of a date's results; with its date or number where another file is called the
/// same.
inline std::string stem_of(const std::string& folder, const stack_files& s, index_t target) {
  const date_files& y = s.dates[static_cast<std::size_t>(target)];
  std::string stem = y.image.file().stem();
  bool same_name = false, same_date = false;
  for (const date_files& d : s.dates)
    if (&d != &y && d.image.file().stem() == stem) same_name = true, same_date = same_date || d.date == y.date;
  if (same_name) stem += same_date ? "_" + std::to_string(target) : "_" + y.date;
  return (std::filesystem::path(folder) / stem).string();
}

/// Rows into one file of either format.
class plane_file {
 public:
  struct shape {
    unmask::io::sample_type type = unmask::io::sample_type::f32;
    index_t height = 0, width = 0, bands = 1;
    bool plane = false;  ///< NPY: [H, W]
    std::string nodata;  ///< GeoTIFF
  };

  /// `source`: the GeoTIFF whose place the new file gets; empty: NPY.
  static result<plane_file> create(const std::string& path, const std::string& source, const shape& s) {
    plane_file f;
    if (source.empty()) {
      auto w = unmask::io::npy_writer::create(
          path, s.type, s.plane ? std::vector{s.height, s.width} : std::vector{s.height, s.width, s.bands});
      if (!w) return w.error();
      f.npy_.emplace(std::move(*w));
    } else {
#if UNMASK_APP_HAS_TIFF
      auto w = unmask::io::geotiff_writer::create(path, source, {s.type, s.height, s.width, s.bands, s.nodata});
      if (!w) return w.error();
      f.tiff_.emplace(std::move(*w));
#endif
    }
    return result<plane_file>(std::move(f));
  }

  result<> write(std::span<const std::byte> rows) {
#if UNMASK_APP_HAS_TIFF
    if (tiff_) return tiff_->write(rows);
#endif
    return npy_->write(rows);
  }
  result<> commit() {
#if UNMASK_APP_HAS_TIFF
    if (tiff_) return tiff_->commit();
#endif
    return npy_->commit();
  }

 private:
  std::optional<unmask::io::npy_writer> npy_;
#if UNMASK_APP_HAS_TIFF
  std::optional<unmask::io::geotiff_writer> tiff_;
#endif
};

/// The GeoTIFF whose place on the ground the results get, while they are created.
struct placing {
  std::string source;  ///< empty: NPY
  result<> done;

  placing(const std::string& stem, const date_files& y) {
    if (y.image.is_geotiff()) source = y.file;
    if (!y.image.is_placed_other()) return;
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(stem).parent_path(), ignored);
    auto made = unmask::io::atomic_file::create(stem + "_place.tif");
    if (!made) {
      done = made.error();
      return;
    }
    source = made->path();
    done = write_place_of(y.file, source);
    file.emplace(std::move(*made));
  }

 private:
  std::optional<unmask::io::atomic_file> file;  // goes when it is not committed
};

class result_files {
 public:
  std::string image, origin, deviation;  ///< paths

  /// Image, origin and deviation. `stem`: folder and beginning of the names.
  static std::array<std::string, 3> paths(const std::string& stem, const date_files& y) {
    const bool tiff = y.image.is_geotiff();
    const std::string end = tiff || y.image.is_placed_other() ? ".tif" : ".npy";
    return {stem + "_declouded" + (tiff ? std::filesystem::path(y.file).extension().string() : end),
            stem + "_origin" + end, stem + "_deviation" + end};
  }

  /// `stem`: as above.
  static result<result_files> create(const std::string& stem, date_files& y) {
    result_files f(y);
    const bool tiff = y.image.is_geotiff();
    if (tiff && y.image.is_list())
      return error(errc::bad_argument, y.file +
                                           ": bands in several GeoTIFF files can be read, not written: join them "
                                           "first (gdalbuildvrt -separate, gdal_translate)");
    const placing where(stem, y);
    if (!where.done) return where.done.error();
    const std::string& source = where.source;
    std::tie(f.image, f.origin, f.deviation) = std::tuple_cat(paths(stem, y));
    const index_t H = y.image.height(), W = y.image.width(), C = y.image.bands();
    if (tiff) {
#if UNMASK_APP_HAS_TIFF
      auto w = unmask::io::geotiff_rewriter::create(f.image, y.file);
      if (!w) return w.error();
      f.rewriter_.emplace(std::move(*w));
#endif
    } else {
      auto w = plane_file::create(
          f.image, source, {y.image.type(), H, W, C, false, y.nodata ? unmask::io::detail::exact_text(*y.nodata) : ""});
      if (!w) return w.error();
      f.images_.emplace(std::move(*w));
    }
    auto origins = plane_file::create(f.origin, source, {unmask::io::sample_type::u8, H, W, 1, true, "0"});
    if (!origins) return origins.error();
    auto deviations = plane_file::create(f.deviation, source, {unmask::io::sample_type::f32, H, W, C, false, "nan"});
    if (!deviations) return deviations.error();
    f.origins_.emplace(std::move(*origins)), f.deviations_.emplace(std::move(*deviations));
    return result<result_files>(std::move(f));
  }

  result<> write(const unmask::clouds::finished_rows& rows) {
    const index_t count = rows.origin.extent(0), W = rows.origin.extent(1);
    auto digits = y_->image.read({rows.first, 0, count, W});
    if (!digits) return digits.error();
    set_digits(*digits, *y_, rows);
    result<> done;
    if (images_) done = images_->write(digits->bytes);
#if UNMASK_APP_HAS_TIFF
    if (rewriter_) {
      std::vector<std::uint8_t> changed(static_cast<std::size_t>(count * W));
      for (index_t i = 0; i < count * W; ++i)
        changed[static_cast<std::size_t>(i)] =
            rows.origin.data()[i] >= static_cast<std::uint8_t>(unmask::clouds::provenance::reconstructed);
      done = rewriter_->write(*digits, changed.data());
    }
#endif
    if (!done) return done;
    if (done = origins_->write(std::as_bytes(std::span(rows.origin.data(), static_cast<std::size_t>(count * W))));
        !done)
      return done;
    return deviations_->write(
        std::as_bytes(std::span(rows.deviation.data(), static_cast<std::size_t>(rows.deviation.size()))));
  }

  result<> commit() {
    result<> done;
    if (images_) done = images_->commit();
#if UNMASK_APP_HAS_TIFF
    if (rewriter_) done = rewriter_->commit();
#endif
    if (done) done = origins_->commit();
    if (done) done = deviations_->commit();
    return done;
  }

  /// Bytes that writing keeps where `rows` rows come at a time: the rows, and those that wait for their block.
  static double kept_bytes(const date_files& y, index_t rows) {
    const index_t row = y.image.width() * (y.image.bands() * sample_bytes(y.image.type()) + 1);
    return static_cast<double>(row) * static_cast<double>(rows + 2 * (rows + y.image.file().block_rows()));
  }

 private:
  explicit result_files(date_files& y) : y_(&y) {}

  date_files* y_;
#if UNMASK_APP_HAS_TIFF
  std::optional<unmask::io::geotiff_rewriter> rewriter_;
#endif
  std::optional<plane_file> images_, origins_, deviations_;
};

}  // namespace program
