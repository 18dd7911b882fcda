#include "unmask/train/by_sample.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <string>

#include "thread_ranks.hpp"
#include "tiny_training.hpp"
#include "unmask/nn/cpu/all.hpp"
#include "unmask/train/fit.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;
namespace fs = std::filesystem;
using namespace tiny_training;

namespace {

using network = s2_network<float, cpu>;
using trainer = ut::trainer<network>;

ut::trainer_options by_sample(index_t batch) {
  auto o = options();
  o.batch = batch;
  o.by_sample = true;
  o.drop_path = .2;
  o.schedule.steps = 50;
  return o;
}

ut::sample_source samples(index_t batch) {
  std::vector<tensor<float, 3>> scenes;
  scenes.push_back(scene(20, 24, 4, 0));
  scenes.push_back(scene(20, 24, 4, 1));
  return ut::sample_source::create(std::move(scenes), std::vector<tensor<float, 2>>(1, binary_mask(24, 24)),
                                   {.batch = batch, .height = 8, .width = 8})
      .value();
}

/// All that a training has learnt.
std::vector<float> bits(trainer& t) {
  std::vector<float> all;
  const auto& s = t.state();
  for (auto block : {s.parameters, s.first, s.second, s.average}) all.insert(all.end(), block.begin(), block.end());
  all.insert(all.end(), s.losses.begin(), s.losses.end());
  return all;
}

/// A name for the tree's node: "(0+1)".
std::string tree(index_t batch, int ranks) {
  std::vector<std::string> roots;
  std::vector<ut::sample_range> nodes;
  for (int r = 0; r < ranks; ++r) {
    const auto share = ut::share_of(r, ranks, batch);
    std::array<std::string, ut::sample_stack::most> names;
    ut::sample_stack own;
    for (index_t i = 0; i < share.count; ++i) {
      names[own.depth()] = std::to_string(share.first + i);
      own.push({share.first + i, 1}, [&](std::size_t k) { names[k] = "(" + names[k] + "+" + names[k + 1] + ")"; });
    }
    for (std::size_t k = 0; k < own.depth(); ++k) roots.push_back(names[k]), nodes.push_back(own[k]);
  }
  std::array<std::string, ut::sample_stack::most> names;
  ut::sample_stack all;
  const auto join = [&](std::size_t k) { names[k] = "(" + names[k] + "+" + names[k + 1] + ")"; };
  for (std::size_t i = 0; i < roots.size(); ++i) {
    names[all.depth()] = roots[i];
    all.push(nodes[i], join);
  }
  all.close(join);
  return names[0];
}

/// What a broken memory would do to one rank.
struct broken_source {
  ut::sample_source source;
  bool broken;
  const ut::sample_options& options() const { return source.options(); }
  index_t bands() const { return source.bands(); }
  template <class T>
  ut::batch<T> make_batch(index_t count) const {
    return source.make_batch<T>(count);
  }
  void fill(const cpu& be, ut::batch<float>& to, std::uint64_t seed, index_t step, index_t first) {
    source.fill(be, to, seed, step, first);
    if (broken && step >= 4) to.input(0, 2, 3, 1) = std::numeric_limits<float>::quiet_NaN();
  }
};

}  // namespace

TEST_CASE("sums over samples: the tree is that of the batch, whoever has which samples") {
  CHECK(tree(1, 1) == "0");
  CHECK(tree(4, 1) == "((0+1)+(2+3))");
  CHECK(tree(7, 1) == "(((0+1)+(2+3))+((4+5)+6))");
  for (index_t batch = 1; batch <= 70; ++batch)
    for (int ranks = 2; ranks <= batch; ++ranks) CHECK_MESSAGE(tree(batch, ranks) == tree(batch, 1), batch);
  CHECK(tree(4096, 513) == tree(4096, 1));
  CHECK(tree(65535, 7) == tree(65535, 1));
  index_t next = 0;
  for (int r = 0; r < 5; ++r) {
    const auto share = ut::share_of(r, 5, 13);
    CHECK(share.first == next);
    next += share.count;
  }
  CHECK(next == 13);
}

TEST_CASE("by sample: the gradient is the mean of the samples' gradients") {
  const auto s = samples(5);
  auto whole = trainer::create(cpu{2}, tiny, by_sample(5)).value();
  auto one_by_one = by_sample(1);
  one_by_one.by_sample = false;
  one_by_one.drop_path = 0;
  auto o = by_sample(5);
  o.drop_path = 0;
  auto t = trainer::create(cpu{2}, tiny, o).value();
  auto single = trainer::create(cpu{1}, tiny, one_by_one).value();
  auto b = s.make_batch<float>();
  auto part = s.make_batch<float>(1);
  s.fill(cpu{1}, b, 11, 3);
  for (const auto& spec : specs()) {
    const auto loss = t.differentiate(b, spec);
    std::vector<double> mean(t.gradients().size(), 0);
    double value = 0, encoding = 0;
    for (index_t i = 0; i < 5; ++i) {
      s.fill(cpu{1}, part, 11, 3, i);
      CHECK(std::equal(part.input.begin(), part.input.end(), &b.input(i, 0, 0, 0)));
      CHECK(std::equal(part.mask.begin(), part.mask.end(), &b.mask(i, 0, 0)));
      const auto l = single.differentiate(part, spec);
      value += l.value / 5, encoding += l.encoding / 5;
      for (std::size_t k = 0; k < mean.size(); ++k) mean[k] += static_cast<double>(single.gradients()[k]) / 5;
    }
    CHECK(loss.value == doctest::Approx(value).epsilon(1e-12));
    CHECK(loss.encoding == doctest::Approx(encoding).epsilon(1e-12));
    double largest = 0, off = 0;
    for (std::size_t k = 0; k < mean.size(); ++k) {
      largest = std::max(largest, std::abs(mean[k]));
      off = std::max(off, std::abs(mean[k] - static_cast<double>(t.gradients()[k])));
    }
    // four roundings of sums of numbers of that size
    CHECK(off <= 4 * 6e-8 * largest * 5);
    CHECK(largest > 0);
  }
}

