/// Attention of the fused block on one window, beside the same work by row-major kernels (`rows`): of `cpu`, which the
/// composed block is made of, and of `ref`.

#include "one_window.hpp"

namespace {

using namespace bench;

// ---- spatial attention, all heads; backward: six products, the scores computed again

void strip_heads(benchmark::State& s) {
  fused_window m(s);
  const float* position = m.weights.steps[0].position;
  beside_peak<float>(s, m.flops(2 * tokens), 1, [&] {
    for (index_t h = 0; h < m.c; h += m.d)
      strip::head_forward(m.taken(m.w.y, 3 * m.c, h).data, 3 * m.c * strip::width<float>, m.masked(h).data,
                          m.masked(m.c + h).data, m.masked(2 * m.c + h).data, position + h / m.d * tokens * tokens,
                          static_cast<const float*>(nullptr), strip::head_shape{m.count, m.d, m.masked(0).stride},
                          m.w.scores);
  });
}

void strip_heads_backward(benchmark::State& s) {
  fused_window m(s);
  std::vector<float> dposition(static_cast<std::size_t>(m.c / m.d * tokens * tokens));
  const auto at = [&](index_t row) { return m.taken(m.g.dqkv, 6 * m.c, row).data; };
  beside_peak<float>(s, m.flops(6 * tokens), 1, [&] {
    for (index_t h = 0; h < m.c; h += m.d)
      strip::head_backward(m.taken(m.w.y, 3 * m.c, h).data, at(h), at(m.c + h), at(2 * m.c + h),
                           dposition.data() + h / m.d * tokens * tokens, m.taken(m.g.dy, 3 * m.c, h).data,
                           3 * m.c * strip::width<float>, m.masked(h).data, m.masked(m.c + h).data,
                           m.masked(2 * m.c + h).data, m.weights.steps[0].position + h / m.d * tokens * tokens,
                           static_cast<const float*>(nullptr), strip::head_shape{m.count, m.d, m.masked(0).stride},
                           m.g.head);
  });
}

template <class Backend, bool Backward>
void rows_heads(benchmark::State& s) {
  window<rows_block<Backend>> m(s);
  const auto& w = m.scratch.spatial.windows[0];
  const index_t c = m.c, d = m.d, n = tokens, heads = c / d;
  std::vector<float> table(m.gradients.size());
  beside_peak<float>(s, m.flops((Backward ? 6 : 2) * tokens), 1, [&] {
    for (index_t h = 0; h < heads; ++h) {
      const float *v = w.masked + 2 * c + h * d, *dy = w.dy + h * d;
      unmask::detail::spatial_attention(m.be, m.shape.spatial, static_cast<const float*>(m.scratch.spatial.bias), w,
                                        m.shape.grid, 0, h);
      unmask::multiply(m.be, w.y + h * d, c, unmask::rows_of(w.scores, n), v, 3 * c, n, d, n);
      if (!Backward) continue;
      unmask::multiply(m.be, w.dqkv + 2 * c + h * d, 3 * c, unmask::transposed(w.scores, n), dy, c, n, d, n);
      unmask::transpose(w.turned, n, v, 3 * c, n, d);
      unmask::multiply(m.be, w.dscores, n, unmask::rows_of(dy, c), w.turned, n, n, n, d);
      unmask::kernel<op::softmax, Backend>::backward(w.dscores, w.dscores, w.scores, n, n);
      unmask::position_bias_backward(table.data(), w.dscores, side, heads, h);
      unmask::multiply(m.be, w.dqkv + h * d, 3 * c, unmask::rows_of(w.dscores, n), w.masked + c + h * d, 3 * c, n, d,
                       n);
      unmask::multiply(m.be, w.dqkv + c + h * d, 3 * c, unmask::transposed(w.dscores, n), w.masked + h * d, 3 * c, n, d,
                       n);
    }
  });
}

// ---- attention of channels to channels: k'q and A v; backward: dA, dv, dq, dk

void strip_channels(benchmark::State& s) {
  fused_window m(s);
  beside_peak<float>(s, m.flops(2. * static_cast<double>(m.d)), 1, [&] {
    strip::channel_scores(m.w.channels, m.masked(3 * m.c), m.masked(4 * m.c), m.p.spectral[1].rescale, m.c, m.d,
                          m.count);
    strip::channel_apply(m.taken(m.w.y, 3 * m.c, m.c), m.masked(5 * m.c), m.w.channels, m.c, m.d, m.count);
  });
}

void strip_channels_backward(benchmark::State& s) {
  fused_window m(s);
  std::vector<float> drescale(static_cast<std::size_t>(m.c / m.d));
  const auto to = [&](index_t row) { return m.taken(m.g.dqkv, 6 * m.c, row); };
  strip::channel_scores(m.w.channels, m.masked(3 * m.c), m.masked(4 * m.c), m.p.spectral[1].rescale, m.c, m.d, m.count);
  beside_peak<float>(s, m.flops(4. * static_cast<double>(m.d)), 1, [&] {
    strip::channel_backward(to(3 * m.c), to(4 * m.c), to(5 * m.c), drescale.data(), m.taken(m.g.dy, 3 * m.c, m.c),
                            m.masked(3 * m.c), m.masked(4 * m.c), m.masked(5 * m.c), m.p.spectral[1].rescale,
                            m.w.channels, m.c, m.d, m.count);
  });
}

template <class Backend>
void rows_channels(benchmark::State& s) {
  window<rows_block<Backend>> m(s);
  const auto& set = m.scratch.spectral.sets[0];
  const auto& tile = m.scratch.spectral.tiles[0];
  const index_t c = m.c, d = m.d;
  beside_peak<float>(s, m.flops(2. * static_cast<double>(d)), 1, [&] {
    std::fill_n(set.sums, c * d + 2 * c, 0.f);
    float* squares = set.sums + c * d;
    for (index_t h = 0; h < c; h += d)
      unmask::multiply_add(m.be, set.sums + h * d, d, unmask::transposed(tile.masked + c + h, 3 * c), tile.masked + h,
                           3 * c, d, d, tokens);
    for (index_t i = 0; i < tokens; ++i)
      for (index_t k = 0; k < 2 * c; ++k) squares[k] += tile.masked[i * 3 * c + k] * tile.masked[i * 3 * c + k];
    unmask::spectral_attention_forward(m.be, m.shape.spectral, m.p.spectral[1].rescale, 1, set);
    for (index_t h = 0; h < c; h += d)
      unmask::multiply(m.be, tile.y + h, c, unmask::rows_of(tile.masked + 2 * c + h, 3 * c), set.turned + h * d, d,
                       tokens, d, d);
  });
}

// ---- positional term: two depthwise 3x3, GELU between them

void strip_positional(benchmark::State& s) {
  fused_window m(s);
  const auto& b = m.p.spectral[1];
  beside_peak<float>(s, m.flops(18), 1, [&] {
    strip::positional_forward(m.taken(m.w.y, 3 * m.c, 2 * m.c), m.masked(5 * m.c), b.position0, b.position2, side, m.c,
                              m.w.planes);
  });
}

void strip_positional_backward(benchmark::State& s) {
  fused_window m(s);
  const auto& b = m.p.spectral[1];
  const auto& db = m.dp.spectral[1];
  beside_peak<float>(s, m.flops(45), 1, [&] {
    strip::positional_backward(m.taken(m.g.dqkv, 6 * m.c, 5 * m.c), db.position0, db.position2,
                               m.taken(m.g.dy, 3 * m.c, 2 * m.c), m.masked(5 * m.c), b.position0, b.position2, side,
                               m.c, m.w.planes);
  });
}

template <class Backend>
void rows_positional(benchmark::State& s) {
  window<rows_block<Backend>> m(s);
  const auto& set = m.scratch.spectral.sets[0];
  const auto& b = m.p.spectral[1];
  using depthwise = unmask::kernel<op::depthwise3x3, Backend>;
  beside_peak<float>(s, m.flops(18), 1, [&] {
    depthwise::forward(m.be, set.conv, set.qkv + 2 * m.c, 3 * m.c, b.position0, side, side, m.c);
    unmask::kernel<op::gelu, Backend>::forward(set.gelu, set.conv, tokens * m.c);
    depthwise::forward(m.be, set.out, set.gelu, m.c, b.position2, side, side, m.c);
  });
}

}  // namespace

BENCHMARK(strip_heads)->Apply(widths);
BENCHMARK(rows_heads<cpu, false>)->Name("rows_heads<cpu>")->Apply(widths);
BENCHMARK(rows_heads<ref, false>)->Name("rows_heads<ref>")->Apply(widths);
BENCHMARK(strip_heads_backward)->Apply(widths);
BENCHMARK(rows_heads<cpu, true>)->Name("rows_heads_backward<cpu>")->Apply(widths);
BENCHMARK(rows_heads<ref, true>)->Name("rows_heads_backward<ref>")->Apply(widths);
BENCHMARK(strip_channels)->Apply(widths);
BENCHMARK(rows_channels<cpu>)->Apply(widths);
BENCHMARK(rows_channels<ref>)->Apply(widths);
BENCHMARK(strip_channels_backward)->Apply(widths);
BENCHMARK(strip_positional)->Apply(widths);
BENCHMARK(rows_positional<cpu>)->Apply(widths);
BENCHMARK(rows_positional<ref>)->Apply(widths);
BENCHMARK(strip_positional_backward)->Apply(widths);
