#pragma once

/// What a person writes on the command line, `file.mat` or `file.mat:name`, and which format a file is by its first
/// bytes; endings are never trusted.

#include <sys/stat.h>

#include <array>
#include <cstring>
#include <string>

#include "input_file.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct source {
  std::string path;
  std::string variable;  ///< empty: not named
};

/// A path that exists as it is written wins; otherwise what follows the last colon is the variable.
inline source parse_source(const std::string& text) {
  struct ::stat there {};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || ::stat(text.c_str(), &there) == 0) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

enum class file_format {
  hdf5,      ///< HDF5, axes as they are
  matlab73,  ///< HDF5 behind MATLAB's user block, axes reversed
  matlab5,   ///< MATLAB v5 to v7.2
  matlab4,   ///< recognised to be refused by name
  npy,       ///< NumPy's
  npz,       ///< NumPy's archive of several
  envi,      ///< a text header beside raw numbers
  png,       ///< one grey picture
  pictures,  ///< a folder of pictures, one a band
  tiff,      ///< through libtiff, where it was added
  other,     ///< whatever an added library opens (GDAL)
  unknown
};

namespace detail {

/// Whether an ENVI header lies beside raw data: "cube.hdr" or "cube.img.hdr" for "cube.img".
inline bool has_envi_header(const std::string& path) {
  const std::size_t slash = path.rfind('/'), dot = path.rfind('.');
  const bool ending = dot != std::string::npos && (slash == std::string::npos || dot > slash);
  for (const std::string& header : {path + ".hdr", (ending ? path.substr(0, dot) : path) + ".hdr"}) {
    auto file = input_file::open(header);
    std::array<char, 4> start{};
    if (file && file->read(start.data(), 4) && std::string_view(start.data(), 4) == "ENVI") return true;
  }
  return false;
}

}  // namespace detail

/// Errors: a file that is missing, empty or neither a regular file nor a folder.
inline result<file_format> detect_format(const std::string& path) {
  struct ::stat there {};
  if (::stat(path.c_str(), &there) == 0 && S_ISDIR(there.st_mode)) return file_format::pictures;
  auto file = input_file::open(path);
  if (!file) return file.error();
  constexpr std::array<unsigned char, 8> signature{0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  std::array<char, 128> head{};
  if (!file->read(head.data(), file->size() < head.size() ? static_cast<std::size_t>(file->size()) : head.size()))
    return error(errc::unreadable, file->name() + ": cannot be read");
  const auto starts_with = [&](const char* text) { return std::memcmp(head.data(), text, std::strlen(text)) == 0; };

  const auto starts_with_bytes = [&](std::string_view start) {
    return std::string_view(head.data(), head.size()).starts_with(start);
  };

  // HDF5 allows a user block of 512, 1024, 2048, ... bytes before its signature.
  for (std::uint64_t at = 0; at + signature.size() <= file->size(); at = at == 0 ? 512 : at * 2) {
    std::array<unsigned char, 8> found{};
    if (!file->seek(at) || !file->read(found.data(), found.size())) break;
    if (found == signature) return at != 0 && starts_with("MATLAB") ? file_format::matlab73 : file_format::hdf5;
  }
  if (starts_with("MATLAB 7.3 MAT-file")) return file_format::matlab73;  // cut off before the signature
  if (starts_with("MATLAB 5.0 MAT-file")) return file_format::matlab5;
  if (starts_with("\x93NUMPY")) return file_format::npy;
  if (starts_with("PK\3\4") || starts_with("PK\5\6")) return file_format::npz;
  if (starts_with("\x89PNG\r\n\x1a\n")) return file_format::png;
  for (const char* start : {"II*", "MM", "II+"})
    if (starts_with(start) && (start[0] == 'I' || head[3] == '*' || head[3] == '+')) return file_format::tiff;
  if (starts_with("ENVI")) return file_format::envi;
  // MATLAB allows any text in the header; the two letters at its end are what counts.
  if (file->size() >= 128 && (std::memcmp(&head[126], "IM", 2) == 0 || std::memcmp(&head[126], "MI", 2) == 0))
    return file_format::matlab5;
  // v4 has no signature: a small type code, then plausible sizes and a zero or one.
  std::array<std::int32_t, 5> v4{};
  std::memcpy(v4.data(), head.data(), sizeof v4);
  if (file->size() >= 20 && v4[0] >= 0 && v4[0] < 5000 && v4[1] >= 0 && v4[2] >= 0 && (v4[3] == 0 || v4[3] == 1) &&
      v4[4] > 1 && v4[4] < 64)
    return file_format::matlab4;
  if (starts_with_bytes({"\0\0\0\x0cjP  ", 8})) return file_format::unknown;  // JPEG 2000, whatever header is beside it
  return detail::has_envi_header(path) ? file_format::envi : file_format::unknown;
}

}  // namespace unmask::inline UNMASK_ABI::io
