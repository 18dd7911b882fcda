#pragma once

/// Unfolding: rounds of a closed-form data step and an S2-Transformer,
///   v_k = x_k + rho_k G (y - A x_k),   x_(k+1) = v_k + f_k(v_k, mask),   result = x_K + rho_K G (y - A x_K)
/// with G the row-wise linear estimate of least mean squared error (optics/row_lmmse.hpp) and f_k a network of its own
/// or the same for all rounds. Untrained, with last convolutions of zero, the first data step makes the whole result.
///
/// Shapes: x [B, H, W, C], the measurement shifted back (m = 1 in HM, without 2 / C), all rows of the sensor's width;
/// or [B, H, W, 2 C], an estimate and behind it the measurement, where `estimate` says so. y [B, H, W, C].
/// A `Model` (models/concept.hpp), with limits: no gradient goes to x and mask, which come out as zeros; x has to stay
/// where it is until `backward`; `prepare` takes heap (Eigen's Cholesky). The spectral factors of the covariance are
/// stored with the parameters and have no gradient: train without weight decay, which would shrink them.

#include <vector>

#include "../models/s2_network.hpp"
#include "../nn/partial_sums.hpp"
#include "../optics/row_lmmse.hpp"
#include "unfolded_config.hpp"

namespace unmask::inline UNMASK_ABI {

template <class T, host_backend Backend>
class unfolded_network {
 public:
  using value_type = T;
  using backend_type = Backend;
  using config_type = unfolded_config;
  static constexpr std::string_view architecture = "unfolded", last_layer = "round0.conv_last.";

  unfolded_network(Backend be, const unfolded_config& c, network_sizes s, network_mode m)
      : be_(be),
        config_(c),
        sizes_(s),
        training_(m != network_mode::inference),
        count_(make_manifest(c.network()).size),
        lmmse_({s.batch * s.height, s.width, c.bands, c.step, c.components}, thread_slots(be)) {
    for (int k = 0; k < c.rounds; ++k) rounds_.emplace_back(be, c.network(), s, m);
  }

  static result<> check(const unfolded_config& c) { return unmask::check(c); }
  static unmask::manifest manifest(const unfolded_config& c) {
    unmask::manifest all;
    for (int k = 0; k < (c.shared ? 1 : c.rounds); ++k)
      for (const parameter& p : make_manifest(c.network()).entries) {
        const bool last = p.name.starts_with(s2_network<T, Backend>::last_layer);
        all.add("round" + std::to_string(k) + "." + p.name, p.shape, p.order, last ? initial::zero : p.init, p.fan_in);
      }
    all.add("rho", {c.rounds + 1}, memory_order::plain, initial::one);
    all.add("spectral_factors", {c.components, c.bands}, memory_order::plain, initial::uniform, c.bands);
    return all;
  }
  static double work(const unfolded_config& c, network_sizes s) {
    const double sensor = static_cast<double>(s.width + c.step * (c.bands - 1));
    const double rows = static_cast<double>(s.batch * s.height);
    return c.rounds * s2_work(c.network(), s) + rows * sensor * sensor * (sensor / 6 + c.components * c.bands);
  }

  const unfolded_config& config() const { return config_; }
  index_t padded_height() const { return rounds_[0].padded_height(); }
  index_t padded_width() const { return rounds_[0].padded_width(); }
  int stages() const { return config_.rounds; }
  index_t blocks() const { return config_.rounds * rounds_[0].blocks(); }
  index_t branches() const { return config_.rounds * rounds_[0].branches(); }

  void carve(arena& a) {
    for (auto& round : rounds_) {
      round.carve(a);
      a.release(a.peak());  // one round's scratch is not the next one's memory
    }
    lmmse_.carve(a);
    y_ = a.take<T>(lines() * lmmse_.sizes().sensor());
    const index_t cube = lines() * sizes_.width * config_.bands, kept = training_ ? config_.rounds + 1 : 1;
    x_ = a.take<T>(cube);
    v_ = a.take<T>(cube);
    d_ = a.take<T>(kept * cube);
    partial_ = a.take<double>(max_chunks);
  }

  void prepare(in<T, 3> mask, const T* p) {
    for (std::size_t k = 0; k < rounds_.size(); ++k) rounds_[k].prepare(mask, weights(p, k));
    // rows of all samples one after another; padding is of the networks only
    for (index_t b = 0; b < sizes_.batch; ++b)
      for (index_t h = 0; h < sizes_.height; ++h)
        std::copy_n(&mask(b, h, 0), sizes_.width, x_ + (b * sizes_.height + h) * sizes_.width);
    lmmse_.prepare(be_, x_, sizes_.width, rho(p) + config_.rounds + 1);
  }

