#pragma once

/// Attention of the tokens of a window to each other, head by head: everything of spatial_msa.hpp between its two
/// products. q and k come with scale and mask embedding.
///   forward   A = softmax(q k' + B + S),  y = A v
///   gradient  dv = A' dy,  dA = dy v',  dq = dS k,  dk = dS' q  with dS the softmax gradient of dA;  dB = dS summed
///   shapes    qkv, dqkv [N, 3C], y, dy [N, C], the tokens of a part; B from table [(2M-1)^2, NH]
///   saved     qkv; backward computes A again and y with it
/// A host's part is one gathered window: its scores are a matrix in cache. Serial.

#include "matmul.hpp"
#include "position_bias.hpp"
#include "softmax.hpp"
#include "spatial_msa_parts.hpp"
#include "token_part.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct window_attention {};
}  // namespace op

/// `bias` is what `prepare` made of the table.
template <class T>
struct window_inputs {
  const T *qkv, *table, *bias;
};

/// y and dqkv overwrite, dtable accumulates.
template <class T>
struct window_gradients {
  T *y, *dqkv, *dtable;
};

template <>
struct kernel<op::window_attention, ref> {
  /// Scores and turned keys of a head; in training the scores' gradient.
  template <class Backend>
  static index_t scratch(const Backend&, const spatial_msa& l, const batch_grid&, bool training) {
    const index_t n = l.tokens();
    return n * n + n * l.width() + (training ? n * n : 0);
  }

  /// Numbers of `prepare`'s result: the position bias [NH, N, N], once a pass.
  static index_t prepared(const spatial_msa& l) { return l.heads * l.tokens() * l.tokens(); }
  template <class Backend, class T>
  static void prepare(const Backend&, T* bias, const T* table, const spatial_msa& l) {
    position_bias_forward(bias, table, l.side, l.heads);
  }

  template <class Backend, class T>
  static void forward(const Backend& be, T* y, const window_inputs<T>& in, const spatial_msa& l, const token_part& part,
                      T* scratch) {
    const index_t n = l.tokens(), c = l.channels, d = l.width();
    T* const scores = scratch;
    for (index_t h = 0; h < l.heads; ++h) {
      attend(be, scores, in, l, part, h);
      multiply(be, {y + h * d, c}, rows_of(scores, n), {in.qkv + 2 * c + h * d, 3 * c}, {n, d, n});
    }
  }

  template <class Backend, class T>
  static void backward(const Backend& be, const window_gradients<T>& to, const T* dy, const window_inputs<T>& in,
                       const spatial_msa& l, const token_part& part, T* scratch) {
    const index_t n = l.tokens(), c = l.channels, d = l.width();
    T *const scores = scratch, *const turned = scores + n * n, *const dscores = turned + n * d;
    for (index_t h = 0; h < l.heads; ++h) {
      const T *const q = in.qkv + h * d, *const k = q + c, *const v = k + c, *const g = dy + h * d;
      T *const dq = to.dqkv + h * d, *const dk = dq + c, *const dv = dk + c;
      attend(be, scores, in, l, part, h);
      multiply(be, {to.y + h * d, c}, rows_of(scores, n), {v, 3 * c}, {n, d, n});
      multiply(be, {dv, 3 * c}, transposed(scores, n), {g, c}, {n, d, n});
      transpose(turned, n, v, 3 * c, n, d);
      multiply(be, {dscores, n}, rows_of(g, c), {turned, n}, {n, n, d});
      kernel<op::softmax, Backend>::backward(be, dscores, dscores, scores, n, n);
      position_bias_backward(to.dtable, dscores, l.side, l.heads, h);
      multiply(be, {dq, 3 * c}, rows_of(dscores, n), {k, 3 * c}, {n, d, n});
      multiply(be, {dk, 3 * c}, transposed(dscores, n), {q, 3 * c}, {n, d, n});
    }
  }

 private:
  /// scores = A of one head; the turned keys lie behind them.
  template <class Backend, class T>
  static void attend(const Backend& be, T* scores, const window_inputs<T>& in, const spatial_msa& l,
                     const token_part& part, index_t head) {
    const index_t n = l.tokens(), c = l.channels, d = l.width();
    T* const turned = scores + n * n;
    transpose(turned, n, in.qkv + c + head * d, 3 * c, n, d);
    std::copy_n(in.bias + head * n * n, n * n, scores);
    multiply_add(be, {scores, n}, rows_of(in.qkv + head * d, 3 * c), {turned, n}, {n, n, d});
    if (part.from.grid.mixed(part.window)) add_shift_mask(scores, part.from.grid, part.window);
    kernel<op::softmax, Backend>::forward(be, scores, scores, n, n);
  }
};

}  // namespace unmask::inline UNMASK_ABI
