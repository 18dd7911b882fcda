#pragma once

#include <doctest/doctest.h>
#include <matio.h>
#include <stdlib.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "unmask/core/result.hpp"
#include "unmask/core/tensor.hpp"

namespace io_test {

/// A folder that is gone when the test ends.
class temporary_folder {
 public:
  temporary_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "unmask-io-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::string path_;
};

inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void spit(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// An error whose message is one line that holds every given piece.
template <class T>
void check_error(const unmask::result<T>& r, unmask::errc code, const std::vector<std::string>& pieces) {
  REQUIRE_FALSE(static_cast<bool>(r));
  const std::string& message = r.error().message();
  CAPTURE(message);
  CHECK(r.error().code() == code);
  CHECK(message.find('\n') == std::string::npos);
  CHECK(message.size() < 1000);
  for (const std::string& piece : pieces) {
    CAPTURE(piece);
    CHECK(message.find(piece) != std::string::npos);
  }
}

/// Every element different, so that any mistake in the axis order shows; exact in float and in 16 bits over 65535.
inline unmask::tensor<float, 3> numbered_cube(unmask::index_t h, unmask::index_t w, unmask::index_t c) {
  unmask::tensor<float, 3> x({h, w, c});
  for (unmask::index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i) / 65535.f;
  return x;
}

/// [2, 3, 4] of 0 ... 23 in C order.
inline bool is_counted(const unmask::tensor<float, 3>& x) {
  if (x.extents() != std::array<unmask::index_t, 3>{2, 3, 4}) return false;
  for (unmask::index_t i = 0; i < x.size(); ++i)
    if (x.data()[i] != static_cast<float>(i)) return false;
  return true;
}

struct mat_variable {
  std::string name;
  std::vector<std::size_t> dims;
  std::vector<double> values;  ///< first index fastest, as MATLAB keeps them
  matio_classes kind = MAT_C_SINGLE;
};

/// Writes with matio, an implementation that is not ours. A struct and a cell stand before the variables if asked.
inline void write_mat(const std::string& path, const std::vector<mat_variable>& variables, bool compressed,
                      mat_ft version = MAT_FT_MAT5, bool containers = false) {
  const auto how = compressed ? MAT_COMPRESSION_ZLIB : MAT_COMPRESSION_NONE;
  mat_t* mat = Mat_CreateVer(path.c_str(), nullptr, version);
  REQUIRE(mat);
  double some[4] = {1, 2, 3, 4};
  std::size_t two[2] = {2, 2}, one[2] = {1, 1};
  const auto number = [&] { return Mat_VarCreate(nullptr, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, two, some, 0); };
  if (containers) {
    const char* fields[] = {"exposure"};
    matvar_t* camera = Mat_VarCreateStruct("camera", 2, one, fields, 1);
    Mat_VarSetStructFieldByName(camera, "exposure", 0, number());
    CHECK(Mat_VarWrite(mat, camera, how) == 0);
    Mat_VarFree(camera);
    matvar_t* cells[1] = {number()};
    matvar_t* notes = Mat_VarCreate("notes", MAT_C_CELL, MAT_T_CELL, 2, one, cells, 0);
    CHECK(Mat_VarWrite(mat, notes, how) == 0);
    Mat_VarFree(notes);
  }
  for (mat_variable v : variables) {
    std::vector<float> singles(v.values.begin(), v.values.end());
    std::vector<std::uint16_t> shorts;
    if (v.kind == MAT_C_UINT16) shorts.assign(v.values.begin(), v.values.end());
    void* data = v.kind == MAT_C_SINGLE   ? static_cast<void*>(singles.data())
                 : v.kind == MAT_C_UINT16 ? static_cast<void*>(shorts.data())
                                          : static_cast<void*>(v.values.data());
    const matio_types type = v.kind == MAT_C_SINGLE   ? MAT_T_SINGLE
                             : v.kind == MAT_C_UINT16 ? MAT_T_UINT16
                                                      : MAT_T_DOUBLE;
    matvar_t* written =
        Mat_VarCreate(v.name.c_str(), v.kind, type, static_cast<int>(v.dims.size()), v.dims.data(), data, 0);
    REQUIRE(written);
    CHECK(Mat_VarWrite(mat, written, how) == 0);
    Mat_VarFree(written);
  }
  Mat_Close(mat);
}

/// The values of a row-major cube in MATLAB's order.
inline std::vector<double> column_major(const unmask::tensor<float, 3>& x) {
  std::vector<double> values;
  for (unmask::index_t c = 0; c < x.extent(2); ++c)
    for (unmask::index_t w = 0; w < x.extent(1); ++w)
      for (unmask::index_t h = 0; h < x.extent(0); ++h) values.push_back(static_cast<double>(x(h, w, c)));
  return values;
}

inline bool same(const unmask::tensor<float, 3>& a, const unmask::tensor<float, 3>& b) {
  return a.extents() == b.extents() && std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace io_test
