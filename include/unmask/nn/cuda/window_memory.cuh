#pragma once

/// A window in shared memory: what the parts of a fused block work on, one window of up to 64 tokens and 64 channels a
/// thread block. Factors of products lie as `Math` takes them (tile.cuh), everything else as it is.

#include "../layer_norm.hpp"
#include "../token_sets.hpp"
#include "tile.cuh"

namespace unmask::inline UNMASK_ABI::detail {

template <class Math>
class window_memory {
 public:
  using T = typename Math::number;
  using element = typename Math::element;
  static constexpr int threads = 128, tokens = 64;
  /// Thread blocks that the shared memory of an H100's multiprocessor has room for.
  static constexpr int least_blocks = sizeof(element) < sizeof(T) ? 3 : 2;
  static constexpr int ldx = tile_cols + 4, lda = tile_cols + Math::padding;
  static constexpr int tile_size = tile_cols * tile_ldb;  ///< elements of a packed tile of weights

  element* u;    ///< [64, lda] normalised, or another left factor
  element* w;    ///< [64, tile_ldb] a tile of weights
  T *q, *k, *v;  ///< [64, ldx] numbers, or [64, lda] elements, or (v) [64, tile_ldb] elements
  T* x;          ///< the window, where k is otherwise: it is read again from L2 rather than kept
  T* room;       ///< for tables of the part at work
  int* pixel;    ///< [64] of tokens that exist

  static constexpr std::size_t shared(index_t room) {
    return 2 * shared_bytes<T>(tokens * ldx) + shared_bytes<std::byte>(v_bytes) + shared_bytes<T>(room) +
           shared_bytes<element>(tokens * lda) + shared_bytes<element>(tile_size) + shared_bytes<int>(tokens);
  }

  template <class Thread>
  UNMASK_DEVICE window_memory(Thread& t, index_t size_of_room) {
    u = t.template shared<element>(tokens * lda);
    w = t.template shared<element>(tile_size);
    q = t.template shared<T>(tokens * ldx);
    x = k = t.template shared<T>(tokens * ldx);
    v = reinterpret_cast<T*>(t.template shared<std::byte>(v_bytes));
    room = t.template shared<T>(size_of_room);
    pixel = t.template shared<int>(tokens);
  }

  /// A buffer of numbers, as elements.
  static UNMASK_DEVICE element* elements(T* numbers) { return reinterpret_cast<element*>(numbers); }

  /// Where the window is, before anything is read or stored. Ends with a barrier.
  template <class Thread>
  UNMASK_DEVICE void find(Thread& t, const token_sets& sets, int window) const {
    for (int i = t.thread(); i < sets.tokens(); i += threads) pixel[i] = sets.pixel(window, i);
    t.sync();
  }

  /// x, between barriers: before, k may still be read.
  template <class Thread>
  UNMASK_DEVICE void load(Thread& t, const T* image, const token_sets& sets, int channels) const {
    t.sync();
    read(t, x, image, sets, channels);
    t.sync();
  }

  /// to [64, ldx] = the window of an image, zero behind its channels and tokens.
  template <class Thread>
  UNMASK_DEVICE void read(Thread& t, T* to, const T* image, const token_sets& sets, int channels) const {
    for (int row = t.warp(); row < tokens; row += threads / warp_size)
      for (int c = t.lane(); c < tile_cols; c += warp_size)
        to[row * ldx + c] = row < sets.tokens() && c < channels ? image[index_t(pixel[row]) * channels + c] : T(0);
  }

  /// The window of an image = from [64, ldx].
  template <class Thread>
  UNMASK_DEVICE void store(Thread& t, const T* from, T* image, const token_sets& sets, int channels) const {
    for (int row = t.warp(); row < sets.tokens(); row += threads / warp_size)
      for (int c = t.lane(); c < channels; c += warp_size)
        image[index_t(pixel[row]) * channels + c] = from[row * ldx + c];
  }

