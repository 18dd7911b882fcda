#pragma once

/// One more stage of spectral TV from an estimate of its own, whose edge weights are somebody else's choice, and the
/// gradient of what comes out by these weights:
///
///   z = M^-1 L' A' t y / level,   M = L' A' t A L + lambda D' w D
///   dl / dw_e = - lambda (D z)_e (D v)_e,   M v = level L' dl / dx
///
/// by implicit differentiation: one more solve of the same preconditioned system. Estimate, measurement and mask are
/// given; no gradient goes to them. t, lambda and what the network is told of the estimate are as spectral TV has them.

#include "../optics/conjugate_gradient.hpp"
#include "../optics/edge_features.hpp"
#include "edge_sizes.hpp"

namespace unmask::inline UNMASK_ABI::detail {

/// On the host, for one sample at a time.
class edge_solver {
 public:
  explicit edge_solver(const edge_sizes& s)
      : sizes_(s),
        mask_({s.height, s.width}),
        camera_(optics::camera::create(filled(mask_), s.bands, s.step).value()),
        basis_({s.rank, s.bands}),
        measurement_(camera_, basis_.view()),
        edges_(measurement_.layout()),
        solver_(measurement_) {}

  void carve(arena& a) {
    measurement_.carve(a);
    solver_.carve(a);
    for (auto* image : {&z_, &v_}) image->carve(a, sizes_.height, sizes_.rank * sizes_.width);
    measurement_.carve_scratch(a);
    edges_.carve_scratch(a);
    solver_.carve_scratch(a);
    y_ = a.take<float>(sizes_.height * measurement_.values());
    gradient_ = a.take<float>(sizes_.coefficients());
  }

  /// basis [K, C].
  void prepare(const float* basis) {
    std::copy_n(basis, basis_.size(), basis_.data());
    measurement_.prepare();
    solver_.prepare(measurement_);
  }

  /// A sample: estimate [H, W, 2 C], which has the measurement shifted back behind each pixel's C bands; rows of the
  /// mask `stride` apart.
  template <class Backend>
  void begin(const Backend& be, const float* input, const float* mask, index_t stride);

  /// Channels [H, W, channels] of the estimate.
  template <class Backend>
  void describe(const Backend& be, float* channels) {
    problem().describe(be, channels, z_.data(), lambda_, solver_.spare_edges(), solver_.spare_image());
  }

  /// z [H, K, W] for weights with these logarithms [H, W, 6], and x [H, W, C].
  template <class Backend>
  void solve(const Backend& be, float* z, float* x, const float* logarithms, index_t iterations);

  /// d logarithms [H, W, 6] from dx [H, W, C], x and z being the result of `solve` for this sample, after `describe`.
  template <class Backend>
  void differentiate(const Backend& be, float* dlogarithms, const float* dx, const float* x, const float* z,
                     const float* logarithms, index_t iterations);

 private:
  static in<float, 2> filled(tensor<float, 2>& mask) {
    std::fill(mask.begin(), mask.end(), 1.f);
    return mask.view();
  }
  optics::detail::edge_problem problem() { return {measurement_, edges_, options_}; }
  template <class Backend>
  double residual(const Backend& be, const float* z);

