#pragma once

/// The shape and the parameters of windowed spatial attention.

#include <cmath>

#include "mask_effect.hpp"
#include "visit.hpp"

namespace unmask::inline UNMASK_ABI {

template <class T>
struct spatial_params {
  norm_params<T> norm;
  T *qkv_weight, *qkv_bias, *position_bias, *proj_weight, *proj_bias;
};

struct spatial_msa {
  index_t channels;  ///< C
  index_t heads;     ///< NH; D = C / NH
  index_t side;      ///< M
  mask_effect effect;

  template <class T>
  using params = spatial_params<T>;
  index_t tokens() const { return side * side; }
  index_t width() const { return channels / heads; }
  template <class T>
  T scale() const {
    return 1 / std::sqrt(static_cast<T>(width()));
  }
};

template <class Visitor, class T>
void visit_spatial(Visitor& v, const spatial_msa& l, const char* norm, const char* name, spatial_params<T>& p) {
  const index_t c = l.channels, span = 2 * l.side - 1;
  visit_norm(v, norm, p.norm, c);
  v.enter(name);
  v(p.qkv_weight, "qkv.weight", {3 * c, c}, memory_order::reversed, initial::normal);
  v(p.qkv_bias, "qkv.bias", {3 * c}, memory_order::plain, initial::zero);
  v(p.position_bias, "position_bias", {span * span, l.heads}, memory_order::plain, initial::normal);
  v(p.proj_weight, "proj.weight", {c, c}, memory_order::reversed, initial::normal);
  v(p.proj_bias, "proj.bias", {c}, memory_order::plain, initial::zero);
  v.leave();
}
template <class Visitor, class T>
void visit_parameters(Visitor& v, const spatial_msa& l, spatial_params<T>& p) {
  visit_spatial(v, l, "", "", p);
}

/// What a residual branch of a block reads and writes, [B, H, W, C] each. e may be null where nothing is masked, keep
/// [B] where no image's branch is dropped or scaled.
template <class T>
struct branch_images {
  T* y;  ///< overwritten with keep * branch(x)
  const T *x, *e, *keep;
};
/// dy is the gradient of y. dx and de accumulate; de may be null.
template <class T>
struct branch_gradients {
  T *dx, *de;
  const T *dy, *x, *e, *keep;
};

}  // namespace unmask::inline UNMASK_ABI
