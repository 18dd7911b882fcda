#pragma once

/// The system calls that a process needs to read files and answer through a pipe, and no others (Linux, x86-64 and
/// arm64). Elsewhere nothing is filtered: limits of time, memory and files remain.

#include "../core/config.hpp"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#define UNMASK_HAS_FILTER 1
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>
#else
#define UNMASK_HAS_FILTER 0
#endif

namespace unmask::inline UNMASK_ABI::io::detail {

#if UNMASK_HAS_FILTER

/// After this every other call fails with EPERM; files can be opened for reading only. Returns whether it is in force.
/// A pipe has both its ends here and reaches nobody: the undefined-behaviour sanitizer makes one to ask whether an
/// address can be read, and without it calls every virtual function of the child a fault.
inline bool filter_system_calls() {
#if defined(__x86_64__)
  constexpr unsigned machine = AUDIT_ARCH_X86_64;
#else
  constexpr unsigned machine = AUDIT_ARCH_AARCH64;
#endif
  constexpr std::array allowed {
    __NR_read, __NR_write, __NR_pread64, __NR_readv, __NR_lseek, __NR_close, __NR_fstat, __NR_fcntl, __NR_flock,
        __NR_mmap, __NR_munmap, __NR_mremap, __NR_mprotect, __NR_madvise, __NR_brk, __NR_futex, __NR_exit,
        __NR_exit_group, __NR_clock_gettime, __NR_getpid, __NR_gettid, __NR_gettimeofday, __NR_getrandom,
        __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_tgkill, __NR_rt_sigreturn, __NR_newfstatat, __NR_readlinkat,
        __NR_faccessat, __NR_geteuid, __NR_getuid, __NR_sysinfo, __NR_getcwd, __NR_statx, __NR_sigaltstack,
        __NR_sched_yield, __NR_pipe2, __NR_getdents64,
#if defined(__x86_64__)
        __NR_stat, __NR_lstat, __NR_readlink, __NR_access, __NR_pipe
#endif
  };
  const auto jump = [](unsigned value, std::size_t yes, std::size_t no) {
    return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned char>(yes), static_cast<unsigned char>(no),
                       value};
  };
  const auto load = [](std::size_t at) {
    return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<unsigned>(at)};
  };
  const auto give = [](unsigned what) { return sock_filter{BPF_RET | BPF_K, 0, 0, what}; };
  constexpr unsigned deny = SECCOMP_RET_ERRNO | EPERM;
  std::vector<sock_filter> program{load(offsetof(seccomp_data, arch)), jump(machine, 1, 0),
                                   give(SECCOMP_RET_KILL_PROCESS), load(offsetof(seccomp_data, nr))};
  for (const auto call : allowed) {
    program.push_back(jump(static_cast<unsigned>(call), 0, 1));
    program.push_back(give(SECCOMP_RET_ALLOW));
  }
  // openat(folder, path, flags, mode): only where nothing is written, made or cut off.
  program.push_back(jump(__NR_openat, 0, 4));
  program.push_back(load(offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t)));
  program.push_back({BPF_ALU | BPF_AND | BPF_K, 0, 0, O_ACCMODE | O_CREAT | O_TRUNC});
  program.push_back(jump(O_RDONLY, 0, 1));
  program.push_back(give(SECCOMP_RET_ALLOW));
  program.push_back(give(deny));
  const sock_fprog all{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) == 0;
}

#else

inline bool filter_system_calls() { return false; }

#endif

}  // namespace unmask::inline UNMASK_ABI::io::detail
