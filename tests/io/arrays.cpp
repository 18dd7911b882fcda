#include "helpers.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/hdf5_writer.hpp"

using namespace unmask;
using namespace io_test;

TEST_CASE("io: a cube goes through HDF5 and back") {
  const temporary_folder folder;
  const auto cube = numbered_cube(5, 7, 3);
  const std::vector<double> nm{450, 550.5, 650};
  const std::string path = folder / "scene.h5";

  REQUIRE(io::write_cube(path, cube.view(), nm, {{"source", "generated"}, {"seed", 7.0}}));
  const auto back = io::read_cube(io::parse_source(path));
  REQUIRE(back);
  CHECK(back->variable == "cube");
  CHECK(same(back->cube, cube));
  CHECK(back->wavelengths == nm);

  const auto info = io::list_variables(path);
  REQUIRE(info);
  CHECK(io::describe(*info) == "has: cube [5 x 7 x 3], wavelengths [3]");
  CHECK(info->variables[0].type == "float32");
  CHECK(info->variables[0].attributes ==
        std::vector<std::pair<std::string, std::string>>{{"seed", "7"}, {"source", "generated"}});

  // 16 bits: every level k / 65535 comes back as the nearest float, here the same one.
  REQUIRE(io::write_cube(path, cube.view(), nm, {}, io::encoding::uint16));
  const auto rounded = io::read_cube({path, "cube"});
  REQUIRE(rounded);
  CHECK(same(rounded->cube, cube));
  CHECK(io::list_variables(path)->variables[0].type == "uint16");
  CHECK(folder.files() == 1);
}

TEST_CASE("io: the same data gives the same bytes") {
  const temporary_folder folder;
  const auto cube = numbered_cube(70, 3, 2);
  REQUIRE(io::write_cube(folder / "a.h5", cube.view()));
  REQUIRE(io::write_cube(folder / "b.h5", cube.view()));
  CHECK(slurp(folder / "a.h5") == slurp(folder / "b.h5"));
}

TEST_CASE("io: several arrays in one file, in groups too") {
  const temporary_folder folder;
  const auto cube = numbered_cube(4, 6, 2);
  tensor<float, 2> mask({4, 6}, 0.5f), snapshot({4, 8}, 0.25f);
  const std::string path = folder / "simulated.h5";
  io::hdf5_writer file(path);
  file.put("measurement", snapshot.view(), {{"step", 2.0}}).put("mask", mask.view()).put("truth/cube", cube.view());
  REQUIRE(file.put({"made_by", std::string("a test")}).save());

  CHECK(io::read_measurement({path, ""})->extents() == snapshot.extents());
  CHECK(io::read_mask({path, ""})->extents() == mask.extents());
  CHECK(same(io::read_cube({path, "truth/cube"})->cube, cube));
  CHECK(same(io::read_cube({path, "/truth/cube"})->cube, cube));
  CHECK(same(io::read_cube({path, ""})->cube, cube));  // the only 3-D variable
  CHECK(io::list_variables(path)->attributes[0].second == "a test");
}

TEST_CASE("io: MATLAB v5 and v7.3 hold H x W x C as MATLAB says") {
  const temporary_folder folder;
  const auto cube = numbered_cube(5, 7, 3);
  const auto values = column_major(cube);
  for (const mat_ft version : {MAT_FT_MAT5, MAT_FT_MAT73})
    for (const bool compressed : {false, true})
      for (const bool containers : {false, true})
        for (const matio_classes kind : {MAT_C_SINGLE, MAT_C_DOUBLE}) {
          CAPTURE(version);
          CAPTURE(compressed);
          CAPTURE(kind);
          const std::string path = folder / "scene.mat";
          write_mat(path,
                    {{"img_expand", {5, 7, 3}, values, kind},
                     {"mask", {5, 7}, {values.begin(), values.begin() + 35}, kind},
                     {"wavelengths", {1, 3}, {450, 550, 650}, kind}},
                    compressed, version, containers);
          CHECK(*io::detect_format(path) ==
                (version == MAT_FT_MAT5 ? io::file_format::matlab5 : io::file_format::matlab73));
          const auto back = io::read_cube({path, ""});
          REQUIRE_MESSAGE(back, back.error().message());
          CHECK(back->variable == "img_expand");
          CHECK(same(back->cube, cube));
          CHECK(back->wavelengths == std::vector<double>{450, 550, 650});
          const auto mask = io::read_mask(io::parse_source(path + ":mask"));
          REQUIRE(mask);
          CHECK(mask->extents() == std::array<index_t, 2>{5, 7});
          CHECK((*mask)(4, 1) == cube(4, 1, 0));
        }
}

