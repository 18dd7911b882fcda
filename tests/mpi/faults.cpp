/// What ranks do when one of them dies, or computes what is no number.

#include <random>

#include "ranks.hpp"

TEST_CASE(
    "kill -9 of a random rank at 20 moments: all end within 30 s, and the last checkpoint goes on to the same bits") {
  const training_files t({{"stages", "me:60,ma:140"}, {"batch", 4}, {"checkpoint_every", 5}, {"validate_every", 50}});
  REQUIRE(t.run("one", "--set by_sample=true").code == 0);
  const auto logged = [&] {
    std::error_code none;
    const auto size = fs::file_size(t.folder / "run/log.jsonl", none);
    return none ? std::uintmax_t{0} : size;
  };
  std::mt19937 draw(25);
  int killed = 0, finished = 0;
  double longest = 0;
  std::size_t most_lines = 0;
  while (killed < 20 && finished < 20) {
    const int ranks = 2 + static_cast<int>(draw() % 3);
    const bool begun = fs::exists(t.folder / "run/config.json");
    const std::string out = " --out " + t.folder / "run";
    const auto before = logged();
    const pid_t job = start_ranks(t.folder, ranks, begun ? "train --resume" + out : t.train + out);
    int status = 0;
    bool over = false;
    const auto ended = [&] { return over || (over = ::waitpid(job, &status, WNOHANG) != 0); };
    if (killed % 4 == 0) {
      ::usleep(static_cast<useconds_t>(200000 + draw() % 500000));  // while they start
    } else {
      const auto target = before + draw() % 1800;  // up to twelve steps later
      for (int i = 0; i < 60000 && logged() < target && !ended(); ++i) ::usleep(500);
    }
    const auto all = ended() ? std::vector<pid_t>() : ranks_of(job);
    const auto start = std::chrono::steady_clock::now();
    if (!all.empty()) ::kill(all[draw() % all.size()], SIGKILL);
    while (!ended() && seconds_since(start) < 60) ::usleep(1000);
    const double seconds = seconds_since(start);
    longest = std::max(longest, seconds);
    CHECK(seconds <= 30);
    if (seconds >= 60) ::kill(job, SIGKILL);
    const bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    (done ? finished : killed) += 1;
    if (done) fs::remove_all(t.folder / "run");  // came to its end before anyone was killed: begun anew
    most_lines = std::max(most_lines, own_lines({0, "", read_text(t.folder / "stderr")}).size());
    if (fs::exists(t.folder / "run/last.ckpt")) continue;
    CHECK(!fs::exists(t.folder / "run/log.jsonl"));  // killed before the first checkpoint
  }
  CHECK(killed == 20);
  CHECK(most_lines <= 1);
  const auto r = run_ranks(t.folder, 3, "train --resume --out " + t.folder / "run");
  CHECK_MESSAGE(r.code == 0, r.err);
  MESSAGE(killed << " kills, the slowest end took " << longest << " s; " << r.out.substr(0, r.out.find('\n')));
  same_training(t, "one", "run");
}

TEST_CASE(
    "a training that diverges stops all ranks, with exit code 1 and one line beside that of the first lost step") {
  const training_files t({{"stages", "plain:200"},
                          {"batch", 4},
                          {"clip", 0},
                          {"learning_rate", 1e30},
                          {"warm_up", 0},
                          {"validate_every", 500}});
  const auto r = run_ranks(t.folder, 3, t.train + " --out " + t.folder / "run");
  CHECK(r.code == 1);
  const auto lines = own_lines(r);
  REQUIRE_MESSAGE(lines.size() == 2, r.err);
  CHECK(lines[1].find("the last 10 steps were lost") != std::string::npos);
}

TEST_CASE("a checkpoint that the first rank cannot write ends all with exit code 1 and one line") {
  const training_files t({{"stages", "plain:4000"}, {"batch", 4}, {"checkpoint_every", 20}, {"validate_every", 5000}});
  const pid_t job = start_ranks(t.folder, 3, t.train + " --out " + t.folder / "run");
  for (int i = 0; i < 4000 && !fs::exists(t.folder / "run/log.jsonl"); ++i) ::usleep(5000);
  fs::rename(t.folder / "run", t.folder / "gone");
  int status = 0;
  ::waitpid(job, &status, 0);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 1));
  const auto lines = own_lines({0, "", read_text(t.folder / "stderr")});
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("/run/") != std::string::npos);
}