  void run(out<T, 4> y, in<T, 4> x, in<T, 3> mask, const T* p, const T* keep = nullptr) {
    read(x);
    for (std::size_t k = 0; k < rounds_.size(); ++k) {
      data_step(v_, k, rho(p)[k], k > 0 || config_.estimate);
      rounds_[k].run(image(x_), image(v_), mask, weights(p, k), of_round(keep, k));
    }
    data_step(v_, rounds_.size(), rho(p)[rounds_.size()], true);
    std::copy_n(v_, y.size(), y.data());
  }
  void forward(out<T, 4> y, in<T, 4> x, in<T, 3> mask, const T* p, const T* keep = nullptr) {
    prepare(mask, p), run(y, x, mask, p, keep);
  }
  array_view<T, 4> pin(int stage) const { return rounds_[static_cast<std::size_t>(stage)].pin(0); }

  void backward(const input_gradients<T>& to, const output_gradients<T>& from, in<T, 3> mask, const T* p,
                const T* keep = nullptr) {
    std::copy_n(from.output.data(), cube(), v_);
    for (std::size_t k = rounds_.size();; --k) {  // v_: the gradient of v_k
      to.parameters[rho(p) - p + static_cast<index_t>(k)] += dot(v_, kept(k));
      if (k == 0) break;
      lmmse_.transposed(be_, x_, v_);
      subtract(v_, rho(p)[k], x_);
      const auto pins = k - 1 < from.pins.size() ? from.pins.subspan(k - 1, 1) : from.pins.first(0);
      rounds_[k - 1].backward({to.parameters + offset(k - 1), image(x_)}, {image(v_), pins}, mask, weights(p, k - 1),
                              of_round(keep, k - 1));
      std::swap(x_, v_);
    }
    if (to.input.data()) std::fill_n(to.input.data(), to.input.size(), T(0));
    if (to.mask.data()) std::fill_n(to.mask.data(), to.mask.size(), T(0));
  }

 private:
  index_t lines() const { return sizes_.batch * sizes_.height; }
  index_t cube() const { return lines() * sizes_.width * config_.bands; }
  index_t offset(std::size_t round) const { return config_.shared ? 0 : static_cast<index_t>(round) * count_; }
  const T* weights(const T* p, std::size_t round) const { return p + offset(round); }
  const T* rho(const T* p) const { return p + (config_.shared ? 1 : config_.rounds) * count_; }
  T* kept(std::size_t round) const { return d_ + (training_ ? static_cast<index_t>(round) * cube() : 0); }
  const T* of_round(const T* keep, std::size_t k) const {
    return keep ? keep + static_cast<index_t>(k) * rounds_[0].branches() * sizes_.batch : nullptr;
  }
  array_view<T, 4> image(T* x) const {
    return array_view<T, 4>(x, sizes_.batch, sizes_.height, sizes_.width, index_t{config_.bands});
  }

  /// The measurement into y_, and the estimate, where there is one, into x_.
  void read(const in<T, 4>& x) {
    const index_t W = sizes_.width, C = config_.bands, V = lmmse_.sizes().sensor(), N = config_.input_channels();
    parallel_for(be_, lines(), [&](index_t line, int) {
      const T* from = x.data() + line * W * N;
      for (index_t w = 0; w < W; ++w) {
        for (index_t c = 0; c < C; ++c) y_[line * V + w + config_.step * c] = from[w * N + (N - C) + c];
        if (config_.estimate) std::copy_n(from + w * N, C, x_ + (line * W + w) * C);
      }
    });
  }

  /// to = x + rho d, d = G (y - A x); x is x_, or zero.
  void data_step(T* to, std::size_t round, T rho, bool some) {
    T* d = kept(round);
    lmmse_.correct(be_, d, y_, some ? x_ : nullptr);
    parallel_chunks(be_, cube(), [&](index_t, index_t begin, index_t end, int) {
      for (index_t i = begin; i < end; ++i) to[i] = (some ? x_[i] : T(0)) + rho * d[i];
    });
  }
  void subtract(T* from, T rho, const T* what) {
    parallel_chunks(be_, cube(), [&](index_t, index_t begin, index_t end, int) {
      for (index_t i = begin; i < end; ++i) from[i] -= rho * what[i];
    });
  }
  /// In an order that no thread count changes.
  T dot(const T* a, const T* b) {
    parallel_chunks(be_, cube(), [&](index_t chunk, index_t begin, index_t end, int) {
      double sum = 0;
      for (index_t i = begin; i < end; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
      partial_[chunk] = sum;
    });
    double sum = 0;
    for (index_t c = 0; c < chunk_count(cube()); ++c) sum += partial_[c];
    return static_cast<T>(sum);
  }

  Backend be_;
  unfolded_config config_;
  network_sizes sizes_;
  bool training_;
  index_t count_;  ///< parameters of a round's network
  std::vector<s2_network<T, Backend>> rounds_;
  optics::row_lmmse<T> lmmse_;
  T *y_ = nullptr, *x_ = nullptr, *v_ = nullptr, *d_ = nullptr;
  double* partial_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI
