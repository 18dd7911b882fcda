#pragma once

/// Partial sums of gradients: parts of a batch that work side by side have a copy each, and the copies are added in
/// order, so that the bits do not depend on threads.

#include "../parallel/parallel_for.hpp"

namespace unmask::inline UNMASK_ABI {

/// Copies of a gradient: chunk c of a fixed number of slices writes at first + c * stride.
template <class T>
struct chunk_buffers {
  T* first;
  index_t stride;
  index_t limit;  ///< at most this many chunks
};

/// Adds the chunks' `size` numbers to `sum`, in order.
template <class Backend, class T>
void reduce_partials(const Backend& be, T* sum, chunk_buffers<const std::type_identity_t<T>> parts, index_t size) {
  constexpr index_t slice = 4096;
  parallel_for(be, (size + slice - 1) / slice, [=](index_t s, int) {
    const index_t end = std::min(size, (s + 1) * slice);
    for (index_t c = 0; c < parts.limit; ++c)
      for (index_t i = s * slice; i < end; ++i) sum[i] += parts.first[c * parts.stride + i];
  });
}

}  // namespace unmask::inline UNMASK_ABI
