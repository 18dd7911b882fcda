#include <doctest/doctest.h>

#include <vector>

#include "tiny_training.hpp"
#include "unmask/train/gradient_check.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;
using namespace tiny_training;

TEST_CASE("trainer: the gradient of every loss through the whole network") {
  // 7 x 5 is not a multiple of the window: padding takes part.
  const ut::trainer_options o{.batch = 2, .height = 7, .width = 5, .seed = 11, .drop_path = .3};
  auto made = ut::trainer<s2_network<double, ref>>::create({}, tiny, o);
  REQUIRE(bool(made));
  auto& t = *made;
  // Fresh weights hide errors: linear weights of .02 make attention nearly constant. Twenty times that does not.
  unmask::random draw(3);
  for (double& p : t.state().parameters) p += .2 * draw.normal();
  ut::batch<double> b(2, 7, 5, 4);
  for (double& v : b.input) v = draw.uniform();
  for (double& v : b.mask) v = draw.uniform();
  for (double& v : b.truth) v = draw.uniform();
  for (ut::loss_spec spec : specs()) {
    spec.rho = {ut::penalty_kind::charbonnier, .5};  // |.| has kinks that a step of the difference may cross
    spec.aware.epsilon = .5;
    const auto loss = [&] { return t.differentiate(b, spec).value; };
    loss();
    std::vector<double> gradient(t.gradients().begin(), t.gradients().end());
    // A detached weight is a constant in the gradient, but not in the difference, unless it is the mask's.
    if (spec.kind == ut::stage::mask_aware && spec.aware.detached && spec.aware.weight == ut::aware_weight::signal)
      continue;
    CHECK(ut::check_gradient_along(loss, t.state().parameters, gradient).error <= 1e-6);
  }
}
