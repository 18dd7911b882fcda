/// The program without GDAL.

#include "other_formats.hpp"

namespace program {

void add_other_formats() {}

unmask::result<std::unique_ptr<other_image>> open_other_image(const std::string& path) {
  return unmask::error(unmask::errc::not_found, path + ": this program was built without GDAL");
}

unmask::result<> write_place_of(const std::string& image, const std::string&) {
  return unmask::error(unmask::errc::not_found, image + ": this program was built without GDAL");
}

}  // namespace program
