#pragma once

/// Preconditioned conjugate gradients for the normal equations of `spectral_tv`. Source: Hestenes and Stiefel 1952,
/// with the recurrences of Chronopoulos and Gear 1989: the images are larger than caches, and so an iteration goes
/// through them twice, not four times.

#include "../core/finite.hpp"
#include "spectral_preconditioner.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class conjugate_gradient {
 public:
  explicit conjugate_gradient(const spectral_operator& a)
      : layout_(a.layout()), preconditioner_(a), dots_(layout_.height) {}

  void carve(arena& memory) { preconditioner_.carve(memory); }

  void carve_scratch(arena& memory) {
    solution_.carve(memory, layout_.height, layout_.row());
    for (float** image : {&r_, &normal_, &p_, &change_}) *image = memory.take<float>(layout_.size());
    dots_.carve(memory);
    preconditioner_.carve_scratch(memory);
  }

  void prepare(const spectral_operator& a) { preconditioner_.prepare(a); }
  void clear_frames() const { solution_.clear_frame(); }

  /// [H, W] three times, and [H, K, W]: dead before and after `solve`, for whoever needs scratch there.
  edge_images spare_edges() const { return {r_, p_, normal_}; }
  float* spare_image() const { return r_; }

  /// From z [H, K, W], framed, where the operator's `measured` is t (A L z - y): `iterations` towards the minimum.
  /// False where the numbers stopped being finite; z is then what it was before that iteration.
  template <class Backend>
  bool solve(const Backend& be, const normal_equations& problem, float* z, index_t iterations) {
    first_residual(be, problem, z);
    return descend(be, problem, z, iterations);
  }

  /// The same from z = 0 for any right-hand side [H, K, W], which need not be framed; what `measured` holds is lost.
  template <class Backend>
  bool solve_for(const Backend& be, const normal_equations& problem, float* z, const float* right, index_t iterations) {
    std::fill_n(z, layout_.size(), 0.f);
    std::copy_n(right, layout_.size(), r_);
    return descend(be, problem, z, iterations);
  }

 private:
  using pack = simd::pack<float>;

  /// From r_ = the residual of z. The last iteration only moves: nobody asks where the next one would go.
  template <class Backend>
  bool descend(const Backend& be, const normal_equations& problem, float* z, index_t iterations) {
    const preconditioned found{r_, solution_.data(), normal_};
    parallel_for(be, preconditioner_.groups(), [&](index_t group, int) {
      preconditioner_.factor(group, problem);
      preconditioner_.apply(group, problem, found, dots_, [&](index_t h) {
        std::fill_n(p_ + h * layout_.row(), layout_.row(), 0.f);
        std::fill_n(change_ + h * layout_.row(), layout_.row(), 0.f);
      });
    });
    double slope = dots_.total(), before = 1, length = 1;
    for (index_t i = 0; i < iterations; ++i) {
      const double turn = i == 0 ? 0 : slope / before,
                   curvature = add_roughness(be, problem) - turn * slope / length;  // of the direction
      if (!is_finite(curvature) || !is_finite(slope)) return false;
      if (!(curvature > 0 && slope > 0)) return true;  // solved to the last bit
      length = slope / curvature, before = slope;
      const auto step = [&](index_t h) { move(h, z, static_cast<float>(turn), static_cast<float>(length)); };
      if (i + 1 == iterations) {
        parallel_for(be, layout_.height, [&](index_t h, int) { step(h); });
        break;
      }
      parallel_for(be, preconditioner_.groups(),
                   [&](index_t group, int) { preconditioner_.apply(group, problem, found, dots_, step); });
      slope = dots_.total();
    }
    return is_finite(slope);
  }

  /// Row h: p = u + turn p, s = w + turn s, z += length p, r -= length s, with u = M^-1 r, w = A u and s = A p.
  void move(index_t h, float* z, float turn, float length) const {
    const index_t first = h * layout_.row();
    const float *u = solution_.data() + first, *w = normal_ + first;
    float *p = p_ + first, *s = change_ + first, *r = r_ + first, *to = z + first;
    const auto turned = pack::all(turn), step = pack::all(length);
    simd::each_pack<float>(layout_.row(), [=](index_t i, auto access) {
      const auto direction = pack::fma(turned, access.load(p + i), access.load(u + i)),
                 change = pack::fma(turned, access.load(s + i), access.load(w + i));
      access.store(p + i, direction);
      access.store(s + i, change);
      access.store(to + i, pack::fma(step, direction, access.load(to + i)));
      access.store(r + i, pack::fnma(step, change, access.load(r + i)));
    });
  }

  /// r = - L' A' measured - lambda D' w D z
  template <class Backend>
  void first_residual(const Backend& be, const normal_equations& problem, const float* z) {
    const auto lambda = pack::all(problem.lambda);
    parallel_for(be, problem.edges.chunks(), [&](index_t chunk, int) {
      for (auto rows = problem.edges.begin(chunk, z); rows.row < rows.end;) {
        problem.measurement.adjoint(rows.row, r_);
        problem.edges.next_row(rows, z, [&](index_t at, auto access, auto rough) {
          access.store(r_ + at, pack::fnma(lambda, rough, pack::all(0.f) - access.load(r_ + at)));
        });
      }
    });
  }

  /// normal, which is L' A' t A L u, becomes A u = (L' A' t A L + lambda D' w D) u; returns u' A u.
  template <class Backend>
  double add_roughness(const Backend& be, const normal_equations& problem) {
    const auto lambda = pack::all(problem.lambda);
    const float* u = solution_.data();
    parallel_for(be, problem.edges.chunks(), [&](index_t chunk, int) {
      for (auto rows = problem.edges.begin(chunk, u); rows.row < rows.end;) {
        auto dot = pack::all(0.f);
        double& sum = dots_[rows.row];
        problem.edges.next_row(rows, u, [&](index_t at, auto access, auto rough) {
          const auto change = pack::fma(lambda, rough, access.load(normal_ + at));
          access.store(normal_ + at, change);
          dot = pack::fma(access.load(u + at), change, dot);
        });
        sum = static_cast<double>(pack::sum(dot));
      }
    });
    return dots_.total();
  }

  planes layout_;
  spectral_preconditioner preconditioner_;
  row_sums dots_;
  framed_image solution_;                                                      // u
  float *r_ = nullptr, *normal_ = nullptr, *p_ = nullptr, *change_ = nullptr;  // w, p and A p
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
