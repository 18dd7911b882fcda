#pragma once

/// The passes of spectral attention over one part of a batch: see spectral_msa.hpp for the mathematics. A pass goes
/// tile by tile. What an earlier pass left in a tile is still there on a device, whose tile is the whole part; a host
/// computes it again.

#include "spectral_memory.hpp"

namespace unmask::inline UNMASK_ABI::detail {

template <class Backend, class T>
struct spectral_pass {
  using project = kernel<op::norm_project, Backend>;
  using sums_kernel = kernel<op::spectral_sums, Backend>;
  using matrix_kernel = kernel<op::spectral_matrix, Backend>;
  using apply_kernel = kernel<op::spectral_apply, Backend>;
  using position_kernel = kernel<op::positional_term, Backend>;
  static constexpr bool again = !at_once<Backend>;

  const Backend& be;
  const spectral_msa& l;
  const spectral_params<const T>& p;
  const token_part& part;
  const spectral_tokens<T>& s;
  const spectral_tile<T>* tiles;
  const T *x, *e;  ///< of the part; e may be null
  index_t c = l.channels;

  /// y = keep * branch(x).
  void forward(T* y, const kept_rows<T>& keep) const {
    matrices(false);
    position_kernel::forward(be, y, positional_rows<T>{nullptr, s.active}, values(), position(), part, c);
    each_tile(max_chunks, [&](index_t, index_t at, index_t count, const spectral_tile<T>& t) {
      apply_kernel::forward(be, t.y, masked_again(t, at, count), s.matrices, rows(count));
      kernel<op::project_branch, Backend>::forward(
          be, y + at * c, static_cast<const T*>(t.y), linear_params<const T>{p.proj_weight, p.proj_bias},
          kept_rows<T>{keep.keep, keep.pixels, keep.first + at}, row_sizes{count, c}, true);
    });
  }

  /// What backward is given and where it adds: dr is the gradient of the branch before `keep`; de may be null.
  struct gradients {
    T *dx, *de;
    const T* dr;
    const gradient_copies<spectral_msa, T>& copies;
    index_t chunk, limit;  ///< of the copies: the first that this part may use, and how many
    const T* turned[3];    ///< the weights as `turn` returned them
    const T* proj_turned;
  };

  void backward(const gradients& g) const {
    const spectral_params<T> first = g.copies.of(g.chunk);
    matrices(true);
    position_kernel::hidden(be, positional_rows<T>{s.conv, s.active}, values(), position(), part, c);
    position_kernel::backward(
        be, positional_outputs<T>{s.conv, s.dconv},
        positional_gradients<T>{first.position0, first.position2, g.copies.copies.stride, g.limit}, g.dr,
        positional_saved<T>{values(), s.conv, s.active, position()}, part, c, tiles[0].work);
    // dA = sum over tokens of dy v'
    clear_sums();
    each_tile(rows(0).limit(), [&](index_t chunk, index_t at, index_t count, const spectral_tile<T>& t) {
      const T* const masked_values = masked_again(t, at, count) + 2 * c;
      linear_backward_input<Backend, T>(be, {t.dy, c}, {g.dr + at * c, c}, g.proj_turned, {count, c, c});
      sums_kernel::forward(be, sums(chunk), matrix<const T>{t.dy, c}, matrix<const T>{masked_values, 3 * c},
                           rows(count), false);
    });
    matrix_kernel::backward(be, s.gradients, first.rescale, s.sums, s.matrices, p.rescale, rows(part.tokens()),
                            tiles[0].work);
    each_tile(g.limit, [&](index_t chunk, index_t at, index_t count, const spectral_tile<T>& t) {
      tile_gradient(g, g.copies.of(g.chunk + chunk), at, count, t);
    });
  }

