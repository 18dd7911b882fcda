#pragma once

/// Spectral attention of whole batches, over windows or whole images alike: products over all pixels, sums
/// over the tokens of a set in spectral_sums.cuh, the small matrices in spectral_matrix.cuh, the positional term in
/// set_depthwise.cuh. spectral_msa.hpp has the contract.

#include "../spectral_msa.hpp"
#include "norm_project.cuh"
#include "set_depthwise.cuh"
#include "spectral_matrix.cuh"

namespace unmask::inline UNMASK_ABI {

/// N pixels of all images.
template <class T>
struct cuda_spectral_scratch {
  T *u = nullptr, *mean = nullptr, *rstd = nullptr;  ///< [N, C] normalised input; [N]
  T *qkv = nullptr, *masked = nullptr;               ///< [N, 3C]; the same where nothing is masked
  T *active = nullptr, *y = nullptr;                 ///< [N, C] between the depthwise convolutions; attention's result
  T *sums = nullptr, *matrices = nullptr;            ///< spectral_sums_body, spectral_matrices
  T *conv = nullptr, *dconv = nullptr;               ///< [N, C] before GELU and its gradient
  T *dr = nullptr, *dy = nullptr, *dqkv = nullptr;   ///< [N, C], [N, C], [N, 3C]
  T *gradients = nullptr, *drescale = nullptr;       ///< spectral_gradients; [sets, NH]
  T* partials = nullptr;                             ///< sums over chunks of rows

