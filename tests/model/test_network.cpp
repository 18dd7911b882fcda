/// The whole network: cpu against ref, equal bits for any thread count, no heap, modes, batches, left-out arguments,
/// NaN.

#include <doctest/doctest.h>

#include <limits>

#include "heap_count.hpp"
#include "network_case.hpp"

using namespace unmask_test;

TEST_CASE("cpu agrees with ref in all arrangements, forward and backward") {
  // three blocks are some 40 roundings in a row, each magnified by norms and softmax: 1e3 epsilons, 1e-4 in float; in
  // double the bound of every single operation, 1e-11, is asked of the whole network
  for (int layout = 0; layout < arrangements; ++layout) {
    INFO("arrangement ", layout);
    const s2_sizes sizes{2, 9, 14};
    network_case<double, ref> expected(ref{}, tiny_config(layout), sizes, s2_mode::training, true);
    network_case<double, cpu> precise(cpu{.threads = 2}, tiny_config(layout), sizes, s2_mode::training, true);
    network_case<float, cpu> fast(cpu{.threads = 2}, tiny_config(layout), sizes, s2_mode::training, true);
    const auto compare = [&](auto& found, double tolerance) {
      found.forward();
      found.backward();
      CHECK(relative_error(found.y, expected.y) <= tolerance);
      CHECK(relative_error(found.dx, expected.dx) <= tolerance);
      if (expected.config.layout != arrangement::spectral)  // which does not see the mask here
        CHECK(relative_error(found.dmask, expected.dmask) <= tolerance);
      CHECK(relative_error(found.gradients, expected.gradients) <= tolerance);
    };
    expected.forward();
    expected.backward();
    compare(precise, 1e-11);
    compare(fast, 1e-4);
  }
}

TEST_CASE("an input with channels of its own: cpu agrees with ref, and what more channels do not say changes nothing") {
  s2_config c = tiny_config(), wide = c;
  wide.inputs = 7;
  const s2_sizes sizes{2, 9, 14};
  network_case<double, ref> expected(ref{}, wide, sizes, s2_mode::training);
  network_case<double, cpu> precise(cpu{.threads = 2}, wide, sizes, s2_mode::training);
  network_case<float, cpu> fast(cpu{.threads = 3}, wide, sizes, s2_mode::training),
      inference(cpu{}, wide, sizes, s2_mode::inference);
  expected.forward(), expected.backward();
  const auto compare = [&](auto& found, double tolerance) {
    found.forward(), found.backward();
    CHECK(relative_error(found.y, expected.y) <= tolerance);
    CHECK(relative_error(found.dx, expected.dx) <= tolerance);
    CHECK(relative_error(found.gradients, expected.gradients) <= tolerance);
  };
  compare(precise, 1e-11);
  compare(fast, 1e-4);
  inference.forward();
  CHECK(relative_error(inference.y, fast.y) <= 1e-5);  // one matrix for the image's spectral attention, as below

  // the same parameters but for the first convolution, whose further channels are zero: a network of 4 channels
  network_case<double, cpu> few(cpu{}, c, sizes, s2_mode::training), many(cpu{}, wide, sizes, s2_mode::training);
  const manifest narrow = make_manifest(c), broad = make_manifest(wide);
  for (std::size_t i = 0; i < narrow.entries.size(); ++i) {
    const parameter &from = narrow.entries[i], &to = broad.entries[i];
    REQUIRE(from.name == to.name);
    double* values = many.parameters.data() + to.offset;
    std::fill_n(values, to.size, 0.);
    const index_t rows = from.name == "conv_first.weight" ? 9 : 1, n = from.size / rows;
    for (index_t r = 0; r < rows; ++r)
      std::copy_n(few.parameters.data() + from.offset + r * n, n, values + r * (to.size / rows));
  }
  for (std::size_t i = 0; i < few.x.size(); ++i) many.x[i / 4 * 7 + i % 4] = few.x[i];
  few.forward(), few.backward();
  many.forward(), many.backward();
  CHECK(relative_error(many.y, few.y) <= 1e-12);
  for (std::size_t i = 0; i < few.x.size(); ++i)
    CHECK(many.dx[i / 4 * 7 + i % 4] == doctest::Approx(few.dx[i]).epsilon(1e-9));
}

TEST_CASE_TEMPLATE("equal bits for 1, 2 and 3 threads, and no heap", T, float, double) {
  for (int layout = 0; layout < arrangements; ++layout) {
    INFO("arrangement ", layout);
    const s2_sizes sizes = layout == 0 ? s2_sizes{2, 33, 30} : s2_sizes{2, 15, 13};  // 18 tiles an image; 4
    network_case<T, cpu> one(cpu{.threads = 1}, tiny_config(layout), sizes, s2_mode::training, true);
    one.forward();
    one.backward();
    CHECK(finite(one.y));
    CHECK(finite(one.gradients));
    for (const int threads : {1, 2, 3}) {
      network_case<T, cpu> other(cpu{.threads = threads}, tiny_config(layout), sizes, s2_mode::training, true);
      const std::size_t before = heap_calls();
      other.forward();
      other.backward();
      const std::size_t calls = heap_calls() - before;
      CHECK(calls == 0);
      CHECK(other.y == one.y);
      CHECK(other.dx == one.dx);
      CHECK(other.dmask == one.dmask);
      CHECK(other.gradients == one.gradients);
    }
  }
}

