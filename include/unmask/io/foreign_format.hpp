#pragma once

/// Files that are neither HDF5, MATLAB, NPY nor ENVI, recognised by their first bytes so that the refusal can say what
/// they are and how their numbers get into a file that can be read.

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "input_file.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

struct foreign_format {
  std::string_view start;   ///< the first bytes
  std::string_view what;    ///< "a NumPy array"
  std::string_view remedy;  ///< "numpy.load, then h5py"
};

inline constexpr std::string_view by_h5py = "in Python: h5py.File('cube.h5', 'w')['cube'] = array [H, W, C]";

inline constexpr std::string_view by_gdal =
    "a program built with GDAL opens it: cmake --preset gdal; or gdal_translate -of GTiff in out.tif";

inline constexpr std::array<foreign_format, 31> foreign_formats{{
    {"PK\x03\x04", "a zip archive (.npz, .pt, ...)", by_h5py},
    {std::string_view("II*\0", 4), "a TIFF picture", by_h5py},
    {std::string_view("MM\0*", 4), "a TIFF picture", by_h5py},
    {std::string_view("II+\0", 4), "a BigTIFF picture", by_h5py},
    {std::string_view("MM\0+", 4), "a BigTIFF picture", by_h5py},
    {"\x89PNG", "a PNG picture", by_h5py},
    {"\xff\xd8\xff", "a JPEG picture", by_h5py},
    {"GIF8", "a GIF picture", by_h5py},
    {"BM", "a BMP picture", by_h5py},
    {"SIMPLE  =", "a FITS file", by_gdal},
    {std::string_view("\0\0\0\x0cjP  ", 8), "a JPEG 2000 picture", by_gdal},
    {"\xff\x4f\xff\x51", "a JPEG 2000 picture", by_gdal},
    {"# Created by Octave", "an Octave text file", "in Octave: save -v7 file.mat variable"},
    {"Octave-1-", "an Octave binary file", "in Octave: save -v7 file.mat variable"},
    {"CDF\x01", "a netCDF-3 file", "nccopy -k nc4 in.nc out.nc, or a program built with GDAL: cmake --preset gdal"},
    {"CDF\x02", "a netCDF-3 file", "nccopy -k nc4 in.nc out.nc, or a program built with GDAL: cmake --preset gdal"},
    {"CDF\x05", "a netCDF-3 file", "nccopy -k nc4 in.nc out.nc, or a program built with GDAL: cmake --preset gdal"},
    {"\x0e\x03\x13\x01", "an HDF4 file", "h4toh5 in.hdf out.h5, or a program built with GDAL: cmake --preset gdal"},
    {"\x1f\x8b", "compressed by gzip", "gunzip it first"},
    {"\xfd"
     "7zXZ",
     "compressed by xz", "unxz it first"},
    {"BZh", "compressed by bzip2", "bunzip2 it first"},
    {"\x28\xb5\x2f\xfd", "compressed by zstd", "unzstd it first"},
    {"7z\xbc\xaf", "a 7z archive", "unpack it first"},
    {"Rar!", "a RAR archive", "unpack it first"},
    {"\x80\x02", "a Python pickle", by_h5py},
    {"\x80\x03", "a Python pickle", by_h5py},
    {"\x80\x04", "a Python pickle", by_h5py},
    {"\x80\x05", "a Python pickle", by_h5py},
    {"version https://git-lfs", "a pointer of Git LFS and not the data", "git lfs pull"},
    {"<!DOCTYPE", "a web page", "was the download refused?"},
    {"<html", "a web page", "was the download refused?"},
}};

/// What a file of another format is, and what to do, for the end of a message; empty if nobody knows.
inline std::string describe_foreign(const std::string& path) {
  auto file = input_file::open(path);
  if (!file) return "";
  std::array<char, 32> head{};
  const auto size = static_cast<std::size_t>((std::min)(file->size(), static_cast<std::uint64_t>(head.size())));
  if (!file->read(head.data(), size)) return "";
  const std::string_view start(head.data(), size);
  for (const foreign_format& f : foreign_formats)
    if (start.starts_with(f.start)) return std::string(f.what) + " (" + std::string(f.remedy) + ")";
  if (start.size() > 8 && start[8] == '{' && start[7] == 0)
    return "a safetensors file (weights: --weights, or `unmask info`)";
  return "";
}

}  // namespace unmask::inline UNMASK_ABI::io::detail