TEST_CASE("io: integers are read as they are, attributes scale them") {
  const temporary_folder folder;
  const std::string path = folder / "x.mat";
  write_mat(path, {{"img", {2, 1, 3}, {0, 1, 2, 300, 40000, 65535}, MAT_C_UINT16}}, true);
  const auto cube = io::read_cube({path, ""}, {.axes = "hwc"});
  REQUIRE(cube);
  CHECK(cube->cube(1, 0, 2) == 65535.f);
  CHECK(cube->cube(1, 0, 1) == 300.f);

  tensor<float, 2> plane({1, 2});
  plane(0, 1) = 5000.f;
  const std::string scaled = folder / "scaled.h5";
  REQUIRE(io::write_plane(scaled, "reflectance", plane.view(), {{"scale", 1e-4}}));
  CHECK((*io::read_plane({scaled, ""}))(0, 1) == 0.5f);
  REQUIRE(io::write_plane(scaled, "reflectance", plane.view(), {{"full_scale", 10000.0}}));
  CHECK((*io::read_plane({scaled, ""}))(0, 1) == 0.5f);
  REQUIRE(io::write_plane(scaled, "reflectance", plane.view(), {{"scale", 1.0}, {"full_scale", 2.0}}));
  check_error(io::read_plane({scaled, ""}), errc::wrong_value, {"reflectance", "both"});
  for (const io::attribute& bad :
       {io::attribute{"scale", 0.0}, {"scale", std::nan("")}, {"scale", std::string("big")}, {"full_scale", 0.0}}) {
    REQUIRE(io::write_plane(scaled, "reflectance", plane.view(), {bad}));
    check_error(io::read_plane({scaled, ""}), errc::wrong_value, {"scaled.h5", "reflectance", bad.first});
  }
}

TEST_CASE("io: doubles stay doubles where asked for") {
  const temporary_folder folder;
  const std::string path = folder / "x.mat";
  write_mat(path, {{"a", {1, 2}, {1.0 / 3.0, 1e-200}, MAT_C_DOUBLE}}, false);
  const auto a = io::read_tensor<double, 2>({path, "a"});
  REQUIRE(a);
  CHECK((*a)(0, 0) == 1.0 / 3.0);
  CHECK((*a)(0, 1) == 1e-200);
}

