#include "unmask/train/fit.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "tiny_training.hpp"
#include "unmask/nn/cpu/all.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;
namespace fs = std::filesystem;
using namespace tiny_training;

namespace {

struct watcher : ut::fit_observer {
  index_t stop_at = -1, saved = 0, validated = 0;
  double psnr = 0, hidden = 0, first_psnr = 0;
  std::vector<ut::stage> stages;
  bool on_step(const ut::step_report& r, ut::stage s) {
    stages.push_back(s);
    return r.step + 1 != stop_at;
  }
  void on_validation(index_t, const ut::validation_report& r, bool) {
    if (validated++ == 0) first_psnr = r.psnr;
    psnr = r.psnr;
    hidden = r.hidden.value();
  }
  void on_checkpoint(index_t, const std::string&) { ++saved; }
};

}  // namespace

TEST_CASE("fit: learns a small cube; an interrupted run ends with the same bits") {
  const auto s = source();
  const std::vector<tensor<float, 3>> unseen(1, scene(18, 22, 4, .5));
  const auto validation = ut::validation_set::create(unseen, binary_mask(24, 24), 2).value();
  const std::string path = (fs::temp_directory_path() / ("unmask_fit_" + std::to_string(getpid()))).string();
  ut::fit_options fit{.plan = ut::parse_stages("me:40,ma:80").value(),
                      .checkpoint = path,
                      .checkpoint_every = 50,
                      .validation = &validation,
                      .validate_every = 40};
  auto o = options();
  o.schedule = {.peak = 4e-3, .floor = 1e-5, .warm_up = 5, .steps = 120};
  o.optimiser.clip = 0;
  auto t = ut::trainer<s2_network<float, cpu>>::create(cpu{1}, tiny, o).value();
  watcher whole;
  CHECK(ut::fit(t, s, fit, whole).value() == ut::fit_end::finished);
  CHECK(whole.stages.size() == 120);
  CHECK(whole.stages[39] == ut::stage::mask_encoding);
  CHECK(whole.stages[40] == ut::stage::mask_aware);
  CHECK(whole.saved == 3);
  CHECK(whole.validated == 3);
  const auto mean = [&](std::size_t from) {
    double sum = 0;
    for (std::size_t i = from; i < from + 10; ++i) sum += static_cast<double>(t.state().losses[i]);
    return sum / 10;
  };
  auto seen = s.make_batch<float>();
  s.fill(cpu{1}, seen, 1, 0);
  t.predict(seen);
  const double encoding = ut::encoding_psnr<float>(cpu{1}, t.pin(1), seen.mask.view(), seen.truth.view());
  MESSAGE("auxiliary head against F': " << encoding << " dB");
  CHECK(encoding >= 10);
  MESSAGE("loss of stage ME " << mean(0) << " -> " << mean(30) << ", of MA " << mean(40) << " -> " << mean(110)
                              << ", psnr " << whole.first_psnr << " -> " << whole.psnr);
  // Margins of about a third: the kernels' rounding, not the seed, may change what is reached.
  CHECK(mean(30) <= .85 * mean(0));
  CHECK(mean(110) <= .9 * mean(40));
  CHECK(whole.psnr >= whole.first_psnr + .5);
  CHECK(t.state().best_psnr >= whole.psnr);

  fs::remove(path);
  fs::remove(ut::previous_checkpoint(path));
  auto before = ut::trainer<s2_network<float, cpu>>::create(cpu{1}, tiny, o).value();
  watcher interrupted;
  interrupted.stop_at = 73;
  CHECK(ut::fit(before, s, fit, interrupted).value() == ut::fit_end::stopped);
  auto after = ut::trainer<s2_network<float, cpu>>::create(cpu{1}, tiny, o).value();
  REQUIRE(bool(ut::resume_checkpoint(path, after.state())));
  watcher rest;
  CHECK(ut::fit(after, s, fit, rest).value() == ut::fit_end::finished);
  CHECK(std::equal(t.parameters().begin(), t.parameters().end(), after.parameters().begin()));
  CHECK(t.state().losses == after.state().losses);
  CHECK(t.state().best_psnr == after.state().best_psnr);
  fs::remove(path);
  fs::remove(ut::previous_checkpoint(path));
}

TEST_CASE("fit: patience, divergence and what does not fit") {
  const auto s = source();
  const std::vector<tensor<float, 3>> unseen(1, scene(12, 12, 4, .5));
  const auto validation = ut::validation_set::create(unseen, binary_mask(24, 24), 2).value();
  auto o = options();
  o.optimiser.average = 0;
  auto t = ut::trainer<s2_network<float, cpu>>::create(cpu{1}, tiny, o).value();
  ut::fit_options fit{
      .plan = ut::parse_stages("plain:40").value(), .validation = &validation, .validate_every = 5, .patience = 10};
  t.state().best_psnr = 90;  // cannot be beaten
  t.state().best_step = 0;
  CHECK(ut::fit(t, s, fit, ut::fit_observer()).value() == ut::fit_end::patience);
  CHECK(t.state().step == 10);
  CHECK(ut::fit(t, s, fit, ut::fit_observer()).value() == ut::fit_end::patience);  // resumed, it stays ended
  CHECK(t.state().step == 10);
  for (float& p : t.state().parameters) p = std::numeric_limits<float>::quiet_NaN();
  const auto diverged = ut::fit(t, s, {.plan = fit.plan}, ut::fit_observer());
  REQUIRE_FALSE(bool(diverged));
  CHECK(diverged.error().message() == "training step 19: parameter conv_first.weight is NaN or infinite, the last 10 steps were lost");
  CHECK(diverged.error().code() == errc::not_finite);
  CHECK_FALSE(bool(ut::fit(t, source(12), {.plan = fit.plan}, ut::fit_observer())));
  CHECK_FALSE(bool(ut::fit(t, s, {}, ut::fit_observer())));
  CHECK_FALSE(bool(ut::validation_set::create({}, binary_mask(8, 8), 2)));
  CHECK_FALSE(bool(ut::validate<s2_network<float, cpu>>(cpu{}, small_config(5), t.parameters(), validation)));
}
