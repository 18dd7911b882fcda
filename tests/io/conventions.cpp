/// What files say about their numbers beside the numbers: netCDF's limits, per cent, wavelengths as attributes. Each of
/// these was once read without a word, with wrong numbers.

#include "hdf5_maker.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/hdf5_writer.hpp"
#include "unmask/io/plane_rows.hpp"

using namespace unmask;
using namespace io_test;

namespace {

void list_attribute(hid_t object, const char* name, const std::vector<double>& numbers, hid_t stored) {
  const hsize_t count = numbers.size();
  const hdf5_id space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  const hdf5_id at(H5Acreate2(object, name, stored, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  REQUIRE(at);
  H5Awrite(at, H5T_NATIVE_DOUBLE, numbers.data());
}

/// A cube [3 x 3 x 2] of whole numbers 0, 100, ... 1700 with what `more` adds to it.
template <class More>
std::string whole_cube(const temporary_folder& folder, More&& more, hid_t stored = H5T_STD_I16LE) {
  const std::string path = folder / "x.nc";
  std::vector<int> numbers(18);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(100 * i);
  hdf5_maker file(path);
  const auto data = file.put("radiance", {3, 3, 2}, numbers, stored);
  hdf5_maker::attribute(data, "scale_factor", 1e-3);
  more(file, data);
  return path;
}

}  // namespace

TEST_CASE("io: numbers that a file does not call valid are refused, in stored or in physical numbers") {
  const temporary_folder folder;
  const auto refused = [&](auto&& more, const std::vector<std::string>& pieces) {
    const std::string path = whole_cube(folder, more);
    check_error(io::read_cube({path, ""}), errc::wrong_value, pieces);
  };
  const auto whole = [](const char* name, std::vector<double> numbers) {
    return [=](hdf5_maker&, hid_t data) { list_attribute(data, name, numbers, H5T_STD_I16LE); };
  };
  const auto real = [](const char* name, std::vector<double> numbers) {
    return [=](hdf5_maker&, hid_t data) { list_attribute(data, name, numbers, H5T_IEEE_F64LE); };
  };
  refused(whole("missing_value", {300}), {"1 of 18 values", "missing", "300"});
  refused(whole("missing_value", {-1, 300}), {"1 of 18 values", "missing_value 300"});
  refused(whole("valid_range", {0, 1500}), {"2 of 18 values", "0..1500"});
  refused(whole("valid_min", {150}), {"2 of 18 values", "150.."});
  refused(whole("valid_max", {1600}), {"1 of 18 values", "..1600"});
  refused(real("valid_range", {0, 1.5}), {"2 of 18 values", "0..1.5"});
  for (const auto& path :
       {whole_cube(folder, whole("valid_range", {0, 1700})), whole_cube(folder, real("valid_range", {0, 2})),
        whole_cube(folder, whole("missing_value", {-9999}))})
    CHECK(io::read_cube({path, ""}));
}

TEST_CASE("io: numbers stored with a sign that stand for unsigned ones") {
  const temporary_folder folder;
  const std::string path = folder / "x.nc";
  {
    hdf5_maker file(path);
    const auto data = file.put("radiance", {2, 2, 1}, std::vector<int>{0, 30000, -25536, -1}, H5T_STD_I16LE);
    hdf5_maker::attribute(data, "_Unsigned", std::string("true"));
    hdf5_maker::attribute(data, "scale_factor", 1. / 65535);
  }
  const auto cube = io::read_cube({path, ""});
  REQUIRE_MESSAGE(cube, cube.error().message());
  CHECK(cube->cube(1, 0, 0) == doctest::Approx(40000. / 65535));
  CHECK(cube->cube(1, 1, 0) == doctest::Approx(1));
}

TEST_CASE("io: a full scale that contradicts what the file says is refused, the same one counts once") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  const tensor<float, 3> cube({4, 5, 2}, 4095.f);
  const auto with = [&](const io::attribute_list& attributes, double full_scale) {
    REQUIRE(io::hdf5_writer(path).put("cube", cube.view(), attributes).save());
    return io::read_cube({path, ""}, {.axes = "hwc", .full_scale = full_scale});
  };
  CHECK(with({}, 4095)->cube(1, 1, 1) == 1.f);
  CHECK(with({{"full_scale", 4095.}}, 0)->cube(1, 1, 1) == 1.f);
  CHECK(with({{"full_scale", 4095.}}, 4095)->cube(1, 1, 1) == 1.f);
  CHECK(with({{"units", std::string("%")}}, 100)->cube(1, 1, 1) == 40.95f);
  for (const io::attribute_list& said : {io::attribute_list{{"full_scale", 65535.}},
                                         {{"scale", 1e-4}},
                                         {{"scale_factor", 1. / 4095}, {"add_offset", .1}}})
    check_error(with(said, 4095), errc::bad_argument, {"x.h5", "'cube'", "--full-scale", "4095", "contradicts"});
}

TEST_CASE("io: per cent are divided by 100, cubes with a note") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  {
    hdf5_maker file(path);
    hdf5_maker::attribute(file.put("cube", {1, 2, 2}, std::vector<float>{0, 25, 50, 100}, H5T_NATIVE_FLOAT), "units",
                          std::string("%"));
    hdf5_maker::attribute(file.put("mask", {2, 2}, std::vector<float>{0, 100, 0, 50}, H5T_NATIVE_FLOAT), "units",
                          std::string("percent"));
  }
  const auto cube = io::read_cube({path, ""}, {.axes = "hwc"});
  REQUIRE_MESSAGE(cube, cube.error().message());
  CHECK(cube->cube(0, 0, 1) == .25f);
  CHECK(cube->range.largest == 1);
  REQUIRE(cube->notes.size() == 1);
  CHECK(cube->notes[0].find("per cent") != std::string::npos);
  CHECK((*io::plane_rows::open_mask({path, ""})->read())(1, 1) == .5f);
}

