#pragma once

/// The two convolutions that turn the mask into an embedding, with no activation between them.
///   forward   z = conv3x3(conv1x1(m)),  1 -> E -> E, both with bias
///   gradient  that of the two convolutions, and of the mask
///   shapes    m [B, H, W], z [B, H, W, E]; conv1 weight, bias [E]; conv3 weight [3, 3, E, E], bias [E]
/// The reference keeps the intermediate image (`scratch`); cpu folds both into one 3x3 convolution of the planes [m,
/// 1].

#include "conv3x3.hpp"
#include "visit.hpp"
#include "width_softmax.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct mask_convolutions {};
}  // namespace op

template <class T>
struct embedding_params {
  T* conv1_weight;
  T* conv1_bias;
  conv_params<T> conv3;
};

template <class Visitor, class T>
void visit_embedding(Visitor& v, const char* name, embedding_params<T>& p, index_t c) {
  v.enter(name);
  v(p.conv1_weight, "conv1.weight", {c, 1}, memory_order::reversed, initial::uniform, 1);
  v(p.conv1_bias, "conv1.bias", {c}, memory_order::plain, initial::uniform, 1);
  v(p.conv3.weight, "conv3.weight", {c, c, 3, 3}, memory_order::reversed, initial::uniform, 9 * c);
  v(p.conv3.bias, "conv3.bias", {c}, memory_order::plain, initial::uniform, 9 * c);
  v.leave();
}

struct mask_sizes {
  index_t batch, height, width, channels;
  constexpr index_t pixels() const { return batch * height * width; }
  constexpr image_rows rows() const { return {batch * height, width, channels}; }
  conv_sizes conv() const { return {batch, height, width, channels, channels}; }
};

template <>
struct kernel<op::mask_convolutions, ref> {
  /// Numbers of scratch that forward and backward need.
  static index_t scratch(const ref&, mask_sizes s) { return 2 * s.pixels() * s.channels; }

  template <class T>
  static void forward(const ref& be, T* z, const T* mask, embedding_params<const T> p, mask_sizes s, T* scratch) {
    lift(scratch, mask, p, s);
    kernel<op::conv3x3, ref>::forward(be, z, scratch, p.conv3, s.conv(), scratch);
  }

  /// dmask accumulates; it may be null.
  template <class T>
  static void backward(const ref& be, T* dmask, embedding_params<T> d, const T* dz, const T* mask,
                       embedding_params<const T> p, mask_sizes s, T* scratch) {
    const index_t c = s.channels;
    T* dlifted = scratch + s.pixels() * c;
    lift(scratch, mask, p, s);
    kernel<op::conv3x3, ref>::backward(be, dlifted, d.conv3, dz, scratch, p.conv3, s.conv(), scratch);
    for (index_t i = 0; i < s.pixels(); ++i)
      for (index_t k = 0; k < c; ++k) {
        const T g = dlifted[i * c + k];
        d.conv1_weight[k] += g * mask[i];
        d.conv1_bias[k] += g;
        if (dmask) dmask[i] += g * p.conv1_weight[k];
      }
  }

 private:
  template <class T>
  static void lift(T* y, const T* mask, embedding_params<const T> p, mask_sizes s) {
    for (index_t i = 0; i < s.pixels(); ++i)
      for (index_t k = 0; k < s.channels; ++k) y[i * s.channels + k] = mask[i] * p.conv1_weight[k] + p.conv1_bias[k];
  }
};

template <>
struct kernel<op::mask_convolutions, cpu>;  // nn/cpu/mask_convolutions.hpp

}  // namespace unmask::inline UNMASK_ABI
