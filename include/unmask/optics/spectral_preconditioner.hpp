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
  explicit spectral_preconditioner(const spectral_operator& a) : layout_(a.layout()), inverse_(a.geometry()) {}

  /// Rows are solved in groups.
  index_t groups() const { return inverse_.groups(); }
  index_t first_row(index_t group) const { return group * inverse_.lanes; }
  index_t end_row(index_t group) const { return std::min(first_row(group + 1), layout_.height); }

  void carve(arena& memory) { inverse_.carve(memory); }
  void carve_scratch(arena& memory) { inverse_.carve_scratch(memory); }
  void prepare(const spectral_operator& a) { inverse_.prepare(a.columns(), layout_.count); }

  /// Before `apply`, for each group.
  void factor(index_t group, const normal_equations& problem) {
    const index_t W = layout_.width, K = layout_.count, row = layout_.row();
    const edge_weights& edges = problem.edges;
    const float lambda = problem.lambda, *columns = problem.measurement.columns();
    inverse_.factor(
        group, problem.measurement.seen_by().mask().data(), problem.measurement.inverse_variance(),
        [&](index_t h, index_t w) {
          const float colour = inverse_weight(edges.colour_diagonal()[h * W + w], lambda);
          return std::pair{colour, inverse_weight(edges.brightness_diagonal()[h * W + w], lambda) - colour};
        },
        [&](index_t c, index_t h, index_t w) {
          float sum = 0;
          for (index_t k = 0; k < K; ++k) sum += columns[c * K + k] * edges.unit_spectrum()[h * row + k * W + w];
          return sum;
        });
  }

  /// A group's rows of solution and normal, and each row's residual' solution into `dots`. A L q is what the inverse
  /// leaves over t, whose L' A' is needed anyway, so no iteration measures q.
  void apply(index_t group, const normal_equations& problem, const preconditioned& x, const row_sums& dots) {
    const spectral_operator& a = problem.measurement;
    const index_t V = a.values(), row = layout_.row();
    for (index_t h = first_row(group); h < end_row(group); ++h) {
      divide_by_diagonal(h, problem, x.solution, x.residual);
      std::fill_n(a.measured() + h * V, V, 0.f);
      a.forward(h, x.solution);
    }
    inverse_.solve(group, a.measured());
    for (index_t h = first_row(group); h < end_row(group); ++h) {
      a.adjoint(h, x.normal);
      simd::transform<float>(
          row, x.solution + h * row, [](auto r, auto n) { return r - n; }, x.residual + h * row, x.normal + h * row);
      divide_by_diagonal(h, problem, x.solution, x.solution);
      auto sum = pack::all(0.f);
      simd::each_pack<float>(row, [&](index_t i, auto access) {
        sum = pack::fma(access.load(x.residual + h * row + i), access.load(x.solution + h * row + i), sum);
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

  /// Row h of y = x divided by the diagonal of lambda D' w D. y may be x.
  void divide_by_diagonal(index_t h, const normal_equations& problem, float* y, const float* x) const {
    const index_t W = layout_.width, K = layout_.count, first = h * layout_.row();
    const float *unit = problem.edges.unit_spectrum() + first, *colours = problem.edges.colour_diagonal() + h * W,
                *brightness = problem.edges.brightness_diagonal() + h * W;
    const float lambda = problem.lambda;
    simd::each_pack<float>(W, [&](index_t i, auto access) {
      // of its own, not captured: a store could change what is captured, so it would be read again after each
      const index_t planes = K, stride = W;
      const float *along = unit + i, *from = x + first + i;
      float* to = y + first + i;
      auto dot = pack::all(0.f);
      for (index_t k = 0; k < planes; ++k)
        dot = pack::fma(access.load(along + k * stride), access.load(from + k * stride), dot);
      const auto colour = inverse_weights(access.load(colours + i), lambda);
      dot = dot * (inverse_weights(access.load(brightness + i), lambda) - colour);
      for (index_t k = 0; k < planes; ++k)
        access.store(to + k * stride,
                     pack::fma(access.load(along + k * stride), dot, access.load(from + k * stride) * colour));
    });
  }

  planes layout_;
  dispersion_inverse inverse_;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
