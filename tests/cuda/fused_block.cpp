/// Fused blocks of inference against the reference, for every precision of products: windows of any size up to
/// 64 tokens, channels that do and do not fill a tile, heads of odd width, shifted windows, batches, in place.

#include "../nn/tested_backend.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <unmask/core/random.hpp>
#include <unmask/nn/s2_block.hpp>
#include <utility>
#include <vector>

using namespace unmask;
using unmask_test::tested_variants;

namespace {

struct sizes {
  index_t channels, heads, spectral_width, hidden;
  mask_effect spatial, spectral;
  window_grid grid;
  index_t batch;
  bool keep;
  spectral_scope scope = spectral_scope::window;
};

constexpr sizes cases[] = {
    {6, 2, 3, 8, mask_effect::qk, mask_effect::none, {4, 8, 4, 2}, 1, false},
    {6, 2, 2, 70, mask_effect::qkv, mask_effect::qk, {2, 4, 2, 1}, 2, true},
    {9, 1, 9, 9, mask_effect::none, mask_effect::q, {3, 3, 3, 0}, 1, false},
    {64, 4, 16, 64, mask_effect::qk, mask_effect::none, {8, 8, 8, 4}, 1, false},
    {60, 6, 10, 240, mask_effect::qk, mask_effect::none, {8, 8, 8, 4}, 1, true},  // the network of the paper
    {6, 2, 3, 8, mask_effect::qk, mask_effect::none, {4, 8, 4, 2}, 1, false, spectral_scope::image},
    {10, 2, 5, 65, mask_effect::q, mask_effect::qk, {4, 2, 2, 1}, 2, true, spectral_scope::image},
    {60, 6, 10, 240, mask_effect::qk, mask_effect::none, {8, 8, 8, 4}, 1, false, spectral_scope::image},
};

s2_block make(const sizes& s) {
  return {.layout = arrangement::parallel_concat,
          .spatial = {s.channels, s.heads, s.grid.side, s.spatial},
          .spectral = {s.channels, s.spectral_width, s.grid.side, s.scope, s.spectral},
          .feed = {s.channels, s.hidden},
          .embedding = mask_embedding_kind::tile_safe,
          .grid = s.grid};
}

template <class T>
std::vector<T> numbers(index_t n, std::uint64_t stream, double low, double high) {
  unmask::random draw(7, stream);
  std::vector<T> v(static_cast<std::size_t>(n));
  for (T& x : v) x = static_cast<T>(static_cast<float>(draw.uniform(low, high)));
  return v;
}

/// The result of inference; x and y are one image where the backend works in place.
template <class T, class Backend>
std::vector<T> run(const Backend& be, const sizes& s) {
  using block = kernel<op::s2_block, Backend>;
  const s2_block l = make(s);
  const index_t pixels = s.batch * s.grid.height * s.grid.width, size = pixels * s.channels;
  manifest_builder list;
  block_params<float> unused;
  visit_block(list, l, unused);
  const manifest m = list.take();
  std::vector<T> weights(static_cast<std::size_t>(m.size)), x = numbers<T>(size, 1, -1, 1), y(x.size());
  for (const parameter& part : m.entries) {
    const double reach = std::sqrt(3. * static_cast<double>(part.shape[0]) / static_cast<double>(part.size));
    const bool one = part.init == initial::one;
    const std::vector<T> drawn =
        numbers<T>(part.size, static_cast<std::uint64_t>(part.offset) + 9, one ? .5 : -reach, one ? 1.5 : reach);
    std::copy(drawn.begin(), drawn.end(), weights.begin() + part.offset);
  }
  const std::vector<T> mask = numbers<T>(pixels, 2, 0, 1), keep = numbers<T>(3 * s.batch, 3, .5, 1.5);
  const auto p = bind_parameters<const T>(l, static_cast<const T*>(weights.data()));
  const block_batch<T> in{mask.data(), s.keep ? keep.data() : nullptr, s.batch};

  typename block::template prepared<T> made;
  typename block::template scratch<T> scratch;
  block_images<T> images;
  const bool in_place = block::template in_place<T>(l);
  const auto carve = [&](arena& a) {
    images = {x.data(), in_place ? x.data() : y.data(), a.take<T>(size), a.take<T>(size)};
    made.carve(a, l, s.batch, false);
    scratch.carve(a, be, l, s.batch, false);
  };
  arena counting;
  carve(counting);
  memory_block memory(counting.peak());
  arena real(memory.data(), memory.bytes());
  carve(real);
  block::prepare(be, made, l, in, p, scratch);
  block::forward(be, l, images, in, p, made, scratch);
  return in_place ? x : y;
}

template <class T>
double relative_error(const std::vector<T>& found, const std::vector<double>& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    difference += (static_cast<double>(found[i]) - expected[i]) * (static_cast<double>(found[i]) - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(difference / size);
}

}  // namespace

TEST_CASE("a fused block gives the reference's result") {
  for (const sizes& s : cases) {
    INFO("channels ", s.channels, ", tokens ", s.grid.tokens());
    const std::vector<double> expected = run<double>(ref{}, s);
    CHECK(kernel<op::s2_block, cuda>::in_place<float>(make(s)));
    CHECK(relative_error(run<double>(cuda{}, s), expected) <= 1e-13);
    // a float of 24 bits, factors of 11 and 8, some five products one after the other beside a residual path
    const std::pair<product_precision, double> bounds[] = {
        {product_precision::full, 1e-6}, {product_precision::tf32, 2e-3}, {product_precision::bf16, 2e-2}};
    for (const auto& [products, bound] : bounds) {
      tested_variants()[0].enter();
      const std::vector<float> found = run<float>(cuda{.products = products}, s);
      CHECK(relative_error(found, expected) <= bound);
      if (s.channels == 60 && products == product_precision::full) continue;  // the emulator takes its time
      tested_variants()[1].enter();                                           // a race shows as other bits
      CHECK(run<float>(cuda{.products = products}, s) == found);
    }
    tested_variants()[0].enter();
  }
}

TEST_CASE("as many windows of the paper's network fit into a multiprocessor of an H100 as registers are left for") {
  const auto room = [](auto body) {
    body.a.sets = token_sets::windows({8, 8, 8, 4});
    body.a.channels = 60, body.a.heads = 6, body.a.spectral_width = 10;
    const std::size_t block = body.shared() + 1024;  // a block takes 1 KB more than it asks for
    CHECK(block * static_cast<std::size_t>(body.least_blocks) <= 228 * 1024);
    CHECK(body.shared() <= 99 * 1024);  // the least of GPUs of today
  };
  room(detail::fused_window_body<detail::plain_math<float>>{});
  room(detail::fused_window_body<detail::tf32_math>{});
  room(detail::fused_window_body<detail::bf16_math>{});
}