  /// u = LN(x), zero behind the channels and tokens; a warp a row. No barrier.
  template <class Thread>
  UNMASK_DEVICE void normalise(Thread& t, norm_params<const T> p, int count, int channels) const {
    const int c[2] = {t.lane(), t.lane() + warp_size};
    T gain[2], bias[2];
    for (int i = 0; i < 2; ++i) {
      gain[i] = c[i] < channels ? p.weight[c[i]] : T(0);
      bias[i] = c[i] < channels ? p.bias[c[i]] : T(0);
    }
    for (int row = t.warp(); row < tokens; row += threads / warp_size) {
      const T a = x[row * ldx + c[0]], b = x[row * ldx + c[1]], size = static_cast<T>(channels);
      const T mean = warp_sum(t, a + b) / size;  // x is zero behind its channels
      const T da = c[0] < channels ? a - mean : T(0), db = c[1] < channels ? b - mean : T(0);
      const T rstd = 1 / std::sqrt(warp_sum(t, da * da + db * db) / size + static_cast<T>(layer_norm_epsilon));
      u[row * lda + c[0]] = Math::store(row < count ? da * rstd * gain[0] + bias[0] : T(0));
      u[row * lda + c[1]] = Math::store(row < count ? db * rstd * gain[1] + bias[1] : T(0));
    }
  }

  /// sum += a w, a [64, lda].
  template <class Thread>
  UNMASK_DEVICE void multiply(Thread& t, tile<Math>& sum, const element* a, int channels) const {
    sum.multiply(
        t, [a](int row) { return a + row * lda; }, w, rounded(channels, Math::step));
  }

 private:
  static constexpr index_t v_bytes = std::max<index_t>(tokens * ldx * static_cast<index_t>(sizeof(T)),
                                                       tile_size* static_cast<index_t>(sizeof(element)));
};

/// Packed tiles of weights, one after the other: while a block multiplies by one in shared memory, its threads have the
/// next in registers already, so that nobody waits for L2.
template <class Math>
class tile_stream {
 public:
  using element = typename Math::element;

  /// `from` and `w` aligned to 16 bytes.
  template <class Thread>
  UNMASK_DEVICE tile_stream(Thread& t, const element* from, element* w, int count) : from_(from), w_(w), left_(count) {
    read(t);
  }

  /// w = the next tile; barriers before, while w may still be read, and after.
  template <class Thread>
  UNMASK_DEVICE void next(Thread& t) {
    auto* const to = reinterpret_cast<quad<std::uint32_t>*>(w_);
    t.sync();
    UNMASK_UNROLL
    for (int i = 0; i < own; ++i)
      if (t.thread() + i * threads < quads) to[t.thread() + i * threads] = ahead_[i];
    t.sync();
    read(t);
  }

 private:
  static constexpr int threads = window_memory<Math>::threads, size = window_memory<Math>::tile_size,
                       quads = size * static_cast<int>(sizeof(element)) / 16, own = (quads + threads - 1) / threads;

  template <class Thread>
  UNMASK_DEVICE void read(Thread& t) {
    if (left_-- == 0) return;
    const auto* const at = reinterpret_cast<const quad<std::uint32_t>*>(from_);
    UNMASK_UNROLL
    for (int i = 0; i < own; ++i)
      if (t.thread() + i * threads < quads) ahead_[i] = at[t.thread() + i * threads];
    from_ += size;
  }

  quad<std::uint32_t> ahead_[own];
  const element* from_;
  element* w_;
  int left_;
};

/// Weights as a stream wants them: tiles of 64 x 64, padded with zeros; a thread an element.
template <class Math>
struct pack_each {
  typename Math::element* to;
  const typename Math::number* from;
  index_t ld;
  int rows, cols;  ///< that there are; at most 64 of each

  UNMASK_DEVICE void operator()(index_t i) const {
    const int k = static_cast<int>(i) / tile_ldb, n = static_cast<int>(i) % tile_ldb;
    to[Math::b_at(k, n, tile_ldb)] = Math::store(k < rows && n < cols ? from[k * ld + n] : typename Math::number(0));
  }
};

}  // namespace unmask::inline UNMASK_ABI::detail
