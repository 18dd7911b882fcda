/// The program with GDAL.

#include <unmask/gdal/format.hpp>
#include <unmask/gdal/raster_file.hpp>
#include <unmask/gdal/writer.hpp>

#include "other_formats.hpp"

namespace program {

namespace {

struct gdal_image : other_image {
  explicit gdal_image(unmask::gdal::raster_file f) : file(std::move(f)) {}
  unmask::result<unmask::io::raster> read(const unmask::io::pixel_window& w) override { return file.read(w); }
  unmask::gdal::raster_file file;
};

}  // namespace

void add_other_formats() { unmask::io::add_format(unmask::gdal::format); }

unmask::result<std::unique_ptr<other_image>> open_other_image(const std::string& path) {
  auto file = unmask::gdal::raster_file::open(path);
  if (!file) return file.error();
  auto made = std::make_unique<gdal_image>(std::move(*file));
  const unmask::gdal::raster_file& f = made->file;
  made->nodata = f.nodata;
  if (f.scale != 1 || f.offset != 0) made->scale = f.scale, made->offset = f.offset;
  if (f.where) {
    const auto& t = f.where->transform;  // images that are rotated have no grid
    if (t[2] == 0 && t[4] == 0 && t[1] > 0 && t[5] < 0) made->place = placed{t[0], t[3], t[1], -t[5], f.system};
  }
  made->rows = f.height, made->columns = f.width, made->bands = f.bands, made->type = f.sample;
  return std::unique_ptr<other_image>(std::move(made));
}

unmask::result<> write_place_of(const std::string& image, const std::string& to) {
  auto file = unmask::gdal::raster_file::open(image);
  if (!file) return file.error();
  const unmask::tensor<float, 3> pixel({1, 1, 1});
  return unmask::gdal::write_cube(to, pixel.view(), {.where = file->where});
}

}  // namespace program
