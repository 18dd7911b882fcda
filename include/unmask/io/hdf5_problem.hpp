#pragma once

/// Why HDF5 cannot open a file or read a dataset, as far as it can be told: locked by another program, still open in
/// its writer, a newer format, a filter that is not installed. What is left is damage.

#include <hdf5.h>
#include <sys/file.h>

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "hdf5_handle.hpp"
#include "variables.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

/// The newest superblock that HDF5 1.8 to 1.14 write.
inline constexpr unsigned newest_superblock = 3;

/// What stands in the way of opening, or an empty text.
inline std::string hdf5_obstacle(const std::string& path) {
  const int d = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (d >= 0) {
    const bool locked = ::flock(d, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ::close(d);
    if (locked)
      return "another program has the file open for writing (wait for it, or set HDF5_USE_FILE_LOCKING=FALSE to read "
             "all the same)";
  }
  auto file = input_file::open(path);
  if (!file) return "";
  constexpr std::array<unsigned char, 8> signature{0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  for (std::uint64_t at = 0; at + 48 <= file->size(); at = at == 0 ? 512 : at * 2) {
    std::array<unsigned char, 48> head{};
    if (!file->seek(at) || !file->read(head.data(), head.size())) return "";
    if (!std::equal(signature.begin(), signature.end(), head.begin())) continue;
    if (head[8] > newest_superblock && head[8] < 16)
      return "version " + std::to_string(head[8]) + " of the HDF5 format, " + std::to_string(newest_superblock) +
             " is the newest that is known (h5repack --high=v110 makes an older one)";
    if (head[8] >= 2 && (head[11] & 5u) != 0)
      return "marked as still being written (the program that wrote it has not closed it; if it is gone: h5clear -s)";
    // Where nothing is cut off, and the newer structures are used, this library may be too old for one of them.
    std::uint64_t end = 0;
    for (std::size_t i = 8; i-- > 0;) end = end << 8 | head[28 + i];
    if (head[8] >= 2 && head[9] == 8 && end + at == file->size())
      return "cannot be read by HDF5 " + std::to_string(H5_VERS_MAJOR) + "." + std::to_string(H5_VERS_MINOR) + "." +
             std::to_string(H5_VERS_RELEASE) +
             ": damaged, or written by a newer one (h5repack --high=v110, or libver=('earliest', 'v110') in h5py)";
    return "";
  }
  return "";
}

inline error hdf5_unreadable(const std::string& path) {
  const std::string why = hdf5_obstacle(path);
  return error(errc::unreadable, printable(path, 1000) + ": " + (why.empty() ? "damaged or truncated HDF5 file" : why));
}

/// Names of the filters that are registered with the HDF Group and found in the field's files.
inline const char* hdf5_filter_name(H5Z_filter_t filter) {
  constexpr std::array<std::pair<H5Z_filter_t, const char*>, 14> names{{{H5Z_FILTER_SZIP, "szip"},
                                                                        {H5Z_FILTER_NBIT, "n-bit"},
                                                                        {H5Z_FILTER_SCALEOFFSET, "scale-offset"},
                                                                        {307, "bzip2"},
                                                                        {32000, "lzf"},
                                                                        {32001, "blosc"},
                                                                        {32004, "lz4"},
                                                                        {32008, "bitshuffle"},
                                                                        {32013, "zfp"},
                                                                        {32015, "zstd"},
                                                                        {32017, "sz"},
                                                                        {32019, "jpeg"},
                                                                        {32026, "blosc2"},
                                                                        {32028, "granular bitround"}}};
  for (const auto& [number, name] : names)
    if (number == filter) return name;
  return "unknown";
}

/// The filter of a dataset that this HDF5 library lacks, or an empty text.
inline std::string hdf5_missing_filter(hid_t creation) {
  const int filters = H5Pget_nfilters(creation);
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0, config = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, &config);
    if (filter < 0 || H5Zfilter_avail(filter) > 0) continue;
    return "is packed by the filter " + std::string(hdf5_filter_name(filter)) + " (number " + std::to_string(filter) +
           "), which this HDF5 library does not have: h5repack -f GZIP=4 IN OUT where it is installed, or name the "
           "folder of its plugin in HDF5_PLUGIN_PATH";
  }
  return "";
}

/// Values that do not lie in the file itself; empty if they do. A file from elsewhere could otherwise make a program
/// read, and hand on, any other file of this machine.
inline std::string hdf5_stored_elsewhere(hid_t creation) {
  if (H5Pget_layout(creation) == H5D_VIRTUAL)
    return "is a virtual dataset: its values lie in other files, which are not read (h5repack makes one file of them)";
  if (H5Pget_external_count(creation) > 0)
    return "has its values in external files, which are not read (h5repack makes one file of them)";
  return "";
}

inline error hdf5_unreadable(const std::string& path, const variable_info& v, hid_t dataset = -1) {
  const hdf5_id creation(dataset >= 0 ? H5Dget_create_plist(dataset) : -1, H5Pclose);
  const std::string why = creation ? hdf5_missing_filter(creation) : "";
  return variable_error(errc::unreadable, path, v, why.empty() ? "cannot be read (damaged or truncated file)" : why);
}

}  // namespace unmask::inline UNMASK_ABI::io::detail
