#pragma once

/// Windowed spatial attention of whole batches: products over all pixels, windows only inside window_attention.cuh,
/// where they are index arithmetic. spatial_msa.hpp has the contract.

#include "../spatial_msa.hpp"
#include "norm_project.cuh"
#include "window_attention.cuh"

namespace unmask::inline UNMASK_ABI {

/// N pixels of all images.
template <class T>
struct cuda_spatial_scratch {
  T *u = nullptr, *mean = nullptr, *rstd = nullptr;  ///< [N, C] normalised input; [N]
  T *qkv = nullptr, *masked = nullptr;               ///< [N, 3C]; in inference both are the same
  T* y = nullptr;                                    ///< [N, C] attention's result
  T *dr = nullptr, *dy = nullptr, *dqkv = nullptr;   ///< [N, C], [N, C], [N, 3C]
  T *dtable = nullptr, *partials = nullptr;          ///< [windows, (2M-1)^2, NH]; sums over chunks of rows

  void carve(arena& a, const cuda& be, const spatial_msa& l, const window_grid& grid, index_t batch, bool training) {
    const index_t c = l.channels, n = batch * grid.height * grid.width, span = 2 * l.side - 1;
    for (T** p : {&u, &y}) *p = a.take<T>(n * c);
    for (T** p : {&mean, &rstd}) *p = a.take<T>(n);
    qkv = masked = a.take<T>(n * 3 * c);
    if (!training) return;
    masked = a.take<T>(n * 3 * c);
    for (T** p : {&dr, &dy}) *p = a.take<T>(n * c);
    dqkv = a.take<T>(n * 3 * c);
    dtable = a.take<T>(batch * grid.windows() * span * span * l.heads);
    partials = a.take<T>(gradient_chunks(be) * 3 * c * c);
  }
};

namespace detail {

/// qkv with scale and mask, and the attention that reads it; `again` for backward, which needs u and qkv without.
template <class T>
window_attention<T> spatial_project(const cuda& be, const spatial_msa& l, const T* x, const T* e,
                                    const spatial_params<const T>& p, index_t batch, const window_grid& grid,
                                    const cuda_spatial_scratch<T>& s, bool again) {
  const index_t c = l.channels, n = batch * grid.height * grid.width;
  const qkv_images<T> to{again ? s.u : nullptr, s.mean, s.rstd, again ? s.qkv : nullptr, s.masked};
  norm_project<T>(be, to, x, e, p.norm, {p.qkv_weight, 3 * c, c, p.qkv_bias}, l.effect, l.template scale<T>(), n, c,
                  s.u);
  return {s.masked, p.position_bias, token_sets::windows(grid), static_cast<int>(c), static_cast<int>(l.heads)};
}

}  // namespace detail

template <std::same_as<cuda> Backend, class T>
void spatial_forward(const Backend& be, const spatial_msa& l, T* y, const T* x, const T* e, const T* keep,
                     const spatial_params<const T>& p, index_t batch, const window_grid& grid,
                     const cuda_spatial_scratch<T>& s) {
  const index_t c = l.channels, pixels = grid.height * grid.width, n = batch * pixels;
  const auto attention = detail::spatial_project<T>(be, l, x, e, p, batch, grid, s, false);
  window_attention_forward(be, s.y, attention, batch * grid.windows());
  multiply(be, blas_product<T>{.c = y, .ldc = c, .a = {s.y, c}, .b = {p.proj_weight, c}, .m = n, .n = c, .k = c});
  add_bias(be, y, p.proj_bias, keep, n, c, pixels);
}

template <std::same_as<cuda> Backend, class T>
void spatial_backward(const Backend& be, const spatial_msa& l, T* dx, T* de, const spatial_params<T>& dp, const T* dy,
                      const T* x, const T* e, const T* keep, const spatial_params<const T>& p, index_t batch,
                      const window_grid& grid, const cuda_spatial_scratch<T>& s) {
  const index_t c = l.channels, pixels = grid.height * grid.width, n = batch * pixels, span = 2 * l.side - 1;
  const auto attention = detail::spatial_project<T>(be, l, x, e, p, batch, grid, s, true);
  const T* dr = dy;
  if (keep) {
    launch_each(be, n * c, detail::scale_images_each<T>{s.dr, dy, keep, pixels * c});
    dr = s.dr;
  }
  multiply(be,
           blas_product<T>{.c = s.dy, .ldc = c, .a = {dr, c}, .b = {p.proj_weight, c, true}, .m = n, .n = c, .k = c});
  window_attention_backward<T>(be, s.y, s.dqkv, s.dtable, s.dy, attention, batch * grid.windows());
  reduce_partials(be, dp.position_bias, static_cast<const T*>(s.dtable), batch * grid.windows(), span * span * l.heads);
  add_outer_product<T>(be, dp.proj_weight, s.y, c, dr, c, n, c, c, s.partials);
  add_row_sums(be, dp.proj_bias, dr, n, c, s.partials);
  mask_factors_backward<T>(be, s.dqkv, de, s.qkv, e, l.effect, l.template scale<T>(), n, c);
  add_outer_product<T>(be, dp.qkv_weight, s.u, c, s.dqkv, 3 * c, n, c, 3 * c, s.partials);
  add_row_sums(be, dp.qkv_bias, static_cast<const T*>(s.dqkv), n, 3 * c, s.partials);
  // the gradient of u takes the place of the gradient of attention's result
  multiply(
      be, blas_product<T>{
              .c = s.dy, .ldc = c, .a = {s.dqkv, 3 * c}, .b = {p.qkv_weight, 3 * c, true}, .m = n, .n = c, .k = 3 * c});
  kernel<op::layer_norm, cuda>::backward(be, dx, dp.norm, s.dy, x, p.norm, s.mean, s.rstd, n, c, s.partials);
}

}  // namespace unmask::inline UNMASK_ABI
