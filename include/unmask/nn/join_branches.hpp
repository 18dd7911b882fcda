#pragma once

/// The branches of a block come together.
///   forward   x1 = x + [a, b] W_r, or x + a + b, or (one branch) x + a
///   gradient  of the first: da, db = d W_r' split in halves, dW_r += [a, b]' d
///   shapes    x1, x, a, b, da, db [N, C]; W_r [2C, C]

#include "../core/memory.hpp"
#include "kept_rows.hpp"
#include "visit.hpp"

namespace unmask::inline UNMASK_ABI {

/// b null: one branch. reduce W_r, or null: a sum.
template <class T>
struct joined_branches {
  const T *x, *a, *b, *reduce;
};

/// Where the gradient goes: da and db overwrite, dreduce accumulates.
template <class T>
struct split_branches {
  T *da, *db, *dreduce;
};

namespace detail {

/// W_r, as `gradient_copies` wants it.
template <class T>
struct reduce_params {
  T* weight;
};
struct reduce_layer {
  index_t channels;
  template <class T>
  using params = reduce_params<T>;
};
template <class Visitor, class T>
void visit_parameters(Visitor& v, const reduce_layer& l, reduce_params<T>& p) {
  v(p.weight, "reduce.weight", {l.channels, 2 * l.channels}, memory_order::reversed, initial::normal);
}

}  // namespace detail

/// Numbers of scratch of `split_gradient`; one half of W_r.
template <class Backend>
index_t reduce_scratch(const Backend& be, const linear_sizes& s) {
  using linear = kernel<op::linear, Backend>;
  return gradient_room(be, detail::reduce_layer{s.in}) + 2 * linear::turned(s.in, s.out) + linear::scratch(be, s);
}

template <class Backend, class T>
void join_branches(const Backend& be, T* x1, const joined_branches<T>& m, row_sizes s) {
  using keep = kernel<op::keep, Backend>;
  const index_t c = s.channels;
  parallel_tiles(be, s.rows, s.rows, [&](index_t, index_t at, index_t count, int) {
    const index_t from = at * c;
    T* const to = x1 + from;
    if (!m.reduce) {
      keep::forward(be, to, m.x + from, m.a + from, kept_rows<T>{nullptr, 1}, row_sizes{count, c});
      if (m.b)
        keep::forward(be, to, static_cast<const T*>(to), m.b + from, kept_rows<T>{nullptr, 1}, row_sizes{count, c});
      return;
    }
    copy(be, to, m.x + from, count * c);
    multiply_add(be, {to, c}, rows_of(m.a + from, c), {m.reduce, c}, {count, c, c});
    multiply_add(be, {to, c}, rows_of(m.b + from, c), {m.reduce + c * c, c}, {count, c, c});
  });
}

/// d is the gradient of x1; `scratch` holds reduce_scratch numbers.
template <class Backend, class T>
void split_gradient(const Backend& be, const split_branches<T>& to, const T* d, const joined_branches<T>& m,
                    row_sizes s, T* scratch) {
  using linear = kernel<op::linear, Backend>;
  const index_t c = s.channels, half = c * c;
  const detail::reduce_layer layer{c};
  const detail::reduce_params<T> own{to.dreduce};
  const auto copies = copies_for(be, layer, own, scratch);
  T *const room = scratch + gradient_room(be, layer), *const work = room + 2 * linear::turned(c, c);
  const T* const turned[] = {linear::turn(be, room, m.reduce, c, c),
                             linear::turn(be, room + linear::turned(c, c), m.reduce + half, c, c)};
  copies.clear(be);
  parallel_tiles(be, s.rows, max_chunks, [&](index_t chunk, index_t at, index_t count, int) {
    T* const g = copies.of(chunk).weight;
    const matrix<const T> from{d + at * c, c};
    const linear_sizes tile{count, c, c};
    for (index_t i = 0; i < 2; ++i)
      linear_backward_parameters<Backend, T>(be, {g + i * half, nullptr}, from, {(i == 0 ? m.a : m.b) + at * c, c},
                                             tile, work);
    for (index_t i = 0; i < 2; ++i)
      linear_backward_input<Backend, T>(be, {(i == 0 ? to.da : to.db) + at * c, c}, from, turned[i], tile);
  });
  copies.add(be);
}

}  // namespace unmask::inline UNMASK_ABI
