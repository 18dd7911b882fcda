/// Products, norms and moves of the fused block on one window, beside the same work by row-major kernels (`rows`) of
/// `cpu` and `ref`, and products by plain Eigen.

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>

#include "one_window.hpp"

namespace {

using namespace bench;

struct operands {
  index_t k, n;
  std::vector<float> x, w, y, g;
  explicit operands(const benchmark::State& s) : k(s.range(0)), n(s.range(1)) {
    unmask::random draw(1);
    for (auto [values, size] : {std::pair{&x, tokens * strip::padded<float>(k)}, std::pair{&w, k * n},
                                std::pair{&y, tokens * n}, std::pair{&g, n * strip::padded<float>(k)}}) {
      values->resize(static_cast<std::size_t>(size));
      for (float& v : *values) v = static_cast<float>(draw.normal());
    }
  }
  double flops() const { return 2. * static_cast<double>(tokens * n * k); }
};

void strip_multiply(benchmark::State& s) {
  operands o(s);
  constexpr index_t wide = strip::width<float>;
  beside_peak<float>(s, o.flops(), 1, [&] {
    strip::multiply(strip::rows<float>{o.y.data(), o.n * wide}, strip::rows<const float>{o.x.data(), o.k * wide},
                    o.w.data(), static_cast<const float*>(nullptr), o.k, o.n, tokens / wide);
  });
}

void strip_weight_gradient(benchmark::State& s) {
  operands o(s);
  constexpr index_t wide = strip::width<float>;
  beside_peak<float>(s, o.flops(), 1, [&] {
    strip::add_outer(o.g.data(), strip::rows<const float>{o.y.data(), o.n * wide}, o.x.data(), o.n,
                     strip::padded<float>(o.k), tokens / wide);
  });
}

template <class Backend>
void rows_multiply(benchmark::State& s) {
  operands o(s);
  beside_peak<float>(s, o.flops(), 1, [&] {
    unmask::multiply(Backend{}, {o.y.data(), o.n}, unmask::rows_of(static_cast<const float*>(o.x.data()), o.k),
                     {o.w.data(), o.n}, {tokens, o.n, o.k});
  });
}

template <class Backend>
void rows_weight_gradient(benchmark::State& s) {
  operands o(s);
  beside_peak<float>(s, o.flops(), 1, [&] {
    unmask::multiply_add(Backend{}, {o.g.data(), o.n}, unmask::transposed(static_cast<const float*>(o.x.data()), o.k),
                         {o.y.data(), o.n}, {o.k, o.n, tokens});
  });
}

template <bool Gradient>
void eigen(benchmark::State& s) {
  operands o(s);
  using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<matrix> x(o.x.data(), tokens, o.k), w(o.w.data(), o.k, o.n), y(o.y.data(), tokens, o.n),
      g(o.g.data(), o.k, o.n);
  beside_peak<float>(s, o.flops(), 1, [&] {
    if (Gradient)
      g.noalias() += x.transpose() * y;
    else
      y.noalias() = x * w;
  });
}

// ---- what is no product

/// `a_value` flops, `moved` floats read and written for each value of the window.
template <class Window, class Body>
void light(benchmark::State& s, const Window& m, double a_value, double moved, Body&& body) {
  const double values = static_cast<double>(tokens * m.c);
  beside_peak<float>(s, a_value * values, 1, body, moved * sizeof(float) * values);
}

void strip_gather(benchmark::State& s) {
  fused_window m(s);
  light(s, m, 0, 2, [&] {
    strip::from_rows(
        m.w.x, [&](index_t t) { return m.images.x + t * m.c; }, tokens, m.c);
  });
}

void strip_scatter(benchmark::State& s) {
  fused_window m(s);
  light(s, m, 0, 2, [&] { strip::to_rows([&](index_t t) { return m.images.y + t * m.c; }, m.w.x, tokens, m.c); });
}

void rows_gather(benchmark::State& s) {
  window<rows_block<ref>> m(s);
  const auto& w = m.scratch.spatial.slots[0];
  light(s, m, 0, 2, [&] { unmask::gather_window(w.x, m.images.x, m.shape.grid, 0, m.c); });
}

void rows_scatter(benchmark::State& s) {
  window<rows_block<ref>> m(s);
  const auto& w = m.scratch.spatial.slots[0];
  light(s, m, 0, 2, [&] { unmask::scatter_window(m.images.y, w.x, 1.f, m.shape.grid, 0, m.c); });
}

void strip_norm(benchmark::State& s) {
  fused_window m(s);
  light(s, m, 8, 2, [&] { strip::normalise(m.w.n, m.w.rstd, m.w.x, m.c, m.count); });
}

template <class Backend>
void rows_norm(benchmark::State& s) {
  window<rows_block<Backend>> m(s);
  const auto& w = m.scratch.spatial.slots[0];
  light(s, m, 8, 2, [&] {
    unmask::kernel<op::layer_norm, Backend>::template forward<float>(m.be, w.u, {w.mean, w.rstd}, w.x,
                                                                     m.p.spatial[0].norm, {tokens, m.c});
  });
}

void strip_norm_backward(benchmark::State& s) {
  fused_window m(s);
  strip::normalise(m.w.n, m.w.rstd, m.w.x, m.c, m.count);
  light(s, m, 8, 4, [&] { strip::normalise_backward(m.g.d, m.g.dn, m.w.n, m.w.rstd, m.c, m.count); });
}

/// The mask embedding of one window inside an image of 3 x 3 of them: nine multiply-adds a value and an exp.
void strip_mask_values(benchmark::State& s) {
  fused_block m(s.range(0), 3 * side, true);
  const index_t c = s.range(0);
  const auto& w = m.scratch.fused.windows[0];
  const auto& mask = m.made.weights.spatial_mask;
  strip::window_places(w.places, m.shape.grid, 4);
  beside_peak<float>(s, 18. * static_cast<double>(tokens * c), 1, [&] {
    strip::mask_values(w.spatial_e, w.taps, {m.mask.data(), mask.rows}, mask, m.shape.embedding, m.shape.grid, w.places,
                       c);
  });
}

/// The same values as a whole image; `ref` applies both convolutions, 9 E + 1 multiply-adds a value.
template <class Backend>
void rows_mask_values(benchmark::State& s) {
  window<rows_block<Backend>> m(s);
  const unmask::embedding_inputs<float> in{
      m.mask.data(), m.p.spatial_embedding, m.shape.embedding, {1, side, side, m.c}};
  beside_peak<float>(s, m.flops(9), 1,
                     [&] { unmask::mask_embedding_forward(m.be, m.scratch.e.spatial, in, m.scratch.embedding); });
}

void products(benchmark::internal::Benchmark* b) {
  for (index_t e : {60, 30})
    for (const auto& [k, n] : {std::pair{e, 3 * e}, std::pair{e, 4 * e}, std::pair{4 * e, e}, std::pair{3 * e, e}})
      b->Args({k, n});
  b->ArgNames({"k", "n"})->UseManualTime()->Iterations(40);
}

}  // namespace

