#include "hostile.hpp"

using namespace unmask;
using namespace io_test;

/// HDF5 asks for whatever a damaged file claims (a null pointer is its answer in a program without the sanitizer too),
/// and complains at exit about what it then cannot close.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
static const bool no_exit_handler = H5dont_atexit() >= 0;

TEST_CASE("io: an HDF5 dataset that claims what was never stored") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  const auto claim = [&](std::array<hsize_t, 3> dims) {
    const io::detail::hdf5_id file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
    const io::detail::hdf5_id space(H5Screate_simple(3, dims.data(), nullptr), H5Sclose);
    const io::detail::hdf5_id creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    const std::array<hsize_t, 3> chunk{1, 1, 1};
    H5Pset_chunk(creation, 3, chunk.data());
    const io::detail::hdf5_id data(
        H5Dcreate2(file, "cube", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose);
    REQUIRE(data);
  };
  claim({1u << 20, 1u << 20, 1u << 20});
  check_error(io::read_cube({path, ""}), errc::wrong_shape, {"'cube' claims [1048576 x", "8589934592"});
  claim({1024, 1024, 1024});
  check_error(io::read_cube({path, ""}), errc::unreadable, {"'cube' claims [1024 x 1024 x 1024] elements in 0 bytes"});
}

TEST_CASE("io: HDF5 prints nothing of its own and its error handler is given back") {
  const temporary_folder folder;
  spit(folder / "x.h5", std::string("\x89HDF\r\n\x1a\n", 8) + std::string(500, 'x'));
  static int calls = 0;
  const H5E_auto2_t count = [](hid_t, void*) -> herr_t { return ++calls, 0; };
  H5E_auto2_t before = nullptr;
  void* data = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &before, &data);
  H5Eset_auto2(H5E_DEFAULT, count, nullptr);
  check_error(io::read_cube({folder / "x.h5", ""}), errc::unreadable, {"x.h5: damaged or truncated HDF5 file"});
  CHECK(calls == 0);
  H5Dopen2(-1, "none", H5P_DEFAULT);
  CHECK(calls > 0);
  H5Eset_auto2(H5E_DEFAULT, before, data);
}

TEST_CASE("io: damaged HDF5 files never crash, and damaged values are seen") {
  CHECK(no_exit_handler);
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  tensor<float, 3> cube({20, 17, 6});
  std::uint32_t seed = 1;
  for (float& x : cube) x = static_cast<float>(seed = seed * 1664525u + 1013904223u);
  REQUIRE(io::write_cube(path, cube.view(), std::vector<double>(6, 500.0), {{"source", "generated"}}));
  const std::string bytes = slurp(path);
  std::mt19937 random(3);
  for (int i = 0; i < 500; ++i) {
    std::string damaged = bytes;
    for (auto n = 1 + random() % 3; n > 0; --n) damaged[random() % 4096] = static_cast<char>(random());
    spit(path, damaged);
    REQUIRE(survives(path));
  }
  // HDF5 1.10 crashes on a chunk that is larger than its dataset: 20 x 17 x 6 of 4 bytes with 17 made 63761.
  const std::string chunk("\x14\0\0\0\x11\0\0\0\x06\0\0\0\x04\0\0\0", 16);
  const std::size_t at = bytes.find(chunk);
  REQUIRE(at != std::string::npos);
  std::string damaged = bytes;
  damaged[at + 5] = '\xf9';
  spit(path, damaged);
  check_error(io::read_cube({path, ""}), errc::unreadable, {"x.h5", "'cube' cannot be read"});

  const std::size_t packed = bytes.find("\x78\x5e");  // zlib, level 4
  REQUIRE(packed != std::string::npos);
  damaged = bytes;
  damaged[packed + 3000] = static_cast<char>(damaged[packed + 3000] ^ 1);
  spit(path, damaged);
  check_error(io::read_cube({path, ""}), errc::unreadable, {"x.h5", "'cube' cannot be read"});
}
