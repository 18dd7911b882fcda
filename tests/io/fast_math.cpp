/// Compiled with -ffast-math, as a program that includes the library may be: NaN is refused all the same.

#include <bit>

#include "helpers.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/cube_stream.hpp"
#include "unmask/metrics/quality.hpp"

#if !defined(__FAST_MATH__)
#error "this test is about -ffast-math"
#endif

using namespace unmask;
using namespace io_test;

namespace {

float bits(std::uint32_t b) { return std::bit_cast<float>(b); }

}  // namespace

TEST_CASE("fast math: values that are not finite are refused") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5", mat = folder / "x.mat";
  for (const std::uint32_t bad : {0x7fc00000u, 0xffc00001u, 0x7f800001u, 0x7f800000u, 0xff800000u}) {
    CAPTURE(bad);
    tensor<float, 3> cube({4, 4, 2}, .5f);
    const tensor<float, 3> good = cube;
    cube(1, 2, 1) = bits(bad);
    check_error(io::write_cube(path, cube.view()), errc::wrong_value, {"NaN"});
    check_error(metrics::evaluate(good.view(), cube.view()), errc::wrong_value, {"estimate", "[1, 2, 1]"});
    auto stream = io::cube_stream::create(path, {4, 4, 2}, {4, 4});
    REQUIRE(stream);
    check_error(stream->write(0, 0, cube.view()), errc::wrong_value, {"NaN"});
    const io::detail::hdf5_id file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
    const hsize_t dims[3] = {4, 4, 2};
    const io::detail::hdf5_id space(H5Screate_simple(3, dims, nullptr), H5Sclose);
    const io::detail::hdf5_id data(
        H5Dcreate2(file, "cube", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
    REQUIRE(H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, cube.data()) >= 0);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    check_error(io::read_cube({path, ""}), errc::wrong_value, {"'cube' has 1 of 32", "[1, 2, 1]"});
  }
}
