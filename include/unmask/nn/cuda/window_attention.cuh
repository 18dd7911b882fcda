#pragma once

/// Attention of the tokens of a window to each other, on q, k, v that lie in the image as [B, H, W, 3C], q and k with
/// scale and mask embedding: everything of spatial_msa.hpp between its two products, bias and shift mask included.
///   forward   y = softmax(q k' + B + S) v
///   gradient  as in spatial_msa.hpp; with the sum of A dA of each query nothing of size N x N is ever stored: the
///   scores
///             are computed again for queries, keys and the bias table
///   shapes    qkv, dqkv [B, H, W, 3C]; y, dy [B, H, W, C]; table [(2M-1)^2, NH]; dtable [B windows, (2M-1)^2, NH], a
///             part a window
/// A block is one head of one window, a thread a query (then a key, then an entry of the table): sums have one order.

#include "../../cuda/launch.cuh"
#include "../window_attention.hpp"
#include "reduce_partials.cuh"
#include "window_head.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class T, int Width>
struct window_attention_forward_body {
  static constexpr int threads = 64;  // tokens of the real window
  T* y;
  window_attention<T> a;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    using head = window_head<T, Width>;
    const head h(t, a);
    for (int query = t.thread(); query < a.sets.tokens(); query += threads)
      for (int first = 0; first < h.width(); first += head::step) {
        const auto r = h.attend(query, first);
        T* to = y + h.at(query) + first;
        for (int j = 0; j < head::step; ++j)
          if (Width > 0 || first + j < h.width()) to[j] = r.y[j] / r.sum;
      }
  }
};

template <class T, int Width>
struct window_attention_backward_body {
  static constexpr int threads = 64;
  T *y, *dqkv, *dtable;
  const T* dy;
  window_attention<T> a;

  std::size_t shared() const { return a.shared() + 3 * shared_bytes<T>(a.sets.rows * a.sets.cols); }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const int n = a.sets.tokens();
    const window_head<T, Width> h(t, a);
    T* const top = t.template shared<T>(n);  // of the scores of a query
    T* const inverse = t.template shared<T>(n);
    T* const dot = t.template shared<T>(n);  // sum over keys of A dA
    for (int query = t.thread(); query < n; query += threads) result(h, query, top, inverse, dot);
    t.sync();
    for (int query = t.thread(); query < n; query += threads) query_gradient(h, query, top, inverse, dot);
    for (int key = t.thread(); key < n; key += threads) key_gradient(h, key, top, inverse, dot);
    for (int entry = t.thread(); entry < a.span() * a.span(); entry += threads)
      dtable[(index_t(h.window()) * a.span() * a.span() + entry) * a.heads + h.head()] =
          entry_gradient(h, entry, top, inverse, dot);
  }

 private:
  using head = window_head<T, Width>;
  using row = token_row<T, Width>;

  UNMASK_DEVICE void result(const head& h, int query, T* top, T* inverse, T* dot) const {
    const row g(dy + h.at(query), h.width());
    for (int first = 0; first < h.width(); first += head::step) {
      const auto r = h.attend(query, first, &g);
      top[query] = r.top;
      inverse[query] = 1 / r.sum;
      dot[query] = r.dot / r.sum;
      T* const to = y + h.at(query) + first;
      for (int j = 0; j < head::step; ++j)
        if (Width > 0 || first + j < h.width()) to[j] = r.y[j] / r.sum;
    }
  }

  UNMASK_DEVICE void query_gradient(const head& h, int query, const T* top, const T* inverse, const T* dot) const {
    const int d = h.width();
    const row q(h.q(query), d), g(dy + h.at(query), d);
    for (int first = 0; first < d; first += head::step) {
      T sum[head::step] = {};
      for (int key = 0; key < a.sets.tokens(); ++key) {
        const T* k = h.k(key);
        const T weight = std::exp(q.dot(k, d) + h.bias(query, key) - top[query]) * inverse[query];
        const T ds = weight * (g.dot(h.v(key), d) - dot[query]);
        for (int j = 0; j < head::step; ++j)
          if (Width > 0 || first + j < d) sum[j] += ds * k[first + j];
      }
      T* to = dqkv + h.at(query, 0) + first;
      for (int j = 0; j < head::step; ++j)
        if (Width > 0 || first + j < d) to[j] = sum[j];
    }
  }

  UNMASK_DEVICE void key_gradient(const head& h, int key, const T* top, const T* inverse, const T* dot) const {
    const int d = h.width();
    const row k(h.k(key), d), v(h.v(key), d);
    for (int first = 0; first < d; first += head::step) {
      T dk[head::step] = {}, dv[head::step] = {};
      for (int query = 0; query < a.sets.tokens(); ++query) {
        const T *q = h.q(query), *g = dy + h.at(query);
        const T weight = std::exp(k.dot(q, d) + h.bias(query, key) - top[query]) * inverse[query];
        const T ds = weight * (v.dot(g, d) - dot[query]);
        for (int j = 0; j < head::step; ++j)
          if (Width > 0 || first + j < d) {
            dk[j] += ds * q[first + j];
            dv[j] += weight * g[first + j];
          }
      }
      T *to_k = dqkv + h.at(key, 1) + first, *to_v = dqkv + h.at(key, 2) + first;
      for (int j = 0; j < head::step; ++j)
        if (Width > 0 || first + j < d) {
          to_k[j] = dk[j];
          to_v[j] = dv[j];
        }
    }
  }

  /// The sum over the pairs of query and key that an entry of the table joins.
  UNMASK_DEVICE T entry_gradient(const head& h, int entry, const T* top, const T* inverse, const T* dot) const {
    const int side = a.sets.rows, d = h.width(), down = entry / a.span() - (side - 1),
              right = entry % a.span() - (side - 1);
    T sum = 0;
    for (int r = down > 0 ? down : 0; r < side && r - down < side; ++r)
      for (int c = right > 0 ? right : 0; c < side && c - right < side; ++c) {
        const int query = r * side + c, key = (r - down) * side + c - right;
        const row q(h.q(query), d), g(dy + h.at(query), d);
        const T weight = std::exp(q.dot(h.k(key), d) + h.bias(query, key) - top[query]) * inverse[query];
        sum += weight * (g.dot(h.v(key), d) - dot[query]);
      }
    return sum;
  }
};

