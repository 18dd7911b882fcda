#pragma once

/// Spectral attention over a whole image in inference, where no mask embedding is in it: q and k are never computed.
///   G = sum over tokens of [n, 1][n, 1]'          of the normalised input, (C+1)^2
///   k'q = W_k' G W_q,  |q_i|^2 = (W_q' G W_q)_ii  with the biases as the last row of W; so for k
///   A as in spectral_attention.hpp;  (A v) P = n (W_v A' P) + b_v A' P: one C x C matrix an image
/// Half of the branch's multiplications remain: v for the positional term, G, and that matrix. Sums and the small
/// matrices are double: the image has any number of tokens.

#include "../../s2_block.hpp"
#include "block_forward.hpp"
#include "image_position.hpp"

namespace unmask::inline UNMASK_ABI::strip {

template <class T>
struct image_memory {
  T* v;                      ///< [H + 2, W + 2, C], its border zero
  T* position;               ///< [H, W, C], the positional term
  T* hidden;                 ///< rows between its convolutions, a thread's after another's
  T* grams;                  ///< [max_chunks, C padded C + C]
  T* rows_n;                 ///< [N][padded C] a thread
  double *gram, *product;    ///< [C + 1]^2, [C + 1, 2C]
  double *scores, *lengths;  ///< [C, D] k'q of each head, [2C] |q| and |k| of each channel
  double* folded;            ///< [C, C]
  T* out;                    ///< [3C, C]

