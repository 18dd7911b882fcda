#pragma once

/// Work on a file that may have been built to harm, in a child process with limits: what crashes, hangs or takes all
/// memory there is an error here. The child gets no new rights, can open files for reading only, and (on Linux) can
/// neither start programs nor reach the network.

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "child_filter.hpp"
#include "input_file.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// What a child process may take.
struct child_limits {
  double seconds = 60;                                 ///< on the clock
  std::uint64_t memory = std::uint64_t{4} << 30;       ///< bytes of addresses beyond what the program has already
  std::uint64_t most_result = std::uint64_t{1} << 36;  ///< bytes that may come back
};

namespace detail {

/// Pages of addresses that this process has, as Linux counts them; 0 where that is unknown.
inline std::uint64_t addresses_in_use() {
  std::uint64_t pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    unsigned long long first = 0;
    if (std::fscanf(file, "%llu", &first) == 1) pages = first;
    std::fclose(file);
  }
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

inline void limit(int what, std::uint64_t value) {
  struct rlimit now {};
  if (::getrlimit(static_cast<__rlimit_resource_t>(what), &now) != 0) return;
  now.rlim_cur = static_cast<rlim_t>((std::min)(value, static_cast<std::uint64_t>(now.rlim_max)));
  now.rlim_max = now.rlim_cur;
  ::setrlimit(static_cast<__rlimit_resource_t>(what), &now);
}

inline void confine(const child_limits& limits) {
  limit(RLIMIT_AS, addresses_in_use() + limits.memory);
  limit(RLIMIT_CPU, static_cast<std::uint64_t>(limits.seconds) + 1);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_NOFILE, 64);
  filter_system_calls();
}

inline bool write_all(int to, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(to, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

/// Everything until the other end closes; nothing where time or size run out.
inline std::optional<std::vector<std::byte>> read_all(int from, const child_limits& limits) {
  using clock = std::chrono::steady_clock;
  const auto end =
      clock::now() + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(limits.seconds));
  std::vector<std::byte> bytes;
  std::array<std::byte, 65536> block;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - clock::now()).count();
    struct pollfd waiting {
      from, POLLIN, 0
    };
    const int ready = left > 0 ? ::poll(&waiting, 1, static_cast<int>((std::min<long long>)(left, 1 << 30))) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    const ssize_t n = ::read(from, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 || bytes.size() + static_cast<std::size_t>(n) > limits.most_result) return std::nullopt;
    if (n == 0) return bytes;
    bytes.insert(bytes.end(), block.data(), block.data() + n);
  }
}

inline std::string how_it_ended(int status) {
  if (!WIFSIGNALED(status)) return "ended with code " + std::to_string(WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  return signal == SIGKILL || signal == SIGXCPU ? "took more time or memory than it may"
                                                : "crashed on it (signal " + std::to_string(signal) + ")";
}

}  // namespace detail

/// Runs `work`, which returns `result<std::vector<std::byte>>`, in a child process and hands on what it returned.
/// `name` is what an error message calls the file. Call it from a program whose other threads hold no locks that `work`
/// needs; none of the readers here needs any.
template <class Work>
result<std::vector<std::byte>> run_in_child(const std::string& name, const child_limits& limits, Work&& work) {
  const auto failed = [&](errc code, const std::string& what) {
    return error(code, detail::printable(name, 1000) + ": " + what);
  };
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return failed(errc::unreadable, "no pipe to a child process");
  const pid_t child = ::fork();
  if (child < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    return failed(errc::unreadable, "no child process to read it in");
  }
  if (child == 0) {
    // The host's handlers are not for a child, and a limit of files is an error of write.
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL})
      std::signal(signal, SIG_DFL);
    std::signal(SIGXFSZ, SIG_IGN);
    ::close(ends[0]);
    detail::confine(limits);
    const result<std::vector<std::byte>> done = work();
    const auto code = done ? std::byte{255} : static_cast<std::byte>(done.error().code());
    bool sent = detail::write_all(ends[1], std::span(&code, 1));
    if (done)
      sent = sent && detail::write_all(ends[1], *done);
    else
      sent = sent && detail::write_all(ends[1], std::as_bytes(std::span(done.error().message())));
    ::_exit(sent ? 0 : 3);
  }
  ::close(ends[1]);
  auto bytes = detail::read_all(ends[0], limits);
  ::close(ends[0]);
  if (!bytes) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!bytes) return failed(errc::unreadable, "reading it took longer or gave more than it may, it was stopped");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || bytes->empty())
    return failed(errc::unreadable, "the process that read it " + detail::how_it_ended(status));
  const auto code = static_cast<int>((*bytes)[0]);
  bytes->erase(bytes->begin());
  if (code == 255) return std::move(*bytes);
  if (code > static_cast<int>(errc::not_finite)) return failed(errc::unreadable, "the process that read it sent nonsense");
  return error(static_cast<errc>(code),
               detail::printable({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, 4000));
}

}  // namespace unmask::inline UNMASK_ABI::io
