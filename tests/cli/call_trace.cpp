/// A library to be loaded before libc (LD_PRELOAD). UNMASK_TRACE names a file that gets a line for each call that
/// decides what a disk holds after a power cut, in their order over all threads:
///
///   write PATH      bytes were handed over (write, pwrite, fwrite, truncation, opening with O_TRUNC)
///   sync PATH       fsync or fdatasync of a file or folder
///   rename FROM TO  link FROM TO  unlink PATH
///
/// UNMASK_CLOCK makes clocks jump: that of the calendar by up to ten years either way at every call, the one that only
/// goes forward by up to an hour now and then.

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

template <class Function>
Function real(Function, const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}
#define REAL(name)                               \
  static const auto next = real(&::name, #name); \
  const int kept_errno = errno;                  \
  (void)kept_errno

int trace_file() {
  static const int opened = [] {
    const char* path = std::getenv("UNMASK_TRACE");
    const auto open_it = real(&::open, "open");
    return path ? open_it(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
  }();
  return opened;
}

/// One line by one write to a file that is opened for appending: no other thread's line comes between.
void note(const char* what, const char* first, const char* second = "") {
  static const auto write_it = real(&::write, "write");
  if (trace_file() < 0) return;
  const int error = errno;
  char line[3 * PATH_MAX];
  const int n = std::snprintf(line, sizeof line, "%s %s%s%s\n", what, first, *second ? " " : "", second);
  if (n > 0 && static_cast<std::size_t>(n) < sizeof line)
    (void)!write_it(trace_file(), line, static_cast<std::size_t>(n));
  errno = error;
}

/// Regular files and folders have a path that starts with a slash; pipes and sockets have not.
void note(const char* what, int descriptor) {
  if (trace_file() < 0 || descriptor == trace_file()) return;
  char link[64], path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t n = ::readlink(link, path, sizeof path - 1);
  if (n <= 0 || path[0] != '/') return;
  path[n] = '\0';
  if (std::strncmp(path, "/dev/", 5) != 0 && std::strncmp(path, "/proc/", 6) != 0) note(what, path);
}

/// An absolute path, so that names of the same file are equal.
void note_pair(const char* what, const char* from, const char* to) {
  char folder[PATH_MAX], a[2 * PATH_MAX], b[2 * PATH_MAX];
  if (!::getcwd(folder, sizeof folder)) return;
  const auto absolute = [&](char* text, std::size_t size, const char* path) {
    if (path[0] == '/')
      std::snprintf(text, size, "%s", path);
    else
      std::snprintf(text, size, "%s/%s", folder, path);
  };
  absolute(a, sizeof a, from);
  absolute(b, sizeof b, to);
  note(what, a, *to ? b : "");
}

std::uint64_t next_random() {
  static std::atomic<std::uint64_t> state{88172645463325252u};
  std::uint64_t x = state.load();
  x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  state.store(x);
  return x;
}

}  // namespace

extern "C" {

ssize_t write(int d, const void* bytes, std::size_t count) {
  REAL(write);
  const ssize_t n = next(d, bytes, count);
  note("write", d);
  return n;
}

ssize_t pwrite(int d, const void* bytes, std::size_t count, off_t at) {
  REAL(pwrite);
  const ssize_t n = next(d, bytes, count, at);
  note("write", d);
  return n;
}

ssize_t pwrite64(int d, const void* bytes, std::size_t count, off64_t at) {
  REAL(pwrite64);
  const ssize_t n = next(d, bytes, count, at);
  note("write", d);
  return n;
}

int ftruncate(int d, off_t size) noexcept {
  REAL(ftruncate);
  const int done = next(d, size);
  note("write", d);
  return done;
}

int ftruncate64(int d, off64_t size) noexcept {
  REAL(ftruncate64);
  const int done = next(d, size);
  note("write", d);
  return done;
}

std::size_t fwrite(const void* bytes, std::size_t size, std::size_t count, std::FILE* file) {
  REAL(fwrite);
  const std::size_t n = next(bytes, size, count, file);
  note("write", ::fileno(file));
  return n;
}

int fsync(int d) {
  REAL(fsync);
  const int done = next(d);
  if (done == 0) note("sync", d);
  return done;
}

int fdatasync(int d) {
  REAL(fdatasync);
  const int done = next(d);
  if (done == 0) note("sync", d);
  return done;
}

int rename(const char* from, const char* to) noexcept {
  REAL(rename);
  const int done = next(from, to);
  if (done == 0) note_pair("rename", from, to);
  return done;
}

int link(const char* from, const char* to) noexcept {
  REAL(link);
  const int done = next(from, to);
  if (done == 0) note_pair("link", from, to);
  return done;
}

int unlink(const char* path) noexcept {
  REAL(unlink);
  const int done = next(path);
  if (done == 0) note_pair("unlink", path, "");
  return done;
}

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  REAL(clock_gettime);
  const int done = next(clock, now);
  static const bool bent = std::getenv("UNMASK_CLOCK") != nullptr;
  if (done != 0 || !bent) return done;
  static std::atomic<std::int64_t> ahead{0};
  if (clock == CLOCK_REALTIME) {
    now->tv_sec += static_cast<std::time_t>(next_random() % 630720000u) - 315360000;
  } else if (clock == CLOCK_MONOTONIC) {
    if (next_random() % 4 == 0) ahead += static_cast<std::int64_t>(next_random() % 3600);
    now->tv_sec += static_cast<std::time_t>(ahead.load());
  }
  return done;
}

std::time_t time(std::time_t* to) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (to) *to = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
