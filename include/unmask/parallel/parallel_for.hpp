#pragma once

/// Threads behind two functions: the only place that names OpenMP. Loops own their outputs (no atomics), and reductions
/// go through a fixed number of chunks that does not depend on the thread count, so the bits of a result don't either.

#include <algorithm>

#include "../core/backend.hpp"
#include "../core/view.hpp"

#if UNMASK_HAS_OPENMP
#include <omp.h>
#endif

namespace unmask::inline UNMASK_ABI {

/// Chunks of a reduction: enough for as many threads, few enough that their partial sums are cheap to add.
inline constexpr index_t max_chunks = 16;

inline index_t chunk_count(index_t n) { return std::clamp<index_t>(n, 1, max_chunks); }
inline index_t chunk_begin(index_t chunk, index_t chunks, index_t n) { return chunk * n / chunks; }

/// Threads a plan can have scratch for.
inline constexpr int max_threads = 64;

/// How many threads a loop of `n` items may use: the number of thread slots a kernel needs scratch for.
template <class Backend>
int thread_slots(const Backend& backend) {
#if UNMASK_HAS_OPENMP
  return std::clamp(backend.threads, 1, max_threads);
#else
  (void)backend;
  return 1;
#endif
}

namespace detail {

/// One machine code for an item of a loop, serial or parallel, or the bits of a result would depend on the thread count
/// after all.
template <class Body>
UNMASK_ONE_CODE void loop_item(Body& body, index_t i, int slot) {
  body(i, slot);
}

}  // namespace detail

/// body(i, slot) for i in [0, n); `slot` < thread_slots(backend) names the scratch this call may use.
template <class Backend, class Body>
void parallel_for(const Backend& backend, index_t n, Body&& body) {
  static_assert(host_backend<Backend>, "a device needs an overload of its own");
#if UNMASK_HAS_OPENMP
  if (thread_slots(backend) > 1 && n > 1 && !omp_in_parallel()) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(thread_slots(backend))
    for (index_t i = 0; i < n; ++i) detail::loop_item(body, i, omp_get_thread_num());
    return;
  }
#else
  (void)backend;
#endif
  for (index_t i = 0; i < n; ++i) detail::loop_item(body, i, 0);
}

/// body(chunk, begin, end, slot) over at most `max_chunks` fixed slices of [0, n).
template <class Backend, class Body>
void parallel_chunks(const Backend& backend, index_t n, Body&& body) {
  const index_t chunks = chunk_count(n);
  parallel_for(backend, chunks,
               [&](index_t c, int slot) { body(c, chunk_begin(c, chunks, n), chunk_begin(c + 1, chunks, n), slot); });
}

/// The same backend for work inside one item of a parallel loop.
inline ref serial(ref be) { return be; }
inline cpu serial(cpu) { return {.threads = 1}; }

/// Tokens a thread works on at once: 64 x 60 floats are 15 KB, so a tile's intermediates stay in L1 and L2.
inline constexpr index_t tile_tokens = 64;

/// Rows that scratch of `parallel_tiles` over n tokens has room for.
template <class Backend>
constexpr index_t tile_rows(const Backend&, index_t n) {
  return at_once<Backend> ? n : tile_tokens;
}

/// body(chunk, begin, count, slot) over tiles of [0, n), cut into at most `limit` fixed chunks; on a device one tile.
template <class Backend, class Body>
void parallel_tiles(const Backend& backend, index_t n, index_t limit, Body&& body) {
  if constexpr (at_once<Backend>) {
    body(index_t{0}, index_t{0}, n, 0);
  } else {
    const index_t tiles = (n + tile_tokens - 1) / tile_tokens, chunks = std::min(limit, tiles);
    parallel_for(backend, chunks, [&](index_t c, int slot) {
      const index_t end = std::min(n, chunk_begin(c + 1, chunks, tiles) * tile_tokens);
      for (index_t t = chunk_begin(c, chunks, tiles) * tile_tokens; t < end; t += tile_tokens)
        body(c, t, std::min(tile_tokens, end - t), slot);
    });
  }
}

}  // namespace unmask::inline UNMASK_ABI