 private:
  spectral_rows rows(index_t count) const { return {l, part, count}; }
  mask_map<T> mask(index_t count) const { return {l.effect, T(1), count, c}; }
  qkv_params<const T> qkv() const { return qkv_params<const T>::matrices(p.norm, p.to_q, p.to_k, p.to_v, c); }
  positional_weights<T> position() const { return {p.position0, p.position2}; }
  matrix<const T> values() const { return {s.qkv + 2 * c, 3 * c}; }
  const T* embedding(index_t at) const { return e ? e + at * c : nullptr; }
  T* raw(index_t at) const { return s.qkv + at * 3 * c; }
  T* masked(const spectral_tile<T>& t, index_t at) const { return mask(0).changes() ? t.masked : raw(at); }
  T* sums(index_t chunk) const { return s.sums + chunk * sums_kernel::size(l); }

  /// body(chunk, begin, count, tile) over the part's tokens.
  template <class Body>
  void each_tile(index_t limit, Body&& body) const {
    parallel_tiles(be, part.tokens(), limit,
                   [&](index_t chunk, index_t at, index_t count, int slot) { body(chunk, at, count, tiles[slot]); });
  }
  void clear_sums() const {
    if constexpr (again) fill(be, s.sums, rows(0).chunks() * sums_kernel::size(l), T(0));
  }

  /// Raw q, k, v of all tokens, and the matrices.
  void matrices(bool training) const {
    clear_sums();
    each_tile(rows(0).limit(), [&](index_t chunk, index_t at, index_t count, const spectral_tile<T>& t) {
      T* const to = masked(t, at);
      project::forward(be, qkv_rows<T>{t.u, {t.mean, t.rstd}, raw(at), to, training}, x + at * c, embedding(at), qkv(),
                       mask(count));
      sums_kernel::forward(be, sums(chunk), matrix<const T>{to + c, 3 * c}, matrix<const T>{to, 3 * c}, rows(count),
                           true);
    });
    matrix_kernel::forward(be, s.matrices, s.sums, p.rescale, rows(part.tokens()));
  }

  /// The masked q, k, v of a tile, after an earlier pass.
  const T* masked_again(const spectral_tile<T>& t, index_t at, index_t count) const {
    if (again && mask(0).changes())
      kernel<op::mask_factors, Backend>::forward(be, t.masked, static_cast<const T*>(raw(at)), embedding(at),
                                                 mask(count));
    return masked(t, at);
  }

  void tile_gradient(const gradients& g, const spectral_params<T>& d, index_t at, index_t count,
                     const spectral_tile<T>& t) const {
    const T* const dr = g.dr + at * c;
    const T* const qkv_masked = masked_again(t, at, count);
    if constexpr (again) {
      kernel<op::layer_norm, Backend>::forward(be, t.u, norm_saved<T>{t.mean, t.rstd}, x + at * c, p.norm,
                                               row_sizes{count, c});
      linear_backward_input<Backend, T>(be, {t.dy, c}, {dr, c}, g.proj_turned, {count, c, c});
    }
    apply_kernel::forward(be, t.y, qkv_masked, s.matrices, rows(count));
    apply_kernel::backward(be, t.dqkv, static_cast<const T*>(t.dy), qkv_masked, s.matrices, s.gradients, rows(count));
    linear_backward_parameters<Backend, T>(be, {d.proj_weight, d.proj_bias}, {dr, c}, {t.y, c}, {count, c, c}, t.work);
    project::backward(be,
                      qkv_gradients<T>{g.dx + at * c, g.de ? g.de + at * c : nullptr,
                                       qkv_params<T>::matrices(d.norm, d.to_q, d.to_k, d.to_v, c), s.conv + at * c},
                      t.dqkv, qkv_saved<T>{x + at * c, embedding(at), t.u, {t.mean, t.rstd}, raw(at)}, qkv(),
                      mask(count), qkv_work<T>{{g.turned[0], g.turned[1], g.turned[2]}, t.du, t.work});
  }
};

}  // namespace unmask::inline UNMASK_ABI::detail
