#pragma once

/// What every fuzz target needs: the bytes as a file that has a path, and a name for what must never happen.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace fuzz {

/// A file in memory. One file serves all inputs of a target: making one anew took longer than reading most inputs.
class bytes_as_file {
 public:
  bytes_as_file(const std::uint8_t* data, std::size_t size) {
    if (::ftruncate(descriptor(), 0) != 0) std::abort();
    for (std::size_t at = 0; at < size;) {
      const ssize_t n = ::pwrite(descriptor(), data + at, size - at, static_cast<off_t>(at));
      if (n <= 0) std::abort();
      at += static_cast<std::size_t>(n);
    }
  }
  bytes_as_file(const bytes_as_file&) = delete;
  bytes_as_file& operator=(const bytes_as_file&) = delete;

  const std::string& path() const {
    static const std::string name = "/proc/self/fd/" + std::to_string(descriptor());
    return name;
  }

 private:
  static int descriptor() {
    static const int opened = ::memfd_create("fuzz", 0);
    return opened;
  }
};

/// Ends the run as a finding: not a crash of a reader, but a result that breaks a promise.
inline void expect(bool fine, const char* promise) {
  if (fine) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

/// A refusal is one line of a sensible length.
template <class Result>
void expect_message(const Result& r) {
  if (r) return;
  const std::string& text = r.error().message();
  expect(!text.empty() && text.size() < 4000 && text.find('\n') == std::string::npos, "one line names what is wrong");
}

}  // namespace fuzz
