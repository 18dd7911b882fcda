#pragma once

/// An image as a date of the manifest names it: one file, or a list of files that hold its bands.

#include "clouds_files.hpp"

namespace program {

class image_source {
 public:
  static result<image_source> open(const std::vector<std::string>& files, bool bands_first, bool untrusted) {
    image_source s;
    for (const std::string& file : files) {
      auto f = image_file::open(file, bands_first, untrusted);
      if (!f) return f.error();
      if (!s.parts_.empty())
        if (auto ok = s.fits(*f); !ok) return ok.error();
      s.bands_ += f->bands();
      s.parts_.push_back(std::move(*f));
    }
    return result<image_source>(std::move(s));
  }

  /// The first file speaks for all.
  const image_file& file() const { return parts_.front(); }
  const std::vector<image_file>& files() const { return parts_; }
  const std::string& name() const { return file().name(); }
  index_t height() const { return file().height(); }
  index_t width() const { return file().width(); }
  index_t bands() const { return bands_; }
  unmask::io::sample_type type() const { return file().type(); }
  /// One that libtiff may copy: of an untrusted one only the digits are there.
  bool is_geotiff() const { return is_tiff(name()) && !file().is_held(); }
  bool is_list() const { return parts_.size() > 1; }
  /// Of another library, with a place that GeoTIFFs can have.
  bool is_placed_other() const {
#if UNMASK_APP_HAS_TIFF
    return file().is_other() && file().place && !is_list();
#else
    return false;
#endif
  }

  result<raster> read(const pixel_window& w) {
    if (parts_.size() == 1) return parts_[0].read(w);
    raster all(type(), w.rows, w.columns, bands_);
    const index_t size = sample_bytes(type());
    index_t first = 0;
    for (image_file& part : parts_) {
      const auto r = part.read(w);
      if (!r) return r.error();
      for (index_t i = 0; i < w.rows * w.columns; ++i)
        std::copy_n(r->bytes.begin() + i * r->bands * size, r->bands * size,
                    all.bytes.begin() + (i * bands_ + first) * size);
      first += r->bands;
    }
    return all;
  }

  /// Bytes that reading windows of `rows` rows keeps.
  index_t kept_bytes(index_t rows) const {
    index_t sum = 0;
    for (const image_file& part : parts_) sum += part.kept_bytes(rows);
    return sum;
  }

 private:
  /// Whether a further file has the size, type and scale of the first.
  result<> fits(const image_file& f) const {
    const image_file& a = file();
    if (f.height() != a.height() || f.width() != a.width())
      return error(errc::wrong_shape,
                   f.name() + ": found " + f.size_text() + " pixels, expected " + a.size_text() + " as " + a.name());
    if (f.type() != a.type()) return error(errc::wrong_value, f.name() + ": numbers of another type than " + a.name());
    if (f.scale != a.scale || f.offset != a.offset || f.nodata != a.nodata)
      return error(errc::wrong_value,
                   f.name() + ": says another scale, offset or no-data value than " + a.name() + ": make them equal");
    return {};
  }

  std::vector<image_file> parts_;
  index_t bands_ = 0;
};

}  // namespace program
