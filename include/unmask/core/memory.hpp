#pragma once

/// A backend's numbers may lie where the host cannot read them: everything that is not a kernel but touches them goes
/// through these functions. Backends of the host are here, `cuda` has overloads in cuda/memory.cuh.

#include <algorithm>

#include "arena.hpp"
#include "backend.hpp"
#include "result.hpp"

namespace unmask::inline UNMASK_ABI {

/// The backend that works on the host's memory beside this one.
template <host_backend Backend>
constexpr const Backend& host_of(const Backend& be) {
  return be;
}

/// Where a plan's memory comes from.
template <class Backend>
struct storage {
  static constexpr bool remote = false;  ///< the host reads and writes it
  using block = memory_block;
  static result<block> allocate(const Backend&, std::size_t bytes) { return memory_block(bytes); }
};

template <host_backend Backend, class T>
void fill(const Backend&, T* to, index_t n, std::type_identity_t<T> value) {
  std::fill_n(to, n, value);
}

/// Between two places of the backend's memory that don't overlap.
template <host_backend Backend, class T>
void copy(const Backend&, T* to, const T* from, index_t n) {
  std::copy_n(from, n, to);
}

/// `rows` rows of n numbers, `ldt` and `ldf` apart.
template <host_backend Backend, class T>
void copy_rows(const Backend&, T* to, index_t ldt, const T* from, index_t ldf, index_t rows, index_t n) {
  for (index_t i = 0; i < rows; ++i) std::copy_n(from + i * ldf, n, to + i * ldt);
}

/// From the host, whose memory may be changed at once.
template <host_backend Backend, class T>
void upload(const Backend&, T* to, const T* from, index_t n) {
  if (to != from) std::copy_n(from, n, to);
}

/// To the host, after everything that was asked for before; there when it returns.
template <host_backend Backend, class T>
void download(const Backend&, T* to, const T* from, index_t n) {
  if (to != from) std::copy_n(from, n, to);
}

/// Waits until everything that was asked for is done; the first error since the last call.
template <host_backend Backend>
result<> finish(const Backend&) {
  return {};
}

}  // namespace unmask::inline UNMASK_ABI
