/// Training on the cuda backend: steps of every loss against the reference, checkpoints that move between backends.

#include "../nn/tested_backend.hpp"
// a kernel's emulator comes before what includes its launcher
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "../model/network_case.hpp"
#include "../train/tiny_training.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;
namespace tt = tiny_training;

namespace {

template <class Backend>
using trainer = ut::trainer<s2_network<double, Backend>>;

template <class Backend>
trainer<Backend> make(Backend be) {
  return trainer<Backend>::create(be, tt::tiny, tt::options()).value();
}

template <class Backend>
void steps(trainer<Backend>& t, index_t from, index_t to) {
  const auto s = tt::source();
  auto samples = s.make_batch<double>();
  const auto losses = tt::specs();
  for (index_t i = from; i < to; ++i) {
    s.fill(ref{}, samples, 11, i);
    const ut::step_report report = t.step(samples, losses[static_cast<std::size_t>(i) % losses.size()]);
    CHECK(report.updated);
    CHECK(std::isfinite(report.loss));
  }
}

template <class A, class B>
double difference(const trainer<A>& found, const trainer<B>& expected) {
  const auto list = [](std::span<const double> x) { return std::vector<double>(x.begin(), x.end()); };
  const auto &f = found.state(), &e = expected.state();
  double worst = 0;
  for (const double error : {unmask_test::relative_error(list(f.parameters), list(e.parameters)),
                             unmask_test::relative_error(list(f.first), list(e.first)),
                             unmask_test::relative_error(list(f.average), list(e.average))})
    if (!(error <= worst)) worst = error;
  return worst;
}

}  // namespace

TEST_CASE("cuda trainer: every loss, stochastic depth, clipping and averages as the reference has them") {
  auto expected = make(ref{});
  auto found = make(cuda{});
  CHECK(difference(found, expected) == 0);
  const auto count = static_cast<index_t>(tt::specs().size());
  steps(expected, 0, count);
  steps(found, 0, count);
  // AdamW divides by the root of the gradient's square: what rounding leaves of a gradient that is zero in exact
  // arithmetic moves weights as far as any other
  CHECK(difference(found, expected) <= 1e-6);
  for (std::size_t i = 0; i < tt::specs().size(); ++i)
    CHECK(found.state().losses[i] == doctest::Approx(expected.state().losses[i]).epsilon(1e-6));
  CHECK(bool(finish(found.backend())));
}

TEST_CASE("cuda trainer: a checkpoint of either backend is one of the other") {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("unmask_cuda_" + std::to_string(::getpid()))).string();
  auto first = make(cuda{}), same = make(cuda{});
  steps(first, 0, 2);
  REQUIRE(bool(ut::save_checkpoint(path, std::as_const(first).state())));
  steps(first, 2, 4);
  REQUIRE(bool(ut::resume_checkpoint(path, same.state())));
  CHECK(same.state().step == 2);
  steps(same, 2, 4);
  CHECK(difference(same, first) == 0);
  auto on_host = make(ref{});
  REQUIRE(bool(ut::resume_checkpoint(path, on_host.state())));
  steps(on_host, 2, 4);
  CHECK(difference(on_host, first) <= 1e-6);
  REQUIRE(bool(ut::save_checkpoint(path, on_host.state())));
  auto back = make(cuda{});
  REQUIRE(bool(ut::resume_checkpoint(path, back.state())));
  CHECK(difference(back, on_host) == 0);
  for (const char* end : {"", ".previous"}) std::filesystem::remove(path + end);
}
