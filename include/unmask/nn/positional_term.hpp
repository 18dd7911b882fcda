#pragma once

/// The positional term of spectral attention: two depthwise convolutions that see one set of tokens with zeros around
/// it, GELU between them.
///   forward   y = dw2(GELU(dw1(v)))
///   gradient  those of depthwise3x3.hpp and gelu.hpp, from the back
///   shapes    v [N, C] with tokens `ld` apart; y, conv, active [N, C]; W [3, 3, C] each
///   saved     v, conv = dw1(v), active = GELU(conv)
/// A host's part is one set: an image of its rows and columns.

#include "depthwise3x3.hpp"
#include "gelu.hpp"
#include "token_part.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct positional_term {};
}  // namespace op

template <class T>
struct positional_weights {
  const T *first, *second;
};

/// conv may be null where no gradient is wanted.
template <class T>
struct positional_rows {
  T *conv, *active;
};

/// What backward reads of the forward pass.
template <class T>
struct positional_saved {
  matrix<const T> v;
  const T *conv, *active;
  positional_weights<T> weights;
};

/// Both overwrite. dv may be where conv is.
template <class T>
struct positional_outputs {
  T *dv, *dconv;
};

/// Chunks of the weights' gradients, which accumulate: `stride` apart, at most `limit` (a device adds to the first).
template <class T>
struct positional_gradients {
  T *first, *second;
  index_t stride, limit;
};

template <>
struct kernel<op::positional_term, ref> : no_scratch {
  /// The first convolution and GELU, as far as backward needs it.
  template <class Backend, class T>
  static void hidden(const Backend& be, const positional_rows<T>& to, matrix<const T> v, positional_weights<T> w,
                     const token_part& part, index_t c) {
    const depthwise_sizes s = sizes(part, c);
    T* const conv = to.conv ? to.conv : to.active;
    kernel<op::depthwise3x3, Backend>::forward(be, conv, v, w.first, s);
    parallel_for(be, s.height, [&](index_t h, int) {
      const index_t row = h * s.width * c;
      kernel<op::gelu, Backend>::forward(be, to.active + row, conv + row, s.width * c);
    });
  }

  template <class Backend, class T>
  static void forward(const Backend& be, T* y, const positional_rows<T>& to, matrix<const T> v, positional_weights<T> w,
                      const token_part& part, index_t c) {
    hidden(be, to, v, w, part, c);
    kernel<op::depthwise3x3, Backend>::forward(be, y, matrix<const T>{to.active, c}, w.second, sizes(part, c));
  }

  template <class Backend, class T>
  static void backward(const Backend& be, const positional_outputs<T>& to, const positional_gradients<T>& d,
                       const T* dy, const positional_saved<T>& saved, const token_part& part, index_t c,
                       T* /*scratch*/) {
    using depthwise = kernel<op::depthwise3x3, Backend>;
    const depthwise_sizes s = sizes(part, c);
    depthwise::backward(be, to.dconv, chunk_buffers<T>{d.second, d.stride, d.limit}, dy,
                        matrix<const T>{saved.active, c}, saved.weights.second, s);
    parallel_for(be, s.height, [&](index_t h, int) {
      const index_t row = h * s.width * c;
      kernel<op::gelu, Backend>::backward(be, to.dconv + row, to.dconv + row, saved.conv + row, s.width * c);
    });
    depthwise::backward(be, to.dv, chunk_buffers<T>{d.first, d.stride, d.limit}, static_cast<const T*>(to.dconv),
                        saved.v, saved.weights.first, s);
  }

 private:
  static depthwise_sizes sizes(const token_part& part, index_t c) {
    const token_sets sets = part.sets();
    return {sets.rows, sets.cols, c};
  }
};

}  // namespace unmask::inline UNMASK_ABI
