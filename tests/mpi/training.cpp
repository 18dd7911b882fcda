/// Trainings on 1 to 4 ranks against one process.

#include "ranks.hpp"

namespace {

json both_stages() {
  return {{"stages", "me:25,ma:25"}, {"batch", 4}, {"checkpoint_every", 10}, {"validate_every", 25}};
}

}  // namespace

TEST_CASE("50 steps of both stages end in the same bits on 1, 2, 3 and 4 ranks of 1 and 2 threads") {
  const training_files t(both_stages());
  REQUIRE(t.run("one", "--set by_sample=true").code == 0);
  CHECK(log_of(t, "one").size() == 50 + 2);
  for (int ranks : {1, 2, 3, 4})
    for (int threads : {1, 2}) {
      const auto r = run_ranks(t.folder, ranks, t.train + " --force --out " + t.folder / "many", threads);
      CHECK_MESSAGE(r.code == 0, r.err);
      CHECK(r.out.find(std::to_string(ranks) + " ranks, ") != std::string::npos);
      CHECK(r.out.find(" ms a step, ") != std::string::npos);
      same_training(t, "one", "many");
    }
  // a run that nobody shared may not be shared later: its sums are others
  REQUIRE(t.run("plain").code == 0);
  CHECK(t.text("plain/last.ckpt") != t.text("one/last.ckpt"));
  const auto r = run_ranks(t.folder, 2, "train --resume --out " + t.folder / "plain");
  CHECK(r.code == 2);
  REQUIRE(own_lines(r).size() == 1);
  CHECK(own_lines(r)[0].find("by_sample = true") != std::string::npos);
}

TEST_CASE("a training that ended early goes on, on another number of ranks, to the same bits") {
  const training_files t(both_stages());
  REQUIRE(t.run("one", "--set by_sample=true").code == 0);
  int from = 1;
  for (int to : {3, 2, 4, 1}) {
    fs::remove_all(t.folder / "run");
    // SIGTERM to a rank is SIGTERM to all: they end together, with a checkpoint
    const pid_t job = start_ranks(t.folder, from, t.train + " --out " + t.folder / "run");
    for (int i = 0; i < 4000 && log_of(t, "run").size() < 12; ++i) ::usleep(5000);
    const auto ranks = ranks_of(job);
    if (!ranks.empty()) ::kill(ranks.back(), SIGTERM);
    int status = 0;
    ::waitpid(job, &status, 0);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    const auto r = run_ranks(t.folder, to, "train --resume --out " + t.folder / "run", 2);
    CHECK_MESSAGE(r.code == 0, r.err);
    CHECK(r.out.find("resumed at step ") != std::string::npos);
    same_training(t, "one", "run");
    from = to;
  }
}

TEST_CASE("ranks that start with something else are refused: the rank, what differs, what to do") {
  const training_files t(both_stages());
  fs::create_directories(t.folder / "other");
  fs::copy(t.folder / "scene.h5", t.folder / "other/b.h5");
  const sample_files changed(t.folder, 32, 4, 4);
  fs::copy(t.folder / "scene.h5", t.folder / "other/a.h5");
  const std::string out = " --out " + t.folder / "run";
  const auto refused = [&](const std::string& second, const std::string& what) {
    const auto r = run_line(t.folder, on_ranks(1, t.train + out) + " : " + on_ranks(1, second + out));
    CHECK(r.code == 2);
    REQUIRE_MESSAGE(own_lines(r).size() == 1, r.err);
    CHECK_MESSAGE(own_lines(r)[0].find(what) != std::string::npos, own_lines(r)[0]);
    fs::remove_all(t.folder / "run");
  };
  const std::string rest = " --mask " + t.folder / "mask.h5" + " --config " + t.folder / "config.json";
  refused("train --data " + t.folder / "other" + rest, "rank 1: its data differ from those of rank 0");
  refused(t.train + " --set lambda=2", "rank 1: 'lambda' is 2.0 and not 1.0 as on rank 0");
  refused("train --data " + t.folder / "nowhere" + rest, "rank 1: ");
  refused(t.train + " --set batch=1", "rank 1: trainer: batch is 1 for 2 ranks, expected at least one sample a rank");
}

TEST_CASE("what only one rank can do, and more ranks than samples, is refused in one line") {
  const training_files t(both_stages());
  const auto refused = [&](int ranks, const std::string& arguments, const std::string& what) {
    const auto r = run_ranks(t.folder, ranks, arguments);
    CHECK(r.code == 2);
    REQUIRE_MESSAGE(own_lines(r).size() == 1, r.err);
    CHECK_MESSAGE(own_lines(r)[0].find(what) != std::string::npos, own_lines(r)[0]);
  };
  refused(2, "info " + t.folder / "scene.h5", "info: found 2 ranks, expected one");
  refused(5, t.train + " --out " + t.folder / "run", "trainer: batch is 4 for 5 ranks");
  CHECK_FALSE(fs::exists(t.folder / "run"));
  refused(2, "train --data " + t.folder / "nowhere --mask " + t.folder / "mask.h5 --out " + t.folder / "run",
          "nowhere");
  const std::string shot = " --measurement " + t.folder / "scene.h5" + " --mask " + t.folder / "mask.h5";
  refused(2, "reconstruct" + shot + " --out " + t.folder / "x.h5", "which share files (--list) or the tiles of one");
  CHECK(run_ranks(t.folder, 2, "--version").code == 0);
}
