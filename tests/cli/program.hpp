#pragma once

/// Runs the program as a user would and keeps what it said.

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <unmask/io/cube.hpp>
#include <unmask/io/hdf5_writer.hpp>
#include <unmask/scenes/generate.hpp>
#include <unmask/unmask.hpp>

namespace fs = std::filesystem;

/// A folder of its own, gone at the end.
struct scratch_folder {
  fs::path path = fs::temp_directory_path() / ("unmask_cli_" + std::to_string(::getpid()));
  scratch_folder() { fs::create_directories(path); }
  ~scratch_folder() { fs::remove_all(path); }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

inline std::string read_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

struct outcome {
  int code = -1;
  std::string out, err;
  std::ptrdiff_t lines() const { return std::count(err.begin(), err.end(), '\n'); }
};

inline std::string program_line(const scratch_folder& folder, const std::string& arguments, int threads) {
  return "'" UNMASK_PROGRAM "' --threads " + std::to_string(threads) + " " + arguments + " >'" + folder / "stdout" +
         "' 2>'" + folder / "stderr" + "'";
}

/// `before`: shell commands in front of it.
inline outcome run_program(const scratch_folder& folder, const std::string& arguments, int threads = 2,
                           const std::string& before = "") {
  const int status = std::system((before + program_line(folder, arguments, threads)).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128, read_text(folder / "stdout"), read_text(folder / "stderr")};
}

/// One line, exit code 2, and what that line has to say.
inline void check_refused(const outcome& r, const std::string& word) {
  CAPTURE(r.err);
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK(r.err.find(word) != std::string::npos);
}

/// Starts the program and returns at once; `exec` makes the process the program itself, for signals.
inline pid_t start_program(const scratch_folder& folder, const std::string& arguments) {
  const std::string line = "exec " + program_line(folder, arguments, 2);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  return child;
}

/// About 2,000 parameters: a step on two crops of 16 x 16 takes a millisecond.
inline nlohmann::json tiny_network() {
  return {{"channels", 8}, {"depths", {1}}, {"heads", {2}},     {"spectral_head_width", 4},
          {"hidden", 16},  {"window", 4},   {"pad_multiple", 4}};
}

/// A small scene with its mask, as files.
struct sample_files {
  unmask::tensor<float, 3> cube;
  unmask::tensor<float, 2> mask;
  explicit sample_files(const scratch_folder& folder, unmask::index_t size = 32, unmask::index_t bands = 4,
                        std::uint64_t seed = 3) {
    std::vector<double> nm;
    for (unmask::index_t c = 0; c < bands; ++c) nm.push_back(450 + 50 * static_cast<double>(c));
    cube = unmask::scenes::generate(size, size, nm, seed);
    mask = unmask::scenes::grey_mask(size, size, seed);
    REQUIRE(unmask::io::write_cube(folder / "scene.h5", cube.view(), nm));
    REQUIRE(unmask::io::write_plane(folder / "mask.h5", "mask", mask.view()));
  }
};
