#pragma once

/// Files that another library opens: other_formats_gdal.cpp where GDAL was built in, other_formats_none.cpp elsewhere.

#include <memory>

#include "clouds_held.hpp"

namespace program {

/// An image that is read by windows.
class other_image {
 public:
  virtual ~other_image() = default;
  virtual unmask::result<unmask::io::raster> read(const unmask::io::pixel_window& w) = 0;

  std::optional<double> nodata, scale, offset;
  std::optional<placed> place;
  unmask::index_t rows = 0, columns = 0, bands = 0;
  unmask::io::sample_type type = unmask::io::sample_type::u8;
};

/// Lets every reader of cubes ask that library for what no other format reads.
void add_other_formats();

/// Errors: `not_found` where there is no such library, or the file is none that it knows.
unmask::result<std::unique_ptr<other_image>> open_other_image(const std::string& path);

/// A GeoTIFF of one pixel in the place of an image that `open_other_image` opened: its tags are what results need.
/// Errors: those of opening, `not_writable`.
unmask::result<> write_place_of(const std::string& image, const std::string& to);

/// As a value, with the members of an open file.
struct other_file {
  std::optional<double> nodata, scale, offset;
  std::optional<placed> place;
  std::unique_ptr<other_image> image;

  static unmask::result<other_file> open(const std::string& path) {
    auto found = open_other_image(path);
    if (!found) return found.error();
    other_file f;
    f.nodata = (*found)->nodata, f.scale = (*found)->scale, f.offset = (*found)->offset, f.place = (*found)->place;
    f.image = std::move(*found);
    return unmask::result<other_file>(std::move(f));
  }
  unmask::index_t height() const { return image->rows; }
  unmask::index_t width() const { return image->columns; }
  unmask::index_t bands() const { return image->bands; }
  unmask::io::sample_type type() const { return image->type; }
  unmask::result<unmask::io::raster> read(const unmask::io::pixel_window& w) const { return image->read(w); }
};

}  // namespace program
