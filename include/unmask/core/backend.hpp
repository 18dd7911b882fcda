#pragma once

/// Backends are values, passed first: `ref{}`, `cpu{.threads = 4}`. An operation is a tag in `op`, its kernel a class
/// specialisation `kernel<op::x, backend>`; `cpu` falls back to `ref` where no tuned twin was declared.

#include <cstddef>

#include "config.hpp"

namespace unmask::inline UNMASK_ABI {

/// Plain loops over any floating type: the specification, and the fallback.
struct ref {
  static constexpr int threads = 1;
};

/// Vectorised kernels on `threads` threads; the bits of a result do not depend on their number.
struct cpu {
  int threads = 1;
};

/// Backends whose threads of the host work on the host's memory: what has plain loops is for them only.
template <class Backend>
concept host_backend = requires(const Backend& be) {
  be.threads;
};

/// Backends that work on a whole batch in one call: what is a loop over tiles or windows on a host's threads is one
/// pass over all of them. What one operation of such a pass wrote is there for the next pass too.
template <class Backend>
inline constexpr bool at_once = !host_backend<Backend>;

template <class Op, class Backend>
struct kernel;

/// Base of kernels that need no memory besides their arguments. Every kernel has `scratch(backend, sizes...)`: the
/// numbers of memory that one call may use, at most.
struct no_scratch {
  template <class... Sizes>
  static constexpr std::ptrdiff_t scratch(const Sizes&...) {
    return 0;
  }
};

template <class Op>
struct kernel<Op, cpu> : kernel<Op, ref> {};

}  // namespace unmask::inline UNMASK_ABI
