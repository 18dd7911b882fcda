/// Index arithmetic against the definitions written out: cyclic roll, window partition, Swin's region image, relative
/// positions, reflection; and the arguments that may be left out.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unmask/nn/cpu/all.hpp>
#include <unmask/nn/mask_embedding.hpp>
#include <unmask/nn/padding.hpp>
#include <unmask/nn/position_bias.hpp>
#include <utility>
#include <vector>

using namespace unmask;

TEST_CASE("windows are a partition of the rolled image") {
  for (const window_grid grid : {window_grid{8, 12, 4, 2}, {8, 8, 8, 4}, {6, 3, 3, 1}, {2, 3, 1, 0}}) {
    std::vector<index_t> image(static_cast<std::size_t>(grid.height * grid.width)), rolled(image.size());
    std::iota(image.begin(), image.end(), index_t{0});
    for (index_t h = 0; h < grid.height; ++h)
      for (index_t w = 0; w < grid.width; ++w)  // roll by -shift: what stood `shift` further on comes here
        rolled[static_cast<std::size_t>(h * grid.width + w)] = image[static_cast<std::size_t>(
            (h + grid.shift) % grid.height * grid.width + (w + grid.shift) % grid.width)];
    index_t n = 0;
    for (index_t top = 0; top < grid.height; top += grid.side)
      for (index_t left = 0; left < grid.width; left += grid.side, ++n)
        for (index_t t = 0; t < grid.tokens(); ++t)
          CHECK(grid.pixel(n, t) ==
                rolled[static_cast<std::size_t>((top + t / grid.side) * grid.width + left + t % grid.side)]);
    CHECK(n == grid.windows());
  }
}

TEST_CASE("the shift mask separates exactly the pixels that were not neighbours") {
  const window_grid grid{8, 12, 4, 2};
  // regions of Liu et al. 2021: slices [0, -M), [-M, -s), [-s, end) of rows and columns, numbered
  const auto slice = [&](index_t i, index_t size) { return i < size - grid.side ? 0 : i < size - grid.shift ? 1 : 2; };
  for (index_t n = 0; n < grid.windows(); ++n) {
    std::vector<float> scores(256, 0.f);
    add_shift_mask(scores.data(), grid, n);
    bool any = false;
    for (index_t p = 0; p < 16; ++p)
      for (index_t t = 0; t < 16; ++t) {
        const auto region = [&](index_t token) {
          return std::pair(slice(n / 3 * 4 + token / 4, 8), slice(n % 3 * 4 + token % 4, 12));
        };
        const bool apart = region(p) != region(t);
        any = any || apart;
        CHECK(scores[static_cast<std::size_t>(p * 16 + t)] == (apart ? -100.f : 0.f));
      }
    CHECK(grid.mixed(n) == any);
  }
  CHECK_FALSE(window_grid{8, 8, 4, 0}.mixed(3));
}

TEST_CASE("relative positions: one table row for each offset") {
  for (const index_t side : {1, 2, 3, 8})
    for (index_t p = 0; p < side * side; ++p)
      for (index_t t = 0; t < side * side; ++t) {
        const index_t rows = p / side - t / side, cols = p % side - t % side;
        CHECK(relative_offset(p, t, side) == (rows + side - 1) * (2 * side - 1) + cols + side - 1);
      }
}

TEST_CASE("reflection folds back and forth without repeating the edge") {
  for (const index_t size : {1, 2, 3, 5, 8}) {
    index_t at = 0, step = size > 1 ? 1 : 0;
    for (index_t i = 0; i < 40; ++i) {  // a walk that turns round at both ends
      CHECK(reflect(i, size) == at);
      if (at + step < 0 || at + step >= size) step = -step;
      at += step;
    }
  }
}

