#pragma once

/// rho, the penalty of a difference, and the plumbing that the three losses share.
///
///   l1           L = mean w |d|                     (the default of METHOD, stages ME and MA)
///   squared      L = mean w d^2
///   rmse         L = sqrt(mean w d^2), over the whole batch, as the field's training scripts have it
///   charbonnier  L = mean w sqrt(d^2 + epsilon^2)   (Charbonnier et al. 1994; smooth at 0, where l1 has a kink)
///
/// Every kind is outer(mean w phi(d)), so the gradient is outer'(mean) / n * w phi'(d). At a kink (l1 at 0, rmse of an
/// exact estimate) the gradient is 0.

#include <array>
#include <cmath>
#include <string>

#include "../core/result.hpp"
#include "../core/view.hpp"
#include "../parallel/parallel_for.hpp"

namespace unmask::inline UNMASK_ABI::train {

enum class penalty_kind { l1, squared, rmse, charbonnier };

struct penalty {
  penalty_kind kind = penalty_kind::l1;
  double epsilon = 1e-3;  ///< of charbonnier: differences below it count as noise

  bool operator==(const penalty&) const = default;
};

inline result<> check(const penalty& p) {
  if (p.kind == penalty_kind::charbonnier && !(p.epsilon > 0))
    return error(errc::bad_argument, "penalty: epsilon is " + std::to_string(p.epsilon) + ", expected > 0");
  return {};
}

namespace detail {

/// The functions are templates and constexpr, which lets a GPU call them.
struct l1_form {
  template <class T>
  constexpr T value(T d) const {
    return std::abs(d);
  }
  template <class T>
  constexpr T slope(T d) const {
    return static_cast<T>((d > 0) - (d < 0));
  }
  template <class D>
  static constexpr D outer(D mean) {
    return mean;
  }
  template <class D>
  static constexpr D outer_slope(D) {
    return 1;
  }
};

struct squared_form : l1_form {
  template <class T>
  constexpr T value(T d) const {
    return d * d;
  }
  template <class T>
  constexpr T slope(T d) const {
    return 2 * d;
  }
};

struct rmse_form : squared_form {
  template <class D>
  static constexpr D outer(D mean) {
    return std::sqrt(mean);
  }
  template <class D>
  static constexpr D outer_slope(D mean) {
    return mean == 0 ? 0 : .5 / std::sqrt(mean);
  }
};

struct charbonnier_form : l1_form {
  double epsilon;
  explicit charbonnier_form(double e) : epsilon(e) {}
  template <class T>
  constexpr T value(T d) const {
    return std::sqrt(d * d + static_cast<T>(epsilon * epsilon));
  }
  template <class T>
  constexpr T slope(T d) const {
    return d / value(d);
  }
};

/// body(form): the kind becomes a type outside the loops.
template <class Body>
double with_penalty(const penalty& p, Body&& body) {
  switch (p.kind) {
    case penalty_kind::squared:
      return body(squared_form{});
    case penalty_kind::rmse:
      return body(rmse_form{});
    case penalty_kind::charbonnier:
      return body(charbonnier_form(p.epsilon));
    case penalty_kind::l1:
      break;
  }
  return body(l1_form{});
}

/// The sum of body(i) over [0, n), in an order that no thread count changes.
template <class Backend, class Body>
double ordered_sum(const Backend& backend, index_t n, Body&& body) {
  std::array<double, static_cast<std::size_t>(max_chunks)> parts{};
  parallel_chunks(backend, n, [&](index_t chunk, index_t begin, index_t end, int) {
    double sum = 0;
    for (index_t i = begin; i < end; ++i) sum += body(i);
    parts[static_cast<std::size_t>(chunk)] = sum;
  });
  double total = 0;
  for (double part : parts) total += part;
  return total;
}

/// body(b, h) for every row of an image [B, H, ...]; rows own their outputs.
template <class Backend, class Body>
void each_row(const Backend& backend, index_t batch, index_t height, Body&& body) {
  parallel_chunks(backend, batch * height, [&](index_t, index_t begin, index_t end, int) {
    for (index_t i = begin; i < end; ++i) body(i / height, i % height);
  });
}

/// First element of row h of image b; images of one batch may be padded to the right and at the bottom.
template <class T>
T* row(const array_view<T, 4>& v, index_t b, index_t h) {
  return v.data() + (b * v.extent(1) + h) * v.extent(2) * v.extent(3);
}
template <class T>
T* row(const array_view<T, 3>& v, index_t b, index_t h) {
  return v.data() + (b * v.extent(1) + h) * v.extent(2);
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::train