BENCHMARK(strip_multiply)->Apply(products);
BENCHMARK(rows_multiply<cpu>)->Apply(products);
BENCHMARK(eigen<false>)->Name("eigen_multiply")->Apply(products);
BENCHMARK(rows_multiply<ref>)->Apply(products);
BENCHMARK(strip_weight_gradient)->Apply(products);
BENCHMARK(rows_weight_gradient<cpu>)->Apply(products);
BENCHMARK(eigen<true>)->Name("eigen_weight_gradient")->Apply(products);
BENCHMARK(rows_weight_gradient<ref>)->Apply(products);

BENCHMARK(strip_gather)->Apply(widths);
BENCHMARK(rows_gather)->Apply(widths);
BENCHMARK(strip_scatter)->Apply(widths);
BENCHMARK(rows_scatter)->Apply(widths);
BENCHMARK(strip_norm)->Apply(widths);
BENCHMARK(rows_norm<cpu>)->Apply(widths);
BENCHMARK(rows_norm<ref>)->Apply(widths);
BENCHMARK(strip_norm_backward)->Apply(widths);
BENCHMARK(strip_mask_values)->Apply(widths);
BENCHMARK(rows_mask_values<cpu>)->Apply(widths);
BENCHMARK(rows_mask_values<ref>)->Apply(widths);
