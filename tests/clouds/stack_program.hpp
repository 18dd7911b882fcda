#pragma once

/// A generated stack of dates as files, and the program run on changed manifests of it.

#include <unmask/io/npy.hpp>

#include "../cli/program.hpp"

namespace unmask_test {

using unmask::index_t;
namespace io = unmask::io;
using io::raster;

inline raster read_plain(const std::string& path) {
  auto r = io::read_npy(path);
  REQUIRE_MESSAGE(r, path);
  return std::move(*r);
}

inline void check_refused(const outcome& r, const char* file, const char* why) {
  CAPTURE(r.err);
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK(r.err.find(file) != std::string::npos);
  CHECK(r.err.find(why) != std::string::npos);
}

/// What `unmask simulate-clouds` makes, in folder s.
struct generated_stack {
  scratch_folder f;
  nlohmann::json manifest;

  explicit generated_stack(const std::string& options) {
    REQUIRE(run_program(f, "simulate-clouds " + options + " --out '" + (f / "s") + "'").code == 0);
    manifest = nlohmann::json::parse(read_text(f / "s/stack.json"));
  }
  std::string file(const std::string& name) const { return f / ("s/" + name); }
  raster read(const std::string& name) const { return read_plain(file(name)); }
  nlohmann::json& image(std::size_t t) { return manifest["images"][t]; }
  std::string written() const {
    write_text(f / "s/m.json", manifest.dump());
    return f / "s/m.json";
  }
  /// Into folder o.
  outcome run(const std::string& options = "", int threads = 2) const {
    return run_program(f, "declouds --manifest '" + written() + "' --out '" + (f / "o") + "' " + options, threads);
  }
  raster result(const std::string& name) const { return read_plain(f / ("o/" + name)); }
};

/// Root mean square error in digits where the mask hides.
inline double hidden_error(const raster& truth, const raster& estimate, const raster& hidden) {
  double sum = 0, count = 0;
  for (index_t i = 0; i < truth.size(); ++i)
    if (hidden.digit(i / truth.bands) > 0) sum += std::pow(truth.digit(i) - estimate.digit(i), 2), ++count;
  return std::sqrt(sum / count);
}

}  // namespace unmask_test
