#pragma once

/// What a network that predicts edge weights of spectral TV is told of an estimate z, and how what it says becomes
/// weights (reconstruct/edge_network.hpp). Images for the network are channels-last, [H, W, edge_channels].
///
/// All numbers are logarithms or compressed by asinh, because weights and coefficients range over decades. A difference
/// over the image's edge has weight 0, and 0 stands for its logarithms.

#include <cmath>

#include "edge_weights.hpp"
#include "spectral_preconditioner.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

/// The channels, for a basis of `rank` directions:
///   0..5    logarithms of the weights that z asks for: colour to the right, below, of the corner; brightness the same
///   6..11   half logarithms of the squares of z's own differences, in that order
///   12..    asinh z, of the `rank` directions
///   then    asinh (D' w D z), what smoothness pulls at z with; at a minimum the measurement pulls back alike
///   then    the mask; the logarithm of lambda over its least value
struct edge_channels {
  static constexpr index_t weights = 6;
  index_t rank;
  index_t squares() const { return weights; }
  index_t coefficients() const { return 2 * weights; }
  index_t forces() const { return coefficients() + rank; }
  index_t mask() const { return forces() + rank; }
  index_t noise() const { return mask() + 1; }
  index_t count() const { return noise() + 1; }
};

/// Logarithms of weights stay within +- this.
inline constexpr float largest_log_weight = 12;

/// Differences below it count as this long in the channels of squares.
inline constexpr float least_difference = .01f;

/// One problem of spectral TV whose weights a network may change. The parts are the solver's (spectral_tv.hpp).
class edge_problem {
 public:
  edge_problem(const spectral_operator& a, edge_weights& edges, const spectral_tv_options& options)
      : measurement_(a), edges_(edges), options_(options), channels_{a.layout().count} {}

  /// Sets the weights that z [H, K, W], framed, asks for, and writes the channels [H, W, count]. `squares` and `image`
  /// [H, K, W] are scratch, and may be the same memory.
  template <class Backend>
  void describe(const Backend& be, float* channels, const float* z, float lambda, const edge_images& squares,
                float* image) {
    const planes layout = measurement_.layout();
    edges_.weigh_differences(be, z, options_, options_.last_irls_epsilon, squares);
    parallel_for(be, layout.height, [&](index_t h, int) { write_edges(h, channels, squares); });
    edges_.complete(be);
    parallel_for(be, edges_.chunks(), [&](index_t chunk, int) {
      for (auto rows = edges_.begin(chunk, z); rows.row < rows.end;)
        edges_.next_row(rows, z, [&](index_t at, auto access, auto rough) { access.store(image + at, rough); });
    });
    const float noise = std::log(lambda / options_.last_weight);
    parallel_for(be, layout.height, [&](index_t h, int) { write_planes(h, channels, z, image, noise); });
  }

  /// Weights from their logarithms [H, W, 6] in the order of the channels.
  template <class Backend>
  void set(const Backend& be, const float* logarithms) {
    parallel_for(be, measurement_.layout().height, [&](index_t h, int) { set_row(h, logarithms); });
    edges_.complete(be);
  }

 private:
  static constexpr index_t six = edge_channels::weights;

  bool there(index_t way, index_t h, index_t w) const {
    return (way == 1 || w + 1 < measurement_.layout().width) && (way == 0 || h + 1 < measurement_.layout().height);
  }
  static float* of(const edge_images& e, index_t way) { return way == 0 ? e.right : way == 1 ? e.down : e.corner; }

  void write_edges(index_t h, float* channels, const edge_images& squares) const {
    const index_t W = measurement_.layout().width, N = channels_.count();
    for (index_t way = 0; way < 3; ++way) {
      const float *colour = of(edges_.colour(), way) + h * W, *more = of(edges_.brightness(), way) + h * W,
                  *colour_square = of(edges_.colour_squares(), way) + h * W, *square = of(squares, way) + h * W;
      const auto half = [](float s) { return std::log(s + least_difference * least_difference) / 2; };
      for (index_t w = 0; w < W; ++w) {
        float* to = channels + (h * W + w) * N + way;
        const bool is = there(way, h, w);
        to[0] = is ? std::log(colour[w]) : 0;
        to[3] = is ? std::log(colour[w] + more[w]) : 0;
        to[six] = is ? half(colour_square[w]) : 0;
        to[six + 3] = is ? half(square[w]) : 0;
      }
    }
  }

  void write_planes(index_t h, float* channels, const float* z, const float* rough, float noise) const {
    const planes layout = measurement_.layout();
    const index_t W = layout.width, K = layout.count, N = channels_.count();
    const float* mask = measurement_.seen_by().mask().data() + h * W;
    for (index_t w = 0; w < W; ++w) {
      float* to = channels + (h * W + w) * N;
      for (index_t k = 0; k < K; ++k) {
        to[channels_.coefficients() + k] = std::asinh(z[h * layout.row() + k * W + w]);
        to[channels_.forces() + k] = std::asinh(rough[h * layout.row() + k * W + w]);
      }
      to[channels_.mask()] = mask[w];
      to[channels_.noise()] = noise;
    }
  }

  void set_row(index_t h, const float* logarithms) {
    const index_t W = measurement_.layout().width;
    const auto weight = [](float l) {
      return std::exp(std::min(std::max(l, -largest_log_weight), largest_log_weight));
    };
    for (index_t way = 0; way < 3; ++way) {
      float *colour = of(edges_.colour(), way) + h * W, *more = of(edges_.brightness(), way) + h * W;
      for (index_t w = 0; w < W; ++w) {
        const float* from = logarithms + (h * W + w) * six + way;
        const bool is = there(way, h, w);
        colour[w] = is ? weight(from[0]) : 0;
        more[w] = is ? weight(from[3]) - colour[w] : 0;
      }
    }
  }

  const spectral_operator& measurement_;
  edge_weights& edges_;
  const spectral_tv_options& options_;
  edge_channels channels_;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