  void carve(arena& a, const cuda& be, const spectral_msa& l, const window_grid& grid, index_t batch, bool training) {
    const detail::spectral_sets s(l, grid, batch);
    const index_t c = l.channels, n = s.pixels();
    for (T** p : {&u, &active, &y}) *p = a.take<T>(n * c);
    for (T** p : {&mean, &rstd}) *p = a.take<T>(n);
    qkv = masked = a.take<T>(n * 3 * c);
    if (l.effect != mask_effect::none) masked = a.take<T>(n * 3 * c);
    sums = a.take<T>(s.count * s.chunks * s.sums);
    matrices = a.take<T>(s.count * s.matrices);
    if (!training) return;
    for (T** p : {&conv, &dconv, &dr, &dy}) *p = a.take<T>(n * c);
    dqkv = a.take<T>(n * 3 * c);
    gradients = a.take<T>(s.count * s.gradients);
    drescale = a.take<T>(s.count * s.heads());
    partials = a.take<T>(gradient_chunks(be) * std::max<index_t>(9 * c, c * c));
  }
};

namespace detail {

/// Everything up to the two terms of the branch: qkv, masked, the matrices of every set, the depthwise part up to GELU;
/// `again` for backward, which needs u too.
template <class T>
void spectral_prepare(const cuda& be, const spectral_msa& l, const spectral_sets& sets, const T* x, const T* e,
                      const spectral_params<const T>& p, const cuda_spectral_scratch<T>& s, bool again) {
  const index_t c = l.channels, n = sets.pixels();
  assert(p.to_k == p.to_q + c * c && p.to_v == p.to_k + c * c);
  norm_project<T>(be, {again ? s.u : nullptr, s.mean, s.rstd, s.qkv, s.masked}, x, e, p.norm,
                  {p.to_q, c, c * c, nullptr}, l.effect, T(1), n, c, s.u);
  const spectral_sums_body<T> sums{s.sums, s.masked + c, s.masked, 3 * c, 3 * c, true, sets};
  launch(be, index_t(sets.count) * sets.chunks, sums.shared(), sums);
  gather_chunks(be, s.sums, sets.count, sets.chunks, sets.sums);
  launch(be, sets.count, 0, spectral_matrix_body<T>{s.matrices, s.sums, p.rescale, sets});
  launch_rows(
      be, n, c,
      set_depthwise_each<T>{s.conv, s.active, s.qkv + 2 * c, 3 * c, p.position0, sets.sets, static_cast<int>(c)});
}

/// dweight += the sum over all pixels.
template <class T>
void set_depthwise_weights(const cuda& be, T* dweight, const T* dy, const T* x, index_t ldx, const spectral_sets& s,
                           T* partials) {
  using body = set_depthwise_weight_body<T>;
  const int pixels = static_cast<int>(s.pixels()),
            chunk = std::max(body::step, static_cast<int>(blocks_for(pixels, gradient_chunks(be))));
  const index_t chunks = blocks_for(pixels, chunk);
  launch(be, chunks, body::shared(), body{partials, dy, x, ldx, s.sets, s.channels, pixels, chunk});
  reduce_partials(be, dweight, static_cast<const T*>(partials), chunks, index_t(9) * s.channels);
}

}  // namespace detail

template <std::same_as<cuda> Backend, class T>
void spectral_forward(const Backend& be, const spectral_msa& l, T* y, const T* x, const T* e, const T* keep,
                      const spectral_params<const T>& p, index_t batch, const window_grid& grid,
                      const cuda_spectral_scratch<T>& s) {
  const detail::spectral_sets sets(l, grid, batch);
  const index_t c = l.channels, n = sets.pixels();
  detail::spectral_prepare<T>(be, l, sets, x, e, p, s, false);
  launch_rows(be, n, c,
              detail::set_depthwise_each<T>{y, nullptr, s.active, c, p.position2, sets.sets, static_cast<int>(c)});
  launch_rows(be, n, c, detail::spectral_apply_each<T>{s.y, s.masked, s.matrices, sets});
  multiply(
      be, blas_product<T>{.c = y, .ldc = c, .a = {s.y, c}, .b = {p.proj_weight, c}, .m = n, .n = c, .k = c, .beta = 1});
  add_bias(be, y, p.proj_bias, keep, n, c, grid.height * grid.width);
}

template <std::same_as<cuda> Backend, class T>
void spectral_backward(const Backend& be, const spectral_msa& l, T* dx, T* de, const spectral_params<T>& dp,
                       const T* dy, const T* x, const T* e, const T* keep, const spectral_params<const T>& p,
                       index_t batch, const window_grid& grid, const cuda_spectral_scratch<T>& s) {
  const detail::spectral_sets sets(l, grid, batch);
  const index_t c = l.channels, n = sets.pixels();
  const int channels = static_cast<int>(c);
  detail::spectral_prepare<T>(be, l, sets, x, e, p, s, true);
  const T* dr = dy;
  if (keep) {
    launch_each(be, n * c, detail::scale_images_each<T>{s.dr, dy, keep, grid.height * grid.width * c});
    dr = s.dr;
  }
  // positional term, from the back; the gradient of v goes where LN(x) W_v will find it, in dconv
  detail::set_depthwise_weights<T>(be, dp.position2, dr, s.active, c, sets, s.partials);
  launch_rows(be, n, c, detail::set_depthwise_input_each<T>{s.dconv, dr, p.position2, s.conv, sets.sets, channels});
  detail::set_depthwise_weights<T>(be, dp.position0, s.dconv, s.qkv + 2 * c, 3 * c, sets, s.partials);
  launch_rows(be, n, c,
              detail::set_depthwise_input_each<T>{s.conv, s.dconv, p.position0, nullptr, sets.sets, channels});
  // attention
  multiply(be,
           blas_product<T>{.c = s.dy, .ldc = c, .a = {dr, c}, .b = {p.proj_weight, c, true}, .m = n, .n = c, .k = c});
  const detail::spectral_sums_body<T> sums{s.sums, s.dy, s.masked + 2 * c, c, 3 * c, false, sets};
  launch(be, index_t(sets.count) * sets.chunks, sums.shared(), sums);
  gather_chunks(be, s.sums, sets.count, sets.chunks, sets.sums);
  launch(be, sets.count, 0,
         detail::spectral_matrix_gradient_body<T>{s.gradients, s.drescale, s.matrices, s.sums, p.rescale, sets});
  reduce_partials(be, dp.rescale, static_cast<const T*>(s.drescale), sets.count, l.heads());
  launch_rows(be, n, c, detail::spectral_apply_each<T>{s.y, s.masked, s.matrices, sets});
  launch_rows(be, n, c, detail::spectral_apply_gradient_each<T>{s.dqkv, s.dy, s.masked, s.matrices, s.gradients, sets});
  add_outer_product<T>(be, dp.proj_weight, s.y, c, dr, c, n, c, c, s.partials);
  add_row_sums(be, dp.proj_bias, dr, n, c, s.partials);
  if (s.masked != s.qkv) mask_factors_backward<T>(be, s.dqkv, de, s.qkv, e, l.effect, T(1), n, c);
  launch_rows(be, n, c, detail::add_columns_each<T>{s.dqkv + 2 * c, s.conv, c, 3 * c});
  // the three products
  T* const gradients[] = {dp.to_q, dp.to_k, dp.to_v};
  const T* const weights[] = {p.to_q, p.to_k, p.to_v};
  for (index_t i = 0; i < 3; ++i) {
    add_outer_product<T>(be, gradients[i], s.u, c, s.dqkv + i * c, 3 * c, n, c, c, s.partials);
    multiply(be, blas_product<T>{.c = s.dy,
                                 .ldc = c,
                                 .a = {s.dqkv + i * c, 3 * c},
                                 .b = {weights[i], c, true},
                                 .m = n,
                                 .n = c,
                                 .k = c,
                                 .beta = i > 0 ? T(1) : T(0)});
  }
  kernel<op::layer_norm, cuda>::backward(be, dx, dp.norm, s.dy, x, p.norm, s.mean, s.rstd, n, c, s.partials);
}

}  // namespace unmask::inline UNMASK_ABI
