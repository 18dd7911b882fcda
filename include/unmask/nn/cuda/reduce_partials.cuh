#pragma once

/// Adds partial sums, always in the same order: lanes are numbers, the warps of a block take turns on the chunks, so
/// that a sum of a thousand chunks is a chain of a hundred loads.

#include <concepts>

#include "../../cuda/launch.cuh"
#include "../partial_sums.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class T>
struct reduce_body {
  static constexpr int threads = 256, warps = threads / warp_size;
  T* sum;                        ///< [sets, size], `step` apart
  chunk_buffers<const T> parts;  ///< of the first set; those of a set follow one another
  index_t size, step;
  bool add;  ///< to what sum holds

  index_t blocks_of_set() const { return blocks_for(size, warp_size); }
  static constexpr std::size_t shared() { return shared_bytes<T>(threads); }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t groups = (size + warp_size - 1) / warp_size, set = t.block() / groups;
    const index_t i = t.block() % groups * warp_size + t.lane();
    T* const sums = t.template shared<T>(threads);
    const T* const from = parts.first + set * parts.limit * parts.stride + i;
    T s = 0;
    if (i < size)
      for (index_t c = t.warp(); c < parts.limit; c += warps) s += from[c * parts.stride];
    sums[t.thread()] = s;
    t.sync();
    if (t.warp() > 0 || i >= size) return;
    for (int w = 1; w < warps; ++w) s += sums[w * warp_size + t.lane()];
    T& to = sum[set * step + i];
    to = add ? to + s : s;
  }
};

template <class T>
struct reduce_each {
  T* sum;
  chunk_buffers<const T> parts;
  UNMASK_DEVICE void operator()(index_t i) const {
    T s = 0;
    for (index_t c = 0; c < parts.limit; ++c) s += parts.first[c * parts.stride + i];
    sum[i] += s;
  }
};

}  // namespace detail

/// sum [size] += the sum of the parts.
template <std::same_as<cuda> Backend, class T>
void reduce_partials(const Backend& be, T* sum, chunk_buffers<const std::type_identity_t<T>> parts, index_t size) {
  if (parts.limit <= 16) return launch_each(be, size, detail::reduce_each<T>{sum, parts});
  const detail::reduce_body<T> body{sum, parts, size, size, true};
  launch(be, body.blocks_of_set(), body.shared(), body);
}

/// The first chunk of each set of partials [sets, chunks, size] becomes the sum of the set's chunks.
template <class T>
void gather_chunks(const cuda& be, T* partials, index_t sets, index_t chunks, index_t size) {
  if (chunks < 2) return;
  const detail::reduce_body<T> body{partials, {partials, size, chunks}, size, chunks * size, false};
  launch(be, sets * body.blocks_of_set(), body.shared(), body);
}

}  // namespace unmask::inline UNMASK_ABI