TEST_CASE(
    "by sample: 50 steps end in the same bits on any number of ranks and threads, also after a resume on others") {
  const std::string path = (fs::temp_directory_path() / ("unmask_ranks_" + std::to_string(getpid()))).string();
  const auto all = ut::parse_stages("me:25,ma:25").value();
  for (const index_t batch : {4, 7}) {
    const auto train = [&](int ranks, int threads, index_t stop_at, bool resume) {
      std::vector<std::vector<float>> ends(static_cast<std::size_t>(ranks));
      thread_ranks::run(ranks, [&](communicator& me) {
        struct stopper : ut::fit_observer {
          index_t last;
          bool on_step(const ut::step_report& r, ut::stage) { return r.step + 1 != last; }
        } observer;
        observer.last = stop_at;
        auto o = by_sample(batch);
        o.ranks = &me;
        auto t = trainer::create(cpu{threads}, tiny, o).value();
        if (resume) REQUIRE(bool(ut::resume_checkpoint(path, t.state())));
        auto s = samples(batch);
        const auto end = ut::fit(t, s, {.plan = all, .checkpoint = me.first() && stop_at > 0 ? path : ""}, observer);
        REQUIRE(bool(end));
        CHECK(*end == (stop_at > 0 ? ut::fit_end::stopped : ut::fit_end::finished));
        ends[static_cast<std::size_t>(me.rank())] = bits(t);
      });
      for (const auto& end : ends) CHECK(end == ends[0]);
      return ends[0];
    };
    const auto expected = train(1, 1, 0, false);
    CHECK(std::all_of(expected.begin(), expected.end(), [](float v) { return std::isfinite(v); }));
    for (int ranks : {1, 2, 3, 4})
      for (int threads : {1, 2}) CHECK_MESSAGE(train(ranks, threads, 0, false) == expected, ranks);
    for (const auto& ranks : {std::pair{1, 3}, {3, 2}, {4, 1}}) {
      const int before = ranks.first, after = ranks.second;
      train(before, 1, 17, false);
      const bool same = train(after, 2, 0, true) == expected;
      CHECK(same);
      fs::remove(path);
      fs::remove(ut::previous_checkpoint(path));
    }
  }
}

TEST_CASE("by sample: pieces that leave early, and many of them, change no bit") {
  // large enough for several pieces: 8 slices of 64 KiB on two ranks
  s2_config wide = tiny;
  wide.channels = 48, wide.hidden = 192, wide.spectral_head_width = 24;
  const index_t size = make_manifest(wide).size;
  REQUIRE(size * 4 > 4 * ut::gradient_sum<float, cpu>::slice_bytes * 2);
  const auto step = [&](int ranks) {
    std::vector<float> end;
    thread_ranks::run(ranks, [&](communicator& me) {
      auto o = by_sample(5);
      o.ranks = &me;
      auto t = trainer::create(cpu{1}, wide, o).value();
      auto s = samples(5);
      auto b = s.make_batch<float>(t.share().count);
      for (index_t i = 0; i < 3; ++i) {
        s.fill(cpu{1}, b, 11, i, t.share().first);
        CHECK(t.step(b, specs()[static_cast<std::size_t>(i)]).updated);
      }
      if (me.first()) end = bits(t);
    });
    return end;
  };
  const auto expected = step(1);
  for (int ranks : {2, 3, 5}) CHECK_MESSAGE(step(ranks) == expected, ranks);
}

TEST_CASE("by sample: NaN on one rank is a lost step on all, named by rank; ten of them end all") {
  thread_ranks::run(3, [&](communicator& me) {
    struct listener : ut::fit_observer {
      std::string lost;
      void on_lost_step(const std::string& where) { lost = where; }
    } observer;
    auto o = by_sample(3);
    o.ranks = &me;
    auto t = trainer::create(cpu{1}, tiny, o).value();
    broken_source s{samples(3), me.rank() == 2};
    const auto end = ut::fit(t, s, {.plan = ut::parse_stages("plain:40").value()}, observer);
    REQUIRE_FALSE(bool(end));
    CHECK(end.error().code() == errc::not_finite);
    CHECK(end.error().message() ==
          "training step 13: sample of rank 2 is NaN or infinite, the last 10 steps were lost");
    CHECK(observer.lost == "step 4: sample of rank 2");
    CHECK(t.state().updates == 4);
  });
}

TEST_CASE("by sample: what does not fit is refused by name") {
  thread_ranks::run(3, [&](communicator& me) {
    auto o = by_sample(2);
    o.ranks = &me;
    CHECK(trainer::create(cpu{1}, tiny, o).error().message() ==
          "trainer: batch is 2 for 3 ranks, expected at least one sample a rank");
    o.batch = 4;
    o.by_sample = false;
    CHECK(trainer::create(cpu{1}, tiny, o).error().message() ==
          "trainer: 3 ranks share a batch, which is possible with by_sample = true only");
  });
}
