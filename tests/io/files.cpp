#include <sys/resource.h>

#include <csignal>

#include "helpers.hpp"
#include "unmask/io/atomic_file.hpp"
#include "unmask/io/hdf5_writer.hpp"
#include "unmask/io/source.hpp"

using namespace unmask;
using namespace io_test;

TEST_CASE("io: a file appears when it is committed, and only then") {
  const temporary_folder folder;
  const std::string path = folder / "report.html";
  spit(path, "old");
  {
    auto file = io::atomic_file::create(path);
    REQUIRE(file);
    CHECK(file->path() != path);
    REQUIRE(file->write(std::as_bytes(std::span("new", 3))));
    CHECK(slurp(path) == "old");
    CHECK(folder.files() == 2);
    REQUIRE(file->commit());
  }
  CHECK(slurp(path) == "new");
  {
    auto file = io::atomic_file::create(path);
    REQUIRE(file->write(std::as_bytes(std::span("half", 4))));
  }
  CHECK(slurp(path) == "new");
  CHECK(folder.files() == 1);
}

TEST_CASE("io: permissions and links of a replaced file stay") {
  namespace fs = std::filesystem;
  const temporary_folder folder;
  spit(folder / "a", "old");
  fs::permissions(folder / "a", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("a", folder / "link");
  REQUIRE(io::write_file(folder / "link", "new"));
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(slurp(folder / "a") == "new");
  CHECK(fs::status(folder / "a").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("io: what cannot be written is an error and leaves nothing") {
  const temporary_folder folder;
  check_error(io::write_file(folder / "none/x.h5", "text"), errc::not_writable, {"none/x.h5", "cannot be written"});
  check_error(io::write_file(folder / "", "text"), errc::not_writable, {"is a directory"});
  check_error(io::write_file("", "text"), errc::not_writable, {"without a name"});
  check_error(io::write_file("/dev/full", "text"), errc::not_writable, {"/dev/full", "No space left"});
  CHECK(io::write_file("/dev/null", "text"));
  CHECK(std::filesystem::is_character_file("/dev/null"));
  const tensor<float, 2> plane({8, 8}, 1.f);
  check_error(io::write_plane("/dev/full", "mask", plane.view()), errc::not_writable, {"/dev/full", "No space left"});
  check_error(io::write_plane(folder / "none/x.h5", "mask", plane.view()), errc::not_writable, {"none/x.h5"});
  CHECK(folder.files() == 0);
}

TEST_CASE("io: a disk that fills up half way leaves the old file") {
  const temporary_folder folder;
  const std::string path = folder / "scene.h5";
  spit(path, "old");
  tensor<float, 2> noise({200, 200});
  std::uint32_t seed = 1;
  for (float& x : noise) x = static_cast<float>(seed = seed * 1664525u + 1013904223u);

  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 20000;
  setrlimit(RLIMIT_FSIZE, &small);
  const auto done = io::write_plane(path, "noise", noise.view());
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);

  check_error(done, errc::not_writable, {"scene.h5", "cannot be written"});
  CHECK(slurp(path) == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("io: errors of the HDF5 writer come out at save, the first one") {
  const temporary_folder folder;
  const tensor<float, 2> plane({2, 2}, 1.f), large({1, 1}, 1.5f);
  const std::string path = folder / "x.h5";
  check_error(io::hdf5_writer(path).put("mask", plane.view()).put("mask", plane.view()).save(), errc::not_writable,
              {"x.h5", "'mask'", "twice"});
  check_error(io::hdf5_writer(path).put("mask", large.view(), {}, io::encoding::uint16).save(), errc::wrong_value,
              {"x.h5", "'mask'", "1.5", "0..1"});
  CHECK(folder.files() == 0);
}

TEST_CASE("io: file.mat:name") {
  const temporary_folder folder;
  spit(folder / "a:b", "x");
  const auto is = [](const io::source& s, const std::string& path, const std::string& variable) {
    return s.path == path && s.variable == variable;
  };
  CHECK(is(io::parse_source("scene.mat:mask"), "scene.mat", "mask"));
  CHECK(is(io::parse_source("scene.h5:masks/mask1"), "scene.h5", "masks/mask1"));
  CHECK(is(io::parse_source("scene.mat"), "scene.mat", ""));
  CHECK(is(io::parse_source("scene.mat:"), "scene.mat", ""));
  CHECK(is(io::parse_source(folder / "a:b"), folder / "a:b", ""));
  CHECK(is(io::parse_source(folder / "a:b:mask"), folder / "a:b", "mask"));
  CHECK(is(io::parse_source(":x"), ":x", ""));
}

TEST_CASE("io: formats are told by their first bytes") {
  const temporary_folder folder;
  const std::string path = folder / "x", signature("\x89HDF\r\n\x1a\n", 8);
  const auto format = [&](const std::string& bytes) {
    spit(path, bytes);
    return *io::detect_format(path);
  };
  CHECK(format(signature) == io::file_format::hdf5);
  CHECK(format(std::string(512, ' ') + signature) == io::file_format::hdf5);
  CHECK(format("MATLAB 7.3 MAT-file" + std::string(493, ' ') + signature) == io::file_format::matlab73);
  CHECK(format("MATLAB 7.3 MAT-file" + std::string(109, ' ')) == io::file_format::matlab73);
  CHECK(format("MATLAB 5.0 MAT-file" + std::string(200, ' ')) == io::file_format::matlab5);
  CHECK(format("any text" + std::string(118, ' ') + "IM") == io::file_format::matlab5);
  CHECK(format("x") == io::file_format::unknown);
  CHECK(format(std::string(3000, 'x')) == io::file_format::unknown);
  write_mat(path, {{"m", {2, 2}, {1, 2, 3, 4}, MAT_C_DOUBLE}}, false, MAT_FT_MAT4);
  CHECK(*io::detect_format(path) == io::file_format::matlab4);
}
