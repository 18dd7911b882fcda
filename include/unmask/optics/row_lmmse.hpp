#pragma once

/// The linear estimate of least mean squared error, row by row. Bands land along rows, so rows of a snapshot are
/// independent: of a row x [W, C] the sensor holds y = A x + noise, [V], V = W + step (C - 1), and
///   G = P A' (A P A' + s I)^-1
/// is the best linear guess of x, where P is what is known of rows before (row_correlation.hpp) and s the variance of
/// the noise. `correct` gives d = G (y - A x), what an estimate x lacks to explain y; `transposed` gives A' G' g, with
/// which its gradient goes back: the gradient of x + rho d is g - rho A' G' g.
///
/// `prepare` factorises a matrix [V, V] for every row; that depends on the mask alone. Its cost is V^2 (V / 6 + K C /
/// 2)
/// + 8 K W V multiply-adds a row (310 columns on the sensor, 6 components, 28 bands: 14 million), its memory V^2
/// numbers a row. Not in the umbrella header, because it takes <Eigen/Cholesky>.

#include <Eigen/Cholesky>

#include "../core/arena.hpp"
#include "../parallel/parallel_for.hpp"
#include "row_correlation.hpp"

namespace unmask::inline UNMASK_ABI::optics {

struct row_lmmse_sizes {
  index_t rows = 0, width = 0, bands = 0, step = 2;
  index_t components = 6;  ///< spectral ones
  double noise = 1e-4;     ///< s, in the square of the measurement's unit

  constexpr index_t sensor() const { return width + step * (bands - 1); }
};

template <class T>
class row_lmmse {
 public:
  row_lmmse(const row_lmmse_sizes& sizes, int threads) : s_(sizes), threads_(threads) {}

  const row_lmmse_sizes& sizes() const { return s_; }

  void carve(arena& a) {
    const index_t W = s_.width, V = s_.sensor(), K = s_.components;
    mask_ = a.take<T>(s_.rows * W);
    factors_ = a.take<T>(K * s_.bands);
    decay_ = a.take<T>(2 * K);
    share_ = a.take<T>(2 * K);
    matrices_ = a.take<T>(s_.rows * V * V);
    scratch_ = a.take<T>(threads_ * scratch_size());
  }

  /// `mask` [rows, W], rows `stride` apart; `factors` f [K, C].
  template <class Backend>
  void prepare(const Backend& be, const T* mask, index_t stride, const T* factors) {
    std::copy_n(factors, s_.components * s_.bands, factors_);
    for (index_t e = 0; e < 2; ++e)
      for (index_t k = 0; k < s_.components; ++k) {
        const row_exponential& part = along_row(k)[static_cast<std::size_t>(e)];
        decay_[e * s_.components + k] = static_cast<T>(std::exp(-1 / part.length));
        share_[e * s_.components + k] = static_cast<T>(part.share);
      }
    for (index_t r = 0; r < s_.rows; ++r) std::copy_n(mask + r * stride, s_.width, mask_ + r * s_.width);
    parallel_for(be, s_.rows, [&](index_t r, int slot) { factorise(r, scratch_ + slot * scratch_size()); });
  }

  /// d = G (y - A x) of every row: d, x [rows, W, C], y [rows, V]; x null: zero.
  template <class Backend>
  void correct(const Backend& be, T* d, const T* y, const T* x) {
    const index_t V = s_.sensor(), row = s_.width * s_.bands;
    parallel_for(be, s_.rows, [&](index_t r, int slot) {
      T* rest = scratch_ + slot * scratch_size();
      std::copy_n(y + r * V, V, rest);
      if (x) add_light(rest, x + r * row, mask_ + r * s_.width, T(-1));
      solve(r, rest);
      spread(d + r * row, rest, mask_ + r * s_.width);
    });
  }

  /// e = A' G' g of every row, both [rows, W, C]; they may be one.
  template <class Backend>
  void transposed(const Backend& be, T* e, const T* g) {
    const index_t W = s_.width, C = s_.bands, K = s_.components;
    parallel_for(be, s_.rows, [&](index_t r, int slot) {
      T *rest = scratch_ + slot * scratch_size(), *z = rest + s_.sensor(), *smooth = z + W * K, *state = smooth + W * K;
      const T *from = g + r * W * C, *m = mask_ + r * W;
      for (index_t w = 0; w < W; ++w)
        for (index_t k = 0; k < K; ++k) {
          T sum = 0;
          for (index_t c = 0; c < C; ++c) sum += factors_[k * C + c] * from[w * C + c];
          z[w * K + k] = sum;
        }
      correlate(smooth, z, state);
      std::fill_n(rest, s_.sensor(), T(0));
      for (index_t w = 0; w < W; ++w)
        for (index_t c = 0; c < C; ++c) {
          T sum = 0;
          for (index_t k = 0; k < K; ++k) sum += factors_[k * C + c] * smooth[w * K + k];
          rest[w + s_.step * c] += m[w] * sum;
        }
      solve(r, rest);
      T* to = e + r * W * C;
      for (index_t w = 0; w < W; ++w)
        for (index_t c = 0; c < C; ++c) to[w * C + c] = m[w] * rest[w + s_.step * c];
    });
  }

