#pragma once

/// Weights, roughness and the dense solve of the plain reference. Part of edge_reference.hpp.

#include "edge_reference.hpp"

namespace unmask::inline UNMASK_ABI::detail {

/// Along z averaged with 1 2 1 in rows and columns.
template <class T>
void edge_reference<T>::find_units() {
  each_pixel([&](index_t h, index_t w) {
    T square = 0;
    for (index_t k = 0; k < s_.rank; ++k) {
      T sum = 0;
      for (index_t i = -1; i <= 1; ++i)
        for (index_t j = -1; j <= 1; ++j)
          sum += static_cast<T>((2 - std::abs(i)) * (2 - std::abs(j))) *
                 at(z_, std::clamp<index_t>(h + i, 0, s_.height - 1), k, std::clamp<index_t>(w + j, 0, s_.width - 1));
      at(unit_, h, k, w) = sum;
      square += sum * sum;
    }
    const T length = std::max(std::sqrt(square), static_cast<T>(1e-6f));
    for (index_t k = 0; k < s_.rank; ++k) at(unit_, h, k, w) /= length;
  });
}

/// Squares of z's differences, and the weights that these ask for.
template <class T>
void edge_reference<T>::find_weights() {
  const index_t H = s_.height, W = s_.width;
  std::fill_n(squares_, H * W * six, T(0));
  std::fill_n(weights_, H * W * six, T(0));
  each_edge([&](index_t way, index_t h, index_t w) {
    T along = 0, all = 0;
    for (index_t k = 0; k < s_.rank; ++k) {
      const T d = difference(z_, way, h, k, w);
      along += at(unit_, h, k, w) * d, all += d * d;
    }
    T* to = squares_ + (h * W + w) * six + way;
    to[0] = std::max(T(0), all - along * along), to[3] = along * along;
  });
  const T epsilon = static_cast<T>(options_.last_irls_epsilon), shared = static_cast<T>(options_.shared),
          exponent = static_cast<T>(options_.power) / 2 - 1;
  each_edge([&](index_t way, index_t h, index_t w) {
    const auto twice_mean = [&](index_t e) {
      T sum = 0;
      for (index_t i = -1; i <= 1; ++i)
        for (index_t j = -1; j <= 1; ++j)
          sum += static_cast<T>((2 - std::abs(i)) * (2 - std::abs(j))) *
                 squares_[(std::clamp<index_t>(h + i, 0, H - 1) * W + std::clamp<index_t>(w + j, 0, W - 1)) * six + e];
      return sum / 8;
    };
    const T colour = twice_mean(way), brightness = twice_mean(way + 3),
            factor = way == 2 ? static_cast<T>(options_.corner_weight) : T(1);
    T* to = weights_ + (h * W + w) * six + way;
    to[0] = factor * static_cast<T>(options_.colour_weight) *
            std::pow(colour + shared * brightness + epsilon * epsilon, exponent);
    to[3] = factor * std::pow(brightness + shared * colour + epsilon * epsilon, exponent);
  });
}

template <class T>
void edge_reference<T>::set_weights(const T* logarithms) {
  const T most = static_cast<T>(optics::detail::largest_log_weight);
  for (index_t i = 0; i < s_.height * s_.width * six; ++i)
    weights_[i] = std::exp(std::min(std::max(logarithms[i], -most), most));
}

/// to += D' w D x
template <class T>
void edge_reference<T>::add_roughness(T* to, const T* x) const {
  each_edge([&](index_t way, index_t h, index_t w) {
    const T *weights = weights_ + (h * s_.width + w) * six + way, colour = weights[0], more = weights[3] - weights[0];
    T along = 0;
    for (index_t k = 0; k < s_.rank; ++k) along += at(unit_, h, k, w) * difference(x, way, h, k, w);
    for (index_t k = 0; k < s_.rank; ++k) {
      const T pull = colour * difference(x, way, h, k, w) + more * along * at(unit_, h, k, w);
      each_end(way, [&](index_t down, index_t right, T sign) { at(to, h + down, k, w + right) += sign * pull; });
    }
  });
}

/// x = M^-1 x
template <class T>
void edge_reference<T>::solve_for(T* x) {
  const index_t n = s_.coefficients(), W = s_.width, K = s_.rank;
  std::fill_n(matrix_, n * n, T(0));
  each_pixel([&](index_t h, index_t w) {  // L' A' t A L: pixels of a row that send light to the same value
    for (index_t c = 0; c < s_.bands; ++c)
      for (index_t e = 0; e < s_.bands; ++e) {
        const index_t other = w + s_.step * (c - e);
        if (other < 0 || other >= W) continue;
        const T light = mask_[h * W + w] * mask_[h * W + other] * inverse_variance_[h * values() + w + s_.step * c];
        for (index_t k = 0; k < K; ++k)
          for (index_t l = 0; l < K; ++l)
            matrix_[((h * K + k) * W + w) * n + (h * K + l) * W + other] +=
                light * basis_[k * s_.bands + c] * basis_[l * s_.bands + e];
      }
  });
  each_edge([&](index_t way, index_t h, index_t w) {  // lambda D' w D
    const T *weights = weights_ + (h * W + w) * six + way, colour = weights[0], more = weights[3] - weights[0];
    for (index_t k = 0; k < K; ++k)
      for (index_t l = 0; l < K; ++l) {
        const T part = lambda_ * ((k == l ? colour : T(0)) + more * at(unit_, h, k, w) * at(unit_, h, l, w));
        each_end(way, [&](index_t i, index_t j, T sign) {
          each_end(way, [&](index_t p, index_t q, T other) {
            matrix_[(((h + i) * K + k) * W + w + j) * n + ((h + p) * K + l) * W + w + q] += sign * other * part;
          });
        });
      }
  });
  for (index_t j = 0; j < n; ++j) {  // Cholesky's factor below the diagonal, and x = its inverse times x
    for (index_t i = j; i < n; ++i) {
      T sum = matrix_[i * n + j];
      for (index_t k = 0; k < j; ++k) sum -= matrix_[i * n + k] * matrix_[j * n + k];
      matrix_[i * n + j] = i == j ? std::sqrt(sum) : sum / matrix_[j * n + j];
    }
    for (index_t k = 0; k < j; ++k) x[j] -= matrix_[j * n + k] * x[k];
    x[j] /= matrix_[j * n + j];
  }
  for (index_t j = n - 1; j >= 0; --j) {
    for (index_t i = j + 1; i < n; ++i) x[j] -= matrix_[i * n + j] * x[i];
    x[j] /= matrix_[j * n + j];
  }
}

}  // namespace unmask::inline UNMASK_ABI::detail