/// Calls body(head width as a constant): 10 channels a head in every network that was published, registers for it.
template <class Body>
void with_head_width(index_t width, Body&& body) {
  if (width == 10)
    body(std::integral_constant<int, 10>{});
  else
    body(std::integral_constant<int, 0>{});
}

}  // namespace detail

template <>
struct kernel<op::window_attention, cuda> {
  /// In training: the table's gradient, a part a window.
  static index_t scratch(const cuda&, const spatial_msa& l, const batch_grid& s, bool training) {
    return training ? s.batch * s.grid.windows() * table(l) : 0;
  }
  static constexpr index_t prepared(const spatial_msa&) { return 0; }
  template <class T>
  static void prepare(const cuda&, T*, const T*, const spatial_msa&) {}

  template <class T>
  static void forward(const cuda& be, T* y, const window_inputs<T>& in, const spatial_msa& l, const token_part& part,
                      T* /*scratch*/) {
    const detail::window_attention<T> a = inputs(in, l, part);
    detail::with_head_width(l.width(), [&](auto width) {
      launch(be, part.count() * a.heads, a.shared(), detail::window_attention_forward_body<T, width.value>{y, a});
    });
  }

  template <class T>
  static void backward(const cuda& be, const window_gradients<T>& to, const T* dy, const window_inputs<T>& in,
                       const spatial_msa& l, const token_part& part, T* scratch) {
    const detail::window_attention<T> a = inputs(in, l, part);
    detail::with_head_width(l.width(), [&](auto width) {
      const detail::window_attention_backward_body<T, width.value> body{to.y, to.dqkv, scratch, dy, a};
      launch(be, part.count() * a.heads, body.shared(), body);
    });
    reduce_partials(be, to.dtable, {scratch, table(l), part.count()}, table(l));
  }

 private:
  /// Numbers of the table of position biases.
  static index_t table(const spatial_msa& l) { return (2 * l.side - 1) * (2 * l.side - 1) * l.heads; }
  template <class T>
  static detail::window_attention<T> inputs(const window_inputs<T>& in, const spatial_msa& l, const token_part& part) {
    return {in.qkv, in.table, part.sets(), static_cast<int>(l.channels), static_cast<int>(l.heads)};
  }
};

}  // namespace unmask::inline UNMASK_ABI
