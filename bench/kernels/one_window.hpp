#pragma once

/// One 8x8 window for the kernels of the fused block (nn/cpu/strip), and the same window for row-major kernels.
/// FLOP/s count multiply-adds of products and taps, not exp, GELU and norms; where moving is the work, bytes/s count
/// operands read and results written. One thread.

#include "fma_peak.hpp"
#include "one_block.hpp"

namespace bench {

using unmask::cpu, unmask::ref;
namespace op = unmask::op;
namespace strip = unmask::strip;

using fused_block = one_block<unmask::kernel<op::s2_block, cpu>, cpu>;
template <class Backend>
using rows_block = one_block<unmask::composed_block<Backend>, Backend>;

constexpr index_t side = 8, tokens = side * side;

/// A block on the image of one window.
template <class Block>
struct window : Block {
  index_t c, d, count = tokens / strip::width<float>;
  explicit window(const benchmark::State& s) : Block(s.range(0), side, true), c(s.range(0)), d(10) {}
  double flops(double a_value) const { return 2. * static_cast<double>(tokens * c) * a_value; }
};

struct fused_window : window<fused_block> {
  const strip::window_memory<float>& w = scratch.fused.windows[0];
  const strip::window_gradients<float>& g = scratch.fused.gradients[0];
  const strip::block_weights<float>& weights = made.weights;

  explicit fused_window(const benchmark::State& s) : window(s) { strip::window_places(w.places, shape.grid, 0); }
  strip::rows<float> taken(float* data, index_t channels, index_t first = 0) const {
    return strip::rows<float>{data, channels * strip::width<float>}.from(first);
  }
  strip::rows<const float> masked(index_t first) const { return taken(w.masked, 6 * c, first); }
};

inline void widths(benchmark::internal::Benchmark* b) {
  b->Arg(60)->Arg(30)->ArgName("E")->UseManualTime()->Iterations(40);
}

}  // namespace bench
