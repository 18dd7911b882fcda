/// What a file says about its bands: unit, number, place, and the order of the axes.

#include "hdf5_maker.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/hdf5_writer.hpp"

using namespace unmask;
using namespace io_test;

namespace {

/// A cube [8 x 7 x 3] beside a list with a unit.
std::string file_with(const temporary_folder& folder, const std::vector<double>& list, const std::string& unit) {
  const std::string path = folder / "scene.h5";
  hdf5_maker file(path);
  file.put("cube", {8, 7, 3}, values(168), H5T_NATIVE_FLOAT);
  const auto data = file.put("wavelengths", list);
  if (!unit.empty()) hdf5_maker::attribute(data, "units", unit);
  return path;
}

bool close_to(const std::vector<double>& found, const std::vector<double>& nm) {
  return found.size() == nm.size() &&
         std::equal(found.begin(), found.end(), nm.begin(), [](double a, double b) { return std::abs(a - b) <= 1e-6; });
}

}  // namespace

TEST_CASE("io: wavelengths become nm whatever their unit") {
  const temporary_folder folder;
  const std::vector<double> nm{450, 550, 650}, um{.45, .55, .65}, m{450e-9, 550e-9, 650e-9}, a{4500, 5500, 6500};
  using row = std::pair<std::vector<double>, std::string>;
  for (const row& r : {row{nm, ""}, row{nm, "nm"}, row{nm, "Nanometers"}, row{um, "micrometers"}, row{um, "\xc2\xb5m"},
                       row{um, "um"}, row{m, "m"}, row{a, "Angstrom"}}) {
    CAPTURE(r.second);
    const auto cube = io::read_cube({file_with(folder, r.first, r.second), ""});
    REQUIRE_MESSAGE(cube, cube.error().message());
    CHECK(close_to(cube->wavelengths, nm));
    CHECK(cube->notes.empty());
  }
  const auto guessed = io::read_cube({file_with(folder, um, ""), ""});
  REQUIRE(guessed);
  CHECK(close_to(guessed->wavelengths, nm));
  REQUIRE(guessed->notes.size() == 1);
  CHECK(guessed->notes[0].find("micrometres") != std::string::npos);
}

TEST_CASE("io: wavelengths that are none are refused") {
  const temporary_folder folder;
  const auto refused = [&](const std::vector<double>& list, const std::string& unit, const std::string& piece) {
    check_error(io::read_cube({file_with(folder, list, unit), ""}), errc::wrong_value, {"'wavelengths'", piece});
  };
  refused({450, 550, 650}, "cm-1", "'cm-1'");
  refused({.45, .55, .65}, "nm", "0.45 to 0.65 nm");
  refused({450, 550, 650}, "um", "expected 100 to 100000 nm");
  refused({0, 550, 650}, "", "0 to 650");
  refused({-450, 550, 650}, "", "-450");
  refused({450, 550, 2e6}, "nm", "2000000");
  refused({450, 550, std::nan("")}, "nm", "NaN");
}

TEST_CASE("io: which list belongs to a cube") {
  const temporary_folder folder;
  const std::string path = folder / "scene.h5";
  const auto make = [&](const std::vector<std::pair<std::string, std::vector<double>>>& lists,
                        const std::string& cube = "cube") {
    hdf5_maker file(path);
    if (cube.find('/') != std::string::npos) file.group(cube.substr(0, cube.find('/')));
    file.put(cube, {8, 7, 3}, values(168), H5T_NATIVE_FLOAT);
    for (const auto& [name, list] : lists) file.put(name, list);
    return io::read_cube({path, cube});
  };
  const std::vector<double> nm{450, 550, 650}, other{451, 551, 651}, four{1, 2, 3, 4};
  CHECK(make({{"wavelength", nm}})->wavelengths == nm);
  CHECK(make({{"Wavelengths", nm}})->wavelengths == nm);
  CHECK(make({{"band_centers", nm}})->wavelengths == nm);
  CHECK(make({{"lambda", four}})->wavelengths.empty());  // a parameter of something else
  CHECK(make({{"wavelength", nm}, {"wavelengths", nm}})->wavelengths == nm);
  check_error(make({{"wavelength", other}, {"wavelengths", nm}}), errc::wrong_value, {"'wavelength'", "'wavelengths'"});
  CHECK(make({{"scene/wavelength", nm}, {"wavelengths", four}}, "scene/cube")->wavelengths == nm);
  CHECK(make({{"wavelengths", nm}}, "scene/cube")->wavelengths == nm);
  check_error(make({{"wavelengths", four}}), errc::wrong_shape, {"'wavelengths' has 4 numbers", "'cube' has 3 bands"});
  check_error(make({{"wavelengths", four}}, "radiance"), errc::wrong_shape, {"'radiance' has 3 bands"});
}

