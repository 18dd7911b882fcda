#pragma once

/// A block on a GPU: fused into few kernels in inference where it fits (fused_block.cuh), else composed of operations.

#include "fused_block.cuh"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::s2_block, cuda> {
  using composed = composed_block<cuda>;

  template <class T>
  static bool fuses(const s2_block& l, bool training) {
    return !training && detail::fused_cuda_block<T>::fits(l);
  }

  template <class T>
  struct prepared : composed::prepared<T> {
    cuda_block_weights<T> weights;
    bool fused = false;
    void carve(arena& a, const s2_block& l, index_t batch, bool training) {
      composed::prepared<T>::carve(a, l, batch, training);
      fused = fuses<T>(l, training);
      if (fused) weights.carve(a, l);
    }
  };

  template <class T>
  struct scratch : block_scratch<T> {
    cuda_fused_scratch<T> fused;
    void carve(arena& a, const cuda& be, const s2_block& l, index_t batch, bool training) {
      if (!fuses<T>(l, training)) return block_scratch<T>::carve(a, be, l, batch, training);
      this->embedding.carve(a, be, {batch, l.grid.height, l.grid.width, l.channels()});
      fused.carve(a, l, batch);
    }
  };

  template <class T>
  static bool in_place(const s2_block& l) {
    return fuses<T>(l, false);
  }
  template <class T>
  static index_t extra_images(const s2_block& l, bool training) {
    return fuses<T>(l, training) ? 0 : composed::extra_images<T>(l, training);
  }
  template <class T>
  static bool repeats(const s2_block&) {
    return false;
  }
  template <class T>
  static void prepare(const cuda& be, const prepared<T>& made, const s2_block& l, const block_batch<T>& in,
                      const block_params<const T>& p, const scratch<T>& s) {
    composed::prepare<T>(be, made, l, in, p, s);
    if (made.fused) detail::fused_cuda_block<T>{be, l, p, made.weights, s.fused}.prepare();
  }
  template <class T>
  static void forward(const cuda& be, const s2_block& l, const block_images<T>& m, const block_batch<T>& in,
                      const block_params<const T>& p, const prepared<T>& made, const scratch<T>& s) {
    if (made.fused)
      detail::fused_cuda_block<T>{be, l, p, made.weights, s.fused}.forward(m, made.embeddings, in);
    else
      composed::forward<T>(be, l, m, in, p, made, s);
  }
  template <class T>
  static void backward(const cuda& be, const s2_block& l, const block_gradients<T>& to, const block_images<T>& m,
                       const block_batch<T>& in, const block_params<const T>& p, const prepared<T>& made,
                       const scratch<T>& s) {
    composed::backward<T>(be, l, to, m, in, p, made, s);
  }
};

}  // namespace unmask::inline UNMASK_ABI
