/// Which folder may include which: a new arrow between folders is a decision, so it is made in the table below.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using names = std::vector<std::string>;

namespace {

struct layer {
  names folders;    ///< below include/unmask; a folder may always include itself
  names libraries;  ///< first part of <...>, or the whole header name; the standard library is free
};

/// "" is the umbrella: everything that needs no library beyond Eigen and xsimd; that of cuda, for nvcc; and eigen.hpp.
const std::map<std::string, layer> table = {
    {"",
     {{"core", "parallel", "simd", "nn", "nn/cpu", "models", "optics", "reconstruct", "metrics", "scenes", "train",
       "cuda", "nn/cuda", "train/cuda"},
      {"Eigen", "unsupported"}}},
    {"core", {{}, {"sys", "unistd.h"}}},
    {"parallel", {{"core"}, {"omp.h"}}},
    {"mpi", {{"core", "parallel"}, {"mpi.h"}}},
    {"simd", {{"core"}, {"xsimd"}}},
    {"nn", {{"core", "parallel"}, {}}},
    {"nn/cpu", {{"core", "parallel", "simd", "nn", "nn/cpu/strip"}, {"Eigen"}}},
    {"nn/cpu/strip", {{"core", "parallel", "simd", "nn", "nn/cpu"}, {}}},
    {"cuda", {{"core"}, {"cuda_runtime.h", "cublas_v2.h"}}},
    {"nn/cuda", {{"core", "nn", "cuda"}, {}}},
    {"train/cuda", {{"core", "nn", "train", "cuda", "nn/cuda"}, {}}},
    {"models", {{"core", "parallel", "nn"}, {}}},
    {"weights", {{"core", "nn", "models"}, {"sys", "fcntl.h", "unistd.h"}}},
    {"optics", {{"core", "parallel", "simd"}, {"Eigen"}}},
    {"clouds", {{"core", "parallel", "models"}, {}}},
    {"metrics", {{"core", "parallel"}, {}}},
    {"scenes", {{"core"}, {}}},
    {"reconstruct", {{"core", "parallel", "nn", "nn/cpu", "models", "optics"}, {}}},
    {"train", {{"core", "parallel", "nn", "models", "optics", "clouds", "reconstruct", "metrics"}, {"sys", "unistd.h"}}},
    {"io",
     {{"core", "nn", "models"},
      {"hdf5.h", "matio.h", "zlib.h", "tiffio.h", "nlohmann", "sys", "linux", "fcntl.h", "poll.h", "unistd.h"}}},
    {"render", {{"core", "io"}, {"png.h", "zlib.h"}}},
    {"gdal", {{"core", "io"}, {"gdal.h", "cpl_error.h", "cpl_string.h", "ogr_srs_api.h"}}},
};

bool has(const names& list, const std::string& name) { return std::find(list.begin(), list.end(), name) != list.end(); }

/// What is wrong with a header, one line each; `file` is relative to include/unmask.
names violations(const fs::path& file, const std::string& text) {
  const std::string folder = file.parent_path().generic_string();
  const std::string where = file.generic_string() + ": ";
  if (!table.contains(folder)) return {where + "folder '" + folder + "' has no line in the table"};
  const layer& allowed = table.at(folder);

  names wrong;
  std::istringstream lines(text);
  std::string line;
  int count = 0;
  bool once = false;
  for (; std::getline(lines, line); ++count) {
    std::istringstream words(line);
    std::string first, target;
    words >> first >> std::ws;
    once = once || line == "#pragma once";
    if (first != "#include" || !std::getline(words, target)) continue;
    const std::string name = target.substr(1, target.find_first_of(">\"", 1) - 1);
    if (target.front() == '<') {
      const bool standard = name.find_first_of("./") == std::string::npos;
      if (!standard && !has(allowed.libraries, name.substr(0, name.find('/'))))
        wrong.push_back(where + "<" + name + "> is not for this folder");
    } else {
      const fs::path to = (file.parent_path() / name).lexically_normal();
      const std::string other = to.parent_path().generic_string();
      if (other != folder && to != "version.hpp" && !has(allowed.folders, other))
        wrong.push_back(where + "may not include " + to.generic_string());
    }
  }
  if (!once) wrong.push_back(where + "no #pragma once");
  if (count > 250) wrong.push_back(where + std::to_string(count) + " lines, at most 250");
  return wrong;
}

std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("every header includes only from its layers, is guarded and fits on a page") {
  const fs::path root = UNMASK_INCLUDE_DIR;
  int headers = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    ++headers;
    for (const std::string& line : violations(fs::relative(entry.path(), root), read(entry.path()))) FAIL_CHECK(line);
  }
  CHECK(headers > 0);
}

TEST_CASE("the check itself finds what it looks for") {
  const auto broken = [](const char* file, const std::string& text) {
    return violations(file, "#pragma once\n" + text).size();
  };
  CHECK(broken("nn/x.hpp", "#include <vector>\n#include \"../core/view.hpp\"\n#include \"y.hpp\"\n") == 0);
  CHECK(broken("core/x.hpp", "#include \"../nn/x.hpp\"\n") == 1);
  CHECK(broken("nn/x.hpp", "#include \"cpu/x.hpp\"\n") == 1);
  CHECK(broken("nn/x.hpp", "#include <Eigen/Core>\n") == 1);
  CHECK(broken("nn/cpu/x.hpp", "#include <Eigen/Core>\n#include \"../x.hpp\"\n") == 0);
  CHECK(broken("unmask.hpp", "#include \"io/hdf5.hpp\"\n") == 1);
  CHECK(broken("elsewhere/x.hpp", "") == 1);
  CHECK(broken("core/x.hpp", std::string(250, '\n')) == 1);
  CHECK(violations("core/x.hpp", "int x;\n").size() == 1);
}
