/// Files of other programs: read right, or refused with what they are and what to do.

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "hdf5_maker.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/hdf5_writer.hpp"

using namespace unmask;
using namespace io_test;

TEST_CASE("io: files that are neither HDF5 nor MATLAB are called by their name") {
  const temporary_folder folder;
  const std::string path = folder / "x.dat";
  const auto called = [&](const std::string& bytes, const std::string& name) {
    spit(path, bytes + std::string(200, '\0'));
    check_error(io::read_cube({path, ""}), errc::unreadable, {"x.dat", "not HDF5, MATLAB, NPY", name});
  };
  called(std::string("II*\0", 4), "TIFF");
  called(std::string("\0\0\0\x0cjP  \r\n", 10), "cmake --preset gdal");
  spit(folder / "x.hdr", "ENVI\n");  // of another file than the picture beside it
  called(std::string("\0\0\0\x0cjP  \r\n", 10), "JPEG 2000");
  std::filesystem::remove(folder / "x.hdr");
  called("# Created by Octave 8.1", "save -v7");
  called("CDF\x01", "nccopy -k nc4");
  called("SIMPLE  =", "FITS");
  called("\x1f\x8b\x08", "gunzip");
  called("version https://git-lfs.github.com/spec/v1", "git lfs pull");
  called("<!DOCTYPE html>", "web page");
  check_error(io::read_cube({folder / "", ""}), errc::not_found, {"a folder without pictures"});
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  check_error(io::read_cube({folder / "pipe", ""}), errc::unreadable, {"a pipe or a device"});
}

TEST_CASE("io: netCDF's scale, offset and missing values") {
  const temporary_folder folder;
  const std::string path = folder / "x.nc";
  const auto make = [&](const std::vector<int>& stored, auto&&... attributes) {
    hdf5_maker file(path);
    const auto data = file.put("radiance", {2, 2, 1}, stored, H5T_STD_I16LE);
    (hdf5_maker::attribute(data, attributes.first, attributes.second), ...);
    return io::read_cube({path, ""});
  };
  using a = std::pair<const char*, double>;
  const auto cube = make({0, 1000, 2000, 5000}, a{"scale_factor", 1e-4}, a{"add_offset", .1});
  REQUIRE(cube);
  CHECK(cube->cube(0, 0, 0) == .1f);
  CHECK(cube->cube(1, 1, 0) == .6f);
  CHECK(cube->range.largest == .6f);
  CHECK(make({1, 2, 3, 4}, a{"add_offset", -1.0})->cube(0, 0, 0) == 0.f);
  check_error(make({0, 1, -9999, -9999}, a{"scale_factor", 1e-4}, a{"_FillValue", -9999.0}), errc::wrong_value,
              {"'radiance' has 2 of 4 values", "missing", "-9999"});
  CHECK(make({0, 1, 2, 3}, a{"_FillValue", -9999.0}));
  check_error(make({0, 1, 2, 3}, a{"scale_factor", 0.0}), errc::wrong_value, {"scale_factor"});
  check_error(make({0, 1, 2, 3}, a{"add_offset", std::nan("")}), errc::wrong_value, {"add_offset"});
  check_error(make({0, 1, 2, 3}, a{"scale_factor", 1.0}, a{"scale", 1.0}), errc::wrong_value, {"both"});
}

TEST_CASE("io: variables that hold no real numbers say so") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  const auto refused = [&](const std::string& word, const std::string& remedy) {
    for (const std::string& name : {std::string(), std::string("mask")})
      check_error(io::read_mask({path, name}), errc::wrong_value, {"'mask' is of type " + word, remedy});
  };
  {
    hdf5_maker file(path);
    const auto mask = file.group("mask");
    hdf5_maker::attribute(mask, "MATLAB_sparse", 5.0);
    file.put("mask/data", {2}, std::vector<double>{1, 1}, H5T_NATIVE_DOUBLE);
    file.put("mask/ir", {2}, std::vector<int>{0, 3}, H5T_STD_U64LE);
    file.put("mask/jc", {4}, std::vector<int>{0, 1, 1, 2}, H5T_STD_U64LE);
  }
  refused("sparse", "full(mask)");
  CHECK(io::describe(*io::list_variables(path)) == "has: mask [5 x 3] sparse");
  for (const auto& [real, imaginary] : {std::pair{"r", "i"}, std::pair{"real", "imag"}}) {
    hdf5_maker file(path);
    const hdf5_id type(H5Tcreate(H5T_COMPOUND, 16), H5Tclose);
    H5Tinsert(type, real, 0, H5T_NATIVE_DOUBLE);
    H5Tinsert(type, imaginary, 8, H5T_NATIVE_DOUBLE);
    file.put<float>("mask", {4, 4}, {}, type);
  }
  refused("complex", "real()");
  write_mat(folder / "s.mat", {{"cube", {2, 2, 2}, std::vector<double>(8, 1.0)}}, true);
  check_error(io::read_mask({folder / "s.mat", ""}), errc::not_found, {"no variable that is 2-D", "cube [2 x 2 x 2]"});
  write_mat(folder / "s.mat", {{"mask", {2, 2, 2}, std::vector<double>(8, 1.0)}}, true);
  check_error(io::read_mask({folder / "s.mat", ""}), errc::wrong_shape, {"'mask' is 3-D", "one plane of it"});
}

