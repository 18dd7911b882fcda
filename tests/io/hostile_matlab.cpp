#include <zlib.h>

#include <cstring>

#include "hostile.hpp"

using namespace unmask;
using namespace io_test;

namespace {

void put_u32(std::string& bytes, std::uint32_t n) { bytes.append(reinterpret_cast<const char*>(&n), 4); }

std::string v5_header() { return std::string("MATLAB 5.0 MAT-file").append(105, ' ').append("\x00\x01IM", 4); }

/// A matrix element (without its own tag) of class single whose numbers claim `bytes` bytes.
std::string v5_matrix(const std::vector<std::uint32_t>& dims, std::uint32_t bytes, const std::string& data) {
  std::string m;
  for (const std::uint32_t n : {6u, 8u, 7u, 0u, 5u, static_cast<std::uint32_t>(dims.size() * 4)}) put_u32(m, n);
  for (const std::uint32_t n : dims) put_u32(m, n);
  m.append(dims.size() % 2 * 4, '\0');
  for (const std::uint32_t n : {1u, 4u}) put_u32(m, n);
  m.append("cube\0\0\0\0", 8);
  for (const std::uint32_t n : {7u, bytes}) put_u32(m, n);
  return m + data;
}

std::string v5_element(std::uint32_t type, std::uint32_t bytes, const std::string& content) {
  std::string e;
  put_u32(e, type);
  put_u32(e, bytes);
  return e + content;
}

std::string v5_compressed(const std::string& content) {
  uLongf size = compressBound(content.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(content.data()),
           content.size());
  packed.resize(size);
  return v5_element(15, static_cast<std::uint32_t>(size), packed);
}

}  // namespace

TEST_CASE("io: a truncated MATLAB or HDF5 file is refused at every length") {
  const temporary_folder folder;
  const auto cube = numbered_cube(9, 7, 5);
  const std::string whole = folder / "whole", cut = folder / "cut.dat";
  for (int kind = 0; kind < 5; ++kind) {
    CAPTURE(kind);
    if (kind < 4)
      write_mat(whole, {{"cube", {9, 7, 5}, column_major(cube)}}, kind % 2 == 1, kind < 2 ? MAT_FT_MAT5 : MAT_FT_MAT73);
    else
      REQUIRE(io::write_cube(whole, cube.view()));
    // What stands behind HDF5's own end is no part of the data.
    const std::string bytes =
        slurp(whole).substr(0, std::filesystem::file_size(whole) - (kind == 4 ? io::output_mark.size() : 0));
    REQUIRE(io::read_cube({whole, ""}));
    for (std::size_t i = 0; i < 48; ++i) {
      // 40 lengths all over the file, then its last 8 bytes one by one.
      const std::size_t length = i < 40 ? bytes.size() * i / 40 : bytes.size() - (48 - i);
      CAPTURE(length);
      spit(cut, bytes.substr(0, length));
      const auto back = io::read_cube({cut, ""});
      REQUIRE_FALSE(back);
      CHECK(back.error().message().find("cut.dat: ") != std::string::npos);
      CHECK(back.error().message().find('\n') == std::string::npos);
      CHECK_FALSE(io::read_cube({cut, "cube"}));
    }
  }
}

TEST_CASE("io: truncation is said to be what it is") {
  const temporary_folder folder;
  const std::string path = folder / "scene.mat";
  write_mat(path, {{"cube", {9, 7, 5}, column_major(numbered_cube(9, 7, 5))}}, false);
  spit(path, slurp(path).substr(0, 700));
  check_error(io::read_cube({path, ""}), errc::unreadable, {"scene.mat: truncated MATLAB file", "the file has 700"});
  spit(path, slurp(path).substr(0, 100));
  check_error(io::read_cube({path, ""}), errc::unreadable, {"scene.mat: truncated MATLAB file", "the file has 100"});
}