TEST_CASE("io: wavelengths among the attributes of a cube or a file are its wavelengths") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  const auto make = [&](bool of_file, const char* name, const std::vector<double>& list, const std::string& unit) {
    hdf5_maker file(path);
    const auto data = file.put("cube", {8, 7, 3}, values(168), H5T_NATIVE_FLOAT);
    const hdf5_id root(H5Gopen2(file.file(), "/", H5P_DEFAULT), H5Gclose);
    const hid_t object = of_file ? static_cast<hid_t>(root) : static_cast<hid_t>(data);
    list_attribute(object, name, list, H5T_IEEE_F64LE);
    if (!unit.empty()) hdf5_maker::attribute(object, "wavelength_units", unit);
    return io::read_cube({path, ""});
  };
  for (const bool of_file : {false, true}) {
    CAPTURE(of_file);
    CHECK(make(of_file, "wavelengths", {450, 550, 650}, "")->wavelengths == std::vector<double>{450, 550, 650});
    const auto um = make(of_file, "wavelength", {.45, .55, .65}, "Micrometers");
    REQUIRE_MESSAGE(um, um.error().message());
    CHECK(um->wavelengths[2] == doctest::Approx(650));
    check_error(make(of_file, "wavelength", {450, 550}, ""), errc::wrong_shape, {"attribute 'wavelength'", "3 bands"});
    check_error(make(of_file, "wavelength", {1, 2, 3}, ""), errc::wrong_value, {"numbers of bands"});
  }
  CHECK(make(false, "integration time", {1, 2}, "")->wavelengths.empty());
}

TEST_CASE("io: lists without a unit have to look like nm or micrometres; odd ones get a note") {
  const temporary_folder folder;
  const auto with = [&](const std::vector<double>& list) {
    const std::string path = folder / "x.h5";
    {
      hdf5_maker file(path);
      file.put("cube", {8, 7, 3}, values(168), H5T_NATIVE_FLOAT);
      file.put("wavelengths", list);
    }
    return io::read_cube({path, ""});
  };
  check_error(with({4500, 5500, 6500}), errc::wrong_value, {"4500 to 6500", "without a unit", "units"});
  check_error(with({22222, 18181, 15384}), errc::wrong_value, {"without a unit"});
  check_error(with({1, 2, 3}), errc::wrong_value, {"numbers of bands"});
  check_error(with({0, 1, 2}), errc::wrong_value, {"numbers of bands"});
  check_error(with({8, 10, 12}), errc::wrong_value, {"without a unit"});
  CHECK(with({500, 500, 500})->notes.at(0).find("the same wavelength") != std::string::npos);
  CHECK(with({650, 550, 450})->notes.empty());
  const auto shuffled = with({550, 450, 650});
  REQUIRE(shuffled);
  REQUIRE(shuffled->notes.size() == 1);
  CHECK(shuffled->notes[0].find("neither rises nor falls") != std::string::npos);
}
