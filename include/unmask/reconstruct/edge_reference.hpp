#pragma once

/// The plain reference of `edge_solver`, in any precision: the normal equations as one dense matrix, solved by
/// Cholesky's factors. For images of some hundred pixels; in double it tells gradients to 1e-6 and the tuned solver
/// what it should find at the minimum. The number of iterations is not used.

#include <algorithm>
#include <cmath>

#include "../optics/edge_features.hpp"
#include "edge_sizes.hpp"

namespace unmask::inline UNMASK_ABI::detail {

template <class T>
class edge_reference {
 public:
  explicit edge_reference(const edge_sizes& s) : s_(s) {}

  void carve(arena& a) {
    const index_t H = s_.height, W = s_.width, n = s_.coefficients();
    mask_ = a.take<T>(H * W);
    inverse_variance_ = a.take<T>(H * values());
    y_ = a.take<T>(H * values());
    for (T** image : {&z_, &unit_, &v_}) *image = a.take<T>(n);
    weights_ = a.take<T>(H * W * six);
    squares_ = a.take<T>(H * W * six);
    matrix_ = a.take<T>(n * n);
    basis_ = a.take<T>(s_.rank * s_.bands);
  }

  void prepare(const T* basis) { std::copy_n(basis, s_.rank * s_.bands, basis_); }

  template <class Backend>
  void begin(const Backend&, const T* input, const T* mask, index_t stride) {
    const index_t H = s_.height, W = s_.width, C = s_.bands, V = values();
    T light = 0, passed = 0;
    for (index_t h = 0; h < H; ++h)
      for (index_t w = 0; w < W; ++w) passed += mask_[h * W + w] = mask[h * stride + w];
    for (index_t h = 0; h < H; ++h)
      for (index_t w = 0; w < W; ++w)
        for (index_t c = 0; c < C; ++c) y_[h * V + w + s_.step * c] = input[((h * W + w) * 2 + 1) * C + c];
    for (index_t i = 0; i < H * V; ++i) light += y_[i];
    level_ = light > 0 && passed > 0 ? light / (passed * static_cast<T>(C)) : T(0);
    if (!(level_ > 0)) return std::fill_n(z_, s_.coefficients(), T(0)), void();
    const T mean = light / static_cast<T>(H * V), floor = static_cast<T>(optics::sensor_noise().floor);
    for (index_t i = 0; i < H * V; ++i) inverse_variance_[i] = (1 + floor) / (std::max(T(0), y_[i] / mean) + floor);
    for (index_t h = 0; h < H; ++h)
      for (index_t w = 0; w < W; ++w)
        for (index_t k = 0; k < s_.rank; ++k) {
          T dot = 0, energy = 0;
          for (index_t c = 0; c < C; ++c) {
            const T b = basis_[k * C + c];
            dot += b * input[(h * W + w) * 2 * C + c], energy += b * b;
          }
          at(z_, h, k, w) = dot / (level_ * energy);
        }
    T noise = 0;
    each_value(z_, [&](index_t i, T light_of_z) {
      const T rest = light_of_z - y_[i] / level_;
      noise += inverse_variance_[i] * rest * rest;
    });
    lambda_ = std::max(static_cast<T>(options_.noise_weight) * noise / static_cast<T>(H * V),
                       static_cast<T>(options_.last_weight));
  }

  template <class Backend>
  void describe(const Backend&, T* channels) {
    const optics::detail::edge_channels layout{s_.rank};
    const index_t W = s_.width, N = layout.count();
    find_units();
    find_weights();
    each_pixel([&](index_t h, index_t w) {
      T* to = channels + (h * W + w) * N;
      for (index_t e = 0; e < six; ++e) {
        const bool is = there(e % 3, h, w);
        const T least = static_cast<T>(optics::detail::least_difference);
        to[e] = is ? std::log(weights_[(h * W + w) * six + e]) : T(0);
        to[layout.squares() + e] = is ? std::log(squares_[(h * W + w) * six + e] + least * least) / 2 : T(0);
      }
      for (index_t k = 0; k < s_.rank; ++k) {
        to[layout.coefficients() + k] = std::asinh(at(z_, h, k, w));
        at(v_, h, k, w) = 0;
      }
      to[layout.mask()] = mask_[h * W + w];
      to[layout.noise()] = std::log(lambda_ / static_cast<T>(options_.last_weight));
    });
    add_roughness(v_, z_);
    each_pixel([&](index_t h, index_t w) {
      for (index_t k = 0; k < s_.rank; ++k)
        channels[(h * W + w) * N + layout.forces() + k] = std::asinh(at(v_, h, k, w));
    });
  }

  template <class Backend>
  void solve(const Backend&, T* z, T* x, const T* logarithms, index_t /*iterations*/) {
    const index_t W = s_.width, C = s_.bands;
    std::fill_n(x, s_.height * W * C, T(0));
    std::fill_n(z, s_.coefficients(), T(0));
    if (!(level_ > 0)) return;
    set_weights(logarithms);
    std::fill_n(z, s_.coefficients(), T(0));
    each_landing([&](index_t h, index_t w, index_t c, index_t v) {
      for (index_t k = 0; k < s_.rank; ++k)
        at(z, h, k, w) += mask_[h * W + w] * basis_[k * C + c] * inverse_variance_[v] * y_[v] / level_;
    });
    solve_for(z);
    each_pixel([&](index_t h, index_t w) {
      for (index_t c = 0; c < C; ++c) {
        T sum = 0;
        for (index_t k = 0; k < s_.rank; ++k) sum += basis_[k * C + c] * at(z, h, k, w);
        x[(h * W + w) * C + c] = std::max(T(0), level_ * sum);
      }
    });
  }

