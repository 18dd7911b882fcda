#pragma once

/// A file opened for reading whose size is known and checked before anything is taken from it.

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "../core/result.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// More elements than this (32 GiB of floats) are refused by name: a corrupt size, not a scene. On 32-bit machines
/// less: what their addresses can hold as doubles.
inline constexpr std::int64_t max_elements =
    (std::min)(std::int64_t{1} << 33, static_cast<std::int64_t>(PTRDIFF_MAX / sizeof(double)));

namespace detail {

/// An array, or nothing where memory is short: a size that a file dictates must not end the program.
template <class T>
std::optional<std::vector<T>> allocate(std::int64_t count) {
  if (count < 0 || static_cast<std::uint64_t>(count) > PTRDIFF_MAX / sizeof(T)) return std::nullopt;
#if UNMASK_HAS_EXCEPTIONS
  try {
    return std::vector<T>(static_cast<std::size_t>(count));
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
#else
  return std::vector<T>(static_cast<std::size_t>(count));
#endif
}

/// At most `limit` bytes of a text, without half a character of UTF-8 at its end.
inline std::string_view cut_text(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && limit - end < 3 && (static_cast<unsigned char>(text[end]) & 0xc0u) == 0x80u) --end;
  return text.substr(0, end);
}

/// Control characters of a foreign name, made harmless for a one-line message.
inline std::string printable(std::string_view name, std::size_t limit = 120) {
  std::string text;
  for (const char c : cut_text(name, limit)) text += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
  return name.size() > limit ? text + "..." : text;
}

/// "256 x 256 x 28"
template <class Sizes>
std::string shape_text(const Sizes& shape) {
  std::string text;
  for (const auto e : shape) text += (text.empty() ? "" : " x ") + std::to_string(e);
  return text.empty() ? "scalar" : text;
}

inline std::string number_text(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", x);
  return text;
}

}  // namespace detail

class input_file {
 public:
  static result<input_file> open(const std::string& path) {
    const std::string name = detail::printable(path, 1000);
    struct ::stat there {};
    if (::stat(path.c_str(), &there) != 0)
      return error(errno == ENOENT || errno == ENOTDIR ? errc::not_found : errc::unreadable,
                   name + ": " + (errno == ENOENT ? "no such file" : std::generic_category().message(errno)));
    if (S_ISDIR(there.st_mode)) return error(errc::unreadable, name + ": not a regular file but a folder");
    if (!S_ISREG(there.st_mode))  // a pipe would wait for ever, and it cannot be read twice
      return error(errc::unreadable, name + ": not a regular file (a pipe or a device; save it as a file first)");
    input_file f;
    f.name_ = name;
    f.size_ = static_cast<std::uint64_t>(there.st_size);
    f.file_.reset(std::fopen(path.c_str(), "rb"));
    if (!f.file_)
      return error(errc::unreadable, name + ": cannot be opened (" + std::generic_category().message(errno) + ")");
    if (f.size_ == 0) return error(errc::unreadable, name + ": the file is empty");
    return result<input_file>(std::move(f));  // nvcc 13 does not move it by itself
  }

  std::uint64_t size() const { return size_; }

  /// False at the end of the file and on a read error.
  bool read(void* to, std::size_t bytes) { return std::fread(to, 1, bytes, file_.get()) == bytes; }
  bool seek(std::uint64_t position) {
    return position <= size_ && ::fseeko(file_.get(), static_cast<off_t>(position), SEEK_SET) == 0;
  }

  /// What an error message calls the file.
  const std::string& name() const { return name_; }

 private:
  struct closer {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  std::string name_;
  std::uint64_t size_ = 0;
  std::unique_ptr<std::FILE, closer> file_;
};

/// The whole of a file of at most `limit` bytes.
inline result<std::vector<std::byte>> read_file(const std::string& path, std::uint64_t limit = std::uint64_t{1} << 33) {
  auto file = input_file::open(path);
  if (!file) return file.error();
  const std::string size = std::to_string(file->size()) + " bytes";
  if (file->size() > limit)
    return error(errc::unreadable, file->name() + ": " + size + ", expected at most " + std::to_string(limit));
  auto bytes = detail::allocate<std::byte>(static_cast<std::int64_t>(file->size()));
  if (!bytes) return error(errc::unreadable, file->name() + ": no memory for " + size);
  if (!file->read(bytes->data(), bytes->size()))
    return error(errc::unreadable, file->name() + ": cannot be read to its end");
  return std::move(*bytes);
}

}  // namespace unmask::inline UNMASK_ABI::io
