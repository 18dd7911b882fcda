#pragma once

/// Learnt edges: an S2-Transformer that only says how smooth an image is, and spectral TV solved with that. Its input
/// is an estimate by spectral TV with the measurement beside it; a small network sees the weights that the estimate
/// asks for, its differences and the mask (optics/edge_features.hpp), and changes these weights; one more stage of
/// spectral TV follows (edge_solver.hpp). It can invent no values, and what comes out explains the measurement. With
/// its last convolution at zero it is that stage with the weights of today.
///
///   y = spectral TV(x; w exp(f(x, mask))),   f a network of `edge_channels` inputs and 6 outputs
///
/// Shapes: x [B, H, W, 2 C], the estimate and behind it the measurement shifted back (m = 1 in HM, without 2 / C), all
/// rows of the sensor's width; y [B, H, W, C]. A `Model` (models/concept.hpp), with limits: no gradient goes to x and
/// mask, which come out as zeros; the auxiliary prediction is zero, and its loss teaches nothing; x has to stay where
/// it is until `backward`. The spectral basis is stored with the parameters and has no gradient: train without weight
/// decay, which would shrink it.

#include <memory>

#include "../models/s2_network.hpp"
#include "edge_reference.hpp"
#include "edge_solver.hpp"
#include "part_network.hpp"

namespace unmask::inline UNMASK_ABI {

struct edge_config {
  int bands = 28;
  int rank = 8;         ///< directions of the spectral basis
  int step = 2;         ///< dispersion, pixels a band
  int iterations = 30;  ///< of conjugate gradients
  int channels = 32, blocks = 2, heads = 4, hidden = 64, window = 8;

  constexpr bool operator==(const edge_config&) const = default;
  constexpr index_t input_channels() const { return 2 * bands; }
  constexpr index_t padded(index_t n) const { return (n + window - 1) / window * window; }

  /// Of the network that changes the weights.
  s2_config network() const {
    return detail::part_network(*this, optics::detail::edge_channels::weights,
                                static_cast<int>(optics::detail::edge_channels{rank}.count()));
  }
};

template <class Visitor, class Config>
requires std::same_as<std::remove_const_t<Config>, edge_config>
void visit_fields(Visitor& v, Config& c) {
  v("bands", c.bands, field_range{1, 256});
  v("rank", c.rank, field_range{1, 256});
  v("step", c.step, field_range{1, 64});
  v("iterations", c.iterations, field_range{1, 1000});
  detail::visit_part_fields(v, c);
}

inline result<> check(const edge_config& c) {
  if (auto ok = check_fields(c, "edge_config"); !ok) return ok;
  if (c.rank > c.bands)
    return error(errc::bad_argument, "edge_config: rank is " + std::to_string(c.rank) + ", expected at most bands " +
                                         std::to_string(c.bands));
  return detail::check_part(c, "edge_config");
}

namespace detail {

template <class T, class Backend>
struct edge_solver_for {
  using type = edge_reference<T>;
};
template <>
struct edge_solver_for<float, cpu> {
  using type = edge_solver;
};

}  // namespace detail

template <class T, host_backend Backend>
class edge_network {
 public:
  using value_type = T;
  using backend_type = Backend;
  using config_type = edge_config;
  static constexpr std::string_view architecture = "learnt-edges", last_layer = "weights.conv_last.";

  edge_network(Backend be, const edge_config& c, network_sizes s, network_mode m)
      : be_(be),
        config_(c),
        sizes_(s),
        training_(m != network_mode::inference),
        count_(make_manifest(c.network()).size),
        solver_(std::make_unique<solver_type>(detail::edge_sizes{s.height, s.width, c.bands, c.rank, c.step})),
        network_(be, c.network(), s, m) {}

  static result<> check(const edge_config& c) { return unmask::check(c); }
  static unmask::manifest manifest(const edge_config& c) {
    unmask::manifest all;
    for (const parameter& p : make_manifest(c.network()).entries)
      all.add("weights." + p.name, p.shape, p.order, p.init, p.fan_in);
    all.add("spectral_basis", {c.rank, c.bands}, memory_order::plain, initial::uniform, c.bands);
    return all;
  }
  static double work(const edge_config& c, network_sizes s) {
    const double pixels = static_cast<double>(s.batch * s.height * s.width);
    return s2_work(c.network(), s) + pixels * c.iterations * 4. * c.bands * (c.rank + 1) +
           pixels * c.bands * c.bands * c.bands;
  }

