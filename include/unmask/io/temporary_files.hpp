#pragma once

/// The temporary files of this process, so that a signal leaves none behind. The list has a fixed size and no locks: a
/// signal handler may read it at any moment.

#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <string>

#include "../core/config.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

struct temporary_slot {
  static constexpr int empty = 0, filling = 1, used = 2;
  std::atomic<int> state{empty};
  pid_t owner = 0;  ///< a forked child must not remove its parent's file
  std::array<char, 4096> path{};
};

inline std::array<temporary_slot, 64>& temporary_slots() {
  static std::array<temporary_slot, 64> slots;
  return slots;
}

/// -1 where the list is full or the path too long: the file is then no worse off than without this list.
inline int remember_temporary(const std::string& path) noexcept {
  auto& slots = temporary_slots();
  for (std::size_t i = 0; i < slots.size() && path.size() < slots[i].path.size(); ++i) {
    int expected = temporary_slot::empty;
    if (!slots[i].state.compare_exchange_strong(expected, temporary_slot::filling)) continue;
    std::memcpy(slots[i].path.data(), path.c_str(), path.size() + 1);
    slots[i].owner = ::getpid();
    slots[i].state.store(temporary_slot::used);
    return static_cast<int>(i);
  }
  return -1;
}

inline void forget_temporary(int slot) noexcept {
  if (slot >= 0) temporary_slots()[static_cast<std::size_t>(slot)].state.store(temporary_slot::empty);
}

}  // namespace detail

/// Removes every temporary file that is being written. Safe in a signal handler.
inline void remove_temporaries() noexcept {
  for (auto& slot : detail::temporary_slots())
    if (slot.state.load() == detail::temporary_slot::used && slot.owner == ::getpid()) ::unlink(slot.path.data());
}

/// A signal handler: removes the temporary files, then lets the signal end the program as it would have.
inline void end_without_temporaries(int signal) {
  remove_temporaries();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Installs it for SIGINT, SIGTERM and SIGHUP where nobody else handles or ignores them. For programs; a library does
/// not change its host's signals.
inline void remove_temporaries_on_signals() {
  detail::temporary_slots();  // made before a handler may ask for it
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) continue;
    now.sa_handler = &end_without_temporaries;
    ::sigaction(signal, &now, nullptr);
  }
}

}  // namespace unmask::inline UNMASK_ABI::io