  edge_sizes sizes_;
  optics::spectral_tv_options options_{};
  tensor<float, 2> mask_;
  optics::camera camera_;
  tensor<float, 2> basis_;
  optics::detail::spectral_operator measurement_;
  optics::detail::edge_weights edges_;
  optics::detail::conjugate_gradient solver_;
  optics::detail::framed_image z_, v_;
  float *y_ = nullptr, *gradient_ = nullptr;
  float level_ = 0, lambda_ = 1;
};

template <class Backend>
void edge_solver::begin(const Backend& be, const float* input, const float* mask, index_t stride) {
  const index_t H = sizes_.height, W = sizes_.width, C = sizes_.bands, s = sizes_.step, V = measurement_.values();
  for (index_t h = 0; h < H; ++h) std::copy_n(mask + h * stride, W, &mask_(h, 0));
  camera_.change_mask(mask_.view());
  double light = 0, passed = 0;
  for (const float m : mask_) passed += static_cast<double>(m);
  for (index_t h = 0; h < H; ++h)
    for (index_t v = 0; v < V; ++v) {  // of the bands that value v lies in, the first
      const index_t c = v < W ? 0 : (v - W) / s + 1, w = v - s * c;
      y_[h * V + v] = input[((h * W + w) * 2 + 1) * C + c];
      light += static_cast<double>(y_[h * V + v]);
    }
  for (auto* image : {&z_, &v_}) image->clear_frame();
  edges_.clear_frames(), solver_.clear_frames();
  level_ = light > 0 && passed > 0 ? static_cast<float>(light / (passed * static_cast<double>(C))) : 0;
  if (!(level_ > 0)) return std::fill_n(z_.data(), sizes_.coefficients(), 0.f), void();
  const auto mean = static_cast<float>(light / static_cast<double>(H * V));
  parallel_for(be, H, [&](index_t h, int) { measurement_.weigh_measurement(h, y_, mean); });
  parallel_for(be, H, [&](index_t h, int) {
    for (index_t w = 0; w < W; ++w)
      measurement_.find_coefficients(h, w, z_.data(), input + (h * W + w) * 2 * C, level_);
  });
  const double noise = residual(be, z_.data()) / static_cast<double>(H * V);
  lambda_ = std::max(options_.noise_weight * static_cast<float>(noise), options_.last_weight);
}

/// t (A L z - y / level) into `measured`; the sum of its squares over t.
template <class Backend>
double edge_solver::residual(const Backend& be, const float* z) {
  const index_t V = measurement_.values();
  double sum = 0;
  parallel_for(be, sizes_.height, [&](index_t h, int) {
    float* row = measurement_.measured() + h * V;
    std::transform(y_ + h * V, y_ + (h + 1) * V, row, [&](float v) { return -v / level_; });
    measurement_.forward(h, z);
  });
  for (index_t i = 0; i < sizes_.height * V; ++i)
    sum += static_cast<double>(measurement_.measured()[i]) * static_cast<double>(measurement_.measured()[i]) *
           static_cast<double>(measurement_.inverse_variance()[i]);
  parallel_for(be, sizes_.height, [&](index_t h, int) { measurement_.apply_inverse_variance(h); });
  return sum;
}

template <class Backend>
void edge_solver::solve(const Backend& be, float* z, float* x, const float* logarithms, index_t iterations) {
  const index_t H = sizes_.height, W = sizes_.width, C = sizes_.bands;
  std::fill_n(x, H * W * C, 0.f);
  if (!(level_ > 0)) return std::fill_n(z, sizes_.coefficients(), 0.f), void();
  problem().set(be, logarithms);
  solver_.solve(be, {measurement_, edges_, lambda_}, z_.data(), iterations);
  std::copy_n(z_.data(), sizes_.coefficients(), z);
  parallel_for(be, H,
               [&](index_t h, int) { measurement_.add_spectra(h, array_view<float, 3>(x, H, W, C), z, level_); });
}

template <class Backend>
void edge_solver::differentiate(const Backend& be, float* dlogarithms, const float* dx, const float* x, const float* z,
                                const float* logarithms, index_t iterations) {
  const index_t H = sizes_.height, W = sizes_.width, C = sizes_.bands, K = sizes_.rank;
  std::fill_n(dlogarithms, H * W * 6, 0.f);
  if (!(level_ > 0)) return;
  problem().set(be, logarithms);
  parallel_for(be, H, [&](index_t h, int) {
    for (index_t k = 0; k < K; ++k)
      for (index_t w = 0; w < W; ++w) {
        float sum = 0;
        for (index_t c = 0; c < C; ++c) {
          const index_t at = (h * W + w) * C + c;
          if (x[at] > 0) sum += basis_(k, c) * dx[at];
        }
        gradient_[(h * K + k) * W + w] = level_ * sum;
      }
  });
  solver_.solve_for(be, {measurement_, edges_, lambda_}, v_.data(), gradient_, iterations);
  const float *v = v_.data(), *unit = edges_.unit_spectrum();
  parallel_for(be, H, [&](index_t h, int) {
    for (index_t w = 0; w < W; ++w)
      for (index_t way = 0; way < 3; ++way) {
        const bool right = way != 1, down = way != 0;
        if ((right && w + 1 == W) || (down && h + 1 == H)) continue;
        float along_z = 0, along_v = 0, both = 0;
        for (index_t k = 0; k < K; ++k) {
          const index_t at = (h * K + k) * W + w, below = at + K * W;
          const auto difference = [&](const float* image) {
            if (way == 0) return image[at + 1] - image[at];
            if (way == 1) return image[below] - image[at];
            return image[below + 1] - image[below] - image[at + 1] + image[at];
          };
          const float dz = difference(z), dv = difference(v);
          along_z += unit[at] * dz, along_v += unit[at] * dv, both += dz * dv;
        }
        const index_t at = (h * W + w) * 6 + way;
        const auto slope = [&](float l) {  // of a weight by its logarithm
          return std::abs(l) <= optics::detail::largest_log_weight ? -lambda_ * std::exp(l) : 0.f;
        };
        dlogarithms[at] = slope(logarithms[at]) * (both - along_z * along_v);
        dlogarithms[at + 3] = slope(logarithms[at + 3]) * along_z * along_v;
      }
  });
}

}  // namespace unmask::inline UNMASK_ABI::detail
