/// Planes read by rows and cubes written tile by tile: the same values, files and refusals as at once.

#include <sys/resource.h>

#include <csignal>
#include <limits>
#include <unmask/io/cube.hpp>
#include <unmask/io/cube_stream.hpp>
#include <unmask/io/plane_rows.hpp>

#include "helpers.hpp"

using namespace unmask;
using namespace io_test;

namespace {

/// Random bits: deflate cannot pack them.
tensor<float, 3> noise(const std::array<index_t, 3>& extents) {
  tensor<float, 3> x(extents);
  std::uint32_t seed = 1;
  for (float& v : x) v = static_cast<float>(seed = seed * 1664525u + 1013904223u);
  return x;
}

tensor<float, 3> part(const tensor<float, 3>& x, index_t row, index_t column, index_t side) {
  tensor<float, 3> p({std::min(side, x.extent(0) - row), std::min(side, x.extent(1) - column), x.extent(2)});
  for (index_t h = 0; h < p.extent(0); ++h) std::copy_n(&x(row + h, column, 0), p.extent(1) * p.extent(2), &p(h, 0, 0));
  return p;
}

result<> write_tiles(const std::string& path, const tensor<float, 3>& x, index_t side) {
  auto file = io::cube_stream::create(path, x.extents(), {side, side});
  if (!file) return file.error();
  for (index_t h = 0; h < x.extent(0); h += side)
    for (index_t w = 0; w < x.extent(1); w += side)
      if (auto done = file->write(h, w, part(x, h, w, side).view()); !done) return done;
  const std::vector<double> nm{450, 500, 550};
  return file->commit(nm, {{"method", std::string("tiles")}});
}

void write_plane_file(const std::string& path, const tensor<float, 2>& plane) {
  REQUIRE(io::write_plane(path, "mask", plane.view()));
}

}  // namespace

TEST_CASE("io: rows of a plane are those of the whole plane, whatever the format") {
  const temporary_folder folder;
  tensor<float, 2> plane({150, 70});
  std::vector<double> turned(static_cast<std::size_t>(plane.size()));
  for (index_t i = 0; i < plane.size(); ++i) {
    plane.data()[i] = static_cast<float>(i) / 65536.f;
    turned[static_cast<std::size_t>(i % 70 * 150 + i / 70)] = static_cast<double>(plane.data()[i]);
  }
  write_plane_file(folder / "a.h5", plane);
  write_mat(folder / "b.mat", {{"mask", {150, 70}, turned, MAT_C_SINGLE}}, true, MAT_FT_MAT5);
  write_mat(folder / "c.mat", {{"mask", {150, 70}, turned, MAT_C_DOUBLE}}, true, MAT_FT_MAT73);
  REQUIRE(io::hdf5_writer(folder / "d.h5").put("mask", plane.view(), {}, io::encoding::uint16).save());  // with a scale
  for (const char* name : {"a.h5", "b.mat", "c.mat", "d.h5"}) {
    CAPTURE(name);
    const auto whole = io::read_mask({folder / name, ""});
    const auto rows = io::plane_rows::open_mask({folder / name, ""});
    REQUIRE(whole);
    REQUIRE(rows);
    CHECK(rows->extents() == whole->extents());
    for (const auto& [first, count] : {std::pair<index_t, index_t>{0, 150}, {0, 1}, {149, 1}, {63, 5}, {17, 100}}) {
      const auto found = rows->read(first, count);
      REQUIRE(found);
      CHECK(found->extents() == std::array<index_t, 2>{count, 70});
      CHECK(std::equal(found->begin(), found->end(), whole->data() + first * 70));
    }
  }
}

TEST_CASE("io: rows refuse what a whole read refuses, with the same words") {
  const temporary_folder folder;
  tensor<float, 2> plane({20, 10}, 1.f);
  const std::string path = folder / "x.h5";
  {
    plane(17, 3) = std::numeric_limits<float>::quiet_NaN();
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hsize_t dims[] = {20, 10};
    const hid_t space = H5Screate_simple(2, dims, nullptr);
    const hid_t data = H5Dcreate2(file, "mask", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, plane.data());
    H5Dclose(data);
    H5Sclose(space);
    H5Fclose(file);
  }
  const auto rows = io::plane_rows::open_mask({path, ""});
  REQUIRE(rows);
  CHECK(rows->read(0, 17));
  check_error(rows->read(15, 5), errc::wrong_value, {"x.h5", "'mask'", "[17, 3]"});
  check_error(rows->read(), errc::wrong_value, {io::read_mask({path, ""}).error().message()});
  check_error(io::plane_rows::open_mask({folder / "none.h5", ""}), errc::not_found, {"none.h5"});
  check_error(io::plane_rows::open_mask({path, "cube"}), errc::not_found, {"'cube'"});
  spit(folder / "cut.h5", slurp(path).substr(0, 1000));
  CHECK_FALSE(io::plane_rows::open_mask({folder / "cut.h5", ""}));
}

TEST_CASE("io: a cube written by tiles is the cube, and the same bytes each time") {
  const temporary_folder folder;
  const auto x = numbered_cube(150, 100, 3);
  for (const index_t side : {8, 24, 64, 96, 128, 200}) {
    CAPTURE(side);
    const std::string path = folder / "cube.h5";
    REQUIRE(write_tiles(path, x, side));
    const auto back = io::read_cube({path, ""});
    REQUIRE(back);
    CHECK(same(back->cube, x));
    CHECK(back->wavelengths == std::vector<double>{450, 500, 550});
    const std::string bytes = slurp(path);
    REQUIRE(write_tiles(path, x, side));
    CHECK(slurp(path) == bytes);
    CHECK(folder.files() == 1);
  }
}

TEST_CASE("io: a cube that is not finished leaves the old file") {
  const temporary_folder folder;
  const std::string path = folder / "cube.h5";
  spit(path, "old");
  auto x = noise({200, 200, 3});
  {
    auto file = io::cube_stream::create(path, x.extents(), {64, 64});
    REQUIRE(file);
    REQUIRE(file->write(0, 0, part(x, 0, 0, 64).view()));
    auto bad = part(x, 0, 64, 64);
    bad(3, 2, 1) = std::numeric_limits<float>::infinity();
    check_error(file->write(0, 64, bad.view()), errc::wrong_value, {"cube.h5", "NaN or infinite"});
  }
  CHECK(slurp(path) == "old");
  CHECK(folder.files() == 1);

  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 100000;
  setrlimit(RLIMIT_FSIZE, &small);
  const auto done = write_tiles(path, x, 64);  // a disk that fills up half way
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  check_error(done, errc::not_writable, {"cube.h5", "cannot be written"});
  CHECK(slurp(path) == "old");
  CHECK(folder.files() == 1);
  check_error(io::cube_stream::create(folder / "no/such/cube.h5", x.extents(), {64, 64}), errc::not_writable,
              {"no/such/cube.h5"});
  check_error(io::cube_stream::create("/dev/null", x.extents(), {64, 64}), errc::not_writable, {"/dev/null"});
}