TEST_CASE("io: refusals name file, variable, found and expected") {
  const temporary_folder folder;
  const std::string mat = folder / "scene.mat", h5 = folder / "scene.h5";
  write_mat(mat,
            {{"meas_real", {3, 5}, std::vector<double>(15, 1.0)}, {"img", {2, 3, 2}, std::vector<double>(12, 1.0)}},
            true, MAT_FT_MAT5, true);
  const auto cube = numbered_cube(2, 3, 4);
  const std::vector<double> list{1, 2};
  REQUIRE(io::hdf5_writer(h5).put("a", cube.view()).put("b", cube.view()).put("list", list).save());

  check_error(io::read_cube({folder / "none.mat", ""}), errc::not_found, {"none.mat", "no such file"});
  check_error(io::read_mask({mat, "mask"}), errc::not_found,
              {"scene.mat: variable 'mask' not found", "meas_real [3 x 5]"});
  check_error(io::read_cube({mat, "meas_real"}), errc::wrong_shape, {"'meas_real'", "2-D [3 x 5]", "expected 3-D"});
  check_error(io::read_mask({mat, "img"}), errc::wrong_shape, {"'img'", "3-D [2 x 3 x 2]", "expected 2-D"});
  check_error(io::read_mask({mat, "camera"}), errc::wrong_value, {"'camera'", "struct", "expected real numbers"});
  check_error(io::read_cube({h5, ""}), errc::bad_argument, {"several", "a [2 x 3 x 4], b [2 x 3 x 4], list [2]"});
  check_error(io::read_plane({h5, ""}), errc::not_found, {"no variable that is 2-D", "a [2 x 3 x 4]"});
  check_error(io::read_plane({h5, "c\nd"}), errc::not_found, {"'c?d' not found"});
  check_error(io::read_cube({folder / "", ""}), errc::not_found, {"a folder without pictures"});

  spit(folder / "empty.h5", "");
  check_error(io::read_cube({folder / "empty.h5", ""}), errc::unreadable, {"empty.h5", "empty"});
  spit(folder / "text.mat", "wavelength,value\n400,1\n");
  check_error(io::read_cube({folder / "text.mat", ""}), errc::unreadable, {"text.mat", "not HDF5, MATLAB, NPY"});
}

TEST_CASE("io: wavelengths that contradict the bands are refused, unknown ones are empty") {
  const temporary_folder folder;
  const std::string path = folder / "scene.h5";
  const auto cube = numbered_cube(5, 6, 4);
  const std::vector<double> three{1, 2, 3};
  REQUIRE(io::hdf5_writer(path).put("cube", cube.view()).put("wavelengths", three).save());
  check_error(io::read_cube({path, ""}), errc::wrong_shape, {"'wavelengths' has 3", "'cube' has 4 bands"});
  check_error(io::write_cube(path, cube.view(), three), errc::wrong_shape, {"3 wavelengths", "4 bands"});
  REQUIRE(io::write_cube(path, cube.view()));
  CHECK(io::read_cube({path, ""})->wavelengths.empty());
}

TEST_CASE("io: NaN and infinity are found, and where") {
  const temporary_folder folder;
  const std::string path = folder / "scene.mat";
  std::vector<double> values(24, 0.5);
  values[1 + 2 * 0 + 6 * 2] = std::nan("");  // [1, 0, 2] of 2 x 3 x 4
  values[0 + 2 * 2 + 6 * 3] = HUGE_VAL;      // [0, 2, 3]
  write_mat(path, {{"cube", {2, 3, 4}, values}}, true);
  check_error(io::read_cube({path, ""}, {.axes = "hwc"}), errc::wrong_value,
              {"'cube' has 2 of 24", "first at [0, 2, 3]"});
  tensor<float, 2> plane({2, 2}, std::nanf(""));
  check_error(io::write_plane(path, "mask", plane.view()), errc::wrong_value, {"scene.mat", "'mask'", "not written"});
  CHECK(*io::detect_format(path) == io::file_format::matlab5);  // untouched
}

TEST_CASE("io: empty dimensions are refused when read and when written") {
  const temporary_folder folder;
  const std::string v5 = folder / "v5.mat", v73 = folder / "v73.mat", h5 = folder / "x.h5";
  write_mat(v5, {{"cube", {0, 3, 4}, {}}}, false);
  check_error(io::read_cube({v5, ""}), errc::wrong_shape, {"v5.mat", "'cube' is empty [0 x 3 x 4]"});
  write_mat(v73, {{"cube", {0, 3, 4}, {}}}, false, MAT_FT_MAT73);
  check_error(io::read_cube({v73, "cube"}), errc::wrong_value, {"v73.mat", "'cube'", "empty"});
  const tensor<float, 2> none({0, 3});
  check_error(io::write_plane(h5, "mask", none.view()), errc::wrong_shape, {"x.h5", "'mask' is empty [0 x 3]"});
  CHECK(folder.files() == 2);
}
