#pragma once

/// The least-squares problem of one outer iteration of `spectral_tv` and what preconditions its conjugate gradients:
///
///   (L' A' t A L + lambda D' w D) z = L' A' t y        t inverse variance, w edge weights, D differences
///
/// The preconditioner keeps the first part as it is and takes the second's diagonal at each pixel, for brightness along
/// the pixel's spectrum and for colours across it (dispersion_inverse.hpp).

#include <utility>

#include "dispersion_inverse.hpp"
#include "edge_weights.hpp"
#include "row_sums.hpp"
#include "spectral_operator.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

struct normal_equations {
  const spectral_operator& measurement;
  const edge_weights& edges;
  float lambda;
};

/// [H, K, W] each: a residual, the preconditioner's solution q for it, and L' A' t A L q.
struct preconditioned {
  const float* residual;
  float *solution, *normal;
};

class spectral_preconditioner {
 public:
  explicit spectral_preconditioner(const spectral_operator& a)
      : layout_(a.layout()), inverse_(a.geometry(), a.layout().count) {}

  /// Rows are solved in groups.
  index_t groups() const { return inverse_.groups(); }
  index_t first_row(index_t group) const { return group * inverse_.lanes; }
  index_t end_row(index_t group) const { return std::min(first_row(group + 1), layout_.height); }

  void carve(arena& memory) { inverse_.carve(memory); }
  void carve_scratch(arena& memory) { inverse_.carve_scratch(memory); }
  void prepare(const spectral_operator& a) { inverse_.prepare(a.columns()); }

  /// Before `apply`, for each group.
  void factor(index_t group, const normal_equations& problem) {
    const index_t W = layout_.width, row = layout_.row();
    const edge_weights& edges = problem.edges;
    const float lambda = problem.lambda;
    inverse_.factor(
        group, problem.measurement.seen_by().mask().data(), problem.measurement.inverse_variance(),
        [&](index_t h, index_t w) {
          const float colour = inverse_weight(edges.colour_diagonal()[h * W + w], lambda);
          return std::pair{colour, inverse_weight(edges.brightness_diagonal()[h * W + w], lambda) - colour};
        },
        [&](index_t k, index_t h, index_t w) { return edges.unit_spectrum()[h * row + k * W + w]; });
  }

  /// A group's rows of solution and normal, and each row's residual' solution into `dots`; before(h) is called ahead of
  /// row h, and may make its residual. A L q is what the inverse leaves over t, whose L' A' is needed anyway, so no
  /// iteration measures q.
  template <class Before>
  void apply(index_t group, const normal_equations& problem, const preconditioned& x, const row_sums& dots,
             Before&& before) {
    const spectral_operator& a = problem.measurement;
    const index_t V = a.values();
    for (index_t h = first_row(group); h < end_row(group); ++h) {
      before(h);
      divide_by_diagonal(
          h, problem, [&](index_t at, auto access) { return access.load(x.residual + at); },
          [&](index_t at, auto access, auto divided) { access.store(x.solution + at, divided); });
      std::fill_n(a.measured() + h * V, V, 0.f);
      a.forward(h, x.solution);
    }
    inverse_.solve(group, a.measured());
    for (index_t h = first_row(group); h < end_row(group); ++h) {
      a.adjoint(h, x.normal);
      auto sum = pack::all(0.f);
      divide_by_diagonal(
          h, problem,
          [&](index_t at, auto access) { return access.load(x.residual + at) - access.load(x.normal + at); },
          [&](index_t at, auto access, auto divided) {
            access.store(x.solution + at, divided);
            sum = pack::fma(access.load(x.residual + at), divided, sum);
          });
      dots[h] = static_cast<double>(pack::sum(sum));
    }
  }

 private:
  using pack = simd::pack<float>;

  /// One over a weight, which may be 0 in an image of one pixel.
  static float inverse_weight(float weight, float lambda) { return 1 / (lambda * weight + 1e-5f); }
  static pack::type inverse_weights(pack::type weight, float lambda) {
    return pack::all(1.f) / pack::fma(pack::all(lambda), weight, pack::all(1e-5f));
  }

  /// Row h of an image divided by the diagonal of lambda D' w D: store(at, access, load(at, access) divided).
  template <class Load, class Store>
  UNMASK_INLINE void divide_by_diagonal(index_t h, const normal_equations& problem, Load&& load, Store&& store) const {
    const index_t W = layout_.width, first = h * layout_.row();
    const float *unit = problem.edges.unit_spectrum(), *colours = problem.edges.colour_diagonal() + h * W,
                *brightness = problem.edges.brightness_diagonal() + h * W;
    const float lambda = problem.lambda;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      const auto colour = inverse_weights(access.load(colours + i), lambda),
                 more = inverse_weights(access.load(brightness + i), lambda) - colour;
      // of its own, not captured: a store could change what is captured, so it would be read again after each
      const index_t stride = layout_.width, planes = layout_.count, start = first + i;
      const float* along = unit;
      auto dot = pack::all(0.f);
      if (planes == kept) {  // in registers between both loops
        pack::type x[kept];
#pragma GCC unroll 8
        for (index_t k = 0; k < kept; ++k) {
          x[k] = load(start + k * stride, access);
          dot = pack::fma(access.load(along + start + k * stride), x[k], dot);
        }
        dot = dot * more;
#pragma GCC unroll 8
        for (index_t k = 0; k < kept; ++k)
          store(start + k * stride, access, pack::fma(access.load(along + start + k * stride), dot, x[k] * colour));
        return;
      }
      for (index_t k = 0; k < planes; ++k)
        dot = pack::fma(access.load(along + start + k * stride), load(start + k * stride, access), dot);
      dot = dot * more;
      for (index_t k = 0; k < planes; ++k)
        store(start + k * stride, access,
              pack::fma(access.load(along + start + k * stride), dot, load(start + k * stride, access) * colour));
    });
  }

  static constexpr index_t kept = 8;  // the usual rank

  planes layout_;
  dispersion_inverse inverse_;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