TEST_CASE("io: damaged MATLAB files never crash, and a wrong checksum is seen") {
  const temporary_folder folder;
  const std::string path = folder / "x.mat";
  std::mt19937 random(1);
  const auto cube = numbered_cube(9, 7, 5);
  const auto values = column_major(cube);
  for (const bool compressed : {false, true}) {
    write_mat(path, {{"cube", {9, 7, 5}, values}, {"mask", {9, 7}, {values.begin(), values.begin() + 63}}}, compressed,
              MAT_FT_MAT5, true);
    const std::string bytes = slurp(path);
    for (int i = 0; i < 1500; ++i) {
      std::string damaged = bytes;
      for (auto n = 1 + random() % 4; n > 0; --n) {
        const std::size_t at = 124 + random() % (random() % 2 == 0 ? 900 : bytes.size() - 124);
        constexpr unsigned char extreme[] = {0x00, 0xff, 0x7f, 0x80, 14, 15};
        if (at < bytes.size())
          damaged[at] =
              static_cast<char>(random() % 2 == 0 ? extreme[random() % 6] : static_cast<unsigned char>(random()));
      }
      spit(path, damaged);
      REQUIRE(survives(path));
    }
  }
  // One flipped bit inside the compressed numbers of a file with one variable.
  write_mat(path, {{"cube", {9, 7, 5}, values}}, true);
  const std::string bytes = slurp(path);
  int seen = 0, tried = 0;
  for (std::size_t at = 300; at < bytes.size(); at += 7, ++tried) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    spit(path, damaged);
    seen += !io::read_cube({path, ""});
  }
  CHECK(tried > 50);
  CHECK(seen == tried);
}

TEST_CASE("io: MATLAB elements that lie about their sizes") {
  const temporary_folder folder;
  const std::string path = folder / "x.mat";
  const auto refused = [&](const std::string& elements, errc code, const std::vector<std::string>& pieces) {
    spit(path, v5_header() + elements);
    check_error(io::read_cube({path, ""}), code, pieces);
  };
  const std::string two(8, '\0');
  const auto m = v5_matrix({1, 1, 2}, 8, two);
  const auto size = static_cast<std::uint32_t>(m.size());
  spit(path, v5_header() + v5_element(14, size, m));
  CHECK(io::read_cube({path, ""}));
  spit(path, v5_header() + v5_compressed(v5_element(14, size, m)));
  CHECK(io::read_cube({path, ""}));

  refused(v5_element(14, 0xfffffff8u, m), errc::unreadable, {"truncated"});
  refused(v5_element(14, size - 8, m), errc::unreadable, {});  // numbers outside
  refused(v5_compressed(v5_element(14, size - 8, m)), errc::unreadable, {"damaged"});
  refused(v5_compressed(v5_element(14, 0xfffffff8u, m)), errc::unreadable, {"damaged"});
  refused(v5_element(15, 8, "not zlib"), errc::unreadable, {"damaged"});
  refused(v5_element(14, 16, std::string(16, '\0')), errc::unreadable, {"damaged"});
  refused("\x0e", errc::unreadable, {"truncated"});
  refused("", errc::not_found, {"has no variables"});

  const auto lying = [&](const std::vector<std::uint32_t>& dims, std::uint32_t bytes) {
    const auto liar = v5_matrix(dims, bytes, two);
    return v5_element(14, static_cast<std::uint32_t>(liar.size()), liar);
  };
  refused(lying({1, 1, 3}, 8), errc::unreadable, {"damaged"});
  refused(lying({1, 1, 3}, 12), errc::unreadable, {"damaged"});
  refused(lying({65536, 65536, 3}, 8), errc::wrong_shape, {"'cube' claims [65536 x 65536 x 3] elements", "8589934592"});
  refused(lying({2000000000, 2000000000, 2000000000}, 8), errc::wrong_shape, {"'cube' claims [2000000000 x"});
  refused(lying({40000, 40000, 2}, 8), errc::unreadable, {"'cube' claims [40000 x 40000 x 2] elements in"});
  refused(lying({0xffffffffu, 1, 1}, 8), errc::unreadable, {"damaged"});
}

TEST_CASE("io: MATLAB files of the other byte order, and doubles stored as bytes") {
  const temporary_folder folder;
  const std::string path = folder / "x.mat";
  std::string big(124, ' ');
  big.replace(0, 19, "MATLAB 5.0 MAT-file");
  big.append("\x01\x00MI", 4);
  const auto number = [&](std::uint32_t n) {
    for (int shift = 24; shift >= 0; shift -= 8) big += static_cast<char>(n >> shift);
  };
  // float64 [1 x 2] named "m" in a small tag, numbers stored as two uint8 in a small tag
  for (const std::uint32_t n : {14u, 48u, 6u, 8u, 6u, 0u, 5u, 8u, 1u, 2u}) number(n);
  big.append("\x00\x01\x00\x01m\x00\x00\x00", 8).append("\x00\x02\x00\x02\x07\xff\x00\x00", 8);
  spit(path, big);
  const auto m = io::read_tensor<double, 2>({path, "m"});
  REQUIRE_MESSAGE(m, m.error().message());
  CHECK((*m)(0, 0) == 7);
  CHECK((*m)(0, 1) == 255);
}
