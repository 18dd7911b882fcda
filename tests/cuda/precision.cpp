/// Kernels on tensor cores: small integers are exact in tf32 and bfloat16, so a product of them must be exact whatever
/// the instruction, which finds every fault in the order of lanes and registers; real numbers to the factors' rounding.

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "../nn/tested_backend.hpp"
#include "unmask/core/random.hpp"
#include "unmask/nn/visit.hpp"

using namespace unmask;
using unmask::index_t;
using floats = std::vector<float>;
using unmask_test::tested_variants;

namespace {

constexpr product_precision precisions[] = {product_precision::full, product_precision::tf32, product_precision::bf16};

floats integers(index_t n, std::uint64_t seed) {
  floats x(static_cast<std::size_t>(n));
  unmask::random draw(seed);
  for (float& v : x) v = static_cast<float>(draw.below(9) - 4);
  return x;
}
floats reals(index_t n, std::uint64_t seed, double low, double high) {
  floats x(static_cast<std::size_t>(n));
  unmask::random draw(seed);
  for (float& v : x) v = static_cast<float>(draw.uniform(low, high));
  return x;
}

/// body(be) for every precision and every way to run it.
template <class Body>
void each_precision(Body&& body) {
  for (const product_precision products : precisions)
    for (const auto& variant : tested_variants()) {
      variant.enter();
      body(cuda{.products = products});
    }
}

}  // namespace

TEST_CASE("cuda: products of integers are exact in every precision") {
  struct shape {
    index_t m, n, k, step;
  };
  // more than a tile every way, less than one step of the depth, overlapping rows
  for (const shape& s : {shape{70, 67, 83, 83}, {5, 3, 1, 1}, {3, 9, 17, 5}}) {
    const index_t m = s.m, n = s.n, k = s.k, step = s.step;
    const floats a = integers((m - 1) * step + k, 1), b = integers(k * n, 2), bias = integers(n, 3);
    floats expected(static_cast<std::size_t>(m * n));
    const linear_params<const float> p{b.data(), bias.data()};
    linear_forward<ref, float>(ref{}, {expected.data(), n}, {a.data(), step}, p, {m, k, n});
    each_precision([&](const cuda& be) {
      floats found(expected.size(), NAN);
      linear_forward<cuda, float>(be, {found.data(), n}, {a.data(), step}, p, {m, k, n});
      CHECK(found == expected);
    });
  }
}

TEST_CASE("cuda: convolutions of integers are exact in every precision") {
  for (const conv_sizes s : {conv_sizes{1, 3, 17, 67, 3}, {2, 2, 3, 5, 67}}) {
    const index_t pixels = s.batch * s.height * s.width, w = 9 * s.in_channels * s.out_channels;
    const floats x = integers(pixels * s.in_channels, 1), dy = integers(pixels * s.out_channels, 2),
                 p = integers(w + s.out_channels, 3);
    const auto size = [](index_t n) { return static_cast<std::size_t>(n); };
    floats scratch(size(kernel<op::conv3x3, cuda>::scratch(cuda{}, s, true)));
    const conv_params<const float> params{p.data(), p.data() + w};
    struct outcome {
      floats y, dx, d;
      bool operator==(const outcome&) const = default;
    };
    const auto run = [&](const auto& be) {
      using K = kernel<op::conv3x3, std::remove_cvref_t<decltype(be)>>;
      outcome o{floats(dy.size()), floats(x.size()), floats(p.size(), 1)};
      K::template forward<float>(be, o.y.data(), x.data(), params, s, scratch.data());
      K::template backward<float>(be, o.dx.data(), {o.d.data(), o.d.data() + w}, dy.data(), x.data(), params, s,
                                  scratch.data());
      return o;
    };
    const outcome expected = run(ref{});
    each_precision([&](const cuda& be) { CHECK(run(be) == expected); });
  }
}

TEST_CASE("cuda: feed-forward part to the rounding of its factors") {
  const ffn l{20, 70};
  constexpr index_t n = 130;
  const auto size = static_cast<std::size_t>(n * l.channels);
  const floats block = reals(parameter_count(l), 1, -.3, .3), x = reals(n * l.channels, 2, -1, 1),
               dy = reals(n * l.channels, 3, -1, 1), keep{2};
  const auto p = bind_parameters<const float>(l, static_cast<const float*>(block.data()));
  const ffn_batch<float> images{keep.data(), 1, n};
  struct outcome {
    floats y, dx, d;
  };
  const auto run = [&](const auto& be) {
    using B = std::remove_cvref_t<decltype(be)>;
    ffn_scratch<float> scratch;
    arena count;
    scratch.carve(count, be, l, n, true);
    memory_block memory(count.peak());
    arena real(memory.data(), memory.bytes());
    scratch.carve(real, be, l, n, true);
    outcome o{floats(size), dy, floats(block.size())};
    const auto dp = bind_parameters<float>(l, o.d.data());
    ffn_forward<B, float>(be, l, o.y.data(), x.data(), p, images, scratch);
    ffn_backward<B, float>(be, l, o.dx.data(), dp, x.data(), p, images, scratch);
    for (std::size_t i = 0; i < size; ++i) o.y[i] -= x[i], o.dx[i] -= dy[i];  // the branch alone
    return o;
  };
  const outcome expected = run(ref{});
  each_precision([&](const cuda& be) {
    // half a unit of the last place of both factors of three products one after the other, in the norm
    const double unit = be.products == product_precision::full   ? 0x1p-21
                        : be.products == product_precision::tf32 ? 0x1p-11
                                                                 : 0x1p-8;
    const outcome found = run(be);
    for (const auto member : {&outcome::y, &outcome::dx, &outcome::d}) {
      double error = 0, whole = 0;
      for (std::size_t i = 0; i < (found.*member).size(); ++i) {
        const auto e = static_cast<double>((expected.*member)[i]);
        error += std::pow(static_cast<double>((found.*member)[i]) - e, 2), whole += e * e;
      }
      CHECK(std::sqrt(error) <= 2 * unit * std::sqrt(whole));
    }
  });
}
