/// 3x3 convolutions of the network, forward and both gradients, beside im2col with plain Eigen and, where it is
/// installed, oneDNN on the same channels-last images (its weights arranged beforehand, which is in its favour).
/// Counters: FLOP/s (taps outside the image don't count), the multiply-add peak measured beside, and the share of it.

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>
#include <unmask/unmask.hpp>
#include <vector>

#include "fma_peak.hpp"

#if BENCH_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif

namespace {

using unmask::index_t;

enum direction { forward, weight_gradient };

struct images {
  unmask::conv_sizes size;
  int threads;
  std::vector<float> x, y, parameters, gradient, scratch;

  explicit images(const benchmark::State& s)
      : size{s.range(0), s.range(1), s.range(1), s.range(2), s.range(3)}, threads(static_cast<int>(s.range(4))) {
    unmask::random draw(1);
    for (auto [values, n] :
         {std::pair{&x, pixels() * size.in_channels}, std::pair{&y, pixels() * size.out_channels},
          std::pair{&parameters, weights() + size.out_channels}, std::pair{&gradient, weights() + size.out_channels},
          std::pair{&scratch,
                    unmask::kernel<unmask::op::conv3x3, unmask::cpu>::scratch({.threads = threads}, size, true)}}) {
      values->resize(static_cast<std::size_t>(n));
      for (float& v : *values) v = static_cast<float>(draw.normal());
    }
  }
  index_t weights() const { return 9 * size.in_channels * size.out_channels; }
  index_t pixels() const { return size.batch * size.height * size.width; }
  template <class T>
  unmask::conv_params<T> bind(T* block) const {
    return {block, block + weights()};
  }
  double flops() const {
    const index_t taps = (3 * size.height - 2) * (3 * size.width - 2);
    return 2. * static_cast<double>(size.batch * taps * size.in_channels * size.out_channels);
  }
};

/// The gradient of the input is `forward` with the channels exchanged, but for how weights are packed.
template <direction Way>
void conv3x3(benchmark::State& s) {
  images i(s);
  using kernel = unmask::kernel<unmask::op::conv3x3, unmask::cpu>;
  const unmask::cpu be{.threads = i.threads};
  const auto p = i.bind(static_cast<const float*>(i.parameters.data()));
  bench::beside_peak<float>(s, i.flops(), i.threads, [&] {
    if (Way == forward)
      kernel::forward<float>(be, i.y.data(), i.x.data(), p, i.size, i.scratch.data());
    else
      kernel::backward<float>(be, nullptr, i.bind(i.gradient.data()), i.y.data(), i.x.data(), p, i.size,
                              i.scratch.data());
  });
}

/// [pixels of a row, 9 C] copied out of the image, then one product.
template <direction Way>
void conv3x3_eigen(benchmark::State& s) {
  images i(s);
  const index_t c = i.size.in_channels, o = i.size.out_channels, width = i.size.width, height = i.size.height;
  using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  matrix columns = matrix::Zero(width, 9 * c);
  const Eigen::Map<const matrix> weight(i.parameters.data(), 9 * c, o);
  Eigen::Map<matrix> gradient(i.gradient.data(), 9 * c, o);
  bench::beside_peak<float>(s, i.flops(), 1, [&] {
    for (index_t row = 0; row < i.size.batch * height; ++row) {
      for (index_t tap = 0; tap < 9; ++tap) {
        const index_t h = row % height + tap / 3 - 1;
        for (index_t w = 0; w < width; ++w) {
          const index_t v = w + tap % 3 - 1;
          float* to = columns.data() + (w * 9 + tap) * c;
          if (h < 0 || h >= height || v < 0 || v >= width)
            std::fill_n(to, c, 0.f);
          else
            std::copy_n(i.x.data() + ((row + tap / 3 - 1) * width + v) * c, c, to);
        }
      }
      Eigen::Map<matrix> y(i.y.data() + row * width * o, width, o);
      if (Way == forward)
        y.noalias() = columns * weight;
      else
        gradient.noalias() += columns.transpose() * y;
    }
  });
}

#if BENCH_ONEDNN
template <direction Way>
void conv3x3_onednn(benchmark::State& s) {
  images i(s);
#if UNMASK_HAS_OPENMP
  omp_set_num_threads(i.threads);
#endif
  using namespace dnnl;
  const engine cpu(engine::kind::cpu, 0);
  stream queue(cpu);
  const auto& n = i.size;
  const auto image = [&](index_t channels) {
    return memory::desc({n.batch, channels, n.height, n.width}, memory::data_type::f32, memory::format_tag::nhwc);
  };
  const memory::desc x = image(n.in_channels), y = image(n.out_channels),
                     w({n.out_channels, n.in_channels, 3, 3}, memory::data_type::f32, memory::format_tag::any),
                     b({n.out_channels}, memory::data_type::f32, memory::format_tag::a);
  const memory::dims one{1, 1};
  const auto direct = algorithm::convolution_direct;
  const convolution_forward::primitive_desc ahead({prop_kind::forward_training, direct, x, w, b, y, one, one, one},
                                                  cpu);
  memory from(x, cpu, i.x.data()), to(y, cpu, i.y.data()), bias(b, cpu, i.gradient.data());
  if constexpr (Way == forward) {
    memory weight(ahead.weights_desc(), cpu);
    std::fill_n(static_cast<float*>(weight.get_data_handle()), ahead.weights_desc().get_size() / sizeof(float), 0.1f);
    const convolution_forward run(ahead);
    bench::beside_peak<float>(s, i.flops(), i.threads, [&] {
      run.execute(queue, {{DNNL_ARG_SRC, from}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, to}});
      queue.wait();
    });
  } else {
    const convolution_backward_weights::primitive_desc back({direct, x, w, b, y, one, one, one}, cpu, ahead);
    memory weight(back.diff_weights_desc(), cpu);
    const convolution_backward_weights run(back);
    bench::beside_peak<float>(s, i.flops(), i.threads, [&] {
      run.execute(
          queue,
          {{DNNL_ARG_SRC, from}, {DNNL_ARG_DIFF_WEIGHTS, weight}, {DNNL_ARG_DIFF_BIAS, bias}, {DNNL_ARG_DIFF_DST, to}});
      queue.wait();
    });
  }
}
#endif

template <int Threads>
void shapes(benchmark::internal::Benchmark* b) {
  for (const auto& [batch, side] : {std::pair{1, 256}, std::pair{4, 64}})
    for (const auto& [in, out] : {std::pair{60, 60}, std::pair{28, 60}, std::pair{60, 28}, std::pair{30, 30},
                                  std::pair{28, 30}, std::pair{30, 28}})
      if (side == 64 || std::max(in, out) == 60) b->Args({batch, side, in, out, Threads});
  b->ArgNames({"batch", "side", "in", "out", "threads"})->UseManualTime()->MinTime(0.2)->Unit(benchmark::kMillisecond);
}

}  // namespace

BENCHMARK(conv3x3<forward>)->Apply(shapes<1>)->Apply(shapes<2>);
BENCHMARK(conv3x3<weight_gradient>)->Apply(shapes<1>)->Apply(shapes<2>);
BENCHMARK(conv3x3_eigen<forward>)->Apply(shapes<1>);
BENCHMARK(conv3x3_eigen<weight_gradient>)->Apply(shapes<1>);
#if BENCH_ONEDNN
BENCHMARK(conv3x3_onednn<forward>)->Apply(shapes<1>);
BENCHMARK(conv3x3_onednn<weight_gradient>)->Apply(shapes<1>);
#endif
