/// What GDAL opens: the same numbers, wavelengths, names and places come back, damaged files are refused, and nothing
/// is opened that reads other files or a network.

#include <sys/wait.h>

#include "../io/helpers.hpp"
#include "unmask/gdal/format.hpp"
#include "unmask/gdal/raster_file.hpp"
#include "unmask/gdal/writer.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/geotiff_cube.hpp"
#include "unmask/io/npy.hpp"
#include "unmask/io/untrusted.hpp"

using namespace unmask;
using namespace io_test;

namespace {

void add_gdal() {
  if (!io::format_line(io::file_format::other)) io::add_format(gdal::format);
}

tensor<float, 3> bytes_cube(index_t h = 40, index_t w = 50, index_t c = 3) {
  tensor<float, 3> cube({h, w, c});
  for (index_t i = 0; i < cube.size(); ++i) cube.data()[i] = static_cast<float>((i * 7) % 251);
  return cube;
}

std::string utm32() {
  const OGRSpatialReferenceH reference = OSRNewSpatialReference(nullptr);
  OSRImportFromEPSG(reference, 32632);
  char* text = nullptr;
  OSRExportToWkt(reference, &text);
  const std::string wkt = text;
  VSIFree(text);
  OSRDestroySpatialReference(reference);
  return wkt;
}

const std::vector<double> nm{450, 550.5, 650};

gdal::write_options options() {
  gdal::write_options o;
  o.names = {"blue", "green", "red"};
  o.wavelengths = nm;
  o.nodata = -9999.;
  o.where = gdal::place{{300000, 10, 0, 5000000, 0, -10}, utm32()};
  return o;
}

/// A copy in another format, of bytes. `driver`: GDAL's name.
void copy_as(const std::string& from, const std::string& to, const char* driver, std::vector<const char*> settings) {
  settings.push_back(nullptr);
  const auto d = gdal::detail::open(from);
  REQUIRE(d);
  const GDALDatasetH made = GDALCreateCopy(GDALGetDriverByName(driver), to.c_str(), d->get(), false,
                                           const_cast<char**>(settings.data()), nullptr, nullptr);
  REQUIRE(made != nullptr);
  GDALClose(made);
}

/// A GeoTIFF of bytes with a place, for copies.
std::string byte_picture(const temporary_folder& folder, const tensor<float, 3>& cube) {
  gdal::detail::drivers();
  const std::string path = folder / "bytes.tif";
  const auto size = [&](std::size_t d) { return static_cast<int>(cube.extent(d)); };
  const GDALDatasetH d =
      GDALCreate(GDALGetDriverByName("GTiff"), path.c_str(), size(1), size(0), size(2), GDT_Byte, nullptr);
  std::array<double, 6> transform{300000, 10, 0, 5000000, 0, -10};
  GDALSetGeoTransform(d, transform.data());
  GDALSetProjection(d, utm32().c_str());
  const GSpacing pixel = 4 * size(2);
  REQUIRE(GDALDatasetRasterIOEx(d, GF_Write, 0, 0, size(1), size(0), const_cast<float*>(cube.data()), size(1), size(0),
                                GDT_Float32, size(2), nullptr, pixel, pixel * size(1), 4, nullptr) == CE_None);
  GDALClose(d);
  return path;
}

bool equal_cubes(const tensor<float, 3>& a, const tensor<float, 3>& b) {
  return a.extents() == b.extents() && std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace

TEST_CASE("gdal: what is written with its place, names, wavelengths and no-data value is read so") {
  add_gdal();
  const temporary_folder folder;
  const std::string path = folder / "x.tif";
  const auto cube = bytes_cube();
  const auto o = options();
  const auto done = gdal::write_cube(path, cube.view(), o);
  REQUIRE_MESSAGE(done, done.error().message());
  CHECK(folder.files() == 1);
  const auto d = gdal::detail::open(path);
  REQUIRE(d);
  const auto i = gdal::describe(d->get(), path);
  REQUIRE(i);
  CHECK(i->names == o.names);
  CHECK(i->wavelengths == nm);
  CHECK(i->wavelength_unit == "Nanometers");
  CHECK(i->nodata == o.nodata);
  REQUIRE(i->where);
  CHECK(i->where->transform == o.where->transform);
  CHECK(gdal::detail::epsg_of(i->where->system) == 32632);
  const auto again = gdal::like(*i);
  CHECK(again.names == o.names);
  CHECK(again.where->transform == o.where->transform);
  const auto list = gdal::list(path);
  REQUIRE(list);
  tensor<float, 3> back({40, 50, 3});
  REQUIRE(gdal::format.read_floats(path, list->variables[0], back.data()));
  CHECK(equal_cubes(back, cube));
  tensor<float, 3> rows({7, 50, 3});
  REQUIRE(gdal::format.read_rows(path, list->variables[0], 11, 7, rows.data()));
  CHECK(std::equal(rows.begin(), rows.end(), &cube(11, 0, 0)));
}

TEST_CASE("gdal: scale and offset count, and bands that differ are refused") {
  const temporary_folder folder;
  add_gdal();
  auto o = options();
  o.scale = .5, o.offset = 3;
  const auto cube = bytes_cube();
  REQUIRE(gdal::write_cube(folder / "x.tif", cube.view(), o));
  const auto read = io::read_cube({folder / "x.tif", ""});
  REQUIRE_MESSAGE(read, read.error().message());
  CHECK(read->cube(1, 2, 1) == cube(1, 2, 1) * .5f + 3);
  CHECK(read->wavelengths == nm);
  {
    GDALDatasetH d = GDALOpen((folder / "x.tif").c_str(), GA_Update);
    REQUIRE(d != nullptr);
    GDALSetRasterScale(GDALGetRasterBand(d, 2), .25);
    GDALClose(d);
  }
  check_error(gdal::list(folder / "x.tif"), errc::wrong_value, {"x.tif", "another scale each"});
}

TEST_CASE("gdal: what no other format reads becomes a cube: JPEG 2000, FITS, NetCDF-3") {
  add_gdal();
  const temporary_folder folder;
  const auto cube = bytes_cube();
  const std::string tiff = byte_picture(folder, cube);
  struct kind {
    const char *driver, *file, *variable;
    std::vector<const char*> settings;
  };
  for (const kind& k : {kind{"JP2OpenJPEG", "x.jp2", "", {"QUALITY=100", "REVERSIBLE=YES"}},
                        {"FITS", "x.fits", "", {}},
                        {"netCDF", "x.nc", "Band2", {"FORMAT=NC"}}}) {
    if (!GDALGetDriverByName(k.driver)) {
      MESSAGE("GDAL has no driver ", k.driver, ": skipped");
      continue;
    }
    CAPTURE(k.driver);
    const std::string path = folder / k.file;
    copy_as(tiff, path, k.driver, k.settings);
    if (k.variable[0] != '\0') {
      const auto plane = io::read_plane({path, k.variable});
      REQUIRE_MESSAGE(plane, plane.error().message());
      CHECK((*plane)(3, 4) == cube(3, 4, 1));
      continue;
    }
    const auto read = io::read_cube({path, ""});
    REQUIRE_MESSAGE(read, read.error().message());
    CHECK(equal_cubes(read->cube, cube));
    const auto rows = io::list_variables(path);
    REQUIRE(rows);
    CHECK(rows->variables[0].type == "uint8");
    auto file = gdal::raster_file::open(path);
    REQUIRE_MESSAGE(file, file.error().message());
    CHECK(file->sample == io::sample_type::u8);
    const auto window = file->read({5, 6, 7, 8});
    REQUIRE(window);
    for (index_t h = 0; h < 7; ++h)
      for (index_t w = 0; w < 8; ++w)
        for (index_t c = 0; c < 3; ++c)
          CHECK(window->digit((h * 8 + w) * 3 + c) == static_cast<double>(cube(5 + h, 6 + w, c)));
    if (std::string(k.driver) == "JP2OpenJPEG") {
      CHECK(file->system == 32632);
      REQUIRE(file->where);
      CHECK(file->where->transform == std::array<double, 6>{300000, 10, 0, 5000000, 0, -10});
    }
  }
}

TEST_CASE("gdal: damaged files are refused in one line, and what points elsewhere is not opened") {
  add_gdal();
  const temporary_folder folder;
  const auto cube = bytes_cube();
  const std::string tiff = byte_picture(folder, cube);
  if (GDALGetDriverByName("JP2OpenJPEG")) {
    copy_as(tiff, folder / "x.jp2", "JP2OpenJPEG", {"QUALITY=100", "REVERSIBLE=YES"});
    const std::string whole = slurp(folder / "x.jp2");
    for (std::size_t size : {std::size_t{20}, std::size_t{90}, whole.size() / 8}) {
      spit(folder / "x.jp2", whole.substr(0, size));
      check_error(io::read_cube({folder / "x.jp2", ""}), errc::unreadable, {"x.jp2"});
    }
  }
  spit(folder / "x.vrt",
       "<VRTDataset rasterXSize=\"50\" rasterYSize=\"40\"><VRTRasterBand dataType=\"Byte\" band=\"1\">"
       "<SimpleSource><SourceFilename>" +
           tiff +
           "</SourceFilename><SourceBand>1</SourceBand>"
           "</SimpleSource></VRTRasterBand></VRTDataset>");
  check_error(io::read_plane({folder / "x.vrt", ""}), errc::unreadable, {"x.vrt", "not HDF5"});
  spit(folder / "x.asc", "ncols 100000000\nnrows 100000000\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2 3\n");
  CHECK_FALSE(io::read_plane({folder / "x.asc", ""}));
  spit(folder / "noise", std::string(300, 'x'));
  check_error(io::read_cube({folder / "noise", ""}), errc::unreadable, {"noise", "not HDF5"});
  auto nan = bytes_cube();
  nan(0, 0, 0) = std::nanf("");
  check_error(gdal::write_cube(folder / "y.tif", nan.view()), errc::wrong_value, {"y.tif", "NaN"});
  gdal::write_options o;
  o.names = {"one"};
  check_error(gdal::write_cube(folder / "y.tif", cube.view(), o), errc::bad_argument, {"y.tif", "1 names"});
  check_error(gdal::write_cube(folder / "none/y.tif", cube.view()), errc::not_writable, {"none/y.tif"});
  CHECK_FALSE(std::filesystem::exists(folder / "y.tif"));
}

#ifdef UNMASK_PROGRAM
TEST_CASE("gdal: the program reads JPEG 2000 wherever it reads a cube, and refuses a damaged one with 2") {
  gdal::detail::drivers();
  if (!GDALGetDriverByName("JP2OpenJPEG")) {
    MESSAGE("GDAL has no JPEG 2000: skipped");
    return;
  }
  const temporary_folder folder;
  const auto cube = bytes_cube();
  copy_as(byte_picture(folder, cube), folder / "x.jp2", "JP2OpenJPEG", {"QUALITY=100", "REVERSIBLE=YES"});
  const auto run = [&](const std::string& file) {
    const int status = std::system(("'" UNMASK_PROGRAM "' evaluate --full-scale 255 --truth '" + folder / "bytes.tif" +
                                    "' --estimate '" + file + "' >'" + folder / "out" + "' 2>'" + folder / "err" + "'")
                                       .c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  };
  CHECK(run(folder / "x.jp2") == 0);
  CHECK(slurp(folder / "out").find("100.000") != std::string::npos);
  spit(folder / "x.jp2", slurp(folder / "x.jp2").substr(0, 90));
  CHECK(run(folder / "x.jp2") == 2);
  const std::string said = slurp(folder / "err");
  CHECK(std::count(said.begin(), said.end(), '\n') == 1);
}

TEST_CASE("gdal: declouded JPEG 2000 images are GeoTIFFs in the same place, open digits unchanged") {
  gdal::detail::drivers();
  if (!GDALGetDriverByName("JP2OpenJPEG")) {
    MESSAGE("GDAL has no JPEG 2000: skipped");
    return;
  }
  const temporary_folder folder;
  const index_t h = 40, w = 50;
  tensor<float, 3> scene({h, w, 3});
  for (index_t i = 0; i < h; ++i)
    for (index_t j = 0; j < w; ++j)
      for (index_t c = 0; c < 3; ++c) scene(i, j, c) = static_cast<float>(40 + (i * 3 + j * 2 + c * 5) % 97);
  for (const char* name : {"a.jp2", "b.jp2"}) {
    copy_as(byte_picture(folder, scene), folder / name, "JP2OpenJPEG", {"QUALITY=100", "REVERSIBLE=YES"});
    for (float& x : scene) x = x / 2 + 30;  // the second date is another one
    for (float& x : scene) x = std::floor(x);
  }
  std::vector<float> visible(static_cast<std::size_t>(h * w), 1.f), all = visible;
  for (index_t i = 10; i < 18; ++i)
    for (index_t j = 20; j < 30; ++j) visible[static_cast<std::size_t>(i * w + j)] = 0;
  REQUIRE(io::write_npy(folder / "v.npy", io::sample_type::f32, {h, w}, std::as_bytes(std::span(visible))));
  REQUIRE(io::write_npy(folder / "all.npy", io::sample_type::f32, {h, w}, std::as_bytes(std::span(all))));
  spit(folder / "m.json", R"({"images": [
    {"file": "a.jp2", "date": "2023-08-10", "visibility": "v.npy", "scale": 0.004, "offset": 0},
    {"file": "b.jp2", "date": "2023-08-15", "visibility": "all.npy", "scale": 0.004, "offset": 0}], "target": 0})");
  const int status = std::system(("'" UNMASK_PROGRAM "' declouds --manifest '" + folder / "m.json" + "' --out '" +
                                  folder / "o" + "' >'" + folder / "out" + "' 2>'" + folder / "err" + "'")
                                     .c_str());
  REQUIRE_MESSAGE(status == 0, slurp(folder / "err"));
  for (const char* name : {"a_declouded.tif", "a_origin.tif", "a_deviation.tif"}) {
    CAPTURE(name);
    const auto d = gdal::detail::open(folder / "o/" + name);
    REQUIRE(d);
    const auto found = gdal::describe(d->get(), name);
    REQUIRE(found);
    REQUIRE(found->where);
    CHECK(found->where->transform == std::array<double, 6>{300000, 10, 0, 5000000, 0, -10});
    CHECK(gdal::detail::epsg_of(found->where->system) == 32632);
  }
  auto before = gdal::raster_file::open(folder / "a.jp2"),
       after = gdal::raster_file::open(folder / "o/a_declouded.tif");
  REQUIRE(before);
  REQUIRE(after);
  CHECK(after->sample == io::sample_type::u8);
  const auto given = before->read({0, 0, h, w}), made = after->read({0, 0, h, w});
  REQUIRE(given);
  REQUIRE(made);
  index_t changed = 0;
  for (index_t i = 0; i < given->size(); ++i) {
    const index_t pixel = i / 3, row = pixel / w, column = pixel % w;
    const bool near = row >= 7 && row < 21 && column >= 17 && column < 33;  // hidden, and the margin of 3
    if (given->digit(i) == made->digit(i)) continue;
    ++changed;
    CHECK_MESSAGE(near, row, " ", column);
  }
  CHECK(changed > 0);
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "o"), std::filesystem::directory_iterator()) == 3);
}
#endif