  template <class Backend>
  void carve(arena& a, const Backend& be, const s2_block& l) {
    const index_t c = l.channels(), pixels = l.grid.height * l.grid.width;
    v = a.take<T>((l.grid.height + 2) * (l.grid.width + 2) * c);
    position = a.take<T>(pixels * c);
    hidden = a.take<T>(thread_slots(be) * position_scratch(c));
    grams = a.take<T>(max_chunks * c * (padded<T>(c) + 1));
    rows_n = a.take<T>(thread_slots(be) * l.grid.tokens() * padded<T>(c));
    gram = a.take<double>((c + 1) * (c + 1));
    product = a.take<double>((c + 1) * 2 * c);
    scores = a.take<double>(c * l.spectral.width);
    lengths = a.take<double>(2 * c);
    folded = a.take<double>(c * c);
    out = a.take<T>(3 * c * c);
  }
};

namespace detail {

/// The border of v [height + 2, width + 2, C].
template <class T>
void zero_border(T* v, index_t height, index_t width, index_t c) {
  const index_t row = (width + 2) * c;
  std::fill_n(v, row, T(0));
  for (index_t h = 1; h <= height; ++h) {
    std::fill_n(v + h * row, c, T(0));
    std::fill_n(v + (h + 1) * row - c, c, T(0));
  }
  std::fill_n(v + (height + 1) * row, row, T(0));
}

/// m.v and the chunks of m.grams, from x [H, W, C].
template <class Backend, class T>
index_t image_sums(const Backend& be, const image_memory<T>& m, const s2_block& l, const step_weights<T>& s, const T* x,
                   const window_memory<T>* windows) {
  const index_t c = l.channels(), n = l.grid.tokens(), count = n / width<T>, ld = padded<T>(c);
  const index_t tiles_ = l.grid.windows(), size = c * (ld + 1), width_ = l.grid.width;
  const auto padded_place = [&](index_t t) { return (t / width_ + 1) * (width_ + 2) + t % width_ + 1; };
  parallel_chunks(be, tiles_, [&](index_t chunk, index_t begin, index_t end, int slot) {
    const window_memory<T>& w = windows[slot];
    T *gram = m.grams + chunk * size, *turned = m.rows_n + slot * n * ld;
    std::fill_n(gram, size, T(0));
    for (index_t tile = begin; tile < end; ++tile) {
      const index_t first = tile * n * c;  // any N pixels will do here: those that lie together
      from_rows(
          w.x, [&](index_t t) { return x + first + t * c; }, n, c);
      normalise(w.n, w.rstd, w.x, c, count);
      multiply(rows<T>{w.x, c * width<T>}, rows<const T>{w.n, c * width<T>}, s.value_panel, s.plain_bias + 2 * c, c, c,
               count);
      to_rows([&](index_t t) { return m.v + padded_place(tile * n + t) * c; }, w.x, n, c);
      for (index_t t = 0; t < n; ++t) std::fill(turned + t * ld + c, turned + (t + 1) * ld, T(0));
      to_rows([&](index_t t) { return turned + t * ld; }, w.n, n, c);
      add_outer(gram, rows<const T>{w.n, c * width<T>}, turned, c, ld, count);
      add_tokens(gram + c * ld, rows<const T>{w.n, c * width<T>}, c, count);
    }
  });
  return chunk_count(tiles_);
}

/// m.gram = sum of the chunks, with the row and column of ones.
template <class T>
void join_sums(const image_memory<T>& m, const s2_block& l, index_t chunks) {
  const index_t c = l.channels(), ld = padded<T>(c), size = c * (ld + 1), e = c + 1;
  std::fill_n(m.gram, e * e, 0.);
  for (index_t chunk = 0; chunk < chunks; ++chunk) {
    const T* from = m.grams + chunk * size;
    for (index_t i = 0; i < c; ++i) {
      for (index_t j = 0; j < c; ++j) m.gram[i * e + j] += static_cast<double>(from[i * ld + j]);
      m.gram[i * e + c] += static_cast<double>(from[c * ld + i]);
    }
  }
  for (index_t i = 0; i < c; ++i) m.gram[c * e + i] = m.gram[i * e + c];
  m.gram[c * e + c] = static_cast<double>(l.grid.height * l.grid.width);
}

/// m.scores and m.lengths from m.gram. Channels are the inner loops: one thread is at it while the others wait.
template <class T>
void image_scores(const image_memory<T>& m, const s2_block& l, const step_weights<T>& s) {
  const index_t c = l.channels(), d = l.spectral.width, e = c + 1, wide = 3 * c;
  std::fill_n(m.scores, c * d, 0.);
  std::fill_n(m.lengths, 2 * c, 0.);
  const auto row_of = [&](index_t a) { return a < c ? s.plain_qkv + a * wide : s.plain_bias; };
  for (index_t a = 0; a < e; ++a) {
    double* product = m.product + a * 2 * c;  // row a of G W
    std::fill_n(product, 2 * c, 0.);
    for (index_t b = 0; b < e; ++b) {
      const T* w = row_of(b);
      for (index_t j = 0; j < 2 * c; ++j) product[j] += m.gram[a * e + b] * static_cast<double>(w[j]);
    }
    const T* w = row_of(a);
    for (index_t j = 0; j < 2 * c; ++j) m.lengths[j] += static_cast<double>(w[j]) * product[j];
    for (index_t j = 0; j < c; ++j)
      for (index_t i = 0, head = j / d * d; i < d; ++i)
        m.scores[j * d + i] += static_cast<double>(w[c + j]) * product[head + i];
  }
  for (index_t j = 0; j < 2 * c; ++j) m.lengths[j] = std::max(std::sqrt(std::max(m.lengths[j], 0.)), shortest_length);
}

/// The out panel and bias of this image.
template <class T>
void fold_attention(const image_memory<T>& m, const s2_block& l, const step_weights<T>& s, const T* rescale) {
  const index_t c = l.channels(), d = l.spectral.width, to = s.step.spectral_out(c);
  std::copy_n(s.plain_out, s.out.inputs * c, m.out);
  std::fill_n(m.folded, c * c, 0.);
  for (index_t j = 0; j < c; ++j) {
    const index_t head = j / d * d;
    double *row = m.scores + j * d, most = -1e300, sum = 0;
    for (index_t i = 0; i < d; ++i) {
      row[i] *= static_cast<double>(rescale[j / d]) / (m.lengths[c + j] * m.lengths[head + i]);
      most = std::max(most, row[i]);
    }
    for (index_t i = 0; i < d; ++i) sum += row[i] = std::exp(row[i] - most);
    // folded = A' P, rows: channels of v
    const T* out = s.plain_out + (to + j) * c;
    for (index_t i = 0; i < d; ++i)
      for (index_t o = 0; o < c; ++o) m.folded[(head + i) * c + o] += row[i] / sum * static_cast<double>(out[o]);
  }
  for (index_t a = 0; a <= c; ++a) {
    const T* w = (a < c ? s.plain_qkv + a * 3 * c : s.plain_bias) + 2 * c;
    double* sums = m.product;  // what it held has been used
    std::fill_n(sums, c, 0.);
    for (index_t i = 0; i < c; ++i)
      for (index_t o = 0; o < c; ++o) sums[o] += static_cast<double>(w[i]) * m.folded[i * c + o];
    for (index_t o = 0; o < c; ++o)
      if (a < c)
        m.out[(to + a) * c + o] = static_cast<T>(sums[o]);
      else
        s.out_bias[1][o] = s.plain_out_bias[o] + static_cast<T>(sums[o]);
  }
  s.out.pack(m.out);
}

}  // namespace detail

/// What the passes over the windows of one image need: the positional term in m.position, the attention in the out
/// panel.
template <class Backend, class T>
void image_spectral(const Backend& be, const image_memory<T>& m, const s2_block& l, const step_weights<T>& s,
                    const T* x, const spectral_params<const T>& p, const window_memory<T>* windows) {
  const index_t c = l.channels();
  detail::zero_border(m.v, l.grid.height, l.grid.width, c);
  const index_t chunks = detail::image_sums(be, m, l, s, x, windows);
  detail::join_sums(m, l, chunks);
  detail::image_scores(m, l, s);
  detail::fold_attention(m, l, s, p.rescale);
  image_position(be, m.position, m.v, p.position0, p.position2, m.hidden, {l.grid.height, l.grid.width, c});
}

}  // namespace unmask::inline UNMASK_ABI::strip
