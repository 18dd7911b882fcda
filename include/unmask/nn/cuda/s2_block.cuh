#pragma once

/// A block on a GPU: fused into few kernels in inference where it fits (fused_block.cuh), else composed of operations.

#include "composed_block.cuh"
#include "fused_block.cuh"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::s2_block, cuda> {
  template <class T>
  static bool fuses(const s2_block& l, bool training) {
    return !training && detail::fused_cuda_block<T>::fits(l);
  }

  template <class T>
  struct prepared {
    cuda_embeddings<T> embeddings;
    cuda_block_weights<T> weights;
    bool fused = false;
    void carve(arena& a, const s2_block& l, index_t batch, bool training) {
      embeddings.carve(a, l, batch);
      fused = fuses<T>(l, training);
      if (fused) weights.carve(a, l);
    }
  };

  template <class T>
  struct scratch : cuda_block_scratch<T> {
    cuda_fused_scratch<T> fused;
    void carve(arena& a, const cuda& be, const s2_block& l, index_t batch, bool training) {
      if (!fuses<T>(l, training)) return cuda_block_scratch<T>::carve(a, be, l, batch, training);
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
    return fuses<T>(l, training) ? 0 : l.branches();
  }
  template <class T>
  static bool repeats(const s2_block&) {
    return false;
  }
  template <class T>
  static void prepare(const cuda& be, const prepared<T>& made, const s2_block& l, const T* mask,
                      const block_params<const T>& p, index_t batch, const scratch<T>& s) {
    detail::composed_cuda_block<T>{be, l, p, mask, nullptr, batch, made.embeddings, s}.prepare();
    if (made.fused) detail::fused_cuda_block<T>{be, l, p, made.weights, s.fused}.prepare();
  }
  template <class T>
  static void forward(const cuda& be, const s2_block& l, const block_images<T>& m, const T* mask, const T* keep,
                      const block_params<const T>& p, index_t batch, const prepared<T>& made, const scratch<T>& s) {
    const cuda_embeddings<T>& e = made.embeddings;
    if (made.fused)
      detail::fused_cuda_block<T>{be, l, p, made.weights, s.fused}.forward(m.y, m.x, e.spatial, e.spectral, keep,
                                                                           batch);
    else
      detail::composed_cuda_block<T>{be, l, p, mask, keep, batch, e, s}.forward(m.y, m.a, m.b, m.x);
  }
  template <class T>
  static void backward(const cuda& be, const s2_block& l, T* d, T* dmask, block_params<T>& dp, const block_images<T>& m,
                       const T* mask, const T* keep, const block_params<const T>& p, index_t batch,
                       const prepared<T>& made, const scratch<T>& s) {
    detail::composed_cuda_block<T>{be, l, p, mask, keep, batch, made.embeddings, s}.backward(d, dmask, dp, m.x, m.a,
                                                                                             m.b);
  }
};

}  // namespace unmask::inline UNMASK_ABI
