#pragma once

/// A file's bytes, mapped read-only (POSIX): what is not read takes no memory, and several processes share what is.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "verdict.hpp"

namespace unmask::inline UNMASK_ABI::weights {

class mapped_file {
 public:
  mapped_file() = default;
  mapped_file(mapped_file&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  mapped_file& operator=(mapped_file&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~mapped_file() { close(); }

  /// Errors: no such file, one that is not a regular file, is empty, or cannot be mapped. Whoever changes the file
  /// while it is mapped changes these bytes: `load` reads each of them once more than it checks, so map what only the
  /// product writes.
  verdict open(const char* path) {
    close();
    const int file = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not wait for a writer
    if (file < 0)
      return verdict::refuse(errno == ENOENT ? errc::not_found : errc::unreadable,
                             "%.120s: cannot be opened (error %d)", path, errno);
    struct ::stat there {};
    verdict found;
    if (::fstat(file, &there) != 0 || !S_ISREG(there.st_mode)) {
      found = verdict::refuse(errc::unreadable, "%.120s: not a regular file", path);
    } else if (there.st_size <= 0 || static_cast<unsigned long long>(there.st_size) > PTRDIFF_MAX) {
      found = verdict::refuse(errc::unreadable, "%.120s: empty, or larger than memory can be", path);
    } else {
      const auto size = static_cast<std::size_t>(there.st_size);
      void* const at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
      if (at == MAP_FAILED)
        found = verdict::refuse(errc::unreadable, "%.120s: cannot be mapped (error %d)", path, errno);
      else
        bytes_ = {static_cast<const std::byte*>(at), size};
    }
    ::close(file);
    return found;
  }

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  void close() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    bytes_ = {};
  }

  std::span<const std::byte> bytes_{};
};

}  // namespace unmask::inline UNMASK_ABI::weights
