#pragma once

/// A network over a scene of any number of bands: patch by patch, band by band (network_view.hpp). A patch's rim is
/// context only. Memory is planned once; a call takes no heap.
///
///   auto n = clouds::network_correction<cpu>::create(be, model.config, model.parameters, bands);
///   options.learnt = *n;  // of a declouder; n outlives it

#include <span>
#include <string>
#include <vector>

#include "../core/tensor.hpp"
#include "../models/session.hpp"
#include "network_view.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

template <class Backend>
class network_correction {
 public:
  /// For scenes of so many bands. Errors: `wrong_shape` for a network that is none for clouds, and those of
  /// `session::create`.
  static result<network_correction> create(const Backend& be, const s2_config& config,
                                           std::span<const float> parameters, index_t bands) {
    if (auto ok = check_network(config); !ok) return ok.error();
    const tensor<float, 2> open({side, side}, 1.f);
    auto made = network::create(be, config, parameters, side, side, open.view());
    if (!made) return made.error();
    return network_correction(std::move(*made), parameters, bands);
  }

  /// Whether a network has the channels of network_view.hpp.
  static result<> check_network(const s2_config& c) {
    if (c.bands == 1 && c.input_channels() == network_channels) return {};
    return error(errc::wrong_shape, "a network from " + std::to_string(c.input_channels()) + " channels to " +
                                        std::to_string(c.bands) + " bands, expected one for clouds: from " +
                                        std::to_string(network_channels) + " to 1");
  }

  std::size_t bytes() const {
    return network_.bytes() + (parameters_.size() + input_.size() + result_.size() + mask_.size()) * sizeof(float);
  }

  void operator()(const network_view& v, float* to) noexcept {
    for (std::size_t c = 0; c < scales_.size(); ++c) scales_[c] = measure_band(v, static_cast<index_t>(c));
    for (index_t row = 0; row < v.size.height; row += step)
      for (index_t column = 0; column < v.size.width; column += step) {
        const patch answers{row, column, std::min(step, v.size.height - row), std::min(step, v.size.width - column)};
        if (!asks(v, answers)) continue;
        const patch reads{row - rim, column - rim, side, side};
        fill_mask(v, reads, mask_.data());
        if (!network_.prepare(parameters_, array_view<const float, 2>(mask_.data(), side, side))) return;
        for (index_t c = 0; c < v.bands; ++c) correct(v, reads, answers, c, to);
      }
  }

 private:
  using network = session<s2_network<float, Backend>>;
  static constexpr index_t side = 128, rim = 16, step = side - 2 * rim;

  network_correction(network&& n, std::span<const float> parameters, index_t bands)
      : network_(std::move(n)),
        parameters_(parameters.begin(), parameters.end()),
        input_(side * side * network_channels),
        result_(side * side),
        mask_(side * side),
        scales_(static_cast<std::size_t>(bands)) {}

  static bool asks(const network_view& v, const patch& p) noexcept {
    for (index_t h = 0; h < p.height; ++h)
      for (index_t w = 0; w < p.width; ++w)
        if (v.asked[(p.row + h) * v.size.width + p.column + w] != 0) return true;
    return false;
  }

  void correct(const network_view& v, const patch& reads, const patch& answers, index_t band, float* to) noexcept {
    const band_scale& s = scales_[static_cast<std::size_t>(band)];
    fill_channels(v, s, band, reads, input_.data());
    network_.run(array_view<float, 3>(result_.data(), side, side, index_t{1}),
                 array_view<const float, 3>(input_.data(), side, side, network_channels));
    for (index_t h = 0; h < answers.height; ++h)
      for (index_t w = 0; w < answers.width; ++w) {
        const index_t i = (answers.row + h) * v.size.width + answers.column + w;
        if (v.asked[i] == 0) continue;
        const float better = result_[static_cast<std::size_t>((h + rim) * side + w + rim)];
        to[i * v.bands + band] = v.prediction[i * v.bands + band] + s.unit * better;
      }
  }

  network network_;
  std::vector<float> parameters_, input_, result_, mask_;
  std::vector<band_scale> scales_;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
