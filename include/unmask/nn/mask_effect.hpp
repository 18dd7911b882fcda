#pragma once

/// Which of q, k, v the mask embedding multiplies, and the product itself.
///   forward   y = x * e            (elementwise, where the effect names the operand)
///   gradient  dx = dy * e,  de += dy * x

#include "../core/backend.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

/// A set of bits.
enum class mask_effect { none = 0, q = 1, k = 2, qk = 3, v = 4, qkv = 7 };

/// How the mask becomes factors of q and k.
enum class mask_embedding_kind {
  released,  ///< softmax along the image width: values near 1/W, depends on the width
  tile_safe  ///< 2 sigmoid: starts near 1, depends on a 3x3 neighbourhood only
};

constexpr bool affects(mask_effect set, mask_effect one) {
  return (static_cast<int>(set) & static_cast<int>(one)) != 0;
}

namespace op {
struct mask_factors {};
}  // namespace op

/// Which of q, k and v are masked, what q is multiplied with besides, and how many there are.
template <class T>
struct mask_map {
  mask_effect effect;
  T scale;
  index_t rows, channels;  ///< N, C

  static constexpr mask_effect parts[] = {mask_effect::q, mask_effect::k, mask_effect::v};
  constexpr T factor(index_t part) const { return part == 0 ? scale : T(1); }
  constexpr bool changes() const { return effect != mask_effect::none || !(scale == T(1)); }
};

/// On q, k and v side by side, [N, 3C]; e [N, C] may be null (all 1).
template <>
struct kernel<op::mask_factors, ref> : no_scratch {
  /// y may be x.
  template <class Backend, class T>
  static void forward(const Backend&, T* y, const T* x, const T* e, const mask_map<T>& m) {
    for (index_t part = 0; part < 3; ++part) {
      const bool masked = e && affects(m.effect, mask_map<T>::parts[part]);
      const T factor = m.factor(part);
      for (index_t i = 0; i < m.rows; ++i) {
        const index_t at = (3 * i + part) * m.channels;
        const T* const own = masked ? e + i * m.channels : nullptr;
        if (masked)
          for (index_t k = 0; k < m.channels; ++k) y[at + k] = x[at + k] * (own[k] * factor);
        else
          for (index_t k = 0; k < m.channels; ++k) y[at + k] = x[at + k] * factor;
      }
    }
  }

  /// d holds dy on entry and dx on return; de accumulates and may be null.
  template <class Backend, class T>
  static void backward(const Backend&, T* d, T* de, const T* x, const T* e, const mask_map<T>& m) {
    for (index_t part = 0; part < 3; ++part) {
      const bool masked = e && affects(m.effect, mask_map<T>::parts[part]);
      const T factor = m.factor(part);
      for (index_t i = 0; i < m.rows; ++i)
        for (index_t k = 0; k < m.channels; ++k) {
          const index_t at = (3 * i + part) * m.channels + k, own = i * m.channels + k;
          if (masked && de) de[own] += d[at] * factor * x[at];
          d[at] *= masked ? e[own] * factor : factor;
        }
    }
  }
};

}  // namespace unmask::inline UNMASK_ABI