  const edge_config& config() const { return config_; }
  index_t padded_height() const { return network_.padded_height(); }
  index_t padded_width() const { return network_.padded_width(); }
  int stages() const { return 1; }
  index_t blocks() const { return network_.blocks(); }
  index_t branches() const { return network_.branches(); }

  void carve(arena& a) {
    network_.carve(a);
    a.release(a.peak());
    solver_->carve(a);
    const index_t pixels = sizes_.height * sizes_.width, all = sizes_.batch * pixels;
    channels_ = a.take<T>(all * network_inputs());
    logarithms_ = a.take<T>(all * six);
    z_ = a.take<T>((training_ ? all : pixels) * config_.rank);
    cubes_ = training_ ? a.take<T>(all * config_.bands) : nullptr;
    dlogarithms_ = training_ ? a.take<T>(all * six) : nullptr;
    pin_ = training_ ? a.take<T>(sizes_.batch * padded_height() * padded_width() * config_.bands) : nullptr;
  }

  void prepare(in<T, 3> mask, const T* p) {
    network_.prepare(mask, p);
    solver_->prepare(p + count_);
  }

  void run(out<T, 4> y, in<T, 4> x, in<T, 3> mask, const T* p, const T* keep = nullptr) {
    for (index_t b = 0; b < sizes_.batch; ++b) {
      begin(b, x, mask);
      solver_->describe(be_, channels_ + b * pixels() * network_inputs());
    }
    network_.run(image(logarithms_, six), image(channels_, network_inputs()), mask, p, keep);
    for (index_t b = 0; b < sizes_.batch; ++b) {
      if (sizes_.batch > 1) {  // the solver has another sample
        begin(b, x, mask);
        solver_->describe(be_, channels_ + b * pixels() * network_inputs());
      }
      solver_->solve(be_, z_of(b), &y(b, 0, 0, 0), logarithms_ + b * pixels() * six, config_.iterations);
      if (training_) std::copy_n(&y(b, 0, 0, 0), pixels() * config_.bands, cubes_ + b * pixels() * config_.bands);
    }
    if (training_) std::fill_n(pin_, pin(0).size(), T(0));
    input_ = x;
  }
  void forward(out<T, 4> y, in<T, 4> x, in<T, 3> mask, const T* p, const T* keep = nullptr) {
    prepare(mask, p), run(y, x, mask, p, keep);
  }
  array_view<T, 4> pin(int) const {
    return array_view<T, 4>(pin_, sizes_.batch, padded_height(), padded_width(), index_t{config_.bands});
  }

  void backward(const input_gradients<T>& to, const output_gradients<T>& from, in<T, 3> mask, const T* p,
                const T* keep = nullptr) {
    for (index_t b = 0; b < sizes_.batch; ++b) {
      begin(b, input_, mask);
      solver_->describe(be_, channels_ + b * pixels() * network_inputs());
      solver_->differentiate(be_, dlogarithms_ + b * pixels() * six, &from.output(b, 0, 0, 0),
                             cubes_ + b * pixels() * config_.bands, z_of(b), logarithms_ + b * pixels() * six,
                             config_.iterations);
    }
    network_.backward({to.parameters}, {image(dlogarithms_, six)}, mask, p, keep);
    if (to.input.data()) std::fill_n(to.input.data(), to.input.size(), T(0));
    if (to.mask.data()) std::fill_n(to.mask.data(), to.mask.size(), T(0));
  }

 private:
  using solver_type = typename detail::edge_solver_for<T, Backend>::type;
  static constexpr index_t six = optics::detail::edge_channels::weights;

  index_t pixels() const { return sizes_.height * sizes_.width; }
  index_t network_inputs() const { return network_.config().inputs; }
  T* z_of(index_t b) const { return z_ + (training_ ? b * pixels() * config_.rank : 0); }
  array_view<T, 4> image(T* x, index_t channels) const {
    return array_view<T, 4>(x, sizes_.batch, sizes_.height, sizes_.width, channels);
  }
  void begin(index_t b, in<T, 4> x, in<T, 3> mask) {
    solver_->begin(be_, &x(b, 0, 0, 0), &mask(b, 0, 0), mask.extent(2));
  }

  Backend be_;
  edge_config config_;
  network_sizes sizes_;
  bool training_;
  index_t count_;  ///< parameters of the network
  std::unique_ptr<solver_type> solver_;
  s2_network<T, Backend> network_;
  T *channels_ = nullptr, *logarithms_ = nullptr, *dlogarithms_ = nullptr, *z_ = nullptr, *cubes_ = nullptr,
    *pin_ = nullptr;
  in<T, 4> input_{};
};

}  // namespace unmask::inline UNMASK_ABI