  template <class Backend>
  void differentiate(const Backend&, T* dlogarithms, const T* dx, const T* x, const T* z, const T* logarithms,
                     index_t /*iterations*/) {
    const index_t W = s_.width, C = s_.bands;
    std::fill_n(dlogarithms, s_.height * W * six, T(0));
    if (!(level_ > 0)) return;
    set_weights(logarithms);
    each_pixel([&](index_t h, index_t w) {
      for (index_t k = 0; k < s_.rank; ++k) {
        T sum = 0;
        for (index_t c = 0; c < C; ++c)
          if (x[(h * W + w) * C + c] > 0) sum += basis_[k * C + c] * dx[(h * W + w) * C + c];
        at(v_, h, k, w) = level_ * sum;
      }
    });
    solve_for(v_);
    each_edge([&](index_t way, index_t h, index_t w) {
      T both = 0, along_z = 0, along_v = 0;
      for (index_t k = 0; k < s_.rank; ++k) {
        const T dz = difference(z, way, h, k, w), dv = difference(v_, way, h, k, w), u = at(unit_, h, k, w);
        both += dz * dv, along_z += u * dz, along_v += u * dv;
      }
      const index_t e = (h * W + w) * six + way;
      const auto slope = [&](index_t i) {
        const T most = static_cast<T>(optics::detail::largest_log_weight);
        return std::abs(logarithms[i]) <= most ? -lambda_ * std::exp(logarithms[i]) : T(0);
      };
      dlogarithms[e] = slope(e) * (both - along_z * along_v);
      dlogarithms[e + 3] = slope(e + 3) * along_z * along_v;
    });
  }

 private:
  static constexpr index_t six = optics::detail::edge_channels::weights;

  index_t values() const { return s_.geometry().measurement_width(); }
  template <class U>
  U& at(U* image, index_t h, index_t k, index_t w) const {
    return image[(h * s_.rank + k) * s_.width + w];
  }
  bool there(index_t way, index_t h, index_t w) const {
    return (way == 1 || w + 1 < s_.width) && (way == 0 || h + 1 < s_.height);
  }
  /// The pixels of a difference with their signs: right, below, corner.
  template <class Body>
  static void each_end(index_t way, Body&& body) {
    static constexpr index_t ends[3][4][3] = {{{0, 0, -1}, {0, 1, 1}, {}, {}},
                                              {{0, 0, -1}, {1, 0, 1}, {}, {}},
                                              {{0, 0, 1}, {0, 1, -1}, {1, 0, -1}, {1, 1, 1}}};
    for (const auto& e : ends[way])
      if (e[2] != 0) body(e[0], e[1], static_cast<T>(e[2]));
  }
  T difference(const T* image, index_t way, index_t h, index_t k, index_t w) const {
    T sum = 0;
    each_end(way, [&](index_t down, index_t right, T sign) { sum += sign * at(image, h + down, k, w + right); });
    return sum;
  }

  template <class Body>
  void each_pixel(Body&& body) const {
    for (index_t h = 0; h < s_.height; ++h)
      for (index_t w = 0; w < s_.width; ++w) body(h, w);
  }
  template <class Body>
  void each_edge(Body&& body) const {
    each_pixel([&](index_t h, index_t w) {
      for (index_t way = 0; way < 3; ++way)
        if (there(way, h, w)) body(way, h, w);
    });
  }
  template <class Body>
  void each_landing(Body&& body) const {
    each_pixel([&](index_t h, index_t w) {
      for (index_t c = 0; c < s_.bands; ++c) body(h, w, c, h * values() + w + s_.step * c);
    });
  }
  /// body(i, (A L z)_i) for the values of the measurement.
  template <class Body>
  void each_value(const T* z, Body&& body) {
    T* sums = matrix_;
    std::fill_n(sums, s_.height * values(), T(0));
    each_landing([&](index_t h, index_t w, index_t c, index_t v) {
      for (index_t k = 0; k < s_.rank; ++k)
        sums[v] += mask_[h * s_.width + w] * basis_[k * s_.bands + c] * at(z, h, k, w);
    });
    for (index_t i = 0; i < s_.height * values(); ++i) body(i, sums[i]);
  }

  void find_units();
  void find_weights();
  void set_weights(const T* logarithms);
  void add_roughness(T* to, const T* x) const;
  void solve_for(T* x);

  edge_sizes s_;
  optics::spectral_tv_options options_{};
  T *mask_ = nullptr, *inverse_variance_ = nullptr, *y_ = nullptr, *z_ = nullptr, *unit_ = nullptr, *v_ = nullptr;
  T *weights_ = nullptr, *squares_ = nullptr;  // [H, W, 6]: colour, then brightness, of three differences
  T *matrix_ = nullptr, *basis_ = nullptr;
  T level_ = 0, lambda_ = 1;
};

}  // namespace unmask::inline UNMASK_ABI::detail

#include "edge_reference_parts.hpp"
