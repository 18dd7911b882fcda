/// Another network class than s2_network through the same trainer, checkpoints, session, tiles and files.

#include <unmask/train/all.hpp>
#include <unmask/unmask.hpp>

#include "../model/cascade.hpp"
#include "../train/tiny_training.hpp"
#include "helpers.hpp"
#include "instances.hpp"
#include "unmask/io/weights.hpp"

using namespace unmask;
using namespace io_test;
namespace tt = tiny_training;
using unmask_test::cascade;
using unmask_test::cascade_config;

namespace {

using network = cascade<float, cpu>;
static_assert(Model<network> && Model<cascade<double, ref>>);

template <class N>
void learn(train::trainer<N>& t, index_t from, index_t to) {
  const auto s = tt::source();
  auto b = s.template make_batch<typename N::value_type>();
  const auto losses = tt::specs();
  for (index_t i = from; i < to; ++i) {
    s.fill(cpu{}, b, 11, i);
    CHECK(t.step(b, losses[static_cast<std::size_t>(i) % losses.size()]).updated);
  }
}

train::trainer<network> make(int threads = 1) {
  return train::trainer<network>::create(cpu{threads}, {}, tt::options()).value();
}

bool same(const train::trainer<network>& a, const train::trainer<network>& b) {
  return std::equal(a.parameters().begin(), a.parameters().end(), b.parameters().begin()) &&
         a.state().losses == b.state().losses;
}

}  // namespace

TEST_CASE("a second network: its gradient") {
  const train::trainer_options o{.batch = 2, .height = 7, .width = 5, .seed = 11, .drop_path = .3};
  auto t = train::trainer<cascade<double, ref>>::create({}, {}, o).value();
  unmask::random draw(3);
  for (double& p : t.state().parameters) p += .2 * draw.normal();
  train::batch<double> b(2, 7, 5, 4);
  for (auto* values : {&b.input, &b.truth})
    for (double& v : *values) v = draw.uniform();
  for (double& v : b.mask) v = draw.uniform();
  train::loss_spec spec{.kind = train::stage::mask_encoding, .rho = {train::penalty_kind::charbonnier, .5}};
  const auto loss = [&] { return t.differentiate(b, spec).value; };
  loss();
  const std::vector<double> gradient(t.gradients().begin(), t.gradients().end());
  CHECK(train::check_gradient_along(loss, t.state().parameters, gradient).error <= 1e-6);
}

TEST_CASE("a second network trains, saves and resumes: the same bits on any threads and where it was interrupted") {
  const temporary_folder folder;
  const std::string path = folder / "last.ckpt";
  auto whole = make(), threads = make(2), before = make(), after = make(3);
  learn(whole, 0, 8);
  learn(threads, 0, 8);
  CHECK(same(whole, threads));
  learn(before, 0, 3);
  REQUIRE(train::save_checkpoint(path, before.state()));
  REQUIRE(train::resume_checkpoint(path, after.state()));
  learn(after, 3, 8);
  CHECK(same(whole, after));

  // another configuration, and another network
  auto wider = train::trainer<network>::create({}, {.mixed = 50}, tt::options()).value();
  check_error(train::load_checkpoint(path, wider.state()), errc::wrong_shape, {"mixed is 25, expected 50"});
  auto other = train::trainer<s2_network<float, cpu>>::create({}, tt::tiny, tt::options()).value();
  check_error(train::load_checkpoint(path, other.state()), errc::wrong_shape,
              {"network is 'cascade', expected 'S2-Transformer'"});
}

TEST_CASE("a second network goes through files and runs in sessions, whole and by tiles") {
  const temporary_folder folder;
  auto t = make();
  learn(t, 0, 3);
  io::model_of<network> m;
  m.parameters.assign(t.parameters().begin(), t.parameters().end());
  m.dispersion_step = 3;
  REQUIRE(io::write_weights<network>(folder / "w", m));
  const auto read = io::read_weights<network>(folder / "w");
  REQUIRE_MESSAGE(read, read.error().message());
  CHECK(read->config == cascade_config{});
  CHECK(read->parameters == m.parameters);
  CHECK(fits(*read, 4, 3, dispersion_direction::right));
  check_error(fits(*read, 4, 2, dispersion_direction::right), errc::bad_argument, {"step 3, found 2"});
  check_error(io::read_weights(folder / "w"), errc::bad_argument, {"'cascade', expected 'S2-Transformer'"});
  check_error(io::config_from_json<cascade_config>({{"mixed", 101}}), errc::bad_argument, {"mixed is 101"});
  check_error(io::config_from_json<cascade_config>({{"mix", 1}}), errc::bad_argument, {"unknown key 'mix'"});

  const auto s = tt::source();
  auto b = s.make_batch<float>();
  s.fill(cpu{}, b, 1, 0);
  t.predict(b);
  const index_t height = b.mask.extent(1), width = b.mask.extent(2), pixels = height * width;
  const array_view<const float, 2> mask(b.mask.data(), height, width);
  const array_view<const float, 3> input(b.input.data(), height, width, index_t{4});
  auto whole = session<network>::create({.threads = 2}, read->config, read->parameters, height, width, mask).value();
  tensor<float, 3> y({height, width, 4}), tiled(y.extents()), again(y.extents());
  whole.run(y.view(), input);
  whole.run(again.view(), input);
  CHECK(std::equal(y.begin(), y.end(), again.begin()));
  double worst = 0;
  for (index_t i = 0; i < pixels * 4; ++i)
    worst = std::max(worst, std::abs(static_cast<double>(y.data()[i]) - static_cast<double>(t.estimate().data()[i])));
  CHECK(worst <= 1e-5);  // inference and training have passes of their own

  const tiling tiles{tile_spans(read->config, height, 1000, 0), tile_spans(read->config, width, 1000, 0)};
  auto parts = tiled_session<network>::create({}, read->config, read->parameters, tiles).value();
  REQUIRE(parts.run(
      [&](const tile_span&, const tile_span&, auto x, auto m2) -> result<> {
        std::copy(input.begin(), input.end(), x.begin());
        std::copy(mask.begin(), mask.end(), m2.begin());
        return {};
      },
      [&](const tile_span&, const tile_span&, auto cube) -> result<> {
        std::copy(cube.begin(), cube.end(), tiled.begin());
        return {};
      }));
  CHECK(std::equal(y.begin(), y.end(), tiled.begin()));
}