TEST_CASE("frugal training gives the bits of training, in less memory where blocks are fused") {
  for (int layout = 0; layout < arrangements; ++layout) {
    INFO("arrangement ", layout);
    const s2_config c = tiny_config(layout);
    network_case<float, cpu> usual(cpu{.threads = 2}, c, {2, 9, 5}, s2_mode::training, true);
    network_case<float, cpu> frugal(cpu{.threads = 2}, c, {2, 9, 5}, s2_mode::frugal_training, true);
    for (auto* n : {&usual, &frugal}) {
      n->forward();
      n->backward();
    }
    CHECK(frugal.y == usual.y);
    CHECK(frugal.dx == usual.dx);
    CHECK(frugal.dmask == usual.dmask);
    CHECK(frugal.gradients == usual.gradients);
    CHECK(frugal.memory.bytes() <= usual.memory.bytes());
  }
  s2_config c = small_config();
  c.scope = spectral_scope::window;
  const network_case<float, cpu> usual(cpu{}, c, {1, 32, 32}, s2_mode::training);
  const network_case<float, cpu> frugal(cpu{}, c, {1, 32, 32}, s2_mode::frugal_training);
  CHECK(frugal.memory.bytes() + 3 * 32 * 32 * 30 * sizeof(float) <= usual.memory.bytes());
}

TEST_CASE("inference gives the bits of training") {
  for (int layout = 0; layout < arrangements; ++layout) {
    INFO("arrangement ", layout);
    const s2_config c = tiny_config(layout);
    network_case<float, cpu> training(cpu{.threads = 2}, c, {2, 9, 5}, s2_mode::training);
    network_case<float, cpu> inference(cpu{.threads = 2}, c, {2, 9, 5}, s2_mode::inference);
    training.forward();
    inference.forward();
    const auto first = inference.y;
    // parallel attention over the image has another way in inference: one matrix, from the Gram matrix of the tokens
    if (c.scope == spectral_scope::image && layout <= 1)
      CHECK(relative_error(inference.y, training.y) <= 1e-5);
    else
      CHECK(training.y == inference.y);
    CHECK(inference.memory.bytes() < training.memory.bytes());
    inference.forward();  // and nothing of the first run is left behind
    CHECK(inference.y == first);
  }
}

TEST_CASE("the images of a batch do not see each other") {
  for (int layout = 0; layout < arrangements; ++layout) {
    network_case<double, cpu> both(cpu{}, tiny_config(layout), {2, 7, 9}, s2_mode::inference);
    both.forward();
    for (std::size_t b = 0; b < 2; ++b) {
      network_case<double, cpu> one(cpu{}, tiny_config(layout), {1, 7, 9}, s2_mode::inference);
      const auto part = [b](const std::vector<double>& v) {
        const auto half = static_cast<std::ptrdiff_t>(v.size() / 2), at = static_cast<std::ptrdiff_t>(b) * half;
        return std::vector<double>(v.begin() + at, v.begin() + at + half);
      };
      one.x = part(both.x);
      one.mask = part(both.mask);
      one.forward();
      CHECK(relative_error(one.y, part(both.y)) <= 1e-13);
    }
  }
}

TEST_CASE("gradients of parameters accumulate, those of image and mask are overwritten") {
  network_case<double, cpu> c(cpu{}, tiny_config(), {1, 5, 6}, s2_mode::training);
  c.forward();
  c.backward();
  const auto once = c.gradients, dx = c.dx, dmask = c.dmask;
  c.forward();
  c.backward();
  CHECK(c.dx == dx);
  CHECK(c.dmask == dmask);
  std::vector<double> half(once.size());
  for (std::size_t i = 0; i < half.size(); ++i) half[i] = c.gradients[i] / 2;
  CHECK(relative_error(half, once) <= 1e-14);
}

TEST_CASE("arguments of backward that may be left out") {
  network_case<double, cpu> c(cpu{}, tiny_config(), {2, 5, 6}, s2_mode::training);
  c.forward();
  c.backward();
  std::vector<double> g(c.gradients.size());
  const array_view<double, 4> no_image;
  const array_view<double, 3> no_mask;
  c.forward();
  c.backward(g, no_image, no_mask, c.pin_views);
  CHECK(g == c.gradients);

  // no pins, empty pins and zero pins are the same, and keep = 1 is no keep
  for (auto& pin : c.dpins) std::fill(pin.begin(), pin.end(), 0.);
  std::fill(c.gradients.begin(), c.gradients.end(), 0.);
  c.forward();
  c.backward();
  for (const std::size_t count : {std::size_t{0}, c.pin_views.size()}) {
    const std::vector<array_view<const double, 4>> empty(count);
    std::fill(g.begin(), g.end(), 0.);
    c.forward();
    c.backward(g, no_image, no_mask, empty);
    CHECK(relative_error(g, c.gradients) <= 1e-14);
  }
  const auto y = c.y;
  c.keep.assign(static_cast<std::size_t>(c.net.branches() * 2), 1.);
  c.forward();
  CHECK(c.y == y);
}

TEST_CASE("NaN, infinity and huge numbers pass through: no hang, no crash, nothing hidden") {
  for (int layout = 0; layout < arrangements; ++layout)
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e30f}) {
      network_case<float, cpu> c(cpu{.threads = 2}, tiny_config(layout), {1, 9, 9}, s2_mode::training);
      c.x[17] = bad;
      c.forward();
      c.backward();
      if (!std::isfinite(bad)) CHECK_FALSE(std::isfinite(c.y[17]));
      c.x[17] = 0.5f;
      c.mask[3] = bad;
      c.forward();
      c.backward();
      c.mask[3] = 0.5f;
      c.parameters[11] = bad;
      c.forward();
      c.backward();
      // one bad run leaves no trace in the next
      c.parameters = lively_parameters<float>(c.config);
      std::fill(c.gradients.begin(), c.gradients.end(), 0.f);
      c.forward();
      c.backward();
      CHECK(finite(c.y));
      CHECK(finite(c.gradients));
    }
}
