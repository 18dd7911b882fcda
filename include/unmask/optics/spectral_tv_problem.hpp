#pragma once

/// One stage of `spectral_tv`: the least-squares problem that the last result's weights make, and its solution by
/// conjugate gradients.

#include <algorithm>
#include <numeric>

#include "../parallel/parallel_for.hpp"
#include "spectral_tv_options.hpp"
#include "spectral_tv_rows.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

struct spectral_tv_problem : spectral_tv_rows {
  using spectral_tv_rows::spectral_tv_rows;

  double* sums = nullptr;  // [H]

  void carve(arena& memory) {
    spectral_tv_rows::carve(memory);
    sums = memory.take<double>(geometry.height);
  }

  /// Equal bits for any number of threads: one sum a row, added in order.
  template <class Backend, class Row>
  double sum_rows(const Backend& be, Row&& of_row) {
    parallel_for(be, geometry.height, [&](index_t h, int) { sums[h] = of_row(h); });
    return total();
  }

  double total() const { return std::accumulate(sums, sums + geometry.height, 0.); }

  /// What each difference of z weighs.
  template <class Backend>
  void weigh_all(const Backend& be, const spectral_tv_options& o, float softness) {
    const index_t H = geometry.height;
    parallel_for(be, H, [&](index_t h, int) {
      direct(h);
      differ(h);
    });
    parallel_for(be, H,
                 [&](index_t h, int) { weigh(h, softness, o.power, o.shared, o.colour_weight, o.corner_weight); });
    parallel_for(be, H, [&](index_t h, int) { sum(h); });
    parallel_for(be, H, [&](index_t h, int) { join(h); });
  }

  /// Conjugate gradients from z, where line is (A L z - y / level) t: `iterations` steps towards the minimum.
  template <class Backend>
  void descend(const Backend& be, const float* mask, float lambda, index_t iterations) {
    const auto all_lambda = pack::all(lambda);
    parallel_for(be, geometry.height, [&](index_t h, int) { project(h, z); });
    parallel_for(be, geometry.height, [&](index_t h, int) {
      collect(h, r, mask);
      each_roughness(h, z, [&](index_t at, auto access, auto rough) {
        access.store(r + at, pack::fnma(all_lambda, rough, pack::all(0.f) - access.load(r + at)));
      });
    });
    parallel_for(be, inverse.groups(), [&](index_t group, int) {
      factor(group, mask, lambda);
      precondition(group, mask, lambda, sums);
      each_of(group, [&](index_t at, auto access) {
        access.store(p + at, access.load(q + at));
        access.store(seen_p + at, access.load(seen_q + at));
      });
    });
    double steepness = total();
    for (index_t i = 0; i < iterations; ++i) {
      parallel_for(be, geometry.height, [&](index_t h, int) { project(h, p); });
      const double curvature = sum_rows(be, [&](index_t h) {
        auto dot = pack::all(0.f);
        each_roughness(h, p, [&](index_t at, auto access, auto rough) {
          const auto change = pack::fma(all_lambda, rough, access.load(seen_p + at));
          access.store(q + at, change);
          dot = pack::fma(access.load(p + at), change, dot);
        });
        return static_cast<double>(pack::sum(dot));
      });
      if (!(curvature > 0 && steepness > 0)) return;  // solved to the last bit
      const auto length = pack::all(static_cast<float>(steepness / curvature));
      const double before = steepness;
      parallel_for(be, inverse.groups(), [&](index_t group, int) {
        each_of(group, [&](index_t at, auto access) {
          access.store(z + at, pack::fma(length, access.load(p + at), access.load(z + at)));
          access.store(r + at, pack::fnma(length, access.load(q + at), access.load(r + at)));
        });
        precondition(group, mask, lambda, sums);
      });
      steepness = total();
      const auto turn = pack::all(static_cast<float>(steepness / before));
      parallel_for(be, inverse.groups(), [&](index_t group, int) {
        each_of(group, [&](index_t at, auto access) {
          access.store(p + at, pack::fma(turn, access.load(p + at), access.load(q + at)));
          access.store(seen_p + at, pack::fma(turn, access.load(seen_p + at), access.load(seen_q + at)));
        });
      });
    }
  }

 private:
  /// body(at, access) for the numbers of a group's rows.
  template <class Body>
  void each_of(index_t group, Body&& body) const {
    const index_t first = group * inverse.lanes * row, n = std::min(inverse.lanes * row, geometry.height * row - first);
    simd::each_pack<float>(n, [&](index_t i, auto access) { body(first + i, access); });
  }
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
