/// Feed-forward part of one window and whole blocks: fused, composed of row-major kernels, and `ref`.

#include "one_window.hpp"

namespace {

using namespace bench;

// ---- feed-forward part and whole blocks

void strip_feed_forward(benchmark::State& s) {
  fused_window m(s);
  beside_peak<float>(s, m.flops(8. * static_cast<double>(m.c)), 1,
                     [&] { strip::feed_forward(m.w, m.shape, m.weights, 1.f); });
}

template <class Backend>
void rows_feed_forward(benchmark::State& s) {
  window<rows_block<Backend>> m(s);
  beside_peak<float>(s, m.flops(8. * static_cast<double>(m.c)), 1, [&] {
    unmask::ffn_forward<Backend, float>(m.be, m.shape.feed, m.images.y, m.images.x, m.p.feed, {nullptr, 1, tokens},
                                        m.scratch.feed);
  });
}

/// The useful multiply-adds: a backward pass counts twice the forward pass, what it computes again does not count.
template <class Block, bool Backward>
void block(benchmark::State& s) {
  Block b(s.range(0), s.range(1), Backward, 1);
  const double flops = 2 * block_multiply_adds(b.shape) * static_cast<double>(b.tokens());
  beside_peak<float>(s, (Backward ? 2 : 1) * flops, 1, [&] { Backward ? b.backward() : b.forward(); });
  s.counters["us/window"] =
      (Backward ? 2 : 1) * flops / s.counters["FLOP/s"] * 1e6 * tokens / static_cast<double>(b.tokens());
}

template <int Side>
void blocks(benchmark::internal::Benchmark* b) {
  b->Args({60, Side})->Args({30, Side})->ArgNames({"E", "side"})->UseManualTime()->Iterations(9);
  b->Unit(benchmark::kMillisecond);
}

}  // namespace

BENCHMARK(strip_feed_forward)->Apply(widths);
BENCHMARK(rows_feed_forward<cpu>)->Apply(widths);
BENCHMARK(rows_feed_forward<ref>)->Apply(widths);
BENCHMARK(block<fused_block, false>)->Name("block_fused")->Apply(blocks<128>);
BENCHMARK(block<rows_block<cpu>, false>)->Name("block_composed")->Apply(blocks<128>);
BENCHMARK(block<rows_block<ref>, false>)->Name("block_ref")->Apply(blocks<32>);
BENCHMARK(block<fused_block, true>)->Name("block_backward_fused")->Apply(blocks<128>);
BENCHMARK(block<rows_block<cpu>, true>)->Name("block_backward_composed")->Apply(blocks<128>);
BENCHMARK(block<rows_block<ref>, true>)->Name("block_backward_ref")->Apply(blocks<32>);
