#pragma once

/// Memory that is planned once. Every layer has one `carve(arena&)`; it runs twice: on a measuring arena that only
/// counts and on the real block, so sizes and pointers cannot disagree, and the peak is known before anything runs.

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "view.hpp"

namespace unmask::inline UNMASK_ABI {

/// A cache line, and the widest vector register of any supported instruction set.
inline constexpr std::size_t alignment = 64;

namespace detail {
constexpr std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }
}  // namespace detail

class arena {
 public:
  /// Counts only: every pointer it hands out is null.
  arena() = default;
  arena(std::byte* memory, std::size_t bytes) : memory_(memory), capacity_(bytes) {}

  template <class T>
  T* take(index_t count) {
    return reinterpret_cast<T*>(take_bytes(static_cast<std::size_t>(count) * sizeof(T)));
  }

  /// Scratch is a stack: remember the level, take, and go back to the level when the scratch is dead.
  std::size_t level() const { return used_; }
  void release(std::size_t level) { used_ = level; }

  /// The most bytes that were ever taken at once.
  std::size_t peak() const { return peak_; }
  bool measuring() const { return memory_ == nullptr; }

 private:
  /// Cold, and with it every `carve`: planning runs twice, so it is compiled for size.
  [[gnu::cold, gnu::noinline]] std::byte* take_bytes(std::size_t bytes) {
    const std::size_t at = used_;
    used_ += detail::round_up(bytes, alignment);
    if (used_ > peak_) peak_ = used_;
    if (!memory_) return nullptr;
    assert(used_ <= capacity_);
    return memory_ + at;
  }

  std::byte* memory_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

/// One aligned, zeroed, movable heap block: the only allocation of a session or a trainer's plan.
class memory_block {
 public:
  memory_block() = default;
  explicit memory_block(std::size_t bytes)
      : bytes_(detail::round_up(bytes, alignment)),
        data_(static_cast<std::byte*>(::operator new (bytes_ ? bytes_ : alignment, std::align_val_t{alignment}))) {
    ask_for_large_pages();
    std::memset(data_.get(), 0, bytes_);
  }
  std::byte* data() const { return data_.get(); }
  std::size_t bytes() const { return bytes_; }

 private:
  /// Whoever goes through tens of megabytes again and again waits for the table of 4 KB pages (a fifth of spectral TV's
  /// time). Only where the system has them and leaves the choice to programs.
  void ask_for_large_pages() {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr std::size_t page = 4096, large = std::size_t(8) << 20;
    const auto at = reinterpret_cast<std::uintptr_t>(data_.get()), first = detail::round_up(at, page);
    if (bytes_ >= large)
      (void)madvise(reinterpret_cast<void*>(first), (at + bytes_ - first) / page * page, MADV_HUGEPAGE);
#endif
  }

  struct release {
    void operator()(std::byte* p) const { ::operator delete (p, std::align_val_t{alignment}); }
  };
  std::size_t bytes_ = 0;
  std::unique_ptr<std::byte, release> data_;
};

}  // namespace unmask::inline UNMASK_ABI