 private:
  using matrix = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>;
  using vector = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, 1>>;

  index_t scratch_size() const {
    const index_t V = s_.sensor(), of_run = V + s_.width * 2 * s_.components + s_.components;
    return std::max(of_run, s_.width * V + V);
  }

  matrix matrix_of(index_t row) const {
    const index_t V = s_.sensor();
    return matrix(matrices_ + row * V * V, V, V);
  }

  /// y += sign A x of one row.
  void add_light(T* y, const T* x, const T* m, T sign) const {
    for (index_t w = 0; w < s_.width; ++w)
      for (index_t c = 0; c < s_.bands; ++c) y[w + s_.step * c] += sign * m[w] * x[w * s_.bands + c];
  }

  /// smooth = R z, both [W, K].
  void correlate(T* smooth, const T* z, T* state) const {
    const index_t K = s_.components;
    std::fill_n(smooth, s_.width * K, T(0));
    for (index_t e = 0; e < 2; ++e)
      detail::add_exponential(smooth, z, s_.width, K, decay_ + e * K, share_ + e * K, state);
  }

  /// d = P A' rest of one row; what lies behind `rest` is scratch.
  void spread(T* d, T* rest, const T* m) const {
    const index_t W = s_.width, C = s_.bands, K = s_.components;
    T *z = rest + s_.sensor(), *smooth = z + W * K, *state = smooth + W * K;
    for (index_t w = 0; w < W; ++w)
      for (index_t k = 0; k < K; ++k) {
        T sum = 0;
        for (index_t c = 0; c < C; ++c) sum += factors_[k * C + c] * rest[w + s_.step * c];
        z[w * K + k] = m[w] * sum;
      }
    correlate(smooth, z, state);
    for (index_t w = 0; w < W; ++w)
      for (index_t c = 0; c < C; ++c) {
        T sum = 0;
        for (index_t k = 0; k < K; ++k) sum += factors_[k * C + c] * smooth[w * K + k];
        d[w * C + c] = sum;
      }
  }

  /// rest = (A P A' + s I)^-1 rest.
  void solve(index_t row, T* rest) const {
    const auto factor = matrix_of(row).template triangularView<Eigen::Lower>();
    vector v(rest, s_.sensor());
    factor.solveInPlace(v);
    factor.transpose().solveInPlace(v);
  }

  /// The lower triangle of A P A' + s I = sum over k of B_k R_k B_k' + s I, then its Cholesky factor in its place;
  /// B_k [V, W] has m_w f_k(c) where band c of column w lands. `smooth`: R_k B_k', [W, V].
  void factorise(index_t row, T* smooth) {
    const index_t W = s_.width, V = s_.sensor(), C = s_.bands, s = s_.step;
    const T* m = mask_ + row * W;
    T *state = smooth + W * V, *to = matrices_ + row * V * V;
    std::fill_n(to, V * V, T(0));
    for (index_t k = 0; k < s_.components; ++k) {
      const T* f = factors_ + k * C;
      std::fill_n(smooth, W * V, T(0));
      for (index_t e = 0; e < 2; ++e) {
        const T decay = decay_[e * s_.components + k], share = share_[e * s_.components + k];
        const auto add_band = [&](index_t w) {
          for (index_t c = 0; c < C; ++c) state[w + s * c] += m[w] * f[c];
        };
        std::fill_n(state, V, T(0));
        for (index_t w = 0; w < W; ++w) {
          for (index_t v = 0; v < V; ++v) state[v] *= decay;
          add_band(w);
          for (index_t v = 0; v < V; ++v) smooth[w * V + v] += share * state[v];
        }
        std::fill_n(state, V, T(0));
        for (index_t w = W - 1; w >= 0; --w) {
          for (index_t v = 0; v < V; ++v) smooth[w * V + v] += share * state[v];
          add_band(w);
          for (index_t v = 0; v < V; ++v) state[v] *= decay;
        }
      }
      for (index_t w = 0; w < W; ++w)
        for (index_t c = 0; c < C; ++c) {
          const index_t i = w + s * c;  // column i of the lower triangle, rows from i on
          const T factor = m[w] * f[c];
          for (index_t v = i; v < V; ++v) to[i * V + v] += factor * smooth[w * V + v];
        }
    }
    for (index_t i = 0; i < V; ++i) to[i * V + i] += static_cast<T>(s_.noise);
    auto whole = matrix_of(row);
    const Eigen::LLT<Eigen::Ref<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>, Eigen::Lower> in_place(whole);
  }

  row_lmmse_sizes s_;
  int threads_;
  T *mask_ = nullptr, *factors_ = nullptr, *decay_ = nullptr, *share_ = nullptr, *matrices_ = nullptr,
    *scratch_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics
