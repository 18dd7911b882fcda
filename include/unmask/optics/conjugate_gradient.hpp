#pragma once

/// Preconditioned conjugate gradients for the normal equations of `spectral_tv`. Source: Hestenes and Stiefel 1952.

#include "../core/finite.hpp"
#include "spectral_preconditioner.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class conjugate_gradient {
 public:
  explicit conjugate_gradient(const spectral_operator& a)
      : layout_(a.layout()), preconditioner_(a), dots_(layout_.height) {}

  void carve(arena& memory) { preconditioner_.carve(memory); }

  void carve_scratch(arena& memory) {
    direction_.carve(memory, layout_.height, layout_.row());
    for (float** image : {&r_, &q_, &normal_q_, &normal_p_}) *image = memory.take<float>(layout_.size());
    dots_.carve(memory);
    preconditioner_.carve_scratch(memory);
  }

  void prepare(const spectral_operator& a) { preconditioner_.prepare(a); }
  void clear_frames() const { direction_.clear_frame(); }

  /// [H, W] three times, and [H, K, W]: dead before and after `solve`, for whoever needs scratch there.
  edge_images spare_edges() const { return {r_, q_, normal_q_}; }
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

  /// From r_ = the residual of z.
  template <class Backend>
  bool descend(const Backend& be, const normal_equations& problem, float* z, index_t iterations) {
    float* p = direction_.data();
    parallel_for(be, preconditioner_.groups(), [&](index_t group, int) {
      preconditioner_.factor(group, problem);
      preconditioner_.apply(group, problem, {r_, q_, normal_q_}, dots_);
      each_of(group, [&](index_t at, auto access) {
        access.store(p + at, access.load(q_ + at));
        access.store(normal_p_ + at, access.load(normal_q_ + at));
      });
    });
    double slope = dots_.total();
    for (index_t i = 0; i < iterations; ++i) {
      const double curvature = curvature_along(be, problem);
      if (!is_finite(curvature) || !is_finite(slope)) return false;
      if (!(curvature > 0 && slope > 0)) return true;  // solved to the last bit
      const auto length = pack::all(static_cast<float>(slope / curvature));
      const double before = slope;
      parallel_for(be, preconditioner_.groups(), [&](index_t group, int) {
        each_of(group, [&](index_t at, auto access) {
          access.store(z + at, pack::fma(length, access.load(p + at), access.load(z + at)));
          access.store(r_ + at, pack::fnma(length, access.load(q_ + at), access.load(r_ + at)));
        });
        preconditioner_.apply(group, problem, {r_, q_, normal_q_}, dots_);
      });
      slope = dots_.total();
      const auto turn = pack::all(static_cast<float>(slope / before));
      parallel_for(be, preconditioner_.groups(), [&](index_t group, int) {
        each_of(group, [&](index_t at, auto access) {
          access.store(p + at, pack::fma(turn, access.load(p + at), access.load(q_ + at)));
          access.store(normal_p_ + at, pack::fma(turn, access.load(normal_p_ + at), access.load(normal_q_ + at)));
        });
      });
    }
    return is_finite(slope);
  }

  /// r = - L' A' measured - lambda D' w D z
  template <class Backend>
  void first_residual(const Backend& be, const normal_equations& problem, const float* z) {
    const auto lambda = pack::all(problem.lambda);
    parallel_for(be, layout_.height, [&](index_t h, int) { problem.edges.project(h, z); });
    parallel_for(be, layout_.height, [&](index_t h, int) {
      problem.measurement.adjoint(h, r_);
      problem.edges.each_roughness(h, z, [&](index_t at, auto access, auto rough) {
        access.store(r_ + at, pack::fnma(lambda, rough, pack::all(0.f) - access.load(r_ + at)));
      });
    });
  }

  /// q = (L' A' t A L + lambda D' w D) p; returns p' q.
  template <class Backend>
  double curvature_along(const Backend& be, const normal_equations& problem) {
    const auto lambda = pack::all(problem.lambda);
    const float* p = direction_.data();
    parallel_for(be, layout_.height, [&](index_t h, int) { problem.edges.project(h, p); });
    return dots_.over_rows(be, [&](index_t h) {
      auto dot = pack::all(0.f);
      problem.edges.each_roughness(h, p, [&](index_t at, auto access, auto rough) {
        const auto change = pack::fma(lambda, rough, access.load(normal_p_ + at));
        access.store(q_ + at, change);
        dot = pack::fma(access.load(p + at), change, dot);
      });
      return static_cast<double>(pack::sum(dot));
    });
  }

  /// body(at, access) for the numbers of a group's rows.
  template <class Body>
  void each_of(index_t group, Body&& body) const {
    const index_t first = preconditioner_.first_row(group) * layout_.row(),
                  n = preconditioner_.end_row(group) * layout_.row() - first;
    simd::each_pack<float>(n, [&](index_t i, auto access) { body(first + i, access); });
  }

  planes layout_;
  spectral_preconditioner preconditioner_;
  row_sums dots_;
  framed_image direction_;                                                         // p
  float *r_ = nullptr, *q_ = nullptr, *normal_q_ = nullptr, *normal_p_ = nullptr;  // normal: L' A' t A L of
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