TEST_CASE("io: Octave's HDF5 files are read with their axes") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  const auto cube = numbered_cube(5, 4, 3);
  {
    hdf5_maker file(path);
    const auto group = file.group("scene");
    hdf5_maker::attribute(group, "OCTAVE_NEW_FORMAT", 1.0);
    file.put("scene/type", {1}, std::vector<int>{0}, H5T_STD_U8LE);
    file.put("scene/value", {3, 4, 5}, column_major(cube), H5T_NATIVE_DOUBLE);
  }
  const auto back = io::read_cube({path, ""});
  REQUIRE_MESSAGE(back, back.error().message());
  CHECK(back->variable == "scene");
  CHECK(same(back->cube, cube));
}

TEST_CASE("io: values that lie in other files are not read") {
  const temporary_folder folder;
  spit(folder / "secret", "0123456789abcdef");
  const std::string path = folder / "x.h5";
  {
    hdf5_maker file(path);
    const hdf5_id creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_external(creation, (folder / "secret").c_str(), 0, 16);
    file.put<float>("mask", {4, 4}, {}, H5T_STD_U8LE, creation);
  }
  check_error(io::read_mask({path, ""}), errc::unreadable, {"'mask'", "external files"});
  {
    hdf5_maker other(folder / "other.h5");
    other.put("mask", {4, 4}, values(16), H5T_NATIVE_FLOAT);
    hdf5_maker file(path, true);
    const hdf5_id creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    const hsize_t dims[2] = {4, 4};
    const hdf5_id space(H5Screate_simple(2, dims, nullptr), H5Sclose);
    H5Pset_virtual(creation, space, (folder / "other.h5").c_str(), "mask", space);
    file.put<float>("mask", {4, 4}, {}, H5T_NATIVE_FLOAT, creation);
  }
  check_error(io::read_mask({path, ""}), errc::unreadable, {"'mask'", "virtual dataset"});
}

TEST_CASE("io: a filter that is not installed is named") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  const auto with_filter = [&](H5Z_filter_t filter) {
    hdf5_maker file(path);
    const hdf5_id creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    const hsize_t chunk[2] = {4, 4};
    H5Pset_chunk(creation, 2, chunk);
    REQUIRE(H5Pset_filter(creation, filter, H5Z_FLAG_OPTIONAL, 0, nullptr) >= 0);
    file.put("mask", {4, 4}, values(16), H5T_NATIVE_FLOAT, creation);
  };
  with_filter(32000);
  check_error(io::read_mask({path, ""}), errc::unreadable, {"'mask'", "lzf (number 32000)", "h5repack"});
  with_filter(32345);
  check_error(io::read_mask({path, ""}), errc::unreadable, {"unknown (number 32345)", "HDF5_PLUGIN_PATH"});
}

TEST_CASE("io: a lock, a writer that never closed and newer formats are told from damage") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  { hdf5_maker(path, true).put("mask", {4, 4}, values(16), H5T_NATIVE_FLOAT); }
  REQUIRE(io::read_mask({path, ""}));
  const int other = ::open(path.c_str(), O_RDWR);
  REQUIRE(::flock(other, LOCK_EX) == 0);
  check_error(io::read_mask({path, ""}), errc::unreadable, {"open for writing", "HDF5_USE_FILE_LOCKING"});
  ::close(other);
  const std::string good = slurp(path);
  REQUIRE(good[8] == 3);
  std::string bytes = good;
  bytes[11] = 1;
  spit(path, bytes);
  check_error(io::read_mask({path, ""}), errc::unreadable, {"marked as still being written", "h5clear"});
  bytes = good;
  bytes[8] = 4;
  spit(path, bytes);
  check_error(io::read_mask({path, ""}), errc::unreadable, {"version 4 of the HDF5 format", "h5repack"});
  spit(path, good.substr(0, good.size() - 100));
  check_error(io::read_mask({path, ""}), errc::unreadable, {"damaged or truncated"});
}

TEST_CASE("io: groups that contain each other are visited once") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  {
    hdf5_maker file(path);
    file.put("mask", {4, 4}, values(16), H5T_NATIVE_FLOAT);
    const auto group = file.group("g");
    for (int i = 0; i < 8; ++i) {
      const std::string root = "root" + std::to_string(i), self = "self" + std::to_string(i);
      H5Lcreate_hard(file.file(), "/", group, root.c_str(), H5P_DEFAULT, H5P_DEFAULT);
      H5Lcreate_hard(file.file(), "/g", group, self.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    }
  }
  const auto info = io::list_variables(path);
  REQUIRE(info);
  CHECK(io::describe(*info) == "has: mask [4 x 4]");
}

TEST_CASE("io: a MATLAB variable that is there twice is refused") {
  const temporary_folder folder;
  const std::string path = folder / "x.mat";
  write_mat(path, {{"mask", {2, 2}, {1, 0, 0, 1}}}, true);
  const std::string once = slurp(path);
  spit(path, once + once.substr(128));
  check_error(io::read_mask({path, ""}), errc::unreadable, {"'mask' is there twice"});
}
