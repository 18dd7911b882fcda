/// A new operation, the way every operation of this library is made: contract, readable reference with its gradient, a
/// gradient check, and (only when a profile asks for it) a tuned twin for cpu. Nothing that exists changes.

#include <cstdio>
#include <unmask/simd/loop.hpp>
#include <unmask/train/gradient_check.hpp>
#include <unmask/unmask.hpp>

namespace unmask::inline UNMASK_ABI {

namespace op {
/// Channel gate.  forward y[n, c] = x[n, c] g[c];  gradient dx = dy g, dg[c] += sum_n dy[n, c] x[n, c];  shapes x, y
/// [N, C], g [C]
struct gate {};
}  // namespace op

template <>
struct kernel<op::gate, ref> : no_scratch {
  template <class T>
  static void forward(const ref&, T* y, const T* x, const T* g, row_sizes s) {
    for (index_t i = 0; i < s.rows * s.channels; ++i) y[i] = x[i] * g[i % s.channels];
  }
  template <class Backend, class T>
  static void backward(const Backend&, T* dx, T* dg, const T* dy, const T* x, const T* g, row_sizes s) {
    for (index_t i = 0; i < s.rows * s.channels; ++i) {
      dx[i] = dy[i] * g[i % s.channels];   // gradients of activations are written,
      dg[i % s.channels] += dy[i] * x[i];  // gradients of parameters are added
    }
  }
};

/// Forward with a row on the lanes; backward stays the reference's, by inheritance.
template <>
struct kernel<op::gate, cpu> : kernel<op::gate, ref> {
  template <class T>
  static void forward(const cpu&, T* y, const T* x, const T* g, row_sizes s) {
    const index_t c = s.channels;
    for (index_t i = 0; i < s.rows; ++i)
      simd::transform<T>(
          c, y + i * c, [](auto v, auto w) { return v * w; }, x + i * c, g);
  }
};

}  // namespace unmask::inline UNMASK_ABI

int main() {
  using namespace unmask;
  constexpr index_t n = 3, c = 5;
  constexpr row_sizes size{n, c};
  unmask::random draw(1);
  std::vector<double> x(n * c), g(c), dy(n * c), y(n * c), dx(n * c), dg(c), twin(n * c);
  for (auto* values : {&x, &g, &dy})
    for (double& v : *values) v = draw.normal();

  kernel<op::gate, ref>::backward(ref{}, dx.data(), dg.data(), dy.data(), x.data(), g.data(), size);
  const auto loss = [&] {  // <dy, y>: its gradient is what backward computes from dy
    kernel<op::gate, ref>::forward(ref{}, y.data(), x.data(), g.data(), size);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += dy[i] * y[i];
    return sum;
  };
  const auto input = train::check_gradient(loss, x, dx), weight = train::check_gradient(loss, g, dg);
  std::printf("gradient check: dx %.1e, dg %.1e (at most 1e-6)\n", input.error, weight.error);

  loss();
  kernel<op::gate, cpu>::forward(cpu{}, twin.data(), x.data(), g.data(), size);
  const bool same = twin == y;
  std::printf("cpu twin equals the reference: %s\n", same ? "yes" : "no");
  return input.passed(1e-6) && weight.passed(1e-6) && same ? 0 : 1;
}