TEST_CASE("io: MATLAB's wavelengths are rows or columns") {
  const temporary_folder folder;
  const std::string path = folder / "y.mat";
  write_mat(path, {{"meas", {4, 8}, std::vector<double>(32, .5)}, {"wavelengths", {1, 3}, {450, 550, 650}}}, true);
  const auto list = io::read_wavelengths(path, "meas", 3);
  REQUIRE_MESSAGE(list, list.error().message());
  CHECK(list->nm == std::vector<double>{450, 550, 650});
  check_error(io::read_wavelengths(path, "meas", 5), errc::wrong_shape, {"'wavelengths' has 3", "5 bands"});
  write_mat(path, {{"wavelengths", {2, 3}, {450, 550, 650, 451, 551, 651}}}, true);
  check_error(io::read_wavelengths(path, "meas", 6), errc::wrong_shape, {"'wavelengths' has a shape of [2 x 3]"});
}

TEST_CASE("io: axes are never guessed in silence") {
  const temporary_folder folder;
  const std::string path = folder / "scene.h5";
  const std::vector<double> nm{450, 550, 650};
  const auto make = [&](const std::vector<hsize_t>& dims, bool list) {
    hdf5_maker file(path);
    file.put("radiance", dims, values(dims[0] * dims[1] * dims[2]), H5T_NATIVE_FLOAT);
    if (list) file.put("wavelength", nm);
  };
  make({3, 8, 7}, true);
  check_error(io::read_cube({path, ""}), errc::wrong_shape, {"[3 x 8 x 7] beside 3 wavelengths", "--axes chw"});
  make({8, 3, 7}, true);
  check_error(io::read_cube({path, ""}), errc::wrong_shape, {"[8 x 3 x 7]", "--axes hcw"});
  make({3, 8, 7}, false);
  check_error(io::read_cube({path, ""}), errc::wrong_shape, {"[3 x 8 x 7]", "--axes hwc", "--axes chw"});
  const auto turned = io::read_cube({path, ""}, {.axes = "chw"});
  REQUIRE(turned);
  CHECK(turned->cube.extents() == std::array<index_t, 3>{8, 7, 3});
  CHECK(turned->cube(2, 5, 1) == values(168)[1 * 56 + 2 * 7 + 5]);
  CHECK(io::read_cube({path, ""}, {.axes = "hwc"})->cube.extents() == std::array<index_t, 3>{3, 8, 7});
  check_error(io::read_cube({path, ""}, {.axes = "hww"}), errc::bad_argument, {"'hww'", "chw"});
  check_error(io::read_cube({path, ""}, {.axes = "bil"}), errc::bad_argument, {"'bil'"});
  make({2, 3, 7}, true);
  check_error(io::read_cube({path, ""}, {.axes = "chw"}), errc::wrong_shape, {"3 numbers", "2 bands"});
  make({8, 8, 31}, false);  // a square image of many bands is one
  CHECK(io::read_cube({path, ""}));
  const auto wide = io::read_cube({path, ""}, {.axes = "hwc", .full_scale = 2});
  CHECK(wide->cube(7, 7, 30) == values(1984)[1983] / 2);
}
