#pragma once

/// A block on the cpu: fused window by window where it can be, else composed of the tuned operations.
/// Fused: windows whose tokens fill whole strips; spectral attention inside the window, or, in inference and beside
/// (not before or behind) spatial attention, over the image without a mask in it.

#include "../s2_block.hpp"
#include "strip/fused_block.hpp"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::s2_block, cpu> {
  using composed = composed_block<cpu>;

  template <class T>
  static bool fuses(const s2_block& l, bool training) {
    if (l.grid.tokens() % strip::width<T> != 0) return false;
    if (!l.has(branch_kind::spectral) || l.spectral.scope == spectral_scope::window) return true;
    return !training && !l.sequential() && !l.embeds_spectral() && l.spectral.width <= 256;
  }

  template <class T>
  struct prepared {
    strip::block_weights<T> weights;
    bool fused = false;
    void carve(arena& a, const s2_block& l, index_t batch, bool training) {
      fused = fuses<T>(l, training);
      if (fused) weights.carve(a, l, batch);
    }
  };

  template <class T>
  struct scratch {
    strip::shared_memory<T> fused;
    block_scratch<T> composed;
    void carve(arena& a, const cpu& be, const s2_block& l, index_t batch, bool training) {
      if (fuses<T>(l, training))
        fused.carve(a, be, l, batch, training);
      else
        composed.carve(a, be, l, batch, training);
    }
  };

  template <class T>
  static bool in_place(const s2_block& l) {
    return fuses<T>(l, false);
  }
  template <class T>
  static index_t extra_images(const s2_block& l, bool training) {
    if (!fuses<T>(l, training)) return composed::extra_images<T>(l, training);
    return training ? strip::attention_step::count(l) : 0;
  }
  template <class T>
  static bool repeats(const s2_block& l) {
    return fuses<T>(l, true);
  }
  template <class T>
  static void prepare(const cpu& be, const prepared<T>& w, const s2_block& l, const block_batch<T>& in,
                      const block_params<const T>& p, const scratch<T>& s) {
    if (w.fused) strip::prepare(be, w.weights, l, in, p, s.fused);
  }
  template <class T>
  static void forward(const cpu& be, const s2_block& l, const block_images<T>& m, const block_batch<T>& in,
                      const block_params<const T>& p, const prepared<T>& w, const scratch<T>& s) {
    if (w.fused)
      strip::block_forward<cpu, T>(be, l, {m.x, {m.a, m.b}, m.y}, in, p, w.weights, s.fused);
    else
      composed::forward(be, l, m, in, p, {}, s.composed);
  }
  template <class T>
  static void backward(const cpu& be, const s2_block& l, const block_gradients<T>& to, const block_images<T>& m,
                       const block_batch<T>& in, const block_params<const T>& p, const prepared<T>& w,
                       const scratch<T>& s) {
    if (!w.fused) return composed::backward(be, l, to, m, in, p, {}, s.composed);
    if (m.again)
      strip::block_forward<cpu, T>(be, l, {m.x, {m.b ? nullptr : m.a, m.b}, nullptr}, in, p, w.weights, s.fused);
    strip::block_backward<cpu, T>(be, l, to, {m.x, {m.a, m.b}, nullptr}, in, p, w.weights, s.fused);
  }
};

}  // namespace unmask::inline UNMASK_ABI
