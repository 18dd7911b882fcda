#pragma once

/// The temporary files of this process, so that a signal leaves none behind, on whichever thread it arrives. The list
/// has a fixed size and no locks: a signal handler may read it at any moment.

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <string>

#include "config.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// A stage of its own while a file is being made: a handler on another thread waits until it is there, or it would be
/// made after it was removed.
struct temporary_slot {
  static constexpr int empty = 0, filling = 1, making = 2, made = 3;
  std::atomic<int> state{empty};
  pid_t owner = 0;                          ///< a forked child must not remove its parent's file
  std::atomic<const void*> maker{nullptr};  ///< the thread that makes it
  std::array<char, 4096> path{};
};

inline std::array<temporary_slot, 64>& temporary_slots() {
  static std::array<temporary_slot, 64> slots;
  return slots;
}

/// Set by a handler that ends the program.
inline std::atomic<bool>& program_ends() {
  static std::atomic<bool> ends{false};
  return ends;
}

/// An address that no other thread has.
inline const void* this_thread() {
  static thread_local char here = 0;
  return &here;
}

inline void wait_a_moment() {
  const timespec moment{0, 1000000};
  ::nanosleep(&moment, nullptr);
}

/// Before the file is there. -1 where the list is full or the path too long: the file is then no worse off than without
/// this list. While the program ends nothing is made any more: this waits for the end.
inline int remember_temporary(const std::string& path) noexcept {
  auto& slots = temporary_slots();
  for (std::size_t i = 0; i < slots.size() && path.size() < slots[i].path.size(); ++i) {
    temporary_slot& slot = slots[i];
    int expected = temporary_slot::empty;
    if (!slot.state.compare_exchange_strong(expected, temporary_slot::filling)) continue;
    std::memcpy(slot.path.data(), path.c_str(), path.size() + 1);
    slot.owner = ::getpid();
    slot.maker.store(this_thread());
    slot.state.store(temporary_slot::making);
    if (program_ends().load()) {
      slot.state.store(temporary_slot::made);  // who waits for it goes on; it is not there
      for (;;) wait_a_moment();
    }
    return static_cast<int>(i);
  }
  return -1;
}

/// After the file was made.
inline void temporary_is_there(int slot) noexcept {
  if (slot >= 0) temporary_slots()[static_cast<std::size_t>(slot)].state.store(temporary_slot::made);
}

inline void forget_temporary(int slot) noexcept {
  if (slot >= 0) temporary_slots()[static_cast<std::size_t>(slot)].state.store(temporary_slot::empty);
}

}  // namespace detail

/// Removes every temporary file that is being written. Safe in a signal handler. Files that another thread is making
/// are waited for, a second at most.
inline void remove_temporaries() noexcept {
  int patience = 1000;
  for (auto& slot : detail::temporary_slots()) {
    const auto in_the_making = [&] {
      const int state = slot.state.load();
      return (state == detail::temporary_slot::making && slot.maker.load() != detail::this_thread()) ||
             state == detail::temporary_slot::filling;
    };
    while (in_the_making() && patience-- > 0) detail::wait_a_moment();
    if (slot.state.load() >= detail::temporary_slot::making && slot.owner == ::getpid()) ::unlink(slot.path.data());
  }
}

/// A signal handler: removes the temporary files, then lets the signal end the program as it would have.
inline void end_without_temporaries(int signal) {
  detail::program_ends().store(true);
  remove_temporaries();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  sigset_t now;
  ::sigemptyset(&now);
  ::sigaddset(&now, signal);
  ::sigprocmask(SIG_UNBLOCK, &now, nullptr);  // here it ends, but for the first process of a container
  ::_exit(128 + signal);
}

/// Installs it for SIGINT, SIGTERM and SIGHUP where nobody else handles or ignores them. For programs; a library does
/// not change its host's signals.
inline void remove_temporaries_on_signals() {
  detail::temporary_slots();  // made before a handler may ask for them
  detail::program_ends();
  detail::this_thread();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) continue;
    now.sa_handler = &end_without_temporaries;
    ::sigaction(signal, &now, nullptr);
  }
}

}  // namespace unmask::inline UNMASK_ABI
