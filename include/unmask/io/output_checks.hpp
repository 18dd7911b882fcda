#pragma once

/// Before any work: an output may not be an input or another output, it must be possible to write it, and a file that
/// is there already must be one that an earlier run wrote.

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

#include "atomic_file.hpp"
#include "input_file.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// What a file that we write is, for telling it from a file that somebody else wrote under the same name.
/// `envi_data` are the numbers beside a header, which ours may be where the header is.
enum class output_kind { hdf5, npy, png, html, weights, matlab, envi, envi_data, tiff };

/// A file on this machine, however its name is spelled.
struct file_identity {
  ::dev_t device = 0;
  ::ino_t inode = 0;
  bool operator==(const file_identity&) const = default;
};

/// Where a file lies or would lie, however its name is spelled: "x.h5" and "./x.h5" are one before either is there.
inline std::string place_of(const std::string& path) {
  std::error_code failed;
  const auto whole = std::filesystem::weakly_canonical(std::filesystem::absolute(path, failed), failed);
  return failed ? path : whole.string();
}

inline std::optional<file_identity> identity_of(const std::string& path) {
  struct ::stat there {};
  if (::stat(path.c_str(), &there) != 0) return std::nullopt;
  return file_identity{there.st_dev, there.st_ino};
}

namespace detail {

inline bool contains_text(const std::string& path, std::string_view text, std::size_t limit) {
  std::ifstream file(path, std::ios::binary);
  std::string held(std::size_t{1} << 16, '\0'), tail;
  for (std::size_t read = 0; file && read < limit;) {
    file.read(held.data(), static_cast<std::streamsize>(held.size()));
    const auto n = static_cast<std::size_t>(file.gcount());
    read += n;
    tail.append(held, 0, n);
    if (tail.find(text) != std::string::npos) return true;
    if (tail.size() > text.size()) tail.erase(0, tail.size() - text.size());
  }
  return false;
}

inline bool ends_with_mark(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string end(output_mark.size(), '\0');
  file.seekg(-static_cast<std::streamoff>(end.size()), std::ios::end);
  file.read(end.data(), static_cast<std::streamsize>(end.size()));
  return file && end == output_mark;
}

}  // namespace detail

/// Whether a file was written by this library as a file of this kind.
inline bool is_ours(const std::string& path, output_kind kind) {
  constexpr std::size_t page = std::size_t{1} << 30, header = std::size_t{1} << 24;
  if (kind == output_kind::html) return detail::contains_text(path, "<footer>Made by unmask", page);
  if (kind == output_kind::weights) return detail::contains_text(path, "\"format\":\"unmask weights", header);
  if (kind == output_kind::envi) return detail::contains_text(path, output_mark, header);
  if (kind == output_kind::envi_data)
    return detail::contains_text(std::filesystem::path(path).replace_extension(".hdr").string(), output_mark, header);
  if (kind == output_kind::matlab && detail::contains_text(path, "MAT-file, written by unmask", 1)) return true;
  return detail::ends_with_mark(path);
}

/// A file that a command will write.
struct output_file {
  std::string path, option;  ///< the option that named it, "--out"
  output_kind kind = output_kind::hdf5;
};

/// Errors: `bad_argument` (an output is an input or another output; a file that is not ours, without `force`),
/// `not_writable` (no folder, no permission, a folder of that name). Devices and pipes are let through.
inline result<> check_outputs(const std::vector<output_file>& outputs, const std::vector<std::string>& inputs,
                              bool force) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const output_file& o = outputs[i];
    const std::string name = detail::printable(o.path, 1000);
    struct ::stat there {};
    const bool exists = ::stat(o.path.c_str(), &there) == 0;
    const bool regular = exists && S_ISREG(there.st_mode);
    for (const std::string& input : inputs)
      if (regular && identity_of(input) == identity_of(o.path))
        return error(errc::bad_argument, name + ": " + o.option + " is the same file as the input " +
                                             detail::printable(input, 1000) + ", which would be lost");
    for (std::size_t k = 0; k < i; ++k)
      if (outputs[k].path == o.path || place_of(outputs[k].path) == place_of(o.path) ||
          (regular && identity_of(outputs[k].path) == identity_of(o.path)))
        return error(errc::bad_argument, name + ": " + o.option + " is the same file as " + outputs[k].option);
    if (exists && !regular && !S_ISDIR(there.st_mode)) continue;
    if (regular && !force && there.st_size > 0 && !is_ours(o.path, o.kind))
      return error(errc::bad_argument,
                   name + ": " + o.option + " would overwrite a file that unmask did not write (--force does)");
    if (auto file = atomic_file::create(o.path); !file) return file.error();
  }
  return {};
}

}  // namespace unmask::inline UNMASK_ABI::io
