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
      strip::head_forward(m.taken(m.w.y, 3 * m.c, h).data, 3 * m.c * strip::width<float>,
                          {m.masked(h).data, m.masked(m.c + h).data, m.masked(2 * m.c + h).data,
                           position + h / m.d * tokens * tokens, nullptr},
                          strip::head_shape{m.count, m.d, m.masked(0).stride}, m.w.scores);
  });
}

void strip_heads_backward(benchmark::State& s) {
  fused_window m(s);
  std::vector<float> dposition(static_cast<std::size_t>(m.c / m.d * tokens * tokens));
  const auto at = [&](index_t row) { return m.taken(m.g.dqkv, 6 * m.c, row).data; };
  beside_peak<float>(s, m.flops(6 * tokens), 1, [&] {
    for (index_t h = 0; h < m.c; h += m.d)
      strip::head_backward<float>(m.taken(m.w.y, 3 * m.c, h).data, 3 * m.c * strip::width<float>,
                                  {at(h), at(m.c + h), at(2 * m.c + h), dposition.data() + h / m.d * tokens * tokens},
                                  m.taken(m.g.dy, 3 * m.c, h).data,
                                  {m.masked(h).data, m.masked(m.c + h).data, m.masked(2 * m.c + h).data,
                                   m.weights.steps[0].position + h / m.d * tokens * tokens, nullptr},
                                  strip::head_shape{m.count, m.d, m.masked(0).stride}, m.g.head);
  });
}

/// The window as a part of its image.
unmask::token_part only_window(const unmask::s2_block& l) {
  return {{1, l.grid}, unmask::spectral_scope::window, 0, 1, 0};
}

template <class Backend, bool Backward>
void rows_heads(benchmark::State& s) {
  window<rows_block<Backend>> m(s);
  using attention = unmask::kernel<op::window_attention, Backend>;
  const auto& w = m.scratch.spatial.slots[0];
  const auto part = only_window(m.shape);
  const unmask::window_inputs<float> in{w.qkv, m.p.spatial[0].position_bias, m.scratch.spatial.bias};
  std::vector<float> table(m.gradients.size());
  beside_peak<float>(s, m.flops((Backward ? 6 : 2) * tokens), 1, [&] {
    if (Backward)
      attention::backward(m.be, unmask::window_gradients<float>{w.y, w.dqkv, table.data()},
                          static_cast<const float*>(w.dy), in, m.shape.spatial, part, w.work);
    else
      attention::forward(m.be, w.y, in, m.shape.spatial, part, w.work);
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
    strip::channel_backward<float>({to(3 * m.c), to(4 * m.c), to(5 * m.c)}, drescale.data(),
                                   m.taken(m.g.dy, 3 * m.c, m.c),
                                   {m.masked(3 * m.c), m.masked(4 * m.c), m.masked(5 * m.c)}, m.p.spectral[1].rescale,
                                   m.w.channels, {m.c, m.d, m.count});
  });
}

template <class Backend>
void rows_channels(benchmark::State& s) {
  window<rows_block<Backend>> m(s);
  const auto& set = m.scratch.spectral.parts[0];
  const auto& tile = m.scratch.spectral.tiles[0];
  const auto part = only_window(m.shape);
  const unmask::spectral_rows rows{m.shape.spectral, part, tokens};
  const unmask::matrix<const float> q{set.qkv, 3 * m.c}, k{set.qkv + m.c, 3 * m.c};
  beside_peak<float>(s, m.flops(2. * static_cast<double>(m.d)), 1, [&] {
    std::fill_n(set.sums, m.c * m.d + 2 * m.c, 0.f);
    unmask::kernel<op::spectral_sums, Backend>::forward(m.be, set.sums, k, q, rows, true);
    unmask::kernel<op::spectral_matrix, Backend>::forward(m.be, set.matrices, set.sums, m.p.spectral[1].rescale, rows);
    unmask::kernel<op::spectral_apply, Backend>::forward(m.be, tile.y, static_cast<const float*>(set.qkv), set.matrices,
                                                         rows);
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
    strip::positional_backward<float>(m.taken(m.g.dqkv, 6 * m.c, 5 * m.c), {db.position0, db.position2},
                                      m.taken(m.g.dy, 3 * m.c, 2 * m.c), m.masked(5 * m.c), {b.position0, b.position2},
                                      side, m.c, m.w.planes);
  });
}

template <class Backend>
void rows_positional(benchmark::State& s) {
  window<rows_block<Backend>> m(s);
  const auto& set = m.scratch.spectral.parts[0];
  const auto& b = m.p.spectral[1];
  const auto part = only_window(m.shape);
  beside_peak<float>(s, m.flops(18), 1, [&] {
    unmask::kernel<op::positional_term, Backend>::forward(
        m.be, set.out, unmask::positional_rows<float>{set.conv, set.active},
        unmask::matrix<const float>{set.qkv + 2 * m.c, 3 * m.c},
        unmask::positional_weights<float>{b.position0, b.position2}, part, m.c);
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