TEST_CASE_TEMPLATE("gradients of image and mask may be left out", Backend, ref, cpu) {
  Backend be{};
  constexpr index_t h = 3, w = 5, c = 3, wide = h * w * c, size = 9 * c * c + 3 * c;
  const auto numbers = [](index_t n) {
    std::vector<double> x(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<double>(i + 1));
    return x;
  };
  const auto x = numbers(wide), dy = numbers(wide), block = numbers(size), mask = numbers(h * w);
  std::vector<double> with(block.size()), without(block.size()), dx(x.size());
  const conv_params<const double> p{block.data(), block.data() + 9 * c * c};
  const conv_sizes conv_size{1, h, w, c, c};
  using conv = kernel<op::conv3x3, Backend>;
  std::vector<double> conv_scratch(static_cast<std::size_t>(conv::scratch(be, conv_size, true)));
  for (auto [g, to] : {std::pair(&with, dx.data()), std::pair(&without, static_cast<double*>(nullptr))})
    conv::template backward<double>(be, to, {g->data(), g->data() + 9 * c * c}, dy.data(), x.data(), p, conv_size,
                                    conv_scratch.data());
  CHECK(with == without);

  const auto bind = [](auto* b) {
    embedding_params<std::remove_pointer_t<decltype(b)>> bound{};
    parameter_binder<std::remove_pointer_t<decltype(b)>> binder(b);
    visit_embedding(binder, "", bound, c);
    return bound;
  };
  const mask_sizes sizes{1, h, w, c};
  arena count;
  embedding_scratch<double> scratch;
  scratch.carve(count, be, sizes);
  memory_block memory(count.peak());
  arena real(memory.data(), memory.bytes());
  scratch.carve(real, be, sizes);
  std::vector<double> e(x.size()), d(x.size()), dmask(mask.size());
  const embedding_inputs<double> in{mask.data(), bind(block.data()), mask_embedding_kind::released, sizes};
  mask_embedding_forward(be, e.data(), in, scratch);
  std::fill(with.begin(), with.end(), 0.);
  without = with;
  for (auto [g, to] : {std::pair(&with, dmask.data()), std::pair(&without, static_cast<double*>(nullptr))}) {
    d = dy;
    mask_embedding_backward<Backend, double>(be, to, bind(g->data()), d.data(), e.data(), in, scratch);
  }
  CHECK(with == without);
}

TEST_CASE_TEMPLATE("a convolution adds a residual, in place or from elsewhere", Backend, ref, cpu) {
  constexpr index_t o = 19;  // one whole pack of every instruction set and an overlapping one, or part of one
  const conv_sizes size{2, 3, 7, 2, o};
  const auto numbers = [](index_t n) {
    std::vector<double> x(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<double>(i + 1));
    return x;
  };
  const index_t pixels = size.batch * size.height * size.width;
  const auto x = numbers(pixels * size.in_channels), add = numbers(pixels * o),
             weights = numbers(10 * size.in_channels * o);
  std::vector<double> plain(add.size()), summed(add.size()),
      in_place = add, packed(static_cast<std::size_t>(kernel<op::conv3x3, Backend>::scratch(Backend{}, size, false)));
  const conv_params<const double> p{weights.data(), weights.data() + 9 * size.in_channels * o};
  const auto convolve = [&](double* y, const double* residual) {
    kernel<op::conv3x3, Backend>::template forward<double>(Backend{}, y, x.data(), p, size, packed.data(), residual);
  };
  convolve(plain.data(), nullptr);
  convolve(summed.data(), add.data());
  convolve(in_place.data(), in_place.data());
  CHECK(summed == in_place);
  for (std::size_t i = 0; i < add.size(); ++i) CHECK(std::abs(summed[i] - plain[i] - add[i]) <= 1e-13);
}

TEST_CASE("which operands an effect names") {
  CHECK(affects(mask_effect::qk, mask_effect::q));
  CHECK(affects(mask_effect::qkv, mask_effect::v));
  CHECK_FALSE(affects(mask_effect::qk, mask_effect::v));
  CHECK_FALSE(affects(mask_effect::none, mask_effect::k));
}

TEST_CASE("attention to another region is below float rounding: S = -100 leaves exp(-100 + few)") {
  // scores differ by a few units, so a masked pair keeps at most exp(-90): 8e-40
  float row[4] = {3.f, -2.f, 1.f - 100.f, 4.f - 100.f}, y[4];
  kernel<op::softmax, cpu>::forward<float>(cpu{}, y, row, 1, 4);
  CHECK(y[2] <= 1e-38f);
  CHECK(y[3] <= 1e-38f);
  CHECK(y[0] + y[1] == doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE_TEMPLATE("softmax of large numbers, GELU of large numbers", Backend, ref, cpu) {
  float x[5] = {88.f, 1000.f, -1000.f, 999.f, 1000.f}, y[5];
  kernel<op::softmax, Backend>::template forward<float>(Backend{}, y, x, 1, 5);
  CHECK(std::abs(y[1] - y[4]) <= 1e-6f);
  CHECK(std::abs(y[0] + y[1] + y[2] + y[3] + y[4] - 1.f) <= 1e-6f);
  float z[5] = {-1e4f, -30.f, 0.f, 30.f, 1e4f};
  kernel<op::gelu, Backend>::template forward<float>(Backend{}, y, z, 5);
  CHECK(std::abs(y[0]) <= 1e-6f);
  CHECK(std::abs(y[1]) <= 1e-6f);
  CHECK(y[2] == 0.f);
  CHECK(y[3] == 30.f);
  CHECK(y[4] == 1e4f);
}
