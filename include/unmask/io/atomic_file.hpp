#pragma once

/// Files appear complete or not at all: bytes go to a temporary file beside the target, which is synced to the disk
/// and then renamed over it. A failure (no folder, no permission, full disk) leaves an existing target untouched and
/// no temporary file behind. POSIX.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "../core/result.hpp"
#include "../core/temporary_files.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {
inline std::string system_message(int code) { return std::generic_category().message(code); }

/// The file a symbolic link points at, so that renaming replaces the file and not the link.
inline std::string follow_links(std::string path) {
  for (int depth = 0; depth < 16; ++depth) {
    char to[4096];
    const ssize_t n = ::readlink(path.c_str(), to, sizeof to);
    if (n <= 0 || n >= static_cast<ssize_t>(sizeof to)) break;
    const std::string target(to, static_cast<std::size_t>(n));
    const std::size_t slash = path.rfind('/');
    path = target[0] == '/' || slash == std::string::npos ? target : path.substr(0, slash + 1) + target;
  }
  return path;
}
}  // namespace detail

/// Every HDF5, NPY, NPZ, TIFF and PNG file that is written here ends with it, which tells it from a file that somebody
/// else wrote under the same name. All of them ignore what stands behind their own end, and a program that changes the
/// file writes over it. MATLAB v5 files and ENVI headers say it in their text. (In HDF5 no attribute: version 1.10
/// reads beyond its buffers where a damaged file has one.)
inline constexpr std::string_view output_mark = "\nwritten by unmask\n";

class atomic_file {
 public:
  /// Opens the temporary file. Devices and pipes (/dev/stdout) have nothing to rename and are written directly.
  static result<atomic_file> create(const std::string& target) {
    if (target.empty()) return unmask::error(errc::not_writable, "cannot write a file without a name");
    atomic_file f;
    f.name_ = target;
    struct ::stat there {};
    const bool exists = ::stat(target.c_str(), &there) == 0;
    // /dev/stdout is a link to something like "pipe:[1234]", which is no path
    f.target_ = exists && !S_ISREG(there.st_mode) ? target : detail::follow_links(target);
    if (exists && S_ISDIR(there.st_mode)) return f.failed("is a directory");
    if (exists && !S_ISREG(there.st_mode)) {
      f.direct_ = true;
      f.temporary_ = f.target_;
      f.descriptor_ = ::open(f.target_.c_str(), O_WRONLY | O_CLOEXEC);
      if (f.descriptor_ < 0) return f.failed(detail::system_message(errno));
      return result<atomic_file>(std::move(f));
    }
    if (exists && ::access(f.target_.c_str(), W_OK) != 0) return f.failed(detail::system_message(errno));
    static std::atomic<unsigned> counter{0};
    for (int attempt = 0; attempt < 100; ++attempt) {
      f.temporary_ = f.target_ + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
      f.slot_ =
          unmask::detail::remember_temporary(f.temporary_);  // before it is there: a signal may come at any moment
      f.descriptor_ = ::open(f.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      const int code = errno;
      if (f.descriptor_ < 0)
        unmask::detail::forget_temporary(std::exchange(f.slot_, -1));
      else
        unmask::detail::temporary_is_there(f.slot_);
      if (f.descriptor_ >= 0) break;
      errno = code;
      if (code != EEXIST) break;
    }
    if (f.descriptor_ < 0) {
      const int code = errno;
      f.temporary_.clear();
      return f.failed(detail::system_message(code));
    }
    // A replaced file keeps its permissions; where that is refused the new file has the default ones.
    if (exists && ::fchmod(f.descriptor_, there.st_mode & 07777) != 0) errno = 0;
    return result<atomic_file>(std::move(f));  // nvcc 13 does not move it by itself
  }

  atomic_file(atomic_file&& other) noexcept { swap(other); }
  atomic_file& operator=(atomic_file&& other) noexcept {
    swap(other);
    return *this;
  }
  ~atomic_file() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!temporary_.empty() && !direct_) ::unlink(temporary_.c_str());
    unmask::detail::forget_temporary(slot_);
  }

  /// A device or a pipe: bytes leave as they are written.
  bool direct() const { return direct_; }

  /// Where a library that wants a path writes before `commit`.
  const std::string& path() const { return temporary_; }

  result<> write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed(detail::system_message(errno));
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return {};
  }

  /// The same behind what a library has written to `path()` by itself.
  result<> append(std::span<const std::byte> bytes) {
    if (::lseek(descriptor_, 0, SEEK_END) < 0) return failed(detail::system_message(errno));
    return write(bytes);
  }

  /// Syncs and renames; before it nothing is visible under the target's name.
  result<> commit() {
    if (!direct_ && ::fsync(descriptor_) != 0) return failed(detail::system_message(errno));
    if (::close(std::exchange(descriptor_, -1)) != 0) return failed(detail::system_message(errno));
    if (!direct_ && ::rename(temporary_.c_str(), target_.c_str()) != 0) return failed(detail::system_message(errno));
    temporary_.clear();
    unmask::detail::forget_temporary(std::exchange(slot_, -1));
    if (!direct_) sync_folder();
    return {};
  }

 private:
  atomic_file() = default;

  unmask::error failed(const std::string& why) const {
    return unmask::error(errc::not_writable, name_ + ": cannot be written (" + why + ")");
  }

  /// The rename itself survives a power cut only once the folder is on the disk; best effort, some file systems refuse.
  void sync_folder() const {
    const std::size_t slash = target_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : target_.substr(0, slash + 1);
    const int d = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d < 0) return;
    ::fsync(d);
    ::close(d);
  }

  void swap(atomic_file& other) noexcept {
    std::swap(name_, other.name_);
    std::swap(target_, other.target_);
    std::swap(temporary_, other.temporary_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(slot_, other.slot_);
    std::swap(direct_, other.direct_);
  }

  std::string name_, target_, temporary_;
  int descriptor_ = -1;
  int slot_ = -1;  ///< in the list of temporary files
  bool direct_ = false;
};

/// Writes a whole file atomically.
inline result<> write_file(const std::string& path, std::span<const std::byte> bytes) {
  auto file = atomic_file::create(path);
  if (!file) return file.error();
  if (auto done = file->write(bytes); !done) return done;
  return file->commit();
}

/// The same for text.
inline result<> write_file(const std::string& path, std::string_view text) {
  return write_file(path, std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace unmask::inline UNMASK_ABI::io
