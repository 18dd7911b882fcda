#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <new>
#include <vector>

#include "../model/heap_count.hpp"
#include "tiny_training.hpp"
#include "unmask/nn/cpu/all.hpp"
#include "unmask/train/trainer.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;
using namespace tiny_training;
namespace fs = std::filesystem;

namespace {
std::atomic<long> allocations{0};

[[maybe_unused]] void* counted(std::size_t bytes, std::size_t align) {
  ++allocations;
  void* p = nullptr;
  if (posix_memalign(&p, std::max(align, sizeof(void*)), bytes ? bytes : 1) != 0) std::abort();
  return p;
}

// Not inlined: g++ 12 would see free() beside a new that it did not inline, and warn.
[[gnu::noinline, maybe_unused]] void release(void* p) { std::free(p); }
}  // namespace

#if UNMASK_TEST_HEAP_COUNTED
// Every form of new that the library can reach, so that the count below misses none.
void* operator new(std::size_t n) { return counted(n, 16); }
void* operator new[](std::size_t n) { return counted(n, 16); }
void* operator new(std::size_t n, std::align_val_t a) { return counted(n, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return counted(n, static_cast<std::size_t>(a)); }
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { release(p); }
#endif

namespace {

template <class T>
std::vector<T> run(int threads, index_t from, index_t to, ut::trainer<s2_network<T, cpu>>& t,
                   const ut::sample_source& s) {
  auto b = s.make_batch<T>();
  const auto all = specs();
  for (index_t i = from; i < to; ++i) {
    s.fill(cpu{threads}, b, 11, i);
    CHECK(t.step(b, all[static_cast<std::size_t>(i) % all.size()]).updated);
  }
  std::vector<T> bits;
  for (auto block : {t.state().parameters, t.state().first, t.state().second, t.state().average})
    bits.insert(bits.end(), block.begin(), block.end());
  return bits;
}

}  // namespace

TEST_CASE("trainer: the same bits for 1, 2 and 3 threads, and across save and load") {
  using T = float;
  const auto s = source();
  const auto make = [&](int threads) {
    return ut::trainer<s2_network<T, cpu>>::create(cpu{threads}, tiny, options()).value();
  };
  auto one = make(1);
  const auto bits = run<T>(1, 0, 10, one, s);
  CHECK(std::all_of(bits.begin(), bits.end(), [](T v) { return std::isfinite(v); }));
  for (int threads : {2, 3}) {
    auto t = make(threads);
    CHECK(run<T>(threads, 0, 10, t, s) == bits);
  }
  const std::string path = (fs::temp_directory_path() / ("unmask_resume_" + std::to_string(getpid()))).string();
  {
    auto first = make(1);
    run<T>(1, 0, 5, first, s);
    REQUIRE(bool(ut::save_checkpoint(path, first.state())));
  }
  auto second = make(2);
  REQUIRE(bool(ut::resume_checkpoint(path, second.state())));
  CHECK(second.state().step == 5);
  CHECK(run<T>(2, 5, 10, second, s) == bits);
  CHECK(second.state().losses == one.state().losses);
  fs::remove(path);
}

TEST_CASE("trainer: a step is a gradient and an update, and gradients may be replaced in between") {
  using net = s2_network<float, cpu>;
  const auto s = source();
  const auto make = [] { return ut::trainer<net>::create(cpu{1}, tiny, options()).value(); };
  auto whole = make(), halves = make(), replaced = make(), mean = make();
  auto b = s.make_batch<float>();
  const auto all = specs();
  std::vector<float> gradients;
  for (index_t i = 0; i < 6; ++i) {
    s.fill(cpu{1}, b, 11, i);
    const auto& spec = all[static_cast<std::size_t>(i) % all.size()];
    const auto report = whole.step(b, spec);
    const auto again = halves.apply_update(halves.differentiate(b, spec));
    CHECK(again.updated);
    CHECK(again.step == i);
    CHECK(again.loss == report.loss);
    CHECK(again.encoding == report.encoding);
    CHECK(again.gradient_norm == report.gradient_norm);
    CHECK(again.learning_rate == report.learning_rate);
    const auto loss = replaced.differentiate(b, spec);
    gradients.assign(replaced.gradients().begin(), replaced.gradients().end());
    replaced.replace_gradients(gradients);
    CHECK(replaced.apply_update(loss).gradient_norm == report.gradient_norm);
  }
  for (const auto* t : {&halves, &replaced}) {
    CHECK(std::equal(whole.parameters().begin(), whole.parameters().end(), t->parameters().begin()));
    CHECK(whole.state().losses == t->state().losses);
  }
  // half the gradient has half the norm, and what is not finite changes nothing
  const auto loss = mean.differentiate(b, all[0]);
  gradients.assign(mean.gradients().begin(), mean.gradients().end());
  const double norm = ut::norm(cpu{1}, gradients.data(), static_cast<index_t>(gradients.size()));
  for (float& g : gradients) g /= 2;
  mean.replace_gradients(gradients);
  CHECK(std::equal(gradients.begin(), gradients.end(), mean.gradients().begin()));
  CHECK(mean.apply_update(loss).gradient_norm == doctest::Approx(norm / 2).epsilon(1e-6));
  const std::vector<float> before(mean.parameters().begin(), mean.parameters().end());
  gradients[0] = std::numeric_limits<float>::infinity();
  mean.replace_gradients(gradients);
  CHECK_FALSE(mean.apply_update(loss).updated);
  CHECK(std::equal(before.begin(), before.end(), mean.parameters().begin()));
}

TEST_CASE("trainer: a step takes no heap") {
  if (!UNMASK_TEST_HEAP_COUNTED) {
    MESSAGE("skipped: the thread sanitizer counts no heap calls");
    return;
  }
  const auto s = source();
  auto t = ut::trainer<s2_network<float, cpu>>::create(cpu{1}, tiny, options()).value();
  auto b = s.make_batch<float>();
  s.fill(cpu{1}, b, 1, 0);
  const auto all = specs();
  for (const auto& spec : all) {
    const long before = allocations;
    const auto report = t.step(b, spec);
    const long after = allocations;
    CHECK(report.updated);
    CHECK(after - before == 0);
  }
}

TEST_CASE("trainer: what is not finite changes nothing, other sizes are refused") {
  const auto s = source();
  auto t = ut::trainer<s2_network<float, cpu>>::create(cpu{1}, tiny, options()).value();
  const std::vector<float> before(t.parameters().begin(), t.parameters().end());
  auto b = s.make_batch<float>();
  s.fill(cpu{1}, b, 1, 0);
  b.input(0, 3, 3, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_FALSE(t.step(b, {}).updated);
  CHECK(std::equal(before.begin(), before.end(), t.parameters().begin()));
  CHECK(t.state().step == 1);
  CHECK(t.state().updates == 0);
  CHECK_FALSE(t.step(ut::batch<float>(2, 8, 9, 4), {}).updated);
  CHECK(t.state().step == 1);
  const auto refused = [](auto change) {
    auto o = options();
    auto config = tiny;
    change(o, config);
    const auto made = ut::trainer<s2_network<float, ref>>::create({}, config, o);
    REQUIRE_FALSE(bool(made));
    return made.error().message();
  };
  CHECK(refused([](auto& o, auto&) { o.height = 0; }) == "trainer: height is 0, expected 1..65536");
  CHECK(refused([](auto& o, auto&) { o.drop_path = 1; }) == "trainer: drop_path is 1.000000, expected 0..1");
  CHECK(refused([](auto&, auto& c) { c.heads[0] = 5; }).find("heads is 5") != std::string::npos);
  CHECK(t.start_from(std::vector<float>(3)).error().code() == errc::wrong_shape);
  CHECK(bool(t.start_from(std::vector<float>(before.size(), .5f))));
  CHECK(t.inference_parameters()[0] == .5f);
}

TEST_CASE("stochastic depth: rates grow linearly, the mean stays 1") {
  constexpr index_t branches = 12, batch = 5, blocks = 4;
  std::vector<double> keep(branches * batch), again(keep), mean(blocks), dropped(blocks);
  constexpr index_t draws = 2000;
  for (index_t step = 0; step < draws; ++step) {
    ut::draw_keep(keep.data(), branches, batch, blocks, .3, 1, step);
    for (std::size_t i = 0; i < keep.size(); ++i) {
      mean[i / 15] += keep[i] / (15 * draws);
      dropped[i / 15] += (keep[i] == 0) / (15. * draws);
    }
  }
  // 30,000 Bernoulli draws: three standard deviations are at most .008, and .0115 of a mean of draws of size 1/.7.
  for (std::size_t k = 0; k < 4; ++k) {
    CHECK(std::abs(dropped[k] - .1 * static_cast<double>(k)) <= .008);
    CHECK(std::abs(mean[k] - 1) <= .0115);
  }
  CHECK(dropped[0] == 0);
  ut::draw_keep(again.data(), branches, batch, blocks, .3, 1, draws - 1);
  CHECK(again == keep);
}
